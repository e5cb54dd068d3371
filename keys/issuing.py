"""The only writer of keys: staff's wishes and reservations become keys, doors, credentials and their places on locks.

Every function owns its transaction, writes history with its actor, marks what must be looked at and rings the bell when
it has committed. Rules kept here:

* Only a switch that was changed is stored: editing a time never holds a door.
* Staff's word survives the PMS, field by field, until they release it.
* A door that a PMS change brings into a keychain inherits the key's hold.
* A code is drawn when the key is made, also when it is held or the lock is offline.
* A code stays reserved on a door until it is known to be off its lock.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, time, timedelta
from functools import partial

from django.db import IntegrityError, transaction

from keys import allocation, bell
from keys.models import (
    Assignment,
    Credential,
    Guest,
    Key,
    KeychainDoor,
    Person,
)
from keys.refusal import Refused
from keys.rules import Permission
from locks.clock import by_rule, zone
from locks.drivers import Kind
from locks.history import Actor, Source, acting, change_in_bulk
from locks.models import Door, DoorLink, Lock, Property
from locks.pulse import bump
from pms.models import Integration, Reservation

__all__ = ["CredentialWish", "DoorWish", "PersonWish", "Refused", "make_key"]
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


def make_key(
    *,
    property: Property,  # noqa: A002 - the field's name
    people: Sequence[PersonWish],
    doors: Sequence[DoorWish],
    starts_at: datetime,
    ends_at: datetime,
    by: Actor,
    now: datetime,
    with_linked_doors: bool = True,
) -> Key:
    """Make a key by hand. Raises Refused, naming the field and the fix; then nothing was made."""
    _check_window(starts_at, ends_at)
    if not people:
        raise Refused("people", "Name at least one person for this key.")
    if not doors:
        raise Refused("doors", "Choose at least one door.")
    for wish in doors:
        _check_door(property, wish)
    with transaction.atomic(), acting(by):
        key = Key(
            property=property,
            label=people[0].name,
            starts_at=starts_at,
            ends_at=ends_at,
            created_at=now,
        )
        key.save()
        wishes = _with_linked(property, doors) if with_linked_doors else list(doors)
        for wish in wishes:
            _join_door(key, wish, now=now)
        for place, wanted in enumerate(people):
            _join_person(key, wanted, is_main=place == 0, now=now)
        _changed(key.property_id)
    return key


def edit_key(
    *,
    key: Key,
    starts_at: datetime | None = None,
    ends_at: datetime | None = None,
    by: Actor,
    now: datetime,
) -> Key:
    """Set the key's window. A time given here is staff's word and survives the PMS. Raises Refused."""
    with transaction.atomic(), acting(by):
        key = _locked(key)
        start, end = starts_at or key.starts_at, ends_at or key.ends_at
        _check_window(start, end)
        from_pms = key.reservation_id is not None
        key.starts_by_staff |= from_pms and start != key.starts_at
        key.ends_by_staff |= from_pms and end != key.ends_at
        key.starts_at, key.ends_at = start, end
        key.save()
        _place(key, now=now)
        _changed(key.property_id)
    return key


def release_times(*, key: Key, by: Actor, now: datetime) -> Key:
    """Give the window back to the PMS: what it says counts again."""
    with transaction.atomic(), acting(by):
        key = _locked(key)
        key.starts_by_staff = key.ends_by_staff = False
        key.starts_at = key.pms_starts_at or key.starts_at
        key.ends_at = key.pms_ends_at or key.ends_at
        key.save()
        _place(key, now=now)
        _changed(key.property_id)
    return key


def default_permission_before_check_in(keychain_door: KeychainDoor) -> bool:
    """How "Write now, before check-in" is preset: ticked when the hold came from an outage or the PMS is not Connected."""
    if keychain_door.permission == Permission.ALLOWED_BEFORE_CHECK_IN:
        return True
    reservation = keychain_door.key.reservation
    if reservation is None:
        return False
    if keychain_door.permission == Permission.HELD_BY_OUTAGE:
        return True
    return reservation.integration.state != Integration.State.CONNECTED


def permission_for(
    keychain_door: KeychainDoor, *, on: bool, before_check_in: bool | None
) -> Permission:
    """The permission that a form with this switch and box means; what was not changed stays as it is."""
    current = Permission(keychain_door.permission)
    if not on:
        return current if not current.is_on else Permission.HELD_BY_STAFF
    if before_check_in is None:
        if current.is_on:
            return current
        before_check_in = default_permission_before_check_in(keychain_door)
    return Permission.ALLOWED_BEFORE_CHECK_IN if before_check_in else Permission.AUTOMATIC


def set_permission(
    *,
    keychain_door: KeychainDoor,
    on: bool,
    before_check_in: bool | None = None,
    by: Actor,
    now: datetime,
) -> KeychainDoor:
    """Switch Allow Provisioning of one door. Nothing is stored, not even history, when nothing changes."""
    with transaction.atomic(), acting(by):
        door = _locked_door(keychain_door)
        _switch(door, on=on, before_check_in=before_check_in, now=now)
        _changed(door.property_id)
    return door


def set_permissions(
    *,
    door_ids: Sequence[int],
    property_id: int | None,
    on: bool,
    before_check_in: bool | None = None,
    by: Actor,
    now: datetime,
) -> list[int]:
    """Switch many doors of keychains at once, each with its historical row; returns the ids that changed.

    Switching on returns doors to the property's rule unless ``before_check_in`` is true. ``property_id`` none means
    support works across hotels. Doors that are on already stay as they are when switched on without the box.
    """
    doors = KeychainDoor.objects.filter(pk__in=door_ids, removed_at=None)
    if property_id is not None:
        doors = doors.filter(property_id=property_id)
    held = [Permission.HELD_BY_STAFF.value, Permission.HELD_BY_OUTAGE.value]
    if on and not before_check_in:
        doors = doors.filter(permission__in=held)
    elif not on:
        doors = doors.exclude(permission__in=held)
    target = Permission.HELD_BY_STAFF
    if on:
        target = (
            Permission.ALLOWED_BEFORE_CHECK_IN if before_check_in else Permission.AUTOMATIC
        )
    with transaction.atomic():
        ids = list(doors.order_by("id").values_list("id", flat=True))
        changed = change_in_bulk(
            model=KeychainDoor,
            ids=ids,
            changes={"permission": target.value, "permission_since": now},
            by=by,
            now=now,
        )
        touched = Assignment.objects.filter(keychain_door_id__in=changed)
        properties = set(touched.values_list("property_id", flat=True))
        touched.update(next_attempt_at=now)
        for each in properties or {property_id}:
            if each is not None:
                _changed(each)
    return changed


def edit_door(
    *,
    keychain_door: KeychainDoor,
    on: bool,
    before_check_in: bool | None = None,
    starts_at: datetime | None = None,
    ends_at: datetime | None = None,
    weekdays: int = ALL_WEEK,
    from_hour: time | None = None,
    to_hour: time | None = None,
    by: Actor,
    now: datetime,
) -> KeychainDoor:
    """Save the Edit Door form: the switch and the door's own window and limits. Raises Refused."""
    with transaction.atomic(), acting(by):
        door = _locked_door(keychain_door)
        key = door.key
        _check_window(starts_at or key.starts_at, ends_at or key.ends_at)
        _check_limits(weekdays, from_hour, to_hour)
        before = (door.starts_at, door.ends_at, door.weekdays, door.from_hour, door.to_hour)
        after = (starts_at, ends_at, weekdays, from_hour, to_hour)
        door.starts_at, door.ends_at, door.weekdays, door.from_hour, door.to_hour = after
        switched = _switch(door, on=on, before_check_in=before_check_in, now=now)
        if before != after and not switched:
            door.save()
        if before != after:
            _place(key, now=now)
        _changed(door.property_id)
    return door


