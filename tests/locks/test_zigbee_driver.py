"""The driver of Zigbee2MQTT against the real Zigbee2MQTT and mosquitto; only the radio and the locks on it are simulated."""

from __future__ import annotations

import asyncio
import itertools
import json
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

import pytest

from locks import vendors
from locks.accounts import NotConnected
from locks.drivers import (
    Cause,
    EventType,
    Kind,
    LockError,
    Place,
    Proof,
    Result,
    Retry,
    Scope,
    zigbee2mqtt_door,
)
from locks.drivers.zigbee2mqtt import Zigbee2MqttDriver
from tests.eventually import eventually
from tests.locks.contract import (
    CODE,
    OTHER_CODE,
    THIRD_CODE,
    DriverContract,
    at,
    drive,
    error_of,
    grant,
    place,
    put,
    remove,
)
from tests.locks.peers.hearing import Hearing, hearing
from tests.locks.peers.zigbee.peer import (
    BASE,
    COORDINATOR,
    PASSWORD,
    USER,
    ZigbeePeer,
    fit,
    start_zigbee,
)
from tests.locks.staff import connected_by_staff
from tests.ports import free_port

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from locks.drivers import Driver, EventPage, LockEvent, Outcome
    from tests.locks.peers.zigbee.peer import Fitted

pytestmark = pytest.mark.xdist_group("zigbee")

TIMEOUT_S = 5.0
PROOF_S = 0.4
READS_OF_A_PROOF = 2
TOKEN = f"{USER}:{PASSWORD}"
ELSEWHERE = "7"


@pytest.fixture(scope="module")
def zigbee(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ZigbeePeer]:
    folder = tmp_path_factory.mktemp("zigbee")
    with start_zigbee(folder, fit(plain=80, hidden=8, sleepy=6)) as peer:
        yield peer


@pytest.fixture(scope="module")
def heard(zigbee: ZigbeePeer) -> Iterator[Hearing]:
    """One driver that listens while all tests of this file run."""
    with hearing(lambda: open_driver(zigbee.url)) as heard:
        yield heard


@pytest.fixture(scope="module")
def unused(zigbee: ZigbeePeer) -> dict[str, Iterator[Fitted]]:
    """Locks that no test has had."""
    kinds = {
        "plain": [lock for lock in zigbee.locks if lock.shows_pins and not lock.sleepy],
        "hidden": [lock for lock in zigbee.locks if not lock.shows_pins],
        "sleepy": [lock for lock in zigbee.locks if lock.sleepy],
    }
    return {kind: iter(locks) for kind, locks in kinds.items()}


def open_driver(url: str, token: str = TOKEN, **more: float) -> Zigbee2MqttDriver:
    own = {"timeout_s": TIMEOUT_S, "proof_s": PROOF_S} | more
    return Zigbee2MqttDriver(base_url=url, token=token, **own)


