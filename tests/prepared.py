"""A migrated database, made once in a run of the tests and copied for each hotel and each test process: a second's work
instead of a quarter of a minute's.

The copy is what ``run.py`` then finds; it migrates it once more, which changes nothing. That a newcomer's empty folder
is made into a hotel is tested apart.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

ROOT = Path(__file__).resolve().parents[1]
FILE = "portal.sqlite3"


def on_postgresql() -> bool:
    """Whether PostgreSQL is the configured engine."""
    return os.environ.get("DATABASE_URL", "").startswith("postgres")


@contextmanager
def own_database(folder: Path) -> Iterator[dict[str, str]]:
    """A migrated database of its own for what runs in a folder: the variables that name it, none for SQLite's file there.

    The database that is configured need not exist: Django's own tests make theirs beside it too.
    """
    if not on_postgresql():
        _copy_file(folder / FILE)
        yield {}
        return
    name = f"hotel_{uuid.uuid4().hex[:12]}"
    _say(f'CREATE DATABASE "{name}" TEMPLATE "{_template()}"')
    try:
        yield {"DATABASE_URL": _url(name)}
    finally:
        _say(f'DROP DATABASE "{name}" WITH (FORCE)')


def for_tests(told: dict[str, Any]) -> None:
    """Have Django's own test database begin as a copy: the file is put in its place, or the template named."""
    if on_postgresql():
        told["TEST"]["TEMPLATE"] = _template()
    else:
        _copy_file(Path(told["TEST"]["NAME"]))


def forget(folder: Path) -> None:
    """Remove what this run of the tests made on a server; its files go with the folder."""
    name = folder / "prepared" / "postgresql" / "name"
    if name.exists():
        _say(f'DROP DATABASE IF EXISTS "{name.read_text()}" WITH (FORCE)')


def _copy_file(to: Path) -> None:
    with (
        closing(sqlite3.connect(_made("sqlite") / FILE)) as made,
        closing(sqlite3.connect(to)) as mine,
    ):
        made.backup(mine)


def _template() -> str:
    return (_made("postgresql") / "name").read_text()


def _made(engine: str) -> Path:
    """The folder of the migrated database of this run; whoever comes first makes it, the others wait."""
    folder = Path(os.environ["PORTAL_TEST_VAR"]) / "prepared" / engine
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "done").exists():
            _make(engine, folder)
            (folder / "done").touch()
    return folder


def _make(engine: str, folder: Path) -> None:
    own = {"PORTAL_VAR": str(folder)}
    if engine == "postgresql":
        name = f"prepared_{uuid.uuid4().hex[:12]}"
        (folder / "name").write_text(name)
        _say(f'CREATE DATABASE "{name}"')
        own["DATABASE_URL"] = _url(name)
    command = [sys.executable, "manage.py", "migrate", "-v0"]
    subprocess.run(command, cwd=ROOT, env=os.environ | own, check=True)


def _url(name: str) -> str:
    return urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{name}").geturl()


def _say(statement: str) -> None:
    import psycopg  # noqa: PLC0415 - only where PostgreSQL is

    with psycopg.connect(_url("postgres"), autocommit=True) as admin:
        admin.execute(statement)
