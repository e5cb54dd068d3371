"""The driver of TTLock: the contract of all drivers, and what is this vendor's own."""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, ClassVar

import pytest

from locks.drivers import (
    Cause,
    EventType,
    Kind,
    LockError,
    NotGenuine,
    Place,
    Proof,
    Result,
    Retry,
    Scope,
)
from locks.drivers.ttlock import VENDOR, TTLockDriver
from locks.drivers.ttlock_answers import event_id, millis
from locks.drivers.ttlock_cloud import now_s
from locks.vendors import open_driver
from tests.locks.contract import (
    CODE,
    OTHER_CODE,
    THIRD_CODE,
    DriverContract,
    all_events,
    drive,
    error_of,
    grant,
    observe,
    place,
    put,
    remove,
)
from tests.locks.ttlock_server import (
    CLIENT_ID,
    CLIENT_SECRET,
    PASSWORD,
    USERNAME,
    start_ttlock,
)
from tests.ports import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

    from locks.drivers import Driver
    from tests.locks.ttlock_server import TTLockServer

TIMEOUT_S = 0.6
GUEST, CARD = "hoga_guest1", "1723612378"
numbers = itertools.count(1)


@pytest.fixture(scope="module")
def ttlock() -> Iterator[TTLockServer]:
    with start_ttlock() as server:
        yield server


class TTLockStand:
    """The simulated TTLock as a stand: a lock behind a gateway of its own."""

    slots: ClassVar[dict[str, str]] = {}
    no_lock = "99"

    def __init__(self, server: TTLockServer) -> None:
        self.server = server
        self.gateway = next(numbers)
        self.lock = server.add_lock(alias="Room 204", gateway=self.gateway)
        self.token = server.token()

    def can(self, trouble: str) -> bool:
        return hasattr(self, trouble)

    def tells(self, kind: EventType) -> bool:
        """A lock's records tell what happened at its door; going, coming and clocks are told by nobody at once."""
        return kind not in {EventType.OFFLINE, EventType.ONLINE, EventType.CLOCK_WRONG}

    def _open(self, url: str, token: str) -> Driver:
        return TTLockDriver(base_url=url, token=token, timeout_s=TIMEOUT_S)

    def open(self) -> Driver:
        return self._open(self.server.url, self.token)

    def open_with_wrong_token(self) -> Driver:
        return self._open(self.server.url, self.server.token(access="0" * 32))

    def open_without_vendor(self) -> Driver:
        return self._open(f"http://127.0.0.1:{free_port()}", self.token)

    def held(self, lock: str) -> dict[str, str]:
        memory = self.server.memory(lock)
        return {name.removeprefix("Portal "): value for name, value in memory.items()}

    def offline(self, lock: str) -> None:
        self.server.act(lock, "offline")

    def online(self, lock: str) -> None:
        self.server.act(lock, "online")

    def lose_answer(self, lock: str) -> None:
        self.server.act(lock, "lose-answer")

    def lose_request(self, lock: str) -> None:
        self.server.act(lock, "lose-request")

    def land_late(self, lock: str, *, after_s: float) -> None:
        self.server.act(lock, "land-late", land_after_s=after_s)

    def busy(self, lock: str) -> None:
        self.server.act(lock, "busy")

    def refuse(self, lock: str) -> None:
        self.server.act(lock, "refuse")

    def fill(self, lock: str) -> None:
        self.server.act(lock, "capacity", max_codes=len(self.server.memory(lock)))

    def garbage(self, lock: str) -> None:
        self.server.act(lock, "garbage")

    def server_error(self, lock: str) -> None:
        self.server.act(lock, "server-error")

    def type_code(self, lock: str, code: str) -> None:
        self.server.try_door(lock, code)

    def add_at_lock(self, lock: str, code: str) -> None:
        """With the vendor's app, beside the lock: the app tells the cloud."""
        self.server.act(lock, "app-add", value=code)

    def wrong_clock(self, lock: str, offset_s: float) -> None:
        self.server.act(lock, "clock", drift_s=offset_s)


@pytest.fixture
def stand(ttlock: TTLockServer) -> TTLockStand:
    ttlock.post("reset")
    return TTLockStand(ttlock)


class TestTTLockDriver(DriverContract):
    """The contract of all drivers. What is changed at the keypad never gets into the cloud's book: see the records below."""

    cannot = frozenset({"change_at_lock"})


