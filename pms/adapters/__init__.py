"""What every PMS looks like from inside Portal: normalized facts, the errors that say what to do now, the registry.

An adapter knows one vendor and neither Django nor the database. What differs between vendors is data here, so that no
other module asks which vendor it has before it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import date, datetime, time
from enum import StrEnum
from functools import cache
from importlib import import_module
from typing import Any, Protocol, runtime_checkable


class PMSError(Exception):
    """Base of all that can go wrong with a call; ``str()`` of it is a sentence for staff, free of secrets."""


class ConnectionBroken(PMSError):
    """The PMS does not let Portal in any more: someone must reconnect. The text is the cause."""


class TokenExpired(ConnectionBroken):
    """The access token was not taken. Refresh it once and ask again; a second time the connection is broken."""


class TryLater(PMSError):
    """Overload, a time-out or a fault at the PMS. ``retry_after_s`` is the wish of the PMS, or none."""

    def __init__(self, text: str, *, retry_after_s: float | None = None) -> None:
        super().__init__(text)
        self.retry_after_s = retry_after_s


class NotUnderstood(PMSError):
    """The answer is not what the vendor documents. Nothing in it counts, neither what it says nor what it lacks."""


class CallRefused(PMSError):
    """The PMS said no to this one call; the connection stands."""


class Reconnect(StrEnum):
    """How staff repair a broken connection at this vendor."""

    IN_PLACE = "in_place"
    DISCONNECT_FIRST = "disconnect_first"


class StayState(StrEnum):
    """Where a stay stands, in Portal's words. UNKNOWN is a word of the vendor that nobody knows yet."""

    TENTATIVE = "tentative"
    EXPECTED = "expected"
    IN_HOUSE = "in_house"
    DEPARTED = "departed"
    CANCELLED = "cancelled"
    NO_SHOW = "no_show"
    DELETED = "deleted"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """How often a payer may call: ``calls`` in ``per_s`` seconds, and how many calls ahead of that a short burst may be,
    in the background and for people. A vendor's window must hold the calls and the burst together."""

    calls: float
    per_s: float
    ahead: int = 1
    ahead_for_people: int = 1


class Pacer(Protocol):
    """Keeps the pace of all who call for one payer."""

    def wait(self, payer: str, limit: Limit, *, for_people: bool) -> None:
        """Return when the payer may make one more call. Raises TryLater when that would be too long."""
        ...

    def hold(self, payer: str, limit: Limit, seconds: float) -> None:
        """Let nobody call for the payer for so long: the vendor asked for that."""
        ...


_for_people: ContextVar[bool] = ContextVar("for_people", default=False)


@contextmanager
def for_people() -> Iterator[None]:
    """Calls made inside are waited for by a person: they go ahead of background work."""
    token = _for_people.set(True)
    try:
        yield
    finally:
        _for_people.reset(token)


def are_waiting() -> bool:
    """Whether a person waits for the calls made now."""
    return _for_people.get()


