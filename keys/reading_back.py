"""Reading locks back: what an outcome that is unknown came to, and whether a lock is as it is believed to be."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import NamedTuple

from django.conf import settings

from keys import keypad, ledger, user_names
from keys.consequences import what_follows
from keys.desk import Desk
from keys.facts import Row, answer, is_superseded
from keys.in_hand import given_up, open_in_book
from keys.leases import Grip
from keys.ledger import Batch, ReadBack
from keys.lock_calls import LockCalls
from keys.outcomes import (
    NOT_CONFIRMED,
    UNREACHABLE,
    Pace,
    found,
    handle,
    has_slots,
    noted,
)
from keys.provisioning import back_online, space_again
from locks import doorlog, foreign, slots
from locks.doorlog import retry_delay
from locks.drivers import Cause, Held, Kind, LockError, Observation, Place, Proof
from locks.handles import ids_of
from locks.models import Lock, LockAccount

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ReadingBack:
    """What a round does with the locks that must be read."""

    desk: Desk
    calls: LockCalls
    pace: Pace

    async def compare(self, grip: Grip, back: ReadBack) -> None:
        """Read a lock and repair what is out of step with what is believed of it."""
        rows = await self.desk.call(ledger.on_lock_rows, back.lock_id)
        now = self.desk.now()
        lock = await self.desk.call(partial(_what_to_read, back.lock_id, now=now))
        if lock is None:
            return
        if self.calls.driver(lock.account_id).capabilities.by_user_name:
            rows = await self.desk.call(_by_name, rows)
        seen = await self.calls.observe(lock.account_id, lock.ref, lock.places)
        read = _Read(seen, is_book=self._is_book(lock.account_id))
        if seen.held is None:
            await self.desk.ask(grip, _unreachable(back.lock_id, seen.error, self.desk.now()))
            return
        now = self.desk.now()
        batch = Batch()
        held = await self._named(back.lock_id, seen.held, slotted=lock.has_slots)
        rows = await self.desk.call(partial(keypad.kept, rows, held, now=now))
        rows += await self._strays(back.lock_id, rows, held, seen.unsure)
        wrong = [self._judge(grip, read, row, secret, held, batch, now) for row, secret in rows]
        if any(wrong):
            log.warning("lock %s was out of step and is repaired", back.lock_id)
        busy = read.is_book and any(
            row.sent_revision is None and read.is_unsure(row) for row, _ in rows
        )
        batch.effects.append(
            partial(doorlog.read_back_done, lock_id=back.lock_id, now=now, once_more=busy)
        )
        if not read.is_book:
            _reached(batch, back.lock_id, back.writer_id, was_online=lock.was_online, now=now)
        if not (read.is_book and lock.is_soon):  # else what found no space is sent for ever
            batch.effects.append(partial(space_again, lock_ids=[back.lock_id], now=now))
        if not lock.places:
            strangers = [each for each in held if not each.handle]
            batch.effects.append(partial(foreign.seen, back.lock_id, strangers, now=now))
        await self.desk.ask(grip, batch)

    async def _named(self, lock_id: int, held: Sequence[Held], *, slotted: bool) -> Sequence[Held]:
        """What was read, with our names where the lock keeps none."""
        if not slotted:
            return await self.desk.call(foreign.named, lock_id, held)
        return await self.desk.call(partial(slots.named, lock_id, held, now=self.desk.now()))

    def _is_book(self, account_id: int) -> bool:
        return not self.calls.driver(account_id).capabilities.read_back

    async def _strays(
        self,
        lock_id: int,
        rows: list[tuple[Row, str]],
        held: Sequence[Held],
        unsure: Sequence[Place],
    ) -> list[tuple[Row, str]]:
        """What has, or is about to get, a place on the lock though it was believed free."""
        known = {row.id for row, _ in rows}
        names = {each.handle for each in held} | {place.handle for place in unsure}
        ours = [ids_of(name)[1] for name in sorted(names)]
        strays = [id_ for id_ in ours if id_ is not None and id_ not in known]
        if not strays:
            return []
        gone = await self.desk.call(ledger.gone_rows, strays, lock_id)
        return [(row, "") for row in gone]

    def _judge(
        self,
        grip: Grip,
        read: _Read,
        row: Row,
        secret: str,
        held: Sequence[Held],
        batch: Batch,
        now: datetime,
    ) -> bool:
        """Have settled what was read of one row; whether what was believed of it was wrong."""
        there = _one_of([each for each in held if each.handle == handle(row)])
        is_open = row.sent_revision is not None
        error = read.problem(row)
        if read.is_unsure(row):
            if read.is_book and (is_open or row.written_revision is None):
                open_in_book(seen=row, error=error, grip=grip, pace=self.pace, now=now).add_to(
                    batch
                )
            return False
        if error is not None and is_open:
            given_up(
                seen=row,
                held=there,
                secret=secret,
                error=error,
                grip=grip,
                pace=self.pace,
                now=now,
            ).add_to(batch)
            what_follows(row, error, batch, writes=not row.accepted_removal, now=now)
            return False
        proof = Proof.BOOK if read.is_book else Proof.READ_BACK
        verdict, wrong = found(
            seen=row,
            held=there,
            secret=secret,
            read_back=proof,
            grip=grip,
            pace=self.pace,
            now=now,
        )
        verdict.add_to(batch)
        if row.accepted_removal and is_open and verdict.change.row.written_revision is None:
            lock_id = row.lock_id or 0
            batch.effects.append(partial(space_again, lock_ids=[lock_id], now=now))
            batch.locks.add(lock_id)
        return wrong

    async def make_sure(self, grip: Grip, rows: Sequence[Row]) -> bool:
        """Read from their locks what became of outcomes that are unknown. True when there was anything to learn."""
        now = self.desk.now()
        unsure: dict[int, list[Row]] = {}
        for row in rows:
            if row.sent_revision is not None and row.lock_id and row.account_state == "working":
                unsure.setdefault(row.lock_id, []).append(row)
        due = [of_lock for of_lock in unsure.values() if any(_is_due(row, now) for row in of_lock)]
        for of_lock in due:
            await self._learn(grip, of_lock[0], of_lock)
        return bool(due)

    async def _learn(self, grip: Grip, example: Row, rows: Sequence[Row]) -> None:
        """Read one lock for rows of unknown outcome. They are due again at once with what was found."""
        lock_id = example.lock_id or 0
        places: Sequence[Place] = ()
        if has_slots(example):
            places = await self.desk.call(slots.places_of, [(row.id, row.kind) for row in rows])
        seen = await self.calls.observe(example.account_id or 0, example.lock_ref or "", places)
        if seen.held is None:
            await self._not_read(grip, example, rows, seen.error)
            return
        held = await self._named(lock_id, seen.held, slotted=has_slots(example))
        read = _Read(seen, is_book=self._is_book(example.account_id or 0))
        if not read.is_book:
            still = [row for row in rows if read.is_unsure(row)]
            rows = [row for row in rows if row not in still]
            if still:
                await self._not_read(grip, example, still, None)
        now = self.desk.now()
        batch = Batch()
        by_name = self.calls.driver(example.account_id or 0).capabilities.by_user_name
        secrets = await self.desk.call(partial(_secrets_of, rows, by_name=by_name))
        for row in rows:
            self._judge(grip, read, row, secrets.get(row.id, ""), held, batch, now)
        if any(row.accepted_at is None for row in rows):
            batch.effects.append(partial(doorlog.must_read_back, lock_ids=[lock_id], now=now))
        if not read.is_book:
            online = bool(example.lock_online) and example.gateway_online is not False
            _reached(batch, lock_id, grip.writer_id, was_online=online, now=now)
        await self.desk.ask(grip, batch)

    async def _not_read(
        self, grip: Grip, example: Row, rows: Sequence[Row], error: LockError | None
    ) -> None:
        """The lock could not be read: what is unknown of it stays so until the next try."""
        now = self.desk.now()
        later = now + retry_delay(example.tries, self.pace.soon, of=example.lock_id or 0)
        batch = _unreachable(example.lock_id or 0, error, now)
        for row in rows:
            if row.accepted_at is not None:
                book = open_in_book(
                    seen=row, error=None, grip=grip, pace=self.pace, now=now, could_read=False
                )
                book.add_to(batch)
                continue
            put_off = row._replace(
                retry_at=later, tries=row.tries + 1, problem=row.problem or NOT_CONFIRMED
            )
            verdict = noted(seen=row, row=put_off, grip=grip, now=now)
            next_at = max(verdict.change.next_at or later, later)
            verdict.change = verdict.change._replace(next_at=next_at)
            verdict.add_to(batch)
        await self.desk.ask(grip, batch)


class _Read(NamedTuple):
    """What was read of a lock, or in its vendor's book."""

    seen: Observation
    is_book: bool

    def is_unsure(self, row: Row) -> bool:
        """Whether nobody can say yet if it is there."""
        return any(_is_at(place, row) for place in self.seen.unsure)

    def problem(self, row: Row) -> LockError | None:
        """What stands against it."""
        return next((p.error for p in self.seen.problems if _is_at(p.place, row)), None)


