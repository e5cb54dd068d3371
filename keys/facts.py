"""Turns rows into the rule's facts: one query for any number of doors, one digest for all who ask.

Delivery, screens, API and commands read the same columns through here, so they cannot disagree about what is true.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from django.core.exceptions import EmptyResultSet
from django.db import connection
from django.db.models import Case, DateTimeField, OuterRef, QuerySet, Subquery, When
from psycopg.types.datetime import TimestamptzLoader

from keys.models import Assignment
from keys.rules import (
    Action,
    CheckIn,
    Decision,
    Facts,
    OnLock,
    Permission,
    Reach,
    Refusal,
    Times,
    decide,
    next_look_at,
    phase_at,
    waits,
)
from locks.models import Door


class Row(NamedTuple):
    """What is known of one assignment, as plain values in the order of ``COLUMNS``."""

    id: int
    property_id: int
    key_id: int
    credential_id: int
    keychain_door_id: int
    door_id: int
    lock_id: int | None
    writer_id: int | None
    kind: str
    starts_at: datetime
    ends_at: datetime
    revision: int
    sent_revision: int | None
    written_revision: int | None
    accepted_at: datetime | None
    accepted_removal: bool
    refused_revision: int | None
    address: str
    problem: str
    problem_since: datetime | None
    tries: int
    retry_at: datetime | None
    next_attempt_at: datetime | None
    waits: str
    headline: str
    headline_since: datetime | None
    reserved_digest: str | None
    permission: str
    removed_at: datetime | None
    person_removed_at: datetime | None
    retired_at: datetime | None
    revoked_at: datetime | None
    departed_at: datetime | None
    reservation_id: int | None
    checked_in_at: datetime | None
    checked_in_online_at: datetime | None
    integration_state: str | None
    lock_ref: str | None
    lock_online: bool | None
    lock_next_try_at: datetime | None
    native_window: bool | None
    takes_door_codes: bool | None
    takes_smartkeys: bool | None
    takes_keycards: bool | None
    account_id: int | None
    account_state: str | None
    gateway_online: bool | None
    first_slot: int | None
    mode: str
    check_in_rule: str
    lead_minutes: int
    busy_until: datetime | None


def _busy_until() -> Case:
    """When the guest leaves who is in the room before, where a lead could reach into their stay; none elsewhere.

    Only locks without windows have a lead, and only a private room has one stay at a time.
    """
    before = Assignment.objects.filter(
        door_id=OuterRef("door_id"),
        door__type=Door.Type.PRIVATE_ROOM,
        reserved_digest__isnull=False,
        starts_at__lt=OuterRef("starts_at"),
        key__revoked_at=None,
        key__departed_at=None,
        keychain_door__removed_at=None,
    )
    last = before.exclude(key_id=OuterRef("key_id")).order_by("-ends_at").values("ends_at")[:1]
    has_lead = When(
        lock__native_window=False, property__write_lead_minutes__gt=0, then=Subquery(last)
    )
    return Case(has_lead, output_field=DateTimeField())


COLUMNS: tuple[str | Case, ...] = (
    "id",
    "property_id",
    "key_id",
    "credential_id",
    "keychain_door_id",
    "door_id",
    "lock_id",
    "writer_id",
    "kind",
    "starts_at",
    "ends_at",
    "revision",
    "sent_revision",
    "written_revision",
    "accepted_at",
    "accepted_removal",
    "refused_revision",
    "address",
    "problem",
    "problem_since",
    "tries",
    "retry_at",
    "next_attempt_at",
    "waits",
    "headline",
    "headline_since",
    "reserved_digest",
    "keychain_door__permission",
    "keychain_door__removed_at",
    "credential__person__removed_at",
    "credential__retired_at",
    "key__revoked_at",
    "key__departed_at",
    "key__reservation_id",
    "key__reservation__checked_in_at",
    "key__reservation__checked_in_online_at",
    "key__reservation__integration__state",
    "lock__external_id",
    "lock__is_online",
    "lock__next_try_at",
    "lock__native_window",
    "lock__takes_door_codes",
    "lock__takes_smartkeys",
    "lock__takes_keycards",
    "lock__account_id",
    "lock__account__state",
    "lock__gateway__is_online",
    "lock__first_slot",
    "property__mode",
    "property__check_in_rule",
    "property__write_lead_minutes",
    _busy_until(),
)

_PERMISSION = {permission.value: permission for permission in Permission}
_CONNECTED = "connected"
_DESK_ONLY = "front_desk"
_NOT_REQUIRED = "not_required"


def rows_of(assignments: QuerySet[Assignment]) -> list[Row]:
    """Read the facts of these assignments in one query."""
    wanted = assignments.values_list(*COLUMNS)
    if connection.vendor != "postgresql":
        return [Row._make(values) for values in wanted]
    try:
        sql, given = wanted.query.sql_with_params()
    except EmptyResultSet:
        return []
    with connection.cursor() as cursor:
        # Django reads each time in Python, which costs more than all the rest of a row; the driver reads UTC in C.
        cursor.adapters.register_loader("timestamptz", TimestamptzLoader)
        cursor.execute(sql, given)
        return list(map(Row._make, cursor.fetchall()))


def as_if_released(row: Row, permission: Permission | None) -> Row:
    """The row as it would be if an outage that holds its door let go of it; without a permission, as it is."""
    if permission is None or row.permission != Permission.HELD_BY_OUTAGE.value:
        return row
    return row._replace(permission=permission.value)


def is_over(row: Row) -> bool:
    """Ended before its time: revoked, left, or the door, person or credential taken off the key."""
    return bool(
        row.revoked_at
        or row.departed_at
        or row.removed_at
        or row.person_removed_at
        or row.retired_at
    )


def times_of(row: Row) -> Times:
    """The moments that count for this row; offline locks are retried on the lock's schedule, not the credential's.

    What a lock system has in hand is looked up in its book, which has a schedule of its own.

    A lead begins no sooner than the guest before has left, and is no reason to open later than at the start.
    """
    opens_at, lead_at = None, None
    if row.native_window is False:
        opens_at = row.starts_at - timedelta(minutes=row.lead_minutes)
        lead_at = opens_at if row.lead_minutes else None
        if row.busy_until is not None and row.busy_until > opens_at:
            opens_at = min(row.busy_until, row.starts_at)
    unreachable = row.lock_online is False or row.gateway_online is False
    in_hand = row.accepted_at is not None
    retry_at = row.lock_next_try_at if unreachable and not in_hand else row.retry_at
    return Times(row.starts_at, row.ends_at, opens_at, retry_at, lead_at)


def on_lock(row: Row) -> OnLock:
    """What the lock is known to hold of this credential."""
    if row.sent_revision is not None:
        return OnLock.UNKNOWN if row.accepted_at is None else OnLock.ACCEPTED
    if row.written_revision is None:
        return OnLock.ABSENT
    return OnLock.CURRENT if row.written_revision == row.revision else OnLock.STALE


def check_in(row: Row) -> CheckIn:
    """The second gate. A desk check-in also satisfies a property that asks for online check-in."""
    if row.reservation_id is None or row.check_in_rule == _NOT_REQUIRED:
        return CheckIn.NOT_REQUIRED
    online = row.checked_in_online_at is not None and row.check_in_rule != _DESK_ONLY
    if row.checked_in_at is not None or online:
        return CheckIn.DONE
    return CheckIn.WAITING if row.integration_state == _CONNECTED else CheckIn.NOT_KNOWN


def reach(row: Row) -> Reach:
    """Whether the lock can be spoken to, widest trouble first."""
    if row.lock_id is None:
        return Reach.NO_LOCK
    if row.account_state != "working":
        return Reach.ACCOUNT_BROKEN
    if row.gateway_online is False:
        return Reach.GATEWAY_OFFLINE
    return Reach.READY if row.lock_online else Reach.LOCK_OFFLINE


def refusal(row: Row) -> Refusal:
    """A no that trying the same again cannot change."""
    takes = {
        "door_code": row.takes_door_codes,
        "smartkey": row.takes_smartkeys,
        "keycard": row.takes_keycards,
    }[row.kind]
    if row.lock_id is not None and not takes:
        return Refusal.UNSUPPORTED
    if row.refused_revision != row.revision:
        return Refusal.NONE
    return Refusal.LOCK_FULL if row.problem == "no_space" else Refusal.REFUSED


def digest(row: Row, *, now: datetime) -> tuple[Facts, Times]:
    """The rule's facts about this row at this moment."""
    times = times_of(row)
    phase = phase_at(now=now, times=times, over=is_over(row))
    facts = Facts(
        _PERMISSION[row.permission],
        check_in(row),
        row.mode == "live",
        phase,
        on_lock(row),
        reach(row),
        refusal(row),
        times.retry_at is None or now >= times.retry_at,
    )
    return facts, times


