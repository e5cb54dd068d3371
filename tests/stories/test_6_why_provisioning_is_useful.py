"""6. Why Provisioning Is Useful"""

from __future__ import annotations

from datetime import UTC, datetime

from tests.eventually import eventually
from tests.hotel import DAY

RULE = "Require_check-in_before_provisioning"


def test_prevent_early_access_before_check_in(hotel):
    yesterday = (datetime.now(UTC) - DAY).date()  # so that only the check-in is missing now
    stay = hotel.book("Erik Early", arrival=str(yesterday), nights=3)
    key = hotel.key_of(stay)
    code, lock = key.code(), hotel.lock(stay.room)
    hotel.meanwhile(stay.room)
    assert key.states == ["Current", "Inactive"]
    assert not lock.opens_for(code)
    hotel.check_in(stay)
    eventually(lambda: lock.opens_for(code))


def test_follow_pms_based_check_in_rules(hotel):
    hotel.settings(**{RULE: "At the front desk"})
    desk = hotel.book("Rolf Rule")
    key = hotel.key_of(desk)
    hotel.check_in_online(desk)
    eventually(lambda: "Check-in Online," in key.page().text)
    hotel.meanwhile(desk.room)
    assert hotel.lock(desk.room).memory(key) == []
    hotel.settings(**{RULE: "Online"})
    eventually(lambda: hotel.lock(desk.room).holds(key.code()))


def test_prepare_keys_in_advance_without_activating_them(hotel):
    room = hotel.free_room()
    lock = hotel.lock(room)
    key = hotel.add_key("Ada Advance", room, allow=False, starts_in=7 * DAY)
    code = key.code()
    hotel.meanwhile(room)
    assert lock.memory(key) == []
    assert key.states == ["Upcoming", "Inactive"]
    key.allow(room)
    eventually(lambda: lock.holds(code))
    assert key.states == ["Upcoming", "Inactive"]
    assert not lock.opens_for(code)


def test_handle_manual_and_automated_access_flows_safely(hotel):
    stay = hotel.book("Gina Guest")
    lock = hotel.lock(stay.room)
    automated = hotel.key_of(stay)
    manual = hotel.add_key("Clara Cleaner", stay.room)
    eventually(lambda: lock.memory(manual))
    automated.hold(stay.room)
    hotel.check_in(stay)
    eventually(lambda: "Check-in At the front desk," in automated.page().text)
    hotel.meanwhile(stay.room)
    assert lock.memory(automated) == [], "staff's hold outlives the check-in"
    automated.allow(stay.room)
    eventually(lambda: lock.holds(automated.code()))
    manual.revoke()
    eventually(lambda: not lock.memory(manual))
    assert lock.holds(automated.code())
