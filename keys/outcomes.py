"""What an outcome means: from a row, a decision and a driver's answer to the row as it must be, its log lines and its 4117.

Pure of databases and drivers: rows in, changes out. The delivery engine carries them to the ledger.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from keys.facts import Answer, Row, answer, is_over, is_superseded
from keys.leases import Grip
from keys.ledger import Batch, Change
from keys.rules import Action, Hold, OnLock, Phase, Reach
from locks.doorlog import PORTAL, Line, Trouble, retry_delay
from locks.drivers import (
    Cause,
    Held,
    Kind,
    LockError,
    Outcome,
    Place,
    Proof,
    Result,
    Retry,
    Scope,
)
from locks.handles import handle_of
from locks.log_models import Episode, LogCode

NOT_CONFIRMED = "not_confirmed"
AT_WORK = "at_work"
OVERDUE = "overdue"
DROPPED = "dropped"
SENDS = {Action.WRITE, Action.REMOVE}
UNREACHABLE = {Cause.LOCK_UNREACHABLE, Cause.GATEWAY_UNREACHABLE}
NOT_WRITTEN, NOT_REMOVED = Episode.Kind.NOT_WRITTEN.value, Episode.Kind.NOT_REMOVED.value
REJECTIONS = 3
"""So often a lock may refuse without a reason before a person has to look."""
SOMETHING_OLDER = 0
"""A written revision below every real one: the lock holds something of ours that is not what is wanted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How long to wait after failures, in seconds per failed try, and before an unknown outcome is read back.

    ``patience`` is how long after taking it a lock system may work on what is due before that is a 4117, ``grace`` how
    long after the start of the stay at least, and how long it may work on a removal.
    """

    soon: Sequence[float]
    offline: float
    unsure: float
    patience: float = 900.0
    grace: float = 60.0


@dataclass(slots=True)
class Verdict:
    """What to store about one row: the change, the line of the attempt, and what happens to its episodes."""

    change: Change
    line: Line | None
    troubles: list[Trouble]
    closed: list[tuple[Line, str, bool]]

    def add_to(self, batch: Batch) -> None:
        """Have it settled with this batch."""
        batch.changes.append(self.change)
        if self.line is not None:
            batch.lines.append((self.change.grip, self.line))
        batch.troubles += self.troubles
        batch.closed += self.closed


def has_slots(row: Row) -> bool:
    """Whether its lock keeps no names, but numbered places of which Portal picks one."""
    return row.first_slot is not None


def place_of(row: Row) -> Place:
    """Where this row lies on its lock."""
    return Place(handle=handle(row), kind=Kind(row.kind), address=row.address)


def handle(row: Row) -> str:
    """Our name for this row on its lock."""
    return handle_of(key_id=row.key_id, assignment_id=row.id)


def line_of(row: Row, code: LogCode, now: datetime, *, cause: str = "", proof: str = "") -> Line:
    """A door-log line of Portal's own about this row."""
    return Line(
        row.property_id,
        row.door_id,
        row.lock_id,
        now,
        now,
        PORTAL,
        code.value,
        cause=cause,
        kind=row.kind,
        key_id=row.key_id,
        assignment_id=row.id,
        revision=row.sent_revision or row.revision,
        attempt=row.tries or None,
        proof=proof,
    )


def after(
    *, sent: Row, action: Action, outcome: Outcome, grip: Grip, pace: Pace, now: datetime
) -> Verdict:
    """The verdict on one attempt. ``sent`` is the row as it was stamped: its sent revision is what went out."""
    match outcome.result:
        case Result.CONFIRMED:
            row = _confirmed(sent, action, outcome)
        case Result.FAILED:
            row = failed(sent, outcome.error, pace, now)
        case Result.ACCEPTED:
            row = _accepted(sent, action, outcome, pace, now)
        case Result.UNKNOWN:
            row = _unsure(sent, pace, now)
    done = outcome.result is Result.CONFIRMED
    proof = outcome.proof.value if done and action is Action.WRITE else ""
    cause = row.problem
    if action is Action.REMOVE and done and sent.problem == Cause.NO_SPACE.value:
        cause = sent.problem  # it gave its space to a sooner arrival
    line = line_of(row, _code(action, outcome.result), now, cause=cause, proof=proof)
    line = line._replace(
        vendor_code=outcome.error.vendor_code[:40] if outcome.error else "",
        revision=sent.sent_revision,
    )
    tried = outcome.result in {Result.FAILED, Result.UNKNOWN}
    return verdict_on(seen=sent, row=row, grip=grip, now=now, line=line, proof=proof, tried=tried)


