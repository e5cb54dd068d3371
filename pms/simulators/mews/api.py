"""The vendor's API over HTTP: the order of checks, the error bodies, and the trouble asked for.

Error bodies: https://docs.mews.com/connector-api/guidelines/responses
"""

from __future__ import annotations

import asyncio
import json
import math
from typing import Any
from uuid import uuid4

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from pms.simulators.mews import door_tokens, reading, reading_hotels, writing
from pms.simulators.mews.access import Caller, NotLetIn
from pms.simulators.mews.bodies import CREDENTIALS, Invalid
from pms.simulators.mews.calls import Call, Json, Operation
from pms.simulators.mews.trouble import SECRET_NAMES, STATUS_AND_WORDS, FaultKind
from pms.simulators.mews.world import World
from pms.simulators.shared.clock import http_date
from pms.simulators.shared.trouble import Fault, masked
from pms.simulators.shared.wishes import Refused

PREFIX = "/api/connector/v1/"
OPERATIONS: dict[str, Operation] = {
    **reading_hotels.OPERATIONS,
    **reading.OPERATIONS,
    **writing.OPERATIONS,
    **door_tokens.OPERATIONS,
}
LOGIN_PAGE = "<!doctype html><title>Sign in</title><h1>We will be back soon</h1>"


class VendorApi:
    """Answers every request below ``/api/connector/v1/``."""

    def __init__(self, world: World) -> None:
        """Serves this world."""
        self._world = world

    async def __call__(self, request: Request) -> Response:
        """Answer, stamp and log one request."""
        body = _json(await request.body())
        request_id = str(uuid4())
        response = await Answer(self._world, request_id).to(request, body)
        response.headers["Request-Id"] = request_id
        response.headers["Date"] = http_date(self._world.clock.now())
        self._world.log.add(
            method=request.method,
            path=request.url.path,
            call=request.url.path.removeprefix(PREFIX),
            request_id=request_id,
            body=masked(body, SECRET_NAMES) if isinstance(body, dict) else None,
            status=response.status_code,
        )
        return response


class Answer:
    """Finds the answer to one request."""

    def __init__(self, world: World, request_id: str) -> None:
        """The id is put into every error body."""
        self._world = world
        self._request_id = request_id

    async def to(self, request: Request, body: Any) -> Response:
        """The address first, then the form, the tokens, the pace, the operation itself."""
        name = request.url.path.removeprefix(PREFIX)
        operation = OPERATIONS.get(name)
        if operation is None:
            return self._error(404, "The requested resource was not found.")
        if request.method != "POST":
            return self._error(405, "Only POST is allowed.")
        if not request.headers.get("content-type", "").startswith("application/json"):
            return self._error(415, "Unsupported media type.")
        fault = self._world.faults.take(name, self._hotels(body), after=False)
        if fault:
            return await self._trouble(fault)
        try:
            return await self._operation(name, operation, body)
        except Invalid as invalid:
            return self._error(400, str(invalid))
        except NotLetIn as out:
            return self._error(401, str(out))
        except Refused as refused:
            return self._error(403, str(refused))

    async def _operation(self, name: str, operation: Operation, body: Any) -> Response:
        caller = self._caller(body)
        wait = self._world.pace.wait_seconds(
            body["AccessToken"],
            most=self._world.limits.requests,
            window_seconds=self._world.limits.window_seconds,
        )
        if wait:
            told = self._world.limits.tells_retry_after
            return self._too_many(math.ceil(wait) if told else None)
        self._world.access.permit(caller, name)
        call = Call(
            world=self._world,
            caller=caller,
            asked=operation.read(body, ""),
            now=self._world.clock.now().replace(microsecond=0),
        )
        answer = operation.answer(call)
        spoiled = self._world.faults.take(name, caller.enterprise_ids, after=True)
        return await self._spoiled(spoiled, answer) if spoiled else JSONResponse(answer)

    def _caller(self, body: Any) -> Caller:
        if not isinstance(body, dict):
            raise Invalid("JSON")
        client_token, access_token, _ = (
            read(body.get(name), name) for name, read in CREDENTIALS.items()
        )
        return self._world.access.caller(client_token, access_token)

    def _hotels(self, body: Any) -> tuple[str, ...]:
        try:
            return self._caller(body).enterprise_ids
        except (Invalid, NotLetIn):
            return ()

    async def _trouble(self, fault: Fault) -> Response:
        match fault.kind:
            case FaultKind.TOO_MANY:
                return self._too_many(None)
            case FaultKind.TOO_MANY_RETRY_AFTER:
                return self._too_many(int(fault.seconds))
            case FaultKind.GARBAGE:
                return Response('{"Reservations": [{"Id"', media_type="application/json")
            case FaultKind.HTML:
                return Response(LOGIN_PAGE, media_type="text/html")
            case FaultKind.HANG:
                await asyncio.sleep(fault.seconds)
        status, words = STATUS_AND_WORDS[FaultKind(fault.kind)]
        return self._error(status, fault.message or words)

    async def _spoiled(self, fault: Fault, answer: Json) -> Response:
        if fault.kind == FaultKind.LOST_ANSWER:
            await asyncio.sleep(fault.seconds)
            status, words = STATUS_AND_WORDS[FaultKind.LOST_ANSWER]
            return self._error(status, words)
        keep = fault.kind == FaultKind.PARTIAL
        cut = {
            name: value[: len(value) // 2 if keep else 0] if isinstance(value, list) else value
            for name, value in answer.items()
        }
        return JSONResponse({**cut, "Cursor": None} if "Cursor" in cut else cut)

    def _too_many(self, retry_after: int | None) -> Response:
        response = self._error(429, "Too many requests.")
        if retry_after is not None:
            response.headers["Retry-After"] = str(retry_after)
        return response

    def _error(self, status: int, message: str) -> Response:
        return JSONResponse({"Message": message, "RequestId": self._request_id}, status)


def _json(raw: bytes) -> Any:
    try:
        return json.loads(raw)
    except ValueError:
        return None