class ZigbeeStand:
    """One fresh lock of the network as a stand."""

    slots: ClassVar[dict[str, str]] = {"c1": "0", "c2": "1", "c3": "2", "never": "9"}
    no_lock = "0x000d6f0000099999"

    def __init__(self, peer: ZigbeePeer, fitted: Fitted, heard: Hearing) -> None:
        self.peer, self.fitted, self.lock = peer, fitted, fitted.ref
        self.hearing = heard
        peer.go(fitted, "online")
        eventually(lambda: self._reach() == [EventType.ONLINE], every=0.02)
        self._before = len(heard.of(self.lock))

    def _reach(self) -> list[EventType]:
        """What was heard last of whether the lock can be reached."""
        heard = self.hearing.of(self.lock, EventType.ONLINE, EventType.OFFLINE)
        return [event.type for event in heard[-1:]]

    def can(self, trouble: str) -> bool:
        return hasattr(self, trouble)

    def tells(self, kind: EventType) -> bool:
        return kind in {EventType.ONLINE, EventType.OFFLINE}

    def heard(self) -> list[LockEvent]:
        self.hearing.until_quiet()
        return self.hearing.of(self.lock)[self._before :]

    def open(self) -> Driver:
        return open_driver(self.peer.url)

    def open_with_wrong_token(self) -> Driver:
        return open_driver(self.peer.url, f"{USER}:wrong")

    def open_without_vendor(self) -> Driver:
        return open_driver(f"mqtt://127.0.0.1:{free_port()}")

    def held(self, lock: str) -> dict[str, str]:
        ours = {slot: handle for handle, slot in self.slots.items()}
        return {ours.get(slot, slot): pin for slot, pin in self.peer.held(self.fitted).items()}

    def prank(self, kind: str, **values: int) -> None:
        self.peer.act(self.fitted, "prank", kind=kind, **values)

    def sets(self) -> list[str]:
        """The writes that were sent to this lock."""
        return [said for topic, said in self.peer.commands if topic == f"{self.fitted.name}/set"]

    def gets(self) -> list[str]:
        """The reads that were sent to this lock."""
        return [said for topic, said in self.peer.commands if topic == f"{self.fitted.name}/get"]

    def offline(self, lock: str) -> None:
        self.peer.go(self.fitted, "offline")

    def online(self, lock: str) -> None:
        self.peer.go(self.fitted, "online")

    def lose_answer(self, lock: str) -> None:
        self.prank("lose_answer", reads=READS_OF_A_PROOF)

    def lose_request(self, lock: str) -> None:
        self.prank("lose_request")

    def land_late(self, lock: str, *, after_s: float) -> None:
        self.prank("land_late", after_ms=round(2 * after_s * 1000))

    def refuse(self, lock: str) -> None:
        self.prank("refuse")

    def refuse_silently(self) -> None:
        """No lock behind Zigbee2MQTT is heard when it refuses."""

    def fill(self, lock: str) -> None:
        self.peer.act(self.fitted, "places", count=len(self.peer.held(self.fitted)))

    def type_code(self, lock: str, code: str) -> None:
        self.peer.act(self.fitted, "type", code=code)

    def change_at_lock(self, lock: str, handle: str, code: str) -> None:
        self.peer.act(self.fitted, "program", place=int(self.slots[handle]), code=code)

    def add_at_lock(self, lock: str, code: str) -> None:
        self.peer.act(self.fitted, "program", place=int(ELSEWHERE), code=code)


@pytest.fixture
def stand(zigbee: ZigbeePeer, heard: Hearing, unused) -> Iterator[ZigbeeStand]:
    stand = ZigbeeStand(zigbee, next(unused["plain"]), heard)
    yield stand
    zigbee.act(stand.fitted, "reset")


@pytest.fixture
def hidden(zigbee: ZigbeePeer, heard: Hearing, unused) -> ZigbeeStand:
    return ZigbeeStand(zigbee, next(unused["hidden"]), heard)


@pytest.fixture
def sleepy(zigbee: ZigbeePeer, heard: Hearing, unused) -> ZigbeeStand:
    return ZigbeeStand(zigbee, next(unused["sleepy"]), heard)


class TestZigbee2MqttDriver(DriverContract):
    """The contract of all drivers. What is typed at a door is told once, to whoever listens: see below."""

    cannot = frozenset(
        {"busy", "garbage", "server_error", "wrong_clock", "type_code"}  # of HTTP, of clocks
    )


# Writes, and what proves them.


def test_a_code_keeps_its_leading_zeros(stand: ZigbeeStand) -> None:
    assert put(stand, grant(secret="0821"))[0].result is Result.CONFIRMED
    assert stand.held(stand.lock) == {"c1": "0821"}


def test_a_proof_is_read_from_the_lock(stand: ZigbeeStand) -> None:
    [written] = put(stand, grant())
    [removed] = remove(stand, place())
    assert (written.proof, written.address) == (Proof.READ_BACK, "0")
    assert (removed.proof, removed.address) == (Proof.READ_BACK, "0")


def test_old_memory_that_the_bridge_repeats_meanwhile_proves_nothing(stand: ZigbeeStand) -> None:
    put(stand, grant())
    stand.peer.act(stand.fitted, "chatter", times=40, every_ms=20)
    stand.refuse(stand.lock)
    assert put(stand, grant(secret=OTHER_CODE))[0].result is Result.UNKNOWN
    stand.peer.act(stand.fitted, "chatter", times=40, every_ms=20)
    assert put(stand, grant(secret=OTHER_CODE))[0].result is Result.CONFIRMED
    stand.peer.act(stand.fitted, "chatter", times=40, every_ms=20)
    assert remove(stand, place())[0].result is Result.CONFIRMED
    assert stand.held(stand.lock) == {}


