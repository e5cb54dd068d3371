"""With scripts switched off everything that staff need still works, by loading pages."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.demo import Demo
from tests.browser.people import (
    DESK,
    NAMES,
    PHONE,
    Visits,
    door,
    edit_door,
    go,
    go_to_pending,
    show_code,
    sign_in,
    tag,
)
from tests.eventually import eventually


@pytest.mark.parametrize(("width", "room"), [(DESK, "203"), (PHONE, "204")])
def test_staff_make_hold_find_and_release_a_key_and_leave(
    visits: Visits, demo: Demo, width: int, room: str
):
    page = visits.open(width, java_script_enabled=False)
    guest = f"Nora Noscript at the {NAMES[width]}"
    sign_in(page)

    page.get_by_role("link", name="Add Key", exact=True).click()
    page.get_by_label("Name", exact=True).fill(guest)
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text("Nothing was saved.")
    expect(page.get_by_label("Name", exact=True)).to_have_value(guest)
    page.get_by_role("checkbox", name=room, exact=True).check()
    page.get_by_label("Open linked doors too").uncheck()
    page.get_by_label("Allow Provisioning", exact=True).uncheck()
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_have_text(guest)
    code = show_code(page)

    go(page, "Keys")
    go_to_pending(page)
    page.get_by_role("link", name=guest, exact=True).click()
    tag(door(page, room)).focus()
    expect(door(page, room).get_by_role("tooltip")).to_be_visible()
    edit_door(page, room, allow=True)
    eventually(lambda: demo.lock_holds(room, code))
    eventually(lambda: not tag(door(page, room)).count() or page.reload() is None)
    expect(tag(door(page, room))).to_have_count(0)

    edit_door(page, room, allow=False)
    eventually(lambda: not demo.lock_holds(room, code))
    see_log(page, room)
    sign_out(page)


def see_log(page: Page, room: str) -> None:
    """Door log, of one door: the code was written, and taken off again."""
    go(page, "Door log")
    page.get_by_label("Door", exact=True).select_option(label=room)
    page.get_by_role("button", name="Show", exact=True).click()
    expect(page).to_have_url(re.compile(r"door=\d+"))
    expect(page.locator("ul.log")).to_contain_text("Written to the lock")
    expect(page.locator("ul.log")).to_contain_text("Removed from the lock")


def sign_out(page: Page) -> None:
    """By the menu; afterwards nothing is shown to a stranger."""
    page.locator("details.menu:visible > summary").click()
    page.get_by_role("button", name="Sign out", exact=True).locator("visible=true").click()
    page.goto("/keys/")
    expect(page.get_by_role("heading", level=1)).to_have_text("Sign in")
