"""The steps of a recovery: what one chunk of its rows does to keys, and the result of each row as a sentence without guests.

Every function here runs inside the transaction of its caller, who holds the recovery locked and saves its figures.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from functools import cache
from typing import NamedTuple

from django.conf import settings
from django.db import InterfaceError, OperationalError, transaction
from django.db.models import F, Q, QuerySet

from keys.affected import stays_of, touched
from keys.batch_models import FIGURES
from keys.following import follow
from keys.issuing import switch_many
from keys.linking import link
from keys.models import Assignment, Key, KeychainDoor, Recovery, RecoveryRow
from keys.refusal import Refused
from keys.releasing import held_doors
from keys.remedies import RANK, Remedy
from keys.rules import Permission
from pms.models import Outage, Reservation

log = logging.getLogger(__name__)
State = RecoveryRow.State
Rows = QuerySet[RecoveryRow]
MARKED_ONE_BY_ONE = 200
"""Up to so many reservations each door is marked to be looked at; more are decided again with all the hotel's doors."""


class Row(NamedTuple):
    """What a step needs to know of a row, as plain values in the order of its columns."""

    id: int
    key_id: int
    reservation_id: int
    twin_id: int | None
    action: str
    rank: int
    settled_at: datetime | None


OURS = (
    "This could not be done because of an error in Portal: support finds it in the log by this row."
)
DONE = {
    Remedy.REVOKE: "Revoked; what is on its locks is taken off.",
    Remedy.SHORTEN: "Agrees with the PMS: nothing opens longer than the stay.",
    Remedy.MOVE: "Agrees with the PMS: its doors are those of the room now.",
    Remedy.EXTEND: "Agrees with the PMS: its times are those of the stay now.",
}


def has_open(outage: Outage, *, now: datetime) -> bool:
    """Whether anything of this outage is left to do: held doors, or keys that do not agree with the PMS yet."""
    if held_doors(outage=outage, now=now).exists():
        return True
    behind = stays_of(outage).filter(Q(followed_at=None) | ~Q(followed_at=F("changed_at")))
    return behind.filter(key__isnull=False).exists()


def is_large(recovery: Recovery) -> bool:
    """Whether its doors are so many that they are decided again in one go at its end rather than marked one by one."""
    return recovery.planned > MARKED_ONE_BY_ONE


Outcome = tuple[str, str]
"""The state of a row and its result."""


def _next(recovery: Recovery, state: str) -> list[Row]:
    """What is next of the rows in this state: many releases together, but only one of anything else."""
    rows = RecoveryRow.objects.filter(recovery=recovery, state=state)
    first = rows.order_by("rank", "id").values_list("rank", flat=True).first()
    if first is None:
        return []
    most = settings.RECOVERY_CHUNK if first == RANK[Remedy.PROVISION] else 1
    found = rows.filter(rank=first).order_by("id")[:most]
    return [Row._make(row) for row in found.values_list(*Row._fields)]


def _between(recovery: Recovery, rows: Sequence[Row], state: str) -> Rows:
    """The same rows for a statement: those of one state and rank follow each other by id."""
    return RecoveryRow.objects.filter(
        recovery=recovery, state=state, rank=rows[0].rank, pk__range=(rows[0].id, rows[-1].id)
    )


# Doing --------------------------------------------------------------------------------------------


def do_some(recovery: Recovery, *, now: datetime) -> bool:
    """Do what the next rows say. False when nothing is left after them."""
    rows = _next(recovery, State.WAITING)
    if not rows:
        return False
    if rows[0].action != Remedy.PROVISION.value:
        _settle(recovery, rows, [_one(recovery, rows[0], now)], State.WAITING, now)
        return True
    _settle(recovery, rows, _release(recovery, rows, now), State.WAITING, now)
    return len(rows) >= int(settings.RECOVERY_CHUNK)


def _release(recovery: Recovery, rows: Sequence[Row], now: datetime) -> list[Outcome]:
    """Release what the outage still holds of these keys, few statements for all of them."""
    target = Permission.AUTOMATIC
    if recovery.before_check_in:
        target = Permission.ALLOWED_BEFORE_CHECK_IN
    keys = _between(recovery, rows, State.WAITING).values("key_id")
    changed = switch_many(
        held_doors(outage=recovery.outage, now=now).filter(key_id__in=keys),
        target,
        by=recovery.actor(),
        now=now,
        marks=not is_large(recovery),
    )
    doors = Counter(door.key_id for door in changed)
    return [_released(doors[row.key_id]) for row in rows]


@cache
def _released(doors: int) -> Outcome:
    if not doors:
        return State.SKIPPED, "Nothing of it was held any more."
    many = "1 door" if doors == 1 else f"{doors} doors"
    return State.DONE, f"Released: Allow Provisioning is on for {many}."


def _one(recovery: Recovery, row: Row, now: datetime) -> Outcome:
    """One row whose key must change by itself; whatever fails there fails alone."""
    try:
        with transaction.atomic():
            stay = Reservation.objects.select_related("property", "integration").get(
                pk=row.reservation_id
            )
            return _change(recovery, row, stay, now)
    except Refused as refused:
        return State.FAILED, refused.message
    except (InterfaceError, OperationalError):  # the database's trouble, not the row's: try again
        raise
    except Exception:
        log.exception("row %s of recovery %s failed", row.id, recovery.pk)
        return State.FAILED, OURS


