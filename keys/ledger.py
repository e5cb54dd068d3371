"""The rows as a queue: what is due at which lock, and the one transaction that settles outcomes.

Exclusion lives only in the leases (``keys/leases.py``). A batch first renews those that it speaks for, which locks their
rows until it commits; whatever belongs to a lease that was lost is left out. PostgreSQL gets set-based statements, SQLite
the same meaning row by row.

Whoever changes several rows locks them in this order, so that nobody waits for another in a circle: reservation, key,
door of a keychain, credential, writer, assignment, lock and gateway, episode, and the pulse of the hotel last; rows of
one kind by their ids. Locks leave the key columns alone (``no_key``): a check of a foreign key passes them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from django.db import connection, transaction
from django.db.models import Case, DateTimeField, F, Q, QuerySet, Value, When

from keys.facts import Answer, Row, rows_of
from keys.leases import Grip, parts, renew
from keys.models import Assignment
from locks import crediting, doorlog, slots
from locks.columns import array, columns
from locks.doorlog import Line, Trouble
from locks.models import Lock
from locks.pulse import bump
from locks.vault import decrypt

STEP = timedelta(microseconds=1)
MARKS_OF_ONE_MOMENT = timedelta(milliseconds=1)
"""A request may mark a row twice, in two transactions, with the same ``now``; a worker must see that as two marks."""


class ReadBack(NamedTuple):
    """A lock that must be read and compared with what it should hold."""

    lock_id: int
    writer_id: int
    property_id: int
    door_id: int | None


class Work(NamedTuple):
    """What is due at one writer."""

    rows: list[Row]
    read_backs: list[ReadBack]


class Change(NamedTuple):
    """A row as it was seen and as it shall be; applied only if nothing else moved it meanwhile.

    ``next_at`` counts only if the row was not marked again since it was seen. ``free`` gives the secret back to the door.
    """

    grip: Grip | None
    seen: Row
    row: Row
    next_at: datetime | None
    waits: str
    headline: str
    proof: str = ""
    proven_at: datetime | None = None
    free: bool = False


@dataclass(slots=True)
class Batch:
    """All that one transaction shall do, in this order: renew, settle, log, stamp.

    ``before`` runs ahead of it, in transactions of its own. ``locks`` and ``writers`` are those all of whose rows the
    effects may mark.
    """

    changes: list[Change] = field(default_factory=list)
    lines: list[tuple[Grip | None, Line]] = field(default_factory=list)
    troubles: list[Trouble] = field(default_factory=list)
    closed: list[tuple[Line, str, bool]] = field(default_factory=list)
    effects: list[Callable[[], object]] = field(default_factory=list)
    stamps: list[tuple[Grip, Row]] = field(default_factory=list)
    grips: set[Grip] = field(default_factory=set)
    before: list[Callable[[], object]] = field(default_factory=list)
    locks: set[int] = field(default_factory=set)
    writers: set[int] = field(default_factory=set)

    def add(self, other: Batch) -> None:
        """Let what another batch shall do travel with this one."""
        self.changes += other.changes
        self.lines += other.lines
        self.troubles += other.troubles
        self.closed += other.closed
        self.effects += other.effects
        self.stamps += other.stamps
        self.grips |= other.grips
        self.before += other.before
        self.locks |= other.locks
        self.writers |= other.writers


class Stamped(NamedTuple):
    """A row that may be sent now, with the secret that belongs to its revision."""

    id: int
    secret: str


@dataclass(slots=True)
class Settled:
    """What became of a batch: the leases that still hold, and the rows that may be sent."""

    held: set[int]
    stamped: dict[int, str]


def due_at(writer_ids: Sequence[int], *, now: datetime) -> dict[int, Work]:
    """All that is due at these writers, in one statement for the credentials and one for the locks."""
    work = {writer_id: Work([], []) for writer_id in writer_ids}
    for part in parts(writer_ids, 5000):
        due = Assignment.objects.filter(writer_id__in=part, next_attempt_at__lte=now)
        for row in rows_of(due):
            work[row.writer_id or 0].rows.append(row)
        locks = Lock.objects.filter(writer_id__in=part, read_back_at__lte=now)
        for values in locks.values_list("id", "writer_id", "property_id", "door_id"):
            work[values[1]].read_backs.append(ReadBack(*values))
    return work


def on_lock_rows(lock_id: int) -> list[tuple[Row, str]]:
    """Every credential that has or may have a place on this lock, with its secret."""
    places = Assignment.objects.filter(lock_id=lock_id).filter(
        Q(reserved_digest__isnull=False)
        | Q(written_revision__isnull=False)
        | Q(sent_revision__isnull=False)
    )
    rows = rows_of(places)
    secrets = secrets_of([row.id for row in rows])
    return [(row, secrets[row.id]) for row in rows]


def secrets_of(ids: Sequence[int]) -> dict[int, str]:
    """What these rows' locks are to hold: the credential's secret, or the one that was set at the keypad and is kept."""
    rows = Assignment.objects.filter(pk__in=ids)
    return {
        id_: own or secret
        for id_, own, secret in rows.values_list("id", "own_secret", "credential__secret")
    }


def gone_rows(ids: Sequence[int], lock_id: int) -> list[Row]:
    """Places of ours that a lock still holds though they were believed free; from now on they are not."""
    for place in Assignment.objects.filter(pk__in=ids, lock_id=lock_id, reserved_digest=None):
        Assignment.objects.filter(pk=place.pk, reserved_digest=None).update(
            reserved_digest=f"stray:{place.pk}"
        )
    return rows_of(Assignment.objects.filter(pk__in=ids, lock_id=lock_id))


def settle(batch: Batch, *, owner: str, lease_ms: int, now: datetime) -> Settled:
    """Do a whole batch in one transaction. What belongs to a lost lease is left out, silently and completely."""
    grips = set(batch.grips) | {c.grip for c in batch.changes if c.grip}
    grips |= {grip for grip, _ in batch.stamps}
    for each in batch.before:
        each()
    with transaction.atomic():
        held = renew(grips, owner=owner, lease_ms=lease_ms)
        mine = [c for c in batch.changes if c.grip is None or c.grip.writer_id in held]
        _lock_in_order(
            {c.row.id for c in mine} | {r.id for _, r in batch.stamps}, batch.locks, batch.writers
        )
        done = apply(mine)
        given_back = [c.row.id for c in mine if c.free and c.row.first_slot is not None]
        if given_back:
            slots.free(done.intersection(given_back), now=now)
        crediting.remember(
            [_given(c.row) for c in mine if c.row.id in done and _is_named(c)], now=now
        )
        dropped = {c.row.id for c in batch.changes} - done
        doorlog.append(
            [line for grip, line in batch.lines if grip is None or grip.writer_id in held]
        )
        doorlog.open_episodes(
            [t for t in batch.troubles if t.line.assignment_id not in dropped], now=now
        )
        doorlog.close_episodes(
            [c for c in batch.closed if c[0].assignment_id not in dropped], now=now
        )
        for effect in batch.effects:
            effect()
        lost = {grip.writer_id for grip in grips} - held
        if lost:  # a call of theirs may have landed just now, however long the pause was
            ids = Lock.objects.filter(writer_id__in=lost).values_list("id", flat=True)
            doorlog.must_read_back(lock_ids=ids, now=now)
        stamped = stamp([row for grip, row in batch.stamps if grip.writer_id in held])
        bump({c.row.property_id for c in mine})
    return Settled(held, stamped)


def _is_named(change: Change) -> bool:
    """Whether the vendor just gave it an id of its own, or another one."""
    row = change.row
    return bool(row.address) and row.first_slot is None and row.address != change.seen.address


def _given(row: Row) -> crediting.Given:
    return crediting.Given(row.property_id, row.lock_id or 0, row.address, row.key_id, row.id)


def _lock_in_order(
    ids: set[int], lock_ids: set[int] | None = None, writer_ids: set[int] | None = None
) -> None:
    """Lock these rows, and all of these locks and writers, by id, as staff's changes do."""
    if connection.vendor != "postgresql" or not (ids or lock_ids or writer_ids):
        return
    which, given = ["id = ANY(%s::bigint[])"], [array(ids)]
    for column, some in (("lock_id", lock_ids), ("writer_id", writer_ids)):
        if some:
            which.append(f"{column} = ANY(%s::bigint[]) AND reserved_digest IS NOT NULL")
            given.append(array(some))
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT 1 FROM keys_assignment WHERE {' OR '.join(which)} "  # noqa: S608
            "ORDER BY id FOR NO KEY UPDATE",
            given,
        )


