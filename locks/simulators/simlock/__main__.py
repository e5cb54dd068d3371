"""Starts the simulator: ``python -m locks.simulators.simlock``, or its command line with ``ctl`` as first word."""

from __future__ import annotations

import argparse
import ipaddress
import os
import socket
import sqlite3
import sys
from collections.abc import Sequence
from pathlib import Path

import uvicorn

from locks.simulators.simlock import ctl
from locks.simulators.simlock.app import build_app
from locks.simulators.simlock.store import Store
from locks.simulators.simlock.wire import CuttableProtocol
from locks.simulators.simlock.world import World

BACKLOG = 2048
KEEP_ALIVE_S = 75


def parser() -> argparse.ArgumentParser:
    """The options of the server."""
    top = argparse.ArgumentParser(
        prog="python -m locks.simulators.simlock",
        description="A simulated lock system. First word 'ctl': its command line (ctl --help).",
    )
    top.add_argument("--host", default="127.0.0.1")
    top.add_argument("--port", type=int, default=8001, help="0 takes a free one")
    top.add_argument(
        "--data", default="var/simlock.sqlite3", help="the file of its memory, or :memory:"
    )
    top.add_argument(
        "--token",
        default=os.environ.get("SIMLOCK_TOKEN", "demo-lock-token"),
        help="of the vendor API",
    )
    top.add_argument("--control-token", default=os.environ.get("SIMLOCK_CONTROL_TOKEN", ""))
    return top


def serve(args: argparse.Namespace) -> int:
    """Run until stopped. Prints one line when it is ready to be called."""
    if not _is_loopback(args.host) and not args.control_token:
        return _complain("Off loopback the control page needs --control-token.")
    try:
        listener = _listen(args.host, args.port)
        world = World(_open_store(args.data))
    except (OSError, OverflowError) as error:
        return _complain(f"Cannot listen on {args.host}:{args.port}: {error}. Try another --port.")
    except sqlite3.Error as error:
        return _complain(f"Cannot use {args.data}: {error}. Try another --data.")
    app = build_app(world, token=args.token, control_token=args.control_token)
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
    sys.stdout.write(f"simlock ready on http://{args.host}:{listener.getsockname()[1]}\n")
    sys.stdout.flush()
    uvicorn.Server(config).run(sockets=[listener])
    return 0


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _listen(host: str, port: int) -> socket.socket:
    listener = socket.create_server((host, port), backlog=BACKLOG)
    listener.set_inheritable(True)
    return listener


def _open_store(data: str) -> Store:
    if data != ":memory:":
        Path(data).parent.mkdir(parents=True, exist_ok=True)
    return Store(data)


def _complain(text: str) -> int:
    sys.stderr.write(f"simlock: {text}\n")
    return 2


def main(argv: Sequence[str]) -> int:
    """Serve, or hand the rest to the command line."""
    if argv and argv[0] == "ctl":
        return ctl.main(argv[1:])
    return serve(parser().parse_args(argv))


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(0)
