"""A PostgreSQL and a Redis of a test's own, on free ports and in folders of their own, to be killed and restarted."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.eventually import eventually
from tests.ports import free_port

INITDBS = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))


class OwnPostgres:
    """A PostgreSQL server in a folder; root hands it to the user postgres, since it refuses to run as root."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.port = folder, free_port()
        self.bin = _bin()
        self.user = "postgres" if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name
        self.url = f"postgres://{self.user}@127.0.0.1:{self.port}/postgres"
        if os.geteuid() == 0:
            shutil.chown(folder, self.user)
        self._run("initdb", "-D", "data", "-A", "trust", "-U", self.user, "--no-sync")
        self._start()

    def _start(self) -> None:
        options = (
            f"-p {self.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={self.folder}"
        )
        self._run("pg_ctl", "-D", "data", "-l", "log", "-w", "-t", "120", "-o", options, "start")

    def stop(self) -> None:
        """As a crash does: no checkpoint, every connection cut in the middle of whatever it did."""
        self._run("pg_ctl", "-D", "data", "-w", "-t", "120", "-m", "immediate", "stop")

    def restart_at_once(self) -> None:
        """Crash and come back; returns when it takes connections again."""
        self.stop()
        self._start()

    def _run(self, program: str, *words: str) -> None:
        as_user = ["runuser", "-u", self.user, "--"] if os.geteuid() == 0 else []
        command = [*as_user, str(self.bin / program), *words]
        with (self.folder / f"{program}.out").open("w") as out:
            done = subprocess.run(
                command, cwd=self.folder, stdout=out, stderr=subprocess.STDOUT, check=False
            )
        assert done.returncode == 0, (self.folder / f"{program}.out").read_text()


def _bin() -> Path:
    if not INITDBS:
        pytest.skip("PostgreSQL's initdb is not installed")
    return INITDBS[-1].parent


@contextmanager
def own_postgres() -> Iterator[OwnPostgres]:
    """A server of one's own; gone with its folder at the end."""
    folder = Path(tempfile.mkdtemp(prefix="portal-pg-"))
    try:
        server = OwnPostgres(folder)
        try:
            yield server
        finally:
            with suppress(AssertionError):  # it may be down already
                server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


class OwnRedis:
    """A Redis server that keeps nothing on disk: killed, it comes back empty."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.port = folder, free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self.start()

    def start(self) -> None:
        """Start it empty and wait until it answers."""
        words = (
            "--port",
            str(self.port),
            "--bind",
            "127.0.0.1",
            "--save",
            "",
            "--appendonly",
            "no",
        )
        with (self.folder / "redis.log").open("ab") as log:
            self.process = subprocess.Popen(
                [_redis(), *words], cwd=self.folder, stdout=log, stderr=log, start_new_session=True
            )
        eventually(lambda: self.say("PING") == "PONG", 30)

    def kill(self) -> None:
        """End it with everything it holds."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(10)

    def lose_everything(self) -> None:
        """Killed, and back empty."""
        self.kill()
        self.start()

    def say(self, *words: str) -> str:
        """One command, as redis-cli says it; empty without an answer."""
        return _said([*_cli(), "-p", str(self.port), *words])


def _said(command: Sequence[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    return done.stdout.strip()


def _cli() -> list[str]:
    return [shutil.which("redis-cli") or "redis-cli"]


def _redis() -> str:
    found = shutil.which("redis-server")
    if found is None:
        pytest.skip("redis-server is not installed")
    return found


@contextmanager
def own_redis() -> Iterator[OwnRedis]:
    """A Redis of one's own; gone with its folder at the end."""
    folder = Path(tempfile.mkdtemp(prefix="portal-redis-"))
    try:
        server = OwnRedis(folder)
        try:
            yield server
        finally:
            if server.process.poll() is None:
                server.kill()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
