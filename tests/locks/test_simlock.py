"""The simulated lock system as its own product: a real process, spoken to over HTTP only."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import httpx2
import pytest

from locks.simulators.simlock.__main__ import main
from locks.simulators.simlock.actions import LOCK_ACTIONS
from tests.locks.contract import wait_until
from tests.locks.simlock_server import ROOT, SimlockRefused, SimlockServer, start_simlock

if TYPE_CHECKING:
    from collections.abc import Iterator

CODE, OTHER_CODE = "482913", "730528"
BROWSER = httpx2.Client(follow_redirects=True, trust_env=False)
LOCK = "L1"

CUT_OFF = (httpx2.RemoteProtocolError, httpx2.ReadError)
"""A line that is dropped: the machine tells which of the two, as it comes."""


class Vendor:
    """A plain caller of the vendor API."""

    def __init__(self, server: SimlockServer, *, token: str | None = None) -> None:
        headers = {"authorization": f"Bearer {token or server.token}"}
        self.client = httpx2.Client(
            base_url=f"{server.url}/v1", headers=headers, timeout=10, trust_env=False
        )

    def get(self, path: str, **params: Any) -> httpx2.Response:
        return self.client.get(path, params=params)

    def put(self, handle: str, value: str = CODE, *, lock: str = LOCK, **more: Any) -> Any:
        body = {"kind": "door_code", "value": value} | more
        return self.client.put(f"/locks/{lock}/credentials/{handle}", json=body)

    def delete(self, handle: str, *, lock: str = LOCK) -> httpx2.Response:
        return self.client.delete(f"/locks/{lock}/credentials/{handle}")

    def post(self, path: str) -> httpx2.Response:
        return self.client.post(path)

    def events(self, **params: Any) -> list[dict[str, Any]]:
        return self.get("/events", limit=500, **params).json()["events"]


@pytest.fixture(scope="module")
def shared() -> Iterator[SimlockServer]:
    with start_simlock() as server:
        yield server


@pytest.fixture
def server(shared: SimlockServer) -> SimlockServer:
    shared.reset()
    shared.add_lock(LOCK, name="Room 204")
    return shared


@pytest.fixture
def vendor(server: SimlockServer) -> Iterator[Vendor]:
    caller = Vendor(server)
    yield caller
    caller.client.close()


def said(response: httpx2.Response) -> tuple[int, str]:
    return response.status_code, response.json()["code"]


def window(*, start_h: float, end_h: float) -> dict[str, str]:
    now = datetime.now(UTC)
    starts_at, ends_at = now + timedelta(hours=start_h), now + timedelta(hours=end_h)
    return {"starts_at": starts_at.isoformat(), "ends_at": ends_at.isoformat()}


# The vendor API.


def test_it_starts_within_a_second_or_so() -> None:
    started = time.monotonic()
    with start_simlock():
        assert time.monotonic() - started < 3


def test_a_lock_is_discovered_with_what_it_can_do(server: SimlockServer, vendor: Vendor) -> None:
    server.add_lock("L2", gateway="G1", native_window=False, code_min=6, code_max=6, max_codes=3)
    locks = {lock["id"]: lock for lock in vendor.get("/locks").json()["locks"]}
    assert locks[LOCK] == {
        "id": LOCK,
        "name": "Room 204",
        "model": "SimLock One",
        "gateway": None,
        "online": True,
        "battery": 100,
        "clock_offset_s": 0.0,
        "capabilities": {
            "kinds": ["door_code", "smartkey"],
            "native_window": True,
            "code_min": 4,
            "code_max": 9,
            "max_codes": 250,
            "shows_values": True,
            "whole_hours": False,
        },
    }
    assert locks["L2"]["gateway"] == {"id": "G1", "online": True}
    assert vendor.get("/locks/L2").json() == locks["L2"]


@pytest.mark.parametrize("token", ["wrong", "é"])
def test_a_wrong_token_is_unauthorized(server: SimlockServer, token: str) -> None:
    response = httpx2.get(
        f"{server.url}/v1/locks", headers={"authorization": f"Bearer {token}".encode()}
    )
    assert said(response) == (401, "unauthorized")
    assert said(httpx2.get(f"{server.url}/v1/locks")) == (401, "unauthorized")


def test_a_put_is_repeatable_and_a_delete_too(server: SimlockServer, vendor: Vendor) -> None:
    times = window(start_h=-1, end_h=24)
    for _ in range(3):
        response = vendor.put("c1", **times)
        assert (response.status_code, response.json()) == (200, {"handle": "c1", "state": "stored"})
    [held] = vendor.get(f"/locks/{LOCK}/credentials").json()["credentials"]
    assert held["value"] == CODE
    assert server.stats()["locks"][LOCK]["repeats"] == 2
    for _ in range(3):
        response = vendor.delete("c1")
        assert (response.status_code, response.json()) == (
            200,
            {"handle": "c1", "state": "removed"},
        )
    assert server.memory(LOCK) == {}


@pytest.mark.parametrize(
    ("body", "answer"),
    [
        ({"kind": "door_code", "value": "123"}, (422, "invalid_code_length")),
        ({"kind": "door_code", "value": "1203045678"}, (422, "invalid_code_length")),
        ({"kind": "door_code", "value": "12a4"}, (422, "invalid_code")),
        ({"kind": "door_code", "value": "٤٨٢٩"}, (422, "invalid_code")),
        ({"kind": "door_code", "value": "7777"}, (422, "weak_code")),
        ({"kind": "door_code", "value": "3456"}, (422, "weak_code")),
        ({"kind": "door_code", "value": "6543"}, (422, "weak_code")),
        ({"kind": "keycard", "value": "x"}, (422, "unsupported")),
        ({"kind": "door_code", "value": ""}, (400, "bad_request")),
        ({"kind": "door_code"}, (400, "bad_request")),
        ({"kind": "door_code", "value": 4829}, (400, "bad_request")),
        ({"kind": "song", "value": "4829"}, (400, "bad_request")),
        ({"kind": ["door_code"], "value": "4829"}, (400, "bad_request")),
        ({"kind": "door_code", "value": "4829", "starts_at": "soon"}, (400, "bad_request")),
        ({"kind": "door_code", "value": "4829", "ends_at": 5}, (400, "bad_request")),
        ({"kind": "door_code", "value": "4829", "ends_at": "2026-01-01"}, (400, "bad_request")),
        (
            {"kind": "door_code", "value": "4829", **window(start_h=1, end_h=1)},
            (422, "invalid_window"),
        ),
    ],
)
def test_what_a_lock_cannot_take_is_refused(
    server: SimlockServer, vendor: Vendor, body: dict[str, Any], answer: tuple[int, str]
) -> None:
    response = vendor.client.put(f"/locks/{LOCK}/credentials/c1", json=body)
    assert said(response) == answer
    assert server.memory(LOCK) == {}


@pytest.mark.parametrize("body", [b"{", b"[]", b"\xff", b"null"])
def test_a_body_that_is_no_object_is_a_bad_request(vendor: Vendor, body: bytes) -> None:
    response = vendor.client.put(f"/locks/{LOCK}/credentials/c1", content=body)
    assert said(response) == (400, "bad_request")


def test_unknown_locks_and_odd_handles(vendor: Vendor) -> None:
    assert said(vendor.put("c1", lock="nowhere")) == (404, "lock_not_found")
    assert said(vendor.put("a%20b")) == (400, "bad_request")
    assert said(vendor.get("/events", limit="many")) == (400, "bad_request")


def test_a_duplicate_is_refused_and_an_own_overwrite_is_not(vendor: Vendor) -> None:
    vendor.put("c1")
    assert said(vendor.put("c2")) == (409, "duplicate_code")
    assert vendor.put("c1").status_code == 200
    assert vendor.put("c2", kind="smartkey").status_code == 200


def test_memory_has_room_for_max_codes(server: SimlockServer, vendor: Vendor) -> None:
    server.add_lock(LOCK, max_codes=2)
    vendor.put("c1", "482913")
    vendor.put("c2", "730528")
    assert said(vendor.put("c3", "915047")) == (409, "memory_full")
    assert vendor.put("c2", "915047").status_code == 200
    vendor.delete("c1")
    assert vendor.put("c3", "730528").status_code == 200


# At the door.


def test_a_window_opens_at_its_start_and_shuts_at_its_end(
    server: SimlockServer, vendor: Vendor
) -> None:
    start = datetime(2026, 12, 1, 14, 0, tzinfo=UTC)
    end = datetime(2026, 12, 3, 11, 0, tzinfo=UTC)
    vendor.put("c1", starts_at=start.isoformat(), ends_at=end.isoformat())
    for moment, opened, reason in [
        (start - timedelta(seconds=5), False, "not_yet_valid"),
        (start + timedelta(seconds=1), True, "matched"),
        (end - timedelta(seconds=5), True, "matched"),
        (end + timedelta(seconds=1), False, "expired"),
    ]:
        server.set_time(moment)
        answer = server.try_door(LOCK, CODE)
        assert (answer["opened"], answer["reason"]) == (opened, reason)
    answer = server.try_door(LOCK, OTHER_CODE)
    assert (answer["opened"], answer["reason"]) == (False, "unknown")


def test_the_end_of_a_window_is_not_in_it(server: SimlockServer, vendor: Vendor) -> None:
    vendor.put("c1", **window(start_h=-1, end_h=1))
    [held] = server.memory(LOCK).values()
    end = datetime.fromisoformat(held["ends_at"])
    server.set_time(end)
    assert not server.try_door(LOCK, CODE)["opened"]


def test_a_lock_judges_by_its_own_clock(server: SimlockServer, vendor: Vendor) -> None:
    vendor.put("c1", **window(start_h=-1, end_h=1))
    assert server.try_door(LOCK, CODE)["opened"]
    server.act(LOCK, "clock", offset_s=7200)
    assert server.try_door(LOCK, CODE)["reason"] == "expired"
    server.act(LOCK, "clock", offset_s=-7200)
    assert server.try_door(LOCK, CODE)["reason"] == "not_yet_valid"
    answer = vendor.post(f"/locks/{LOCK}/sync-clock").json()
    assert answer == {"clock_offset_before_s": -7200.0, "clock_offset_after_s": 0.0}
    assert server.try_door(LOCK, CODE)["opened"]


def test_a_lock_without_windows_always_opens(server: SimlockServer, vendor: Vendor) -> None:
    server.add_lock(LOCK, native_window=False)
    vendor.put("c1", **window(start_h=24, end_h=48))
    held = server.memory(LOCK)["c1"]
    assert (held["starts_at"], held["ends_at"], held["opens_now"]) == (None, None, True)
    assert server.try_door(LOCK, CODE)["reason"] == "always_opens"


def test_an_offline_lock_still_opens_and_tells_it_later(
    server: SimlockServer, vendor: Vendor
) -> None:
    vendor.put("c1")
    server.offline(LOCK)
    assert server.try_door(LOCK, CODE)["opened"]
    assert not server.try_door(LOCK, OTHER_CODE)["opened"]
    assert [event["type"] for event in vendor.events()] == ["offline"]
    server.online(LOCK)
    events = vendor.events()
    assert [event["type"] for event in events] == ["offline", "online", "unlocked", "denied"]
    assert [event["value"] for event in events[2:]] == [CODE, OTHER_CODE]
    assert events[2]["handle"] == "c1"
    assert events[2]["happened_at"] < events[1]["happened_at"] <= events[2]["reported_at"]


def test_a_smartkey_is_judged_like_a_code(server: SimlockServer, vendor: Vendor) -> None:
    vendor.put("s1", "phone-1", kind="smartkey", **window(start_h=-1, end_h=1))
    assert server.try_door(LOCK, "phone-1", kind="smartkey")["opened"]
    server.advance(7200)
    assert server.try_door(LOCK, "phone-1", kind="smartkey")["reason"] == "expired"
    assert server.try_door(LOCK, "phone-1", kind="keycard")["reason"] == "unsupported_kind"


def test_a_remote_opening_is_an_event(vendor: Vendor) -> None:
    assert vendor.post(f"/locks/{LOCK}/unlock").json() == {"opened": True}
    [event] = vendor.events()
    assert (event["type"], event["reason"], event["value"]) == ("unlocked", "remote", None)


# Out of reach.


def test_offline_refuses_commands_and_answers_health(server: SimlockServer, vendor: Vendor) -> None:
    vendor.put("c1")
    server.offline(LOCK)
    for response in (
        vendor.put("c2", OTHER_CODE),
        vendor.delete("c1"),
        vendor.get(f"/locks/{LOCK}/credentials"),
        vendor.post(f"/locks/{LOCK}/unlock"),
        vendor.post(f"/locks/{LOCK}/sync-clock"),
    ):
        assert said(response) == (409, "lock_offline")
    assert vendor.get(f"/locks/{LOCK}").json()["online"] is False
    assert list(server.memory(LOCK)) == ["c1"]


def test_a_silent_lock_is_found_back_only_by_a_try(server: SimlockServer, vendor: Vendor) -> None:
    server.offline(LOCK, silent=True)
    assert vendor.get(f"/locks/{LOCK}").json()["online"] is True
    assert said(vendor.put("c1")) == (409, "lock_offline")
    assert vendor.get(f"/locks/{LOCK}").json()["online"] is False
    server.online(LOCK, silent=True)
    server.try_door(LOCK, CODE)
    assert vendor.get(f"/locks/{LOCK}").json()["online"] is False
    assert vendor.events() == []
    assert vendor.put("c1").status_code == 200
    assert vendor.get(f"/locks/{LOCK}").json()["online"] is True
    assert [event["type"] for event in vendor.events()] == ["denied"]


def test_a_lock_that_never_signals_never_does(server: SimlockServer, vendor: Vendor) -> None:
    server.add_lock(LOCK, signals=False)
    server.offline(LOCK)
    server.online(LOCK)
    assert vendor.events() == []


def test_a_gateway_takes_its_locks_along(server: SimlockServer, vendor: Vendor) -> None:
    server.add_locks([{"id": "A", "gateway": "G"}, {"id": "B", "gateway": "G"}])
    server.gateway("G", "offline")
    assert said(vendor.put("c1", lock="A")) == (409, "gateway_offline")
    assert vendor.get("/locks/B").json()["online"] is False
    assert vendor.put("c1").status_code == 200
    server.gateway("G", "online")
    assert vendor.put("c1", lock="A").status_code == 200
    types = [(event["lock_id"], event["type"], event["reason"]) for event in vendor.events()]
    assert types == [
        ("A", "offline", "gateway"),
        ("B", "offline", "gateway"),
        ("A", "online", "gateway"),
        ("B", "online", "gateway"),
    ]


def test_a_gateway_can_be_busy_and_slow(server: SimlockServer, vendor: Vendor) -> None:
    server.add_lock("A", gateway="G")
    server.gateway("G", "busy", calls=2)
    answers = [vendor.put("c1", lock="A").status_code for _ in range(3)]
    assert answers == [423, 423, 200]
    server.gateway("G", "slow", ms=200)
    started = time.monotonic()
    vendor.put("c1", lock="A")
    assert time.monotonic() - started >= 0.2


# Faults.


@pytest.mark.parametrize(
    ("action", "answer"),
    [
        ("busy", (423, "busy")),
        ("refuse", (409, "refused")),
        ("duplicate", (409, "duplicate_code")),
        ("rate-limit", (429, "rate_limited")),
        ("server-error", (500, "server_error")),
    ],
)
def test_a_counted_fault_hits_that_many_calls(
    server: SimlockServer, vendor: Vendor, action: str, answer: tuple[int, str]
) -> None:
    server.act(LOCK, action, calls=2)
    assert [said(vendor.put("c1")) for _ in range(2)] == [answer, answer]
    assert server.memory(LOCK) == {}
    assert vendor.put("c1").status_code == 200


def test_minus_one_holds_until_it_is_cleared(server: SimlockServer, vendor: Vendor) -> None:
    server.act(LOCK, "refuse", calls=-1)
    assert {vendor.put("c1").status_code for _ in range(5)} == {409}
    server.act(LOCK, "refuse", calls=0)
    assert vendor.put("c1").status_code == 200


def test_duplicate_hits_puts_only(server: SimlockServer, vendor: Vendor) -> None:
    server.act(LOCK, "duplicate")
    assert vendor.delete("c1").status_code == 200
    assert said(vendor.put("c1")) == (409, "duplicate_code")


def test_a_rate_limit_says_when_to_come_again(server: SimlockServer, vendor: Vendor) -> None:
    server.act(LOCK, "rate-limit", retry_after_s=9)
    assert vendor.put("c1").headers["retry-after"] == "9"


def test_garbage_is_a_page_with_status_200(server: SimlockServer, vendor: Vendor) -> None:
    server.act(LOCK, "garbage")
    response = vendor.put("c1")
    assert (response.status_code, response.headers["content-type"]) == (
        200,
        "text/html; charset=utf-8",
    )
    assert server.memory(LOCK) == {}


def test_a_lost_answer_was_done(server: SimlockServer, vendor: Vendor) -> None:
    server.act(LOCK, "lose-ack", silence="drop")
    with pytest.raises(CUT_OFF):
        vendor.put("c1")
    assert list(server.memory(LOCK)) == ["c1"]
    server.act(LOCK, "lose-ack", silence="error")
    assert said(vendor.delete("c1")) == (504, "timeout")
    assert server.memory(LOCK) == {}


def test_a_lost_answer_can_hang(server: SimlockServer, vendor: Vendor) -> None:
    server.act(LOCK, "lose-ack", silence="hang", hang_s=0.5)
    started = time.monotonic()
    with pytest.raises(CUT_OFF):
        vendor.put("c1")
    assert 0.4 < time.monotonic() - started < 5


def test_a_hanging_answer_keeps_the_lock_free_for_the_next(
    server: SimlockServer, vendor: Vendor
) -> None:
    server.act(LOCK, "lose-ack", hang_s=30)
    with pytest.raises(httpx2.ReadTimeout):
        vendor.client.put(
            f"/locks/{LOCK}/credentials/c1",
            json={"kind": "door_code", "value": CODE},
            timeout=0.2,
        )
    assert vendor.get(f"/locks/{LOCK}/credentials").status_code == 200
    assert server.stats()["totals"]["overlaps"] == 0


def test_a_lost_request_was_not_done(server: SimlockServer, vendor: Vendor) -> None:
    server.act(LOCK, "lose-request", silence="drop")
    with pytest.raises(CUT_OFF):
        vendor.put("c1")
    assert server.memory(LOCK) == {}


def test_a_dropped_write_is_answered_and_not_done(server: SimlockServer, vendor: Vendor) -> None:
    server.act(LOCK, "drop-write")
    assert vendor.put("c1").json() == {"handle": "c1", "state": "stored"}
    assert server.memory(LOCK) == {}
    vendor.put("c1")
    server.act(LOCK, "drop-write")
    assert vendor.delete("c1").json() == {"handle": "c1", "state": "removed"}
    assert list(server.memory(LOCK)) == ["c1"]


def test_a_late_write_lands_after_a_newer_one(server: SimlockServer, vendor: Vendor) -> None:
    server.act(LOCK, "land-late", land_after_s=0.6, silence="error")
    assert said(vendor.put("c1", OTHER_CODE)) == (504, "timeout")
    assert vendor.put("c1", CODE).status_code == 200
    assert server.lock(LOCK)["on_their_way"] == 1
    assert server.memory(LOCK)["c1"]["value"] == CODE
    wait_until(lambda: server.memory(LOCK)["c1"]["value"] == OTHER_CODE)
    assert server.stats()["locks"][LOCK]["late_landings"] == 1
    assert server.lock(LOCK)["on_their_way"] == 0


def test_a_late_write_waits_for_an_offline_lock(server: SimlockServer, vendor: Vendor) -> None:
    server.act(LOCK, "land-late", land_after_s=0.1, silence="error")
    vendor.put("c1")
    server.offline(LOCK)
    time.sleep(0.4)
    assert server.memory(LOCK) == {}
    server.online(LOCK)
    assert list(server.memory(LOCK)) == ["c1"]


def test_a_full_memory_takes_nothing_new(server: SimlockServer, vendor: Vendor) -> None:
    vendor.put("c1")
    server.act(LOCK, "memory-full")
    assert said(vendor.put("c2", OTHER_CODE)) == (409, "memory_full")
    assert vendor.put("c1", OTHER_CODE).status_code == 200
    server.act(LOCK, "memory-full", on=False)
    assert vendor.put("c2").status_code == 200


def test_a_slow_lock_takes_its_time(server: SimlockServer, vendor: Vendor) -> None:
    server.act(LOCK, "slow", ms=300)
    started = time.monotonic()
    assert vendor.put("c1").status_code == 200
    assert time.monotonic() - started >= 0.3


def test_the_latency_of_the_cloud_is_the_default(server: SimlockServer, vendor: Vendor) -> None:
    server.cloud(latency_ms=200)
    started = time.monotonic()
    vendor.put("c1")
    assert time.monotonic() - started >= 0.2
    server.act(LOCK, "slow", ms=1)
    started = time.monotonic()
    vendor.put("c1")
    assert time.monotonic() - started < 0.2


def test_a_slow_write_is_done_though_the_caller_has_left(
    server: SimlockServer, vendor: Vendor
) -> None:
    server.act(LOCK, "slow", ms=500)
    body = {"kind": "door_code", "value": CODE}
    with pytest.raises(httpx2.ReadTimeout):
        vendor.client.put(f"/locks/{LOCK}/credentials/c1", json=body, timeout=0.1)
    assert server.memory(LOCK) == {}
    assert said(vendor.put("c1")) == (423, "busy")
    wait_until(lambda: list(server.memory(LOCK)) == ["c1"])
    assert server.stats()["locks"][LOCK]["write_overlaps"] == 1


def test_a_lock_that_goes_offline_in_a_slow_write_leaves_it_undone(
    server: SimlockServer, vendor: Vendor
) -> None:
    server.act(LOCK, "slow", ms=1500)
    with ThreadPoolExecutor() as pool:
        writing = pool.submit(vendor.put, "c1")
        time.sleep(0.15)
        server.offline(LOCK)
        assert said(writing.result()) == (504, "timeout")
    assert server.memory(LOCK) == {}


def test_one_command_at_a_time_per_lock_and_per_gateway(server: SimlockServer) -> None:
    server.add_locks([{"id": "A", "gateway": "G"}, {"id": "B", "gateway": "G"}])
    server.cloud(latency_ms=300)
    start = threading.Barrier(2)

    def write(lock: str, handle: str, value: str) -> str:
        caller = Vendor(server)
        start.wait()
        response = caller.put(handle, value, lock=lock)
        return response.json().get("code", "ok")

    with ThreadPoolExecutor() as pool:
        same = list(pool.map(write, [LOCK, LOCK], ["c1", "c2"], [CODE, OTHER_CODE]))
        beside = list(pool.map(write, ["A", "B"], ["c1", "c2"], [CODE, OTHER_CODE]))
    assert sorted(same) == ["busy", "ok"]
    assert sorted(beside) == ["gateway_busy", "ok"]
    stats = server.stats()
    assert stats["locks"][LOCK]["write_overlaps"] == 1
    assert stats["gateways"]["G"]["write_overlaps"] == 1
    assert stats["gateways"]["G"]["max_in_flight"] == 2
    assert stats["totals"]["overlaps"] == 1


def test_healing_ends_everything_but_the_memory(server: SimlockServer, vendor: Vendor) -> None:
    vendor.put("c1")
    server.act_on_all("refuse", calls=-1)
    server.act(LOCK, "battery", percent=3)
    server.offline(LOCK)
    server.act(LOCK, "heal")
    lock = server.lock(LOCK)
    assert (lock["online"], lock["battery"], lock["faults"]["refuse"]) == (True, 100, 0)
    assert list(server.memory(LOCK)) == ["c1"]


# Hands on the lock.


def test_hands_at_the_keypad_are_events(server: SimlockServer, vendor: Vendor) -> None:
    vendor.put("c1")
    server.act(LOCK, "keypad-change", handle="c1", value=OTHER_CODE)
    assert server.memory(LOCK)["c1"]["value"] == OTHER_CODE
    foreign = server.act(LOCK, "keypad-add", value="915047")["handle"]
    assert server.memory(LOCK)[foreign]["source"] == "keypad"
    server.act(LOCK, "keypad-delete", handle="c1")
    assert list(server.memory(LOCK)) == [foreign]
    events = vendor.events()
    assert {event["type"] for event in events} == {"changed_at_lock"}
    assert [event["reason"] for event in events] == ["code_changed", "code_added", "code_deleted"]
    assert [event["handle"] for event in events] == ["c1", foreign, "c1"]
    with pytest.raises(SimlockRefused):
        server.act(LOCK, "keypad-delete", handle="c1")


def test_two_live_credentials_with_one_code_are_counted(
    server: SimlockServer, vendor: Vendor
) -> None:
    vendor.put("c1", CODE)
    vendor.put("c2", OTHER_CODE)
    assert server.stats()["duplicate_live_codes"] == []
    server.act(LOCK, "keypad-change", handle="c2", value=CODE)
    assert server.stats()["duplicate_live_codes"] == [{"lock_id": LOCK, "handles": ["c1", "c2"]}]


def test_battery_and_clock_report_themselves(server: SimlockServer, vendor: Vendor) -> None:
    server.act(LOCK, "battery", percent=55)
    server.act(LOCK, "clock", offset_s=30)
    assert vendor.events() == []
    server.act(LOCK, "battery", percent=12)
    server.act(LOCK, "clock", offset_s=-180)
    battery, clock = vendor.events()
    assert (battery["type"], battery["battery"]) == ("battery_low", 12)
    assert (clock["type"], clock["clock_offset_s"]) == ("clock_wrong", -180)
    health = vendor.get(f"/locks/{LOCK}").json()
    assert (health["battery"], health["clock_offset_s"]) == (12, -180)


# Events.


def test_events_have_pages_and_a_cursor(server: SimlockServer, vendor: Vendor) -> None:
    for number in range(5):
        server.try_door(LOCK, f"70{number}428")
    first = vendor.get("/events", limit=2).json()
    second = vendor.get("/events", limit=2, after=first["cursor"]).json()
    third = vendor.get("/events", limit=2, after=second["cursor"]).json()
    assert [page["more"] for page in (first, second, third)] == [True, True, False]
    codes = [event["value"] for page in (first, second, third) for event in page["events"]]
    assert codes == [f"70{number}428" for number in range(5)]
    end = vendor.get("/events", after=third["cursor"]).json()
    assert (end["events"], end["cursor"]) == ([], third["cursor"])
    assert vendor.get("/events", after="latest").json()["cursor"] == third["cursor"]


def test_a_reset_does_not_make_old_cursors_blind(server: SimlockServer, vendor: Vendor) -> None:
    server.try_door(LOCK, CODE)
    cursor = vendor.get("/events").json()["cursor"]
    server.reset()
    server.add_lock(LOCK)
    server.try_door(LOCK, OTHER_CODE)
    assert [event["value"] for event in vendor.events(after=cursor)] == [OTHER_CODE]


def test_a_long_poll_ends_with_the_first_event(server: SimlockServer, vendor: Vendor) -> None:
    with ThreadPoolExecutor() as pool:
        waiting = pool.submit(lambda: vendor.get("/events", wait=8).json())
        time.sleep(0.3)
        started = time.monotonic()
        server.try_door(LOCK, CODE)
        page = waiting.result()
    assert time.monotonic() - started < 2
    assert [event["type"] for event in page["events"]] == ["denied"]


def test_a_long_poll_ends_by_itself(vendor: Vendor) -> None:
    started = time.monotonic()
    assert vendor.get("/events", wait=0.3).json()["events"] == []
    assert 0.25 < time.monotonic() - started < 3


# The cloud as a whole.


def test_the_whole_cloud_can_be_in_trouble(server: SimlockServer, vendor: Vendor) -> None:
    server.cloud(outage="error")
    assert said(vendor.put("c1")) == (503, "unavailable")
    server.cloud(outage="drop")
    with pytest.raises(CUT_OFF):
        vendor.put("c1")
    server.cloud(outage="", reject_token=True)
    assert said(vendor.put("c1")) == (401, "unauthorized")
    server.cloud(reject_token=False, rate_limit=1)
    assert said(vendor.put("c1")) == (429, "rate_limited")
    assert vendor.put("c1").status_code == 200
    with pytest.raises(SimlockRefused):
        server.cloud(outage="sometimes")


def test_a_removed_lock_is_not_found(server: SimlockServer, vendor: Vendor) -> None:
    vendor.put("c1")
    server.remove_lock(LOCK)
    assert said(vendor.get(f"/locks/{LOCK}")) == (404, "lock_not_found")
    server.add_lock(LOCK)
    assert server.memory(LOCK) == {}


def test_the_request_log_shows_who_called_and_no_code(
    server: SimlockServer, vendor: Vendor
) -> None:
    vendor.put("c1")
    vendor.put("c2")
    stats = server.stats(requests=10)
    assert [(each["handle"], each["answer"]) for each in stats["requests"]] == [
        ("c1", "ok"),
        ("c2", "duplicate_code"),
    ]
    assert CODE not in json.dumps(stats)
    server.reset_stats()
    assert server.stats(requests=10)["requests"] == []
    assert server.stats()["totals"]["writes"] == 0


def test_control_says_what_it_does_not_know(server: SimlockServer) -> None:
    for path, body in [
        (f"locks/{LOCK}/explode", {}),
        (f"locks/{LOCK}/busy", {"calls": "many"}),
        (f"locks/{LOCK}/busy", {"call": 1}),
        (f"locks/{LOCK}/lose-ack", {"silence": "loud"}),
        (f"locks/{LOCK}/try", {"kind": "song", "value": "1"}),
        (f"locks/{LOCK}/clock", {}),
        ("locks/none/offline", {}),
        ("gateways/none/offline", {}),
        ("locks", {"locks": [{"name": "no id"}]}),
        ("locks", {"locks": [{"id": "x", "kinds": ["song"]}]}),
        ("locks", {"locks": [{"id": "x", "color": "red"}]}),
        ("clock", {"now": "yesterday"}),
        ("actions", {"action": "offline"}),
        ("actions", {"action": "offline", "locks": "all", "values": [1]}),
        ("locks", {"locks": [{"id": "a/b"}]}),
    ]:
        with pytest.raises(SimlockRefused):
            server.post(path, **body)


ODD: list[Any] = [True, -5, 1.5, "nan", "-inf", "1e300", [], {}, [1], "\0", "x" * 300, 10**30]


def odd_calls(odd: Any) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Every value of every call, replaced by something odd, one at a time."""
    for name, action in LOCK_ACTIONS.items():
        for field in action.fields:
            yield "POST", f"/control/locks/{LOCK}/{name}", {"handle": "h", field.name: odd}
    for name in ("native_window", "code_max", "clock_offset_s", "kinds", "gateway"):
        yield "POST", "/control/locks", {"locks": [{"id": LOCK, name: odd}]}
    for name in ("now", "advance_s", "offset_s"):
        yield "POST", "/control/clock", {name: odd}
    for name in ("kind", "value", "starts_at", "ends_at"):
        body = {"kind": "door_code", "value": CODE, name: odd}
        yield "PUT", f"/v1/locks/{LOCK}/credentials/c1", body


