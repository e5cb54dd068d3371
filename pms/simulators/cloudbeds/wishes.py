"""What someone at the control interface asks for, read from JSON or from a form alike."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from pms.simulators.cloudbeds.clock import local_today, spoken_date
from pms.simulators.cloudbeds.counter import Manner
from pms.simulators.cloudbeds.ledger import BookingSheet, Party, Person, taken
from pms.simulators.cloudbeds.records import (
    BookingStatus,
    Property,
    Refused,
    Room,
    RoomStatus,
    property_of,
    rooms_of,
)
from pms.simulators.cloudbeds.world import World

FIRST_NAMES = "Ada Bea Carl Dora Emil Fay Gus Hana Ivo June Kai Lena Milo Nora Otto Pia Quin Rosa"
LAST_NAMES = "Almeida Berg Costa Dahl Evans Fischer Grant Horn Ito Jansen Keller Lund Moreau Novak"
ROOM_STATUS = {
    BookingStatus.CHECKED_IN: RoomStatus.IN_HOUSE,
    BookingStatus.CHECKED_OUT: RoomStatus.CHECKED_OUT,
    BookingStatus.CANCELED: RoomStatus.CANCELLED,
}


@dataclass(frozen=True, slots=True)
class Wish:
    """Named values; a form's texts and JSON's typed values read the same."""

    values: Mapping[str, Any]

    def text(self, name: str, default: str = "") -> str:
        """A text; null and absent are the default."""
        value = self.values.get(name)
        return default if value is None else str(value).strip()

    def flag(self, name: str, *, default: bool = False) -> bool:
        """True for true, ``on``, ``yes``, ``1``."""
        value = self.values.get(name)
        if value is None:
            return default
        return value is True or str(value).lower() in {"true", "on", "yes", "1"}

    def whole(self, name: str, default: int) -> int:
        """A whole number; Refused if it is something else."""
        text = self.text(name)
        if not text:
            return default
        if not text.lstrip("-").isdigit():
            raise Refused(f"{name} must be a whole number.")
        return int(text)

    def manner(self) -> Manner:
        """``touch`` (default true), ``silent`` and ``force`` (default false)."""
        return Manner(
            touch=self.flag("touch", default=True),
            silent=self.flag("silent"),
            force=self.flag("force"),
        )


def sheet_of(wish: Wish) -> BookingSheet:
    """Status, source, arrival time, custom fields and whether life leaves the booking alone."""
    try:
        status = BookingStatus(wish.text("status", BookingStatus.CONFIRMED))
    except ValueError:
        raise Refused(f"There is no status {wish.text('status')}.") from None
    fields = wish.values.get("fields")
    return BookingSheet(
        status=status,
        source=wish.text("source", "Booking.com"),
        third_party=wish.text("third_party"),
        arrival_time=wish.text("arrival_time") or None,
        fields=dict(fields) if isinstance(fields, Mapping) else {},
        is_pinned=wish.flag("pinned"),
    )


def parties_of(world: World, hotel: Property, wish: Wish) -> list[Party]:
    """The room lines: those of ``rooms``, each falling back to the wish itself, or just one."""
    status = ROOM_STATUS.get(sheet_of(wish).status, RoomStatus.NOT_CHECKED_IN)
    lines = wish.values.get("rooms")
    if not isinstance(lines, list) or not lines:
        return [party_of_wish(world, hotel, wish, status)]
    shared = {name: value for name, value in wish.values.items() if name not in {"rooms", "guests"}}
    wishes = [line if isinstance(line, Mapping) else {"room": line} for line in lines]
    return [party_of_wish(world, hotel, Wish({**shared, **one}), status) for one in wishes]


def party_of_wish(world: World, hotel: Property, wish: Wish, status: RoomStatus) -> Party:
    """One room line; ``room`` is a name, an id, ``any`` for a free one, or nothing."""
    starts_on, ends_on = dates_of(world, hotel, wish)
    room = wish.text("room")
    kind = wish.text("room_type")
    if room == "any":
        room = free_room(world, hotel, (starts_on, ends_on), kind).id
    return Party(
        guests=people_of(wish),
        type_id=_type(world, hotel, kind).type_id,
        room_id=room or None,
        starts_on=starts_on,
        ends_on=ends_on,
        status=status,
    )


def dates_of(world: World, hotel: Property, wish: Wish) -> tuple[date, date]:
    """``arrival`` (a date, today, tomorrow, +2) and ``departure`` or ``nights``."""
    today = local_today(world.clock.now(), hotel.zone)
    starts_on = spoken_date(wish.text("arrival"), today)
    ends_text = wish.text("departure")
    nights = timedelta(days=wish.whole("nights", 1))
    ends_on = spoken_date(ends_text, today) if ends_text else starts_on and starts_on + nights
    if starts_on is None or ends_on is None:
        raise Refused("A date is YYYY-MM-DD, today, tomorrow or +2.")
    if ends_on <= starts_on:
        raise Refused("The departure must be after the arrival.")
    return starts_on, ends_on


def new_dates_of(world: World, hotel: Property, wish: Wish) -> tuple[date | None, date | None]:
    """``arrival`` and ``departure`` where they are to change, else None."""
    today = local_today(world.clock.now(), hotel.zone)
    dates = []
    for name in ("arrival", "departure"):
        text = wish.text(name)
        if text and spoken_date(text, today) is None:
            raise Refused("A date is YYYY-MM-DD, today, tomorrow or +2.")
        dates.append(spoken_date(text, today) if text else None)
    if dates == [None, None]:
        raise Refused("Say an arrival, a departure, or both.")
    return dates[0], dates[1]


def people_of(wish: Wish) -> list[Person]:
    """``guests`` (names or objects), or ``guest`` (a name), or somebody invented."""
    guests = wish.values.get("guests")
    if isinstance(guests, list) and guests:
        return [person_of(guest) for guest in guests]
    names = [name for name in wish.text("guest").split(",") if name.strip()]
    return [person_of(name) for name in names] or [anybody()]


def person_of(value: object) -> Person:
    """A person from a full name or from first, last, email and phone."""
    if not isinstance(value, Mapping):
        first, _, last = str(value).strip().partition(" ")
        return _with_contacts(first, last)
    person = Wish(value)
    plain = _with_contacts(person.text("first"), person.text("last"))
    return Person(
        first=plain.first,
        last=plain.last,
        email=person.text("email", plain.email),
        phone=person.text("phone", plain.phone),
    )


def anybody() -> Person:
    """An invented guest."""
    first = random.choice(FIRST_NAMES.split())  # noqa: S311 - a name, not a secret
    return _with_contacts(first, random.choice(LAST_NAMES.split()))  # noqa: S311 - likewise


def _with_contacts(first: str, last: str) -> Person:
    address = ".".join(part for part in (first.lower(), last.lower()) if part)
    return Person(first=first, last=last, email=f"{address}@example.com", phone="+351910000000")


def free_room(
    world: World, hotel: Property, nights: tuple[date, date], kind: str = "", apart_from: str = ""
) -> Room:
    """Some physical room free on these nights, doubles first; Refused if there is none."""
    for room in rooms_of(world.store, hotel.id).values():
        wanted = kind in {"", room.type_name, room.type_id, room.type_short}
        if room.is_virtual or not wanted:
            continue
        starts_on, ends_on = nights
        if not taken(
            world.store, room.id, starts_on=starts_on, ends_on=ends_on, apart_from=apart_from
        ):
            return room
    raise Refused("No room is free on these nights.")


def hotel_of(world: World, wish: Wish) -> Property:
    """The hotel meant by ``property``, else the first one."""
    wanted = wish.text("property")
    row = world.store.row("SELECT min(id) AS id FROM properties")
    return property_of(world.store, wanted or (row["id"] if row else ""))


def _type(world: World, hotel: Property, kind: str) -> Room:
    for room in rooms_of(world.store, hotel.id).values():
        if kind in {"", room.type_name, room.type_id, room.type_short}:
            return room
    raise Refused(f"There is no room type {kind}.")
