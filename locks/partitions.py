"""The door log's monthly partitions on PostgreSQL; elsewhere it is one table and there is nothing to do."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from django.db import connection, transaction

TABLE = "locks_doorlogentry"
OTHER = f"{TABLE}_other"
MONTHS_AHEAD = 3
LOCK_TIMEOUT = "3s"
"""So long the log may stand still for a new partition; beyond that the next run tries again."""


def prepare(*, now: datetime) -> list[str]:
    """Make the partitions that will be needed; returns the names of the new ones. Safe to repeat and to run twice.

    Lines whose time lies beyond the partitions (a lock's clock may be months ahead) were kept in the partition for
    everything else; they move into their month when it is made. Raises OperationalError when the log is too busy.
    """
    if connection.vendor != "postgresql" or not _is_partitioned():
        return []
    made: list[str] = []
    for start, end in months(now):
        name = f"{TABLE}_{start:%Y_%m}"
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(hashtext(%s))", [TABLE])
            cursor.execute("SELECT to_regclass(%s) IS NULL", [name])
            if cursor.fetchone()[0]:
                _make(cursor, name, start, end)
                made.append(name)
    return made


def months(now: datetime, ahead: int = MONTHS_AHEAD) -> Iterator[tuple[datetime, datetime]]:
    """Beginning and end in UTC of this month and the ``ahead`` following ones."""
    first = now.astimezone(UTC).year * 12 + now.astimezone(UTC).month - 1
    for month in range(first, first + ahead + 1):
        yield _begin(month), _begin(month + 1)


def _begin(month: int) -> datetime:
    return datetime(month // 12, month % 12 + 1, 1, tzinfo=UTC)


def _is_partitioned() -> bool:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_class WHERE oid = to_regclass(%s) AND relkind = 'p'", [TABLE]
        )
        return bool(cursor.fetchone()[0])


def _make(cursor: Any, name: str, start: datetime, end: datetime) -> None:
    """Make one partition beside the log, fill it with what waits for it, and only then hang it in."""
    bounds = [start.isoformat(), end.isoformat()]
    cursor.execute("SELECT set_config('lock_timeout', %s, true)", [LOCK_TIMEOUT])
    cursor.execute(f"LOCK TABLE ONLY {TABLE} IN SHARE UPDATE EXCLUSIVE MODE")
    cursor.execute(f"LOCK TABLE {OTHER} IN ACCESS EXCLUSIVE MODE")
    cursor.execute(f"CREATE TABLE {name} (LIKE {TABLE} INCLUDING DEFAULTS INCLUDING CONSTRAINTS)")
    cursor.execute(
        f"WITH moved AS (DELETE FROM {OTHER} WHERE happened_at >= %s AND happened_at < %s "  # noqa: S608
        f"RETURNING *) INSERT INTO {name} SELECT * FROM moved",
        bounds,
    )
    cursor.execute(
        f"ALTER TABLE {TABLE} ATTACH PARTITION {name} "
        f"FOR VALUES FROM ('{bounds[0]}') TO ('{bounds[1]}')"
    )
