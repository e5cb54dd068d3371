"""The clocks of Portal: the database's for leases and deliveries, and the property's for people."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from zoneinfo import ZoneInfo, available_timezones

from django.db import connection


@cache
def zone_names() -> frozenset[str]:
    """All IANA time zones that this machine knows."""
    return frozenset(available_timezones())


@cache
def zone(name: str) -> ZoneInfo:
    """The zone of that name, read once."""
    return ZoneInfo(name)


def database_now() -> datetime:
    """Now by the database's clock, aware UTC. All processes of one Portal agree on it, whatever their hosts believe."""
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SELECT clock_timestamp()")
            now: datetime = cursor.fetchone()[0]
            return now.astimezone(UTC)
        cursor.execute("SELECT (julianday('now') - 2440587.5) * 86400.0")
        return datetime.fromtimestamp(float(cursor.fetchone()[0]), tz=UTC)


DRIFT_S = 120.0
"""A lock whose clock is further off than this opens and closes windows at wrong times; staff are told."""


class TimeDoesNotExist(ValueError):
    """A wall time that the night of a clock change skips. ``after`` is the first wall time that exists again."""

    def __init__(self, wall: datetime, after: datetime) -> None:
        super().__init__(f"{wall:%H:%M} does not exist on {wall:%d %B %Y}: the clocks go forward")
        self.wall = wall
        self.after = after


def exists(wall: datetime, tz: ZoneInfo) -> bool:
    """Whether the naive wall time occurs in the zone."""
    back = wall.replace(tzinfo=tz).astimezone(UTC).astimezone(tz)
    return back.replace(tzinfo=None) == wall.replace(fold=0)


def typed(wall: datetime, tz: ZoneInfo, *, later: bool) -> datetime:
    """The instant that a person meant by a wall time; of a time that occurs twice the earlier, or with ``later`` the later.

    A stay starts at the earlier reading of a doubtful start and ends at the later of a doubtful end, so that no guest
    loses an hour. Raises TimeDoesNotExist for a time that the clocks skip.
    """
    if not exists(wall, tz):
        raise TimeDoesNotExist(wall, _after_gap(wall, tz))
    return wall.replace(tzinfo=tz, fold=int(later)).astimezone(UTC)


def by_rule(day: date, at: time, tz: ZoneInfo, *, later: bool) -> datetime:
    """The instant of a daily rule such as "arrival at 15:00". A skipped start moves earlier, a skipped end later."""
    wall = datetime.combine(day, at)
    fold = later if exists(wall, tz) else not later
    return wall.replace(tzinfo=tz, fold=int(fold)).astimezone(UTC)


def on_the_hour(starts_at: datetime, ends_at: datetime, tz: ZoneInfo) -> tuple[datetime, datetime]:
    """The shortest window of whole hours of the zone that has this one in it: the start earlier, the end later."""
    end = _hour_of(ends_at, tz)
    return _hour_of(starts_at, tz), end if end == ends_at else end + timedelta(hours=1)


def _hour_of(moment: datetime, tz: ZoneInfo) -> datetime:
    local = moment.astimezone(tz)
    past = timedelta(minutes=local.minute, seconds=local.second, microseconds=local.microsecond)
    return moment.astimezone(UTC) - past


def utc_offset_s(tz: ZoneInfo, at: datetime) -> float:
    """Local time minus UTC at that moment, in seconds."""
    offset = at.astimezone(tz).utcoffset()
    return offset.total_seconds() if offset else 0.0


STEP = timedelta(days=14)
"""No zone changes its clocks twice within so little time."""


def next_change(tz: ZoneInfo, after: datetime, until: datetime) -> datetime | None:
    """The first moment after ``after`` and before ``until`` at which the zone's clocks are set forward or back, to the second."""
    low = after.astimezone(UTC)
    while low < until:
        high = min(low + STEP, until.astimezone(UTC))
        if utc_offset_s(tz, low) != utc_offset_s(tz, high):
            return _bisected(tz, low, high, until)
        low = high
    return None


def _bisected(tz: ZoneInfo, low: datetime, high: datetime, until: datetime) -> datetime | None:
    low = low.replace(microsecond=0)
    before = utc_offset_s(tz, low)
    while high - low > timedelta(seconds=1):
        middle = (low + (high - low) / 2).replace(microsecond=0)
        middle = max(middle, low + timedelta(seconds=1))
        if utc_offset_s(tz, middle) == before:
            low = middle
        else:
            high = middle
    return high if high < until else None


def _after_gap(wall: datetime, tz: ZoneInfo) -> datetime:
    instant = wall.replace(tzinfo=tz, fold=1).astimezone(UTC)
    before = instant.astimezone(tz).utcoffset()
    while instant.astimezone(tz).utcoffset() == before:
        instant = instant.replace(second=0) + timedelta(minutes=1)
    return instant.astimezone(tz).replace(tzinfo=None, fold=0)
