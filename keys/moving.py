"""A guest moves to another room while in house: the new room is written first, and only then the old one is given up.

If the new room's lock cannot be written, the old door goes on opening until staff take it out or the key is over.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime

from django.db import transaction
from django.db.models import Q

from keys.facts import Row, answer, on_lock, rows_of
from keys.keychain import changed, leave_door, locked
from keys.models import Assignment, Key, KeychainDoor
from keys.rules import OnLock, Permission, Refusal
from locks.history import SYSTEM, acting


def part(doors: Iterable[KeychainDoor], *, later: bool, now: datetime) -> None:
    """Let these doors leave their keychain: at once, or ``later`` if their locks may hold what the guest uses."""
    for door in doors:
        if not later or not _is_used(door):
            leave_door(door, now=now)
        elif door.leaving_since is None:
            door.leaving_since = now
            door.save()


def mean(wanted: Collection[int], known: Iterable[KeychainDoor]) -> None:
    """The PMS means these doors now: what was leaving stays after all; what staff took out and it no longer means may
    come back another time."""
    for door in known:
        if door.door_id in wanted and door.leaving_since is not None:
            door.leaving_since = None
            door.save()
        elif door.door_id not in wanted and door.removed_by_staff:
            door.removed_by_staff = False
            door.save()


def _is_used(door: KeychainDoor) -> bool:
    if not Permission(door.permission).is_on:
        return False
    there = Q(written_revision__isnull=False) | Q(sent_revision__isnull=False)
    return door.assignments.filter(there).exists()


def finish(*, now: datetime) -> int:
    """Give up the old rooms whose guests can enter the new one, and those of keys that are over. Safe to repeat.

    Returns how many doors were given up.
    """
    leaving = KeychainDoor.objects.filter(leaving_since__isnull=False).select_related("key")
    by_key: dict[Key, list[KeychainDoor]] = defaultdict(list)
    for door in leaving.order_by("key_id", "id"):
        by_key[door.key].append(door)
    if not by_key:
        return 0
    rows = _rows(by_key)
    ready = [key.pk for key, doors in by_key.items() if _may_leave(key, doors, rows[key.pk], now)]
    return sum(_finish(key_id, now=now) for key_id in ready)


def _finish(key_id: int, *, now: datetime) -> int:
    """The same for one key, looked at again while it is locked."""
    with transaction.atomic(), acting(SYSTEM.because("the new room has the code")):
        key = locked(Key(pk=key_id))
        doors = list(key.doors.filter(leaving_since__isnull=False).order_by("id"))
        if not doors or not _may_leave(key, doors, _rows([key])[key.pk], now):
            return 0
        for door in doors:
            leave_door(door, now=now)
        changed(key.property_id)
    return len(doors)


def _rows(keys: Iterable[Key]) -> dict[int, list[Row]]:
    """What is known of the places on the doors that are or were rooms of these stays."""
    found: dict[int, list[Row]] = defaultdict(list)
    places = Assignment.objects.filter(
        Q(keychain_door__leaving_since__isnull=False)
        | Q(keychain_door__origin=KeychainDoor.Origin.ROOM),
        key__in=[key.pk for key in keys],
        keychain_door__removed_at=None,
        credential__retired_at=None,
        credential__person__removed_at=None,
    )
    for row in rows_of(places):
        found[row.key_id].append(row)
    return found


def _may_leave(key: Key, doors: Sequence[KeychainDoor], rows: Sequence[Row], now: datetime) -> bool:
    """Whether the guest needs the old doors no more, or has nothing there, or may enter nowhere."""
    old = {door.pk for door in doors}
    there = [row for row in rows if row.keychain_door_id in old]
    new = [row for row in rows if row.keychain_door_id not in old]
    over = key.revoked_at is not None or key.departed_at is not None or key.ends_at <= now
    unused = all(on_lock(row) is OnLock.ABSENT for row in there)
    return over or unused or _opens(new, now)


def _opens(rows: Sequence[Row], now: datetime) -> bool:
    """Whether the locks have all of these that they can have, and something at all."""
    facts = [answer(row, now=now).facts for row in rows]
    there = [one for one in facts if one.on_lock is OnLock.CURRENT]
    lacking = [one for one in facts if one not in there and one.refusal is not Refusal.UNSUPPORTED]
    return bool(there) and not lacking
