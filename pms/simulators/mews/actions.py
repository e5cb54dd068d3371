"""What the front desk can do with a reservation, as the control interface spells it."""

from __future__ import annotations

from collections.abc import Callable

from pms.simulators.mews.records import (
    Reservation,
    enterprise_of,
)
from pms.simulators.mews.wishes import (
    new_times_of,
    party_of,
    state_of,
)
from pms.simulators.mews.world import World
from pms.simulators.shared.control import Json
from pms.simulators.shared.people import Person, anybody
from pms.simulators.shared.wishes import Refused, Wish, person_of

NULLABLE = ("Origin", "AccountType", "CommanderOrigin", "CancellationReason", "Purpose")


def _add_room(world: World, one: Reservation, wish: Wish) -> Reservation:
    hotel = enterprise_of(world.store, one.enterprise_id)
    return world.desk.add_room(one.id, party_of(world, hotel, wish), wish.manner())


def _dates(world: World, one: Reservation, wish: Wish) -> Reservation:
    return world.desk.change_times(one.id, *new_times_of(world, one, wish), wish.manner())


def _move(world: World, one: Reservation, wish: Wish) -> Reservation:
    if not wish.text("room"):
        raise Refused("Say which room.")
    return world.desk.move(one.id, wish.text("room"), wish.manner())


def _online(world: World, one: Reservation, wish: Wish) -> Reservation:
    done, companions = wish.flag("done", default=True), wish.flag("companions")
    return world.desk.check_in_online(one.id, wish.manner(), done=done, companions=companions)


def _guest(world: World, one: Reservation, wish: Wish) -> Reservation:
    person = person_of(wish.values.get("guest") or wish.values)
    whole = wish.flag("whole_group")
    return world.registry.add_guest(one.id, person, wish.manner(), whole_group=whole)


def _rename(world: World, one: Reservation, wish: Wish) -> Reservation:
    names = ("first", "last", "email", "phone")
    person = Person(**{name: wish.text(name) for name in names})
    return world.registry.change_guest(one.id, wish.text("guest_id"), person, wish.manner())


def _merge(world: World, one: Reservation, wish: Wish) -> Reservation:
    given = wish.values.get("guest")
    person = person_of(given) if given else anybody()
    return world.registry.merge(one.id, wish.text("guest_id"), person, wish.manner())


def _oddity(world: World, one: Reservation, wish: Wish) -> Reservation:
    odd: Json = {"state": wish.text("unknown_state")} if wish.text("unknown_state") else {}
    if wish.flag("null_enums"):
        odd["nulls"] = NULLABLE
    return world.desk.make_odd(one.id, odd, wish.manner())


ACTIONS: dict[str, Callable[[World, Reservation, Wish], Reservation]] = {
    "check-in": lambda w, r, v: w.desk.check_in(r.id, v.manner()),
    "online-check-in": _online,
    "undo-check-in": lambda w, r, v: w.desk.undo_check_in(r.id, v.manner()),
    "check-out": lambda w, r, v: w.desk.check_out(r.id, v.manner()),
    "move": _move,
    "unassign": lambda w, r, v: w.desk.move(r.id, None, v.manner()),
    "lock-room": lambda w, r, v: w.desk.lock_room(
        r.id, v.manner(), locked=v.flag("locked", default=True)
    ),
    "dates": _dates,
    "cancel": lambda w, r, v: w.desk.cancel(r.id, v.manner(), v.text("reason")),
    "restore": lambda w, r, v: w.desk.restore(r.id, v.manner()),
    "no-show": lambda w, r, v: w.desk.no_show(r.id, v.manner()),
    "unconfirm": lambda w, r, v: w.desk.set_state(r.id, state_of("Optional"), v.manner()),
    "state": lambda w, r, v: w.desk.set_state(r.id, state_of(v.text("state")), v.manner()),
    "add-room": _add_room,
    "add-guest": _guest,
    "remove-guest": lambda w, r, v: w.registry.remove_guest(r.id, v.text("guest_id"), v.manner()),
    "change-guest": _rename,
    "merge-guest": _merge,
    "anonymise-guest": lambda w, r, v: w.registry.anonymise(r.id, v.text("guest_id"), v.manner()),
    "oddity": _oddity,
}
