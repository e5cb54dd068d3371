"""Two stays that touch, of one guest in one room, are one key: one code, no gap at noon, nothing taken off in between.

The key belongs to the first stay and lasts until the end of the last; when the first is over, it goes on as the next
one's. A stay that no longer touches gets a key of its own. Functions here run inside their caller's transaction.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db.models import Q, QuerySet

from keys.keychain import end_by_revoking
from keys.ledger import mark
from keys.models import Assignment, Continuation, Key
from keys.rules import Permission
from keys.telling_models import GuestMessage
from locks.clock import zone
from locks.models import Property
from pms.models import LIVE_STATES, Reservation

State = Reservation.State
PRESENT = {State.EXPECTED, State.IN_HOUSE}
OVER = {State.DEPARTED, State.CANCELLED, State.NO_SHOW, State.DELETED}


def key_of(stay: Reservation) -> Key | None:
    """The key of this stay: its own, or that of a stay with which it is one."""
    keys = Key.objects.select_related("property")
    own = keys.filter(reservation=stay).first()
    return own or keys.filter(continuations__reservation=stay).first()


def group_of(reservation_id: int) -> list[int]:
    """The stays that share a key with this one; empty for nearly all."""
    parts = Continuation.objects.filter(key__reservation_id=reservation_id)
    if (mine := Continuation.objects.filter(reservation_id=reservation_id).first()) is not None:
        parts = Continuation.objects.filter(key_id=mine.key_id)
    found = parts.values_list("reservation_id", "key__reservation_id")
    return sorted({one for pair in found for one in pair if one is not None})


def carrier_of(stay: Reservation, *, now: datetime) -> Key | None:
    """The key of an earlier stay that this one continues, or none.

    A stay that an outage holds continues nothing: its own key waits for staff. A key whose departure is staff's own word
    ends when they said.
    """
    if not stay.room_ref or stay.state not in LIVE_STATES or _is_held(stay):
        return None
    before = Reservation.objects.filter(
        integration_id=stay.integration_id,
        room_ref=stay.room_ref,
        departure_on=stay.arrival_on,
        state__in=LIVE_STATES,
    ).exclude(pk=stay.pk)
    for one in before.order_by("id"):
        key = key_of(one) if is_same_guest(one, stay) else None
        if key is not None and _is_open(key, now) and not key.ends_by_staff:
            return key
    return None


def _is_open(key: Key, now: datetime) -> bool:
    """Neither revoked nor left nor ended."""
    return key.revoked_at is None and key.departed_at is None and key.ends_at > now


def _is_held(stay: Reservation) -> bool:
    holds = stay.property.after_outage == Property.AfterOutage.HOLD
    return holds and stay.came_in_during_id is not None


def is_same_guest(one: Reservation, other: Reservation) -> bool:
    """The PMS's own guest, or the same name with the same address or telephone number."""
    if one.guest_ref and one.guest_ref == other.guest_ref:
        return True
    name = one.guest_name.strip().casefold()
    reached = any(
        mine and mine.strip().casefold() == theirs.strip().casefold()
        for mine, theirs in (
            (one.guest_email, other.guest_email),
            (one.guest_phone, other.guest_phone),
        )
    )
    return bool(name) and name == other.guest_name.strip().casefold() and reached


def continues(last: Reservation, stay: Reservation) -> bool:
    """Whether a stay begins in the same room on the day on which the last one ends, with the same guest."""
    return (
        bool(stay.room_ref)
        and (stay.integration_id, stay.room_ref) == (last.integration_id, last.room_ref)
        and stay.arrival_on == last.departure_on
        and stay.state in LIVE_STATES
        and not _is_held(stay)
        and is_same_guest(last, stay)
    )


def join(key: Key, stay: Reservation) -> None:
    """Let this stay be part of the key from now on."""
    Continuation.objects.create(property_id=key.property_id, key=key, reservation=stay)


def give_up(key: Key, *, now: datetime) -> bool:
    """End a stay's own key because an earlier one goes on, if nobody was told of it, touched it or has it on a lock."""
    there = Q(written_revision__isnull=False) | Q(sent_revision__isnull=False)
    told = GuestMessage.objects.filter(key=key).exclude(state=GuestMessage.State.DROPPED)
    doors = key.doors.exclude(permission=Permission.AUTOMATIC.value) | key.doors.filter(
        origin="staff"
    )
    if (
        key.revoked_at is not None
        or key.starts_at <= now
        or key.starts_by_staff
        or key.ends_by_staff
        or doors.exists()
        or told.exists()
        or Assignment.objects.filter(there, key=key).exists()
    ):
        return False
    key.reservation = None
    end_by_revoking(key, because=Key.Revoked.CONTINUED, now=now)
    return True


def go_on(key: Key, stay: Reservation, *, now: datetime) -> tuple[Reservation, Reservation]:
    """The stay that the key follows now, and the last one that it lasts for.

    Stays that do not touch any more leave the key. Once the first is over the key goes on as the next one's.
    """
    later = _later(key, stay)
    if later and stay.state in OVER and later[0].reservation.state in PRESENT:
        _hand_on(key, stay, later[0].reservation, now=now)
        stay, later = later[0].reservation, later[1:]
    return stay, (later[-1].reservation if later else stay)


def _later(key: Key, stay: Reservation) -> list[Continuation]:
    rows = key.continuations.select_related("reservation__property", "reservation__integration")
    later: list[Continuation] = []
    last = stay
    for one in rows.order_by("reservation__arrival_on", "reservation_id"):
        if continues(last, one.reservation):
            later.append(one)
            last = one.reservation
        elif not _came_before(one.reservation, stay):
            one.delete()
            Reservation.objects.filter(pk=one.reservation_id).update(followed_at=None)
    return later


def _came_before(one: Reservation, stay: Reservation) -> bool:
    """Whether the key went on from this stay, which is over or was taken back to be in house."""
    earlier = one.arrival_on < stay.arrival_on
    return earlier and (one.state in OVER or continues(one, stay))


def _hand_on(key: Key, over: Reservation, stay: Reservation, *, now: datetime) -> None:
    """The key belongs to the next stay now. A guest who was in house until its day goes on entering without a gap."""
    Continuation.objects.filter(reservation=stay).delete()
    key.reservation = stay
    today = now.astimezone(zone(stay.property.timezone)).date()
    if over.state == State.DEPARTED:
        key.save()
        join(key, over)
    if over.state != State.DEPARTED or today < stay.arrival_on:
        return
    key.carried_from = key.starts_at
    waiting = key.doors.filter(permission=Permission.AUTOMATIC.value, removed_at=None)
    for door in waiting.order_by("id"):
        door.permission = Permission.ALLOWED_BEFORE_CHECK_IN.value
        door.permission_since = now
        door.save()
        mark(door.assignments.all(), now=now)


def numbered(stays: QuerySet[Any, int] | list[int]) -> Q:
    """Keys of the stays with these ids, their own and those with which they are one.

    As one set of keys: two conditions joined by "or" would read every key of the hotel.
    """
    own = Key.objects.filter(reservation_id__in=stays).values("id")
    parts = Continuation.objects.filter(reservation_id__in=stays).values("key_id")
    return Q(pk__in=own.union(parts))
