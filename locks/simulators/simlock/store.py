"""The simulator's file: what locks, cloud and landings must remember when the process is killed.

Memory is the truth while the process runs; every change is written through in one small transaction. A killed
process loses nothing; a power cut may cost the last moments, which a simulator can afford for its speed.
"""

from __future__ import annotations

import json
import secrets
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from locks.simulators.simlock.lock import Credential, Lock
from locks.simulators.simlock.words import (
    Command,
    Faults,
    Kind,
    Silence,
    Source,
    parse_time,
    say_time,
)

SCHEMA = """
CREATE TABLE IF NOT EXISTS settings (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS locks (id TEXT PRIMARY KEY, doc TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS gateways (id TEXT PRIMARY KEY, doc TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS credentials (
  lock TEXT NOT NULL, handle TEXT NOT NULL, doc TEXT NOT NULL, PRIMARY KEY (lock, handle)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS events (seq INTEGER PRIMARY KEY AUTOINCREMENT, doc TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS unsent (id INTEGER PRIMARY KEY, lock TEXT NOT NULL, doc TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS landings (id INTEGER PRIMARY KEY, doc TEXT NOT NULL);
"""

_LOCK_FIELDS = (
    "id",
    "name",
    "gateway",
    "model",
    "native_window",
    "whole_hours",
    "masked",
    "signals",
    "code_min",
    "code_max",
    "max_codes",
    "battery",
    "clock_offset_s",
    "master_code",
    "online",
    "seen_online",
)


@dataclass(slots=True, kw_only=True)
class Landing:
    """A write that the cloud took and that reaches its lock later, or when the lock is back."""

    id: int
    lock: str
    command: Command
    handle: str
    due_at: float
    credential: Credential | None = None


