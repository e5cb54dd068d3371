"""The control API under /control: locks on the wall, faults, the clock, what a lock holds, and the figures."""

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
from locks.simulators.simlock.actions import GATEWAY_ACTIONS, LOCK_ACTIONS
from locks.simulators.simlock.answers import refusal_answer
from locks.simulators.simlock.encoder import ENCODER_ACTIONS, encoder_of
from locks.simulators.simlock.fields import Field, FieldType
from locks.simulators.simlock.lock import Lock
from locks.simulators.simlock.store import credential_doc
from locks.simulators.simlock.words import Code, Kind, Refusal, parse_time, say_time
from locks.simulators.simlock.world import Gateway, World

Endpoint = Callable[[World, Request], Awaitable[dict[str, Any]]]
MAX_LOCKS = 20_000

_TEXT, _BOOL, _INT, _FLOAT = FieldType.TEXT, FieldType.BOOL, FieldType.INT, FieldType.FLOAT
_LOCK_FIELDS = {
    "id": _TEXT,
    "name": _TEXT,
    "gateway": _TEXT,
    "model": _TEXT,
    "native_window": _BOOL,
    "whole_hours": _BOOL,
    "masked": _BOOL,
    "signals": _BOOL,
    "code_min": _INT,
    "code_max": _INT,
    "max_codes": _INT,
    "battery": _INT,
    "clock_offset_s": _FLOAT,
}
_CLOUD_FIELDS = {
    "latency_ms": _FLOAT,
    "reject_token": _BOOL,
    "outage": _TEXT,
    "hang_s": _FLOAT,
    "rate_limit": _INT,
    "retry_after_s": _FLOAT,
}
OUTAGES = ("", "error", "drop", "hang")


async def list_locks(world: World, request: Request) -> dict[str, Any]:
    """GET /control/locks: every lock as it truly is."""
    return {"locks": [truth(world, lock) for lock in world.locks.values()]}


async def add_locks(world: World, request: Request) -> dict[str, Any]:
    """POST /control/locks {"locks": [{"id", "name", …}]}: hang up locks, or change the ones that hang there."""
    body = await _read(request)
    docs = body.get("locks")
    if not isinstance(docs, list) or len(docs) > MAX_LOCKS:
        raise Refusal(Code.BAD_REQUEST, "locks must be a list of objects.")
    locks = [_read_lock(doc) for doc in docs]
    with world.store.transaction():
        for lock_id, properties in locks:
            world.hang_up(lock_id, properties)
    return {"said": f"{len(locks)} lock(s) hang on the wall.", "locks": [each for each, _ in locks]}


def _read_lock(doc: Any) -> tuple[str, dict[str, Any]]:
    if not isinstance(doc, dict) or not doc.get("id"):
        raise Refusal(Code.BAD_REQUEST, "Each lock needs an id.")
    unknown = set(doc) - set(_LOCK_FIELDS) - {"kinds"}
    if unknown:
        raise Refusal(Code.BAD_REQUEST, f"Unknown: {', '.join(sorted(unknown))}.")
    given = {name: _as(_LOCK_FIELDS[name], name, doc[name]) for name in doc if name != "kinds"}
    if "kinds" in doc:
        given["kinds"] = _read_kinds(doc["kinds"])
    if "/" in given["id"] + given.get("gateway", ""):
        raise Refusal(Code.BAD_REQUEST, "The id of a lock or gateway holds no slash.")
    return given["id"], given


def _as(type_: FieldType, name: str, value: Any) -> Any:
    default = "" if type_ is FieldType.TEXT else None
    return Field(name=name, type=type_, default=default).read(value)


def _read_kinds(given: Any) -> tuple[Kind, ...]:
    try:
        return tuple(Kind(kind) for kind in given)
    except (TypeError, ValueError):
        raise Refusal(Code.BAD_REQUEST, f"kinds are {', '.join(Kind)}.") from None


async def show_lock(world: World, request: Request) -> dict[str, Any]:
    """GET /control/locks/{id}: one lock as it truly is."""
    return truth(world, world.lock(request.path_params["lock_id"]))


async def remove_lock(world: World, request: Request) -> dict[str, Any]:
    """DELETE /control/locks/{id}: take a lock off the wall; the vendor API answers lock_not_found then."""
    world.remove_lock(world.lock(request.path_params["lock_id"]))
    return {"said": "The lock is gone."}


async def show_memory(world: World, request: Request) -> dict[str, Any]:
    """GET /control/locks/{id}/memory: exactly what the lock holds, whether anyone can reach it or not."""
    lock = world.lock(request.path_params["lock_id"])
    return {"lock_id": lock.id, "credentials": memory(world, lock)}


