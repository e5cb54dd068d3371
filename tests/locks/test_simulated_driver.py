"""The driver of the simulated lock system: the contract of all drivers, and what its own vendor can do beside."""

from __future__ import annotations

import asyncio
import itertools
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, ClassVar

import pytest

from locks.drivers import (
    Cause,
    EventType,
    Grant,
    Kind,
    Result,
    Retry,
    Scope,
    simulated,
)
from locks.vendors import UnknownDriver, open_driver
from tests.locks.contract import (
    CODE,
    OTHER_CODE,
    THIRD_CODE,
    DriverContract,
    drive,
    error_of,
    grant,
    place,
    put,
)
from tests.locks.simlock_server import start_simlock
from tests.ports import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

    from locks.drivers import Driver
    from tests.locks.simlock_server import SimlockServer

TIMEOUT_S = 0.6
numbers = itertools.count(1)


@pytest.fixture(scope="module")
def simlock() -> Iterator[SimlockServer]:
    with start_simlock() as server:
        yield server


class SimlockStand:
    """The simulator as a stand."""

    slots: ClassVar[dict[str, str]] = {}
    no_lock = "no-such-lock"

    def __init__(self, server: SimlockServer) -> None:
        self.server = server
        self.lock = server.add_lock(f"lock-{next(numbers)}", gateway=f"gw-{next(numbers)}")

    def can(self, trouble: str) -> bool:
        return hasattr(self, trouble)

    def tells(self, kind: EventType) -> bool:
        return True

    def _open(self, url: str, token: str) -> Driver:
        return simulated.SimulatedDriver(base_url=url, token=token, timeout_s=TIMEOUT_S)

    def open(self) -> Driver:
        return self._open(self.server.url, self.server.token)

    def open_with_wrong_token(self) -> Driver:
        return self._open(self.server.url, "wrong")

    def open_without_vendor(self) -> Driver:
        return self._open(f"http://127.0.0.1:{free_port()}", self.server.token)

    def held(self, lock: str) -> dict[str, str]:
        return {handle: held["value"] for handle, held in self.server.memory(lock).items()}

    def offline(self, lock: str) -> None:
        self.server.offline(lock)

    def online(self, lock: str) -> None:
        self.server.online(lock)

    def lose_answer(self, lock: str) -> None:
        self.server.act(lock, "lose-ack")

    def lose_request(self, lock: str) -> None:
        self.server.act(lock, "lose-request")

    def land_late(self, lock: str, *, after_s: float) -> None:
        self.server.act(lock, "land-late", land_after_s=after_s)

    def busy(self, lock: str) -> None:
        self.server.act(lock, "busy")

    def refuse(self, lock: str) -> None:
        self.server.act(lock, "refuse")

    def fill(self, lock: str) -> None:
        self.server.act(lock, "memory-full")

    def garbage(self, lock: str) -> None:
        self.server.act(lock, "garbage")

    def server_error(self, lock: str) -> None:
        self.server.act(lock, "server-error")

    def type_code(self, lock: str, code: str) -> None:
        self.server.try_door(lock, code)

    def change_at_lock(self, lock: str, handle: str, code: str) -> None:
        self.server.act(lock, "keypad-change", handle=handle, value=code)

    def add_at_lock(self, lock: str, code: str) -> None:
        self.server.act(lock, "keypad-add", value=code)

    def wrong_clock(self, lock: str, offset_s: float) -> None:
        self.server.act(lock, "clock", offset_s=offset_s)


@pytest.fixture
def stand(simlock: SimlockServer) -> SimlockStand:
    simlock.reset()
    return SimlockStand(simlock)


class TestSimulatedDriver(DriverContract):
    """The contract of all drivers."""


@pytest.mark.parametrize("silence", ["hang", "drop", "error"])
@pytest.mark.parametrize("trouble", ["lose-ack", "lose-request", "land-late"])
def test_every_silence_is_unknown(stand: SimlockStand, trouble: str, silence: str) -> None:
    stand.server.act(stand.lock, trouble, silence=silence)
    assert put(stand, grant())[0].result is Result.UNKNOWN


def test_a_lock_with_its_own_windows_takes_ours_to_the_second(stand: SimlockStand) -> None:
    written = grant()
    put(stand, written)
    held = stand.server.memory(stand.lock)["c1"]
    assert datetime.fromisoformat(held["starts_at"]) == written.starts_at
    assert datetime.fromisoformat(held["ends_at"]) == written.ends_at


