"""Runs the figures on the configured engine, in a database of their own beside the configured one."""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import redis
from django.conf import settings
from django.core.management import call_command
from django.db import connection, connections

from tests.bench import (
    deciding,
    delivery,
    door_log,
    hooks,
    key_list,
    releasing,
    resync,
    troubled_locks,
)
from tests.bench.figures import Figure, machine, write_json
from tests.bench.processes import Kit

CATALOG: dict[str, Callable[[Kit], Figure | Sequence[Figure]]] = {
    "delivery": delivery.at_once,
    "slow-locks": delivery.slow_locks,
    "gateways": troubled_locks.behind_gateways,
    "hung-locks": troubled_locks.beside_hung,
    "offline-cost": troubled_locks.away,
    "deciding": deciding.decide_again,
    "releasing": releasing.release_all,
    "releasing-answer": releasing.answer,
    "webhooks": hooks.against_insert,
    "webhooks-empty": hooks.against_empty,
    "webhooks-busy": hooks.while_busy,
    "webhooks-resync": resync.webhooks,
    "resync": resync.resync,
    "door-log": door_log.in_bulk,
    "door-log-pages": door_log.in_pages,
    "door-log-large": door_log.when_large,
    "key-list": key_list.flat,
    "key-list-queries": key_list.queries,
}
BESIDE = ("delivery", "slow-locks", "deciding", "releasing", "door-log", "key-list")
"""What is worth printing for the embedded engine too: two gunicorn processes on SQLite are nobody's production."""


def measure(asked: argparse.Namespace, folder: Path) -> None:
    """Run the figures one after the other; one that fails does not keep the others from being measured."""
    found: list[Figure] = []
    with own_database(folder):
        engine = about()
        print(f"\n{engine['line']}", flush=True)
        for name in asked.names or (BESIDE if asked.beside else CATALOG):
            began = time.monotonic()
            print(f"  {name} ...", flush=True)
            place = folder / name
            place.mkdir()
            kit = Kit(place, small=asked.small, rounds=asked.rounds, beside=asked.beside)
            for figure in run_one(name, kit):
                figure.counts = bool(engine["counts"])
                found.append(figure)
                print(f"  {figure.name}: {told(figure)}", flush=True)
            print(f"  {name} took {time.monotonic() - began:.0f} s", flush=True)
    write_json(asked.out, engine, found)


@contextlib.contextmanager
def own_database(folder: Path) -> Iterator[None]:
    """A fresh database beside the configured one, which is not touched; gone at the end."""
    server = dict(connection.settings_dict)
    name = f"{server['NAME']}_bench_{os.getpid()}"
    if connection.vendor == "sqlite":
        name = str(folder / "bench.sqlite3")
    else:
        _say_to(server, f'CREATE DATABASE "{name}"')
    connection.settings_dict["NAME"] = name
    try:
        call_command("migrate", verbosity=0, interactive=False)
        yield
    finally:
        connections.close_all()
        if connection.vendor != "sqlite":
            connection.close_pool()
            _say_to(server, f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


def _say_to(server: dict[str, object], statement: str) -> None:
    names = {
        "user": "USER",
        "password": "PASSWORD",
        "host": "HOST",
        "port": "PORT",
        "dbname": "NAME",
    }
    given = {word: str(server[name]) for word, name in names.items() if server[name]}
    with psycopg.connect(**given, autocommit=True) as line:
        line.execute(statement)


def run_one(name: str, kit: Kit) -> Sequence[Figure]:
    """The figures of one run, or what went wrong with it."""
    try:
        seen = CATALOG[name](kit)
        return [seen] if isinstance(seen, Figure) else seen
    except Exception as error:  # noqa: BLE001 - told with the others, and the exit code says it
        traceback.print_exc()
        for log in sorted(kit.folder.glob("*.log")):
            print(f"{log.name}:\n{log.read_text(errors='replace')[-2000:]}", file=sys.stderr)
        return [Figure(name=name, says=name, target=0, unit="", error=f"{error}"[:200])]
    finally:
        for process in kit.started:
            kit.end(process)


def told(figure: Figure) -> str:
    """One line about a figure."""
    if figure.error:
        return f"failed: {figure.error}"
    sign = "at most" if figure.at_most else "at least"
    word = "reached" if figure.reached else "MISSED"
    return f"{figure.ratio:.2f}, {sign} {figure.target:g}: {word}"


def about() -> dict[str, object]:
    """The engine and the broker, and whether the figures count on them."""
    broker = broker_version(settings.CELERY_BROKER_URL)
    engine, durable = engine_version()
    host = machine()
    date = datetime.now(UTC).date().isoformat()
    counts = durable and broker.startswith("Redis")
    line = f"{date}, {host['cpu']}, {host['cores']} cores, Python {host['python']}, {engine}; {broker}."
    if not counts:
        line += " These do not count: that takes PostgreSQL, durable, and Redis."
    return {
        "line": line,
        "date": date,
        "engine": engine,
        "broker": broker,
        "counts": counts,
        **host,
    }


def engine_version() -> tuple[str, bool]:
    """The database in words, and whether it is PostgreSQL with commits on disk when they are answered."""
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute("SELECT sqlite_version()")
            return f"SQLite {cursor.fetchone()[0]}", False
        cursor.execute(
            "SELECT current_setting('server_version'), current_setting('fsync'), "
            "current_setting('synchronous_commit'), current_setting('shared_buffers')"
        )
        version, fsync, commit, buffers = cursor.fetchone()
    said = (
        f"PostgreSQL {version.split()[0]} "
        f"(fsync {fsync}, synchronous_commit {commit}, shared_buffers {buffers})"
    )
    return said, (fsync, commit) == ("on", "on")


def broker_version(url: str) -> str:
    """The broker in words."""
    if url.startswith("redis"):
        return f"Redis {redis.Redis.from_url(url).info('server')['redis_version']}"
    return {"filesystem": "file broker", "amqp": "RabbitMQ"}.get(url.partition(":")[0], "a broker")
