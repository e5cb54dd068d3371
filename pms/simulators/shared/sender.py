"""Webhooks on their way: time-out, retries, delay, loss, repeats and shuffle.

An answer other than 2xx, or none in time, is tried again a few times, then dropped.
"""

from __future__ import annotations

import asyncio
import random
import sqlite3
import time
from collections.abc import Collection
from dataclasses import dataclass

import httpx2

from pms.simulators.shared.store import Store

AT_ONCE = 32
MOST_HOPS = 3


@dataclass(slots=True)
class WebhookModes:
    """How the sender behaves: time-outs and tries are the vendor's, the rest is trouble on demand.

    ``drop`` is the share lost (0 to 1), ``repeat`` the number of extra copies, ``shuffle_seconds``
    the window within which events are mixed, ``paused`` holds everything back.
    """

    timeout_seconds: float = 2.0
    retry_seconds: float = 60.0
    tries: int = 5
    delay_seconds: float = 0.0
    drop: float = 0.0
    repeat: int = 0
    shuffle_seconds: float = 0.0
    paused: bool = False


class Outbox:
    """Events on their way, kept in the store until they were taken or given up."""

    def __init__(self, store: Store, modes: WebhookModes) -> None:
        """The modes are shared with whoever may change them."""
        self._store = store
        self._modes = modes
        self.news = asyncio.Event()

    def queue(
        self, *, url: str, property_id: str, name: str, body: str, subscription_id: str = ""
    ) -> list[int]:
        """Put one call on its way, as often as it is to be repeated; says the deliveries' ids."""
        lost = random.random() < self._modes.drop  # noqa: S311 - chance, not a secret
        due_at = [time.time() + self._wait() for _ in range(1 + self._modes.repeat)]
        for moment in due_at:
            self._store.insert(
                "deliveries",
                subscription_id=subscription_id,
                property_id=property_id,
                event=name,
                url=url,
                body=body,
                due_at=moment,
                state="lost" if lost else "waiting",
            )
        self.news.set()
        last = self._store.number("SELECT max(id) FROM deliveries")
        return list(range(last - len(due_at) + 1, last + 1))

    def _wait(self) -> float:
        mixing = random.random() * self._modes.shuffle_seconds  # noqa: S311 - chance, not a secret
        return self._modes.delay_seconds + mixing


class Sender:
    """The background loop that delivers what is due."""

    def __init__(
        self,
        store: Store,
        outbox: Outbox,
        modes: WebhookModes,
        *,
        user_agent: str,
        follows: Collection[int] = (),
    ) -> None:
        """Nothing runs until `run` is awaited; ``follows`` are the redirects that are followed."""
        self._follows = follows
        self._user_agent = user_agent
        self._store = store
        self._outbox = outbox
        self._modes = modes
        self._under_way: set[int] = set()

    async def run(self) -> None:
        """Deliver until cancelled."""
        async with httpx2.AsyncClient(trust_env=False) as client, asyncio.TaskGroup() as tasks:
            while True:
                self._outbox.news.clear()
                for row in self._due():
                    self._under_way.add(row["id"])
                    tasks.create_task(self._deliver(client, row))
                await self._wait()

    def _due(self) -> list[sqlite3.Row]:
        room = AT_ONCE - len(self._under_way)
        if self._modes.paused or room <= 0:
            return []
        found = self._store.rows(
            "SELECT * FROM deliveries WHERE state = 'waiting' AND due_at <= ?"
            " ORDER BY due_at, id LIMIT ?",
            time.time(),
            AT_ONCE + room,
        )
        return [row for row in found if row["id"] not in self._under_way][:room]

    async def _wait(self) -> None:
        row = self._store.row("SELECT min(due_at) AS at FROM deliveries WHERE state = 'waiting'")
        pause = 5.0
        if row and row["at"] is not None and not self._modes.paused:
            pause = min(5.0, max(0.02, row["at"] - time.time()))
        try:
            async with asyncio.timeout(pause):
                await self._outbox.news.wait()
        except TimeoutError:
            return

    async def _deliver(self, client: httpx2.AsyncClient, row: sqlite3.Row) -> None:
        try:
            answer = await self._call(client, row)
            self._settle(row, answer)
        finally:
            self._under_way.discard(row["id"])
            self._outbox.news.set()

    async def _call(self, client: httpx2.AsyncClient, row: sqlite3.Row) -> str:
        headers = {"Content-Type": "application/json", "User-Agent": self._user_agent}
        seconds = self._modes.timeout_seconds
        try:
            url = httpx2.URL(row["url"])
            async with asyncio.timeout(seconds):
                for _ in range(MOST_HOPS):
                    answer = await client.post(
                        url, content=row["body"], headers=headers, timeout=seconds
                    )
                    if answer.status_code not in self._follows:
                        break
                    url = url.join(answer.headers["location"])
        except (httpx2.HTTPError, httpx2.InvalidURL, KeyError, TimeoutError) as trouble:
            return type(trouble).__name__
        return str(answer.status_code)

    def _settle(self, row: sqlite3.Row, answer: str) -> None:
        tries = int(row["tries"]) + 1
        if answer.startswith("2") and answer.isdigit():
            state = "delivered"
        else:
            state = "given up" if tries >= self._modes.tries else "waiting"
        self._store.run(
            "UPDATE deliveries SET state = CASE state WHEN 'waiting' THEN ? ELSE state END,"
            " tries = ?, answer = ?, due_at = ? WHERE id = ?",
            state,
            tries,
            answer,
            time.time() + self._modes.retry_seconds,
            row["id"],
        )
