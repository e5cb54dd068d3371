"""What staff ask of one lock beside its credentials: unlock it, set its clock, ask how it is, remove a code that is not ours.

Rows are the queue. Each is carried out under the lease of its lock's writer, so that nothing else speaks to the lock
meanwhile, and its answer is kept as it was: a lost answer stays "may have been done". An unlock is tried once and soon or not at
all; a person stands at the door. The others are tried again until they run out.
"""

from __future__ import annotations

import asyncio
import logging
import os
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from functools import partial
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction

from keys import leases, offsets
from keys.allocation import is_weak
from keys.desk import Desk
from keys.leases import Grip
from keys.lock_calls import LockCalls, open_account
from keys.provisioning import back_online
from keys.refusal import Refused
from locks import doorlog
from locks.bell import ring
from locks.clock import database_now
from locks.doorlog import retry_delay
from locks.drift import note_clock
from locks.drivers import Driver, Health, Kind, Outcome, Place, Result, Retry
from locks.errand_models import Errand
from locks.history import Actor, Source
from locks.log_models import LogCode
from locks.models import Lock, LockAccount
from locks.pulse import bump
from locks.slot_models import ForeignCode
from locks.vendors import vendor

log = logging.getLogger(__name__)
BELL = "keys.tasks.run_errands"
AT_ONCE = 50
BY_ITSELF = Actor(source=Source.SYSTEM, label="Portal")
LASTS: dict[str, timedelta] = {
    Errand.What.CHECK: timedelta(minutes=1),
    Errand.What.SYNC_CLOCK: timedelta(hours=1),
    Errand.What.UNLOCK: timedelta(seconds=30),
    Errand.What.REMOVE_FOREIGN: timedelta(days=2),
    Errand.What.MASTER_CODE: timedelta(days=2),
}
"""How long each is worth doing: after that it is over, and was not done."""
TOLD: dict[str, LogCode] = {
    Errand.What.SYNC_CLOCK: LogCode.CLOCK_SET,
    Errand.What.UNLOCK: LogCode.REMOTE_UNLOCK,
    Errand.What.REMOVE_FOREIGN: LogCode.FOREIGN_REMOVED,
    Errand.What.MASTER_CODE: LogCode.MASTER_CODE,
}
"""What the door log keeps of it."""


def ask(
    *, lock: Lock, what: Errand.What, by: Actor, now: datetime, foreign: ForeignCode | None = None
) -> Errand:
    """Have this done at the lock soon. Asking again while it is still to be done changes nothing."""
    mine = Errand.objects.filter(lock=lock, what=what, foreign=foreign, done_at=None)
    if found := mine.first():
        return found
    row = Errand(
        property_id=lock.property_id,
        lock=lock,
        writer_id=lock.writer_id,
        foreign=foreign,
        what=what,
        asked_by=by.label[:120],
        asked_at=now,
        due_at=now,
        expires_at=now + LASTS[what],
    )
    try:
        with transaction.atomic():
            row.save()
            bump([lock.property_id])
            transaction.on_commit(partial(ring, BELL))
    except IntegrityError:  # asked twice at the same moment
        return mine.get()
    return row


def change_master_code(*, lock: Lock, code: str, by: Actor, now: datetime) -> Errand:
    """Have the lock given another master code, now or when it is back. Raises Refused while a change still waits.

    It is changed when the lock has confirmed it and not before.
    """
    if not vendor(lock.account.driver).sets_master_codes:
        raise Refused("code", "The master code of this lock cannot be changed from here.")
    problem = f"Use {lock.code_min} to {lock.code_max} digits that are not easy to guess."
    if not (code.isascii() and code.isdigit()) or is_weak(code):
        raise Refused("code", problem)
    if not lock.code_min <= len(code) <= lock.code_max:
        raise Refused("code", problem)
    with transaction.atomic():
        Lock.objects.select_for_update(of=("self",), no_key=True).get(pk=lock.pk)  # one at a time
        waiting = Errand.objects.filter(lock=lock, what=Errand.What.MASTER_CODE, done_at=None)
        if waiting.exists():
            raise Refused("code", "A change of the master code still waits for this lock.")
        row = ask(lock=lock, what=Errand.What.MASTER_CODE, by=by, now=now)
        row.secret = code
        row.save(update_fields=["secret"])
    return row


def read_again(*, lock: Lock, by: Actor, now: datetime) -> None:
    """Have the lock asked how it is, and read and compared with what it should hold, as soon as a worker is free."""
    with transaction.atomic():
        ask(lock=lock, what=Errand.What.CHECK, by=by, now=now)
        Lock.objects.filter(pk=lock.pk).update(read_back_at=now)
        transaction.on_commit(partial(ring, "keys.tasks.look_now"))


