"""A wall of fake locks with every fault, by a simulated clock: true to the driver contract, with a memory of their own.

All is in this process, so a seed tells the whole story.
"""

from __future__ import annotations

import asyncio
import random
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from locks.drivers import (
    Capabilities,
    Cause,
    Grant,
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

if TYPE_CHECKING:
    from tests.keys.workers import Worker

START = datetime(2030, 6, 12, 12, tzinfo=UTC)


class Clock:
    """Simulated time. Every look at it is a millisecond later than the one before; ``jump`` jumps."""

    def __init__(self) -> None:
        self._now = START
        self._guard = threading.Lock()

    def __call__(self) -> datetime:
        with self._guard:
            self._now += timedelta(milliseconds=1)
            return self._now

    def jump(self, to: datetime) -> None:
        with self._guard:
            self._now = max(self._now, to)


@dataclass(slots=True)
class Thing:
    """What a fake lock remembers under one handle."""

    kind: Kind
    value: str
    starts_at: datetime | None
    ends_at: datetime | None

    def opens(self, now: datetime) -> bool:
        """Whether it opens the door now."""
        return self.starts_at is None or self.starts_at <= now < self.ends_at


class Call(NamedTuple):
    """One command that left for a lock, and the handles that the lock held at that moment."""

    verb: str
    handle: str
    held: frozenset[str]


@dataclass(slots=True)
class FakeLock:
    """One lock on the wall; ``faults`` hit its next writes, one each. ``room`` is how many things it can remember.

    A ``slotted`` lock knows numbered places and no names; ``places`` says whose thing lies where, for those who look
    past the driver.
    """

    ref: str
    scope: str
    native: bool
    masked: bool
    room: int = 1000
    online: bool = True
    faults: list[str] = field(default_factory=list)
    slotted: bool = False
    memory: dict[str, Thing] = field(default_factory=dict)
    places: dict[str, str] = field(default_factory=dict)
    calls: list[Call] = field(default_factory=list)

    @property
    def is_full(self) -> bool:
        return len(self.memory) >= self.room

    def address(self, handle: str) -> str:
        """Where a thing lies."""
        there = [place for place, whose in self.places.items() if whose == handle]
        return there[0] if self.slotted else handle

    def at(self, address: str) -> str:
        """Whose thing lies there."""
        return self.places.get(address, "") if self.slotted else address

    def forget(self, handle: str) -> None:
        """Have it no more."""
        self.memory.pop(handle, None)
        self.places = {place: whose for place, whose in self.places.items() if whose != handle}


TYPED = "typed at the keypad"
"""How the handles begin of what someone typed in at a lock: none of ours."""


def trouble(cause: Cause, retry: Retry, scope: Scope) -> Outcome:
    """A no that is certain."""
    return Outcome(result=Result.FAILED, error=LockError(cause=cause, retry=retry, scope=scope))


def _concerns_the_rest(error: LockError) -> bool:
    return error.scope is not Scope.CREDENTIAL and error.cause is not Cause.NO_SPACE


OFFLINE = trouble(Cause.LOCK_UNREACHABLE, Retry.WHEN_ONLINE, Scope.LOCK)
GATEWAY_OFFLINE = trouble(Cause.GATEWAY_UNREACHABLE, Retry.WHEN_ONLINE, Scope.GATEWAY)
ACCOUNT_REFUSED = trouble(Cause.AUTH, Retry.NEVER, Scope.ACCOUNT)
BUSY = trouble(Cause.BUSY, Retry.SOON, Scope.LOCK)
FULL = trouble(Cause.NO_SPACE, Retry.AFTER_CHANGE, Scope.LOCK)
REFUSED = trouble(Cause.REJECTED, Retry.SOON, Scope.CREDENTIAL)
REFUSED_FOR_GOOD = trouble(Cause.INVALID_CODE, Retry.AFTER_CHANGE, Scope.CREDENTIAL)
DUPLICATE = trouble(Cause.DUPLICATE_CODE, Retry.AFTER_CHANGE, Scope.CREDENTIAL)
UNKNOWN = Outcome(result=Result.UNKNOWN)
FAULTS = (
    "lost request",
    "lost reply",
    "late landing",
    "busy",
    "refused",
    "refused for good",
    "only accepted",
)


def seen_by_driver(lock: FakeLock, handle: str, thing: Thing) -> Held:
    """A thing as a driver reads it."""
    ours = not lock.slotted and not handle.startswith(TYPED)
    return Held(
        address=lock.address(handle),
        handle=handle if ours else "",
        kind=thing.kind,
        secret=None if lock.masked else thing.value,
        starts_at=thing.starts_at,
        ends_at=thing.ends_at,
    )


@dataclass(slots=True)
class Wall:
    """All fake locks, what is under way to them, and what was seen there that must never be.

    ``dirty`` are locks where something happened that Portal cannot know before it reads them: beliefs about them may be
    wrong until then, and repairs are right.
    """

    clock: Clock
    rng: random.Random
    locks: dict[str, FakeLock] = field(default_factory=dict)
    dead_gateways: set[str] = field(default_factory=set)
    refuses_account: bool = False
    landings: list[tuple[datetime, str, Callable[[], object]]] = field(default_factory=list)
    in_flight: dict[str, set[int]] = field(default_factory=lambda: defaultdict(set))
    refused: set[tuple[str, str, str]] = field(default_factory=set)
    dirty: set[str] = field(default_factory=set)
    violations: list[str] = field(default_factory=list)
    fired: Counter[str] = field(default_factory=Counter)
    during: Callable[[FakeDriver, FakeLock], Any] | None = None

    def driver(self, **options: Any) -> FakeDriver:
        """A driver over this wall, for one worker."""
        return FakeDriver(self, **options)

    def pass_time(self, to: datetime) -> None:
        """Let time pass; what is on its way lands when its moment has come."""
        self.clock.jump(to)
        now = self.clock()
        due = sorted((each for each in self.landings if each[0] <= now), key=lambda each: each[0])
        self.landings = [each for each in self.landings if each[0] > now]
        for _, _, land in due:
            land()

    def heal(self) -> None:
        """No fault any more."""
        for lock in self.locks.values():
            lock.faults.clear()
            lock.online = True
        self.dead_gateways.clear()
        self.refuses_account = False


@dataclass(slots=True)
class FakeDriver:
    """The driver contract over the wall, for one worker, who may die in it; at a ``gate`` it waits until that opens.

    ``late`` are the scopes where a paused worker has one call on its way: that one cannot be kept from landing.
    """

    wall: Wall
    worker: Worker | None = None
    batch: int = 1
    gate: threading.Event | None = None
    at_gate: threading.Event | None = None
    gate_scope: str = ""
    late: set[str] = field(default_factory=set)

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(timeout_s=10.0, batch=self.batch)

    async def put(self, lock_ref: str, grants: Sequence[Grant]) -> list[Outcome]:
        return await self._all(lock_ref, [self._putting(lock_ref, grant) for grant in grants])

    async def remove(self, lock_ref: str, places: Sequence[Place]) -> list[Outcome]:
        return await self._all(lock_ref, [self._removing(lock_ref, place) for place in places])

    async def observe(self, lock_ref: str, places: Sequence[Place] = ()) -> Observation:
        await asyncio.sleep(0)
        lock = self.wall.locks[lock_ref]
        no = self._unreachable(lock)
        if no is not None:
            return Observation(held=None, error=no.error)
        held = tuple(seen_by_driver(lock, handle, thing) for handle, thing in lock.memory.items())
        if lock.slotted and places:
            asked = {place.address for place in places}
            held = tuple(each for each in held if each.address in asked)
        return Observation(held=held)

    async def close(self) -> None:
        return None

    def _putting(self, lock_ref: str, grant: Grant) -> tuple[str, Callable[[], Outcome]]:
        lock = self.wall.locks[lock_ref]

        def land() -> Outcome:
            for handle, other in lock.memory.items():
                same = (other.kind, other.value) == (grant.kind, grant.secret)
                if same and handle != grant.handle:
                    self.wall.fired["duplicate"] += 1
                    return DUPLICATE
            if lock.is_full and grant.handle not in lock.memory:
                self.wall.fired["memory full"] += 1
                return FULL
            times = (grant.starts_at, grant.ends_at) if lock.native else (None, None)
            self._take_place(lock, grant)
            lock.memory[grant.handle] = Thing(grant.kind, str(grant.secret), *times)
            address = lock.address(grant.handle)
            return Outcome(result=Result.CONFIRMED, address=address, proof=Proof.ACKNOWLEDGED)

        return f"put {grant.handle} {grant.secret}", land

    def _take_place(self, lock: FakeLock, grant: Grant) -> None:
        if not lock.slotted:
            return
        before = lock.places.get(grant.address, grant.handle)
        if before != grant.handle:
            self.wall.violations.append(f"{grant.handle} was written over {before} on {lock.ref}")
        lock.forget(before)
        lock.forget(grant.handle)
        lock.places[grant.address] = grant.handle
        self.wall.fired["placed"] += 1

    def _removing(self, lock_ref: str, place: Place) -> tuple[str, Callable[[], Outcome]]:
        lock = self.wall.locks[lock_ref]

        def land() -> Outcome:
            if lock.slotted and not place.address:
                self.wall.violations.append(f"no place to remove {place.handle} from {lock.ref}")
            lock.forget(lock.at(place.address or place.handle))
            return Outcome(result=Result.CONFIRMED, proof=Proof.ACKNOWLEDGED)

        return f"remove {place.handle} ", land

    async def _all(
        self, lock_ref: str, writes: Sequence[tuple[str, Callable[[], Outcome]]]
    ) -> list[Outcome]:
        lock = self.wall.locks[lock_ref]
        outcomes: list[Outcome] = []
        for name, land in writes:
            last = outcomes[-1] if outcomes else None
            if last and last.error and _concerns_the_rest(last.error):
                outcomes.append(last)
            else:
                outcomes.append(await self._one(lock, name, land))
        self.late.discard(lock.scope)
        return outcomes

    async def _one(self, lock: FakeLock, name: str, land: Callable[[], Outcome]) -> Outcome:
        there = self.wall.in_flight[lock.scope]
        if lock.scope not in self.late:
            if there:
                self.wall.violations.append(f"two writes at once at {lock.scope}: {name}")
            there.add(id(self))
        try:
            return await self._write(lock, name, land)
        finally:
            there.discard(id(self))

    def pause(self) -> None:
        """Whatever this worker has under way, or is about to send, lands late."""
        self.late = {lock.scope for lock in self.wall.locks.values()}
        for there in self.wall.in_flight.values():
            there.discard(id(self))

    async def _write(self, lock: FakeLock, name: str, land: Callable[[], Outcome]) -> Outcome:
        if lock.scope == self.gate_scope:
            await self._wait_at_gate()
        hook, self.wall.during = self.wall.during, None
        if hook is not None:
            await hook(self, lock)
        await self._maybe_die("before the call")
        await asyncio.sleep(0)
        no = self._unreachable(lock)
        outcome = no or self._with_faults(lock, name, land)
        await self._maybe_die("after the call")
        return outcome

    async def _wait_at_gate(self) -> None:
        if self.gate is None or self.at_gate is None:
            return
        self.at_gate.set()
        end = time.monotonic() + 30
        while not self.gate.is_set() and time.monotonic() < end:
            await asyncio.sleep(0.001)

    async def _maybe_die(self, point: str) -> None:
        if self.worker is not None:
            await self.worker.die_at(point)

    def _unreachable(self, lock: FakeLock) -> Outcome | None:
        if self.wall.refuses_account:
            self.wall.fired["account refused"] += 1
            return ACCOUNT_REFUSED
        if lock.scope in self.wall.dead_gateways:
            self.wall.fired["gateway offline"] += 1
            return GATEWAY_OFFLINE
        if not lock.online:
            self.wall.fired["offline"] += 1
            return OFFLINE
        return None

    def _with_faults(self, lock: FakeLock, name: str, land: Callable[[], Outcome]) -> Outcome:
        verb, handle, _ = name.split(" ", 2)
        lock.calls.append(Call(verb, handle, frozenset(lock.memory)))
        if not lock.faults:
            return land()
        fault = lock.faults.pop(0)
        if fault.startswith("refused") and verb == "remove":
            fault = "busy"
        self.wall.fired[fault] += 1
        return self._faulty(fault, lock, name, land)

    def _faulty(
        self, fault: str, lock: FakeLock, name: str, land: Callable[[], Outcome]
    ) -> Outcome:
        match fault:
            case "lost request":
                return UNKNOWN
            case "lost reply":
                land()
                return UNKNOWN
            case "only accepted":
                return self._later(lock, land, Result.ACCEPTED, self.wall.rng.uniform(0.5, 5))
            case "late landing":
                return self._later(lock, land, Result.UNKNOWN, self.wall.rng.uniform(1, 90))
            case "busy":
                return BUSY
            case "refused":
                return REFUSED
            case _:
                _, handle, secret = name.split(" ", 2)
                self.wall.refused.add((lock.ref, handle, secret))
                return REFUSED_FOR_GOOD

    def _later(
        self, lock: FakeLock, land: Callable[[], Outcome], result: Result, seconds: float
    ) -> Outcome:
        self.wall.dirty.add(lock.ref)
        moment = self.wall.clock() + timedelta(seconds=seconds)
        self.wall.landings.append((moment, lock.ref, land))
        return Outcome(result=result)