async def show_memories(world: World, request: Request) -> dict[str, Any]:
    """GET /control/memory: what all locks hold, by lock."""
    return {"locks": {lock.id: memory(world, lock) for lock in world.locks.values()}}


def memory(world: World, lock: Lock) -> list[dict[str, Any]]:
    """What a lock holds, with ``opens_now``: would it open at this moment, by the lock's clock?"""
    now = world.now()
    return [
        credential_doc(held) | {"opens_now": lock.judge(held.kind, held.value, now=now).opened}
        for held in lock.memory.values()
    ]


def truth(world: World, lock: Lock) -> dict[str, Any]:
    """A lock as it is, beside what the vendor's cloud believes."""
    return {
        "id": lock.id,
        "name": lock.name,
        "model": lock.model,
        "gateway": lock.gateway,
        "kinds": list(lock.kinds),
        "native_window": lock.native_window,
        "whole_hours": lock.whole_hours,
        "masked": lock.masked,
        "signals": lock.signals,
        "code_min": lock.code_min,
        "code_max": lock.code_max,
        "max_codes": lock.max_codes,
        "battery": lock.battery,
        "clock_offset_s": lock.clock_offset_s,
        "master_code": lock.master_code,
        "lock_time": say_time(lock.clock(world.now())),
        "online": lock.online,
        "seen_online": lock.seen_online,
        "reachable": world.reaches(lock),
        "held": len(lock.memory),
        "on_their_way": world.landings_of(lock),
        "faults": asdict(lock.faults),
    }


async def act_on_lock(world: World, request: Request) -> dict[str, Any]:
    """POST /control/locks/{id}/{action}: see LOCK_ACTIONS."""
    lock = world.lock(request.path_params["lock_id"])
    action = LOCK_ACTIONS.get(request.path_params["action"])
    if action is None:
        raise Refusal(Code.BAD_REQUEST, f"Actions: {', '.join(LOCK_ACTIONS)}.")
    return action.run(world, lock, action.read(await _read(request)))


async def act_on_locks(world: World, request: Request) -> dict[str, Any]:
    """POST /control/actions {"action", "locks": [ids] or "all", "values": {…}}: the same for many locks at once."""
    body = await _read(request)
    action = LOCK_ACTIONS.get(str(body.get("action")))
    if action is None:
        raise Refusal(Code.BAD_REQUEST, f"Actions: {', '.join(LOCK_ACTIONS)}.")
    named = list(world.locks) if body.get("locks") == "all" else body.get("locks")
    if not isinstance(named, list):
        raise Refusal(Code.BAD_REQUEST, "locks must be a list of ids or all.")
    locks, values = [world.lock(str(each)) for each in named], action.read(body.get("values") or {})
    with world.store.transaction():
        results = {lock.id: action.run(world, lock, values) for lock in locks}
    return {"said": f"Done to {len(results)} lock(s).", "locks": results}


async def list_gateways(world: World, request: Request) -> dict[str, Any]:
    """GET /control/gateways."""
    return {"gateways": [gateway.doc() for gateway in world.gateways.values()]}


async def act_on_gateway(world: World, request: Request) -> dict[str, Any]:
    """POST /control/gateways/{id}/{action}: see GATEWAY_ACTIONS."""
    action = GATEWAY_ACTIONS.get(request.path_params["action"])
    if action is None:
        raise Refusal(Code.BAD_REQUEST, f"Actions: {', '.join(GATEWAY_ACTIONS)}.")
    return action.run(world, _gateway(world, request), action.read(await _read(request)))


def _gateway(world: World, request: Request) -> Gateway:
    try:
        return world.gateways[request.path_params["gateway_id"]]
    except KeyError:
        raise Refusal(Code.LOCK_NOT_FOUND, "There is no such gateway.") from None


async def show_encoder(world: World, request: Request) -> dict[str, Any]:
    """GET /control/encoder: the card encoder with its stock of cards and those that were written whole."""
    return encoder_of(world).doc()


async def act_on_encoder(world: World, request: Request) -> dict[str, Any]:
    """POST /control/encoder/{action}: see ENCODER_ACTIONS."""
    action = ENCODER_ACTIONS.get(request.path_params["action"])
    if action is None:
        raise Refusal(Code.BAD_REQUEST, f"Actions: {', '.join(ENCODER_ACTIONS)}.")
    return action.run(world, encoder_of(world), action.read(await _read(request)))


async def show_cloud(world: World, request: Request) -> dict[str, Any]:
    """GET /control/cloud: troubles of the vendor's cloud as a whole."""
    return asdict(world.cloud)


