"""The driver of Seam: the contract of all drivers against the simulator, what is Seam's own, and the vendor's own client."""

from __future__ import annotations

import asyncio
import base64
import itertools
import json
import socket
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, ClassVar

import pytest
from seam import Seam, SeamHttpApiError, SeamHttpUnauthorizedError, SeamWebhook
from svix.webhooks import Webhook, WebhookVerificationError

from locks.drivers import (
    Cause,
    EventType,
    Held,
    Kind,
    LockError,
    NotGenuine,
    Place,
    Receives,
    Result,
    Retry,
    Scope,
    seam,
    seam_book,
)
from locks.vendors import open_driver
from tests.locks.contract import (
    CODE,
    OTHER_CODE,
    DriverContract,
    all_events,
    drive,
    error_of,
    grant,
    observe,
    place,
    put,
    remove,
    wait_until,
)
from tests.locks.seam_server import KEY, Listener, SeamRefused, SeamServer, start_seam, wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator

    from locks.drivers import Driver, Grant, Outcome

TIMEOUT_S = 0.8
SECRET = "whsec_" + base64.b64encode(b"a secret of twenty-four.").decode()
numbers = itertools.count(1)


@pytest.fixture(scope="module")
def running() -> Iterator[SeamServer]:
    with start_seam() as server:
        yield server


class SeamStand:
    """The simulator as a stand."""

    slots: ClassVar[dict[str, str]] = {}
    no_lock = "no-such-lock"

    def __init__(self, server: SeamServer) -> None:
        self.server = server
        self.lock = server.add_device(f"lock-{next(numbers)}", latency_s=0.02)

    def can(self, trouble: str) -> bool:
        return hasattr(self, trouble)

    def tells(self, kind: EventType) -> bool:
        return True

    def _open(self, url: str, key: str) -> Driver:
        return seam.SeamDriver(
            base_url=url, api_key=key, webhook_secret=SECRET, timeout_s=TIMEOUT_S
        )

    def open(self) -> Driver:
        return self._open(self.server.url, KEY)

    def open_with_wrong_token(self) -> Driver:
        return self._open(self.server.url, "seam_wrong_key")

    def open_without_vendor(self) -> Driver:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        return self._open(f"http://127.0.0.1:{port}", KEY)

    def held(self, lock: str) -> dict[str, str]:
        return self.server.memory(lock)

    def offline(self, lock: str) -> None:
        self.server.act(lock, "offline")

    def online(self, lock: str) -> None:
        self.server.act(lock, "online")

    def lose_answer(self, lock: str) -> None:
        self.server.act(lock, "lose-answer")

    def lose_request(self, lock: str) -> None:
        self.server.act(lock, "lose-request")

    def land_late(self, lock: str, *, after_s: float) -> None:
        self.server.act(lock, "land-late", after_s=after_s)

    def refuse(self, lock: str) -> None:
        self.server.act(lock, "refuse-set")

    def fill(self, lock: str) -> None:
        self.server.act(lock, "memory-full", on=True)

    def garbage(self, lock: str) -> None:
        self.server.act(lock, "garbage")

    def server_error(self, lock: str) -> None:
        self.server.act(lock, "server-error")

    def type_code(self, lock: str, code: str) -> None:
        self.server.act(lock, "try", code=code)

    def add_at_lock(self, lock: str, code: str) -> None:
        self.server.act(lock, "keypad-add", code=code)
        wait_for(lambda: "access_code.unmanaged.created" in self.server.event_types(lock))


@pytest.fixture
def stand(running: SeamServer) -> SeamStand:
    running.post("reset")
    return SeamStand(running)


class TestSeamDriver(DriverContract):
    """The contract of all drivers. Seam hides clocks, sets back what is changed at the keypad, and is never busy."""

    cannot = frozenset({"wrong_clock", "change_at_lock", "busy"})


def put_once(stand: SeamStand, *grants: Grant) -> list[Outcome]:
    return drive(stand.open, lambda driver: driver.put(stand.lock, grants))


def remove_once(stand: SeamStand, *places: Place) -> list[Outcome]:
    return drive(stand.open, lambda driver: driver.remove(stand.lock, places))


def look(stand: SeamStand) -> tuple[list[str], list[str], list[Cause]]:
    """Handles that are held and that are unsure, and the causes of problems, at this moment."""
    seen = drive(stand.open, lambda driver: driver.observe(stand.lock))
    assert seen.held is not None
    return (
        [each.handle for each in seen.held],
        [each.handle for each in seen.unsure],
        [each.error.cause for each in seen.problems],
    )


