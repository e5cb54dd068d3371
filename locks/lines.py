"""How a line that is kept open is opened again: at once after a long life, ever more slowly while it keeps breaking."""

from __future__ import annotations

import random

SHORTEST_PAUSE_S, LONGEST_PAUSE_S = 0.5, 60.0
LONG_LIFE_S = 60.0


def breaks_after(breaks: int, *, lasted_s: float) -> int:
    """How many breaks came one upon another, now that a line that lasted so long broke."""
    return 1 if lasted_s >= LONG_LIFE_S else breaks + 1


def pause_after(breaks: int) -> float:
    """Seconds until the next try, the longer the more breaks came one upon another, and never quite the same."""
    longest = min(LONGEST_PAUSE_S, SHORTEST_PAUSE_S * 2.0 ** min(breaks - 1, 10))
    return longest * random.uniform(0.5, 1.0)  # noqa: S311 - only to spread the load
