"""The only writer of Room and RoomDoor: which rooms the PMS knows, and which doors they open."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime

from django.db import IntegrityError, transaction

from locks.history import Actor, ChangedMeanwhile, Source, acting
from locks.models import Door, DoorLink
from locks.pulse import bump
from pms.adapters import RoomFacts
from pms.mapping import Plan, WantedDoor, doors_by_name, doors_by_room, plan_doors
from pms.models import LIVE_STATES, Integration, Reservation, Room, RoomDoor
from pms.signals import reservation_changed


def import_rooms(*, integration: Integration, rooms: Iterable[RoomFacts], now: datetime) -> int:
    """Store the PMS's rooms and return their number. A room that is seen for the first time and whose name, or whose
    dorm's name, is a door's maps itself; a virtual room takes the doors of the rooms it joins. Later, mapping is staff's.
    """
    found = {facts.external_id: facts for facts in rooms}
    doors = doors_by_name(integration.property_id)
    by = Actor(source=Source.PMS, label=integration.pms_name(), reason="They have one name")
    with transaction.atomic(), acting(by):
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


def set_rooms(
    *,
    integration: Integration,
    door: Door,
    room_refs: Collection[str],
    had: Collection[str],
    by: Actor,
    now: datetime,
) -> list[str]:
    """Have this door opened by the rooms ``room_refs`` and no longer by the others of ``had``, which the caller saw.

    Returns the rooms that changed; their reservations are followed again. Raises ValueError across properties.
    """
    _check_hotel(integration, [door])
    wanted, seen = set(room_refs), set(had)
    with transaction.atomic(), acting(by):
        for ref in sorted(wanted - seen):
            _map(integration, ref, door)
        for ref in sorted(seen - wanted):
            _unmap(integration, ref, [door.pk])
        changed = sorted(wanted ^ seen)
        if changed:
            _follow_again(integration, changed)
    return changed


def set_doors(
    *, room: Room, doors: Sequence[Door], seen: Collection[int] | None, by: Actor, now: datetime
) -> None:
    """Have a room open exactly these doors; its reservations are followed again.

    ``seen`` are the ids of the doors that the caller saw mapped: raises ChangedMeanwhile, with nothing stored, when it
    is others by now. Raises ValueError across properties. A mapping to an archived door stays as it is.
    """
    integration = room.integration
    _check_hotel(integration, doors)
    wanted = {door.pk: door for door in doors}
    with transaction.atomic(), acting(by):
        Room.objects.select_for_update(of=("self",), no_key=True).get(pk=room.pk)
        had = {door.pk for door in doors_by_room(integration, [room.external_id])[room.external_id]}
        if seen is not None and had != set(seen):
            raise ChangedMeanwhile
        for door_id in sorted(set(wanted) - had):
            _map(integration, room.external_id, wanted[door_id])
        _unmap(integration, room.external_id, had - set(wanted))
        if had != set(wanted):
            _follow_again(integration, [room.external_id])


def make_doors(
    *,
    integration: Integration,
    rooms: Collection[Room],
    common: Sequence[Door],
    seen: str,
    by: Actor,
    now: datetime,
) -> Plan:
    """Make a door for each room that opens none, map it, and link the doors that are new to the ``common`` ones.

    Returns what was done. ``seen`` is the mark of the plan that was looked at: raises ChangedMeanwhile, with nothing
    stored, if the plan is another by now. Raises ValueError across properties.
    """
    _check_hotel(integration, common)
    ids = [room.pk for room in rooms]
    try:
        with (
            transaction.atomic(),
            acting(by.because(f"Made for a room of {integration.pms_name()}")),
        ):
            kept = Room.objects.select_for_update(of=("self",), no_key=True).order_by("id")
            plan = plan_doors(integration, kept.filter(integration=integration, pk__in=ids))
            if plan.mark() != seen:
                raise ChangedMeanwhile
            for wish in plan.doors:
                door = wish.door or _new_door(integration, wish, common)
                for room in wish.rooms:
                    _map(integration, room.external_id, door)
            _follow_again(integration, [r.external_id for one in plan.doors for r in one.rooms])
    except IntegrityError as taken:  # someone made a door of that name in this very moment
        raise ChangedMeanwhile from taken
    return plan


def _new_door(integration: Integration, wish: WantedDoor, common: Sequence[Door]) -> Door:
    door = Door(property=integration.property, name=wish.name, type=wish.type)
    door.save()
    DoorLink.objects.bulk_create(
        DoorLink(property_id=door.property_id, door=door, linked=linked) for linked in common
    )
    return door


def _check_hotel(integration: Integration, doors: Iterable[Door]) -> None:
    if any(door.property_id != integration.property_id for door in doors):
        raise ValueError("a room and its door belong to one property")


def _unmap(integration: Integration, room_ref: str, door_ids: Collection[int]) -> None:
    rows = RoomDoor.objects.filter(integration=integration, room_ref=room_ref)
    rows.filter(door_id__in=door_ids).delete()


def _follow_again(integration: Integration, room_refs: Sequence[str]) -> None:
    stays = Reservation.objects.filter(
        integration=integration, room_ref__in=room_refs, state__in=LIVE_STATES
    )
    ids = list(stays.values_list("id", flat=True))
    stays.update(followed_at=None)
    reservation_changed.send(sender=Reservation, reservation_ids=ids)
    bump([integration.property_id])
