"""Delivery: brings every lock to what the rule wants, from the rows alone, safe to run twice, late, at once or never.

One round is one Celery task with one event loop. It takes the leases of writers that have something due, serves each in
a coroutine of its own (so a lock that hangs delays nobody else), and goes on taking leases while any is served. The
database lives in one thread beside the loop, where everything that coroutines ask for meanwhile travels in one
transaction: renew, settle, log, stamp.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import uuid
from collections.abc import Callable, Coroutine, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from time import monotonic
from typing import Any, TypeVar

from django.conf import settings
from django.db import connections, transaction

from keys import allocation, ledger
from keys.facts import Answer, Row, answer, is_over, rows_of
from keys.ledger import Batch, Grip, ReadBack, Settled, Work
from keys.models import Assignment, Credential, Recheck
from keys.outcomes import (
    NOT_CONFIRMED,
    NOT_WRITTEN,
    Pace,
    Verdict,
    after,
    cause_of,
    found,
    handle,
    line_of,
    noted,
    place_of,
)
from keys.refusal import Refused
from keys.rules import Action, OnLock, is_pending
from locks import doorlog
from locks.clock import database_now
from locks.doorlog import Trouble, Typed, ids_of
from locks.drivers import (
    Cause,
    Driver,
    Grant,
    Held,
    Kind,
    LockError,
    Observation,
    Outcome,
    Proof,
    Result,
    Retry,
    Scope,
    open_driver,
)
from locks.history import SYSTEM, acting
from locks.models import Door, DoorLogEntry, Lock, LockAccount, LogCode
from locks.pulse import bump

log = logging.getLogger(__name__)
T = TypeVar("T")
REACHED = {Result.CONFIRMED, Result.ACCEPTED}
LOOK_EVERY_S = 0.05
"""How often a round that is serving looks for more leases to take."""
UNREACHABLE = {Cause.LOCK_UNREACHABLE, Cause.GATEWAY_UNREACHABLE}


class LeaseLost(Exception):
    """Another worker took this writer over; nothing more may be said in its name."""


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
        ),
    )


def deliver(
    *,
    limits: Limits | None = None,
    clock: Callable[[], datetime] = database_now,
    open_account: Callable[[LockAccount], Driver] | None = None,
) -> int:
    """Deliver what is due until nothing is, or the round's time is up. Returns how many attempts were made."""
    round_ = Round(limits or limits_from_settings(), clock, open_account or _open)
    return asyncio.run(round_.run())


def _open(account: LockAccount) -> Driver:
    return open_driver(account.driver, base_url=account.base_url, token=account.token)


@dataclass(slots=True)
class _Asked:
    """What one coroutine asks of the database, and where the answer goes."""

    batch: Batch
    grip: Grip
    stamps: list[Row]
    answered: asyncio.Future[dict[int, str]]


@dataclass(slots=True)
class Attempt:
    """One thing to do at one lock."""

    row: Row
    action: Action


