"""The simulated Seam is honest: it says no, it takes its time, and the lock is not what the book says."""

from __future__ import annotations

import base64
import hashlib
import hmac
import itertools
import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from tests.locks.seam_server import Listener, SeamRefused, SeamServer, start_seam, wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator

numbers = itertools.count(1)


@pytest.fixture(scope="module")
def running() -> Iterator[SeamServer]:
    with start_seam() as server:
        yield server


@pytest.fixture
def seam(running: SeamServer) -> SeamServer:
    running.post("reset")
    return running


@pytest.fixture
def door(seam: SeamServer) -> str:
    return seam.add_device(f"door-{next(numbers)}", name="Room 101")


@pytest.fixture
def listener() -> Iterator[Listener]:
    found = Listener()
    yield found
    found.close()


def window(starts_in: timedelta, length: timedelta = timedelta(days=2)) -> dict[str, str]:
    start = datetime.now(UTC) + starts_in
    return {"starts_at": start.isoformat(), "ends_at": (start + length).isoformat()}


def mutations(doc: dict[str, Any]) -> list[str]:
    return [each["mutation_code"] for each in doc["pending_mutations"]]


def errors(doc: dict[str, Any]) -> list[str]:
    return [each["error_code"] for each in doc["errors"]]


def test_a_created_code_is_on_the_lock_only_later(seam: SeamServer, door: str) -> None:
    created = seam.create(door, "k1", "4821")
    assert (created["status"], mutations(created)) == ("setting", ["creating"])
    wait_for(lambda: seam.memory(door) == {"k1": "4821"})
    done = seam.code(created["access_code_id"])
    assert (done["status"], done["pending_mutations"], done["errors"]) == ("set", [], [])
    types = seam.event_types(door)
    assert types == ["access_code.created", "access_code.set_on_device"]


def test_a_lock_with_windows_is_written_three_days_ahead(seam: SeamServer, door: str) -> None:
    code = seam.create(door, "k1", "4821", **window(timedelta(days=5)))["access_code_id"]
    assert (seam.code(code)["status"], mutations(seam.code(code))) == (
        "unset",
        ["deferring_creation"],
    )
    seam.advance(1.9 * 86400)
    assert seam.memory(door) == {}
    seam.advance(0.2 * 86400)
    wait_for(lambda: seam.memory(door))
    preloaded = seam.code(code)
    assert (preloaded["status"], preloaded["is_scheduled_on_device"]) == ("unset", True)
    assert not seam.act(door, "try", code="4821")["opened"]
    seam.advance(3 * 86400)
    wait_for(lambda: seam.code(code)["status"] == "set")
    assert seam.act(door, "try", code="4821")["opened"]
    assert seam.event_types(door)[:3] == [
        "access_code.created",
        "access_code.scheduled_on_device",
        "lock.access_denied",
    ]


def test_a_lock_without_windows_is_written_an_hour_ahead_and_opens_from_then(
    seam: SeamServer,
) -> None:
    door = seam.add_device(f"door-{next(numbers)}", native=False)
    seam.create(door, "k1", "4821", **window(timedelta(hours=3)))
    seam.advance(1.9 * 3600)
    assert seam.memory(door) == {}
    seam.advance(0.2 * 3600)
    wait_for(lambda: seam.memory(door))
    assert seam.act(door, "try", code="4821")["opened"]


@pytest.mark.parametrize("native", [True, False])
def test_when_its_time_is_over_a_code_leaves_lock_and_book(seam: SeamServer, native: bool) -> None:
    door = seam.add_device(f"door-{next(numbers)}", native=native)
    code = seam.create(door, "k1", "4821", **window(timedelta(hours=-1)))["access_code_id"]
    wait_for(lambda: seam.memory(door))
    seam.advance(3 * 86400)
    wait_for(lambda: not seam.memory(door))
    with pytest.raises(SeamRefused) as refused:
        wait_for(lambda: seam.code(code) is None)
    assert (refused.value.status, refused.value.error["type"]) == (404, "access_code_not_found")


