"""What is wrong at the hotels, in which words, and what to do about it: pure functions over facts.

A guest is counted once per trouble. Of an arrival at risk the nearest common cause is named: a dead gateway or a refused
account is one trouble with all its guests, not one for each of its doors.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple

from keys.past_facts import clock_words
from keys.rules import Hold
from keys.telling_models import Alert

Kind = Alert.Kind
HORIZON = timedelta(hours=12)
"""How far ahead arrivals count as guests at risk."""
BY_GUEST = {Hold.NOT_CHECKED_IN, Hold.CHECK_IN_UNKNOWN}
ELSEWHERE = {
    Hold.NOT_CHECKED_IN,
    Hold.SETUP_MODE,
    Hold.ACCOUNT_BROKEN,
    Hold.GATEWAY_OFFLINE,
    Hold.NOT_DUE_YET,
}
"""Reasons that are no alarm about an arrival: the guest's turn, or a trouble that has its own alert."""
BECAUSE: dict[str, str] = {
    Hold.NO_LOCK: "no lock is installed",
    Hold.UNSUPPORTED: "its lock cannot hold this kind of credential",
    Hold.LOCK_OFFLINE: "its lock is offline",
    Hold.LOCK_FULL: "its lock is full",
    Hold.REFUSED_BY_LOCK: "its lock refused the code",
    Hold.NOT_CONFIRMED: "its lock has not confirmed the code",
    Hold.AT_WORK: "the lock system has it and is still at work",
    Hold.RETRYING: "writing has not succeeded yet",
}
REMEDIES: dict[str, str] = {
    Kind.REMOVALS: "Give the room to nobody until the lock confirms. Bring the lock back online, or have an engineer clear it.",
    Kind.ARRIVALS: "Open the keys that wait and do what each reason says.",
    Kind.PMS_BROKEN: "Settings, Integrations, Reconnect, or connect again with a new token. Until then check-ins are unknown: let a guest in by Edit Door, Write now, before check-in.",
    Kind.PMS_SILENT: "Portal asks again by itself. Until then let a guest in by Edit Door, Write now, before check-in.",
    Kind.PMS_MISSING: "Look them up in the PMS. If it answered wrongly they are found again by themselves; those that are gone: Settings, Integrations, Missing reservations.",
    Kind.GATEWAY: "Check the power and the network of the gateway.",
    Kind.CLOCK: "Portal sets it right by itself where the lock system can. Otherwise set it at the lock or by the maker’s app; until then codes begin and end at wrong times.",
    Kind.ACCOUNT: "Settings, Lock systems, Reconnect. An account that was refused is also tried every minute by itself.",
}


class Pms(NamedTuple):
    """A connection to a PMS. ``heard_at`` is the last good word, or when it was first connected."""

    property_id: int
    id: int
    name: str
    is_broken: bool
    is_disconnected: bool
    since: datetime
    heard_at: datetime | None


class Part(NamedTuple):
    """A gateway that does not answer, or a lock account that is refused or that someone disconnected."""

    property_id: int
    id: int
    name: str
    since: datetime
    locks: int
    is_disconnected: bool = False


class Clock(NamedTuple):
    """A door whose lock’s clock is off by more than two minutes, in seconds, by its last reading."""

    property_id: int
    door_id: int
    name: str
    offset_s: float
    since: datetime


class Missing(NamedTuple):
    """Live keys whose reservations a PMS no longer mentions, of so many live keys of its reservations."""

    property_id: int
    integration_id: int
    pms: str
    many: int
    of: int
    since: datetime


class Ghost(NamedTuple):
    """Something that must go from a door's lock and is not confirmed gone.

    ``is_elsewhere``: that lock hangs on no door any more, since another took its place.
    """

    property_id: int
    door_id: int
    door: str
    since: datetime
    is_elsewhere: bool = False


class Waiting(NamedTuple):
    """A credential of a guest in house or arriving within the horizon that is not on its lock and should be."""

    property_id: int
    person_id: int
    door_id: int
    door: str
    headline: str
    since: datetime | None
    starts_at: datetime
    integration_id: int | None
    outage_id: int | None
    gateway_id: int | None
    account_id: int | None


