"""The control page at ``/``: a front desk and a box of troubles, without JavaScript."""

from __future__ import annotations

from datetime import datetime
from html import escape
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse

from pms.simulators.mews.hotels import SEASIDE_ROOMS
from pms.simulators.mews.records import (
    Enterprise,
    Integration,
    Reservation,
    Resource,
    State,
    enterprise_of,
    enterprises,
    guests_of,
    integrations,
    reservation,
    resources_of,
)
from pms.simulators.mews.trouble import FaultKind
from pms.simulators.mews.world import World
from pms.simulators.shared.desk_page import (
    box,
    choice,
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
VENDOR = "MEWS"
LIFECYCLE = (
    ("disable", "Disable"),
    ("enable", "Enable"),
    ("cancel", "Cancel"),
    ("reinstate", "Reinstate"),
    ("regenerate", "New token"),
    ("delete", "Delete"),
    ("create", "Create anew"),
)
EXPECTED = {State.INQUIRED, State.REQUESTED, State.OPTIONAL, State.CONFIRMED}


class ControlPage:
    """Renders the page for one hotel at a time."""

    def __init__(self, world: World) -> None:
        """Shows this world."""
        self._world = world

    async def __call__(self, request: Request) -> HTMLResponse:
        """The page, or what is wrong with the address."""
        wanted = request.query_params.get("property") or SEASIDE_ROOMS
        try:
            hotel = enterprise_of(self._world.store, wanted)
        except Refused as refused:
            words = f"<p>{escape(str(refused))}</p>"
            return HTMLResponse(page("Not here", words, vendor=VENDOR), 404)
        said = request.query_params.get("said", "")
        return HTMLResponse(page(hotel.name, self._body(hotel, said), vendor=VENDOR))

    def _body(self, hotel: Enterprise, said: str) -> str:
        others = " · ".join(
            f'<a href="/?property={other.id}">{escape(other.name)}</a>'
            for other in enterprises(self._world.store)
        )
        now = self._world.clock.now().astimezone(hotel.zone)
        note = f'<p class="card said" role="status">{escape(said)}</p>' if said else ""
        rooms = resources_of(self._world.store, hotel.id)
        return f"""<h1>{escape(hotel.name)} <small>{hotel.id}</small></h1>
        <p>{others}<br><small>{now:%A %Y-%m-%d %H:%M:%S} {escape(hotel.timezone)}</small></p>{note}
        {self._connection(hotel)}{_new_reservation(hotel, rooms)}
        <h2>Reservations</h2>{self._reservations(hotel, rooms)}
        <h2>Trouble</h2>{self._trouble(hotel)}
        <h2>What was sent and asked</h2>{traffic(self._world.store, self._world.log, _about)}"""

    def _connection(self, hotel: Enterprise) -> str:
        opened = [one for one in integrations(self._world.store) if hotel.id in one.enterprise_ids]
        cards = "".join(_integration(one, hotel) for one in opened)
        return f"""<section><h2>Integrations</h2>
        <p>ClientToken: <code>{escape(self._world.access.client_token)}</code>, listening live:
        {len(self._world.live)}</p>{cards}</section>"""

    def _reservations(self, hotel: Enterprise, rooms: dict[str, Resource]) -> str:
        rows = self._world.store.rows(
            "SELECT * FROM reservations WHERE enterprise_id = ?"
            " ORDER BY state IN ('Canceled', 'Processed'), starts_at, seq DESC LIMIT ?",
            hotel.id,
            SHOWN,
        )
        cards = "".join(self._card(hotel, reservation(row), rooms) for row in rows)
        empty = '<p class="dim">None yet.</p>'
        fill = button("/control/seed", "Fill the house for tonight", {"property": hotel.id})
        return f'<div class="grid">{cards}</div>{"" if cards else empty}{fill}'

    def _card(self, hotel: Enterprise, one: Reservation, rooms: dict[str, Resource]) -> str:
        guests = guests_of(self._world.store, one)
        names = ", ".join(f"{guest.first or ''} {guest.last}".strip() for guest in guests)
        room = rooms.get(one.resource_id or "")
        online = one.owner_checked_in and one.state == State.CONFIRMED
        note = ' · <strong class="ok">checked in online</strong>' if online else ""
        starts, ends = (
            f"{datetime.fromtimestamp(at, hotel.zone):%a %d %b %H:%M}"
            for at in (one.starts_at, one.ends_at)
        )
        at, mine = f"/control/reservations/{one.id}", {"property": hotel.id}
        return f"""<article class="card"><strong>{escape(names)}</strong>
        <small>{escape(one.number)}</small><br>{escape(one.state)}{_reason(one)}{note}
        <p>{escape(room.name if room else "no room")} · {starts} to {ends}</p>
        <div class="row">{_first_actions(one, at, mine)}</div>
        <details><summary>More</summary>{_more(at, mine)}</details></article>"""

    def _trouble(self, hotel: Enterprise) -> str:
        mine = {"property": hotel.id}
        modes, life, clock = self._world.webhooks, self._world.life, self._world.clock
        limits = self._world.limits
        webhooks = [
            ("url", modes.url),
            ("batch_seconds", f"{modes.batch_seconds:g}"),
            *webhook_fields(modes),
        ]
        living = [("on", yes_or_no(life.on)), ("every_seconds", f"{life.every_seconds:g}")]
        pace = [
            ("requests", str(limits.requests or "none")),
            ("window_seconds", f"{limits.window_seconds:g}"),
            ("tells_retry_after", yes_or_no(limits.tells_retry_after)),
        ]
        return f"""<div class="grid">
        {fault_section(mine, self._world.faults, FaultKind, example="services/getAll")}
        {dial_form(mine, "webhooks", "Webhooks", webhooks)}
        {dial_form(mine, "life", "Life: random events", living)}
        {dial_form(mine, "clock", "Clock", [("shift_seconds", f"{clock.shift_seconds:g}")])}
        {dial_form(mine, "limits", "Calls of one token", pace)}</div>"""


def _integration(one: Integration, hotel: Enterprise) -> str:
    mine = {"property": hotel.id, "integration": one.id}
    state = "ok" if one.state == "enabled" else "bad"
    verbs = [pair for pair in LIFECYCLE if pair[0] != "create" or one.state == "deleted"]
    buttons = "".join(button(f"/control/access/{verb}", text, mine) for verb, text in verbs)
    denied = f"<br>Denied: {escape(', '.join(one.denied))}" if one.denied else ""
    operation = text_input("operation", "Operation", "resourceAccessTokens/add")
    return f"""<p>{escape(one.name)}: <strong class="{state}">{escape(one.state)}</strong><br>
    AccessToken: <code>{escape(one.token)}</code>{denied}</p><div class="row">{buttons}</div>
    <details><summary>Deny one operation</summary>
    {form("/control/access", "deny", "Deny", mine, operation)}
    {form("/control/access", "allow", "Allow", mine, operation)}</details>"""


def _new_reservation(hotel: Enterprise, rooms: dict[str, Resource]) -> str:
    options = "".join(f"<option>{escape(room.name)}</option>" for room in rooms.values())
    states = sorted(State, key=lambda state: state is not State.CONFIRMED)
    return f"""<section><h2>New reservation</h2>
    <form method="post" action="/control/reservations">{hidden({"property": hotel.id})}
    <div class="row"><label>Guests, with commas <input name="guest" placeholder="somebody"></label>
    <label>Room <select name="room"><option value="any">any free one</option>
    <option value="">none yet</option>{options}</select></label>
    <label>Arrival <input name="arrival" value="today"></label>
    <label>Nights <input name="nights" type="number" min="1" value="2"></label>
    {choice("state", "State", states)}
    <button class="main">Book</button></div></form></section>"""


def _reason(one: Reservation) -> str:
    return f" ({escape(one.cancellation_reason)})" if one.cancellation_reason else ""


def _first_actions(one: Reservation, at: str, mine: dict[str, str]) -> str:
    if one.state == State.STARTED:
        return button(f"{at}/check-out", "Check out", mine, main=True) + button(
            f"{at}/undo-check-in", "Undo check-in", mine
        )
    if one.state in EXPECTED:
        return button(f"{at}/check-in", "Check in", mine, main=True) + button(
            f"{at}/online-check-in", "Check in online", mine
        )
    return button(f"{at}/restore", "Restore", mine)


def _more(at: str, mine: dict[str, str]) -> str:
    simple = "".join(
        button(f"{at}/{action}", text, mine)
        for action, text in (
            ("cancel", "Cancel"),
            ("no-show", "No show"),
            ("unassign", "Take the room away"),
            ("merge-guest", "Merge the guest"),
            ("anonymise-guest", "Anonymise the guest"),
        )
    )
    dates = text_input("arrival", "Arrival") + text_input("departure", "Departure")
    odd = text_input("unknown_state", "Unknown state") + box("null_enums")
    return f"""{form(at, "move", "Move", mine, text_input("room", "To room"))}
    {form(at, "dates", "Change dates", mine, dates)}
    {form(at, "state", "Set", mine, choice("state", "State", State))}
    {form(at, "add-guest", "Add guest", mine, text_input("guest", "Name"))}
    {form(at, "change-guest", "Rename", mine, text_input("first", "First name"))}
    {form(at, "add-room", "Add room", mine, text_input("room", "Room") + text_input("guest", "Guest"))}
    {form(at, "oddity", "Answer oddly", mine, odd)}
    <div class="row">{simple}</div>"""


def _about(told: dict[str, Any]) -> str:
    if "Events" in told:
        return f"{len(told['Events'])} events"
    return str(told.get("Data", {}).get("Integration", {}).get("Name", ""))
