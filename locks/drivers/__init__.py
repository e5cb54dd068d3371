"""The contract between Portal and every lock system: what a driver takes, and what it may answer.

A driver is one file beside this one. It knows no Django, no database and no queue; it is given the address and the
secret of one lock account and speaks the vendor's language. Everything that differs between vendors is data in
``Capabilities``, so that nothing else in Portal ever asks which vendor it is talking to.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol, runtime_checkable


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
    """How far a write is proven, weakest first: asked, taken by the vendor, in its book, answered by the lock, read back,
    used. ``BOOK`` is the vendor's word that it is on the lock, which nobody has read.
    """

    ASKED = "asked"
    ACCEPTED = "accepted"
    BOOK = "book"
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


class Addressing(StrEnum):
    """Who says where a credential lies on a lock.

    HANDLE: our own name for it is its place. VENDOR_ID: the vendor answers a write with an id. SLOT: the lock has
    numbered places, and Portal picks a free one before it writes.
    """

    HANDLE = "handle"
    VENDOR_ID = "vendor_id"
    SLOT = "slot"


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
    LOCK_FROZEN = "lock_frozen"
    UNSUPPORTED = "unsupported"
    NO_USER_NAME = "no_user_name"
    NO_SUCH_USER = "no_such_user"
    AUTH = "auth"
    CLOCK_SKEW = "clock_skew"
    NO_CARD = "no_card"
    ENCODING_INTERRUPTED = "encoding_interrupted"
    ENCODER_UNREACHABLE = "encoder_unreachable"
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
    """One credential found on a lock. ``secret`` is None where the lock does not show it.

    ``handle`` is empty where the lock keeps no names: on a lock with slots, and for what was typed in at its keypad.
    """

    address: str
    handle: str
    kind: Kind
    secret: str | None = field(default=None, repr=False)
    starts_at: datetime | None = None
    ends_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Why the last accepted write at a place has not been carried out, or not yet.

    At a place that is also among the unsure ones the vendor goes on trying by itself, and may succeed at any time.
    """

    place: Place
    error: LockError


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """What a lock holds, read from the lock, or from the vendor's book where ``read_back`` of the driver is false.

    ``held`` is None when it could not be read: unknown is never empty. A book can be read while its lock is offline.

    ``unsure`` are places of which nobody can say yet whether they are taken, because the vendor is still at work or
    that part could not be read. ``problems`` are what a vendor that answers later has against accepted writes. Whoever
    asked for some places learns of these only.
    """

    held: tuple[Held, ...] | None
    unsure: tuple[Place, ...] = ()
    problems: tuple[Problem, ...] = ()
    error: LockError | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """How a lock is. ``clock_offset_s`` is lock time minus true time in seconds; ``battery`` is percent.

    ``utc_offset_s`` is local time minus UTC as the lock was told, where a lock keeps such a thing and no time zone.
    """

    online: bool
    battery: int | None = None
    clock_offset_s: float | None = None
    gateway_online: bool | None = None
    utc_offset_s: float | None = None
    error: LockError | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A lock that an account knows, as discovery shows it. ``first_slot`` is the number of its first place, if it has slots.

    ``code_rules`` are what it demands of codes besides their length, in the vendor's words. ``whole_hours``: its windows
    begin and end on the hour; putting another one there is FAILED with INVALID_WINDOW, never rounded in silence.
    """

    external_id: str
    name: str
    model: str = ""
    gateway: str = ""
    gateway_name: str = ""
    kinds: tuple[Kind, ...] = (Kind.DOOR_CODE,)
    native_window: bool = True
    code_min: int = 4
    code_max: int = 9
    max_codes: int = 250
    first_slot: int | None = None
    code_rules: tuple[str, ...] = ()
    whole_hours: bool = False


class EventType(StrEnum):
    """What a lock can tell, in our words.

    OPENED and CLOSED are the leaf of the door, UNLOCKED and LOCKED its bolt. LOCKED_OUT: too many wrong tries.
    SETTLED: an accepted write was carried out or given up; only a reason to read the lock.
    """

    UNLOCKED = "unlocked"
    LOCKED = "locked"
    DENIED = "denied"
    ONLINE = "online"
    OFFLINE = "offline"
    BATTERY_LOW = "battery_low"
    CHANGED_AT_LOCK = "changed_at_lock"
    SETTLED = "settled"
    CLOCK_WRONG = "clock_wrong"
    TAMPER = "tamper"
    JAMMED = "jammed"
    LOCKED_OUT = "locked_out"
    OPENED = "opened"
    CLOSED = "closed"
    LEFT_OPEN = "left_open"
    FORCED = "forced"
    REMOVED_FROM_ACCOUNT = "removed_from_account"


@dataclass(frozen=True, slots=True, kw_only=True)
class LockEvent:
    """One event from a lock. ``happened_at`` is the lock's own time, aware UTC; ``event_id`` is unique per lock.

    ``handle`` names our credential where the lock knows which one was used, ``address`` its place where it knows only
    that. ``secret`` is the code that was typed, present only so that it can be matched; it is never stored. ``reason``
    is short and free of codes. ``vendor_type`` is the vendor's own name or number of the event.
    """

    event_id: str
    lock_ref: str
    type: EventType
    happened_at: datetime
    kind: Kind | None = None
    handle: str = ""
    address: str = ""
    secret: str | None = field(default=None, repr=False)
    reason: str = ""
    battery: int | None = None
    vendor_type: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class EventPage:
    """A page of events and where to go on. ``more`` asks the caller to come again at once.

    Without an answer there are no events, the cursor stays, and ``error`` says why.
    """

    events: tuple[LockEvent, ...]
    cursor: str
    more: bool = False
    error: LockError | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """What a driver can do, as data.

    ``timeout_s`` bounds every single call; ``batch`` is how many places go in one call. ``read_back`` is whether the
    lock itself can be read, and not only the vendor's book about it. ``backfill`` is whether events of a time without
    connection can be had later. ``by_user_name``: the secret of a SmartKey is the name that its receiver has there.
    """

    timeout_s: float
    batch: int = 1
    addressing: Addressing = Addressing.HANDLE
    read_back: bool = True
    backfill: bool = True
    by_user_name: bool = False


class Driver(Protocol):
    """One connection to one lock account. All methods may be repeated safely, except ``unlock``.

    None of them raises for a vendor's refusal, a time-out or garbage: those are Outcomes and errors. ``put`` and
    ``remove`` answer one Outcome per item, in the order given. ``remove`` of what was not there is CONFIRMED.
    ``observe`` without places reads all that the lock holds.
    """

    capabilities: Capabilities

    async def put(self, lock_ref: str, grants: Sequence[Grant]) -> list[Outcome]: ...

    async def remove(self, lock_ref: str, places: Sequence[Place]) -> list[Outcome]: ...

    async def observe(self, lock_ref: str, places: Sequence[Place] = ()) -> Observation: ...

    async def health(self, lock_ref: str) -> Health: ...

    async def events(self, cursor: str) -> EventPage: ...

    async def unlock(self, lock_ref: str) -> Outcome: ...

    async def sync_clock(self, lock_ref: str, *, utc_offset_s: float | None = None) -> Outcome:
        """Set the lock's clock right. ``utc_offset_s`` is for locks that keep an offset of local time and no time zone."""
        ...

    async def discover(self) -> list[Found]: ...

    async def why_not(self) -> LockError | None:
        """What keeps the account as a whole from being used now; none when the vendor lets it in. No lock is asked."""
        ...

    async def close(self) -> None: ...


