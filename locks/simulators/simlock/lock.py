"""One simulated lock: its memory, its keypad, its clock, and whom it lets in."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise

from locks.simulators.simlock.words import Code, Faults, Kind, Refusal, Source


@dataclass(slots=True, kw_only=True)
class Credential:
    """What a lock remembers. No times means: opens always."""

    handle: str
    kind: Kind
    value: str = field(repr=False)
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    source: Source = Source.API


@dataclass(slots=True, kw_only=True)
class Line:
    """How busy one lock or gateway is, and how often someone talked to it while it was talking."""

    in_flight: int = 0
    writes_in_flight: int = 0
    max_in_flight: int = 0
    overlaps: int = 0
    write_overlaps: int = 0

    def ring(self, *, write: bool) -> bool:
        """Note one caller; true when the line was free. A refused caller is an overlap."""
        self.max_in_flight = max(self.max_in_flight, self.in_flight + 1)
        if self.in_flight == 0:
            return True
        self.overlaps += 1
        self.write_overlaps += 1 if write and self.writes_in_flight else 0
        return False

    def take(self, *, write: bool) -> None:
        """The caller is through."""
        self.in_flight += 1
        self.writes_in_flight += write

    def leave(self, *, write: bool) -> None:
        """The caller has hung up."""
        self.in_flight -= 1
        self.writes_in_flight -= write


@dataclass(slots=True, kw_only=True)
class Counts:
    """What was done to one lock since the simulator started or the figures were reset."""

    puts: int = 0
    deletes: int = 0
    reads: int = 0
    refused: int = 0
    late_landings: int = 0
    repeats: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgment:
    """What a lock decided at the door. ``reason``: matched, always_opens, unknown, not_yet_valid, expired, unsupported_kind."""

    opened: bool
    reason: str
    handle: str = ""


@dataclass(slots=True, kw_only=True)
class Lock:
    """A lock on a wall. ``online`` is the truth; ``seen_online`` is what the vendor's cloud believes."""

    id: str
    name: str
    gateway: str = ""
    model: str = "SimLock One"
    kinds: tuple[Kind, ...] = (Kind.DOOR_CODE, Kind.SMARTKEY)
    native_window: bool = True
    whole_hours: bool = False
    masked: bool = False
    signals: bool = True
    code_min: int = 4
    code_max: int = 9
    max_codes: int = 250
    battery: int = 100
    clock_offset_s: float = 0.0
    master_code: str = field(default="", repr=False)
    online: bool = True
    seen_online: bool = True
    faults: Faults = field(default_factory=Faults)
    memory: dict[str, Credential] = field(default_factory=dict)
    line: Line = field(default_factory=Line)
    counts: Counts = field(default_factory=Counts)

    def clock(self, now: datetime) -> datetime:
        """What the lock's own clock shows at the true time ``now``."""
        return now + timedelta(seconds=self.clock_offset_s)

    def remember(self, credential: Credential) -> None:
        """Store a credential under its handle, replacing what was there. Raises Refusal when the lock cannot."""
        self._check(credential)
        if not self.native_window:
            credential.starts_at = credential.ends_at = None
        if self.memory.get(credential.handle) == credential:
            self.counts.repeats += 1
        self.memory[credential.handle] = credential

    def _check(self, new: Credential) -> None:
        if new.kind not in self.kinds:
            raise Refusal(Code.UNSUPPORTED, f"This lock does not take a {new.kind}.")
        if new.kind is Kind.DOOR_CODE:
            self.check_code(new.value)
        if new.starts_at and new.ends_at and new.ends_at <= new.starts_at:
            raise Refusal(Code.INVALID_WINDOW, "The window ends before it starts.")
        if self.whole_hours and any(
            at and at.minute + at.second for at in (new.starts_at, new.ends_at)
        ):
            raise Refusal(Code.INVALID_WINDOW, "The windows of this lock have whole hours of UTC.")
        others = [
            held
            for held in self.memory.values()
            if held.handle != new.handle and held.kind is new.kind
        ]
        if any(held.value == new.value for held in others):
            raise Refusal(
                Code.DUPLICATE_CODE, "Another credential on this lock has the same value."
            )
        is_full = self.faults.memory_full and new.handle not in self.memory
        if is_full or len(others) >= self.max_codes:
            raise Refusal(Code.MEMORY_FULL, "The memory of this lock is full.")

    def check_code(self, value: str) -> None:
        """Raises Refusal for a code that the keypad cannot take or that anyone would guess."""
        if not (value.isascii() and value.isdigit()):
            raise Refusal(Code.INVALID_CODE, "A door code consists of digits.")
        if not self.code_min <= len(value) <= self.code_max:
            bounds = f"{self.code_min} to {self.code_max}"
            raise Refusal(
                Code.INVALID_CODE_LENGTH, f"A door code of this lock has {bounds} digits."
            )
        if is_weak(value):
            raise Refusal(Code.WEAK_CODE, "The door code is too easy to guess.")

    def judge(self, kind: Kind, value: str, *, now: datetime) -> Judgment:
        """Decide at the door, by the lock's own memory and clock. Works without any network."""
        if kind not in self.kinds:
            return Judgment(opened=False, reason="unsupported_kind")
        matches = [
            held for held in self.memory.values() if held.kind is kind and held.value == value
        ]
        answers = [self._judge_window(held, self.clock(now)) for held in matches]
        opening = next((answer for answer in answers if answer.opened), None)
        return opening or (answers[0] if answers else Judgment(opened=False, reason="unknown"))

    def _judge_window(self, held: Credential, lock_time: datetime) -> Judgment:
        if held.starts_at and lock_time < held.starts_at:
            return Judgment(opened=False, reason="not_yet_valid", handle=held.handle)
        if held.ends_at and lock_time >= held.ends_at:
            return Judgment(opened=False, reason="expired", handle=held.handle)
        timed = held.starts_at or held.ends_at
        return Judgment(
            opened=True, reason="matched" if timed else "always_opens", handle=held.handle
        )

    def duplicates(self) -> list[list[str]]:
        """Handles that share one live value, which only a change at the keypad can bring about."""
        by_value: dict[tuple[Kind, str], list[str]] = {}
        for held in self.memory.values():
            by_value.setdefault((held.kind, held.value), []).append(held.handle)
        return [handles for handles in by_value.values() if len(handles) > 1]


def is_weak(code: str) -> bool:
    """Whether all digits are the same or run up or down by one, as in 5555, 1234 and 8765."""
    steps = {int(b) - int(a) for a, b in pairwise(code)}
    return steps in ({0}, {1}, {-1})
