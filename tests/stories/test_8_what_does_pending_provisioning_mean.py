"""Troubleshooting: What does "Pending Provisioning" mean?"""

from __future__ import annotations

from tests.eventually import eventually


def test_the_code_exists_in_portal_but_has_not_been_written_to_the_lock_yet(hotel):
    room = hotel.free_room()
    key = hotel.add_key("Pia Pending", room, allow=False)
    assert key.door(room).is_pending
    assert key.code().isdigit()
    hotel.meanwhile(room)
    assert not hotel.lock(room).holds(key.code())


def test_the_pms_connection_was_broken_when_the_reservation_came_in(hotel):
    hotel.break_pms()
    stay = hotel.book("Bruno Broken")
    hotel.reconnect()
    door = hotel.key_of(stay).door(stay.room)
    assert door.is_pending
    assert door.reasons[0] == "The PMS connection was broken when the reservation came in."


def test_the_lock_was_offline_and_it_will_retry_automatically_once_back_online(hotel):
    room = hotel.free_room()
    lock = hotel.lock(room)
    lock.offline()
    key = hotel.add_key("Ole Offline", room)
    eventually(lambda: is_offline(key.door(room)))
    assert key.door(room).is_pending
    assert key.door(room).next[0].startswith("Written by itself as soon as it is back online.")
    assert lock.memory(key) == []
    lock.online()
    eventually(lambda: lock.holds(key.code()))
    eventually(lambda: not key.door(room).is_pending)


def is_offline(door) -> bool:
    """Whether the lock being offline is the first reason."""
    return bool(door.reasons) and door.reasons[0].startswith("The lock is offline since")
