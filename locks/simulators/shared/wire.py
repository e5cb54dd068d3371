"""The lines to the callers: a server protocol whose connections can be cut in the middle of a request."""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING, cast

from starlette.types import Scope

if TYPE_CHECKING:
    from uvicorn.protocols.http.h11_impl import H11Protocol as HttpProtocol
else:
    try:
        from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol as HttpProtocol
    except ImportError:
        from uvicorn.protocols.http.h11_impl import H11Protocol as HttpProtocol

_lines: dict[tuple[str, int], asyncio.Transport] = {}


class CuttableProtocol(HttpProtocol):
    """The usual HTTP protocol, which also knows its line by the caller's address."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember the line."""
        self._peer = tuple(transport.get_extra_info("peername")[:2])
        _lines[self._peer] = cast("asyncio.Transport", transport)
        # Head and body of an answer go out one by one; unsaid, the second waits 40 ms for the first.
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        super().connection_made(cast("asyncio.Transport", transport))

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the line."""
        _lines.pop(self._peer, None)
        super().connection_lost(exc)


def drop_line(scope: Scope) -> None:
    """Cut the line of a request without a word."""
    transport = _lines.get(tuple(scope["client"] or ()))
    if transport is not None:
        transport.abort()
