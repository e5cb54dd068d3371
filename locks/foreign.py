"""Credentials on locks that Portal did not put there: kept in a list, never overwritten."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from locks import doorlog
from locks.drivers import Held, Kind
from locks.handles import handle_of
from locks.log_models import LogCode
from locks.models import Lock
from locks.slot_models import ForeignCode
from locks.vault import digest


def seen(lock_id: int, held: Sequence[Held], *, now: datetime) -> None:
    """Note what lies on a lock that is not ours: all of it, as just read. What is new earns a line in the door log."""
    known = {
        (each.kind, each.address): each
        for each in ForeignCode.objects.filter(lock_id=lock_id, gone_at=None)
    }
    there = {(each.kind.value, each.address): each for each in held if each.address}
    gone = [known[place].pk for place in known.keys() - there.keys()]
    still = known.keys() & there.keys()
    if gone:
        ForeignCode.objects.filter(pk__in=gone).update(gone_at=now)
    if still:
        ids = [known[place].pk for place in still]
        ForeignCode.objects.filter(pk__in=ids).update(last_seen_at=now)
    for place in still:
        _look_again(known[place], there[place])
    new = [each for place, each in there.items() if place not in known]
    if new:
        _first_seen(Lock.objects.get(pk=lock_id), new, now)


def _look_again(row: ForeignCode, held: Held) -> None:
    """Keep what the lock shows now: someone may have changed the code at the keypad."""
    if held.secret and held.secret != row.secret:
        ForeignCode.objects.filter(pk=row.pk).update(**_shown(row.property_id, held))


def _shown(property_id: int, held: Held) -> dict[str, str]:
    """The code as far as the lock shows it."""
    if not held.secret:
        return {}
    kind = held.kind.value
    return {
        "hint": f"••{held.secret[-2:]}" if held.kind is Kind.DOOR_CODE else "",
        "secret": held.secret,
        "secret_digest": digest(held.secret, scope=f"{property_id}:{kind}"),
    }


def named(lock_id: int, held: Sequence[Held]) -> list[Held]:
    """What was read from a lock with our names for what was foreign once and is now the credential of a key."""
    rows = ForeignCode.objects.filter(lock_id=lock_id, adopted_as__isnull=False)
    ours = {
        (row.kind, row.address): handle_of(key_id=row.adopted_key, assignment_id=row.adopted_as)
        for row in rows
        if row.adopted_as and row.adopted_key
    }
    if not ours:
        return list(held)
    return [
        replace(each, handle=ours.get((each.kind.value, each.address), each.handle))
        for each in held
    ]


def _first_seen(lock: Lock, new: Sequence[Held], now: datetime) -> None:
    rows = [
        ForeignCode(
            property_id=lock.property_id,
            lock=lock,
            address=each.address,
            kind=each.kind.value,
            first_seen_at=now,
            last_seen_at=now,
            **_shown(lock.property_id, each),
        )
        for each in new
    ]
    ForeignCode.objects.bulk_create(rows, ignore_conflicts=True)
    doorlog.append(
        [
            doorlog.lock_line(lock, LogCode.FOREIGN, now)._replace(kind=row.kind, hint=row.hint)
            for row in rows
        ]
    )
