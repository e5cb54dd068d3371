"""Real processes on the database that is being measured: workers and servers, ended with what started them."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from django.conf import settings

from tests.bench.figures import WrongResult
from tests.running import database_url

ROOT = Path(__file__).resolve().parents[2]


def _die_with_parent() -> None:
    """A worker left over from an earlier run would falsify the next one."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


@dataclass(slots=True)
class Kit:
    """What a figure runs in: a folder of its own, how large it shall be, and how it tells what it is doing."""

    folder: Path
    small: bool = False
    rounds: int = 5
    beside: bool = False
    say: Callable[[str], None] = print
    started: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def size(self, full: int, small: int, beside: int | None = None) -> int:
        """The number for a full run, for a small one that only shows that all is right, or for an engine beside."""
        if self.small:
            return small
        return beside if self.beside and beside is not None else full

    def env(self, **more: str) -> dict[str, str]:
        """What a child is told: the same engine, broker, queue and secrets, in this folder."""
        (self.folder / "calls").mkdir(parents=True, exist_ok=True)
        return (
            os.environ
            | {
                "DATABASE_URL": database_url(),
                "CELERY_BROKER_URL": settings.CELERY_BROKER_URL,
                "CELERY_QUEUE": settings.CELERY_TASK_DEFAULT_QUEUE,
                "PORTAL_FIELD_KEYS": ",".join(settings.PORTAL_FIELD_KEYS),
                "PORTAL_DIGEST_KEY": settings.PORTAL_DIGEST_KEY,
                "SECRET_KEY": settings.SECRET_KEY,
                "BENCH_CALLS": str(self.folder / "calls"),
                "LOG_LEVEL": "WARNING",
                "DJANGO_SETTINGS_MODULE": "portal.settings",
                "PYTHONUNBUFFERED": "1",
            }
            | more
        )

    def start(self, name: str, *words: str, **env: str) -> subprocess.Popen[bytes]:
        """Start ``python -m`` with these words in a process group of its own."""
        with (self.folder / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", *words],
                cwd=ROOT,
                env=self.env(**env),
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=_die_with_parent if sys.platform == "linux" else None,  # noqa: PLW1509
            )
        self.started.append(process)
        return process

    @contextlib.contextmanager
    def worker(
        self, *, name: str = "worker", pool: str = "threads", size: int = 4, **env: str
    ) -> Iterator[subprocess.Popen[bytes]]:
        """A Celery worker, ready."""
        words = ["celery", "-A", "tests.bench.celery_app", "worker", "-P", pool, "-c", str(size)]
        words += ["--without-gossip", "--without-mingle", "--without-heartbeat", "-l", "WARNING"]
        words += [
            "-n",
            f"{name}@%h",
            "-Q",
            env.get("CELERY_QUEUE", settings.CELERY_TASK_DEFAULT_QUEUE),
        ]
        process = self.start(name, *words, **env)
        try:
            yield process
        finally:
            self.end(process)

    def end(self, process: subprocess.Popen[bytes]) -> None:
        """End a process and all it started."""
        if process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGCONT)
                os.killpg(process.pid, signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(5)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(10)


def wait_until(
    true: Callable[[], bool], what: str, *, within_s: float, every_s: float = 0.02
) -> None:
    """Look again and again. Raises WrongResult when it does not come true in time."""
    end = time.monotonic() + within_s
    while not true():
        if time.monotonic() > end:
            raise WrongResult(f"{what} within {within_s:g} s")
        time.sleep(every_s)
