"""The vendor API under /v1: who may call, what becomes of a command, and how the answer looks."""

from __future__ import annotations

import json
import math
import re
import secrets
import time
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from locks.simulators.shared.answers import Silent, json_answer
from locks.simulators.simlock import encoder
from locks.simulators.simlock.answers import refusal_answer
from locks.simulators.simlock.commands import perform
from locks.simulators.simlock.lock import Credential, Lock
from locks.simulators.simlock.words import (
    Code,
    Command,
    Garbage,
    Kind,
    NoAnswer,
    Refusal,
    Silence,
    parse_time,
    say_time,
)
from locks.simulators.simlock.world import World

Endpoint = Callable[[World, Request], Awaitable[dict[str, Any]]]
HANDLE = re.compile(r"[A-Za-z0-9._:~-]{1,100}")
CURSOR = re.compile(r"[0-9]{1,18}")
HTML = b"<!doctype html><html><body><h1>It works!</h1></body></html>"
MAX_WAIT_S = 60.0
MAX_PAGE = 500


async def list_locks(world: World, request: Request) -> dict[str, Any]:
    """GET /v1/locks: all locks of the account with what they can do."""
    return {"locks": [lock_doc(world, lock) for lock in world.locks.values()]}


async def show_lock(world: World, request: Request) -> dict[str, Any]:
    """GET /v1/locks/{id}: the cloud's view of one lock; it answers also when the lock is offline."""
    return lock_doc(world, world.lock(request.path_params["lock_id"]))


async def list_credentials(world: World, request: Request) -> dict[str, Any]:
    """GET /v1/locks/{id}/credentials: read from the lock itself, so it must be reachable."""
    lock = world.lock(request.path_params["lock_id"])
    return await perform(world, lock, Command.READ)


async def put_credential(world: World, request: Request) -> dict[str, Any]:
    """PUT /v1/locks/{id}/credentials/{handle}: make the lock hold exactly this under our handle."""
    lock = world.lock(request.path_params["lock_id"])
    credential = _read_credential(_handle(request), await read_json(request))
    return await perform(world, lock, Command.PUT, credential.handle, credential)


async def delete_credential(world: World, request: Request) -> dict[str, Any]:
    """DELETE /v1/locks/{id}/credentials/{handle}: afterwards it is absent; it may have been before."""
    lock = world.lock(request.path_params["lock_id"])
    return await perform(world, lock, Command.DELETE, _handle(request))


async def unlock(world: World, request: Request) -> dict[str, Any]:
    """POST /v1/locks/{id}/unlock: open the door now."""
    return await perform(world, world.lock(request.path_params["lock_id"]), Command.UNLOCK)


async def sync_clock(world: World, request: Request) -> dict[str, Any]:
    """POST /v1/locks/{id}/sync-clock: set the lock's clock right."""
    return await perform(world, world.lock(request.path_params["lock_id"]), Command.SYNC_CLOCK)


async def set_master_code(world: World, request: Request) -> dict[str, Any]:
    """PUT /v1/locks/{id}/master-code {"code"}: change the code that programs the lock at its keypad."""
    lock = world.lock(request.path_params["lock_id"])
    code = str((await read_json(request)).get("code", ""))
    return await perform(world, lock, Command.MASTER_CODE, code)


async def list_cards(world: World, request: Request) -> dict[str, Any]:
    """GET /v1/encoder/cards: the cards that the encoder knows."""
    return encoder.stock(world)


async def encode_card(world: World, request: Request) -> dict[str, Any]:
    """POST /v1/encoder/encode {"card"}: write the card that lies on the encoder."""
    return encoder.encode(world, str((await read_json(request)).get("card", "")))


async def list_events(world: World, request: Request) -> dict[str, Any]:
    """GET /v1/events?after=CURSOR&limit=N&wait=SECONDS: events of all locks in the order the cloud heard of them."""
    query = request.query_params
    limit = int(min(max(_number(query.get("limit"), default=100), 1), MAX_PAGE))
    after = _read_cursor(world, query.get("after", ""))
    rows = world.store.events(after=after, limit=limit)
    wait = min(_number(query.get("wait"), default=0), MAX_WAIT_S)
    if not rows and wait > 0:
        await world.wait_for_news(seconds=wait)
        rows = world.store.events(after=after, limit=limit)
    last = rows[-1][0] if rows else after
    return {
        "events": [doc for _, doc in rows],
        "cursor": f"{world.store.identity}.{last}",
        "more": len(rows) == limit,
    }


def _read_cursor(world: World, text: str) -> int:
    """Place in the feed. A cursor of another store, as after a reset of the file, starts from the beginning."""
    if text == "latest":
        return world.store.last_event()
    identity, _, number = text.partition(".")
    known = identity == world.store.identity and CURSOR.fullmatch(number)
    return int(number) if known else 0


def _number(text: str | None, *, default: float) -> float:
    try:
        number = float(text) if text else default
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise Refusal(Code.BAD_REQUEST, "limit and wait are numbers.")
    return number


