"""Takes what locks tell into the door log, each event once and by the lock's own time, and believes the newest word.

Events come twice, late and out of order. All are kept; only those of the last day say anything about now.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction

from locks import crediting
from locks.crediting import Known, known, typed_in
from locks.doorlog import Line, append_events, append_history, append_plain, mark_of, retry_delay
from locks.drivers import EventType, Kind, LockEvent
from locks.handles import ids_of
from locks.log_models import DoorLogEntry, LogCode
from locks.models import Gateway, Lock, Writer
from locks.pulse import bump
from locks.signals import lock_reported

LOCK = DoorLogEntry.Origin.LOCK.value
SAYS_SOMETHING_OF_NOW = timedelta(days=1)
"""What is older is history: it is kept, but changes nothing that is believed of a lock."""

EVENT_CODES: dict[EventType, LogCode] = {
    EventType.UNLOCKED: LogCode.UNLOCKED,
    EventType.LOCKED: LogCode.LOCKED,
    EventType.DENIED: LogCode.DENIED,
    EventType.ONLINE: LogCode.ONLINE,
    EventType.OFFLINE: LogCode.OFFLINE,
    EventType.BATTERY_LOW: LogCode.BATTERY_LOW,
    EventType.CHANGED_AT_LOCK: LogCode.CHANGED_AT_LOCK,
    EventType.CLOCK_WRONG: LogCode.CLOCK_WRONG,
    EventType.TAMPER: LogCode.TAMPER,
    EventType.JAMMED: LogCode.JAMMED,
    EventType.LOCKED_OUT: LogCode.LOCKED_OUT,
    EventType.OPENED: LogCode.OPENED,
    EventType.CLOSED: LogCode.CLOSED,
    EventType.LEFT_OPEN: LogCode.LEFT_OPEN,
    EventType.FORCED: LogCode.FORCED,
    EventType.REMOVED_FROM_ACCOUNT: LogCode.REMOVED_FROM_ACCOUNT,
    EventType.SETTLED: LogCode.SETTLED,
}
_CODES = {type_: code.value for type_, code in EVENT_CODES.items()}
_CODE_OF = {type_.value: code for type_, code in _CODES.items()}
_KINDS = {kind: kind.value for kind in Kind}
REACH = {EventType.ONLINE, EventType.OFFLINE}
READ_AFTER = {EventType.CHANGED_AT_LOCK, EventType.SETTLED}


def ingest(*, account_id: int, events: Sequence[LockEvent], now: datetime) -> int:
    """Take events of one account's locks into the log, each once, and believe what they say. Returns how many were new."""
    refs = {event.lock_ref for event in events}
    locks = {
        lock.external_id: lock
        for lock in known(Lock.objects.filter(account_id=account_id, external_id__in=refs))
    }
    return take(
        [(locks[event.lock_ref], event) for event in events if event.lock_ref in locks], now=now
    )


def take(told: Sequence[tuple[Known, LockEvent]], *, now: datetime) -> int:
    """The same for events whose locks are known, of one or more accounts."""
    if not told:
        return 0
    locks = {lock.pk: lock for lock, _ in told}
    since = now - SAYS_SOMETHING_OF_NOW
    if all(event.happened_at <= since for _, event in told):
        return _take_history(told, now=now)
    with transaction.atomic():
        # Delivery holds these while it settles: whoever has them first changes credentials and locks first.
        writers = Writer.objects.filter(pk__in={lock.writer_id for lock in locks.values()})
        list(writers.select_for_update(no_key=True).order_by("id").values_list("id"))
        new = _appended(crediting.credited(told), now)
        recent = [(lock, event) for lock, event in new if event.happened_at > since]
        moved = _believe(recent, now=now)
        _tell(recent, moved)
        bump({lock.property_id for lock, _ in new})
    return len(new)


def _take_history(told: Sequence[tuple[Known, LockEvent]], *, now: datetime) -> int:
    """Only kept: nobody need be told which of these are new, and nothing but the log is touched."""
    ordered = sorted(crediting.credited(told), key=lambda each: each[1].happened_at)
    lines = [_line(lock, event, now) for lock, event in ordered]
    with transaction.atomic():
        new = append_history(lines)
        bump({lock.property_id for lock, _ in told} if new else ())
    return new


def only_kept(rows: Sequence[Sequence[Any]], *, now: datetime) -> bool:
    """Whether these events, as ``intake.row_of`` has them, are all history that names and shows no credential."""
    latest = max((row[3] for row in rows), default="")
    since = (now - SAYS_SOMETHING_OF_NOW).astimezone(UTC).isoformat()
    return latest <= since and not any(row[5] or row[6] or row[7] for row in rows)


