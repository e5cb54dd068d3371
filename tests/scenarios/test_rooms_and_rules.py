"""Rooms, doors and the rules of the house: who is let in where, and what is shown before a rule changes for many at once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from tests.eventually import eventually, stays
from tests.scenarios.steps import door_id, in_house, keys_listed

scenario = pytest.mark.scenario
HOUR = timedelta(hours=1)
EARLY = "Locks without own time windows open up to this many minutes early"
COMMON = "Common doors that no room is linked to"
RULE = "Require check-in before provisioning"
BED = "D1-1"  # a bed of the PMS for which this hotel has no door


@scenario(50)
def test_a_companion_gets_and_loses_only_their_own_credentials(hotel):
    """What the others have stays on the lock as it was written, and their codes go on opening."""
    stay, key, lock = in_house(hotel, "Ann Stays")
    first, code = lock.simlock.memory(lock.ref), key.code()
    hotel.pms.act(stay.id, "add-guest", guest="Ben Joins")
    eventually(lambda: len(lock.memory(key)) == 4)
    assert "Ben Joins" in key.page().text
    both = lock.simlock.memory(lock.ref)
    assert {handle: both[handle] for handle in first} == first
    codes = {one["value"] for one in lock.memory(key) if one["kind"] == "door_code"}
    assert len(codes) == 2
    assert all(lock.opens_for(each) for each in codes)
    hotel.pms.act(stay.id, "remove-guest", guest_id=_guest_id(hotel, stay, "Ben"))
    eventually(lambda: lock.simlock.memory(lock.ref) == first)
    assert lock.opens_for(code)
    assert not any(lock.opens_for(each) for each in codes - {code})


def _guest_id(hotel, stay, first_name):
    booking = hotel.pms.get(f"reservations/{stay.id}")
    guests = [guest for one in booking["stays"] for guest in one["guests"]]
    return next(guest["id"] for guest in guests if guest["first"] == first_name)


@scenario(51)
def test_a_reservation_without_a_room_has_a_key_that_goes_on_once_it_has_one(hotel):
    """Until then the key opens nothing and says why, on its page and in the list."""
    stay = hotel.book("Cora Roomless", "")
    key = hotel.key_of(stay)
    waiting = "The reservation has no room yet."
    assert waiting in key.page().text
    assert waiting in hotel.page(f"/keys/?q={stay.id}").text
    assert hotel.api("GET", f"/keys/{key.id}/doors/") == []
    code, room = key.code(), hotel.vacant_room()
    hotel.pms.act(stay.id, "move", room=room)
    eventually(lambda: key.door(room).is_pending)
    assert waiting not in key.page().text
    hotel.check_in(stay)
    eventually(lambda: hotel.lock(room).opens_for(code))


@scenario(52)
def test_a_room_that_opens_no_door_is_an_exception_that_everybody_sees(hotel):
    """On the key, in the list, as an alert, and among the rooms that are not mapped; once mapped, the code is written."""
    stay = hotel.book("Dora Doorless", BED)
    hotel.check_in(stay)
    key = hotel.key_of(stay)
    missing = f"Room {BED} is not mapped to a door yet."
    eventually(lambda: "Inactive" in key.states)
    assert missing in key.page().text
    assert missing in hotel.page(f"/keys/?q={stay.id}").text
    assert hotel.api("GET", f"/keys/{key.id}/")["headline"] == missing
    eventually(lambda: "Rooms without a door" in hotel.page("/alerts/").text)
    assert "not mapped to a door" in hotel.page("/settings/integrations/", "owner").text
    assert BED in hotel.rooms().click("Not mapped").text
    room = hotel.free_room()
    form = hotel.rooms().click(BED).form("Save").fill(room, value=True)
    asked = form.press("Save")
    assert f"Get {room} 1 key" in asked.text
    asked.press("Change the doors of 1 key")
    try:
        eventually(lambda: hotel.lock(room).opens_for(key.code()))
        assert missing not in key.page().text
        eventually(lambda: "Active" in key.states)
        eventually(lambda: "Rooms without a door" not in hotel.page("/alerts/").text)
    finally:
        map_to(hotel, BED)


def map_to(hotel, room, *doors):
    """Let a room of the PMS open these doors only."""
    form = hotel.rooms().click(room).form("Save")
    form.values = [pair for pair in form.values if pair[0] not in {"doors", "common"}]
    for door in doors:
        form.fill(door, value=True)
    asked = form.press("Save")
    if asked.has_button("Change the doors of 1 key"):
        asked.press("Change the doors of 1 key")


@scenario(49)
def test_the_next_guests_buffer_ends_where_the_guest_before_is_in_house_and_no_code_is_shared(
    hotel,
):
    """A lock without windows may open hours early, but not before the other has left, unless staff say so."""
    hotel.settings(**{EARLY: "240"})
    room, other = (hotel.free_room_without_window() for _ in range(2))
    first, leaves_at = _leaving_soon(hotel, "Hal Leaving", room)
    code, lock = first.code(), hotel.lock(room)
    assert lock.opens_for(code)
    second = hotel.add_key("Ina Next", room, starts_in=2 * HOUR, Policy="Preferred", Code=code)
    assert second.code() != code
    waits = second.door(room).reasons[0]
    assert waits.startswith(f"will be written at {leaves_at:%H:%M}"), waits
    assert not lock.memory(second)
    free = hotel.add_key("Jo Alone", other, starts_in=2 * HOUR)
    eventually(lambda: hotel.lock(other).holds(free.code()))
    assert not lock.memory(second), "nobody was in the other room"
    eventually(lambda: lock.holds(second.code()))
    assert datetime.now(UTC) >= leaves_at
    eventually(lambda: not lock.opens_for(code))
    third = hotel.add_key("Kit Allowed", room, starts_in=HOUR)
    eventually(lambda: third.door(room).is_pending or lock.holds(third.code()))
    third_code = third.code()
    hotel.api("PATCH", f"/keys/{third.id}/", starts_at=datetime.now(UTC).isoformat())
    eventually(lambda: lock.opens_for(third_code) and lock.opens_for(second.code()))


def _leaving_soon(hotel, guest, room):
    """A guest in house whose stay ends in some seconds, and when."""
    ends_at = datetime.now(UTC) + timedelta(seconds=7)
    key = hotel.api_key(guest, room, ends_at=ends_at)
    eventually(lambda: hotel.lock(room).memory(key))
    return key, ends_at


@scenario(53)
def test_a_room_that_is_mapped_to_another_door_moves_its_guests_after_a_preview(hotel):
    """From the page of the room, and from the door's own form: the new door opens with the same code, the old no longer."""
    stay, key, old = in_house(hotel, "Lea Remapped")
    code, room, third = key.code(), hotel.free_room(), hotel.free_room()
    form = hotel.rooms().click(stay.room).form("Save")
    asked = form.fill(stay.room, value=False).fill(room, value=True).press("Save")
    for said in ("1 in house", f"Lose {stay.room} 1 key", f"Get {room} 1 key"):
        assert said in asked.text
    assert stays(lambda: old.opens_for(code) and not hotel.lock(room).memory(key), 0.5)
    asked.press("Change the doors of 1 key")
    try:
        eventually(lambda: hotel.lock(room).opens_for(code) and not old.memory(key))
        form = _door_form(hotel, third).fill(stay.room, value=True)
        asked = form.press("Save")
        assert f"Get {third} 1 key" in asked.text
        assert "Lose" not in asked.text
        assert not hotel.lock(third).memory(key)
        asked.press("Change the doors of 1 key")
        eventually(lambda: hotel.lock(third).opens_for(code))
        asked = _door_form(hotel, room).fill(stay.room, value=False).press("Save")
        asked.press("Change the doors of 1 key")
        eventually(lambda: not hotel.lock(room).memory(key))
        assert hotel.lock(third).opens_for(code)
        assert f"Door {room} taken away" in hotel.rooms().click(stay.room).text
    finally:
        map_to(hotel, stay.room, stay.room)
    eventually(lambda: old.opens_for(code) and not hotel.lock(third).memory(key))


