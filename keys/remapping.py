"""What keys would lose and get if rooms of the PMS opened other doors, by the functions that let keys follow."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import QuerySet

from keys.following import ALIVE, door_changes, minded, wishes_for
from keys.models import Key, KeychainDoor
from locks.models import Door
from pms.mapping import doors_by_room
from pms.models import Integration, Reservation, Room


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """What a new mapping does: how many current and coming keys, of them in house, and for how many each door changes.

    ``times_change`` says that another Arrival or Departure Time counts for these keys, a door's own or the property's.
    """

    keys: int
    in_house: int
    gets: list[tuple[Door, int]]
    loses: list[tuple[Door, int]]
    times_change: bool


def live_keys(integration: Integration, room_refs: Iterable[str], now: datetime) -> QuerySet[Key]:
    """The current and coming keys of these rooms that follow their reservations."""
    return Key.objects.filter(
        reservation__integration=integration,
        reservation__room_ref__in=list(room_refs),
        reservation__state__in=ALIVE,
        revoked_at=None,
        departed_at=None,
        ends_at__gt=now,
    )


def many_in_house(keys: QuerySet[Key]) -> int:
    """How many of these keys are of guests who are in house by the PMS's word."""
    return keys.filter(reservation__state=Reservation.State.IN_HOUSE).count()


def preview(*, room: Room, doors: Sequence[Door], now: datetime) -> Preview:
    """What happens to the room's keys if it opens exactly these doors. Nothing is changed; few queries."""
    ref = room.external_id
    had = doors_by_room(room.integration, [ref])
    return preview_rooms(integration=room.integration, had=had, wanted={ref: doors}, now=now)


def preview_rooms(
    *,
    integration: Integration,
    had: Mapping[str, Sequence[Door]],
    wanted: Mapping[str, Sequence[Door]],
    now: datetime,
) -> Preview:
    """What happens to the keys of the rooms in ``wanted`` if they open exactly those doors instead of those they had."""
    keys = live_keys(integration, wanted, now)
    present: dict[int, list[KeychainDoor]] = defaultdict(list)
    chained = minded(KeychainDoor.objects.filter(key__in=keys)).select_related("door")
    for row in chained:
        present[row.key_id].append(row)
    wishes = {
        ref: wishes_for(integration.property, sorted(doors, key=lambda door: door.pk))
        for ref, doors in wanted.items()
    }
    gets, loses = Counter[Door](), Counter[Door]()
    of_rooms = list(keys.values_list("id", "reservation__room_ref"))
    for key_id, ref in of_rooms:
        joins, leaves = door_changes(wishes[str(ref)], present[key_id])
        gets.update(wish.door for wish in joins)
        loses.update(row.door for row in leaves)
    return Preview(
        keys=len(of_rooms),
        in_house=many_in_house(keys),
        gets=gets.most_common(),
        loses=loses.most_common(),
        times_change=any(_own_times(had[ref]) != _own_times(wanted[ref]) for ref in wanted),
    )


def _own_times(doors: Iterable[Door]) -> object:
    """The first door's own times count."""
    first = min(doors, key=lambda door: door.pk, default=None)
    return (first.arrival_time, first.departure_time) if first else (None, None)
