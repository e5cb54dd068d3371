"""Random sequences against delivery: a wall of fake locks with every fault, a hotel, its staff, and the checker.

All is in this process and by a simulated clock, so a seed tells the whole story. The fake locks are true to the driver
contract and keep their memory apart from Portal's tables. The checker asks the intentions (switches, check-ins, windows,
revocations), never the rule, what each lock should hold.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import connections
from django.db.models import Min

from keys import issuing
from keys.following import follow
from keys.keychain import DoorWish
from keys.models import Assignment, Key, KeychainDoor
from keys.outcomes import Pace
from keys.provisioning import Limits, Round, ask_again, decide_again, deliver, settle_without_lock
from keys.refusal import Refused
from locks import doorlog
from locks.drivers import (
    Capabilities,
    Cause,
    EventType,
    Grant,
    Held,
    Kind,
    LockError,
    LockEvent,
    Observation,
    Outcome,
    Place,
    Proof,
    Result,
    Retry,
    Scope,
)
from locks.models import DoorLogEntry, Episode, Lock, Writer
from pms.models import Integration, Reservation, RoomDoor
from tests.factories import (
    BY,
    AccountFactory,
    DoorFactory,
    GatewayFactory,
    LockFactory,
    PropertyFactory,
    key_for,
)

LIMITS = Limits(
    driver_timeout=10.0,
    round_length=20.0,
    writers=100,
    pace=Pace(soon=[2.0, 5.0, 15.0, 60.0, 300.0], offline=60.0, unsure=2.0),
)
START = datetime(2030, 6, 12, 12, tzinfo=UTC)
STAYS_S = 4000.0
"""How far settling looks ahead: past the longest pause between two tries."""


class Clock:
    """Simulated time. Every look at it is a millisecond later than the one before; ``passes`` jumps."""

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


@dataclass(slots=True)
class FakeLock:
    """One lock on the wall; ``faults`` hit its next writes, one each."""

    ref: str
    scope: str
    native: bool
    masked: bool
    online: bool = True
    faults: list[str] = field(default_factory=list)
    memory: dict[str, Thing] = field(default_factory=dict)


def trouble(cause: Cause, retry: Retry, scope: Scope) -> Outcome:
    """A no that is certain."""
    return Outcome(result=Result.FAILED, error=LockError(cause=cause, retry=retry, scope=scope))


OFFLINE = trouble(Cause.LOCK_UNREACHABLE, Retry.WHEN_ONLINE, Scope.LOCK)
GATEWAY_OFFLINE = trouble(Cause.GATEWAY_UNREACHABLE, Retry.WHEN_ONLINE, Scope.GATEWAY)
BUSY = trouble(Cause.BUSY, Retry.SOON, Scope.LOCK)
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


@dataclass(slots=True)
class Wall:
    """All fake locks, what is under way to them, and what was seen there that must never be."""

    clock: Clock
    rng: random.Random
    locks: dict[str, FakeLock] = field(default_factory=dict)
    dead_gateways: set[str] = field(default_factory=set)
    landings: list[tuple[datetime, str, Callable[[], None]]] = field(default_factory=list)
    in_flight: Counter[str] = field(default_factory=Counter)
    refused: set[tuple[str, str, str]] = field(default_factory=set)
    dirty: set[str] = field(default_factory=set)
    violations: list[str] = field(default_factory=list)
    fired: Counter[str] = field(default_factory=Counter)
    during: Callable[[FakeDriver, FakeLock], Any] | None = None

    def pass_time(self, to: datetime) -> None:
        """Let time pass; what is on its way lands when its moment has come."""
        self.clock.jump(to)
        now = self.clock()
        due = sorted((each for each in self.landings if each[0] <= now), key=lambda each: each[0])
        self.landings = [each for each in self.landings if each[0] > now]
        for _, _, land in due:
            land()


class Died(BaseException):
    """The worker was killed here."""


@dataclass(slots=True)
class FakeDriver:
    """The driver contract over the wall, for one worker. ``excused`` calls of a paused worker may overlap."""

    wall: Wall
    worker: Worker | None = None
    batch: int = 1
    gate: threading.Event | None = None
    at_gate: threading.Event | None = None

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(timeout_s=10.0, batch=self.batch)

    async def put(self, lock_ref: str, grants: Sequence[Grant]) -> list[Outcome]:
        return await self._all(lock_ref, [self._putting(lock_ref, grant) for grant in grants])

    async def remove(self, lock_ref: str, places: Sequence[Place]) -> list[Outcome]:
        return await self._all(lock_ref, [self._removing(lock_ref, place) for place in places])

    async def observe(self, lock_ref: str) -> Observation:
        await asyncio.sleep(0)
        lock = self.wall.locks[lock_ref]
        no = self._unreachable(lock)
        if no is not None:
            return Observation(held=None, error=no.error)
        return Observation(
            held=tuple(
                Held(
                    address=handle,
                    handle=handle,
                    kind=thing.kind,
                    secret=None if lock.masked else thing.value,
                    starts_at=thing.starts_at,
                    ends_at=thing.ends_at,
                )
                for handle, thing in lock.memory.items()
            )
        )

    async def close(self) -> None:
        return None

    def _putting(self, lock_ref: str, grant: Grant) -> tuple[str, Callable[[], Outcome]]:
        lock = self.wall.locks[lock_ref]

        def land() -> Outcome:
            for handle, other in lock.memory.items():
                same = (other.kind, other.value) == (grant.kind, grant.secret)
                if same and handle != grant.handle:
                    return DUPLICATE
            times = (grant.starts_at, grant.ends_at) if lock.native else (None, None)
            lock.memory[grant.handle] = Thing(grant.kind, str(grant.secret), *times)
            return Outcome(result=Result.CONFIRMED, address=grant.handle, proof=Proof.ACKNOWLEDGED)

        return f"put {grant.handle} {grant.secret}", land

    def _removing(self, lock_ref: str, place: Place) -> tuple[str, Callable[[], Outcome]]:
        lock = self.wall.locks[lock_ref]

        def land() -> Outcome:
            lock.memory.pop(place.address or place.handle, None)
            return Outcome(result=Result.CONFIRMED, proof=Proof.ACKNOWLEDGED)

        return f"remove {place.handle} ", land

    async def _all(
        self, lock_ref: str, writes: Sequence[tuple[str, Callable[[], Outcome]]]
    ) -> list[Outcome]:
        lock = self.wall.locks[lock_ref]
        outcomes: list[Outcome] = []
        for name, land in writes:
            last = outcomes[-1] if outcomes else None
            if last and last.error and last.error.scope is not Scope.CREDENTIAL:
                outcomes.append(last)
                continue
            outcomes.append(await self._one(lock, name, land))
        return outcomes

    async def _one(self, lock: FakeLock, name: str, land: Callable[[], Outcome]) -> Outcome:
        wall = self.wall
        if wall.in_flight[lock.scope]:
            wall.violations.append(f"two writes at once at {lock.scope}: {name}")
        wall.in_flight[lock.scope] += 1
        try:
            return await self._write(lock, name, land)
        finally:
            wall.in_flight[lock.scope] -= 1

    async def _write(self, lock: FakeLock, name: str, land: Callable[[], Outcome]) -> Outcome:
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
        end = time.monotonic() + 10
        while not self.gate.is_set() and time.monotonic() < end:
            await asyncio.sleep(0.001)

    async def _maybe_die(self, point: str) -> None:
        if self.worker is not None:
            await self.worker.die_at(point)

    def _unreachable(self, lock: FakeLock) -> Outcome | None:
        if lock.scope in self.wall.dead_gateways:
            self.wall.fired["gateway offline"] += 1
            return GATEWAY_OFFLINE
        if not lock.online:
            self.wall.fired["offline"] += 1
            return OFFLINE
        return None

    def _with_faults(self, lock: FakeLock, name: str, land: Callable[[], Outcome]) -> Outcome:
        if not lock.faults:
            return land()
        fault = lock.faults.pop(0)
        if fault.startswith("refused") and name.startswith("remove"):
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
        self.wall.landings.append((moment, lock.ref, lambda: land() and None))
        return Outcome(result=result)


class Worker(Round):
    """A delivery round that can be killed at a named point; nothing of it happens afterwards."""

    POINTS = ("after the stamp", "before the call", "after the call", "before settling")

    def __init__(self, wall: Wall, point: str) -> None:
        super().__init__(LIMITS, wall.clock, lambda _: FakeDriver(wall, worker=self))
        self.wall, self.point = wall, point
        self.is_dead = False

    def live(self) -> bool:
        """Run until nothing is due or death. True when it died."""
        return asyncio.run(self._live())

    async def _live(self) -> bool:
        self.death = asyncio.Event()
        living = asyncio.create_task(self.run())
        dying = asyncio.create_task(self.death.wait())
        await asyncio.wait({living, dying}, return_when=asyncio.FIRST_COMPLETED)
        for task in (living, dying):
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        return self.is_dead

    async def die_at(self, point: str) -> None:
        """Die here if this is the point, or stay dead."""
        if point == self.point and not self.is_dead:
            self.is_dead = True
            self.wall.fired[f"killed {point}"] += 1
            self.death.set()
        if self.is_dead:
            await asyncio.sleep(3600)

    async def _db(self, call: Any, *arguments: Any) -> Any:
        settles = call == self._settle
        if settles and any(each.batch.changes for each in arguments[0]):
            await self.die_at("before settling")
        if self.is_dead:
            await asyncio.sleep(3600)
        answer = await super()._db(call, *arguments)
        if settles and answer.stamped:
            await self.die_at("after the stamp")
        return answer


class Hotel:
    """A small hotel on the wall, the people who work there, and the worker that serves it."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.clock = Clock()
        self.wall = Wall(self.clock, self.rng)
        self.steps: Counter[str] = Counter()
        self.trace: list[str] = []
        self.property = PropertyFactory(name=f"Hotel of seed {seed} {time.monotonic_ns()}")
        self.account = AccountFactory(property=self.property)
        self.gateway = GatewayFactory(account=self.account, external_id="G")
        self.doors = [DoorFactory(property=self.property) for _ in range(4)]
        self.lock_ids: dict[str, int] = {}
        for number, door in enumerate(self.doors[:3]):
            self._hang_up(number, door)
        self.stays: list[Reservation] = []
        self._connect_pms()
        self.batch = self.rng.choice((1, 1, 3))

    def _hang_up(self, number: int, door: Any) -> None:
        ref, native = f"L{number}", number != 2
        gateway = None if number == 0 else self.gateway
        lock = LockFactory(
            account=self.account,
            door=door,
            external_id=ref,
            gateway=gateway,
            native_window=native,
        )
        self.lock_ids[ref] = lock.pk
        scope = "gateway" if gateway else ref
        masked = number == 1 and self.rng.random() < 0.3
        self.wall.locks[ref] = FakeLock(ref, scope, native, masked)

    def _connect_pms(self) -> None:
        self.integration = Integration.objects.create(
            property=self.property,
            adapter="cloudbeds",
            state=Integration.State.CONNECTED,
            state_since=START,
        )
        for number in (0, 2):
            RoomDoor.objects.create(
                property=self.property,
                integration=self.integration,
                room_ref=f"R{number}",
                door=self.doors[number],
            )

    # What people do -----------------------------------------------------------------------------------

    def _keys(self) -> list[Key]:
        return list(Key.objects.filter(property=self.property).order_by("id"))

    def _a_key(self, **having: Any) -> Key | None:
        keys = list(Key.objects.filter(property=self.property, **having).order_by("id"))
        return self.rng.choice(keys) if keys else None

    def _a_door(self) -> KeychainDoor | None:
        doors = list(
            KeychainDoor.objects.filter(property=self.property, removed_at=None).order_by("id")
        )
        return self.rng.choice(doors) if doors else None

    def make_key(self) -> None:
        if len(self._keys()) >= 5:
            return
        now = self.clock()
        doors = self.rng.sample(self.doors, self.rng.randint(1, 3))
        starts_at = now + timedelta(minutes=self.rng.choice((-60, -60, 30)))
        ends_at = starts_at + timedelta(hours=self.rng.choice((1.2, 3, 40)))
        kinds = self.rng.choice(((Kind.DOOR_CODE,), (Kind.DOOR_CODE, Kind.SMARTKEY)))
        key_for(
            *doors,
            starts_at=starts_at,
            ends_at=max(ends_at, now + timedelta(minutes=5)),
            allow=self.rng.random() < 0.8,
            kinds=kinds,
            at=now,
        )

    def book(self) -> None:
        if len(self.stays) >= 2:
            return
        now = self.clock()
        starts_at = now + timedelta(minutes=self.rng.choice((-30, 20)))
        ends_at = starts_at + timedelta(hours=self.rng.choice((2, 50)))
        stay = Reservation.objects.create(
            property=self.property,
            integration=self.integration,
            external_id=f"S{len(self.stays)}",
            booking_ref="B",
            number=f"N{len(self.stays)}",
            state=Reservation.State.EXPECTED,
            guest_name="Grace Example",
            room_ref=f"R{self.rng.choice((0, 2))}",
            arrival_on=starts_at.date(),
            departure_on=ends_at.date(),
            arrival_at=starts_at,
            departure_at=ends_at,
            read_at=now,
            first_seen_at=now,
            changed_at=now,
            fingerprint="",
        )
        self.stays.append(stay)
        follow(reservation=stay, now=self.clock())

    def _change_stay(self, **changes: Any) -> None:
        if not self.stays:
            return
        stay = self.rng.choice(self.stays)
        for name, value in changes.items():
            setattr(stay, name, value)
        stay.changed_at = self.clock()
        stay.save()
        follow(reservation=stay, now=self.clock())

    def check_in(self) -> None:
        self._change_stay(state=Reservation.State.IN_HOUSE, checked_in_at=self.clock())

    def undo_check_in(self) -> None:
        self._change_stay(state=Reservation.State.EXPECTED, checked_in_at=None)

    def cancel(self) -> None:
        self._change_stay(state=Reservation.State.CANCELLED)

    def move_room(self) -> None:
        self._change_stay(room_ref=self.rng.choice(("R0", "R2")))

    def switch_off(self) -> None:
        door = self._a_door()
        if door is not None:
            issuing.set_permission(keychain_door=door, on=False, by=BY, now=self.clock())

    def switch_on(self) -> None:
        door = self._a_door()
        if door is not None:
            box = self.rng.choice((None, True, False))
            issuing.set_permission(
                keychain_door=door, on=True, before_check_in=box, by=BY, now=self.clock()
            )

    def revoke(self) -> None:
        key = self._a_key(revoked_at=None)
        if key is not None:
            issuing.revoke(key=key, by=BY, now=self.clock())

    def restore(self) -> None:
        key = self._a_key(revoked_at__isnull=False)
        if key is not None:
            with contextlib.suppress(Refused):
                issuing.restore(key=key, by=BY, now=self.clock())

    def change_window(self) -> None:
        key = self._a_key(revoked_at=None)
        if key is not None:
            by = timedelta(minutes=self.rng.choice((-40, 25, 90)))
            with contextlib.suppress(Refused):
                issuing.edit_key(key=key, ends_at=key.ends_at + by, by=BY, now=self.clock())

    def regenerate(self) -> None:
        key = self._a_key(revoked_at=None)
        credential = key.credentials.order_by("id").first() if key else None
        if credential is not None:
            issuing.regenerate(credential=credential, by=BY, now=self.clock())

    def add_door(self) -> None:
        key = self._a_key(revoked_at=None)
        if key is not None:
            with contextlib.suppress(Refused):
                wish = DoorWish(door=self.rng.choice(self.doors))
                issuing.add_door(key=key, wish=wish, by=BY, now=self.clock())

    def remove_door(self) -> None:
        door = self._a_door()
        if door is not None:
            issuing.remove_door(keychain_door=door, by=BY, now=self.clock())

    def lose_pms(self) -> None:
        self._pms(Integration.State.BROKEN)

    def find_pms(self) -> None:
        self._pms(Integration.State.CONNECTED)

    def _pms(self, state: str) -> None:
        self.integration.state = state
        self.integration.save()
        ask_again(property_id=self.property.pk, now=self.clock())

    # What happens at the locks ------------------------------------------------------------------------

    def _a_lock(self) -> FakeLock:
        return self.rng.choice(list(self.wall.locks.values()))

    def _tell(self, lock: FakeLock, type_: EventType) -> None:
        now = self.clock()
        event = LockEvent(
            event_id=f"{lock.ref}-{now.timestamp()}",
            lock_ref=lock.ref,
            type=type_,
            happened_at=now,
        )
        doorlog.ingest(account_id=self.account.pk, events=[event], now=now)

    def lock_offline(self) -> None:
        lock = self._a_lock()
        lock.online = False
        if self.rng.random() < 0.5:
            self._tell(lock, EventType.OFFLINE)

    def lock_online_with_a_signal(self) -> None:
        for lock in self.wall.locks.values():
            if not lock.online:
                lock.online = True
                self._tell(lock, EventType.ONLINE)

    def lock_online_silently(self) -> None:
        for lock in self.wall.locks.values():
            lock.online = True

    def gateway_offline(self) -> None:
        self.wall.dead_gateways.add("gateway")

    def gateway_online(self) -> None:
        self.wall.dead_gateways.clear()

    def arm_fault(self) -> None:
        lock = self._a_lock()
        lock.faults += [self.rng.choice(FAULTS)] * self.rng.choice((1, 1, 2))

    def pass_time(self) -> None:
        seconds = self.rng.choice((1, 3, 10, 40, 70, 200, 700, 2500))
        self.wall.pass_time(self.clock() + timedelta(seconds=seconds))

    # The worker ---------------------------------------------------------------------------------------

    def _driver(self, _: Any = None) -> FakeDriver:
        return FakeDriver(self.wall, batch=self.batch)

    def deliver(self, driver: FakeDriver | None = None) -> None:
        decide_again(now=self.clock())
        settle_without_lock(now=self.clock())
        chosen = driver or self._driver()
        deliver(limits=LIMITS, clock=self.clock, open_account=lambda _: chosen)

    def _make_work(self) -> None:
        """Change something, so that there is something to write or to remove."""
        for change in self.rng.sample(
            (self.regenerate, self.switch_on, self.switch_off, self.change_window, self.restore), 2
        ):
            change()

    def crash(self) -> None:
        """A worker is killed at one of the named points; sometimes another looks before its lease has run out."""
        self._make_work()
        died = Worker(self.wall, self.rng.choice(Worker.POINTS)).live()
        self.wall.in_flight.clear()
        if died and self.rng.random() < 0.5:
            self.deliver()
        self._lease_runs_out()

    def _lease_runs_out(self) -> None:
        self.wall.pass_time(self.clock() + timedelta(seconds=21))
        Writer.objects.filter(property=self.property).exclude(owner="").update(until_ms=1)

    def change_in_flight(self) -> None:
        """Staff or the PMS change something while a write is under way."""
        change = self.rng.choice(
            (self.regenerate, self.change_window, self.switch_off, self.revoke, self.undo_check_in)
        )

        async def meanwhile(driver: FakeDriver, lock: FakeLock) -> None:
            self.wall.fired["changed in flight"] += 1
            await asyncio.to_thread(_apart, change)

        self._with_hook(meanwhile)

    def second_worker(self) -> None:
        """A second worker looks while the first is in the middle of a write: it must leave that lock alone."""

        async def meanwhile(driver: FakeDriver, lock: FakeLock) -> None:
            self.wall.fired["second worker"] += 1
            await asyncio.to_thread(_apart, self.deliver)

        self._with_hook(meanwhile)

    def _with_hook(self, hook: Any) -> None:
        self._make_work()
        self.wall.during = hook
        self.deliver()
        self.wall.during = None

    def pause(self) -> None:
        """A worker is paused in the middle of a write, past its lease. Meanwhile things change and another takes over;
        then it goes on, while the other is in the middle of a write: its call lands late, and that must be its last.
        """
        resumed, at_gate = threading.Event(), threading.Event()
        other: list[threading.Thread] = []

        async def sleeps(driver: FakeDriver, lock: FakeLock) -> None:
            self.wall.fired["paused"] += 1
            self.wall.dirty |= {
                each.ref for each in self.wall.locks.values() if each.scope == lock.scope
            }
            await asyncio.to_thread(_apart, self._meanwhile)
            self.wall.in_flight[lock.scope] -= 1  # the paused call cannot be kept from landing
            second = FakeDriver(self.wall, gate=resumed, at_gate=at_gate)
            other.append(threading.Thread(target=_apart, args=(self.deliver, second)))
            other[0].start()
            while other[0].is_alive() and not at_gate.is_set():
                await asyncio.sleep(0.001)
            self.wall.in_flight[lock.scope] += 1

        self._with_hook(sleeps)
        resumed.set()
        for thread in other:
            thread.join(20)
        self.wall.in_flight.clear()

    def _meanwhile(self) -> None:
        self._lease_runs_out()
        for _ in range(2):
            self.rng.choice((self.revoke, self.switch_off, self.regenerate, self.change_window))()

    # The end --------------------------------------------------------------------------------------------

    def settle(self) -> None:
        """Faults end; time passes until nothing is due and every lock was read back."""
        for lock in self.wall.locks.values():
            lock.faults.clear()
            lock.online = True
        self.wall.dead_gateways.clear()
        self._lease_runs_out()
        for _ in range(80):
            self.deliver()
            due = self._next_due()
            if due is None or due > self.clock() + timedelta(seconds=STAYS_S):
                return
            self.wall.pass_time(due + timedelta(milliseconds=5))
        self.wall.violations.append("nothing settles: something is due for ever")

    def _next_due(self) -> datetime | None:
        mine = {"property": self.property}
        moments = [
            Assignment.objects.filter(**mine).aggregate(at=Min("next_attempt_at"))["at"],
            Lock.objects.filter(**mine, read_backs_left__gt=0).aggregate(at=Min("read_back_at"))[
                "at"
            ],
            *(at for at, _, _ in self.wall.landings),
        ]
        return min((at for at in moments if at is not None), default=None)

    def leave(self) -> None:
        """Nothing of this hotel is due for the next one's worker."""
        Assignment.objects.filter(property=self.property).update(next_attempt_at=None)
        Lock.objects.filter(property=self.property).update(read_back_at=None)


