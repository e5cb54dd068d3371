"""The hotel of a random sequence as a whole: its people, what happens at its locks, and the workers that serve it."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from django.db import connections
from django.db.models import Min

from keys.models import Assignment
from keys.provisioning import decide_again, settle_without_lock
from locks import doorlog
from locks import events as lock_events
from locks.drivers import EventType, Kind, LockEvent
from locks.log_models import Episode
from locks.models import Lock, LockAccount, Writer
from tests.keys.checker import (
    clears_due,
    ended,
    handle_of,
    late_clears,
    may_hold,
    places_of,
)
from tests.keys.people import SLOTS, People
from tests.keys.wall import FAULTS, TYPED, FakeDriver, FakeLock, Thing
from tests.keys.workers import SimulatedRound, Worker

STAYS_S = 4000.0
"""How far settling looks ahead: past the longest pause between two tries."""


class Hotel(People):
    """People, locks and workers. Every step is a method without arguments."""

    # What happens at the locks ------------------------------------------------------------------------

    def _a_lock(self) -> FakeLock:
        return self.rng.choice(list(self.wall.locks.values()))

    def _tell(self, lock: FakeLock, type_: EventType, **more: Any) -> None:
        """Have the lock report this, in a hotel whose lock system reports anything."""
        if not self.signals:
            return
        now = self.clock()
        event = LockEvent(
            event_id=f"{lock.ref}-{now.timestamp()}",
            lock_ref=lock.ref,
            type=type_,
            happened_at=now,
            **more,
        )
        lock_events.ingest(account_id=self.account.pk, events=[event], now=now)

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
                self.wall.fired["back online"] += 1
                self.wall.fired["never signals"] += not self.signals

    def lock_online_silently(self) -> None:
        for lock in self.wall.locks.values():
            lock.online = True

    def gateway_offline(self) -> None:
        self.wall.dead_gateways.add("gateway")

    def gateway_online(self) -> None:
        self.wall.dead_gateways.clear()

    def account_refused(self) -> None:
        """The lock system no longer takes the account's token."""
        self.wall.refuses_account = True

    def account_accepted(self) -> None:
        """It takes it again, and Portal tries it, as it does every minute."""
        self.wall.refuses_account = False
        broken = LockAccount.objects.filter(pk=self.account.pk, state="broken").exists()
        self.wall.fired["account broken"] += broken
        doorlog.account_works(account_id=self.account.pk, now=self.clock())

    def arm_fault(self) -> None:
        lock = self._a_lock()
        lock.faults += [self.rng.choice(FAULTS)] * self.rng.choice((1, 1, 2))

    def change_at_keypad(self) -> None:
        """Someone at the lock deletes a code, changes one, or types in one that a guest of ours is about to get."""
        lock = self._a_lock()
        handles = [handle for handle in lock.memory if not handle.startswith(TYPED)]
        what = self.rng.choice(("delete", "change", "add"))
        if what == "add":
            self._add_at_keypad(lock)
        elif handles:
            handle = self.rng.choice(handles)
            if what == "delete":
                lock.forget(handle)
            else:
                lock.memory[handle].value = str(self.rng.randrange(10**8, 10**9))
            self.wall.fired[f"keypad {what}"] += 1
        self.wall.dirty.add(lock.ref)
        self._tell(lock, EventType.CHANGED_AT_LOCK)

    def _add_at_keypad(self, lock: FakeLock) -> None:
        coming = [
            str(place.credential.secret)
            for place in places_of(self)
            if place.lock is not None
            and place.lock.external_id == lock.ref
            and place.kind == Kind.DOOR_CODE
            and handle_of(place) not in lock.memory
        ]
        value = self.rng.choice(coming) if coming else str(self.rng.randrange(10**8, 10**9))
        taken = {thing.value for thing in lock.memory.values()}
        if not lock.is_full and value not in taken:
            handle = f"{TYPED} {len(lock.memory)} {value}"
            lock.memory[handle] = Thing(Kind.DOOR_CODE, value, None, None)
            lock.places[str(SLOTS - len(lock.places))] = handle
            self.wall.fired["keypad add"] += 1

    def type_at_the_door(self) -> None:
        """A guest in the time of the stay types the code: the door opens, or that it did not is a 4117 at once."""
        now = self.clock()
        guests = [
            place
            for place in places_of(self)
            if place.lock and place.starts_at <= now < place.ends_at and not ended(place)
        ]
        if not guests or not self.signals:
            return
        place = self.rng.choice(guests)
        lock = self.wall.locks[place.lock.external_id]
        self._type(place, lock, now)

    def _type(self, place: Assignment, lock: FakeLock, now: datetime) -> None:
        secret = str(place.credential.secret)
        handle, thing = next(
            ((h, t) for h, t in lock.memory.items() if (t.kind, t.value) == (place.kind, secret)),
            ("", None),
        )
        kind = Kind(place.kind)
        if thing is not None and thing.opens(now):
            ours = "" if handle.startswith(TYPED) else handle
            self._tell(lock, EventType.UNLOCKED, kind=kind, handle=ours)
            self.wall.fired["opened"] += 1
            return
        self._tell(lock, EventType.DENIED, kind=kind, secret=secret)
        self.wall.fired["denied"] += 1
        pending = not may_hold(place) or place.written_revision != place.revision
        mine = Episode.objects.filter(assignment_id=place.pk, kind="4117", closed_at=None)
        if pending and place.reserved_digest is not None and not mine.exists():
            self.wall.violations.append(f"refused at the door without a 4117: {handle_of(place)}")

    def pass_time(self) -> None:
        seconds = self.rng.choice((1, 3, 10, 40, 70, 200, 700, 2500))
        self.wall.pass_time(self.clock() + timedelta(seconds=seconds))

    # The worker ---------------------------------------------------------------------------------------

    def deliver(self) -> None:
        """A worker looks, alone: everything that must go from a lock leaves before anything new is sent there."""
        due = clears_due(self, now=self.clock())
        for lock in self.wall.locks.values():
            lock.calls.clear()
        self._look()
        self.wall.fired["cleared first"] += bool(due)
        self.wall.violations += late_clears(self, due)

    def _look(self, driver: FakeDriver | None = None) -> None:
        decide_again(now=self.clock())
        settle_without_lock(now=self.clock())
        chosen = driver or self.wall.driver(batch=self.batch)
        asyncio.run(SimulatedRound(self.wall, chosen).run())

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
            self._look()
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
            await asyncio.to_thread(_apart, self._look)

        self._with_hook(meanwhile)

    def _with_hook(self, hook: Any) -> None:
        self._make_work()
        self.wall.during = hook
        self._look()
        self.wall.during = None

    def pause(self) -> None:
        """A worker is paused in the middle of a write, past its lease. Meanwhile things change and another takes over;
        then it goes on, while the other is in the middle of a write: its call lands late, and that must be its last.
        """
        resumed, at_gate = threading.Event(), threading.Event()
        other: list[threading.Thread] = []

        async def sleeps(driver: FakeDriver, lock: FakeLock) -> None:
            """Holds up the whole loop of the first worker, as a stopped process would be."""
            self.wall.fired["paused"] += 1
            self.wall.dirty |= self.wall.locks.keys()
            driver.pause()
            _start(self._meanwhile).join()
            second = self.wall.driver(gate=resumed, at_gate=at_gate, gate_scope=lock.scope)
            other.append(_start(self._look, second))
            while other[0].is_alive() and not at_gate.is_set():
                time.sleep(0.001)
            self.wall.fired["taken over while paused"] += at_gate.is_set()

        self._with_hook(sleeps)
        resumed.set()
        for thread in other:
            thread.join()
        self.wall.in_flight.clear()

    def _meanwhile(self) -> None:
        self._lease_runs_out()
        for _ in range(2):
            self.rng.choice((self.revoke, self.switch_off, self.regenerate, self.change_window))()

    # The end --------------------------------------------------------------------------------------------

    def settle(self) -> None:
        """Faults end; time passes until nothing is due and every lock was read back."""
        self.wall.heal()
        self.account_accepted()
        self._lease_runs_out()
        if not self.signals:  # only the slow cycle tells what was changed at a keypad
            Lock.objects.filter(property=self.property).update(read_back_at=self.clock())
        for _ in range(self.looks):
            self.deliver()
            due = self._next_due()
            if due is None or due > self.clock() + timedelta(seconds=STAYS_S):
                return
            self.wall.pass_time(due + timedelta(milliseconds=5))
        self.wall.violations.append("nothing settles: something is due for ever")

    def _next_due(self) -> datetime | None:
        mine = {"property": self.property}
        read_back = Lock.objects.filter(**mine, read_backs_left__gt=0)
        moments = [
            Assignment.objects.filter(**mine).aggregate(at=Min("next_attempt_at"))["at"],
            read_back.aggregate(at=Min("read_back_at"))["at"],
            *(at for at, _, _ in self.wall.landings),
        ]
        return min((at for at in moments if at is not None), default=None)

    def leave(self) -> None:
        """Nothing of this hotel is due for the next one's worker."""
        Assignment.objects.filter(property=self.property).update(next_attempt_at=None)
        Lock.objects.filter(property=self.property).update(read_back_at=None)


def _start(work: Callable[..., None], *arguments: Any) -> threading.Thread:
    thread = threading.Thread(target=_apart, args=(work, *arguments))
    thread.start()
    return thread


def _apart(work: Callable[..., None], *arguments: Any) -> None:
    """Work in a thread of its own with connections of its own."""
    try:
        work(*arguments)
    finally:
        connections.close_all()