@dataclass(slots=True)
class Round:
    """One delivery task: its leases, its drivers, its one door to the database."""

    limits: Limits
    clock: Callable[[], datetime]
    open_account: Callable[[LockAccount], Driver]
    owner: str = field(default_factory=lambda: f"{os.getpid()}-{uuid.uuid4().hex[:12]}")
    attempts: int = 0
    _asked: list[_Asked] = field(default_factory=list)
    _bell: asyncio.Event = field(default_factory=asyncio.Event)
    _drivers: dict[int, Driver] = field(default_factory=dict)
    _accounts: dict[int, LockAccount] = field(default_factory=dict)
    _read: tuple[datetime, float] | None = None
    _thread: ThreadPoolExecutor = field(
        default_factory=lambda: ThreadPoolExecutor(1, "delivery-db")
    )

    async def run(self) -> int:
        """Take leases and serve them until nothing is due; stop taking when the round's time is up."""
        scribe = asyncio.create_task(self._write_down())
        serving: set[asyncio.Task[None]] = set()
        end = asyncio.get_running_loop().time() + self.limits.round_length
        try:
            while True:
                taken: list[Grip] = []
                room = self.limits.writers - len(serving)
                if asyncio.get_running_loop().time() < end and room > 0:
                    taken, work = await self._db(self._take, room)
                    serving |= {
                        asyncio.create_task(self._serve(grip, work[grip.writer_id], end))
                        for grip in taken
                    }
                if not serving:
                    return self.attempts
                _, serving = await asyncio.wait(serving, timeout=LOOK_EVERY_S)
        finally:
            await self._close(scribe, serving)

    async def _close(
        self, scribe: asyncio.Task[None], serving: Iterable[asyncio.Task[None]]
    ) -> None:
        for task in (scribe, *serving):
            task.cancel()
        for driver in self._drivers.values():
            with contextlib.suppress(Exception):
                await driver.close()
        self._thread.submit(connections.close_all)
        self._thread.shutdown(wait=True)

    async def _db(self, call: Callable[..., T], *arguments: Any) -> T:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, partial(call, *arguments))

    def _now(self) -> datetime:
        """The database's time, carried on by the monotonic clock between two looks at it."""
        if self._read is None:
            return self._read_clock()
        moment, then = self._read
        return moment + timedelta(seconds=monotonic() - then)

    def _read_clock(self) -> datetime:
        moment = self.clock()
        self._read = moment, monotonic()
        return moment

    # In the database's thread ---------------------------------------------------------------------

    def _take(self, room: int) -> tuple[list[Grip], dict[int, Work]]:
        now = self._read_clock()
        grips = ledger.grab(owner=self.owner, lease_ms=self.limits.lease_ms, limit=room, now=now)
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
        missing = wanted - self._accounts.keys()
        if missing:
            self._accounts |= {a.pk: a for a in LockAccount.objects.filter(pk__in=missing)}
        return work

    def _settle(self, asked: Sequence[_Asked]) -> Settled:
        whole = Batch()
        for each in asked:
            whole.changes += each.batch.changes
            whole.lines += each.batch.lines
            whole.troubles += each.batch.troubles
            whole.closed += each.batch.closed
            whole.effects += each.batch.effects
            whole.stamps += [(each.grip, row) for row in each.stamps]
            whole.grips.add(each.grip)
        return ledger.settle(
            whole, owner=self.owner, lease_ms=self.limits.lease_ms, now=self._now()
        )

    def _go_on(self, grip: Grip, last: bool) -> Work | None:  # noqa: FBT001
        """What is due at this writer now; when nothing is, the lease is given back."""
        if not last:
            work = self._work([grip.writer_id], self._read_clock())[grip.writer_id]
            if work.rows or work.read_backs:
                return work
        ledger.release([grip], owner=self.owner)
        return None

    # In the event loop ----------------------------------------------------------------------------

    async def _write_down(self) -> None:
        """The one writer of the ledger: everything asked for meanwhile goes into one transaction."""
        while True:
            await self._bell.wait()
            self._bell.clear()
            asked, self._asked = self._asked, []
            try:
                settled = await self._db(self._settle, asked)
            except Exception as error:  # noqa: BLE001 - each who asked learns of it and gives up its writer
                for each in asked:
                    _answer(each.answered, error=error)
                continue
            for each in asked:
                if each.grip.writer_id not in settled.held:
                    _answer(each.answered, error=LeaseLost())
                    continue
                mine = {r.id: settled.stamped[r.id] for r in each.stamps if r.id in settled.stamped}
                _answer(each.answered, mine)

    def _ask(
        self, grip: Grip, batch: Batch, stamps: Sequence[Row] = ()
    ) -> asyncio.Future[dict[int, str]]:
        answered = asyncio.get_running_loop().create_future()
        self._asked.append(_Asked(batch, grip, list(stamps), answered))
        self._bell.set()
        return answered

    async def _serve(self, grip: Grip, work: Work, end: float) -> None:
        """Bring the locks of one writer to what is wanted, then give the lease back."""
        next_work: Work | None = work
        try:
            if grip.unclean and not work.rows and not work.read_backs:
                await self._ask(grip, Batch())
            while next_work is not None:
                for back in next_work.read_backs:
                    await self._read_back(grip, back)
                rows = await self._make_sure(grip, next_work.rows)
                await self._carry_out(grip, rows)
                last = asyncio.get_running_loop().time() >= end
                next_work = await self._db(self._go_on, grip, last)
        except LeaseLost:
            log.warning("writer %s was taken over", grip.writer_id)
        except Exception:
            log.exception("writer %s is left to its lease", grip.writer_id)

    def _driver(self, account_id: int) -> Driver:
        if account_id not in self._drivers:
            self._drivers[account_id] = self.open_account(self._accounts[account_id])
        return self._drivers[account_id]

    async def _bounded(self, call: Coroutine[Any, Any, T], otherwise: T) -> T:
        """A driver bounds its own calls; this bounds the driver."""
        try:
            return await asyncio.wait_for(call, self.limits.driver_timeout * 1.5)
        except TimeoutError:
            return otherwise
        except Exception:
            log.exception("a driver raised instead of answering")
            return otherwise

    # Reading back ---------------------------------------------------------------------------------

    async def _read_back(self, grip: Grip, back: ReadBack) -> None:
        """Read a lock and repair what is out of step with what is believed of it."""
        rows = await self._db(ledger.on_lock_rows, back.lock_id)
        lock = await self._db(self._lock_facts, back.lock_id)
        if lock is None:
            return
        seen = await self._observe(lock[0], lock[1])
        if seen.held is None:
            await self._ask(grip, _unreachable_batch(back.lock_id, seen.error, self._now()))
            return
        now = self._now()
        batch = Batch()
        verdicts = await self._compare(grip, back, rows, seen.held, now)
        if any(wrong for _, wrong in verdicts):
            log.warning("lock %s was out of step and is repaired", back.lock_id)
        for verdict, _ in verdicts:
            _collect(batch, grip, verdict)
        batch.effects.append(partial(doorlog.read_back_done, lock_id=back.lock_id, now=now))
        batch.effects.append(partial(doorlog.lock_reached, lock_id=back.lock_id, now=now))
        await self._ask(grip, batch)

    async def _compare(
        self,
        grip: Grip,
        back: ReadBack,
        rows: list[tuple[Row, str]],
        held: Sequence[Held],
        now: datetime,
    ) -> list[tuple[Verdict, bool]]:
        by_handle = {each.handle: each for each in held}
        known = {row.id for row, _ in rows}
        ours = [ids_of(name)[1] for name in by_handle]
        strays = [id_ for id_ in ours if id_ is not None and id_ not in known]
        if strays:
            gone = await self._db(ledger.gone_rows, strays, back.lock_id)
            rows = [*rows, *((row, "") for row in gone)]
        return [
            found(seen=row, held=by_handle.get(handle(row)), secret=secret, grip=grip, now=now)
            for row, secret in rows
        ]

    def _lock_facts(self, lock_id: int) -> tuple[int, str] | None:
        lock = Lock.objects.filter(pk=lock_id).values_list("account_id", "external_id").first()
        return None if lock is None else (lock[0], lock[1])

    async def _observe(self, account_id: int, lock_ref: str) -> Observation:
        return await self._bounded(
            self._driver(account_id).observe(lock_ref), Observation(held=None)
        )

    async def _make_sure(self, grip: Grip, rows: Sequence[Row]) -> list[Row]:
        """Outcomes that are unknown are read from the lock before anything is decided about them."""
        now = self._now()
        unsure = [row for row in rows if row.sent_revision is not None]
        due = {
            row.lock_id: row
            for row in unsure
            if answer(row, now=now).facts.try_due and row.lock_ref
        }
        certain = [row for row in rows if row.sent_revision is None or row.lock_id not in due]
        for lock_id, example in due.items():
            if example.account_state != "working" or lock_id is None:
                certain += [row for row in unsure if row.lock_id == lock_id]
                continue
            await self._learn(grip, example, [row for row in unsure if row.lock_id == lock_id])
        return certain

    async def _learn(self, grip: Grip, example: Row, rows: Sequence[Row]) -> None:
        """Read one lock for rows of unknown outcome. They are due again at once with what was found."""
        seen = await self._observe(example.account_id or 0, example.lock_ref or "")
        now = self._now()
        batch = Batch()
        lock_id = example.lock_id or 0
        if seen.held is None:
            pace = self.limits.pace
            later = now + timedelta(seconds=pace.soon[min(example.tries, len(pace.soon) - 1)])
            batch = _unreachable_batch(lock_id, seen.error, now)
            for row in rows:
                put_off = row._replace(
                    retry_at=later, tries=row.tries + 1, problem=row.problem or NOT_CONFIRMED
                )
                verdict = noted(seen=row, row=put_off, grip=grip, now=now)
                next_at = max(verdict.change.next_at or later, later)
                verdict.change = verdict.change._replace(next_at=next_at)
                _collect(batch, grip, verdict)
            await self._ask(grip, batch)
            return
        secrets = dict(await self._db(_secrets_of, [row.credential_id for row in rows]))
        by_handle = {each.handle: each for each in seen.held}
        for row in rows:
            secret = secrets.get(row.credential_id, "")
            verdict, _ = found(
                seen=row, held=by_handle.get(handle(row)), secret=secret, grip=grip, now=now
            )
            _collect(batch, grip, verdict)
        batch.effects.append(partial(doorlog.must_read_back, lock_ids=[lock_id], now=now))
        batch.effects.append(partial(doorlog.lock_reached, lock_id=lock_id, now=now))
        await self._ask(grip, batch)

    # Writing and removing ---------------------------------------------------------------------------

    async def _carry_out(self, grip: Grip, rows: Sequence[Row]) -> None:
        """Settle what waits, then attempt the rest in order: what must go first, then who comes first."""
        now = self._now()
        waiting = Batch()
        attempts: list[Attempt] = []
        for told in (answer(row, now=now) for row in rows):
            if told.decision.action in {Action.WRITE, Action.REMOVE}:
                if told.facts.on_lock is not OnLock.UNKNOWN:
                    attempts.append(Attempt(told.row, told.decision.action))
                continue
            _collect(waiting, grip, _noted(told, grip, now))
        settled = self._ask(grip, waiting) if waiting.changes else None
        attempts.sort(key=_order)
        await self._attempt_all(grip, attempts)
        if settled is not None:
            await settled

    async def _attempt_all(self, grip: Grip, attempts: list[Attempt]) -> None:
        outcome_of_last = Batch()
        stopped: set[int] = set()
        tried: set[int] = set()
        last: asyncio.Future[dict[int, str]] | None = None
        for part in self._parts(attempts):
            lock_id = part[0].row.lock_id or 0
            if lock_id in stopped:
                continue
            secrets = await self._ask(grip, outcome_of_last, [each.row for each in part])
            outcome_of_last = Batch()
            sent = [each for each in part if each.row.id in secrets]
            if not sent:
                continue
            outcomes = await self._drive(sent, secrets)
            self.attempts += len(sent)
            tried |= secrets.keys()
            error = self._judge(grip, sent, outcomes, outcome_of_last)
            if error is not None:
                stopped.add(lock_id)
                rest = [a for a in attempts if a.row.lock_id == lock_id and a.row.id not in tried]
                self._put_off(grip, rest, error, outcome_of_last)
        last = self._ask(grip, outcome_of_last)
        await last

    def _parts(self, attempts: Sequence[Attempt]) -> Iterable[list[Attempt]]:
        """Neighbors of one lock and one action, as many as the driver takes in one call."""
        part: list[Attempt] = []
        for each in attempts:
            if part:
                same = each.row.lock_id == part[0].row.lock_id and each.action is part[0].action
                size = self._driver(part[0].row.account_id or 0).capabilities.batch
                if not same or len(part) >= size:
                    yield part
                    part = []
            part.append(each)
        if part:
            yield part

    async def _drive(self, sent: Sequence[Attempt], secrets: dict[int, str]) -> list[Outcome]:
        first = sent[0]
        driver = self._driver(first.row.account_id or 0)
        lock_ref = first.row.lock_ref or ""
        unknown = [Outcome(result=Result.UNKNOWN) for _ in sent]
        if first.action is Action.REMOVE:
            places = [place_of(each.row) for each in sent]
            return await self._bounded(driver.remove(lock_ref, places), unknown)
        grants = [_grant(each.row, secrets[each.row.id]) for each in sent]
        return await self._bounded(driver.put(lock_ref, grants), unknown)

    def _judge(
        self, grip: Grip, sent: Sequence[Attempt], outcomes: Sequence[Outcome], batch: Batch
    ) -> LockError | None:
        """Turn outcomes into changes; the error returned is one that concerns more than its credential."""
        now = self._now()
        wider: LockError | None = None
        for each, outcome in zip(sent, outcomes, strict=True):
            row = each.row._replace(sent_revision=each.row.revision)
            verdict = after(
                sent=row,
                action=each.action,
                outcome=outcome,
                grip=grip,
                pace=self.limits.pace,
                now=now,
            )
            _collect(batch, grip, verdict)
            if outcome.error is not None and outcome.error.cause is Cause.DUPLICATE_CODE:
                batch.effects.append(partial(_draw_another, each.row, now))
            if outcome.error is not None and outcome.error.scope is not Scope.CREDENTIAL:
                wider = outcome.error
        self._believe(sent, outcomes, wider, batch, now)
        return wider

    def _believe(
        self,
        sent: Sequence[Attempt],
        outcomes: Sequence[Outcome],
        wider: LockError | None,
        batch: Batch,
        now: datetime,
    ) -> None:
        row = sent[0].row
        lock_id = row.lock_id or 0
        results = {outcome.result for outcome in outcomes}
        if results & {Result.UNKNOWN, Result.ACCEPTED}:
            batch.effects.append(partial(doorlog.must_read_back, lock_ids=[lock_id], now=now))
        if results & REACHED and (not row.lock_online or row.gateway_online is False):
            batch.effects.append(partial(_back_online, lock_id, now))
        if wider is None:
            return
        if wider.cause in UNREACHABLE:
            gateway = wider.cause is Cause.GATEWAY_UNREACHABLE
            batch.effects.insert(
                0, partial(doorlog.lock_unreachable, lock_id=lock_id, gateway=gateway, now=now)
            )
        if wider.scope is Scope.ACCOUNT and wider.retry is Retry.NEVER:
            text = wider.vendor_text or "The lock system refused the account."
            batch.effects.append(
                partial(
                    doorlog.account_broken, account_id=row.account_id or 0, problem=text, now=now
                )
            )

    def _put_off(self, grip: Grip, rest: Sequence[Attempt], error: LockError, batch: Batch) -> None:
        """The others at this lock are not even tried: they wait as long as the one that failed."""
        now = self._now()
        seconds = error.retry_after_s or self.limits.pace.soon[0]
        if error.cause in UNREACHABLE:
            seconds = settings.RETRY_OFFLINE_S[0]
        for each in rest:
            later = now + timedelta(seconds=seconds)
            row = each.row._replace(
                retry_at=later,
                problem=error.cause.value,
                problem_since=each.row.problem_since or now,
                lock_online=False
                if error.cause is Cause.LOCK_UNREACHABLE
                else each.row.lock_online,
                lock_next_try_at=later,
            )
            _collect(batch, grip, noted(seen=each.row, row=row, grip=grip, now=now))


