"""Credentials on locks that Portal did not put there: kept in a list, never overwritten."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from locks import doorlog
from locks.drivers import Held, Kind
from locks.log_models import LogCode
from locks.models import Lock
from locks.slot_models import ForeignCode


def seen(lock_id: int, held: Sequence[Held], *, now: datetime) -> None:
    """Note what lies on a lock that is not ours: all of it, as just read. What is new earns a line in the door log."""
    known = {
        (each.kind, each.address): each
        for each in ForeignCode.objects.filter(lock_id=lock_id, gone_at=None)
    }
    there = {(each.kind.value, each.address): each for each in held if each.address}
    gone = [known[place].pk for place in known.keys() - there.keys()]
    still = [known[place].pk for place in known.keys() & there.keys()]
    if gone:
        ForeignCode.objects.filter(pk__in=gone).update(gone_at=now)
    if still:
        ForeignCode.objects.filter(pk__in=still).update(last_seen_at=now)
    new = [each for place, each in there.items() if place not in known]
    if new:
        _first_seen(Lock.objects.get(pk=lock_id), new, now)


def _first_seen(lock: Lock, new: Sequence[Held], now: datetime) -> None:
    rows = [
        ForeignCode(
            property_id=lock.property_id,
            lock=lock,
            address=each.address,
            kind=each.kind.value,
            hint=f"••{each.secret[-2:]}" if each.secret and each.kind is Kind.DOOR_CODE else "",
            first_seen_at=now,
            last_seen_at=now,
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
