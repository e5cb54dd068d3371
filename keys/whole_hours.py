"""Locks that take whole hours only: by the property's choice their windows are rounded to the guest's favor, or refused.

Rounding itself is done where a credential gets its place; here it is checked, told, and done again for all.
"""

from __future__ import annotations

from datetime import datetime

from django.db.models import Q, QuerySet

from keys.keychain import locked, locked_doors, place, window_of_door
from keys.models import Key, KeychainDoor
from keys.refusal import Refused
from locks.clock import on_the_hour, zone
from locks.models import Door, Lock, Property

ROUND, REFUSE = Property.WholeHours.ROUND, Property.WholeHours.REFUSE
Window = tuple[datetime, datetime]


def check(key: Key) -> None:
    """Raise Refused where a lock of the key takes whole hours only, its window has none, and the property does not round.

    Inside the caller's transaction, which then stores nothing.
    """
    hotel = key.property
    if hotel.whole_hours != REFUSE:
        return
    tz = zone(hotel.timezone)
    for door in _doors().filter(key=key).select_related("door").order_by("id"):
        asked = window_of_door(key, door)
        rounded = on_the_hour(*asked, tz)
        for field, mine, hour in zip(("starts_at", "ends_at"), asked, rounded, strict=True):
            if mine != hour:
                raise Refused(
                    field,
                    f"The lock of {door.door.name} takes whole hours only: choose {hour.astimezone(tz):%H:%M}.",
                )


def caution(hotel: Property, lock: Lock | None, asked: Window) -> str:
    """What such a lock does to this window; empty where it does nothing."""
    if lock is None or not lock.whole_hours:
        return ""
    tz = zone(hotel.timezone)
    rounded = on_the_hour(*asked, tz)
    if rounded == asked:
        return ""
    start, end = (
        f"{at.astimezone(tz):%H:%M} on {at.astimezone(tz).day} {at.astimezone(tz):%b}"
        for at in rounded
    )
    if hotel.whole_hours == REFUSE:
        return f"The lock takes whole hours only, and this property does not round: choose {start} and {end}."
    return f"The lock takes whole hours only: it opens from {start} until {end}."


def touched(hotel: Property, *, now: datetime) -> int:
    """How many current and coming keys have times at such locks that are not whole hours."""
    tz = zone(hotel.timezone)
    doors = _doors().filter(property=hotel, key__revoked_at=None, key__over_at__gt=now)
    keys = {
        door.key_id
        for door in doors.select_related("key")
        if on_the_hour(*(asked := window_of_door(door.key, door)), tz) != asked
    }
    return len(keys)


def hold_keys(door: Door, *, now: datetime) -> None:
    """Lock the keys of this door if ``place_again`` may come to them: keys are locked before locks and places are."""
    if Lock.objects.filter(property_id=door.property_id, whole_hours=True).exists():
        locked_doors(KeychainDoor.objects.filter(door=door, removed_at=None, key__ends_at__gt=now))


def place_again(locks: QuerySet[Lock], *, now: datetime) -> None:
    """Give the credentials of all keys at these locks the windows that the rule of the property means now."""
    keys = Key.objects.filter(
        Q(ends_at__gt=now), doors__removed_at=None, doors__door__lock__in=locks
    )
    for key_id in list(keys.order_by("id").values_list("id", flat=True).distinct()):
        place(locked(Key(pk=key_id)), now=now)


def _doors() -> QuerySet[KeychainDoor]:
    return KeychainDoor.objects.filter(removed_at=None, door__lock__whole_hours=True)