def in_vendors_time(stand: TTLockStand) -> Driver:
    """A driver whose clock goes with the simulator's."""
    shift = stand.server.now_s() - now_s()
    return TTLockDriver(
        base_url=stand.server.url,
        token=stand.token,
        timeout_s=TIMEOUT_S,
        clock=lambda: now_s() + shift,
    )


# Door Codes.


def test_a_code_is_written_through_the_gateway_and_not_only_into_the_book(
    stand: TTLockStand,
) -> None:
    """TTLock documents, cloud/passcode/add: without addType=2 the cloud records a code that opens nothing."""
    [outcome] = put(stand, grant())
    assert stand.server.try_door(stand.lock, CODE)
    assert outcome.address == str(stand.server.book(stand.lock)["Portal c1"]["id"])


def test_a_change_sends_both_ends_of_the_window(stand: TTLockStand) -> None:
    """TTLock documents, cloud/passcode/update: one of the two alone has no effect, and succeeds."""
    first = grant()
    [outcome] = put(stand, first)
    longer = replace(first, ends_at=first.ends_at + timedelta(hours=20), address=outcome.address)
    [again] = put(stand, longer)
    assert (again.result, again.address) == (Result.CONFIRMED, outcome.address)
    [held] = observe(stand).held or ()
    assert (held.starts_at, held.ends_at) == (first.starts_at, longer.ends_at)
    assert "keyboardPwd/change" in stand.server.calls()
    [truth] = stand.server.lock(stand.lock)["memory"]
    assert 0 <= millis(longer.ends_at) - truth["end_ms"] < 60_000


def test_the_same_code_of_our_own_earlier_success_is_success(stand: TTLockStand) -> None:
    """TTLock documents, cloud/passcode/add: add is not idempotent; -3007 may be about our own code."""
    wanted = grant()

    async def race(driver: Driver) -> list[Result]:
        stand.server.act(stand.lock, "land-late", land_after_s=2.2)
        first = await driver.put(stand.lock, [wanted])
        stand.server.act(stand.lock, "slow", slow_ms=800)
        await asyncio.sleep(0.2)
        # The book is still empty when this is looked up, and holds our code when it is added.
        second = await driver.put(stand.lock, [wanted])
        return [first[0].result, second[0].result]

    def patient() -> Driver:
        return TTLockDriver(base_url=stand.server.url, token=stand.token, timeout_s=1.5)

    assert drive(patient, race) == [Result.UNKNOWN, Result.CONFIRMED]
    assert -3007 in [entry["answer"] for entry in stand.server.get("figures")["requests"]]
    assert stand.held(stand.lock) == {"c1": CODE}


def test_a_second_code_under_our_name_is_taken_off_when_one_is_written(stand: TTLockStand) -> None:
    put(stand, grant())
    stand.server.ask(
        "keyboardPwd/add",
        lockId=stand.lock,
        keyboardPwd=OTHER_CODE,
        keyboardPwdName="Portal c1",
        startDate=millis(grant().starts_at),
        endDate=millis(grant().ends_at),
        addType=2,
    )
    assert len(stand.server.lock(stand.lock)["memory"]) == 2
    assert put(stand, grant(secret=THIRD_CODE))[0].result is Result.CONFIRMED
    assert [row["value"] for row in stand.server.lock(stand.lock)["memory"]] == [THIRD_CODE]


def test_a_code_that_was_deleted_at_the_keypad_is_written_anew(stand: TTLockStand) -> None:
    """The list is the cloud's book; what happens at the keypad is in the records only."""
    put(stand, grant())
    stand.server.act(stand.lock, "keypad-delete", value=CODE)
    assert stand.held(stand.lock) == {}
    assert [each.handle for each in observe(stand).held or ()] == ["c1"]
    assert EventType.CHANGED_AT_LOCK in {event.type for event in all_events(stand)}
    assert put(stand, grant())[0].result is Result.CONFIRMED
    assert stand.held(stand.lock) == {"c1": CODE}


def test_a_removal_finds_the_code_under_another_id_than_the_one_that_is_known(
    stand: TTLockStand,
) -> None:
    put(stand, grant())
    stale = Place(handle="c1", kind=Kind.DOOR_CODE, address="1")
    assert remove(stand, stale)[0].result is Result.CONFIRMED
    assert stand.held(stand.lock) == {}


