"""Installs the npm packages of an independent peer, once and as its lock file pins them.

They lie under ``PORTAL_PEERS``, ``~/.cache/portal-peers`` if that is not set, in a folder per lock file.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

INSTALL = ("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error")
MOST_S = 600


def installed(peer: Path) -> Path:
    """The folder whose ``node_modules`` has the packages that ``peer``'s package-lock.json names.

    Skips the test that asks where npm is missing or cannot fetch them.
    """
    digest = hashlib.sha256((peer / "package-lock.json").read_bytes()).hexdigest()[:12]
    cache = Path(os.environ.get("PORTAL_PEERS") or Path.home() / ".cache" / "portal-peers")
    cache.mkdir(parents=True, exist_ok=True)
    folder = cache / f"{peer.name}-{digest}"
    with (cache / f"{folder.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # workers of one run ask at the same time
        if not folder.exists():
            _install(peer, folder)
    return folder


def _install(peer: Path, folder: Path) -> None:
    if shutil.which("npm") is None:
        pytest.skip("npm is not installed (Debian and Ubuntu: apt install npm)")
    made = Path(tempfile.mkdtemp(prefix=f"{folder.name}.", dir=folder.parent))
    try:
        for name in ("package.json", "package-lock.json"):
            shutil.copy(peer / name, made)
        done = subprocess.run(
            INSTALL, cwd=made, capture_output=True, text=True, timeout=MOST_S, check=False
        )
        if done.returncode != 0:
            pytest.skip(f"npm cannot install the {peer.name} peer: {_last_line(done.stderr)}")
        made.rename(folder)
    finally:
        shutil.rmtree(made, ignore_errors=True)


def _last_line(text: str) -> str:
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "it says nothing"
