"""The driver for locks behind Z-Wave JS against the real server: the contract of all drivers, and what is special there."""

from __future__ import annotations

import asyncio
import json
import time
from typing import TYPE_CHECKING, ClassVar

import pytest
from websockets.asyncio.server import serve

from locks.drivers import (
    Addressing,
    Cause,
    EventType,
    Kind,
    Listens,
    Place,
    Proof,
    Result,
    Retry,
    Scope,
)
from locks.vendors import open_driver, vendor
from tests.locks.contract import (
    CODE,
    OTHER_CODE,
    THIRD_CODE,
    DriverContract,
    at,
    drive,
    error_of,
    grant,
    observe,
    place,
    put,
    remove,
    wait_until,
)
from tests.locks.peers.zwave.peer import (
    CREDENTIALS,
    HOME_ID,
    MASKED,
    PLAIN,
    SLOTS,
    SUPERVISED,
    ZwavePeer,
)
from tests.locks.peers.zwave.stand import TIMEOUT_S, ZwaveStand, quick_driver
from tests.locks.staff import connected_by_staff

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from locks.drivers import Driver, EventPage, Observation, Outcome
    from locks.drivers.zwave import ZwaveDriver

pytestmark = pytest.mark.xdist_group("zwave")
OLD_SCHEMA = 35
WALL_SWITCH = f"{HOME_ID}-6"


@pytest.fixture
def stand_at(zwave: ZwavePeer) -> Iterator[Callable[..., ZwaveStand]]:
    """Makes stands of locks, and ends their listening."""
    stands: list[ZwaveStand] = []

    def make(lock: str, **how: int) -> ZwaveStand:
        stands.append(ZwaveStand(zwave, lock, **how))
        return stands[-1]

    yield make
    for stand in stands:
        stand.over()


@pytest.fixture
def plain(stand_at: Callable[..., ZwaveStand]) -> ZwaveStand:
    return stand_at(PLAIN)


@pytest.fixture
def supervised(stand_at: Callable[..., ZwaveStand]) -> ZwaveStand:
    return stand_at(SUPERVISED)


@pytest.fixture
def masked(stand_at: Callable[..., ZwaveStand]) -> ZwaveStand:
    return stand_at(MASKED)


@pytest.fixture
def credentials(stand_at: Callable[..., ZwaveStand]) -> ZwaveStand:
    return stand_at(CREDENTIALS)


class ZwaveContract(DriverContract):
    """The contract, without what these locks do not know: they keep no clock and no log of what happened.

    A server that is busy lets commands wait. Its words are frames of a WebSocket, so that no proxy's page can come
    in between as an answer.
    """

    cannot: ClassVar[frozenset[str]] = frozenset(
        {"busy", "garbage", "server_error", "type_code", "wrong_clock"}
    )


class TestPlainLock(ZwaveContract):
    """A lock without Supervision: it acknowledges what it got, and not what it did."""

    @pytest.fixture
    def stand(self, plain: ZwaveStand) -> ZwaveStand:
        return plain


class TestSupervisedLock(ZwaveContract):
    """A lock with Supervision, which also tells of every code that was added or deleted, whoever did it."""

    @pytest.fixture
    def stand(self, supervised: ZwaveStand) -> ZwaveStand:
        return supervised


class TestPlainLockOfAnOldServer(ZwaveContract):
    """The User Code class alone, as a server has it that knows no unified API: the lock says least here."""

    @pytest.fixture
    def stand(self, stand_at: Callable[..., ZwaveStand]) -> ZwaveStand:
        return stand_at(PLAIN, newest_schema=OLD_SCHEMA)


# How far an answer can be believed.


def test_what_a_lock_did_is_acknowledged_or_read_back(
    plain: ZwaveStand, supervised: ZwaveStand, stand_at: Callable[..., ZwaveStand]
) -> None:
    assert [put(stand, grant())[0].proof for stand in (plain, supervised)] == [
        Proof.ACKNOWLEDGED,
        Proof.ACKNOWLEDGED,
    ]
    old_plain, old_supervised = (
        stand_at(lock, newest_schema=OLD_SCHEMA) for lock in (PLAIN, SUPERVISED)
    )
    assert put(old_plain, grant())[0].proof is Proof.READ_BACK
    assert put(old_supervised, grant())[0].proof is Proof.ACKNOWLEDGED
    assert remove(old_plain, place())[0].proof is Proof.READ_BACK
    assert remove(old_supervised, place())[0].proof is Proof.ACKNOWLEDGED


