"""The control interface: the front desk, and the trouble, as JSON below ``/control/``.

A form posted to the same addresses is answered by a redirect to the control page.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import asdict, fields
from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from pms.simulators.cloudbeds import demo
from pms.simulators.cloudbeds.forms import read_pairs
from pms.simulators.cloudbeds.ledger import Person
from pms.simulators.cloudbeds.records import (
    Booking,
    Refused,
    RoomStatus,
    booking_of,
    bookings,
    properties,
    property_of,
    rooms_of,
)
from pms.simulators.cloudbeds.trouble import Fault, FaultKind
from pms.simulators.cloudbeds.wishes import (
    Wish,
    hotel_of,
    new_dates_of,
    parties_of,
    party_of_wish,
    person_of,
    sheet_of,
)
from pms.simulators.cloudbeds.world import World

Json = dict[str, Any]
Handler = Callable[[Request, Wish], Json]
MOST_LISTED = 5000
HOTEL_COLUMNS = {"name", "timezone", "check_in", "check_out", "status", "user_active", "app_state"}


class Control:
    """All routes below ``/control/``."""

    def __init__(self, world: World) -> None:
        """Changes this world."""
        self._world = world
        self._dials: dict[str, Any] = {
            "webhooks": world.webhooks,
            "limits": world.limits,
            "tokens": world.tokens,
            "quirks": world.quirks,
            "life": world.life,
            "clock": world.clock,
        }
        self._first_dials = {name: asdict(dial) for name, dial in self._dials.items()}

    def routes(self) -> list[BaseRoute]:
        """For the application."""
        at = "/control"
        return [
            self._route(f"{at}/state", "GET", self.state),
            self._route(f"{at}/rooms", "GET", self.rooms),
            self._route(f"{at}/reservations", "GET", self.reservations),
            self._route(f"{at}/reservations", "POST", self.book),
            self._route(f"{at}/reservations/{{id}}", "GET", self.reservation),
            self._route(f"{at}/reservations/{{id}}/{{action}}", "POST", self.act),
            self._route(f"{at}/properties/{{id}}", "POST", self.change_property),
            self._route(f"{at}/access/{{verb}}", "POST", self.access),
            self._route(f"{at}/subscriptions", "GET", self.subscriptions),
            self._route(f"{at}/deliveries", "GET", self.deliveries),
            self._route(f"{at}/deliveries", "DELETE", self.clear_deliveries),
            self._route(f"{at}/events", "POST", self.send_event),
            self._route(f"{at}/faults", "GET", self.faults),
            self._route(f"{at}/faults", "POST", self.add_fault),
            self._route(f"{at}/faults", "DELETE", self.clear_faults),
            self._route(f"{at}/faults/clear", "POST", self.clear_faults),
            self._route(f"{at}/requests", "GET", self.requests),
            self._route(f"{at}/requests", "DELETE", self.clear_requests),
            self._route(f"{at}/seed", "POST", self.seed),
            self._route(f"{at}/reset", "POST", self.reset),
            self._route(f"{at}/{{dial}}", "GET", self.dial),
            self._route(f"{at}/{{dial}}", "POST", self.turn),
        ]

    def _route(self, path: str, verb: str, handler: Handler) -> Route:
        async def answer(request: Request) -> Response:
            is_form, wish = await _read(request)
            try:
                body = handler(request, wish)
            except Refused as refused:
                body, status = {"error": str(refused)}, 409
            else:
                status = 200
            return _page_again(wish, body) if is_form else JSONResponse(body, status)

        endpoint: Callable[[Request], Awaitable[Response]] = answer
        return Route(path, endpoint, methods=[verb])

    # What there is

    def state(self, request: Request, wish: Wish) -> Json:
        """Everything that can be turned, and the hotels."""
        store = self._world.store
        return {
            "now": self._world.clock.now().isoformat(),
            "properties": [asdict(hotel) for hotel in properties(store)],
            "dials": {name: asdict(dial) for name, dial in self._dials.items()},
            "faults": self._world.faults.listed(),
            "waiting_deliveries": store.number(
                "SELECT count(*) FROM deliveries WHERE state = 'waiting'"
            ),
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

    def deliveries(self, request: Request, wish: Wish) -> Json:
        """Webhooks, oldest first, with what became of them."""
        sql = "SELECT * FROM deliveries WHERE id > ? ORDER BY id LIMIT ?"
        rows = self._world.store.rows(sql, wish.whole("since", 0), MOST_LISTED)
        return {"deliveries": [{**dict(row), "body": _read_json(row["body"])} for row in rows]}

    def clear_deliveries(self, request: Request, wish: Wish) -> Json:
        """Forget them all, the waiting ones too."""
        return {"cleared": self._world.store.run("DELETE FROM deliveries")}

    def requests(self, request: Request, wish: Wish) -> Json:
        """Calls of the vendor's API after number ``since``, secrets masked."""
        return {"requests": self._world.log.since(wish.whole("since", 0))}

    def clear_requests(self, request: Request, wish: Wish) -> Json:
        """Forget the log."""
        self._world.log.clear()
        return {}

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

    def faults(self, request: Request, wish: Wish) -> Json:
        """The trouble in force."""
        return {"faults": self._world.faults.listed(), "kinds": list(FaultKind)}

    def add_fault(self, request: Request, wish: Wish) -> Json:
        """``kind``, and optionally ``method``, ``property_id``, ``times``, ``seconds``, ``message``."""
        if wish.text("kind") not in list(FaultKind):
            raise Refused(f"There is no such kind of fault: {', '.join(FaultKind)}.")
        fault = Fault(
            kind=FaultKind(wish.text("kind")),
            method=wish.text("method"),
            property_id=wish.text("property_id"),
            times=wish.whole("times", 0) or None,
            seconds=_number("seconds", wish.text("seconds", "30")),
            message=wish.text("message"),
        )
        self._world.faults.add(fault)
        return {"faults": self._world.faults.listed()}

    def clear_faults(self, request: Request, wish: Wish) -> Json:
        """All is well again."""
        self._world.faults.clear()
        return {"faults": []}

    def dial(self, request: Request, wish: Wish) -> Json:
        """One group of settings."""
        described: Json = asdict(self._dial(request))
        return described

    def turn(self, request: Request, wish: Wish) -> Json:
        """Change settings of a group; those not named stay."""
        dial = self._dial(request)
        for setting in fields(dial):
            if setting.name in wish.values:
                setattr(dial, setting.name, _converted(setting.name, str(setting.type), wish))
        self._world.outbox.news.set()
        return asdict(dial)

    def _dial(self, request: Request) -> Any:
        name = request.path_params["dial"]
        if name not in self._dials:
            raise Refused(f"There is no /control/{name}.")
        return self._dials[name]

    def reset(self, request: Request, wish: Wish) -> Json:
        """Clear faults and logs; ``records``: bookings, tokens and subscriptions; ``dials``: all."""
        if wish.flag("dials"):
            for name, values in self._first_dials.items():
                for setting, value in values.items():
                    setattr(self._dials[name], setting, value)
        self._world.faults.clear()
        self._world.log.clear()
        self._world.pace.forget()
        tables = ["deliveries"]
        if wish.flag("records"):
            tables += ["bookings", "stays", "guests", "custom_fields", "codes", "tokens"]
            tables += ["subscriptions"]
        with self._world.store.transaction():
            if wish.flag("records"):
                sql = "UPDATE properties SET app_state = 'installing', status = 'active',"
                self._world.store.run(f"{sql} user_active = 1")
            for table in tables:
                self._world.store.run(f"DELETE FROM {table}")  # noqa: S608 - own names only
        return {}

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
    dates = new_dates_of(world, hotel, wish)
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


async def _read(request: Request) -> tuple[bool, Wish]:
    """Whether it came from a form, and the values of form, JSON body or query."""
    raw = (await request.body()).decode("utf-8", "replace")
    if request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        return True, Wish(read_pairs(raw))
    found = _read_json(raw) if raw else read_pairs(request.url.query)
    return False, Wish(found if isinstance(found, dict) else {})


def _page_again(wish: Wish, body: Json) -> Response:
    said = {"property": wish.text("property"), "said": str(body.get("error") or "Done.")}
    return RedirectResponse(f"/?{urlencode(said)}", 303)


def _read_json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _converted(name: str, kind: str, wish: Wish) -> Any:
    text = wish.text(name)
    if kind == "bool":
        return wish.flag(name)
    if kind == "str":
        return text
    if "None" in kind and text.lower() in {"", "none", "null"}:
        return None
    number = _number(name, text)
    return number if kind == "float" else int(number)


def _number(name: str, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise Refused(f"{name} must be a number.") from None
