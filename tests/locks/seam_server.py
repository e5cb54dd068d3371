"""Starts the real simulated Seam in a process of its own, holds its controls, and listens as its webhook."""

from __future__ import annotations

import http.server
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx2

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).resolve().parents[2]
KEY = "seam_test1_key"


class SeamRefused(Exception):
    """The simulator said no; ``status`` and ``error`` say why."""

    def __init__(self, response: httpx2.Response) -> None:
        super().__init__(response.text)
        self.status = response.status_code
        self.error = response.json()["error"]


class SeamServer:
    """One running simulator: its vendor API as ``api``, its control API by the other methods."""

    def __init__(self, *, data: str = ":memory:") -> None:
        self.data = data
        self.key = KEY
        self._start(0)

    def _start(self, port: int) -> None:
        command = [sys.executable, "-m", "locks.simulators.seam", "--port", str(port)]
        command += ["--data", self.data, "--token", self.key]
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

    def kill_and_restart(self) -> None:
        """End it as ``kill -9`` does, and start it on the same file and port."""
        port = int(self.url.rsplit(":", 1)[1])
        self._client.close()
        self.process.kill()
        self.process.wait(10)
        self.process.stdout.close()
        self._start(port)

    # The vendor API.

    def api(
        self, method: str, path: str, *, key: str = KEY, query: Any = None, **body: Any
    ) -> dict[str, Any]:
        """One call as a client makes it. Raises SeamRefused."""
        headers = {"authorization": f"Bearer {key}"}
        answer = self._client.request(
            method, path, headers=headers, params=query, json=body or None
        )
        if answer.is_error:
            raise SeamRefused(answer)
        return answer.json()

    def create(self, device: str, name: str, code: str, **more: Any) -> dict[str, Any]:
        """A new access code."""
        body = {"device_id": device, "name": name, "code": code, **more}
        return self.api("POST", "/access_codes/create", **body)["access_code"]

    def code(self, id_: str) -> dict[str, Any]:
        """An access code as the book has it."""
        query = {"access_code_id": id_}
        return self.api("GET", "/access_codes/get", query=query)["access_code"]

    def event_types(self, device: str) -> list[str]:
        """The types of a device's events, oldest first."""
        query = {"since": "2020-01-01T00:00:00Z", "device_id": device}
        events = self.api("GET", "/events/list", query=query)["events"]
        return [each["event_type"] for each in reversed(events)]

    # The control API.

    def get(self, path: str) -> dict[str, Any]:
        """GET /control/<path>."""
        return self._control(self._client.get(f"/control/{path}"))

    def post(self, path: str, **body: Any) -> dict[str, Any]:
        """POST /control/<path>."""
        return self._control(self._client.post(f"/control/{path}", json=body))

    def _control(self, answer: httpx2.Response) -> dict[str, Any]:
        if answer.is_error:
            raise SeamRefused(answer)
        return answer.json()

    def add_device(self, device_id: str, **properties: Any) -> str:
        """A lock joins the account; returns its id."""
        self.post("devices", device_id=device_id, **properties)
        return device_id

    def act(self, device: str, action: str, **values: Any) -> dict[str, Any]:
        """Anything of actions.ACTIONS."""
        return self.post(f"devices/{device}/{action}", **values)

    def memory(self, device: str) -> dict[str, str]:
        """What the lock truly holds, by name."""
        found = self.get(f"devices/{device}")["memory"]
        return {each["name"]: each["code"] for each in found}

    def advance(self, seconds: float) -> None:
        """Let simulated time jump."""
        self.post("clock", advance_s=seconds)


@contextmanager
def start_seam(*, data: str = ":memory:") -> Iterator[SeamServer]:
    """A running simulator for the length of a ``with`` block."""
    server = SeamServer(data=data)
    try:
        yield server
    finally:
        server.stop()


class Listener:
    """Where webhooks arrive. ``answers`` are the next status codes, 200 after them."""

    def __init__(self) -> None:
        self.calls: list[tuple[dict[str, str], bytes]] = []
        self.answers: list[int] = []
        listener = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                headers = {name.lower(): value for name, value in self.headers.items()}
                listener.calls.append((headers, body))
                self.send_response(listener.answers.pop(0) if listener.answers else 200)
                self.end_headers()

            def log_message(self, *args: object) -> None:
                return

        class Server(http.server.ThreadingHTTPServer):
            request_queue_size = 64

        self._server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/hook"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        """Listen no more."""
        self._server.shutdown()
        self._server.server_close()


def wait_for(is_so: Callable[[], Any], *, seconds: float = 5.0) -> Any:
    """What ``is_so`` answers as soon as it is true."""
    deadline = time.monotonic() + seconds
    while not (found := is_so()):
        assert time.monotonic() < deadline, "It did not come true in time."
        time.sleep(0.02)
    return found