def test_a_code_changed_at_the_keypad_is_not_taken_for_the_old_one_that_is_written_again(
    stand: ZigbeeStand,
) -> None:
    put(stand, grant())
    stand.change_at_lock(stand.lock, "c1", OTHER_CODE)
    stand.peer.act(stand.fitted, "chatter", times=40, every_ms=20)
    stand.refuse(stand.lock)
    assert put(stand, grant())[0].result is Result.UNKNOWN
    assert stand.held(stand.lock) == {"c1": OTHER_CODE}


def test_a_place_of_a_lock_that_hides_its_codes_is_emptied_first_and_so_proven(
    hidden: ZigbeeStand,
) -> None:
    for secret in (CODE, CODE, OTHER_CODE):
        [written] = put(hidden, grant(secret=secret))
        assert (written.result, written.proof) == (Result.CONFIRMED, Proof.READ_BACK)
    assert hidden.held(hidden.lock) == {"c1": OTHER_CODE}
    seen = drive(hidden.open, lambda driver: driver.observe(hidden.lock, [at(hidden, place())]))
    assert [(each.address, each.secret) for each in seen.held or ()] == [("0", None)]
    assert remove(hidden, place())[0].result is Result.CONFIRMED
    assert put(hidden, grant(secret=THIRD_CODE))[0].result is Result.CONFIRMED


@pytest.mark.parametrize("trouble", ["refuse", "lose_request"])
def test_a_lock_that_hides_its_codes_and_did_not_take_one_is_unknown(
    hidden: ZigbeeStand, trouble: str
) -> None:
    getattr(hidden, trouble)(hidden.lock)
    assert put(hidden, grant())[0].result is Result.UNKNOWN
    assert hidden.held(hidden.lock) == {}


def test_codes_that_the_bridge_remembers_from_before_they_were_hidden_prove_nothing(
    stand: ZigbeeStand,
) -> None:
    put(stand, grant())
    wish = {"id": stand.fitted.name, "options": {"expose_pin": False}}
    stand.peer.say("bridge/request/device/options", json.dumps(wish))
    asked = [at(stand, place())]

    def is_hidden() -> bool:
        seen = drive(stand.open, lambda driver: driver.observe(stand.lock, asked))
        return [each.secret for each in seen.held or ()] == [None]

    assert eventually(is_hidden)
    stand.lose_request(stand.lock)
    assert put(stand, grant(secret=OTHER_CODE))[0].result is Result.UNKNOWN
    assert stand.held(stand.lock) == {"c1": CODE}


def test_a_place_that_the_definition_does_not_have_is_our_mistake(stand: ZigbeeStand) -> None:
    beyond = replace(grant(), address="20")
    error = error_of(put(stand, beyond)[0])
    assert (error.cause, error.retry) == (Cause.BAD_REQUEST, Retry.NEVER)
    for address in ("", "x", "-1"):
        there = Place(handle="c1", kind=Kind.DOOR_CODE, address=address)
        [outcome] = drive(stand.open, lambda d, there=there: d.remove(stand.lock, [there]))
        assert error_of(outcome).cause is Cause.BAD_REQUEST


def test_a_place_that_only_the_lock_does_not_have_is_unknown(stand: ZigbeeStand) -> None:
    assert put(stand, replace(grant(), address="17"))[0].result is Result.UNKNOWN
    assert stand.held(stand.lock) == {}


def test_what_the_bridge_did_not_understand_was_not_sent(stand: ZigbeeStand) -> None:
    async def say(driver: Driver) -> Outcome:
        async with driver._door(stand.lock) as door:
            wish = {"user": 4711, "pin_code": CODE}
            return await zigbee2mqtt_door._send_and_prove(
                door, 0, wish, shows=lambda seen: seen.is_taken, at_once=True
            )

    error = error_of(drive(stand.open, say))
    assert (error.cause, error.vendor_code) == (Cause.BAD_REQUEST, "no_such_place")


