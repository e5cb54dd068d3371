"""The connection to the PMS breaks and comes back: what came in meanwhile waits for staff, and nothing else does."""

from __future__ import annotations

import time

import httpx2
import pytest

from tests.eventually import eventually, stays
from tests.furnish import PMS_ROOMS
from tests.scenarios.steps import in_house, restart_worker

scenario = pytest.mark.scenario
CAME_IN = "The PMS connection was broken when the reservation came in."


@scenario("C1")
def test_a_reservation_made_after_reconnect_is_never_held_not_even_while_portal_catches_up(hotel):
    """It goes by the normal rule: Pending Provisioning until check-in, then on the lock."""
    hotel.break_pms()
    hotel.pms.post("faults", kind="hang", method="getRooms", times=1, seconds=4)
    hotel.reconnect(caught_up=False)
    during = hotel.book("Ada During", arrival="today")
    assert hotel.pms_state() == "Catching up"
    eventually(lambda: hotel.pms_state() == "Connected")
    after = hotel.book("Bea After", arrival="today")
    for stay in (during, after):
        key = hotel.key_of(stay)
        assert key.door(stay.room).is_allowed
        assert key.door(stay.room).reasons[0].startswith("The reservation is not checked in")
        hotel.check_in(stay)
        eventually(lambda stay=stay, key=key: hotel.lock(stay.room).memory(key))


@scenario("C2")
def test_a_reservation_from_the_outage_waits_until_staff_allow_it_at_the_door(hotel):
    """Who is in house is not touched. Key and code exist; Keys, the reservation, Edit Door, Allow Provisioning, Save: then the code is written."""
    _, safe, safe_lock = in_house(hotel, "Carla Inhouse")
    stay, key, lock = _came_in(hotel, "Carl Outage")
    assert safe_lock.opens_for(safe.code())
    door = key.door(stay.room)
    assert door.is_pending
    assert not door.is_allowed
    assert door.reasons[0] == CAME_IN
    assert key.code().isdigit()
    assert stays(lambda: not lock.memory(key), 1.0)
    page = hotel.page("/keys/").form("Search").fill("Search keys", stay.id).press("Search")
    form = page.click("Carl Outage").click(f"Edit Door {stay.room}").form("Save")
    form.fill("Allow Provisioning", value=True).press("Save")
    eventually(lambda: lock.holds(key.code()))


@scenario("C3")
def test_check_in_room_move_restart_and_another_reconnect_do_not_release_what_is_held(hotel):
    """Only staff do; the door that a room move brings is held as well."""
    stay, key, lock = _came_in(hotel, "Dora Held")
    hotel.check_in(stay)
    eventually(lambda: "At the front desk" in key.page().text)
    hotel.pms.act(stay.id, "move", room=_other_room(hotel, stay.room), force=True)
    eventually(lambda: len(_doors(hotel, key)) == 1 and _doors(hotel, key) != [stay.room])
    moved = _doors(hotel, key)[0]
    restart_worker(hotel)
    hotel.break_pms()
    hotel.reconnect()
    both = (lock, hotel.lock(moved))
    assert key.door(moved).reasons[0] == CAME_IN
    assert stays(lambda: not any(one.memory(key) for one in both), 1.5)
    key.allow(moved)
    eventually(lambda: hotel.lock(moved).holds(key.code()))
    assert not lock.memory(key)


@scenario("C5")
def test_a_webhook_that_arrives_while_the_pms_is_broken_is_kept_and_changes_nothing(hotel):
    """It is answered with 200; no key, no code and no release comes of it before Reconnect."""
    here = hotel.book("Emil Known", arrival="today")
    key, lock = hotel.key_of(here), hotel.lock(here.room)
    hook = hotel.pms.get("subscriptions")["subscriptions"][0]["url"]
    hotel.break_pms()
    hotel.check_in(here)
    new = hotel.book("Fay Unknown", arrival="today")
    for stay, what in ((here, "status_changed"), (new, "created")):
        event = {"event": f"reservation/{what}", "reservationID": stay.id, "propertyID": 318267}
        body = event | {"timestamp": time.time()}
        assert httpx2.post(hook, json=body, trust_env=False, timeout=10).status_code == 200
    assert stays(lambda: not lock.memory(), 1.5)
    assert hotel.page(f"/keys/?q={new.id}").all(".//a[@class='main-link']") == []
    assert key.door(here.room).reasons[0].startswith("No word from Cloudbeds since")
    hotel.reconnect()
    eventually(lambda: lock.memory(key))
    held = hotel.key_of(new)
    assert held.door(new.room).reasons[0] == CAME_IN
    assert not hotel.lock(new.room).memory(held)


def _came_in(hotel, guest):
    """A reservation made while the PMS was broken, after Reconnect."""
    hotel.break_pms()
    stay = hotel.book(guest, arrival="today")
    hotel.reconnect()
    return stay, hotel.key_of(stay), hotel.lock(stay.room)


def _other_room(hotel, room):
    """A room at the PMS where nobody is."""
    taken = {
        stay["room"]
        for one in hotel.pms.get("reservations")["reservations"]
        for stay in one["stays"]
    }
    return next(name for name in PMS_ROOMS if name != room and name not in taken)


def _doors(hotel, key):
    return [one["name"] for one in hotel.api("GET", f"/keys/{key.id}/doors/")]