def _apart(work: Callable[..., None], *arguments: Any) -> None:
    """Work in a thread of its own with connections of its own."""
    try:
        work(*arguments)
    finally:
        connections.close_all()


# The checker ------------------------------------------------------------------------------------------


def places_of(hotel: Hotel) -> list[Assignment]:
    """All assignments of a hotel with the intentions behind them."""
    return list(
        Assignment.objects.filter(property=hotel.property).select_related(
            "key__reservation__integration", "keychain_door", "credential__person", "lock"
        )
    )


def may_hold(place: Assignment) -> bool:
    """Both gates and all that ends a key, from the intentions alone; time is looked at apart."""
    key, door, credential = place.key, place.keychain_door, place.credential
    ended = (
        key.revoked_at
        or key.departed_at
        or door.removed_at
        or credential.retired_at
        or credential.person.removed_at
    )
    if ended or door.permission in {"held_by_staff", "held_by_outage"}:
        return False
    checked_in = key.reservation is None or key.reservation.checked_in_at is not None
    return checked_in or door.permission == "allowed_before_check_in"


def should_hold(place: Assignment, now: datetime) -> bool:
    """Whether the lock should hold this credential now."""
    if place.lock is None or not may_hold(place) or now >= place.ends_at:
        return False
    return bool(place.lock.native_window or place.starts_at <= now)


