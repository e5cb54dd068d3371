"""What someone at the control interface asks for, read from JSON or from a form alike."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

from pms.simulators.cloudbeds.ledger import BookingSheet, Party, taken
from pms.simulators.cloudbeds.records import (
    BookingStatus,
    Property,
    Room,
    RoomStatus,
    property_of,
    rooms_of,
)
from pms.simulators.cloudbeds.world import World
from pms.simulators.shared.clock import local_today
from pms.simulators.shared.wishes import Refused, Wish, dates_of, people_of

ROOM_STATUS = {
    BookingStatus.CHECKED_IN: RoomStatus.IN_HOUSE,
    BookingStatus.CHECKED_OUT: RoomStatus.CHECKED_OUT,
    BookingStatus.CANCELED: RoomStatus.CANCELLED,
}


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
    starts_on, ends_on = dates_of(wish, hotel_today(world, hotel))
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


def hotel_today(world: World, hotel: Property) -> date:
    """The calendar date at the hotel."""
    return local_today(world.clock.now(), hotel.zone)


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
