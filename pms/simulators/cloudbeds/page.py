"""The control page at ``/``: a front desk and a box of troubles, without JavaScript."""

from __future__ import annotations

from html import escape
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse

from pms.simulators.cloudbeds.hotels import HARBOR_HOUSE
from pms.simulators.cloudbeds.records import (
    Booking,
    BookingStatus,
    Property,
    Room,
    RoomStatus,
    Stay,
    bookings,
    properties,
    property_of,
    rooms_of,
)
from pms.simulators.cloudbeds.trouble import FaultKind
from pms.simulators.cloudbeds.world import World
from pms.simulators.shared.clock import local_today
from pms.simulators.shared.desk_page import (
    box,
    dial_form,
    fault_section,
    form,
    text_input,
    traffic,
    webhook_fields,
    yes_or_no,
)
from pms.simulators.shared.looks import button, hidden, page
from pms.simulators.shared.wishes import Refused

SHOWN = 60
OVER = {BookingStatus.CANCELED, BookingStatus.NO_SHOW, BookingStatus.CHECKED_OUT}


class ControlPage:
    """Renders the page for one hotel at a time."""

    def __init__(self, world: World) -> None:
        """Shows this world."""
        self._world = world

    async def __call__(self, request: Request) -> HTMLResponse:
        """The page, or what is wrong with the address."""
        try:
            hotel = property_of(
                self._world.store, request.query_params.get("property") or HARBOR_HOUSE
            )
        except Refused as refused:
            return HTMLResponse(
                page("Not here", f"<p>{escape(str(refused))}</p>", vendor="Cloudbeds"), 404
            )
        said = request.query_params.get("said", "")
        return HTMLResponse(page(hotel.name, self._body(hotel, said), vendor="Cloudbeds"))

    def _body(self, hotel: Property, said: str) -> str:
        others = " · ".join(
            f'<a href="/?property={other.id}">{escape(other.name)}</a>'
            for other in properties(self._world.store)
        )
        now = self._world.clock.now().astimezone(hotel.zone)
        note = f'<p class="card said" role="status">{escape(said)}</p>' if said else ""
        rooms = rooms_of(self._world.store, hotel.id)
        return f"""<h1>{escape(hotel.name)} <small>{hotel.id}</small></h1>
        <p>{others}<br><small>{now:%A %Y-%m-%d %H:%M:%S} {escape(hotel.timezone)}</small></p>{note}
        {self._connection(hotel)}{_new_booking(hotel, rooms)}
        <h2>Reservations</h2>{self._bookings(hotel, rooms)}
        <h2>Trouble</h2>{self._trouble(hotel)}
        <h2>What was sent and asked</h2>{traffic(self._world.store, self._world.log, _about)}"""

    def _connection(self, hotel: Property) -> str:
        mine = {"property": hotel.id}
        state = "ok" if hotel.app_state == "enabled" else "bad"
        listening = self._world.store.number(
            "SELECT count(*) FROM subscriptions WHERE property_id = ?", hotel.id
        )
        return f"""<section><h2>Connection of the app</h2>
        <p>App state: <strong class="{state}">{hotel.app_state}</strong>, webhook subscriptions:
        {listening}</p><div class="row">
        {button("/control/access/revoke", "Revoke access", mine, main=True)}
        {button("/control/access/revoke", "Revoke, tell nobody", mine | {"announce": "no"})}
        {button("/control/access/restore", "Take the revocation back", mine)}
        {button("/control/access/expire", "Expire the access token", mine)}
        </div></section>"""

    def _bookings(self, hotel: Property, rooms: dict[str, Room]) -> str:
        rows = self._world.store.rows(
            "SELECT id FROM bookings WHERE property_id = ? AND is_deleted = 0"
            " ORDER BY check_in < ?, status IN ('canceled', 'no_show', 'checked_out'),"
            " check_in, id DESC LIMIT ?",
            hotel.id,
            str(local_today(self._world.clock.now(), hotel.zone)),
            SHOWN,
        )
        found = bookings(self._world.store, [row["id"] for row in rows])
        cards = "".join(_card(booking, rooms) for booking in found)
        empty = '<p class="dim">None yet.</p>'
        fill = button("/control/seed", "Fill the house for tonight", {"property": hotel.id})
        return f'<div class="grid">{cards}</div>{"" if cards else empty}{fill}'

    def _trouble(self, hotel: Property) -> str:
        answers = fault_section(
            {"property": hotel.id}, self._world.faults, FaultKind, example="getReservation"
        )
        return f'<div class="grid">{answers}{self._dials(hotel)}</div>'

    def _dials(self, hotel: Property) -> str:
        modes, life, clock = self._world.webhooks, self._world.life, self._world.clock
        limits, mine = self._world.limits, {"property": hotel.id}
        return (
            dial_form(mine, "webhooks", "Webhooks", webhook_fields(modes))
            + dial_form(
                mine,
                "life",
                "Life: random events",
                [("on", yes_or_no(life.on)), ("every_seconds", f"{life.every_seconds:g}")],
            )
            + dial_form(mine, "clock", "Clock", [("shift_seconds", f"{clock.shift_seconds:g}")])
            + dial_form(
                mine,
                "limits",
                "Calls a second",
                [
                    ("per_second", str(limits.per_second or "none")),
                    ("retry_after", str(limits.retry_after or "none")),
                ],
            )
        )