def is_right(place: Assignment, thing: Thing | None) -> bool:
    """Whether the lock holds exactly what this assignment means now."""
    if thing is None or thing.value != str(place.credential.secret):
        return False
    native = place.lock is not None and place.lock.native_window
    return not native or (thing.starts_at, thing.ends_at) == (place.starts_at, place.ends_at)


def thing_of(hotel: Hotel, place: Assignment) -> Thing | None:
    """What the lock holds for this assignment."""
    if place.lock is None:
        return None
    lock = hotel.wall.locks[place.lock.external_id]
    return lock.memory.get(f"k{place.key_id}a{place.pk}")


def check_belief(hotel: Hotel, *, after: str, everywhere: bool) -> list[str]:
    """What Portal believes must be so, except at locks where a late call was let loose and not yet read back."""
    wrong = []
    for place in places_of(hotel):
        if place.lock is None or place.sent_revision is not None:
            continue
        if not everywhere and place.lock.external_id in hotel.wall.dirty:
            continue
        thing = thing_of(hotel, place)
        if place.written_revision is None and thing is not None:
            wrong.append(f"{after}: believed absent, is on the lock: {place.pk}")
        if place.written_revision == place.revision and not is_right(place, thing):
            wrong.append(f"{after}: believed current, is not: {place.pk}")
    return wrong


