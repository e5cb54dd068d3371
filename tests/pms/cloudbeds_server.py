"""Starts the real Cloudbeds simulator in a process of its own and holds its controls."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2

ROOT = Path(__file__).resolve().parents[2]


class CloudbedsServer:
    """One running simulator: its address, and what a front desk or a fault can do."""

    def __init__(self, *options: str) -> None:
        command = [sys.executable, "-m", "pms.simulators.cloudbeds", "--port", "0", *options]
        self.process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        self.url = self.process.stdout.readline().split()[-1]
        self.client = httpx2.Client(base_url=self.url, timeout=30, trust_env=False)

    def stop(self) -> None:
        """End it in good order."""
        self.client.close()
        self.process.terminate()
        self.process.wait(10)
        self.process.stdout.close()

    def get(self, path: str, **query: Any) -> Any:
        """GET /control/<path>."""
        response = self.client.get(f"/control/{path}", params=query)
        response.raise_for_status()
        return response.json()

    def post(self, path: str, **body: Any) -> Any:
        """POST /control/<path> with a JSON body."""
        response = self.client.post(f"/control/{path}", json=body)
        assert response.status_code < 400, response.text
        return response.json()

    def book(self, **wish: Any) -> dict[str, Any]:
        """A new reservation, arriving today unless told otherwise; returns it as the simulator holds it."""
        return self.post("reservations", **wish)

    def act(self, reservation: str, action: str, **values: Any) -> Any:
        """What the front desk does with a reservation: check-in, move, cancel, …"""
        return self.post(f"reservations/{reservation}/{action}", **values)

    def allow(self, authorize_url: str, *, property_id: str = "318267") -> dict[str, str]:
        """Press Allow on the sign-in page that this address leads to; returns the query of the way back."""
        asked = {k: v[0] for k, v in parse_qs(urlsplit(authorize_url).query).items()}
        form = {**asked, "property_id": property_id, "decision": "allow"}
        page = urlsplit(authorize_url).path
        response = self.client.post(page, data=form, follow_redirects=False)
        assert response.status_code in {302, 303}, response.text
        back = parse_qs(urlsplit(response.headers["location"]).query)
        return {name: values[0] for name, values in back.items()}


@contextmanager
def start_cloudbeds(*options: str) -> Iterator[CloudbedsServer]:
    """A running simulator for the length of a ``with`` block."""
    server = CloudbedsServer(*options)
    try:
        yield server
    finally:
        server.stop()