def _new_booking(hotel: Property, rooms: dict[str, Room]) -> str:
    options = "".join(f"<option>{escape(room.name)}</option>" for room in rooms.values())
    states = sorted(BookingStatus, key=lambda status: status != BookingStatus.CONFIRMED)
    choices = "".join(f"<option>{status}</option>" for status in states)
    return f"""<section><h2>New reservation</h2>
    <form method="post" action="/control/reservations">{hidden({"property": hotel.id})}
    <div class="row"><label>Guests, with commas <input name="guest" placeholder="somebody"></label>
    <label>Room <select name="room"><option value="any">any free one</option>
    <option value="">none yet</option>{options}</select></label>
    <label>Arrival <input name="arrival" value="today"></label>
    <label>Nights <input name="nights" type="number" min="1" value="2"></label>
    <label>Status <select name="status">{choices}</select></label>
    <button class="main">Book</button></div></form></section>"""


def _card(booking: Booking, rooms: dict[str, Room]) -> str:
    lines = "".join(_stay_line(stay, rooms) for stay in booking.stays)
    online = booking.fields.get("online_checkin", "")
    note = ' · <strong class="ok">checked in online</strong>' if online else ""
    at = f"/control/reservations/{booking.id}"
    mine = {"property": booking.property_id}
    first = _first_actions(booking, at, mine)
    return f"""<article class="card"><strong>{escape(booking.guests[0].name if booking.guests else "")}
    </strong> <small>{booking.id}</small><br>{booking.status}{note}{lines}
    <div class="row">{first}</div><details><summary>More</summary>{_more(booking, at, mine)}</details>
    </article>"""


def _first_actions(booking: Booking, at: str, mine: dict[str, str]) -> str:
    states = {stay.status for stay in booking.stays}
    if booking.status in OVER:
        return button(f"{at}/restore", "Restore", mine)
    buttons = ""
    if RoomStatus.NOT_CHECKED_IN in states:
        buttons += button(f"{at}/check-in", "Check in", mine, main=True)
        buttons += button(f"{at}/online-check-in", "Check in online", mine)
    if RoomStatus.IN_HOUSE in states:
        buttons += button(f"{at}/check-out", "Check out", mine, main=True)
        buttons += button(f"{at}/undo-check-in", "Undo check-in", mine)
    return buttons


def _more(booking: Booking, at: str, mine: dict[str, str]) -> str:
    stays = "".join(f"<option>{stay.id}</option>" for stay in booking.stays)
    which = f'<label>Stay <select name="stay">{stays}</select></label>'
    simple = "".join(
        button(f"{at}/{action}", text, mine)
        for action, text in (
            ("cancel", "Cancel"),
            ("no-show", "No show"),
            ("unassign", "Take the room away"),
            ("restore", "Restore"),
            ("delete", "Delete"),
        )
    )
    return f"""{form(at, "move", "Move", mine, which + text_input("room", "To room"))}
    {form(at, "dates", "Change dates", mine, which + text_input("arrival", "Arrival") + text_input("departure", "Departure"))}
    {form(at, "add-guest", "Add guest", mine, which + text_input("guest", "Name"))}
    {form(at, "add-room", "Add room", mine, text_input("room", "Room") + text_input("guest", "Guest"))}
    {form(at, "oddity", "Answer oddly", mine, text_input("unknown_status", "Unknown status") + box("room_id_missing") + box("empty_guest_list"))}
    <div class="row">{simple}</div>"""


def _stay_line(stay: Stay, rooms: dict[str, Room]) -> str:
    room = rooms[stay.room_id].name if stay.room_id else "no room"
    names = ", ".join(guest.name for guest in stay.guests)
    return (
        f"<p>{escape(room)} · {stay.status} · {stay.starts_on} to {stay.ends_on}"
        f"<br><small>{escape(names)}</small></p>"
    )


def _about(told: dict[str, Any]) -> str:
    keys = ("reservationID", "reservationId", "guestId_str", "newState")
    return next((str(told[key]) for key in keys if key in told), "")
