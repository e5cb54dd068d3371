"""Portal as ``run.py`` runs it, in a folder of its own: web server, worker, beat and listener as real processes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from django.db import connection

from tests.eventually import eventually

ROOT = Path(__file__).resolve().parents[1]
NOT_THE_TESTS = ("DJANGO_SETTINGS_MODULE", "PORTAL_TEST_VAR", "PYTEST_PLUGINS", "DATABASE_URL")


class Running(NamedTuple):
    """A run.py that is up: its process, what it told other programs, its folder and its environment."""

    process: subprocess.Popen[bytes]
    told: dict[str, Any]
    folder: Path
    env: dict[str, str]


def environment_of(folder: Path, **more: str) -> dict[str, str]:
    """The caller's variables without those of the tests; the engine is SQLite in this folder unless ``more`` says another."""
    kept = {k: v for k, v in os.environ.items() if k not in NOT_THE_TESTS}
    own = {"PORTAL_VAR": str(folder), "CELERY_QUEUE": f"run-{uuid.uuid4().hex[:12]}"}
    return kept | own | more


@contextmanager
def running(folder: Path, *words: str, **more: str) -> Iterator[Running]:
    """Start ``run.py`` with these words and variables, wait until it is up, and stop it at the end."""
    env = environment_of(folder, **more)
    command = [sys.executable, str(ROOT / "run.py"), *words]
    with (folder / "out").open("w") as out:
        process = subprocess.Popen(command, env=env, stdout=out, stderr=subprocess.STDOUT)
    try:
        run_file = folder / "run.json"
        eventually(lambda: run_file.exists() or process.poll() is not None, 180)
        assert process.poll() is None, (folder / "out").read_text()
        yield Running(process, json.loads(run_file.read_text()), folder, env)
    finally:
        process.terminate()
        process.wait(30)


def database_url() -> str:
    """This process's database, as another process finds it."""
    told = connection.settings_dict
    if connection.vendor == "sqlite":
        return f"sqlite:///{told['NAME']}"
    login = f"{told['USER']}:{told['PASSWORD']}" if told["PASSWORD"] else told["USER"]
    return f"postgres://{login}@{told['HOST']}:{told['PORT'] or 5432}/{told['NAME']}"
