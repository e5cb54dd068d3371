"""Fake locks behind a vendor that takes everything first: its book, its own pace, and what it says meanwhile.

The vendor holds one declaration per name. It carries them out when their time has come and the lock can be reached, and
its book says what is under way, what is done and what was refused. The lock itself cannot be read.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from locks.drivers import (
    Capabilities,
    Kind,
    LockError,
    Observation,
    Outcome,
    Place,
    Problem,
    Proof,
    Result,
)
from tests.keys.hotel import Hotel
from tests.keys.wall import (
    BUSY,
    OFFLINE,
    REFUSED,
    REFUSED_FOR_GOOD,
    TYPED,
    Call,
    FakeDriver,
    FakeLock,
    Wall,
    seen_by_driver,
)

SLOWEST_S = 90.0


@dataclass(slots=True)
class Declared:
    """What the vendor was asked for under one name: to have it, or to have it gone; ``at`` is when it gets to that."""

    at: datetime
    land: Callable[[], Outcome]
    is_removal: bool
    refusal: LockError | None = None
    error: LockError | None = None


@dataclass(slots=True)
class Book:
    """The vendor's side of one lock."""

    declared: dict[str, Declared] = field(default_factory=dict)


class AcceptingWall(Wall):
    """A wall whose vendor works by itself, whenever time passes."""

    def __init__(self, *args, **more) -> None:
        super().__init__(*args, **more)
        self.books: dict[str, Book] = {}

    def book(self, ref: str) -> Book:
        return self.books.setdefault(ref, Book())

    def driver(self, **options) -> AcceptingDriver:
        return AcceptingDriver(self, **options)

    def pass_time(self, to: datetime) -> None:
        super().pass_time(to)
        self.work()

    def heal(self) -> None:
        super().heal()
        for book in self.books.values():
            for each in book.declared.values():
                each.refusal = None

    def work(self) -> None:
        """Carry out what is due at every lock that can be reached: what must go first."""
        now = self.clock()
        for ref, book in self.books.items():
            lock = self.locks[ref]
            if not lock.online or lock.scope in self.dead_gateways:
                continue
            due = [name for name, each in book.declared.items() if each.at <= now]
            for name in sorted(due, key=lambda name: not book.declared[name].is_removal):
                self._carry_out(book, name)

    def _carry_out(self, book: Book, name: str) -> None:
        each = book.declared[name]
        if each.error is not None:
            return
        if each.refusal is not None:
            each.error = each.refusal
            self.fired["refused later"] += 1
            return
        outcome = each.land()
        if outcome.error is not None:
            each.error = outcome.error
            self.fired[f"later {outcome.error.cause.value}"] += 1
            return
        del book.declared[name]
        self.fired["carried out"] += 1


class AcceptingDriver(FakeDriver):
    """The driver contract over that vendor: ACCEPTED, or a lost word, and a book to read."""

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(timeout_s=10.0, batch=self.batch, read_back=False)

    def _unreachable(self, lock: FakeLock) -> Outcome | None:
        no = super()._unreachable(lock)
        return no if self.wall.refuses_account else None

    def _with_faults(self, lock: FakeLock, name: str, land: Callable[[], Outcome]) -> Outcome:
        verb, handle, secret = name.split(" ", 2)
        lock.calls.append(Call(verb, handle, frozenset(lock.memory)))
        fault = lock.faults.pop(0) if lock.faults else ""
        self.wall.fired[fault] += bool(fault)
        if fault == "lost request":
            return Outcome(result=Result.UNKNOWN)
        if fault == "busy":
            return BUSY
        if verb == "remove":
            return self._declare_removal(lock, handle, land, fault)
        each = self._declared(land, is_removal=False)
        if fault.startswith("refused"):
            each.refusal = (REFUSED if fault == "refused" else REFUSED_FOR_GOOD).error
            self.wall.refused.add((lock.ref, handle, secret))
        return self._declare(lock, handle, each, fault)

    def _declare_removal(
        self, lock: FakeLock, handle: str, land: Callable[[], Outcome], fault: str
    ) -> Outcome:
        if handle not in self.wall.book(lock.ref).declared and handle not in lock.memory:
            return Outcome(result=Result.CONFIRMED, proof=Proof.ACCEPTED)
        return self._declare(lock, handle, self._declared(land, is_removal=True), fault)

    def _declared(self, land: Callable[[], Outcome], *, is_removal: bool) -> Declared:
        seconds = self.wall.rng.choice((0.0, 1.0, 5.0, 30.0, SLOWEST_S))
        at = self.wall.clock() + timedelta(seconds=seconds)
        return Declared(at=at, land=land, is_removal=is_removal)

    def _declare(self, lock: FakeLock, handle: str, each: Declared, fault: str) -> Outcome:
        def land() -> Outcome:
            self.wall.book(lock.ref).declared[handle] = each
            self.wall.fired["accepted removal" if each.is_removal else "accepted"] += 1
            return Outcome(result=Result.ACCEPTED, address=handle, proof=Proof.ACCEPTED)

        if fault == "late landing":
            return self._later(lock, land, Result.UNKNOWN, self.wall.rng.uniform(1, 90))
        outcome = land()
        return Outcome(result=Result.UNKNOWN) if fault == "lost reply" else outcome

    async def observe(self, lock_ref: str, places: Sequence[Place] = ()) -> Observation:
        await asyncio.sleep(0)
        lock = self.wall.locks[lock_ref]
        if self.wall.refuses_account:
            return Observation(held=None)
        declared = self.wall.book(lock_ref).declared
        unsure, problems = [], []
        away = not lock.online or lock.scope in self.wall.dead_gateways
        for name, each in declared.items():
            place = Place(handle=name, kind=Kind.DOOR_CODE, address=name)
            if each.error is not None:
                problems.append(Problem(place=place, error=each.error))
                continue
            unsure.append(place)
            if away:
                problems.append(Problem(place=place, error=OFFLINE.error))
        sure = {name for name, each in declared.items() if each.error is None}
        held = tuple(
            seen_by_driver(lock, name, thing)
            for name, thing in lock.memory.items()
            if name not in sure and not name.startswith(TYPED)
        )
        return Observation(held=held, unsure=tuple(unsure), problems=tuple(problems))


class AcceptingHotel(Hotel):
    """The same hotel, whose lock system answers later."""

    wall_of = AcceptingWall
    has_slots = False
    looks = 300
