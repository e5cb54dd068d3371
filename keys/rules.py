"""The one question of Portal: may this credential be on its lock now, and if not, why?

Pure: no clock, no database, no vendor. The caller digests times and rows into ``Facts``; ``decide`` answers what to do
and lists every reason that holds. Portal, API, admin, tasks and commands ask here and nowhere else.

Answers to product questions, kept beside the code that follows them:

* The Allow Provisioning switch shows ON for AUTOMATIC and ALLOWED_BEFORE_CHECK_IN, OFF for both holds. ON without the
  check-in that the property requires is still Pending Provisioning.
* Switching off takes a written credential off the lock; until that is confirmed the door may still open, and says so
  before it says anything about the lock. Switching on again writes the same code.
* Being offline is a reason, not a gate: some locks are known to be back only when they are tried.
* A lock that keeps windows itself is written as soon as that is permitted; one that does not is written at the start.
* A full lock serves the soonest arrivals: a stay that has not begun gives its space to a sooner one, a guest in house never.
* What a lock system has accepted is looked up in its book until it is done, and sent again only if it is superseded.
* A PMS that is not connected neither holds nor removes what was already checked in.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from functools import cache
from typing import NamedTuple


class Permission(StrEnum):
    """Allow Provisioning of one door of one key: two ways to be on, two ways to be off."""

    AUTOMATIC = "automatic"
    ALLOWED_BEFORE_CHECK_IN = "allowed_before_check_in"
    HELD_BY_STAFF = "held_by_staff"
    HELD_BY_OUTAGE = "held_by_outage"

    @property
    def is_on(self) -> bool:
        """Whether the Allow Provisioning switch shows on."""
        return self in {Permission.AUTOMATIC, Permission.ALLOWED_BEFORE_CHECK_IN}


class CheckIn(StrEnum):
    """The second gate: what the property requires of the reservation, and whether it happened."""

    NOT_REQUIRED = "not_required"
    DONE = "done"
    WAITING = "waiting"
    NOT_KNOWN = "not_known"


class Phase(StrEnum):
    """Where now lies: before the lock may hold it, from then to its end, or after. Over also means revoked or left."""

    EARLY = "early"
    DUE = "due"
    OVER = "over"


class OnLock(StrEnum):
    """What the lock is known to hold: nothing, exactly what is wanted, something older, or not known.

    ACCEPTED is not known either, but the lock system has it in hand and will bring the lock to it.
    """

    ABSENT = "absent"
    CURRENT = "current"
    STALE = "stale"
    UNKNOWN = "unknown"
    ACCEPTED = "accepted"


class Reach(StrEnum):
    """Whether the lock can be spoken to."""

    READY = "ready"
    NO_LOCK = "no_lock"
    ACCOUNT_BROKEN = "account_broken"
    GATEWAY_OFFLINE = "gateway_offline"
    LOCK_OFFLINE = "lock_offline"


class Refusal(StrEnum):
    """A no of the lock to exactly this revision that trying again cannot change."""

    NONE = "none"
    UNSUPPORTED = "unsupported"
    LOCK_FULL = "lock_full"
    REFUSED = "refused"


class Action(StrEnum):
    """What to do about one credential on one lock."""

    WRITE = "write"
    REMOVE = "remove"
    WAIT = "wait"
    DONE = "done"


class Hold(StrEnum):
    """Every reason for a credential not to be on its lock, in the order in which someone would clear them."""

    STILL_ON_LOCK = "still_on_lock"
    REMOVAL_PENDING = "removal_pending"
    DISABLED_BY_STAFF = "disabled_by_staff"
    CAME_IN_DURING_OUTAGE = "came_in_during_outage"
    CHECK_IN_UNKNOWN = "check_in_unknown"
    NOT_CHECKED_IN = "not_checked_in"
    SETUP_MODE = "setup_mode"
    NO_LOCK = "no_lock"
    UNSUPPORTED = "unsupported"
    ACCOUNT_BROKEN = "account_broken"
    GATEWAY_OFFLINE = "gateway_offline"
    LOCK_OFFLINE = "lock_offline"
    LOCK_FULL = "lock_full"
    REFUSED_BY_LOCK = "refused_by_lock"
    NOT_CONFIRMED = "not_confirmed"
    AT_WORK = "at_work"
    RETRYING = "retrying"
    NOT_DUE_YET = "not_due_yet"


class Who(StrEnum):
    """Who can change a reason to wait."""

    GUEST_OR_FRONT_DESK = "guest or front desk"
    STAFF = "staff"
    MANAGER = "manager"
    ENGINEER = "engineer"
    VENDOR = "lock vendor"
    NOBODY = "nobody: it heals itself"


WHO_CLEARS: dict[Hold, Who] = {
    Hold.STILL_ON_LOCK: Who.NOBODY,
    Hold.REMOVAL_PENDING: Who.ENGINEER,
    Hold.DISABLED_BY_STAFF: Who.STAFF,
    Hold.CAME_IN_DURING_OUTAGE: Who.STAFF,
    Hold.CHECK_IN_UNKNOWN: Who.MANAGER,
    Hold.NOT_CHECKED_IN: Who.GUEST_OR_FRONT_DESK,
    Hold.SETUP_MODE: Who.MANAGER,
    Hold.NO_LOCK: Who.ENGINEER,
    Hold.UNSUPPORTED: Who.STAFF,
    Hold.ACCOUNT_BROKEN: Who.MANAGER,
    Hold.GATEWAY_OFFLINE: Who.ENGINEER,
    Hold.LOCK_OFFLINE: Who.ENGINEER,
    Hold.LOCK_FULL: Who.STAFF,
    Hold.REFUSED_BY_LOCK: Who.STAFF,
    Hold.NOT_CONFIRMED: Who.NOBODY,
    Hold.AT_WORK: Who.NOBODY,
    Hold.RETRYING: Who.NOBODY,
    Hold.NOT_DUE_YET: Who.NOBODY,
}


class Waits(StrEnum):
    """What a door's list entry waits for; lists and counts keep the time apart from people."""

    NOTHING = ""
    TIME = "time"
    LOCK = "lock"
    SOMEONE = "someone"


