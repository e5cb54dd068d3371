"""Pages as a browser without scripts has them: a session with cookies, elements, links, and forms that are sent as shown."""

from __future__ import annotations

from collections.abc import Iterator
from html.parser import HTMLParser
from urllib.parse import urljoin

import httpx2

VOID = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "wbr"}
# Servers close idle lines after two seconds; a request sent into one that is being closed would get no answer.
LIMITS = httpx2.Limits(keepalive_expiry=1.0)
UNSENT = {"submit", "button", "reset", "file", "image"}
TICKED = {"checkbox", "radio"}
Value = str | bool | list[str]


class NotTrue(Exception):
    """What should be there is not; the text says what was seen instead."""


class Element:
    """One element of a page."""

    def __init__(self, tag: str, attributes: dict[str, str], parent: Element | None) -> None:
        self.tag, self.attributes, self.parent = tag, attributes, parent
        self.content: list[Element | str] = []

    @property
    def elements(self) -> list[Element]:
        """The elements directly inside."""
        return [each for each in self.content if isinstance(each, Element)]

    @property
    def text(self) -> str:
        """All its words, with single spaces."""
        return " ".join(self._raw().split())

    def _raw(self) -> str:
        return "".join(each if isinstance(each, str) else each._raw() for each in self.content)  # noqa: SLF001 - its own class

    def __getitem__(self, name: str) -> str:
        return self.attributes.get(name, "")

    def walk(self) -> Iterator[Element]:
        """Every element inside, in the order of the page."""
        for each in self.elements:
            yield each
            yield from each.walk()

    def all(self, tag: str = "", text: str = "", **attributes: str) -> list[Element]:
        """Those inside with this tag, words and attributes; an underscore stands for a dash."""
        wanted = {name.rstrip("_").replace("_", "-"): value for name, value in attributes.items()}
        return [
            each
            for each in self.walk()
            if tag in {"", each.tag}
            and text in {"", each.text}
            and all(each[name] == value for name, value in wanted.items())
        ]

    def one(self, tag: str = "", text: str = "", **attributes: str) -> Element:
        """The first of them. Raises NotTrue when there is none."""
        found = self.all(tag, text, **attributes)
        if not found:
            named = " ".join(each for each in (tag, f"“{text}”" if text else "") if each)
            raise NotTrue(f"the page has no {named or 'element'} {attributes or ''}".rstrip())
        return found[0]

    def around(self, tag: str) -> Element:
        """The nearest element of that tag around this one. Raises NotTrue when there is none."""
        at = self.parent
        while at is not None and at.tag != tag:
            at = at.parent
        if at is None:
            raise NotTrue(f"“{self.text}” is not inside a {tag}")
        return at