@pytest.mark.parametrize("code", ["123", "123456789", "12a4", "\uff11\uff12\uff13\uff14", ""])
def test_codes_that_no_such_lock_takes_are_not_sent(stand: ZigbeeStand, code: str) -> None:
    assert error_of(put(stand, grant(secret=code))[0]).cause is Cause.INVALID_CODE
    assert stand.sets() == []


@pytest.mark.parametrize("kind", [Kind.SMARTKEY, Kind.KEYCARD])
def test_nothing_but_door_codes_is_taken(stand: ZigbeeStand, kind: Kind) -> None:
    assert error_of(put(stand, grant(kind=kind))[0]).cause is Cause.UNSUPPORTED


# Reading.


def test_only_the_places_that_were_asked_for_are_read(stand: ZigbeeStand) -> None:
    put(stand, grant("c1"), grant("c3", THIRD_CODE))
    before = len(stand.gets())
    asked = [at(stand, place("c2")), at(stand, place("c3"))]
    seen = drive(stand.open, lambda driver: driver.observe(stand.lock, asked))
    assert [(each.address, each.secret) for each in seen.held or ()] == [("2", THIRD_CODE)]
    assert seen.unsure == ()
    read = {json.loads(said)["pin_code"]["user"] for said in stand.gets()[before:]}
    assert read == {1, 2}


def test_places_that_could_not_be_read_are_unsure(stand: ZigbeeStand) -> None:
    put(stand, grant())
    stand.add_at_lock(stand.lock, OTHER_CODE)
    stand.peer.act(stand.fitted, "tire", after=5)
    seen = drive(stand.open, lambda driver: driver.observe(stand.lock))
    assert [each.address for each in seen.held or ()] == ["0"]
    assert [each.address for each in seen.unsure] == [str(number) for number in range(5, 20)]
    stand.peer.act(stand.fitted, "tire", after=0)
    asked = [Place(handle="", kind=Kind.DOOR_CODE, address=ELSEWHERE)]
    unread = drive(stand.open, lambda driver: driver.observe(stand.lock, asked))
    assert unread.held is None
    assert unread.error is not None
    assert unread.error.cause is Cause.LOCK_UNREACHABLE


# Locks that are out of reach.


def test_a_lock_that_is_silent_but_called_online_is_sent_nothing(stand: ZigbeeStand) -> None:
    stand.peer.act(stand.fitted, "offline")
    outcomes = put(stand, grant())
    assert error_of(outcomes[0]).cause is Cause.LOCK_UNREACHABLE
    assert error_of(outcomes[0]).retry is Retry.WHEN_ONLINE
    assert stand.sets() == []


def test_a_lock_whose_availability_is_not_watched_is_not_reachable(stand: ZigbeeStand) -> None:
    stand.peer.say(f"{stand.fitted.name}/availability", "", retain=True)
    error = error_of(put(stand, grant())[0])
    assert (error.cause, error.vendor_code) == (Cause.LOCK_UNREACHABLE, "no_availability")
    assert stand.sets() == []


def test_a_write_to_a_lock_that_falls_asleep_lands_when_it_wakes(sleepy: ZigbeeStand) -> None:
    sleepy.prank("sleep")
    [outcome] = put(sleepy, grant())
    assert outcome.result is Result.UNKNOWN
    assert sleepy.held(sleepy.lock) == {}
    sleepy.peer.go(sleepy.fitted, "online")
    eventually(lambda: sleepy.held(sleepy.lock) == {"c1": CODE})
    [settled] = sleepy.hearing.wait(sleepy.lock, EventType.SETTLED)
    assert (settled.address, settled.kind) == ("0", Kind.DOOR_CODE)
    seen = drive(sleepy.open, lambda driver: driver.observe(sleepy.lock, [at(sleepy, place())]))
    assert [each.secret for each in seen.held or ()] == [CODE]


def test_nothing_waits_for_a_lock_that_was_asleep_before(sleepy: ZigbeeStand) -> None:
    sleepy.peer.act(sleepy.fitted, "offline")
    assert error_of(put(sleepy, grant())[0]).cause is Cause.LOCK_UNREACHABLE
    assert error_of(remove(sleepy, place())[0]).cause is Cause.LOCK_UNREACHABLE
    assert sleepy.sets() == []
    sleepy.peer.go(sleepy.fitted, "online")
    assert put(sleepy, grant())[0].result is Result.CONFIRMED


