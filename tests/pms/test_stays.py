"""Which stays are applied, in which order, and which rooms map themselves; no PMS is asked."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from threading import Barrier, Thread

import pytest
from django.db import connection

from locks.clock import database_now
from pms import sync
from pms.adapters import Ended, Page, RoomFacts, Stay, StayState
from pms.models import Integration, Outage, Reservation, RoomDoor
from pms.rooms import import_rooms, set_rooms
from pms.signals import reservation_changed
from pms.spans import spans_of
from tests.factories import BY, DoorFactory, PropertyFactory

pytestmark = pytest.mark.django_db
T0 = datetime(2026, 11, 23, 10, tzinfo=UTC)
STAY = Stay(
    external_id="7-1",
    booking_ref="7",
    number="7",
    state=StayState.EXPECTED,
    checked_in=False,
    checked_in_online=False,
    arrival_on=date(2026, 11, 24),
    departure_on=date(2026, 11, 27),
    room_ref="r101",
    room_name="101",
    guest_name="Ada Example",
    created_at=T0,
    updated_at=T0,
)
IN_HOUSE = replace(
    STAY, state=StayState.IN_HOUSE, checked_in=True, updated_at=T0 + timedelta(minutes=1)
)


@pytest.fixture
def integration():
    return Integration.objects.create(
        property=PropertyFactory(),
        adapter="cloudbeds",
        state=Integration.State.CONNECTED,
        state_since=T0,
        external_property_id="1",
    )


def put(integration, *stays, **more):
    return sync.apply(integration=integration, stays=stays, now=database_now(), **more)


def row():
    return Reservation.objects.get(external_id="7-1")


def test_nothing_older_than_what_is_stored_is_applied(integration):
    put(integration, IN_HOUSE)
    assert put(integration, STAY).changed == []
    assert row().state == "in_house"


def test_of_one_version_other_content_counts_if_it_was_asked_for_later(integration):
    put(integration, STAY)
    asked_at = database_now()
    silent = replace(STAY, room_ref="r102", room_name="102")
    assert put(integration, silent).changed
    assert put(integration, STAY, read_at=asked_at - timedelta(seconds=5)).changed == []
    assert row().room_name == "102"


def test_the_same_again_is_no_news_and_writes_nothing(integration):
    put(integration, STAY)
    before = row()
    heard = []
    reservation_changed.connect(lambda **k: heard.append(k), weak=False, dispatch_uid="t")
    try:
        assert put(integration, STAY).same == 1
    finally:
        reservation_changed.disconnect(dispatch_uid="t")
    assert heard == []
    assert (row().changed_at, row().read_at) == (before.changed_at, before.read_at)


def test_two_changes_in_one_moment_are_two_for_those_who_follow(integration):
    now = database_now()
    sync.apply(integration=integration, stays=[STAY], now=now)
    first = row().changed_at
    sync.apply(integration=integration, stays=[IN_HOUSE], now=now)
    assert row().changed_at > first


def test_an_undone_check_in_is_forgotten_and_an_unknown_word_forgets_nothing(integration):
    put(integration, IN_HOUSE)
    since = row().checked_in_at
    later = T0 + timedelta(minutes=2)
    put(integration, replace(STAY, state=StayState.UNKNOWN, updated_at=later))
    assert row().state == "unknown"
    assert row().checked_in_at == since
    put(integration, replace(STAY, updated_at=later + timedelta(minutes=1)))
    assert row().checked_in_at is None


def test_a_booking_that_ends_without_naming_its_rooms_ends_all_its_stays(integration):
    put(
        integration,
        IN_HOUSE,
        replace(IN_HOUSE, external_id="7-2"),
        replace(STAY, external_id="8", booking_ref="8"),
    )
    ended = Ended(booking_ref="7", state=StayState.CANCELLED, updated_at=T0 + timedelta(hours=1))
    sync.apply_pages(integration=integration, pages=[Page(ended=(ended,))], now=database_now())
    states = dict(Reservation.objects.values_list("external_id", "state"))
    assert states == {"7-1": "cancelled", "7-2": "cancelled", "8": "expected"}


def test_endings_and_shortened_stays_are_applied_before_all_else(integration):
    put(integration, STAY, replace(STAY, external_id="7-2"))
    later = T0 + timedelta(hours=1)
    order = put(
        integration,
        replace(STAY, external_id="9", updated_at=later),
        replace(STAY, external_id="7-2", departure_on=date(2026, 11, 25), updated_at=later),
        replace(STAY, state=StayState.CANCELLED, updated_at=later),
    ).changed
    named = [Reservation.objects.get(pk=pk).external_id for pk in order]
    assert named == ["7-1", "7-2", "9"]


def outage(integration, **times):
    return Outage.objects.create(
        integration=integration,
        property=integration.property,
        began_at=T0 + timedelta(minutes=1),
        last_word_at=T0 + timedelta(microseconds=400_000),
        **times,
    )


def test_coming_in_counts_from_the_second_of_the_last_good_word_until_the_reconnect(integration):
    ended_at = T0 + timedelta(hours=1)
    broken = outage(integration, reconnected_at=ended_at, ended_at=ended_at + timedelta(minutes=5))
    moments = {
        "before": T0 - timedelta(seconds=1),
        "first": T0,
        "last": ended_at - timedelta(seconds=1),
        "after": ended_at,
    }
    stays = [
        replace(STAY, external_id=name, created_at=at, updated_at=at)
        for name, at in moments.items()
    ]
    put(integration, *stays)
    held = Reservation.objects.filter(came_in_during=broken).values_list("external_id", flat=True)
    assert set(held) == {"first", "last"}


def test_a_stay_without_a_time_of_creation_came_in_if_the_resync_sees_it_first(integration):
    put(integration, STAY)
    broken = outage(integration, reconnected_at=T0 + timedelta(hours=1))
    spans = spans_of(integration, recovering=broken)
    put(
        integration,
        replace(IN_HOUSE, created_at=None),
        replace(STAY, external_id="new", created_at=None, updated_at=None),
        spans=spans,
    )
    assert row().came_in_during is None
    assert row().affected_by == broken
    assert Reservation.objects.get(external_id="new").came_in_during == broken


def test_a_clock_of_the_pms_that_is_wrong_is_allowed_for(integration):
    broken = outage(integration, reconnected_at=T0 + timedelta(hours=1))
    spans = spans_of(integration, recovering=broken, offset_s=7200.0)
    inside = T0 + timedelta(hours=2, minutes=30)
    outside = T0 + timedelta(minutes=30)
    put(
        integration,
        replace(STAY, external_id="inside", created_at=inside, updated_at=inside),
        replace(STAY, external_id="outside", created_at=outside, updated_at=outside),
        spans=spans,
    )
    held = Reservation.objects.filter(came_in_during=broken).values_list("external_id", flat=True)
    assert set(held) == {"inside"}


def test_rooms_and_beds_of_equal_name_map_themselves_once(integration):
    doors = {
        name: DoorFactory(property=integration.property, name=name)
        for name in ("101", "102", "Dorm 1")
    }
    rooms = [
        RoomFacts(external_id="a", name="101"),
        RoomFacts(external_id="b", name="102"),
        RoomFacts(external_id="c", name="D1-1", parent_name="Dorm 1"),
        RoomFacts(external_id="d", name="101+102", is_virtual=True, linked_ids=("a", "b")),
        RoomFacts(external_id="e", name="999"),
    ]
    import_rooms(integration=integration, rooms=rooms, now=T0)

    def mapped():
        pairs = RoomDoor.objects.values_list("room_ref", "door__name")
        return sorted(pairs)

    everything = [("a", "101"), ("b", "102"), ("c", "Dorm 1"), ("d", "101"), ("d", "102")]
    assert mapped() == everything
    set_rooms(
        integration=integration,
        door=doors["101"],
        room_refs=["d"],
        had=["a", "d"],
        by=BY,
        now=T0,
    )
    import_rooms(integration=integration, rooms=rooms, now=T0)
    assert mapped() == everything[1:]


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_two_workers_that_first_see_the_same_stays_store_each_once(integration):
    stays = [replace(STAY, external_id=f"{n}-1", booking_ref=str(n)) for n in range(40)]
    together, counts = Barrier(4), []

    def work() -> None:
        together.wait(10)
        try:
            counts.append(put(integration, *stays).new)
        finally:
            connection.close()

    threads = [Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(counts) == [0, 0, 0, 40]
    assert Reservation.objects.count() == 40
