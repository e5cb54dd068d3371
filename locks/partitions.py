"""The door log's monthly partitions on PostgreSQL; elsewhere it is one table and there is nothing to do."""

from __future__ import annotations

from datetime import datetime

from django.db import connection

MONTHS_AHEAD = 3


def months(now: datetime, ahead: int = MONTHS_AHEAD) -> list[tuple[int, int]]:
    """This month and the ``ahead`` following ones as (year, month)."""
    first = now.year * 12 + now.month - 1
    return [divmod(first + step, 12) for step in range(ahead + 1)]


def prepare(*, now: datetime) -> list[str]:
    """Make the partitions that will be needed; returns their names. Safe to repeat; nothing on a plain table."""
    if connection.vendor != "postgresql":
        return []
    made: list[str] = []
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT relkind = 'p' FROM pg_class WHERE oid = 'locks_doorlogentry'::regclass"
        )
        if not cursor.fetchone()[0]:
            return []
        for year, month in months(now):
            name = f"locks_doorlogentry_{year}_{month + 1:02d}"
            after = (year, month + 2) if month < 11 else (year + 1, 1)
            cursor.execute(
                f"CREATE TABLE IF NOT EXISTS {name} PARTITION OF locks_doorlogentry "
                f"FOR VALUES FROM ('{year}-{month + 1:02d}-01 00:00:00+00') "
                f"TO ('{after[0]}-{after[1]:02d}-01 00:00:00+00')"
            )
            made.append(name)
    return made
