"""The parts that keys are made of: doors joining and leaving a keychain, people, and each credential's place on each lock.

Shared by issuing (what staff wish) and following (what the PMS says). Every function here runs inside its caller's
transaction.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, time
from functools import partial
from typing import NamedTuple

from django.db import IntegrityError, transaction
from django.db.models import Q, QuerySet

from keys import allocation
from keys.ledger import mark, next_mark
from keys.models import Assignment, Credential, Guest, Key, KeychainDoor, Person
from keys.refusal import Refused
from keys.rules import Permission
from locks.bell import ring
from locks.clock import on_the_hour, zone
from locks.drivers import Kind
from locks.models import Door, DoorLink, Lock, Property
from locks.pulse import bump

ALL_WEEK = 127


@dataclass(frozen=True, slots=True, kw_only=True)
class CredentialWish:
    """A credential someone wants. ``requested`` is the code for Preferred and Strict."""

    kind: Kind
    policy: str = Credential.Policy.RANDOM
    requested: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonWish:
    """A person of the key and what they shall hold."""

    name: str
    email: str = field(default="", repr=False)
    phone: str = field(default="", repr=False)
    external_id: str = ""
    credentials: tuple[CredentialWish, ...] = (CredentialWish(kind=Kind.DOOR_CODE),)


@dataclass(frozen=True, slots=True, kw_only=True)
class DoorWish:
    """A door of the key. Own times and limits are none where the key's count."""

    door: Door
    allow: bool = True
    before_check_in: bool = False
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    weekdays: int = ALL_WEEK
    from_hour: time | None = None
    to_hour: time | None = None
    origin: str = KeychainDoor.Origin.STAFF
    hold: KeychainDoor | None = None


def check_window(starts_at: datetime, ends_at: datetime) -> None:
    if starts_at >= ends_at:
        raise Refused(
            "ends_at", "The departure must be after the arrival: choose a later departure."
        )


def check_limits(weekdays: int, from_hour: time | None, to_hour: time | None) -> None:
    if not 1 <= weekdays <= ALL_WEEK:
        raise Refused("weekdays", "Choose at least one day of the week.")
    if (from_hour is None) != (to_hour is None):
        raise Refused("to_hour", "Give both hours of the daily limit, or neither.")
    if from_hour is not None and to_hour is not None and from_hour >= to_hour:
        raise Refused("to_hour", "The daily limit must end after it begins.")


def check_door(property: Property, wish: DoorWish) -> None:  # noqa: A002
    if wish.door.property_id != property.pk or wish.door.archived_at is not None:
        raise Refused(
            "doors", "That door does not exist at this property: choose one from the list."
        )
    if wish.starts_at and wish.ends_at:
        check_window(wish.starts_at, wish.ends_at)
    check_limits(wish.weekdays, wish.from_hour, wish.to_hour)


def locked(key: Key) -> Key:
    rows = Key.objects.select_for_update(of=("self",), no_key=True).select_related("property")
    return rows.get(pk=key.pk)


def locked_door(keychain_door: KeychainDoor) -> KeychainDoor:
    locked(keychain_door.key)
    return (
        KeychainDoor.objects.select_for_update(of=("self",), no_key=True)
        .select_related("key__property", "key__reservation__integration", "door")
        .get(pk=keychain_door.pk)
    )


class LockedDoor(NamedTuple):
    """A door of a keychain that is locked until the transaction ends."""

    id: int
    key_id: int
    property_id: int


def locked_doors(doors: QuerySet[KeychainDoor]) -> list[LockedDoor]:
    """These doors of any keys, which are locked before their doors are; those that still match by then."""
    keys = Key.objects.filter(pk__in=doors.values("key_id"))
    list(keys.select_for_update(of=("self",), no_key=True).order_by("id").values_list("id"))
    rows = doors.select_for_update(of=("self",), no_key=True).order_by("id")
    return [LockedDoor._make(row) for row in rows.values_list("id", "key_id", "property_id")]


def locked_places(key: Key) -> list[Assignment]:
    """All places of a key, locked by id as delivery locks them."""
    return list(key.assignments.select_for_update(of=("self",), no_key=True).order_by("id"))


