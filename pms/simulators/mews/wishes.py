"""What someone at the control interface asks for, as this vendor's bookings."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime

from pms.simulators.mews import moments
from pms.simulators.mews.ledger import Party, Sheet, taken, usual_times
from pms.simulators.mews.records import (
    NO_SHOW,
    Enterprise,
    Reservation,
    Resource,
    State,
    enterprise_of,
    resources_of,
)
from pms.simulators.mews.world import World
from pms.simulators.shared.clock import local_today, spoken_date
from pms.simulators.shared.store import Store
from pms.simulators.shared.wishes import DATE_EXPECTED, Refused, Wish, dates_of, people_of

COMMON_WORDS = {
    "confirmed": State.CONFIRMED,
    "checked_in": State.STARTED,
    "checked_out": State.PROCESSED,
    "canceled": State.CANCELED,
    "no_show": State.CANCELED,
    "not_confirmed": State.OPTIONAL,
}


def hotel_of(world: World, wish: Wish) -> Enterprise:
    """The hotel meant by ``property``, else the first one."""
    return enterprise_of(world.store, wish.text("property"))


def hotel_today(world: World, hotel: Enterprise) -> date:
    """The calendar date at the hotel."""
    return local_today(world.clock.now(), hotel.zone)


def state_of(word: str) -> State:
    """One of the vendor's states, or one of the words that all simulators know."""
    if word.lower() in COMMON_WORDS:
        return COMMON_WORDS[word.lower()]
    try:
        return State(word)
    except ValueError:
        raise Refused(f"There is no state {word}: {', '.join(State)}.") from None


def sheet_of(wish: Wish) -> Sheet:
    """``state`` (or ``status``), ``source``, ``third_party``, ``company`` and ``pinned``."""
    word = wish.text("state") or wish.text("status") or State.CONFIRMED
    state = state_of(word)
    reason = NO_SHOW if word == "no_show" else "RequestedByGuest"
    return Sheet(
        state=state,
        reason=reason if state is State.CANCELED else None,
        channel_number=wish.text("third_party") or None,
        channel_manager=wish.text("source") or None,
        company=wish.flag("company"),
        is_pinned=wish.flag("pinned"),
    )


def parties_of(world: World, hotel: Enterprise, wish: Wish) -> list[Party]:
    """The rooms: those of ``rooms``, each falling back to the wish itself, or just one."""
    lines = wish.values.get("rooms")
    if not isinstance(lines, list) or not lines:
        return [party_of(world, hotel, wish)]
    shared = {name: value for name, value in wish.values.items() if name not in {"rooms", "guests"}}
    wishes = [line if isinstance(line, Mapping) else {"room": line} for line in lines]
    return [party_of(world, hotel, Wish({**shared, **one})) for one in wishes]


def party_of(world: World, hotel: Enterprise, wish: Wish) -> Party:
    """One room; ``room`` is a name, an id, ``any`` for a free one, or nothing."""
    starts_at, ends_at = times_of(world, hotel, wish)
    room, kind = wish.text("room"), wish.text("room_type")
    if room == "any":
        room = free_room(world.store, hotel, (starts_at, ends_at), kind).id
    return Party(
        guests=people_of(wish),
        category_id=category_of(world.store, hotel, kind),
        resource_id=room or None,
        starts_at=starts_at,
        ends_at=ends_at,
    )


def times_of(world: World, hotel: Enterprise, wish: Wish) -> tuple[float, float]:
    """``arrival`` and ``departure`` or ``nights`` at the usual times, or exact stamps instead.

    ``start`` and ``end`` are exact: ISO 8601 with a zone.
    """
    usual = usual_times(hotel, *dates_of(wish, hotel_today(world, hotel)))
    starts_at, ends_at = _exact(wish, "start", usual[0]), _exact(wish, "end", usual[1])
    if ends_at <= starts_at:
        raise Refused("The departure must be after the arrival.")
    return starts_at, ends_at


def new_times_of(world: World, one: Reservation, wish: Wish) -> tuple[float, float]:
    """The same where they are to change; a date keeps the time of day it has now."""
    hotel = enterprise_of(world.store, one.enterprise_id)
    if not any(wish.text(name) for name in ("arrival", "departure", "start", "end")):
        raise Refused("Say an arrival, a departure, or both.")
    starts_at = _moved(world, hotel, wish.text("arrival"), one.starts_at)
    ends_at = _moved(world, hotel, wish.text("departure"), one.ends_at)
    return _exact(wish, "start", starts_at), _exact(wish, "end", ends_at)


def _moved(world: World, hotel: Enterprise, word: str, now_at: float) -> float:
    if not word:
        return now_at
    day = spoken_date(word, hotel_today(world, hotel))
    if day is None:
        raise Refused(DATE_EXPECTED)
    return moments.at(day, f"{datetime.fromtimestamp(now_at, hotel.zone):%H:%M}", hotel.zone)


def _exact(wish: Wish, name: str, otherwise: float) -> float:
    text = wish.text(name)
    at = moments.read(text) if text else otherwise
    if at is None:
        raise Refused(f"{name} is a time like 2026-11-23T14:00:00Z.")
    return at


def free_room(
    store: Store, hotel: Enterprise, times: tuple[float, float], kind: str = ""
) -> Resource:
    """Some room free at that time, doubles first; Refused if there is none."""
    wanted = category_of(store, hotel, kind)
    for room in resources_of(store, hotel.id).values():
        fits = room.is_active and room.category_id == wanted
        if fits and not taken(store, room.id, starts_at=times[0], ends_at=times[1]):
            return room
    raise Refused("No room is free at that time.")


def category_of(store: Store, hotel: Enterprise, kind: str) -> str:
    """The id of a kind of room by id, name, short name or type; the first kind for nothing."""
    sql = "SELECT * FROM categories WHERE enterprise_id = ? ORDER BY seq"
    for row in store.rows(sql, hotel.id):
        if kind in {"", row["id"], row["name"], row["short"], row["type"]}:
            return str(row["id"])
    raise Refused(f"There is no room type {kind}.")