@pytest.mark.parametrize("code", ["55555", "123456", "987654", "123", "1234567890"])
def test_codes_that_the_vendor_does_not_take_are_invalid(stand: TTLockStand, code: str) -> None:
    """TTLock documents, en/cloud/errorCode: -2032 too simple, -3006 not 4 to 9 digits."""
    assert error_of(put(stand, grant(secret=code))[0]).cause is Cause.INVALID_CODE
    assert stand.held(stand.lock) == {}


def test_a_book_of_more_than_one_page_is_read_to_its_end(stand: TTLockStand) -> None:
    """TTLock documents, cloud/passcode/list: 200 rows a page at most; a lock holds 250."""
    start, end = millis(grant().starts_at), millis(grant().ends_at)
    params = {"lockId": stand.lock, "startDate": start, "endDate": end, "addType": 1}
    params["accessToken"] = json.loads(stand.token)["access"]
    for number in range(201):
        stand.server.ask("keyboardPwd/add", keyboardPwd=f"4{number:03d}71", **params)
    put(stand, grant())
    observation = observe(stand)
    assert len(observation.held or ()) == 202
    assert put(stand, grant(secret=OTHER_CODE))[0].result is Result.CONFIRMED
    assert stand.held(stand.lock) == {"c1": OTHER_CODE}


# SmartKeys and cards.


def ekey(handle: str = "s1", receiver: str = GUEST):
    return grant(handle, receiver, kind=Kind.SMARTKEY)


def test_a_smartkey_is_an_ekey_of_its_receiver_and_proven_by_the_cloud_only(
    stand: TTLockStand,
) -> None:
    stand.server.post("receivers", username=GUEST)
    stand.offline(stand.lock)
    [outcome] = put(stand, ekey())
    assert (outcome.result, outcome.proof) == (Result.CONFIRMED, Proof.ACCEPTED)
    [held] = observe(stand).held or ()
    assert (held.handle, held.kind, held.secret) == ("s1", Kind.SMARTKEY, GUEST)
    assert put(stand, ekey())[0].address == outcome.address
    assert remove(stand, place("s1", kind=Kind.SMARTKEY))[0].result is Result.CONFIRMED
    assert observe(stand).held == ()


def test_a_receiver_who_has_no_account_or_no_name_is_said_so(stand: TTLockStand) -> None:
    """TTLock documents, en/cloud/errorCode: -4064. No account is made: its password could be guessed."""
    error = error_of(put(stand, ekey())[0])
    assert (error.cause, error.retry) == (Cause.NO_SUCH_USER, Retry.AFTER_CHANGE)
    error = error_of(put(stand, ekey(receiver=""))[0])
    assert (error.cause, error.retry) == (Cause.NO_USER_NAME, Retry.SOON)


def test_a_second_key_of_one_receiver_does_not_take_the_place_of_the_first(
    stand: TTLockStand,
) -> None:
    """TTLock documents, en/cloud/ekey/send: one eKey per user and lock, a new one deletes the old."""
    stand.server.post("receivers", username=GUEST)
    put(stand, ekey("s1"))
    assert error_of(put(stand, ekey("s2"))[0]).cause is Cause.DUPLICATE_CODE
    assert [each.handle for each in observe(stand).held or ()] == ["s1"]


def test_a_smartkey_for_another_receiver_replaces_the_old_one(stand: TTLockStand) -> None:
    for name in (GUEST, "hoga_guest2"):
        stand.server.post("receivers", username=name)
    put(stand, ekey())
    assert put(stand, ekey(receiver="hoga_guest2"))[0].result is Result.CONFIRMED
    assert [each.secret for each in observe(stand).held or ()] == ["hoga_guest2"]


def test_a_keycard_is_written_to_the_lock_with_its_number_as_it_is(stand: TTLockStand) -> None:
    """TTLock documents, cloud/card/add: the other call would store the bytes the other way round."""
    card = grant("k1", CARD, kind=Kind.KEYCARD)
    assert put(stand, card)[0].result is Result.CONFIRMED
    assert put(stand, replace(card, ends_at=card.ends_at + timedelta(days=1)))[0].error is None
    assert stand.server.memory(stand.lock, "card") == {"Portal k1": CARD}
    assert stand.server.try_door(stand.lock, CARD, kind="card")
    [used] = [each for each in all_events(stand) if each.type is EventType.UNLOCKED]
    assert (used.kind, used.handle) == (Kind.KEYCARD, "k1")
    assert remove(stand, place("k1", kind=Kind.KEYCARD))[0].result is Result.CONFIRMED
    assert stand.server.memory(stand.lock, "card") == {}


