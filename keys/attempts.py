"""Writing to locks and removing from them, in order, one call in flight per lock, each stamped before it is made."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import NamedTuple

from django.conf import settings

from keys import user_names
from keys.consequences import what_follows
from keys.desk import Desk
from keys.facts import Row, answer, is_over
from keys.leases import Grip
from keys.ledger import Batch
from keys.lock_calls import LockCalls
from keys.outcomes import UNREACHABLE, Pace, after, handle, has_slots, noted, place_of
from keys.provisioning import back_online, out_of_reach, space_again
from keys.rules import Action, OnLock
from locks import doorlog, slots
from locks.doorlog import retry_delay
from locks.drivers import Cause, Grant, Kind, LockError, Outcome, Proof, Result, Retry, Scope

OPEN = {OnLock.UNKNOWN, OnLock.ACCEPTED}
"""What must be read before anything is sent again."""
NO_PLACE_LEFT = Outcome(
    result=Result.FAILED,
    error=LockError(cause=Cause.NO_SPACE, retry=Retry.AFTER_CHANGE, scope=Scope.LOCK),
)


class Attempt(NamedTuple):
    """One thing to do at one lock."""

    row: Row
    action: Action


@dataclass(slots=True)
class Attempts:
    """What a round sends to locks."""

    desk: Desk
    calls: LockCalls
    pace: Pace
    made: int = 0

    async def carry_out(self, grip: Grip, rows: Sequence[Row]) -> None:
        """Settle what waits, then attempt the rest in order: what must go first, then who comes first."""
        now = self.desk.now()
        waiting = Batch()
        attempts: list[Attempt] = []
        for told in (answer(row, now=now) for row in rows):
            if told.decision.action in {Action.WRITE, Action.REMOVE}:
                if told.facts.on_lock not in OPEN:
                    attempts.append(Attempt(told.row, told.decision.action))
                continue
            noted(seen=told.row, row=told.row, grip=grip, now=now).add_to(waiting)
        settled = self.desk.ask(grip, waiting) if waiting.changes else None
        attempts.sort(key=_order)
        await self._attempt_all(grip, attempts)
        if settled is not None:
            await settled

    async def _attempt_all(self, grip: Grip, attempts: list[Attempt]) -> None:
        outcome_of_last = Batch()
        stopped: set[int] = set()
        tried: set[int] = set()
        for part in self._parts(attempts):
            lock_id = part[0].row.lock_id or 0
            if lock_id in stopped:
                continue
            secrets = await self.desk.ask(grip, outcome_of_last, [each.row for each in part])
            secrets = await self._by_name(part, secrets)
            outcome_of_last = Batch()
            sent = await self._placed([each for each in part if each.row.id in secrets])
            if not sent:
                continue
            outcomes = await self._drive(sent, secrets)
            self.made += len(sent)
            tried |= secrets.keys()
            now = self.desk.now()
            error = self._judge(grip, sent, outcomes, outcome_of_last, now)
            if error is not None:
                stopped |= self._concerned(attempts, lock_id, error)
                rest = [a for a in attempts if a.row.lock_id in stopped and a.row.id not in tried]
                tried |= {each.row.id for each in rest}
                self._put_off(grip, rest, error, outcome_of_last, now)
        await self.desk.ask(grip, outcome_of_last)

    def _parts(self, attempts: Sequence[Attempt]) -> Iterable[list[Attempt]]:
        """Neighbors of one lock and one action, as many as the driver takes in one call."""
        part: list[Attempt] = []
        for each in attempts:
            if part:
                same = each.row.lock_id == part[0].row.lock_id and each.action is part[0].action
                size = self.calls.driver(part[0].row.account_id or 0).capabilities.batch
                if not same or len(part) >= size:
                    yield part
                    part = []
            part.append(each)
        if part:
            yield part

    async def _placed(self, sent: list[Attempt]) -> list[Attempt]:
        """The same, each with a place of its own where the lock has numbered ones; stored before anything is sent."""
        if not sent or not has_slots(sent[0].row) or sent[0].action is Action.REMOVE:
            return sent
        now = self.desk.now()
        wanted = [slots.Wanted(each.row.id, each.row.key_id) for each in sent]
        places = await self.desk.call(
            partial(slots.place, sent[0].row.lock_id or 0, wanted, now=now)
        )
        return [
            each._replace(row=each.row._replace(address=places.get(each.row.id, "")))
            for each in sent
        ]

    async def _by_name(self, part: Sequence[Attempt], secrets: dict[int, str]) -> dict[int, str]:
        """The secrets of this part as the lock system wants them, which may know people by their names."""
        account_id = part[0].row.account_id or 0
        if not self.calls.driver(account_id).capabilities.by_user_name:
            return secrets
        ids = {each.row.id: each.row.credential_id for each in part}
        return await self.desk.call(user_names.in_place_of, secrets, ids)

    async def _drive(self, sent: Sequence[Attempt], secrets: dict[int, str]) -> list[Outcome]:
        first = sent[0].row
        account_id, lock_ref = first.account_id or 0, first.lock_ref or ""
        if sent[0].action is Action.REMOVE:
            places = [place_of(each.row) for each in sent]
            return await self.calls.remove(account_id, lock_ref, places)
        grants = [
            _grant(each.row, secrets[each.row.id]) for each in sent if not _without_place(each.row)
        ]
        outcomes = iter(await self.calls.put(account_id, lock_ref, grants) if grants else [])
        return [NO_PLACE_LEFT if _without_place(each.row) else next(outcomes) for each in sent]

    @staticmethod
    def _concerned(attempts: Sequence[Attempt], lock_id: int, error: LockError) -> set[int]:
        """The locks that need not be tried now: a gateway that is gone or busy is asked once, not once for each."""
        if error.scope is Scope.GATEWAY:
            return {each.row.lock_id or 0 for each in attempts}
        return {lock_id}

    def _judge(
        self,
        grip: Grip,
        sent: Sequence[Attempt],
        outcomes: Sequence[Outcome],
        batch: Batch,
        now: datetime,
    ) -> LockError | None:
        """Turn outcomes into changes; the error returned is one that concerns more than its credential."""
        wider: LockError | None = None
        for each, outcome in zip(sent, outcomes, strict=True):
            row = each.row._replace(sent_revision=each.row.revision)
            verdict = after(
                sent=row,
                action=each.action,
                outcome=outcome,
                grip=grip,
                pace=self.pace,
                now=now,
            )
            verdict.add_to(batch)
            if outcome.error is not None:
                writes = each.action is Action.WRITE
                what_follows(each.row, outcome.error, batch, writes=writes, now=now)
                if outcome.error.scope is not Scope.CREDENTIAL:
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
        """What the answers say of the lock. That its vendor took something, or knows something, says nothing of it."""
        row = sent[0].row
        lock_id = row.lock_id or 0
        by_lock = self.calls.driver(row.account_id or 0).capabilities.read_back
        results = {outcome.result for outcome in outcomes}
        reached = any(
            outcome.result is Result.CONFIRMED and (by_lock or outcome.proof is Proof.ACKNOWLEDGED)
            for outcome in outcomes
        )
        if results & {Result.UNKNOWN, Result.ACCEPTED}:
            batch.effects.append(partial(doorlog.must_read_back, lock_ids=[lock_id], now=now))
        if reached and (not row.lock_online or row.gateway_online is False):
            batch.effects.append(partial(back_online, lock_id=lock_id, now=now))
            batch.locks.add(lock_id)
            batch.writers |= {row.writer_id or 0} if row.gateway_online is False else set()
        if sent[0].action is Action.REMOVE and Result.CONFIRMED in results:
            batch.effects.append(partial(space_again, lock_ids=[lock_id], now=now))
            batch.locks.add(lock_id)
        if wider is not None and wider.cause in UNREACHABLE:
            gateway = wider.cause is Cause.GATEWAY_UNREACHABLE
            gone = partial(
                out_of_reach, lock_id=lock_id, writer_id=row.writer_id, gateway=gateway, now=now
            )
            batch.effects.insert(0, gone)
            batch.writers |= {row.writer_id or 0} if gateway else set()

    def _put_off(
        self,
        grip: Grip,
        rest: Sequence[Attempt],
        error: LockError,
        batch: Batch,
        now: datetime,
    ) -> None:
        """The others at this lock, or behind this gateway, are not even tried: they wait as long as the one that failed."""
        tries = max((change.row.tries for change in batch.changes), default=1)
        pause = retry_delay(tries - 1, self.pace.soon, of=rest[0].row.lock_id or 0 if rest else 0)
        if error.retry_after_s:
            pause = timedelta(seconds=error.retry_after_s)
        if error.cause in UNREACHABLE:
            pause = timedelta(seconds=settings.RETRY_OFFLINE_S[0])
        for each in rest:
            later = now + pause
            row = each.row._replace(
                retry_at=later,
                problem=error.cause.value,
                problem_since=each.row.problem_since or now,
                lock_online=False
                if error.cause is Cause.LOCK_UNREACHABLE
                else each.row.lock_online,
                gateway_online=False
                if error.cause is Cause.GATEWAY_UNREACHABLE
                else each.row.gateway_online,
                lock_next_try_at=later,
            )
            noted(seen=each.row, row=row, grip=grip, now=now).add_to(batch)


def _without_place(row: Row) -> bool:
    return has_slots(row) and not row.address


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