# Accepted first, known later.


def test_a_put_is_accepted_and_unsure_until_the_lock_has_it(stand: SeamStand) -> None:
    stand.server.act(stand.lock, "frozen", on=True)
    [outcome] = put_once(stand, grant())
    assert outcome.result is Result.ACCEPTED
    assert outcome.address
    assert look(stand) == ([], ["c1"], [])
    stand.server.act(stand.lock, "clear")
    wait_until(lambda: look(stand) == (["c1"], [], []))


def test_a_removal_is_accepted_and_unsure_until_it_is_gone(stand: SeamStand) -> None:
    put(stand, grant())
    stand.offline(stand.lock)
    [outcome] = remove_once(stand, place())
    assert outcome.result is Result.ACCEPTED
    wait_until(lambda: look(stand) == ([], ["c1"], [Cause.LOCK_UNREACHABLE]))
    stand.online(stand.lock)
    wait_until(lambda: look(stand) == ([], [], []))
    assert remove_once(stand, place())[0].result is Result.CONFIRMED


def test_an_offline_lock_leaves_a_write_unsure_with_the_reason(stand: SeamStand) -> None:
    stand.offline(stand.lock)
    put_once(stand, grant())
    assert look(stand) == ([], ["c1"], [Cause.LOCK_UNREACHABLE])
    stand.online(stand.lock)
    wait_until(lambda: look(stand) == (["c1"], [], []))


def test_a_code_for_next_week_is_unsure_until_it_is_preloaded(stand: SeamStand) -> None:
    start = datetime.now(UTC).replace(microsecond=0) + timedelta(days=7)
    far = replace(grant(), starts_at=start, ends_at=start + timedelta(days=2))
    put_once(stand, far)
    assert look(stand) == ([], ["c1"], [])
    stand.server.advance(5 * 86400)
    wait_until(lambda: look(stand) == (["c1"], [], []))


def test_a_refused_change_leaves_the_code_before_it(stand: SeamStand) -> None:
    put(stand, grant())
    stand.refuse(stand.lock)
    error = error_of(put(stand, grant(secret=OTHER_CODE))[0])
    assert error.cause is Cause.REJECTED
    [held] = observe(stand).held or ()
    assert (held.handle, held.secret) == ("c1", CODE)
    assert stand.held(stand.lock) == {"c1": CODE}


def test_a_refused_removal_leaves_the_code_and_says_so(stand: SeamStand) -> None:
    put(stand, grant())
    stand.server.act(stand.lock, "refuse-remove")
    assert error_of(remove(stand, place())[0]).cause is Cause.REJECTED
    assert look(stand)[0] == ["c1"]
    assert stand.held(stand.lock) == {"c1": CODE}


def test_a_duplicate_that_the_lock_finds_later_is_a_problem(stand: SeamStand) -> None:
    stand.server.act(stand.lock, "duplicates-later", on=True)
    put(stand, grant("c1"))
    error = error_of(put(stand, grant("c2"))[0])
    assert (error.cause, error.retry) == (Cause.DUPLICATE_CODE, Retry.AFTER_CHANGE)
    assert look(stand)[0] == ["c1"]


def test_a_code_that_is_just_leaving_is_worth_waiting_for(stand: SeamStand) -> None:
    put(stand, grant())
    stand.server.act(stand.lock, "frozen", on=True)
    remove_once(stand, place())
    error = error_of(put_once(stand, grant())[0])
    assert (error.cause, error.retry) == (Cause.BUSY, Retry.SOON)
    stand.server.act(stand.lock, "clear")
    wait_until(lambda: stand.held(stand.lock) == {})
    assert put(stand, grant())[0].result is Result.CONFIRMED


# Earlier successes are found.


def test_a_create_whose_answer_was_lost_is_found_by_its_name(stand: SeamStand) -> None:
    stand.lose_answer(stand.lock)
    [lost] = put_once(stand, grant())
    assert (lost.result, lost.address) == (Result.UNKNOWN, "")
    [found] = put_once(stand, grant())
    assert (found.result, bool(found.address)) == (Result.ACCEPTED, True)
    assert creates(stand) == 1


def creates(stand: SeamStand) -> int:
    return stand.server.event_types(stand.lock).count("access_code.created")