def test_an_offline_lock_holds_its_code_until_it_is_back(seam: SeamServer, door: str) -> None:
    code = seam.create(door, "k1", "4821")["access_code_id"]
    wait_for(lambda: seam.memory(door))
    seam.act(door, "offline")
    seam.api("DELETE", "/access_codes/delete", query={"access_code_id": code})
    seam.advance(120)
    wait_for(lambda: "access_code.delay_in_removing_from_device" in seam.event_types(door))
    leaving = seam.code(code)
    assert (leaving["status"], mutations(leaving)) == ("removing", ["deleting"])
    assert errors(leaving) == ["device_offline"]
    assert seam.act(door, "try", code="4821")["opened"]
    assert "lock.unlocked" not in seam.event_types(door)
    seam.act(door, "online")
    wait_for(lambda: not seam.memory(door))
    wait_for(lambda: "access_code.deleted" in seam.event_types(door))
    assert "lock.unlocked" in seam.event_types(door)


def test_an_error_appears_and_clears_by_itself(seam: SeamServer, door: str) -> None:
    seam.act(door, "refuse-set", calls=1)
    code = seam.create(door, "k1", "4821")["access_code_id"]
    wait_for(lambda: errors(seam.code(code)) == ["failed_to_set_on_device"])
    assert seam.memory(door) == {}
    seam.advance(40)
    wait_for(lambda: errors(seam.code(code)) == [])
    assert seam.memory(door) == {"k1": "4821"}
    assert "access_code.failed_to_set_on_device" in seam.event_types(door)


def test_a_code_against_the_rules_is_not_tried_again_until_it_changes(
    seam: SeamServer, door: str
) -> None:
    code = seam.create(door, "k1", "12")["access_code_id"]
    wait_for(lambda: errors(seam.code(code)) == ["code_constraints_violated"])
    seam.advance(300)
    assert seam.memory(door) == {}
    seam.api("PATCH", "/access_codes/update", access_code_id=code, code="4821")
    wait_for(lambda: seam.memory(door) == {"k1": "4821"})


def test_a_duplicate_is_refused_at_once_or_found_at_the_lock(seam: SeamServer, door: str) -> None:
    seam.create(door, "k1", "4821")
    with pytest.raises(SeamRefused) as refused:
        seam.create(door, "k2", "4821")
    assert (refused.value.status, refused.value.error["type"]) == (409, "duplicate_access_code")
    seam.act(door, "duplicates-later", on=True)
    later = seam.create(door, "k2", "4821")["access_code_id"]
    wait_for(lambda: errors(seam.code(later)) == ["duplicate_code_on_device"])
    assert seam.memory(door) == {"k1": "4821"}


def test_each_device_has_its_own_limit_of_calls(seam: SeamServer, door: str) -> None:
    other = seam.add_device(f"door-{next(numbers)}")
    for number in range(10):
        seam.create(door, f"k{number}", f"48{number}1")
    with pytest.raises(SeamRefused) as refused:
        seam.create(door, "k10", "7777")
    assert refused.value.status == 429
    seam.create(other, "k10", "7777")
    seam.advance(61)
    seam.create(door, "k10", "7777")


def test_what_is_changed_or_deleted_at_the_keypad_is_set_back(seam: SeamServer, door: str) -> None:
    seam.create(door, "k1", "4821")
    wait_for(lambda: seam.memory(door))
    seam.act(door, "keypad-change", name="k1", code="9999")
    wait_for(lambda: seam.memory(door) == {"k1": "4821"})
    seam.act(door, "keypad-delete", name="k1")
    wait_for(lambda: "access_code.deleted_external_to_seam" in seam.event_types(door))
    wait_for(lambda: seam.memory(door) == {"k1": "4821"})
    assert "access_code.modified_external_to_seam" in seam.event_types(door)


def test_what_may_be_changed_at_the_keypad_stays(seam: SeamServer, door: str) -> None:
    code = seam.create(door, "k1", "4821", allow_external_modification=True)["access_code_id"]
    wait_for(lambda: seam.memory(door))
    seam.act(door, "keypad-change", name="k1", code="9999")
    wait_for(lambda: seam.code(code)["code"] == "9999")
    assert seam.memory(door) == {"k1": "9999"}