def is_superseded(row: Row, *, now: datetime) -> bool:
    """Whether the lock system has something else in hand than what should be sent to it now."""
    facts, _ = digest(row, now=now)
    again = decide(facts._replace(on_lock=OnLock.STALE, try_due=True)).action
    if row.accepted_removal:
        return again is Action.WRITE
    return again is Action.REMOVE or (again is Action.WRITE and row.sent_revision != row.revision)


class Answer(NamedTuple):
    """The rule's answer about one row, and when to ask again without news."""

    row: Row
    facts: Facts
    decision: Decision
    next_at: datetime | None
    waits: str
    headline: str


def answer(row: Row, *, now: datetime) -> Answer:
    """Ask the rule about one row."""
    facts, times = digest(row, now=now)
    decision = decide(facts)
    next_at = next_look_at(now=now, decision=decision, times=times)
    head = decision.headline
    entry = waits(facts, decision).value
    return Answer(row, facts, decision, next_at, entry, head.value if head else "")


def answers(rows: list[Row], *, now: datetime) -> Iterator[Answer]:
    """Ask the rule about many rows."""
    return (answer(row, now=now) for row in rows)


def values(rows: QuerySet[Assignment], *extra: str) -> Any:
    """The facts' columns and some more, for callers that need both in one query."""
    return rows.values_list(*COLUMNS, *extra)
