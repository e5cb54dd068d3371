"""Webhooks: who is told, and the calls on their way, signed and repeated as Svix does for the vendor."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import hmac
import secrets
import sqlite3
import time
from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from uuid import uuid4

import httpx2

from locks.simulators.seam.records import Hook
from locks.simulators.seam.words import invalid, not_found
from locks.simulators.seam.world import World

# After a failed try: github.com/seamapi/docs, docs/guides/developer-tools/webhooks.md
RETRIES_S = (5, 300, 1800, 7200, 18000, 36000, 36000)
TIMEOUT_S = 15.0
PREFIX = "whsec_"


def create(world: World, given: Mapping[str, Any]) -> dict[str, Any]:
    """/webhooks/create with url and event_types; the secret is in the answer."""
    url = given.get("url")
    if not isinstance(url, str) or not url.startswith(("http://", "https://")):
        raise invalid("url", "url must be an address.")
    types = given.get("event_types") or []
    wanted = [] if "*" in types else [str(each) for each in types]
    secret = PREFIX + base64.b64encode(secrets.token_bytes(24)).decode()
    hook = Hook(webhook_id=str(uuid4()), url=url, secret=secret, event_types=wanted)
    world.keep(hook)
    return {"webhook": _doc(hook)}


def _doc(hook: Hook) -> dict[str, Any]:
    return {
        "webhook_id": hook.webhook_id,
        "url": hook.url,
        "secret": hook.secret,
        "event_types": hook.event_types or ["*"],
    }


def list_hooks(world: World, given: Mapping[str, Any]) -> dict[str, Any]:
    """/webhooks/list."""
    return {"webhooks": [_doc(hook) for hook in world.hooks.values()]}


def delete(world: World, given: Mapping[str, Any]) -> dict[str, Any]:
    """/webhooks/delete."""
    hook = world.hooks.pop(str(given.get("webhook_id")), None)
    if hook is None:
        raise not_found("webhook")
    world.store.delete("hook", hook.webhook_id)
    return {}


def sign(secret: str, *, message: str, timestamp: int, body: str) -> str:
    """The ``svix-signature`` of one call. docs.svix.com/receiving/verifying-payloads/how-manual"""
    key = base64.b64decode(secret.removeprefix(PREFIX))
    signed = f"{message}.{timestamp}.{body}".encode()
    return "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()


class Sender:
    """The background loop that delivers what is due."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._under_way: set[int] = set()

    async def run(self) -> None:
        """Deliver until cancelled."""
        async with httpx2.AsyncClient(trust_env=False) as client, asyncio.TaskGroup() as tasks:
            while True:
                self._world.calls_news.clear()
                for row in self._due():
                    self._under_way.add(row["id"])
                    tasks.create_task(self._deliver(client, row))
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(0.05):
                        await self._world.calls_news.wait()

    def _due(self) -> list[sqlite3.Row]:
        if self._world.delivery.paused:
            return []
        found = self._world.store.due_calls(self._world.now())
        return [row for row in found if row["id"] not in self._under_way]

    async def _deliver(self, client: httpx2.AsyncClient, row: sqlite3.Row) -> None:
        try:
            hook = self._world.hooks.get(row["hook"])
            answer = await self._call(client, hook, row) if hook else "no such webhook"
            self._settle(row, answer)
        finally:
            self._under_way.discard(row["id"])

    async def _call(self, client: httpx2.AsyncClient, hook: Hook, row: sqlite3.Row) -> str:
        modes = self._world.delivery
        # The receiver compares with the machine's time, whatever the simulated one is.
        timestamp = int(time.time() + modes.clock_offset_s)
        wrong = PREFIX + base64.b64encode(b"not the secret of this webhook").decode()
        secret = wrong if modes.wrong_secret else hook.secret
        headers = {
            "content-type": "application/json",
            "user-agent": "Svix-Webhooks/simulated",
            "svix-id": row["message"],
            "svix-timestamp": str(timestamp),
            "svix-signature": sign(
                secret, message=row["message"], timestamp=timestamp, body=row["body"]
            ),
        }
        try:
            answer = await client.post(
                hook.url, content=row["body"], headers=headers, timeout=TIMEOUT_S
            )
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError) as trouble:
            return type(trouble).__name__
        return str(answer.status_code)

    def _settle(self, row: sqlite3.Row, answer: str) -> None:
        tries = int(row["tries"])
        state, pause = "waiting", 0
        if answer.isdigit() and answer.startswith("2"):
            state = "delivered"
        elif tries >= len(RETRIES_S) or not answer or answer == "no such webhook":
            state = "given up"
        else:
            pause = RETRIES_S[tries]
        due_at = self._world.now() + timedelta(seconds=pause)
        self._world.store.settle_call(row["id"], state=state, answer=answer, due_at=due_at)
