"""Who may use a simulator's control API and page."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Callable

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send


class ControlDoor:
    """Keeps strangers from the control API and the page: other sites' forms, and callers without the control token.

    ``is_vendor`` says of a path whether it belongs to the vendor API, which has a token of its own.
    """

    def __init__(
        self, app: ASGIApp, *, name: str, token: str, is_vendor: Callable[[str], bool]
    ) -> None:
        self._app = app
        self._name = name
        self._token = token
        self._is_vendor = is_vendor

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or refuse it."""
        is_vendor = scope["type"] != "http" or self._is_vendor(scope["path"])
        refusal = None if is_vendor else self._refusal(Headers(scope=scope))
        await (refusal or self._app)(scope, receive, send)

    def _refusal(self, headers: Headers) -> ASGIApp | None:
        if headers.get("sec-fetch-site") == "cross-site":
            return PlainTextResponse("Another site's page may not control the simulator.\n", 403)
        if self._token and not self._is_known(headers.get("authorization", "")):
            asks = {"www-authenticate": f'Basic realm="{self._name} control"'}
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