def _order(attempt: Attempt) -> tuple[int, datetime, int]:
    """Removals of ended stays, then other removals, then the soonest arrivals."""
    row = attempt.row
    if attempt.action is Action.REMOVE:
        return (0 if is_over(row) else 1, row.ends_at, row.id)
    return (2, row.starts_at, row.id)


def _grant(row: Row, secret: str) -> Grant:
    return Grant(
        handle=handle(row),
        kind=Kind(row.kind),
        secret=secret,
        starts_at=row.starts_at,
        ends_at=row.ends_at,
        address=row.address,
    )


def _noted(told: Answer, grip: Grip | None, now: datetime) -> Verdict:
    return noted(seen=told.row, row=told.row, grip=grip, now=now)


def _collect(batch: Batch, grip: Grip, verdict: Verdict) -> None:
    batch.changes.append(verdict.change)
    if verdict.line is not None:
        batch.lines.append((grip, verdict.line))
    batch.troubles += verdict.troubles
    batch.closed += verdict.closed


def _answer(
    answered: asyncio.Future[dict[int, str]],
    stamped: dict[int, str] | None = None,
    error: BaseException | None = None,
) -> None:
    if answered.done():
        return
    if error is not None:
        answered.set_exception(error)
        answered.exception()  # a coroutine that was cancelled will not come to fetch it
    else:
        answered.set_result(stamped or {})