def test_an_old_server_says_of_a_supervised_lock_why_as_well(
    stand_at: Callable[..., ZwaveStand],
) -> None:
    stand = stand_at(SUPERVISED, newest_schema=OLD_SCHEMA)
    put(stand, grant("c1"))
    assert error_of(put(stand, grant("c2"))[0]).cause is Cause.DUPLICATE_CODE
    stand.refuse(stand.lock)
    assert error_of(put(stand, grant("c2", OTHER_CODE))[0]).cause is Cause.REJECTED
    assert error_of(put(stand, grant("c2", "12"))[0]).cause is Cause.INVALID_CODE
    assert stand.held(stand.lock) == {"c1": CODE}


def test_a_lock_that_never_reports_is_unknown_though_the_unified_api_answers_as_if_it_were_empty(
    plain: ZwaveStand, credentials: ZwaveStand
) -> None:
    for stand in (plain, credentials):
        put(stand, grant())
        stand.peer.act(stand.lock, "mute", on=True)
        seen = drive(stand.open, lambda d, s=stand: d.observe(s.lock, [at(s, place())]))
        assert seen.held is None
        assert seen.error is not None

        async def ask(driver: ZwaveDriver, node: int = int(stand.lock[-1])) -> object:
            line = await driver._line()
            which = {"nodeId": node, "endpoint": 0, "credentialType": 1, "credentialSlot": 1}
            return await line.call("endpoint.access_control.get_credential", **which)

        assert drive(stand.open, ask) == {}
        stand.peer.act(stand.lock, "mute", on=False)
        assert [each.secret for each in observe(stand).held or ()] == [CODE]


def test_a_whole_lock_that_never_reports_is_given_up_in_time(plain: ZwaveStand) -> None:
    plain.peer.act(plain.lock, "mute", on=True)
    started = time.monotonic()
    seen = observe(plain)
    assert time.monotonic() - started < TIMEOUT_S + 1
    assert seen.held is None
    assert len(seen.unsure) == 0


def test_a_write_that_nothing_can_prove_is_unknown(plain: ZwaveStand) -> None:
    old = quick_driver(plain.peer.gate, newest_schema=OLD_SCHEMA)
    plain.peer.act(plain.lock, "mute", on=True)
    [outcome] = drive(lambda: old, lambda d: d.put(plain.lock, [at(plain, grant())]))
    assert outcome.result is Result.UNKNOWN
    assert plain.held(plain.lock) == {"c1": CODE}


def test_a_lock_that_hides_its_codes_shows_that_there_is_one(masked: ZwaveStand) -> None:
    for code in (CODE, OTHER_CODE):
        [outcome] = put(masked, grant(secret=code))
        assert (outcome.result, outcome.proof) == (Result.CONFIRMED, Proof.READ_BACK)
        assert masked.held(masked.lock) == {"c1": code}
    assert [(each.handle, each.secret) for each in observe(masked).held or ()] == [("c1", None)]
    assert remove(masked, place())[0].result is Result.CONFIRMED
    assert observe(masked).held == ()


def test_a_lock_that_hides_its_codes_still_shows_that_there_is_none(masked: ZwaveStand) -> None:
    masked.refuse(masked.lock)
    assert error_of(put(masked, grant())[0]).cause is Cause.REJECTED
    put(masked, grant())
    assert error_of(put(masked, grant("c2"))[0]).cause is Cause.DUPLICATE_CODE


def test_a_disabled_code_reads_as_nobodys_and_is_written_so_that_it_opens(
    plain: ZwaveStand,
) -> None:
    put(plain, grant())
    plain.peer.act(plain.lock, "disable", slot=1)
    assert [each.secret for each in observe(plain).held or ()] == [""]
    assert not plain.peer.act(plain.lock, "type", code=CODE)["opened"]
    assert put(plain, grant())[0].result is Result.CONFIRMED
    assert plain.peer.act(plain.lock, "type", code=CODE)["opened"]


