"""A month of random hotel life: the same seed makes the same month, at whichever PMS.

It looks at nothing but the hotel's book, so that what it does cannot depend on what Portal hears of it.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from random import Random
from zoneinfo import ZoneInfo

from tests.pms.front_desks import FrontDesk, Line, Manner, RoomWish

ACTIONS: dict[str, int] = {
    "book": 12,
    "book_several_rooms": 3,
    "book_dorm_beds": 5,
    "book_the_apartment": 2,
    "book_a_split_stay": 3,
    "book_without_a_room": 3,
    "add_a_room": 2,
    "assign_a_room": 4,
    "move_room": 7,
    "unassign": 2,
    "change_dates": 6,
    "shorten": 3,
    "check_in": 40,
    "check_in_online": 4,
    "undo_check_in": 3,
    "check_out": 8,
    "depart_early": 4,
    "cancel": 4,
    "cancel_one_room": 2,
    "delete": 2,
    "no_show": 2,
    "restore": 7,
    "unconfirm": 2,
    "rename_guest": 4,
    "rename_companion": 3,
    "add_companion": 5,
    "remove_companion": 3,
    "replace_main_guest": 2,
    "say_an_unknown_word": 3,
    "say_a_known_word_again": 5,
}
MANNERS = [
    *[Manner()] * 14,
    *[Manner(touch=False)] * 2,
    *[Manner(silent=True)] * 2,
    *[Manner(silent=True, touch=False)] * 2,
]
TOUCH_NO_STAY = {"add-guest", "remove-guest", "change-guest"}
"""At a PMS whose guests have records of their own."""
DAYS = 30
MINUTES_APART = (0, 0, 1, 4, 7)
FIRST = [
    "Ada",
    "Bo",
    "Cleo",
    "Dorothée",
    "Émile",
    "Fay",
    "Gus",
    "Hana",
    "İpek",
    "Jörg",
    "Kai",
    "Łucja",
    "Milo",
    "Nora",
    "Øyvind",
    "Pia",
]
LAST = [
    "Almeida",
    "Berg",
    "Ćirić",
    "Dahl",
    "Evans",
    "Ferreira",
    "Grant",
    "Horn",
    "Ito",
    "Jansen",
    "Keller",
    "Núñez",
    "Moreau",
]


class Life:
    """One hotel's month. ``register`` has all stays of each booking as they are now, by the booking's id, oldest first;
    ``entered`` when the guests of a stay checked in; ``changed`` the stays that the last thing changed."""

    def __init__(self, desk: FrontDesk, *, seed: int, first_day: date, zone: ZoneInfo) -> None:
        self.desk = desk
        self.house = desk.house
        self.menu = {name: w for name, w in ACTIONS.items() if name not in desk.house.lacks}
        self.zone = zone
        self.first_day = first_day
        self.rng = Random(seed)
        self.register: dict[str, list[Line]] = {}
        self.done: Counter[str] = Counter()
        self.manners: Counter[str] = Counter()
        self.entered: dict[str, list[datetime]] = defaultdict(list)
        self.now = datetime.min.replace(tzinfo=UTC)
        self.today = first_day
        self.trace: list[str] = []
        self.changed: list[Line] = []

    # The course of the month

    def moments(self) -> Iterator[tuple[datetime, bool]]:
        """When something happens (True), and when only time has passed since (False): one busy hour a day."""
        for day in range(DAYS):
            wall = datetime.combine(
                self.first_day + timedelta(days=day),
                time(self.rng.randrange(8, 23), self.rng.randrange(60)),
            )
            at = wall.replace(tzinfo=self.zone).astimezone(UTC)
            for _ in range(self.rng.choice((1, 2, 2, 3))):
                yield at, True
                at += timedelta(minutes=self.rng.choice(MINUTES_APART))
            yield at + timedelta(minutes=6), False

    def step(self, now: datetime) -> tuple[str, Manner]:
        """Let one thing happen; what has not happened yet is the likeliest. Returns the booking's id and the manner."""
        self.now, self.today = now, now.astimezone(self.zone).date()
        weights = [w * (1 if self.done[name] else 15) for name, w in self.menu.items()]
        for name in self.rng.choices(list(self.menu), weights, k=40):
            manner = self.rng.choice(MANNERS)
            booking = getattr(self, name)(manner)
            if booking:
                self.done[name] += 1
                self.manners[manner.name] += 1
                self.trace.append(
                    f"{now:%d %H:%M} {name} {list(self.register).index(booking)} {manner.name}"
                )
                return booking, manner
        return "", Manner()

    def settle(self, now: datetime) -> None:
        """Nothing stays tentative or unknown: of such stays nobody can say what their keys should be."""
        self.now = now
        for booking, lines in list(self.register.items()):
            for index in range(len(lines)):
                if self.register[booking][index].state == "unknown":
                    self._act(self.register[booking][index], "oddity", Manner())
                if self.register[booking][index].state == "tentative":
                    self._act(self.register[booking][index], "restore", Manner())

    # Bookings

    def book(self, manner: Manner) -> str:
        return self._book([self._room_wish(self.rng.choice(self.house.rooms))], manner)

    def book_several_rooms(self, manner: Manner) -> str:
        first, nights = self._nights()
        rooms = self.rng.sample(self.house.doubles, self.rng.choice((2, 3)))
        return self._book([self._room_wish(room, first, nights) for room in rooms], manner)

    def book_dorm_beds(self, manner: Manner) -> str:
        first, nights = self._nights()
        beds = self.rng.sample(self.house.beds, self.rng.choice((1, 2, 3)))
        return self._book([self._room_wish(bed, first, nights) for bed in beds], manner)

    def book_the_apartment(self, manner: Manner) -> str:
        return self._book([self._room_wish(self.house.joined)], manner)

    def book_a_split_stay(self, manner: Manner) -> str:
        """One guest, two rooms one after the other."""
        first, nights = self._nights()
        one, other = self.rng.sample(self.house.doubles, 2)
        name = self._name()
        there = first + timedelta(days=nights)
        until = there + timedelta(days=self.rng.choice((1, 2)))
        wishes = [
            RoomWish(room=one, arrival=first, departure=there, guests=[name]),
            RoomWish(room=other, arrival=there, departure=until, guests=[name]),
        ]
        return self._book(wishes, manner)

    def book_without_a_room(self, manner: Manner) -> str:
        return self._book([self._room_wish("")], manner)

    def add_a_room(self, manner: Manner) -> str:
        line = self._some("expected", "in_house")
        room, guest = self.rng.choice(self.house.doubles), self._name()
        if line is None or line.departure <= self.today:
            return ""
        dates = {"arrival": str(max(line.arrival, self.today)), "departure": str(line.departure)}
        return self._did(line, "add-room", manner, room=room, guest=guest, **dates)

    # Rooms and dates

    def assign_a_room(self, manner: Manner) -> str:
        line = self._pick(lambda each: each.state == "expected" and not each.room)
        return self._did(line, "move", manner, room=self.rng.choice(self.house.rooms))

    def move_room(self, manner: Manner) -> str:
        line = self._pick(lambda each: each.state in {"expected", "in_house"} and bool(each.room))
        return self._did(
            line, "move", manner, room=self.rng.choice((*self.house.rooms, *self.house.beds))
        )

    def unassign(self, manner: Manner) -> str:
        """Only of guests to come: those in house keep the door that they have until there is another."""
        line = self._pick(lambda each: each.state == "expected" and bool(each.room))
        return self._did(line, "unassign", manner)

    def change_dates(self, manner: Manner) -> str:
        line = self._some("expected", "in_house")
        if line is None:
            return ""
        arrival = line.arrival
        if line.state == "expected":
            arrival = max(self.today, line.arrival + timedelta(days=self.rng.choice((-1, 0, 1))))
        departure = max(arrival, self.today) + timedelta(days=self.rng.choice((1, 2, 4)))
        return self._did(line, "dates", manner, arrival=str(arrival), departure=str(departure))

    def shorten(self, manner: Manner) -> str:
        line = self._pick(lambda each: self._alive(each) and each.departure > self._soonest(each))
        if line is None:
            return ""
        return self._did(line, "dates", manner, departure=str(self._soonest(line)))

    def _soonest(self, line: Line) -> date:
        """The first day of departure that a stay can still have."""
        return max(line.arrival, self.today) + timedelta(days=1)

    # Coming and going

    def check_in(self, manner: Manner) -> str:
        line = self._pick(
            lambda each: (
                each.state in {"expected", "no_show"}
                and bool(each.room)
                and each.arrival <= self.today < each.departure
            )
        )
        done = self._did(line, "check-in", manner)
        if done and line is not None:
            self.entered[line.ref].append(self.now)
        return done

    def check_in_online(self, manner: Manner) -> str:
        return self._did(self._some("expected"), "online-check-in", manner)

    def undo_check_in(self, manner: Manner) -> str:
        return self._did(self._some("in_house"), "undo-check-in", manner)

    def check_out(self, manner: Manner) -> str:
        line = self._pick(lambda each: each.state == "in_house" and each.departure <= self.today)
        return self._did(line, "check-out", manner)

    def depart_early(self, manner: Manner) -> str:
        line = self._pick(lambda each: each.state == "in_house" and each.departure > self.today)
        return self._did(line, "check-out", manner)

    def cancel(self, manner: Manner) -> str:
        return self._did(self._some("expected", "tentative"), "cancel-booking", manner)

    def cancel_one_room(self, manner: Manner) -> str:
        line = self._some("expected")
        return self._did(line, "cancel", manner) if line and len(self._of(line)) > 1 else ""

    def delete(self, manner: Manner) -> str:
        line = self._some("expected", "cancelled", "no_show")
        return self._did(line, "delete", manner)

    def no_show(self, manner: Manner) -> str:
        line = self._pick(lambda each: each.state == "expected" and each.arrival <= self.today)
        alone = line and all(each.state != "in_house" for each in self._of(line))
        return self._did(line, "no-show", manner) if alone else ""

    def restore(self, manner: Manner) -> str:
        """Where the booking as a whole lives on, Cloudbeds has no event for a room that is brought back."""
        line = self._some("cancelled", "no_show", "deleted", "departed", "tentative")
        if line and not manner.silent and any(self._alive(each) for each in self._of(line)):
            return ""
        return self._did(line, "restore", manner)

    def unconfirm(self, manner: Manner) -> str:
        line = self._some("expected")
        alone = line and all(each.state == "expected" for each in self._of(line))
        return self._did(line, "unconfirm", manner) if alone else ""

    # People

    def rename_guest(self, manner: Manner) -> str:
        line = self._some("expected", "in_house")
        return self._rename(line, 0, manner)

    def rename_companion(self, manner: Manner) -> str:
        line = self._pick(lambda each: self._alive(each) and len(each.guests) > 1)
        return self._rename(line, 1, manner)

    def _rename(self, line: Line | None, which: int, manner: Manner) -> str:
        first, _, last = self._name().partition(" ")
        if line is None:
            return ""
        values = {"guest_id": line.guests[which][0], "first": first, "last": last}
        values["email"] = f"{self.rng.randrange(10**6)}@example.com"
        return self._did(line, "change-guest", manner, **values)

    def add_companion(self, manner: Manner) -> str:
        """Of a stay with a room: of one without, Cloudbeds tells nothing that names the booking."""
        line = self._pick(
            lambda each: self._alive(each) and len(each.guests) < 3 and bool(each.room)
        )
        return self._did(line, "add-guest", manner, guest=self._name())

    def remove_companion(self, manner: Manner) -> str:
        line = self._pick(lambda each: self._alive(each) and len(each.guests) > 1)
        return self._did(line, "remove-guest", manner, guest_id=line.guests[-1][0]) if line else ""

    def replace_main_guest(self, manner: Manner) -> str:
        """The one who booked does not come; the companion is the main guest now."""
        line = self._pick(lambda each: self._alive(each) and len(each.guests) > 1)
        return self._did(line, "remove-guest", manner, guest_id=line.guests[0][0]) if line else ""

    # Words

    def say_an_unknown_word(self, manner: Manner) -> str:
        line = self._some("expected", "in_house")
        return self._did(line, "oddity", manner, unknown_status="on_the_moon")

    def say_a_known_word_again(self, manner: Manner) -> str:
        return self._did(self._some("unknown"), "oddity", manner)

    # Tools

    def _did(self, line: Line | None, verb: str, manner: Manner, **values: str) -> str:
        """Do it, unless nobody could ever hear of it: what touches no time of change must be where the sweep looks."""
        touches = manner.touch and verb not in TOUCH_NO_STAY
        unheard = not touches and line is not None and line.departure < self.today
        if line is None or unheard:
            return ""
        return line.booking if self._act(line, verb, manner, **values) else ""

    def _act(self, line: Line, verb: str, manner: Manner, **values: str) -> list[Line]:
        lines = self.desk.act(line, verb, manner, **values)
        if lines is None:
            return []
        before = self.register[line.booking]
        self.changed = [each for each in lines if each not in before]
        self.register[line.booking] = lines
        return lines

    def _book(self, wishes: list[RoomWish], manner: Manner) -> str:
        lines = self.desk.book(wishes, manner)
        if lines is None:
            return ""
        self.changed = self.register[lines[0].booking] = lines
        return lines[0].booking

    def _room_wish(
        self, room: str, first: date | None = None, nights: int | None = None
    ) -> RoomWish:
        some_first, some_nights = self._nights()
        arrival = first or some_first
        count = (
            2
            if room == self.house.joined or (room in self.house.rooms and self.rng.random() < 0.6)
            else 1
        )
        return RoomWish(
            room=room,
            arrival=arrival,
            departure=arrival + timedelta(days=nights or some_nights),
            guests=[self._name() for _ in range(count)],
        )

    def _nights(self) -> tuple[date, int]:
        ahead = self.rng.choice((0, 0, 0, 0, 1, 2, 9))
        return self.today + timedelta(days=ahead), self.rng.choice((1, 2, 3, 4, 6))

    def _name(self) -> str:
        return f"{self.rng.choice(FIRST)} {self.rng.choice(LAST)}"

    def _alive(self, line: Line) -> bool:
        return line.state in {"expected", "in_house"}

    def _of(self, line: Line) -> list[Line]:
        return self.register[line.booking]

    def _some(self, *states: str) -> Line | None:
        return self._pick(lambda each: each.state in states)

    def _pick(self, wanted: Callable[[Line], bool]) -> Line | None:
        found = [line for lines in self.register.values() for line in lines if wanted(line)]
        recent = [line for line in found if line.departure >= self.today - timedelta(days=1)]
        pool = recent or found
        return self.rng.choice(pool) if pool else None
