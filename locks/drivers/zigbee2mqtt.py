"""The driver of locks behind Zigbee2MQTT: over MQTT, without a cloud, and without any acknowledgement.

A lock has numbered places from 0 on. What is written is proven by reading its place back; a write that the lock refuses
(the code is taken, its memory is full) looks exactly like one that was lost, so whatever is not proven is unknown. A
lock that does not answer when its place is read is sent no write at all: one with the Poll Control cluster would get it
up to a day later, when it wakes.

Zigbee2MQTT needs ``availability`` on. With the device option ``expose_pin`` the PIN itself is read back; without it a
write is proven only into a place that was empty before.
"""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import partial
from typing import TypeVar

from locks.drivers import (
    Addressing,
    Capabilities,
    Cause,
    EventPage,
    Found,
    Grant,
    Health,
    Held,
    Kind,
    LockError,
    Observation,
    Outcome,
    Place,
    Proof,
    Result,
    Retry,
    Scope,
)
from locks.drivers import zigbee2mqtt_words as words
from locks.drivers.in_order import in_order
from locks.drivers.trust import timeout_s
from locks.drivers.zigbee2mqtt_door import Door, clear, number_of, write
from locks.drivers.zigbee2mqtt_line import Account, Line, Refused, account
from locks.drivers.zigbee2mqtt_news import News
from locks.drivers.zigbee2mqtt_words import Seen
from locks.vendors import AccountField, Vendor

PROOF_S = 2.0
UNLOCKED = "UNLOCK"
BAD_ACCOUNT = words.error(Cause.BAD_REQUEST, Retry.NEVER, Scope.ACCOUNT, code="bad_address")
Item = TypeVar("Item", Grant, Place)


def _utc_now() -> datetime:
    return datetime.now(UTC)  # noqa: TID251 - messages carry no time, so theirs is when they came


