"""A hotel that lives by the wall clock: guests tonight and tomorrow, and random events if wanted."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import date, timedelta
from functools import partial

from pms.simulators.cloudbeds.ledger import BookingSheet, Party
from pms.simulators.cloudbeds.records import (
    Booking,
    BookingStatus,
    Property,
    RoomStatus,
    bookings,
)
from pms.simulators.cloudbeds.wishes import free_room
from pms.simulators.cloudbeds.world import World
from pms.simulators.shared.clock import local_today
from pms.simulators.shared.life import did
from pms.simulators.shared.people import anybody
from pms.simulators.shared.wishes import Manner, Refused

IN_HOUSE, TONIGHT, TOMORROW = 4, 4, 3
FULLEST = 12


def top_up(world: World, hotel: Property) -> list[str]:
    """Check out who should have left, then fill up the house, tonight and tomorrow.

    Stays begin at a night of the calendar, as in any hotel; only events come close together.
    """
    today = local_today(world.clock.now(), hotel.zone)
    with world.store.transaction():
        for overdue in _living(world, hotel, "stays.status = 'in_house' AND ends_on < ?", today):
            did(partial(world.desk.check_out, overdue.id, "", Manner()))
        made: list[str] = []
        plan = (
            (
                IN_HOUSE,
                "stays.status = 'in_house' AND ends_on > ?",
                today - timedelta(days=1),
                True,
            ),
            (TONIGHT, "stays.status = 'not_checked_in' AND starts_on = ?", today, False),
            (TOMORROW, "starts_on = ?", today + timedelta(days=1), False),
        )
        for wanted, clause, starts_on, checked_in in plan:
            present = today if checked_in else starts_on
            missing = wanted - len(_living(world, hotel, clause, present))
            for _ in range(missing):
                made += _book(world, hotel, starts_on, checked_in=checked_in)
    return made


def _book(world: World, hotel: Property, starts_on: date, *, checked_in: bool) -> list[str]:
    nights = random.randint(2, 4)  # noqa: S311 - chance, not a secret
    ends_on = starts_on + timedelta(days=nights)
    status = BookingStatus.CHECKED_IN if checked_in else BookingStatus.CONFIRMED
    try:
        room = free_room(world, hotel, (starts_on, ends_on))
    except Refused:
        return []
    party = Party(
        guests=[anybody()],
        type_id=room.type_id,
        room_id=room.id,
        starts_on=starts_on,
        ends_on=ends_on,
        status=RoomStatus.IN_HOUSE if checked_in else RoomStatus.NOT_CHECKED_IN,
    )
    booking = world.desk.book(
        property_id=hotel.id, sheet=BookingSheet(status=status), parties=[party], manner=Manner()
    )
    return [booking.id]


def _living(world: World, hotel: Property, clause: str, day: date) -> list[Booking]:
    sql = (
        "SELECT DISTINCT booking_id FROM stays JOIN bookings ON bookings.id = booking_id"  # noqa: S608
        " WHERE property_id = ? AND is_deleted = 0 AND is_pinned = 0"
        f" AND bookings.status IN ('confirmed', 'checked_in') AND {clause}"
    )
    rows = world.store.rows(sql, hotel.id, str(day))
    return bookings(world.store, [row["booking_id"] for row in rows])


def happen(world: World, hotel: Property) -> str:
    """One random event of a hotel evening; pinned bookings are left alone. Says what it was."""
    today = local_today(world.clock.now(), hotel.zone)
    arriving = _living(world, hotel, "stays.status = 'not_checked_in' AND starts_on <= ?", today)
    staying = _living(world, hotel, "stays.status = 'in_house' AND ends_on >= ?", today)
    kinds = ["check in", "move", "extend", "cancel", "check out"]
    if len(arriving) + len(staying) < FULLEST:
        kinds += ["book", "book", "book"]
    kind = random.choice(kinds)  # noqa: S311 - chance, not a secret
    if kind == "book":
        return f"book {' '.join(_book(world, hotel, today, checked_in=False))}"
    pool = staying if kind in {"extend", "check out"} or (kind == "move" and staying) else arriving
    if not pool:
        return "nothing"
    booking = random.choice(pool)  # noqa: S311 - chance, not a secret
    return f"{kind} {booking.id}" if _do(world, hotel, kind, booking) else "nothing"


def _do(world: World, hotel: Property, kind: str, booking: Booking) -> bool:
    stay, desk = booking.stays[0], world.desk
    longer = (None, stay.ends_on + timedelta(days=1))
    acts: dict[str, Callable[[], object]] = {
        "check in": partial(desk.check_in, booking.id, "", Manner()),
        "check out": partial(desk.check_out, booking.id, "", Manner()),
        "cancel": partial(desk.cancel, booking.id, "", Manner()),
        "extend": partial(desk.change_dates, booking.id, stay.id, longer, Manner()),
        "move": partial(_move, world, hotel, booking),
    }
    return did(acts[kind])


def _move(world: World, hotel: Property, booking: Booking) -> None:
    stay = booking.stays[0]
    room = free_room(world, hotel, (stay.starts_on, stay.ends_on))
    world.desk.move(booking.id, stay.id, room.id, Manner())
