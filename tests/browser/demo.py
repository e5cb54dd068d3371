"""The demo with short clocks, and the two ends of the world behind it: what locks remember and what the PMS does."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2

from tests.hotel import SHORT_CLOCKS
from tests.ports import free_port
from tests.prepared import own_database
from tests.running import Running, running

HOTEL = "Harbor House"
PASSWORD = "portal-demo-1"
PEOPLE = {
    "owner": "owner@demo.example",
    "team": "team@demo.example",
    "housekeeping": "housekeeping@demo.example",
}


class Demo:
    """A running demo, its locks and its PMS by their own controls."""

    def __init__(self, run: Running) -> None:
        self.url: str = run.told["web"]
        self._locks = httpx2.Client(base_url=run.told["simlock"], timeout=30, trust_env=False)
        self._pms = httpx2.Client(base_url=run.told["cloudbeds"], timeout=30, trust_env=False)
        hung = self._locks.get("/control/locks").raise_for_status().json()["locks"]
        self._lock_of = {one["name"]: one["id"] for one in hung}

    def close(self) -> None:
        """Let go of the simulators."""
        self._locks.close()
        self._pms.close()

    def lock_holds(self, door: str, code: str) -> bool:
        """Whether the lock of this door has the Door Code in its memory, whatever Portal believes."""
        path = f"/control/locks/{self._lock_of[door]}/memory"
        held = self._locks.get(path).raise_for_status().json()["credentials"]
        return any(one["value"] == code for one in held)

    def pms(self, path: str, **wish: Any) -> dict[str, Any]:
        """Do something at the front desk of the PMS, or make trouble there."""
        done = self._pms.post(f"/control/{path}", json=wish)
        assert done.status_code < 400, f"{path}: {done.text}"
        return done.json()


@contextmanager
def open_demo(folder: Path) -> Iterator[Demo]:
    """Start it in a folder of its own, on the configured engine and broker."""
    with own_database(folder) as database:
        words = ("--port", str(free_port()))
        with running(folder, *words, **(SHORT_CLOCKS | database)) as run:
            demo = Demo(run)
            yield demo
            demo.close()