def _is_at(place: Place, row: Row) -> bool:
    """Whether this row lies there; a place may be known by its address alone."""
    if place.handle:
        return place.handle == handle(row)
    return bool(row.address) and place.address == row.address


def _one_of(found: Sequence[Held]) -> Held | None:
    """What lies under one name. After a lost call that landed late it may be two things: that is not as wanted, and who
    writes or removes it again leaves one, or none.
    """
    if len(found) > 1:
        return replace(found[0], secret="")
    return found[0] if found else None


def _is_due(row: Row, now: datetime) -> bool:
    """Whether what became of it is to be looked up now: its time has come, or something else is wanted meanwhile."""
    if row.accepted_at is not None and is_superseded(row, now=now):
        return True
    return answer(row, now=now).facts.try_due


class ToRead(NamedTuple):
    """A lock as it is to be read: in whole, or only at some places of one that has numbered places.

    ``was_online``: it is believed to answer, and so is its gateway. ``is_soon``: because something was sent there.
    """

    account_id: int
    ref: str
    has_slots: bool
    places: list[Place]
    was_online: bool
    is_soon: bool


def _what_to_read(lock_id: int, *, now: datetime) -> ToRead | None:
    """How a lock is read back; nothing when it is no longer ours, or its account was disconnected: then later.

    Reading every place of a lock with hundreds of them takes minutes of radio: soon after a write only ours are read,
    in the slow cycle all.
    """
    lock = Lock.objects.select_related("gateway", "account").filter(pk=lock_id).first()
    if lock is None:
        return None
    if lock.account.state == LockAccount.State.DISCONNECTED:
        later = now + timedelta(seconds=settings.READ_BACK_ALL_EVERY_S)
        Lock.objects.filter(pk=lock_id).update(read_back_at=later)
        return None
    slotted = lock.first_slot is not None
    soon = slotted and lock.read_backs_left > 0
    numbers = slots.recent(lock_id, now=now) if soon else []
    places = [Place(handle="", kind=Kind.DOOR_CODE, address=number) for number in numbers]
    online = lock.is_online and (lock.gateway is None or lock.gateway.is_online)
    is_soon = lock.read_backs_left > 0
    return ToRead(lock.account_id, lock.external_id, slotted, places, online, is_soon)


def _reached(
    batch: Batch, lock_id: int, writer_id: int, *, was_online: bool, now: datetime
) -> None:
    """A lock could be read; if that is news, all that waits for it, or for its gateway, is due."""
    batch.effects.append(partial(back_online, lock_id=lock_id, now=now))
    if not was_online:
        batch.writers.add(writer_id)


def _unreachable(lock_id: int, error: LockError | None, now: datetime) -> Batch:
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


def _by_name(rows: Sequence[tuple[Row, str]]) -> list[tuple[Row, str]]:
    """The same, with the names of their receivers in the place of the secrets of SmartKeys."""
    names = user_names.names_of([row.credential_id for row, _ in rows])
    return [(row, names.get(row.credential_id, secret)) for row, secret in rows]


def _secrets_of(rows: Sequence[Row], *, by_name: bool) -> dict[int, str]:
    secrets = ledger.secrets_of([row.id for row in rows])
    known = [(row, secrets[row.id]) for row in rows if row.id in secrets]
    return {row.id: secret for row, secret in (_by_name(known) if by_name else known)}
