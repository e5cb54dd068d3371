"""5. How Provisioning Affects Key Creation"""

from __future__ import annotations

from tests.eventually import eventually
from tests.hotel import DAY


def test_credentials_are_written_to_the_door_automatically(hotel):
    rooms = [hotel.free_room(), hotel.free_room()]
    key = hotel.add_key("Aldo Automatic", *rooms)
    for room in rooms:
        eventually(lambda room=room: hotel.lock(room).holds(key.code()))
        assert key.door(room).is_allowed


def test_key_becomes_active_for_the_selected_time_window(hotel):
    room = hotel.free_room()
    now = hotel.add_key("Wim Window", room)
    later = hotel.add_key("Lia Later", room, starts_in=DAY)
    assert now.states[0] == "Current"
    eventually(lambda: hotel.lock(room).memory(now) and hotel.lock(room).memory(later))
    eventually(lambda: now.states == ["Current", "Active"])
    eventually(lambda: not later.door(room).is_pending)
    assert later.states == ["Upcoming", "Inactive"]


def test_credentials_are_created_but_not_written_to_the_door(hotel):
    room = hotel.free_room()
    key = hotel.add_key("Cleo Created", room, allow=False, SmartKey=True)
    assert key.code().isdigit()
    assert "SmartKey" in key.page().text
    hotel.meanwhile(room)
    assert hotel.lock(room).memory(key) == []


def test_key_remains_inactive(hotel):
    room = hotel.free_room()
    key = hotel.add_key("Rita Remains", room, allow=False)
    other = hotel.meanwhile(room)
    eventually(lambda: other.states == ["Current", "Active"])
    assert key.states == ["Current", "Inactive"]
    assert key.door(room).is_pending


def test_staff_must_manually_enable_provisioning_later(hotel):
    rooms = [hotel.free_room(), hotel.free_room()]
    key = hotel.add_key("Mona Manually", *rooms, allow=False)
    for room in rooms:
        hotel.meanwhile(room)
        assert hotel.lock(room).memory(key) == []
    key.page().click("Edit Key").press("Switch all on")
    for room in rooms:
        eventually(lambda room=room: hotel.lock(room).holds(key.code()))
    eventually(lambda: key.states == ["Current", "Active"])