class Doorless(NamedTuple):
    """A guest whose room is not mapped to a door."""

    property_id: int
    person_id: int
    starts_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """All that alerts depend on. ``behind`` are the guests in house or arriving, by the doors that have ghosts."""

    pmses: Sequence[Pms] = ()
    gateways: Sequence[Part] = ()
    accounts: Sequence[Part] = ()
    clocks: Sequence[Clock] = ()
    missing: Sequence[Missing] = ()
    ghosts: Sequence[Ghost] = ()
    behind: dict[int, set[int]] = field(default_factory=dict)
    waiting: Sequence[Waiting] = ()
    doorless: Sequence[Doorless] = ()


class Limits(NamedTuple):
    """When silence is an alarm, how soon an arrival without a code is one, and how long a failure may heal by itself."""

    silence: timedelta
    arrivals: timedelta
    grace: timedelta


class Trouble(NamedTuple):
    """One thing that is wrong now; ``identity`` tells it apart from others and from other times' words about it."""

    property_id: int
    kind: str
    about: str
    subject: str
    sentence: str
    guests: int
    since: datetime

    @property
    def identity(self) -> tuple[int, str, str]:
        """What makes this the same trouble at the next look."""
        return (self.property_id, self.kind, self.about)


def counted(number: int, one: str, many: str = "") -> str:
    """ "1 guest", "3 guests"."""
    return f"{number} {one if number == 1 else many or one + 's'}"


def find(facts: Facts, limits: Limits, *, now: datetime) -> list[Trouble]:
    """Everything that is wrong now, the most urgent first."""
    return [
        *_ghosts(facts),
        *_arrivals(facts, limits, now),
        *_pmses(facts, limits, now),
        *_missing(facts),
        *_parts(facts),
        *(_clock(clock) for clock in facts.clocks),
    ]


def _ghosts(facts: Facts) -> Iterator[Trouble]:
    by_door: dict[int, list[Ghost]] = {}
    for ghost in facts.ghosts:
        by_door.setdefault(ghost.door_id, []).append(ghost)
    for door_id, ghosts in by_door.items():
        first = ghosts[0]
        may = f"{counted(len(ghosts), 'code')} that must be gone may still"
        words = f"{may} open {first.door}: the lock has not confirmed the removal."
        if all(ghost.is_elsewhere for ghost in ghosts):
            words = (
                f"{may} be on the lock that hung on {first.door} before: say so once it is reset."
            )
        yield Trouble(
            first.property_id,
            Kind.REMOVALS,
            f"door:{door_id}",
            first.door,
            words,
            len(facts.behind.get(door_id, ())),
            min(ghost.since for ghost in ghosts),
        )


def _arrivals(facts: Facts, limits: Limits, now: datetime) -> Iterator[Trouble]:
    soon = now + limits.arrivals
    disconnected = {pms.id for pms in facts.pmses if pms.is_disconnected}
    groups: dict[tuple[int, str], list[Waiting]] = {}
    for each in facts.waiting:
        if each.starts_at > soon or (each.since is not None and each.since > now - limits.grace):
            continue
        about = _about(each, disconnected)
        if about:
            groups.setdefault((each.property_id, about), []).append(each)
    for (property_id, about), members in groups.items():
        yield _arrivals_of(property_id, about, members, now)
    yield from _doorless([one for one in facts.doorless if one.starts_at <= soon], now)


def _about(each: Waiting, disconnected: set[int]) -> str:
    """The nearest common cause of an arrival at risk, empty when it is none of this alert's."""
    if each.headline == Hold.CAME_IN_DURING_OUTAGE:
        return f"outage:{each.outage_id or 0}"
    if each.headline == Hold.CHECK_IN_UNKNOWN:
        return f"pms:{each.integration_id}" if each.integration_id in disconnected else ""
    return "" if each.headline in ELSEWHERE else f"door:{each.door_id}"


def _arrivals_of(
    property_id: int, about: str, members: Sequence[Waiting], now: datetime
) -> Trouble:
    guests = len({each.person_id for each in members})
    who = f"{counted(guests, 'guest')} in house or arriving soon"
    has = "has" if guests == 1 else "have"
    subject, why = members[0].door, ""
    if about.startswith("outage:"):
        subject = "Held after the outage"
        sentence = f"{who} came in while the PMS was broken and {'waits' if guests == 1 else 'wait'} for staff."
    elif about.startswith("pms:"):
        subject = "Check-ins unknown"
        sentence = f"{who} {has} no code on the lock: the PMS is disconnected."
    else:
        why = " and ".join(sorted({BECAUSE.get(each.headline, "") for each in members} - {""}))
        sentence = f"{who} {has} no working code on {subject}: {why or 'it is not written yet'}."
    since = min((each.since for each in members if each.since is not None), default=now)
    return Trouble(property_id, Kind.ARRIVALS, about, subject, sentence, guests, since)