def test_a_lock_without_windows_is_read_back_without_times(stand: SimlockStand) -> None:
    stand.server.add_lock(stand.lock, native_window=False)
    put(stand, grant())
    observation = drive(stand.open, lambda driver: driver.observe(stand.lock))
    [held] = observation.held or ()
    assert (held.starts_at, held.ends_at, held.secret) == (None, None, CODE)


def test_a_masked_lock_is_read_back_without_values(stand: SimlockStand) -> None:
    stand.server.add_lock(stand.lock, masked=True)
    put(stand, grant())
    observation = drive(stand.open, lambda driver: driver.observe(stand.lock))
    assert [each.secret for each in observation.held or ()] == [None]


def test_a_smartkey_lies_beside_a_door_code(stand: SimlockStand) -> None:
    put(stand, grant("c1", CODE), grant("s1", "phone-7f3a", kind=Kind.SMARTKEY))
    assert stand.held(stand.lock) == {"c1": CODE, "s1": "phone-7f3a"}
    assert stand.server.try_door(stand.lock, "phone-7f3a", kind="smartkey")["opened"]
    assert not stand.server.try_door(stand.lock, "phone-7f3a")["opened"]


def test_a_keycard_on_a_lock_that_takes_none_is_unsupported(stand: SimlockStand) -> None:
    error = error_of(put(stand, grant(kind=Kind.KEYCARD))[0])
    assert (error.cause, error.retry) == (Cause.UNSUPPORTED, Retry.NEVER)


def test_a_gateway_that_is_offline_is_named(stand: SimlockStand) -> None:
    gateway = stand.server.lock(stand.lock)["gateway"]
    stand.server.gateway(gateway, "offline")
    error = error_of(put(stand, grant())[0])
    assert (error.cause, error.scope) == (Cause.GATEWAY_UNREACHABLE, Scope.GATEWAY)
    health = drive(stand.open, lambda driver: driver.health(stand.lock))
    assert (health.online, health.gateway_online) == (False, False)
    stand.server.gateway(gateway, "online")
    assert put(stand, grant())[0].result is Result.CONFIRMED


def test_a_rate_limit_says_how_long_to_wait(stand: SimlockStand) -> None:
    stand.server.act(stand.lock, "rate-limit", retry_after_s=7)
    error = error_of(put(stand, grant())[0])
    assert (error.cause, error.retry, error.retry_after_s) == (Cause.RATE_LIMITED, Retry.SOON, 7)


@pytest.mark.parametrize("code", ["55555", "123456", "98765", "12ab56", "1234567890123"])
def test_codes_that_the_lock_does_not_take_are_invalid(stand: SimlockStand, code: str) -> None:
    assert error_of(put(stand, grant(secret=code))[0]).cause is Cause.INVALID_CODE
    assert stand.held(stand.lock) == {}


@pytest.mark.parametrize("outage", ["error", "drop", "hang"])
def test_a_cloud_that_is_down_leaves_writes_unknown_and_events_unread(
    stand: SimlockStand, outage: str
) -> None:
    stand.server.cloud(outage=outage)
    assert put(stand, grant())[0].result is Result.UNKNOWN
    page = drive(stand.open, lambda driver: driver.events("x.5"))
    assert (page.events, page.cursor, page.more) == ((), "x.5", False)
    health = drive(stand.open, lambda driver: driver.health(stand.lock))
    assert health.error is not None


def test_a_revoked_token_stops_the_account(stand: SimlockStand) -> None:
    stand.server.cloud(reject_token=True)
    error = error_of(put(stand, grant())[0])
    assert (error.cause, error.scope) == (Cause.AUTH, Scope.ACCOUNT)


def test_after_an_unknown_outcome_the_rest_of_a_list_is_not_sent(stand: SimlockStand) -> None:
    stand.server.act(stand.lock, "lose-ack")
    outcomes = put(stand, grant("c1", CODE), grant("c2", OTHER_CODE), grant("c3", THIRD_CODE))
    assert [each.result for each in outcomes] == [Result.UNKNOWN, Result.FAILED, Result.FAILED]
    assert stand.held(stand.lock) == {"c1": CODE}
    assert stand.server.stats()["totals"]["writes"] == 1


def test_an_offline_lock_is_asked_once_for_a_whole_list(stand: SimlockStand) -> None:
    stand.offline(stand.lock)
    stand.server.reset_stats()
    outcomes = put(stand, grant("c1", CODE), grant("c2", OTHER_CODE))
    assert [error_of(each).cause for each in outcomes] == [Cause.LOCK_UNREACHABLE] * 2
    assert len(stand.server.stats(requests=50)["requests"]) == 1