def changed(property_id: int) -> None:
    bump([property_id])
    transaction.on_commit(partial(ring, "keys.tasks.look_now"))


def with_linked(property: Property, doors: Sequence[DoorWish]) -> list[DoorWish]:  # noqa: A002
    """The doors asked for, then those that open together with them, each once.

    With a room's door that is also every common door without rooms, if the property chose so.
    """
    wishes = {wish.door.pk: wish for wish in doors}
    for link in linked_doors(property.pk, wishes):
        wishes.setdefault(link.linked_id, _together(link.linked, wishes[link.door_id]))
    of_a_room = next((wish for wish in doors if wish.door.type in Door.OF_A_ROOM), None)
    if of_a_room is not None and property.common_doors == Property.CommonDoors.ALL:
        for door in doors_without_rooms(property.pk):
            wishes.setdefault(door.pk, _together(door, of_a_room))
    return list(wishes.values())


def _together(door: Door, like: DoorWish) -> DoorWish:
    return DoorWish(
        door=door,
        allow=like.allow,
        before_check_in=like.before_check_in,
        origin=KeychainDoor.Origin.LINKED,
    )


def doors_without_rooms(property_id: int) -> list[Door]:
    """The common doors in use to which no door is linked and no room of the PMS is mapped: a property chooses for them."""
    doors = Door.objects.filter(property_id=property_id, archived_at=None)
    bare = doors.filter(links_to_me=None, room_doors=None).exclude(type__in=Door.OF_A_ROOM)
    return list(bare.order_by("id"))


def linked_doors(property_id: int, door_ids: Iterable[int]) -> list[DoorLink]:
    """The links of these doors to doors that are in use, in a stable order."""
    links = DoorLink.objects.filter(
        property_id=property_id, door_id__in=list(door_ids), linked__archived_at=None
    )
    return list(links.select_related("linked").order_by("id"))


def join_door(
    key: Key, wish: DoorWish, *, now: datetime, outage_id: int | None = None
) -> KeychainDoor:
    permission = Permission.HELD_BY_STAFF
    if wish.allow:
        permission = (
            Permission.ALLOWED_BEFORE_CHECK_IN if wish.before_check_in else Permission.AUTOMATIC
        )
    door = KeychainDoor.objects.filter(key=key, door=wish.door).first()
    door = door or KeychainDoor(property_id=key.property_id, key=key, door=wish.door)
    door.origin, door.removed_at, door.removed_by_staff = wish.origin, None, False
    door.leaving_since = None
    door.permission, door.permission_since, door.outage = permission, now, None
    if outage_id is not None:
        door.permission, door.outage_id = Permission.HELD_BY_OUTAGE.value, outage_id
    if wish.hold is not None:
        door.permission, door.outage_id = wish.hold.permission, wish.hold.outage_id
    door.starts_at, door.ends_at = wish.starts_at, wish.ends_at
    door.weekdays, door.from_hour, door.to_hour = wish.weekdays, wish.from_hour, wish.to_hour
    door.save()
    return door


def leave_door(door: KeychainDoor, *, now: datetime, by_staff: bool = False) -> None:
    """Take a door out of its keychain. What staff take out though the PMS means it stays out until they add it again or
    the PMS means another."""
    door.leaving_since, door.removed_at = None, now
    door.removed_by_staff = by_staff and door.origin != KeychainDoor.Origin.STAFF
    door.save()
    mark(door.assignments.all(), now=now)


def join_person(key: Key, wanted: PersonWish, *, is_main: bool, now: datetime) -> Person:
    guest = Guest.objects.create(
        property_id=key.property_id,
        name=wanted.name,
        email=wanted.email,
        phone=wanted.phone,
        external_id=wanted.external_id,
    )
    person = Person.objects.create(
        property_id=key.property_id, key=key, guest=guest, is_main=is_main
    )
    for wish in wanted.credentials:
        allocation.draw(key=key, person=person, wish=wish, now=now)
    place(key, now=now)
    return person


