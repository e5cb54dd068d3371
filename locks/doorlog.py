"""The door log: the only writer of its lines, of 4117 and its mirror, and of what is believed about a lock's reach.

A line is appended and never changed. 4117 is an episode beside the lines: opened once with a cause, its tries counted,
closed by the write that succeeds. Events of locks are taken in by ``locks/events.py``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from operator import itemgetter
from typing import Any, NamedTuple

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Case, F, Value, When

from locks.columns import array, columns
from locks.log_models import DoorLogEntry, Episode, LogCode
from locks.models import Gateway, Lock, LockAccount
from locks.pulse import bump
from locks.signals import lock_reported

PORTAL = DoorLogEntry.Origin.PORTAL.value


class Line(NamedTuple):
    """One line to append. ``hint`` holds at most two digits of a code; ``happened_at`` is aware UTC."""

    property_id: int
    door_id: int | None
    lock_id: int | None
    happened_at: datetime
    received_at: datetime
    origin: str
    code: str
    cause: str = ""
    kind: str = ""
    key_id: int | None = None
    assignment_id: int | None = None
    revision: int | None = None
    attempt: int | None = None
    proof: str = ""
    vendor_code: str = ""
    hint: str = ""
    actor: str = ""
    external_id: str = ""


class Mark(NamedTuple):
    """What makes an event of a lock the same one when it comes again."""

    lock_id: int | None
    external_id: str
    happened_at: datetime


def mark_of(line: Line) -> Mark:
    """The mark of a line."""
    return Mark(line.lock_id, line.external_id, line.happened_at)


_TYPES = [
    *["bigint"] * 3,
    *["timestamptz"] * 2,
    *["text"] * 4,
    *["bigint"] * 2,
    *["int"] * 2,
    *["text"] * 5,
]


_NAMES = ", ".join(Line._fields)
_UNNESTED = (
    f"INSERT INTO locks_doorlogentry ({_NAMES}) "  # noqa: S608
    f"SELECT * FROM unnest({', '.join(f'%s::{kind}[]' for kind in _TYPES)}) ON CONFLICT DO NOTHING"
)
_ONE = (
    f"INSERT OR IGNORE INTO locks_doorlogentry ({_NAMES}) "  # noqa: S608
    f"VALUES ({', '.join(['%s'] * len(Line._fields))})"
)


def append(lines: Sequence[Line]) -> int:
    """Append these lines; an event of a lock that is there already is left out. Returns how many were new."""
    if not lines:
        return 0
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(_UNNESTED, columns(lines))
        else:
            cursor.executemany(_ONE, [[_stored(value) for value in line] for line in lines])
        return int(cursor.rowcount)


def append_events(lines: Sequence[Line]) -> set[Mark]:
    """Append these lines of locks, and say by their marks which were new; of two with one mark the first is stored.

    The order is the time's, so that two workers with the same events wait for each other and never in a circle.
    """
    if not lines:
        return set()
    ordered = sorted(lines, key=lambda line: (line.happened_at, line.lock_id or 0))
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(
                f"{_UNNESTED} RETURNING lock_id, external_id, happened_at", columns(ordered)
            )
            return {Mark(*row) for row in cursor.fetchall()}
        new: set[Mark] = set()
        for line in ordered:
            cursor.execute(_ONE, [_stored(value) for value in line])
            if cursor.rowcount:
                new.add(mark_of(line))
        return new


_OF_EVENTS = {
    "property_id": "bigint",
    "door_id": "bigint",
    "lock_id": "bigint",
    "happened_at": "timestamptz",
    "code": "text",
    "cause": "text",
    "kind": "text",
    "key_id": "bigint",
    "assignment_id": "bigint",
    "vendor_code": "text",
    "hint": "text",
    "external_id": "text",
}
"""What differs from event to event; the rest is the same for all of a batch, or empty."""
_HISTORY = (
    f"INSERT INTO locks_doorlogentry ({', '.join(_OF_EVENTS)}, received_at, origin, proof, actor) "  # noqa: S608
    f"SELECT *, %s::timestamptz, 'lock', '', '' FROM unnest("
    f"{', '.join(f'%s::{kind}[]' for kind in _OF_EVENTS.values())}) ON CONFLICT DO NOTHING"
)
_pick = itemgetter(*(Line._fields.index(name) for name in _OF_EVENTS))


def append_history(lines: Sequence[Line]) -> int:
    """Append these lines of locks, thousands at once, as received at one moment. Returns how many were new.

    They come in the order of the index that finds those that are there already.
    """
    ordered = sorted(lines, key=lambda line: (line.lock_id or 0, line.happened_at))
    if connection.vendor != "postgresql" or not ordered:
        return append(ordered)
    with connection.cursor() as cursor:
        cursor.execute(_HISTORY, [ordered[0].received_at, *columns(map(_pick, ordered))])
        return int(cursor.rowcount)


Plain = tuple[int, str, str, str, str, str, str]
"""Lock, time as ISO text in UTC, the lock's id of the event, code, kind, cause and vendor's code."""
_PLAIN = (
    "INSERT INTO locks_doorlogentry (property_id, door_id, lock_id, happened_at, external_id, code, kind, cause, vendor_code, "
    "received_at, origin, hint, proof, actor) SELECT %s, e.*, %s::timestamptz, 'lock', '', '', '' FROM unnest("
    "%s::bigint[], %s::bigint[], %s::timestamptz[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[]) AS e "
    "ON CONFLICT DO NOTHING"
)


def append_plain(
    rows: Sequence[Plain], *, property_id: int, doors: Mapping[int, int | None], now: datetime
) -> int:
    """``append_history`` for events of one hotel that name no credential. ``doors`` by lock. Returns how many were new."""
    ordered = sorted(rows)
    if connection.vendor != "postgresql" or not ordered:
        return append([_plain_line(row, property_id, doors[row[0]], now) for row in ordered])
    hung = array([doors[row[0]] for row in ordered])
    with connection.cursor() as cursor:
        cursor.execute(_PLAIN, [property_id, now, hung, *columns(ordered)])
        return int(cursor.rowcount)


def _plain_line(row: Plain, property_id: int, door_id: int | None, now: datetime) -> Line:
    lock_id, at, id_, code, kind, cause, vendor_code = row
    return Line(
        property_id,
        door_id,
        lock_id,
        datetime.fromisoformat(at),
        now,
        DoorLogEntry.Origin.LOCK.value,
        code,
        cause,
        kind,
        vendor_code=vendor_code,
        external_id=id_,
    )


def _stored(value: Any) -> Any:
    return connection.ops.adapt_datetimefield_value(value) if isinstance(value, datetime) else value


class Trouble(NamedTuple):
    """A credential that is due and not on its lock, or must go and has not: what opens or continues an episode."""

    line: Line
    kind: str
    tried: bool


def open_episodes(troubles: Sequence[Trouble], *, now: datetime) -> None:
    """Open an episode for each trouble that has none, count the try where there is one, note a new cause.

    A door-log line is written when an episode opens and when its cause changes, never per try.
    """
    if not troubles:
        return
    ids = [t.line.assignment_id for t in troubles if t.line.assignment_id is not None]
    known = {
        (e.assignment_id, e.kind): e
        for e in Episode.objects.filter(assignment_id__in=ids, closed_at=None)
    }
    lines: list[Line] = []
    fresh: list[Episode] = []
    for trouble in troubles:
        episode = known.get((trouble.line.assignment_id or 0, trouble.kind))
        if episode is None:
            fresh.append(_opened(trouble, now))
            lines.append(_episode_line(trouble))
            continue
        if episode.cause != trouble.line.cause:
            lines.append(_episode_line(trouble))
        if trouble.tried or episode.cause != trouble.line.cause:
            Episode.objects.filter(pk=episode.pk).update(
                cause=trouble.line.cause,
                vendor_code=trouble.line.vendor_code,
                tries=F("tries") + int(trouble.tried),
                last_try_at=now if trouble.tried else episode.last_try_at,
            )
    Episode.objects.bulk_create(fresh, ignore_conflicts=True)
    append(lines)


def _opened(trouble: Trouble, now: datetime) -> Episode:
    line = trouble.line
    return Episode(
        property_id=line.property_id,
        door_id=line.door_id or 0,
        kind=trouble.kind,
        assignment_id=line.assignment_id or 0,
        key_id=line.key_id or 0,
        cause=line.cause,
        vendor_code=line.vendor_code,
        tries=int(trouble.tried),
        opened_at=now,
        last_try_at=now if trouble.tried else None,
    )


def _episode_line(trouble: Trouble) -> Line:
    written = trouble.kind == Episode.Kind.NOT_WRITTEN
    code = LogCode.NOT_WRITTEN if written else LogCode.REMOVE_FAILED
    return trouble.line._replace(code=code.value)


def close_episodes(closed: Iterable[tuple[Line, str, bool]], *, now: datetime) -> None:
    """Close open episodes of these assignments. The flag says whether a write ended it, which earns a line."""
    wanted = {(line.assignment_id, kind): (line, ok) for line, kind, ok in closed}
    if not wanted:
        return
    ids = [assignment_id for assignment_id, _ in wanted if assignment_id is not None]
    opened = Episode.objects.filter(assignment_id__in=ids, closed_at=None)
    lines: list[Line] = []
    ended: list[int] = []
    for episode in opened:
        line, resolved = wanted.get((episode.assignment_id, episode.kind), (None, False))
        if line is None:
            continue
        ended.append(episode.pk)
        if resolved and episode.kind == Episode.Kind.NOT_WRITTEN:
            lines.append(line._replace(code=LogCode.RESOLVED.value, cause=episode.cause))
    if ended:
        # Whoever opened it may have looked at a clock that was a little ahead of this one.
        later = Case(When(opened_at__gt=now, then=F("opened_at")), default=Value(now))
        Episode.objects.filter(pk__in=ended).update(closed_at=later)
        append(lines)


# What is believed about a lock's reach ------------------------------------------------------------


LONGER_AT_MOST = 0.2
"""Pauses of different locks are so much longer, each by its own share, that not all end together."""


def retry_delay(tries: int, schedule: Sequence[float], *, of: int = 0) -> timedelta:
    """The pause after that many failed tries in a row: the schedule's steps, its last for ever.

    ``of`` is the lock whose pause it is, if it is one's: its share of the jitter is its own, so that all that waits for one
    lock goes on waiting together.
    """
    share = (of * 2654435761 + tries * 40503) % 1024 / 1024 if of else 0.0
    return timedelta(seconds=schedule[min(tries, len(schedule) - 1)] * (1 + LONGER_AT_MOST * share))


def lock_unreachable(*, lock_id: int, gateway: bool, now: datetime) -> datetime:
    """A lock did not answer, or its gateway, and then none behind it can: believe it offline and say when it is tried again."""
    lock = Lock.objects.select_related("gateway").get(pk=lock_id)
    tries = lock.offline_tries + 1
    whose = (gateway and lock.gateway_id) or lock_id
    next_try_at = now + retry_delay(tries - 1, settings.RETRY_OFFLINE_S, of=whose)
    newly = lock.is_online and not gateway
    changes: dict[str, object] = {"offline_tries": tries, "next_try_at": next_try_at}
    if newly:
        changes |= {"is_online": False, "offline_since": now}
    Lock.objects.filter(pk=lock_id).update(**changes)
    if gateway and lock.gateway_id:
        Lock.objects.filter(gateway_id=lock.gateway_id).update(
            offline_tries=tries, next_try_at=next_try_at
        )
        Gateway.objects.filter(pk=lock.gateway_id, is_online=True).update(
            is_online=False, offline_since=now
        )
    if newly:
        append([lock_line(lock, LogCode.OFFLINE, now)])
    return next_try_at


def lock_reached(*, lock_id: int, now: datetime) -> list[int]:
    """A lock answered: believe it and its gateway online. Returns the locks of which that is news, all behind a gateway."""
    lock = Lock.objects.select_related("gateway").get(pk=lock_id)
    news = [] if lock.is_online else [lock_id]
    Lock.objects.filter(pk=lock_id).update(
        is_online=True, offline_since=None, offline_tries=0, next_try_at=None, last_heard_at=now
    )
    if lock.gateway is not None and not lock.gateway.is_online:
        Gateway.objects.filter(pk=lock.gateway.pk).update(is_online=True, offline_since=None)
        behind = Lock.objects.filter(gateway=lock.gateway)
        behind.update(next_try_at=None, offline_tries=0)
        news = list(behind.order_by("id").values_list("id", flat=True))
    if news:
        append([lock_line(lock, LogCode.ONLINE, now)])
    return news


def account_broken(*, account_id: int, problem: str, now: datetime) -> None:
    """The vendor refused the account: stop all its locks, once, until someone connects it again."""
    account = LockAccount.objects.filter(pk=account_id, state=LockAccount.State.WORKING).first()
    if account is not None:
        account.state, account.broken_at = LockAccount.State.BROKEN, now
        account.problem = problem[:200]
        account.save(update_fields=["state", "broken_at", "problem"])


def account_works(*, account_id: int, now: datetime) -> bool:
    """The account is accepted again: everything at its locks is looked at. True when that is news."""
    account = LockAccount.objects.filter(pk=account_id, state=LockAccount.State.BROKEN).first()
    if account is None:
        return False
    with transaction.atomic():
        look_at_locks_of(account)
        account.state, account.broken_at, account.problem = LockAccount.State.WORKING, None, ""
        account.save(update_fields=["state", "broken_at", "problem"])
        bump({account.property_id})
    return True


def look_at_locks_of(account: LockAccount) -> None:
    """Have everything at the locks of an account looked at again.

    Inside the transaction that changes the account, and before it does: delivery too has credentials first and then the
    account.
    """
    ids = list(Lock.objects.filter(account=account).order_by("id").values_list("id", flat=True))
    lock_reported.send(sender=Lock, lock_ids=ids, used=[], typed=[])


def must_read_back(*, lock_ids: Iterable[int], now: datetime) -> None:
    """Read these locks back twice, later than the longest pause a worker is believed to make."""
    first = timedelta(seconds=settings.READ_BACK_AFTER_S[0])
    Lock.objects.filter(pk__in=list(lock_ids)).update(
        read_back_at=now + first, read_backs_left=len(settings.READ_BACK_AFTER_S)
    )


def read_back_done(*, lock_id: int, now: datetime, once_more: bool = False) -> None:
    """Note that a lock was read back, and when it is read again: the next of the pair, or the slow cycle.

    ``once_more`` because its vendor was seen at something that was never asked for, and may change what was read.
    """
    lock = Lock.objects.get(pk=lock_id)
    left = max(lock.read_backs_left - 1, int(once_more))
    delays = settings.READ_BACK_AFTER_S
    pause = delays[-left] if left else settings.READ_BACK_ALL_EVERY_S
    Lock.objects.filter(pk=lock_id).update(
        read_backs_left=left,
        read_back_at=now + timedelta(seconds=pause),
        last_heard_at=now,
        last_read_at=now,
    )


def plan_read_backs(*, now: datetime, chunk: int = 1000) -> int:
    """Give locks that were never read a time of their own within the slow cycle, so that they do not all come at once.

    Returns how many were planned.
    """
    cycle, planned = settings.READ_BACK_ALL_EVERY_S, 0
    while fresh := list(Lock.objects.filter(read_back_at=None).order_by("id")[:chunk]):
        for place, lock in enumerate(fresh, start=1):
            lock.read_back_at = now + timedelta(seconds=cycle * place / len(fresh))
        Lock.objects.bulk_update(fresh, ["read_back_at"])
        planned += len(fresh)
    return planned


def lock_line(lock: Lock, code: LogCode, now: datetime) -> Line:
    """A line of Portal's own about a lock."""
    return Line(lock.property_id, lock.door_id, lock.pk, now, now, PORTAL, code.value)