# The bridge and the broker.


def test_a_bridge_that_is_stopped_is_the_gateway_that_is_offline(
    zigbee: ZigbeePeer, stand: ZigbeeStand
) -> None:
    zigbee.stop_bridge()
    try:
        error = error_of(put(stand, grant())[0])
        assert (error.cause, error.retry, error.scope) == (
            Cause.GATEWAY_UNREACHABLE,
            Retry.WHEN_ONLINE,
            Scope.GATEWAY,
        )
        assert zigbee.availability[stand.fitted.name] == "online"
        health = drive(stand.open, lambda driver: driver.health(stand.lock))
        assert (health.online, health.gateway_online) == (False, False)
        [gone] = stand.heard()
        assert (gone.type, gone.reason) == (EventType.OFFLINE, "gateway")
        assert drive(stand.open, lambda driver: driver.discover())
    finally:
        zigbee.start_bridge()
    stand.online(stand.lock)
    assert put(stand, grant())[0].result is Result.CONFIRMED
    told = [event.type for event in stand.heard()]
    assert told[:2] == [EventType.OFFLINE, EventType.ONLINE]
    assert told[-2:] == [EventType.ONLINE, EventType.SETTLED]


def test_discovery_tells_what_a_lock_is(stand: ZigbeeStand) -> None:
    found = drive(stand.open, lambda driver: driver.discover())
    [mine] = [each for each in found if each.external_id == stand.lock]
    assert (mine.name, mine.gateway) == (stand.fitted.name, COORDINATOR)
    assert (mine.first_slot, mine.max_codes, mine.native_window) == (0, 20, False)
    assert COORDINATOR not in {each.external_id for each in found}


def test_a_lock_keeps_its_address_when_it_is_renamed(stand: ZigbeeStand) -> None:
    wish = {"from": stand.fitted.name, "to": "renamed/suite"}
    stand.peer.say("bridge/request/device/rename", json.dumps(wish))

    def is_renamed() -> bool:
        found = drive(stand.open, lambda driver: driver.discover())
        return "renamed/suite" in {each.name for each in found}

    assert eventually(is_renamed)
    eventually(lambda: stand.peer.availability.get("renamed/suite") == "online")
    assert put(stand, grant())[0].result is Result.CONFIRMED
    stand.type_code(stand.lock, CODE)
    assert stand.hearing.wait(stand.lock, EventType.UNLOCKED)


def test_a_lock_that_is_taken_out_of_the_network_is_removed(stand: ZigbeeStand) -> None:
    wish = {"id": stand.fitted.name, "force": True}
    stand.peer.say("bridge/request/device/remove", json.dumps(wish))
    assert stand.hearing.wait(stand.lock, EventType.REMOVED_FROM_ACCOUNT)
    error = error_of(put(stand, grant())[0])
    assert (error.cause, error.scope) == (Cause.LOCK_REMOVED, Scope.LOCK)


