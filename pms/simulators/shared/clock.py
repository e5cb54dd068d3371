"""A simulator's own clock, which tests may shift, and the ways in which people say a date."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from email.utils import format_datetime
from zoneinfo import ZoneInfo


@dataclass(slots=True)
class Clock:
    """The vendor's clock: the machine's, plus a shift in seconds."""

    shift_seconds: float = 0.0

    def now(self) -> datetime:
        """The simulator's present, aware, in UTC."""
        return datetime.fromtimestamp(time.time() + self.shift_seconds, UTC)


def http_date(moment: datetime) -> str:
    """The value of a ``Date`` header, in GMT."""
    return format_datetime(moment, usegmt=True)


def local_today(now: datetime, zone: ZoneInfo) -> date:
    """The calendar date at the property."""
    return now.astimezone(zone).date()


def read_date(text: str) -> date | None:
    """A ``YYYY-MM-DD`` date, else None."""
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC).date()
    except ValueError:
        return None


def spoken_date(word: str, today: date) -> date | None:
    """``today``, ``tonight``, ``tomorrow``, ``yesterday``, ``+3``, ``-2`` or a date, else None."""
    known = {"": 0, "today": 0, "tonight": 0, "tomorrow": 1, "yesterday": -1}
    word = word.strip().lower()
    if word in known:
        return today + timedelta(days=known[word])
    if word[0] in "+-" and word[1:].isdigit():
        return today + timedelta(days=int(word))
    return read_date(word)