def test_a_refusal_is_one_also_where_the_server_remembers_a_code_that_was_deleted_at_the_lock(
    supervised: ZwaveStand,
) -> None:
    put(supervised, grant("c1"), grant("c2", OTHER_CODE))
    supervised.peer.act(supervised.lock, "forget", slot=1)
    supervised.refuse(supervised.lock)
    assert error_of(put(supervised, grant("c1"))[0]).cause is Cause.REJECTED
    error = error_of(put(supervised, grant("c1", OTHER_CODE))[0])
    assert error.cause is Cause.DUPLICATE_CODE
    assert supervised.held(supervised.lock) == {"c2": OTHER_CODE}


def test_a_lock_of_the_newest_kind_is_written_though_the_server_remembers_what_is_gone(
    credentials: ZwaveStand,
) -> None:
    put(credentials, grant("c1"))
    credentials.peer.act(credentials.lock, "forget", slot=1)
    assert put(credentials, grant("c1"))[0].result is Result.CONFIRMED
    assert credentials.held(credentials.lock) == {"c1": CODE}


def test_a_lock_of_the_newest_kind_names_its_reasons(credentials: ZwaveStand) -> None:
    assert put(credentials, grant("c1"))[0].result is Result.CONFIRMED
    assert put(credentials, grant("c1", OTHER_CODE))[0].result is Result.CONFIRMED
    error = error_of(put(credentials, grant("c2", OTHER_CODE))[0])
    assert (error.cause, error.vendor_code) == (Cause.DUPLICATE_CODE, "3")
    assert error_of(put(credentials, grant("c2", "12"))[0]).cause is Cause.INVALID_CODE
    assert [(each.handle, each.secret) for each in observe(credentials).held or ()] == [
        ("c1", OTHER_CODE)
    ]
    for _ in range(2):
        assert remove(credentials, place("c1"))[0].result is Result.CONFIRMED
    assert observe(credentials).held == ()


# Dead and alive.


def test_nothing_is_sent_to_a_dead_lock_but_a_ping(plain: ZwaveStand) -> None:
    plain.offline(plain.lock)
    before = plain.peer.frames(plain.lock)
    first, second = put(plain, grant("c1"), grant("c2", OTHER_CODE))
    after = plain.peer.frames(plain.lock)
    assert error_of(first).scope is Scope.LOCK
    assert error_of(second).cause is Cause.LOCK_UNREACHABLE
    assert (after["writes"], after["others"]) == (before["writes"], before["others"] + 1)


def test_a_dead_lock_that_came_back_without_a_word_is_found_by_the_ping(plain: ZwaveStand) -> None:
    plain.offline(plain.lock)
    assert not drive(plain.open, lambda driver: driver.health(plain.lock)).online
    plain.peer.act(plain.lock, "appear")
    assert put(plain, grant())[0].result is Result.CONFIRMED
    assert [event.type for event in plain.heard()] == [EventType.OFFLINE, EventType.ONLINE]


def test_a_lock_that_is_thought_alive_and_is_not_there_is_unknown_with_a_hint(
    plain: ZwaveStand,
) -> None:
    plain.peer.act(plain.lock, "vanish")
    first, second = put(plain, grant("c1"), grant("c2", OTHER_CODE))
    assert (first.result, first.error.cause) == (Result.UNKNOWN, Cause.LOCK_UNREACHABLE)
    assert first.error.vendor_code == "ZW0204"
    assert error_of(second).vendor_code == "not_sent"
    assert plain.peer.frames(plain.lock)["writes"] == 1
    assert not drive(plain.open, lambda driver: driver.health(plain.lock)).online


def test_health_tells_the_battery(plain: ZwaveStand) -> None:
    plain.peer.act(plain.lock, "battery", level=43)
    health = drive(plain.open, lambda driver: driver.health(plain.lock))
    assert (health.online, health.battery, health.error) == (True, 43, None)


# The line.


