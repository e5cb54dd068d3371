"""Pages as a person without JavaScript uses them: read what is there, fill in forms by their labels, press buttons."""

from __future__ import annotations

from collections.abc import Iterator
from html.parser import HTMLParser
from urllib.parse import urlsplit
from xml.etree.ElementTree import Element, TreeBuilder

import httpx2

VOID = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "wbr"}
INLINE = {
    "a",
    "abbr",
    "b",
    "button",
    "code",
    "em",
    "i",
    "input",
    "label",
    "small",
    "span",
    "strong",
}
UNSENT = {"submit", "button", "reset", "image", "file"}
SUBMIT = ".//input[@type='submit']"


class _Tree(HTMLParser):
    """Builds a tree; an element left open ends with its parent. What stands in blocks of its own has a space between."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.builder, self.open = TreeBuilder(), ["page"]
        self.builder.start("page", {})

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._part(tag)
        self.builder.start(tag, {name: value or "" for name, value in attrs})
        if tag in VOID:
            self.builder.end(tag)
        else:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.builder.start(tag, {name: value or "" for name, value in attrs})
        self.builder.end(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag in self.open:
            while self.open[-1] != tag:
                self.builder.end(self.open.pop())
            self.builder.end(self.open.pop())
            self._part(tag)

    def _part(self, tag: str) -> None:
        if tag not in INLINE:
            self.builder.data(" ")

    def handle_data(self, data: str) -> None:
        self.builder.data(data)

    def tree(self) -> Element:
        while self.open:
            self.builder.end(self.open.pop())
        return self.builder.close()


def tree_of(html: str) -> Element:
    """The elements of a page."""
    parser = _Tree()
    parser.feed(html)
    parser.close()
    return parser.tree()


def words(element: Element) -> str:
    """All text in an element, with single spaces."""
    return " ".join("".join(element.itertext()).split())


def buttons(element: Element) -> list[Element]:
    """What can be pressed in it."""
    return [*element.iter("button"), *element.findall(SUBMIT)]


def is_field(element: Element, wanted: str | None) -> bool:
    """Whether it can be filled in, and has this id if one is wanted."""
    return element.tag in {"input", "select", "textarea"} and wanted in {None, element.get("id")}


def label_of(button: Element) -> str:
    """What stands on a button."""
    return words(button) or button.get("value", "")


class Page:
    """An answer of the portal or of a simulator, as it stands in the browser."""

    def __init__(self, browser: Browser, answer: httpx2.Response) -> None:
        self.browser, self.url, self.status = browser, str(answer.url), answer.status_code
        self.html = answer.text
        self.root = tree_of(answer.text)

    @property
    def text(self) -> str:
        """All that can be read on it."""
        return words(self.root)

    @property
    def path(self) -> str:
        """Its address without the host."""
        return urlsplit(self.url).path

    def all(self, path: str) -> list[Element]:
        """The elements at this path of ElementTree: ``.//span[@role='tooltip']``."""
        return self.root.findall(path)

    def link(self, text: str) -> Element:
        """The first link whose text is this, or begins with it."""
        links = [a for a in self.root.iter("a") if "href" in a.attrib]
        exact = [a for a in links if words(a) == text]
        found = exact or [a for a in links if words(a).startswith(text)]
        assert found, f"no link {text!r} at {self.url}: {[words(a) for a in links]}"
        return found[0]

    def click(self, text: str) -> Page:
        """Follow a link."""
        return self.browser.open(self.link(text).get("href", ""), base=self.url)

    def has_button(self, text: str) -> bool:
        """Whether such a button can be pressed."""
        return any(label_of(button) == text for button in buttons(self.root))

    def described(self, element: Element) -> Element:
        """What an element's aria-describedby points to: its tooltip."""
        wanted = element.get("aria-describedby")
        return next(one for one in self.root.iter() if wanted and one.get("id") == wanted)

    def form(self, button: str) -> Form:
        """The form with this button."""
        for form in self.root.iter("form"):
            if any(label_of(one) == button for one in buttons(form)):
                return Form(self, form)
        raise AssertionError(f"no form with a button {button!r} at {self.url}")

    def press(self, button: str) -> Page:
        """Press a button without filling in anything."""
        return self.form(button).press(button)


