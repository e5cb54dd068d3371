"""Waiting for what other processes do."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


SHORTEST_PAUSE_S, LONGEST_PAUSE_S = 0.05, 0.3


def eventually(condition: Callable[[], T], seconds: float = 20.0, *, every: float = 0) -> T:
    """Wait until the condition gives something true, and return that. An assertion that fails inside counts as not yet.

    Fails after ``seconds`` with what was missing last. Without ``every`` the pauses grow: who looks at a page ten times a
    second keeps the server from what is waited for.
    """
    end = time.monotonic() + seconds
    pause = every or SHORTEST_PAUSE_S
    while True:
        missing = ""
        try:
            if found := condition():
                return found
        except AssertionError as error:
            missing = f": {error}"
        assert time.monotonic() < end, (
            f"what was waited for did not happen in {seconds:g} s{missing}"
        )
        time.sleep(pause)
        pause = every or min(1.4 * pause, LONGEST_PAUSE_S)


def stays(condition: Callable[[], object], seconds: float = 1.0, *, every: float = 0.2) -> bool:
    """Whether the condition holds now and at every look for so long."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if not condition():
            return False
        time.sleep(every)
    return bool(condition())
