"""Reservations become keys and keys follow their reservations: moves, dates, check-out, cancellation, companions.

What staff set by hand survives, field by field; a reservation that is tentative or not understood changes nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable
from dataclasses import replace
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import F, Q, QuerySet

from keys import allocation, continuing, moving
from keys.keychain import (
    CredentialWish,
    DoorWish,
    PersonWish,
    changed,
    end_by_revoking,
    join_door,
    join_person,
    locked,
    place,
    reserve_again,
    with_linked,
)
from keys.ledger import mark
from keys.models import Assignment, Credential, Guest, Key, KeychainDoor, Person
from keys.rules import Permission
from locks.clock import by_rule, zone
from locks.drivers import Kind
from locks.history import Actor, Source, acting
from locks.models import Door, Property
from pms.models import Reservation

log = logging.getLogger(__name__)
AT_ONCE = 100
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
    with transaction.atomic():
        _lock(continuing.group_of(reservation.pk))
        stay = _stays().get(pk=reservation.pk)
        return _agree(stay, now=now)


def _stays() -> QuerySet[Reservation]:
    rows = Reservation.objects.select_for_update(of=("self",), no_key=True)
    return rows.select_related("property", "integration")


def _lock(reservation_ids: Collection[int]) -> None:
    """Lock these stays, which share a key, in the order in which all lock them."""
    if reservation_ids:
        rows = _stays().filter(pk__in=reservation_ids).order_by("id")
        list(rows.values_list("id", flat=True))


def _agree(stay: Reservation, *, now: datetime) -> Key | None:
    """The same for a stay that the caller holds locked."""
    with acting(Actor(source=Source.PMS, label=stay.integration.pms_name())):
        key = _key_of(stay, now=now)
        if key is not None:
            key = locked(key)
            _follow(key, _own(key, stay), now=now)
        if key is None or not _is_for(key, stay):
            key = _key_for(stay, now=now)
        Reservation.objects.filter(pk=stay.pk, changed_at=stay.changed_at).update(
            followed_at=stay.changed_at
        )
        changed(stay.property_id)
    return key


def _key_of(stay: Reservation, *, now: datetime) -> Key | None:
    """The key that a stay has: its own, or that of a stay which it continues."""
    key = continuing.key_of(stay)
    coming = stay.state == Reservation.State.EXPECTED
    if key is None or key.reservation_id != stay.pk or not coming or key.starts_at <= now:
        return key
    if continuing.carrier_of(stay, now=now) is None:
        return key
    return None if continuing.give_up(locked(key), now=now) else key


def _own(key: Key, stay: Reservation) -> Reservation:
    """The stay that the key belongs to."""
    if key.reservation_id == stay.pk:
        return stay
    rows = Reservation.objects.select_related("property", "integration")
    return rows.get(pk=key.reservation_id or 0)


def _is_for(key: Key, stay: Reservation) -> bool:
    return key.reservation_id == stay.pk or key.continuations.filter(reservation=stay).exists()


def _key_for(stay: Reservation, *, now: datetime) -> Key | None:
    starts_at, ends_at = window_of(stay)
    if stay.state not in ALIVE or stay.property.mode != Property.Mode.LIVE or ends_at <= now:
        return None
    if (before := continuing.carrier_of(stay, now=now)) is not None:
        before = locked(before)
        continuing.join(before, stay)
        _follow(before, _own(before, stay), now=now)
        return before
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
        join_door(key, wish, now=now, outage_id=held)
    join_person(key, _main_person(stay), is_main=True, now=now)
    _follow_companions(key, stay, now=now)
    return key


def _held_by_outage(stay: Reservation) -> int | None:
    """The outage that holds a new key: the stay came in while the PMS was broken and the property holds those.

    A property that releases them at check-in holds them until then where its own rule would not wait for one.
    """
    if stay.property.after_outage == Property.AfterOutage.HOLD:
        return stay.came_in_during_id
    waits_anyway = stay.property.check_in_rule != Property.CheckInRule.NOT_REQUIRED
    return None if waits_anyway or is_checked_in(stay) else stay.came_in_during_id


def is_checked_in(stay: Reservation) -> bool:
    """At the desk or online, as far as the property counts that."""
    desk_only = stay.property.check_in_rule == Property.CheckInRule.FRONT_DESK
    online = stay.checked_in_online_at is not None and not desk_only
    return stay.checked_in_at is not None or online


def _release_at_check_in(key: Key, stay: Reservation, *, now: datetime) -> None:
    """The property releases by itself what an outage holds, as soon as the PMS says checked in."""
    releases = stay.property.after_outage == Property.AfterOutage.RELEASE
    if not releases or not is_checked_in(stay):
        return
    held = key.doors.filter(permission=Permission.HELD_BY_OUTAGE.value, removed_at=None)
    for door in held.order_by("id"):
        door.permission, door.permission_since = Permission.AUTOMATIC.value, now
        door.save()
        mark(door.assignments.all(), now=now)


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
    return wishes_for(stay.property, mapped.distinct())


def wishes_for(property: Property, doors: Iterable[Door]) -> list[DoorWish]:  # noqa: A002
    """The doors that a stay opens whose room is mapped to these: they, and those linked to them."""
    rooms = [DoorWish(door=door, origin=KeychainDoor.Origin.ROOM) for door in doors]
    return with_linked(property, rooms)


def door_changes(
    wishes: Iterable[DoorWish], present: Iterable[KeychainDoor]
) -> tuple[list[DoorWish], list[KeychainDoor]]:
    """The doors that join the keychain, and those that leave it: staff's own stay. ``present`` are those that
    ``minded`` names: what staff took out does not come back."""
    wanted = {wish.door.pk: wish for wish in wishes}
    there = {door.door_id: door for door in present}
    joins = [wish for door_id, wish in wanted.items() if door_id not in there]
    leaves = [
        door
        for door_id, door in there.items()
        if door_id not in wanted
        and door.origin != KeychainDoor.Origin.STAFF
        and door.removed_at is None
    ]
    return joins, leaves


def minded(doors: QuerySet[KeychainDoor]) -> QuerySet[KeychainDoor]:
    """Of these, the doors of keychains and those that staff took out though the PMS means them."""
    return doors.filter(Q(removed_at=None) | Q(removed_by_staff=True))


def _main_person(stay: Reservation) -> PersonWish:
    return PersonWish(
        name=stay.guest_name or f"Reservation {stay.number}",
        email=stay.guest_email,
        phone=stay.guest_phone,
        external_id=stay.guest_ref,
        credentials=FROM_RESERVATION,
    )


def _follow(key: Key, stay: Reservation, *, now: datetime) -> None:
    stay, last = continuing.go_on(key, stay, now=now)
    if stay.state in VOID:
        _end(key, because=VOID[Reservation.State(stay.state)], now=now)
        return
    if stay.state not in ALIVE | {Reservation.State.DEPARTED}:
        return
    if key.revoked_at is not None and key.revoked_because != Key.Revoked.BY_STAFF:
        _reopen(key, stay, now=now)
    left_at = min(
        stay.departed_at or key.departed_at or now, now
    )  # whatever the PMS's clock says, they have left
    key.departed_at = left_at if stay.state == stay.State.DEPARTED else None
    key.label = stay.guest_name or key.label
    _follow_times(key, stay, last)
    key.save()
    _follow_guest(key, stay, now=now)
    _follow_doors(key, stay, now=now)
    _release_at_check_in(key, stay, now=now)
    _follow_companions(key, stay, now=now)
    reserve_again(key, now=now)
    place(key, now=now)


def _reopen(key: Key, stay: Reservation, *, now: datetime) -> None:
    """The PMS takes an end back: the codes that the guest had, or new ones if the property wants that."""
    key.revoked_at, key.revoked_because, key.reopened_at = None, "", now
    reserve_again(key, now=now)
    if stay.property.reopened_code == Property.ReopenedCode.NEW:
        drawn = key.credentials.filter(
            kind=Kind.DOOR_CODE.value,
            policy=Credential.Policy.RANDOM,
            retired_at=None,
            person__removed_at=None,
        )
        for credential in drawn.order_by("id"):
            allocation.redraw(
                credential=credential, wish=CredentialWish(kind=Kind.DOOR_CODE), now=now
            )


def _end(key: Key, *, because: str, now: datetime) -> None:
    """End it for the reason that the PMS gives now, which may be another than before; a revocation by staff stands."""
    if key.revoked_at is None:
        end_by_revoking(key, because=because, now=now)
    elif key.revoked_because not in {because, Key.Revoked.BY_STAFF}:
        key.revoked_because = because
        key.save()


def _follow_times(key: Key, stay: Reservation, last: Reservation) -> None:
    """The window of the key's own stay, as far as the last one that continues it and from where it went on itself."""
    starts_at, ends_at = window_of(stay)
    if last is not stay:
        ends_at = max(ends_at, window_of(last)[1])
    if key.carried_from is not None:
        starts_at = min(starts_at, key.carried_from)
    key.pms_starts_at, key.pms_ends_at = starts_at, ends_at
    new_start = key.starts_at if key.starts_by_staff else starts_at
    new_end = key.ends_at if key.ends_by_staff else ends_at
    if new_start < new_end:
        key.starts_at, key.ends_at = new_start, new_end


