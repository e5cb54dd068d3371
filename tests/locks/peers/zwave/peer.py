"""The real Z-Wave JS driver and server in a process of their own, over simulated door locks, with the locks' controls."""

from __future__ import annotations

import json
import os
import select
import shutil
import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx2
import pytest

from tests.locks.peers.npm import installed

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = Path(__file__).parent
TOKEN = "gate-token"
HOME_ID = 0x7E570001
SLOTS = 10
READY_WITHIN_S = 90
# The nodes, as lock-network.mjs makes them. Node 6 is a wall switch.
PLAIN, SUPERVISED, MASKED, CREDENTIALS = (f"{HOME_ID}-{node}" for node in (2, 3, 4, 5))


class ZwavePeer:
    """One running network. ``server`` is the server's own address, ``gate`` that of a proxy that wants the token."""

    def __init__(self, folder: Path) -> None:
        errors = (folder / "stderr").open("w")
        self.process = subprocess.Popen(
            ["node", folder / "lock-network.mjs"],
            env=os.environ | {"GATE_TOKEN": TOKEN, "SLOTS": str(SLOTS)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
        errors.close()
        ready, _, _ = select.select([self.process.stdout], [], [], READY_WITHIN_S)
        line = self.process.stdout.readline() if ready else ""
        if not line:
            self.process.kill()
            raise RuntimeError(
                f"The Z-Wave network did not start: {(folder / 'stderr').read_text()}"
            )
        addresses = json.loads(line)
        self.server, self.gate = addresses["server"], addresses["gate"]
        self._client = httpx2.Client(base_url=addresses["control"], timeout=30, trust_env=False)

    def stop(self) -> None:
        """End it in good order."""
        self._client.close()
        self.process.stdin.close()
        self.process.wait(15)
        self.process.stdout.close()

    def act(self, lock: str, action: str, **values: Any) -> dict[str, Any]:
        """One action at a lock, or at ``all``; answers what the lock holds and how many frames it got since its reset."""
        node = lock.rpartition("-")[2]
        return self._client.post(f"/{node}/{action}", json=values).raise_for_status().json()

    def codes(self, lock: str) -> dict[str, str]:
        """What a lock really holds, by place."""
        return self.act(lock, "state")["codes"]

    def frames(self, lock: str) -> dict[str, int]:
        """How many ``writes`` and ``others`` reached the lock's antenna since its reset."""
        return self.act(lock, "state")["frames"]


@contextmanager
def start_zwave() -> Iterator[ZwavePeer]:
    """A running network for the length of a ``with`` block. Skips where node or its packages are missing."""
    if shutil.which("node") is None:
        pytest.skip("node is not installed (Debian and Ubuntu: apt install nodejs)")
    packages = installed(HERE) / "node_modules"
    folder = Path(tempfile.mkdtemp(prefix="zwave-peer-"))
    try:
        for program in HERE.glob("*.mjs"):
            shutil.copy(program, folder)
        (folder / "node_modules").symlink_to(packages)
        peer = ZwavePeer(folder)
        try:
            yield peer
        finally:
            peer.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