class Zigbee2MqttDriver:
    """One Zigbee2MQTT. Locks are named by their Zigbee address, which a new friendly name does not change.

    ``timeout_s`` bounds a call; ``proof_s`` is how long after a ``get`` the last word on a place may come.
    """

    def __init__(
        self,
        *,
        base_url: str,
        token: str,
        timeout_s: float,
        proof_s: float = PROOF_S,
        now: Callable[[], datetime] = _utc_now,
    ) -> None:
        self.capabilities = Capabilities(
            timeout_s=timeout_s, addressing=Addressing.SLOT, read_back=True, backfill=False
        )
        self._proof_s, self._now = proof_s, now
        self._account: Account | None
        try:
            self._account = account(base_url, token)
        except (ValueError, AttributeError):
            self._account = None
        self._open: Line | None = None
        self._opening = asyncio.Lock()
        self._turns: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._news = News()

    async def put(self, lock_ref: str, grants: Sequence[Grant]) -> list[Outcome]:
        """Write these, one after the other, each proven before the next."""
        return await self._each(lock_ref, grants, write)

    async def remove(self, lock_ref: str, places: Sequence[Place]) -> list[Outcome]:
        """Empty these places, one after the other, each proven before the next."""
        return await self._each(lock_ref, places, clear)

    async def observe(self, lock_ref: str, places: Sequence[Place] = ()) -> Observation:
        """Read these places, or all that the device may have. What cannot be read within the time-out is unsure."""
        try:
            async with self._door(lock_ref) as door:
                asked = list(places) or [
                    Place(handle="", kind=Kind.DOOR_CODE, address=str(place))
                    for place in range(door.device.places)
                ]
                numbers = [
                    number for each in asked if (number := number_of(each.address)) is not None
                ]
                seen = await door.read_many(numbers)
        except Refused as no:
            return Observation(held=None, error=no.error)
        if numbers and not seen:
            return Observation(held=None, error=words.NO_ANSWER)
        shown = {n: each for n, each in seen.items() if each is not None and each.is_taken}
        held = tuple(
            _held(number, each, shows_pins=door.shows_pins) for number, each in shown.items()
        )
        unsure = tuple(each for each in asked if number_of(each.address) not in seen)
        return Observation(held=held, unsure=unsure)

    async def health(self, lock_ref: str) -> Health:
        """Whether the lock answers now, and its battery as it last reported it. It has no clock that matters."""
        try:
            async with self._door(lock_ref) as door:
                await door.say("get", {"state": ""})
                doc = await door.next_doc(asyncio.get_running_loop().time() + self._proof_s)
        except Refused as no:
            if no.error.cause is Cause.GATEWAY_UNREACHABLE:
                return Health(online=False, gateway_online=False)
            if no.error is words.LOCK_OFFLINE:
                return Health(online=False, gateway_online=True)
            return Health(online=False, error=no.error)
        return Health(online=doc is not None, battery=words.battery_in(doc), gateway_online=True)

    async def events(self, cursor: str) -> EventPage:
        """None: what nobody heard is lost. ``listen`` has them."""
        return EventPage(events=(), cursor=cursor)

    async def listen(self) -> AsyncIterator[EventPage]:
        """Events of all locks as they come. At first, and after each change, whether a lock is online.

        With a session in the account the broker keeps messages of locks whose option ``qos`` is 1 for the next line.
        """
        line = self._new_line()
        try:
            if line is None:
                raise Refused(BAD_ACCOUNT)
            with line.ear() as ear:
                await line.open(keeps=True)
                await line.attend((line.bridge.locks or {}).values())
                yield EventPage(events=(), cursor="")
                while not (word := await ear.get()).is_end:
                    if word.topic == "bridge/devices":
                        await line.attend((line.bridge.locks or {}).values())
                    news = self._news.hear(
                        word, bridge=line.bridge, reachable=line.reachable, now=self._now()
                    )
                    if news:
                        yield EventPage(events=news, cursor="")
            raise Refused(words.NOT_SENT)
        except Refused as no:
            yield EventPage(events=(), cursor="", error=no.error)
        finally:
            if line is not None:
                await line.close()

    async def unlock(self, lock_ref: str) -> Outcome:
        """Open the door now; confirmed when the lock says that it is unlocked. Never repeated by itself."""
        sent = False
        try:
            async with self._door(lock_ref) as door:
                sent = True
                await door.say("set", {"state": UNLOCKED})
                await door.say("get", {"state": ""})
                until = asyncio.get_running_loop().time() + self._proof_s
                state = None
                while (doc := await door.next_doc(until)) is not None:
                    state = doc.get("state")
                    if doc.get("action") == "unlock":  # told once, so it is news
                        state = UNLOCKED
                        break
        except Refused as no:
            return Outcome(result=Result.UNKNOWN if sent else Result.FAILED, error=no.error)
        if state == UNLOCKED:
            return Outcome(result=Result.CONFIRMED, proof=Proof.READ_BACK)
        return Outcome(result=Result.UNKNOWN, error=words.NOT_PROVEN)

    async def sync_clock(self, lock_ref: str, *, utc_offset_s: float | None = None) -> Outcome:
        """Not to be had: the times of a lock behind Zigbee2MQTT decide nothing."""
        return Outcome(result=Result.FAILED, error=words.UNSUPPORTED)

    async def discover(self) -> list[Found]:
        """All locks that take PINs; empty also when there is no answer."""
        try:
            line = await self._line()
        except Refused:
            return []
        return [
            words.found(lock, bridge=line.bridge) for lock in (line.bridge.locks or {}).values()
        ]

    async def close(self) -> None:
        """Hang up."""
        if self._open is not None:
            await self._open.close()
        self._open = None

    async def why_not(self) -> LockError | None:
        """What keeps this account from working at all, none when there is a Zigbee2MQTT, be it stopped for now."""
        try:
            line = await self._line()
        except Refused as no:
            return no.error
        return words.BRIDGE_OFFLINE if line.bridge.online is None else None

    def _new_line(self) -> Line | None:
        if self._account is None:
            return None
        return Line(self._account, timeout_s=self.capabilities.timeout_s)

    async def _line(self) -> Line:
        """The line, opened if there is none or it was lost. Raises Refused."""
        async with self._opening:
            if self._open is not None and self._open.is_lost:
                await self.close()
            if self._open is None:
                line = self._new_line()
                if line is None:
                    raise Refused(BAD_ACCOUNT)
                try:
                    await line.open()
                except Refused:
                    await line.close()
                    raise
                self._open = line
            return self._open

    @asynccontextmanager
    async def _door(self, lock_ref: str) -> AsyncIterator[Door]:
        """One lock that can be talked to, and nobody else of this driver does. Raises Refused."""
        by = asyncio.get_running_loop().time() + self.capabilities.timeout_s
        try:
            async with asyncio.timeout_at(by):
                await self._turns[lock_ref].acquire()
        except TimeoutError:
            raise Refused(words.BUSY) from None
        try:
            line = await self._line()
            if not line.bridge.online or line.bridge.locks is None:
                raise Refused(words.BRIDGE_OFFLINE)
            device = line.bridge.locks.get(lock_ref)
            if device is None:
                raise Refused(words.NO_SUCH_LOCK)
            is_online = await line.hear_reach(device)
            if not is_online:
                raise Refused(words.NO_WORD_OF_LOCK if is_online is None else words.LOCK_OFFLINE)
            with line.ear() as ear:
                yield Door(line=line, device=device, ear=ear, proof_s=self._proof_s, by=by)
        finally:
            self._turns[lock_ref].release()

    async def _each(
        self,
        lock_ref: str,
        items: Sequence[Item],
        do: Callable[[Door, Item], Awaitable[Outcome]],
    ) -> list[Outcome]:
        """One after the other, on a lock that can be talked to."""
        try:
            async with self._door(lock_ref) as door:
                return await in_order(items, partial(do, door))
        except Refused as no:
            return [Outcome(result=Result.FAILED, error=no.error)] * len(items)