def add_door(*, key: Key, wish: DoorWish, by: Actor, now: datetime) -> KeychainDoor:
    """Add a door to a keychain; all live credentials of the key get a place on it. Raises Refused."""
    _check_door(key.property, wish)
    with transaction.atomic(), acting(by):
        key = _locked(key)
        if key.doors.filter(door=wish.door, removed_at=None).exists():
            raise Refused("doors", f"{wish.door.name} is in this keychain already.")
        door = _join_door(key, wish, now=now)
        _place(key, now=now)
        _changed(key.property_id)
    return door


def remove_door(*, keychain_door: KeychainDoor, by: Actor, now: datetime) -> None:
    """Take a door out of a keychain; what is on its lock is removed from it."""
    with transaction.atomic(), acting(by):
        door = _locked_door(keychain_door)
        _leave_door(door, now=now)
        _changed(door.property_id)


def add_credential(
    *, person: Person, wish: CredentialWish, by: Actor, now: datetime
) -> Credential:
    """Give a person one more kind of credential. Raises Refused."""
    with transaction.atomic(), acting(by):
        key = _locked(person.key)
        if person.credentials.filter(kind=wish.kind, retired_at=None).exists():
            raise Refused("kind", f"This person already has a {wish.kind.value.replace('_', ' ')}.")
        credential = allocation.draw(key=key, person=person, wish=wish, now=now)
        _place(key, now=now)
        _changed(key.property_id)
    return credential


