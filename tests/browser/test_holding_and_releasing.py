"""Sign in, Add Key, hold a door, release it, see it provisioned: as staff do it, at a desk and on a phone."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import Page, expect

from keys.wording import ALLOW_TOOLTIP, PENDING_TOOLTIP
from tests.browser.demo import Demo
from tests.browser.keyboard import reaches_everything, tab_to
from tests.browser.people import (
    DESK,
    NAMES,
    PHONE,
    Visits,
    door,
    edit_door,
    go,
    go_to_pending,
    open_key,
    show_code,
    sign_in,
    tag,
)
from tests.eventually import eventually

OF_THE_TAG = (
    "The credentials haven’t been assigned to the door yet. This can occur if provisioning was manually disabled or if, "
    "based on your configuration settings, the linked PMS reservation hasn’t been checked in (either at the front desk "
    "or online)."
)
OF_THE_SWITCH = (
    "Once provisioning is allowed, the credentials will be written to the door and will become valid for the selected "
    "time period. If provisioning is disabled, the system will not write the credentials yet, and they will need to be "
    "enabled manually later."
)


@pytest.mark.parametrize(("width", "room"), [(DESK, "205"), (PHONE, "206")])
def test_staff_hold_a_door_release_it_and_see_it_provisioned(
    visits: Visits, demo: Demo, width: int, room: str
):
    page = visits.open(width)
    guest = f"Hedy Hold at the {NAMES[width]}"
    sign_in(page)
    reaches_everything(page)
    add_held_key(page, guest, room)
    expect(tag(door(page, room))).to_be_visible()
    expect(door(page, room)).to_contain_text("Allow Provisioning: off")
    code = show_code(page)
    assert not demo.lock_holds(room, code)

    onlooker = watch(page)
    release_by_keyboard(page, room)
    expect(tag(door(onlooker, room))).to_have_count(0)
    expect(onlooker.locator(".page-head .states")).to_contain_text("Active")
    assert onlooker.evaluate("window.opened") == "once", "the open page was loaded again"
    assert demo.lock_holds(room, code)

    edit_door(page, room, allow=False)
    eventually(lambda: not demo.lock_holds(room, code))
    expect(tag(door(onlooker, room))).to_be_visible()
    expect(door(onlooker, room)).to_contain_text("Allow Provisioning: off")


def add_held_key(page: Page, guest: str, room: str) -> None:
    """Keys, Add Key with one door, from yesterday to the day after tomorrow, Allow Provisioning off, Save."""
    go(page, "Keys")
    page.get_by_role("link", name="Add Key", exact=True).click()
    reaches_everything(page)
    today = datetime.now(UTC)
    page.get_by_label("Name", exact=True).fill(guest)
    page.get_by_label("Narrow the list of doors").fill(room)
    page.get_by_role("checkbox", name=room, exact=True).check()
    expect(page.get_by_role("checkbox", name="101", exact=True)).to_be_hidden()
    page.get_by_label("Open linked doors too").uncheck()
    page.get_by_label("Arrival date").fill(f"{today - timedelta(days=1):%Y-%m-%d}")
    page.get_by_label("Arrival Time").fill("15:00")
    page.get_by_label("Departure date").fill(f"{today + timedelta(days=2):%Y-%m-%d}")
    page.get_by_label("Departure Time").fill("11:00")
    switch = page.get_by_label("Allow Provisioning", exact=True)
    expect(switch).to_be_checked()
    switch.uncheck()
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_have_text(guest)


def watch(page: Page) -> Page:
    """The same key in a second tab, marked so that loading it again would show."""
    onlooker = page.context.new_page()
    onlooker.goto(page.url)
    onlooker.evaluate("window.opened = 'once'")
    return onlooker


def release_by_keyboard(page: Page, room: str) -> None:
    """Edit Door, Allow Provisioning, Save, without touching anything but keys."""
    tab_to(page, page.get_by_role("link", name=f"Edit Door {room}", exact=True))
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text(f"Edit Door {room}")
    reaches_everything(page)
    switch = page.get_by_label("Allow Provisioning", exact=True)
    tab_to(page, switch)
    page.keyboard.press("Space")
    expect(switch).to_be_checked()
    tab_to(page, page.get_by_role("button", name="Save", exact=True))
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(r"/keys/\d+/$"))


@pytest.mark.parametrize("width", [DESK, PHONE])
def test_the_tag_shows_its_tooltip_on_hover_focus_and_tap(visits: Visits, width: int):
    assert PENDING_TOOLTIP == OF_THE_TAG
    page = visits.open(width)
    sign_in(page)
    go_to_pending(page)
    each_way_shows(page, tag(page).first, OF_THE_TAG)
    open_key(page, "Otto Outage")
    each_way_shows(page, tag(page).first, OF_THE_TAG)


@pytest.mark.parametrize("width", [DESK, PHONE])
def test_the_info_icon_of_allow_provisioning_shows_its_tooltip(visits: Visits, width: int):
    assert ALLOW_TOOLTIP == OF_THE_SWITCH
    page = visits.open(width)
    sign_in(page)
    for path in ("/keys/add/", "edit door"):
        if path == "edit door":
            open_key(page, "Otto Outage")
            page.get_by_role("link", name="Edit Door").first.click()
        else:
            page.goto(path)
        info = page.get_by_role("button", name="About Allow Provisioning")
        each_way_shows(page, info, OF_THE_SWITCH)


def each_way_shows(page: Page, what, text: str) -> None:
    """Hover, focus and tap each show the tooltip, word for word and whole; leaving hides it again."""
    tip = what.locator("xpath=following-sibling::*[@role='tooltip']")
    expect(what).to_have_accessible_description(text)
    what.scroll_into_view_if_needed()
    for come in (
        what.hover,
        what.focus,
        what.click if page.viewport_size["width"] == DESK else what.tap,
    ):
        expect(tip).to_be_hidden()
        come()
        expect(tip).to_be_visible()
        assert tip.evaluate("one => one.textContent") == text
        assert tip.evaluate(IS_WHOLE), "the tooltip is cut off or covered"
        page.mouse.move(1, 1)
        what.evaluate("one => one.blur()")


IS_WHOLE = """(tip) => {
  tip.style.pointerEvents = "auto";  // a touch passes through it, which would hide it from elementFromPoint
  const box = tip.getBoundingClientRect();
  const inside = box.left >= 0 && box.right <= innerWidth && box.top >= 0 && box.bottom <= innerHeight;
  const corners = [[box.left + 8, box.top + 8], [box.right - 8, box.top + 8], [box.left + 8, box.bottom - 8],
    [box.right - 8, box.bottom - 8]];
  const whole = inside && corners.every(([x, y]) => tip.contains(document.elementFromPoint(x, y)));
  tip.style.pointerEvents = "";
  return whole;
}"""