# Refusals.


@pytest.mark.parametrize(
    ("errcode", "cause", "retry", "scope"),
    [
        (-2012, Cause.LOCK_UNREACHABLE, Retry.WHEN_ONLINE, Scope.LOCK),
        (-3002, Cause.GATEWAY_UNREACHABLE, Retry.WHEN_ONLINE, Scope.GATEWAY),
        (-3036, Cause.LOCK_UNREACHABLE, Retry.WHEN_ONLINE, Scope.LOCK),
        (-3035, Cause.LOCK_UNREACHABLE, Retry.WHEN_ONLINE, Scope.LOCK),
        (-3003, Cause.BUSY, Retry.SOON, Scope.GATEWAY),
        (-3037, Cause.BUSY, Retry.SOON, Scope.LOCK),
        (-3009, Cause.NO_SPACE, Retry.AFTER_CHANGE, Scope.LOCK),
        (-4056, Cause.NO_SPACE, Retry.AFTER_CHANGE, Scope.LOCK),
        (-1003, Cause.LOCK_REMOVED, Retry.NEVER, Scope.LOCK),
        (-2018, Cause.AUTH, Retry.NEVER, Scope.LOCK),
        (20002, Cause.AUTH, Retry.NEVER, Scope.LOCK),
        (-2025, Cause.LOCK_FROZEN, Retry.AFTER_CHANGE, Scope.LOCK),
        (-4043, Cause.UNSUPPORTED, Retry.NEVER, Scope.CREDENTIAL),
        (10003, Cause.AUTH, Retry.NEVER, Scope.ACCOUNT),
        (30006, Cause.RATE_LIMITED, Retry.SOON, Scope.ACCOUNT),
        (80000, Cause.CLOCK_SKEW, Retry.SOON, Scope.ACCOUNT),
        (-3, Cause.BAD_REQUEST, Retry.NEVER, Scope.CREDENTIAL),
        (1, Cause.REJECTED, Retry.SOON, Scope.CREDENTIAL),
    ],
)
def test_what_each_errcode_means(
    stand: TTLockStand, errcode: int, cause: Cause, retry: Retry, scope: Scope
) -> None:
    """TTLock documents, en/cloud/errorCode; the status is 200 each time."""
    stand.server.act(stand.lock, "errcode", errcode=errcode)
    error = error_of(put(stand, grant())[0])
    assert (error.cause, error.retry, error.scope) == (cause, retry, scope)
    assert error.vendor_code == str(errcode)


@pytest.mark.parametrize("errcode", [90000, -77777])
def test_an_errcode_that_says_nothing_of_the_lock_leaves_the_outcome_unknown(
    stand: TTLockStand, errcode: int
) -> None:
    stand.server.act(stand.lock, "errcode", errcode=errcode)
    assert put(stand, grant())[0].result is Result.UNKNOWN


def test_a_gateway_without_power_is_named_although_the_cloud_has_not_noticed(
    stand: TTLockStand,
) -> None:
    """TTLock documents, en/cloud/gateway/listByLock: the pairing is cached for 30 minutes."""
    stand.server.post(f"gateways/{stand.gateway}/offline")
    health = drive(stand.open, lambda driver: driver.health(stand.lock))
    assert (health.online, health.gateway_online, health.error) == (False, False, None)
    assert error_of(put(stand, grant())[0]).scope is Scope.GATEWAY


def test_two_locks_of_one_gateway_are_not_written_at_once(stand: TTLockStand) -> None:
    """One command in flight per gateway; the second one is told that it is busy."""
    other = stand.server.add_lock(alias="Room 205", gateway=stand.gateway)
    stand.server.act(stand.lock, "slow", slow_ms=200)

    async def both(driver: Driver) -> list[Result]:
        writes = [driver.put(lock, [grant()]) for lock in (stand.lock, other)]
        return [outcomes[0].result for outcomes in await asyncio.gather(*writes)]

    assert sorted(drive(stand.open, both)) == [Result.CONFIRMED, Result.FAILED]


