"""The article's way out of a broken PMS connection, click by click, at a desk and on a phone."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser.demo import Demo
from tests.browser.outage import book, reconnect, see_state
from tests.browser.people import (
    NAMES,
    WIDTHS,
    Visits,
    door,
    edit_door,
    open_key,
    show_code,
    sign_in,
    tag,
)


@pytest.mark.parametrize("width", WIDTHS)
def test_staff_reconnect_and_release_what_came_in_meanwhile(
    visits: Visits, demo: Demo, bookings: list[str], width: int
):
    page = visits.open(width)
    sign_in(page, "owner")
    demo.pms("access/revoke")
    see_state(page, "Broken")
    meanwhile = book(demo, f"Mia Meanwhile at the {NAMES[width]}", bookings)

    reconnect(page, demo)

    open_key(page, meanwhile["guest"])
    room = meanwhile["room"]
    expect(tag(door(page, room))).to_be_visible()
    expect(door(page, room)).to_contain_text("Allow Provisioning: off")
    expect(door(page, room)).to_contain_text(
        "The PMS connection was broken when the reservation came in."
    )
    code = show_code(page)
    assert not demo.lock_holds(room, code)

    edit_door(page, room, allow=True)
    expect(tag(door(page, room))).to_have_count(0)
    assert demo.lock_holds(room, code)


@pytest.mark.parametrize("width", WIDTHS)
def test_a_reservation_made_after_reconnect_provisions_at_check_in_by_itself(
    visits: Visits, demo: Demo, bookings: list[str], width: int
):
    page = visits.open(width)
    sign_in(page, "owner")
    demo.pms("access/revoke")
    see_state(page, "Broken")
    reconnect(page, demo)
    after = book(demo, f"Ada After at the {NAMES[width]}", bookings)

    open_key(page, after["guest"])
    room = after["room"]
    expect(door(page, room)).to_contain_text("Allow Provisioning: on")
    expect(tag(door(page, room))).to_be_visible()
    code = show_code(page)
    assert not demo.lock_holds(room, code)

    demo.pms(f"reservations/{after['id']}/check-in", force=True)
    expect(tag(door(page, room))).to_have_count(0)
    assert demo.lock_holds(room, code)