def check_end(hotel: Hotel) -> list[str]:
    """After settling: each lock holds exactly what is wanted, all is believed as it is, and every trouble is told."""
    now = hotel.clock()
    wrong = check_belief(hotel, after="the end", everywhere=True)
    open_kinds: dict[int, set[str]] = {}
    for episode in Episode.objects.filter(property=hotel.property, closed_at=None):
        open_kinds.setdefault(episode.assignment_id, set()).add(episode.kind)
    for place in places_of(hotel):
        wrong += _check_place(hotel, place, open_kinds.get(place.pk, set()), now)
    ours = {f"k{a.key_id}a{a.pk}" for a in Assignment.objects.filter(property=hotel.property)}
    for lock in hotel.wall.locks.values():
        wrong += [f"foreign on {lock.ref}: {handle}" for handle in set(lock.memory) - ours]
        codes = Counter((thing.kind, thing.value) for thing in lock.memory.values())
        wrong += [f"the same code twice on {lock.ref}" for count in codes.values() if count > 1]
    return wrong + _check_repairs(hotel)


def _check_place(hotel: Hotel, place: Assignment, kinds: set[str], now: datetime) -> list[str]:
    thing, wanted = thing_of(hotel, place), should_hold(place, now)
    wrong = []
    ref = place.lock.external_id if place.lock else ""
    handle = f"k{place.key_id}a{place.pk}"
    was_refused = (ref, handle, str(place.credential.secret)) in hotel.wall.refused
    if place.sent_revision is not None:
        wrong.append(f"the end: outcome still unknown: {place.pk}")
    if wanted and not is_right(place, thing) and not was_refused:
        wrong.append(f"missing on {ref}: {handle}")
    if not wanted and thing is not None:
        wrong.append(f"unauthorized on {ref}: {handle}")
    if "not_removed" in kinds:
        wrong.append(f"a removal is told as open and is done: {handle}")
    begun = place.starts_at <= now < place.ends_at
    pending = begun and not _ended(place) and not is_right(place, thing)
    if pending is not ("4117" in kinds):
        wrong.append(f"4117 of {handle} is {'missing' if pending else 'open without cause'}")
    if (_ended(place) or now >= place.ends_at) and place.reserved_digest is not None:
        wrong.append(f"the code of {handle} is not given back")
    return wrong


