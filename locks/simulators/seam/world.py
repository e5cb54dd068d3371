"""The vendor's cloud: devices, the book of access codes, events, and who is told of them. In memory, written through."""

from __future__ import annotations

import asyncio
import json
import random
from collections import deque
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from locks.simulators.seam.clock import Clock
from locks.simulators.seam.records import Attempt, Code, Device, Hook
from locks.simulators.seam.store import Store
from locks.simulators.seam.words import Refusal, not_found, say_time

WORKSPACE = "5d1d3f0e-7a4c-4a55-9a0e-6f0c6a7a11c1"
ACCOUNT = "c2b7c1f4-3f0d-4a2e-8a37-0d1c9f2f41ab"
# Per device and minute. github.com/seamapi/docs, docs/api-reference/rate-limits-and-guardrails.md
LIMITS = {"create": 10, "update": 10, "delete": 20, "unlock": 15}


class Delivery:
    """How webhook calls misbehave: lost, repeated, mixed within some seconds, held back, or wrongly signed."""

    def __init__(self) -> None:
        self.drop = False
        self.repeat = 0
        self.shuffle_s = 0.0
        self.paused = False
        self.wrong_secret = False
        self.clock_offset_s = 0.0


class World:
    """Everything the simulator knows. Used from one event loop only."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.clock = Clock()
        self.delivery = Delivery()
        self.account_connected = True
        self.outage = False
        self.devices = {each.device_id: each for each in store.devices()}
        self.codes = {each.code_id: each for each in store.codes()}
        self.attempts = {each.attempt_id: each for each in store.attempts()}
        self.hooks = {each.webhook_id: each for each in store.hooks()}
        self.requests: deque[dict[str, Any]] = deque(maxlen=500)
        self.news = asyncio.Event()
        self.calls_news = asyncio.Event()
        self._used: dict[tuple[str, str], deque[datetime]] = {}

    def now(self) -> datetime:
        """The simulated present."""
        return self.clock.now()

    def wake(self) -> None:
        """Something changed that may be due now."""
        self.news.set()
        self.calls_news.set()

    def wipe(self) -> None:
        """An empty workspace, the right time, no trouble."""
        self.store.wipe()
        for each in (self.devices, self.codes, self.attempts, self.hooks, self.requests):
            each.clear()
        self._used.clear()
        self.clock.right()
        self.delivery = Delivery()
        self.account_connected = True
        self.outage = False

    # Finding and keeping.

    def device(self, device_id: object) -> Device:
        """The device of that id. Raises Refusal for one that was never there or was removed."""
        found = self.devices.get(str(device_id))
        if found is None or found.removed:
            raise not_found("device")
        return found

    def code(self, code_id: object, *, managed: bool = True) -> Code:
        """The entry of the book with that id. Raises Refusal."""
        found = self.codes.get(str(code_id))
        if found is None or found.managed is not managed:
            raise not_found("access_code")
        return found

    def codes_of(self, device: Device) -> list[Code]:
        """The entries of one device, oldest first."""
        return [each for each in self.codes.values() if each.device_id == device.device_id]

    def keep(self, record: Device | Code | Attempt | Hook) -> None:
        """Write a record through, also a new one."""
        match record:
            case Device(device_id=id_):
                self.devices[id_] = record
                self.store.save("device", id_, record)
            case Code(code_id=id_):
                self.codes[id_] = record
                self.store.save("code", id_, record)
            case Attempt(attempt_id=id_):
                self.attempts[id_] = record
                self.store.save("attempt", id_, record)
            case Hook(webhook_id=id_):
                self.hooks[id_] = record
                self.store.save("hook", id_, record)

    def forget_code(self, code: Code) -> None:
        """Take an entry out of the book; from now on it is not found."""
        self.codes.pop(code.code_id, None)
        self.store.delete("code", code.code_id)

    def spend(self, device: Device, what: str) -> None:
        """Count one call against the limit of its device. Raises Refusal beyond it."""
        now = self.now()
        used = self._used.setdefault((device.device_id, what), deque())
        while used and used[0] <= now - timedelta(minutes=1):
            used.popleft()
        if len(used) >= LIMITS[what]:
            left = (used[0] + timedelta(minutes=1) - now).total_seconds()
            message = f"Too many {what} calls for this device."
            raise Refusal("rate_limit_exceeded", message, status=429, after_s=left)
        used.append(now)

    # Events.

    def tell_of(self, code: Code, type_: str, /, **facts: Any) -> None:
        """An event about an access code."""
        about = {"access_code_id": code.code_id, "device_id": code.device_id}
        self.tell(f"access_code.{type_}", about | facts, at=self.now())

    def tell_at(self, device: Device, type_: str, **facts: Any) -> None:
        """An event from a lock itself: one that nobody can reach keeps it until it is back."""
        doc = {"device_id": device.device_id, **facts}
        if device.reachable:
            self.tell(type_, doc, at=self.now())
            return
        device.unsent.append({"type": type_, "facts": doc, "at": self.now()})
        self.keep(device)

    def upload(self, device: Device) -> None:
        """The lock tells what happened while it was away."""
        waiting, device.unsent = device.unsent, []
        self.keep(device)
        for each in waiting:
            self.tell(each["type"], each["facts"], at=each["at"])

    def tell(self, type_: str, facts: dict[str, Any], *, at: datetime) -> None:
        """Record an event and put it on its way to the webhooks that want it."""
        created_at = self.now()
        doc = {
            "event_id": str(uuid4()),
            "event_type": type_,
            "workspace_id": WORKSPACE,
            "connected_account_id": ACCOUNT,
            "created_at": say_time(created_at),
            "occurred_at": say_time(at),
            **facts,
        }
        self.store.add_event(doc, created_at)
        for hook in self.hooks.values():
            if not hook.event_types or type_ in hook.event_types:
                self._send(hook, doc)

    def _send(self, hook: Hook, doc: dict[str, Any]) -> None:
        message = f"msg_{uuid4().hex}"
        body = json.dumps(doc, separators=(",", ":"))
        for _ in range(1 + self.delivery.repeat):
            mixing = random.random() * self.delivery.shuffle_s  # noqa: S311 - chance, not a secret
            self.store.add_call(
                hook=hook.webhook_id,
                message=message,
                event=doc["event_type"],
                body=body,
                due_at=self.now() + timedelta(seconds=mixing),
                lost=self.delivery.drop,
            )
        self.calls_news.set()