def test_two_hundred_locks_are_written_at_once_and_no_two_writes_meet(
    simlock: SimlockServer,
) -> None:
    simlock.reset()
    locks = [f"room-{number}" for number in range(200)]
    simlock.add_locks([{"id": lock, "gateway": f"gw-{lock}"} for lock in locks])
    simlock.cloud(latency_ms=20)

    async def write_all() -> set[Result]:
        driver = open_driver("simulated", base_url=simlock.url, token=simlock.token)
        grants = [grant("c1", CODE), grant("c2", OTHER_CODE)]
        results = await asyncio.gather(*(driver.put(lock, grants) for lock in locks))
        await driver.close()
        return {outcome.result for outcomes in results for outcome in outcomes}

    assert asyncio.run(write_all()) == {Result.CONFIRMED}
    totals = simlock.stats()["totals"]
    assert (totals["writes"], totals["overlaps"], totals["gateway_overlaps"]) == (400, 0, 0)
    assert all(len(held) == 2 for held in simlock.memories().values())


def test_the_simulator_killed_in_the_middle_leaves_an_unknown_outcome(tmp_path) -> None:
    data = str(tmp_path / "simlock.sqlite3")
    with start_simlock(data=data) as server:
        server.add_lock("L1")
        server.act("L1", "slow", ms=5000)

        async def write_and_kill() -> Result:
            driver = open_driver("simulated", base_url=server.url, token=server.token)
            writing = asyncio.create_task(driver.put("L1", [grant()]))
            await asyncio.sleep(0.3)
            server.kill()
            [outcome] = await writing
            await driver.close()
            return outcome.result

        assert asyncio.run(write_and_kill()) is Result.UNKNOWN
        server.restart()
        assert server.memory("L1") == {}


def test_a_second_writer_is_told_busy_and_counted(stand: SimlockStand) -> None:
    stand.server.act(stand.lock, "slow", ms=300)

    async def both(driver: Driver) -> list[Result]:
        writes = [driver.put(stand.lock, [grant(f"c{n}", code)]) for n, code in enumerate(CODES)]
        return [outcomes[0].result for outcomes in await asyncio.gather(*writes)]

    assert sorted(drive(stand.open, both)) == [Result.CONFIRMED, Result.FAILED]
    figures = stand.server.stats()["locks"][stand.lock]
    assert (figures["max_in_flight"], figures["overlaps"], figures["write_overlaps"]) == (2, 1, 1)


CODES = (CODE, OTHER_CODE)


def test_a_cursor_of_another_simulator_starts_from_the_beginning(stand: SimlockStand) -> None:
    put(stand, grant())
    stand.type_code(stand.lock, CODE)
    page = drive(stand.open, lambda driver: driver.events("0badcafe.999999"))
    assert len(page.events) == 1
    assert page.events[0].secret == CODE
    assert page.events[0].kind is Kind.DOOR_CODE


