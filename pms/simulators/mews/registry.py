"""The hotel's files apart from reservations: guests and their places, rooms, blocks."""

from __future__ import annotations

from uuid import uuid4

from pms.simulators.mews import events
from pms.simulators.mews.desk import write
from pms.simulators.mews.events import Event
from pms.simulators.mews.ledger import write_companionship, write_customer
from pms.simulators.mews.outbox import Announcer
from pms.simulators.mews.records import (
    Customer,
    Reservation,
    Resource,
    companions_of,
    customer_of,
    enterprise_of,
    enterprises,
    guests_of,
    reservation_of,
    resources_of,
)
from pms.simulators.shared.clock import Clock
from pms.simulators.shared.people import Person
from pms.simulators.shared.store import Store, Value
from pms.simulators.shared.wishes import Manner, Refused


class Registry:
    """Changes that leave the reservation itself as it is, and its stamp of change too."""

    def __init__(self, *, store: Store, clock: Clock, outbox: Announcer) -> None:
        """Everything is shared with the rest of the simulator."""
        self._store = store
        self._clock = clock
        self._outbox = outbox

    def add_guest(
        self, reservation_id: str, person: Person, manner: Manner, *, whole_group: bool = False
    ) -> Reservation:
        """A companion for one reservation, or for all of its group."""
        one = reservation_of(self._store, reservation_id)
        hotel = enterprise_of(self._store, one.enterprise_id)
        with self._store.transaction():
            customer_id = write_customer(self._store, hotel.chain_id, person, self._at())
            write_companionship(
                self._store,
                hotel,
                customer_id=customer_id,
                group_id=one.group_id,
                reservation_id=None if whole_group else one.id,
                at=self._at(),
            )
            told = events.customer_added(customer_of(self._store, customer_id))
            self._tell_hotel(one, told, manner)
        return one

    def remove_guest(self, reservation_id: str, guest_id: str, manner: Manner) -> Reservation:
        """A companion does not come."""
        one = reservation_of(self._store, reservation_id)
        for companion in companions_of(self._store, one):
            if companion.customer_id == guest_id:
                self._store.run("DELETE FROM companionships WHERE id = ?", companion.id)
                self._tell_hotel(one, [events.reservation_updated(one)], manner)
                return one
        raise Refused(f"{one.number} has no companion {guest_id}.")

    def change_guest(
        self, reservation_id: str, guest_id: str, person: Person, manner: Manner
    ) -> Reservation:
        """Another name or other contacts; an empty guest id means the first guest."""
        one, guest = self._guest(reservation_id, guest_id)
        given = {"first": person.first, "last": person.last}
        given |= {"email": person.email, "phone": person.phone}
        self._change(guest, {name: text for name, text in given.items() if text}, manner)
        return one

    def anonymise(self, reservation_id: str, guest_id: str, manner: Manner) -> Reservation:
        """The guest's data are deleted; the profile stays."""
        one, guest = self._guest(reservation_id, guest_id)
        gone = dict.fromkeys(("first", "email", "phone", "language"))
        self._change(guest, {**gone, "last": "Anonymized", "is_active": 0}, manner)
        return one

    def merge(
        self, reservation_id: str, guest_id: str, person: Person, manner: Manner
    ) -> Reservation:
        """The profile was a double: it points to another one, which this makes."""
        one, guest = self._guest(reservation_id, guest_id)
        with self._store.transaction():
            kept = write_customer(self._store, guest.chain_id, person, self._at())
            self._change(guest, {"merge_target_id": kept, "is_active": 0}, manner)
            self._tell_chain(guest, events.customer_added(customer_of(self._store, kept)), manner)
        return one

    def change_room(
        self, enterprise_id: str, wanted: str, values: dict[str, Value], manner: Manner
    ) -> Resource:
        """Another name or state, or no longer in use."""
        room = self._room(enterprise_id, wanted)
        write(self._store, "resources", room.id, {**values, "updated_at": self._at()})
        after = self._room(enterprise_id, room.id)
        if not manner.silent:
            self._outbox.post([enterprise_id], [events.resource_updated(after)])
        return after

    def block(
        self,
        enterprise_id: str,
        wanted: str,
        *,
        kind: str,
        name: str,
        times: tuple[float, float],
        manner: Manner,
    ) -> str:
        """Take a room out of sale; says the block's id."""
        room, block_id = self._room(enterprise_id, wanted), str(uuid4())
        self._store.insert(
            "blocks",
            id=block_id,
            enterprise_id=enterprise_id,
            resource_id=room.id,
            type=kind,
            name=name,
            starts_at=times[0],
            ends_at=times[1],
            created_at=self._at(),
            updated_at=self._at(),
        )
        if not manner.silent:
            self._outbox.post([enterprise_id], [events.block_updated(block_id)])
        return block_id

    def unblock(self, block_id: str, manner: Manner) -> None:
        """Put the room back."""
        row = self._store.row("SELECT enterprise_id FROM blocks WHERE id = ?", block_id)
        if row is None:
            raise Refused(f"There is no block {block_id}.")
        gone: dict[str, Value] = {"is_active": 0, "deleted_at": self._at()}
        write(self._store, "blocks", block_id, {**gone, "updated_at": self._at()})
        if not manner.silent:
            self._outbox.post([row["enterprise_id"]], [events.block_updated(block_id)])

    def _guest(self, reservation_id: str, guest_id: str) -> tuple[Reservation, Customer]:
        one = reservation_of(self._store, reservation_id)
        for guest in guests_of(self._store, one):
            if guest_id in {"", guest.id}:
                return one, guest
        raise Refused(f"{one.number} has no guest {guest_id}.")

    def _change(self, guest: Customer, values: dict[str, Value], manner: Manner) -> None:
        if manner.touch:
            values = {**values, "updated_at": self._at()}
        write(self._store, "customers", guest.id, values)
        after = customer_of(self._store, guest.id)
        self._tell_chain(after, [events.customer_updated(after)], manner)

    def _tell_chain(self, guest: Customer, told: list[Event], manner: Manner) -> None:
        hotels = [one.id for one in enterprises(self._store) if one.chain_id == guest.chain_id]
        if not manner.silent:
            self._outbox.post(hotels, told)

    def _tell_hotel(self, one: Reservation, told: list[Event], manner: Manner) -> None:
        if not manner.silent:
            self._outbox.post([one.enterprise_id], told)

    def _room(self, enterprise_id: str, wanted: str) -> Resource:
        for one in resources_of(self._store, enterprise_id).values():
            if wanted in {one.id, one.name}:
                return one
        raise Refused(f"There is no room {wanted} in this hotel.")

    def _at(self) -> float:
        return float(int(self._clock.now().timestamp()))
