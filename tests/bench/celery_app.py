"""The worker of the figures: Portal's own, with drivers that answer at once or after a while, and an empty task.

Every call to a driver is written down for the check that comes after: which lock, which handle, from when to when.
"""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import Sequence
from pathlib import Path

from celery import shared_task

from locks.drivers import Capabilities, Grant, Observation, Outcome, Place, Proof, Result
from locks.vendors import REGISTRY, Vendor
from portal.celery import app

__all__ = ["app"]
HANGS_S = 3600.0
DONE = Outcome(result=Result.CONFIRMED, proof=Proof.ACKNOWLEDGED)


class QuickDriver:
    """Confirms everything, after ``wait_s`` seconds a call, and writes down its calls when it is closed."""

    def __init__(self, wait_s: float, batch: int, hung_one_in: int = 0) -> None:
        self.wait_s, self.hung_one_in = wait_s, hung_one_in
        self.capabilities = Capabilities(timeout_s=10.0, batch=batch)
        self.calls: list[tuple[str, list[str], float, float]] = []

    async def put(self, lock_ref: str, grants: Sequence[Grant]) -> list[Outcome]:
        began = time.time()
        if self._hangs(lock_ref):
            await asyncio.sleep(HANGS_S)
        if self.wait_s:
            await asyncio.sleep(self.wait_s)
        self.calls.append((lock_ref, [grant.handle for grant in grants], began, time.time()))
        return [DONE] * len(grants)

    async def remove(self, lock_ref: str, places: Sequence[Place]) -> list[Outcome]:
        raise AssertionError("nothing is to be removed here")

    async def observe(self, lock_ref: str, places: Sequence[Place] = ()) -> Observation:
        if self._hangs(lock_ref):
            await asyncio.sleep(HANGS_S)
        return Observation(held=None)

    def _hangs(self, lock_ref: str) -> bool:
        return bool(self.hung_one_in) and int(lock_ref[1:]) % self.hung_one_in == 0

    async def close(self) -> None:
        name = f"calls-{os.getpid()}-{time.time_ns()}.json"
        draft = Path(os.environ["BENCH_CALLS"]) / f".{name}"
        draft.write_text(json.dumps(self.calls))
        draft.rename(draft.with_name(name))


def open_quick(*, base_url: str, token: str) -> QuickDriver:
    """``base_url`` says how: seconds a call, places a call, and where it is there, that one lock in so many hangs."""
    wait_s, *numbers = base_url.split("/")
    return QuickDriver(float(wait_s), *map(int, numbers))


VENDOR = Vendor(title="Quick", default_url="0/1", fields=(), open_driver=open_quick)
REGISTRY["quick"] = "tests.bench.celery_app"


@shared_task(name="bench.nothing")
def nothing() -> None:
    """The least that a task can be."""


@shared_task(name="bench.mark")
def mark(name: str) -> None:
    """Say when the queue came to here."""
    draft = Path(os.environ["BENCH_CALLS"]) / f".{name}"
    draft.write_text(str(time.time()))
    draft.rename(draft.with_name(name))
