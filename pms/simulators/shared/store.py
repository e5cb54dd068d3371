"""A simulator's memory: one SQLite file (or ``:memory:``), used from one thread only."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

Value = str | int | float | None

DELIVERIES = """
CREATE TABLE IF NOT EXISTS deliveries (
    id INTEGER PRIMARY KEY, subscription_id TEXT NOT NULL, property_id TEXT NOT NULL, event TEXT NOT NULL,
    url TEXT NOT NULL, body TEXT NOT NULL, due_at REAL NOT NULL, tries INTEGER NOT NULL DEFAULT 0,
    state TEXT NOT NULL, answer TEXT NOT NULL DEFAULT '');
CREATE INDEX IF NOT EXISTS deliveries_due ON deliveries (state, due_at);
"""
COUNTERS = "CREATE TABLE IF NOT EXISTS counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL);"


class Store:
    """Plain SQL behind four verbs; a failed transaction leaves nothing behind."""

    def __init__(self, path: str, *, schema: str, first_numbers: Mapping[str, int]) -> None:
        """Open or create the store at a file path; ``:memory:`` keeps nothing after the end.

        ``schema`` makes the vendor's own tables; ``first_numbers`` are the first ids of each kind.
        """
        self._first_numbers = first_numbers
        self._afterwards: list[Callable[[], None]] = []
        if path != ":memory:":
            Path(path).parent.mkdir(parents=True, exist_ok=True)
        self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._db.row_factory = sqlite3.Row
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = NORMAL")
        self._db.executescript(COUNTERS + DELIVERIES + schema)

    def rows(self, sql: str, *values: Value) -> list[sqlite3.Row]:
        """All rows of a query."""
        return self._db.execute(sql, values).fetchall()

    def row(self, sql: str, *values: Value) -> sqlite3.Row | None:
        """The first row of a query, or None."""
        found: sqlite3.Row | None = self._db.execute(sql, values).fetchone()
        return found

    def number(self, sql: str, *values: Value) -> int:
        """The single number a query gives, 0 for none."""
        found = self.row(sql, *values)
        return int(found[0] or 0) if found else 0

    def run(self, sql: str, *values: Value) -> int:
        """Change something; says how many rows were touched."""
        return self._db.execute(sql, values).rowcount

    def insert(self, table: str, **values: Value) -> None:
        """Add one row; the names are this module's own columns, never a caller's text."""
        columns, marks = ", ".join(values), ", ".join("?" * len(values))
        sql = f"INSERT INTO {table} ({columns}) VALUES ({marks})"  # noqa: S608 - own names only
        self._db.execute(sql, tuple(values.values()))

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing; an inner use joins the outer one."""
        if self._db.in_transaction:
            yield
            return
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._afterwards.clear()
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")
        waiting, self._afterwards = self._afterwards, []
        for act in waiting:
            act()

    def after_commit(self, act: Callable[[], None]) -> None:
        """Do something once the transaction holds, never if it does not; at once outside of one."""
        if self._db.in_transaction:
            self._afterwards.append(act)
        else:
            act()

    def next_number(self, name: str) -> int:
        """The next id of a kind; never given twice, also after a restart."""
        first = self._first_numbers[name]
        found = self.row(
            "INSERT INTO counters VALUES (?, ?) ON CONFLICT (name)"
            " DO UPDATE SET value = value + 1 RETURNING value",
            name,
            first,
        )
        return int(found["value"]) if found else first

    def close(self) -> None:
        """Let go of the file."""
        self._db.close()


def marks(values: Sequence[object]) -> str:
    """Question marks for an IN list."""
    return ", ".join("?" * len(values))
