"""The front desk: every change to a booking, its stamp of modification, and the events it fires."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from typing import Any

from pms.simulators.cloudbeds import events
from pms.simulators.cloudbeds.counter import Counter, guest_of, party_of, stay_of
from pms.simulators.cloudbeds.events import Event
from pms.simulators.cloudbeds.ledger import (
    BookingSheet,
    Party,
    write_booking,
    write_guest,
    write_stay,
)
from pms.simulators.cloudbeds.records import Booking, BookingStatus, RoomStatus, Stay, booking_of
from pms.simulators.shared.people import Person
from pms.simulators.shared.wishes import Manner, Refused


class Desk(Counter):
    """All changes of bookings; each is one transaction and says the booking as it is then."""

    def book(
        self, *, property_id: str, sheet: BookingSheet, parties: Sequence[Party], manner: Manner
    ) -> Booking:
        """Take a new booking; Refused if a room is not there or taken."""
        with self._store.transaction():
            booking_id = write_booking(
                self._store,
                property_id=property_id,
                sheet=sheet,
                parties=[self._roomed(property_id, party, manner) for party in parties],
                at=self._at(),
            )
            for code in sheet.fields or {}:
                self.ensure_field(property_id, code, code)
            booking = booking_of(self._store, booking_id)
            self._post(booking, events.created(booking), manner)
            return booking

    def add_room(self, booking_id: str, party: Party, manner: Manner) -> Booking:
        """One more room line."""
        before = booking_of(self._store, booking_id)
        with self._store.transaction():
            roomed = self._roomed(before.property_id, party, manner)
            stay_id = write_stay(self._store, booking_id=booking_id, party=roomed, at=self._at())

            def tell(after: Booking) -> list[Event]:
                stay = stay_of(after, stay_id)
                return [
                    events.dates_changed(after),
                    *events.guests_arrived(after, stay, stay.guests),
                ]

            return self._finish(before, manner, tell)

    def check_in(self, booking_id: str, which: str, manner: Manner) -> Booking:
        """The guests of one room, or of all, are in the house."""
        return self._rooms_become(
            booking_id,
            which,
            manner,
            allowed={RoomStatus.NOT_CHECKED_IN},
            becomes=RoomStatus.IN_HOUSE,
        )

    def undo_check_in(self, booking_id: str, which: str, manner: Manner) -> Booking:
        """They were checked in by mistake."""
        return self._rooms_become(
            booking_id,
            which,
            manner,
            allowed={RoomStatus.IN_HOUSE},
            becomes=RoomStatus.NOT_CHECKED_IN,
        )

    def check_out(self, booking_id: str, which: str, manner: Manner) -> Booking:
        """They left, perhaps before the planned day; the planned dates stay as they are."""
        return self._rooms_become(
            booking_id, which, manner, allowed={RoomStatus.IN_HOUSE}, becomes=RoomStatus.CHECKED_OUT
        )

    def _rooms_become(
        self,
        booking_id: str,
        which: str,
        manner: Manner,
        *,
        allowed: set[RoomStatus],
        becomes: RoomStatus,
    ) -> Booking:
        before = booking_of(self._store, booking_id)
        stays = [stay for stay in self._pick(before, which) if stay.status in allowed]
        if not stays:
            raise Refused(f"No room of {booking_id} can become {becomes}.")
        if becomes is RoomStatus.IN_HOUSE and not all(stay.room_id for stay in stays):
            raise Refused("A guest without a room cannot be checked in: assign one first.")
        with self._store.transaction():
            if before.status in {BookingStatus.NOT_CONFIRMED, BookingStatus.NO_SHOW}:
                self._set(before, status=BookingStatus.CONFIRMED)
            for stay in stays:
                self._set_stay(stay, status=becomes)
            return self._finish(before, manner, lambda after: _rooms_told(after, stays))

    def move(self, booking_id: str, which: str, room: str | None, manner: Manner) -> Booking:
        """Give one stay another room, its first room, or (None) no room any more."""
        before = booking_of(self._store, booking_id)
        stay = self._one(before, which)
        wish = replace(party_of(stay), room_id=room)
        target = self._roomed(before.property_id, wish, manner, apart_from=stay.id)
        if target.room_id == stay.room_id:
            raise Refused("The guest has that room already.")
        with self._store.transaction():
            self._set_stay(stay, room_id=target.room_id, type_id=target.type_id)
            return self._finish(
                before, manner, lambda after: events.moved(after, stay, stay_of(after, stay.id))
            )

    def change_dates(
        self, booking_id: str, which: str, dates: tuple[date | None, date | None], manner: Manner
    ) -> Booking:
        """New first night and day of departure of one room or all; None keeps one of them."""
        before = booking_of(self._store, booking_id)
        with self._store.transaction():
            for stay in self._pick(before, which):
                starts_on, ends_on = dates[0] or stay.starts_on, dates[1] or stay.ends_on
                if ends_on <= starts_on:
                    raise Refused("The departure must be after the arrival.")
                self._set_stay(stay, starts_on=str(starts_on), ends_on=str(ends_on))
                moved = stay_of(booking_of(self._store, booking_id), stay.id)
                self._roomed(before.property_id, party_of(moved), manner, apart_from=stay.id)
            return self._finish(before, manner, lambda after: [events.dates_changed(after)])

    def cancel(self, booking_id: str, which: str, manner: Manner) -> Booking:
        """Cancel the booking, or only one of its rooms."""
        before = booking_of(self._store, booking_id)
        stays = self._pick(before, which)
        with self._store.transaction():
            for stay in stays:
                self._set_stay(stay, status=RoomStatus.CANCELLED)
            if not which:
                self._set(before, status=BookingStatus.CANCELED, canceled_at=self._at())
            return self._finish(before, manner, lambda after: _rooms_told(after, stays))

    def no_show(self, booking_id: str, manner: Manner) -> Booking:
        """Nobody came."""
        before = booking_of(self._store, booking_id)
        with self._store.transaction():
            self._set(before, status=BookingStatus.NO_SHOW)
            return self._finish(before, manner, lambda _: [])

    def unconfirm(self, booking_id: str, manner: Manner) -> Booking:
        """Back to waiting for a confirmation."""
        before = booking_of(self._store, booking_id)
        with self._store.transaction():
            self._set(before, status=BookingStatus.NOT_CONFIRMED)
            return self._finish(before, manner, lambda _: [])

    def restore(self, booking_id: str, manner: Manner) -> Booking:
        """Bring back what was cancelled, not shown up, checked out, unconfirmed or deleted.

        A room that was given to someone else meanwhile is lost to the stay.
        """
        before = booking_of(self._store, booking_id)
        with self._store.transaction():
            self._set(before, status=BookingStatus.CONFIRMED, canceled_at=None, is_deleted=0)
            for stay in before.stays:
                lost = stay.room_id and self._is_taken(stay.room_id, party_of(stay), stay.id)
                if stay.status in {RoomStatus.CANCELLED, RoomStatus.CHECKED_OUT}:
                    self._set_stay(stay, status=RoomStatus.NOT_CHECKED_IN)
                if lost and not manner.force:
                    self._set_stay(stay, room_id=None)
            return self._finish(before, manner, lambda _: [])

    def delete(self, booking_id: str, manner: Manner) -> Booking:
        """Remove the booking; it is hidden unless someone asks for deleted ones."""
        before = booking_of(self._store, booking_id)
        with self._store.transaction():
            self._set(before, is_deleted=1)
            return self._finish(before, manner, lambda after: [events.deleted(after)])

    def set_field(self, booking_id: str, shortcode: str, value: str, manner: Manner) -> Booking:
        """Fill in a custom field of the booking; an empty value clears it."""
        before = booking_of(self._store, booking_id)
        with self._store.transaction():
            field_id, name = self.ensure_field(before.property_id, shortcode, shortcode)
            self._set(before, fields=json.dumps({**before.fields, shortcode: value}))
            old = before.fields.get(shortcode)
            return self._finish(
                before,
                manner,
                lambda after: [events.field_changed(after, field_id, name, old, value)],
            )

    def ensure_field(self, property_id: str, shortcode: str, name: str) -> tuple[str, str]:
        """Id and name of a custom field, made by the hotel if it is not there."""
        sql = "SELECT id, name FROM custom_fields WHERE property_id = ? AND shortcode = ?"
        found = self._store.row(sql, property_id, shortcode)
        if found:
            return found["id"], found["name"]
        field_id = str(self._store.next_number("field"))
        self._store.insert(
            "custom_fields",
            id=field_id,
            property_id=property_id,
            name=name,
            shortcode=shortcode,
            apply_to="reservation",
            type="input",
            max_characters=40,
            displayed="reservation",
            required=0,
            is_personal=0,
        )
        return field_id, name

    def add_guest(self, booking_id: str, which: str, person: Person, manner: Manner) -> Booking:
        """A companion for one stay."""
        before = booking_of(self._store, booking_id)
        stay = self._one(before, which)
        with self._store.transaction():
            new = write_guest(self._store, booking_id=booking_id, stay_id=stay.id, person=person)

            def tell(after: Booking) -> list[Event]:
                guest = guest_of(after, new)
                return events.guests_arrived(after, stay_of(after, stay.id), [guest])

            return self._finish(before, manner, tell)

    def remove_guest(self, booking_id: str, guest_id: str, manner: Manner) -> Booking:
        """A companion does not come."""
        before = booking_of(self._store, booking_id)
        guest = guest_of(before, guest_id)
        stay = stay_of(before, guest.stay_id)
        with self._store.transaction():
            self._store.run("DELETE FROM guests WHERE id = ?", guest_id)
            return self._finish(
                before, manner, lambda after: [events.guest_removed(after, stay, guest)]
            )

    def change_guest(
        self, booking_id: str, guest_id: str, person: Person, manner: Manner
    ) -> Booking:
        """Another name or other contacts; an empty guest id means the main guest."""
        before = booking_of(self._store, booking_id)
        guest = guest_of(before, guest_id or before.guests[0].id)
        with self._store.transaction():
            self._store.run(
                "UPDATE guests SET first = ?, last = ?, email = ?, phone = ? WHERE id = ?",
                person.first or guest.first,
                person.last or guest.last,
                person.email or guest.email,
                person.phone or guest.phone,
                guest.id,
            )
            return self._finish(
                before, manner, lambda after: [events.guest_changed(guest_of(after, guest.id))]
            )

    def set_arrival_time(self, booking_id: str, at: str, manner: Manner) -> Booking:
        """When the guest means to come, ``HH:MM:SS`` property-local."""
        before = booking_of(self._store, booking_id)
        with self._store.transaction():
            self._set(before, arrival_time=at)
            return self._finish(before, manner, lambda _: [])

    def make_odd(self, booking_id: str, oddities: dict[str, Any], manner: Manner) -> Booking:
        """Let the record be answered oddly: see `wire` for the words; {} makes it normal again."""
        before = booking_of(self._store, booking_id)
        with self._store.transaction():
            self._set(before, oddities=json.dumps(oddities))
            tell = events.status_changed
            return self._finish(before, manner, lambda after: [tell(after, manner.actor)])


def _rooms_told(after: Booking, changed: Sequence[Stay]) -> list[Event]:
    stays = [stay_of(after, stay.id) for stay in changed]
    told = [events.room_status_changed(after, stay) for stay in stays if stay.room_id]
    return told + [events.guest_changed(guest) for stay in stays for guest in stay.guests]
