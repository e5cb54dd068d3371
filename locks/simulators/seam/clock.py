"""The simulator's own clock: the machine's, shifted, and faster if wanted."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta


class Clock:
    """Simulated true time. ``speed`` is simulated seconds in a second."""

    def __init__(self) -> None:
        self.speed = 1.0
        self._base = datetime.fromtimestamp(time.time(), UTC)
        self._since = time.monotonic()

    def now(self) -> datetime:
        """The simulated present, aware UTC."""
        return self._base + timedelta(seconds=(time.monotonic() - self._since) * self.speed)

    def set(self, *, now: datetime | None = None, speed: float | None = None) -> None:
        """Make it this time, or let time go at this speed from now on."""
        self._base = now or self.now()
        self._since = time.monotonic()
        self.speed = self.speed if speed is None else speed

    def right(self) -> None:
        """The machine's own time again."""
        self.set(now=datetime.fromtimestamp(time.time(), UTC), speed=1.0)

    def host_seconds(self, until: datetime) -> float:
        """How many of the machine's seconds it is until then; not below zero."""
        left = (until - self.now()).total_seconds()
        return max(0.0, left / self.speed) if self.speed > 0 else 3600.0
