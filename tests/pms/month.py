"""Runs a month of hotel life against a real PMS simulator under some disorder, and says what Portal made of it.

**Time.** Portal takes all its moments from the database's clock, by one function, and the PMS from its own. In a month of
half a minute both are that many days ahead of the machine, by one shift that only ever grows; between two jumps both go
on as clocks do. So tokens end, sweeps and reads become due, stays begin, end and lie in the past as they would, and the
night of a clock change comes. Nothing is frozen and no moment is passed in that Portal would not have read itself.
"""

from __future__ import annotations

import sys
from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time, timedelta
from random import Random
from time import monotonic, sleep
from typing import Any
from zoneinfo import ZoneInfo

from keys.following import follow_all
from keys.models import Key
from locks import clock
from locks.clock import by_rule
from pms import connection, inbox, webhooks
from pms.models import Reservation, WebhookEvent
from tests.factories import BY
from tests.pms.conftest import Worker
from tests.pms.front_desks import FrontDesk, Line, Modes
from tests.pms.life import Life
from tests.pms.meant import key_of, meant_key, meant_stay, stay_of, without_refs

real_now = clock.database_now
PATIENCE_S = 10.0


class Clock:
    """What Portal and the PMS take for the present."""

    def __init__(self, monkeypatch: Any, desk: FrontDesk) -> None:
        self.shift = timedelta(0)
        self.desk = desk
        for name, module in list(sys.modules.items()):
            ours = name.partition(".")[0] in {"portal", "keys", "pms", "locks", "tests"}
            if ours and getattr(module, "database_now", None) is real_now:
                monkeypatch.setattr(module, "database_now", self.now)

    def now(self) -> datetime:
        """The database's clock, shifted."""
        return real_now() + self.shift

    def set(self, moment: datetime) -> None:
        """Begin a month."""
        self.shift = moment - real_now()
        self.desk.set_clock(self.shift.total_seconds())

    def jump(self, moment: datetime) -> None:
        """Go on to this moment; a clock never goes back."""
        if moment > self.now():
            self.set(moment)


@dataclass(frozen=True, slots=True, kw_only=True)
class Disorder:
    """How the events of a month fare. With ``holds`` they are kept back now and then, for hours or days."""

    name: str
    modes: Modes = field(default_factory=Modes)
    holds: bool = False


