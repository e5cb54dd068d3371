"""The vendor API: who may call, by which verb, and what becomes of the call.

The current SDK gets and lists with GET, updates with PATCH, deletes with DELETE; older ones POST everything.
"""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from locks.simulators.seam import book, webhooks
from locks.simulators.seam.bodies import attempt_doc, code_doc, device_doc
from locks.simulators.seam.records import Attempt, Device
from locks.simulators.seam.words import (
    Garbage,
    NoAnswer,
    Refusal,
    Silence,
    invalid,
    not_found,
    read_time,
    say_time,
)
from locks.simulators.seam.world import World
from locks.simulators.shared.answers import Silent, json_answer

Given = Mapping[str, Any]
Call = Callable[[World, Given], dict[str, Any]]
HTML = b"<!doctype html><html><body><h1>It works!</h1></body></html>"
HANG_S = 30.0
MOST_EVENTS = 1000
SECRETS = {"code", "secret"}


def list_devices(world: World, given: Given) -> dict[str, Any]:
    """/devices/list and /locks/list."""
    there = [each for each in world.devices.values() if not each.removed]
    page, pagination = book.paged(there, given, path="/devices/list")
    return {"devices": [device_doc(world, each) for each in page], "pagination": pagination}


def get_device(world: World, given: Given) -> dict[str, Any]:
    """/devices/get and /locks/get."""
    return {"device": device_doc(world, world.device(given.get("device_id")))}


def act(action: str) -> Call:
    """/locks/unlock_door and /locks/lock_door: an attempt that is pending at first."""

    def call(world: World, given: Given) -> dict[str, Any]:
        device = world.device(given.get("device_id"))
        world.spend(device, "unlock")
        due_at = world.now() + timedelta(seconds=device.latency_s)
        attempt = Attempt(
            attempt_id=str(uuid4()), device_id=device.device_id, action=action, due_at=due_at
        )
        world.keep(attempt)
        world.wake()
        return {"action_attempt": attempt_doc(attempt)}

    return call


def get_attempt(world: World, given: Given) -> dict[str, Any]:
    """/action_attempts/get."""
    attempt = world.attempts.get(str(given.get("action_attempt_id")))
    if attempt is None:
        raise not_found("action_attempt")
    return {"action_attempt": attempt_doc(attempt)}


def list_events(world: World, given: Given) -> dict[str, Any]:
    """/events/list since a time, or between two, newest first."""
    after, before = _span(given)
    wanted = _many(given, "event_types") or _many(given, "event_type")
    devices = _many(given, "device_ids") or _many(given, "device_id")
    docs = [
        doc
        for doc in world.store.events(after=after, before=before)
        if (not wanted or doc["event_type"] in wanted)
        and (not devices or doc.get("device_id") in devices)
    ]
    limit = min(MOST_EVENTS, int(float(given.get("limit") or MOST_EVENTS)))
    start = int(float(given.get("unstable_offset") or 0))
    return {"events": docs[start : start + limit]}


def _span(given: Given) -> tuple[datetime, datetime | None]:
    between = _many(given, "between")
    since = given.get("since") or (between[0] if between else None)
    after = read_time(since, field="since")
    if after is None:
        raise invalid("since", "Give since or between.")
    before = read_time(between[1], field="between") if len(between) == 2 else None
    return after, before.astimezone(UTC) if before else None


def _many(given: Given, name: str) -> list[str]:
    value = given.get(name)
    if value is None:
        return []
    return value if isinstance(value, list) else str(value).split(",")


def get_event(world: World, given: Given) -> dict[str, Any]:
    """/events/get."""
    first = datetime(1970, 1, 1, tzinfo=UTC)
    for doc in world.store.events(after=first, before=None):
        if doc["event_id"] == given.get("event_id"):
            return {"event": doc}
    raise not_found("event")


def get_unmanaged(world: World, given: Given) -> dict[str, Any]:
    """/access_codes/unmanaged/get."""
    code = world.code(given.get("access_code_id"), managed=False)
    return {"access_code": code_doc(world, code)}


def list_unmanaged(world: World, given: Given) -> dict[str, Any]:
    """/access_codes/unmanaged/list."""
    return book.list_codes(world, given, managed=False)


