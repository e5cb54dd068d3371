"""One TTLock lock: its memory, its keypad, its clock, its records, and whom it lets in.

It judges by its own clock and memory, without any network. What the cloud's book says is of no interest to it.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from itertools import pairwise
from typing import Any

from locks.simulators.ttlock.words import Err, Faults, Refusal

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS
MOST_RECORDS = 500
WRONG_TRIES = 5
OPENINGS = (4, 17)
LOCKOUT_MS = 5 * MINUTE_MS
REMOTE_UNLOCK, GATEWAY_UNLOCK, PASSAGE, WIFI = 1 << 8, 1 << 10, 1 << 22, 1 << 56
PASSCODES, CARDS = 1 << 0, 1 << 1


@dataclass(slots=True, kw_only=True)
class Held:
    """What a lock remembers. ``ref`` is the book's id, 0 for what was typed in at the keypad; no end means for ever."""

    kind: str
    value: str
    ref: int = 0
    start_ms: int = 0
    end_ms: int = 0


@dataclass(slots=True, kw_only=True)
class Algorithmic:
    """A random passcode: the lock knows it by calculation, not by memory, until it is used for the first time."""

    value: str
    ref: int
    start_ms: int
    end_ms: int
    used: bool = False


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a lock decided at the door: its record of it, ``recordTypeFromLock``, and the book's id of what was used."""

    record: int
    ref: int = 0

    @property
    def opened(self) -> bool:
        """Whether it opened."""
        return self.record in OPENINGS


