"""The only writer of changes of many keys: a dry run by effect, then what was confirmed, key by key, cancelled or undone.

The rows are the queue. Whoever works at a change holds its row locked for one key and commits, so that two workers never
do the same key, a dead one leaves nothing half done, and cancelling waits for one key at most.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import partial

from django.db import InterfaceError, OperationalError, transaction
from django.db.models import QuerySet

from keys import issuing
from keys.batch_models import FIGURES, RowState
from keys.facts import Row, answer, is_over, on_lock, reach, rows_of
from keys.keychain import locked
from keys.models import Assignment, BulkChange, BulkRow, Credential, Key, KeychainDoor
from keys.recovery_steps import OURS, on_locks_of
from keys.refusal import Refused
from keys.rules import Action, Hold, OnLock, Permission, Reach
from locks.bell import ring
from locks.history import Actor
from locks.pulse import bump

log = logging.getLogger(__name__)
BELL = "keys.tasks.change_keys"
MOST = 1000
"""So many keys are changed at once."""
State = RowState
Kind = BulkChange.Action
ON = [permission.value for permission in Permission if permission.is_on]
OFF = [permission.value for permission in Permission if not permission.is_on]


class Effect(StrEnum):
    """What a change does to one key, as the dry run shows it."""

    COMES_OFF = "Come off their locks"
    STUCK = "Come off when their locks answer; until then they may still open"
    NOT_THERE = "Nothing of them is on a lock"
    WRITTEN = "Written now"
    NO_CHECK_IN = "Wait for check-in"
    WAITS = "Wait for something else"
    NOTHING = "Nothing to do"


@dataclass(frozen=True, slots=True)
class DryRun:
    """How many keys there are, by effect, and of how many that change the guests are in house."""

    keys: int
    effects: list[tuple[Effect, int]]
    in_house: int

    @property
    def changes(self) -> int:
        """How many keys change."""
        return self.keys - dict(self.effects).get(Effect.NOTHING, 0)


def dry_run(*, property_id: int, action: str, key_ids: Sequence[int], now: datetime) -> DryRun:
    """Count what the change would do to these keys; nothing is changed. Three queries."""
    keys = list(Key.objects.filter(property_id=property_id, pk__in=key_ids))
    rows: dict[int, list[Row]] = {}
    for row in rows_of(Assignment.objects.filter(key_id__in=[key.pk for key in keys])):
        if row.removed_at is None:
            rows.setdefault(row.key_id, []).append(row)
    switches: dict[int, set[str]] = {}
    doors = KeychainDoor.objects.filter(key__in=keys, removed_at=None)
    for key_id, permission in doors.values_list("key_id", "permission"):
        switches.setdefault(key_id, set()).add(permission)
    effects, in_house = Counter[Effect](), 0
    for key in keys:
        effect = _effect(key, Kind(action), rows.get(key.pk, []), switches.get(key.pk, set()), now)
        effects[effect] += 1
        in_house += effect is not Effect.NOTHING and _is_in_house(key, rows.get(key.pk, []), now)
    return DryRun(len(keys), [(each, effects[each]) for each in Effect if effects[each]], in_house)


def _effect(
    key: Key, action: BulkChange.Action, rows: Sequence[Row], switches: set[str], now: datetime
) -> Effect:
    if _over(key, now):
        return Effect.NOTHING
    if action is Kind.ALLOW:
        return _released(rows, now) if switches & set(OFF) else Effect.NOTHING
    if action is Kind.HOLD and not switches & set(ON):
        return Effect.NOTHING
    there = [row for row in rows if on_lock(row) is not OnLock.ABSENT]
    if not there:
        return Effect.NOT_THERE
    stuck = any(reach(row) is not Reach.READY for row in there)
    return Effect.STUCK if stuck else Effect.COMES_OFF


def _released(rows: Iterable[Row], now: datetime) -> Effect:
    on = [row._replace(permission=Permission.AUTOMATIC.value) for row in rows if not is_over(row)]
    told = [answer(row, now=now).decision for row in on]
    if any(each.action is Action.WRITE for each in told):
        return Effect.WRITTEN
    waits = {Hold.NOT_CHECKED_IN, Hold.CHECK_IN_UNKNOWN}
    if any(not waits.isdisjoint(each.holds) for each in told):
        return Effect.NO_CHECK_IN
    return Effect.WAITS


def _over(key: Key, now: datetime) -> bool:
    return bool(key.revoked_at or key.departed_at or key.ends_at <= now)


def _is_in_house(key: Key, rows: Iterable[Row], now: datetime) -> bool:
    """A guest whose stay has begun and who has something on a lock."""
    return key.starts_at <= now and any(on_lock(row) is not OnLock.ABSENT for row in rows)


# Confirming, cancelling, undoing ------------------------------------------------------------------


def start(
    *, property_id: int, action: str, key_ids: Sequence[int], by: Actor, now: datetime
) -> BulkChange:
    """Confirm a change of these keys, those of other properties left out; workers do it. Raises Refused."""
    if not by.reason.strip():
        raise Refused("reason", "Say why: it is kept in the history of every key.")
    keys = Key.objects.filter(property_id=property_id, pk__in=key_ids).order_by("id")
    ids = list(keys.values_list("id", flat=True)[: MOST + 1])
    if not ids:
        raise Refused("keys", "No key is chosen: tick some in the list, or all of it.")
    if len(ids) > MOST:
        raise Refused("keys", f"More than {MOST} keys: change these in several goes.")
    with transaction.atomic():
        change = BulkChange.objects.create(
            property_id=property_id,
            action=Kind(action),
            source=by.source.value,
            user_id=by.user_id,
            actor_label=by.label,
            reason=by.reason.strip(),
            started_at=now,
            planned=len(ids),
        )
        BulkRow.objects.bulk_create(
            BulkRow(property_id=property_id, change=change, key_id=pk) for pk in ids
        )
        _tell(change)
    return change


def cancel(*, change: BulkChange, now: datetime) -> BulkChange:
    """Do no more of it: what waits is not done, what is done stays. Doing so again changes nothing."""
    with transaction.atomic():
        row = _locked(change.pk)
        if row.finished_at is None and row.undo_asked_at is None:
            waiting = BulkRow.objects.filter(change=row, state=State.WAITING)
            row.cancelled += waiting.update(
                state=State.CANCELLED, result="Not done: cancelled before.", settled_at=now
            )
            row.cancelled_at = row.finished_at = now
            row.save()
            _tell(row)
    return row


def undo(*, change: BulkChange, by: Actor, now: datetime) -> BulkChange:
    """Take back what it did to keys that nobody changed since. Raises Refused while it is under way; asking again changes
    nothing."""
    with transaction.atomic():
        row = _locked(change.pk)
        if row.undo_asked_at is None:
            if row.finished_at is None:
                raise Refused("change", "It is still under way: cancel it first, then undo it.")
            row.ask_undo(by=by, now=now)
            row.save()
            _tell(row)
    return row


def _locked(pk: int) -> BulkChange:
    return BulkChange.objects.select_for_update(of=("self",), no_key=True).get(pk=pk)


def _tell(change: BulkChange) -> None:
    bump([change.property_id])
    transaction.on_commit(partial(ring, BELL))


# Working it off -----------------------------------------------------------------------------------


Outcome = tuple[RowState, str]
"""The state of a row and its result."""


def unfinished() -> list[int]:
    """The changes that have something to do, oldest first."""
    rows = BulkChange.objects.filter(finished_at=None).order_by("id")
    return list(rows.values_list("id", flat=True))


def step(*, change_id: int, now: datetime) -> bool:
    """Do, or undo, one key of a change. False when it is finished or another worker is at it."""
    with transaction.atomic():
        change = (
            BulkChange.objects.select_for_update(of=("self",), no_key=True, skip_locked=True)
            .filter(pk=change_id, finished_at=None)
            .first()
        )
        if change is None:
            return False
        is_undone = change.undo_asked_at is not None
        was = State.DONE if is_undone else State.WAITING
        rows = BulkRow.objects.select_related("key").filter(change=change, state=was)
        row = rows.order_by("id").first()
        if row is None:
            change.finished_at = now
        else:
            _settle(change, row, _outcome(change, row, now), now)
        change.save()
        bump([change.property_id])
    return row is not None


def _settle(change: BulkChange, row: BulkRow, outcome: Outcome, now: datetime) -> None:
    if row.state == State.DONE:
        change.done -= 1
    row.state, row.result, row.settled_at = outcome[0], outcome[1][:300], now
    row.save(update_fields=["state", "result", "settled_at", "before"])
    figure = FIGURES[outcome[0]]
    setattr(change, figure, getattr(change, figure) + 1)


def _outcome(change: BulkChange, row: BulkRow, now: datetime) -> Outcome:
    """Whatever fails at one key fails there alone."""
    is_undone = change.undo_asked_at is not None
    failed = State.KEPT if is_undone else State.FAILED
    try:
        with transaction.atomic():
            return _undo(change, row, now) if is_undone else _do(change, row, now)
    except Refused as refused:
        return failed, refused.message
    except (InterfaceError, OperationalError):  # the database's trouble, not the key's: try again
        raise
    except Exception:
        log.exception("row %s of change %s failed", row.pk, change.pk)
        return failed, OURS


def _do(change: BulkChange, row: BulkRow, now: datetime) -> Outcome:
    key = locked(row.key)
    if _over(key, now):
        return State.SKIPPED, "Revoked already." if key.revoked_at else "Over already."
    if change.action == Kind.REVOKE:
        there = _where(key.doors.all())
        issuing.revoke(key=key, by=change.actor(), now=now)
        return State.DONE, f"Revoked; {there}."
    is_on = change.action == Kind.ALLOW
    doors = key.doors.filter(removed_at=None, permission__in=OFF if is_on else ON)
    row.before = {str(pk): was for pk, was in doors.values_list("id", "permission")}
    target = Permission.AUTOMATIC if is_on else Permission.HELD_BY_STAFF
    there = "" if is_on else f"; {_where(doors)}"
    changed = issuing.switch_many(doors, target, by=change.actor(), now=now)
    if not changed:
        return State.SKIPPED, f"Allow Provisioning was {'on' if is_on else 'off'} already."
    many = f"{len(changed)} door{'' if len(changed) == 1 else 's'}"
    return State.DONE, f"Allow Provisioning is {'on' if is_on else 'off'} for {many}{there}."


def _where(doors: QuerySet[KeychainDoor]) -> str:
    """Whether something of the key was on locks, which is taken off now."""
    found = on_locks_of(list(doors.values_list("id", flat=True)))
    names = next(iter(found.values()), "")
    return f"its code was on {names} and is taken off now" if names else "nothing was on a lock"


CHANGED = "Left as it is: it was changed since."


def _undo(change: BulkChange, row: BulkRow, now: datetime) -> Outcome:
    key, then = locked(row.key), row.settled_at
    if change.action == Kind.REVOKE:
        return _restore(change, key, then, now)
    if key.revoked_at is not None or then is None:
        return State.KEPT, CHANGED
    found = 0
    for permission in set(row.before.values()):
        ids = [int(pk) for pk, was in row.before.items() if was == permission]
        doors = KeychainDoor.objects.filter(pk__in=ids, removed_at=None, permission_since=then)
        found += len(
            issuing.switch_many(doors, Permission(permission), by=change.undoer(), now=now)
        )
    if not found:
        return State.KEPT, CHANGED
    is_on = change.action == Kind.HOLD
    return State.UNDONE, f"Allow Provisioning is {'on' if is_on else 'off'} again."


def _restore(change: BulkChange, key: Key, revoked_at: datetime | None, now: datetime) -> Outcome:
    if key.revoked_at != revoked_at:
        return State.KEPT, CHANGED
    credentials = Credential.objects.filter(key=key, retired_at=None).order_by("id")
    before = list(credentials.values_list("id", "revision"))
    issuing.restore(key=key, by=change.undoer(), now=now)
    if list(credentials.values_list("id", "revision")) == before:
        return State.UNDONE, "Restored with the same code."
    return State.UNDONE, "Restored with another code: someone has the old one by now."