class Facts(NamedTuple):
    """All that the answer depends on. Times are digested by ``phase_at`` and ``try_is_due``."""

    permission: Permission
    check_in: CheckIn
    property_is_live: bool
    phase: Phase
    on_lock: OnLock
    reach: Reach
    refusal: Refusal
    try_due: bool


@dataclass(frozen=True, slots=True)
class Decision:
    """What to do, and all that holds, headline first. Waiting always has a reason; being done never has one.

    WRITE and REMOVE may carry reasons too: they stand until the attempt has succeeded.
    """

    action: Action
    holds: tuple[Hold, ...] = ()

    def __post_init__(self) -> None:
        if self.action is Action.WAIT and not self.holds:
            raise ValueError("waiting needs a reason")
        if self.action is Action.DONE and self.holds:
            raise ValueError("what is done has no reason to wait")

    @property
    def headline(self) -> Hold | None:
        """The first reason someone would clear, or none."""
        return self.holds[0] if self.holds else None


def permission_hold(permission: Permission) -> Hold | None:
    """The first gate: the switch."""
    match permission:
        case Permission.HELD_BY_STAFF:
            return Hold.DISABLED_BY_STAFF
        case Permission.HELD_BY_OUTAGE:
            return Hold.CAME_IN_DURING_OUTAGE
        case Permission.AUTOMATIC | Permission.ALLOWED_BEFORE_CHECK_IN:
            return None


def check_in_hold(facts: Facts) -> Hold | None:
    """The second gate: the check-in that the property requires, unless staff said "write now, before check-in"."""
    if facts.permission is Permission.ALLOWED_BEFORE_CHECK_IN:
        return None
    match facts.check_in:
        case CheckIn.WAITING:
            return Hold.NOT_CHECKED_IN
        case CheckIn.NOT_KNOWN:
            return Hold.CHECK_IN_UNKNOWN
        case CheckIn.NOT_REQUIRED | CheckIn.DONE:
            return None


def gates(facts: Facts) -> tuple[Hold, ...]:
    """Both gates, as far as they are shut."""
    return tuple(hold for hold in (permission_hold(facts.permission), check_in_hold(facts)) if hold)


REACH_HOLDS: dict[Reach, Hold] = {
    Reach.NO_LOCK: Hold.NO_LOCK,
    Reach.ACCOUNT_BROKEN: Hold.ACCOUNT_BROKEN,
    Reach.GATEWAY_OFFLINE: Hold.GATEWAY_OFFLINE,
    Reach.LOCK_OFFLINE: Hold.LOCK_OFFLINE,
}
REFUSAL_HOLDS: dict[Refusal, Hold] = {
    Refusal.UNSUPPORTED: Hold.UNSUPPORTED,
    Refusal.LOCK_FULL: Hold.LOCK_FULL,
    Refusal.REFUSED: Hold.REFUSED_BY_LOCK,
}
SHUT: frozenset[Hold] = frozenset(
    {
        Hold.SETUP_MODE,
        Hold.NO_LOCK,
        Hold.UNSUPPORTED,
        Hold.ACCOUNT_BROKEN,
        Hold.LOCK_FULL,
        Hold.REFUSED_BY_LOCK,
    }
)
"""Obstacles that no attempt gets past; the others are tried on their slow schedule."""


def obstacles(facts: Facts, action: Action) -> tuple[Hold, ...]:
    """What stands between a wish and the lock."""
    found: list[Hold] = []
    writes = action is Action.WRITE
    if writes and not facts.property_is_live:
        found.append(Hold.SETUP_MODE)
    if facts.reach in REACH_HOLDS:
        found.append(REACH_HOLDS[facts.reach])
    if writes and facts.refusal in REFUSAL_HOLDS:
        found.append(REFUSAL_HOLDS[facts.refusal])
    return tuple(sorted(found, key=ORDER.__getitem__))


ORDER: dict[Hold, int] = {hold: place for place, hold in enumerate(Hold)}


