"""Delivery: one round takes the leases of writers that have something due and brings their locks to what the rule wants.

One round is one Celery task with one event loop. Each writer is served in a coroutine of its own, so a lock that hangs
delays nobody else, and the round goes on taking leases while any is served.
"""

from __future__ import annotations

import asyncio
import logging
import os
import uuid
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.conf import settings

from keys import leases, ledger, moving, provisioning
from keys.attempts import Attempts
from keys.desk import Desk, LeaseLost
from keys.leases import Grip
from keys.ledger import Batch, Work
from keys.lock_calls import LockCalls, open_account
from keys.outcomes import Pace
from keys.reading_back import ReadingBack
from locks import doorlog
from locks.clock import database_now
from locks.drivers import Driver
from locks.log_models import DoorLogEntry, LogCode
from locks.models import Lock, LockAccount

log = logging.getLogger(__name__)
LOOK_EVERY_S = 0.05
"""How often a round that is serving looks for more leases to take."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The figures of one round, in seconds; tests scale them."""

    driver_timeout: float
    round_length: float
    writers: int
    pace: Pace

    @property
    def lease_ms(self) -> int:
        """Twice the longest call and a second: long enough to be renewed, short enough to be taken over soon."""
        return int((2 * self.driver_timeout + 1) * 1000)


def limits_from_settings() -> Limits:
    """The limits that the settings name."""
    return Limits(
        driver_timeout=settings.DRIVER_TIMEOUT_S,
        round_length=settings.DELIVERY_ROUND_S,
        writers=settings.DELIVERY_MAX_WRITERS,
        pace=Pace(
            soon=settings.RETRY_SOON_S,
            offline=settings.RETRY_OFFLINE_S[0],
            unsure=min(settings.RETRY_SOON_S[0], 2.0),
            patience=settings.ACCEPTED_PATIENCE_S,
            grace=settings.OVERDUE_GRACE_S,
        ),
    )


def look(*, now: datetime, open_account: Callable[[LockAccount], Driver] = open_account) -> int:
    """Everything a worker does when the bell rings: decide again, say what no lock can be asked, give up old rooms whose
    guests have the new one, deliver."""
    provisioning.decide_again(now=now)
    provisioning.settle_without_lock(now=now)
    moving.finish(now=now)
    return deliver(open_account=open_account)


def deliver(
    *,
    limits: Limits | None = None,
    clock: Callable[[], datetime] = database_now,
    open_account: Callable[[LockAccount], Driver] = open_account,
) -> int:
    """Deliver what is due until nothing is, or the round's time is up. Returns how many attempts were made."""
    if not leases.is_any_due(now=clock()):
        return 0
    return asyncio.run(Round(limits or limits_from_settings(), clock, open_account).run())


class Round:
    """One delivery task: its leases, its drivers, its one door to the database."""

    def __init__(
        self,
        limits: Limits,
        clock: Callable[[], datetime],
        open_account: Callable[[LockAccount], Driver],
    ) -> None:
        self.limits = limits
        self.owner = f"{os.getpid()}-{uuid.uuid4().hex[:12]}"
        self.desk = self.open_desk(clock)
        self.calls = LockCalls(limits.driver_timeout, open_account)
        self.reading = ReadingBack(self.desk, self.calls, limits.pace)
        self.writing = Attempts(self.desk, self.calls, limits.pace)

    def open_desk(self, clock: Callable[[], datetime]) -> Desk:
        """The round's door to the database."""
        return Desk(self.owner, self.limits.lease_ms, clock)

    async def run(self) -> int:
        """Take leases and serve them until nothing is due; stop taking when the round's time is up."""
        scribe = asyncio.create_task(self.desk.write_down())
        serving: set[asyncio.Task[None]] = set()
        end = asyncio.get_running_loop().time() + self.limits.round_length
        try:
            while True:
                room = self.limits.writers - len(serving)
                if asyncio.get_running_loop().time() < end and room > 0:
                    taken, work = await self.desk.call(self._take, room)
                    serving |= {
                        asyncio.create_task(self._serve(grip, work[grip.writer_id], end))
                        for grip in taken
                    }
                if not serving:
                    return self.writing.made
                _, serving = await asyncio.wait(serving, timeout=LOOK_EVERY_S)
        finally:
            await self._close(scribe, serving)

    async def _close(
        self, scribe: asyncio.Task[None], serving: Iterable[asyncio.Task[None]]
    ) -> None:
        for task in (scribe, *serving):
            task.cancel()
        await self.calls.close()
        self.desk.close()

    async def _serve(self, grip: Grip, work: Work, end: float) -> None:
        """Bring the locks of one writer to what is wanted, then give the lease back."""
        next_work: Work | None = work
        try:
            if grip.unclean and not work.rows and not work.read_backs:
                await self.desk.ask(grip, Batch())
            while next_work is not None:
                if not await self._read(grip, next_work):
                    await self.writing.carry_out(grip, next_work.rows)
                last = asyncio.get_running_loop().time() >= end
                next_work = await self.desk.together(self._go_on, (grip, last))
        except LeaseLost:
            log.warning("writer %s was taken over", grip.writer_id)
        except Exception:
            log.exception("writer %s is left to its lease", grip.writer_id)

    async def _read(self, grip: Grip, work: Work) -> bool:
        """Read the locks that must be read. Then all that is due must be looked at anew, so that removals still go first."""
        for back in work.read_backs:
            await self.reading.compare(grip, back)
        return bool(work.read_backs) or await self.reading.make_sure(grip, work.rows)

    # In the database's thread ---------------------------------------------------------------------

    def _take(self, room: int) -> tuple[list[Grip], dict[int, Work]]:
        now = self.desk.read_clock()
        grips = leases.grab(owner=self.owner, lease_ms=self.limits.lease_ms, limit=room, now=now)
        if not grips:
            return [], {}
        _note_takeovers([grip for grip in grips if grip.unclean], now=now)
        return grips, self._work([grip.writer_id for grip in grips], now)

    def _work(self, writer_ids: Sequence[int], now: datetime) -> dict[int, Work]:
        work = ledger.due_at(writer_ids, now=now)
        wanted = {row.account_id for w in work.values() for row in w.rows if row.account_id}
        locks = [back.lock_id for w in work.values() for back in w.read_backs]
        if locks:
            wanted |= set(Lock.objects.filter(pk__in=locks).values_list("account_id", flat=True))
        self.calls.know(wanted)
        return work

    def _go_on(self, served: Sequence[tuple[Grip, bool]]) -> list[Work | None]:
        """What is due at these writers now; where nothing is, or it was the last time, the lease is given back."""
        going = [grip.writer_id for grip, last in served if not last]
        found = self._work(going, self.desk.read_clock()) if going else {}
        more = {writer: work for writer, work in found.items() if work.rows or work.read_backs}
        done = [grip for grip, _ in served if grip.writer_id not in more]
        leases.release(done, owner=self.owner)
        return [more.get(grip.writer_id) for grip, _ in served]


def _note_takeovers(grips: Sequence[Grip], *, now: datetime) -> None:
    """Whoever held these leases died or was paused: its last write may still land, so the locks are read back twice."""
    if not grips:
        return
    locks = Lock.objects.filter(writer_id__in=[grip.writer_id for grip in grips])
    doorlog.must_read_back(lock_ids=locks.values_list("id", flat=True), now=now)
    doorlog.append(
        [
            doorlog.Line(
                lock.property_id,
                lock.door_id,
                lock.pk,
                now,
                now,
                DoorLogEntry.Origin.PORTAL.value,
                LogCode.TAKEN_OVER.value,
            )
            for lock in locks
        ]
    )