@pytest.mark.parametrize("odd", ODD, ids=[repr(each)[:12] for each in ODD])
def test_no_odd_value_breaks_the_simulator(server: SimlockServer, vendor: Vendor, odd: Any) -> None:
    for method, path, body in odd_calls(odd):
        server.act(LOCK, "slow", ms=0)
        response = vendor.client.request(method, f"{server.url}{path}", json=body)
        assert response.status_code < 500 or response.json()["code"] in {"timeout", "server_error"}
    for name in ("after", "limit"):
        assert vendor.get("/events", **{name: str(odd)}).status_code in {200, 400}
    server.act(LOCK, "heal")
    for path in ("/", f"/locks/{LOCK}", "/control/memory", "/control/stats", "/v1/locks"):
        assert vendor.client.get(f"{server.url}{path}").status_code == 200


def test_times_at_the_ends_of_the_calendar_and_deep_bodies_are_refused(vendor: Vendor) -> None:
    for moment in ("0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", "2026-01-01T00:00"):
        assert said(vendor.put("c1", ends_at=moment)) == (400, "bad_request")
    deep = vendor.client.put(f"/locks/{LOCK}/credentials/c1", content=b"[" * 100_000)
    assert said(deep) == (400, "bad_request")


# Memory that survives.


def test_a_kill_loses_nothing(tmp_path) -> None:
    with start_simlock(data=str(tmp_path / "memory.sqlite3")) as server:
        server.add_lock(LOCK, name="Room 204", gateway="G", native_window=False)
        vendor = Vendor(server)
        vendor.put("c1")
        server.offline(LOCK)
        server.try_door(LOCK, CODE)
        server.act(LOCK, "refuse", calls=3)
        server.post("clock", offset_s=3600)
        before, cursor = server.memory(LOCK), vendor.get("/events").json()["cursor"]
        server.kill()
        server.restart()
        assert server.memory(LOCK) == before
        lock = server.lock(LOCK)
        assert (lock["name"], lock["gateway"], lock["online"]) == ("Room 204", "G", False)
        assert lock["faults"]["refuse"] == 3
        assert server.get("clock")["offset_s"] == 3600
        server.online(LOCK)
        assert [event["type"] for event in vendor.events(after=cursor)] == ["online", "unlocked"]


