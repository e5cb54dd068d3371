"""What locks tell: each write, each refusal and each change at the keypad has its line, and none gives a code away."""

from __future__ import annotations

from typing import Any

import pytest

from tests.eventually import eventually, stays
from tests.hotel import Hotel
from tests.scenarios.steps import door_id, is_empty_of, made_by_hand

scenario = pytest.mark.scenario
WRONG = "739146"


def log_of(hotel: Hotel, room: str) -> list[dict[str, Any]]:
    """The door log of a room, newest first."""
    return hotel.api("GET", f"/door-log/?door={door_id(hotel, room)}&limit=200")["results"]


def codes_of(hotel: Hotel, room: str) -> list[str]:
    """What its lines say, newest first."""
    return [line["code"] for line in log_of(hotel, room)]


def line_of(hotel: Hotel, room: str, code: str) -> dict[str, Any]:
    """The newest line that says this, as soon as it is there."""
    return eventually(
        lambda: next((line for line in log_of(hotel, room) if line["code"] == code), None)
    )


@scenario(66)
def test_each_write_removal_and_refusal_has_a_line_with_door_key_kind_cause_and_try(hotel):
    """The code itself stands in no line, and a try that failed names the lock system's own word."""
    room = hotel.free_room()
    lock = hotel.lock(room)
    lock.act("refuse", calls=1)
    key = hotel.add_key("Wanda Written", room)
    eventually(lambda: lock.memory(key))
    code = key.code()
    written = line_of(hotel, room, "written")
    assert (written["key"], written["kind"]) == (key.id, "door_code")
    assert written["proof"]
    failed = line_of(hotel, room, "write_failed")
    assert failed["cause"] == "rejected"
    assert failed["vendor_code"]
    assert failed["attempt"] >= 1
    key.revoke()
    is_empty_of(lock, key)
    assert line_of(hotel, room, "removed")["key"] == key.id
    assert code not in str(log_of(hotel, room))


@scenario(67)
def test_a_wrong_code_is_a_refusal_in_the_log_and_opens_nothing(hotel):
    """Two digits are shown; a guest's own code that opens is an unlock of their key."""
    room = hotel.free_room()
    lock = hotel.lock(room)
    key = made_by_hand(hotel, "Rita Refused", room)
    assert not lock.opens_for(WRONG)
    refused = line_of(hotel, room, "denied")
    assert (refused["key"], refused["hint"]) == (None, "••46")
    assert "unlocked" not in codes_of(hotel, room)
    assert lock.opens_for(key.code())
    assert line_of(hotel, room, "unlocked")["key"] == key.id
    assert WRONG not in str(log_of(hotel, room))


@scenario(68)
def test_a_4117_that_succeeds_is_marked_resolved_with_its_time_and_leaves_the_open_ones(hotel):
    room = hotel.free_room()
    lock = hotel.lock(room)
    lock.offline()
    key = hotel.add_key("Otto Open", room)

    def open_ones() -> list[dict[str, Any]]:
        rows = hotel.api("GET", "/episodes/?kind=4117&limit=200")["results"]
        return [row for row in rows if row["key"] == key.id]

    opened = eventually(open_ones)[0]
    lock.online()
    eventually(lambda: not open_ones())
    resolved = line_of(hotel, room, "resolved")
    assert resolved["key"] == key.id
    assert resolved["happened_at"] >= opened["opened_at"]
    assert "4117 resolved" in key.page().text


@scenario(69)
def test_a_code_changed_at_the_keypad_is_noted_and_put_back(hotel):
    room = hotel.free_room()
    lock = hotel.lock(room)
    key = made_by_hand(hotel, "Carl Changed", room)
    code = key.code()
    handle = next(iter(hotel.simlock.memory(room)))
    lock.act("keypad-change", handle=handle, value="258147")
    changed = line_of(hotel, room, "changed_at_lock")
    assert changed["key"] == key.id
    eventually(lambda: lock.holds(code))
    assert not lock.holds("258147")
    assert line_of(hotel, room, "repaired")["key"] == key.id


@scenario(69)
def test_a_code_that_was_deleted_at_the_lock_never_comes_back_for_a_guest_who_was_revoked(hotel):
    room = hotel.free_room()
    lock = hotel.lock(room)
    key = made_by_hand(hotel, "Dora Deleted", room)
    code = key.code()
    handle = next(iter(hotel.simlock.memory(room)))
    lock.offline()
    key.revoke()
    lock.act("keypad-delete", handle=handle)
    lock.online()
    line_of(hotel, room, "changed_at_lock")
    assert stays(lambda: not lock.holds(code), 2)
    assert not lock.opens_for(code)
