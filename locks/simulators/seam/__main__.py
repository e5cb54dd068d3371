"""Starts the simulator: ``python -m locks.simulators.seam``."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from starlette.types import ASGIApp

from locks.simulators.seam.app import build_app
from locks.simulators.seam.store import Store
from locks.simulators.seam.world import World
from locks.simulators.shared import serving


def parser() -> argparse.ArgumentParser:
    """The options of the server."""
    top = argparse.ArgumentParser(
        prog="python -m locks.simulators.seam", description="A simulated Seam Connect API."
    )
    top.add_argument("--host", default="127.0.0.1")
    top.add_argument("--port", type=int, default=8005, help="0 takes a free one")
    top.add_argument(
        "--data", default="var/seam.sqlite3", help="the file of its memory, or :memory:"
    )
    top.add_argument(
        "--token",
        default=os.environ.get("SEAM_SIMULATOR_TOKEN", "seam_demo1_key"),
        help="the API key",
    )
    top.add_argument("--control-token", default=os.environ.get("SEAM_SIMULATOR_CONTROL_TOKEN", ""))
    return top


def main(argv: Sequence[str]) -> int:
    """Run until stopped. Prints one line when it is ready to be called."""
    args = parser().parse_args(argv)

    def build() -> ASGIApp:
        if args.data != ":memory:":
            Path(args.data).parent.mkdir(parents=True, exist_ok=True)
        world = World(Store(args.data))
        return build_app(world, token=args.token, control_token=args.control_token)

    return serving.serve("seam", args, build)


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(0)