@dataclass(frozen=True, slots=True, kw_only=True)
class App:
    """Portal as the vendor knows it: where people sign in, where calls go, and Portal's own credentials.

    ``calls_a_second`` is what Portal allows itself where the vendor allows more; ``pacer`` is how that is kept over all
    processes, without one nothing is held back.
    """

    sign_in_url: str
    api_url: str
    client_id: str
    client_secret: str = field(repr=False)
    timeout_s: float = 10.0
    calls_a_second: int = 8
    pacer: Pacer | None = field(default=None, repr=False, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tokens:
    """What the vendor gave for one connection. ``lives_s`` seconds from the answer on, or without a known end."""

    access: str = field(repr=False)
    refresh: str = field(default="", repr=False)
    lives_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """One open connection: the tokens, the PMS's own name of the property (empty while connecting) and its address.

    ``timezone`` is the property's, for a PMS that tells moments where Portal wants dates.
    """

    tokens: Tokens
    property_id: str = ""
    base_url: str = ""
    online_check_in_field: str = ""
    timezone: str = "UTC"


@dataclass(frozen=True, slots=True, kw_only=True)
class PropertyFacts:
    """A property as the PMS describes it. Times of day are the property's own; ``timezone`` is an IANA name.

    ``clock_offset_s`` is how far the PMS's clock is ahead of this machine's, as exactly as whole seconds allow.
    ``connection_ref`` is the PMS's own name of the connection, where it has one.
    """

    external_id: str
    name: str
    timezone: str = ""
    arrival_time: time | None = None
    departure_time: time | None = None
    clock_offset_s: float = 0.0
    connection_ref: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RoomFacts:
    """A room or bed. ``parent_name`` is the dorm of a bed; a virtual room only joins the rooms of ``linked_ids``."""

    external_id: str
    name: str
    parent_name: str = ""
    is_virtual: bool = False
    linked_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Companion:
    """Another person of a stay."""

    ref: str
    name: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stay:
    """One stay of one room: what a key belongs to.

    ``arrival_on`` and ``departure_on`` are dates of the property; ``arrival_at`` and ``departure_at`` are given only by
    a PMS that plans times of day. All moments are aware UTC. ``updated_at`` is the version of the record, if it has one.
    Without ``guests_known`` the guests could not be read: who they are stays as it was known.
    """

    external_id: str
    booking_ref: str
    number: str
    state: StayState
    checked_in: bool
    checked_in_online: bool
    arrival_on: date
    departure_on: date
    arrival_at: datetime | None = None
    departure_at: datetime | None = None
    room_ref: str = ""
    room_name: str = ""
    guest_ref: str = ""
    guest_name: str = field(default="", repr=False)
    guest_email: str = field(default="", repr=False)
    guest_phone: str = field(default="", repr=False)
    companions: tuple[Companion, ...] = ()
    guests_known: bool = True
    created_at: datetime | None = None
    updated_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """A booking that is over as a whole and came without its stays: all of them are meant."""

    booking_ref: str
    state: StayState
    updated_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Some stays of a walk. ``not_understood`` counts the records that could not be read and are left as they are."""

    stays: tuple[Stay, ...] = ()
    ended: tuple[Ended, ...] = ()
    not_understood: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class StayCode:
    """The Door Code that the PMS shall show for one stay; without ``code`` it shall show none.

    It opens from ``starts_at`` until ``ends_at`` (aware, the end excluded). ``ref`` is what the adapter returned when it
    last wrote for this stay, ``maybe`` the codes of later tries whose outcome is not known.
    """

    stay_ref: str
    room_ref: str = ""
    room_name: str = ""
    code: str = field(default="", repr=False)
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    ref: str = field(default="", repr=False)
    maybe: tuple[str, ...] = field(default=(), repr=False)


class Subject(StrEnum):
    """What an event is about, and so what to read again. CHANGES is all that changed, after events may have been missed."""

    BOOKING = "booking"
    STAY = "stay"
    GUEST = "guest"
    CONNECTION = "connection"
    CHANGES = "changes"
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True, kw_only=True)
class EventHint:
    """What may be taken from a webhook: that something is worth reading again. Never a fact.

    ``key`` is the same for the same event sent twice, where the vendor lets that be seen. ``property_id`` is the PMS's
    name of the property, ``connection_ref`` of the connection; one of them is given. ``token`` is a new one that came
    with the event.
    """

    key: str
    event: str
    subject: Subject
    property_id: str = ""
    connection_ref: str = ""
    ref: str = ""
    token: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscriptions:
    """What came of mending the webhooks: how many events were subscribed anew, and which the PMS refused."""

    added: int = 0
    removed: int = 0
    refused: tuple[str, ...] = ()


class Hotel(Protocol):
    """One property at the PMS, through one link. Every method may raise any PMSError."""

    def properties(self) -> Sequence[PropertyFacts]:
        """All properties that the tokens open; the cheapest sign of life."""

    def details(self, facts: PropertyFacts) -> PropertyFacts:
        """The same property with its times of arrival and departure."""

    def address(self) -> str:
        """The address that the PMS wants this property's calls at, or empty for the usual one."""

    def rooms(self) -> Sequence[RoomFacts]:
        """All rooms and beds."""

    def bookings(self, refs: Sequence[str]) -> Iterator[Page]:
        """The stays of these bookings, deleted ones included. What is not mentioned is not known, never gone."""

    def stays(self, refs: Sequence[str]) -> Iterator[Page]:
        """These stays. What is not mentioned is not known, never gone."""

    def bookings_of_guests(self, refs: Sequence[str]) -> Iterator[Page]:
        """The stays of every booking that has one of these guests."""

    def changed(self, since: datetime, *, now: datetime) -> Iterator[Page]:
        """Everything changed since then and somewhat before, deleted bookings included."""

    def current_and_coming(self, today: date) -> Iterator[Page]:
        """Every stay that ends today or later, whatever its state."""

    def mend_webhooks(self, url: str, *, own_prefix: str) -> Subscriptions:
        """Have every useful event sent to ``url`` once, and none to another address under ``own_prefix``."""

    def write_codes(self, booking_ref: str, codes: Sequence[StayCode]) -> Mapping[str, str]:
        """Have the PMS show exactly these Door Codes, which are all of the booking. Safe to repeat: what is there already
        is left alone, and after a try whose outcome is not known the PMS is read first.

        Returns the new ``ref`` of each stay by its ``stay_ref``, secret as a code is.
        """

    def leave(self) -> None:
        """Tell the PMS that the property disconnects Portal; all access ends with it."""


class Adapter(Protocol):
    """One vendor.

    With ``shared_hook`` the vendor calls one address for all properties of Portal, and each event says whose it is; else
    each property has an address of its own.
    """

    title: str
    reconnect: Reconnect
    stamps_whole_seconds: bool
    shared_hook: bool

    def __init__(self, app: App) -> None: ...

    def open(self, link: Link) -> Hotel:
        """The property behind a link; no call is made."""

    @staticmethod
    def read_events(body: Mapping[str, Any]) -> Sequence[EventHint]:
        """What a webhook's body hints at. Raises NotUnderstood for a body that is none of the vendor's."""


@runtime_checkable
class SignsIn(Adapter, Protocol):
    """A vendor at whose own page staff approve the connection, and whose tokens are renewed."""

    def authorize_url(self, *, state: str, redirect_uri: str) -> str:
        """Where staff approve the connection; ``state`` comes back unchanged."""

    def exchange(self, *, code: str, redirect_uri: str) -> Tokens:
        """Tokens for the code that came back. Raises CallRefused for a code that is too old or was used."""

    def refresh(self, tokens: Tokens) -> Tokens:
        """New tokens. Raises ConnectionBroken when the PMS refuses them, TryLater when it cannot be asked."""


@runtime_checkable
class TakesToken(Adapter, Protocol):
    """A vendor that gives staff a token to paste; it is never renewed."""

    def read_token(self, typed: str) -> Tokens:
        """The token in what was typed. Raises CallRefused, with the fix, for what cannot be one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveChannel:
    """A WebSocket at which the vendor tells of one property as it happens. ``headers`` are secret: they let Portal in."""

    url: str
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)


@runtime_checkable
class TellsLive(Adapter, Protocol):
    """A vendor that tells at once what happens, to whoever listens; what nobody heard is not told again."""

    def live_channel(self, link: Link) -> LiveChannel:
        """Where to listen for the property behind a link; no call is made."""

    @staticmethod
    def read_live(body: Mapping[str, Any]) -> Sequence[EventHint]:
        """What a message hints at, without saying whose it is: the property is the channel's. Raises NotUnderstood for a
        message that is none of the vendor's."""


REGISTRY: Mapping[str, str] = {
    "cloudbeds": "pms.adapters.cloudbeds.Cloudbeds",
    "mews": "pms.adapters.mews.Mews",
}


class NoSuchPMS(KeyError):
    """No adapter of that name."""


@cache
def load(name: str) -> type[Adapter]:
    """The adapter class of that name, imported on first use. Raises NoSuchPMS."""
    if name not in REGISTRY:
        raise NoSuchPMS(name)
    module, _, attribute = REGISTRY[name].rpartition(".")
    found: type[Adapter] = getattr(import_module(module), attribute)
    return found


def title_of(name: str) -> str:
    """How people write the vendor's name; the name itself for one that is not there any more."""
    return load(name).title if name in REGISTRY else name.title()
