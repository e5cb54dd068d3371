"""The simulator as one ASGI application: vendor API, control API and control page over one world."""

from __future__ import annotations

import base64
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from locks.simulators.simlock import cloud, control, page
from locks.simulators.simlock.world import World


class ControlDoor:
    """Keeps strangers from the control API and the page: other sites' forms, and callers without the control token."""

    def __init__(self, app: ASGIApp, *, token: str) -> None:
        self._app = app
        self._token = token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or refuse it. The vendor API has a token of its own."""
        is_vendor = scope["type"] != "http" or scope["path"].startswith("/v1/")
        refusal = None if is_vendor else self._refusal(Headers(scope=scope))
        await (refusal or self._app)(scope, receive, send)

    def _refusal(self, headers: Headers) -> ASGIApp | None:
        if headers.get("sec-fetch-site") == "cross-site":
            return PlainTextResponse("Another site's page may not control the simulator.\n", 403)
        if self._token and not self._is_known(headers.get("authorization", "")):
            asks = {"www-authenticate": 'Basic realm="simlock control"'}
            return PlainTextResponse("The control token is needed.\n", 401, headers=asks)
        return None

    def _is_known(self, authorization: str) -> bool:
        scheme, _, given = authorization.partition(" ")
        if scheme.lower() == "basic":
            try:
                given = base64.b64decode(given, validate=True).decode().partition(":")[2]
            except ValueError:
                return False
        return secrets.compare_digest(given.encode(), self._token.encode())


def build_app(world: World, *, token: str, control_token: str = "") -> ASGIApp:
    """The application. ``token`` opens the vendor API, ``control_token`` the rest if it is not empty."""

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        world.resume_landings()
        yield
        world.store.close()

    routes = [*cloud.routes(world, token=token), *control.routes(world), *page.routes(world)]
    return ControlDoor(Starlette(routes=routes, lifespan=lifespan), token=control_token)
