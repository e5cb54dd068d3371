"""The vendor's API over HTTP: the order of checks, the error bodies, and the trouble asked for.

Error bodies: https://developers.cloudbeds.com/docs/common-api-errors-in-progress
"""

from __future__ import annotations

import asyncio
import secrets
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from pms.simulators.cloudbeds import reading, writing
from pms.simulators.cloudbeds.access import Caller, GrantRefused
from pms.simulators.cloudbeds.calls import (
    NOT_YOURS,
    SCOPE_MISSING,
    Call,
    Method,
    hotels_meant,
    logged,
)
from pms.simulators.cloudbeds.forms import Params
from pms.simulators.cloudbeds.records import Property
from pms.simulators.cloudbeds.trouble import FaultKind
from pms.simulators.cloudbeds.world import World
from pms.simulators.shared.clock import http_date
from pms.simulators.shared.forms import BadParameter, read_pairs
from pms.simulators.shared.trouble import Fault
from pms.simulators.shared.wishes import Refused

PREFIX = "/api/v1.3/"
METHODS: dict[str, Method] = reading.METHODS | writing.METHODS
DENIED = {
    "error": "access_denied",
    "message": "The resource owner or authorization server denied the request.",
}
KEY_REVOKED = {
    "type": "unauthorized",
    "title": "Unauthorized",
    "status": 401,
    "detail": "401 UNAUTHORIZED",
}
USER_INACTIVE = "User who approved this connection is not active anymore"
PROPERTY_INVALID = (
    "Your request could not be fully completed. The property(ies) you are accessing have an"
    " invalid status. See details: {status}: {property_id}"
)
LOGIN_PAGE = "<!doctype html><title>Sign in</title><h1>We will be back soon</h1>"


