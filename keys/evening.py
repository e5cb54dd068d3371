"""What an evening at the front desk is, and what each arrival's doors mean to it: pure, from the rule's own answers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from typing import NamedTuple
from zoneinfo import ZoneInfo

from keys.facts import Answer
from keys.rules import Action, Hold, Phase, is_pending
from locks.clock import by_rule

DAY_TURNS = time(6, 0)
"""When the hotel's day turns, by its own clock: who arrives at two in the morning is an arrival of the evening before."""


class Night(NamedTuple):
    """One day of the hotel, from its turn to the next, the end excluded. ``day`` is the date of its evening."""

    day: date
    begins: datetime
    ends: datetime


def night_of(now: datetime, tz: ZoneInfo) -> Night:
    """The hotel's day that ``now`` lies in."""
    local = now.astimezone(tz)
    day = local.date() - timedelta(days=int(local.time() < DAY_TURNS))
    after = day + timedelta(days=1)
    return Night(
        day, by_rule(day, DAY_TURNS, tz, later=False), by_rule(after, DAY_TURNS, tz, later=False)
    )


class Meaning(StrEnum):
    """What a door means to the guest who comes to it, from the best to the worst."""

    READY = "ready"
    LATER = "later"
    WAITING = "waiting"
    AT_RISK = "at_risk"
    BROKEN = "broken"


ORDER = {meaning: place for place, meaning in enumerate(Meaning)}
CLOSED = {Meaning.AT_RISK, Meaning.BROKEN}
"""Behind such a door a guest stands outside, whatever they do themselves."""
WORDS: dict[Meaning, str] = {
    Meaning.READY: "Ready",
    Meaning.LATER: "Will be written",
    Meaning.WAITING: "Waiting for check-in",
    Meaning.AT_RISK: "At risk",
    Meaning.BROKEN: "Broken",
}
MEANS: dict[Hold, Meaning] = {
    Hold.NOT_DUE_YET: Meaning.LATER,
    Hold.NOT_CHECKED_IN: Meaning.WAITING,
    Hold.STILL_ON_LOCK: Meaning.AT_RISK,
    Hold.CHECK_IN_UNKNOWN: Meaning.AT_RISK,
    Hold.GATEWAY_OFFLINE: Meaning.AT_RISK,
    Hold.LOCK_OFFLINE: Meaning.AT_RISK,
    Hold.NOT_CONFIRMED: Meaning.AT_RISK,
    Hold.AT_WORK: Meaning.AT_RISK,
    Hold.RETRYING: Meaning.AT_RISK,
}
"""At risk may still heal by itself. What is not named here needs someone first, so it is broken."""


def meaning_of(told: Answer) -> Meaning | None:
    """What the rule's answer means tonight: the worst of all reasons that hold. None for what is over."""
    if told.facts.phase is Phase.OVER:
        return None
    if not is_pending(told.facts) and told.decision.action is Action.DONE:
        return Meaning.READY
    return worst(MEANS.get(hold, Meaning.BROKEN) for hold in told.decision.holds) or Meaning.LATER


def worst(meanings: Iterable[Meaning]) -> Meaning | None:
    """The worst of these; none of none."""
    return max(meanings, key=ORDER.__getitem__, default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class ADoor:
    """One door of an arriving key, and the worst of what is said about its credentials."""

    keychain_door_id: int
    door_id: int
    lock_id: int | None
    name: str
    meaning: Meaning
    opens_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """One key whose guest arrives tonight, or arrived and still cannot open a door.

    ``people`` are those who hold something of it; ``outside`` those of them for whom a door stays closed. ``rises`` says
    that the arrival is so near, or past, that it stands above all others.
    """

    key_id: int
    label: str
    number: str
    starts_at: datetime
    meaning: Meaning
    doors: tuple[ADoor, ...]
    people: int
    outside: int
    rises: bool
    sentence: str = ""


class Glance(NamedTuple):
    """Guests by what their worst door means, and how many stand before a closed door."""

    ready: int
    later: int
    waiting: int
    at_risk: int
    broken: int
    outside: int


def glance_of(arrivals: Sequence[Arrival]) -> Glance:
    """The evening in six numbers of guests."""

    def many(meaning: Meaning) -> int:
        return sum(one.people for one in arrivals if one.meaning is meaning)

    return Glance(
        ready=many(Meaning.READY),
        later=many(Meaning.LATER),
        waiting=many(Meaning.WAITING),
        at_risk=many(Meaning.AT_RISK),
        broken=many(Meaning.BROKEN),
        outside=sum(one.outside for one in arrivals),
    )
