"""The control API under /control: locks and gateways on the wall, faults, the clock, what a lock holds, and figures."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from locks.simulators.shared.answers import json_answer
from locks.simulators.ttlock.actions import GATEWAY_ACTIONS, LOCK_ACTIONS, Action, read_as
from locks.simulators.ttlock.lock import Lock
from locks.simulators.ttlock.words import Refusal, WrongCommand
from locks.simulators.ttlock.world import Gateway, World

Json = dict[str, Any]
Endpoint = Callable[[World, Request, Json], Awaitable[Json]]
_LOCK_FIELDS: Json = {
    "name": "", "alias": "", "mac": "", "gateway": 0, "wifi": False, "battery": 100,
    "passcode_version": 4, "max_codes": 250, "max_cards": 1000, "raw_offset_s": 3600,
}  # fmt: skip


async def list_locks(world: World, request: Request, body: Json) -> Json:
    """GET /control/locks: every lock as it truly is, beside what the book says of it."""
    return {"locks": [truth(world, lock) for lock in world.locks.values()]}


async def add_lock(world: World, request: Request, body: Json) -> Json:
    """POST /control/locks {"alias", "gateway", …}: hang up a lock; a gateway that is not there yet comes with it."""
    if unknown := set(body) - set(_LOCK_FIELDS):
        raise WrongCommand(f"Unknown: {', '.join(sorted(unknown))}.")
    given = {name: read_as(name, body.get(name), like) for name, like in _LOCK_FIELDS.items()}
    number = world.next_number()
    offset_ms = given.pop("raw_offset_s") * 1000
    given["name"] = given["name"] or f"S31_{number % 0xFFFFFF:06x}"
    given["mac"] = given["mac"] or f"AA:BB:CC:00:00:{number % 256:02X}"
    given["alias"] = given["alias"] or given["name"]
    if given["gateway"] and given["gateway"] not in world.gateways:
        world.save_gateway(Gateway(id=given["gateway"], name=f"G2_{given['gateway']}"))
    lock = Lock(id=number, raw_offset_ms=offset_ms, wall_offset_ms=offset_ms, **given)
    world.save_lock(lock)
    return truth(world, lock) | {"said": "The lock hangs on the wall."}


async def show_lock(world: World, request: Request, body: Json) -> Json:
    """GET /control/locks/{id}: one lock as it truly is."""
    return truth(world, _lock(world, request))


async def remove_lock(world: World, request: Request, body: Json) -> Json:
    """DELETE /control/locks/{id}: take it off the wall and out of the account."""
    world.take_down(_lock(world, request))
    return {"said": "The lock is gone."}


def truth(world: World, lock: Lock) -> Json:
    """A lock as it is; ``memory`` has the book's name of what the book knows, ``book`` is what the cloud would list."""
    names = {entry.id: entry.name for entry in world.entries(lock.id)}
    memory = [asdict(held) | {"name": names.get(held.ref, "")} for held in lock.memory]
    more = {"memory": memory, "book": [asdict(entry) for entry in world.entries(lock.id)]}
    return lock.doc() | more | {"reached": world.reaches(lock)}


async def act_on_lock(world: World, request: Request, body: Json) -> Json:
    """POST /control/locks/{id}/{action}: see LOCK_ACTIONS."""
    action = _action(LOCK_ACTIONS, request)
    return action.run(world, _lock(world, request), action.read(body))


async def act_on_gateway(world: World, request: Request, body: Json) -> Json:
    """POST /control/gateways/{id}/{action}: offline or online."""
    gateway = world.gateways.get(_number(request))
    if gateway is None:
        raise WrongCommand("There is no such gateway.")
    action = _action(GATEWAY_ACTIONS, request)
    return action.run(world, gateway, action.read(body))


async def cloud(world: World, request: Request, body: Json) -> Json:
    """GET and POST /control/cloud: see Cloud."""
    for name, value in body.items():
        if name not in world.first_cloud:
            raise WrongCommand(f"Fields: {', '.join(world.first_cloud)}.")
        setattr(world.cloud, name, read_as(name, value, world.first_cloud[name]))
    return asdict(world.cloud) | {"said": "The cloud is set."}


