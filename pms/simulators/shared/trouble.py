"""Trouble on demand: wrong answers to chosen calls, the rate limit, and the log of requests."""

from __future__ import annotations

import time
from collections import defaultdict, deque
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from typing import Any

KEPT_REQUESTS = 5000


@dataclass(slots=True, kw_only=True)
class Fault:
    """One kind of trouble for some calls.

    ``kind`` is one of the vendor's own; ``method`` is a method's name, empty for all; ``times`` how often it still happens, None for
    until it is cleared; ``seconds`` the length of a hang or the value of ``Retry-After``.
    """

    kind: str
    method: str = ""
    property_id: str = ""
    times: int | None = None
    seconds: float = 30.0
    message: str = ""


class Faults:
    """The list of trouble in force."""

    def __init__(self, *, afterwards: Collection[str]) -> None:
        """Nothing is wrong at first; the kinds of ``afterwards`` spoil an answer already made."""
        self._afterwards = afterwards
        self._faults: list[Fault] = []

    def add(self, fault: Fault) -> None:
        """From now on."""
        self._faults.append(fault)

    def clear(self) -> None:
        """Everything is well again."""
        self._faults.clear()

    def take(self, method: str, property_ids: tuple[str, ...], *, after: bool) -> Fault | None:
        """The first fault that fits this call, used up once."""
        for fault in self._faults:
            fits = fault.method in {"", method} and fault.property_id in {"", *property_ids}
            if fits and (fault.kind in self._afterwards) is after:
                return self._use(fault)
        return None

    def _use(self, fault: Fault) -> Fault:
        if fault.times is not None:
            fault.times -= 1
            if fault.times <= 0:
                self._faults.remove(fault)
        return fault

    def listed(self) -> list[dict[str, Any]]:
        """For the control interface."""
        return [asdict(fault) for fault in self._faults]


class Pace:
    """Counts the calls of the last seconds per caller, in a window that slides."""

    def __init__(self) -> None:
        """Nobody has called yet."""
        self._calls: dict[str, deque[float]] = defaultdict(deque)

    def forget(self) -> None:
        """As if nobody had called yet."""
        self._calls.clear()

    def wait_seconds(self, caller: str, *, most: int | None, window_seconds: float) -> float:
        """Note a call; 0, or if it is one too many (then it is not counted) how long to wait."""
        calls, now = self._calls[caller], time.monotonic()
        while calls and calls[0] <= now - window_seconds:
            calls.popleft()
        if most is not None and len(calls) >= most:
            return max(0.001, calls[0] + window_seconds - now) if calls else window_seconds
        calls.append(now)
        return 0.0


class RequestLog:
    """The last calls of the vendor's API; for tests to look at. Callers mask their secrets."""

    def __init__(self) -> None:
        """Empty; forgotten with the process."""
        self._entries: deque[dict[str, Any]] = deque(maxlen=KEPT_REQUESTS)
        self._count = 0

    def add(self, **facts: Any) -> None:
        """Note one answered call, with its number and the time."""
        self._count += 1
        self._entries.append({"number": self._count, "at": time.time(), **facts})

    def since(self, number: int) -> list[dict[str, Any]]:
        """Calls with a higher number, oldest first."""
        return [entry for entry in self._entries if entry["number"] > number]

    def clear(self) -> None:
        """Forget what was called; numbers go on."""
        self._entries.clear()


def masked(values: Mapping[str, Any], secret_names: Collection[str]) -> dict[str, Any]:
    """The same tree with the values of these names starred out; yes and no are no secrets."""
    return {
        name: "***"
        if name in secret_names and not isinstance(value, bool)
        else _masked_within(value, secret_names)
        for name, value in values.items()
    }


def _masked_within(value: Any, secret_names: Collection[str]) -> Any:
    if isinstance(value, Mapping):
        return masked(value, secret_names)
    if isinstance(value, list):
        return [_masked_within(item, secret_names) for item in value]
    return value