def _follow_guest(key: Key, stay: Reservation, *, now: datetime) -> None:
    """The guest as the PMS says now. A SmartKey may be theirs by name: with another address it is sent again."""
    for person in key.people.select_related("guest").filter(is_main=True):
        had = (person.guest.email, person.guest.phone)
        _tell(
            person.guest,
            name=stay.guest_name or person.guest.name,
            email=stay.guest_email,
            phone=stay.guest_phone,
            external_id=stay.guest_ref,
        )
        if (person.guest.email, person.guest.phone) != had:
            smartkeys = Assignment.objects.filter(
                credential__person=person, kind=Kind.SMARTKEY.value, reserved_digest__isnull=False
            )
            mark(smartkeys, now=now, revision=F("revision") + 1, retry_at=None)


def _tell(guest: Guest, **said: str) -> None:
    """Let a guest be as the PMS says now. One who was erased stays erased."""
    if guest.erased_at is None and any(getattr(guest, name) != said[name] for name in said):
        for name, value in said.items():
            setattr(guest, name, value)
        guest.save(update_fields=list(said))


def _follow_doors(key: Key, stay: Reservation, *, now: datetime) -> None:
    """Room moves: doors that the PMS no longer means leave, staff's own stay; new ones come with the key's hold, or with
    staff's leave to be written before check-in.

    A guest in house gets the new room first: see ``moving``.
    """
    if not stay.room_ref and stay.checked_in_at is not None:
        return
    wishes, known = doors_of(stay), list(minded(key.doors.all()))
    present = [door for door in known if door.removed_at is None]
    hold = next((d for d in present if not Permission(d.permission).is_on), None)
    joins, leaves = door_changes(wishes, known)
    early = bool(leaves) and all(_is_early(door) for door in leaves)
    for wish in joins:
        join_door(key, replace(wish, hold=hold, before_check_in=early), now=now)
    in_house = stay.state == Reservation.State.IN_HOUSE and key.revoked_at is None
    moving.part(leaves, later=in_house and bool(wishes), now=now)
    moving.mean({wish.door.pk for wish in wishes}, known)