def run_due(
    *,
    clock: Callable[[], datetime] = database_now,
    open_account: Callable[[LockAccount], Driver] = open_account,
) -> int:
    """Carry out what is due, all writers beside each other. Returns how many were answered."""
    if not Errand.objects.filter(due_at__lte=clock()).exists():
        return 0
    return asyncio.run(Round(clock, open_account).run())


class Begun(Enum):
    """Whether an errand may be carried out now."""

    YES = "yes"
    NO = "no"
    LOST = "the lease is lost"


@dataclass(frozen=True, slots=True)
class Answer:
    """What a lock system said to an errand."""

    outcome: Outcome
    health: Health | None = None


class Round:
    """One task: its leases, its drivers, its one door to the database."""

    def __init__(
        self, clock: Callable[[], datetime], open_account: Callable[[LockAccount], Driver]
    ) -> None:
        self.owner = f"{os.getpid()}-errand-{uuid.uuid4().hex[:12]}"
        self.lease_ms = int((2 * settings.DRIVER_TIMEOUT_S + 1) * 1000)
        self.desk = Desk(self.owner, self.lease_ms, clock)
        self.calls = LockCalls(settings.DRIVER_TIMEOUT_S, open_account)
        self.done = 0

    async def run(self) -> int:
        """Serve every writer that is free; what is behind another stays due."""
        try:
            taken = await self.desk.call(self._take)
            await asyncio.gather(*(self._serve(grip, rows) for grip, rows in taken))
        finally:
            await self.calls.close()
            self.desk.close()
        return self.done

    async def _serve(self, grip: Grip, rows: list[Errand]) -> None:
        try:
            for row in rows:
                begun = await self.desk.call(self._begin, grip, row)
                if begun is Begun.LOST:
                    return
                if begun is Begun.YES:
                    answer = await self._carry_out(row)
                    await self.desk.call(self._settle, grip, row, answer)
                    self.done += 1
            await self.desk.call(partial(leases.release, [grip], owner=self.owner))
        except Exception:
            log.exception("writer %s is left to its lease", grip.writer_id)

    async def _carry_out(self, row: Errand) -> Answer:
        account, ref = row.lock.account_id, row.lock.external_id
        match row.what:
            case Errand.What.CHECK:
                health = await self.calls.health(account, ref)
                result = Result.CONFIRMED if health.error is None else Result.FAILED
                return Answer(Outcome(result=result, error=health.error), health)
            case Errand.What.SYNC_CLOCK:
                offset = offsets.wanted(row.lock, self.desk.now())
                outcome = await self.calls.sync_clock(account, ref, utc_offset_s=offset)
                health = await self.calls.health(account, ref)
                return Answer(outcome, health if health.error is None else None)
            case Errand.What.MASTER_CODE:
                return Answer(await self.calls.set_master_code(account, ref, row.secret))
            case Errand.What.UNLOCK:
                return Answer(await self.calls.unlock(account, ref))
            case _:
                return Answer(await self._remove(row, account, ref))

    async def _remove(self, row: Errand, account: int, ref: str) -> Outcome:
        foreign = row.foreign
        if foreign is None or foreign.gone_at is not None:
            return Outcome(result=Result.CONFIRMED)
        place = Place(handle="", kind=Kind(foreign.kind), address=foreign.address)
        return (await self.calls.remove(account, ref, [place]))[0]

    # In the database's thread ---------------------------------------------------------------------

    def _take(self) -> list[tuple[Grip, list[Errand]]]:
        now = self.desk.read_clock()
        due = Errand.objects.filter(due_at__lte=now).order_by("due_at", "id")
        by_writer: dict[int, list[Errand]] = {}
        for row in due.select_related("lock__account", "lock__property", "foreign")[:AT_ONCE]:
            if row.expires_at <= now:
                _finish(row, Errand.Result.EXPIRED, now=now)
            else:
                by_writer.setdefault(row.writer_id, []).append(row)
        taken: list[tuple[Grip, list[Errand]]] = []
        for writer_id, rows in sorted(by_writer.items()):
            grip = leases.grab_one(writer_id=writer_id, owner=self.owner, lease_ms=self.lease_ms)
            if grip is None:
                continue
            if grip.unclean:
                here = Lock.objects.filter(writer_id=writer_id).values_list("id", flat=True)
                doorlog.must_read_back(lock_ids=here, now=now)
            taken.append((grip, rows))
        self.calls.know({row.lock.account_id for _, rows in taken for row in rows})
        return taken

    def _begin(self, grip: Grip, row: Errand) -> Begun:
        """Count the try before it is made, if the lease is still ours and nobody else did this one meanwhile."""
        with transaction.atomic():
            if not leases.renew({grip}, owner=self.owner, lease_ms=self.lease_ms):
                return Begun.LOST
            if row.what == Errand.What.UNLOCK and row.tries:
                # Whoever counted that try died: the door may have opened, and nobody may stand there any more.
                _finish(row, Errand.Result.UNKNOWN, now=self.desk.now())
                return Begun.NO
            mine = Errand.objects.filter(pk=row.pk, done_at=None, tries=row.tries)
            row.tries += 1
            return Begun.YES if mine.update(tries=row.tries) else Begun.NO

    def _settle(self, grip: Grip, row: Errand, answer: Answer) -> None:
        now, outcome = self.desk.read_clock(), answer.outcome
        with transaction.atomic():
            held = leases.renew({grip}, owner=self.owner, lease_ms=self.lease_ms)
            result = Errand.Result(outcome.result.value)
            if not held and result is Errand.Result.CONFIRMED:
                result = Errand.Result.UNKNOWN  # something of another worker may have come after it
            if answer.health is not None:
                offsets.note(row.lock, answer.health.utc_offset_s, now=now)
                _note_health(row.lock_id, answer.health, now)
                self._mend_clock(row, answer.health, now)
            if outcome.result in {Result.CONFIRMED, Result.ACCEPTED} and answer.health is None:
                back_online(lock_id=row.lock_id, now=now)
            if self._comes_again(row, result, outcome, now):
                return
            cause = outcome.error.cause.value if outcome.error else ""
            proof = outcome.proof.value if result is Errand.Result.CONFIRMED else ""
            _finish(row, result, now=now, proof=proof, cause=cause)

    def _mend_clock(self, row: Errand, health: Health, now: datetime) -> None:
        """A clock that a check finds wrong is set right; one that was just set and is wrong all the same is left to the
        next check, an hour later."""
        if health.error is not None or health.clock_offset_s is None:
            return
        wrong = note_clock(lock_id=row.lock_id, offset_s=health.clock_offset_s, now=now)
        if wrong and row.what == Errand.What.CHECK and vendor(row.lock.account.driver).sets_clocks:
            ask(lock=row.lock, what=Errand.What.SYNC_CLOCK, by=BY_ITSELF, now=now)

    def _comes_again(
        self, row: Errand, result: Errand.Result, outcome: Outcome, now: datetime
    ) -> bool:
        """Whether it is tried again, and then when."""
        if row.what in {Errand.What.UNLOCK, Errand.What.CHECK}:
            return False
        if result in {Errand.Result.CONFIRMED, Errand.Result.ACCEPTED}:
            return False
        error = outcome.error
        if (
            result is Errand.Result.FAILED
            and error is not None
            and error.retry in {Retry.NEVER, Retry.AFTER_CHANGE}
        ):
            return False
        later = now + retry_delay(row.tries - 1, settings.RETRY_SOON_S, of=row.lock_id)
        cause = error.cause.value if error else ""
        Errand.objects.filter(pk=row.pk, done_at=None).update(due_at=later, cause=cause)
        bump([row.property_id])
        return True


