"""Takes given events into the door log: stored as rows first, so that nothing is lost, and worked off by any worker.

One that cannot be worked off is tried again with back-off and at last set aside, visibly; the others go on.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from django.conf import settings
from django.db.models import F

from locks import events
from locks.bell import ring
from locks.clock import database_now
from locks.crediting import Known, known
from locks.drivers import EventType, Kind, LockEvent
from locks.event_lines import PlainEvent
from locks.intake_models import Intake
from locks.models import Lock
from locks.vault import CannotDecrypt

log = logging.getLogger(__name__)
BELL = "locks.tasks.take_in"
CLAIM = timedelta(seconds=60)
TRIES = 8
KEPT = timedelta(days=7)
AT_ONCE = 50
SET_ASIDE = "set aside after too many tries"

_TYPES = {type_.value: type_ for type_ in EventType}
_KINDS: dict[str | None, Kind | None] = {kind.value: kind for kind in Kind} | {None: None}

Told = tuple[int, LockEvent]
"""The id of a lock, and what it told."""
Row = list[Any]
"""The same as it is stored: what JSON can hold, in the order of ``row_of``."""


def store(
    told: Sequence[Told], *, property_id: int, source: Intake.Source, now: datetime
) -> Intake:
    """Keep these events of one hotel until a worker takes them in. The caller rings ``BELL``."""
    rows = [row_of(lock_id, event) for lock_id, event in told]
    return store_rows(rows, property_id=property_id, source=source, now=now)


def store_rows(
    rows: Sequence[Row], *, property_id: int, source: Intake.Source, now: datetime
) -> Intake:
    """The same for events that are rows already. They hold what was typed, so their text is encrypted wherever it lies."""
    return Intake.objects.create(
        property_id=property_id,
        source=source,
        body=json.dumps(rows, separators=(",", ":")),
        events=len(rows),
        received_at=now,
        next_try_at=now,
    )


def row_of(lock_id: int, e: LockEvent) -> Row:
    """An event of a lock as it is stored."""
    at, kind = e.happened_at.astimezone(UTC).isoformat(), e.kind.value if e.kind else None
    said = [e.handle, e.address, e.secret, e.reason, e.battery, e.vendor_type]
    return [lock_id, e.event_id, e.type.value, at, kind, *said]


def plain_row(lock_id: int, event: PlainEvent) -> Row:
    """The same for an event that names no credential, shows no code and gives no reason."""
    id_, type_, at, kind, vendor_type = event
    return [lock_id, id_, type_, at, kind, "", "", None, "", None, vendor_type]


def _told(rows: Sequence[Row]) -> list[Told]:
    return [(row[0], _event(row)) for row in rows]


def _event(row: Sequence[Any]) -> LockEvent:
    _, event_id, type_, at, kind, handle, address, secret, reason, battery, vendor_type = row
    return LockEvent(
        event_id=event_id,
        lock_ref="",
        type=_TYPES[type_],
        happened_at=datetime.fromisoformat(at),
        kind=_KINDS[kind],
        handle=handle,
        address=address,
        secret=secret,
        reason=reason,
        battery=battery,
        vendor_type=vendor_type,
    )


def work_off() -> int:
    """Take in all that is due, oldest first, for at most one round. Returns how many events were new."""
    end = time.monotonic() + settings.DELIVERY_ROUND_S
    new = 0
    while rows := list(_due(database_now())[:AT_ONCE]):
        for row in rows:
            if time.monotonic() > end:
                ring(BELL)
                return new
            if _mine(row):
                new += _take(row)
    _forget(database_now())
    return new


def _due(now: datetime) -> Any:
    return Intake.objects.filter(processed_at=None, next_try_at__lte=now).order_by(
        "next_try_at", "id"
    )


def _mine(row: Intake) -> bool:
    """Whether this worker takes it, for a minute."""
    seen = Intake.objects.filter(pk=row.pk, processed_at=None, tries=row.tries)
    taken = seen.update(next_try_at=database_now() + CLAIM, tries=F("tries") + 1)
    row.tries += taken
    return bool(taken)


def _take(row: Intake) -> int:
    try:
        new = _taken(row, json.loads(row.body))
    except Exception as error:  # noqa: BLE001 - the trouble of one batch is not another's; it is due again
        _later(row, error)
        return 0
    Intake.objects.filter(pk=row.pk).update(
        processed_at=database_now(), body="", new=new, result="taken in"
    )
    return new


def _taken(row: Intake, rows: Sequence[Row]) -> int:
    """Old events that need no crediting go from row to row; the others the long way, which tells the same of them."""
    now = database_now()
    locks = _locks_of(row, {told[0] for told in rows})
    if events.only_kept(rows, now=now):
        return events.keep(rows, locks, property_id=row.property_id, now=now)
    mine = [(locks[lock_id], event) for lock_id, event in _told(rows) if lock_id in locks]
    return events.take(mine, now=now)


def _locks_of(row: Intake, ids: Collection[int]) -> Mapping[int, Known]:
    """Never another hotel's, whatever the row says."""
    mine = Lock.objects.filter(property_id=row.property_id, pk__in=ids)
    return {lock.pk: lock for lock in known(mine)}


def _later(row: Intake, error: Exception) -> None:
    """Never the text of the error: it may hold what was told."""
    log.error("events %s could not be taken in: %s", row.pk, type(error).__name__)
    now = database_now()
    wait = timedelta(seconds=min(2.0 ** min(row.tries, 9), 300.0))
    poison = row.tries >= TRIES and isinstance(error, ValueError | LookupError | TypeError)
    if poison or isinstance(error, CannotDecrypt):
        Intake.objects.filter(pk=row.pk).update(processed_at=now, result=SET_ASIDE)
        return
    Intake.objects.filter(pk=row.pk).update(
        next_try_at=now + wait, result=f"tried again: {type(error).__name__}"[:60]
    )


def _forget(now: datetime) -> None:
    """What was taken in long ago is in the log; what was set aside stays."""
    Intake.objects.filter(processed_at__lt=now - KEPT).exclude(result=SET_ASIDE).delete()
