"""Reading locks back: what an outcome that is unknown came to, and whether a lock is as it is believed to be."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import NamedTuple

from django.conf import settings

from keys import ledger
from keys.desk import Desk
from keys.facts import Row, answer
from keys.leases import Grip
from keys.ledger import Batch, ReadBack
from keys.lock_calls import LockCalls
from keys.models import Credential
from keys.outcomes import (
    NOT_CONFIRMED,
    UNREACHABLE,
    Pace,
    Verdict,
    found,
    handle,
    has_slots,
    noted,
)
from keys.provisioning import back_online, space_again
from locks import doorlog, foreign, slots
from locks.doorlog import retry_delay
from locks.drivers import Cause, Held, Kind, LockError, Place
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
        seen = await self.calls.observe(lock.account_id, lock.ref, lock.places)
        if seen.held is None:
            await self.desk.ask(grip, _unreachable(back.lock_id, seen.error, self.desk.now()))
            return
        now = self.desk.now()
        batch = Batch()
        held = await self._named(back.lock_id, seen.held, slotted=lock.has_slots)
        unsure = _names(seen.unsure, rows)
        rows = [each for each in rows if handle(each[0]) not in unsure]
        verdicts = await self._judge(grip, back, rows, held, now)
        if any(wrong for _, wrong in verdicts):
            log.warning("lock %s was out of step and is repaired", back.lock_id)
        for verdict, _ in verdicts:
            verdict.add_to(batch)
        batch.effects.append(partial(doorlog.read_back_done, lock_id=back.lock_id, now=now))
        _reached(batch, back.lock_id, back.writer_id, was_online=lock.was_online, now=now)
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

    async def _judge(
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
            gone = await self.desk.call(ledger.gone_rows, strays, back.lock_id)
            rows = [*rows, *((row, "") for row in gone)]
        return [
            found(
                seen=row,
                held=by_handle.get(handle(row)),
                secret=secret,
                grip=grip,
                pace=self.pace,
                now=now,
            )
            for row, secret in rows
        ]

    async def make_sure(self, grip: Grip, rows: Sequence[Row]) -> bool:
        """Read from their locks what became of outcomes that are unknown. True when there was anything to learn."""
        now = self.desk.now()
        unsure: dict[int, list[Row]] = {}
        for row in rows:
            if row.sent_revision is not None and row.lock_id and row.account_state == "working":
                unsure.setdefault(row.lock_id, []).append(row)
        due = [
            of_lock
            for of_lock in unsure.values()
            if any(answer(row, now=now).facts.try_due for row in of_lock)
        ]
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
        unsure = _names(seen.unsure, [(row, "") for row in rows])
        if unsure:
            still = [row for row in rows if handle(row) in unsure]
            await self._not_read(grip, example, still, None)
        rows = [row for row in rows if handle(row) not in unsure]
        now = self.desk.now()
        batch = Batch()
        secrets = dict(await self.desk.call(_secrets_of, [row.credential_id for row in rows]))
        by_handle = {each.handle: each for each in held}
        for row in rows:
            secret = secrets.get(row.credential_id, "")
            verdict, _ = found(
                seen=row,
                held=by_handle.get(handle(row)),
                secret=secret,
                grip=grip,
                pace=self.pace,
                now=now,
            )
            verdict.add_to(batch)
        batch.effects.append(partial(doorlog.must_read_back, lock_ids=[lock_id], now=now))
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
            put_off = row._replace(
                retry_at=later, tries=row.tries + 1, problem=row.problem or NOT_CONFIRMED
            )
            verdict = noted(seen=row, row=put_off, grip=grip, now=now)
            next_at = max(verdict.change.next_at or later, later)
            verdict.change = verdict.change._replace(next_at=next_at)
            verdict.add_to(batch)
        await self.desk.ask(grip, batch)


class ToRead(NamedTuple):
    """A lock as it is to be read: in whole, or only at some places of one that has numbered places.

    ``was_online``: it is believed to answer, and so is its gateway.
    """

    account_id: int
    ref: str
    has_slots: bool
    places: list[Place]
    was_online: bool


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
    return ToRead(lock.account_id, lock.external_id, slotted, places, online)


def _reached(
    batch: Batch, lock_id: int, writer_id: int, *, was_online: bool, now: datetime
) -> None:
    """A lock could be read; if that is news, all that waits for it, or for its gateway, is due."""
    batch.effects.append(partial(back_online, lock_id=lock_id, now=now))
    if not was_online:
        batch.writers.add(writer_id)


def _names(places: Sequence[Place], rows: Sequence[tuple[Row, str]]) -> set[str]:
    """The names of rows that lie at these places, which may be known by their address alone."""
    handles = {place.handle for place in places if place.handle}
    addresses = {place.address for place in places if not place.handle}
    return handles | {handle(row) for row, _ in rows if row.address and row.address in addresses}


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


def _secrets_of(credential_ids: Sequence[int]) -> list[tuple[int, str]]:
    return list(Credential.objects.filter(pk__in=credential_ids).values_list("id", "secret"))
