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

from collections.abc import Sequence
from datetime import datetime, time

from django.db import transaction
from django.db.models import QuerySet

from keys import allocation, whole_hours
from keys.keychain import (
    ALL_WEEK,
    CredentialWish,
    DoorWish,
    LockedDoor,
    PersonWish,
    changed,
    check_door,
    check_limits,
    check_window,
    end_by_revoking,
    join_door,
    join_person,
    leave_door,
    locked,
    locked_door,
    locked_doors,
    place,
    reserve_again,
    with_linked,
)
from keys.ledger import mark
from keys.models import Assignment, Credential, Key, KeychainDoor, Person
from keys.refusal import Refused
from keys.rules import Permission
from locks.drivers import Kind
from locks.history import Actor, acting, change_in_bulk, check_version
from locks.models import Property
from pms.models import Integration

__all__ = ["CredentialWish", "DoorWish", "PersonWish", "Refused", "make_key"]


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
    check_window(starts_at, ends_at)
    if not people:
        raise Refused("people", "Name at least one person for this key.")
    if not doors:
        raise Refused("doors", "Choose at least one door.")
    for wish in doors:
        check_door(property, wish)
    with transaction.atomic(), acting(by):
        key = Key(
            property=property,
            label=people[0].name,
            starts_at=starts_at,
            ends_at=ends_at,
            created_at=now,
        )
        key.save()
        wishes = with_linked(property, doors) if with_linked_doors else list(doors)
        for wish in wishes:
            join_door(key, wish, now=now)
        for place, wanted in enumerate(people):
            try:
                join_person(key, wanted, is_main=place == 0, now=now)
            except Refused as refused:
                raise Refused(refused.field, refused.message, place=place) from None
        whole_hours.check(key)
        changed(key.property_id)
    return key


def edit_key(
    *,
    key: Key,
    starts_at: datetime | None = None,
    ends_at: datetime | None = None,
    seen: int | None = None,
    by: Actor,
    now: datetime,
) -> Key:
    """Set the key's window. A time given here is staff's word and survives the PMS. Raises Refused.

    ``seen`` is the version that the caller decided on; raises ChangedMeanwhile when there is a newer one.
    """
    with transaction.atomic(), acting(by):
        key = locked(key)
        check_version(key, seen)
        start, end = starts_at or key.starts_at, ends_at or key.ends_at
        check_window(start, end)
        from_pms = key.reservation_id is not None
        key.starts_by_staff |= from_pms and start != key.starts_at
        key.ends_by_staff |= from_pms and end != key.ends_at
        key.starts_at, key.ends_at = start, end
        key.save()
        place(key, now=now)
        whole_hours.check(key)
        changed(key.property_id)
    return key


def release_times(*, key: Key, by: Actor, now: datetime) -> Key:
    """Give the window back to the PMS: what it says counts again."""
    with transaction.atomic(), acting(by):
        key = locked(key)
        key.starts_by_staff = key.ends_by_staff = False
        key.starts_at = key.pms_starts_at or key.starts_at
        key.ends_at = key.pms_ends_at or key.ends_at
        key.save()
        place(key, now=now)
        changed(key.property_id)
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
        door = locked_door(keychain_door)
        _switch(door, on=on, before_check_in=before_check_in, now=now)
        changed(door.property_id)
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
        target = Permission.ALLOWED_BEFORE_CHECK_IN if before_check_in else Permission.AUTOMATIC
    return [door.id for door in switch_many(doors, target, by=by, now=now)]


