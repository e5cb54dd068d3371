"""The demo as a newcomer starts it: real processes over the configured broker, from an empty folder to codes on locks."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import uuid
from pathlib import Path

import httpx2
import pytest

ROOT = Path(__file__).resolve().parents[2]
NOT_THE_TESTS = ("DJANGO_SETTINGS_MODULE", "PORTAL_TEST_VAR", "PYTEST_PLUGINS")
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("demo")]


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """A demo in a folder of its own, on SQLite and the broker under test; gives what it told and its folder."""
    folder = tmp_path_factory.mktemp("demo")
    env = {k: v for k, v in os.environ.items() if k not in (*NOT_THE_TESTS, "DATABASE_URL")}
    env |= {"PORTAL_VAR": str(folder), "CELERY_QUEUE": f"smoke-{uuid.uuid4().hex[:12]}"}
    command = [sys.executable, str(ROOT / "run.py"), "--port", "18200"]
    with (folder / "out").open("w") as out:
        process = subprocess.Popen(command, env=env, stdout=out, stderr=subprocess.STDOUT)
    try:
        wait_until(lambda: (folder / "run.json").exists() or process.poll() is not None, 180)
        assert process.poll() is None, (folder / "out").read_text()
        yield process, json.loads((folder / "run.json").read_text()), folder
    finally:
        process.terminate()
        process.wait(30)


def wait_until(condition, seconds: float) -> None:
    """Wait until it holds."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "what was waited for did not happen"
        time.sleep(0.2)


def codes_on_locks(told: dict) -> int:
    """How many credentials the simulated locks hold, by their own memory."""
    with httpx2.Client(base_url=told["simlock"], timeout=10, trust_env=False) as client:
        memories = client.get("/control/memory").raise_for_status().json()
    return sum(len(credentials) for credentials in memories["locks"].values())


def test_the_worker_of_the_demo_puts_codes_on_the_locks(demo):
    _, told, _ = demo
    wait_until(lambda: codes_on_locks(told) > 0, 60)


def test_a_killed_worker_comes_back(demo):
    _, told, folder = demo
    os.kill(told["pids"]["worker"], signal.SIGKILL)
    now = lambda: json.loads((folder / "run.json").read_text())["pids"]["worker"]  # noqa: E731
    wait_until(lambda: now() != told["pids"]["worker"], 30)


def test_the_pages_answer_and_the_logins_were_told(demo):
    _, told, folder = demo
    with httpx2.Client(base_url=told["web"], timeout=10, trust_env=False) as client:
        assert client.get("/healthz").status_code == 200
        assert "Portal" in client.get("/sign-in/").raise_for_status().text
    assert f"Portal is at {told['web']}" in (folder / "out").read_text()


def test_nothing_went_wrong_in_its_logs(demo):
    _, _, folder = demo
    wrong = [p.name for p in (folder / "log").glob("*.log") if "Traceback" in p.read_text()]
    assert wrong == []


def test_it_stops_when_told_and_leaves_no_process(demo):
    process, told, folder = demo
    process.terminate()
    assert process.wait(20) == 0
    assert not (folder / "run.json").exists()
    for pid in told["pids"].values():
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