class VendorApi:
    """Answers every request below ``/api/v1.3/``."""

    def __init__(self, world: World) -> None:
        """Serves this world."""
        self._world = world

    async def __call__(self, request: Request) -> Response:
        """Answer, stamp and log one request."""
        raw, params = await _read(request)
        response = await self._answer(request, raw, params)
        response.headers["X-Request-ID"] = secrets.token_hex(8)
        response.headers["Date"] = http_date(self._world.clock.now())
        self._world.log.add(**logged(request, params, response))
        return response

    async def _answer(self, request: Request, raw: bytes, params: Params) -> Response:
        name = request.url.path.removeprefix(PREFIX)
        method = METHODS.get(name)
        if method is None and name != "access_token":
            return refusal("Method not found", 404)
        verb = method.verb if method else "POST"
        if request.method != verb:
            return JSONResponse(_failed("Method not allowed"), 405, headers={"Allow": verb})
        if raw and not _is_form(request):
            return JSONResponse(_failed("Unsupported Media Type"), 415)
        if method is None:
            return await self._token(params)
        return await self._method(request, name, method, params)

    async def _token(self, params: Params) -> Response:
        fault = self._world.faults.take("access_token", (), after=False)
        if fault:
            return await self._trouble(fault)
        try:
            body = self._world.access.grant(params, self._world.clock.now())
        except GrantRefused as refused:
            return JSONResponse(refused.body, refused.status)
        lost = self._world.faults.take("access_token", (), after=True)
        return await self._spoiled(lost, body) if lost else JSONResponse(body)

    async def _method(
        self, request: Request, name: str, method: Method, params: Params
    ) -> Response:
        token = _token_of(request)
        caller = self._world.access.caller(token, self._world.clock.now())
        ids = caller.property_ids if caller else ()
        fault = self._world.faults.take(name, ids, after=False)
        if fault:
            return await self._trouble(fault)
        if caller is None:
            return JSONResponse(KEY_REVOKED if token.startswith("cbat_") else DENIED, 401)
        limits = self._world.limits
        if self._world.pace.wait_seconds(
            caller.client_id, most=limits.per_second, window_seconds=1
        ):
            return _too_many(limits.retry_after)
        try:
            body = self._call(request, method, caller, params)
        except Refused as refused:
            return refusal(str(refused))
        except BadParameter as bad:
            return refusal(str(bad), 400)
        spoiled = self._world.faults.take(name, ids, after=True)
        return await self._spoiled(spoiled, body) if spoiled else JSONResponse(body)

    def _call(
        self, request: Request, method: Method, caller: Caller, params: Params
    ) -> dict[str, Any]:
        header = request.headers.get("x-property-id", "")
        hotels = hotels_meant(self._world, caller, params, header, many=method.many)
        for hotel in hotels:
            _open_or_refuse(hotel)
        if method.scope and method.scope not in caller.scopes:
            raise Refused(SCOPE_MISSING)
        call = Call(
            world=self._world,
            caller=caller,
            hotels=hotels,
            params=params,
            now=self._world.clock.now(),
            api_url=self._world.options.api_url or str(request.base_url).rstrip("/"),
        )
        return method.answer(call)

    async def _trouble(self, fault: Fault) -> Response:
        match fault.kind:
            case FaultKind.TOO_MANY:
                return _too_many(None)
            case FaultKind.TOO_MANY_RETRY_AFTER:
                return _too_many(int(fault.seconds))
            case FaultKind.HANG:
                await asyncio.sleep(fault.seconds)
                return JSONResponse(_failed("Gateway timeout"), 504)
            case FaultKind.GARBAGE:
                return Response('{"success": tru', media_type="application/json")
            case FaultKind.HTML:
                return Response(LOGIN_PAGE, media_type="text/html")
        status, body = _canned(fault)
        return JSONResponse(body, status)

    async def _spoiled(self, fault: Fault, body: dict[str, Any]) -> Response:
        if fault.kind == FaultKind.LOST_ANSWER:
            await asyncio.sleep(fault.seconds)
            return JSONResponse(_failed("Gateway timeout"), 504)
        data = body.get("data")
        if isinstance(data, list):
            kept = [] if fault.kind == FaultKind.EMPTY_LIST else data[: len(data) // 2]
            body = {**body, "data": kept, "count": len(kept)}
        if fault.kind == FaultKind.EMPTY_LIST and "total" in body:
            body = {**body, "total": 0}
        return JSONResponse(body)


async def _read(request: Request) -> tuple[bytes, Params]:
    raw = await request.body()
    text = raw.decode("utf-8", "replace") if raw and _is_form(request) else request.url.query
    try:
        return raw, Params(read_pairs(text))
    except BadParameter:
        return raw, Params({})


def _is_form(request: Request) -> bool:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    return kind == "application/x-www-form-urlencoded"


def _token_of(request: Request) -> str:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    bearer = token.strip() if scheme.lower() == "bearer" else ""
    return bearer or request.headers.get("x-api-key", "")


def _open_or_refuse(hotel: Property) -> None:
    if not hotel.user_active:
        raise Refused(USER_INACTIVE)
    if hotel.status != "active":
        raise Refused(PROPERTY_INVALID.format(status=hotel.status, property_id=hotel.id))


def _canned(fault: Fault) -> tuple[int, dict[str, Any]]:
    invalid = PROPERTY_INVALID.format(status="canceled", property_id=fault.property_id or "XXX")
    answers: dict[FaultKind, tuple[int, dict[str, Any]]] = {
        FaultKind.SERVER_ERROR: (500, _failed("Internal server error")),
        FaultKind.UNAVAILABLE: (503, _failed("Service unavailable")),
        FaultKind.DENIED: (401, DENIED),
        FaultKind.KEY_REVOKED: (401, KEY_REVOKED),
        FaultKind.USER_INACTIVE: (200, _failed(USER_INACTIVE)),
        FaultKind.PROPERTY_CANCELED: (200, _failed(invalid)),
        FaultKind.WRONG_PROPERTY: (200, _failed(NOT_YOURS)),
        FaultKind.SCOPE_MISSING: (200, _failed(SCOPE_MISSING)),
        FaultKind.REFUSED: (200, _failed(fault.message or "Refused")),
    }
    return answers[FaultKind(fault.kind)]


def refusal(message: str, status: int = 200) -> JSONResponse:
    """``success: false``, which the vendor mostly sends with HTTP 200."""
    return JSONResponse(_failed(message), status)


def _failed(message: str) -> dict[str, Any]:
    return {"success": False, "message": message}


def _too_many(retry_after: int | None) -> Response:
    headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
    return JSONResponse(_failed("Too many requests"), 429, headers=headers)