def test_a_clock_of_ours_that_is_six_minutes_off_is_said_in_these_words(
    stand: TTLockStand,
) -> None:
    """TTLock documents, en/cloud/errorCode: 80000, a margin of five minutes."""
    stand.server.post("clock", shift_s=360)
    token = stand.server.token()
    [outcome] = drive(
        lambda: TTLockDriver(base_url=stand.server.url, token=token, timeout_s=TIMEOUT_S),
        lambda driver: driver.put(stand.lock, [grant()]),
    )
    assert error_of(outcome).cause is Cause.CLOCK_SKEW


def test_a_quota_of_calls_is_a_limit_of_the_account(stand: TTLockStand) -> None:
    stand.server.post("cloud", monthly_quota=0)
    error = error_of(put(stand, grant())[0])
    assert (error.cause, error.scope, error.vendor_code) == (
        Cause.RATE_LIMITED,
        Scope.ACCOUNT,
        "30007",
    )


@pytest.mark.parametrize("outage", ["error", "drop", "hang"])
def test_a_cloud_that_is_down_leaves_writes_unknown_and_events_unread(
    stand: TTLockStand, outage: str
) -> None:
    stand.server.post("cloud", outage=outage)
    assert put(stand, grant())[0].result is Result.UNKNOWN
    page = drive(stand.open, lambda driver: driver.events("{}"))
    assert (page.events, page.cursor, page.more) == ((), "{}", False)
    assert page.error is not None


def test_remote_opening_that_is_switched_off_is_unsupported(stand: TTLockStand) -> None:
    """TTLock documents, en/cloud/gateway/unlock: -4043."""
    stand.server.act(stand.lock, "remote-unlock")
    outcome = drive(stand.open, lambda driver: driver.unlock(stand.lock))
    assert error_of(outcome).cause is Cause.UNSUPPORTED


# Health and discovery.


def test_health_has_battery_clock_and_the_offset_that_the_lock_was_told(
    stand: TTLockStand,
) -> None:
    """TTLock documents, en/cloud/gateway/adjustLockDatetime: the offset knows no daylight saving."""
    lock = stand.server.add_lock(gateway=stand.gateway, raw_offset_s=7200, battery=37)
    health = drive(stand.open, lambda driver: driver.health(lock))
    assert (health.online, health.battery, health.utc_offset_s) == (True, 37, 7200)
    assert (health.clock_offset_s, health.gateway_online) == (0, True)
    stand.server.act(lock, "wall-offset", wall_offset_s=3600)
    health = drive(stand.open, lambda driver: driver.health(lock))
    assert health.clock_offset_s == -3600


def test_a_wifi_lock_has_no_gateway(stand: TTLockStand) -> None:
    lock = stand.server.add_lock(wifi=True)
    health = drive(stand.open, lambda driver: driver.health(lock))
    assert (health.online, health.gateway_online) == (True, None)
    stand.server.act(lock, "power-saving")
    assert not drive(stand.open, lambda driver: driver.health(lock)).online


def test_discovery_knows_gateways_and_what_a_lock_takes(stand: TTLockStand) -> None:
    old = stand.server.add_lock(alias="Cellar", name="S2_0af3", passcode_version=3)
    found = {each.external_id: each for each in drive(stand.open, lambda d: d.discover())}
    assert (found[stand.lock].name, found[stand.lock].gateway) == ("Room 204", str(stand.gateway))
    assert found[stand.lock].kinds == (Kind.DOOR_CODE, Kind.SMARTKEY, Kind.KEYCARD)
    assert (found[old].model, found[old].gateway) == ("S2", "")
    assert Kind.DOOR_CODE not in found[old].kinds


# Events.


def test_records_are_told_in_our_words_and_ours_are_known_by_their_name(
    stand: TTLockStand,
) -> None:
    put(stand, grant())
    stand.type_code(stand.lock, CODE)
    stand.server.act(stand.lock, "keypad-change", old=CODE, value=OTHER_CODE)
    drive(stand.open, lambda driver: driver.unlock(stand.lock))
    told = [(each.type, each.reason, each.handle) for each in all_events(stand)]
    assert told == [
        (EventType.UNLOCKED, "", "c1"),
        (EventType.CHANGED_AT_LOCK, "code_changed", ""),
        (EventType.UNLOCKED, "remote", ""),
    ]


