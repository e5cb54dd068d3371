"""The control interface: the front desk, and the trouble, as JSON below ``/control/``.

A form posted to the same addresses is answered by a redirect to the control page.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict

from starlette.requests import Request
from starlette.routing import BaseRoute

from pms.simulators.cloudbeds import demo
from pms.simulators.cloudbeds.records import (
    Booking,
    RoomStatus,
    booking_of,
    bookings,
    properties,
    property_of,
    rooms_of,
)
from pms.simulators.cloudbeds.wishes import (
    hotel_of,
    hotel_today,
    parties_of,
    party_of_wish,
    sheet_of,
)
from pms.simulators.cloudbeds.world import World
from pms.simulators.shared.control import Controls, Json
from pms.simulators.shared.people import Person
from pms.simulators.shared.wishes import Refused, Wish, new_dates_of, person_of

RECORDS = ("bookings", "stays", "guests", "custom_fields", "codes", "tokens", "subscriptions")
HOTEL_COLUMNS = {"name", "timezone", "check_in", "check_out", "status", "user_active", "app_state"}


class Control(Controls):
    """All routes below ``/control/``."""

    def __init__(self, world: World) -> None:
        """Changes this world."""
        super().__init__(world.machine)
        self._world = world

    def routes(self) -> list[BaseRoute]:
        """For the application."""
        return [
            self.route("state", "GET", self.state),
            self.route("rooms", "GET", self.rooms),
            self.route("reservations", "GET", self.reservations),
            self.route("reservations", "POST", self.book),
            self.route("reservations/{id}", "GET", self.reservation),
            self.route("reservations/{id}/{action}", "POST", self.act),
            self.route("properties/{id}", "POST", self.change_property),
            self.route("access/{verb}", "POST", self.access),
            self.route("subscriptions", "GET", self.subscriptions),
            self.route("events", "POST", self.send_event),
            self.route("seed", "POST", self.seed),
            *self.common_routes(),
        ]

    # What there is

    def state(self, request: Request, wish: Wish) -> Json:
        """Everything that can be turned, and the hotels."""
        store = self._world.store
        return {
            **self.common_state(),
            "properties": [asdict(hotel) for hotel in properties(store)],
            "subscriptions": store.number("SELECT count(*) FROM subscriptions"),
            "reservations": store.number("SELECT count(*) FROM bookings"),
        }

    def rooms(self, request: Request, wish: Wish) -> Json:
        """The rooms of a hotel."""
        hotel = hotel_of(self._world, wish)
        rooms = rooms_of(self._world.store, hotel.id).values()
        return {"property": hotel.id, "rooms": [asdict(room) for room in rooms]}

    def reservations(self, request: Request, wish: Wish) -> Json:
        """The bookings of a hotel, deleted ones included, newest first."""
        hotel = hotel_of(self._world, wish)
        sql = "SELECT id FROM bookings WHERE property_id = ? ORDER BY id DESC LIMIT ?"
        rows = self._world.store.rows(sql, hotel.id, wish.whole("limit", 200))
        found = bookings(self._world.store, [row["id"] for row in rows])
        return {"reservations": [self._described(booking) for booking in found]}

    def reservation(self, request: Request, wish: Wish) -> Json:
        """One booking."""
        return self._described(booking_of(self._world.store, request.path_params["id"]))

    def subscriptions(self, request: Request, wish: Wish) -> Json:
        """Who listens to what."""
        rows = self._world.store.rows("SELECT * FROM subscriptions ORDER BY rowid")
        return {"subscriptions": [dict(row) for row in rows]}

    # The front desk

    def book(self, request: Request, wish: Wish) -> Json:
        """A new booking, or ``count`` of them; the answer is the (last) booking."""
        hotel = hotel_of(self._world, wish)
        made = []
        with self._world.store.transaction():
            for _ in range(wish.whole("count", 1)):
                booking = self._world.desk.book(
                    property_id=hotel.id,
                    sheet=sheet_of(wish),
                    parties=parties_of(self._world, hotel, wish),
                    manner=wish.manner(),
                )
                made.append(booking)
        return {**self._described(made[-1]), "made": [booking.id for booking in made]}

    def act(self, request: Request, wish: Wish) -> Json:
        """One action of the front desk on a booking."""
        action = ACTIONS.get(request.path_params["action"])
        if action is None:
            raise Refused(f"There is no action {request.path_params['action']}: {sorted(ACTIONS)}.")
        return self._described(action(self._world, request.path_params["id"], wish))

    def change_property(self, request: Request, wish: Wish) -> Json:
        """Name, zone, times of day, status (``active``, ``canceled``), ``user_active``."""
        hotel = property_of(self._world.store, request.path_params["id"])
        for name in HOTEL_COLUMNS & set(wish.values):
            value = int(wish.flag(name)) if name == "user_active" else wish.text(name)
            sql = f"UPDATE properties SET {name} = ? WHERE id = ?"  # noqa: S608 - own names only
            self._world.store.run(sql, value, hotel.id)
        return asdict(property_of(self._world.store, hotel.id))

    def seed(self, request: Request, wish: Wish) -> Json:
        """Guests in house, arriving tonight and tomorrow, as far as they are missing."""
        return {"made": demo.top_up(self._world, hotel_of(self._world, wish))}

    # Trouble

    def access(self, request: Request, wish: Wish) -> Json:
        """``revoke`` (with ``announce``), ``restore``, or ``expire`` (with ``kind``)."""
        hotel, now = hotel_of(self._world, wish), self._world.clock.now()
        match request.path_params["verb"]:
            case "revoke":
                announce = wish.flag("announce", default=True)
                self._world.access.revoke(hotel.id, now, announce=announce)
            case "restore":
                self._world.access.restore(hotel.id, now)
            case "expire":
                self._world.access.expire(hotel.id, wish.text("kind", "access"))
            case verb:
                raise Refused(f"There is no access/{verb}: revoke, restore, expire.")
        return asdict(property_of(self._world.store, hotel.id))

    def send_event(self, request: Request, wish: Wish) -> Json:
        """Send any body to the subscribers of ``event``: forged, broken, of nobody."""
        hotel = hotel_of(self._world, wish)
        body = wish.values.get("body", "")
        text = body if isinstance(body, str) else json.dumps(body)
        name = wish.text("event", "reservation/created")
        self._world.outbox.post_raw(property_id=hotel.id, name=name, body=text)
        return {}

    def forget_records(self) -> None:
        """No bookings, tokens, codes, custom fields and subscriptions; no app is connected."""
        store = self._world.store
        sql = "UPDATE properties SET app_state = 'installing', status = 'active', user_active = 1"
        store.run(sql)
        for table in RECORDS:
            store.run(f"DELETE FROM {table}")  # noqa: S608 - own names only

    def _described(self, booking: Booking) -> Json:
        names = rooms_of(self._world.store, booking.property_id)
        described = asdict(booking)
        for stay in described["stays"]:
            room = names.get(stay["room_id"])
            stay["room"] = room.name if room else None
            stay["starts_on"], stay["ends_on"] = str(stay["starts_on"]), str(stay["ends_on"])
        return described


def _add_room(world: World, booking_id: str, wish: Wish) -> Booking:
    hotel = property_of(world.store, booking_of(world.store, booking_id).property_id)
    party = party_of_wish(world, hotel, wish, RoomStatus.NOT_CHECKED_IN)
    return world.desk.add_room(booking_id, party, wish.manner())


def _dates(world: World, booking_id: str, wish: Wish) -> Booking:
    hotel = property_of(world.store, booking_of(world.store, booking_id).property_id)
    dates = new_dates_of(wish, hotel_today(world, hotel))
    return world.desk.change_dates(booking_id, wish.text("stay"), dates, wish.manner())


def _move(world: World, booking_id: str, wish: Wish) -> Booking:
    if not wish.text("room"):
        raise Refused("Say which room.")
    return world.desk.move(booking_id, wish.text("stay"), wish.text("room"), wish.manner())


def _online(world: World, booking_id: str, wish: Wish) -> Booking:
    shortcode, value = wish.text("shortcode", "online_checkin"), wish.text("value", "done")
    return world.desk.set_field(booking_id, shortcode, value, wish.manner())


def _field(world: World, booking_id: str, wish: Wish) -> Booking:
    if not wish.text("shortcode"):
        raise Refused("Say which shortcode.")
    return world.desk.set_field(
        booking_id, wish.text("shortcode"), wish.text("value"), wish.manner()
    )


def _guest(world: World, booking_id: str, wish: Wish) -> Booking:
    person = person_of(wish.values.get("guest") or wish.values)
    return world.desk.add_guest(booking_id, wish.text("stay"), person, wish.manner())


def _rename(world: World, booking_id: str, wish: Wish) -> Booking:
    names = ("first", "last", "email", "phone")
    person = Person(**{name: wish.text(name) for name in names})
    return world.desk.change_guest(booking_id, wish.text("guest_id"), person, wish.manner())


def _oddity(world: World, booking_id: str, wish: Wish) -> Booking:
    odd: Json = {"status": wish.text("unknown_status")} if wish.text("unknown_status") else {}
    odd |= {name: True for name in ("room_id_missing", "empty_guest_list") if wish.flag(name)}
    return world.desk.make_odd(booking_id, odd, wish.manner())


ACTIONS: dict[str, Callable[[World, str, Wish], Booking]] = {
    "check-in": lambda w, b, v: w.desk.check_in(b, v.text("stay"), v.manner()),
    "online-check-in": _online,
    "undo-check-in": lambda w, b, v: w.desk.undo_check_in(b, v.text("stay"), v.manner()),
    "check-out": lambda w, b, v: w.desk.check_out(b, v.text("stay"), v.manner()),
    "move": _move,
    "unassign": lambda w, b, v: w.desk.move(b, v.text("stay"), None, v.manner()),
    "dates": _dates,
    "cancel": lambda w, b, v: w.desk.cancel(b, v.text("stay"), v.manner()),
    "restore": lambda w, b, v: w.desk.restore(b, v.manner()),
    "no-show": lambda w, b, v: w.desk.no_show(b, v.manner()),
    "unconfirm": lambda w, b, v: w.desk.unconfirm(b, v.manner()),
    "delete": lambda w, b, v: w.desk.delete(b, v.manner()),
    "add-room": _add_room,
    "add-guest": _guest,
    "remove-guest": lambda w, b, v: w.desk.remove_guest(b, v.text("guest_id"), v.manner()),
    "change-guest": _rename,
    "custom-field": _field,
    "arrival-time": lambda w, b, v: w.desk.set_arrival_time(b, v.text("at"), v.manner()),
    "oddity": _oddity,
}