def test_what_is_already_so_is_not_written_again(stand: SeamStand) -> None:
    wanted = grant()
    put(stand, wanted)
    for _ in range(12):  # more than the vendor allows in a minute
        assert put_once(stand, wanted)[0].result is Result.ACCEPTED
    calls = [each["path"] for each in stand.server.get("requests")["requests"]]
    assert "/access_codes/update" not in calls


def test_two_codes_of_one_name_become_one(stand: SeamStand) -> None:
    stand.land_late(stand.lock, after_s=1.0)
    put_once(stand, grant())
    put(stand, grant(secret=OTHER_CODE))
    wait_until(lambda: creates(stand) == 2)
    put(stand, grant(secret=OTHER_CODE))
    wait_until(lambda: stand.held(stand.lock) == {"c1": OTHER_CODE})
    remove(stand, place())
    assert stand.held(stand.lock) == {}


def test_a_renamed_code_is_found_by_the_vendors_id(stand: SeamStand) -> None:
    [outcome] = put(stand, grant())
    change = {"access_code_id": outcome.address, "name": "renamed by hand"}
    stand.server.api("PATCH", "/access_codes/update", **change)
    there = Place(handle="c1", kind=Kind.DOOR_CODE, address=outcome.address)
    assert remove_once(stand, there)[0].result is Result.ACCEPTED
    wait_until(lambda: stand.held(stand.lock) == {})


def test_whoever_asks_for_some_places_learns_of_these_only(stand: SeamStand) -> None:
    [first, _] = put(stand, grant("c1", CODE), grant("c2", OTHER_CODE))
    for asked in (place("c1"), Place(handle="", kind=Kind.DOOR_CODE, address=first.address)):
        seen = drive(stand.open, lambda d, asked=asked: d.observe(stand.lock, [asked]))
        assert [each.handle for each in seen.held or ()] == ["c1"]


