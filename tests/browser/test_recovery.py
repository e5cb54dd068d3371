"""The way out of an outage of hundreds in a real browser: three clicks, and a worker that dies on the way."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.outage import card, reconnect
from tests.browser.people import Visits, sign_in_as
from tests.eventually import eventually
from tests.furnish import PMS_ROOMS
from tests.hotel import Hotel, open_hotel
from tests.scenarios.steps import kill_in_the_middle, pages

pytestmark = pytest.mark.xdist_group("recovery in a browser")

AT_RISK, CAME_IN = 3, 283
CHANGED = len(PMS_ROOMS) + AT_RISK + CAME_IN
MOST_CLICKS = 3
A_MINUTE_MS = 60_000
LONG_S = 120
Rooms = dict[str, str]
"""The room of each reservation, by its number."""

IN_HOUSE = {"status": "checked_in", "arrival": "yesterday", "nights": 3, "force": True}
COMING = IN_HOUSE | {"status": "confirmed"}
NEW = IN_HOUSE | {"arrival": "today"}
PRESSES = """addEventListener("pointerdown", ({ target }) =>
  window.pressed((target.closest("a, button, label") ?? target).textContent.trim()), true)"""


@pytest.fixture
def hotel(tmp_path: Path) -> Iterator[Hotel]:
    """A hotel of its own, which recovers in steps small enough to die between them."""
    with open_hotel(tmp_path, RECOVERY_CHUNK="5") as hotel:
        yield hotel


@pytest.fixture
def address(hotel: Hotel) -> str:
    """Where this hotel's Portal is."""
    return hotel.url


def test_an_outage_of_three_hundred_costs_three_clicks_though_the_worker_is_killed(
    visits: Visits, hotel: Hotel
):
    """Broken and the guests at risk are told within a minute; at the end every code is on its lock, once."""
    in_house, coming = guests_before(hotel)
    page = visits.open()
    pressed = presses(page)
    sign_in_as(page, hotel.access["people"]["owner"], hotel.access["password"], to="Tonight")
    see_the_alert(page, hotel)
    rooms = in_house | coming | change_meanwhile(hotel, in_house, coming)
    assert len(rooms) == CHANGED

    reconnect(page, hotel)
    pressed.clear()
    offered = f"{CAME_IN} reservations that came in"
    expect(card(page)).to_contain_text(offered, timeout=LONG_S * 1000)
    card(page).get_by_role("link", name="Release all that wait", exact=True).click()
    page.get_by_role("button", name=f"Release {CAME_IN} doors", exact=True).click()
    number = watch_recovery(page)

    assert 0 < kill_in_the_middle(hotel, number) < CAME_IN
    expect(page.get_by_role("heading", level=1)).to_have_text("Recovery: Done", timeout=A_MINUTE_MS)
    assert page.evaluate("window.opened") == "once", "the open page was loaded again"
    assert 0 < len(pressed) <= MOST_CLICKS, pressed
    each_was_released_once(hotel, number)
    each_code_is_on_its_lock(hotel, rooms)


def guests_before(hotel: Hotel) -> tuple[Rooms, Rooms]:
    """A guest in each room with codes on its lock, and some who should have arrived and are not checked in."""
    in_house = {hotel.pms.book(room=room, **IN_HOUSE)["id"]: room for room in PMS_ROOMS}
    coming = {hotel.pms.book(room=room, **COMING)["id"]: room for room in PMS_ROOMS[:AT_RISK]}
    eventually(lambda: len(codes_on_locks(hotel)) == len(in_house), LONG_S)
    both = len(in_house) + len(coming)
    eventually(lambda: len(hotel.api("GET", "/keys/?limit=200")["results"]) == both)
    return in_house, coming


def presses(page: Page) -> list[str]:
    """What is pressed on this page from now on, in order, by its words."""
    pressed: list[str] = []

    def note(
        words: str,
    ) -> None:  # Playwright hangs attributes on it, which a method of a list does not take
        pressed.append(words)

    page.expose_function("pressed", note)
    page.add_init_script(PRESSES)
    return pressed


def see_the_alert(page: Page, hotel: Hotel) -> None:
    """The PMS takes Portal's access back and says nothing; an open page tells it, and who is at risk, by itself."""
    page.evaluate("window.opened = 'once'")
    hotel.pms.post("access/revoke", announce=False)
    alert = page.locator("#alerts")
    expect(alert).to_contain_text("Cloudbeds does not let Portal in", timeout=A_MINUTE_MS)
    expect(alert).to_contain_text(f"{AT_RISK} guests in house or arriving", timeout=A_MINUTE_MS)
    expect(page.get_by_text("Cloudbeds is Broken since")).to_be_visible()
    assert page.evaluate("window.opened") == "once", "the open page was loaded again"


def change_meanwhile(hotel: Hotel, in_house: Rooms, coming: Rooms) -> Rooms:
    """While nothing reaches Portal those in house stay longer, those who come check in, and hundreds come in new."""
    for number in in_house:
        hotel.pms.act(number, "dates", departure="+4", force=True)
    for number in coming:
        hotel.pms.act(number, "check-in", force=True)
    each, more = divmod(CAME_IN, len(PMS_ROOMS))
    new: Rooms = {}
    for place, room in enumerate(PMS_ROOMS):
        made = hotel.pms.book(room=room, count=each + (place < more), **NEW)["made"]
        new |= dict.fromkeys(made, room)
    return new


def watch_recovery(page: Page) -> int:
    """The page of the recovery that was started, marked so that loading it again would show; returns its number."""
    expect(page).to_have_url(re.compile(r"/keys/recoveries/\d+/$"))
    page.evaluate("window.opened = 'once'")
    return int(page.url.rstrip("/").rpartition("/")[2])


def each_was_released_once(hotel: Hotel, recovery: int) -> None:
    """A row for each reservation that came in, done."""
    rows = pages(hotel, f"/recoveries/{recovery}/rows/?limit=200")
    assert len(rows) == len({row["reservation"] for row in rows}) == CAME_IN
    assert {row["state"] for row in rows} == {"done"}


def each_code_is_on_its_lock(hotel: Hotel, rooms: Rooms) -> None:
    """Every reservation has one key, whose one Door Code is in the memory of its room's lock and of no other."""
    outage = hotel.api("GET", "/outages/")["results"][0]["id"]
    touched = pages(hotel, f"/outages/{outage}/reservations/?limit=200")
    assert {row["number"] for row in touched} == set(rooms)
    wanted = sorted((row["key"], rooms[row["number"]]) for row in touched)
    eventually(lambda: codes_on_locks(hotel) == wanted, LONG_S, every=0.5)
    stats = hotel.simlock.stats()
    assert stats["duplicate_live_codes"] == []
    assert stats["totals"]["write_overlaps"] == 0


def codes_on_locks(hotel: Hotel) -> list[tuple[int, str]]:
    """The Door Codes in the memory of all locks, each as the number of its key and the room."""
    return sorted(
        (int(re.match(r"k(\d+)a", handle)[1]), room)
        for room, memory in hotel.simlock.memories().items()
        for handle, one in memory.items()
        if one["kind"] == "door_code"
    )
