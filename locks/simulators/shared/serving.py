"""How a simulator is started: on which address, with which file, and one line when it is ready to be called."""

from __future__ import annotations

import argparse
import ipaddress
import socket
import sqlite3
import sys
from collections.abc import Callable

import uvicorn
from starlette.types import ASGIApp

from locks.simulators.shared.wire import CuttableProtocol

BACKLOG = 2048
KEEP_ALIVE_S = 75


def serve(name: str, args: argparse.Namespace, build: Callable[[], ASGIApp]) -> int:
    """Run until stopped; ``args`` has host, port, data and control_token. Returns the exit code."""
    if not _is_loopback(args.host) and not args.control_token:
        return _complain(name, "Off loopback the control page needs --control-token.")
    try:
        listener = socket.create_server((args.host, args.port), backlog=BACKLOG)
        listener.set_inheritable(True)
        app = build()
    except (OSError, OverflowError) as error:
        address = f"{args.host}:{args.port}"
        return _complain(name, f"Cannot listen on {address}: {error}. Try another --port.")
    except sqlite3.Error as error:
        return _complain(name, f"Cannot use {args.data}: {error}. Try another --data.")
    config = uvicorn.Config(
        app,
        http=CuttableProtocol,
        ws="none",
        proxy_headers=False,
        server_header=False,
        access_log=False,
        log_level="warning",
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=1,
    )
    sys.stdout.write(f"{name} ready on http://{args.host}:{listener.getsockname()[1]}\n")
    sys.stdout.flush()
    uvicorn.Server(config).run(sockets=[listener])
    return 0


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _complain(name: str, text: str) -> int:
    sys.stderr.write(f"{name}: {text}\n")
    return 2
