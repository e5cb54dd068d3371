"""The demo as a newcomer starts it: real processes over the configured broker, from an empty folder to codes on locks."""

from __future__ import annotations

import json
import os
import signal
import time

import httpx2
import pytest

from keys.rules import Hold
from tests.eventually import eventually
from tests.running import running
from tests.smoke import reasons

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("demo")]


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """A demo in a folder of its own, on SQLite and the broker under test; gives what it told and its folder."""
    with running(tmp_path_factory.mktemp("demo"), "--port", "18200") as run:
        yield run


def codes_on_locks(told: dict) -> int:
    """How many credentials the simulated locks hold, by their own memory."""
    with httpx2.Client(base_url=told["simlock"], timeout=10, trust_env=False) as client:
        memories = client.get("/control/memory").raise_for_status().json()
    return sum(len(credentials) for credentials in memories["locks"].values())


def test_the_worker_of_the_demo_puts_codes_on_the_locks(demo):
    told = demo.told
    eventually(lambda: codes_on_locks(told) > 0, 60)


def held_by(url: str, path: str) -> list[str]:
    """The codes that the locks behind a vendor's simulator hold, by their own memory."""
    answer = httpx2.get(f"{url}/control/{path}", timeout=10, trust_env=False)
    locks = answer.raise_for_status().json()[path]
    return [str(one.get("value") or one.get("code")) for lock in locks for one in lock["memory"]]


def test_locks_of_other_vendors_get_the_codes_of_their_guests(demo):
    for url, path in ((demo.told["ttlock"], "locks"), (demo.told["seam"], "devices")):
        eventually(lambda url=url, path=path: len(held_by(url, path)) == 1, 30)
        assert all(code.isdigit() for code in held_by(url, path))


@pytest.fixture(scope="module")
def eyes(demo):
    """Someone who looks at the keys of all the demo's hotels."""
    found = reasons.Eyes(demo.told["web"])
    yield found
    found.close()


def test_each_reason_to_wait_is_shown_by_exactly_one_pinned_key(eyes):
    assert set(reasons.PINNED_KEYS) == set(reasons.HEADLINES) == set(Hold) - reasons.ELSEWHERE
    expected = {hold: [guest] for hold, (_, guest) in reasons.PINNED_KEYS.items()}
    eventually(lambda: eyes.by_reason() == expected, 30)
    untagged = [guest for guest, (_, tagged) in eyes.headlines().items() if not tagged]
    assert untagged == [reasons.PINNED_KEYS[Hold.REMOVAL_PENDING][1]], "a revoked key has no tag"


def test_each_pinned_key_keeps_its_reason_while_the_worker_goes_on(demo, eyes):
    mine = {guest: hold for hold, (_, guest) in reasons.PINNED_KEYS.items()}
    end = time.monotonic() + 20
    while time.monotonic() < end:
        for guest, (said, _) in eyes.headlines().items():
            assert said == reasons.AT_IT or reasons.reasons_in(said) == [mine[guest]], guest
        time.sleep(0.5)
    before = codes_on_locks(demo.told)
    eyes.add_key(guest="Wanda Witness", door="103")
    eventually(lambda: codes_on_locks(demo.told) > before, 20)
    eventually(lambda: {h: [g] for g, h in mine.items()} == eyes.by_reason(), 10)


@pytest.mark.parametrize("name", ["worker", "listen"])
def test_a_killed_process_comes_back(demo, name):
    told, folder = demo.told, demo.folder
    os.kill(told["pids"][name], signal.SIGKILL)
    now = lambda: json.loads((folder / "run.json").read_text())["pids"].get(name)  # noqa: E731
    eventually(lambda: now() not in {None, told["pids"][name]}, 30)


def test_the_pages_answer_and_the_logins_were_told(demo):
    told, folder = demo.told, demo.folder
    with httpx2.Client(base_url=told["web"], timeout=10, trust_env=False) as client:
        assert client.get("/healthz").status_code == 200
        assert "Portal" in client.get("/sign-in/").raise_for_status().text
    assert f"Portal is at {told['web']}" in (folder / "out").read_text()


def test_nothing_went_wrong_in_its_logs(demo):
    folder = demo.folder
    wrong = [p.name for p in (folder / "log").glob("*.log") if "Traceback" in p.read_text()]
    assert wrong == []


def test_it_stops_when_told_and_leaves_no_process(demo):
    process, told, folder = demo.process, demo.told, demo.folder
    process.terminate()
    assert process.wait(20) == 0
    assert not (folder / "run.json").exists()
    for pid in told["pids"].values():
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