@asynccontextmanager
async def detour(port: int) -> AsyncIterator[tuple[str, asyncio.Event]]:
    """A way to the broker that can be cut."""
    cut = asyncio.Event()

    async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, onward = await asyncio.open_connection("127.0.0.1", port)

        async def copy(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
            while data := await source.read(65536):
                sink.write(data)
                await sink.drain()

        copies = [
            asyncio.create_task(copy(reader, onward)),
            asyncio.create_task(copy(there, writer)),
        ]
        await asyncio.wait(
            [*copies, end := asyncio.create_task(cut.wait())], return_when="FIRST_COMPLETED"
        )
        for task in (*copies, end):
            task.cancel()
        writer.close()
        onward.close()

    server = await asyncio.start_server(pass_on, "127.0.0.1", 0)
    async with server:
        yield f"mqtt://127.0.0.1:{server.sockets[0].getsockname()[1]}", cut


def test_a_line_that_is_lost_ends_listening_and_is_opened_again(stand: ZigbeeStand) -> None:
    async def work() -> tuple[list[EventPage], Result, Result]:
        async with detour(stand.peer.port) as (url, cut):
            driver = open_driver(url)
            [first] = await driver.put(stand.lock, [at(stand, grant())])
            pages = []
            async for page in driver.listen():
                pages.append(page)
                cut.set()
            cut.clear()
            [second] = await driver.put(stand.lock, [at(stand, grant())])
            await driver.close()
            return pages, first.result, second.result

    pages, first, second = asyncio.run(work())
    assert pages[0].error is None
    assert pages[-1].error is not None
    assert pages[-1].error.cause is Cause.VENDOR_UNREACHABLE
    assert (first, second) == (Result.CONFIRMED, Result.CONFIRMED)


def test_a_line_that_is_lost_after_a_write_leaves_it_unknown(stand: ZigbeeStand) -> None:
    async def work() -> Result:
        async with detour(stand.peer.port) as (url, cut):
            driver = open_driver(url)
            await driver.health(stand.lock)
            stand.lose_answer(stand.lock)
            writing = asyncio.create_task(driver.put(stand.lock, [at(stand, grant())]))
            while not stand.held(stand.lock):
                await asyncio.sleep(0.01)
            cut.set()
            [outcome] = await writing
            await driver.close()
            return outcome.result

    assert asyncio.run(work()) is Result.UNKNOWN


# Events.


def test_what_is_typed_at_a_door_is_told_with_its_place(stand: ZigbeeStand) -> None:
    put(stand, grant("c3", THIRD_CODE))
    stand.type_code(stand.lock, THIRD_CODE)
    stand.type_code(stand.lock, OTHER_CODE)
    [used] = stand.hearing.wait(stand.lock, EventType.UNLOCKED)
    [denied] = stand.hearing.wait(stand.lock, EventType.DENIED)
    assert (used.kind, used.address, used.vendor_type) == (Kind.DOOR_CODE, "2", "unlock")
    assert used.battery == 90
    assert (denied.kind, denied.address, denied.reason) == (Kind.DOOR_CODE, "", "unknown_code")
    assert used.happened_at.tzinfo is not None
    assert len({event.event_id for event in stand.heard()}) == len(stand.heard())


def test_no_event_carries_a_code(stand: ZigbeeStand) -> None:
    put(stand, grant())
    stand.type_code(stand.lock, CODE)
    stand.add_at_lock(stand.lock, OTHER_CODE)
    stand.hearing.wait(stand.lock, EventType.CHANGED_AT_LOCK)
    events = stand.heard()
    assert all(event.secret is None for event in events)
    assert CODE not in repr(stand.hearing.pages)
    assert OTHER_CODE not in repr(stand.hearing.pages)


def test_our_own_writes_only_ask_to_read_and_others_are_a_change(stand: ZigbeeStand) -> None:
    put(stand, grant())
    stand.hearing.wait(stand.lock, EventType.SETTLED)
    stand.add_at_lock(stand.lock, OTHER_CODE)
    stand.hearing.wait(stand.lock, EventType.CHANGED_AT_LOCK)
    told = [(event.type, event.address, event.vendor_type) for event in stand.heard()]
    assert told == [
        (EventType.SETTLED, "0", "pin_code_added"),
        (EventType.CHANGED_AT_LOCK, ELSEWHERE, "pin_code_added"),
    ]


def test_opening_from_here_is_told_as_remote(stand: ZigbeeStand) -> None:
    drive(stand.open, lambda driver: driver.unlock(stand.lock))
    [opened] = stand.hearing.wait(stand.lock, EventType.UNLOCKED)
    assert (opened.kind, opened.reason) == (None, "remote")


def test_the_battery_is_told_with_health(stand: ZigbeeStand) -> None:
    stand.peer.act(stand.fitted, "battery", level=17)
    health = eventually(
        lambda: (h := drive(stand.open, lambda d: d.health(stand.lock))).battery == 17 and h
    )
    assert (health.online, health.gateway_online, health.error) == (True, True, None)


def test_a_session_has_the_broker_keep_what_nobody_heard(stand: ZigbeeStand) -> None:
    put(stand, grant())
    session = {"user": USER, "password": PASSWORD, "session": f"portal-{next(numbers)}"}

    def opener() -> Zigbee2MqttDriver:
        return open_driver(stand.peer.url, json.dumps(session))

    with hearing(opener) as first:
        first.wait(stand.lock, EventType.ONLINE)
    stand.type_code(stand.lock, CODE)
    stand.hearing.wait(stand.lock, EventType.UNLOCKED)
    with hearing(opener) as second:
        [used] = second.wait(stand.lock, EventType.UNLOCKED)
    assert used.address == "0"
    assert first.of(stand.lock, EventType.UNLOCKED) == []


numbers = itertools.count(1)


# Connecting an account.


def sign_in(url: str, **fields: str) -> str | LockError:
    vendor = vendors.vendor("zigbee2mqtt")
    assert vendor.sign_in is not None
    return asyncio.run(vendor.sign_in(url, fields))


def test_signing_in_makes_a_token_that_works(stand: ZigbeeStand) -> None:
    token = sign_in(stand.peer.url, user=USER, password=PASSWORD, base_topic=BASE, session="")
    assert isinstance(token, str)

    async def discover() -> set[str]:
        driver = vendors.open_driver("zigbee2mqtt", base_url=stand.peer.url, token=token)
        found = await driver.discover()
        await driver.close()
        return {each.external_id for each in found}

    assert stand.lock in asyncio.run(discover())


@pytest.mark.parametrize(
    ("fields", "cause"),
    [
        ({"user": USER, "password": "wrong"}, Cause.AUTH),
        ({"user": USER, "password": PASSWORD, "base_topic": "other"}, Cause.GATEWAY_UNREACHABLE),
        ({"user": USER, "password": PASSWORD, "base_topic": "a/#"}, Cause.BAD_REQUEST),
        ({"user": USER, "password": PASSWORD, "ca": "no certificate"}, Cause.BAD_REQUEST),
    ],
)
def test_signing_in_says_what_is_wrong(
    zigbee: ZigbeePeer, fields: dict[str, str], cause: Cause
) -> None:
    url = zigbee.tls_url if "ca" in fields else zigbee.url
    error = sign_in(url, **fields)
    assert isinstance(error, LockError)
    assert error.cause is cause


def test_a_line_with_tls_trusts_the_authority_of_the_account_only(stand: ZigbeeStand) -> None:
    login = {"user": USER, "password": PASSWORD}
    assert isinstance(sign_in(stand.peer.tls_url, **login, ca=stand.peer.ca), str)
    on_one_line = " ".join(stand.peer.ca.split("\n"))
    assert isinstance(sign_in(stand.peer.tls_url, **login, ca=on_one_line), str)
    error = sign_in(stand.peer.tls_url, **login)
    assert isinstance(error, LockError)
    assert error.cause is Cause.VENDOR_UNREACHABLE


@pytest.mark.parametrize(
    ("address", "token"),
    [
        ("not a url", TOKEN),
        ("mqtt://", TOKEN),
        ("http://127.0.0.1:1883", TOKEN),
        ("mqtt://127.0.0.1:99999", TOKEN),
        ("mqtt://127.0.0.1", "{no json"),
        ("mqtt://127.0.0.1", '{"base_topic": "#"}'),
    ],
)
def test_an_account_that_cannot_be_is_a_failure_and_not_an_exception(
    address: str, token: str
) -> None:
    [outcome] = drive(
        lambda: open_driver(address, token),
        lambda driver: driver.put("0x01", [replace(grant(), address="0")]),
    )
    error = error_of(outcome)
    assert (error.cause, error.retry, error.scope) == (
        Cause.BAD_REQUEST,
        Retry.NEVER,
        Scope.ACCOUNT,
    )


# How Portal comes by it.


@pytest.mark.django_db
def test_staff_connect_a_broker_and_find_its_locks_behind_the_bridge(zigbee: ZigbeePeer) -> None:
    typed = {
        "user": USER,
        "password": PASSWORD,
        "base_topic": "zigbee2mqtt",
        "session": "",
        "ca": "",
    }
    with pytest.raises(NotConnected, match="Zigbee2MQTT does not accept this password"):
        connected_by_staff("zigbee2mqtt", zigbee.url, typed | {"password": "wrong"}, name="Wrong")
    found = connected_by_staff("zigbee2mqtt", zigbee.url, typed, name="Zigbee of the annex")
    assert {one["external_id"] for one in found} == {lock.ref for lock in zigbee.locks}
    assert len({one["gateway"] for one in found}) == 1
