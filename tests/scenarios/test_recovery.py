"""After an outage: everything is found, what is proposed is done once when someone confirms it, and a dead worker costs time only."""

from __future__ import annotations

import os
import re

import pytest

from tests.eventually import eventually, stays
from tests.furnish import PMS_ROOMS
from tests.hotel import Key, open_hotel
from tests.pages import buttons, label_of
from tests.scenarios.steps import all_in_house, kill_in_the_middle, pages

scenario = pytest.mark.scenario
MANY = 300 if os.environ.get("CI") == "true" else 100


def release_all(hotel, role="owner", **boxes):
    """Settings → Integrations, then two clicks: Release all that wait, Release. Returns the page of the recovery."""
    page = hotel.page("/settings/integrations/", role).click("Release all that wait")
    return confirm(page, **boxes)


def confirm(page, **boxes):
    """Press Release on the dry run, with boxes ticked by label with underscores."""
    button = next(
        label_of(one) for one in buttons(page.root) if label_of(one).startswith("Release ")
    )
    form = page.form(button)
    for label, value in boxes.items():
        form.fill(label.replace("_", " "), value=value)
    return form.press(button)


def done(hotel, page):
    """The recovery's page once it is done."""
    eventually(lambda: "Recovery: Done" in hotel.page(page.path, "owner").text)
    return hotel.page(page.path, "owner")


def outage_of(hotel):
    """The number of the newest outage."""
    return hotel.api("GET", "/outages/")["results"][0]["id"]


def affected(hotel):
    """What the API says of each affected reservation, by its number."""
    rows = pages(hotel, f"/outages/{outage_of(hotel)}/reservations/")
    return {row["number"]: row for row in rows}


@scenario(24)
def test_all_that_happened_while_broken_is_found_and_named(hotel):
    """New, moved, cancelled, checked in and extended ones, by reading everything; what takes access away is done by itself."""
    names = ("Ann Moved", "Ben Gone", "Cleo Longer")
    (moved, moved_key, old_lock), (gone, gone_key, gone_lock), (longer, longer_key, _) = (
        all_in_house(hotel, *names)
    )
    coming = hotel.book("Dan Arrives", arrival="today")
    coming_key = hotel.key_of(coming)
    hotel.break_pms()
    assert stays(lambda: gone_lock.memory(gone_key) and old_lock.memory(moved_key), 1.0)
    room = _free_room(hotel)
    hotel.pms.act(moved.id, "move", room=room, force=True)
    hotel.pms.act(gone.id, "check-out", force=True)
    hotel.pms.act(longer.id, "dates", arrival="today", departure="+5", force=True)
    hotel.check_in(coming)
    new = hotel.book("Eve New", arrival="today")
    hotel.reconnect()
    eventually(lambda: not gone_lock.memory(gone_key))
    eventually(lambda: hotel.lock(room).holds(moved_key.code()))
    eventually(lambda: hotel.lock(coming.room).memory(coming_key))
    told = {number: row["happened"][0] for number, row in affected(hotel).items()}
    assert told == {
        moved.id: "moved",
        gone.id: "departed",
        longer.id: "extended",
        coming.id: "checked_in",
        new.id: "came_in",
    }
    page = hotel.page("/keys/affected/").text
    for said in (f"Moved from {moved.room} to {room}", "Checked out", "Extended from", "Came in"):
        assert said in page
    assert longer_key.door(longer.room).is_allowed
    assert [row["number"] for row in affected(hotel).values() if row["open"]] == [new.id]


@scenario(25)
def test_what_was_proposed_is_done_once_when_staff_confirm_it_and_trouble_stays_listed(hotel):
    """A dry run by effect, one confirmation, a result per row. An offline lock gets its code when it is back; asking again
    changes nothing."""
    hotel.break_pms()
    made = [hotel.book(f"Bulk {name}", arrival="today") for name in ("Anton", "Berta", "Carla")]
    for stay in made[:2]:
        hotel.check_in(stay)
    hotel.reconnect()
    keys = {stay: hotel.key_of(stay) for stay in made}
    hotel.lock(made[1].room).offline()
    eventually(lambda: not hotel.lock(made[1].room).memory(keys[made[1]]))
    assert {affected(hotel)[stay.id]["proposed"] for stay in made} == {"provision"}
    dry = hotel.page("/settings/integrations/", "owner").click("Release all that wait")
    assert "Released 3" in dry.text
    assert "Waits for check-in 1 0" in dry.text
    report = done(hotel, confirm(dry))
    assert report.text.count("Released: Allow Provisioning is on for 1 door.") == 3
    eventually(lambda: hotel.lock(made[0].room).holds(keys[made[0]].code()))
    assert not hotel.lock(made[2].room).memory(keys[made[2]])
    trouble = eventually(lambda: re.search(r"offline", hotel.page(report.path, "owner").text))
    assert trouble
    hotel.lock(made[1].room).online()
    eventually(lambda: hotel.lock(made[1].room).holds(keys[made[1]].code()))
    again = hotel.page("/settings/integrations/", "owner")
    assert "Release all that wait" not in again.text
    before = len(pages(hotel, "/recoveries/"))
    address = f"/keys/affected/{outage_of(hotel)}/release/"
    assert "Nothing is held any more." in hotel.page(address, "owner").text
    assert len(pages(hotel, "/recoveries/")) == before