class Form:
    """A form with what stands in its fields."""

    def __init__(self, page: Page, element: Element) -> None:
        self.page, self.element = page, element
        self.values: list[tuple[str, str]] = []
        for field in element.iter():
            self.values += _given(field)

    def field(self, label: str) -> Element:
        """The field with this label, or whose label begins with it."""
        labels = list(self.element.iter("label"))
        exact = [one for one in labels if words(one) == label]
        found = exact or [one for one in labels if words(one).startswith(label)]
        assert found, f"no field {label!r} at {self.page.url}: {[words(one) for one in labels]}"
        wanted, around = found[0].get("for"), self.element if found[0].get("for") else found[0]
        return next(one for one in around.iter() if is_field(one, wanted))

    def value(self, label: str) -> str:
        """What stands in a field, as it would be sent."""
        name = self.field(label).get("name")
        return next((value for one, value in self.values if one == name), "")

    def is_ticked(self, label: str) -> bool:
        """Whether a box is ticked."""
        field = self.field(label)
        return (field.get("name", ""), field.get("value", "on")) in self.values

    def fill(self, label: str, value: str | bool) -> Form:
        """Type a text, choose an option by its text, tick and untick a box, or choose a radio button."""
        field = self.field(label)
        name, own = field.get("name", ""), field.get("value", "on")
        if field.get("type") == "radio":
            self.values = [pair for pair in self.values if pair[0] != name] + [(name, own)]
            return self
        if field.get("type") == "checkbox":
            self.values = [pair for pair in self.values if pair != (name, own)]
            self.values += [(name, own)] if value else []
            return self
        self.values = [pair for pair in self.values if pair[0] != name]
        self.values.append(
            (name, _option(field, str(value)) if field.tag == "select" else str(value))
        )
        return self

    def tick_row(self, text: str) -> Form:
        """Tick the box in the table's row that says this."""
        row = next(one for one in self.element.iter("tr") if text in words(one))
        box = row.findall(".//input[@type='checkbox']")[0]
        self.values.append((box.get("name", ""), box.get("value", "on")))
        return self

    def press(self, button: str) -> Page:
        """Send it with this button."""
        pressed = next(one for one in buttons(self.element) if label_of(one) == button)
        mine = [(pressed.get("name", ""), pressed.get("value", ""))] if pressed.get("name") else []
        target = self.element.get("action") or self.page.url
        method = self.element.get("method", "get")
        return self.page.browser.send(method, target, self.values + mine, base=self.page.url)


def _given(field: Element) -> Iterator[tuple[str, str]]:
    """What a browser would send for a field that nobody touched."""
    name, kind = field.get("name", ""), field.get("type", "text")
    if not name:
        return
    if field.tag == "textarea":
        yield name, field.text or ""
    elif field.tag == "select":
        options = list(field.iter("option"))
        chosen = next((one for one in options if "selected" in one.attrib), None)
        for one in [chosen] if chosen is not None else options[:1]:
            yield name, one.get("value", words(one))
    elif field.tag == "input" and kind in {"checkbox", "radio"}:
        if "checked" in field.attrib:
            yield name, field.get("value", "on")
    elif field.tag == "input" and kind not in UNSENT:
        yield name, field.get("value", "")


def _option(select: Element, text: str) -> str:
    options = list(select.iter("option"))
    for one in options:
        if text in {words(one), one.get("value")}:
            return one.get("value", words(one))
    raise AssertionError(f"no option {text!r}: {[words(one) for one in options]}")


class Browser:
    """One person's browser: cookies are kept, redirects are followed, also from one site to another."""

    def __init__(self, base_url: str) -> None:
        self.base_url = base_url
        # No connection is kept: a server closes those that idle, perhaps just as the next request goes out.
        fresh = httpx2.Limits(max_keepalive_connections=0)
        self.client = httpx2.Client(
            timeout=30, trust_env=False, follow_redirects=True, limits=fresh
        )

    def open(self, address: str, *, base: str = "") -> Page:
        """Go to an address, relative to the page on the screen or to the portal."""
        return Page(self, self.client.get(self._whole(address, base)))

    def send(self, method: str, address: str, values: list[tuple[str, str]], *, base: str) -> Page:
        """Send a form."""
        whole = self._whole(address, base)
        if method.lower() == "get":
            return Page(self, self.client.get(whole, params=values))
        data: dict[str, list[str]] = {}
        for name, value in values:
            data.setdefault(name, []).append(value)
        return Page(self, self.client.post(whole, data=data, headers={"Referer": base}))

    def _whole(self, address: str, base: str) -> str:
        return str(httpx2.URL(base or self.base_url).join(address))

    def close(self) -> None:
        """Forget everything."""
        self.client.close()
