"""No faster than a PMS allows, over all processes of one Portal, with room left for people.

Each payer (a vendor's app, or one access token) has a row that says when its next call is free. A call moves that moment
on by one step and waits until its own turn, some calls ahead for a short burst; people may be further ahead than
background work. That is the generic cell rate algorithm, in one statement: https://en.wikipedia.org/wiki/Generic_cell_rate_algorithm
"""

from __future__ import annotations

import time

from django.db import connection

from locks.vault import digest
from pms.adapters import Limit, TryLater

LONGEST_WAIT_S = 60.0
_CLOCK = {
    "postgresql": "extract(epoch FROM clock_timestamp())",
    "sqlite": "((julianday('now') - 2440587.5) * 86400.0)",
}
_LATER = {"postgresql": "GREATEST", "sqlite": "max"}
_TAKE = (
    "INSERT INTO pms_pace (payer, free_at_s) VALUES (%s, {clock} + %s) ON CONFLICT (payer) DO UPDATE "
    "SET free_at_s = {later}(pms_pace.free_at_s, {clock}) + %s RETURNING free_at_s, {clock}"
)


_HOLD = (
    "INSERT INTO pms_pace (payer, free_at_s) VALUES (%s, {clock} + %s) ON CONFLICT (payer) DO UPDATE "
    "SET free_at_s = {later}(pms_pace.free_at_s, {clock} + %s)"
)


def wait(payer: str, limit: Limit, *, for_people: bool) -> None:
    """Return when this payer may make one more call; it is counted.

    Raises TryLater when its turn would come in more than a minute: then too many wait already.
    """
    pause = _turn_in_s(digest(payer, scope="pace"), limit, for_people=for_people)
    if pause > LONGEST_WAIT_S:
        raise TryLater("Too many calls to the PMS wait already.", retry_after_s=LONGEST_WAIT_S)
    if pause > 0:
        time.sleep(pause)


def hold(payer: str, limit: Limit, seconds: float) -> None:
    """The vendor wants to be left alone for some seconds: nobody, not even a person, calls for this payer before that."""
    pause = seconds + limit.per_s / limit.calls * max(limit.ahead, limit.ahead_for_people)
    vendor = connection.vendor
    question = _HOLD.format(clock=_CLOCK[vendor], later=_LATER[vendor])
    with connection.cursor() as cursor:
        cursor.execute(question, [digest(payer, scope="pace"), pause, pause])


def _turn_in_s(payer: str, limit: Limit, *, for_people: bool) -> float:
    step = limit.per_s / limit.calls
    vendor = connection.vendor
    question = _TAKE.format(clock=_CLOCK[vendor], later=_LATER[vendor])
    with connection.cursor() as cursor:
        cursor.execute(question, [payer, step, step])
        free_at, now = (float(value) for value in cursor.fetchone())
    ahead = limit.ahead_for_people if for_people else limit.ahead
    return free_at - step * ahead - now