def _held(place: int, seen: Seen, *, shows_pins: bool) -> Held:
    pin = seen.pin if shows_pins and seen.pin else None
    return Held(address=str(place), handle="", kind=Kind.DOOR_CODE, secret=pin)


async def sign_in(base_url: str, fields: Mapping[str, str]) -> str | LockError:
    """The token that an account stores, once the broker and a Zigbee2MQTT under its base topic were found."""
    token = json.dumps({name: value for name, value in fields.items() if value})
    driver = open_driver(base_url=base_url, token=token)
    try:
        return await driver.why_not() or token
    finally:
        await driver.close()


def open_driver(*, base_url: str, token: str) -> Zigbee2MqttDriver:
    """A connection to one Zigbee2MQTT. DRIVER_TIMEOUT_S bounds each call, 10 s if it is not set."""
    limit_s = timeout_s()
    return Zigbee2MqttDriver(
        base_url=base_url, token=token, timeout_s=limit_s, proof_s=min(PROOF_S, limit_s / 5)
    )


VENDOR = Vendor(
    title="Zigbee2MQTT",
    default_url="mqtt://127.0.0.1:1883",
    tells_live=True,
    fields=(
        AccountField(name="user", label="User at the MQTT broker", required=False),
        AccountField(name="password", label="Password", secret=True, required=False),
        AccountField(
            name="base_topic",
            label="Base topic",
            help="As in Zigbee2MQTT's own configuration.",
            default="zigbee2mqtt",
            refused_by=("bridge_offline",),
        ),
        AccountField(
            name="session",
            label="Session",
            help="A name that no other client of the broker has. Under it the broker keeps messages while Portal is away.",
            default="portal",
            required=False,
        ),
        AccountField(
            name="ca",
            label="Certificate of the broker's authority",
            help="In PEM, for an mqtts address with a certificate of your own.",
            required=False,
            is_long=True,
        ),
    ),
    open_driver=open_driver,
    sets_clocks=False,
    sign_in=sign_in,
)