def _confirmed(sent: Row, action: Action, outcome: Outcome) -> Row:
    written = sent.sent_revision if action is Action.WRITE else None
    return sent._replace(
        written_revision=written,
        sent_revision=None,
        accepted_at=None,
        refused_revision=None,
        address=outcome.address
        or ("" if written is None and not has_slots(sent) else sent.address),
        problem="",
        problem_since=None,
        tries=0,
        retry_at=None,
    )


def failed(sent: Row, error: LockError | None, pace: Pace, now: datetime) -> Row:
    cause = error.cause.value if error else "unexplained"
    tries = sent.tries + 1
    pause = retry_delay(tries - 1, pace.soon, of=sent.lock_id or 0)
    if error is not None and error.retry_after_s is not None:
        pause = timedelta(seconds=min(max(error.retry_after_s, 0.1), 60.0))
    final = (
        error is not None
        and error.scope is Scope.CREDENTIAL
        and error.retry in {Retry.AFTER_CHANGE, Retry.NEVER}
    )
    if cause == Cause.NO_SPACE.value or (cause == Cause.REJECTED.value and tries >= REJECTIONS):
        final = True
    sent = _unreached(sent, cause, now + timedelta(seconds=pace.offline))
    if sent.problem == Cause.NO_SPACE.value and sent.written_revision == sent.revision:
        cause = sent.problem  # it goes on giving way until its removal succeeds
    return sent._replace(
        sent_revision=None,
        accepted_at=None,
        tries=tries,
        problem=cause,
        problem_since=sent.problem_since if sent.problem == cause else now,
        refused_revision=sent.sent_revision if final else sent.refused_revision,
        retry_at=now + pause,
    )


def _unreached(sent: Row, cause: str, next_try_at: datetime) -> Row:
    """What the row will read of its lock once this answer is believed, so that the right reason is shown at once."""
    if cause == Cause.LOCK_UNREACHABLE.value:
        return sent._replace(lock_online=False, lock_next_try_at=next_try_at)
    if cause == Cause.GATEWAY_UNREACHABLE.value and sent.gateway_online is not None:
        return sent._replace(gateway_online=False, lock_next_try_at=next_try_at)
    return sent


def _accepted(sent: Row, action: Action, outcome: Outcome, pace: Pace, now: datetime) -> Row:
    return sent._replace(
        accepted_at=now,
        accepted_removal=action is Action.REMOVE,
        address=outcome.address or sent.address,
        problem=AT_WORK,
        problem_since=now,
        retry_at=now + timedelta(seconds=pace.unsure),
    )


def _unsure(sent: Row, pace: Pace, now: datetime) -> Row:
    return sent._replace(
        accepted_at=None,
        tries=sent.tries + 1,
        problem=NOT_CONFIRMED,
        problem_since=sent.problem_since if sent.problem == NOT_CONFIRMED else now,
        retry_at=now + timedelta(seconds=pace.unsure),
    )


def _code(action: Action, result: Result) -> LogCode:
    writes = action is Action.WRITE
    match result:
        case Result.CONFIRMED:
            return LogCode.WRITTEN if writes else LogCode.REMOVED
        case Result.ACCEPTED:
            return LogCode.ACCEPTED
        case Result.UNKNOWN:
            return LogCode.UNCONFIRMED
        case Result.FAILED:
            return LogCode.WRITE_FAILED if writes else LogCode.REMOVE_FAILED


def noted(*, seen: Row, row: Row, grip: Grip | None, now: datetime) -> Verdict:
    """The verdict on a row that nothing is sent for: it waits, or is in step, or was put off."""
    return verdict_on(seen=seen, row=row, grip=grip, now=now, line=None, proof="", tried=False)


