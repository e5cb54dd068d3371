"""Another time zone for a property: its stays keep what the clock on the wall shows, and what that does is told before.

Reservations are followed anew by whoever follows them; here are the times that no PMS gives: those of keys made by hand,
those that staff set, and the own windows of doors.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from django.db.models import Q

from keys.keychain import locked, place
from keys.models import Assignment, Key, KeychainDoor
from locks.clock import by_rule, zone
from locks.history import Actor, acting
from locks.models import Lock, Property

CAP = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class ZoneChange:
    """Counts of current and coming keys, for the page that asks. ``capped`` when there are more than counted.

    ``moved`` keep their wall times and so begin or end at other moments, ``written`` of them have something on a lock that
    is written again. ``fixed`` have moments from the PMS that stay. ``not_yet`` have begun and begin again later by the new
    zone, ``over`` are over by it.
    """

    before: str
    after: str
    moved: int = 0
    written: int = 0
    fixed: int = 0
    not_yet: int = 0
    over: int = 0
    capped: bool = False


def preview(*, property: Property, timezone: str, now: datetime) -> ZoneChange:  # noqa: A002
    """What another zone does to the keys of a property; nothing is changed."""
    before, after = zone(property.timezone), zone(timezone)
    live = Key.objects.filter(property=property, revoked_at=None, over_at__gt=now)
    keys = list(live.select_related("reservation").order_by("over_at", "id")[: CAP + 1])
    counts = Counter[str]()
    moved: list[int] = []
    for key in keys[:CAP]:
        starts_at, ends_at = _of_all(key, before, after, now)
        if (starts_at, ends_at) == (key.starts_at, key.ends_at):
            counts["fixed"] += 1
            continue
        moved.append(key.pk)
        counts["not_yet"] += key.starts_at <= now < starts_at
        counts["over"] += ends_at <= now
    there = Q(written_revision__isnull=False) | Q(sent_revision__isnull=False)
    places = Assignment.objects.filter(there, key_id__in=moved)
    return ZoneChange(
        before=property.timezone,
        after=timezone,
        moved=len(moved),
        written=places.values("key_id").distinct().count(),
        capped=len(keys) > CAP,
        **counts,
    )


def keep_wall_times(
    *,
    property: Property,  # noqa: A002
    before: str,
    by: Actor,
    now: datetime,
) -> None:
    """Give every time that no PMS gives the same hour in the property's new zone, with its historical row.

    A key that has begun stays begun. Runs inside the caller's transaction, which has stored the new zone.
    """
    old, new = zone(before), zone(property.timezone)
    own = Q(doors__starts_at__isnull=False) | Q(doors__ends_at__isnull=False)
    staff = Q(reservation=None) | Q(starts_by_staff=True) | Q(ends_by_staff=True)
    keys = Key.objects.filter(staff | own, property=property, ends_at__gt=now)
    why = by.because(f"The time zone changed from {before} to {property.timezone}")
    with acting(why):
        for key_id in list(keys.order_by("id").values_list("id", flat=True).distinct()):
            _move(locked(Key(pk=key_id)), old, new, now)
    Lock.objects.filter(property=property).update(next_health_at=None)


def same_wall(moment: datetime, before: ZoneInfo, after: ZoneInfo, *, later: bool) -> datetime:
    """When the clocks of another zone show what those of this one show at that moment. An hour that they skip is left out
    to the guest's favor, as in every daily rule."""
    local = moment.astimezone(before)
    return by_rule(local.date(), local.time(), after, later=later)


def _move(key: Key, old: ZoneInfo, new: ZoneInfo, now: datetime) -> None:
    by_hand = key.reservation_id is None
    starts_at, ends_at = key.starts_at, key.ends_at
    if by_hand or key.starts_by_staff:
        starts_at = _start(key.starts_at, old, new, now)
    if by_hand or key.ends_by_staff:
        ends_at = same_wall(key.ends_at, old, new, later=True)
    if starts_at < ends_at and (starts_at, ends_at) != (key.starts_at, key.ends_at):
        key.starts_at, key.ends_at = starts_at, ends_at
        key.save()
    for door in key.doors.filter(removed_at=None).order_by("id"):
        _move_door(door, old, new, now)
    place(key, now=now)


def _move_door(door: KeychainDoor, old: ZoneInfo, new: ZoneInfo, now: datetime) -> None:
    if door.starts_at is None and door.ends_at is None:
        return
    if door.starts_at is not None:
        door.starts_at = _start(door.starts_at, old, new, now)
    if door.ends_at is not None:
        door.ends_at = same_wall(door.ends_at, old, new, later=True)
    door.save()


def _start(starts_at: datetime, old: ZoneInfo, new: ZoneInfo, now: datetime) -> datetime:
    moved = same_wall(starts_at, old, new, later=False)
    return starts_at if starts_at <= now < moved else moved


def _of_all(key: Key, old: ZoneInfo, new: ZoneInfo, now: datetime) -> tuple[datetime, datetime]:
    """The window that a key will have, also one that follows its reservation."""
    stay = key.reservation
    starts_at, ends_at = key.starts_at, key.ends_at
    if stay is None or key.starts_by_staff:
        starts_at = _start(starts_at, old, new, now)
    elif stay.arrival_at is None and starts_at != stay.checked_in_at:
        starts_at = same_wall(starts_at, old, new, later=False)
        if stay.checked_in_at is not None:
            starts_at = min(starts_at, stay.checked_in_at)
    if stay is None or key.ends_by_staff or stay.departure_at is None:
        ends_at = same_wall(ends_at, old, new, later=True)
    return starts_at, ends_at
