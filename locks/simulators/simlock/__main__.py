"""Starts the simulator: ``python -m locks.simulators.simlock``, or its command line with ``ctl`` as first word."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from starlette.types import ASGIApp

from locks.simulators.shared import serving
from locks.simulators.simlock import ctl
from locks.simulators.simlock.app import build_app
from locks.simulators.simlock.store import Store
from locks.simulators.simlock.world import World


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

    def build() -> ASGIApp:
        world = World(_open_store(args.data))
        return build_app(world, token=args.token, control_token=args.control_token)

    return serving.serve("simlock", args, build)


def _open_store(data: str) -> Store:
    if data != ":memory:":
        Path(data).parent.mkdir(parents=True, exist_ok=True)
    return Store(data)


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