def _unreachable_batch(lock_id: int, error: LockError | None, now: datetime) -> Batch:
    batch = Batch()
    if error is not None and error.cause in UNREACHABLE:
        gateway = error.cause is Cause.GATEWAY_UNREACHABLE
        batch.effects.append(
            partial(doorlog.lock_unreachable, lock_id=lock_id, gateway=gateway, now=now)
        )
    batch.effects.append(partial(_read_back_later, lock_id, now))
    return batch


def _read_back_later(lock_id: int, now: datetime) -> None:
    """A lock that could not be read is read when it is tried again, or after the first delay."""
    lock = Lock.objects.get(pk=lock_id)
    pause = timedelta(seconds=settings.READ_BACK_AFTER_S[0])
    Lock.objects.filter(pk=lock_id, read_back_at__lte=now).update(
        read_back_at=max(lock.next_try_at or now, now + pause)
    )


def _back_online(lock_id: int, now: datetime) -> None:
    if doorlog.lock_reached(lock_id=lock_id, now=now):
        mark_due(lock_ids=[lock_id], now=now)


DRAWS = 5
"""So often another code is drawn because a lock says duplicate; then a person has to look."""


def _draw_another(row: Row, now: datetime) -> None:
    """A lock holds this code already, unknown to us: draw another for all doors of the key, unless it is Strict."""
    credential = Credential.objects.select_related("key__property").get(pk=row.credential_id)
    if row.tries >= DRAWS or credential.kind != Kind.DOOR_CODE:
        return
    door = Door.objects.get(pk=row.door_id)
    with contextlib.suppress(Refused), acting(SYSTEM.because("the lock already holds this code")):
        allocation.replace(credential=credential, because=door, now=now)