def test_a_write_on_its_way_survives_a_kill(tmp_path) -> None:
    with start_simlock(data=str(tmp_path / "memory.sqlite3")) as server:
        server.add_lock(LOCK)
        server.act(LOCK, "land-late", land_after_s=1.5, silence="error")
        Vendor(server).put("c1")
        server.kill()
        server.restart()
        assert server.memory(LOCK) == {}
        wait_until(lambda: list(server.memory(LOCK)) == ["c1"])


def test_every_confirmed_write_survives_a_kill(tmp_path) -> None:
    with start_simlock(data=str(tmp_path / "memory.sqlite3")) as server:
        server.add_lock(LOCK)
        confirmed = []

        def write() -> None:
            vendor = Vendor(server)
            for number in range(240):
                try:
                    if vendor.put(f"c{number}", f"70{number:03}8").status_code == 200:
                        confirmed.append(f"c{number}")
                except httpx2.HTTPError:
                    return

        writer = threading.Thread(target=write)
        writer.start()
        wait_until(lambda: len(confirmed) > 40)
        server.kill()
        writer.join()
        server.restart()
        assert set(confirmed) <= set(server.memory(LOCK))


# The control page.


def page(server: SimlockServer, path: str = "/") -> str:
    response = BROWSER.get(f"{server.url}{path}")
    assert response.status_code == 200
    assert "default-src 'none'" in response.headers["content-security-policy"]
    return response.text


