"""The only writer of Room and RoomDoor: which rooms the PMS knows, and which doors they open."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from django.db import transaction

from locks.history import Actor
from locks.models import Door
from locks.pulse import bump
from pms.adapters import RoomFacts
from pms.models import Integration, Reservation, Room, RoomDoor
from pms.signals import reservation_changed

State = Reservation.State
FOLLOWED = [State.TENTATIVE, State.EXPECTED, State.IN_HOUSE, State.UNKNOWN]


def import_rooms(*, integration: Integration, rooms: Iterable[RoomFacts], now: datetime) -> int:
    """Store the PMS's rooms and return their number. A room that is seen for the first time and whose name, or whose
    dorm's name, is a door's maps itself; a virtual room takes the doors of the rooms it joins. Later, mapping is staff's.
    """
    found = {facts.external_id: facts for facts in rooms}
    doors = {
        door.name.strip().lower(): door
        for door in Door.objects.filter(property_id=integration.property_id, archived_at=None)
    }
    with transaction.atomic():
        known = set(
            Room.objects.filter(integration=integration).values_list("external_id", flat=True)
        )
        for facts in found.values():
            _store(integration, facts, now)
        new = [facts for facts in found.values() if facts.external_id not in known]
        mapped = [f.external_id for f in new if _map_by_name(integration, f, found, doors)]
        if mapped:
            _follow_again(integration, mapped)
        if new:
            bump([integration.property_id])
    return len(found)


def _store(integration: Integration, facts: RoomFacts, now: datetime) -> None:
    Room.objects.update_or_create(
        integration=integration,
        external_id=facts.external_id,
        defaults={
            "property_id": integration.property_id,
            "name": facts.name[:100],
            "parent_name": facts.parent_name[:100],
            "is_virtual": facts.is_virtual,
            "seen_at": now,
        },
    )


def _map_by_name(
    integration: Integration,
    facts: RoomFacts,
    found: dict[str, RoomFacts],
    doors: dict[str, Door],
) -> bool:
    """Whether every place that this room stands for has a door of its name, and now is mapped to it."""
    joined = [found[ref] for ref in facts.linked_ids if ref in found] if facts.is_virtual else []
    own = [_door_of(part, doors) for part in joined or [facts]]
    if not all(own):
        return False
    for door in own:
        if door is not None:
            _map(integration, facts.external_id, door)
    return True


def _door_of(facts: RoomFacts, doors: dict[str, Door]) -> Door | None:
    by_name = doors.get(facts.name.strip().lower())
    return by_name or doors.get(facts.parent_name.strip().lower())


def _map(integration: Integration, room_ref: str, door: Door) -> None:
    RoomDoor.objects.get_or_create(
        integration=integration,
        room_ref=room_ref,
        door=door,
        defaults={"property_id": integration.property_id},
    )


def map_room(
    *, integration: Integration, room_ref: str, door: Door, by: Actor, now: datetime
) -> None:
    """Have a PMS room open this door; its reservations are followed again. Raises ValueError across properties."""
    if door.property_id != integration.property_id:
        raise ValueError("a room and its door belong to one property")
    with transaction.atomic():
        _map(integration, room_ref, door)
        _follow_again(integration, [room_ref])


def unmap_room(
    *, integration: Integration, room_ref: str, door: Door, by: Actor, now: datetime
) -> None:
    """A PMS room opens this door no longer; its reservations are followed again."""
    with transaction.atomic():
        RoomDoor.objects.filter(integration=integration, room_ref=room_ref, door=door).delete()
        _follow_again(integration, [room_ref])


def _follow_again(integration: Integration, room_refs: Sequence[str]) -> None:
    stays = Reservation.objects.filter(
        integration=integration, room_ref__in=room_refs, state__in=FOLLOWED
    )
    ids = list(stays.values_list("id", flat=True))
    stays.update(followed_at=None)
    reservation_changed.send(sender=Reservation, reservation_ids=ids)
    bump([integration.property_id])