class Store:
    """One SQLite file, or ``:memory:``. All methods are quick enough to be called from the event loop."""

    def __init__(self, path: str) -> None:
        self._db = sqlite3.connect(path, isolation_level=None, timeout=1)
        # Two simulators on one file would each believe their own memory: the second one must fail.
        self._db.execute("PRAGMA locking_mode=EXCLUSIVE")
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=OFF")
        self._db.executescript(SCHEMA)
        self.identity = self.setting("identity") or self._name_store()

    def _name_store(self) -> str:
        identity = secrets.token_hex(4)
        self.save_setting("identity", identity)
        return identity

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """One transaction over many changes. What was done before an error stays, as it does in memory."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        finally:
            self._db.execute("COMMIT")

    def setting(self, name: str) -> str | None:
        """A stored setting, or None."""
        row = self._db.execute("SELECT value FROM settings WHERE name = ?", (name,)).fetchone()
        return None if row is None else str(row[0])

    def save_setting(self, name: str, value: str) -> None:
        """Store a setting."""
        self._db.execute("INSERT OR REPLACE INTO settings VALUES (?, ?)", (name, value))

    def doc(self, name: str) -> dict[str, Any]:
        """A setting that is a JSON object; an empty one if it was never stored."""
        found: dict[str, Any] = json.loads(self.setting(name) or "{}")
        return found

    def save_doc(self, name: str, doc: dict[str, Any]) -> None:
        """Store a setting that is a JSON object."""
        self.save_setting(name, json.dumps(doc))

    def save_lock(self, lock: Lock) -> None:
        """Store a lock without its memory."""
        doc = {name: getattr(lock, name) for name in _LOCK_FIELDS}
        doc |= {"kinds": list(lock.kinds), "faults": asdict(lock.faults)}
        self._db.execute("INSERT OR REPLACE INTO locks VALUES (?, ?)", (lock.id, json.dumps(doc)))

    def delete_lock(self, lock_id: str) -> None:
        """Forget a lock, its memory and what it had still to report."""
        self._db.execute("DELETE FROM locks WHERE id = ?", (lock_id,))
        self._db.execute("DELETE FROM credentials WHERE lock = ?", (lock_id,))
        self._db.execute("DELETE FROM unsent WHERE lock = ?", (lock_id,))

    def save_credential(self, lock_id: str, credential: Credential) -> None:
        """Store one place of a lock's memory."""
        row = (lock_id, credential.handle, json.dumps(credential_doc(credential)))
        self._db.execute("INSERT OR REPLACE INTO credentials VALUES (?, ?, ?)", row)

    def delete_credential(self, lock_id: str, handle: str) -> None:
        """Free one place."""
        self._db.execute("DELETE FROM credentials WHERE lock = ? AND handle = ?", (lock_id, handle))

    def clear_memory(self, lock_id: str) -> None:
        """Free all places of one lock."""
        self._db.execute("DELETE FROM credentials WHERE lock = ?", (lock_id,))

    def save_gateway(self, gateway_id: str, doc: dict[str, Any]) -> None:
        """Store a gateway."""
        self._db.execute(
            "INSERT OR REPLACE INTO gateways VALUES (?, ?)", (gateway_id, json.dumps(doc))
        )

    def wipe(self) -> None:
        """Forget everything but the settings. Event numbers go on, so that cursors out there stay good."""
        for table in ("locks", "gateways", "credentials", "events", "unsent", "landings"):
            self._db.execute(f"DELETE FROM {table}")  # noqa: S608 - the names are the ones above

    def add_event(self, doc: dict[str, Any]) -> int:
        """Store an event that the cloud knows; its number is its place in the feed."""
        cursor = self._db.execute("INSERT INTO events (doc) VALUES (?)", (json.dumps(doc),))
        return cursor.lastrowid or 0

    def events(self, *, after: int, limit: int) -> list[tuple[int, dict[str, Any]]]:
        """Events after a number, oldest first."""
        rows = self._db.execute(
            "SELECT seq, doc FROM events WHERE seq > ? ORDER BY seq LIMIT ?", (after, limit)
        )
        return [(seq, json.loads(doc)) for seq, doc in rows]

    def last_event(self) -> int:
        """The number of the newest event ever stored, also when it is gone."""
        row = self._db.execute("SELECT seq FROM sqlite_sequence WHERE name = 'events'").fetchone()
        return 0 if row is None else int(row[0])

    def add_unsent(self, lock_id: str, doc: dict[str, Any]) -> None:
        """Store an event in the lock until the cloud hears of it."""
        self._db.execute("INSERT INTO unsent (lock, doc) VALUES (?, ?)", (lock_id, json.dumps(doc)))

    def take_unsent(self, lock_id: str) -> list[dict[str, Any]]:
        """Take a lock's waiting events out, oldest first."""
        rows = self._db.execute(
            "SELECT doc FROM unsent WHERE lock = ? ORDER BY id", (lock_id,)
        ).fetchall()
        self._db.execute("DELETE FROM unsent WHERE lock = ?", (lock_id,))
        return [json.loads(doc) for (doc,) in rows]

    def unsent_locks(self) -> set[str]:
        """Locks that have events to report."""
        return {lock for (lock,) in self._db.execute("SELECT DISTINCT lock FROM unsent")}

    def save_landing(self, landing: Landing) -> None:
        """Store a write that is still on its way."""
        doc = {"lock": landing.lock, "command": landing.command, "handle": landing.handle}
        doc["due_at"] = str(landing.due_at)
        held = None if landing.credential is None else credential_doc(landing.credential)
        row = (landing.id, json.dumps({**doc, "credential": held}))
        self._db.execute("INSERT OR REPLACE INTO landings VALUES (?, ?)", row)

    def delete_landing(self, landing_id: int) -> None:
        """A write has arrived or is lost."""
        self._db.execute("DELETE FROM landings WHERE id = ?", (landing_id,))

    def landings(self) -> list[Landing]:
        """Writes that were on their way when the process ended."""
        rows = self._db.execute("SELECT id, doc FROM landings ORDER BY id").fetchall()
        return [_read_landing(landing_id, json.loads(doc)) for landing_id, doc in rows]

    def gateways(self) -> Iterable[tuple[str, dict[str, Any]]]:
        """All gateways."""
        for gateway_id, doc in self._db.execute(
            "SELECT id, doc FROM gateways ORDER BY id"
        ).fetchall():
            yield gateway_id, json.loads(doc)

    def locks(self) -> dict[str, Lock]:
        """All locks with their memories."""
        rows = self._db.execute("SELECT doc FROM locks ORDER BY id").fetchall()
        locks = {lock.id: lock for lock in (_read_lock(json.loads(doc)) for (doc,) in rows)}
        for lock_id, doc in self._db.execute("SELECT lock, doc FROM credentials").fetchall():
            held = read_credential(json.loads(doc))
            if lock_id in locks:
                locks[lock_id].memory[held.handle] = held
        return locks


def credential_doc(held: Credential) -> dict[str, Any]:
    """A credential as JSON, value included: this is the memory of the lock."""
    return {
        "handle": held.handle,
        "kind": held.kind,
        "value": held.value,
        "starts_at": say_time(held.starts_at),
        "ends_at": say_time(held.ends_at),
        "source": held.source,
    }


def read_credential(doc: dict[str, Any]) -> Credential:
    """The credential behind such JSON."""
    return Credential(
        handle=doc["handle"],
        kind=Kind(doc["kind"]),
        value=doc["value"],
        starts_at=_time(doc["starts_at"]),
        ends_at=_time(doc["ends_at"]),
        source=Source(doc["source"]),
    )


def _time(text: str | None) -> datetime | None:
    return parse_time(text, field="time")


def _read_lock(doc: dict[str, Any]) -> Lock:
    faults = Faults(**doc["faults"] | {"silence": Silence(doc["faults"]["silence"])})
    kinds = tuple(Kind(kind) for kind in doc["kinds"])
    return Lock(**doc | {"kinds": kinds, "faults": faults})


def _read_landing(landing_id: int, doc: dict[str, Any]) -> Landing:
    held = doc["credential"]
    return Landing(
        id=landing_id,
        lock=doc["lock"],
        command=Command(doc["command"]),
        handle=doc["handle"],
        due_at=float(doc["due_at"]),
        credential=None if held is None else read_credential(held),
    )