def _ended(place: Assignment) -> bool:
    return bool(
        place.key.revoked_at
        or place.key.departed_at
        or place.keychain_door.removed_at
        or place.credential.retired_at
        or place.credential.person.removed_at
    )


def _check_repairs(hotel: Hotel) -> list[str]:
    """A repair means that something was believed that was not so; only a call that landed late excuses one."""
    repaired = DoorLogEntry.objects.filter(property_id=hotel.property.pk, code="repaired")
    refs = {pk: ref for ref, pk in hotel.lock_ids.items()}
    return [
        f"repaired without a late call: {refs[lock_id]}"
        for lock_id in repaired.values_list("lock_id", flat=True)
        if refs[lock_id] not in hotel.wall.dirty
    ]


# Sequences --------------------------------------------------------------------------------------------

STEPS: dict[str, int] = {
    "deliver": 14,
    "pass_time": 7,
    "arm_fault": 9,
    "switch_off": 4,
    "switch_on": 6,
    "check_in": 4,
    "undo_check_in": 2,
    "revoke": 2,
    "restore": 3,
    "change_window": 3,
    "regenerate": 3,
    "make_key": 3,
    "book": 2,
    "cancel": 1,
    "move_room": 1,
    "add_door": 1,
    "remove_door": 1,
    "lock_offline": 2,
    "lock_online_with_a_signal": 2,
    "lock_online_silently": 1,
    "gateway_offline": 1,
    "gateway_online": 2,
    "lose_pms": 1,
    "find_pms": 1,
    "change_in_flight": 3,
    "second_worker": 1,
    "crash": 3,
    "pause": 1,
}
CALM = {"pause"}
"""Left out of every second sequence, together with late landings, so that there each belief must always be true."""


