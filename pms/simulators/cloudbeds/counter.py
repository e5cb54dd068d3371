"""The frame of every change at the front desk: find the record, stamp it, announce it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from pms.simulators.cloudbeds import events
from pms.simulators.cloudbeds.events import Event
from pms.simulators.cloudbeds.ledger import Party, derive, taken
from pms.simulators.cloudbeds.outbox import SubscriptionOutbox
from pms.simulators.cloudbeds.quirks import Quirks
from pms.simulators.cloudbeds.records import (
    Booking,
    Guest,
    Room,
    RoomStatus,
    Stay,
    booking_of,
    rooms_of,
)
from pms.simulators.shared.clock import Clock
from pms.simulators.shared.store import Store
from pms.simulators.shared.wishes import Manner, Refused

Tell = Callable[[Booking], list[Event]]


class Counter:
    """What all changes share; the verbs themselves are in `desk`."""

    def __init__(
        self, *, store: Store, clock: Clock, outbox: SubscriptionOutbox, quirks: Quirks
    ) -> None:
        """Everything is shared with the rest of the simulator."""
        self._store = store
        self._clock = clock
        self._outbox = outbox
        self._quirks = quirks

    def _finish(self, before: Booking, manner: Manner, tell: Tell) -> Booking:
        counts = self._quirks.any_room_checks_in_the_booking
        derive(self._store, booking_of(self._store, before.id), any_room_counts=counts)
        if manner.touch:
            self._set(before, modified_at=self._at())
        after = booking_of(self._store, before.id)
        told = tell(after)
        if after.status != before.status:
            told.insert(0, events.status_changed(after, manner.actor))
        self._post(after, told, manner)
        return after

    def _post(self, booking: Booking, told: list[Event], manner: Manner) -> None:
        if not manner.silent:
            now = self._clock.now()
            self._outbox.post(property_id=booking.property_id, events=told, now=now)

    def _at(self) -> int:
        return int(self._clock.now().timestamp())

    def _set(self, booking: Booking, **values: str | int | None) -> None:
        for column, value in values.items():
            sql = f"UPDATE bookings SET {column} = ? WHERE id = ?"  # noqa: S608 - own names only
            self._store.run(sql, value, booking.id)

    def _set_stay(self, stay: Stay, **values: str | None) -> None:
        for column, value in values.items():
            sql = f"UPDATE stays SET {column} = ?, status_at = ? WHERE id = ?"  # noqa: S608 - same
            self._store.run(sql, value, self._at(), stay.id)

    def _pick(self, booking: Booking, which: str) -> list[Stay]:
        """The stays meant by a sub reservation id, a room id or a room name; all for empty."""
        names = {room.id: room.name for room in rooms_of(self._store, booking.property_id).values()}
        found = [
            stay
            for stay in booking.stays
            if not which or which in {stay.id, stay.room_id, names.get(stay.room_id or "")}
        ]
        if not found:
            raise Refused(f"{booking.id} has no stay or room {which}.")
        return found

    def _one(self, booking: Booking, which: str) -> Stay:
        found = self._pick(booking, which)
        if len(found) > 1 and not which:
            found = [stay for stay in found if stay.status != RoomStatus.CANCELLED] or found
        return found[0]

    def _roomed(
        self, property_id: str, party: Party, manner: Manner, *, apart_from: str = ""
    ) -> Party:
        """The party with its room's id (it may be asked for by name) and that room's type."""
        if party.room_id is None:
            return party
        room = self._room(property_id, party.room_id)
        roomed = replace(party, room_id=room.id, type_id=room.type_id)
        if self._is_taken(room.id, roomed, apart_from) and not manner.force:
            raise Refused(f"Room {room.name} is taken on one of these nights.")
        return roomed

    def _room(self, property_id: str, room: str) -> Room:
        for known in rooms_of(self._store, property_id).values():
            if room in {known.id, known.name}:
                return known
        raise Refused(f"There is no room {room} in this hotel.")

    def _is_taken(self, room_id: str, party: Party, apart_from: str) -> bool:
        return taken(
            self._store,
            room_id,
            starts_on=party.starts_on,
            ends_on=party.ends_on,
            apart_from=apart_from,
        )


def party_of(stay: Stay) -> Party:
    return Party(
        guests=(),
        type_id=stay.type_id,
        room_id=stay.room_id,
        starts_on=stay.starts_on,
        ends_on=stay.ends_on,
    )


def stay_of(booking: Booking, stay_id: str) -> Stay:
    return next(stay for stay in booking.stays if stay.id == stay_id)


def guest_of(booking: Booking, guest_id: str) -> Guest:
    for guest in booking.guests:
        if guest.id == guest_id:
            return guest
    raise Refused(f"{booking.id} has no guest {guest_id}.")
