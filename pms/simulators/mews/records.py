"""What the hotels' files look like in memory."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

from pms.simulators.shared.store import Store
from pms.simulators.shared.wishes import Refused

T = TypeVar("T")
FLAGS = {
    "is_active",
    "sends_events",
    "is_locked",
    "owner_checked_in",
    "any_checked_in",
    "all_checked_in",
    "connector_check_in",
    "is_pinned",
    "has_ota_email",
    "opens_bed",
    "opens_room",
    "opens_floor",
    "opens_building",
}


class State(StrEnum):
    """``State`` of a reservation (one l in Canceled)."""

    INQUIRED = "Inquired"
    REQUESTED = "Requested"
    OPTIONAL = "Optional"
    CONFIRMED = "Confirmed"
    STARTED = "Started"
    PROCESSED = "Processed"
    CANCELED = "Canceled"


NO_SHOW = "NoShow"
HOLDS_A_ROOM = (State.OPTIONAL, State.CONFIRMED, State.STARTED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Enterprise:
    """One hotel; ``starts`` and ``ends`` are its service's property-local ``HH:MM``."""

    id: str
    chain_id: str
    name: str
    timezone: str
    service_id: str
    starts: str
    ends: str
    is_active: bool
    created_at: float
    updated_at: float

    @property
    def zone(self) -> ZoneInfo:
        """The hotel's IANA zone."""
        return ZoneInfo(self.timezone)


@dataclass(frozen=True, slots=True, kw_only=True)
class Integration:
    """Our connection to one hotel, or to several; ``denied`` are operations it may not use."""

    id: str
    name: str
    enterprise_ids: tuple[str, ...]
    token: str
    state: str
    denied: tuple[str, ...]
    sends_events: bool

    @property
    def is_portfolio(self) -> bool:
        """Whether its token opens several hotels."""
        return len(self.enterprise_ids) > 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """A room, or a bed in one."""

    id: str
    enterprise_id: str
    parent_id: str | None
    category_id: str
    name: str
    state: str
    floor: str
    is_active: bool
    created_at: float
    updated_at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Reservation:
    """One stay in one room or bed; ``*_at`` are epoch seconds."""

    id: str
    enterprise_id: str
    service_id: str
    group_id: str
    account_id: str
    account_type: str
    number: str
    state: str
    origin: str
    commander_origin: str | None
    created_at: float
    updated_at: float
    cancelled_at: float | None
    cancellation_reason: str | None
    released_at: float | None
    category_id: str
    resource_id: str | None
    is_locked: bool
    channel_number: str | None
    starts_at: float
    ends_at: float
    actual_starts_at: float | None
    actual_ends_at: float | None
    owner_checked_in: bool
    any_checked_in: bool
    all_checked_in: bool
    connector_check_in: bool
    people: int
    oddities: dict[str, Any]
    is_pinned: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Customer:
    """A guest's profile, shared by the hotels of a chain; all contacts are invented."""

    id: str
    chain_id: str
    number: str
    first: str | None
    last: str
    email: str | None
    phone: str | None
    language: str | None
    has_ota_email: bool
    is_active: bool
    merge_target_id: str | None
    created_at: float
    updated_at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Companionship:
    """A guest's place in a reservation, or in the whole group."""

    id: str
    customer_id: str
    group_id: str
    reservation_id: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DoorToken:
    """A PIN or tag told to the hotel's staff."""

    id: str
    enterprise_id: str
    reservation_id: str
    companionship_id: str | None
    resource_id: str | None
    type: str
    value: str
    serial_number: str | None
    starts_at: float
    ends_at: float
    opens_bed: bool
    opens_room: bool
    opens_floor: bool
    opens_building: bool
    is_active: bool
    created_at: float
    updated_at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A room taken out of sale."""

    id: str
    enterprise_id: str
    resource_id: str
    is_active: bool
    type: str
    name: str
    notes: str | None
    starts_at: float
    ends_at: float
    created_at: float
    updated_at: float
    deleted_at: float | None


def made(kind: type[T], row: sqlite3.Row) -> T:
    """A record of this kind from its row; columns that the record does not have are left out."""
    values = {one.name: row[one.name] for one in fields(kind)}  # type: ignore[arg-type]
    for name, value in values.items():
        if name in FLAGS:
            values[name] = bool(value)
    return kind(**values)


def enterprises(store: Store) -> list[Enterprise]:
    """All hotels, in the order of their founding."""
    return [made(Enterprise, row) for row in store.rows("SELECT * FROM enterprises ORDER BY seq")]


def enterprise_of(store: Store, enterprise_id: str) -> Enterprise:
    """One hotel; the first one for an empty id; Refused if there is none of that id."""
    for hotel in enterprises(store):
        if enterprise_id in {"", hotel.id}:
            return hotel
    raise Refused(f"There is no property {enterprise_id} here.")


def integrations(store: Store) -> list[Integration]:
    """All integrations, those of single hotels first."""
    return [integration(row) for row in store.rows("SELECT * FROM integrations ORDER BY position")]


def integration(row: sqlite3.Row) -> Integration:
    """An integration from its row."""
    values = {one.name: row[one.name] for one in fields(Integration)}
    values["enterprise_ids"] = tuple(row["enterprise_ids"].split(","))
    values["denied"] = tuple(json.loads(row["denied"]))
    values["sends_events"] = bool(row["sends_events"])
    return Integration(**values)


def resources_of(store: Store, enterprise_id: str) -> dict[str, Resource]:
    """All rooms and beds of a hotel by id, in the hotel's own order."""
    sql = "SELECT * FROM resources WHERE enterprise_id = ? ORDER BY seq"
    return {row["id"]: made(Resource, row) for row in store.rows(sql, enterprise_id)}


def reservation(row: sqlite3.Row) -> Reservation:
    """A reservation from its row."""
    values = {one.name: row[one.name] for one in fields(Reservation)}
    flags = {name: bool(value) for name, value in values.items() if name in FLAGS}
    return Reservation(**{**values, **flags, "oddities": json.loads(row["oddities"])})


def reservation_of(store: Store, reservation_id: str) -> Reservation:
    """One reservation by id or number; Refused if there is none."""
    row = store.row(
        "SELECT * FROM reservations WHERE id = ? OR number = ? ORDER BY id = ? DESC",
        reservation_id,
        reservation_id,
        reservation_id,
    )
    if row is None:
        raise Refused(f"There is no reservation {reservation_id}.")
    return reservation(row)


def customer_of(store: Store, customer_id: str) -> Customer:
    """One guest; Refused if there is none of that id."""
    row = store.row("SELECT * FROM customers WHERE id = ?", customer_id)
    if row is None:
        raise Refused(f"There is no guest {customer_id}.")
    return made(Customer, row)


def companions_of(store: Store, one: Reservation) -> list[Companionship]:
    """The companionships of a reservation, those of its whole group included."""
    rows = store.rows(
        "SELECT * FROM companionships WHERE reservation_id = ?"
        " OR (group_id = ? AND reservation_id IS NULL) ORDER BY seq",
        one.id,
        one.group_id,
    )
    return [made(Companionship, row) for row in rows]


def guests_of(store: Store, one: Reservation) -> list[Customer]:
    """The owner (unless it is a company) and the companions, each once, in their order."""
    owner = [one.account_id] if one.account_type == "Customer" else []
    ids = owner + [companion.customer_id for companion in companions_of(store, one)]
    return [customer_of(store, customer_id) for customer_id in dict.fromkeys(ids)]