def test_older_clients_post_everything(seam: SeamServer, door: str) -> None:
    code = seam.create(door, "k1", "4821")["access_code_id"]
    assert seam.api("POST", "/access_codes/get", access_code_id=code)["ok"]
    seam.api("POST", "/access_codes/update", access_code_id=code, code="5932")
    wait_for(lambda: seam.memory(door) == {"k1": "5932"})
    seam.api("POST", "/access_codes/delete", access_code_id=code)
    wait_for(lambda: not seam.memory(door))
    assert seam.api("POST", "/devices/list")["devices"][0]["device_id"] == door


def test_a_wrong_key_and_a_missing_parameter_are_refused(seam: SeamServer, door: str) -> None:
    with pytest.raises(SeamRefused) as refused:
        seam.api("GET", "/devices/list", key="seam_other_key")
    assert refused.value.status == 401
    with pytest.raises(SeamRefused) as refused:
        seam.api("GET", "/events/list")
    assert "since" in refused.value.error["validation_errors"]


def hook(seam: SeamServer, listener: Listener) -> str:
    return seam.api("POST", "/webhooks/create", url=listener.url)["webhook"]["secret"]


def test_webhooks_are_signed_and_tried_again_on_the_schedule(
    seam: SeamServer, door: str, listener: Listener
) -> None:
    secret = hook(seam, listener)
    listener.answers = [500] * 20
    seam.act(door, "tamper")
    for tries, pause in enumerate([5, 300, 1800, 7200, 18000, 36000, 36000], start=1):
        wait_for(lambda tries=tries: len(listener.calls) == tries)
        wait_for(lambda tries=tries: seam.get("webhooks")["calls"][0]["tries"] == tries)
        seam.advance(pause + 1)
    wait_for(lambda: seam.get("webhooks")["calls"][0]["state"] == "given up")
    assert len(listener.calls) == 8
    assert len({headers["svix-id"] for headers, _ in listener.calls}) == 1
    headers, body = listener.calls[-1]
    signed = f"{headers['svix-id']}.{headers['svix-timestamp']}.".encode() + body
    key = base64.b64decode(secret.removeprefix("whsec_"))
    right = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    assert headers["svix-signature"] == f"v1,{right}"
    assert json.loads(body)["event_type"] == "device.tampered"


def test_webhooks_come_twice_and_in_disorder(
    seam: SeamServer, door: str, listener: Listener
) -> None:
    hook(seam, listener)
    seam.post("webhooks", repeat=1, shuffle_s=2.0)
    for _ in range(12):
        seam.act(door, "tamper")
    seam.advance(3)
    wait_for(lambda: len(listener.calls) == 24)
    times = [json.loads(body)["created_at"] for _, body in listener.calls]
    assert times != sorted(times)
    assert len({json.loads(body)["event_id"] for _, body in listener.calls}) == 12


def test_a_killed_simulator_forgets_nothing(tmp_path: Any) -> None:
    with start_seam(data=str(tmp_path / "seam.sqlite3")) as server:
        server.add_device("d1")
        code = server.create("d1", "k1", "4821")["access_code_id"]
        wait_for(lambda: server.memory("d1") == {"k1": "4821"})
        server.kill_and_restart()
        assert server.memory("d1") == {"k1": "4821"}
        assert server.code(code)["status"] == "set"
        assert server.event_types("d1")[-1] == "access_code.set_on_device"


def test_the_control_page_shows_lock_and_book_side_by_side(seam: SeamServer, door: str) -> None:
    seam.act(door, "frozen", on=True)
    seam.create(door, "<b>k1</b>", "4821")
    page = seam._client.get(f"/locks-page/{door}").text
    assert "What the lock holds" in page
    assert "&lt;b&gt;k1&lt;/b&gt;" in page
    assert "creating" in page
    form = {"back": "/", "code": "4821"}
    answer = seam._client.post(f"/control/devices/{door}/try", data=form)
    assert answer.headers["location"] == "/?said=It+stays+shut."


def test_the_log_of_calls_holds_no_code(seam: SeamServer, door: str) -> None:
    seam.create(door, "k1", "482913")
    assert "482913" not in json.dumps(seam.get("requests"))
