"""The contract between Portal and every lock system: what a driver takes, what it may answer, and where drivers are found.

A driver is one file beside this one. It knows no Django, no database and no queue; it is given the address and the
secret of one lock account and speaks the vendor's language. Everything that differs between vendors is data in
``Capabilities``, so that nothing else in Portal ever asks which vendor it is talking to.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from importlib import import_module
from typing import Protocol, cast


class Kind(StrEnum):
    """What a guest holds to open a door."""

    DOOR_CODE = "door_code"
    SMARTKEY = "smartkey"
    KEYCARD = "keycard"


class Result(StrEnum):
    """How a write ended: four outcomes, because "no answer" is neither success nor failure."""

    CONFIRMED = "confirmed"
    ACCEPTED = "accepted"
    UNKNOWN = "unknown"
    FAILED = "failed"


class Proof(StrEnum):
    """How far a write is proven, weakest first: asked, taken by the vendor, answered by the lock, read back, used."""

    ASKED = "asked"
    ACCEPTED = "accepted"
    ACKNOWLEDGED = "acknowledged"
    READ_BACK = "read_back"
    USED = "used"


class Retry(StrEnum):
    """When trying again can help."""

    SOON = "soon"
    WHEN_ONLINE = "when_online"
    AFTER_CHANGE = "after_change"
    NEVER = "never"


class Scope(StrEnum):
    """How much of the world an error concerns."""

    CREDENTIAL = "credential"
    LOCK = "lock"
    GATEWAY = "gateway"
    ACCOUNT = "account"


class Cause(StrEnum):
    """Vendor errors in our words. The same words are the causes shown beside 4117 in the door log."""

    LOCK_UNREACHABLE = "lock_unreachable"
    GATEWAY_UNREACHABLE = "gateway_unreachable"
    VENDOR_UNREACHABLE = "vendor_unreachable"
    BUSY = "busy"
    RATE_LIMITED = "rate_limited"
    DUPLICATE_CODE = "duplicate_code"
    NO_SPACE = "no_space"
    INVALID_CODE = "invalid_code"
    INVALID_WINDOW = "invalid_window"
    REJECTED = "rejected"
    LOCK_REMOVED = "lock_removed"
    UNSUPPORTED = "unsupported"
    AUTH = "auth"
    BAD_REQUEST = "bad_request"
    UNEXPLAINED = "unexplained"


@dataclass(frozen=True, slots=True, kw_only=True)
class LockError:
    """Why a call certainly changed nothing, and what to do about it. ``vendor_text`` never holds a code or a token."""

    cause: Cause
    retry: Retry
    scope: Scope
    vendor_code: str = ""
    vendor_text: str = ""
    retry_after_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """One credential as a lock should hold it. ``handle`` is ours, stable and unique on the lock; times are aware UTC."""

    handle: str
    kind: Kind
    secret: str = field(repr=False)
    starts_at: datetime
    ends_at: datetime
    address: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where one credential lies on a lock: our handle and the vendor's id or slot, if it gave one."""

    handle: str
    kind: Kind
    address: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The answer to one put or remove. FAILED, and only FAILED, carries an error; UNKNOWN may carry one as a hint."""

    result: Result
    address: str = ""
    proof: Proof = Proof.ASKED
    error: LockError | None = None
    reference: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """One credential found on a lock. ``secret`` is None where the lock does not show it."""

    address: str
    handle: str
    kind: Kind
    secret: str | None = field(default=None, repr=False)
    starts_at: datetime | None = None
    ends_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """What a lock holds, read from the lock. ``held`` is None when it could not be read: unknown is never empty."""

    held: tuple[Held, ...] | None
    error: LockError | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """How a lock is. ``clock_offset_s`` is lock time minus true time in seconds; ``battery`` is percent."""

    online: bool
    battery: int | None = None
    clock_offset_s: float | None = None
    gateway_online: bool | None = None
    error: LockError | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A lock that an account knows, as discovery shows it."""

    external_id: str
    name: str
    model: str = ""
    gateway: str = ""
    kinds: tuple[Kind, ...] = (Kind.DOOR_CODE,)
    native_window: bool = True
    code_min: int = 4
    code_max: int = 9
    max_codes: int = 250


class EventType(StrEnum):
    """What a lock can tell, in our words."""

    UNLOCKED = "unlocked"
    LOCKED = "locked"
    DENIED = "denied"
    ONLINE = "online"
    OFFLINE = "offline"
    BATTERY_LOW = "battery_low"
    CHANGED_AT_LOCK = "changed_at_lock"
    CLOCK_WRONG = "clock_wrong"
    TAMPER = "tamper"


@dataclass(frozen=True, slots=True, kw_only=True)
class LockEvent:
    """One event from a lock. ``happened_at`` is the lock's own time, aware UTC; ``event_id`` is unique per lock.

    ``handle`` names our credential where the lock knows which one was used. ``secret`` is the code that was typed,
    present only so that it can be matched; it is never stored. ``reason`` is short and free of codes.
    """

    event_id: str
    lock_ref: str
    type: EventType
    happened_at: datetime
    kind: Kind | None = None
    handle: str = ""
    secret: str | None = field(default=None, repr=False)
    reason: str = ""
    battery: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EventPage:
    """A page of events and where to go on. ``more`` asks the caller to come again at once."""

    events: tuple[LockEvent, ...]
    cursor: str
    more: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """What a driver can do, as data. ``timeout_s`` bounds every single call; ``batch`` is how many places go in one call."""

    timeout_s: float
    batch: int = 1
    push_events: bool = False
    read_back: bool = True


class Driver(Protocol):
    """One connection to one lock account. All methods may be repeated safely, except ``unlock``.

    None of them raises for a vendor's refusal, a time-out or garbage: those are Outcomes and errors. ``put`` and
    ``remove`` answer one Outcome per item, in the order given. ``remove`` of what was not there is CONFIRMED.
    """

    capabilities: Capabilities

    async def put(self, lock_ref: str, grants: Sequence[Grant]) -> list[Outcome]: ...

    async def remove(self, lock_ref: str, places: Sequence[Place]) -> list[Outcome]: ...

    async def observe(self, lock_ref: str) -> Observation: ...

    async def health(self, lock_ref: str) -> Health: ...

    async def events(self, cursor: str) -> EventPage: ...

    async def unlock(self, lock_ref: str) -> Outcome: ...

    async def sync_clock(self, lock_ref: str) -> Outcome: ...

    async def discover(self) -> list[Found]: ...

    async def close(self) -> None: ...


class DriverFactory(Protocol):
    """What a driver module's ``open_driver`` looks like. Called inside the event loop that will use the driver."""

    def __call__(self, *, base_url: str, token: str) -> Driver: ...


REGISTRY: dict[str, str] = {
    "simulated": "locks.drivers.simulated:open_driver",
}


class UnknownDriver(Exception):
    """No driver of that name is registered."""


def open_driver(name: str, *, base_url: str, token: str) -> Driver:
    """Open the driver called ``name`` on one account. Raises UnknownDriver for a name that is not registered."""
    try:
        module, _, attribute = REGISTRY[name].partition(":")
    except KeyError:
        raise UnknownDriver(name) from None
    factory = cast("DriverFactory", getattr(import_module(module), attribute))
    return factory(base_url=base_url, token=token)
