"""The front desk of each PMS as a month of hotel life uses it, and what the hotel's book says in Portal's words.

What the book says is read off the simulator's own records by its control interface, never through an adapter: an
adapter that understands something wrong must not agree with itself.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from itertools import accumulate
from typing import Any, Protocol

from locks.clock import database_now
from pms import connecting
from tests.factories import BY

CLEARLY_S = 0.05
"""Events of one action travel together; only what is further apart counts as overtaken."""


@dataclass(frozen=True, slots=True, kw_only=True)
class House:
    """The rooms of a hotel by name. ``joined`` are two rooms let as one, if the hotel has such; ``lacks`` are the things
    of a hotel's life that cannot happen at this PMS."""

    doubles: tuple[str, ...]
    others: tuple[str, ...] = ()
    beds: tuple[str, ...]
    dorm: str
    joined: str = ""
    lacks: frozenset[str] = frozenset()

    @property
    def rooms(self) -> tuple[str, ...]:
        """All with a door of their own."""
        return (*self.doubles, *self.others)

    @property
    def doors(self) -> tuple[str, ...]:
        """All doors that guests open."""
        return (*self.rooms, self.dorm)

    def doors_of(self, room: str) -> set[str]:
        """The doors that a room opens."""
        return {self.dorm} if room in self.beds else set(room.split("+")) if room else set()


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One stay of one room as the book has it; the first of ``guests`` (id, name) is the main one. ``starts_at`` and
    ``ends_at`` are given where the book has times of day."""

    ref: str
    booking: str
    state: str
    arrival: date
    departure: date
    room: str
    guests: tuple[tuple[str, str], ...]
    online: bool
    starts_at: datetime | None = None
    ends_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Manner:
    """How a change is made: with a new time of modification, with events."""

    touch: bool = True
    silent: bool = False

    @property
    def name(self) -> str:
        """As it is counted and told."""
        return ("" if self.touch else "untouched ") + ("silent" if self.silent else "told")


@dataclass(frozen=True, slots=True, kw_only=True)
class RoomWish:
    """A room, the nights, and who comes."""

    room: str
    arrival: date
    departure: date
    guests: Sequence[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Modes:
    """What becomes of events on their way. ``held`` keeps all of them back until it ends."""

    drop: float = 0.0
    repeat: int = 0
    shuffle_seconds: float = 0.0
    held: bool = False


class FrontDesk(Protocol):
    """One PMS. What is refused (a room that is taken) changes nothing and answers None."""

    adapter: str
    house: House

    def open(self, *, timezone: str) -> None:
        """An empty book, all events on time, and the hotel in this zone."""

    def connect(self, property_: Any) -> None:
        """Connect Portal as staff would."""

    def set_clock(self, shift_s: float) -> None:
        """How far the PMS's clock is ahead of the machine's."""

    def turn(self, modes: Modes) -> None:
        """From now on events fare like this."""

    def waiting(self) -> int:
        """How many events are on their way."""

    def sent(self) -> Counter[str]:
        """What became of them all: delivered, lost, repeated (another copy of one that was delivered), overtaken (by one
        that happened later)."""

    def book(self, wishes: Sequence[RoomWish], manner: Manner) -> list[Line] | None:
        """A new booking."""

    def act(self, line: Line, verb: str, manner: Manner, **values: Any) -> list[Line] | None:
        """Change a booking or one of its stays; returns all its stays."""


class SimulatedDesk:
    """What the simulators' control interfaces have in common."""

    adapter: str
    hotel: str

    def __init__(self, server: Any) -> None:
        """``server`` is a running simulator with its controls."""
        self.server = server

    def open(self, *, timezone: str) -> None:
        self.server.post("reset", records=True)
        self.server.post(f"properties/{self.hotel}", timezone=timezone)
        self.turn(Modes())

    def set_clock(self, shift_s: float) -> None:
        self.server.post("clock", shift_seconds=shift_s)

    def turn(self, modes: Modes) -> None:
        self.server.post(
            "webhooks",
            drop=modes.drop,
            repeat=modes.repeat,
            shuffle_seconds=modes.shuffle_seconds,
            paused=modes.held,
        )

    def waiting(self) -> int:
        return self.server.get("state")["waiting_deliveries"]

    def sent(self) -> Counter[str]:
        rows = self.server.get("deliveries")["deliveries"]
        arrived = [row for row in rows if row["state"] == "delivered"]
        bodies = {str(row["body"]) for row in arrived}
        moments = [row["due_at"] for row in arrived]  # moved on by the answer
        soonest_after = list(accumulate(reversed(moments), min))[::-1]
        pairs = zip(moments, soonest_after[1:], strict=False)
        return Counter(row["state"] for row in rows) + Counter(
            repeated=len(arrived) - len(bodies),
            overtaken=sum(after < moment - CLEARLY_S for moment, after in pairs),
        )

    def _book(self, wishes: Sequence[RoomWish], manner: Manner) -> Any:
        rooms = [
            {
                "room": wish.room,
                "arrival": str(wish.arrival),
                "departure": str(wish.departure),
                "guests": list(wish.guests),
            }
            for wish in wishes
        ]
        return self._post("reservations", rooms=rooms, **said(manner))

    def _post(self, path: str, **body: Any) -> Any:
        """The answer, or None for a refusal."""
        answer = self.server.client.post(f"/control/{path}", json=body)
        if answer.status_code == 409:
            return None
        answer.raise_for_status()
        return answer.json()


