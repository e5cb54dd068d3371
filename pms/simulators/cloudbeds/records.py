"""What the hotel's files look like in memory: properties, rooms, bookings with stays and guests."""

from __future__ import annotations

import json
import sqlite3
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Any
from zoneinfo import ZoneInfo

from pms.simulators.shared.store import Store, marks
from pms.simulators.shared.wishes import Refused


class BookingStatus(StrEnum):
    """``status`` of a reservation, as the vendor spells it (one l in canceled)."""

    NOT_CONFIRMED = "not_confirmed"
    CONFIRMED = "confirmed"
    CHECKED_IN = "checked_in"
    CHECKED_OUT = "checked_out"
    CANCELED = "canceled"
    NO_SHOW = "no_show"


class RoomStatus(StrEnum):
    """``roomStatus`` of one room of a reservation (two l in cancelled)."""

    NOT_CHECKED_IN = "not_checked_in"
    IN_HOUSE = "in_house"
    CHECKED_OUT = "checked_out"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True, kw_only=True)
class Property:
    """One hotel; times of day are property-local ``HH:MM:SS``."""

    id: str
    name: str
    timezone: str
    check_in: str
    check_out: str
    app_state: str
    status: str
    user_active: bool

    @property
    def zone(self) -> ZoneInfo:
        """The hotel's IANA zone."""
        return ZoneInfo(self.timezone)


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """A room, a bed of a dorm, or a virtual room that only joins others."""

    id: str
    property_id: str
    name: str
    type_id: str
    type_name: str
    type_short: str
    dorm_name: str | None
    is_virtual: bool
    max_guests: int
    linked: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Guest:
    """A person of one stay; all contacts are invented."""

    id: str
    stay_id: str
    first: str
    last: str
    email: str
    phone: str

    @property
    def name(self) -> str:
        """First and last name."""
        return f"{self.first} {self.last}".strip()


@dataclass(frozen=True, slots=True, kw_only=True)
class Stay:
    """One room line of a booking, what the vendor calls a sub reservation."""

    id: str
    room_line_id: str
    type_id: str
    room_id: str | None
    status: str
    starts_on: date
    ends_on: date
    adults: int
    children: int
    status_at: int
    guests: tuple[Guest, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Booking:
    """A reservation with its room lines; ``*_at`` are epoch seconds."""

    id: str
    property_id: str
    status: str
    created_at: int
    modified_at: int
    canceled_at: int | None
    check_in: str
    check_out: str
    source: str
    third_party: str
    arrival_time: str | None
    is_deleted: bool
    fields: dict[str, str]
    oddities: dict[str, Any]
    is_pinned: bool
    stays: tuple[Stay, ...]

    @property
    def guests(self) -> tuple[Guest, ...]:
        """Everyone of the booking; the first is the main guest."""
        return tuple(guest for stay in self.stays for guest in stay.guests)


def property_of(store: Store, property_id: str) -> Property:
    """One hotel; Refused if there is none of that id."""
    row = store.row("SELECT * FROM properties WHERE id = ?", property_id)
    if row is None:
        raise Refused(f"There is no property {property_id} here.")
    return Property(**{**dict(row), "user_active": bool(row["user_active"])})


def properties(store: Store) -> list[Property]:
    """All hotels, in the order of their ids."""
    ids = store.rows("SELECT id FROM properties ORDER BY id")
    return [property_of(store, row["id"]) for row in ids]


def rooms_of(store: Store, property_id: str) -> dict[str, Room]:
    """All rooms of a hotel by id, in the hotel's own order."""
    found = store.rows("SELECT * FROM rooms WHERE property_id = ? ORDER BY position", property_id)
    return {row["id"]: _room(row) for row in found}


def _room(row: sqlite3.Row) -> Room:
    values = dict(row)
    del values["position"]
    linked = tuple(part for part in values["linked"].split(",") if part)
    return Room(**{**values, "linked": linked, "is_virtual": bool(values["is_virtual"])})


def bookings(store: Store, ids: Sequence[str]) -> list[Booking]:
    """The bookings of these ids, in the order asked for; unknown ids are left out."""
    listed = marks(ids)
    rows = store.rows(f"SELECT * FROM bookings WHERE id IN ({listed})", *ids)  # noqa: S608 - marks
    stays = _stays(store, ids)
    found = {row["id"]: _booking(row, stays[row["id"]]) for row in rows}
    return [found[wanted] for wanted in ids if wanted in found]


def booking_of(store: Store, booking_id: str) -> Booking:
    """One booking, deleted ones included; Refused if there is none of that id."""
    found = bookings(store, [booking_id])
    if not found:
        raise Refused(f"There is no reservation {booking_id}.")
    return found[0]


def _booking(row: sqlite3.Row, stays: list[Stay]) -> Booking:
    return Booking(
        **{
            **dict(row),
            "is_deleted": bool(row["is_deleted"]),
            "is_pinned": bool(row["is_pinned"]),
            "fields": json.loads(row["fields"]),
            "oddities": json.loads(row["oddities"]),
            "stays": tuple(stays),
        }
    )


def _stays(store: Store, ids: Sequence[str]) -> dict[str, list[Stay]]:
    listed = marks(ids)
    guests: dict[str, list[Guest]] = defaultdict(list)
    people = f"SELECT * FROM guests WHERE booking_id IN ({listed}) ORDER BY position"  # noqa: S608
    for row in store.rows(people, *ids):
        guests[row["stay_id"]].append(_guest(row))
    result: dict[str, list[Stay]] = defaultdict(list)
    lines = f"SELECT * FROM stays WHERE booking_id IN ({listed}) ORDER BY line"  # noqa: S608
    for row in store.rows(lines, *ids):
        result[row["booking_id"]].append(_stay(row, guests[row["id"]]))
    return result


def _guest(row: sqlite3.Row) -> Guest:
    values = dict(row)
    del values["booking_id"], values["position"]
    return Guest(**values)


def _stay(row: sqlite3.Row, guests: list[Guest]) -> Stay:
    values = dict(row)
    del values["booking_id"], values["line"]
    return Stay(
        **{
            **values,
            "starts_on": date.fromisoformat(row["starts_on"]),
            "ends_on": date.fromisoformat(row["ends_on"]),
            "guests": tuple(guests),
        }
    )