def _secrets_of(credential_ids: Sequence[int]) -> list[tuple[int, str]]:
    return list(Credential.objects.filter(pk__in=credential_ids).values_list("id", "secret"))


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


def mark_due(*, lock_ids: Sequence[int], now: datetime) -> None:
    """Look at everything on these locks again now: they are back, or something at them changed."""
    Assignment.objects.filter(lock_id__in=lock_ids, reserved_digest__isnull=False).update(
        next_attempt_at=now
    )


def settle_without_lock(*, now: datetime) -> int:
    """Decide what is due at doors that have no lock: nothing can be sent, but what holds must be said."""
    due = Assignment.objects.filter(writer=None, next_attempt_at__lte=now).order_by("id")[:1000]
    batch = Batch()
    for row in rows_of(due):
        verdict = noted(seen=row, row=row, grip=None, now=now)
        batch.changes.append(verdict.change)
        batch.troubles += verdict.troubles
        batch.closed += verdict.closed
    ledger.settle(batch, owner="", lease_ms=0, now=now)
    return len(batch.changes)


def ask_again(*, property_id: int, now: datetime) -> None:
    """A rule of this property changed: decide all its live doors again. Call it in the transaction of the change."""
    Recheck.objects.update_or_create(
        property_id=property_id, defaults={"after_id": 0, "asked_at": now}
    )