def place(key: Key, *, now: datetime) -> None:
    """Give every live credential its place on every door of the key, with the door's window as it is now."""
    doors = list(key.doors.filter(removed_at=None).select_related("door"))
    locks = {
        lock.door_id: lock for lock in Lock.objects.filter(door__in=[d.door_id for d in doors])
    }
    existing = {(a.credential_id, a.door_id): a for a in locked_places(key)}
    live = key.credentials.filter(retired_at=None, person__removed_at=None)
    for credential in live:
        for door in doors:
            found = existing.get((credential.pk, door.door_id))
            lock = locks.get(door.door_id)
            if found is None:
                _new_place(key, credential, door, lock, now=now)
            else:
                _same_place(found, key, credential, door, lock, now=now)
    if key.revoked_at is None and key.departed_at is None and key.ends_at > now:
        reserve_again(key, now=now)  # a door that came back, or a stay that was over and is longer


def window_of_door(key: Key, door: KeychainDoor) -> tuple[datetime, datetime]:
    """When a door of a key is to open: its own times, or the key's."""
    starts_at, ends_at = door.starts_at or key.starts_at, door.ends_at or key.ends_at
    return (starts_at, ends_at) if starts_at < ends_at else (key.starts_at, key.ends_at)


def _window(key: Key, door: KeychainDoor, lock: Lock | None) -> tuple[datetime, datetime]:
    """The window that its lock gets."""
    window, hotel = window_of_door(key, door), key.property
    if lock is None or not lock.whole_hours or hotel.whole_hours != Property.WholeHours.ROUND:
        return window
    return on_the_hour(*window, zone(hotel.timezone))


def _new_place(
    key: Key, credential: Credential, door: KeychainDoor, lock: Lock | None, *, now: datetime
) -> None:
    starts_at, ends_at = _window(key, door, lock)
    place = Assignment(
        property_id=key.property_id,
        key=key,
        credential=credential,
        keychain_door=door,
        door_id=door.door_id,
        lock=lock,
        writer_id=lock.writer_id if lock else None,
        kind=credential.kind,
        reserved_digest=credential.secret_digest,
        starts_at=starts_at,
        ends_at=ends_at,
        next_attempt_at=now,
    )
    taken = allocation.holder_of(
        key=key,
        kind=credential.kind,
        secret_digest=credential.secret_digest,
        except_credential=credential.pk,
    )
    if taken is not None:
        allocation.replace(credential=credential, because=door.door, now=now)
        place.reserved_digest = credential.secret_digest
    place.save()


def _same_place(
    place: Assignment,
    key: Key,
    credential: Credential,
    door: KeychainDoor,
    lock: Lock | None,
    *,
    now: datetime,
) -> None:
    starts_at, ends_at = _window(key, door, lock)
    rewrite = (place.starts_at, place.ends_at) != (starts_at, ends_at)
    place.starts_at, place.ends_at = starts_at, ends_at
    place.revision += int(rewrite)
    if place.lock_id is None and lock is not None:
        place.lock, place.writer_id = lock, lock.writer_id
    place.next_attempt_at = next_mark(place.next_attempt_at, now)
    place.save(
        update_fields=["starts_at", "ends_at", "revision", "lock", "writer", "next_attempt_at"]
    )


def end_by_revoking(key: Key, *, because: str, now: datetime) -> None:
    if key.revoked_at is not None:
        return
    key.revoked_at, key.revoked_because = now, because
    key.save()
    mark(key.assignments.all(), now=now)


def reserve_again(key: Key, *, now: datetime) -> None:
    """Take the key's codes back for its doors; a code that another guest was given meanwhile is drawn anew."""
    locked_places(key)
    for credential in key.credentials.filter(retired_at=None):
        places = credential.assignments.filter(
            Q(reserved_digest=None) | Q(reserved_digest__startswith="stray:"),
            keychain_door__removed_at=None,
        )
        try:
            with transaction.atomic():
                mark(places, now=now, reserved_digest=credential.secret_digest, own_secret=None)
        except IntegrityError:
            allocation.replace(credential=credential, because=None, now=now)
            mark(places, now=now, reserved_digest=credential.secret_digest, own_secret=None)
