"""The walkthrough beside a real demo: all true, the demo left as it was, and a planted fault stops it at its sentence."""

from __future__ import annotations

import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from portal.walkthrough.article import SENTENCES
from portal.walkthrough.stage import Stage, Told
from tests.eventually import eventually
from tests.prepared import FILE, own_database
from tests.running import ROOT, Running, running

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("walkthrough")]
FAULTS = Path(__file__).parent / "faults"
PATIENCE_S = "9"
ANSWERED_LATER = "Gwen "
"""Guests of doors whose lock systems take a code first and put it on the lock some seconds later."""


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """A demo on the engine under test, whose worker plants what the test names when it starts."""
    folder = tmp_path_factory.mktemp("walkthrough")
    fault = folder / "fault"
    fault.write_text("")
    more = {"PYTHONPATH": str(FAULTS), "FAULT_FILE": str(fault)}
    with own_database(folder) as own, running(folder, "--port", "18300", **more, **own) as demo:
        yield demo


def told_now(demo: Running) -> dict:
    """What it says of itself now: the worker's pid changes when it was started again."""
    return json.loads((demo.folder / "run.json").read_text())


def walkthrough(demo: Running, *options: str) -> subprocess.CompletedProcess[str]:
    """Run it as a newcomer would, beside the demo."""
    command = [sys.executable, str(ROOT / "run.py"), "walkthrough", *options]
    return subprocess.run(
        command, env=demo.env, capture_output=True, text=True, timeout=200, check=False
    )


@contextmanager
def looking_at(demo: Running):
    """Eyes of the walkthrough's own, which leave nothing behind either."""
    stage = Stage(Told.read(told_now(demo)), patience_s=15)
    yield stage
    assert stage.close() == []


def as_it_is(stage: Stage) -> dict:
    """What the locks hold, whose keys wait and for whom, the PMS connection, and the hotel's rules."""
    waiting = list(stage.rows("/keys/", pending=True))
    return {
        "memory": stage.memory(),
        "pending": sorted((row["guest"], row["allow_provisioning"]) for row in waiting),
        "settled": all(
            row["waits"] and not row["guest"].startswith(ANSWERED_LATER) for row in waiting
        ),
        "integrations": [row["state"] for row in stage.rows("/integrations/")],
        "property": stage.api.get("/property/"),
    }


def stop_outside_a_transaction(demo: Running, pid: int) -> None:
    """Stop the worker where it holds nothing of SQLite, which has one writer: or no page could save anything."""
    for _ in range(100):
        os.kill(pid, signal.SIGSTOP)
        if may_be_written(demo.folder / FILE):
            return
        os.kill(pid, signal.SIGCONT)
        time.sleep(0.05)
    pytest.fail("the worker was never outside a transaction")


def may_be_written(file: Path) -> bool:
    """Whether nobody holds this SQLite database; so where it is another engine, whose writers wait for rows only."""
    if not file.exists():
        return True
    with closing(sqlite3.connect(file, timeout=0.1)) as database:
        try:
            database.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError:
            return False
        database.rollback()
    return True


@contextmanager
def planted(demo: Running, fault: str):
    """The worker started again with this fault in it, or stopped in its tracks."""
    if fault == "worker stopped":
        pid = told_now(demo)["pids"]["worker"]
        stop_outside_a_transaction(demo, pid)
        try:
            yield
        finally:
            os.kill(pid, signal.SIGCONT)
        return
    (demo.folder / "fault").write_text(fault)
    old = told_now(demo)["pids"]["worker"]
    os.kill(old, signal.SIGKILL)
    ready = demo.folder / "fault.ready"
    told = lambda: f"{told_now(demo)['pids']['worker']} {fault}"  # noqa: E731
    eventually(lambda: ready.exists() and ready.read_text() == told() != f"{old} {fault}", 60)
    yield


def test_every_sentence_is_told_as_true_and_the_demo_is_left_as_it_was(demo):
    with looking_at(demo) as stage:
        eventually(lambda: as_it_is(stage)["settled"], 60, every=0.5)
        before = as_it_is(stage)
        done = walkthrough(demo)
        assert done.returncode == 0, done.stdout + done.stderr

        def is_as_before():
            assert as_it_is(stage) == before
            return True

        eventually(is_as_before, 30, every=0.5)
    lines = [line for line in done.stdout.splitlines() if re.match(r" *\d+ ms  ", line)]
    told = [
        re.escape(sentence.text) + r" \[" + where
        for sentence in SENTENCES
        for where in (("Cloudbeds: ", "MEWS: ") if sentence.of_each_pms else ("",))
    ]
    assert len(lines) == len(told) > len(SENTENCES)
    for line, words in zip(lines, told, strict=True):
        assert re.fullmatch(rf" *\d+ ms  {words}.+\]", line), line
    assert f"{len(SENTENCES)} sentences are true" in done.stdout


@pytest.mark.parametrize(
    ("fault", "sentence", "seen"),
    [
        (
            "worker stopped",
            "Provisioning is the process where the system writes credentials to the door lock.",
            "Portal says: Being written to the lock now.",
        ),
        (
            "driver drops writes",
            "Provisioning is the process where the system writes credentials to the door lock.",
            "does not hold the code of Wanda Walkthrough",  # whatever Portal says of it
        ),
        (
            "hold ignored",
            "The credential is not written to the lock.",
            "holds the code of Hedda Held, which is to wait",
        ),
        (
            "check-in ignored",
            "The PMS reservation is not checked in.",
            "holds the code of Wilma Waiting, which is to wait",
        ),
    ],
)
def test_a_planted_fault_stops_it_at_its_sentence(demo, fault, sentence, seen):
    with planted(demo, fault):
        done = walkthrough(demo, "--patience", PATIENCE_S)
    assert done.returncode == 1, done.stdout + done.stderr
    said = done.stderr[done.stderr.index("not true:") :]
    assert said.startswith(f"not true: {sentence} ["), said
    assert seen in said


def test_without_a_demo_it_says_how_to_start_one(tmp_path):
    (tmp_path / "run.json").write_text(json.dumps({"web": "http://127.0.0.1:9"}))
    env = os.environ | {"PORTAL_VAR": str(tmp_path)}
    command = [sys.executable, str(ROOT / "manage.py"), "walkthrough"]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "start it with python3 run.py" in done.stderr