def decide_again(*, now: datetime, chunk: int = 5000) -> int:
    """Decide the doors of properties whose rules changed, in chunks that commit; a crash resumes where it was."""
    decided = 0
    while (asked := Recheck.objects.order_by("asked_at").first()) is not None:
        rows = rows_of(
            Assignment.objects.filter(
                property_id=asked.property_id, pk__gt=asked.after_id, reserved_digest__isnull=False
            ).order_by("id")[:chunk]
        )
        with transaction.atomic():
            ledger.note([_looked_at_later(answer(row, now=now), now) for row in rows], now=now)
            mine = Recheck.objects.filter(pk=asked.pk, asked_at=asked.asked_at)
            if len(rows) < chunk:
                mine.delete()
            else:
                mine.update(after_id=rows[-1].id)
            bump([asked.property_id])
        decided += len(rows)
    return decided


def _looked_at_later(told: Answer, now: datetime) -> Answer:
    """Deciding again takes no look away that is due, and brings one where a reason at a running window changed."""
    row = told.row
    if row.next_attempt_at is not None and row.next_attempt_at <= now:
        return told._replace(next_at=row.next_attempt_at)
    begun = row.starts_at <= now < row.ends_at
    return told._replace(next_at=now) if begun and told.headline != row.headline else told


def mark_used(*, handles: Iterable[str], now: datetime) -> None:
    """A credential opened its door: the strongest proof that it is on the lock."""
    ids = [id_ for name in handles if (id_ := ids_of(name)[1]) is not None]
    Assignment.objects.filter(pk__in=ids, written_revision__isnull=False).update(
        proof=Proof.USED.value, proven_at=now
    )


def code_was_typed(*, typed: Sequence[Typed], now: datetime) -> None:
    """A code was refused at a door: where it belongs to a credential that is pending there, that is a 4117."""
    troubles: list[Trouble] = []
    for each in typed:
        if each.door_id is None:
            continue
        places = Assignment.objects.filter(
            door_id=each.door_id, kind=each.kind, reserved_digest=each.digest
        )
        for told in (answer(row, now=now) for row in rows_of(places)):
            if is_pending(told.facts):
                cause = cause_of(told, told.row)
                line = line_of(told.row, LogCode.NOT_WRITTEN, now, cause=cause)
                troubles.append(Trouble(line, NOT_WRITTEN, tried=False))
    with transaction.atomic():
        doorlog.open_episodes(troubles, now=now)
        bump({trouble.line.property_id for trouble in troubles})


def look(*, now: datetime) -> int:
    """Everything a worker does when the bell rings: decide again, say what no lock can be asked, deliver."""
    decide_again(now=now)
    settle_without_lock(now=now)
    return deliver()
