"""The front desk: every change to a reservation, its stamp of change, and the events it fires."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any
from uuid import uuid4

from pms.simulators.mews import events
from pms.simulators.mews.events import Event
from pms.simulators.mews.ledger import (
    Party,
    Sheet,
    taken,
    write_companionship,
    write_customer,
    write_group,
    write_reservation,
)
from pms.simulators.mews.outbox import Announcer
from pms.simulators.mews.quirks import Quirks
from pms.simulators.mews.records import (
    NO_SHOW,
    Enterprise,
    Reservation,
    Resource,
    State,
    customer_of,
    enterprise_of,
    reservation_of,
    resources_of,
)
from pms.simulators.shared.clock import Clock
from pms.simulators.shared.store import Store, Value
from pms.simulators.shared.wishes import Manner, Refused

UNCHECKED = {"owner_checked_in": 0, "any_checked_in": 0, "all_checked_in": 0}


class Desk:
    """All changes of reservations; each is one transaction and says the reservation as it is then."""

    def __init__(self, *, store: Store, clock: Clock, outbox: Announcer, quirks: Quirks) -> None:
        """Everything is shared with the rest of the simulator."""
        self._store = store
        self._clock = clock
        self._outbox = outbox
        self._quirks = quirks

    def book(
        self, hotel: Enterprise, sheet: Sheet, parties: Sequence[Party], manner: Manner
    ) -> list[Reservation]:
        """Take a new booking: a reservation for each room, joined by a group."""
        at = self._at()
        with self._store.transaction():
            first = parties[0].guests[0]
            name = f"{first.first} {first.last}".strip()
            group_id = write_group(self._store, hotel, sheet, name, at)
            told: list[Event] = []
            ids = [self._line(hotel, sheet, party, group_id, manner, told) for party in parties]
            self._post(hotel.id, told, manner)
            return [reservation_of(self._store, one) for one in ids]

    def add_room(self, reservation_id: str, party: Party, manner: Manner) -> Reservation:
        """One more room for the same booking."""
        before = reservation_of(self._store, reservation_id)
        hotel = enterprise_of(self._store, before.enterprise_id)
        with self._store.transaction():
            told: list[Event] = []
            made = self._line(hotel, Sheet(), party, before.group_id, manner, told)
            self._post(hotel.id, told, manner)
            return reservation_of(self._store, made)

    def _line(
        self,
        hotel: Enterprise,
        sheet: Sheet,
        party: Party,
        group_id: str,
        manner: Manner,
        told: list[Event],
    ) -> str:
        at, store = self._at(), self._store
        if party.resource_id is not None:
            room = self.room(hotel.id, party.resource_id)
            party = replace(party, resource_id=room.id, category_id=room.category_id)
            self._free_or_refused(room, (party.starts_at, party.ends_at), manner, "")
        people = [write_customer(store, hotel.chain_id, one, at) for one in party.guests]
        for customer_id in people:
            told += events.customer_added(customer_of(store, customer_id))
        account_id = str(uuid4()) if sheet.company else people[0]
        made = write_reservation(
            store,
            hotel,
            sheet=sheet,
            party=party,
            group_id=group_id,
            account_id=account_id,
            at=at,
        )
        with_place = sheet.company or self._quirks.owner_is_companion
        for customer_id in people if with_place else people[1:]:
            write_companionship(
                store,
                hotel,
                customer_id=customer_id,
                group_id=group_id,
                reservation_id=made,
                at=at,
            )
        told.append(events.reservation_updated(reservation_of(store, made)))
        return made

    # States

    def check_in(self, reservation_id: str, manner: Manner) -> Reservation:
        """The guests are in the house."""
        before = self._in(reservation_id, State.CONFIRMED)
        if before.resource_id is None:
            raise Refused("A guest without a room cannot be checked in: assign one first.")
        done = int(before.owner_checked_in or self._quirks.check_in_sets_options)
        return self._become(
            before,
            manner,
            state=State.STARTED,
            actual_starts_at=self._at(),
            owner_checked_in=done,
        )

    def undo_check_in(self, reservation_id: str, manner: Manner) -> Reservation:
        """They were checked in by mistake; the flags of the check-in fall back too."""
        before = self._in(reservation_id, State.STARTED)
        return self._become(
            before, manner, state=State.CONFIRMED, actual_starts_at=None, **UNCHECKED
        )

    def check_out(self, reservation_id: str, manner: Manner) -> Reservation:
        """They left, perhaps before the planned day; the planned times stay as they are."""
        before = self._in(reservation_id, State.STARTED)
        return self._become(before, manner, state=State.PROCESSED, actual_ends_at=self._at())

    def cancel(self, reservation_id: str, manner: Manner, reason: str = "") -> Reservation:
        """They do not come; the reason is one of the vendor's words."""
        before = reservation_of(self._store, reservation_id)
        return self._become(
            before,
            manner,
            state=State.CANCELED,
            cancelled_at=self._at(),
            cancellation_reason=reason or "RequestedByGuest",
        )

    def no_show(self, reservation_id: str, manner: Manner) -> Reservation:
        """They did not come: cancelled for that reason."""
        return self.cancel(reservation_id, manner, NO_SHOW)

    def restore(self, reservation_id: str, manner: Manner) -> Reservation:
        """Bring back what was cancelled or checked out; a room given away meanwhile is lost."""
        before = reservation_of(self._store, reservation_id)
        room_id = before.resource_id
        lost = room_id and taken(
            self._store,
            room_id,
            starts_at=before.starts_at,
            ends_at=before.ends_at,
            apart_from=before.id,
        )
        back: dict[str, Value] = {"cancelled_at": None, "cancellation_reason": None}
        if before.state == State.PROCESSED:
            return self._become(before, manner, state=State.STARTED, actual_ends_at=None)
        if lost and not manner.force:
            back["resource_id"] = None
        return self._become(before, manner, state=State.CONFIRMED, actual_starts_at=None, **back)

    def set_state(self, reservation_id: str, state: State, manner: Manner) -> Reservation:
        """Any state, without asking whether it makes sense."""
        return self._become(reservation_of(self._store, reservation_id), manner, state=state)

    def check_in_online(
        self, reservation_id: str, manner: Manner, *, done: bool = True, companions: bool = False
    ) -> Reservation:
        """The owner checked in online (or it is taken back); perhaps the companions did too."""
        before = reservation_of(self._store, reservation_id)
        return self._become(
            before,
            manner,
            owner_checked_in=done,
            any_checked_in=done and companions,
            all_checked_in=done and companions,
            connector_check_in=done and manner.actor == "client",
        )

    # Rooms and times

    def move(self, reservation_id: str, room: str | None, manner: Manner) -> Reservation:
        """Another room, a first room, or (None) no room any more."""
        before = reservation_of(self._store, reservation_id)
        if room is None:
            return self._become(before, manner, resource_id=None)
        target = self.room(before.enterprise_id, room)
        if target.id == before.resource_id:
            raise Refused("The guest has that room already.")
        self._free_or_refused(target, (before.starts_at, before.ends_at), manner, before.id)
        return self._become(before, manner, resource_id=target.id)

    def lock_room(self, reservation_id: str, manner: Manner, *, locked: bool) -> Reservation:
        """Staff pin the room, or let it go."""
        before = reservation_of(self._store, reservation_id)
        return self._become(before, manner, is_locked=locked)

    def change_times(
        self, reservation_id: str, starts_at: float, ends_at: float, manner: Manner
    ) -> Reservation:
        """Another planned stay."""
        before = reservation_of(self._store, reservation_id)
        if ends_at <= starts_at:
            raise Refused("The departure must be after the arrival.")
        if before.resource_id:
            room = self.room(before.enterprise_id, before.resource_id)
            self._free_or_refused(room, (starts_at, ends_at), manner, before.id)
        return self._become(before, manner, starts_at=starts_at, ends_at=ends_at)

    # Odd records

    def make_odd(
        self, reservation_id: str, oddities: dict[str, Any], manner: Manner
    ) -> Reservation:
        """Let the record be answered oddly: see `wire` for the words; {} makes it normal again."""
        before = reservation_of(self._store, reservation_id)
        return self._become(before, manner, oddities=json.dumps(oddities))

    # What all changes share

    def room(self, enterprise_id: str, wanted: str) -> Resource:
        """A room or bed by id or name; Refused if the hotel has none."""
        for one in resources_of(self._store, enterprise_id).values():
            if wanted in {one.id, one.name}:
                return one
        raise Refused(f"There is no room {wanted} in this hotel.")

    def _in(self, reservation_id: str, state: State) -> Reservation:
        one = reservation_of(self._store, reservation_id)
        if one.state != state:
            raise Refused(f"Reservation {one.number} is {one.state}, not {state}.")
        return one

    def _free_or_refused(
        self, room: Resource, times: tuple[float, float], manner: Manner, apart_from: str
    ) -> None:
        starts_at, ends_at = times
        if not manner.force and taken(
            self._store, room.id, starts_at=starts_at, ends_at=ends_at, apart_from=apart_from
        ):
            raise Refused(f"Room {room.name} is taken at that time.")

    def _become(self, before: Reservation, manner: Manner, **values: Value) -> Reservation:
        with self._store.transaction():
            if manner.touch:
                values["updated_at"] = self._at()
            write(self._store, "reservations", before.id, values)
            after = reservation_of(self._store, before.id)
            self._post(after.enterprise_id, [events.reservation_updated(after)], manner)
            return after

    def _post(self, enterprise_id: str, told: Sequence[Event], manner: Manner) -> None:
        if not manner.silent:
            self._outbox.post([enterprise_id], told)

    def _at(self) -> float:
        return float(int(self._clock.now().timestamp()))


def write(store: Store, table: str, row_id: str, values: dict[str, Value]) -> None:
    """Change columns of one row; the names are this package's own."""
    for column, value in values.items():
        store.run(f"UPDATE {table} SET {column} = ? WHERE id = ?", value, row_id)  # noqa: S608
