"""How much of a lock's memory the coming days need: counted over windows, and said for a real lock."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keys.forecast import forecasts, may_be_short, needs_of
from keys.models import Assignment
from tests import factories
from tests.factories import now

LISBON = ZoneInfo("Europe/Lisbon")
MONDAY = date(2027, 3, 22)


def at(day: int, hour: float, tz=LISBON) -> datetime:
    """An hour of a day of that week, Monday is 0."""
    begin = datetime.combine(MONDAY + timedelta(days=day), datetime.min.time(), tzinfo=tz)
    return begin + timedelta(hours=hour)


def needed(windows, *, days=7, always=0, capacity=2, tz=LISBON) -> list[int]:
    found = needs_of(windows, always=always, capacity=capacity, first=MONDAY, days=days, tz=tz)
    assert [need.day for need in found] == [MONDAY + timedelta(days=n) for n in range(days)]
    return [need.needed for need in found]


def test_a_place_is_free_again_for_who_comes_when_another_leaves():
    assert needed([(at(0, 15), at(2, 11)), (at(2, 11), at(3, 11))], days=4) == [1, 1, 1, 1]
    assert needed([(at(0, 15), at(2, 11)), (at(2, 10.5), at(3, 11))], days=4) == [1, 1, 2, 1]


def test_the_fullest_moment_of_a_day_counts_and_not_how_many_come_and_go():
    hourly = [(at(1, hour), at(1, hour + 1)) for hour in range(20)]
    assert needed(hourly, days=3) == [0, 1, 0]


def test_what_began_long_ago_and_what_lies_there_anyway_count_on_every_day():
    assert needed([(at(-90, 0), at(90, 0))], always=3, days=3) == [4, 4, 4]


def test_a_window_of_no_length_needs_no_place():
    assert needed([(at(1, 10), at(1, 10)), (at(1, 12), at(1, 11))], days=3) == [0, 0, 0]


def test_days_are_those_of_the_property():
    window = [(datetime(2027, 3, 22, 23, 30, tzinfo=UTC), datetime(2027, 3, 23, 1, tzinfo=UTC))]
    assert needed(window, days=2) == [1, 1]
    assert needed(window, days=2, tz=ZoneInfo("Asia/Tokyo")) == [0, 1]


def test_the_short_day_of_the_clock_change_is_counted_like_any_other():
    sunday = MONDAY + timedelta(days=6)
    assert sunday == date(2027, 3, 28)  # 01:00 becomes 02:00
    assert needed([(at(6, 0), at(6, 23)), (at(6, 0.5), at(6, 3))]) == [0] * 6 + [2]


@given(
    st.lists(st.tuples(st.integers(-48, 120), st.integers(0, 96)), max_size=12),
    st.integers(0, 4),
)
def test_it_is_the_most_that_anyone_would_count_minute_by_minute(stays, always):
    start = at(0, 0, UTC)
    windows = [(start + timedelta(hours=h), start + timedelta(hours=h + long)) for h, long in stays]
    counted = [
        always
        + max(
            sum(1 for begin, end in windows if begin <= start + timedelta(hours=hour) < end)
            for hour in range(24 * day, 24 * day + 24)
        )
        for day in range(5)
    ]
    assert needed(windows, days=5, always=always, tz=UTC) == counted


@pytest.mark.django_db
def test_a_lock_with_too_few_places_is_found_with_its_day_and_one_with_enough_is_not():
    account = factories.AccountFactory()
    small = factories.LockFactory(account=account, max_codes=2)
    enough = factories.LockFactory(account=account, max_codes=20)
    begin = now() + timedelta(days=3)
    for lock in (small, enough):
        factories.foreign_code(lock)
        for n in range(2):
            factories.key_for(
                lock.door, starts_at=begin, ends_at=begin + timedelta(days=1, hours=n)
            )
    assert may_be_short(property_id=account.property_id, now=now()) == [small.pk]
    (told,) = forecasts([small], tz=LISBON, now=now())
    assert (told.worst.needed, told.worst.capacity) == (3, 2)
    assert told.worst.day == begin.astimezone(LISBON).date()
    (rest,) = forecasts([enough], tz=LISBON, now=now())
    assert (rest.worst.needed, rest.short_days) == (3, [])


@pytest.mark.django_db
def test_what_is_over_and_still_on_the_lock_needs_a_place_today_and_what_is_gone_needs_none():
    lock = factories.LockFactory(max_codes=2)
    ended, gone = (
        factories.key_for(
            lock.door, starts_at=now() - timedelta(days=2), ends_at=now() + timedelta(hours=1)
        )
        for _ in range(2)
    )
    over = {"ends_at": now() - timedelta(minutes=1)}
    Assignment.objects.filter(key=ended).update(written_revision=1, **over)
    Assignment.objects.filter(key=gone).update(**over)
    (told,) = forecasts([lock], tz=LISBON, now=now())
    assert [need.needed for need in told.needs[:2]] == [1, 0]