def switch_many(
    doors: QuerySet[KeychainDoor],
    target: Permission,
    *,
    by: Actor,
    now: datetime,
    marks: bool = True,
) -> list[LockedDoor]:
    """Give these doors that permission, each with its historical row; returns those that it changed.

    Without ``marks`` the caller has them looked at, which for thousands costs less in one go.
    """
    with transaction.atomic():
        found = locked_doors(doors)
        ids = change_in_bulk(
            model=KeychainDoor,
            ids=[door.id for door in found],
            changes={"permission": target.value, "permission_since": now},
            by=by,
            now=now,
        )
        if marks:
            mark(Assignment.objects.filter(keychain_door_id__in=ids), now=now)
        for hotel in sorted({door.property_id for door in found}):
            changed(hotel)
    switched = set(ids)
    return [door for door in found if door.id in switched]


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
    seen: int | None = None,
    by: Actor,
    now: datetime,
) -> KeychainDoor:
    """Save the Edit Door form: the switch and the door's own window and limits. Raises Refused.

    ``seen`` is the version that the caller decided on; raises ChangedMeanwhile when there is a newer one.
    """
    with transaction.atomic(), acting(by):
        door = locked_door(keychain_door)
        check_version(door, seen)
        key = door.key
        check_window(starts_at or key.starts_at, ends_at or key.ends_at)
        check_limits(weekdays, from_hour, to_hour)
        before = (door.starts_at, door.ends_at, door.weekdays, door.from_hour, door.to_hour)
        after = (starts_at, ends_at, weekdays, from_hour, to_hour)
        door.starts_at, door.ends_at, door.weekdays, door.from_hour, door.to_hour = after
        switched = _switch(door, on=on, before_check_in=before_check_in, now=now)
        if before != after and not switched:
            door.save()
        if before != after:
            place(key, now=now)
            whole_hours.check(key)
        changed(door.property_id)
    return door


def add_door(*, key: Key, wish: DoorWish, by: Actor, now: datetime) -> KeychainDoor:
    """Add a door to a keychain; all live credentials of the key get a place on it. Raises Refused."""
    check_door(key.property, wish)
    with transaction.atomic(), acting(by):
        key = locked(key)
        if key.doors.filter(door=wish.door, removed_at=None).exists():
            raise Refused("doors", f"{wish.door.name} is in this keychain already.")
        door = join_door(key, wish, now=now)
        place(key, now=now)
        whole_hours.check(key)
        changed(key.property_id)
    return door


def remove_door(*, keychain_door: KeychainDoor, by: Actor, now: datetime) -> None:
    """Take a door out of a keychain; what is on its lock is removed from it.

    The PMS does not bring it back, unless it was the old room of a guest who moved and may move back.
    """
    with transaction.atomic(), acting(by):
        door = locked_door(keychain_door)
        was_leaving = door.leaving_since is not None
        leave_door(door, now=now, by_staff=not was_leaving)
        changed(door.property_id)


def add_credential(*, person: Person, wish: CredentialWish, by: Actor, now: datetime) -> Credential:
    """Give a person one more kind of credential. Raises Refused."""
    with transaction.atomic(), acting(by):
        key = locked(person.key)
        if person.credentials.filter(kind=wish.kind, retired_at=None).exists():
            raise Refused("kind", f"This person already has a {wish.kind.value.replace('_', ' ')}.")
        credential = allocation.draw(key=key, person=person, wish=wish, now=now)
        place(key, now=now)
        changed(key.property_id)
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
        locked(credential.key)
        fresh = Credential.objects.select_for_update(no_key=True).get(pk=credential.pk)
        allocation.redraw(credential=fresh, wish=wish, now=now)
        changed(fresh.property_id)
    return fresh


def revoke(*, key: Key, by: Actor, now: datetime) -> Key:
    """End the key now. Its credentials come off their locks before anything else is written there."""
    with transaction.atomic(), acting(by):
        key = locked(key)
        end_by_revoking(key, because=Key.Revoked.BY_STAFF, now=now)
        changed(key.property_id)
    return key


def restore(*, key: Key, by: Actor, now: datetime) -> Key:
    """Take a revocation back: the same codes where they are still free, new ones where not. Raises Refused."""
    with transaction.atomic(), acting(by):
        key = locked(key)
        if key.revoked_at is None:
            raise Refused("key", "This key is not revoked.")
        check_window(key.starts_at, key.ends_at)
        key.revoked_at, key.revoked_because, key.reopened_at = None, "", now
        key.save()
        reserve_again(key, now=now)
        place(key, now=now)
        changed(key.property_id)
    return key


def _switch(door: KeychainDoor, *, on: bool, before_check_in: bool | None, now: datetime) -> bool:
    permission = permission_for(door, on=on, before_check_in=before_check_in)
    if permission == door.permission:
        return False
    door.permission, door.permission_since = permission.value, now
    door.save()
    mark(door.assignments.all(), now=now)
    return True