def found(
    *,
    seen: Row,
    held: Held | None,
    secret: str,
    grip: Grip,
    pace: Pace,
    now: datetime,
    read_back: Proof = Proof.READ_BACK,
) -> tuple[Verdict, bool]:
    """The verdict on reading a lock back, and whether what was believed of this row was wrong.

    ``read_back`` is what having read it proves: less where only the vendor's book could be read.

    A row whose outcome was unknown is not wrong: it was never believed. A call that turns out to have been lost is made
    again at once; one that was lost again waits like any that failed, else a lock that loses all would be called for ever.
    """
    written = revision_shown(seen, held, secret)
    taken = seen.accepted_at is not None and not seen.accepted_removal
    if taken and read_back is Proof.BOOK and held is not None and held.secret is None:
        written = seen.sent_revision  # the vendor says that it is done with what it took
    believed = seen.written_revision
    if believed is not None and believed != seen.revision and written == 0:
        written = believed
    unknown = seen.sent_revision is not None
    row = _learnt(seen, written, believed, pace, now)
    if held is not None and held.address:
        row = row._replace(address=held.address)
    proof = read_back.value if written == seen.revision else ""
    if believed == written and not unknown and read_back is Proof.BOOK:
        proof = ""  # the book tells nothing that is not known better
    there = (written is None) != (believed is None)
    guessed = read_back is Proof.BOOK and believed == SOMETHING_OLDER  # it may have been there
    wrong = not (unknown or guessed) and (there or (believed == seen.revision != written))
    line = line_of(seen, LogCode.REPAIRED, now, cause="drift") if wrong else None
    if unknown:
        line = _learnt_line(seen, written, proof, now)
    return (
        verdict_on(seen=seen, row=row, grip=grip, now=now, line=line, proof=proof, tried=False),
        wrong,
    )


def _learnt(seen: Row, written: int | None, believed: int | None, pace: Pace, now: datetime) -> Row:
    """The row with what was read of it, and when it is tried again if a call turns out to have been lost."""
    unknown = seen.sent_revision is not None
    row = seen._replace(written_revision=written, sent_revision=None, accepted_at=None)
    if written != believed or unknown:
        row = row._replace(retry_at=None)
    if written == seen.revision or row.problem in {AT_WORK, OVERDUE}:
        row = row._replace(tries=0, problem="", problem_since=None)
    if unknown and answer(row, now=now).decision.action in SENDS:
        tries = seen.tries
        if seen.accepted_at is not None and not is_superseded(seen, now=now):
            tries += 1
            row = row._replace(tries=tries, problem=DROPPED, problem_since=now)
        if tries > 1:
            pause = retry_delay(tries - 2, pace.soon, of=seen.lock_id or 0)
            row = row._replace(retry_at=now + pause)
    return row


def _learnt_line(seen: Row, written: int | None, proof: str, now: datetime) -> Line | None:
    """What became of an outcome that was unknown, as far as it can be said what was sent."""
    if written == seen.revision:
        return line_of(seen, LogCode.WRITTEN, now, proof=proof)
    if seen.accepted_removal and seen.accepted_at is not None and written is None:
        return line_of(seen, LogCode.REMOVED, now)
    return None


def revision_shown(seen: Row, held: Held | None, secret: str) -> int | None:
    """The revision that a lock shows. A lock that hides secrets cannot tell a new code from the one before it.

    There, what was absent before a write and is present after it has landed; anything else is written again.
    """
    if held is None:
        return None
    if not matches(seen, held, secret):
        return SOMETHING_OLDER
    if held.secret is not None:
        return seen.revision
    if seen.sent_revision is None:
        return SOMETHING_OLDER if seen.written_revision is None else seen.written_revision
    return seen.sent_revision if seen.written_revision is None else SOMETHING_OLDER


def matches(row: Row, held: Held, secret: str) -> bool:
    """Whether the lock holds exactly what this row wants: kind, secret if it shows one, and window if it keeps one."""
    if held.kind.value != row.kind or held.secret not in {None, secret}:
        return False
    if not row.native_window or held.starts_at is None or held.ends_at is None:
        return True
    slack = timedelta(seconds=60)
    return abs(held.starts_at - row.starts_at) < slack and abs(held.ends_at - row.ends_at) < slack


