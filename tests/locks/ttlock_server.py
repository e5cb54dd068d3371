"""Starts the real simulated TTLock in a process of its own and holds its controls."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx2

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]
CLIENT_ID, CLIENT_SECRET = "test-client", "test-client-secret"
USERNAME, PASSWORD = "hotel@example.com", "test-password"


class TTLockServer:
    """One running simulator: ``url`` and ``token()`` are what a driver needs, the rest is its control API."""

    def __init__(self, *, data: str = ":memory:", command_ms: float = 5) -> None:
        command = [sys.executable, "-m", "locks.simulators.ttlock", "--port", "0", "--data", data]
        command += ["--client-id", CLIENT_ID, "--client-secret", CLIENT_SECRET]
        command += ["--username", USERNAME, "--password", PASSWORD]
        command += ["--command-ms", str(command_ms)]
        self.process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        if "ready on" not in line:
            raise RuntimeError(f"The simulator did not start, exit code {self.process.wait()}.")
        self.url = line.split()[-1]
        self._client = httpx2.Client(base_url=self.url, timeout=30, trust_env=False)

    def stop(self) -> None:
        """End it in good order."""
        self._client.close()
        self.process.terminate()
        self.process.wait(10)
        self.process.stdout.close()

    # The control API.

    def get(self, path: str) -> dict[str, Any]:
        """GET /control/<path>."""
        return self._answer(self._client.get(f"/control/{path}"))

    def post(self, path: str, **body: Any) -> dict[str, Any]:
        """POST /control/<path> with a JSON body."""
        return self._answer(self._client.post(f"/control/{path}", json=body))

    def _answer(self, response: httpx2.Response) -> dict[str, Any]:
        response.raise_for_status()
        return response.json()

    def add_lock(self, **properties: Any) -> str:
        """Hang up a lock; returns its id."""
        return str(self.post("locks", **properties)["id"])

    def lock(self, lock: str) -> dict[str, Any]:
        """One lock as it truly is."""
        return self.get(f"locks/{lock}")

    def act(self, lock: str, action: str, **values: Any) -> dict[str, Any]:
        """Any action on one lock."""
        return self.post(f"locks/{lock}/{action}", **values)

    def try_door(self, lock: str, value: str, *, kind: str = "code") -> bool:
        """Type a code or hold a card to the lock; whether it opens."""
        return self.act(lock, "try", kind=kind, value=value)["opened"]

    def memory(self, lock: str, kind: str = "code") -> dict[str, str]:
        """What the lock holds, by the book's name of it, or by its id where the book knows none."""
        rows = (row for row in self.lock(lock)["memory"] if row["kind"] == kind)
        return {row["name"] or str(row["ref"]): row["value"] for row in rows}

    def book(self, lock: str, kind: str = "code") -> dict[str, dict[str, Any]]:
        """What the cloud's book says, by name."""
        return {row["name"]: row for row in self.lock(lock)["book"] if row["kind"] == kind}

    def calls(self) -> list[str]:
        """The calls of the API so far."""
        return [entry["call"] for entry in self.get("figures")["requests"]]

    def now_s(self) -> float:
        """The vendor's clock, seconds since 1970 UTC."""
        return self.get("clock")["now_ms"] / 1000

    def token(self, **instead: Any) -> str:
        """A token as the driver stores it."""
        pair = self.post("tokens", do="issue")
        token = {
            "client_id": CLIENT_ID,
            "client_secret": CLIENT_SECRET,
            "access": pair["access"],
            "refresh": pair["refresh"],
            "expires": pair["expires_ms"] // 1000,
        }
        return json.dumps(token | instead)

    # The vendor's API, as any program would speak it.

    def ask(self, call: str, *, method: str = "POST", query: bool = False, **params: Any) -> Any:
        """A call with client, token and date, unless told otherwise; the body of the answer."""
        access = json.loads(self.token())["access"] if "accessToken" not in params else ""
        told = {"clientId": CLIENT_ID, "accessToken": access, "date": round(self.now_s() * 1000)}
        told |= params
        path = call if call.startswith("/") else f"/v3/{call}"
        how = {"params": told} if query or method == "GET" else {"data": told}
        answer = self._client.request(method, path, **how)
        assert answer.status_code == 200
        return answer.json()


@contextmanager
def start_ttlock(**options: Any) -> Iterator[TTLockServer]:
    """A running simulator for the length of a ``with`` block."""
    server = TTLockServer(**options)
    try:
        yield server
    finally:
        server.stop()


def ms(hours: float = 0) -> int:
    """Milliseconds since 1970 UTC, some hours from now."""
    return round((time.time() + hours * 3600) * 1000)