def send_form(server: SimlockServer, path: str, **values: str) -> httpx2.Response:
    return BROWSER.post(f"{server.url}{path}", data=values)


def test_the_page_names_itself_a_simulator(server: SimlockServer) -> None:
    text = page(server)
    assert "Simulator. These locks are not real" in text
    assert "<script" not in text
    assert "Room 204" in text
    assert "Try code" in text
    assert "Try SmartKey" in text


def test_every_action_has_a_form_on_the_page_of_a_lock(
    server: SimlockServer, vendor: Vendor
) -> None:
    vendor.put("c1")
    text = page(server, f"/locks/{LOCK}")
    actions = set(re.findall(rf'action="/control/locks/{LOCK}/([a-z-]+)"', text))
    assert actions == set(LOCK_ACTIONS)
    assert CODE in text


def test_every_form_of_the_page_works_as_it_stands(server: SimlockServer, vendor: Vendor) -> None:
    server.add_lock("A", gateway="G")
    vendor.put("c1")
    for path in (f"/locks/{LOCK}", "/"):
        for form in re.findall(r"<form .*?</form>", page(server, path), re.S):
            if 'method="post"' not in form or "keypad-delete" in form:
                continue
            response = send_form(server, form.split('action="')[1].split('"')[0], **filled(form))
            assert response.status_code == 200, form
            assert 'role="status"' in response.text
            assert "must be" not in response.text.split('role="status"')[1][:200], form


