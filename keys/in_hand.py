"""What a lock system has accepted and not finished: still at work, given up with a cause, or to be sent anew.

Pure like ``outcomes``: rows in, verdicts out.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from keys.facts import Row, is_superseded
from keys.leases import Grip
from keys.outcomes import (
    AT_WORK,
    OVERDUE,
    SOMETHING_OLDER,
    Pace,
    Verdict,
    failed,
    line_of,
    revision_shown,
    verdict_on,
)
from locks.doorlog import Line, retry_delay
from locks.drivers import Held, LockError
from locks.log_models import LogCode

LOOKS = 2.0
"""Each pause between two looks at the vendor's book is so much shorter than the time that it has been at work."""
LONGEST_PAUSE_S = 1800.0


def open_in_book(
    *,
    seen: Row,
    error: LockError | None,
    grip: Grip,
    pace: Pace,
    now: datetime,
    could_read: bool = True,
) -> Verdict:
    """The verdict on a row of unknown outcome that the vendor's book shows as under way, with what stands against it.

    What has been superseded, or of which it is not known whether it was a write or a removal, is due to be sent again: it
    may be on the lock until then. A book that could not be read leaves the cause as it was.
    """
    if seen.accepted_at is None or is_superseded(seen, now=now):
        return _anew(seen, grip, pace, now)
    since = seen.accepted_at
    overdue_at = _patience(seen, since, pace)
    cause = OVERDUE if now >= overdue_at else AT_WORK
    if not could_read and seen.problem not in {AT_WORK, OVERDUE}:
        cause = seen.problem
    news = error is not None and error.cause.value != seen.problem
    if error is not None:
        cause = error.cause.value
    pause = max(pace.unsure, (now - since).total_seconds() / LOOKS)
    looks = [now + timedelta(seconds=min(pause, LONGEST_PAUSE_S))]
    if overdue_at > now:
        looks.append(overdue_at)
    row = seen._replace(
        problem=cause,
        problem_since=since
        if cause in {AT_WORK, OVERDUE}
        else (now if news else seen.problem_since),
        tries=seen.tries + int(news),
        retry_at=min(looks),
    )
    line = None
    if error is not None and news:
        line = _line(seen, error, now)
    late = cause == OVERDUE != seen.problem
    return verdict_on(
        seen=seen, row=row, grip=grip, now=now, line=line, proof="", tried=news or late
    )


def given_up(
    *,
    seen: Row,
    held: Held | None,
    secret: str,
    error: LockError,
    grip: Grip,
    pace: Pace,
    now: datetime,
) -> Verdict:
    """The verdict on what the lock system gave up: a failed try with its cause, and what the lock holds instead."""
    hidden = held is not None and held.secret is None
    written = SOMETHING_OLDER if hidden else revision_shown(seen, held, secret)
    row = failed(seen, error, pace, now)._replace(written_revision=written)
    if held is not None and held.address:
        row = row._replace(address=held.address)
    line = _line(seen, error, now)
    return verdict_on(seen=seen, row=row, grip=grip, now=now, line=line, proof="", tried=True)


def _patience(row: Row, since: datetime, pace: Pace) -> datetime:
    """Until when it may take. A removal is more urgent: while it takes, a stranger may enter."""
    grace = timedelta(seconds=pace.grace)
    if row.accepted_removal:
        return since + grace
    return max(since + timedelta(seconds=pace.patience), row.starts_at + grace)


def _anew(seen: Row, grip: Grip, pace: Pace, now: datetime) -> Verdict:
    lost = seen.accepted_at is None and seen.tries > 1
    pause = retry_delay(seen.tries - 2, pace.soon, of=seen.lock_id or 0) if lost else None
    row = seen._replace(
        written_revision=SOMETHING_OLDER,
        sent_revision=None,
        accepted_at=None,
        retry_at=now + pause if pause is not None else None,
    )
    return verdict_on(seen=seen, row=row, grip=grip, now=now, line=None, proof="", tried=False)


def _line(row: Row, error: LockError, now: datetime) -> Line:
    code = LogCode.REMOVE_FAILED if row.accepted_removal else LogCode.WRITE_FAILED
    line = line_of(row, code, now, cause=error.cause.value)
    return line._replace(vendor_code=error.vendor_code[:40])