def mark(places: QuerySet[Assignment], *, now: datetime, **also: Any) -> None:
    """Mark these places due, and set what else is given. Locks them by id."""
    fresh = Q(next_attempt_at__gte=now, next_attempt_at__lt=now + MARKS_OF_ONE_MOMENT)
    later = When(fresh, then=F("next_attempt_at") + STEP)
    moment = Case(later, default=Value(now), output_field=DateTimeField())
    with transaction.atomic():
        rows = places.select_for_update(of=("self",), no_key=True).order_by("id")
        ids = list(rows.values_list("id", flat=True))
        Assignment.objects.filter(pk__in=ids).update(next_attempt_at=moment, **also)


def next_mark(last: datetime | None, now: datetime) -> datetime:
    """``now`` as a mark that cannot be taken for the last one, which may have been made at the same moment."""
    fresh = last is not None and now <= last < now + MARKS_OF_ONE_MOMENT
    return last + STEP if fresh and last else now


_APPLY = """
UPDATE keys_assignment a SET
  written_revision = d.written, sent_revision = d.sent, address = d.address,
  accepted_at = d.accepted_at, accepted_removal = d.accepted_removal,
  refused_revision = d.refused, problem = d.problem, problem_since = d.problem_since,
  tries = d.tries, retry_at = d.retry_at, waits = d.waits, headline = d.headline,
  headline_since = d.headline_since,
  proof = CASE WHEN d.proof = '' THEN a.proof ELSE d.proof END,
  proven_at = COALESCE(d.proven_at, a.proven_at),
  lock_digest = CASE WHEN d.written IS NULL AND d.sent IS NULL THEN NULL ELSE a.lock_digest END,
  next_attempt_at = CASE WHEN a.next_attempt_at IS NOT DISTINCT FROM d.seen_next
                          AND a.revision = d.seen_revision THEN d.next ELSE a.next_attempt_at END,
  reserved_digest = CASE WHEN d.free AND a.next_attempt_at IS NOT DISTINCT FROM d.seen_next
                          AND a.revision = d.seen_revision THEN NULL ELSE a.reserved_digest END
FROM unnest(%s::bigint[], %s::int[], %s::int[], %s::timestamptz[], %s::boolean[], %s::text[], %s::int[], %s::text[], %s::timestamptz[],
  %s::int[], %s::timestamptz[], %s::text[], %s::text[], %s::timestamptz[], %s::text[],
  %s::timestamptz[], %s::timestamptz[], %s::timestamptz[], %s::boolean[], %s::int[], %s::int[], %s::int[])
  AS d(id, written, sent, accepted_at, accepted_removal, address, refused, problem, problem_since, tries, retry_at, waits, headline,
  headline_since, proof, proven_at, seen_next, next, free, seen_written, seen_sent, seen_revision)
WHERE a.id = d.id AND a.written_revision IS NOT DISTINCT FROM d.seen_written
  AND a.sent_revision IS NOT DISTINCT FROM d.seen_sent
RETURNING a.id
"""


