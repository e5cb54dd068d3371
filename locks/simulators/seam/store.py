"""The simulator's file: devices, the book, events and webhook calls, so that a killed process forgets nothing."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from locks.simulators.seam.records import Attempt, Code, Device, Faults, Hook, Slot

SCHEMA = """
CREATE TABLE IF NOT EXISTS docs (kind TEXT, id TEXT, doc TEXT NOT NULL, PRIMARY KEY (kind, id)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS events (
  seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, created_at TEXT NOT NULL, doc TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS events_by_time ON events (created_at);
CREATE TABLE IF NOT EXISTS calls (
  id INTEGER PRIMARY KEY, hook TEXT NOT NULL, message TEXT NOT NULL, event TEXT NOT NULL, body TEXT NOT NULL,
  due_at TEXT NOT NULL, tries INTEGER NOT NULL DEFAULT 0, state TEXT NOT NULL DEFAULT 'waiting',
  answer TEXT NOT NULL DEFAULT '');
CREATE INDEX IF NOT EXISTS calls_waiting ON calls (due_at) WHERE state = 'waiting';
"""
Record = Device | Code | Attempt | Hook


def sortable(moment: datetime) -> str:
    """A time whose text sorts as the time does."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


class Store:
    """One SQLite file, or ``:memory:``. All methods are quick enough to be called from the event loop."""

    def __init__(self, path: str) -> None:
        self._db = sqlite3.connect(path, isolation_level=None, timeout=1)
        self._db.row_factory = sqlite3.Row
        # Two simulators on one file would each believe their own memory: the second one must fail.
        self._db.execute("PRAGMA locking_mode=EXCLUSIVE")
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=OFF")
        self._db.executescript(SCHEMA)

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def wipe(self) -> None:
        """Forget everything."""
        for table in ("docs", "events", "calls"):
            self._db.execute(f"DELETE FROM {table}")  # noqa: S608 - the names are the ones above

    # Devices, codes, attempts, webhooks.

    def save(self, kind: str, id_: str, record: Record) -> None:
        """Write a record through."""
        doc = json.dumps(asdict(record), default=_say)
        self._db.execute("INSERT OR REPLACE INTO docs VALUES (?, ?, ?)", (kind, id_, doc))

    def delete(self, kind: str, id_: str) -> None:
        """Forget a record."""
        self._db.execute("DELETE FROM docs WHERE kind = ? AND id = ?", (kind, id_))

    def _docs(self, kind: str) -> list[dict[str, Any]]:
        rows = self._db.execute("SELECT doc FROM docs WHERE kind = ?", (kind,))
        return [json.loads(row["doc"], object_hook=_read) for row in rows]

    def devices(self) -> list[Device]:
        """All devices with their memories."""
        return [_device(doc) for doc in self._docs("device")]

    def codes(self) -> list[Code]:
        """The book, oldest entry first."""
        return sorted((Code(**doc) for doc in self._docs("code")), key=lambda each: each.created_at)

    def attempts(self) -> list[Attempt]:
        """All action attempts."""
        return [Attempt(**doc) for doc in self._docs("attempt")]

    def hooks(self) -> list[Hook]:
        """All webhooks."""
        return [Hook(**doc) for doc in self._docs("hook")]

    # Events.

    def add_event(self, doc: dict[str, Any], created_at: datetime) -> None:
        """Store an event that the cloud knows."""
        row = (doc["event_id"], sortable(created_at), json.dumps(doc))
        self._db.execute("INSERT INTO events (id, created_at, doc) VALUES (?, ?, ?)", row)

    def events(self, *, after: datetime, before: datetime | None) -> list[dict[str, Any]]:
        """Events generated between two times, both excluded, newest first as the vendor lists them."""
        rows = self._db.execute(
            "SELECT doc FROM events WHERE created_at > ? AND created_at < ? ORDER BY seq DESC",
            (sortable(after), sortable(before) if before else "9999"),
        )
        return [json.loads(row["doc"]) for row in rows]

    # Calls to webhooks.

    def add_call(
        self, *, hook: str, message: str, event: str, body: str, due_at: datetime, lost: bool
    ) -> None:
        """Put one call on its way."""
        state = "lost" if lost else "waiting"
        row = (hook, message, event, body, sortable(due_at), state)
        self._db.execute(
            "INSERT INTO calls (hook, message, event, body, due_at, state) VALUES (?, ?, ?, ?, ?, ?)",
            row,
        )

    def due_calls(self, now: datetime) -> list[sqlite3.Row]:
        """Calls whose time has come, in the order of their times."""
        return self._db.execute(
            "SELECT * FROM calls WHERE state = 'waiting' AND due_at <= ? ORDER BY due_at, id LIMIT 32",
            (sortable(now),),
        ).fetchall()

    def settle_call(self, call_id: int, *, state: str, answer: str, due_at: datetime) -> None:
        """Note how a try ended, and when the next one is."""
        self._db.execute(
            "UPDATE calls SET state = ?, answer = ?, due_at = ?, tries = tries + 1 WHERE id = ?",
            (state, answer, sortable(due_at), call_id),
        )

    def calls(self) -> Sequence[sqlite3.Row]:
        """All calls, oldest first."""
        return self._db.execute("SELECT * FROM calls ORDER BY id").fetchall()


def _say(value: object) -> dict[str, str]:
    if isinstance(value, datetime):
        return {"$time": value.isoformat()}
    raise TypeError(type(value))


def _read(doc: dict[str, Any]) -> Any:
    return datetime.fromisoformat(doc["$time"]) if set(doc) == {"$time"} else doc


def _device(doc: dict[str, Any]) -> Device:
    doc["memory"] = [Slot(**each) for each in doc["memory"]]
    doc["faults"] = Faults(**doc["faults"])
    return Device(**doc)
