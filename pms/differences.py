"""What happened to a stay while its PMS was not heard: the stay as it was known before, against the stay as it is now. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from enum import StrEnum
from typing import Any, Protocol

Snapshot = Mapping[str, Any]
"""A stay as it was known at the last good word: its state, room and dates, nothing about guests."""

GONE = {"cancelled", "no_show", "deleted", "departed"}


class Happened(StrEnum):
    """One thing that happened meanwhile, the most urgent first."""

    CANCELLED = "cancelled"
    NO_SHOW = "no_show"
    DELETED = "deleted"
    DEPARTED = "departed"
    CHECK_IN_UNDONE = "check_in_undone"
    SHORTENED = "shortened"
    MOVED = "moved"
    ROOM_UNASSIGNED = "room_unassigned"
    ROOM_ASSIGNED = "room_assigned"
    EXTENDED = "extended"
    ARRIVAL_CHANGED = "arrival_changed"
    REOPENED = "reopened"
    CHECKED_IN = "checked_in"
    CAME_IN = "came_in"
    CHANGED = "changed"


ORDER = {one: place for place, one in enumerate(Happened)}
WORDS = {
    Happened.CANCELLED: "Cancelled",
    Happened.NO_SHOW: "No show",
    Happened.DELETED: "Deleted in the PMS",
    Happened.DEPARTED: "Checked out",
    Happened.CHECK_IN_UNDONE: "Check-in undone",
    Happened.ROOM_UNASSIGNED: "Room unassigned",
    Happened.ROOM_ASSIGNED: "Room assigned",
    Happened.ARRIVAL_CHANGED: "Arrival changed",
    Happened.REOPENED: "Reopened",
    Happened.CHECKED_IN: "Checked in",
    Happened.CAME_IN: "Came in meanwhile",
    Happened.CHANGED: "Changed meanwhile",
}


class Content(Protocol):
    """What a stay says of itself, whether it was read just now or is stored."""

    @property
    def state(self) -> Any: ...
    @property
    def room_ref(self) -> str: ...
    @property
    def room_name(self) -> str: ...
    @property
    def arrival_on(self) -> date: ...
    @property
    def departure_on(self) -> date: ...
    @property
    def arrival_at(self) -> datetime | None: ...
    @property
    def departure_at(self) -> datetime | None: ...


def snapshot(stay: Content, *, checked_in: bool) -> dict[str, Any]:
    """What is kept of a stay for the comparison. ``checked_in`` counts the desk and online alike."""
    return {
        "state": str(stay.state),
        "checked_in": checked_in,
        "room_ref": stay.room_ref,
        "room_name": stay.room_name,
        "arrival": [str(stay.arrival_on), _utc(stay.arrival_at)],
        "departure": [str(stay.departure_on), _utc(stay.departure_at)],
    }


def _utc(moment: datetime | None) -> str:
    return moment.astimezone(UTC).isoformat() if moment else ""


def happened(before: Snapshot | None, after: Snapshot) -> list[Happened]:
    """What lies between two snapshots, the most urgent first; without a ``before`` the stay came in."""
    found = set(_of_presence(before, after))
    if before is None:
        found.add(Happened.CAME_IN)
    elif after["state"] not in GONE:
        found |= set(_of_room(before, after))
        found |= set(_of_dates(before, after))
    return sorted(found or {Happened.CHANGED}, key=ORDER.__getitem__)


def _of_presence(before: Snapshot | None, after: Snapshot) -> Iterable[Happened]:
    was, now = before["state"] if before else "", after["state"]
    was_in = bool(before and before["checked_in"])
    if now in GONE:
        if was != now:
            yield Happened(now)
        return
    if now == "unknown":  # a word of the PMS that says nothing about presence
        return
    if was in GONE:
        yield Happened.REOPENED
    if after["checked_in"] and not was_in:
        yield Happened.CHECKED_IN
    if was_in and not after["checked_in"]:
        yield Happened.CHECK_IN_UNDONE


def _of_room(before: Snapshot, after: Snapshot) -> Iterable[Happened]:
    was, now = before["room_ref"], after["room_ref"]
    if was == now:
        return
    if not now:
        yield Happened.ROOM_UNASSIGNED
    else:
        yield Happened.MOVED if was else Happened.ROOM_ASSIGNED


def _of_dates(before: Snapshot, after: Snapshot) -> Iterable[Happened]:
    if before["arrival"] != after["arrival"]:
        yield Happened.ARRIVAL_CHANGED
    if before["departure"] < after["departure"]:
        yield Happened.EXTENDED
    if before["departure"] > after["departure"]:
        yield Happened.SHORTENED


def sentences(kept: Iterable[str], before: Snapshot | None, stay: Content) -> list[str]:
    """What happened, in words: "Moved from 201 to 204"."""
    return [_sentence(Happened(one), before or {}, stay) for one in kept]


def _sentence(one: Happened, before: Snapshot, stay: Content) -> str:
    match one:
        case Happened.MOVED:
            return f"Moved from {before.get('room_name') or 'another room'} to {stay.room_name or 'another room'}"
        case Happened.EXTENDED | Happened.SHORTENED:
            word = "Extended" if one is Happened.EXTENDED else "Shortened"
            was = date.fromisoformat(before["departure"][0]) if "departure" in before else None
            return f"{word} from {_day(was)} to {_day(stay.departure_on)}" if was else word
        case _:
            return WORDS[one]


def _day(day: date) -> str:
    return f"{day.day} {day:%b}"