def regenerate(
    *,
    credential: Credential,
    policy: str = Credential.Policy.RANDOM,
    requested: str = "",
    by: Actor,
    now: datetime,
) -> Credential:
    """Draw a new secret for all doors of the key. Raises Refused when a Strict code cannot be had."""
    wish = CredentialWish(kind=Kind(credential.kind), policy=policy, requested=requested)
    with transaction.atomic(), acting(by):
        _locked(credential.key)
        fresh = Credential.objects.select_for_update().get(pk=credential.pk)
        allocation.redraw(credential=fresh, wish=wish, now=now)
        _changed(fresh.property_id)
    return fresh


def revoke(*, key: Key, by: Actor, now: datetime) -> Key:
    """End the key now. Its credentials come off their locks before anything else is written there."""
    with transaction.atomic(), acting(by):
        key = _locked(key)
        _revoke(key, because=Key.Revoked.BY_STAFF, now=now)
        _changed(key.property_id)
    return key


def restore(*, key: Key, by: Actor, now: datetime) -> Key:
    """Take a revocation back: the same codes where they are still free, new ones where not. Raises Refused."""
    with transaction.atomic(), acting(by):
        key = _locked(key)
        if key.revoked_at is None:
            raise Refused("key", "This key is not revoked.")
        _check_window(key.starts_at, key.ends_at)
        key.revoked_at, key.revoked_because = None, ""
        key.save()
        _reserve_again(key, now=now)
        _place(key, now=now)
        _changed(key.property_id)
    return key


# What the functions above share ------------------------------------------------------------------


def _check_window(starts_at: datetime, ends_at: datetime) -> None:
    if starts_at >= ends_at:
        raise Refused("ends_at", "The departure must be after the arrival: choose a later departure.")


def _check_limits(weekdays: int, from_hour: time | None, to_hour: time | None) -> None:
    if not 1 <= weekdays <= ALL_WEEK:
        raise Refused("weekdays", "Choose at least one day of the week.")
    if (from_hour is None) != (to_hour is None):
        raise Refused("to_hour", "Give both hours of the daily limit, or neither.")
    if from_hour is not None and to_hour is not None and from_hour >= to_hour:
        raise Refused("to_hour", "The daily limit must end after it begins.")


def _check_door(property: Property, wish: DoorWish) -> None:  # noqa: A002
    if wish.door.property_id != property.pk or wish.door.archived_at is not None:
        raise Refused("doors", "That door does not exist at this property: choose one from the list.")
    if wish.starts_at and wish.ends_at:
        _check_window(wish.starts_at, wish.ends_at)
    _check_limits(wish.weekdays, wish.from_hour, wish.to_hour)


def _locked(key: Key) -> Key:
    return Key.objects.select_for_update(of=("self",)).select_related("property").get(pk=key.pk)


def _locked_door(keychain_door: KeychainDoor) -> KeychainDoor:
    _locked(keychain_door.key)
    return (
        KeychainDoor.objects.select_for_update(of=("self",))
        .select_related("key__property", "key__reservation__integration", "door")
        .get(pk=keychain_door.pk)
    )


def _changed(property_id: int) -> None:
    bump([property_id])
    transaction.on_commit(partial(bell.ring, "keys.tasks.look_now"))


