"""The server's side of a WebSocket (RFC 6455), as far as a simulator needs it, for uvicorn.

uvicorn brings no WebSocket of its own and none of the libraries it can use is among this project's
packages; a simulator only sends short texts and answers pings. Extensions are not offered; messages
above a million bytes and frames without a mask end the connection, as the standard asks.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import struct
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any, cast
from urllib.parse import unquote

import h11
import uvicorn
from uvicorn.server import ServerState

MAGIC = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
CONTINUED, TEXT, BINARY, CLOSE, PING, PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA
NORMAL, GOING_AWAY, PROTOCOL_ERROR, ABNORMAL = 1000, 1001, 1002, 1006
LONGEST = 1_000_000


class Malformed(Exception):
    """Bytes that no client may send."""


def frame(opcode: int, payload: bytes) -> bytes:
    """One whole frame from the server, unmasked."""
    head = bytes([0x80 | opcode])
    if len(payload) < 126:
        return head + bytes([len(payload)]) + payload
    if len(payload) < 1 << 16:
        return head + struct.pack("!BH", 126, len(payload)) + payload
    return head + struct.pack("!BQ", 127, len(payload)) + payload


class Frames:
    """Cuts what a client sends into messages."""

    def __init__(self) -> None:
        """Nothing came yet."""
        self._raw = bytearray()
        self._message = bytearray()
        self._kind = 0

    def feed(self, data: bytes) -> Iterator[tuple[int, bytes]]:
        """Whole messages and control frames as (opcode, payload); raises Malformed."""
        self._raw += data
        while (one := self._frame()) is not None:
            final, opcode, payload = one
            if opcode >= CLOSE:
                yield opcode, payload
                continue
            self._kind = opcode or self._kind
            self._message += payload
            if len(self._message) > LONGEST:
                raise Malformed
            if final:
                yield self._kind, bytes(self._message)
                self._message.clear()

    def _frame(self) -> tuple[bool, int, bytes] | None:
        raw = self._raw
        if len(raw) < 2:
            return None
        length, at = raw[1] & 0x7F, 2
        extended = {126: ("!H", 2), 127: ("!Q", 8)}.get(length)
        if extended is not None:
            form, size = extended
            if len(raw) < 2 + size:
                return None
            length, at = struct.unpack_from(form, raw, 2)[0], 2 + size
        if not raw[1] & 0x80 or raw[0] & 0x70 or length > LONGEST:
            raise Malformed
        if len(raw) < at + 4 + length:
            return None
        mask, body = raw[at : at + 4], raw[at + 4 : at + 4 + length]
        final, opcode = bool(raw[0] & 0x80), raw[0] & 0x0F
        del raw[: at + 4 + length]
        return final, opcode, bytes(byte ^ mask[i % 4] for i, byte in enumerate(body))


class WebSocketProtocol(asyncio.Protocol):
    """One connection after uvicorn has seen its wish to upgrade; speaks ASGI to the application."""

    def __init__(
        self, config: uvicorn.Config, server_state: ServerState, app_state: dict[str, Any]
    ) -> None:
        """As uvicorn makes it."""
        if not config.loaded:
            config.load()
        self._app = config.loaded_app
        self._server_state = server_state
        self._app_state = app_state
        self._received: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._frames = Frames()
        self._key = b""
        self._is_open = False
        self._is_closed = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The connection is ours now."""
        self._transport = cast("asyncio.Transport", transport)
        self._server_state.connections.add(cast("Any", self))

    def connection_lost(self, exc: Exception | None) -> None:
        """The other side is gone."""
        self._server_state.connections.discard(cast("Any", self))
        self._disconnected(ABNORMAL)

    def shutdown(self) -> None:
        """The server stops."""
        self._close(GOING_AWAY)
        self._disconnected(GOING_AWAY)

    def data_received(self, data: bytes) -> None:
        """First the request as uvicorn passes it on, then frames."""
        if not self._key:
            self._begin(data)
            return
        try:
            for opcode, payload in self._frames.feed(data):
                self._take(opcode, payload)
        except Malformed:
            self._close(PROTOCOL_ERROR)
            self._disconnected(PROTOCOL_ERROR)

    def _begin(self, data: bytes) -> None:
        parser = h11.Connection(h11.SERVER)
        parser.receive_data(data)
        request = parser.next_event()
        if not isinstance(request, h11.Request):
            self._refuse(HTTPStatus.BAD_REQUEST, [], b"")
            return
        headers = [(bytes(name), bytes(value)) for name, value in request.headers]
        self._key = dict(headers).get(b"sec-websocket-key", b"")
        path, _, query = bytes(request.target).partition(b"?")
        scope = {
            "type": "websocket",
            "asgi": {"version": "3.0", "spec_version": "2.4"},
            "http_version": "1.1",
            "scheme": "ws",
            "server": self._transport.get_extra_info("sockname")[:2],
            "client": self._transport.get_extra_info("peername")[:2],
            "root_path": "",
            "path": unquote(path.decode("ascii")),
            "raw_path": path,
            "query_string": query,
            "headers": headers,
            "subprotocols": [],
            "state": self._app_state.copy(),
            "extensions": {"websocket.http.response": {}},
        }
        self._received.put_nowait({"type": "websocket.connect"})
        task = asyncio.get_running_loop().create_task(self._serve(scope))
        self._server_state.tasks.add(task)
        task.add_done_callback(self._server_state.tasks.discard)

    async def _serve(self, scope: dict[str, Any]) -> None:
        try:
            await self._app(cast("Any", scope), cast("Any", self._received.get), self._send)
        finally:
            self._close(NORMAL)

    async def _send(self, message: Any) -> None:
        match message["type"]:
            case "websocket.accept":
                self._accept()
            case "websocket.send":
                payload = message.get("text")
                kind = BINARY if payload is None else TEXT
                body = message["bytes"] if payload is None else payload.encode()
                self._write(frame(kind, body))
            case "websocket.close":
                self._close(message.get("code", NORMAL))
            case "websocket.http.response.start":
                self._refusal = (HTTPStatus(message["status"]), message.get("headers", []))
            case "websocket.http.response.body":
                status, headers = self._refusal
                self._refuse(status, headers, message.get("body", b""))

    def _accept(self) -> None:
        digest = hashlib.sha1(self._key + MAGIC, usedforsecurity=False).digest()
        answer = base64.b64encode(digest)
        self._write(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: " + answer + b"\r\n\r\n"
        )
        self._is_open = True

    def _refuse(self, status: HTTPStatus, headers: list[tuple[bytes, bytes]], body: bytes) -> None:
        lines = [f"HTTP/1.1 {status.value} {status.phrase}".encode(), b"Connection: close"]
        lines += [name + b": " + value for name, value in headers]
        if not any(name.lower() == b"content-length" for name, _ in headers):
            lines.append(f"Content-Length: {len(body)}".encode())
        self._write(b"\r\n".join(lines) + b"\r\n\r\n" + body)
        self._is_closed = True
        self._transport.close()

    def _take(self, opcode: int, payload: bytes) -> None:
        if opcode == PING:
            self._write(frame(PONG, payload))
        elif opcode == CLOSE:
            self._close(NORMAL)
            self._disconnected(NORMAL)
        elif opcode == TEXT:
            text = payload.decode("utf-8", "replace")
            self._received.put_nowait({"type": "websocket.receive", "text": text})
        elif opcode == BINARY:
            self._received.put_nowait({"type": "websocket.receive", "bytes": payload})

    def _close(self, code: int) -> None:
        if self._is_closed:
            return
        if not self._is_open:
            self._refuse(HTTPStatus.FORBIDDEN, [], b"")
            return
        self._write(frame(CLOSE, struct.pack("!H", code)))
        self._is_closed = True
        self._transport.close()

    def _disconnected(self, code: int) -> None:
        self._received.put_nowait({"type": "websocket.disconnect", "code": code})

    def _write(self, data: bytes) -> None:
        if not self._is_closed and not self._transport.is_closing():
            self._transport.write(data)