def filled(form: str) -> dict[str, str]:
    """The values that a browser would send, with something typed where nothing stands."""
    values = {}
    for tag in re.findall(r"<input [^>]*>", form):
        if 'type="checkbox"' not in tag:
            name = tag.split('name="')[1].split('"')[0]
            given = re.search(r'value="([^"]*)"', tag)
            values[name] = given.group(1) if given else "482"
    for select in re.findall(r"<select .*?</select>", form, re.S):
        name = select.split('name="')[1].split('"')[0]
        values[name] = select.split('value="')[1].split('"')[0]
    return values


def test_trying_a_code_on_the_page_shows_the_answer(server: SimlockServer, vendor: Vendor) -> None:
    vendor.put("c1")
    back = f"/locks/{LOCK}"
    response = send_form(
        server, f"/control/locks/{LOCK}/try", kind="door_code", value=CODE, back=back
    )
    assert "It opens" in response.text
    assert CODE not in str(response.url)
    response = send_form(
        server, f"/control/locks/{LOCK}/try", kind="door_code", value="0000", back=back
    )
    assert "It stays shut: the lock does not know this." in response.text


def test_a_form_sends_back_to_this_page_only(server: SimlockServer) -> None:
    for back in ("//evil.example/", "https://evil.example/", "/\\evil.example"):
        response = httpx2.post(
            f"{server.url}/control/locks/{LOCK}/offline", data={"back": back}, trust_env=False
        )
        assert response.status_code == 303
        assert response.headers["location"].startswith("/?said=")