class _Reader(HTMLParser):
    """Builds the tree."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.root = Element("page", {}, None)
        self.at = self.root

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        made = Element(tag, {name: value or "" for name, value in attrs}, self.at)
        self.at.content.append(made)
        if tag not in VOID:
            self.at = made

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.at.content.append(Element(tag, {n: v or "" for n, v in attrs}, self.at))

    def handle_endtag(self, tag: str) -> None:
        at: Element | None = self.at
        while at is not None and at.tag != tag:
            at = at.parent
        if at is not None and at.parent is not None:
            self.at = at.parent

    def handle_data(self, data: str) -> None:
        self.at.content.append(data)


def read(html: str) -> Element:
    """The page as a tree."""
    reader = _Reader()
    reader.feed(html)
    reader.close()
    return reader.root


class Page:
    """One answer of a server, and the browser that asked for it."""

    def __init__(self, browser: Browser, answer: httpx2.Response) -> None:
        self.browser, self.url = browser, str(answer.url)
        self.root = read(answer.text)

    @property
    def text(self) -> str:
        """All its words."""
        return self.root.one("body").text

    def follow(self, link: str) -> Page:
        """Click a link by its words, or by how they begin."""
        links = [a for a in self.root.all("a") if a.text == link or a.text.startswith(f"{link} ")]
        if not links:
            raise NotTrue(f"there is no link “{link}” on {self.url}")
        return self.browser.get(urljoin(self.url, links[0]["href"]))

    def press(self, button: str, *, within: Element | None = None, **changes: Value) -> Page:
        """Press a button by its words, after changing fields of its form by name. Raises NotTrue when they are not there."""
        pressed = _button(within or self.root, button)
        form = pressed.around("form")
        values = _typed(form, changes)
        if pressed["name"]:
            values[pressed["name"]] = [pressed["value"]]
        address = urljoin(self.url, form["action"] or self.url)
        if form["method"].lower() == "post":
            return self.browser.post(address, values)
        return self.browser.get(address, values)


def _button(where: Element, words: str) -> Element:
    for each in where.all("button") + where.all("input", type="submit"):
        if words in {each.text, each["value"] if each.tag == "input" else ""}:
            hidden = each["aria-hidden"] == "true"
            if not hidden:
                return each
    raise NotTrue(f"the page has no button “{words}”")


def _typed(form: Element, changes: dict[str, Value]) -> dict[str, list[str]]:
    """What the form would send: what it shows, changed as asked."""
    values = _shown(form)
    named = {each["name"]: each for each in _fields(form)}
    for name, value in changes.items():
        field = named.get(name)
        if field is None:
            raise NotTrue(f"the form has no field “{name}”")
        if value is False:
            values.pop(name, None)
        elif value is True:
            values[name] = [field["value"] or "on"]
        else:
            values[name] = value if isinstance(value, list) else [str(value)]
    return values


def _fields(form: Element) -> list[Element]:
    found = form.all("input") + form.all("select") + form.all("textarea")
    return [each for each in found if each["name"] and "form" not in each.attributes]


def _shown(form: Element) -> dict[str, list[str]]:
    values: dict[str, list[str]] = {}
    for field in _fields(form):
        for value in _values(field):
            values.setdefault(field["name"], []).append(value)
    return values


def _values(field: Element) -> list[str]:
    if field.tag == "textarea":
        return [field.text]
    if field.tag == "select":
        options = field.all("option")
        chosen = [each for each in options if "selected" in each.attributes]
        return [each.attributes.get("value", each.text) for each in chosen or options[:1]]
    kind = field["type"].lower()
    if kind in UNSENT or (kind in TICKED and "checked" not in field.attributes):
        return []
    return [field.attributes.get("value", "on" if kind in TICKED else "")]


class Browser:
    """A session of its own, with its own cookies."""

    def __init__(self, base_url: str) -> None:
        self.client = httpx2.Client(
            base_url=base_url, timeout=30, trust_env=False, follow_redirects=True, limits=LIMITS
        )

    def get(self, address: str, values: dict[str, list[str]] | None = None) -> Page:
        """Open an address. Raises NotTrue for an error page."""
        return self._page(self.client.get(address, params=values))

    def post(self, address: str, values: dict[str, list[str]]) -> Page:
        """Send a form."""
        origin = str(httpx2.URL(address).join("/")).rstrip("/")
        return self._page(self.client.post(address, data=values, headers={"Origin": origin}))

    def sign_in(self, email: str, password: str, *, at: str = "/sign-in/") -> Page:
        """Sign in by the form. Raises NotTrue when it lets nobody in."""
        form = self.get(at).root.one("input", name="username").around("form")
        button = (form.all("button") + form.all("input", type="submit"))[0]
        page = self.get(at).press(button.text or button["value"], username=email, password=password)
        if page.root.all("input", name="password"):
            raise NotTrue(f"{email} could not sign in: {page.text[:200]}")
        return page

    def _page(self, answer: httpx2.Response) -> Page:
        if answer.is_error:
            raise NotTrue(
                f"{answer.request.method} {answer.url.path} answered {answer.status_code}"
            )
        return Page(self, answer)
