"""What every PMS looks like from inside Portal: normalized facts, the errors that say what to do now, the registry.

An adapter knows one vendor and neither Django nor the database. What differs between vendors is data here, so that no
other module asks which vendor it has before it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time
from enum import StrEnum
from functools import cache
from importlib import import_module
from typing import Any, Protocol


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
class App:
    """Portal as the vendor knows it: where people sign in, where calls go, and Portal's own credentials.

    ``timeout_s`` and ``calls_a_second`` are what one process allows itself.
    """

    sign_in_url: str
    api_url: str
    client_id: str
    client_secret: str = field(repr=False)
    timeout_s: float = 10.0
    calls_a_second: int = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Tokens:
    """What the vendor gave for one connection. ``lives_s`` seconds from the answer on, or without a known end."""

    access: str = field(repr=False)
    refresh: str = field(default="", repr=False)
    lives_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """One open connection: the tokens, the PMS's own name of the property (empty while connecting) and its address."""

    tokens: Tokens
    property_id: str = ""
    base_url: str = ""
    online_check_in_field: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PropertyFacts:
    """A property as the PMS describes it. Times of day are the property's own; ``timezone`` is an IANA name.

    ``clock_offset_s`` is how far the PMS's clock is ahead of this machine's, as exactly as whole seconds allow.
    """

    external_id: str
    name: str
    timezone: str = ""
    arrival_time: time | None = None
    departure_time: time | None = None
    clock_offset_s: float = 0.0


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


class Subject(StrEnum):
    """What an event is about, and so what to read again."""

    BOOKING = "booking"
    GUEST = "guest"
    CONNECTION = "connection"
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True, kw_only=True)
class EventHint:
    """What may be taken from a webhook: that something is worth reading again. Never a fact.

    ``key`` is the same for the same event sent twice. ``property_id`` is the PMS's name of the property.
    """

    key: str
    event: str
    property_id: str
    subject: Subject
    ref: str = ""


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

    def bookings_of_guest(self, ref: str) -> Iterator[Page]:
        """The stays of every booking that has this guest."""

    def changed(self, since: datetime, *, now: datetime) -> Iterator[Page]:
        """Everything changed since then and somewhat before, deleted bookings included."""

    def current_and_coming(self, today: date) -> Iterator[Page]:
        """Every stay that ends today or later, whatever its state."""

    def mend_webhooks(self, url: str, *, own_prefix: str) -> Subscriptions:
        """Have every useful event sent to ``url`` once, and none to another address under ``own_prefix``."""

    def leave(self) -> None:
        """Tell the PMS that the property disconnects Portal; all access ends with it."""


class Adapter(Protocol):
    """One vendor."""

    title: str
    reconnect: Reconnect
    stamps_whole_seconds: bool

    def __init__(self, app: App) -> None: ...

    def authorize_url(self, *, state: str, redirect_uri: str) -> str:
        """Where staff approve the connection; ``state`` comes back unchanged."""

    def exchange(self, *, code: str, redirect_uri: str) -> Tokens:
        """Tokens for the code that came back. Raises CallRefused for a code that is too old or was used."""

    def refresh(self, tokens: Tokens) -> Tokens:
        """New tokens. Raises ConnectionBroken when the PMS refuses them, TryLater when it cannot be asked."""

    def open(self, link: Link) -> Hotel:
        """The property behind a link; no call is made."""

    @staticmethod
    def read_event(body: Mapping[str, Any]) -> EventHint:
        """What a webhook's body hints at. Raises NotUnderstood for a body that is none of the vendor's."""


REGISTRY: Mapping[str, str] = {"cloudbeds": "pms.adapters.cloudbeds.Cloudbeds"}


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
