"""What the rest of Portal tells provisioning: rows that are due, rules that changed, codes that were used or typed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import partial

from django.db import transaction
from django.db.models import F, Q

from keys import ledger
from keys.facts import Answer, Row, answer, rows_of
from keys.ledger import Batch
from keys.models import Assignment, Recheck
from keys.outcomes import AT_WORK, NOT_WRITTEN, OVERDUE, cause_of, line_of, noted
from keys.rules import Hold, is_pending
from locks import doorlog
from locks.bell import ring
from locks.crediting import Typed
from locks.doorlog import Trouble
from locks.drivers import Cause, Proof
from locks.handles import ids_of
from locks.log_models import LogCode
from locks.models import Lock
from locks.pulse import bump

OUT_OF_REACH = (Hold.STILL_ON_LOCK, Hold.REMOVAL_PENDING, Hold.GATEWAY_OFFLINE, Hold.LOCK_OFFLINE)
PAUSES = (*OUT_OF_REACH, Hold.RETRYING, Hold.NOT_CONFIRMED, Hold.AT_WORK)
"""What waits for the time of its next attempt at a lock."""
UNREACHED = (Cause.LOCK_UNREACHABLE.value, Cause.GATEWAY_UNREACHABLE.value, AT_WORK, OVERDUE)
"""What is tried, or looked up, at once when a lock is back."""
SPACE_TRIES = 3
"""So often others give way to one row at a full lock."""


def mark_due(*, lock_ids: Sequence[int], now: datetime) -> None:
    """Look at everything on these locks again now: they are back, or something at them changed."""
    space_again(lock_ids=lock_ids, now=now)
    here = Assignment.objects.filter(lock_id__in=lock_ids, reserved_digest__isnull=False)
    put_off = here.filter(problem__in=UNREACHED)
    ledger.mark(put_off, now=now, retry_at=None)  # else a removal would wait behind a write
    ledger.mark(here.exclude(problem__in=UNREACHED), now=now)


def back_online(*, lock_id: int, now: datetime) -> None:
    """A lock answered: if that is news, all that waits for it is due, and for the others behind a gateway that is back."""
    if back := doorlog.lock_reached(lock_id=lock_id, now=now):
        mark_due(lock_ids=back, now=now)


def out_of_reach(*, lock_id: int, writer_id: int | None, gateway: bool, now: datetime) -> None:
    """A lock did not answer, or its gateway: all that waits for it, or for any lock behind that, waits for one next try."""
    until = doorlog.lock_unreachable(lock_id=lock_id, gateway=gateway, now=now)
    place = Q(writer_id=writer_id) if gateway and writer_id else Q(lock_id=lock_id)
    wait_together(place, until=until, now=now)


def wait_together(place: Q, *, until: datetime, now: datetime) -> None:
    """All that waits for a lock out of reach is due at the moment of its next try, removals with the writes behind them.

    What ends before then is looked at when it ends.
    """
    Assignment.objects.filter(
        place,
        Q(ends_at__lte=now) | Q(ends_at__gte=until),
        next_attempt_at__isnull=False,
        headline__in=OUT_OF_REACH,
    ).update(next_attempt_at=until)


def try_now(*, lock_id: int, now: datetime) -> int:
    """Staff end the pause of a lock: all that waits for its next attempt there is tried now, in the usual order.

    What the lock refused for good is not tried again by that. Returns how many credentials are tried.
    """
    waiting = Assignment.objects.filter(
        lock_id=lock_id, reserved_digest__isnull=False, headline__in=PAUSES
    )
    with transaction.atomic():
        ids = list(waiting.values_list("id", flat=True))
        ledger.mark(Assignment.objects.filter(pk__in=ids), now=now, retry_at=None)
        Lock.objects.filter(pk=lock_id).update(next_try_at=None)
        bump(set(Lock.objects.filter(pk=lock_id).values_list("property_id", flat=True)))
        transaction.on_commit(partial(ring, "keys.tasks.look_now"))
    return len(ids)


def space_again(*, lock_ids: Sequence[int], now: datetime) -> None:
    """Something may have left these locks: whatever found no space there is tried again."""
    refused = Assignment.objects.filter(
        lock_id__in=lock_ids,
        reserved_digest__isnull=False,
        refused_revision__isnull=False,
        problem=Cause.NO_SPACE.value,
    )
    ledger.mark(refused, now=now, refused_revision=None, retry_at=None)


def make_space(row: Row, *, now: datetime) -> None:
    """A lock has no space for this row: the latest arrival there gives way, if it comes later and is not in house.

    Once it is removed, both are among those that wait for space, and the soonest arrival is tried first. A lock that is
    full of other things is not emptied for nothing: after a few tries nobody gives way any more.
    """
    if row.tries >= SPACE_TRIES:
        return
    later = Assignment.objects.filter(
        lock_id=row.lock_id or 0,
        kind=row.kind,
        written_revision=F("revision"),
        sent_revision=None,
        starts_at__gt=max(row.starts_at, now),
    ).exclude(key__reservation__checked_in_at__isnull=False)
    last = later.order_by("-starts_at", "-id").values_list("id", flat=True).first()
    if last is None:
        return
    ledger.mark(
        Assignment.objects.filter(pk=last),
        now=now,
        refused_revision=F("revision"),
        problem=Cause.NO_SPACE.value,
        retry_at=None,
    )


def settle_without_lock(*, now: datetime) -> int:
    """Decide what is due at doors that have no lock: nothing can be sent, but what holds must be said."""
    due = Assignment.objects.filter(writer=None, next_attempt_at__lte=now).order_by("id")[:1000]
    if not due.exists():  # mostly so, and much less than building the rows' own statement
        return 0
    batch = Batch()
    for row in rows_of(due):
        verdict = noted(seen=row, row=row, grip=None, now=now)
        verdict.add_to(batch)
    ledger.settle(batch, owner="", lease_ms=0, now=now)
    return len(batch.changes)


def ask_again(*, property_id: int, now: datetime) -> None:
    """A rule of this property changed: decide all its live doors again. Call it in the transaction of the change."""
    Recheck.objects.update_or_create(
        property_id=property_id, defaults={"after_id": 0, "asked_at": now}
    )


def decide_again(*, now: datetime, chunk: int = 5000) -> int:
    """Decide the doors of properties whose rules changed, in chunks that commit; a crash resumes where it was."""
    decided = 0
    while (asked := Recheck.objects.order_by("asked_at").first()) is not None:
        rows = rows_of(
            Assignment.objects.filter(
                property_id=asked.property_id, pk__gt=asked.after_id, reserved_digest__isnull=False
            ).order_by("id")[:chunk]
        )
        with transaction.atomic():
            ledger.note([_looked_at_later(answer(row, now=now), now) for row in rows], now=now)
            mine = Recheck.objects.filter(pk=asked.pk, asked_at=asked.asked_at)
            if len(rows) < chunk:
                mine.delete()
            else:
                mine.update(after_id=rows[-1].id)
            bump([asked.property_id])
        decided += len(rows)
    return decided


def _looked_at_later(told: Answer, now: datetime) -> Answer:
    """Deciding again takes no look away that is due, and brings one where a reason at a running window changed."""
    row = told.row
    if row.next_attempt_at is not None and row.next_attempt_at <= now:
        return told._replace(next_at=row.next_attempt_at)
    begun = row.starts_at <= now < row.ends_at
    return told._replace(next_at=now) if begun and told.headline != row.headline else told


def mark_used(*, handles: Iterable[str], now: datetime) -> None:
    """A credential opened its door: the strongest proof that it is on the lock."""
    ids = [id_ for name in handles if (id_ := ids_of(name)[1]) is not None]
    used = Assignment.objects.filter(pk__in=ids, written_revision__isnull=False)
    with transaction.atomic():
        rows = used.select_for_update(no_key=True).order_by("id")
        Assignment.objects.filter(pk__in=list(rows.values_list("id", flat=True))).update(
            proof=Proof.USED.value, proven_at=now
        )


def code_was_typed(*, typed: Sequence[Typed], now: datetime) -> None:
    """A code was refused at a door: where it belongs to a credential that is pending there, that is a 4117."""
    troubles: list[Trouble] = []
    for each in typed:
        if each.door_id is None:
            continue
        places = Assignment.objects.filter(
            door_id=each.door_id, kind=each.kind, reserved_digest=each.digest
        )
        for told in (answer(row, now=now) for row in rows_of(places)):
            if is_pending(told.facts):
                cause = cause_of(told, told.row)
                line = line_of(told.row, LogCode.NOT_WRITTEN, now, cause=cause)
                troubles.append(Trouble(line, NOT_WRITTEN, tried=False))
    with transaction.atomic():
        doorlog.open_episodes(troubles, now=now)
        bump({trouble.line.property_id for trouble in troubles})
