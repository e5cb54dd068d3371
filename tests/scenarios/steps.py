"""Steps that several scenarios share, in the words of the hotel."""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx2

from tests.eventually import eventually
from tests.hotel import Hotel, Key, LockAtHotel, Stay


def in_house(hotel: Hotel, guest: str, **wish: Any) -> tuple[Stay, Key, LockAtHotel]:
    """A guest who has checked in and whose Door Code and SmartKey are on the lock of the room."""
    return all_in_house(hotel, guest, **wish)[0]


def all_in_house(hotel: Hotel, *names: str, **wish: Any) -> list[tuple[Stay, Key, LockAtHotel]]:
    """The same for many guests, each in a room of their own."""
    stays = [hotel.book(name, **wish) for name in names]
    for stay in stays:
        hotel.check_in(stay)
    found = [(stay, hotel.key_of(stay), hotel.lock(stay.room)) for stay in stays]
    for _, key, lock in found:
        eventually(lambda key=key, lock=lock: lock.kinds(key) == {"door_code", "smartkey"})
        eventually(lambda key=key: "Active" in key.states)
    return found


def made_by_hand(hotel: Hotel, guest: str, *rooms: str, **wish: Any) -> Key:
    """A key made by staff whose code is on all its locks."""
    key = hotel.add_key(guest, *rooms, **wish)
    for room in rooms:
        eventually(lambda room=room: hotel.lock(room).memory(key))
    eventually(lambda: "Active" in key.states)
    return key


def is_empty_of(lock: LockAtHotel, key: Key) -> None:
    """Wait until the lock holds nothing of this key."""
    eventually(lambda: not lock.memory(key))


def door_id(hotel: Hotel, name: str) -> int:
    """The id of a door by its name."""
    rows = pages(hotel, "/doors/?limit=200")
    return next(row["id"] for row in rows if row["name"] == name)


def pages(hotel: Hotel, path: str) -> list[dict[str, Any]]:
    """All rows of a list of the API."""
    answer = hotel.api("GET", path)
    rows = list(answer["results"])
    while answer["next"]:
        answer = hotel.api("GET", answer["next"].partition("/api/v1")[2])
        rows += answer["results"]
    return rows


def writes_to(hotel: Hotel, *rooms: str, done: bool = False) -> list[tuple[str, str]]:
    """What was asked of some locks since the figures were reset, or only what was done, as (method, handle), in order."""
    said = hotel.simlock.stats(requests=2000)["requests"]
    return [
        (one["method"], one["handle"])
        for one in said
        if one["lock_id"] in rooms
        and one["method"] in {"PUT", "DELETE"}
        and (one["answer"] == "ok" or not done)
    ]


def asked_of(hotel: Hotel, room: str) -> list[str]:
    """What was asked of a lock since the figures were reset, in order: PUT and DELETE, or that it be read."""
    said = hotel.simlock.stats(requests=2000)["requests"]
    mine = [one for one in said if one["lock_id"] == room]
    return ["read" if one["path"].endswith("/credentials") else one["method"] for one in mine]


def ask(hotel: Hotel, token: str, method: str, path: str, **body: Any) -> httpx2.Response:
    """Ask the API with any token; the answer, whatever it is."""
    return httpx2.request(
        method,
        f"{hotel.url}/api/v1{path}",
        json=body or None,
        headers={"Authorization": f"Bearer {token}"},
        timeout=30,
        trust_env=False,
    )


def problem(answer: httpx2.Response) -> str:
    """What the API says is wrong."""
    return " ".join(each["message"] for each in answer.json()["errors"]) or answer.json()["detail"]


def keys_listed(hotel: Hotel, path: str) -> Sequence[int]:
    """The ids of the keys on a page of Keys."""
    links = hotel.page(path).all(".//a[@class='main-link']")
    return [int(link.get("href", "").split("/")[-2]) for link in links]


def sent_to(hotel: Hotel, code: str) -> list[str]:
    """The e-mails to guests that carry this code; without a mail server they are files."""
    folder = hotel.run.folder / "messages" / "email"
    texts = [path.read_text() for path in folder.glob("*.txt")] if folder.exists() else []
    return [text for text in texts if code in text]


def restart_worker(hotel: Hotel) -> None:
    """Kill the worker as ``kill -9`` does; run.py starts another. Waits until it is there."""
    killed = _workers(hotel)
    for pid in killed:
        os.killpg(pid, signal.SIGKILL)
    eventually(lambda: _workers(hotel) - killed)


def kill_in_the_middle(hotel: Hotel, recovery: int) -> int:
    """Kill the worker as soon as something of a recovery is done; how much was done by then."""

    def done() -> int:
        return int(hotel.api("GET", f"/recoveries/{recovery}/")["done"])

    killed_at = eventually(done, 60, every=0.01)
    restart_worker(hotel)
    return killed_at


def _workers(hotel: Hotel) -> set[int]:
    children = Path(f"/proc/{hotel.run.process.pid}/task/{hotel.run.process.pid}/children")
    pids = {int(pid) for pid in children.read_text().split()}
    return {pid for pid in pids if b"\0worker\0" in Path(f"/proc/{pid}/cmdline").read_bytes()}


def stored_rows(hotel: Hotel) -> list[str]:
    """Everything that the running Portal wrote, as it lies on the disk: database, queue and logs."""
    folder = hotel.run.folder
    globs = ("out", "*.sqlite3*", "log/*", "broker/**/*")
    files = [path for pattern in globs for path in folder.glob(pattern) if path.is_file()]
    kept = []
    for path in files:
        with suppress(FileNotFoundError):  # a message that a worker took meanwhile
            kept.append(path.read_bytes().decode("latin-1"))
    address = hotel.run.env.get("DATABASE_URL", "")
    if address.startswith("postgres"):
        kept += _tables_of_postgresql(address)
    return kept


def _tables_of_postgresql(address: str) -> list[str]:
    import psycopg  # noqa: PLC0415 - only where PostgreSQL is

    with psycopg.connect(address) as link:
        names = link.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        rows = [link.execute(f'SELECT row::text FROM "{name}" AS row') for (name,) in names]
        return [text for some in rows for (text,) in some]
