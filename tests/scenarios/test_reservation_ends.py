"""A stay ends, comes back, never begins or goes on under another number: what opens is what the guest may still use."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from tests.eventually import eventually, stays
from tests.scenarios.steps import in_house, is_empty_of, sent_to, writes_to

scenario = pytest.mark.scenario
RULE, SENDING = "Require check-in before provisioning", "Send Door Codes to guests"
EARLY = {RULE: "Not required", SENDING: "When the code is on its locks"}


@scenario(43)
def test_a_reservation_that_is_cancelled_and_booked_again_waits_like_any_other_and_is_told(hotel):
    """The code is the one that the guest had, or a new one if the property wants that; nothing is written before check-in."""
    hotel.settings(**{SENDING: EARLY[SENDING]})
    stay, key, lock = in_house(hotel, "Dean Again", nights=2)
    code = key.code()
    eventually(lambda: len(sent_to(hotel, code)) == 1)
    _cancelled_and_back(hotel, stay, key, lock)
    assert key.code() == code
    hotel.check_in(stay)
    eventually(lambda: lock.opens_for(code))
    eventually(lambda: len(sent_to(hotel, code)) == 2)
    assert any("your door code is valid again" in text for text in sent_to(hotel, code))
    hotel.settings(**{"A cancelled reservation that is booked again gets": "A new Door Code"})
    _cancelled_and_back(hotel, stay, key, lock)
    new = key.code()
    assert new != code
    hotel.check_in(stay)
    eventually(lambda: lock.opens_for(new))
    assert not lock.opens_for(code)
    eventually(lambda: len(sent_to(hotel, new)) == 1)
    assert "your door code is valid again" in sent_to(hotel, new)[0]
    assert len(sent_to(hotel, code)) == 2


def _cancelled_and_back(hotel, stay, key, lock):
    """The PMS cancels it and takes that back; the key waits for check-in."""
    hotel.pms.act(stay.id, "cancel", force=True)
    is_empty_of(lock, key)
    assert "Revoked" in key.states
    hotel.pms.act(stay.id, "restore", force=True)
    eventually(lambda: "Revoked" not in key.states)
    eventually(lambda: key.door(stay.room).is_pending)
    assert key.door(stay.room).reasons[0].startswith("The reservation is not checked in")
    assert stays(lambda: not lock.memory(key), 1.0)


@scenario(44)
def test_a_check_out_that_is_undone_gives_the_access_back_and_harms_no_other_guest(hotel):
    """The same guest enters with the same code until the end of the stay; the next one's key is as it was."""
    stay, key, lock = in_house(hotel, "Egon Back", nights=3)
    code = key.code()
    hotel.pms.act(stay.id, "check-out")
    is_empty_of(lock, key)
    assert "Past" in key.states
    _, other, _ = in_house(hotel, "Ella Next", room=stay.room, force=True)
    theirs = sorted(lock.memory(other), key=str)
    hotel.pms.act(stay.id, "restore", force=True)
    hotel.check_in(stay)
    eventually(lambda: lock.opens_for(code))
    eventually(lambda: {"Current", "Active"} <= set(key.states))
    assert key.code() == code
    assert sorted(lock.memory(other), key=str) == theirs
    assert lock.opens_for(other.code())
    assert other.code() != code
    assert "Active" in other.states


@scenario(45)
def test_what_staff_revoked_stays_revoked_whatever_the_pms_says_until_they_restore_it(hotel):
    """Another name, other dates, another room, cancelled and back: nothing of it opens a door."""
    stay, key, lock = in_house(hotel, "Fred Revoked")
    code = key.code()
    key.revoke()
    is_empty_of(lock, key)
    hotel.pms.act(stay.id, "change-guest", first="Fritz", last="Revoked")
    hotel.pms.act(stay.id, "dates", departure="+3", force=True)
    hotel.pms.act(stay.id, "cancel", force=True)
    hotel.pms.act(stay.id, "restore", force=True)
    hotel.check_in(stay)
    moved = hotel.move(stay)
    eventually(lambda: "Fritz Revoked" in key.page().text)
    both = (lock, hotel.lock(moved.room))
    eventually(lambda: moved.room in key.page().text)
    assert stays(lambda: not any(one.memory(key) for one in both), 1.5)
    assert "Revoked by staff" in key.page().text
    assert "Revoked" in key.states
    key.page().press("Restore")
    eventually(lambda: both[1].opens_for(code))
    assert not lock.memory(key)


@scenario(46)
def test_a_no_show_voids_the_key_and_takes_its_code_off(hotel):
    """The reason stands in the key's history and in the API."""
    hotel.settings(**{RULE: EARLY[RULE]})
    stay = hotel.book("Gwen Absent")
    key, lock = hotel.key_of(stay), hotel.lock(stay.room)
    code = key.code()
    eventually(lambda: lock.holds(code))
    hotel.pms.act(stay.id, "no-show")
    is_empty_of(lock, key)
    assert not lock.opens_for(code)
    assert "Revoked" in key.states
    assert hotel.api("GET", f"/keys/{key.id}/")["revoked_because"] == "no_show"
    assert "No show" in key.page().text


@scenario(47)
def test_a_tentative_reservation_gets_neither_key_nor_message_until_it_is_confirmed(hotel):
    """Though codes are written and sent as early as can be."""
    hotel.settings(**EARLY)
    stay = hotel.book("Hugo Perhaps", status="not_confirmed")
    lock = hotel.lock(stay.room)
    eventually(lambda: _state_of(hotel, stay) == "tentative")
    search = f"/keys/?q={stay.id}"
    assert stays(lambda: not hotel.page(search).all(".//a[@class='main-link']"), 1.5)
    assert lock.memory() == []
    hotel.pms.act(stay.id, "restore", force=True)
    key = hotel.key_of(stay)
    code = key.code()
    eventually(lambda: lock.holds(code))
    eventually(lambda: len(sent_to(hotel, code)) == 1)


def _state_of(hotel, stay):
    """What Portal knows of a reservation, or nothing."""
    rows = hotel.api("GET", f"/reservations/?number={stay.id}")["results"]
    return rows[0]["state"] if rows else None


@scenario(48)
def test_two_stays_that_touch_are_one_key_with_one_code_and_no_gap_between_them(hotel):
    """The guest leaves on paper and arrives again: nothing comes off the lock and the code opens all the while."""
    hotel.settings(Arrival_Time="23:58", Departure_Time="23:59")
    yesterday = f"{datetime.now(UTC) - timedelta(days=1):%Y-%m-%d}"
    first, key, lock = in_house(hotel, "Iris Again", arrival=yesterday, departure="today")
    code = key.code()
    hotel.simlock.reset_stats()
    second = hotel.book("Iris Again", first.room, arrival="today", nights=2, force=True)
    eventually(lambda: f"Goes on as reservation {second.id}" in key.page().text)
    assert hotel.key_of(second).id == hotel.key_of(first).id == key.id
    assert stays(lambda: lock.opens_for(code), 1.0)
    hotel.pms.act(first.id, "check-out")
    eventually(lambda: f"Began with reservation {first.id}" in key.page().text)
    assert stays(lambda: lock.opens_for(code), 1.0)
    hotel.check_in(second)
    eventually(lambda: "At the front desk" in key.page().text)
    assert {"Current", "Active"} <= set(key.states)
    assert hotel.key_of(second).id == hotel.key_of(first).id == key.id
    assert lock.opens_for(code)
    assert len(lock.memory()) == 2
    assert "DELETE" not in {method for method, _ in writes_to(hotel, first.room)}
    hotel.pms.act(second.id, "check-out")
    is_empty_of(lock, key)