def test_a_code_outside_its_window_is_denied_by_the_locks_own_clock(stand: TTLockStand) -> None:
    put(stand, grant())
    stand.wrong_clock(stand.lock, -7200)
    assert not stand.server.try_door(stand.lock, CODE)
    [denied] = all_events(stand)
    assert (denied.type, denied.reason) == (EventType.DENIED, "outside_window")
    assert datetime.now(UTC) - denied.happened_at > timedelta(hours=1, minutes=59)


def test_five_wrong_codes_lock_the_keypad(stand: TTLockStand) -> None:
    for number in range(5):
        stand.type_code(stand.lock, f"70{number}428")
    types = [each.type for each in all_events(stand)]
    assert types == [*[EventType.DENIED] * 5, EventType.LOCKED_OUT]


def test_a_round_over_many_locks_takes_several_pages_and_tells_each_event_once(
    stand: TTLockStand,
) -> None:
    locks = [stand.server.add_lock(gateway=stand.gateway) for _ in range(19)]
    for lock in locks:
        stand.server.try_door(lock, CODE)

    async def read(driver: Driver) -> tuple[list[str], int]:
        found, cursor, more, pages = [], "", True, 0
        while more:
            page = await driver.events(cursor)
            found += [each.lock_ref for each in page.events]
            cursor, more, pages = page.cursor, page.more, pages + 1
        again = await driver.events(cursor)
        return found + [each.lock_ref for each in again.events], pages

    found, pages = drive(stand.open, read)
    assert sorted(found) == sorted(locks)
    assert pages == 3


def test_a_gateway_that_went_is_told_when_the_cloud_notices(stand: TTLockStand) -> None:
    """TTLock documents, en/cloud/gateway/gatewayNotify: 30 minutes late."""

    def news(cursor: str):
        return drive(lambda: in_vendors_time(stand), lambda driver: driver.events(cursor))

    first = news("")
    stand.server.post(f"gateways/{stand.gateway}/offline")
    early = news(first.cursor)
    stand.server.post("clock", advance_s=31 * 60)
    late = news(early.cursor)
    stand.server.post(f"gateways/{stand.gateway}/online")
    back = news(late.cursor)
    assert (first.events, early.events) == ((), ())
    assert [(e.type, e.lock_ref) for e in late.events] == [(EventType.OFFLINE, stand.lock)]
    assert [(e.type, e.reason) for e in back.events] == [(EventType.ONLINE, "gateway")]


def test_a_low_battery_is_told_once(stand: TTLockStand) -> None:
    stand.server.act(stand.lock, "battery", battery=15)
    first = drive(stand.open, lambda driver: driver.events(""))
    assert [(e.type, e.battery) for e in first.events] == [(EventType.BATTERY_LOW, 15)]
    assert drive(stand.open, lambda driver: driver.events(first.cursor)).events == ()


def test_a_record_has_the_same_id_by_poll_and_by_callback(stand: TTLockStand) -> None:
    """TTLock documents, cloud/lockRecord/notify: a record of a callback has no recordId."""
    stand.server.post("cloud", callback_url="http://127.0.0.1:9/nobody")
    stand.type_code(stand.lock, CODE)
    [polled] = all_events(stand)
    callbacks = stand.server.get("figures")["callbacks"]
    [record] = json.loads(callbacks[-1]["form"]["records"])
    assert "recordId" not in record
    assert event_id(record, key=CLIENT_SECRET) == polled.event_id
    assert event_id(record | {"keyboardPwd": OTHER_CODE}, key=CLIENT_SECRET) != polled.event_id


def received(body: bytes):
    async def work():
        driver = open_driver("ttlock", base_url="http://127.0.0.1:1", token="{}")
        try:
            return driver.receive(headers={}, body=body)
        finally:
            await driver.close()

    return asyncio.run(work())


def test_a_callback_is_unsigned_and_only_says_that_there_is_news() -> None:
    """TTLock documents, cloud/lockRecord/notify: it is answered with the word success."""
    heard = received(b"notifyType=1&lockId=5&records=%5B%7B%22recordType%22%3A4%7D%5D")
    assert (heard.events, heard.ask, heard.answer) == ((), True, "success")
    assert received(b"notifyType=2&gatewayId=7&isOnline=0").ask