def _doorless(arrivals: Sequence[Doorless], now: datetime) -> Iterator[Trouble]:
    by_hotel: dict[int, set[int]] = {}
    for one in arrivals:
        by_hotel.setdefault(one.property_id, set()).add(one.person_id)
    for property_id, people in by_hotel.items():
        has = "has" if len(people) == 1 else "have"
        yield Trouble(
            property_id,
            Kind.ARRIVALS,
            "rooms",
            "Rooms without a door",
            f"{counted(len(people), 'guest')} in house or arriving soon {has} a room that is not mapped to a door.",
            len(people),
            now,
        )


def _pmses(facts: Facts, limits: Limits, now: datetime) -> Iterator[Trouble]:
    for pms in facts.pmses:
        if pms.is_disconnected:
            continue
        waiting = {
            each.person_id
            for each in facts.waiting
            if each.integration_id == pms.id and each.headline in BY_GUEST
        }
        if pms.is_broken:
            yield _broken(pms, len(waiting))
        elif waiting and pms.heard_at is not None and now - pms.heard_at >= limits.silence:
            yield _silent(pms, len(waiting), now)


def _broken(pms: Pms, guests: int) -> Trouble:
    sentence = (
        f"{pms.name} does not let Portal in: check-ins and new reservations do not arrive. "
        "Codes that are on locks keep working."
    )
    if guests:
        has = "has" if guests == 1 else "have"
        sentence += f" {counted(guests, 'guest')} in house or arriving in the next 12 hours {has} no code on the lock."
    return Trouble(
        pms.property_id, Kind.PMS_BROKEN, f"pms:{pms.id}", pms.name, sentence, guests, pms.since
    )


def _silent(pms: Pms, guests: int, now: datetime) -> Trouble:
    heard_at = pms.heard_at or now
    minutes = int((now - heard_at).total_seconds() // 600) * 10
    has = "has" if guests == 1 else "have"
    return Trouble(
        pms.property_id,
        Kind.PMS_SILENT,
        f"pms:{pms.id}",
        pms.name,
        f"No word from {pms.name} for {minutes} minutes, {counted(guests, 'arrival')} in the next 12 hours "
        f"{has} no code on the lock.",
        guests,
        heard_at,
    )


def _missing(facts: Facts) -> Iterator[Trouble]:
    for each in facts.missing:
        yield Trouble(
            each.property_id,
            Kind.PMS_MISSING,
            f"pms:{each.integration_id}",
            each.pms,
            f"{each.pms} no longer mentions the reservations of {each.many} of {counted(each.of, 'key')}. "
            "Nothing was revoked.",
            0,
            each.since,
        )


def _parts(facts: Facts) -> Iterator[Trouble]:
    for gateway in facts.gateways:
        guests = {each.person_id for each in facts.waiting if each.gateway_id == gateway.id}
        sentence = f"{gateway.name} does not answer: nothing is written to or removed from {counted(gateway.locks, 'lock')}."
        yield _part(gateway, Kind.GATEWAY, "gateway", sentence, len(guests))
    for account in facts.accounts:
        guests = {each.person_id for each in facts.waiting if each.account_id == account.id}
        if account.is_disconnected and not guests:
            continue
        what = (
            f"{account.name} is disconnected"
            if account.is_disconnected
            else f"The lock system refuses {account.name}"
        )
        sentence = (
            f"{what}: nothing is written to or removed from {counted(account.locks, 'lock')}."
        )
        yield _part(account, Kind.ACCOUNT, "account", sentence, len(guests))


def _clock(clock: Clock) -> Trouble:
    sentence = f"The clock of {clock.name} is {clock_words(clock.offset_s)}: its codes begin and end at wrong times."
    about = f"door:{clock.door_id}"
    return Trouble(clock.property_id, Kind.CLOCK, about, clock.name, sentence, 0, clock.since)


def _part(part: Part, kind: str, what: str, sentence: str, guests: int) -> Trouble:
    return Trouble(
        part.property_id, kind, f"{what}:{part.id}", part.name, sentence, guests, part.since
    )