def keep(
    rows: Iterable[Sequence[Any]], locks: Mapping[int, Known], *, property_id: int, now: datetime
) -> int:
    """Take such rows of one hotel's locks into the log, each once, as ``take`` would. Returns how many were new."""
    doors = {lock.pk: lock.door_id for lock in locks.values()}
    lines = [
        (row[0], row[3], row[1][:100], _CODE_OF[row[2]], row[4] or "", row[8][:40], row[10][:40])
        for row in rows
        if row[0] in doors
    ]
    with transaction.atomic():
        new = append_plain(lines, property_id=property_id, doors=doors, now=now)
        bump({property_id} if new else ())
    return new


def _appended(
    told: Sequence[tuple[Known, LockEvent]], now: datetime
) -> list[tuple[Known, LockEvent]]:
    """Store these, and give back those that are new, by their time."""
    by_mark: dict[Any, tuple[Line, tuple[Known, LockEvent]]] = {}
    for lock, event in sorted(told, key=lambda each: each[1].happened_at):
        line = _line(lock, event, now)
        by_mark.setdefault(mark_of(line), (line, (lock, event)))
    new = append_events([line for line, _ in by_mark.values()])
    return [each for mark, (_, each) in by_mark.items() if mark in new]


def _line(lock: Known, event: LockEvent, now: datetime) -> Line:
    key_id, assignment_id = ids_of(event.handle) if event.handle else (None, None)
    hint = f"••{event.secret[-2:]}" if event.secret and event.kind is Kind.DOOR_CODE else ""
    return Line(
        lock.property_id,
        lock.door_id,
        lock.pk,
        event.happened_at,
        now,
        LOCK,
        _CODES[event.type],
        cause=event.reason[:40],
        vendor_code=event.vendor_type[:40],
        kind=_KINDS[event.kind] if event.kind else "",
        key_id=key_id,
        assignment_id=assignment_id,
        hint=hint,
        external_id=event.event_id[:100],
    )


def _believe(told: Iterable[tuple[Known, LockEvent]], *, now: datetime) -> set[int]:
    """Believe the newest word of each lock about itself. Returns the locks whose reach was told anew.

    A word that is older, by its own clock, than one that was believed before changes nothing.
    """
    changes: dict[int, dict[str, Any]] = {}
    reach: dict[int, tuple[Known, LockEvent]] = {}
    for lock, event in told:
        change = changes.setdefault(lock.pk, {"last_heard_at": now})
        if event.type in REACH and _is_newest(lock, event):
            reach[lock.pk] = (lock, event)
        if event.type in READ_AFTER:
            change["read_back_at"] = now
        if event.type is EventType.CLOCK_WRONG:
            change["next_health_at"] = now
        if event.battery is not None:
            change["battery"] = event.battery
    for lock, event in reach.values():
        changes[lock.pk] |= _reach(lock, event, now)
    _change(changes)
    back = [pk for pk, (_, event) in reach.items() if event.type is EventType.ONLINE]
    Gateway.objects.filter(locks__in=back, is_online=False).update(
        is_online=True, offline_since=None
    )
    return set(reach)


def _change(changes: Mapping[int, Mapping[str, Any]]) -> None:
    """Store what changed at locks, all that changed alike in one statement."""
    alike: dict[tuple[tuple[str, Any], ...], list[int]] = {}
    for pk, change in sorted(changes.items()):
        alike.setdefault(tuple(sorted(change.items())), []).append(pk)
    for same, ids in alike.items():
        Lock.objects.filter(pk__in=ids).update(**dict(same))


def _is_newest(lock: Known, event: LockEvent) -> bool:
    return lock.reach_told_at is None or event.happened_at >= lock.reach_told_at


def _reach(lock: Known, event: LockEvent, now: datetime) -> Mapping[str, Any]:
    """What changes at a lock that is told to be online or offline. A clock that is ahead does not silence later words."""
    told = {"reach_told_at": min(event.happened_at, now)}
    if event.type is EventType.ONLINE:
        back = {"is_online": True, "offline_since": None, "offline_tries": 0, "next_try_at": None}
        return told | back
    if not lock.is_online:
        return told
    soon = now + retry_delay(0, settings.RETRY_OFFLINE_S)
    return told | {
        "is_online": False,
        "offline_since": min(event.happened_at, now),
        "next_try_at": soon,
    }


def _tell(told: Sequence[tuple[Known, LockEvent]], moved: set[int]) -> None:
    """Tell the app above which locks to look at, what opened, and which codes were refused."""
    used = [event.handle for _, event in told if event.type is EventType.UNLOCKED and event.handle]
    typed = [
        code
        for lock, event in told
        if event.type is EventType.DENIED and (code := typed_in(lock, event)) is not None
    ]
    changed = {lock.pk for lock, event in told if event.type in READ_AFTER}
    lock_ids = sorted(moved | changed)
    if lock_ids or used or typed:
        lock_reported.send(sender=Lock, lock_ids=lock_ids, used=used, typed=typed)
