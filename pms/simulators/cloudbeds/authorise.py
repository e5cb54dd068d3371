"""The authorise page of the OAuth redirect, where the hotel allows or denies the app."""

from __future__ import annotations

from html import escape
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from pms.simulators.cloudbeds.calls import logged
from pms.simulators.cloudbeds.forms import Params
from pms.simulators.cloudbeds.records import properties
from pms.simulators.cloudbeds.world import World
from pms.simulators.shared.clock import http_date
from pms.simulators.shared.forms import read_pairs
from pms.simulators.shared.looks import page

CARRIED = ("client_id", "redirect_uri", "response_type", "scope", "state")


class AuthorisePage:
    """``GET /api/v1.3/oauth`` shows it, ``POST`` to the same address decides.

    The decision is a form with the same fields, ``decision`` (``allow`` or ``deny``) and
    ``property_id`` (one id, or several with commas as a group account has them).
    """

    def __init__(self, world: World) -> None:
        """Serves this world."""
        self._world = world

    async def __call__(self, request: Request) -> Response:
        """Show the page, or redirect back to the app."""
        raw = (await request.body()).decode("utf-8", "replace")
        params = Params(read_pairs(raw if request.method == "POST" else request.url.query))
        response = self._faulty(params) or self._answer(request, params)
        response.headers["Date"] = http_date(self._world.clock.now())
        self._world.log.add(**logged(request, params, response))
        return response

    def _faulty(self, params: Params) -> Response | None:
        client = self._world.access.client
        if params.text("client_id") != client.id:
            return _complaint("This client_id is not registered.")
        if not client.may_return_to(params.text("redirect_uri")):
            return _complaint("This redirect_uri is not registered for the app.")
        if params.text("response_type") != "code":
            return _complaint("response_type must be code.")
        return None

    def _answer(self, request: Request, params: Params) -> Response:
        if request.method != "POST":
            return HTMLResponse(self._form(params))
        if params.text("decision") != "allow":
            denied = "The resource owner denied the request."
            return _back(params, {"error": "access_denied", "message": denied})
        known = [hotel.id for hotel in properties(self._world.store)]
        chosen = params.comma("property_id") or (known[0],)
        if not set(chosen) <= set(known):
            return _complaint("There is no such property.")
        code = self._world.access.new_code(
            redirect_uri=params.text("redirect_uri"),
            property_ids=chosen,
            scopes=params.text("scope"),
            now=self._world.clock.now(),
        )
        return _back(params, {"code": code})

    def _form(self, params: Params) -> str:
        hidden = "".join(
            f'<input type="hidden" name="{name}" value="{escape(params.text(name))}">'
            for name in CARRIED
        )
        hotels = properties(self._world.store)
        options = [(hotel.id, hotel.name) for hotel in hotels]
        options.append((",".join(hotel.id for hotel in hotels), "All of them (a group account)"))
        radios = "".join(
            _radio(value, name, index == 0) for index, (value, name) in enumerate(options)
        )
        scopes = "".join(
            f"<li><code>{escape(one)}</code></li>" for one in params.text("scope").split()
        )
        return page(
            "Allow access",
            f"""<h1>Allow access to your hotel?</h1>
            <p><strong>{escape(params.text("client_id"))}</strong> asks to connect. It wants to:</p>
            <ul class="scopes">{scopes or "<li>nothing in particular</li>"}</ul>
            <form method="post">{hidden}
            <fieldset><legend>Hotel</legend>{radios}</fieldset>
            <p class="row"><button class="main" name="decision" value="allow">Allow</button>
            <button name="decision" value="deny">Deny</button></p></form>""",
            vendor="Cloudbeds",
        )


def _radio(value: str, name: str, checked: bool) -> str:  # noqa: FBT001 - an HTML attribute
    mark = " checked" if checked else ""
    return (
        f'<label class="choice"><input type="radio" name="property_id" value="{escape(value)}"{mark}>'
        f" {escape(name)} <small>{escape(value)}</small></label>"
    )


def _back(params: Params, values: dict[str, str]) -> Response:
    state = {"state": params.text("state")} if "state" in params.values else {}
    return RedirectResponse(f"{params.text('redirect_uri')}?{urlencode(values | state)}", 302)


def _complaint(text: str) -> Response:
    body = f"<h1>Cannot authorise</h1><p>{text}</p>"
    return HTMLResponse(page("Cannot authorise", body, vendor="Cloudbeds"), 400)