def lock_doc(world: World, lock: Lock) -> dict[str, Any]:
    """A lock as the vendor's cloud shows it: what it believes, which may be out of date."""
    gateway = world.gateway_of(lock)
    gateway_online = gateway.seen_online if gateway else None
    return {
        "id": lock.id,
        "name": lock.name,
        "model": lock.model,
        "gateway": {"id": gateway.id, "online": gateway.seen_online} if gateway else None,
        "online": lock.seen_online and gateway_online is not False,
        "battery": lock.battery,
        "clock_offset_s": lock.clock_offset_s,
        "capabilities": {
            "kinds": list(lock.kinds),
            "native_window": lock.native_window,
            "whole_hours": lock.whole_hours,
            "code_min": lock.code_min,
            "code_max": lock.code_max,
            "max_codes": lock.max_codes,
            "shows_values": not lock.masked,
        },
    }


def _handle(request: Request) -> str:
    handle: str = request.path_params["handle"]
    if not HANDLE.fullmatch(handle):
        raise Refusal(Code.BAD_REQUEST, "A handle is 1 to 100 letters, digits and . _ : ~ -")
    return handle


def _read_credential(handle: str, body: dict[str, Any]) -> Credential:
    kind, value = body.get("kind"), body.get("value")
    if kind not in list(Kind) or not isinstance(value, str) or not 1 <= len(value) <= 200:
        raise Refusal(Code.BAD_REQUEST, "kind or value is missing or of the wrong form.")
    return Credential(
        handle=handle,
        kind=Kind(kind),
        value=value,
        starts_at=parse_time(body.get("starts_at"), field="starts_at"),
        ends_at=parse_time(body.get("ends_at"), field="ends_at"),
    )


async def read_json(request: Request) -> dict[str, Any]:
    """The body as a JSON object. Raises Refusal(BAD_REQUEST)."""
    try:
        body = json.loads(await request.body() or b"{}")
    except (ValueError, RecursionError):
        body = None
    if not isinstance(body, dict):
        raise Refusal(Code.BAD_REQUEST, "The body must be a JSON object.")
    return body


# The door of the API.


def admit(world: World, request: Request, *, token: str) -> None:
    """Let a caller in. Raises Refusal or NoAnswer for a wrong token and for troubles of the whole cloud."""
    cloud = world.cloud
    if cloud.outage == "error":
        raise Refusal(Code.UNAVAILABLE, "The service is temporarily unavailable.")
    if cloud.outage:
        raise NoAnswer(Silence(cloud.outage), hang_s=cloud.hang_s)
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    right = secrets.compare_digest(given.encode(), token.encode()) and scheme.lower() == "bearer"
    if not right or cloud.reject_token:
        raise Refusal(Code.UNAUTHORIZED, "The token is missing, wrong or revoked.")
    if cloud.rate_limit:
        cloud.rate_limit -= cloud.rate_limit > 0
        raise Refusal(Code.RATE_LIMITED, "Too many calls.", retry_after_s=cloud.retry_after_s)


def routes(world: World, *, token: str) -> list[Route]:
    """The routes of the vendor API."""

    def vendor(path: str, endpoint: Endpoint, method: str) -> Route:
        async def answer(request: Request) -> Response:
            started = time.perf_counter()
            response, said = await _answer(world, request, endpoint, token=token)
            _log(world, request, said, started=started)
            return response

        return Route(f"/v1{path}", answer, methods=[method], name=endpoint.__name__)

    one, credential = "/locks/{lock_id}", "/locks/{lock_id}/credentials/{handle}"
    return [
        vendor(credential, put_credential, "PUT"),
        vendor(credential, delete_credential, "DELETE"),
        vendor(f"{one}/credentials", list_credentials, "GET"),
        vendor("/encoder/cards", list_cards, "GET"),
        vendor("/encoder/encode", encode_card, "POST"),
        vendor("/events", list_events, "GET"),
        vendor(one, show_lock, "GET"),
        vendor("/locks", list_locks, "GET"),
        vendor(f"{one}/unlock", unlock, "POST"),
        vendor(f"{one}/sync-clock", sync_clock, "POST"),
        vendor(f"{one}/master-code", set_master_code, "PUT"),
    ]


async def _answer(
    world: World, request: Request, endpoint: Endpoint, *, token: str
) -> tuple[Response, str]:
    try:
        admit(world, request, token=token)
        return json_answer(await endpoint(world, request)), "ok"
    except Refusal as refusal:
        return refusal_answer(refusal), refusal.code
    except Garbage:
        return Response(HTML, media_type="text/html"), "garbage"
    except NoAnswer as silence:
        if silence.silence is Silence.ERROR:
            return refusal_answer(
                Refusal(Code.TIMEOUT, "The lock did not answer in time.")
            ), "timeout"
        return Silent(
            hang_s=silence.hang_s if silence.silence is Silence.HANG else 0
        ), silence.silence


def _log(world: World, request: Request, said: str, *, started: float) -> None:
    world.requests.append(
        {
            "at": say_time(world.now()),
            "method": request.method,
            "path": request.scope["path"],
            "lock_id": request.path_params.get("lock_id"),
            "handle": request.path_params.get("handle"),
            "answer": said,
            "ms": round((time.perf_counter() - started) * 1000, 1),
        }
    )
