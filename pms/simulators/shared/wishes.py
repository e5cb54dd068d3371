"""What someone at the control interface asks for, read from JSON or from a form alike."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from pms.simulators.shared.clock import spoken_date
from pms.simulators.shared.people import Person, anybody, with_contacts

DATE_EXPECTED = "A date is YYYY-MM-DD, today, tomorrow or +2."


class Refused(Exception):
    """The hotel system says no to this one call, in words for a person."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Manner:
    """How a change is made: with a new stamp of change, with events, against an occupied room."""

    touch: bool = True
    silent: bool = False
    force: bool = False
    actor: str = "user"


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


def dates_of(wish: Wish, today: date) -> tuple[date, date]:
    """``arrival`` (a date, today, tomorrow, +2) and ``departure`` or ``nights``."""
    starts_on = spoken_date(wish.text("arrival"), today)
    ends_text = wish.text("departure")
    nights = timedelta(days=wish.whole("nights", 1))
    ends_on = spoken_date(ends_text, today) if ends_text else starts_on and starts_on + nights
    if starts_on is None or ends_on is None:
        raise Refused(DATE_EXPECTED)
    if ends_on <= starts_on:
        raise Refused("The departure must be after the arrival.")
    return starts_on, ends_on


def new_dates_of(wish: Wish, today: date) -> tuple[date | None, date | None]:
    """``arrival`` and ``departure`` where they are to change, else None."""
    dates = []
    for name in ("arrival", "departure"):
        text = wish.text(name)
        if text and spoken_date(text, today) is None:
            raise Refused(DATE_EXPECTED)
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
        return with_contacts(first, last)
    person = Wish(value)
    plain = with_contacts(person.text("first"), person.text("last"))
    return Person(
        first=plain.first,
        last=plain.last,
        email=person.text("email", plain.email),
        phone=person.text("phone", plain.phone),
    )
