"""Starts the real simulated lock system in a process of its own and holds its controls."""

from __future__ import annotations

import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import httpx2

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

ROOT = Path(__file__).resolve().parents[2]
TOKEN = "test-lock-token"


class SimlockRefused(Exception):
    """The control API said no; the text says why."""


class SimlockServer:
    """One running simulator. ``url`` and ``token`` are what a driver needs; the methods are its control API."""

    def __init__(self, *, data: str = ":memory:", token: str = TOKEN, port: int = 0) -> None:
        self.data = data
        self.token = token
        self._start(port)

    def _start(self, port: int) -> None:
        command = [sys.executable, "-m", "locks.simulators.simlock", "--port", str(port)]
        command += ["--data", self.data, "--token", self.token]
        self.process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        if "ready on" not in line:
            raise RuntimeError(f"The simulator did not start, exit code {self.process.wait()}.")
        self.url = line.split()[-1]
        self.port = int(self.url.rsplit(":", 1)[1])
        self._client = httpx2.Client(base_url=self.url, timeout=30, trust_env=False)

    # The process.

    def stop(self) -> None:
        """End it in good order."""
        self._client.close()
        if self.process.poll() is None:
            self.process.terminate()
        self.process.wait(10)
        self.process.stdout.close()

    def kill(self) -> None:
        """End it as ``kill -9`` does."""
        self._client.close()
        self.process.kill()
        self.process.wait(10)
        self.process.stdout.close()

    def restart(self) -> None:
        """Start it again on the same port with the same data, after ``kill`` or ``stop``."""
        self._start(self.port)

    # The control API.

    def get(self, path: str, **params: Any) -> dict[str, Any]:
        """GET /control/<path>."""
        return self._answer(self._client.get(f"/control/{path}", params=params))

    def post(self, path: str, **body: Any) -> dict[str, Any]:
        """POST /control/<path> with a JSON body."""
        return self._answer(self._client.post(f"/control/{path}", json=body))

    def _answer(self, response: httpx2.Response) -> dict[str, Any]:
        if response.is_error:
            raise SimlockRefused(response.text)
        return response.json()

    def reset(self) -> None:
        """An empty wall, no events, the right time, no faults, figures at zero."""
        self.post("reset")

    def add_locks(self, locks: Sequence[dict[str, Any]]) -> None:
        """Hang up locks: dicts with ``id`` and any property of a lock."""
        self.post("locks", locks=list(locks))

    def add_lock(self, lock_id: str, **properties: Any) -> str:
        """Hang up one lock; returns its id."""
        self.add_locks([{"id": lock_id, **properties}])
        return lock_id

    def remove_lock(self, lock_id: str) -> None:
        """Take a lock off the wall."""
        self._answer(self._client.delete(f"/control/locks/{quote(lock_id)}"))

    def lock(self, lock_id: str) -> dict[str, Any]:
        """One lock as it truly is."""
        return self.get(f"locks/{quote(lock_id)}")

    def act(self, lock_id: str, action: str, **values: Any) -> dict[str, Any]:
        """Any action on one lock: act("L1", "lose-ack", calls=2, silence="drop")."""
        return self.post(f"locks/{quote(lock_id)}/{action}", **values)

    def act_on_all(
        self, action: str, locks: Sequence[str] | str = "all", **values: Any
    ) -> dict[str, Any]:
        """The same action on many locks, or on all."""
        return self.post("actions", action=action, locks=locks, values=values)

    def offline(self, lock_id: str, *, silent: bool = False) -> None:
        """Take a lock off the air."""
        self.act(lock_id, "offline", silent=silent)

    def online(self, lock_id: str, *, silent: bool = False) -> None:
        """Bring a lock back."""
        self.act(lock_id, "online", silent=silent)

    def gateway(self, gateway_id: str, action: str, **values: Any) -> dict[str, Any]:
        """offline, online, busy or slow for a gateway."""
        return self.post(f"gateways/{quote(gateway_id)}/{action}", **values)

    def cloud(self, **settings: Any) -> dict[str, Any]:
        """latency_ms, reject_token, outage, hang_s, rate_limit, retry_after_s."""
        return self.post("cloud", **settings)

    def memory(self, lock_id: str) -> dict[str, dict[str, Any]]:
        """What a lock holds, by handle, read past all faults."""
        return _by_handle(self.get(f"locks/{quote(lock_id)}/memory")["credentials"])

    def memories(self) -> dict[str, dict[str, dict[str, Any]]]:
        """What all locks hold, by lock and handle."""
        return {lock_id: _by_handle(held) for lock_id, held in self.get("memory")["locks"].items()}

    def encoder(self, action: str, **values: Any) -> dict[str, Any]:
        """Do something to the card encoder: pull-early, offline, online, add-card."""
        return self.post(f"encoder/{action}", **values)

    def try_door(self, lock_id: str, value: str, *, kind: str = "door_code") -> dict[str, Any]:
        """Type a code or hold a SmartKey to the lock: {"opened", "reason", "handle", …}."""
        return self.act(lock_id, "try", kind=kind, value=value)

    def set_time(self, now: datetime) -> None:
        """Make this the simulated true time."""
        self.post("clock", now=now.isoformat())

    def advance(self, seconds: float) -> None:
        """Let simulated time jump."""
        self.post("clock", advance_s=seconds)

    def stats(self, *, requests: int = 0) -> dict[str, Any]:
        """Writes, overlaps, duplicate live codes, the last requests."""
        return self.get("stats", requests=requests)

    def reset_stats(self) -> None:
        """Count from zero."""
        self.post("stats/reset")


def _by_handle(credentials: Sequence[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {held["handle"]: held for held in credentials}


@contextmanager
def start_simlock(
    *, data: str = ":memory:", token: str = TOKEN, port: int = 0
) -> Iterator[SimlockServer]:
    """A running simulator for the length of a ``with`` block, on a free port unless one is given."""
    server = SimlockServer(data=data, token=token, port=port)
    try:
        yield server
    finally:
        server.stop()