def verdict_on(
    *,
    seen: Row,
    row: Row,
    grip: Grip | None,
    now: datetime,
    line: Line | None,
    proof: str,
    tried: bool,
) -> Verdict:
    told = answer(row, now=now)
    if told.headline != row.headline:
        row = row._replace(headline_since=now)
    change = Change(
        grip=grip,
        seen=seen,
        row=row,
        next_at=told.next_at,
        waits=told.waits,
        headline=told.headline,
        proof=proof,
        proven_at=now if proof else None,
        free=told.facts.phase is Phase.OVER and told.facts.on_lock is OnLock.ABSENT,
    )
    return Verdict(change, line, _troubles(told, row, now, tried), _closed(told, row, now))


def _troubles(told: Answer, row: Row, now: datetime, tried: bool) -> list[Trouble]:  # noqa: FBT001
    """An episode opens when a credential is due and not on its lock, or must go and has not."""
    facts = told.facts
    waiting = told.decision.action is Action.WAIT
    leaving = _must_go(told)
    in_hand = facts.on_lock is OnLock.ACCEPTED and row.problem == AT_WORK
    if in_hand and facts.reach is Reach.READY and not tried:
        return []
    if leaving:
        return [_trouble(told, row, now, NOT_REMOVED, tried)] if tried or waiting else []
    if facts.phase is Phase.OVER or facts.on_lock is OnLock.CURRENT:
        return []
    begun = now >= row.starts_at
    unreachable = facts.phase is Phase.DUE and facts.reach in {
        Reach.LOCK_OFFLINE,
        Reach.GATEWAY_OFFLINE,
        Reach.ACCOUNT_BROKEN,
    }
    gated = {
        Hold.DISABLED_BY_STAFF,
        Hold.CAME_IN_DURING_OUTAGE,
        Hold.NOT_CHECKED_IN,
        Hold.CHECK_IN_UNKNOWN,
    } & set(told.decision.holds)
    if tried or (waiting and (begun or (unreachable and not gated))):
        return [_trouble(told, row, now, NOT_WRITTEN, tried)]
    return []


def _must_go(told: Answer) -> bool:
    return not {Hold.STILL_ON_LOCK, Hold.REMOVAL_PENDING}.isdisjoint(told.decision.holds)


def _trouble(told: Answer, row: Row, now: datetime, kind: str, tried: bool) -> Trouble:  # noqa: FBT001
    line = line_of(row, LogCode.NOT_WRITTEN, now, cause=cause_of(told, row))
    return Trouble(line, kind, tried)


def cause_of(told: Answer, row: Row) -> str:
    """The cause that 4117 shows: what the lock said if it was tried, else the first reason to wait."""
    hold = told.decision.headline
    if hold in {None, Hold.RETRYING, Hold.REFUSED_BY_LOCK, Hold.NOT_CONFIRMED, Hold.AT_WORK}:
        return row.problem or "unexplained"
    if hold in {Hold.STILL_ON_LOCK, Hold.REMOVAL_PENDING}:
        known = row.problem != AT_WORK
        return row.problem if known and row.problem else Hold.LOCK_OFFLINE.value
    return str(hold)


def _closed(told: Answer, row: Row, now: datetime) -> list[tuple[Line, str, bool]]:
    line = line_of(row, LogCode.RESOLVED, now)
    facts = told.facts
    closed: list[tuple[Line, str, bool]] = []
    if facts.on_lock is OnLock.CURRENT and facts.phase is not Phase.OVER:
        closed.append((line, NOT_WRITTEN, True))
    elif is_over(row) or facts.phase is Phase.OVER:
        closed.append((line, NOT_WRITTEN, False))
    gone = facts.on_lock is OnLock.ABSENT
    if gone or (told.decision.action is Action.DONE and facts.phase is not Phase.OVER):
        closed.append((line, NOT_REMOVED, True))
    elif not (facts.phase is Phase.OVER or told.decision.action is Action.REMOVE or _must_go(told)):
        closed.append((line, NOT_REMOVED, False))  # it may be there again, though not the newest
    return closed