async def clock(world: World, request: Request, body: Json) -> Json:
    """GET /control/clock; POST {"shift_s"} or {"advance_s"}: move the vendor's time, for cloud and locks alike."""
    if "advance_s" in body:
        world.shift(world.shift_s + read_as("advance_s", body["advance_s"], 0.0))
    elif "shift_s" in body:
        world.shift(read_as("shift_s", body["shift_s"], 0.0))
    return {"now_ms": world.now_ms(), "shift_s": world.shift_s, "said": "The clock is set."}


async def tokens(world: World, request: Request, body: Json) -> Json:
    """POST /control/tokens {"do": "issue"} for a pair; "expire": all access tokens run out; "revoke": all are void."""
    if body.get("do") == "issue":
        return asdict(world.issue_token(world.account.username)) | {"said": "Issued."}
    for token in list(world.tokens.values()):
        token.expires_ms = world.now_ms() - 1
        world.save_token(token)
        if body.get("do") == "revoke":
            token.refreshed = True
            world.save_token(token)
    return {"said": "Nobody's access token is good any more."}


async def receivers(world: World, request: Request, body: Json) -> Json:
    """POST /control/receivers {"username"}: someone has the vendor's app."""
    world.account.receivers.add(read_as("username", body.get("username"), ""))
    world.set("receivers", sorted(world.account.receivers))
    return {"said": "Known."}


async def figures(world: World, request: Request, body: Json) -> Json:
    """GET /control/figures: the last calls with secrets masked, callbacks, and how often a gateway was asked twice."""
    calls = {"requests": list(world.requests), "callbacks": world.callbacks}
    return calls | {"overlaps": world.overlaps}


async def reset(world: World, request: Request, body: Json) -> Json:
    """POST /control/reset: an empty wall and book, the right time, nobody signed in."""
    world.wipe()
    return {"said": "Everything is forgotten."}


def _number(request: Request) -> int:
    text: str = request.path_params["number"]
    return int(text) if text.isdigit() else 0


def _lock(world: World, request: Request) -> Lock:
    lock = world.locks.get(_number(request))
    if lock is None:
        raise WrongCommand("There is no such lock.")
    return lock


def _action(actions: dict[str, Action], request: Request) -> Action:
    action = actions.get(request.path_params["action"])
    if action is None:
        raise WrongCommand(f"Actions: {', '.join(actions)}.")
    return action


# How a control call is read and answered.


def _is_form(request: Request) -> bool:
    return request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded")


async def _read(request: Request) -> Json:
    raw = await request.body()
    try:
        if _is_form(request):
            return {name: value for name, value in parse_qsl(raw.decode()) if name != "back"}
        body = json.loads(raw or b"{}")
    except (ValueError, RecursionError):
        body = None
    if not isinstance(body, dict):
        raise WrongCommand("The body must be a JSON object.")
    return body


async def _back(request: Request, said: str) -> Response:
    """Send a browser back to the page it came from, with what happened."""
    given = dict(parse_qsl((await request.body()).decode(errors="replace"))).get("back", "/")
    local = given if given.startswith("/") and not given.startswith(("//", "/\\")) else "/"
    return RedirectResponse(f"{quote(local)}?{urlencode({'said': said})}", status_code=303)


def routes(world: World) -> list[Route]:
    """The routes of the control API."""

    def control(path: str, endpoint: Endpoint, *methods: str) -> Route:
        async def answer(request: Request) -> Response:
            try:
                doc, status = await endpoint(world, request, await _read(request)), 200
            except WrongCommand as wrong:
                doc, status = {"said": str(wrong)}, 409
            except Refusal as refusal:
                doc, status = refusal.body() | {"said": refusal.body()["errmsg"]}, 409
            return (
                await _back(request, str(doc["said"]))
                if _is_form(request)
                else json_answer(doc, status=status)
            )

        return Route(f"/control{path}", answer, methods=list(methods))

    return [
        control("/locks", list_locks, "GET"),
        control("/locks", add_lock, "POST"),
        control("/locks/{number}", show_lock, "GET"),
        control("/locks/{number}", remove_lock, "DELETE"),
        control("/locks/{number}/{action}", act_on_lock, "POST"),
        control("/gateways/{number}/{action}", act_on_gateway, "POST"),
        control("/cloud", cloud, "GET", "POST"),
        control("/clock", clock, "GET", "POST"),
        control("/tokens", tokens, "POST"),
        control("/receivers", receivers, "POST"),
        control("/figures", figures, "GET"),
        control("/reset", reset, "POST"),
    ]
