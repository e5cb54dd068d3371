"""The control interface: the front desk, and the trouble, as JSON below ``/control/``."""

from __future__ import annotations

import json
from dataclasses import asdict
from zoneinfo import available_timezones

from starlette.requests import Request
from starlette.routing import BaseRoute

from pms.simulators.mews import demo, described, hotels
from pms.simulators.mews.access import ACTIONS as LIFECYCLE
from pms.simulators.mews.actions import ACTIONS
from pms.simulators.mews.desk import write
from pms.simulators.mews.records import (
    Reservation,
    enterprise_of,
    enterprises,
    integrations,
    reservation,
    reservation_of,
    resources_of,
)
from pms.simulators.mews.wishes import (
    hotel_of,
    parties_of,
    sheet_of,
    times_of,
)
from pms.simulators.mews.world import World
from pms.simulators.shared.control import Controls, Json
from pms.simulators.shared.store import Value
from pms.simulators.shared.wishes import Refused, Wish

RECORDS = ("reservations", "groups", "companionships", "customers", "blocks", "door_tokens")
HOTEL_COLUMNS = ("name", "timezone", "starts", "ends", "is_active")
SAME_AS = {"revoke": "disable", "restore": "enable"}


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
            self.route("rooms/{id}", "POST", self.change_room),
            self.route("reservations", "GET", self.reservations),
            self.route("reservations", "POST", self.book),
            self.route("reservations/{id}", "GET", self.reservation),
            self.route("reservations/{id}/{action}", "POST", self.act),
            self.route("blocks", "POST", self.block),
            self.route("blocks/{id}/delete", "POST", self.unblock),
            self.route("properties/{id}", "POST", self.change_property),
            self.route("access/{verb}", "POST", self.access),
            self.route("live/close", "POST", self.close_live),
            self.route("events", "POST", self.send_event),
            self.route("seed", "POST", self.seed),
            *self.common_routes(),
        ]

    # What there is

    def state(self, request: Request, wish: Wish) -> Json:
        """Everything that can be turned, the hotels, and the tokens that open them."""
        store = self._world.store
        return {
            **self.common_state(),
            "client_token": self._world.access.client_token,
            "properties": [asdict(hotel) for hotel in enterprises(store)],
            "integrations": [described.integration(one) for one in integrations(store)],
            "listeners": len(self._world.live),
            "reservations": store.number("SELECT count(*) FROM reservations"),
        }

    def rooms(self, request: Request, wish: Wish) -> Json:
        """The rooms and beds of a hotel."""
        hotel = hotel_of(self._world, wish)
        rooms = resources_of(self._world.store, hotel.id).values()
        return {"property": hotel.id, "rooms": [asdict(room) for room in rooms]}

    def reservations(self, request: Request, wish: Wish) -> Json:
        """The reservations of a hotel, newest first."""
        hotel = hotel_of(self._world, wish)
        sql = "SELECT * FROM reservations WHERE enterprise_id = ? ORDER BY seq DESC LIMIT ?"
        rows = self._world.store.rows(sql, hotel.id, wish.whole("limit", 200))
        return {"reservations": [self._described(reservation(row)) for row in rows]}

    def reservation(self, request: Request, wish: Wish) -> Json:
        """One reservation, by id or number."""
        return self._described(reservation_of(self._world.store, request.path_params["id"]))

    # The front desk

    def book(self, request: Request, wish: Wish) -> Json:
        """A new booking, or ``count`` of them; the answer is the last one's first reservation.

        ``made`` are the ids of all reservations, ``group`` those of the last booking.
        """
        hotel = hotel_of(self._world, wish)
        made: list[Reservation] = []
        last: list[Reservation] = []
        with self._world.store.transaction():
            for _ in range(wish.whole("count", 1)):
                parties = parties_of(self._world, hotel, wish)
                last = self._world.desk.book(hotel, sheet_of(wish), parties, wish.manner())
                made += last
        if not last:
            raise Refused("count must be at least 1.")
        ids = {"made": [one.id for one in made], "group": [one.id for one in last]}
        return {**self._described(last[0]), **ids}

    def act(self, request: Request, wish: Wish) -> Json:
        """One action of the front desk on a reservation."""
        action = ACTIONS.get(request.path_params["action"])
        if action is None:
            raise Refused(f"There is no action {request.path_params['action']}: {sorted(ACTIONS)}.")
        wanted = reservation_of(self._world.store, request.path_params["id"])
        done = action(self._world, wanted, wish)
        return self._described(reservation_of(self._world.store, done.id))

    def change_room(self, request: Request, wish: Wish) -> Json:
        """``name``, ``state`` (``Dirty``, ``Clean``, ...) and ``is_active`` of a room or bed."""
        hotel = hotel_of(self._world, wish)
        values: dict[str, Value] = {
            name: wish.text(name) for name in ("name", "state") if wish.text(name)
        }
        if "is_active" in wish.values:
            values["is_active"] = int(wish.flag("is_active"))
        room = request.path_params["id"]
        changed = self._world.registry.change_room(hotel.id, room, values, wish.manner())
        return asdict(changed)

    def block(self, request: Request, wish: Wish) -> Json:
        """Take ``room`` out of sale: ``type`` is ``OutOfOrder`` or ``InternalUse``."""
        hotel = hotel_of(self._world, wish)
        block_id = self._world.registry.block(
            hotel.id,
            wish.text("room"),
            kind=wish.text("type", "OutOfOrder"),
            name=wish.text("name", "Maintenance"),
            times=times_of(self._world, hotel, wish),
            manner=wish.manner(),
        )
        return {"id": block_id}

    def unblock(self, request: Request, wish: Wish) -> Json:
        """Put the room back."""
        self._world.registry.unblock(request.path_params["id"], wish.manner())
        return {}

    def change_property(self, request: Request, wish: Wish) -> Json:
        """``name``, ``timezone``, ``starts`` and ``ends`` (``HH:MM``), ``is_active``."""
        hotel = enterprise_of(self._world.store, request.path_params["id"])
        if wish.text("timezone") and wish.text("timezone") not in available_timezones():
            raise Refused(f"There is no time zone {wish.text('timezone')}.")
        values: dict[str, Value] = {
            name: int(wish.flag(name)) if name == "is_active" else wish.text(name)
            for name in HOTEL_COLUMNS
            if name in wish.values
        }
        values["updated_at"] = self._world.clock.now().timestamp()
        write(self._world.store, "enterprises", hotel.id, values)
        return asdict(enterprise_of(self._world.store, hotel.id))

    def seed(self, request: Request, wish: Wish) -> Json:
        """Guests in house, arriving tonight and tomorrow, as far as they are missing."""
        return {"made": demo.top_up(self._world, hotel_of(self._world, wish))}

    # Trouble

    def access(self, request: Request, wish: Wish) -> Json:
        """The life of an integration, named by ``integration`` or ``property``; ``announce`` or not.

        ``disable`` (also ``revoke``), ``enable`` (``restore``), ``cancel``, ``reinstate``,
        ``delete``, ``create``, ``regenerate``; ``deny`` and ``allow`` with an ``operation``.
        """
        world, now = self._world, self._world.clock.now()
        verb = SAME_AS.get(request.path_params["verb"], request.path_params["verb"])
        announce = wish.flag("announce", default=True)
        wanted = wish.text("integration") or hotel_of(world, wish).id
        if verb == "create":
            hotel = hotel_of(world, wish)
            return described.integration(world.access.create(hotel.id, now, announce=announce))
        one = world.access.of(wanted)
        if verb in LIFECYCLE:
            world.access.change(one, verb, announce=announce)
        elif verb == "delete":
            world.access.delete(one, now, announce=announce)
        elif verb == "regenerate":
            world.access.regenerate(one, announce=announce)
        elif verb in {"deny", "allow"}:
            others = [name for name in one.denied if name != wish.text("operation")]
            more = [wish.text("operation")] if verb == "deny" else []
            world.access.deny(one, others + more)
        else:
            verbs = sorted({*LIFECYCLE, "delete", "regenerate", "create", "deny", "allow"})
            raise Refused(f"There is no access/{verb}: {', '.join(verbs)}.")
        if verb in {"disable", "cancel", "delete", "regenerate"}:
            world.live.close(one.id)
        return described.integration(world.access.of(one.id))

    def close_live(self, request: Request, wish: Wish) -> Json:
        """Break the open WebSocket connections, of one ``integration`` or all."""
        return {"closed": self._world.live.close(wish.text("integration"))}

    def send_event(self, request: Request, wish: Wish) -> Json:
        """Send any ``body`` to the webhook address: forged, broken, of nobody."""
        body = wish.values.get("body", "")
        self._world.outbox.post_raw(body if isinstance(body, str) else json.dumps(body))
        return {}

    def forget_records(self) -> None:
        """No reservations and guests; the hotels, their rooms and integrations as on day one."""
        store = self._world.store
        built = ("enterprises", "categories", "resources", "assignments", "integrations")
        for table in (*RECORDS, *built):
            store.run(f"DELETE FROM {table}")  # noqa: S608 - own names only
        hotels.found_hotels(store, timezone=self._world.options.timezone)
        self._world.outbox.forget()
        self._world.live.close()

    def _described(self, one: Reservation) -> Json:
        return described.described(self._world.store, one)