def test_events_come_in_pages(stand: SimlockStand, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(simulated, "EVENTS_PER_PAGE", 3)
    for number in range(8):
        stand.type_code(stand.lock, f"70{number}428")

    async def read(driver: Driver) -> list[str | None]:
        codes, cursor, more = [], "", True
        while more:
            page = await driver.events(cursor)
            assert len(page.events) <= 3
            codes += [event.secret for event in page.events]
            cursor, more = page.cursor, page.more
        return codes

    assert drive(stand.open, read) == [f"70{number}428" for number in range(8)]


def test_an_event_carries_the_locks_own_wrong_time(stand: SimlockStand) -> None:
    stand.wrong_clock(stand.lock, -3600)
    stand.type_code(stand.lock, CODE)
    page = drive(stand.open, lambda driver: driver.events(""))
    happened_at = page.events[-1].happened_at
    assert datetime.now(UTC) - happened_at == pytest.approx(
        timedelta(hours=1), abs=timedelta(seconds=5)
    )


@pytest.mark.parametrize(
    ("address", "token"),
    [
        ("not a url", "t"),
        ("http://", "t"),
        ("ftp://127.0.0.1", "t"),
        ("http://[::1", "t"),
        ("http://127.0.0.1:1", ""),
        ("http://127.0.0.1:1", "a\nb"),
        ("http://127.0.0.1:1", "é"),  # nobody listens there, but it can be asked
    ],
)
def test_an_account_that_cannot_be_called_is_a_failure_and_not_an_exception(
    address: str, token: str
) -> None:
    async def work() -> Result:
        driver = simulated.SimulatedDriver(base_url=address, token=token, timeout_s=1)
        [outcome] = await driver.put("L1", [grant()])
        await driver.close()
        return outcome.result

    assert asyncio.run(work()) is Result.FAILED


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\n{",
        b'HTTP/1.1 200 OK\r\ncontent-length: 23\r\n\r\n{"handle":"other","a":1}',
        b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nnull",
        b"HTTP/1.1 204 No Content\r\n\r\n",
        b"HTTP/1.1 302 Found\r\nlocation: /login\r\ncontent-length: 0\r\n\r\n",
        b"HTTP/1.1 404 Not Found\r\ncontent-length: 9\r\n\r\nnot found",
        b"HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\n\r\n",
        b'HTTP/1.1 502 Bad Gateway\r\ncontent-length: 23\r\n\r\n{"code":"lock_offline"}',
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
        b"\x00\x01\x02 rubbish\r\n\r\n",
        b"",
    ],
)
def test_whatever_else_a_line_answers_is_unknown(answer: bytes) -> None:
    async def work() -> Result:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read(4096)
            writer.write(answer)
            await writer.drain()
            writer.close()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        url = f"http://127.0.0.1:{port}"
        driver = simulated.SimulatedDriver(base_url=url, token="t", timeout_s=TIMEOUT_S)
        [outcome] = await driver.put("L1", [grant()])
        assert (await driver.observe("L1")).held is None
        assert (await driver.health("L1")).error is not None
        assert (await driver.events("c")).cursor == "c"
        await driver.discover()
        await driver.close()
        server.close()
        return outcome.result

    assert asyncio.run(work()) is Result.UNKNOWN


def test_a_body_that_drips_for_ever_ends_with_the_timeout() -> None:
    async def work() -> Result:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read(4096)
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n")
            for _ in range(200):
                writer.write(b" ")
                await asyncio.sleep(0.05)

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        driver = simulated.SimulatedDriver(base_url=url, token="t", timeout_s=TIMEOUT_S)
        async with asyncio.timeout(TIMEOUT_S + 1):
            [outcome] = await driver.put("L1", [grant()])
        await driver.close()
        server.close()
        return outcome.result

    assert asyncio.run(work()) is Result.UNKNOWN


def test_a_vendors_text_never_carries_the_code() -> None:
    body = b'{"code":"duplicate_code","message":"code 482913 or key-abc on 55512 exists"}'
    head = f"HTTP/1.1 409 Conflict\r\ncontent-length: {len(body)}\r\n\r\n".encode()

    async def work() -> str:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read(4096)
            writer.write(head + body)
            await writer.drain()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        driver = simulated.SimulatedDriver(base_url=url, token="t", timeout_s=TIMEOUT_S)
        [first] = await driver.put("L1", [grant()])
        [second] = await driver.put("L1", [grant(secret="key-abc", kind=Kind.SMARTKEY)])
        await driver.close()
        server.close()
        return error_of(first).vendor_text + repr(second)

    said = asyncio.run(work())
    assert "exists" in said
    assert CODE not in said.split("Outcome")[0]
    assert "key-abc" not in said.split("Outcome")[1]


def test_removing_twice_at_the_same_address_is_one_address(stand: SimlockStand) -> None:
    put(stand, grant("c1"))
    outcomes = drive(stand.open, lambda driver: driver.remove(stand.lock, [place(), place()]))
    assert [each.result for each in outcomes] == [Result.CONFIRMED] * 2
    assert [each.address for each in outcomes] == ["c1"] * 2


def test_nothing_to_do_calls_nobody(stand: SimlockStand) -> None:
    assert put(stand) == []
    assert stand.server.stats(requests=10)["requests"] == []


def test_the_timeout_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DRIVER_TIMEOUT_S", "2.5")

    async def opened() -> float:
        driver = open_driver("simulated", base_url="http://127.0.0.1:1", token="t")
        await driver.close()
        return driver.capabilities.timeout_s

    assert asyncio.run(opened()) == 2.5


def test_an_unregistered_driver_is_unknown() -> None:
    with pytest.raises(UnknownDriver):
        open_driver("nobody", base_url="http://127.0.0.1:1", token="t")


def test_a_grant_never_shows_its_secret() -> None:
    now = datetime.now(UTC)
    written = Grant(handle="h", kind=Kind.DOOR_CODE, secret=CODE, starts_at=now, ends_at=now)
    assert CODE not in repr(written)
