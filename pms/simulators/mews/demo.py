"""A hotel that lives by the wall clock: guests tonight and tomorrow, and random events if wanted."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import date, timedelta
from functools import partial

from pms.simulators.mews.ledger import Party, Sheet, usual_times
from pms.simulators.mews.records import Enterprise, Reservation, State, reservation
from pms.simulators.mews.wishes import free_room, hotel_today
from pms.simulators.mews.world import World
from pms.simulators.shared.life import did
from pms.simulators.shared.people import anybody
from pms.simulators.shared.wishes import Manner, Refused

IN_HOUSE, TONIGHT, TOMORROW = 3, 3, 2
FULLEST = 9
DAY = timedelta(days=1)


def top_up(world: World, hotel: Enterprise) -> list[str]:
    """Check out who should have left, then fill up the house, tonight and tomorrow."""
    today = hotel_today(world, hotel)
    tonight, tomorrow = (_arrival(hotel, today + days) for days in (timedelta(0), DAY))
    with world.store.transaction():
        overdue = _living(world, hotel, "state = 'Started' AND ends_at < ?", tonight - 86400)
        for one in overdue:
            did(partial(world.desk.check_out, one.id, Manner()))
        made: list[str] = []
        plan = (
            (IN_HOUSE, "state = 'Started' AND ends_at > ?", tonight, today - DAY, State.STARTED),
            (TONIGHT, "state = 'Confirmed' AND starts_at = ?", tonight, today, State.CONFIRMED),
            (TOMORROW, "starts_at = ?", tomorrow, today + DAY, State.CONFIRMED),
        )
        for wanted, clause, at, starts_on, state in plan:
            for _ in range(wanted - len(_living(world, hotel, clause, at))):
                made += _book(world, hotel, starts_on, state)
    return made


def _arrival(hotel: Enterprise, day: date) -> float:
    return usual_times(hotel, day, day + DAY)[0]


def _book(world: World, hotel: Enterprise, starts_on: date, state: State) -> list[str]:
    nights = random.randint(2, 4)  # noqa: S311 - chance, not a secret
    times = usual_times(hotel, starts_on, starts_on + timedelta(days=nights))
    try:
        room = free_room(world.store, hotel, times)
    except Refused:
        return []
    party = Party(
        guests=[anybody()],
        category_id=room.category_id,
        resource_id=room.id,
        starts_at=times[0],
        ends_at=times[1],
    )
    made = world.desk.book(hotel, Sheet(state=state), [party], Manner())
    return [one.id for one in made]


def _living(world: World, hotel: Enterprise, clause: str, at: float) -> list[Reservation]:
    rows = world.store.rows(
        "SELECT * FROM reservations WHERE enterprise_id = ? AND is_pinned = 0"  # noqa: S608
        f" AND state IN ('Confirmed', 'Started') AND {clause}",
        hotel.id,
        at,
    )
    return [reservation(row) for row in rows]


def happen(world: World, hotel: Enterprise) -> str:
    """One random event of a hotel evening; pinned reservations are left alone. Says what it was."""
    today = hotel_today(world, hotel)
    tonight = _arrival(hotel, today)
    arriving = _living(world, hotel, "state = 'Confirmed' AND starts_at <= ?", tonight)
    staying = _living(world, hotel, "state = 'Started' AND ends_at >= ?", tonight)
    kinds = ["check in", "check in online", "move", "extend", "cancel", "check out"]
    if len(arriving) + len(staying) < FULLEST:
        kinds += ["book", "book", "book"]
    kind = random.choice(kinds)  # noqa: S311 - chance, not a secret
    if kind == "book":
        return f"book {' '.join(_book(world, hotel, today, State.CONFIRMED))}"
    pool = staying if kind in {"extend", "check out"} else arriving
    if kind == "move" and staying:
        pool = staying
    if not pool:
        return "nothing"
    one = random.choice(pool)  # noqa: S311 - chance, not a secret
    return f"{kind} {one.number}" if did(_act(world, hotel, kind, one)) else "nothing"


def _act(world: World, hotel: Enterprise, kind: str, one: Reservation) -> Callable[[], object]:
    desk = world.desk
    longer = one.ends_at + DAY.total_seconds()
    acts: dict[str, Callable[[], object]] = {
        "check in": partial(desk.check_in, one.id, Manner()),
        "check in online": partial(desk.check_in_online, one.id, Manner()),
        "check out": partial(desk.check_out, one.id, Manner()),
        "cancel": partial(desk.cancel, one.id, Manner()),
        "extend": partial(desk.change_times, one.id, one.starts_at, longer, Manner()),
        "move": partial(_move, world, hotel, one),
    }
    return acts[kind]


def _move(world: World, hotel: Enterprise, one: Reservation) -> None:
    room = free_room(world.store, hotel, (one.starts_at, one.ends_at))
    world.desk.move(one.id, room.id, Manner())