def test_long_lists_come_in_pages(stand: SeamStand, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(7):
        stand.server.add_device(f"more-{number}")
    pages = seam.SeamDriver._pages

    async def small(self: seam.SeamDriver, path: str, name: str, params: dict, until: float):
        return await pages(self, path, name, {**params, "limit": "3"}, until)

    monkeypatch.setattr(seam.SeamDriver, "_pages", small)
    assert len(drive(stand.open, lambda driver: driver.discover())) == 8


# What the vendor says no to.


def test_too_many_writes_on_one_lock_stop_that_lock_only(stand: SeamStand) -> None:
    codes = [grant(f"c{number}", f"7{number:02}428") for number in range(12)]
    outcomes = put_once(stand, *codes)
    assert [each.result for each in outcomes[:10]] == [Result.ACCEPTED] * 10
    error = error_of(outcomes[10])
    assert (error.cause, error.retry, error.scope) == (
        Cause.RATE_LIMITED,
        Retry.SOON,
        Scope.LOCK,
    )
    assert 0 < (error.retry_after_s or 0) <= 60
    assert error_of(outcomes[11]) == error


def test_a_hub_that_is_cut_off_is_named(stand: SeamStand) -> None:
    stand.server.act(stand.lock, "hub-offline")
    put_once(stand, grant())
    assert look(stand)[2] == [Cause.GATEWAY_UNREACHABLE]
    health = drive(stand.open, lambda driver: driver.health(stand.lock))
    assert (health.online, health.gateway_online) == (False, False)


def test_an_account_of_a_maker_that_is_cut_off_stops_its_locks(stand: SeamStand) -> None:
    stand.server.post("cloud", account_connected=False)
    health = drive(stand.open, lambda driver: driver.health(stand.lock))
    assert health.error is not None
    assert (health.error.cause, health.error.scope) == (Cause.AUTH, Scope.LOCK)


def test_a_removed_device_is_removed_for_good(stand: SeamStand) -> None:
    put(stand, grant())
    stand.server.act(stand.lock, "remove")
    assert error_of(put_once(stand, grant())[0]).cause is Cause.LOCK_REMOVED
    assert EventType.REMOVED_FROM_ACCOUNT in {each.type for each in all_events(stand)}


def test_only_door_codes_are_taken(stand: SeamStand) -> None:
    error = error_of(put_once(stand, grant(kind=Kind.SMARTKEY))[0])
    assert (error.cause, error.retry) == (Cause.UNSUPPORTED, Retry.NEVER)


def test_the_clock_cannot_be_set(stand: SeamStand) -> None:
    outcome = drive(stand.open, lambda driver: driver.sync_clock(stand.lock))
    assert error_of(outcome).cause is Cause.UNSUPPORTED


def test_an_outage_of_the_workspace_is_unknown(stand: SeamStand) -> None:
    stand.server.post("cloud", outage=True)
    assert put_once(stand, grant())[0].result is Result.UNKNOWN
    assert drive(stand.open, lambda driver: driver.events("c")).cursor == "c"


def test_no_error_text_carries_a_code_or_the_key() -> None:
    body = json.dumps(
        {"error": {"type": "duplicate_access_code", "message": f"{CODE} with {KEY} and 12345"}}
    ).encode()
    head = f"HTTP/1.1 409 Conflict\r\ncontent-length: {len(body)}\r\n\r\n".encode()

    async def work() -> LockError:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            asked = await reader.read(4096)
            empty = b'HTTP/1.1 200 OK\r\ncontent-length: 19\r\n\r\n{"access_codes":[]}'
            writer.write(empty if b"GET" in asked else head + body)
            await writer.drain()
            writer.close()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        driver = seam.SeamDriver(base_url=url, api_key=KEY, webhook_secret="", timeout_s=TIMEOUT_S)
        [outcome] = await driver.put("d", [grant()])
        await driver.close()
        server.close()
        return error_of(outcome)

    error = asyncio.run(work())
    assert error.cause is Cause.DUPLICATE_CODE
    assert error.vendor_text == "*** with *** and ***"


# Opening from afar.


def test_an_opening_that_does_not_end_is_unknown_in_time(stand: SeamStand) -> None:
    stand.server.act(stand.lock, "unlock-never-ends", on=True)
    started = time.monotonic()
    outcome = drive(stand.open, lambda driver: driver.unlock(stand.lock))
    assert outcome.result is Result.UNKNOWN
    assert outcome.reference
    assert time.monotonic() - started < TIMEOUT_S + 0.5


def test_an_opening_of_an_offline_lock_fails_with_the_reason(stand: SeamStand) -> None:
    stand.offline(stand.lock)
    outcome = drive(stand.open, lambda driver: driver.unlock(stand.lock))
    assert error_of(outcome).cause is Cause.LOCK_UNREACHABLE


# What an account knows.


def test_discovery_tells_what_each_lock_demands(stand: SeamStand) -> None:
    stand.server.add_device(
        "strict",
        name="Suite",
        brand="smartthings",
        code_lengths=[6, 7],
        max_codes=30,
        constraints=["no_zeros", "no_all_same_digits"],
    )
    stand.server.add_device("draws", constraints=["cannot_specify_pin_code"])
    locks = {each.external_id: each for each in drive(stand.open, lambda d: d.discover())}
    strict = locks["strict"]
    assert (strict.name, strict.native_window) == ("Suite", False)
    assert (strict.code_min, strict.code_max, strict.max_codes) == (6, 7, 30)
    assert strict.code_rules == ("no_zeros", "no_all_same_digits")
    assert locks[stand.lock].native_window
    assert locks["draws"].kinds == ()


def test_health_tells_the_battery(stand: SeamStand) -> None:
    stand.server.act(stand.lock, "battery", percent=12)
    assert drive(stand.open, lambda driver: driver.health(stand.lock)).battery == 12
    [event] = [each for each in all_events(stand) if each.type is EventType.BATTERY_LOW]
    assert event.battery == 12


def test_signing_in_asks_the_vendor_and_keeps_key_and_secret(stand: SeamStand) -> None:
    typed = {"api_key": KEY, "webhook_secret": SECRET}
    token = asyncio.run(seam.sign_in(stand.server.url, typed))
    assert json.loads(str(token)) == typed

    async def works() -> int:
        driver = open_driver("seam", base_url=stand.server.url, token=str(token))
        found = await driver.discover()
        await driver.close()
        return len(found)

    assert asyncio.run(works()) == 1
    refused = asyncio.run(seam.sign_in(stand.server.url, {"api_key": "seam_wrong_key"}))
    assert isinstance(refused, LockError)
    assert refused.cause is Cause.AUTH


# Events.


def test_what_the_cloud_finished_is_a_reason_to_read_the_lock(stand: SeamStand) -> None:
    [outcome] = put(stand, grant())
    settled = [each for each in all_events(stand) if each.type is EventType.SETTLED]
    assert [each.address for each in settled] == [outcome.address]
    assert [each.vendor_type for each in settled] == ["access_code.set_on_device"]


def test_what_is_set_back_after_a_change_at_the_keypad_is_told(stand: SeamStand) -> None:
    put(stand, grant())
    stand.server.act(stand.lock, "keypad-change", name="c1", code=OTHER_CODE)
    wait_until(lambda: EventType.CHANGED_AT_LOCK in {each.type for each in all_events(stand)})
    wait_until(lambda: stand.held(stand.lock) == {"c1": CODE})


def test_many_events_are_read_in_pieces_and_none_twice(
    stand: SeamStand, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(40):
        stand.type_code(stand.lock, f"7{number:02}428")
    whole = [each.event_id for each in all_events(stand)]
    monkeypatch.setattr(seam, "EVENTS_PER_CALL", 7)
    pieces = [each.event_id for each in all_events(stand)]
    assert pieces == whole
    assert len(set(whole)) == 40


def test_an_event_of_an_offline_time_is_not_missed_by_the_cursor(stand: SeamStand) -> None:
    put(stand, grant())
    stand.offline(stand.lock)
    stand.type_code(stand.lock, CODE)
    cursor = drive(stand.open, lambda driver: driver.events("")).cursor
    stand.online(stand.lock)
    later = drive(stand.open, lambda driver: driver.events(cursor))
    assert EventType.UNLOCKED in {each.type for each in later.events}


# Webhooks.


@pytest.fixture
def listener() -> Iterator[Listener]:
    found = Listener()
    yield found
    found.close()


def receiver(stand: SeamStand, secret: str) -> Receives:
    async def work() -> Receives:
        driver = seam.SeamDriver(
            base_url=stand.server.url, api_key=KEY, webhook_secret=secret, timeout_s=1
        )
        await driver.close()
        return driver

    found = asyncio.run(work())
    assert isinstance(found, Receives)
    return found


def test_a_webhook_tells_the_same_event_as_the_feed(stand: SeamStand, listener: Listener) -> None:
    hook = stand.server.api("POST", "/webhooks/create", url=listener.url)["webhook"]
    stand.server.post("webhooks", repeat=1)
    stand.type_code(stand.lock, CODE)
    wait_until(lambda: len(listener.calls) == 2)
    driver = receiver(stand, hook["secret"])
    told = [driver.receive(headers=h, body=b) for h, b in listener.calls]
    assert [[event] for event in all_events(stand)] == [list(told[0].events)]
    assert told[0] == told[1]
    assert not told[0].ask


def signed(body: bytes, *, at: float | None = None, secret: str = SECRET) -> dict[str, str]:
    moment = datetime.fromtimestamp(time.time() if at is None else at, UTC)
    return {
        "svix-id": "msg_1",
        "svix-timestamp": str(int(moment.timestamp())),
        "svix-signature": Webhook(secret).sign("msg_1", moment, body.decode()),
    }


BODY = json.dumps(
    {
        "event_id": "e1",
        "event_type": "access_code.failed_to_set_on_device",
        "workspace_id": "w",
        "created_at": "2026-01-01T00:00:00.000Z",
        "occurred_at": "2026-01-01T00:00:00.000Z",
        "device_id": "d1",
        "access_code_id": "a1",
    }
).encode()


def test_a_call_signed_by_the_vendors_library_is_genuine(stand: SeamStand) -> None:
    driver = receiver(stand, SECRET)
    [event] = driver.receive(headers=signed(BODY), body=BODY).events
    assert (event.type, event.lock_ref, event.address) == (EventType.SETTLED, "d1", "a1")
    two = signed(BODY)
    two["svix-signature"] = "v1,bm90IHRoaXM= " + two["svix-signature"]
    assert driver.receive(headers=two, body=BODY).events == (event,)


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ({}, BODY),
        (signed(BODY), BODY + b" "),
        (signed(BODY, at=time.time() - 301), BODY),
        (signed(BODY, at=time.time() + 3600), BODY),
        (signed(BODY, secret="whsec_b3RoZXJzZWNyZXRvdGhlcnNlY3JldA=="), BODY),
        ({**signed(BODY), "svix-id": "msg_2"}, BODY),
        ({**signed(BODY), "svix-timestamp": "now"}, BODY),
        ({**signed(BODY), "svix-signature": "v1"}, BODY),
        ({**signed(BODY), "svix-signature": "v1,é"}, BODY),
    ],
)
def test_any_other_call_is_not_genuine(
    stand: SeamStand, headers: dict[str, str], body: bytes
) -> None:
    with pytest.raises(NotGenuine):
        receiver(stand, SECRET).receive(headers=headers, body=body)