def test_names_are_shown_as_text(server: SimlockServer) -> None:
    server.add_lock("X", name="<b>Suite & co</b>")
    assert "&lt;b&gt;Suite &amp; co&lt;/b&gt;" in page(server)
    assert "<b>Suite" not in page(server, "/locks/X")
    assert "&lt;i&gt;" in page(server, "/?said=%3Ci%3E")


def test_the_list_is_searched_and_paged(server: SimlockServer) -> None:
    server.add_locks([{"id": f"R{number}", "name": f"Room {number}"} for number in range(130)])
    assert page(server).count("Memory and faults of") == 60
    assert page(server, "/?page=2").count("Memory and faults of") == 11
    assert "Room 77" in page(server, "/?q=room+77")
    assert httpx2.get(f"{server.url}/locks/none", trust_env=False).status_code == 404


def test_another_sites_form_may_not_control_it(server: SimlockServer) -> None:
    response = httpx2.post(
        f"{server.url}/control/reset",
        headers={"sec-fetch-site": "cross-site"},
        trust_env=False,
    )
    assert response.status_code == 403
    assert server.lock(LOCK)["online"]


# The command line and the start.


def test_the_command_line_controls_it(
    server: SimlockServer, vendor: Vendor, capsys: pytest.CaptureFixture[str]
) -> None:
    def ctl(*words: str) -> dict[str, Any]:
        assert main(["ctl", "--url", server.url, *words]) == 0
        return json.loads(capsys.readouterr().out)

    vendor.put("c1")
    ctl("offline", LOCK, "--silent")
    assert server.lock(LOCK)["online"] is False
    ctl("lose-ack", LOCK, "--calls", "2", "--silence", "drop")
    assert server.lock(LOCK)["faults"]["lose_ack"] == 2
    assert ctl("try", LOCK, "--value", CODE)["opened"] is True
    assert ctl("memory", LOCK)["credentials"][0]["handle"] == "c1"
    ctl("add", "L9", "--gateway", "G9", "--no-window")
    ctl("gateway", "offline", "G9")
    assert server.lock("L9")["reachable"] is False
    ctl("remove", "L9")
    assert [lock["id"] for lock in ctl("list")["locks"]] == [LOCK]
    ctl("set-time", "--offset-s", "3600")
    assert server.get("clock")["offset_s"] == 3600
    ctl("latency", "5")
    assert ctl("outage", "error")["outage"] == "error"
    assert ctl("cloud")["latency_ms"] == 5
    assert ctl("stats")["totals"]["writes"] == 1
    ctl("reset-stats")
    assert server.stats()["totals"]["writes"] == 0
    assert main(["ctl", "--url", server.url, "offline", "nowhere"]) == 1
    assert "no such lock" in capsys.readouterr().err


