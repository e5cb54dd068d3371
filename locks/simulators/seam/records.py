"""What the simulator remembers: devices with what their locks truly hold, and the cloud's book about it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

# Without native scheduling the cloud writes an hour before the start, with it three days before.
# github.com/seamapi/docs, docs/guides/low-level-apis/smart-locks/access-codes/README.md
PRELOAD_NATIVE = timedelta(hours=72)
PRELOAD = timedelta(minutes=60)


@dataclass(slots=True, kw_only=True)
class Slot:
    """One code in a lock's own memory. ``code_id`` is the book's entry that put it there, empty for the keypad."""

    code: str = field(repr=False)
    name: str
    code_id: str = ""
    starts_at: datetime | None = None
    ends_at: datetime | None = None


@dataclass(slots=True, kw_only=True)
class Faults:
    """What goes wrong with one device. Counters say how many more times."""

    refuse_set: int = 0
    refuse_remove: int = 0
    memory_full: bool = False
    duplicates_later: bool = False
    frozen: bool = False
    unlock_never_ends: bool = False
    lose_answer: int = 0
    lose_request: int = 0
    land_late: int = 0
    land_after_s: float = 1.0
    server_error: int = 0
    garbage: int = 0
    silence: str = "hang"


@dataclass(slots=True, kw_only=True)
class Device:
    """A lock. ``online`` is the truth; the cloud knows it at once. ``latency_s`` is how long a command takes it."""

    device_id: str
    name: str
    brand: str = "august"
    native: bool = True
    online: bool = True
    hub_online: bool = True
    removed: bool = False
    locked: bool = True
    battery: float = 0.9
    latency_s: float = 0.05
    code_lengths: list[int] = field(default_factory=lambda: [4, 5, 6, 7, 8])
    max_codes: int = 250
    constraints: list[str] = field(default_factory=list)
    created_at: datetime
    memory: list[Slot] = field(default_factory=list)
    unsent: list[dict[str, Any]] = field(default_factory=list)
    faults: Faults = field(default_factory=Faults)

    @property
    def reachable(self) -> bool:
        """Whether a command gets through now."""
        return self.online and self.hub_online and not self.removed

    def slot_of(self, code_id: str) -> Slot | None:
        """Where the lock holds what this entry of the book put there."""
        return next((each for each in self.memory if each.code_id == code_id), None)

    def judge(self, code: str, *, now: datetime) -> tuple[bool, Slot | None]:
        """Whether the lock opens for a code, by its own memory."""
        slot = next((each for each in self.memory if each.code == code), None)
        if slot is None:
            return False, None
        early = slot.starts_at is not None and now < slot.starts_at
        late = slot.ends_at is not None and now >= slot.ends_at
        return not (early or late), slot

    def violates(self, code: str) -> bool:
        """Whether a code breaks the rules of this lock."""
        if not (code.isascii() and code.isdigit()) or len(code) not in self.code_lengths:
            return True
        return any(_BROKEN[each](code) for each in self.constraints if each in _BROKEN)


def _in_sequence(code: str) -> bool:
    return {int(b) - int(a) for a, b in pairwise(code)} in ({1}, {-1})


_BROKEN: dict[str, Callable[[str], bool]] = {
    "no_zeros": lambda code: "0" in code,
    "cannot_start_with_12": lambda code: code.startswith("12"),
    "no_triple_consecutive_ints": lambda code: any(
        code[at] == code[at + 1] == code[at + 2] for at in range(len(code) - 2)
    ),
    "no_ascending_or_descending_sequence": _in_sequence,
    "at_least_three_unique_digits": lambda code: len(set(code)) < 3,
    "cannot_contain_089": lambda code: bool(set(code) & set("089")),
    "cannot_contain_0789": lambda code: bool(set(code) & set("0789")),
    "no_all_same_digits": lambda code: len(set(code)) == 1,
}


@dataclass(slots=True, kw_only=True)
class Code:
    """One entry of the cloud's book: what was declared, what is believed to be set, and what is still under way.

    ``set_as`` is the code and window that the cloud believes to be on the lock. ``pending`` are mutations by their
    vendor's name, ``errors`` and ``warnings`` likewise; the values are the rest of each. ``due_at`` is when the next
    command to the lock ends, ``asked_at`` when what is under way was asked for. ``given_up`` waits for a change.
    """

    code_id: str
    device_id: str
    name: str
    code: str = field(repr=False)
    created_at: datetime
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    managed: bool = True
    may_change: bool = False
    wants_native: bool = True
    deleting: bool = False
    started: bool = False
    delayed: bool = False
    set_as: dict[str, Any] | None = field(default=None, repr=False)
    pending: dict[str, dict[str, Any]] = field(default_factory=dict, repr=False)
    errors: dict[str, dict[str, Any]] = field(default_factory=dict)
    warnings: dict[str, dict[str, Any]] = field(default_factory=dict)
    due_at: datetime
    asked_at: datetime
    given_up: bool = False

    def native(self, device: Device) -> bool:
        """Whether the lock itself keeps the window."""
        return device.native and self.wants_native and self.starts_at is not None

    def program_at(self, device: Device) -> datetime | None:
        """When the cloud writes it to the lock; none for at once."""
        if self.starts_at is None:
            return None
        return self.starts_at - (PRELOAD_NATIVE if self.native(device) else PRELOAD)

    def is_over(self, now: datetime) -> bool:
        """Whether it must not be on the lock any more."""
        return self.deleting or (self.ends_at is not None and now >= self.ends_at)

    def declared(self) -> dict[str, Any]:
        """What should be set, in the form of ``set_as``."""
        return {"code": self.code, "starts_at": self.starts_at, "ends_at": self.ends_at}


@dataclass(slots=True, kw_only=True)
class Attempt:
    """A remote opening that takes its time."""

    attempt_id: str
    device_id: str
    action: str
    due_at: datetime
    status: str = "pending"
    error: dict[str, str] | None = None


@dataclass(slots=True, kw_only=True)
class Hook:
    """An address that wants to be told events. ``secret`` signs the calls."""

    webhook_id: str
    url: str
    secret: str = field(repr=False)
    event_types: list[str] = field(default_factory=list)