def test_without_a_secret_no_call_is_genuine(stand: SeamStand) -> None:
    with pytest.raises(NotGenuine):
        receiver(stand, "").receive(headers=signed(BODY), body=BODY)


@pytest.mark.parametrize(
    "body", [b"{", b"[]", b"{}", b'{"event_type":"lock.locked","device_id":1}']
)
def test_a_genuine_call_that_cannot_be_read_asks_for_the_feed(
    stand: SeamStand, body: bytes
) -> None:
    heard = receiver(stand, SECRET).receive(headers=signed(body), body=body)
    assert (heard.events, heard.ask) == ((), True)


# An answer of an older or newer vendor.


@pytest.mark.parametrize(
    ("status", "scheduled", "held"),
    [
        ("set", False, True),
        ("unset", True, True),
        ("unset", False, False),
        ("setting", False, False),
        ("removing", False, False),
        ("unknown", False, False),
    ],
)
def test_without_mutations_the_old_status_decides(status: str, scheduled: bool, held: bool) -> None:
    doc = {"access_code_id": "a1", "name": "c1", "code": CODE, "status": status, "errors": []}
    doc["is_scheduled_on_device"] = scheduled
    there, is_open, problem = seam_book.judge(doc)
    assert (isinstance(there, Held), is_open, problem) == (held, not held, None)


