"""Which rooms of the PMS open which doors, who is coming to them, and which doors would be made for rooms without one.

Read only: ``pms/rooms.py`` writes.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count, Exists, OuterRef, Q, QuerySet

from locks.clock import zone
from locks.models import Door
from pms.models import LIVE_STATES, Integration, Reservation, Room, RoomDoor


def live_stays(integration: Integration, now: datetime) -> QuerySet[Reservation]:
    """The stays of today, by the property's calendar, and later that a key follows or may come to follow."""
    today = now.astimezone(zone(integration.property.timezone)).date()
    return Reservation.objects.filter(
        integration=integration, state__in=LIVE_STATES, departure_on__gte=today
    )


def without_door(integration: Integration, now: datetime) -> QuerySet[Room]:
    """The rooms that open no door and should: all but virtual rooms for which nobody is coming. Asks up to two queries
    at once."""
    mapped = RoomDoor.objects.filter(
        integration=integration, room_ref=OuterRef("external_id"), door__archived_at=None
    )
    rooms = Room.objects.filter(~Exists(mapped), integration=integration)
    return rooms.filter(
        Q(is_virtual=False) | Q(external_id__in=_virtual_ones_booked(integration, now))
    )


def _virtual_ones_booked(integration: Integration, now: datetime) -> list[str]:
    """Asked first and apart: inside the question for rooms a database would read all stays of the hotel."""
    virtual = Room.objects.filter(integration=integration, is_virtual=True)
    refs = list(virtual.values_list("external_id", flat=True))
    return list(stays_by_room(integration, refs, now))


def doors_by_room(integration: Integration, room_refs: Iterable[str]) -> dict[str, list[Door]]:
    """The doors in use of each of these rooms, in the order in which keys take them; empty lists else. One query."""
    rows = RoomDoor.objects.filter(
        integration=integration, room_ref__in=list(room_refs), door__archived_at=None
    )
    found: dict[str, list[Door]] = defaultdict(list)
    for row in rows.select_related("door").order_by("door_id"):
        found[row.room_ref].append(row.door)
    return found


def stays_by_room(
    integration: Integration, room_refs: Iterable[str], now: datetime
) -> Counter[str]:
    """How many current and coming stays name each of these rooms; zero else. One query."""
    stays = live_stays(integration, now).filter(room_ref__in=list(room_refs))
    counted = stays.values("room_ref").annotate(many=Count("id")).order_by()
    return Counter({row["room_ref"]: row["many"] for row in counted})


@dataclass(frozen=True, slots=True)
class WantedDoor:
    """The door of one room, or of the chosen beds of one dorm; ``door`` is the one that has this name already."""

    name: str
    type: str
    rooms: tuple[Room, ...]
    door: Door | None


@dataclass(frozen=True, slots=True)
class Plan:
    """The doors that some rooms get, and a sentence for each room that gets none."""

    doors: list[WantedDoor]
    problems: list[str]

    def mark(self) -> str:
        """Says whether a plan is the one that was looked at."""
        seen = [
            (one.name, one.door and one.door.pk, [room.pk for room in one.rooms])
            for one in self.doors
        ]
        return hashlib.sha256(repr(seen).encode()).hexdigest()[:16]


def plan_doors(integration: Integration, rooms: Iterable[Room]) -> Plan:
    """A door for each of these rooms that opens none: of the room's name, and one of the dorm's name for its beds.

    Where a door has that name already, it is that one. Two queries.
    """
    rooms = sorted(rooms, key=lambda room: (room.parent_name, room.name, room.pk))
    mapped = doors_by_room(integration, [room.external_id for room in rooms])
    problems, groups = [], defaultdict[str, list[Room]](list)
    for room in rooms:
        if problem := _problem(room, mapped[room.external_id]):
            problems.append(problem)
        else:
            groups[_door_name(room).lower()].append(room)
    existing = doors_by_name(integration.property_id)
    doors = []
    for name, together in groups.items():
        if len(together) > 1 and not all(room.parent_name for room in together):
            problems.append(
                f"{len(together)} rooms are called {_door_name(together[0])}: choose the doors of each by hand."
            )
            continue
        kind = Door.Type.SHARED_ROOM if together[0].parent_name else Door.Type.PRIVATE_ROOM
        wish = WantedDoor(_door_name(together[0]), kind, tuple(together), existing.get(name))
        doors.append(wish)
    return Plan(doors, problems)


def doors_by_name(property_id: int) -> dict[str, Door]:
    """The doors in use by their names in small letters. One query."""
    doors = Door.objects.filter(property_id=property_id, archived_at=None)
    return {door.name.strip().lower(): door for door in doors}


def _door_name(room: Room) -> str:
    return (room.parent_name or room.name).strip()


def _problem(room: Room, opens: list[Door]) -> str:
    """Why no door is made for a room, with what to do; empty where one is."""
    longest = Door._meta.get_field("name").max_length or 0
    name = f"{room.parent_name} {room.name}".strip() or f"Room {room.external_id}"
    if opens:
        return f"{name} opens {opens[0].name} already."
    if room.is_virtual:
        return (
            f"{name} joins other rooms and has no door of its own: choose the doors of those rooms."
        )
    if not _door_name(room):
        return f"{name} has no name in the PMS: add its door by hand and choose it."
    if len(_door_name(room)) > longest:
        return f"{name} is longer than the {longest} characters of a door’s name: add its door by hand and choose it."
    return ""