def test_a_line_that_was_lost_is_opened_anew(plain: ZwaveStand) -> None:
    async def work(driver: Driver) -> list[Outcome]:
        first = await driver.put(plain.lock, [at(plain, grant())])
        await asyncio.to_thread(plain.peer.act, "all", "cut")
        await asyncio.sleep(0.2)
        return first + await driver.put(plain.lock, [at(plain, grant(secret=OTHER_CODE))])

    assert [each.result for each in drive(plain.open, work)] == [Result.CONFIRMED] * 2
    assert plain.held(plain.lock) == {"c1": OTHER_CODE}


def test_a_line_that_is_lost_during_a_write_leaves_it_unknown(plain: ZwaveStand) -> None:
    plain.lose_answer(plain.lock)

    async def work(driver: Driver) -> Outcome:
        writing = asyncio.create_task(driver.put(plain.lock, [at(plain, grant())]))
        await asyncio.sleep(0.15)
        await asyncio.to_thread(plain.peer.act, "all", "cut")
        return (await writing)[0]

    outcome = drive(plain.open, work)
    assert (outcome.result, outcome.error.vendor_code) == (Result.UNKNOWN, "line_lost")
    assert plain.held(plain.lock) == {"c1": CODE}


def test_calls_at_the_same_time_share_one_line(plain: ZwaveStand, supervised: ZwaveStand) -> None:
    async def work(driver: Driver) -> list[list[Outcome]]:
        stands = (plain, supervised)
        return await asyncio.gather(
            *(driver.put(stand.lock, [at(stand, grant())]) for stand in stands)
        )

    assert [each[0].result for each in drive(plain.open, work)] == [Result.CONFIRMED] * 2


def test_a_server_without_a_proxy_lets_everybody_in(plain: ZwaveStand) -> None:
    found = drive(lambda: quick_driver(plain.peer.server, token=""), lambda d: d.discover())
    assert plain.lock in {each.external_id for each in found}


