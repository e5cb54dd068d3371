"""What was so at a moment that is past: pure records of it, and how one is picked. ``keys/past.py`` reads them from the tables."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from typing import NamedTuple, Protocol, TypeVar


class Since(Protocol):
    """A record that counts from a moment on."""

    @property
    def since(self) -> datetime:
        """From when it counts."""


S = TypeVar("S", bound=Since)


def as_of(records: Sequence[S], moment: datetime) -> S | None:
    """The record that counted at the moment, of records in the order of time; none before the first."""
    found = None
    for record in records:
        if record.since > moment:
            break
        found = record
    return found


def told(at: datetime, tz: tzinfo) -> str:
    """A past moment as people read it, always with its day and year, in the property's zone."""
    local = at.astimezone(tz)
    return f"{local:%a} {local.day} {local:%b} {local.year} {local:%H:%M}"


class Said(NamedTuple):
    """One line of the door log about one credential, or about a whole lock."""

    at: datetime
    code: str
    cause: str = ""
    hint: str = ""
    assignment_id: int | None = None


class Frame(NamedTuple):
    """A key's frame from ``since`` on: its window, and when it ended before its time, if it did."""

    since: datetime
    starts_at: datetime
    ends_at: datetime
    revoked_at: datetime | None
    revoked_because: str
    departed_at: datetime | None
    by: str


class Part(NamedTuple):
    """A door's part in a key from ``since`` on: permission, a window of its own, and when it left the key."""

    since: datetime
    permission: str
    permission_since: datetime
    starts_at: datetime | None
    ends_at: datetime | None
    removed_at: datetime | None
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """One credential at one door, with all that is known of its past.

    ``lines`` are the door log's about it, in the order of time. ``freed_at`` are moments at which its numbered place
    was proven empty. ``keeps_windows``: the lock itself opens and closes the window. ``waited`` are the stretches of
    4117, as beginning, end and cause. ``rounds`` makes of a window what a lock gets that takes whole hours only. ``checked_in_at`` is none without a reservation as well as before check-in.
    """

    assignment_id: int
    key_id: int
    label: str
    person: str
    kind: str
    created_at: datetime
    keeps_windows: bool
    frames: tuple[Frame, ...]
    parts: tuple[Part, ...]
    lines: tuple[Said, ...] = ()
    freed_at: tuple[datetime, ...] = ()
    waited: tuple[tuple[datetime, datetime | None, str], ...] = ()
    retired_at: datetime | None = None
    has_reservation: bool = False
    checked_in_at: datetime | None = None
    checked_in_online_at: datetime | None = None
    has_lock: bool = True
    rounds: Callable[[datetime, datetime], tuple[datetime, datetime]] | None = None

    def window(self, moment: datetime) -> tuple[datetime, datetime] | None:
        """The window that counted at that moment; none when the door was no part of the key then."""
        frame, part = as_of(self.frames, moment), as_of(self.parts, moment)
        if frame is None or part is None:
            return None
        start, end = part.starts_at or frame.starts_at, part.ends_at or frame.ends_at
        window = (start, end) if start < end else (frame.starts_at, frame.ends_at)
        return self.rounds(*window) if self.rounds else window


CLOCK_LIMIT_S = 120.0
"""The same as ``locks.clock.DRIFT_S``, which a pure module does not import; a test holds them together."""


def clock_words(offset_s: float) -> str:
    """How a lock's clock goes wrong: "58 minutes slow"."""
    minutes = round(abs(offset_s) / 60)
    many = "minute" if minutes == 1 else "minutes"
    return f"{minutes} {many} {'fast' if offset_s > 0 else 'slow'}"


def by_lock(moment: datetime, offset_s: float | None) -> datetime:
    """What the lock's clock says at that moment."""
    return moment + timedelta(seconds=offset_s or 0.0)
