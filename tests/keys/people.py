"""A small hotel on the fake wall and its people: everything that staff, guests and the PMS do in a random sequence."""

from __future__ import annotations

import contextlib
import random
import time
from collections import Counter
from datetime import timedelta
from typing import Any

from keys import issuing
from keys.following import follow
from keys.keychain import DoorWish
from keys.models import Key, KeychainDoor
from keys.provisioning import ask_again
from keys.refusal import Refused
from keys.swapping import swap_lock
from locks.drivers import Kind
from locks.models import Lock
from pms.models import Integration, Reservation, RoomDoor
from tests.factories import (
    BY,
    AccountFactory,
    DoorFactory,
    GatewayFactory,
    LockFactory,
    PropertyFactory,
    key_for,
)
from tests.keys.wall import START, Clock, FakeLock, Wall

SLOTS = 30


class People:
    """A small hotel on the wall, and what its guests, its staff and its PMS do."""

    wall_of: type[Wall] = Wall
    has_slots = True
    """Whether one of its locks has numbered places, which a vendor that answers later never has."""

    looks = 80
    """In so many looks of a worker all must have settled at the end."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.clock = Clock()
        self.wall = self.wall_of(self.clock, self.rng)
        self.steps: Counter[str] = Counter()
        self.trace: list[str] = []
        self.property = PropertyFactory(name=f"Hotel of seed {seed} {time.monotonic_ns()}")
        self.account = AccountFactory(property=self.property)
        self.gateway = GatewayFactory(account=self.account, external_id="G")
        self.doors = [DoorFactory(property=self.property) for _ in range(4)]
        self.lock_ids: dict[str, int] = {}
        for number, door in enumerate(self.doors[:3]):
            self._hang_up(number, door)
        self._hang_up(3, None)
        self.stays: list[Reservation] = []
        self._connect_pms()
        self.batch = self.rng.choice((1, 1, 3))
        self.signals = self.rng.random() < 0.7

    def _hang_up(self, number: int, door: Any) -> None:
        ref, native = f"L{number}", number != 2
        gateway = None if number == 0 else self.gateway
        lock = LockFactory(
            account=self.account,
            door=door,
            external_id=ref,
            gateway=gateway,
            native_window=native,
            **({"first_slot": 1, "max_codes": SLOTS} if number == 2 and self.has_slots else {}),
        )
        self.lock_ids[ref] = lock.pk
        scope = "gateway" if gateway else ref
        masked = number == 1 and self.rng.random() < 0.3
        room = self.rng.choice((1000, 2, 3)) if number == 0 else 1000
        self.wall.locks[ref] = FakeLock(
            ref, scope, native, masked, room, slotted=number == 2 and self.has_slots
        )

    def _connect_pms(self) -> None:
        self.integration = Integration.objects.create(
            property=self.property,
            adapter="cloudbeds",
            state=Integration.State.CONNECTED,
            state_since=START,
        )
        for number in (0, 2):
            RoomDoor.objects.create(
                property=self.property,
                integration=self.integration,
                room_ref=f"R{number}",
                door=self.doors[number],
            )

    # What people do -----------------------------------------------------------------------------------

    def swap_lock(self) -> None:
        """A door gets the lock that hangs nowhere; nobody empties the old one."""
        now = self.clock()
        hung = Lock.objects.filter(property=self.property, door__isnull=False).order_by("id")
        free = Lock.objects.get(property=self.property, door=None)
        with contextlib.suppress(Refused):
            old = self.rng.choice(list(hung))
            swap_lock(old=old, new=free, was_reset=False, by=BY, now=now)
            self.wall.fired["lock swapped"] += 1

    def _keys(self) -> list[Key]:
        return list(Key.objects.filter(property=self.property).order_by("id"))

    def _a_key(self, **having: Any) -> Key | None:
        keys = list(Key.objects.filter(property=self.property, **having).order_by("id"))
        return self.rng.choice(keys) if keys else None

    def _a_door(self) -> KeychainDoor | None:
        doors = list(
            KeychainDoor.objects.filter(property=self.property, removed_at=None).order_by("id")
        )
        return self.rng.choice(doors) if doors else None

    def make_key(self) -> None:
        if len(self._keys()) >= 5:
            return
        now = self.clock()
        doors = self.rng.sample(self.doors, self.rng.randint(1, 3))
        starts_at = now + timedelta(minutes=self.rng.choice((-60, -60, 30)))
        ends_at = starts_at + timedelta(hours=self.rng.choice((1.2, 3, 40)))
        kinds = self.rng.choice(((Kind.DOOR_CODE,), (Kind.DOOR_CODE, Kind.SMARTKEY)))
        key_for(
            *doors,
            starts_at=starts_at,
            ends_at=max(ends_at, now + timedelta(minutes=5)),
            allow=self.rng.random() < 0.8,
            kinds=kinds,
            at=now,
        )

    def book(self) -> None:
        if len(self.stays) >= 2:
            return
        now = self.clock()
        starts_at = now + timedelta(minutes=self.rng.choice((-30, 20)))
        ends_at = starts_at + timedelta(hours=self.rng.choice((2, 50)))
        stay = Reservation.objects.create(
            property=self.property,
            integration=self.integration,
            external_id=f"S{len(self.stays)}",
            booking_ref="B",
            number=f"N{len(self.stays)}",
            state=Reservation.State.EXPECTED,
            guest_name="Grace Example",
            room_ref=f"R{self.rng.choice((0, 2))}",
            arrival_on=starts_at.date(),
            departure_on=ends_at.date(),
            arrival_at=starts_at,
            departure_at=ends_at,
            read_at=now,
            first_seen_at=now,
            changed_at=now,
            fingerprint="",
        )
        self.stays.append(stay)
        follow(reservation=stay, now=self.clock())

    def _change_stay(self, **changes: Any) -> None:
        if not self.stays:
            return
        stay = self.rng.choice(self.stays)
        for name, value in changes.items():
            setattr(stay, name, value)
        stay.changed_at = self.clock()
        stay.save()
        follow(reservation=stay, now=self.clock())

    def check_in(self) -> None:
        self._change_stay(state=Reservation.State.IN_HOUSE, checked_in_at=self.clock())

    def undo_check_in(self) -> None:
        self._change_stay(state=Reservation.State.EXPECTED, checked_in_at=None)

    def cancel(self) -> None:
        self._change_stay(state=Reservation.State.CANCELLED)

    def move_room(self) -> None:
        self._change_stay(room_ref=self.rng.choice(("R0", "R2")))

    def switch_off(self) -> None:
        door = self._a_door()
        if door is not None:
            issuing.set_permission(keychain_door=door, on=False, by=BY, now=self.clock())

    def switch_on(self) -> None:
        door = self._a_door()
        if door is not None:
            box = self.rng.choice((None, True, False))
            issuing.set_permission(
                keychain_door=door, on=True, before_check_in=box, by=BY, now=self.clock()
            )

    def revoke(self) -> None:
        key = self._a_key(revoked_at=None)
        if key is not None:
            issuing.revoke(key=key, by=BY, now=self.clock())

    def restore(self) -> None:
        key = self._a_key(revoked_at__isnull=False)
        if key is not None:
            with contextlib.suppress(Refused):
                issuing.restore(key=key, by=BY, now=self.clock())

    def change_window(self) -> None:
        key = self._a_key(revoked_at=None)
        if key is not None:
            by = timedelta(minutes=self.rng.choice((-40, 25, 90)))
            with contextlib.suppress(Refused):
                issuing.edit_key(key=key, ends_at=key.ends_at + by, by=BY, now=self.clock())

    def regenerate(self) -> None:
        key = self._a_key(revoked_at=None)
        credential = key.credentials.order_by("id").first() if key else None
        if credential is not None:
            issuing.regenerate(credential=credential, by=BY, now=self.clock())

    def add_door(self) -> None:
        key = self._a_key(revoked_at=None)
        if key is not None:
            with contextlib.suppress(Refused):
                wish = DoorWish(door=self.rng.choice(self.doors))
                issuing.add_door(key=key, wish=wish, by=BY, now=self.clock())

    def remove_door(self) -> None:
        door = self._a_door()
        if door is not None:
            issuing.remove_door(keychain_door=door, by=BY, now=self.clock())

    def lose_pms(self) -> None:
        self._pms(Integration.State.BROKEN)

    def find_pms(self) -> None:
        self._pms(Integration.State.CONNECTED)

    def _pms(self, state: str) -> None:
        self.integration.state = state
        self.integration.save()
        ask_again(property_id=self.property.pk, now=self.clock())
