"""The facts are read the same way round by every engine."""

from __future__ import annotations

from datetime import timedelta

import pytest

from keys.facts import COLUMNS, Row, rows_of, times_of
from keys.models import Assignment
from tests.factories import LockFactory, key_for, now

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("silent_bell")]
HOUR = timedelta(hours=1)


def test_rows_hold_what_the_models_say():
    key_for(LockFactory().door)
    key_for(LockFactory().door)
    every = Assignment.objects.order_by("id")
    rows = rows_of(every)
    assert rows == [Row._make(values) for values in every.values_list(*COLUMNS)]
    assert [(row.starts_at, row.ends_at) for row in rows] == [
        (place.starts_at, place.ends_at) for place in every
    ]
    assert all(row.starts_at.utcoffset().total_seconds() == 0 for row in rows)


@pytest.fixture
def windowless():
    """The lock of a private room that keeps no time windows; its property lets it open four hours early."""
    lock = LockFactory(native_window=False)
    lock.property.write_lead_minutes = 240
    lock.property.save()
    return lock


def opens(key):
    (row,) = rows_of(Assignment.objects.filter(key=key))
    return times_of(row).opens_at


def two_guests(lock, *, leaves, arrives):
    """One in house until ``leaves`` from now, and the next from ``arrives`` from now on."""
    at = now()
    first = key_for(lock.door, ends_at=at + leaves, at=at)
    ends_at = at + timedelta(days=3)
    return first, key_for(lock.door, starts_at=at + arrives, ends_at=ends_at, at=at)


def test_a_lead_begins_no_sooner_than_the_guest_before_has_left(windowless):
    first, second = two_guests(windowless, leaves=2 * HOUR, arrives=3 * HOUR)
    assert opens(second) == first.ends_at
    first.departed_at = now()
    first.save()
    assert opens(second) == second.starts_at - 4 * HOUR


def test_who_left_before_the_lead_does_not_shorten_it(windowless):
    _, second = two_guests(windowless, leaves=HOUR, arrives=5 * HOUR + timedelta(minutes=1))
    assert opens(second) == second.starts_at - 4 * HOUR


def test_a_stay_that_overlaps_the_next_takes_its_lead_and_no_more(windowless):
    _, second = two_guests(windowless, leaves=9 * HOUR, arrives=3 * HOUR)
    assert opens(second) == second.starts_at


def test_an_entrance_is_shared_and_so_is_its_lead(windowless):
    windowless.door.type = "entrance"
    windowless.door.save()
    _, second = two_guests(windowless, leaves=2 * HOUR, arrives=3 * HOUR)
    assert opens(second) == second.starts_at - 4 * HOUR


def test_a_lock_with_windows_has_no_lead(windowless):
    windowless.native_window = True
    windowless.save()
    _, second = two_guests(windowless, leaves=2 * HOUR, arrives=3 * HOUR)
    assert opens(second) is None


def test_nothing_asked_is_nothing_read(django_assert_num_queries):
    with django_assert_num_queries(0):
        assert rows_of(Assignment.objects.none()) == []
        assert rows_of(Assignment.objects.filter(pk__in=[])) == []