async def set_cloud(world: World, request: Request) -> dict[str, Any]:
    """POST /control/cloud: any of latency_ms, reject_token, outage, hang_s, rate_limit, retry_after_s."""
    for name, value in (await _read(request)).items():
        if name not in _CLOUD_FIELDS or (name == "outage" and value not in OUTAGES):
            raise Refusal(Code.BAD_REQUEST, f"Fields: {', '.join(_CLOUD_FIELDS)}.")
        setattr(world.cloud, name, _as(_CLOUD_FIELDS[name], name, value))
    world.store.save_setting("latency_ms", str(world.cloud.latency_ms))
    return asdict(world.cloud) | {"said": "The cloud is set."}


async def show_clock(world: World, request: Request) -> dict[str, Any]:
    """GET /control/clock: the simulated true time."""
    return {"now": say_time(world.now()), "offset_s": world.clock_offset_s}


async def set_clock(world: World, request: Request) -> dict[str, Any]:
    """POST /control/clock with one of {"offset_s"}, {"advance_s"}, {"now"}: move time for all locks."""
    body = await _read(request)
    offset = world.clock_offset_s
    if body.get("now"):
        moment = parse_time(body["now"], field="now") or world.now()
        offset += (moment - world.now()).total_seconds()
    elif "advance_s" in body:
        offset += _as(_FLOAT, "advance_s", body["advance_s"])
    else:
        offset = _as(_FLOAT, "offset_s", body.get("offset_s"))
    world.set_clock(offset_s=_as(_FLOAT, "offset_s", offset))
    return await show_clock(world, request) | {"said": "The clock is set."}


async def reset(world: World, request: Request) -> dict[str, Any]:
    """POST /control/reset: an empty wall, no events, the right time."""
    world.wipe()
    return {"said": "Everything is forgotten."}


async def show_stats(world: World, request: Request) -> dict[str, Any]:
    """GET /control/stats?requests=N: writes, overlaps, duplicate live codes and the last N requests."""
    number = Field(name="requests", type=_INT, default=100).read(
        request.query_params.get("requests")
    )
    return world.figures(requests=max(0, number))


async def reset_stats(world: World, request: Request) -> dict[str, Any]:
    """POST /control/stats/reset: count from zero."""
    world.reset_figures()
    return {"said": "The figures are zero."}


# How a control call is read and answered.


def _is_form(request: Request) -> bool:
    return request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded")


async def _read(request: Request) -> dict[str, Any]:
    """The body, JSON or a form. A form's ``back`` is where the browser goes next, not a value."""
    raw = await request.body()
    try:
        if _is_form(request):
            return {k: v for k, v in parse_qsl(raw.decode()) if k != "back"}
        body = json.loads(raw or b"{}")
    except (ValueError, RecursionError):
        body = None
    if not isinstance(body, dict):
        raise Refusal(Code.BAD_REQUEST, "The body must be a JSON object.")
    return body


async def _back(request: Request, said: str) -> Response:
    """Send a browser back to the page it came from, with what happened."""
    given = dict(parse_qsl((await request.body()).decode(errors="replace"))).get("back", "/")
    local = given if given.startswith("/") and not given.startswith(("//", "/\\")) else "/"
    path, _, query = local.partition("?")
    kept = [(name, value) for name, value in parse_qsl(query) if name != "said"]
    target = f"{quote(path)}?{urlencode([*kept, ('said', said)])}"
    return RedirectResponse(target, status_code=303)


def routes(world: World) -> list[Route]:
    """The routes of the control API."""

    def control(path: str, endpoint: Endpoint, method: str) -> Route:
        async def answer(request: Request) -> Response:
            try:
                doc = await endpoint(world, request)
            except Refusal as refusal:
                return (
                    await _back(request, refusal.message)
                    if _is_form(request)
                    else refusal_answer(refusal)
                )
            return await _back(request, doc["said"]) if _is_form(request) else json_answer(doc)

        return Route(f"/control{path}", answer, methods=[method], name=endpoint.__name__)

    return [
        control("/locks", list_locks, "GET"),
        control("/locks", add_locks, "POST"),
        control("/locks/{lock_id}", show_lock, "GET"),
        control("/locks/{lock_id}", remove_lock, "DELETE"),
        control("/locks/{lock_id}/memory", show_memory, "GET"),
        control("/locks/{lock_id}/{action}", act_on_lock, "POST"),
        control("/memory", show_memories, "GET"),
        control("/actions", act_on_locks, "POST"),
        control("/gateways", list_gateways, "GET"),
        control("/gateways/{gateway_id}/{action}", act_on_gateway, "POST"),
        control("/encoder", show_encoder, "GET"),
        control("/encoder/{action}", act_on_encoder, "POST"),
        control("/cloud", show_cloud, "GET"),
        control("/cloud", set_cloud, "POST"),
        control("/clock", show_clock, "GET"),
        control("/clock", set_clock, "POST"),
        control("/reset", reset, "POST"),
        control("/stats", show_stats, "GET"),
        control("/stats/reset", reset_stats, "POST"),
    ]