@runtime_checkable
class Listens(Protocol):
    """A driver whose vendor tells events by itself, over a line that is kept open."""

    def listen(self) -> AsyncIterator[EventPage]:
        """Events as they come, until the line is lost; the last page then says why. Raises nothing for the vendor.

        The first page comes as soon as the line stands, if need be without events, so that the caller knows.
        """
        ...


class NotGenuine(Exception):
    """What was received does not come from the vendor, or comes again too late. Says nothing of its content."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """What a vendor's call to us said. ``ask`` means that the call proves nothing and the vendor must be asked.

    ``about`` are the locks that it is about, as far as it says: the vendor may call one address for several accounts.
    ``answer`` is the plain text that the vendor wants to hear, or it calls again.
    """

    events: tuple[LockEvent, ...] = ()
    ask: bool = False
    about: tuple[str, ...] = ()
    answer: str = ""


@runtime_checkable
class Receives(Protocol):
    """A driver whose vendor calls an address of ours."""

    def receive(self, *, headers: Mapping[str, str], body: bytes) -> Heard:
        """What the call says; header names are lower case. Raises NotGenuine. Makes no calls and knows no waiting."""
        ...


@runtime_checkable
class SetsMasterCode(Protocol):
    """A driver that can change the code with which a lock is programmed at its keypad. Its ``VENDOR`` says so."""

    async def set_master_code(self, lock_ref: str, code: str) -> Outcome:
        """Make this the lock's master code. May be repeated safely."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class CardStock:
    """The numbers of the cards that an encoder knows, given out or not; ``error`` says why none could be learnt."""

    cards: tuple[str, ...] = field(default=(), repr=False)
    error: LockError | None = None


@runtime_checkable
class Encodes(Protocol):
    """A driver whose account has a card encoder. Its ``VENDOR`` says ``encodes``.

    Encoding opens nothing by itself: a card opens a lock that holds its number, which ``put`` writes.
    """

    async def cards(self) -> CardStock:
        """Which cards the encoder knows."""
        ...

    async def encode(self, card: str) -> Outcome:
        """Write the card that lies on the encoder. FAILED with ENCODING_INTERRUPTED: it was pulled off too early."""
        ...


@runtime_checkable
class Renews(Protocol):
    """A driver whose right to speak runs out and is renewed from time to time."""

    def renew_at(self) -> datetime | None:
        """When it should be renewed, aware UTC; none for never."""
        ...

    async def renew(self) -> str | LockError:
        """A new token for the account, to be stored before it is used. The old one may be void by then."""
        ...
