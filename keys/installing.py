"""Taking in locks that were discovered and hanging them on doors, all of them or none."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from django.db import IntegrityError, transaction

from keys.pairing import pair_lock
from keys.refusal import Refused
from locks import discovering
from locks.drivers import Found
from locks.history import Actor, acting
from locks.models import Door, Lock, LockAccount


def add_lock(
    *,
    account: LockAccount,
    found: Found,
    door: Door | None,
    new_door: str,
    by: Actor,
    now: datetime,
) -> Lock:
    """A lock of the account, on this door, on a new door of that name, or on none.

    Raises Refused with field door or new_door, or without one where the lock is known already.
    """
    try:
        with transaction.atomic():
            made = discovering.add(account=account, found=[found])
            if made:
                door = _new_door(account, new_door, by) if new_door else door
                return pair_lock(lock=made[0], door=door, by=by, now=now)
    except IntegrityError:  # someone else added it, its gateway or the door at this moment
        pass
    raise Refused("", f"{found.name} or its door was added meanwhile: see Settings, Locks.")


def add_all(
    *,
    account: LockAccount,
    found: Sequence[Found],
    pairs_by_name: bool,
    by: Actor,
    now: datetime,
) -> tuple[int, int]:
    """All of these that are new. With ``pairs_by_name`` each goes on the door that has its name and no lock.

    Returns how many locks were added and how many of them hang on a door.
    """
    with transaction.atomic():
        made = discovering.add(account=account, found=found)
        free = _free_doors(account) if pairs_by_name else {}
        hung = 0
        for lock in made:
            if door := free.pop(lock.name.strip().casefold(), None):
                pair_lock(lock=lock, door=door, by=by, now=now)
                hung += 1
    return len(made), hung


def _free_doors(account: LockAccount) -> dict[str, Door]:
    rows = Door.objects.filter(property_id=account.property_id, archived_at=None, lock=None)
    return {door.name.strip().casefold(): door for door in rows}


def _new_door(account: LockAccount, name: str, by: Actor) -> Door:
    twins = Door.objects.filter(property_id=account.property_id, name=name, archived_at=None)
    if twins.exists():
        raise Refused(
            "new_door",
            "This property already has a door of that name: choose it in the list, or type another name.",
        )
    with acting(by):
        door = Door(property=account.property, name=name)
        door.save()
    return door
