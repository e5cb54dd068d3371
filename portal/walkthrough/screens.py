"""What the story looks for on the pages: the tag, the tooltips, the switch, the door log."""

from __future__ import annotations

from portal.walkthrough.article import ALLOW_TOOLTIP, PENDING_TAG, PENDING_TOOLTIP
from portal.walkthrough.pages import Element, NotTrue, Page
from portal.walkthrough.stage import GuestKey, Stage
from portal.walkthrough.telling import must


def tag_of_door(key: GuestKey) -> Element:
    """The Pending Provisioning tag beside the first door on the page of its key. Raises NotTrue."""
    return _first_door(key).one("button", PENDING_TAG)


def _first_door(key: GuestKey) -> Element:
    return key.page.root.one("li", id=f"door-{key.doors[0][0]}")


def has_tag(key: GuestKey) -> bool:
    """Whether the page of the key shows the tag at any door."""
    return bool(key.page.root.all("button", PENDING_TAG))


def tag_in_list(stage: Stage, key: GuestKey) -> Element:
    """The tag in the row of the key on Keys, found by its guest. Raises NotTrue."""
    page = stage.web.get("/keys/").press("Search", q=key.guest)
    return page.root.one("tr", id=f"row-{key.id}").one("button", PENDING_TAG)


def tooltip_of(page: Element, button: Element) -> str:
    """The words of the tooltip that belongs to a tag or an info icon, which must hold nothing else. Raises NotTrue."""
    tip = page.one(id=button["aria-describedby"], role="tooltip")
    must(not tip.elements, f"the tooltip holds more than its words: {tip.text}")
    must(
        tip.parent is button.parent and tip.parent is not None,
        "the tooltip is not beside what it explains",
    )
    return "".join(each for each in tip.content if isinstance(each, str))


def check_pending_tooltip(stage: Stage, key: GuestKey, words: str) -> str:
    """See these words of the article in the tooltip, which says all of them and no others; where that was."""
    page = key.page.root
    button = page.one("button", PENDING_TAG)
    said = tooltip_of(page, button)
    must(said == PENDING_TOOLTIP and words in said, f"the tooltip says: {said}")
    root = stage.web.get("/keys/").press("Search", q=key.guest).root
    said = tooltip_of(root, root.one("tr", id=f"row-{key.id}").one("button", PENDING_TAG))
    must(said == PENDING_TOOLTIP, f"on Keys the tooltip says: {said}")
    return "word for word in an element of its own, on Keys and on the page of the key"


def shows_on_hover(stage: Stage, page: Page) -> str:
    """See in the style sheets that a tooltip is hidden until hovered or focused. Raises NotTrue."""
    sheets = [one["href"] for one in page.root.all("link", rel="stylesheet")]
    css = " ".join("".join(stage.web.client.get(href).text for href in sheets).split())
    for rule in ('.tip:hover [role="tooltip"]', '.tip:focus-within [role="tooltip"]'):
        must(rule in css, f"no style sheet has {rule}")
    return "shown on hover and on focus"


def info_tooltip(page: Page) -> str:
    """The words behind the info icon beside Allow Provisioning. Raises NotTrue when they are not the article's."""
    button = page.root.one("button", aria_label="About Allow Provisioning")
    said = tooltip_of(page.root, button)
    must(said == ALLOW_TOOLTIP, f"the tooltip says: {said}")
    return said


def has_switch(page: Page) -> None:
    """See the setting Allow Provisioning as a box, or as a state with buttons for all doors. Raises NotTrue."""
    root = page.root
    labels = [one for one in root.all("label") if one.text == "Allow Provisioning"]
    if labels and labels[0].all("input", type="checkbox", name="allow"):
        return
    if any(one.text.startswith("Allow Provisioning, all doors:") for one in root.all("span")):
        return
    raise NotTrue(f"{page.url} does not show Allow Provisioning")


def give_reason(stage: Stage, key: GuestKey, beginning: str) -> str:
    """Wait until the page of the key shows a reason that begins so at its first door, with the tag; that reason."""

    def seen() -> str:
        chain = _first_door(key)
        chain.one("button", PENDING_TAG)
        shown = [one.text for one in chain.walk() if "reason" in one["class"].split()]
        found = [one for one in shown if one.startswith(beginning)]
        must(found, f"the page of the key shows: {'; '.join(shown) or 'no reason'}")
        return found[0]

    return stage.wait(seen, "")


def allow_on_page(key: GuestKey, *, on: bool = True, only_room: bool = False) -> int:
    """Keys → open the key → Edit Door → Allow Provisioning → Save, for every door; how many these were."""
    keys = key.stage.web.get("/keys/").press("Search", q=key.number or key.guest)
    page, doors = keys.follow(key.guest), key.doors[:1] if only_room else key.doors
    for _, name in doors:
        page = page.follow(f"Edit Door {name}").press("Save", allow=on)
    return len(doors)