def _with_linked(property: Property, doors: Sequence[DoorWish]) -> list[DoorWish]:  # noqa: A002
    """The doors asked for, then those that open together with them, each once."""
    wishes = {wish.door.pk: wish for wish in doors}
    for link in linked_doors(property.pk, wishes):
        if link.linked_id not in wishes:
            like = wishes[link.door_id]
            wishes[link.linked_id] = DoorWish(
                door=link.linked,
                allow=like.allow,
                before_check_in=like.before_check_in,
                origin=KeychainDoor.Origin.LINKED,
            )
    return list(wishes.values())


def linked_doors(property_id: int, door_ids: Iterable[int]) -> list[DoorLink]:
    """The links of these doors to doors that are in use, in a stable order."""
    links = DoorLink.objects.filter(
        property_id=property_id, door_id__in=list(door_ids), linked__archived_at=None
    )
    return list(links.select_related("linked").order_by("id"))


def _join_door(
    key: Key, wish: DoorWish, *, now: datetime, outage_id: int | None = None
) -> KeychainDoor:
    permission = Permission.HELD_BY_STAFF
    if wish.allow:
        permission = (
            Permission.ALLOWED_BEFORE_CHECK_IN if wish.before_check_in else Permission.AUTOMATIC
        )
    door = KeychainDoor.objects.filter(key=key, door=wish.door).first()
    door = door or KeychainDoor(property_id=key.property_id, key=key, door=wish.door)
    door.origin, door.removed_at = wish.origin, None
    door.permission, door.permission_since, door.outage = permission, now, None
    if outage_id is not None:
        door.permission, door.outage_id = Permission.HELD_BY_OUTAGE.value, outage_id
    if wish.hold is not None:
        door.permission, door.outage_id = wish.hold.permission, wish.hold.outage_id
    door.starts_at, door.ends_at = wish.starts_at, wish.ends_at
    door.weekdays, door.from_hour, door.to_hour = wish.weekdays, wish.from_hour, wish.to_hour
    door.save()
    return door


def _leave_door(door: KeychainDoor, *, now: datetime) -> None:
    door.removed_at = now
    door.save()
    door.assignments.update(next_attempt_at=now)


def _switch(
    door: KeychainDoor, *, on: bool, before_check_in: bool | None, now: datetime
) -> bool:
    permission = permission_for(door, on=on, before_check_in=before_check_in)
    if permission == door.permission:
        return False
    door.permission, door.permission_since = permission.value, now
    door.save()
    door.assignments.update(next_attempt_at=now)
    return True


def _join_person(key: Key, wanted: PersonWish, *, is_main: bool, now: datetime) -> Person:
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
    _place(key, now=now)
    return person


def _place(key: Key, *, now: datetime) -> None:
    """Give every live credential its place on every door of the key, with the door's window as it is now."""
    doors = list(key.doors.filter(removed_at=None).select_related("door"))
    locks = {lock.door_id: lock for lock in Lock.objects.filter(door__in=[d.door_id for d in doors])}
    existing = {(a.credential_id, a.door_id): a for a in key.assignments.all()}
    live = key.credentials.filter(retired_at=None, person__removed_at=None)
    for credential in live:
        for door in doors:
            found = existing.get((credential.pk, door.door_id))
            lock = locks.get(door.door_id)
            if found is None:
                _new_place(key, credential, door, lock, now=now)
            else:
                _same_place(found, key, credential, door, lock, now=now)


def _window(key: Key, door: KeychainDoor) -> tuple[datetime, datetime]:
    starts_at, ends_at = door.starts_at or key.starts_at, door.ends_at or key.ends_at
    return (starts_at, ends_at) if starts_at < ends_at else (key.starts_at, key.ends_at)


def _new_place(
    key: Key, credential: Credential, door: KeychainDoor, lock: Lock | None, *, now: datetime
) -> None:
    starts_at, ends_at = _window(key, door)
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
    starts_at, ends_at = _window(key, door)
    rewrite = (place.starts_at, place.ends_at) != (starts_at, ends_at)
    place.starts_at, place.ends_at = starts_at, ends_at
    place.revision += int(rewrite)
    if place.lock_id is None and lock is not None:
        place.lock, place.writer_id = lock, lock.writer_id
    place.next_attempt_at = now
    place.save(
        update_fields=["starts_at", "ends_at", "revision", "lock", "writer", "next_attempt_at"]
    )


