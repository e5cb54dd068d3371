"""The control API under /control: devices, their faults, what they hold, the clock, and how webhooks misbehave."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qsl, urlencode

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from locks.simulators.seam.actions import ACTIONS, number
from locks.simulators.seam.records import Device
from locks.simulators.seam.words import Refusal, flag, invalid, not_found, read_time, say_time
from locks.simulators.seam.world import World
from locks.simulators.shared.answers import json_answer

Given = dict[str, Any]
Endpoint = Callable[[World, Request, Given], dict[str, Any]]
TEXTS, FLAGS, NUMBERS = {"name", "brand"}, {"native"}, {"latency_s", "battery"}
LONGEST_ID = 60


def add_device(world: World, request: Request, given: Given) -> dict[str, Any]:
    """POST /control/devices {"device_id", "name", "brand", "native", …}: a device joins the account, or changes."""
    id_ = str(given.pop("device_id", ""))
    if not id_ or len(id_) > LONGEST_ID or not id_.replace("-", "").replace("_", "").isalnum():
        raise invalid("device_id", "device_id consists of letters, digits, - and _.")
    fresh = Device(device_id=id_, name=id_, created_at=world.now())
    device = world.devices.get(id_) or fresh
    device.removed = False
    for name, value in given.items():
        setattr(device, name, _property(given, name, value))
    world.keep(device)
    world.wake()
    return {"said": f"{device.name} is in the account.", "device": truth(device)}


def _property(given: Given, name: str, value: Any) -> Any:
    if name in TEXTS:
        return str(value)[:100]
    if name in FLAGS:
        return flag(given, name)
    if name in NUMBERS:
        return number(name, value)
    if name == "max_codes":
        return int(number(name, value))
    if name == "code_lengths" and isinstance(value, list):
        return [int(number(name, each)) for each in value]
    if name == "constraints" and isinstance(value, list):
        return [str(each) for each in value]
    raise invalid(name, f"A device has no {name}.")


def list_devices(world: World, request: Request, given: Given) -> dict[str, Any]:
    """GET /control/devices: every device as it truly is."""
    return {"devices": [truth(each) for each in world.devices.values()]}


def show_device(world: World, request: Request, given: Given) -> dict[str, Any]:
    """GET /control/devices/{id}: one device as it truly is, with exactly what the lock holds."""
    return truth(_device(world, request))


def _device(world: World, request: Request) -> Device:
    found = world.devices.get(request.path_params["device_id"])
    if found is None:
        raise not_found("device")
    return found


def truth(device: Device) -> dict[str, Any]:
    """A device past the cloud."""
    memory = [
        {
            "name": each.name,
            "code": each.code,
            "access_code_id": each.code_id,
            "starts_at": say_time(each.starts_at) if each.starts_at else None,
            "ends_at": say_time(each.ends_at) if each.ends_at else None,
        }
        for each in device.memory
    ]
    return {
        "device_id": device.device_id,
        "name": device.name,
        "brand": device.brand,
        "native": device.native,
        "online": device.online,
        "hub_online": device.hub_online,
        "removed": device.removed,
        "locked": device.locked,
        "battery": device.battery,
        "faults": asdict(device.faults),
        "unsent": len(device.unsent),
        "memory": memory,
    }


def act(world: World, request: Request, given: Given) -> dict[str, Any]:
    """POST /control/devices/{id}/{action}: see actions.ACTIONS."""
    action = ACTIONS.get(request.path_params["action"])
    if action is None:
        raise invalid("action", f"Actions: {', '.join(ACTIONS)}.")
    device = _device(world, request)
    try:
        return action.run(world, device, action.read(given))
    except ValueError:
        raise invalid("silence", "silence is hang or drop.") from None


def show_clock(world: World, request: Request, given: Given) -> dict[str, Any]:
    """GET /control/clock."""
    return {"now": say_time(world.now()), "speed": world.clock.speed}


def set_clock(world: World, request: Request, given: Given) -> dict[str, Any]:
    """POST /control/clock with any of {"now"}, {"advance_s"}, {"speed"}: time jumps, or goes faster."""
    now = read_time(given.get("now"), field="now")
    if given.get("advance_s"):
        now = world.now() + timedelta(seconds=number("advance_s", given["advance_s"]))
    speed = number("speed", given["speed"]) if given.get("speed") else None
    world.clock.set(now=now, speed=speed)
    world.wake()
    return show_clock(world, request, given) | {"said": "The clock is set."}


def set_webhooks(world: World, request: Request, given: Given) -> dict[str, Any]:
    """POST /control/webhooks: drop, repeat, shuffle_s, paused, wrong_secret, clock_offset_s."""
    modes = world.delivery
    for name, value in given.items():
        if name in {"drop", "paused", "wrong_secret"}:
            setattr(modes, name, flag(given, name))
        elif name in {"repeat", "shuffle_s", "clock_offset_s"}:
            found = number(name, value)
            setattr(modes, name, int(found) if name == "repeat" else found)
        else:
            raise invalid(name, "drop, repeat, shuffle_s, paused, wrong_secret, clock_offset_s.")
    world.calls_news.set()
    return {"said": "Webhooks are set.", **vars(modes)}


def list_calls(world: World, request: Request, given: Given) -> dict[str, Any]:
    """GET /control/webhooks: every call with its tries, how it ended and when the next try is."""
    names = ("id", "message", "event", "due_at", "tries", "state", "answer")
    return {"calls": [{name: row[name] for name in names} for row in world.store.calls()]}


def set_cloud(world: World, request: Request, given: Given) -> dict[str, Any]:
    """POST /control/cloud: account_connected, outage."""
    for name in given:
        if name not in {"account_connected", "outage"}:
            raise invalid(name, "account_connected, outage.")
        setattr(world, name, flag(given, name))
    return {"said": "The cloud is set."}


def list_requests(world: World, request: Request, given: Given) -> dict[str, Any]:
    """GET /control/requests: the last calls to the vendor API, without codes."""
    return {"requests": list(world.requests)}


def reset(world: World, request: Request, given: Given) -> dict[str, Any]:
    """POST /control/reset: an empty workspace, the right time."""
    world.wipe()
    return {"said": "Everything is forgotten."}


def routes(world: World) -> list[Route]:
    """The routes of the control API."""

    def control(path: str, endpoint: Endpoint, method: str) -> Route:
        async def answer(request: Request) -> Response:
            back = ""
            try:
                given = await _given(request)
                back = str(given.pop("back", ""))
                doc, status = endpoint(world, request, given), 200
            except Refusal as refusal:
                doc, status = refusal.doc() | {"said": refusal.message}, refusal.status
            return _back(back, doc["said"]) if back else json_answer(doc, status=status)

        return Route(f"/control{path}", answer, methods=[method], name=endpoint.__name__)

    return [
        control("/devices", list_devices, "GET"),
        control("/devices", add_device, "POST"),
        control("/devices/{device_id}", show_device, "GET"),
        control("/devices/{device_id}/{action}", act, "POST"),
        control("/clock", show_clock, "GET"),
        control("/clock", set_clock, "POST"),
        control("/webhooks", list_calls, "GET"),
        control("/webhooks", set_webhooks, "POST"),
        control("/cloud", set_cloud, "POST"),
        control("/requests", list_requests, "GET"),
        control("/reset", reset, "POST"),
    ]


async def _given(request: Request) -> Given:
    """The body, JSON or a form. A form's ``back`` is where the browser goes next."""
    raw = await request.body()
    if request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        return dict(parse_qsl(raw.decode(errors="replace")))
    try:
        body = json.loads(raw or b"{}")
    except (ValueError, RecursionError):
        body = None
    if not isinstance(body, dict):
        raise invalid("body", "The body must be a JSON object.")
    return body


def _back(to: str, said: str) -> Response:
    local = to if to.startswith("/") and not to.startswith(("//", "/\\")) else "/"
    return RedirectResponse(f"{local.partition('?')[0]}?{urlencode({'said': said})}", 303)