@scenario("C4")
def test_a_key_made_by_hand_is_linked_and_keeps_the_code_that_the_guest_has(hotel):
    """It is only proposed; confirmed, the reservation has one key, the guest's, and it follows the PMS from then on."""
    hotel.break_pms()
    stay = hotel.book("Hal Handmade", arrival="today")
    made = hotel.add_key("Hal Handmade", stay.room, allow=True)
    code = made.code()
    lock = hotel.lock(stay.room)
    eventually(lambda: lock.holds(code))
    hotel.reconnect()
    own = hotel.key_of(stay)
    assert own.id != made.id
    row = affected(hotel)[stay.id]
    assert (row["proposed"], row["links_key"]) == ("link", made.id)
    report = done(hotel, release_all(hotel))
    assert f"Linked to Key {made.id}, which keeps its code." in report.text
    assert hotel.key_of(stay).id == made.id
    assert made.code() == code
    assert stays(lambda: lock.opens_for(code) and not lock.memory(own), 1.5)
    hotel.pms.act(stay.id, "cancel", force=True)
    eventually(lambda: not lock.opens_for(code))


def test_undone_the_code_comes_off_again_and_those_who_may_not_release_ask_support(hotel):
    """What was released is held again, and its page says so; the call for support names the outage and the count."""
    hotel.break_pms()
    stay = hotel.book("Ugo Undone", arrival="today")
    hotel.check_in(stay)
    hotel.reconnect()
    key, lock = hotel.key_of(stay), hotel.lock(stay.room)
    report = done(hotel, release_all(hotel))
    eventually(lambda: lock.holds(key.code()))
    report.click("Undo").press("Hold them again")
    eventually(lambda: "Recovery: Undone" in hotel.page(report.path, "owner").text)
    eventually(lambda: not lock.memory(key))
    assert "and is taken off now." in hotel.page(report.path, "owner").text
    page = hotel.page("/keys/affected/", "team")
    assert "Release all that wait" not in page.text
    page.press("Contact support")
    queue = hotel.support().click("Support requests")
    assert "Ugo Undone" not in queue.text
    listed = queue.form("Go").tick_row("waiting")
    form = listed.fill("Action:", "Release what these outages hold…").press("Go").form("Release")
    form.fill("Reason", "the hotel called").press("Release")
    eventually(lambda: lock.holds(key.code()))


def test_released_by_itself_when_checked_in_if_the_property_says_so(hotel):
    """The other policy after an outage: nobody has to do anything, and nothing is written before check-in."""
    label = "Reservations that came in while the PMS was broken"
    hotel.settings(**{label.replace(" ", "_"): "Release by itself when checked in"})
    hotel.break_pms()
    stay, early = (hotel.book(name, arrival="today") for name in ("Rolf Later", "Ria Already"))
    hotel.check_in(early)
    hotel.reconnect()
    key, lock = hotel.key_of(stay), hotel.lock(stay.room)
    eventually(lambda: hotel.lock(early.room).memory(hotel.key_of(early)))
    assert stays(lambda: not lock.memory(key), 1.0)
    hotel.check_in(stay)
    eventually(lambda: lock.memory(key))


@pytest.mark.slow
@scenario(26)
def test_a_worker_that_dies_in_the_middle_of_hundreds_is_taken_over_and_nothing_is_done_twice(
    tmp_path,
):
    """The recovery goes on from its rows; every code is on its lock, and the record shows each reservation once."""
    with open_hotel(tmp_path, RECOVERY_CHUNK="5") as hotel:
        hotel.break_pms()
        for number in range(MANY):
            night, room = divmod(number, len(PMS_ROOMS))
            hotel.book(f"Guest {number}", PMS_ROOMS[room], arrival=f"+{night}")
        hotel.reconnect(caught_up=False)
        eventually(lambda: hotel.pms_state() == "Connected", 120)
        outage = outage_of(hotel)
        eventually(lambda: len(_with_keys(hotel, outage)) == MANY, 180, every=1.0)
        page = release_all(hotel, **{"Write now, before check-in": True})
        number = int(page.path.rstrip("/").split("/")[-1])
        killed_at = kill_in_the_middle(hotel, number)
        assert 0 < killed_at < MANY
        eventually(lambda: hotel.api("GET", f"/recoveries/{number}/")["finished"], 120)
        rows = pages(hotel, f"/recoveries/{number}/rows/?limit=200")
        assert len(rows) == len({row["reservation"] for row in rows}) == MANY
        assert {row["state"] for row in rows} == {"done"}
        for name in PMS_ROOMS:
            wanted = sum(PMS_ROOMS[n % len(PMS_ROOMS)] == name for n in range(MANY))
            eventually(lambda name=name, wanted=wanted: _codes(hotel, name) == wanted, 180)
        key = Key(hotel, rows[-1]["key"])
        assert key.page().text.count("Allow Provisioning: on") == 1


def _with_keys(hotel, outage):
    rows = pages(hotel, f"/outages/{outage}/reservations/?limit=200")
    return [row for row in rows if row["key"]]


def _codes(hotel, name):
    """How many Door Codes a lock holds."""
    return sum(one["kind"] == "door_code" for one in hotel.lock(name).memory())


def _free_room(hotel):
    """A room at the PMS where nobody is."""
    taken = {
        stay["room"]
        for one in hotel.pms.get("reservations")["reservations"]
        for stay in one["stays"]
    }
    return next(name for name in PMS_ROOMS if name not in taken)