READ, WRITE = ["GET", "POST"], ["POST"]
CALLS: dict[str, tuple[list[str], Call]] = {
    "/access_codes/create": (WRITE, book.create),
    "/access_codes/update": (["PATCH", "POST", "PUT"], book.update),
    "/access_codes/delete": (["DELETE", "POST"], book.delete),
    "/access_codes/get": (READ, book.get),
    "/access_codes/list": (READ, book.list_codes),
    "/access_codes/unmanaged/get": (READ, get_unmanaged),
    "/access_codes/unmanaged/list": (READ, list_unmanaged),
    "/access_codes/unmanaged/delete": (["DELETE", "POST"], book.delete_unmanaged),
    "/devices/list": (READ, list_devices),
    "/devices/get": (READ, get_device),
    "/locks/list": (READ, list_devices),
    "/locks/get": (READ, get_device),
    "/locks/unlock_door": (WRITE, act("unlock_door")),
    "/locks/lock_door": (WRITE, act("lock_door")),
    "/action_attempts/get": (READ, get_attempt),
    "/events/list": (READ, list_events),
    "/events/get": (READ, get_event),
    "/webhooks/create": (WRITE, webhooks.create),
    "/webhooks/list": (READ, webhooks.list_hooks),
    "/webhooks/delete": (["DELETE", "POST"], webhooks.delete),
}
WRITES = {"/access_codes/create", "/access_codes/update", "/access_codes/delete"}


def routes(world: World, *, token: str) -> list[Route]:
    """The routes of the vendor API."""

    def route(path: str, methods: list[str], call: Call) -> Route:
        async def answer(request: Request) -> Response:
            given: Given = {}
            try:
                _admit(world, request, token)
                given = await _given(request)
                response = json_answer(_perform(world, path, call, given) | {"ok": True})
                said = "ok"
            except Refusal as refusal:
                response, said = _refused(refusal), refusal.type
            except Garbage:
                response, said = Response(HTML, media_type="text/html"), "garbage"
            except NoAnswer as silence:
                hang_s = HANG_S if silence.silence is Silence.HANG else 0
                response, said = Silent(hang_s=hang_s), f"no answer ({silence.silence})"
            response.headers["seam-request-id"] = str(uuid4())
            _log(world, request, given, said)
            return response

        return Route(path, answer, methods=methods)

    return [route(path, methods, call) for path, (methods, call) in CALLS.items()]


def _admit(world: World, request: Request, token: str) -> None:
    if world.outage:
        raise Refusal("internal_server_error", "The workspace is unavailable.", status=503)
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    right = secrets.compare_digest(given.encode(), token.encode()) and scheme.lower() == "bearer"
    if not right:
        raise Refusal("unauthorized", "The API key is missing, wrong or revoked.", status=401)


async def _given(request: Request) -> Given:
    """The parameters, from the query and from a JSON body. A name that is there twice is a list."""
    given: dict[str, Any] = {}
    for name in request.query_params:
        values = request.query_params.getlist(name)
        given[name] = values if len(values) > 1 else values[0]
    raw = await request.body()
    try:
        body = json.loads(raw or b"{}")
    except (ValueError, RecursionError):
        body = None
    if not isinstance(body, dict):
        raise invalid("body", "The body must be a JSON object.")
    return given | body


def _refused(refusal: Refusal) -> Response:
    answer = json_answer(refusal.doc(), status=refusal.status)
    if refusal.after_s:
        answer.headers["retry-after"] = f"{refusal.after_s:.0f}"
    return answer


def _perform(world: World, path: str, call: Call, given: Given) -> dict[str, Any]:
    device = _device_of(world, given)
    if device is not None:
        _stumble(world, device, "garbage")
        _stumble(world, device, "server_error")
        if path in WRITES:
            _lose(world, device, call, given)
    return call(world, given)


def _device_of(world: World, given: Given) -> Device | None:
    code = world.codes.get(str(given.get("access_code_id")))
    return world.devices.get(code.device_id if code else str(given.get("device_id")))


def _counted(world: World, device: Device, name: str) -> bool:
    left: int = getattr(device.faults, name)
    if left:
        setattr(device.faults, name, left - 1)
        world.keep(device)
    return bool(left)


def _stumble(world: World, device: Device, name: str) -> None:
    if _counted(world, device, name):
        if name == "garbage":
            raise Garbage
        raise Refusal("internal_server_error", "Something went wrong.", status=500)


def _lose(world: World, device: Device, call: Call, given: Given) -> None:
    """A write that is not answered: done, not done, or done later."""
    silence = NoAnswer(Silence(device.faults.silence))
    if _counted(world, device, "lose_request"):
        raise silence
    if _counted(world, device, "lose_answer"):
        call(world, given)
        raise silence
    if _counted(world, device, "land_late"):
        loop = asyncio.get_running_loop()
        loop.call_later(device.faults.land_after_s, _land, world, call, given)
        raise silence


def _land(world: World, call: Call, given: Given) -> None:
    try:
        call(world, given)
    except Refusal:
        return


def _log(world: World, request: Request, given: Given, said: str) -> None:
    shown = {name: "***" if name in SECRETS else value for name, value in given.items()}
    at = say_time(world.now())
    doc = {"at": at, "method": request.method, "path": request.url.path, "given": shown}
    world.requests.append(doc | {"answer": said})
