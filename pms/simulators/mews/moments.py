"""MEWS' ways of writing a time: UTC in ISO 8601, and offsets from midnight as ISO durations.

https://docs.mews.com/connector-api/guidelines/serialization
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from zoneinfo import ZoneInfo

MONTHS_AT_MOST = 3


def wire(epoch: float) -> str:
    """``YYYY-MM-DDThh:mm:ssZ``."""
    return datetime.fromtimestamp(epoch, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def wire_or_none(epoch: float | None) -> str | None:
    """The same, null for nothing."""
    return None if epoch is None else wire(epoch)


def read(text: str) -> float | None:
    """Epoch seconds of an ISO 8601 date-time that names its zone, else None."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment.timestamp() if moment.tzinfo else None


def offset(time_of_day: str) -> str:
    """``15:00`` as ``P0M0DT15H0M0S``."""
    hours, _, minutes = time_of_day.partition(":")
    return f"P0M0DT{int(hours)}H{int(minutes or 0)}M0S"


def at(day: date, time_of_day: str, zone: ZoneInfo) -> float:
    """Epoch seconds of a local time of day ``HH:MM`` on a date."""
    return datetime.combine(day, time.fromisoformat(time_of_day), zone).timestamp()


def too_long(starts_at: float, ends_at: float) -> bool:
    """Whether an interval spans more than three months of the calendar."""
    start = datetime.fromtimestamp(starts_at, UTC)
    end = datetime.fromtimestamp(ends_at, UTC)
    months = (end.year - start.year) * 12 + end.month - start.month
    if months != MONTHS_AT_MOST:
        return months > MONTHS_AT_MOST
    return (end.day, end.time()) > (start.day, start.time())
