"""What Cloudbeds' webhooks say: the body of each event, with its own letter case of keys.

Facts: https://developers.cloudbeds.com/docs/webhooks-1
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pms.simulators.cloudbeds.records import Booking, Guest, Stay

EVENTS = frozenset(
    {
        "reservation/created",
        "reservation/status_changed",
        "reservation/dates_changed",
        "reservation/accommodation_status_changed",
        "reservation/accommodation_type_changed",
        "reservation/accommodation_changed",
        "reservation/deleted",
        "reservation/notes_changed",
        "reservation/custom_fields_changed",
        "guest/created",
        "guest/details_changed",
        "guest/assigned",
        "guest/removed",
        "guest/accommodation_changed",
        "integration/appstate_changed",
        "integration/appsettings_changed",
        "roomblock/created",
        "roomblock/removed",
        "roomblock/details_changed",
        "housekeeping/room_condition_changed",
        "night_audit/completed",
        "doorLockKey/key_requested",
        "doorLockKey/key_cancelled",
    }
)


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened; ``property_key`` is how this event spells the property's key."""

    name: str
    fields: dict[str, Any]
    property_key: str = "propertyId"

    def body(self, property_id: str, at: datetime, index: int) -> dict[str, Any]:
        """The JSON sent; ``index`` keeps the stamps of events of one action apart."""
        return {
            "version": "1.0",
            "event": self.name,
            "timestamp": round(at.timestamp() + index / 1_000_000, 6),
            self.property_key: int(property_id) if property_id.isdigit() else property_id,
            f"{self.property_key}_str": property_id,
            **self.fields,
        }


def created(booking: Booking) -> list[Event]:
    """A new booking: itself, its guests, and who got which room."""
    dates = {"startDate": booking.check_in, "endDate": booking.check_out}
    first = Event("reservation/created", {"reservationID": booking.id, **dates}, "propertyID")
    events = [first]
    for stay in booking.stays:
        events += guests_arrived(booking, stay, stay.guests)
    return events


def guests_arrived(booking: Booking, stay: Stay, guests: Sequence[Guest]) -> list[Event]:
    """New people of a stay, and their room if it has one."""
    events = [Event("guest/created", _guest_ids(guest)) for guest in guests]
    return events + (assigned(booking, stay, guests) if stay.room_id else [])


def assigned(booking: Booking, stay: Stay, guests: Sequence[Guest]) -> list[Event]:
    """People got a room."""
    return [_guest_room("guest/assigned", booking, guest, stay.room_id) for guest in guests]


def status_changed(booking: Booking, actor: str) -> Event:
    """The booking's own status."""
    who = {"type": actor, "id": "568158"}
    status = booking.oddities.get("status", booking.status)
    fields = {"reservationID": booking.id, "status": status, "actor": who}
    return Event("reservation/status_changed", fields, "propertyID")


def room_status_changed(booking: Booking, stay: Stay) -> Event:
    """A room of the booking became occupied or was left."""
    status = "occupied" if stay.status == "in_house" else "unoccupied"
    fields = {"reservationId": booking.id, "roomId": stay.room_id, "status": status}
    return Event("reservation/accommodation_status_changed", fields)


def dates_changed(booking: Booking) -> Event:
    """Dates of the booking or of one of its rooms."""
    lines = [
        {"id": stay.id, "startDate": str(stay.starts_on), "endDate": str(stay.ends_on)}
        for stay in booking.stays
    ]
    dates = {"startDate": booking.check_in, "endDate": booking.check_out}
    fields = {"reservationId": booking.id, **dates, "subReservations": lines}
    return Event("reservation/dates_changed", fields)


def moved(booking: Booking, before: Stay, after: Stay) -> list[Event]:
    """A stay's room was assigned, changed or released; one action, several events."""
    rooms = {"subReservationId": after.id, "roomId": after.room_id, "roomIdPrev": before.room_id}
    of_booking = {"reservationId": booking.id, **rooms}
    events = [Event("reservation/accommodation_changed", of_booking)]
    if before.type_id != after.type_id:
        kind = {"subReservationId": after.id, "roomTypeId": after.type_id}
        fields = {"reservationId": booking.id, **kind}
        events.insert(0, Event("reservation/accommodation_type_changed", fields))
    for guest in after.guests:
        events.append(Event("guest/accommodation_changed", {**_guest_ids(guest), **rooms}))
    return events + (assigned(booking, after, after.guests) if after.room_id else [])


def deleted(booking: Booking) -> Event:
    """The booking was deleted."""
    return Event("reservation/deleted", {"reservationId": booking.id})


def guest_changed(guest: Guest) -> Event:
    """A guest's record; check-in and check-out touch it too."""
    return Event("guest/details_changed", _guest_ids(guest))


def guest_removed(booking: Booking, stay: Stay, guest: Guest) -> Event:
    """A guest left the booking's list."""
    return _guest_room("guest/removed", booking, guest, stay.room_id)


def field_changed(booking: Booking, field_id: str, name: str, old: str | None, new: str) -> Event:
    """A custom field of the booking; a write of our own fires it as well."""
    one = {"id": field_id, "name": name, "old_value": old or "", "new_value": new}
    fields = {
        "reservationId": booking.id,
        "createdCustomFields": [one] if old is None else [],
        "updatedCustomFields": [] if old is None else [one],
        "deletedCustomFields": [],
    }
    return Event("reservation/custom_fields_changed", fields)


def app_state_changed(client_id: str, old: str, new: str, new_key: str) -> Event:
    """The hotel connected or disconnected an app (any client's; compare the id)."""
    fields = {"clientID": client_id, "oldState": old, new_key: new}
    return Event("integration/appstate_changed", fields, "propertyID")


def _guest_ids(guest: Guest) -> dict[str, Any]:
    return {"guestId": int(guest.id), "guestId_str": guest.id}


def _guest_room(name: str, booking: Booking, guest: Guest, room_id: str | None) -> Event:
    fields = {**_guest_ids(guest), "reservationId": booking.id, "roomID": room_id}
    return Event(name, fields)
