"""Who may write to which lock: leases, which live only in the Writer rows (owner, fence, until by the database's clock)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from django.db import connection, transaction
from django.db.models import Q

from locks.columns import array, columns
from locks.models import Writer


class Grip(NamedTuple):
    """A lease that was granted: whose, with which fence, and whether the one before ended without a release."""

    writer_id: int
    fence: int
    property_id: int
    unclean: bool


def _ms() -> str:
    if connection.vendor == "postgresql":
        return "(extract(epoch FROM clock_timestamp()) * 1000)::bigint"
    return "CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)"


def db_time(moment: datetime) -> Any:
    """A moment as raw SQL on this database compares it."""
    return connection.ops.adapt_datetimefield_value(moment)


def _due() -> str:
    """SQL for a free writer ``w`` that has something due, with two places for the moment."""
    return (
        f"w.until_ms < {_ms()} AND (EXISTS (SELECT 1 FROM keys_assignment a WHERE a.writer_id = w.id "  # noqa: S608
        "AND a.next_attempt_at <= %s) OR EXISTS (SELECT 1 FROM locks_lock l WHERE l.writer_id = w.id "
        "AND l.read_back_at <= %s))"
    )


def is_any_due(*, now: datetime) -> bool:
    """Whether :func:`grab` would find a writer: mostly it would not, and this costs one statement."""
    moment = db_time(now)
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT 1 FROM locks_writer w WHERE {_due()} LIMIT 1",  # noqa: S608
            [moment, moment],
        )
        return cursor.fetchone() is not None


def grab(*, owner: str, lease_ms: int, limit: int, now: datetime) -> list[Grip]:
    """Take the leases of up to ``limit`` free writers that have something due. Never waits for anyone."""
    skip = " FOR UPDATE SKIP LOCKED" if connection.vendor == "postgresql" else ""
    moment = db_time(now)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            f"SELECT w.id, w.fence + 1, w.property_id, w.owner <> '' FROM locks_writer w WHERE {_due()} "  # noqa: S608
            f"ORDER BY w.id LIMIT %s{skip}",
            [moment, moment, limit],
        )
        grips = [
            Grip(writer, fence, hotel, bool(unclean))
            for writer, fence, hotel, unclean in cursor.fetchall()
        ]
        for part in parts(grips, 500):
            marks = ", ".join(["%s"] * len(part))
            cursor.execute(
                f"UPDATE locks_writer SET owner = %s, fence = fence + 1, until_ms = {_ms()} + %s "  # noqa: S608
                f"WHERE id IN ({marks})",
                [owner, lease_ms, *(grip.writer_id for grip in part)],
            )
    return grips


def grab_one(*, writer_id: int, owner: str, lease_ms: int) -> Grip | None:
    """Take the lease of one writer, or none while another has it. Never waits for anyone."""
    skip = " FOR UPDATE SKIP LOCKED" if connection.vendor == "postgresql" else ""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            "SELECT id, fence + 1, property_id, owner <> '' FROM locks_writer "  # noqa: S608
            f"WHERE id = %s AND until_ms < {_ms()}{skip}",
            [writer_id],
        )
        row = cursor.fetchone()
        if row is None:
            return None
        cursor.execute(
            f"UPDATE locks_writer SET owner = %s, fence = fence + 1, until_ms = {_ms()} + %s "  # noqa: S608
            "WHERE id = %s",
            [owner, lease_ms, writer_id],
        )
    return Grip(row[0], row[1], row[2], bool(row[3]))


def parts(items: Sequence[Any], size: int) -> Iterable[Sequence[Any]]:
    return (items[start : start + size] for start in range(0, len(items), size))


def renew(grips: set[Grip], *, owner: str, lease_ms: int) -> set[int]:
    """Prolong these leases and return the writers that are still ours; their rows stay locked until commit."""
    if not grips:
        return set()
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT 1 FROM locks_writer WHERE id = ANY(%s::bigint[]) ORDER BY id "
                "FOR NO KEY UPDATE",
                [array([g.writer_id for g in grips])],
            )
            cursor.execute(
                f"UPDATE locks_writer w SET until_ms = {_ms()} + %s "  # noqa: S608
                "FROM unnest(%s::bigint[], %s::bigint[]) AS g(id, fence) "
                "WHERE w.id = g.id AND w.fence = g.fence AND w.owner = %s RETURNING w.id",
                [lease_ms, *columns((g.writer_id, g.fence) for g in grips), owner],
            )
            return {row[0] for row in cursor.fetchall()}
    held: set[int] = set()
    with connection.cursor() as cursor:
        for grip in grips:
            cursor.execute(
                f"UPDATE locks_writer SET until_ms = {_ms()} + %s "  # noqa: S608
                "WHERE id = %s AND fence = %s AND owner = %s",
                [lease_ms, grip.writer_id, grip.fence, owner],
            )
            if cursor.rowcount:
                held.add(grip.writer_id)
    return held


def release(grips: Sequence[Grip], *, owner: str) -> None:
    """Give leases back. One that was lost meanwhile is not ours to give."""
    if connection.vendor == "postgresql" and grips:
        with connection.cursor() as cursor:
            cursor.execute(
                "UPDATE locks_writer w SET owner = '', until_ms = 0 "
                "FROM unnest(%s::bigint[], %s::bigint[]) AS g(id, fence) "
                "WHERE w.id = g.id AND w.fence = g.fence AND w.owner = %s",
                [*columns((grip.writer_id, grip.fence) for grip in grips), owner],
            )
        return
    for part in parts(grips, 400):
        ours = Q()
        for grip in part:
            ours |= Q(pk=grip.writer_id, fence=grip.fence)
        Writer.objects.filter(ours, owner=owner).update(owner="", until_ms=0)
