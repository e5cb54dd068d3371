"""Locks with numbered places and no names: who gets which place, whose a place was, and what there is not ours."""

from __future__ import annotations

from datetime import timedelta

import pytest

from locks import foreign, slots
from locks.drivers import EventType, Held, Kind, LockEvent
from locks.events import ingest
from locks.log_models import DoorLogEntry, LogCode
from locks.slot_models import ForeignCode, SlotUse
from locks.slots import Wanted
from tests.factories import LockFactory, now

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)


@pytest.fixture
def lock():
    """Places 1, 2 and 3."""
    return LockFactory(first_slot=1, max_codes=3)


def at(address: str, secret: str | None = None) -> Held:
    return Held(address=address, handle="", kind=Kind.DOOR_CODE, secret=secret)


def test_a_credential_keeps_its_place_and_no_two_share_one(lock):
    assert slots.place(lock.pk, [Wanted(11, 1), Wanted(12, 1)], now=now()) == {11: "1", 12: "2"}
    assert slots.place(lock.pk, [Wanted(12, 1), Wanted(13, 2)], now=now()) == {12: "2", 13: "3"}


def test_a_full_lock_gives_places_as_far_as_they_go(lock):
    many = [Wanted(number, 1) for number in range(5)]
    assert slots.place(lock.pk, many, now=now()) == {0: "1", 1: "2", 2: "3"}


def test_a_place_that_was_freed_is_picked_again_last(lock):
    slots.place(lock.pk, [Wanted(11, 1), Wanted(12, 1)], now=now())
    slots.free([12], now=now())
    slots.free([11], now=now() + HOUR)
    assert slots.place(lock.pk, [Wanted(13, 2)], now=now() + HOUR) == {13: "3"}
    assert slots.place(lock.pk, [Wanted(14, 2)], now=now() + HOUR) == {14: "2"}


def test_a_place_with_a_code_of_someone_else_is_not_picked(lock):
    foreign.seen(lock.pk, [at("1")], now=now())
    assert slots.place(lock.pk, [Wanted(11, 1)], now=now()) == {11: "2"}


def test_what_was_read_gets_our_names_also_for_a_while_after_it_was_freed(lock):
    slots.place(lock.pk, [Wanted(11, 1), Wanted(12, 1)], now=now())
    slots.free([11], now=now())
    read = [at("1"), at("2"), at("3")]
    names = [held.handle for held in slots.named(lock.pk, read, now=now() + HOUR)]
    assert names == ["k1a11", "k1a12", ""]
    names = [held.handle for held in slots.named(lock.pk, read, now=now() + 49 * HOUR)]
    assert names == ["", "k1a12", ""]


def test_an_event_is_the_guests_who_had_the_place_when_it_happened(lock):
    """It may be told hours later, when somebody else has the place."""
    begun = now() - 10 * HOUR
    slots.place(lock.pk, [Wanted(11, 1)], now=begun)
    slots.free([11], now=begun + 2 * HOUR)
    SlotUse.objects.create(
        property=lock.property,
        lock=lock,
        number=1,
        key_id=2,
        assignment_id=12,
        since=begun + 3 * HOUR,
    )
    for hours in (1, 2.5, 4):
        event = LockEvent(
            event_id=f"e{hours}",
            lock_ref=lock.external_id,
            type=EventType.UNLOCKED,
            happened_at=begun + hours * HOUR,
            kind=Kind.DOOR_CODE,
            address="1",
        )
        ingest(account_id=lock.account_id, events=[event], now=now())
    lines = DoorLogEntry.objects.filter(code=LogCode.UNLOCKED).order_by("happened_at")
    assert [line.assignment_id for line in lines] == [11, None, 12]


def test_a_code_of_someone_else_is_listed_once_with_two_digits_and_leaves_the_list_when_it_is_gone(
    lock,
):
    for _ in range(2):
        foreign.seen(lock.pk, [at("3", "482913")], now=now())
    listed = ForeignCode.objects.get(lock=lock, gone_at=None)
    assert (listed.address, listed.hint) == ("3", "••13")
    assert DoorLogEntry.objects.filter(code=LogCode.FOREIGN).count() == 1
    foreign.seen(lock.pk, [], now=now())
    assert not ForeignCode.objects.filter(lock=lock, gone_at=None).exists()