@pytest.mark.parametrize("body", [b"", b"hello", b"\xff\xfe", b'{"notifyType": 1}', b"lockId=5"])
def test_what_is_no_callback_is_not_genuine(body: bytes) -> None:
    with pytest.raises(NotGenuine):
        received(body)


# The account.


def fields(**instead: str) -> dict[str, str]:
    told = {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}
    return told | {"username": USERNAME, "password": PASSWORD} | instead


@pytest.mark.parametrize("password", [PASSWORD, hashlib.md5(PASSWORD.encode()).hexdigest()])
def test_signing_in_gives_a_token_that_works(stand: TTLockStand, password: str) -> None:
    """TTLock documents, cloud/oauth2/getAccessToken; the TTHotel app exports the ready MD5 value."""
    token = asyncio.run(VENDOR.sign_in(stand.server.url, fields(password=password)))
    assert isinstance(token, str)
    assert PASSWORD not in token
    stand.token = token
    assert put(stand, grant())[0].result is Result.CONFIRMED


@pytest.mark.parametrize("wrong", [{"password": "no"}, {"client_secret": "no"}])
def test_a_wrong_password_is_no_account(stand: TTLockStand, wrong: dict[str, str]) -> None:
    error = asyncio.run(VENDOR.sign_in(stand.server.url, fields(**wrong)))
    assert isinstance(error, LockError)
    assert (error.cause, error.retry) == (Cause.AUTH, Retry.NEVER)


def test_a_token_that_ran_out_is_renewed_and_the_old_one_is_void(stand: TTLockStand) -> None:
    """TTLock documents, en/cloud/oauth2/refreshAccessToken: 10004 after 90 days."""
    stand.server.post("tokens", do="expire")
    assert error_of(put(stand, grant())[0]).vendor_code == "10004"

    async def renew(driver: Driver):
        return driver.renew_at(), await driver.renew(), await driver.renew()

    renew_at, renewed, again = drive(stand.open, renew)
    assert timedelta(days=79) < renew_at - datetime.now(UTC) < timedelta(days=81)
    assert isinstance(renewed, str)
    assert isinstance(again, LockError)
    assert (again.cause, again.vendor_code) == (Cause.AUTH, "10011")
    stand.token = renewed
    assert put(stand, grant())[0].result is Result.CONFIRMED


@pytest.mark.parametrize(
    "token", ["", "{}", "null", "[1]", '{"access": 5}', '{"expires": "x"}', "no"]
)
def test_an_account_without_a_token_answers_and_does_not_raise(token: str) -> None:
    async def work() -> LockError:
        driver = open_driver("ttlock", base_url="http://127.0.0.1:1", token=token)
        assert driver.renew_at() is None
        [outcome] = await driver.put("1", [grant()])
        await driver.close()
        return error_of(outcome)

    assert asyncio.run(work()).cause is Cause.AUTH


# Nothing that must not be seen is seen.


def test_no_token_and_no_code_is_in_an_address_or_in_an_error(stand: TTLockStand) -> None:
    outcomes = put(stand, grant("c1"), grant("c2"))
    drive(stand.open, lambda driver: driver.health(stand.lock))
    for entry in stand.server.get("figures")["requests"]:
        assert (entry["method"], entry["query"]) == ("POST", [])
    access = json.loads(stand.token)["access"]
    assert access not in repr(outcomes) + repr(stand.open_with_wrong_token)


def test_a_vendors_text_never_carries_the_code() -> None:
    body = b'{"errcode":-3007,"errmsg":"Passcode 482913 exists, token 0123456789abcdef0123"}'
    empty = b'{"list":[],"pages":1}'

    async def work() -> str:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            asked = await reader.read(4096)
            answer = body if b"keyboardPwd/add" in asked else empty
            head = f"HTTP/1.1 200 OK\r\ncontent-length: {len(answer)}\r\nconnection: close\r\n\r\n"
            writer.write(head.encode() + answer)
            await writer.drain()
            writer.close()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        token = json.dumps({"client_id": "a", "access": "b"})
        driver = TTLockDriver(base_url=url, token=token, timeout_s=TIMEOUT_S)
        [outcome] = await driver.put("1", [grant()])
        await driver.close()
        server.close()
        return error_of(outcome).vendor_text

    assert asyncio.run(work()) == "Passcode *** exists, token ***"