@dataclass(slots=True, kw_only=True)
class Lock:
    """A lock on a wall. Times are milliseconds since 1970 UTC.

    ``raw_offset_ms`` is what the cloud believes of its zone, ``wall_offset_ms`` the zone its clock was really set in:
    where they differ, windows are off by the difference (TTLock documents, en/cloud/gateway/adjustLockDatetime).
    """

    id: int
    name: str
    alias: str = ""
    mac: str = ""
    gateway: int = 0
    wifi: bool = False
    power_saving: bool = False
    in_reach: bool = True
    reach_changed_ms: int = 0
    reach_told: bool = True
    battery: int = 100
    passcode_version: int = 4
    remote_unlock: bool = True
    frozen: bool = False
    max_codes: int = 250
    max_cards: int = 1000
    drift_ms: int = 0
    raw_offset_ms: int = 3_600_000
    wall_offset_ms: int = 3_600_000
    wrong_tries: int = 0
    locked_until_ms: int = 0
    memory: list[Held] = field(default_factory=list)
    algorithm: list[Algorithmic] = field(default_factory=list)
    records: list[dict[str, Any]] = field(default_factory=list)
    faults: Faults = field(default_factory=Faults)

    @property
    def features(self) -> int:
        """The bits of ``featureValue``."""
        bits = PASSCODES | CARDS | GATEWAY_UNLOCK | PASSAGE
        return bits | (REMOTE_UNLOCK if self.remote_unlock else 0) | (WIFI if self.wifi else 0)

    def clock_ms(self, now_ms: int) -> int:
        """What the lock's clock shows, read with the cloud's offset."""
        return now_ms + self.drift_ms + self.wall_offset_ms - self.raw_offset_ms

    def move_windows(self, by_ms: int) -> None:
        """Let all windows that it holds begin and end so much later; one without an end has none."""
        for held in self.memory:
            if held.end_ms:
                held.start_ms, held.end_ms = held.start_ms + by_ms, held.end_ms + by_ms

    # Commands, as they arrive over Bluetooth.

    def add_code(self, code: str, *, ref: int, start_ms: int, end_ms: int) -> None:
        """Store a custom passcode, to the minute. Raises Refusal."""
        check_code(code)
        if self._has(code) or any(known.value == code for known in self.algorithm):
            raise Refusal(Err.SAME_PASSCODE)
        if len(self._of("code")) >= self.max_codes:
            raise Refusal(Err.MEMORY_FULL)
        self.memory.append(_held("code", code, ref, start_ms, end_ms))

    def change_code(self, old: str, new: str, *, start_ms: int, end_ms: int) -> None:
        """Change a passcode it holds. Raises Refusal; one that it does not hold is Invalid Password [chosen]."""
        check_code(new)
        if new != old and self._has(new):
            raise Refusal(Err.SAME_PASSCODE)
        held = next((each for each in self._of("code") if each.value == old), None)
        if held is None:
            raise Refusal(Err.NO_PASSCODE)
        held.value = new
        held.start_ms, held.end_ms = _minute(start_ms), _minute(end_ms)

    def add_card(self, number: str, *, ref: int, start_ms: int, end_ms: int) -> None:
        """Store a card; one that it has gets the new times. Raises Refusal."""
        self.forget("card", number)
        if len(self._of("card")) >= self.max_cards:
            raise Refusal(Err.CARDS_FULL)
        self.memory.append(_held("card", number, ref, start_ms, end_ms))

    def forget(self, kind: str, value: str) -> None:
        """Make it absent, as it may have been."""
        self.memory = [each for each in self.memory if (each.kind, each.value) != (kind, value)]
        if kind == "code":
            self.algorithm = [each for each in self.algorithm if each.value != value]

    def _of(self, kind: str) -> list[Held]:
        return [each for each in self.memory if each.kind == kind]

    def _has(self, code: str) -> bool:
        return any(each.value == code for each in self._of("code"))

    # At the door.

    def judge(self, kind: str, value: str, now_ms: int) -> Verdict:
        """Decide by its own memory and clock. A random passcode counts from its first use on."""
        at = self.clock_ms(now_ms)
        if kind == "code" and at < self.locked_until_ms:
            return Verdict(48)
        opens, too_soon_or_late, unknown = (4, 11, 7) if kind == "code" else (17, 25, 25)
        known = [each for each in self._of(kind) if each.value == value]
        if any(_covers(each.start_ms, each.end_ms, at) for each in known):
            return Verdict(opens, known[0].ref)
        if known:
            return Verdict(too_soon_or_late, known[0].ref)
        return self._by_algorithm(value, at) if kind == "code" else Verdict(unknown)

    def _by_algorithm(self, value: str, at: int) -> Verdict:
        for known in self.algorithm:
            if known.value == value:
                late = not known.used and at >= known.start_ms + DAY_MS
                if late or not _covers(known.start_ms, known.end_ms, at):
                    return Verdict(11, known.ref)
                known.used = True
                return Verdict(4, known.ref)
        return Verdict(7)

    def count_try(self, verdict: Verdict, now_ms: int) -> bool:
        """Note a try at the keypad; true when it was one wrong try too many and the keypad locks itself."""
        self.wrong_tries = 0 if verdict.opened else self.wrong_tries + 1
        if self.wrong_tries < WRONG_TRIES:
            return False
        self.wrong_tries, self.locked_until_ms = 0, self.clock_ms(now_ms) + LOCKOUT_MS
        return True

    def note(self, record: dict[str, Any]) -> None:
        """Keep a record until the cloud hears of it; the oldest of more than 500 are lost."""
        self.records = [*self.records, record][-MOST_RECORDS:]

    def doc(self) -> dict[str, Any]:
        """All of it, as JSON."""
        return asdict(self)


def read_lock(doc: dict[str, Any]) -> Lock:
    """The lock behind such JSON."""
    parts = {
        "memory": [Held(**each) for each in doc["memory"]],
        "algorithm": [Algorithmic(**each) for each in doc["algorithm"]],
        "faults": Faults(**doc["faults"]),
    }
    return Lock(**(doc | parts))


def check_code(code: str) -> None:
    """Raises Refusal for a passcode that is not 4 to 9 digits, or too simple: repeats, or a run up or down."""
    if not (code.isascii() and code.isdigit() and 4 <= len(code) <= 9):
        raise Refusal(Err.WRONG_LENGTH)
    if {int(b) - int(a) for a, b in pairwise(code)} in ({0}, {1}, {-1}):
        raise Refusal(Err.TOO_SIMPLE)


def _held(kind: str, value: str, ref: int, start_ms: int, end_ms: int) -> Held:
    return Held(kind=kind, value=value, ref=ref, start_ms=_minute(start_ms), end_ms=_minute(end_ms))


def _minute(moment_ms: int) -> int:
    return moment_ms - moment_ms % MINUTE_MS


def _covers(start_ms: int, end_ms: int, at: int) -> bool:
    return start_ms <= at and (not end_ms or at < end_ms)