class CloudbedsDesk(SimulatedDesk):
    """Harbor House at the Cloudbeds simulator."""

    adapter = "cloudbeds"
    hotel = "318267"
    house = House(
        doubles=tuple(str(floor * 100 + number) for floor in (1, 2) for number in range(1, 7)),
        others=("301", "302"),
        beds=tuple(f"D1-{number}" for number in range(1, 5)),
        dorm="Dorm 1",
        joined="205+206",
    )
    OF_BOOKING = frozenset({"cancel-booking", "restore", "delete", "no-show", "unconfirm"})
    STATES = {
        "not_checked_in": "expected",
        "in_house": "in_house",
        "checked_out": "departed",
        "cancelled": "cancelled",
    }
    DECIDED = {"canceled": "cancelled", "no_show": "no_show", "not_confirmed": "tentative"}

    def connect(self, property_: Any) -> None:
        url = connecting.begin_connect(
            property=property_, adapter=self.adapter, user_id=1, by=BY, now=database_now()
        )
        back = self.server.allow(url, property_id=self.hotel)
        connecting.finish_connect(
            state=back["state"], code=back["code"], user_id=1, by=BY, now=database_now()
        )

    def book(self, wishes: Sequence[RoomWish], manner: Manner) -> list[Line] | None:
        return self._lines(self._book(wishes, manner))

    def act(self, line: Line, verb: str, manner: Manner, **values: Any) -> list[Line] | None:
        if verb not in self.OF_BOOKING:
            values["stay"] = line.ref
        verb = "cancel" if verb == "cancel-booking" else verb
        path = f"reservations/{line.booking}/{verb}"
        return self._lines(self._post(path, **values, **said(manner)))

    def _lines(self, booking: dict[str, Any] | None) -> list[Line] | None:
        if booking is None:
            return None
        everyone = [guest for stay in booking["stays"] for guest in stay["guests"]]
        return [
            Line(
                ref=stay["id"],
                booking=booking["id"],
                state=self._state(booking, stay["status"]),
                arrival=date.fromisoformat(stay["starts_on"]),
                departure=date.fromisoformat(stay["ends_on"]),
                room=stay["room"] or "",
                guests=tuple(
                    (guest["id"], f"{guest['first']} {guest['last']}".strip())
                    for guest in (stay["guests"] or everyone[:1])
                ),
                online=bool(booking["fields"].get("online_checkin")),
            )
            for stay in booking["stays"]
        ]

    def _state(self, booking: dict[str, Any], room_status: str) -> str:
        if booking["is_deleted"]:
            return "deleted"
        if booking["oddities"].get("status"):
            return "unknown"
        return self.DECIDED.get(booking["status"]) or self.STATES[room_status]


def said(manner: Manner) -> dict[str, bool]:
    """As the control interfaces take it."""
    return {"touch": manner.touch, "silent": manner.silent}