@cache
def decide(facts: Facts) -> Decision:
    """Say write, remove, wait or done, with every reason that holds.

    The domain is finite and small, so answers are remembered: deciding 100,000 doors again costs look-ups.
    """
    shut_gates = gates(facts)
    over = facts.phase is Phase.OVER
    waits_for_time = (Hold.NOT_DUE_YET,) if facts.phase is Phase.EARLY else ()
    wanted = facts.phase is Phase.DUE and not shut_gates
    if wanted and gives_way(facts):
        return _give_way(facts)
    if facts.on_lock is (OnLock.CURRENT if wanted else OnLock.ABSENT):
        return _in_step(facts, shut_gates + waits_for_time, over=over)
    if wanted:
        return _attempt(facts, Action.WRITE, ())
    standing = (Hold.REMOVAL_PENDING,) if over else (Hold.STILL_ON_LOCK, *shut_gates)
    return _attempt(facts, Action.REMOVE, standing, last=waits_for_time)


def gives_way(facts: Facts) -> bool:
    """Whether it is on a full lock whose space a sooner arrival needs: what is there was refused space afterwards."""
    return facts.on_lock is OnLock.CURRENT and facts.refusal is Refusal.LOCK_FULL


def _give_way(facts: Facts) -> Decision:
    answer = _attempt(facts, Action.REMOVE, (Hold.LOCK_FULL,))
    return Decision(answer.action, tuple(sorted(answer.holds, key=ORDER.__getitem__)))


def _in_step(facts: Facts, holds: tuple[Hold, ...], *, over: bool) -> Decision:
    """The lock holds what it may hold now; what keeps a live key from more is still said."""
    if over or not holds:
        return Decision(Action.DONE)
    coming = obstacles(facts, Action.WRITE)
    first = tuple(hold for hold in holds if hold is not Hold.NOT_DUE_YET)
    last = tuple(hold for hold in holds if hold is Hold.NOT_DUE_YET)
    return Decision(Action.WAIT, first + coming + last)


def _attempt(
    facts: Facts, action: Action, standing: tuple[Hold, ...], last: tuple[Hold, ...] = ()
) -> Decision:
    """Try, or say what is in the way of trying now."""
    in_the_way = obstacles(facts, action)
    if facts.on_lock is OnLock.ACCEPTED:
        in_the_way += (Hold.AT_WORK,)
    if facts.try_due and SHUT.isdisjoint(in_the_way):
        return Decision(action, standing + in_the_way + last)
    if not in_the_way:
        unsure = facts.on_lock is OnLock.UNKNOWN
        in_the_way = (Hold.NOT_CONFIRMED if unsure else Hold.RETRYING,)
    return Decision(Action.WAIT, standing + in_the_way + last)


def is_pending(facts: Facts) -> bool:
    """Pending Provisioning: not over, and a gate is shut or the lock has not confirmed what is wanted."""
    if facts.phase is Phase.OVER:
        return False
    return bool(gates(facts)) or facts.on_lock is not OnLock.CURRENT


def waits(facts: Facts, decision: Decision) -> Waits:
    """The list entry of a door: nothing, its time, the lock (an attempt is due or under way), or someone."""
    if decision.action is Action.DONE:
        return Waits.NOTHING
    if decision.holds == (Hold.NOT_DUE_YET,):
        return Waits.TIME
    if any(WHO_CLEARS[hold] is not Who.NOBODY for hold in decision.holds):
        return Waits.SOMEONE
    return Waits.LOCK


class Times(NamedTuple):
    """The moments of one credential on one lock, aware UTC. ``retry_at`` is none when no attempt has failed.

    ``lead_at`` is when a lead begins, none without one: from then to the start ``opens_at`` moves with the guest before.
    """

    starts_at: datetime
    ends_at: datetime
    opens_at: datetime | None
    retry_at: datetime | None
    lead_at: datetime | None = None


LOOK_AGAIN = timedelta(minutes=1)
"""How long a lead may go by what was known of the guest before."""


def phase_at(*, now: datetime, times: Times, over: bool) -> Phase:
    """Digest the time: ``opens_at`` is none for a lock that keeps windows itself. Intervals exclude their end."""
    if over or now >= times.ends_at:
        return Phase.OVER
    if times.opens_at is not None and now < times.opens_at:
        return Phase.EARLY
    return Phase.DUE


def next_look_at(*, now: datetime, decision: Decision, times: Times) -> datetime | None:
    """When these facts must be looked at again without any news: at once, at a retry, a start or an end, or never."""
    if decision.action in {Action.WRITE, Action.REMOVE}:
        return now
    moments = [times.ends_at]
    if times.lead_at is not None and now < times.starts_at:
        moments.append(max(times.lead_at, now + LOOK_AGAIN))
    if decision.action is Action.WAIT:
        moments.append(times.starts_at)
        if times.opens_at is not None:
            moments.append(times.opens_at)
        if times.retry_at is not None and SHUT.isdisjoint(decision.holds):
            moments.append(times.retry_at)
    return min((moment for moment in moments if moment > now), default=None)
