"""How bookings are written down, and what follows from their room lines."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from pms.simulators.cloudbeds.records import Booking, BookingStatus, RoomStatus, Stay
from pms.simulators.shared.people import Person
from pms.simulators.shared.store import Store

RULED_BY_STAFF = {BookingStatus.CANCELED, BookingStatus.NO_SHOW, BookingStatus.NOT_CONFIRMED}


@dataclass(frozen=True, slots=True, kw_only=True)
class Party:
    """One room line to be booked: who, what kind of room, perhaps which one, which nights."""

    guests: Sequence[Person]
    type_id: str
    room_id: str | None
    starts_on: date
    ends_on: date
    status: RoomStatus = RoomStatus.NOT_CHECKED_IN


@dataclass(frozen=True, slots=True, kw_only=True)
class BookingSheet:
    """What a new booking says apart from its room lines."""

    status: BookingStatus = BookingStatus.CONFIRMED
    source: str = "Booking.com"
    third_party: str = ""
    arrival_time: str | None = None
    fields: dict[str, str] | None = None
    is_pinned: bool = False


def write_booking(
    store: Store, *, property_id: str, sheet: BookingSheet, parties: Sequence[Party], at: int
) -> str:
    """A new booking with its lines and guests; says its id."""
    booking_id = str(store.next_number("booking"))
    store.insert(
        "bookings",
        id=booking_id,
        property_id=property_id,
        status=sheet.status,
        created_at=at,
        modified_at=at,
        canceled_at=at if sheet.status is BookingStatus.CANCELED else None,
        check_in=str(min(party.starts_on for party in parties)),
        check_out=str(max(party.ends_on for party in parties)),
        source=sheet.source,
        third_party=sheet.third_party,
        arrival_time=sheet.arrival_time,
        fields=json.dumps(sheet.fields or {}),
        is_pinned=sheet.is_pinned,
    )
    for party in parties:
        write_stay(store, booking_id=booking_id, party=party, at=at)
    return booking_id


def write_stay(store: Store, *, booking_id: str, party: Party, at: int) -> str:
    """One more line; the first is named like the booking, the others get ``-1``, ``-2`` ..."""
    line = store.number("SELECT count(*) FROM stays WHERE booking_id = ?", booking_id)
    stay_id = f"{booking_id}-{line}" if line else booking_id
    store.insert(
        "stays",
        id=stay_id,
        booking_id=booking_id,
        line=line,
        room_line_id=str(store.next_number("room_line")),
        type_id=party.type_id,
        room_id=party.room_id,
        status=party.status,
        starts_on=str(party.starts_on),
        ends_on=str(party.ends_on),
        adults=max(1, len(party.guests)),
        children=0,
        status_at=at,
    )
    for person in party.guests:
        write_guest(store, booking_id=booking_id, stay_id=stay_id, person=person)
    return stay_id


def write_guest(store: Store, *, booking_id: str, stay_id: str, person: Person) -> str:
    """One more person of a line; says the new guest's id."""
    guest_id = str(store.next_number("guest"))
    store.insert(
        "guests",
        id=guest_id,
        booking_id=booking_id,
        stay_id=stay_id,
        first=person.first,
        last=person.last,
        email=person.email,
        phone=person.phone,
        position=int(guest_id),
    )
    return guest_id


def derive(store: Store, booking: Booking, *, any_room_counts: bool) -> None:
    """Bring the booking's own dates and status in line with its rooms.

    Cloudbeds does not document when a booking of several rooms becomes ``checked_in``: with the
    first (``any_room_counts``) or with the last.
    """
    live = [stay for stay in booking.stays if stay.status != RoomStatus.CANCELLED]
    lines = live or list(booking.stays)
    store.run(
        "UPDATE bookings SET check_in = ?, check_out = ?, status = ? WHERE id = ?",
        str(min(stay.starts_on for stay in lines)),
        str(max(stay.ends_on for stay in lines)),
        _status(booking, live, any_room_counts=any_room_counts),
        booking.id,
    )


def _status(booking: Booking, live: list[Stay], *, any_room_counts: bool) -> str:
    if booking.status in RULED_BY_STAFF:
        return booking.status
    states = {stay.status for stay in live}
    if not states:
        return BookingStatus.CANCELED
    if states == {RoomStatus.CHECKED_OUT}:
        return BookingStatus.CHECKED_OUT
    somebody_to_come = RoomStatus.NOT_CHECKED_IN in states and not any_room_counts
    if RoomStatus.IN_HOUSE in states and not somebody_to_come:
        return BookingStatus.CHECKED_IN
    return BookingStatus.CONFIRMED


def taken(
    store: Store, room_id: str, *, starts_on: date, ends_on: date, apart_from: str = ""
) -> bool:
    """Whether someone else has the room on one of these nights."""
    others = store.number(
        "SELECT count(*) FROM stays JOIN bookings ON bookings.id = stays.booking_id"
        " WHERE room_id = ? AND starts_on < ? AND ends_on > ? AND stays.id <> ?"
        " AND stays.status IN ('not_checked_in', 'in_house') AND is_deleted = 0"
        " AND bookings.status NOT IN ('canceled', 'no_show')",
        room_id,
        str(ends_on),
        str(starts_on),
        apart_from,
    )
    return others > 0