PERFECT = Disorder(name="perfect")
DISORDERS = (
    Disorder(name="dropped", modes=Modes(drop=1.0)),
    Disorder(name="repeated", modes=Modes(repeat=2)),
    Disorder(name="delayed", holds=True),
    Disorder(name="shuffled", modes=Modes(shuffle_seconds=0.4)),
    Disorder(name="everything", modes=Modes(drop=0.3, repeat=2, shuffle_seconds=0.3), holds=True),
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a month left behind: what keys and stays are, by the number of the booking and of its stay; and on the way."""

    life: Life
    state: dict[str, dict[str, Any]]
    heard: Counter[str]


def run_month(
    desk: FrontDesk, watch: Clock, disorder: Disorder, *, seed: int, first_day: date, zone: str
) -> Outcome:
    """Live the month of this seed under this disorder, let the noise die down, and say what is."""
    desk.open(timezone=zone)
    life = Life(desk, seed=seed, first_day=first_day, zone=ZoneInfo(zone))
    watch.set(by_rule(first_day, time(6), life.zone, later=False))
    portal = Portal(desk, watch, zone=zone)
    desk.connect(portal.property)
    webhooks._hooks.clear()  # for some seconds it remembers who was connected before
    portal.work()
    try:
        held_back = _live(portal, life, disorder)
        _end(portal, life)
        heard = desk.sent() + Counter(late=held_back)
        return Outcome(life, portal.state_by_number(life), heard)
    except AssertionError:
        print("\n".join(life.trace))
        raise
    finally:
        desk.turn(Modes())
        desk.set_clock(0.0)  # the simulator serves other tests, too
        connection.disconnect(integration=portal.integration, by=BY, now=watch.now())


def _live(portal: Portal, life: Life, disorder: Disorder) -> int:
    """All of the month. Returns how many events came late because they were held back."""
    mail = Mail(life.desk, disorder)
    for moment, something in life.moments():
        portal.clock.jump(moment)
        mail.pass_time()
        if something:
            booking, manner = life.step(portal.clock.now())
            if disorder is PERFECT and booking and not manner.silent:
                portal.hear_all()
                portal.check_stays(life.changed)
        portal.work()
    return mail.late


class Mail:
    """Events on their way: held back and let go by chance, where the disorder says so."""

    def __init__(self, desk: FrontDesk, disorder: Disorder) -> None:
        self.desk = desk
        self.disorder = disorder
        self.chance = Random(disorder.name)
        self.late = 0
        self._steps = 0
        self._held = False
        desk.turn(disorder.modes)

    def pass_time(self) -> None:
        """Perhaps hold everything back, or let it go."""
        self._steps -= 1
        if not self.disorder.holds or self._steps > 0:
            return
        if self._held:
            self.late += self.desk.waiting()
        self._held = not self._held
        self._steps = self.chance.choice((3, 6, 12) if self._held else (1, 2))
        self.desk.turn(replace(self.disorder.modes, held=self._held))


def _end(portal: Portal, life: Life) -> None:
    """Everything arrives that ever will; then the next sweep and the next read come."""
    life.desk.turn(Modes())
    portal.clock.jump(portal.clock.now() + timedelta(minutes=1))
    life.settle(portal.clock.now())
    portal.hear_all()
    for minutes in (61, 6):
        portal.clock.jump(portal.clock.now() + timedelta(minutes=minutes))
        portal.work()
    left = WebhookEvent.objects.filter(property=portal.property, processed_at=None)
    assert not left, list(left.values("event", "entity", "tries", "next_try_at", "result"))


class Portal(Worker):
    """One property of Portal with all doors of the hotel, what its worker does, and what came of it."""

    def __init__(self, desk: FrontDesk, watch: Clock, *, zone: str) -> None:
        self.names = desk.house.doors
        super().__init__()
        self.desk = desk
        self.clock = watch
        self.property.timezone = zone
        self.property.save()
        self.property.refresh_from_db()  # times of day as times

    def apply(self) -> None:
        """Apply what was announced, and let keys follow."""
        inbox.apply_all(now=self.clock.now())
        follow_all(now=self.clock.now())

    def hear_all(self) -> None:
        """Wait until every event has arrived, and apply them."""
        end = monotonic() + PATIENCE_S
        while self.desk.waiting():
            assert monotonic() < end, "events never arrived"
            sleep(0.003)
        self.apply()

    def check_stays(self, lines: list[Line]) -> None:
        """With perfect events and no read in between, these stays are as the book has them."""
        rows = {row.external_id: row for row in self._reservations()}
        for line in lines:
            assert line.ref in rows, f"{line} was announced and is not known"
            seen, meant = stay_of(rows[line.ref]), meant_stay(line)
            assert seen == meant, f"{line}\nis     {seen}\nshould {meant}"

    def _reservations(self) -> list[Reservation]:
        return list(Reservation.objects.filter(property=self.property))

    def state_by_number(self, life: Life) -> dict[str, dict[str, Any]]:
        """What every stay of the book is here, checked against the book itself."""
        rows = {row.external_id: row for row in self._reservations()}
        keys = {key.reservation_id: key for key in Key.objects.filter(property=self.property)}
        state = {}
        for number, lines in enumerate(life.register.values()):
            for index, line in enumerate(lines):
                assert line.ref in rows, f"{line} never became known"
                row = rows.pop(line.ref)
                seen = stay_of(row)
                assert seen == meant_stay(line), f"the stay is not what the book says: {line}"
                key = keys.get(row.pk)
                found = key_of(key, line, life)
                wanted = meant_key(line, self.property, life)
                assert found in wanted, f"{line}\nis     {found}\nshould {wanted}"
                state[f"{number}.{index}"] = {"stay": without_refs(seen), "key": found}
        assert not rows, f"stays that the book does not have: {rows}"
        return state
