"""Starts a real PMS simulator in a process of its own and holds its controls."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx2

ROOT = Path(__file__).resolve().parents[2]


class SimulatorServer:
    """One running simulator: its address, and what a front desk or a fault can do."""

    module: str

    def __init__(self, *options: str) -> None:
        command = [sys.executable, "-m", self.module, "--port", "0", *options]
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
