"""What outlives the process: one SQLite file (or ``:memory:``) of JSON documents, by kind and number."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

SCHEMA = "CREATE TABLE IF NOT EXISTS docs (kind TEXT, id TEXT, doc TEXT, PRIMARY KEY (kind, id)) WITHOUT ROWID;"


class Store:
    """Documents in a file. All methods are quick enough to be called from the event loop."""

    def __init__(self, path: str) -> None:
        if path != ":memory:":
            Path(path).parent.mkdir(parents=True, exist_ok=True)
        self._db = sqlite3.connect(path, isolation_level=None, timeout=1)
        # Two simulators on one file would each believe their own memory: the second one must fail.
        self._db.execute("PRAGMA locking_mode=EXCLUSIVE")
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=OFF")
        self._db.executescript(SCHEMA)

    def save(self, kind: str, id_: int | str, doc: dict[str, Any]) -> None:
        """Store a document, in place of the one of that name."""
        row = (kind, str(id_), json.dumps(doc))
        self._db.execute("INSERT OR REPLACE INTO docs VALUES (?, ?, ?)", row)

    def delete(self, kind: str, id_: int | str) -> None:
        """Forget a document."""
        self._db.execute("DELETE FROM docs WHERE kind = ? AND id = ?", (kind, str(id_)))

    def all(self, kind: str) -> Iterator[dict[str, Any]]:
        """All documents of a kind, in the order of their numbers."""
        sql = "SELECT doc FROM docs WHERE kind = ? ORDER BY length(id), id"
        for (doc,) in self._db.execute(sql, (kind,)).fetchall():
            yield json.loads(doc)

    def wipe(self) -> None:
        """Forget everything."""
        self._db.execute("DELETE FROM docs")

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """One transaction over many changes; what was done before an error stays, as it does in memory."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        finally:
            self._db.execute("COMMIT")

    def close(self) -> None:
        """Close the file."""
        self._db.close()
