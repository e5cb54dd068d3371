"""Reservations become keys and keys follow their reservations: moves, dates, check-out, cancellation, companions.

What staff set by hand survives, field by field; a reservation that is tentative or not understood changes nothing.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import F, Q

from keys.keychain import (
    CredentialWish,
    DoorWish,
    PersonWish,
    changed,
    end_by_revoking,
    join_door,
    join_person,
    leave_door,
    locked,
    place,
    reserve_again,
    with_linked,
)
from keys.models import Assignment, Guest, Key, KeychainDoor, Person
from keys.rules import Permission
from locks.clock import by_rule, zone
from locks.drivers import Kind
from locks.history import Actor, Source, acting
from locks.models import Door, Property
from pms.models import Reservation

log = logging.getLogger(__name__)
AT_ONCE = 500
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
            _follow(locked(key), stay, now=now)
        Reservation.objects.filter(pk=stay.pk, changed_at=stay.changed_at).update(
            followed_at=stay.changed_at
        )
        changed(stay.property_id)
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
        join_door(key, wish, now=now, outage_id=held)
    join_person(key, _main_person(stay), is_main=True, now=now)
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
    return with_linked(stay.property, rooms)


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
        end_by_revoking(key, because=VOID[Reservation.State(stay.state)], now=now)
        return
    if stay.state not in ALIVE | {Reservation.State.DEPARTED}:
        return
    if key.revoked_at is not None and key.revoked_because != Key.Revoked.BY_STAFF:
        key.revoked_at, key.revoked_because = None, ""
        reserve_again(key, now=now)
    key.departed_at = (stay.departed_at or now) if stay.state == stay.State.DEPARTED else None
    key.label = stay.guest_name or key.label
    _follow_times(key, stay)
    key.save()
    _follow_guest(key, stay)
    _follow_doors(key, stay, now=now)
    _follow_companions(key, stay, now=now)
    reserve_again(key, now=now)
    place(key, now=now)


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
            join_door(key, replace(wish, hold=hold), now=now)
    for door_id, door in present.items():
        if door_id not in wanted and door.origin != KeychainDoor.Origin.STAFF:
            leave_door(door, now=now)


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
            join_person(key, wish, is_main=False, now=now)
        elif person.removed_at is not None:
            Person.objects.filter(pk=person.pk).update(removed_at=None)
    gone = [p.pk for ref, p in present.items() if ref and ref not in wanted]
    Person.objects.filter(pk__in=gone, removed_at=None).update(removed_at=now)
    Assignment.objects.filter(credential__person_id__in=gone).update(next_attempt_at=now)


def follow_all(*, now: datetime) -> int:
    """Let the keys of all reservations that changed follow them. One that cannot be followed is logged and left due."""
    behind = (
        Reservation.objects.filter(Q(followed_at=None) | ~Q(followed_at=F("changed_at")))
        .select_related("property", "integration")
        .order_by("changed_at", "id")
    )
    followed = 0
    for reservation in behind[:AT_ONCE]:
        try:
            follow(reservation=reservation, now=now)
            followed += 1
        except Exception:
            log.exception("reservation %s could not be followed", reservation.pk)
    return followed