@dataclass(slots=True)
class Story:
    """What one sequence did and what was wrong about it."""

    seed: int
    violations: list[str]
    steps: Counter[str]
    fired: Counter[str]
    trace: list[str]

    def __str__(self) -> str:
        return f"seed {self.seed}: {self.violations[:5]}\n  " + " ".join(self.trace)


def run_sequence(seed: int, *, steps: int = 50) -> Story:
    """One hotel, ``steps`` random steps, settling, and the verdict. Stops at the first thing that is wrong."""
    hotel = Hotel(seed)
    hotel.make_key()
    hotel.book()
    calm = seed % 2 == 0
    menu = {name: weight for name, weight in STEPS.items() if not (calm and name in CALM)}
    try:
        for _ in range(steps):
            name = hotel.rng.choices(list(menu), list(menu.values()))[0]
            hotel.steps[name] += 1
            hotel.trace.append(name)
            getattr(hotel, name)()
            if calm:
                _calm(hotel)
            hotel.wall.violations += check_belief(hotel, after=name, everywhere=False)
            if hotel.wall.violations:
                break
        else:
            hotel.settle()
            hotel.wall.violations += check_end(hotel)
    finally:
        hotel.leave()
    wall = hotel.wall
    return Story(seed, wall.violations, hotel.steps, wall.fired, hotel.trace)


def _calm(hotel: Hotel) -> None:
    for lock in hotel.wall.locks.values():
        lock.faults = [f for f in lock.faults if f not in {"late landing", "only accepted"}]
