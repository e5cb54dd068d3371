"""The simulator's memory: one SQLite file (or ``:memory:``), used from one thread only."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

Value = str | int | float | None

SCHEMA = """
CREATE TABLE IF NOT EXISTS counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS properties (
    id TEXT PRIMARY KEY, name TEXT NOT NULL, timezone TEXT NOT NULL, check_in TEXT NOT NULL,
    check_out TEXT NOT NULL, app_state TEXT NOT NULL DEFAULT 'installing',
    status TEXT NOT NULL DEFAULT 'active', user_active INTEGER NOT NULL DEFAULT 1);
CREATE TABLE IF NOT EXISTS rooms (
    id TEXT PRIMARY KEY, property_id TEXT NOT NULL, name TEXT NOT NULL, type_id TEXT NOT NULL,
    type_name TEXT NOT NULL, type_short TEXT NOT NULL, dorm_name TEXT, is_virtual INTEGER NOT NULL,
    max_guests INTEGER NOT NULL, linked TEXT NOT NULL DEFAULT '', position INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS bookings (
    id TEXT PRIMARY KEY, property_id TEXT NOT NULL, status TEXT NOT NULL,
    created_at INTEGER NOT NULL, modified_at INTEGER NOT NULL, canceled_at INTEGER,
    check_in TEXT NOT NULL, check_out TEXT NOT NULL, source TEXT NOT NULL,
    third_party TEXT NOT NULL, arrival_time TEXT, is_deleted INTEGER NOT NULL DEFAULT 0,
    fields TEXT NOT NULL DEFAULT '{}', oddities TEXT NOT NULL DEFAULT '{}',
    is_pinned INTEGER NOT NULL DEFAULT 0);
CREATE INDEX IF NOT EXISTS bookings_modified ON bookings (property_id, modified_at);
CREATE INDEX IF NOT EXISTS bookings_check_out ON bookings (property_id, check_out);
CREATE TABLE IF NOT EXISTS stays (
    id TEXT PRIMARY KEY, booking_id TEXT NOT NULL, line INTEGER NOT NULL,
    room_line_id TEXT NOT NULL, type_id TEXT NOT NULL, room_id TEXT, status TEXT NOT NULL,
    starts_on TEXT NOT NULL, ends_on TEXT NOT NULL, adults INTEGER NOT NULL,
    children INTEGER NOT NULL, status_at INTEGER NOT NULL);
CREATE INDEX IF NOT EXISTS stays_booking ON stays (booking_id);
CREATE INDEX IF NOT EXISTS stays_room ON stays (room_id, starts_on);
CREATE TABLE IF NOT EXISTS guests (
    id TEXT PRIMARY KEY, booking_id TEXT NOT NULL, stay_id TEXT NOT NULL, first TEXT NOT NULL,
    last TEXT NOT NULL, email TEXT NOT NULL, phone TEXT NOT NULL, position INTEGER NOT NULL);
CREATE INDEX IF NOT EXISTS guests_booking ON guests (booking_id);
CREATE TABLE IF NOT EXISTS custom_fields (
    id TEXT PRIMARY KEY, property_id TEXT NOT NULL, name TEXT NOT NULL, shortcode TEXT NOT NULL,
    apply_to TEXT NOT NULL, type TEXT NOT NULL, max_characters INTEGER NOT NULL,
    displayed TEXT NOT NULL, required INTEGER NOT NULL, is_personal INTEGER NOT NULL,
    UNIQUE (property_id, shortcode));
CREATE TABLE IF NOT EXISTS codes (
    digest TEXT PRIMARY KEY, client_id TEXT NOT NULL, redirect_uri TEXT NOT NULL,
    property_ids TEXT NOT NULL, scopes TEXT NOT NULL, expires_at REAL NOT NULL, used INTEGER NOT NULL DEFAULT 0);
CREATE TABLE IF NOT EXISTS tokens (
    digest TEXT PRIMARY KEY, kind TEXT NOT NULL, client_id TEXT NOT NULL, property_ids TEXT NOT NULL,
    scopes TEXT NOT NULL, expires_at REAL NOT NULL, used_at REAL NOT NULL, died TEXT NOT NULL DEFAULT '');
CREATE TABLE IF NOT EXISTS subscriptions (
    id TEXT PRIMARY KEY, client_id TEXT NOT NULL, property_id TEXT NOT NULL, entity TEXT NOT NULL,
    action TEXT NOT NULL, url TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS deliveries (
    id INTEGER PRIMARY KEY, subscription_id TEXT NOT NULL, property_id TEXT NOT NULL, event TEXT NOT NULL,
    url TEXT NOT NULL, body TEXT NOT NULL, due_at REAL NOT NULL, tries INTEGER NOT NULL DEFAULT 0,
    state TEXT NOT NULL, answer TEXT NOT NULL DEFAULT '');
CREATE INDEX IF NOT EXISTS deliveries_due ON deliveries (state, due_at);
"""

FIRST_NUMBERS = {
    "booking": 7061304407766,
    "guest": 159926682,
    "room_line": 99001,
    "field": 4101,
}


class Store:
    """Plain SQL behind four verbs; a failed transaction leaves nothing behind."""

    def __init__(self, path: str) -> None:
        """Open or create the store at a file path; ``:memory:`` keeps nothing after the end."""
        if path != ":memory:":
            Path(path).parent.mkdir(parents=True, exist_ok=True)
        self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._db.row_factory = sqlite3.Row
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = NORMAL")
        self._db.executescript(SCHEMA)

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
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    def next_number(self, name: str) -> int:
        """The next id of a kind; never given twice, also after a restart."""
        first = FIRST_NUMBERS[name]
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
