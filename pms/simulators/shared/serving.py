"""Runs a simulator's application until it is stopped."""

from __future__ import annotations

import socket
import sys
from collections.abc import Callable

import uvicorn
from starlette.applications import Starlette

from pms.simulators.shared.websocket import WebSocketProtocol


def serve(vendor: str, host: str, port: int, build: Callable[[], Starlette]) -> int:
    """Listen until stopped; port 0 takes a free one; a taken port is said in one sentence.

    The first line of output ends with the address. The application is built after the port is taken.
    """
    try:
        listener = socket.create_server((host, port))
    except OSError as trouble:
        sys.stderr.write(f"Cannot listen on {host}:{port}: {trouble.strerror}.\n")
        return 2
    # The server forgets this for a socket that it did not open, and then every answer waits 40 ms.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    app = build()
    sys.stdout.write(f"{vendor} simulator at http://{host}:{listener.getsockname()[1]}\n")
    sys.stdout.flush()
    config = uvicorn.Config(
        app,
        ws=WebSocketProtocol,
        log_level="warning",
        access_log=False,
        date_header=False,
        server_header=False,
        timeout_graceful_shutdown=1,
    )
    uvicorn.Server(config).run(sockets=[listener])
    return 0
