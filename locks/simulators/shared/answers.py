"""How a simulator answers, and how it manages not to answer at all."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from locks.simulators.shared.wire import drop_line


def json_answer(doc: Any, *, status: int = 200) -> Response:
    """A JSON answer."""
    body = json.dumps(doc, separators=(",", ":")).encode()
    return Response(body, status_code=status, media_type="application/json")


class Silent(Response):
    """No answer: the line hangs for some seconds or until the caller gives up, then it is dropped."""

    def __init__(self, *, hang_s: float) -> None:
        super().__init__()
        self._hang_s = hang_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Say nothing, and drop the line."""
        request = Request(scope, receive)
        try:
            async with asyncio.timeout(self._hang_s):
                while (await request.receive())["type"] != "http.disconnect":
                    pass
        except TimeoutError:
            drop_line(scope)
            while (await receive())["type"] != "http.disconnect":
                pass
