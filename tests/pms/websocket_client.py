"""The client's side of a WebSocket, as far as a test of the MEWS simulator needs it."""

from __future__ import annotations

import base64
import json
import os
import socket
import struct
from typing import Any
from urllib.parse import urlsplit


class WebSocketClient:
    """One connection; ``status`` is that of the handshake (101 for a good one)."""

    def __init__(self, url: str, path: str, cookies: dict[str, str], *, timeout: float = 5.0):
        address = urlsplit(url)
        self._socket = socket.create_connection((address.hostname, address.port), timeout)
        self._file = self._socket.makefile("rb")
        cookie = "; ".join(f"{name}={value}" for name, value in cookies.items())
        key = base64.b64encode(os.urandom(16)).decode()
        self._socket.sendall(
            f"GET {path} HTTP/1.1\r\nHost: {address.netloc}\r\nUpgrade: websocket\r\n"
            f"Connection: Upgrade\r\nSec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n"
            f"Cookie: {cookie}\r\n\r\n".encode()
        )
        self.status = int(self._file.readline().split()[1])
        while self._file.readline() not in {b"\r\n", b""}:
            pass

    def send(self, opcode: int, payload: bytes = b"") -> None:
        """One short frame, masked as a client must."""
        mask = os.urandom(4)
        body = bytes(byte ^ mask[i % 4] for i, byte in enumerate(payload))
        self._socket.sendall(bytes([0x80 | opcode, 0x80 | len(payload)]) + mask + body)

    def receive(self) -> tuple[int, bytes]:
        """The next frame as (opcode, payload); times out with an OSError."""
        first, second = self._file.read(2)
        length = second & 0x7F
        if length == 126:
            (length,) = struct.unpack("!H", self._file.read(2))
        return first & 0x0F, self._file.read(length)

    def events(self) -> list[dict[str, Any]]:
        """The events of the next message."""
        opcode, payload = self.receive()
        assert opcode == 1, (opcode, payload)
        return json.loads(payload)["Events"]

    def close(self) -> None:
        """Hang up."""
        self._file.close()
        self._socket.close()
