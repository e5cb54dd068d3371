"""1. What Does Provisioning Mean?"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from tests.eventually import eventually
from tests.hotel import DAY, Key


def test_provisioning_is_the_process_where_the_system_writes_credentials_to_the_door_lock(hotel):
    room = hotel.free_room()
    assert hotel.lock(room).memory() == []
    key = hotel.add_key("Paula Process", room, SmartKey=True)
    eventually(lambda: hotel.lock(room).kinds(key) == {"door_code", "smartkey"})
    eventually(lambda: not key.door(room).is_pending)
    assert "Written to the lock" in key.page().text


def test_the_door_code_or_smartkey_is_written_to_the_lock(hotel):
    room = hotel.free_room()
    with_code = hotel.add_key("Dora Code", room)
    with_smartkey = hotel.add_key("Sam Smartkey", room, Door_Code=False, SmartKey=True)
    lock = hotel.lock(room)
    eventually(lambda: lock.memory(with_code) and lock.memory(with_smartkey))
    assert [held["value"] for held in lock.memory(with_code)] == [with_code.code()]
    assert lock.kinds(with_smartkey) == {"smartkey"}
    assert lock.opens_for(lock.memory(with_smartkey)[0]["value"], "smartkey")


def test_the_credential_becomes_valid_for_the_selected_date_and_time(hotel):
    room = hotel.free_room()
    lock = hotel.lock(room)
    key = hotel.add_key("Vera Valid", room, starts_in=3 * DAY, lasts=2 * DAY)
    held = eventually(lambda: lock.memory(key))[0]
    assert datetime.fromisoformat(held["starts_at"]) == key.starts_at
    assert datetime.fromisoformat(held["ends_at"]) == key.ends_at
    code = key.code()
    opened = {}
    for days in (0, 2.9, 3.1, 4.9, 5.1):
        lock.act("clock", offset_s=days * 86400)
        opened[days] = lock.opens_for(code)
    assert opened == {0: False, 2.9: False, 3.1: True, 4.9: True, 5.1: False}


def test_the_credential_becomes_valid_for_the_selected_time_on_a_lock_that_keeps_no_time(hotel):
    room = hotel.free_room_without_window()
    lock = hotel.lock(room)
    now = datetime.now(UTC)
    key = api_key(hotel, room, now + timedelta(seconds=2.5), now + timedelta(seconds=5.5))
    seen: list[tuple[datetime, bool]] = []

    def over() -> bool:
        there = bool(lock.memory(key))
        seen.append((datetime.now(UTC), there))
        return not there and any(before for _, before in seen)

    eventually(over, 20, every=0.05)
    assert next(moment for moment, there in seen if there) >= key.starts_at
    assert seen[-1][0] >= key.ends_at


def api_key(hotel, room: str, starts_at: datetime, ends_at: datetime) -> Key:
    """A key of seconds, which no form can ask for."""
    doors = hotel.api("GET", "/doors/?limit=200")["results"]
    made = hotel.api(
        "POST",
        "/keys/",
        people=[{"name": "Nino Notime", "credentials": [{"kind": "door_code"}]}],
        doors=[{"door": next(door["id"] for door in doors if door["name"] == room)}],
        starts_at=starts_at.isoformat(),
        ends_at=ends_at.isoformat(),
    )
    return Key(hotel, made["id"], starts_at, ends_at)


def test_the_credential_is_not_written_to_the_lock(hotel):
    room = hotel.free_room()
    key = hotel.add_key("Nora Not", room, allow=False)
    hotel.meanwhile(room)
    assert hotel.lock(room).memory(key) == []


def test_the_credential_exists_but_is_not_active(hotel):
    room = hotel.free_room()
    key = hotel.add_key("Ed Exists", room, allow=False)
    code = key.code()
    assert code.isdigit()
    assert key.states == ["Current", "Inactive"]
    hotel.meanwhile(room)
    assert not hotel.lock(room).opens_for(code)


def test_staff_must_enable_provisioning_manually_later(hotel):
    room = hotel.free_room()
    lock = hotel.lock(room)
    key = hotel.add_key("Lara Later", room, allow=False)
    code = key.code()
    hotel.meanwhile(room)
    assert not lock.holds(code)
    assert "Nothing by itself: staff enable Allow Provisioning and Save." in key.door(room).next
    key.allow(room)
    eventually(lambda: lock.holds(code))