def _is_early(door: KeychainDoor) -> bool:
    return door.permission == Permission.ALLOWED_BEFORE_CHECK_IN


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
            wish = PersonWish(name=name or "Guest", external_id=ref, credentials=FROM_RESERVATION)
            join_person(key, wish, is_main=False, now=now)
            continue
        _tell(person.guest, name=name or person.guest.name)
        if person.removed_at is not None:
            Person.objects.filter(pk=person.pk).update(removed_at=None)
    gone = [p.pk for ref, p in present.items() if ref and ref not in wanted]
    Person.objects.filter(pk__in=gone, removed_at=None).update(removed_at=now)
    mark(Assignment.objects.filter(credential__person_id__in=gone), now=now)


def _behind() -> QuerySet[Reservation]:
    """What changed since its key last followed it."""
    return Reservation.objects.filter(Q(followed_at=None) | ~Q(followed_at=F("changed_at")))


def follow_all(*, now: datetime) -> int:
    """Let the keys of all reservations that changed follow them, until none is behind. Several workers share the work.

    One that cannot be followed is logged and left due. Returns how many followed.
    """
    followed, failed = 0, set[int]()
    while some := _next_behind(failed):
        for pk in some:
            try:
                followed += _follow_if_behind(pk, now=now)
            except Exception:
                log.exception("reservation %s could not be followed", pk)
                failed.add(pk)
    return followed


def _next_behind(failed: Collection[int]) -> list[int]:
    rows = _behind().exclude(pk__in=failed).order_by("changed_at", "id")
    return list(rows.values_list("id", flat=True)[:AT_ONCE])


def _follow_if_behind(pk: int, *, now: datetime) -> bool:
    """False when another worker did it meanwhile, or is at it."""
    with transaction.atomic():
        _lock(continuing.group_of(pk))
        stay = (
            _behind()
            .select_for_update(of=("self",), no_key=True, skip_locked=True)
            .select_related("property", "integration")
            .filter(pk=pk)
            .first()
        )
        if stay is None:
            return False
        _agree(stay, now=now)
    return True