def test_an_error_that_nobody_knows_yet_does_not_take_a_code_off_the_lock() -> None:
    doc = {"access_code_id": "a1", "name": "c1", "code": CODE, "pending_mutations": []}
    doc["errors"] = [{"error_code": "something_new", "message": "?"}]
    assert isinstance(seam_book.judge(doc)[0], Held)


# The vendor's own client judges the simulator.


def test_the_official_client_can_work_with_the_simulator(
    stand: SeamStand, listener: Listener
) -> None:
    client = Seam(api_key=KEY, endpoint=stand.server.url, wait_for_action_attempt=True)
    assert [each.device_id for each in client.devices.list()] == [stand.lock]
    assert client.locks.get(device_id=stand.lock).properties.online is True
    hook = client.webhooks.create(url=listener.url, event_types=["*"])
    start = datetime.now(UTC)
    made = client.access_codes.create(
        device_id=stand.lock,
        name="K-1001/1",
        code="4821",
        starts_at=start.isoformat(),
        ends_at=(start + timedelta(days=2)).isoformat(),
    )
    assert [each.mutation_code for each in made.pending_mutations] == ["creating"]
    id_ = made.access_code_id
    wait_until(lambda: not client.access_codes.get(access_code_id=id_).pending_mutations)
    client.access_codes.update(access_code_id=id_, code="5932")
    wait_until(lambda: stand.held(stand.lock) == {"K-1001/1": "5932"})
    [listed] = client.access_codes.list(device_id=stand.lock)
    assert (listed.code, listed.errors) == ("5932", [])
    opened = client.locks.unlock_door(device_id=stand.lock)
    assert opened.status == "success"
    client.access_codes.delete(access_code_id=id_)
    wait_until(lambda: stand.held(stand.lock) == {})
    assert client.access_codes.list(device_id=stand.lock) == []
    types = [each.event_type for each in client.events.list(since=start.isoformat())]
    assert "access_code.deleted" in types
    wait_until(lambda: len(listener.calls) == len(types))
    verified = [SeamWebhook(hook.secret).verify(b.decode(), h) for h, b in listener.calls]
    assert sorted(each.event_type for each in verified) == sorted(types)
    headers, body = listener.calls[0]
    with pytest.raises(WebhookVerificationError):
        SeamWebhook(hook.secret).verify(body.decode() + " ", headers)


def test_the_official_client_understands_its_refusals(stand: SeamStand) -> None:
    client = Seam(api_key=KEY, endpoint=stand.server.url)
    client.access_codes.create(device_id=stand.lock, name="a", code="4821")
    with pytest.raises(SeamHttpApiError) as refused:
        client.access_codes.create(device_id=stand.lock, name="b", code="4821")
    assert (refused.value.code, refused.value.status_code) == ("duplicate_access_code", 409)
    with pytest.raises(SeamHttpUnauthorizedError):
        Seam(api_key="seam_wrong_key", endpoint=stand.server.url).devices.list()
    with pytest.raises(SeamRefused):
        stand.server.code("gone")
