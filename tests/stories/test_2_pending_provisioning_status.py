"""2. Pending Provisioning Status"""

from __future__ import annotations

from tests.eventually import eventually

RULE = "Require_check-in_before_provisioning"
NOT_CHECKED_IN = "The reservation is not checked in (at the front desk or online)."


def test_a_door_in_a_keychain_that_is_not_allowed_to_be_provisioned_displays_the_tag(hotel):
    held, allowed = hotel.free_room(), hotel.free_room()
    key = hotel.add_key("Tara Tag", held, allowed)
    key.hold(held)
    eventually(lambda: hotel.lock(allowed).memory(key) and not key.door(allowed).is_pending)
    assert key.door(held).is_pending
    row = next(r for r in hotel.page(f"/keys/?q={held}").all(".//tbody/tr"))
    assert any("".join(b.itertext()) == "Pending Provisioning" for b in row.iter("button"))


def test_provisioning_was_manually_disabled_by_staff(hotel):
    room = hotel.free_room()
    lock = hotel.lock(room)
    key = hotel.add_key("Dan Disabled", room)
    eventually(lambda: lock.memory(key) and not key.door(room).is_pending)
    key.hold(room)
    eventually(lambda: not lock.memory(key))
    door = eventually(lambda: off(key.door(room)))
    assert door.is_pending
    assert not door.is_allowed


def off(door):
    """The door, once its first reason is that staff switched it off."""
    assert door.reasons, door.text
    return door if door.reasons[0].startswith("Allow Provisioning was switched off") else None


def test_the_pms_reservation_is_not_checked_in(hotel):
    stay = hotel.book("Nick Notin")
    key = hotel.key_of(stay)
    hotel.meanwhile(stay.room)
    door = key.door(stay.room)
    assert door.is_allowed
    assert door.is_pending
    assert door.reasons[0] == NOT_CHECKED_IN
    assert hotel.lock(stay.room).memory(key) == []


def test_online_check_in_or_front_desk_check_in_has_not_been_completed(hotel):
    at_the_desk, online = hotel.book("Frieda Frontdesk"), hotel.book("Olaf Online")
    keys = {stay: hotel.key_of(stay) for stay in (at_the_desk, online)}
    for stay, key in keys.items():
        hotel.meanwhile(stay.room)
        assert key.door(stay.room).reasons[0] == NOT_CHECKED_IN
        assert hotel.lock(stay.room).memory(key) == []
    hotel.check_in(at_the_desk)
    hotel.check_in_online(online)
    for stay, key in keys.items():
        eventually(lambda key=key, stay=stay: hotel.lock(stay.room).holds(key.code()))
        eventually(lambda key=key, stay=stay: not key.door(stay.room).is_pending)


def test_property_configuration_requires_check_in_before_provisioning(hotel):
    stay = hotel.book("Paul Property", arrival="+2")
    key = hotel.key_of(stay)
    hotel.meanwhile(stay.room)
    assert key.door(stay.room).reasons[0] == NOT_CHECKED_IN
    assert hotel.lock(stay.room).memory(key) == []
    hotel.settings(**{RULE: "Not required"})
    eventually(lambda: hotel.lock(stay.room).holds(key.code()))
    hotel.settings(**{RULE: "At the front desk"})
    eventually(lambda: not hotel.lock(stay.room).memory(key))
    only_the_desk = "The reservation is not checked in (at the front desk)."
    eventually(lambda: key.door(stay.room).reasons[:1] == [only_the_desk])
