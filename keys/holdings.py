"""What a lock holds against what it should hold, as its last reading and the answers since have it; and what should be gone.

The rule decides what should be there; this file only puts its answers beside what is known.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from django.db.models import QuerySet

from keys.facts import Answer, answer, rows_of
from keys.models import Assignment
from keys.rules import Hold, OnLock, Phase, gates, gives_way

MOST = 2000
"""So many credentials of one lock are looked at."""
TO_GO = (Hold.REMOVAL_PENDING.value, Hold.STILL_ON_LOCK.value)


class Holding(StrEnum):
    """One credential of ours at one lock."""

    HELD = "held"
    MISSING = "missing"
    OLDER = "older"
    NOT_KNOWN = "not_known"
    TO_GO = "to_go"
    NOT_YET = "not_yet"


WORDS: dict[Holding, str] = {
    Holding.HELD: "on it, as it should be",
    Holding.MISSING: "not on it yet, though it should be",
    Holding.OLDER: "on it with an older code or window",
    Holding.NOT_KNOWN: "not known: an answer was lost or is still to come",
    Holding.TO_GO: "on it, though it should be gone",
    Holding.NOT_YET: "not on it, and not due there yet",
}
OUT_OF_STEP = (Holding.TO_GO, Holding.NOT_KNOWN, Holding.MISSING, Holding.OLDER)


@dataclass(frozen=True, slots=True)
class Odd:
    """A credential that is not as it should be."""

    answer: Answer
    holding: Holding

    @property
    def words(self) -> str:
        """What is odd about it."""
        return WORDS[self.holding]


@dataclass(frozen=True, slots=True)
class Book:
    """All of ours at one lock: how many of each, and those that are out of step, the most urgent first."""

    counts: dict[Holding, int]
    odd: list[Odd]
    next_try_at: datetime | None

    @property
    def wanted(self) -> int:
        """How many should be on the lock now."""
        should = (Holding.HELD, Holding.MISSING, Holding.OLDER)
        return sum(self.counts.get(each, 0) for each in should)


def holding_of(told: Answer) -> Holding:
    """Where one credential stands, by the rule's answer about it."""
    facts = told.facts
    wanted = facts.phase is Phase.DUE and not gates(facts) and not gives_way(facts)
    match facts.on_lock:
        case OnLock.UNKNOWN | OnLock.ACCEPTED:
            return Holding.NOT_KNOWN
        case OnLock.CURRENT:
            return Holding.HELD if wanted else Holding.TO_GO
        case OnLock.STALE:
            return Holding.OLDER if wanted else Holding.TO_GO
        case OnLock.ABSENT:
            return Holding.MISSING if wanted else Holding.NOT_YET


def book_of(lock_id: int, *, property_id: int, now: datetime) -> Book:
    """What is known of one lock's memory now. What is or may be on a lock is always reserved."""
    rows = Assignment.objects.filter(
        property_id=property_id, lock_id=lock_id, reserved_digest__isnull=False
    )
    told = [answer(row, now=now) for row in rows_of(rows.order_by("starts_at", "id")[:MOST])]
    placed = [Odd(each, holding_of(each)) for each in told]
    odd = [each for each in placed if each.holding in OUT_OF_STEP]
    odd.sort(key=lambda each: OUT_OF_STEP.index(each.holding))
    tries = [each.answer.next_at for each in odd if each.answer.next_at is not None]
    return Book(dict(Counter(each.holding for each in placed)), odd, min(tries, default=None))


def ghosts(*, property_id: int) -> QuerySet[Assignment]:
    """Credentials that should be off their lock and are not confirmed gone."""
    return Assignment.objects.filter(property_id=property_id, headline__in=TO_GO)