def test_the_command_line_says_when_nobody_answers() -> None:
    command = [sys.executable, "-m", "locks.simulators.simlock", "ctl"]
    command += ["--url", "http://127.0.0.1:9", "list"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 1
    assert result.stderr == "No simulator answers at http://127.0.0.1:9. Is it running?\n"


def start(*options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "locks.simulators.simlock", *options]
    return subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=20
    )


def test_a_taken_port_is_said_in_words(server: SimlockServer) -> None:
    result = start("--port", str(server.port), "--data", ":memory:")
    assert result.returncode == 2
    assert "Try another --port" in result.stderr
    assert "Traceback" not in result.stderr


def test_off_loopback_it_wants_a_control_token() -> None:
    result = start("--host", "0.0.0.0", "--port", "0", "--data", ":memory:")
    assert result.returncode == 2
    assert "--control-token" in result.stderr


def test_a_file_that_is_no_memory_is_said_in_words(tmp_path) -> None:
    broken = tmp_path / "broken.sqlite3"
    broken.write_text("This is no database, and long enough to be read as one. " * 50)
    result = start("--port", "0", "--data", str(broken))
    assert result.returncode == 2
    assert "Try another --data" in result.stderr


def test_a_file_belongs_to_one_simulator(tmp_path) -> None:
    data = str(tmp_path / "memory.sqlite3")
    with start_simlock(data=data) as server:
        result = start("--port", "0", "--data", data)
        assert result.returncode == 2
        assert "Try another --data" in result.stderr
        server.add_lock(LOCK)
        assert server.lock(LOCK)["online"]


def test_a_control_token_guards_control_and_page() -> None:
    command = [sys.executable, "-m", "locks.simulators.simlock", "--port", "0"]
    command += ["--data", ":memory:", "--control-token", "secret"]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        url = process.stdout.readline().split()[-1]
        for path in ("/", "/control/locks"):
            assert httpx2.get(f"{url}{path}").status_code == 401
            assert httpx2.get(f"{url}{path}", auth=("any", "wrong")).status_code == 401
            assert httpx2.get(f"{url}{path}", auth=("any", "secret")).status_code == 200
        bearer = {"authorization": "Bearer secret"}
        assert httpx2.get(f"{url}/control/locks", headers=bearer).status_code == 200
        bearer = {"authorization": "Bearer demo-lock-token"}
        assert httpx2.get(f"{url}/v1/locks", headers=bearer).status_code == 200
    finally:
        process.terminate()
        process.wait(10)
        process.stdout.close()
