"""The only writer of recoveries: a plan that someone confirmed, worked off from its rows in chunks that commit.

The rows are the queue. Whoever works at a recovery holds its row locked for one step, so that two workers never do the
same step, a dead one leaves nothing half done, and cancelling waits for one step at most. Access that must go is taken
away before any is given.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import partial

from django.conf import settings
from django.db import transaction

from keys import provisioning
from keys import recovery_planning as planning
from keys import recovery_steps as steps
from keys.affected import not_followed_yet, stays_of
from keys.models import Recovery, RecoveryRow
from keys.refusal import Refused
from locks.bell import ring
from locks.history import Actor
from locks.pulse import bump
from pms.models import Outage

State = RecoveryRow.State
BELL = "keys.tasks.recover"


class NothingLeft(Refused):
    """Nothing that was asked for is left to do."""

    def __init__(self) -> None:
        super().__init__("reservations", "Nothing was left to release: nothing was changed.")


class StillFollowing(Refused):
    """Portal has read them, but not made all keys yet: a recovery begun now would leave those out."""

    def __init__(self, many: int) -> None:
        super().__init__(
            "reservations",
            f"Portal is still making the keys of {many} of these reservations: try again in a moment.",
        )


def start(
    *,
    outage: Outage,
    reservation_ids: Sequence[int] | None = None,
    before_check_in: bool = False,
    links_keys: bool = True,
    up_to: int | None = None,
    seen_at: datetime | None = None,
    by: Actor,
    now: datetime,
) -> Recovery:
    """Confirm a recovery; workers do it. Without ``reservation_ids`` it covers all that the outage touched.

    ``up_to`` is the newest reservation, and ``seen_at`` the moment, of what the caller saw; not given, they are those of
    now. A recovery of this outage that is under way is returned instead of a second one. Raises Refused when a reason is
    missing, nothing is left to do, or keys are still being made.
    """
    if not by.reason.strip():
        raise Refused("reason", "Say why: it is kept in the history of every door.")
    with transaction.atomic():
        _lock(outage.pk)
        running = Recovery.objects.filter(outage=outage, finished_at=None).first()
        if running is not None:
            return running
        recovery = _confirmed(outage, before_check_in, links_keys, by, now)
        recovery.seen_at = min(seen_at or now, now)
        recovery.up_to = min(recovery.up_to if up_to is None else up_to, recovery.up_to)
        if reservation_ids is None:
            _cover_all(recovery, now=now)
        else:
            _cover(recovery, reservation_ids, now=now)
        _tell(recovery)
    return recovery


def _confirmed(
    outage: Outage,
    before_check_in: bool,  # noqa: FBT001 - as it was confirmed
    links_keys: bool,  # noqa: FBT001 - as it was confirmed
    by: Actor,
    now: datetime,
) -> Recovery:
    """What a person confirmed, as far as the newest reservation of the outage."""
    newest = stays_of(outage).order_by("-id").values_list("id", flat=True).first() or 0
    return Recovery(
        property_id=outage.property_id,
        outage=outage,
        source=by.source.value,
        user_id=by.user_id,
        actor_label=by.label,
        reason=by.reason.strip(),
        before_check_in=before_check_in,
        links_keys=links_keys,
        up_to=newest,
        started_at=now,
    )


def _cover_all(recovery: Recovery, *, now: datetime) -> None:
    """Let workers plan all that the outage touched."""
    if many := not_followed_yet(recovery.outage, now=now):
        raise StillFollowing(many)
    if not steps.has_open(recovery.outage, now=now):
        raise NothingLeft
    recovery.planned_to = 0
    recovery.save()


def _cover(recovery: Recovery, reservation_ids: Sequence[int], *, now: datetime) -> None:
    """Plan the reservations that were chosen."""
    recovery.planned_to = None
    recovery.save()
    chosen = stays_of(recovery.outage).filter(pk__in=list(reservation_ids), pk__lte=recovery.up_to)
    if not planning.plan(recovery, list(chosen.values_list("id", flat=True)), now=now):
        raise NothingLeft
    recovery.save()


def cancel(*, recovery: Recovery, now: datetime) -> Recovery:
    """Do no more of it: what waits is not done, what is done stays. Doing so again changes nothing."""
    with transaction.atomic():
        row = _locked(recovery.pk)
        if row.finished_at is None and row.undo_asked_at is None:
            waiting = RecoveryRow.objects.filter(recovery=row, state=State.WAITING)
            row.cancelled += waiting.update(
                state=State.CANCELLED, result="Not done: cancelled before.", settled_at=now
            )
            row.cancelled_at, row.planned_to = now, None
            _finish(row, now)
            row.save()
            _tell(row)
    return row


def undo(*, recovery: Recovery, by: Actor, now: datetime) -> Recovery:
    """Hold again what this recovery released and nobody changed since; a code that is on a lock is taken off.

    Raises Refused while it is under way; asking again changes nothing.
    """
    with transaction.atomic():
        _lock(recovery.outage_id)
        row = _locked(recovery.pk)
        if row.finished_at is None and row.undo_asked_at is None:
            raise Refused("recovery", "It is still under way: cancel it first, then undo it.")
        if row.undo_asked_at is None:
            other = Recovery.objects.filter(outage_id=row.outage_id, finished_at=None)
            if other.exists():
                raise Refused("recovery", "Another recovery is under way: wait until it is done.")
            row.ask_undo(by=by, now=now)
            row.save()
            _tell(row)
    return row


def _lock(outage_id: int) -> None:
    """Whoever begins something about an outage waits here for another who does."""
    Outage.objects.select_for_update(of=("self",), no_key=True).get(pk=outage_id)


def _locked(pk: int) -> Recovery:
    return Recovery.objects.select_for_update(of=("self",), no_key=True).get(pk=pk)


def _finish(recovery: Recovery, now: datetime) -> None:
    """Nothing is left to do. Of many doors all that the hotel has live is decided again, in one go."""
    recovery.finished_at = now
    if steps.is_large(recovery):
        provisioning.ask_again(property_id=recovery.property_id, now=now)
        transaction.on_commit(partial(ring, "keys.tasks.look_now"))


def _tell(recovery: Recovery) -> None:
    bump([recovery.property_id])
    transaction.on_commit(partial(ring, BELL))


# Working it off -----------------------------------------------------------------------------------


def unfinished() -> list[int]:
    """The recoveries that have something to do, oldest first."""
    rows = Recovery.objects.filter(finished_at=None).order_by("id")
    return list(rows.values_list("id", flat=True))


def step(*, recovery_id: int, now: datetime) -> bool:
    """Do one step of a recovery, all of it or nothing. False when it is finished or another worker is at it."""
    with transaction.atomic():
        recovery = (
            Recovery.objects.select_for_update(of=("self",), no_key=True, skip_locked=True)
            .select_related("outage__property")
            .filter(pk=recovery_id, finished_at=None)
            .first()
        )
        if recovery is None:
            return False
        if recovery.undo_asked_at is not None:
            more = steps.undo_some(recovery, now=now)
        elif recovery.planned_to is not None:
            more = _plan_some(recovery, recovery.planned_to, now)
        else:
            more = steps.do_some(recovery, now=now)
        if not more:
            _finish(recovery, now)
        recovery.save()
        bump([recovery.property_id])
    return more


def _plan_some(recovery: Recovery, after: int, now: datetime) -> bool:
    chunk = settings.RECOVERY_CHUNK
    stays = stays_of(recovery.outage).filter(pk__gt=after, pk__lte=recovery.up_to)
    ids = stays.order_by("id").values_list("id", flat=True)
    last = ids[chunk - 1 : chunk + 1]  # the last of this chunk, and the one after it
    found = list(last)
    planning.plan_range(recovery, after, found[0] if found else recovery.up_to, now=now)
    recovery.planned_to = found[0] if len(found) == 2 else None
    return True
