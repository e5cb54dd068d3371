"""Webhooks: who is told, and the sending with time-out, retries, delay, loss, repeats and shuffle.

An answer other than 2xx, or none within two seconds, is tried again up to five times a minute
apart, then dropped: https://developers.cloudbeds.com/docs/webhooks-1 . The minute can be scaled.
"""

from __future__ import annotations

import asyncio
import json
import random
import sqlite3
import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

import httpx2

from pms.simulators.cloudbeds.events import Event
from pms.simulators.cloudbeds.store import Store

AT_ONCE = 32


@dataclass(slots=True)
class WebhookModes:
    """How the sender behaves; the defaults are the vendor's, the rest is trouble on demand.

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

    def post(self, *, property_id: str, events: Iterable[Event], now: datetime) -> None:
        """Queue each event for every subscription to it; unsubscribed events vanish."""
        for index, event in enumerate(events):
            body = json.dumps(event.body(property_id, now, index))
            self.post_raw(property_id=property_id, name=event.name, body=body)

    def post_raw(self, *, property_id: str, name: str, body: str) -> None:
        """Queue a body as it is (also one that is not what the vendor would send)."""
        entity, _, action = name.partition("/")
        sql = (
            "SELECT id, url FROM subscriptions WHERE property_id = ? AND entity = ? AND action = ?"
        )
        for row in self._store.rows(sql, property_id, entity, action):
            self._queue(row, property_id, name, body)
        self.news.set()

    def _queue(self, subscription: sqlite3.Row, property_id: str, name: str, body: str) -> None:
        lost = random.random() < self._modes.drop  # noqa: S311 - chance, not a secret
        for _ in range(1 + self._modes.repeat):
            self._store.insert(
                "deliveries",
                subscription_id=subscription["id"],
                property_id=property_id,
                event=name,
                url=subscription["url"],
                body=body,
                due_at=time.time() + self._wait(),
                state="lost" if lost else "waiting",
            )

    def _wait(self) -> float:
        mixing = random.random() * self._modes.shuffle_seconds  # noqa: S311 - chance, not a secret
        return self._modes.delay_seconds + mixing

    def forget(self, subscription_id: str) -> None:
        """Stop what is on its way to a deleted subscription, except the news of its end."""
        self._store.run(
            "UPDATE deliveries SET state = 'unsubscribed' WHERE state = 'waiting'"
            " AND subscription_id = ? AND event <> 'integration/appstate_changed'",
            subscription_id,
        )


class Sender:
    """The background loop that delivers what is due."""

    def __init__(self, store: Store, outbox: Outbox, modes: WebhookModes) -> None:
        """Nothing runs until `run` is awaited."""
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
        headers = {"Content-Type": "application/json", "User-Agent": "Cloudbeds-Simulator-Webhooks"}
        seconds = self._modes.timeout_seconds
        try:
            async with asyncio.timeout(seconds):
                answer = await client.post(
                    row["url"], content=row["body"], headers=headers, timeout=seconds
                )
        except (httpx2.HTTPError, httpx2.InvalidURL, TimeoutError) as trouble:
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