def _revoke(key: Key, *, because: str, now: datetime) -> None:
    if key.revoked_at is not None:
        return
    key.revoked_at, key.revoked_because = now, because
    key.save()
    key.assignments.update(next_attempt_at=now)


def _reserve_again(key: Key, *, now: datetime) -> None:
    """Take the key's codes back for its doors; a code that another guest was given meanwhile is drawn anew."""
    for credential in key.credentials.filter(retired_at=None):
        places = credential.assignments.filter(reserved_digest=None)
        try:
            with transaction.atomic():
                places.update(reserved_digest=credential.secret_digest, next_attempt_at=now)
        except IntegrityError:
            allocation.replace(credential=credential, because=None, now=now)
            places.update(reserved_digest=credential.secret_digest, next_attempt_at=now)




# Reservations become keys ------------------------------------------------------------------------

VOID = {
    Reservation.State.CANCELLED: Key.Revoked.CANCELLED,
    Reservation.State.NO_SHOW: Key.Revoked.NO_SHOW,
    Reservation.State.DELETED: Key.Revoked.DELETED,
}
ALIVE = {Reservation.State.EXPECTED, Reservation.State.IN_HOUSE}
FROM_RESERVATION = (CredentialWish(kind=Kind.DOOR_CODE), CredentialWish(kind=Kind.SMARTKEY))


def follow(*, reservation: Reservation, now: datetime) -> Key | None:
    """Make the key of a reservation agree with it: window, doors, people, revocation, departure.

    A tentative or not understood reservation makes no key and changes none. In Setup Mode nothing is made. Safe to
    repeat: what agrees already is left alone. Returns the key, or none where the reservation has none.
    """
    by = Actor(source=Source.PMS, label=reservation.integration.adapter.title())
    with transaction.atomic(), acting(by):
        stay = (
            Reservation.objects.select_for_update(of=("self",))
            .select_related("property", "integration")
            .get(pk=reservation.pk)
        )
        key = Key.objects.select_related("property").filter(reservation=stay).first()
        if key is None:
            key = _key_for(stay, now=now)
        else:
            _follow(_locked(key), stay, now=now)
        Reservation.objects.filter(pk=stay.pk, changed_at=stay.changed_at).update(
            followed_at=stay.changed_at
        )
        _changed(stay.property_id)
    return key


def _key_for(stay: Reservation, *, now: datetime) -> Key | None:
    starts_at, ends_at = window_of(stay)
    if stay.state not in ALIVE or stay.property.mode != Property.Mode.LIVE or ends_at <= now:
        return None
    key = Key(
        property=stay.property,
        reservation=stay,
        label=stay.guest_name or f"Reservation {stay.number}",
        starts_at=starts_at,
        ends_at=ends_at,
        pms_starts_at=starts_at,
        pms_ends_at=ends_at,
        created_at=now,
    )
    key.save()
    held = _held_by_outage(stay)
    for wish in doors_of(stay):
        _join_door(key, wish, now=now, outage_id=held)
    _join_person(key, _main_person(stay), is_main=True, now=now)
    _follow_companions(key, stay, now=now)
    return key


def _held_by_outage(stay: Reservation) -> int | None:
    """The outage that holds a new key: the stay came in while the PMS was broken and the property holds those."""
    holds = stay.property.after_outage == Property.AfterOutage.HOLD
    return stay.came_in_during_id if holds else None


def window_of(stay: Reservation) -> tuple[datetime, datetime]:
    """The window that the PMS means: exact times if it gives them, else its dates at the door's or property's times.

    A guest who checks in at the desk before the start may enter from then on.
    """
    tz = zone(stay.property.timezone)
    door = _room_door(stay)
    arrival = (door and door.arrival_time) or stay.property.arrival_time
    departure = (door and door.departure_time) or stay.property.departure_time
    starts_at = stay.arrival_at or by_rule(stay.arrival_on, arrival, tz, later=False)
    ends_at = stay.departure_at or by_rule(stay.departure_on, departure, tz, later=True)
    if ends_at <= starts_at:
        ends_at = by_rule(stay.arrival_on + timedelta(days=1), departure, tz, later=True)
    if stay.checked_in_at is not None and stay.checked_in_at < starts_at:
        starts_at = stay.checked_in_at
    return starts_at, ends_at