def _values(change: Change) -> tuple[Any, ...]:
    row, seen = change.row, change.seen
    return (
        row.id,
        row.written_revision,
        row.sent_revision,
        row.accepted_at,
        row.accepted_removal,
        row.address,
        row.refused_revision,
        row.problem,
        row.problem_since,
        row.tries,
        row.retry_at,
        change.waits,
        change.headline,
        row.headline_since,
        change.proof,
        change.proven_at,
        seen.next_attempt_at,
        change.next_at,
        change.free,
        seen.written_revision,
        seen.sent_revision,
        seen.revision,
    )


def apply(changes: Sequence[Change]) -> set[int]:
    """Apply these changes where the rows are still as they were seen; returns the ids that were."""
    if not changes:
        return set()
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute(_APPLY, columns(map(_values, changes)))
            return {row[0] for row in cursor.fetchall()}
    return {change.row.id for change in changes if _apply_one(change)}


def _apply_one(change: Change) -> bool:
    row, seen = change.row, change.seen
    values: dict[str, Any] = {
        "written_revision": row.written_revision,
        "sent_revision": row.sent_revision,
        "accepted_at": row.accepted_at,
        "accepted_removal": row.accepted_removal,
        "address": row.address,
        "refused_revision": row.refused_revision,
        "problem": row.problem,
        "problem_since": row.problem_since,
        "tries": row.tries,
        "retry_at": row.retry_at,
        "waits": change.waits,
        "headline": change.headline,
        "headline_since": row.headline_since,
    }
    if change.proof:
        values["proof"] = change.proof
    if change.proven_at:
        values["proven_at"] = change.proven_at
    if row.written_revision is None and row.sent_revision is None:
        values["lock_digest"] = None
    same = Assignment.objects.filter(
        pk=row.id, written_revision=seen.written_revision, sent_revision=seen.sent_revision
    )
    if not same.update(**values):
        return False
    unmarked = Assignment.objects.filter(
        pk=row.id, revision=seen.revision, next_attempt_at=seen.next_attempt_at
    )
    later: dict[str, Any] = {"next_attempt_at": change.next_at}
    if change.free:
        later["reserved_digest"] = None
    unmarked.update(**later)
    return True


