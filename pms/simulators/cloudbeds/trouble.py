"""Trouble on demand: wrong answers to chosen calls, the rate limit, and the log of requests."""

from __future__ import annotations

import time
from collections import defaultdict, deque
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from pms.simulators.cloudbeds.forms import Params

SECRET_NAMES = {"access_token", "refresh_token", "client_secret", "code", "customFieldValue"}
KEPT_REQUESTS = 5000


class FaultKind(StrEnum):
    """What can go wrong with an answer."""

    TOO_MANY = "429"
    TOO_MANY_RETRY_AFTER = "429_retry_after"
    SERVER_ERROR = "500"
    UNAVAILABLE = "503"
    DENIED = "401"
    KEY_REVOKED = "401_key_revoked"
    GARBAGE = "garbage"
    HTML = "html"
    EMPTY_LIST = "empty_list"
    PARTIAL = "partial"
    HANG = "hang"
    LOST_ANSWER = "lost_answer"
    USER_INACTIVE = "user_inactive"
    PROPERTY_CANCELED = "property_canceled"
    WRONG_PROPERTY = "wrong_property"
    SCOPE_MISSING = "scope_missing"
    REFUSED = "refused"


AFTERWARDS = {FaultKind.EMPTY_LIST, FaultKind.PARTIAL, FaultKind.LOST_ANSWER}


@dataclass(slots=True, kw_only=True)
class Fault:
    """One kind of trouble for some calls.

    ``method`` is a method's name, empty for all; ``times`` how often it still happens, None for
    until it is cleared; ``seconds`` the length of a hang or the value of ``Retry-After``.
    """

    kind: FaultKind
    method: str = ""
    property_id: str = ""
    times: int | None = None
    seconds: float = 30.0
    message: str = ""


class Faults:
    """The list of trouble in force."""

    def __init__(self) -> None:
        """Nothing is wrong at first."""
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
            if fits and (fault.kind in AFTERWARDS) is after:
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


@dataclass(slots=True)
class Limits:
    """Requests per second and client; the vendor gives partners 10 and single hotels 5.

    None switches the limit off. ``retry_after`` is put into the answer if it is not None; the
    vendor does not document whether it does so. https://developers.cloudbeds.com/docs/faq
    """

    per_second: int | None = 10
    retry_after: int | None = None


class Pace:
    """Counts the calls of the last second per client."""

    def __init__(self) -> None:
        """Nobody has called yet."""
        self._calls: dict[str, deque[float]] = defaultdict(deque)

    def forget(self) -> None:
        """As if nobody had called yet."""
        self._calls.clear()

    def too_fast(self, client_id: str, limits: Limits) -> bool:
        """Note a call; true if it is one too many (which is not counted)."""
        calls, now = self._calls[client_id], time.monotonic()
        while calls and calls[0] <= now - 1:
            calls.popleft()
        if limits.per_second is not None and len(calls) >= limits.per_second:
            return True
        calls.append(now)
        return False


class RequestLog:
    """The last calls of the vendor's API, secrets masked; for tests to look at."""

    def __init__(self) -> None:
        """Empty; forgotten with the process."""
        self._entries: deque[dict[str, Any]] = deque(maxlen=KEPT_REQUESTS)
        self._count = 0

    def add(self, *, method: str, path: str, query: str, params: Params, status: int) -> None:
        """Note one answered call."""
        self._count += 1
        entry = {
            "number": self._count,
            "at": time.time(),
            "method": method,
            "path": path,
            "call": path.rpartition("/")[2],
            "query": masked(params.values) if query else {},
            "form": {} if query else masked(params.values),
            "status": status,
        }
        self._entries.append(entry)

    def since(self, number: int) -> list[dict[str, Any]]:
        """Calls with a higher number, oldest first."""
        return [entry for entry in self._entries if entry["number"] > number]

    def clear(self) -> None:
        """Forget what was called; numbers go on."""
        self._entries.clear()


def masked(values: Mapping[str, Any]) -> dict[str, Any]:
    """The same tree with tokens, secrets, codes and field values starred out."""
    result: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, Mapping):
            result[name] = masked(value)
        else:
            result[name] = "***" if name in SECRET_NAMES else value
    return result
