"""Records in Cloudbeds' JSON: which field is called what in which of its four answers.

Field names: https://github.com/cloudbeds/openapi-specs (``pms-v1.3-openapi.yaml``). A booking may
be marked odd, with any of ``status`` (a word the vendor does not list), ``room_id_missing`` and
``empty_guest_list`` (PHP's ``[]`` in place of an empty map).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from pms.simulators.cloudbeds.clock import wire_local, wire_utc
from pms.simulators.cloudbeds.records import (
    Booking,
    BookingStatus,
    Guest,
    Property,
    Room,
    RoomStatus,
    Stay,
)

Json = dict[str, Any]
NIGHT_PRICE = 89


@dataclass(frozen=True, slots=True, kw_only=True)
class Extras:
    """The optional parts of a list answer, all left out unless asked for."""

    guests: bool = False
    fields: bool = False
    rooms: bool = False


@dataclass(frozen=True, slots=True)
class Wire:
    """Writes one property's records; ``fields`` maps shortcodes to (id, name)."""

    hotel: Property
    rooms: dict[str, Room]
    fields: dict[str, tuple[str, str]]

    def rate_details(self, booking: Booking, extras: Extras) -> Json:
        """One row of ``getReservationsWithRateDetails``."""
        row: Json = {
            "propertyID": booking.property_id,
            "reservationID": booking.id,
            "isDeleted": booking.is_deleted,
            **self._stamps(booking),
            "dateCreatedUTC": wire_utc(booking.created_at),
            "dateModifiedUTC": wire_utc(booking.modified_at),
            "status": _status(booking),
            "reservationCheckIn": booking.check_in,
            "reservationCheckOut": booking.check_out,
            "guestID": _main_guest(booking).id,
            "guestCountry": "PT",
            "sourceName": booking.source,
            "thirdPartyIdentifier": booking.third_party,
            "propertyCurrency": "EUR",
            "estimatedArrivalTime": booking.arrival_time,
            "balanceDetailed": _balance(booking),
            "detailedRates": _rates(booking.stays),
            "total": _price(booking.stays),
            "balance": _price(booking.stays),
            "origin": booking.source,
            "mealPlans": "",
            "rooms": [self._room_line(booking, stay, rated=True) for stay in booking.stays],
        }
        if booking.status == BookingStatus.CANCELED and booking.canceled_at is not None:
            row["dateCancelled"] = wire_local(booking.canceled_at, self.hotel.zone)
            row["dateCancelledUTC"] = wire_utc(booking.canceled_at)
        return row | self._extras(booking, extras)

    def listed(self, booking: Booking, extras: Extras) -> Json:
        """One row of ``getReservations``."""
        row: Json = {
            "propertyID": booking.property_id,
            "reservationID": booking.id,
            **self._stamps(booking),
            "status": _status(booking),
            "guestID": _main_guest(booking).id,
            "guestName": _main_guest(booking).name,
            "startDate": booking.check_in,
            "endDate": booking.check_out,
            "adults": str(sum(stay.adults for stay in booking.stays)),
            "children": str(sum(stay.children for stay in booking.stays)),
            "balance": _price(booking.stays),
            "sourceName": booking.source,
            "thirdPartyIdentifier": booking.third_party,
            "origin": booking.source,
            "mealPlans": "",
        }
        if extras.rooms:
            row["rooms"] = [self._room_line(booking, stay, rated=False) for stay in booking.stays]
        return row | self._extras(booking, extras)

    def full(self, booking: Booking) -> Json:
        """The data of ``getReservation``; it knows no status per room."""
        main = _main_guest(booking)
        lines = [(stay.room_id, self._assigned(booking, stay)) for stay in booking.stays]
        return {
            "propertyID": booking.property_id,
            "guestName": main.name,
            "guestEmail": main.email,
            "isAnonymized": False,
            "guestList": self._guest_list(booking, full=True),
            "reservationID": booking.id,
            **self._stamps(booking),
            "estimatedArrivalTime": booking.arrival_time,
            "source": booking.source,
            "thirdPartyIdentifier": booking.third_party,
            "status": _status(booking),
            "total": _price(booking.stays),
            "balance": _price(booking.stays),
            "balanceDetailed": _balance(booking),
            "assigned": [line for room_id, line in lines if room_id],
            "unassigned": [line for room_id, line in lines if not room_id],
            "cardsOnFile": [],
            "customFields": self._fields(booking),
            "startDate": booking.check_in,
            "endDate": booking.check_out,
            "origin": booking.source,
            "mealPlans": "",
        }

    def room_details(self, booking: Booking, stay: Stay) -> Json:
        """The data of ``getReservationRoomDetails``."""
        guest = _guest_of(booking, stay)
        kind = self._kind(stay)
        people = [
            {
                "guestID": person.id,
                "guestFirstName": person.first,
                "guestLastName": person.last,
                "isMainGuest": person.id == _main_guest(booking).id,
            }
            for person in stay.guests
        ]
        return {
            "reservationID": booking.id,
            "subReservationID": stay.id,
            "isRoomLocked": False,
            **self._place(booking, stay),
            "dormRoomName": self._dorm(stay),
            "guestID": guest.id,
            "guestName": guest.name,
            "roomStatus": stay.status,
            "roomTypeID": stay.type_id,
            "roomTypeName": kind.type_name,
            "roomTypeIsVirtual": kind.is_virtual,
            "maxGuests": kind.max_guests,
            "adults": stay.adults,
            "children": stay.children,
            "guests": people,
        }

    def assignment(self, booking: Booking) -> Json:
        """One row of ``getReservationAssignments``."""
        roomed = [stay for stay in booking.stays if stay.room_id]
        row: Json = {
            "guestName": _main_guest(booking).name,
            "reservationID": booking.id,
            "unassigned": len(booking.stays) - len(roomed),
        }
        if roomed:
            row["assigned"] = [self._assignment(booking, stay) for stay in roomed]
        return row

    def _assignment(self, booking: Booking, stay: Stay) -> Json:
        kind = self._kind(stay)
        return {
            "roomTypeID": stay.type_id,
            "roomTypeName": kind.type_name,
            "roomTypeNameShort": kind.type_short,
            "dormRoomName": self._dorm(stay),
            **self._place(booking, stay),
            "subReservationID": stay.id,
            "isRoomLocked": False,
        }

    def room(self, room: Room, *, relations: bool) -> Json:
        """One room of ``getRooms``."""
        row: Json = {
            "roomID": room.id,
            "roomName": room.name,
            "roomDescription": "",
            "maxGuests": room.max_guests,
            "isPrivate": room.dorm_name is None,
            "isVirtual": room.is_virtual,
            "roomBlocked": False,
            "roomTypeID": room.type_id,
            "roomTypeName": room.type_name,
            "roomTypeNameShort": room.type_short,
            "doorlockID": "",
        }
        if room.dorm_name is not None:
            row["dormRoomName"] = room.dorm_name
        if relations:
            row["linkedRoomIDs"] = self._relations(room)
        return row

    def _relations(self, room: Room) -> list[str]:
        joins = [other.id for other in self.rooms.values() if room.id in other.linked]
        return [*room.linked, *joins]

    def _stamps(self, booking: Booking) -> Json:
        return {
            "dateCreated": wire_local(booking.created_at, self.hotel.zone),
            "dateModified": wire_local(booking.modified_at, self.hotel.zone),
        }

    def _extras(self, booking: Booking, extras: Extras) -> Json:
        guests = {"guestList": self._guest_list(booking, full=False)} if extras.guests else {}
        return guests | ({"customFields": self._fields(booking)} if extras.fields else {})

    def _fields(self, booking: Booking) -> list[Json]:
        rows = []
        for shortcode, value in booking.fields.items():
            field_id, name = self.fields.get(shortcode, ("", shortcode))
            rows.append(
                {
                    "customFieldID": field_id,
                    "shortcode": shortcode,
                    "isActive": True,
                    "customFieldName": name,
                    "customFieldValue": value,
                }
            )
        return rows

    def _room_line(self, booking: Booking, stay: Stay, *, rated: bool) -> Json:
        guest = _guest_of(booking, stay)
        rates: Json = {"detailedRoomRates": _rates([stay])} if rated else {}
        return {
            "roomTypeID": stay.type_id,
            "roomTypeName": self._kind(stay).type_name,
            "roomTypeIsVirtual": self._kind(stay).is_virtual,
            "subReservationID": stay.id,
            "isRoomLocked": False,
            "guestID": guest.id,
            "guestName": guest.name,
            "adults": str(stay.adults),
            "children": str(stay.children),
            "reservationRoomID": stay.room_line_id,
            **({"roomName": None} | self._place(booking, stay)),
            "roomCheckIn": str(stay.starts_on),
            "roomCheckOut": str(stay.ends_on),
            "roomStatus": stay.status,
            **rates,
        }

    def _assigned(self, booking: Booking, stay: Stay) -> Json:
        short: Json = {"roomTypeNameShort": self._kind(stay).type_short} if stay.room_id else {}
        dorm: Json = {"dormRoomName": self._dorm(stay)} if stay.room_id else {}
        return {
            "reservationRoomID": stay.room_line_id,
            "roomTypeName": self._kind(stay).type_name,
            "roomTypeIsVirtual": self._kind(stay).is_virtual,
            "roomTypeID": stay.type_id,
            "subReservationID": stay.id,
            "isRoomLocked": False,
            **short,
            **dorm,
            **self._place(booking, stay),
            "startDate": str(stay.starts_on),
            "endDate": str(stay.ends_on),
            "adults": str(stay.adults),
            "children": str(stay.children),
            "dailyRates": [{"date": day, "rate": rate} for day, rate in _rates([stay]).items()],
            "roomTotal": str(_price([stay])),
        }

    def _guest_list(self, booking: Booking, *, full: bool) -> Json | list[Any]:
        if booking.oddities.get("empty_guest_list"):
            return []
        rows = {}
        for stay in booking.stays:
            for guest in stay.guests:
                own = self._own_guest(booking, stay) if full else self._row_guest(stay)
                rows[guest.id] = self._person(booking, stay, guest) | own
        return rows

    def _own_guest(self, booking: Booking, stay: Stay) -> Json:
        unconfirmed = {BookingStatus.NO_SHOW, BookingStatus.NOT_CONFIRMED, BookingStatus.CANCELED}
        status = booking.status if booking.status in unconfirmed else stay.status
        return {"guestStatus": "canceled" if status == RoomStatus.CANCELLED else status}

    def _row_guest(self, stay: Stay) -> Json:
        dates = {"startDate": str(stay.starts_on), "endDate": str(stay.ends_on)}
        return {"subReservationID": stay.id, **dates}

    def _person(self, booking: Booking, stay: Stay, guest: Guest) -> Json:
        room = {"roomID": None, "roomName": None} | self._place(booking, stay)
        line = {
            "reservationRoomID": stay.room_line_id,
            "roomTypeName": self._kind(stay).type_name,
            "roomTypeIsVirtual": self._kind(stay).is_virtual,
            "subReservationID": stay.id,
        }
        return {
            "guestID": guest.id,
            "guestFirstName": guest.first,
            "guestLastName": guest.last,
            "guestGender": "N/A",
            "guestEmail": guest.email,
            "guestPhone": guest.phone,
            "guestCellPhone": guest.phone,
            "guestCountry": "PT",
            "assignedRoom": stay.room_id is not None,
            **room,
            "roomTypeName": self._kind(stay).type_name,
            "roomTypeIsVirtual": self._kind(stay).is_virtual,
            "isMainGuest": guest.id == _main_guest(booking).id,
            "isAnonymized": False,
            "customFields": [],
            "rooms": [line | room] if stay.room_id else [],
            "unassignedRooms": [] if stay.room_id else [line | {"roomTypeID": stay.type_id}],
        }

    def _place(self, booking: Booking, stay: Stay) -> Json:
        """Room id and name; an unassigned line has neither."""
        if stay.room_id is None:
            return {}
        name = {"roomName": self.rooms[stay.room_id].name}
        return name if booking.oddities.get("room_id_missing") else {"roomID": stay.room_id} | name

    def _kind(self, stay: Stay) -> Room:
        return next(room for room in self.rooms.values() if room.type_id == stay.type_id)

    def _dorm(self, stay: Stay) -> str | None:
        return self.rooms[stay.room_id].dorm_name if stay.room_id else None


def _status(booking: Booking) -> str:
    return str(booking.oddities.get("status", booking.status))


def _main_guest(booking: Booking) -> Guest:
    nobody = Guest(id="", stay_id="", first="", last="", email="", phone="")
    return next(iter(booking.guests), nobody)


def _guest_of(booking: Booking, stay: Stay) -> Guest:
    return stay.guests[0] if stay.guests else _main_guest(booking)


def _price(stays: tuple[Stay, ...] | list[Stay]) -> int:
    return sum((stay.ends_on - stay.starts_on).days * NIGHT_PRICE for stay in stays)


def _rates(stays: tuple[Stay, ...] | list[Stay]) -> dict[str, int]:
    rates: dict[str, int] = {}
    for stay in stays:
        for night in range((stay.ends_on - stay.starts_on).days):
            day = str(stay.starts_on + timedelta(days=night))
            rates[day] = rates.get(day, 0) + NIGHT_PRICE
    return rates


def _balance(booking: Booking) -> Json:
    total = _price(booking.stays)
    return {
        "suggestedDeposit": "0",
        "subTotal": total,
        "additionalItems": 0,
        "taxesFees": 0,
        "grandTotal": total,
        "paid": 0,
    }