def _door_form(hotel, name):
    return hotel.page(f"/doors/{door_id(hotel, name)}/edit/", "owner").form("Save")


@scenario(55)
def test_a_common_door_without_rooms_opens_by_the_choice_of_the_property_which_is_shown(hotel):
    """The key of every room or of none; nothing is assumed, and the effect on guests in house is said before it is saved."""
    stay, key, _ = in_house(hotel, "Max Common")
    form = hotel.page("/doors/", "owner").click("Add door").form("Save")
    name = "Side gate"
    form.fill("Name", name).fill("Type", "Entrance").press("Save")
    gate = f"/doors/{door_id(hotel, name)}/"
    assert "no key of a room opens it" in hotel.page(gate).text
    refused = hotel.ask_settings(**{COMMON: "Not chosen: no key of a room opens them"})
    assert f"No room is linked to {name}: choose for them." in refused.text
    asked = hotel.ask_settings(**{COMMON: "The key of every room opens them"})
    assert f"Get {name} 1 key" in asked.text
    assert _doors(hotel, key) == [stay.room]
    asked.press("Change the rules")
    eventually(lambda: key.door(name).reasons == [f"No lock is installed on {name}."])
    assert "the key of every room opens it" in hotel.page(gate).text
    coming = hotel.book("Nia Common")
    eventually(lambda: hotel.key_of(coming).door(name))
    asked = hotel.ask_settings(**{COMMON: "No key of a room opens them"})
    assert f"Lose {name} 2 keys" in asked.text
    asked.press("Change the rules")
    eventually(lambda: _doors(hotel, key) == [stay.room])