def _room_door(stay: Reservation) -> Door | None:
    if not stay.room_ref:
        return None
    mapped = Door.objects.filter(
        room_doors__integration_id=stay.integration_id,
        room_doors__room_ref=stay.room_ref,
        archived_at=None,
    )
    return mapped.order_by("id").first()


def doors_of(stay: Reservation) -> list[DoorWish]:
    """The doors that this stay opens now: those mapped to its room, and those linked to them."""
    mapped = Door.objects.filter(
        room_doors__integration_id=stay.integration_id,
        room_doors__room_ref=stay.room_ref,
        archived_at=None,
    ).order_by("id")
    rooms = [DoorWish(door=d, origin=KeychainDoor.Origin.ROOM) for d in mapped.distinct()]
    return _with_linked(stay.property, rooms)


def _main_person(stay: Reservation) -> PersonWish:
    return PersonWish(
        name=stay.guest_name or f"Reservation {stay.number}",
        email=stay.guest_email,
        phone=stay.guest_phone,
        external_id=stay.guest_ref,
        credentials=FROM_RESERVATION,
    )


def _follow(key: Key, stay: Reservation, *, now: datetime) -> None:
    if stay.state in VOID:
        _revoke(key, because=VOID[Reservation.State(stay.state)], now=now)
        return
    if stay.state not in ALIVE | {Reservation.State.DEPARTED}:
        return
    if key.revoked_at is not None and key.revoked_because != Key.Revoked.BY_STAFF:
        key.revoked_at, key.revoked_because = None, ""
        _reserve_again(key, now=now)
    key.departed_at = (stay.departed_at or now) if stay.state == stay.State.DEPARTED else None
    key.label = stay.guest_name or key.label
    _follow_times(key, stay)
    key.save()
    _follow_guest(key, stay)
    _follow_doors(key, stay, now=now)
    _follow_companions(key, stay, now=now)
    _reserve_again(key, now=now)
    _place(key, now=now)


def _follow_times(key: Key, stay: Reservation) -> None:
    starts_at, ends_at = window_of(stay)
    key.pms_starts_at, key.pms_ends_at = starts_at, ends_at
    new_start = key.starts_at if key.starts_by_staff else starts_at
    new_end = key.ends_at if key.ends_by_staff else ends_at
    if new_start < new_end:
        key.starts_at, key.ends_at = new_start, new_end


def _follow_guest(key: Key, stay: Reservation) -> None:
    Guest.objects.filter(people__key=key, people__is_main=True, erased_at=None).exclude(
        name=stay.guest_name
    ).update(name=stay.guest_name or key.label, external_id=stay.guest_ref)


def _follow_doors(key: Key, stay: Reservation, *, now: datetime) -> None:
    """Room moves: doors that the PMS no longer means leave, new ones come with the key's hold; staff's own doors stay."""
    if not stay.room_ref and stay.checked_in_at is not None:
        return
    wanted = {wish.door.pk: wish for wish in doors_of(stay)}
    present = {door.door_id: door for door in key.doors.filter(removed_at=None)}
    hold = next((d for d in present.values() if not Permission(d.permission).is_on), None)
    for door_id, wish in wanted.items():
        if door_id not in present:
            _join_door(key, replace(wish, hold=hold), now=now)
    for door_id, door in present.items():
        if door_id not in wanted and door.origin != KeychainDoor.Origin.STAFF:
            _leave_door(door, now=now)


def _follow_companions(key: Key, stay: Reservation, *, now: datetime) -> None:
    """Companions get or lose their own credentials, and nobody else's."""
    wanted = {str(c["ref"]): str(c["name"]) for c in stay.companions if c.get("ref")}
    present = {
        person.guest.external_id: person
        for person in key.people.select_related("guest").filter(is_main=False)
    }
    for ref, name in wanted.items():
        person = present.get(ref)
        if person is None:
            wish = PersonWish(name=name, external_id=ref, credentials=FROM_RESERVATION)
            _join_person(key, wish, is_main=False, now=now)
        elif person.removed_at is not None:
            Person.objects.filter(pk=person.pk).update(removed_at=None)
    gone = [p.pk for ref, p in present.items() if ref and ref not in wanted]
    Person.objects.filter(pk__in=gone, removed_at=None).update(removed_at=now)
    Assignment.objects.filter(credential__person_id__in=gone).update(next_attempt_at=now)