def _change(recovery: Recovery, row: Row, stay: Reservation, now: datetime) -> Outcome:
    if row.action == Remedy.LINK.value:
        return _link(recovery, row, stay, now)
    key = follow(reservation=stay, now=now)
    if key is None:
        return State.SKIPPED, "The reservation has no key."
    return State.DONE, DONE[Remedy(row.action)]


def _link(recovery: Recovery, row: Row, stay: Reservation, now: datetime) -> Outcome:
    if row.twin_id is None or not _still_fits(recovery, row, now):
        raise Refused("key", "The keys changed meanwhile and fit no more: nothing was linked.")
    link(reservation=stay, twin_id=row.twin_id, by=recovery.actor(), now=now)
    return State.DONE, f"Linked to Key {row.twin_id}, which keeps its code."


def _still_fits(recovery: Recovery, row: Row, now: datetime) -> bool:
    alone = Reservation.objects.filter(pk=row.reservation_id)
    found = touched(outage=recovery.outage, stays=alone, now=now, seen_at=recovery.seen_at)
    return bool(found) and found[0].proposal.twin_id == row.twin_id


# Undoing ------------------------------------------------------------------------------------------


def undo_some(recovery: Recovery, *, now: datetime) -> bool:
    """Undo what the next rows did, as far as that can be. False when nothing is left after them."""
    rows = _next(recovery, State.DONE)
    if not rows:
        return False
    if rows[0].action != Remedy.PROVISION.value:
        _settle(recovery, rows, [(State.KEPT, _kept(rows[0]))], State.DONE, now)
        return True
    _settle(recovery, rows, _hold_again(recovery, rows, now), State.DONE, now)
    return len(rows) >= int(settings.RECOVERY_CHUNK)


def _kept(row: Row) -> str:
    if row.action == Remedy.LINK.value:
        return "Stays linked: the guest has that code."
    return "Stays as the PMS says."


def _hold_again(recovery: Recovery, rows: Sequence[Row], now: datetime) -> list[Outcome]:
    """Hold the doors that this recovery released and that nobody changed since."""
    keys = _between(recovery, rows, State.DONE).values("key_id")
    since = KeychainDoor.objects.filter(
        key_id__in=keys,
        outage_id=recovery.outage_id,
        removed_at=None,
        permission__in=[Permission.AUTOMATIC.value, Permission.ALLOWED_BEFORE_CHECK_IN.value],
    )
    released = {row.settled_at for row in rows if row.settled_at is not None}
    changed = switch_many(
        since.filter(permission_since__in=released),
        Permission.HELD_BY_OUTAGE,
        by=recovery.undoer(),
        now=now,
        marks=not is_large(recovery),
    )
    held = {door.key_id for door in changed}
    on_locks = on_locks_of([door.id for door in changed])
    return [_held_again(row.key_id in held, on_locks.get(row.key_id, "")) for row in rows]


def on_locks_of(doors: Sequence[int]) -> dict[int, str]:
    """By key the names of those doors on whose locks something of it is, or may be; many are only counted."""
    there = Q(written_revision__isnull=False) | Q(sent_revision__isnull=False)
    places = Assignment.objects.filter(there, keychain_door_id__in=doors)
    found: dict[int, list[str]] = {}
    for key_id, name in sorted(set(places.values_list("key_id", "door__name"))):
        found.setdefault(key_id, []).append(name)
    return {
        key_id: " and ".join(names) if len(names) < 3 else f"{len(names)} locks"
        for key_id, names in found.items()
    }


def _held_again(is_held: bool, on_locks: str) -> Outcome:  # noqa: FBT001 - a fact, not a switch
    if not is_held:
        return State.KEPT, "Left as it is: its doors were changed since."
    if not on_locks:
        return State.UNDONE, "Held again."
    return State.UNDONE, f"Held again; its code was on {on_locks} and is taken off now."


def on_locks_now(recovery: Recovery) -> int:
    """How many keys that this recovery released have something on a lock now, which undoing would take off; to 1000."""
    released = RecoveryRow.objects.filter(
        recovery=recovery, state=State.DONE, action=Remedy.PROVISION.value
    )
    there = Q(assignments__written_revision__isnull=False) | Q(
        assignments__sent_revision__isnull=False
    )
    keys = Key.objects.filter(there, pk__in=released.values("key_id")).values("id").distinct()
    return keys[:1000].count()


# The figures --------------------------------------------------------------------------------------


def _settle(
    recovery: Recovery,
    rows: Sequence[Row],
    outcomes: Sequence[Outcome],
    state: str,
    now: datetime,
) -> None:
    """Keep each row's result and count them: rare results by their rows, then the usual one for all the others."""
    alike: dict[Outcome, list[int]] = {}
    for row, outcome in zip(rows, outcomes, strict=True):
        alike.setdefault(outcome, []).append(row.id)
    rest = _between(recovery, rows, state)
    *rare, usual = sorted(alike, key=lambda outcome: len(alike[outcome]))
    for outcome in (*rare, usual):
        meant = rest if outcome == usual else rest.filter(pk__in=alike[outcome])
        meant.update(state=outcome[0], result=outcome[1][:300], settled_at=now)
        name = FIGURES[State(outcome[0])]
        setattr(recovery, name, getattr(recovery, name) + len(alike[outcome]))
    if state == State.DONE:
        recovery.done -= len(rows)