@pytest.mark.parametrize("greeting", [None, "hello", '{"type": "version", "homeId": 1}', "[]"])
def test_what_is_no_zwave_server_is_not_spoken_to(greeting: str | None) -> None:
    heard: list[object] = []

    async def work() -> tuple[Outcome, float]:
        async def answer(socket: object) -> None:
            if greeting is not None:
                await socket.send(greeting)
            async for message in socket:
                heard.append(message)

        async with serve(answer, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            driver = quick_driver(f"ws://127.0.0.1:{port}", timeout_s=0.9)
            started = time.monotonic()
            write = grant()
            [outcome] = await driver.put("1-2", [at(SLOT_ONE, write)])
            took = time.monotonic() - started
            await driver.close()
            return outcome, took

    outcome, took = asyncio.run(work())
    error = error_of(outcome)
    assert (error.cause, error.scope) == (Cause.VENDOR_UNREACHABLE, Scope.ACCOUNT)
    assert took < 1.9
    assert heard == []


def test_a_server_that_is_too_old_says_so() -> None:
    greeting = {"type": "version", "homeId": 1, "minSchemaVersion": 0, "maxSchemaVersion": 20}

    async def work() -> Outcome:
        async def answer(socket: object) -> None:
            await socket.send(json.dumps(greeting))
            await socket.wait_closed()

        async with serve(answer, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            driver = quick_driver(f"ws://127.0.0.1:{port}")
            [outcome] = await driver.put("1-2", [at(SLOT_ONE, grant())])
            await driver.close()
            return outcome

    error = error_of(asyncio.run(work()))
    assert (error.cause, error.retry) == (Cause.UNSUPPORTED, Retry.NEVER)


# What is asked for.


class SLOT_ONE:  # noqa: N801 - stands for a stand where there is no lock
    """A place to ask for where no lock is."""

    slots: ClassVar[dict[str, str]] = {"c1": "1"}


def test_two_writes_on_one_lock_keep_their_distance_and_reading_does_not_wait(
    plain: ZwaveStand, supervised: ZwaveStand
) -> None:
    async def work(driver: Driver) -> tuple[float, float, float]:
        clock = time.monotonic
        started = clock()
        await driver.put(plain.lock, [at(plain, grant("c1"))])
        first = clock()
        await driver.observe(plain.lock, [at(plain, place())])
        await driver.put(supervised.lock, [at(supervised, grant("c1"))])
        others = clock()
        await driver.put(plain.lock, [at(plain, grant("c2", OTHER_CODE))])
        return others - started, clock() - first, clock() - others

    free, between, waited = drive(lambda: quick_driver(plain.peer.gate, write_pause_s=1.5), work)
    assert free < 1.2
    assert between >= 1.5
    assert waited > 0.2


def test_a_pause_that_does_not_fit_into_the_call_leaves_the_rest_unsent(plain: ZwaveStand) -> None:
    hasty = quick_driver(plain.peer.gate, write_pause_s=3.0, timeout_s=1.5)
    grants = [at(plain, grant("c1")), at(plain, grant("c2", OTHER_CODE))]
    first, second = drive(lambda: hasty, lambda d: d.put(plain.lock, grants))
    assert first.result is Result.CONFIRMED
    assert (error_of(second).cause, error_of(second).retry) == (Cause.BUSY, Retry.SOON)
    assert plain.held(plain.lock) == {"c1": CODE}


def test_only_the_places_that_are_asked_for_are_read(plain: ZwaveStand) -> None:
    put(plain, grant("c1"), grant("c2", OTHER_CODE))
    before = plain.peer.frames(plain.lock)["others"]
    asked = [at(plain, place("c2")), at(plain, place("c3"))]
    seen = drive(plain.open, lambda d: d.observe(plain.lock, asked))
    assert [(each.address, each.handle, each.secret) for each in seen.held] == [
        ("2", "", OTHER_CODE)
    ]
    assert plain.peer.frames(plain.lock)["others"] == before + 2


def test_what_no_lock_of_this_kind_takes_is_refused_without_a_word(plain: ZwaveStand) -> None:
    [kind] = put(plain, grant(kind=Kind.SMARTKEY))
    [nowhere] = drive(plain.open, lambda d: d.put(plain.lock, [grant("nameless")]))
    assert error_of(kind).cause is Cause.UNSUPPORTED
    assert error_of(nowhere).cause is Cause.BAD_REQUEST
    bad = Place(handle="c1", kind=Kind.DOOR_CODE, address="zero")
    [gone] = drive(plain.open, lambda d: d.remove(plain.lock, [bad]))
    assert error_of(gone).cause is Cause.BAD_REQUEST
    assert plain.peer.frames(plain.lock)["writes"] == 0


def test_a_node_that_is_no_lock_is_unsupported(plain: ZwaveStand) -> None:
    [outcome] = drive(plain.open, lambda d: d.put(WALL_SWITCH, [at(plain, grant())]))
    assert error_of(outcome).cause is Cause.UNSUPPORTED
    assert error_of(drive(plain.open, lambda d: d.unlock(WALL_SWITCH))).cause is Cause.UNSUPPORTED


@pytest.mark.parametrize("lock_ref", ["1-2", "2", "", f"{HOME_ID}-x", f"{HOME_ID}-"])
def test_a_lock_of_another_network_is_not_in_this_one(plain: ZwaveStand, lock_ref: str) -> None:
    [outcome] = drive(plain.open, lambda d: d.put(lock_ref, [at(plain, grant())]))
    assert error_of(outcome).cause is Cause.LOCK_REMOVED
    assert plain.held(plain.lock) == {}


def test_discovery_finds_locks_with_their_places_and_nothing_else(plain: ZwaveStand) -> None:
    found = {each.external_id: each for each in drive(plain.open, lambda d: d.discover())}
    assert set(found) == {PLAIN, SUPERVISED, MASKED, CREDENTIALS}
    lock = found[PLAIN]
    assert (lock.name, lock.first_slot, lock.max_codes) == ("plain", 1, SLOTS)
    assert (lock.code_min, lock.code_max, lock.native_window) == (4, 10, False)
    old = quick_driver(plain.peer.gate, newest_schema=OLD_SCHEMA)
    by_old = {each.external_id: each for each in drive(lambda: old, lambda d: d.discover())}
    assert set(by_old) == {PLAIN, SUPERVISED, MASKED}
    assert by_old[PLAIN].max_codes == SLOTS


def test_the_clock_of_these_locks_is_nobodys_business(plain: ZwaveStand) -> None:
    outcome = drive(plain.open, lambda d: d.sync_clock(plain.lock))
    assert error_of(outcome).cause is Cause.UNSUPPORTED


# What is told.


def test_what_happens_at_the_door_is_told_by_place(plain: ZwaveStand) -> None:
    put(plain, grant("c2"))
    plain.peer.act(plain.lock, "type", code=CODE)
    for _ in range(6):
        plain.peer.act(plain.lock, "type", code=THIRD_CODE)
    plain.peer.act(plain.lock, "jam")
    plain.peer.act(plain.lock, "battery", level=5)
    wait_until(lambda: len(plain.heard()) == 9)
    events = plain.heard()
    assert [event.type for event in events] == [
        EventType.UNLOCKED,
        *[EventType.DENIED] * 5,
        EventType.LOCKED_OUT,
        EventType.JAMMED,
        EventType.BATTERY_LOW,
    ]
    assert (events[0].address, events[0].kind, events[0].reason) == (
        "2",
        Kind.DOOR_CODE,
        "keypad",
    )
    assert events[1].reason == "unknown_code"
    assert events[-1].battery == 5
    assert len({event.event_id for event in events}) == len(events)
    assert {event.lock_ref for event in events} == {plain.lock}
    assert all(event.happened_at.tzinfo is not None for event in events)
    assert CODE not in repr(events)
    assert THIRD_CODE not in repr(events)


def test_our_own_writes_are_no_changes_at_the_lock_and_those_at_the_keypad_are(
    supervised: ZwaveStand,
) -> None:
    put(supervised, grant("c1"))
    remove(supervised, place("c1"))
    assert supervised.heard() == []
    supervised.add_at_lock(supervised.lock, OTHER_CODE)
    [event] = supervised.heard()
    assert (event.type, event.address, event.reason) == (EventType.CHANGED_AT_LOCK, "7", "added")


def test_whoever_listens_learns_that_the_line_stands_and_that_it_was_lost(
    plain: ZwaveStand,
) -> None:
    async def work(driver: Driver) -> list[EventPage]:
        assert isinstance(driver, Listens)
        pages = []
        async for page in driver.listen():
            pages.append(page)
            if len(pages) == 1:
                await asyncio.to_thread(plain.peer.act, "all", "cut")
        return pages

    first, last = drive(plain.open, work)
    assert (first.events, first.error) == ((), None)
    assert (last.error.cause, last.error.retry) == (Cause.VENDOR_UNREACHABLE, Retry.SOON)


def test_nobody_can_be_listened_to_where_nobody_is(plain: ZwaveStand) -> None:
    async def work(driver: ZwaveDriver) -> list[EventPage]:
        return [page async for page in driver.listen()]

    [page] = drive(plain.open_without_vendor, work)
    assert page.error.cause is Cause.VENDOR_UNREACHABLE
    [page] = drive(plain.open_with_wrong_token, work)
    assert page.error.cause is Cause.AUTH


# How Portal comes by it.


def test_it_is_registered_and_says_what_it_is() -> None:
    assert vendor("zwave").title == "Z-Wave JS"
    assert [field.required for field in vendor("zwave").fields] == [False]

    async def opened() -> None:
        driver = open_driver("zwave", base_url="ws://127.0.0.1:1", token="")
        can = driver.capabilities
        assert (can.addressing, can.batch, can.read_back, can.backfill) == (
            Addressing.SLOT,
            1,
            True,
            False,
        )
        assert (await driver.events("where")).cursor == "where"
        await driver.close()

    asyncio.run(opened())


@pytest.mark.parametrize("address", ["http://127.0.0.1:1", "ws://", "nonsense", ""])
def test_an_address_that_is_none_is_our_mistake(address: str) -> None:
    async def work(driver: Driver) -> Observation:
        return await driver.observe("1-2")

    seen = drive(lambda: quick_driver(address), work)
    assert (seen.held, seen.error.cause) == (None, Cause.BAD_REQUEST)


@pytest.mark.django_db
def test_staff_connect_a_server_and_find_its_locks(zwave: ZwavePeer) -> None:
    found = connected_by_staff("zwave", zwave.server, {"token": ""}, name="Z-Wave in the cellar")
    assert {one["first_slot"] for one in found} == {1}
    assert PLAIN in {one["external_id"] for one in found}
