"""The cloud API under /v3 and /oauth2: which call is which, and how everything is answered with status 200."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from locks.simulators.shared.answers import Silent, json_answer
from locks.simulators.ttlock import access, codes, devices, keys, radio
from locks.simulators.ttlock.access import Asked
from locks.simulators.ttlock.words import Err, NoAnswer, NotTheVendor, Refusal
from locks.simulators.ttlock.world import Token, World

Json = dict[str, Any]
Call = Callable[[World, Asked, Token], Awaitable[Json]]
HTML = b"<!doctype html><html><body><h1>It works!</h1></body></html>"

CALLS: dict[str, Call] = {
    "lock/list": devices.list_locks,
    "lock/detail": devices.detail,
    "lock/queryOpenState": devices.open_state,
    "lock/queryElectricQuantity": devices.battery,
    "lock/queryDate": devices.query_date,
    "lock/updateDate": devices.update_date,
    "lock/changeTimezoneRawOffset": devices.change_offset,
    "lock/unlock": devices.unlock,
    "lock/listKeyboardPwd": codes.list_codes,
    "lock/listKey": keys.list_keys,
    "keyboardPwd/add": codes.add,
    "keyboardPwd/get": codes.get,
    "keyboardPwd/change": codes.change,
    "keyboardPwd/delete": codes.delete,
    "keyboardPwd/deleteByCode": codes.delete_by_code,
    "key/send": keys.send,
    "key/changePeriod": keys.change_key,
    "key/freeze": keys.freeze,
    "key/unfreeze": keys.unfreeze,
    "key/delete": keys.delete_key,
    "identityCard/add": keys.add_card,
    "identityCard/addForReversedCardNumber": keys.add_reversed_card,
    "identityCard/changePeriod": keys.change_card,
    "identityCard/delete": keys.delete_card,
    "identityCard/list": keys.list_cards,
    "gateway/list": devices.list_gateways,
    "gateway/listByLock": devices.gateways_of_lock,
    "gateway/listLock": devices.locks_of_gateway,
    "wifiLock/detail": devices.wifi_detail,
    "lockRecord/list": devices.list_records,
}


def routes(world: World) -> list[Route]:
    """The routes of the cloud API; GET and POST mean the same."""

    async def answer(request: Request) -> Response:
        started = time.perf_counter()
        asked = await access.read(request)
        name = request.scope["path"].removeprefix("/v3/").strip("/")
        response, said = await _answer(world, name, asked)
        took_ms = round((time.perf_counter() - started) * 1000, 1)
        world.requests.append(
            {
                "call": name, "method": request.method, "query": sorted(request.query_params),
                "asked": asked.masked(), "answer": said, "ms": took_ms,
            }
        )  # fmt: skip
        return response

    methods = ["GET", "POST"]
    return [
        Route("/oauth2/token", answer, methods=methods),
        Route("/v3/{group}/{call}", answer, methods=methods),
    ]


async def _answer(world: World, name: str, asked: Asked) -> tuple[Response, int | str]:
    try:
        access.outage(world)
        doc = await _carry_out(world, name, asked)
        return json_answer(doc), int(doc.get("errcode", 0))
    except Refusal as refusal:
        return json_answer(refusal.body()), refusal.err
    except NotTheVendor as other:
        return Response(HTML, status_code=other.status, media_type="text/html"), "not the vendor"
    except NoAnswer as silence:
        return Silent(hang_s=silence.hang_s), "silence"


async def _carry_out(world: World, name: str, asked: Asked) -> Json:
    if name == "oauth2/token":
        return access.sign_in(world, asked)
    if name == "user/register":
        return await devices.register(world, asked, None)
    call = CALLS.get(name)
    if call is None:
        raise Refusal(Err.INVALID_PARAMETER)
    token = access.admit(world, asked)
    named = asked.values.get("lockId", "")
    if named.isdigit() and int(named) in world.locks:
        radio.meddle(world.locks[int(named)])
    return await call(world, asked, token)