def stamp(rows: Sequence[Row]) -> dict[int, str]:
    """Mark these rows as sent, if they are still what was decided on, and hand out the secrets that go with them.

    From here until an outcome is settled, what the lock holds of them is unknown.
    """
    if not rows:
        return {}
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute(
                "UPDATE keys_assignment a SET sent_revision = a.revision, lock_digest = "
                "CASE WHEN a.own_secret IS NULL THEN c.secret_digest ELSE a.reserved_digest END "
                "FROM unnest(%s::bigint[], %s::int[], %s::timestamptz[]) AS d(id, revision, seen), "
                "keys_credential c WHERE a.id = d.id AND c.id = a.credential_id "
                "AND a.revision = d.revision AND a.next_attempt_at = d.seen "
                "AND a.sent_revision IS NULL RETURNING a.id, COALESCE(a.own_secret, c.secret)",
                columns((row.id, row.revision, row.next_attempt_at) for row in rows),
            )
            return {row[0]: decrypt(row[1]) for row in cursor.fetchall()}
    return {row.id: secret for row in rows if (secret := _stamp_one(row)) is not None}


def _stamp_one(row: Row) -> str | None:
    place = Assignment.objects.select_related("credential").get(pk=row.id)
    own, ours = place.own_secret, place.credential
    done = Assignment.objects.filter(
        pk=row.id,
        revision=row.revision,
        next_attempt_at=row.next_attempt_at,
        sent_revision=None,
    ).update(
        sent_revision=row.revision,
        lock_digest=ours.secret_digest if own is None else place.reserved_digest,
    )
    return (own or ours.secret) if done else None


def note(answers: Sequence[Answer], *, now: datetime) -> int:
    """Store when these rows are looked at next and what they wait for, where nothing marked them since they were read."""
    news = [
        told
        for told in answers
        if (told.next_at, told.waits, told.headline)
        != (told.row.next_attempt_at, told.row.waits, told.row.headline)
    ]
    if not news:
        return 0
    if connection.vendor == "postgresql":
        _lock_in_order({told.row.id for told in news})
        return _note_at_once(news, now)
    for told in news:
        since = now if told.headline != told.row.headline else told.row.headline_since
        Assignment.objects.filter(pk=told.row.id, next_attempt_at=told.row.next_attempt_at).update(
            next_attempt_at=told.next_at,
            waits=told.waits,
            headline=told.headline,
            headline_since=since,
        )
    return len(news)


def _note_at_once(news: Sequence[Answer], now: datetime) -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE keys_assignment a SET next_attempt_at = d.next, waits = d.waits, "
            "headline = d.headline, headline_since = CASE WHEN a.headline = d.headline "
            "THEN a.headline_since ELSE %s END "
            "FROM unnest(%s::bigint[], %s::timestamptz[], %s::timestamptz[], %s::text[], %s::text[]) "
            "AS d(id, seen, next, waits, headline) "
            "WHERE a.id = d.id AND a.next_attempt_at IS NOT DISTINCT FROM d.seen",
            [
                now,
                *columns(
                    (t.row.id, t.row.next_attempt_at, t.next_at, t.waits, t.headline) for t in news
                ),
            ],
        )
        return int(cursor.rowcount)