def _doors(hotel, key):
    return [one["name"] for one in hotel.api("GET", f"/keys/{key.id}/doors/")]


@scenario(57)
def test_another_check_in_rule_says_whom_it_affects_and_takes_no_code_from_guests_in_house(hotel):
    """Switched off, keys are written that waited; switched on, those to come wait, those in house stay."""
    here, coming = hotel.book("Oda Inside"), hotel.book("Pia Later", arrival="+2")
    keys = [hotel.key_of(stay) for stay in (here, coming)]
    locks = [hotel.lock(stay.room) for stay in (here, coming)]
    hotel.api("PATCH", f"/keys/{keys[0].id}/", starts_at=(datetime.now(UTC) - HOUR).isoformat())
    eventually(lambda: keys[0].states[0] == "Current")
    off = {RULE: "Not required"}
    asked = hotel.ask_settings(**off)
    assert "Wait no longer for check-in 2 keys; written at once: 2." in asked.text
    assert not any(lock.memory(key) for lock, key in zip(locks, keys, strict=True))
    asked.press("Change the rules")
    codes = [key.code() for key in keys]
    eventually(lambda: all(lock.holds(code) for lock, code in zip(locks, codes, strict=True)))
    asked = hotel.ask_settings(**{RULE: "At the front desk or online"})
    assert "Stay on their locks 1 key of guests in house" in asked.text
    assert "Come off their locks 1 key to come" in asked.text
    assert all(lock.memory(key) for lock, key in zip(locks, keys, strict=True))
    asked.press("Change the rules")
    eventually(lambda: not locks[1].memory(keys[1]))
    assert stays(lambda: locks[0].opens_for(codes[0]), 1.5)
    assert "also before check-in" in keys[0].door(here.room).text
    assert "In house when check-in became required" in keys[0].page().text
    hotel.check_in(coming)
    eventually(lambda: locks[1].holds(codes[1]))


@scenario(56)
def test_in_setup_nothing_is_written_and_going_live_says_first_what_it_will_make(hotel):
    """Reservations get no keys, codes by hand stay off the locks, no message goes out; then a preview, guests in house included."""
    hotel.settings(Mode="Setup")
    here, coming = hotel.book("Emil Here"), hotel.book("Fay Coming")
    hotel.check_in(here)
    by_hand = hotel.add_key("Gus Byhand", hotel.free_room())
    door = hotel.api("GET", f"/keys/{by_hand.id}/doors/")[0]["name"]
    locks = [hotel.lock(room) for room in (here.room, coming.room, door)]
    setup = "The property is in Setup Mode, nothing is written to locks."
    eventually(lambda: setup in by_hand.door(door).reasons)
    assert stays(lambda: not any(lock.memory() for lock in locks), 1.5)
    assert [keys_listed(hotel, f"/keys/?q={stay.id}") for stay in (here, coming)] == [[], []]
    asked = hotel.ask_settings(Mode="Live")
    assert "2, one for each that is current or to come; checked in already: 1." in asked.text
    assert not any(lock.memory() for lock in locks)
    asked.press("Go Live")
    eventually(lambda: locks[0].opens_for(hotel.key_of(here).code()))
    eventually(lambda: locks[2].opens_for(by_hand.code()))
    assert hotel.key_of(coming).door(coming.room).is_pending
    assert not locks[1].memory()