def _finish(
    row: Errand, result: Errand.Result, *, now: datetime, proof: str = "", cause: str = ""
) -> None:
    """End an errand and say so in the door log; what a lock holds after a removal is read from it."""
    with transaction.atomic():
        ended = Errand.objects.filter(pk=row.pk, done_at=None).update(
            done_at=now, due_at=None, result=result, proof=proof, cause=cause, secret=""
        )
        if not ended:
            return
        if row.what == Errand.What.REMOVE_FOREIGN and row.foreign is not None:
            doorlog.must_read_back(lock_ids=[row.lock_id], now=now)
            if result is Errand.Result.CONFIRMED:
                ForeignCode.objects.filter(pk=row.foreign.pk, gone_at=None).update(gone_at=now)
        if row.what in TOLD:
            done = result is Errand.Result.CONFIRMED
            line = doorlog.lock_line(row.lock, TOLD[Errand.What(row.what)], now)
            said = "" if done else cause or result.value
            hint, kind = (row.foreign.hint, row.foreign.kind) if row.foreign else ("", "")
            doorlog.append(
                [line._replace(actor=row.asked_by, proof=proof, cause=said, hint=hint, kind=kind)]
            )
        bump([row.property_id])


def _note_health(lock_id: int, health: Health, now: datetime) -> None:
    """Keep what the lock said of itself. That a cloud calls it offline is believed only when it does not answer."""
    if health.error is not None:
        return
    known = {
        "battery": health.battery,
        "clock_offset_s": health.clock_offset_s,
        "utc_offset_s": health.utc_offset_s,
    }
    changes: dict[str, Any] = {name: value for name, value in known.items() if value is not None}
    if health.online:
        changes["last_heard_at"] = now
    Lock.objects.filter(pk=lock_id).update(health_read_at=now, **changes)
