"""Starts the simulator: ``python -m locks.simulators.ttlock --port 8004``."""

from __future__ import annotations

import argparse
import hashlib
import os
import sys
from collections.abc import Sequence

from starlette.types import ASGIApp

from locks.simulators.shared import serving
from locks.simulators.ttlock.app import build_app
from locks.simulators.ttlock.store import Store
from locks.simulators.ttlock.world import Account, Cloud, World


def parser() -> argparse.ArgumentParser:
    """The options of the server."""
    top = argparse.ArgumentParser(
        prog="python -m locks.simulators.ttlock",
        description="A simulated TTLock cloud and its locks.",
    )
    add = top.add_argument
    add("--host", default="127.0.0.1")
    add("--port", type=int, default=8004, help="0 takes a free one")
    add("--data", default="var/ttlock.sqlite3", help="the file of its memory, or :memory:")
    add("--client-id", default="demo-client")
    add("--client-secret", default=os.environ.get("TTLOCK_CLIENT_SECRET", "demo-client-secret"))
    add("--username", default="hotel@example.com", help="of the app account that owns the locks")
    add("--password", default=os.environ.get("TTLOCK_PASSWORD", "demo-password"))
    add("--callback-url", default="", help="the application's one address for callbacks")
    add("--command-ms", type=float, default=3000.0, help="a gateway takes 2 to 8 s for a command")
    add("--control-token", default=os.environ.get("TTLOCK_CONTROL_TOKEN", ""))
    return top


def serve(args: argparse.Namespace) -> int:
    """Run until stopped. Prints one line when it is ready to be called."""
    md5 = hashlib.md5(args.password.encode(), usedforsecurity=False).hexdigest()
    account = Account(
        client_id=args.client_id,
        client_secret=args.client_secret,
        username=args.username,
        password_md5=md5,
    )
    cloud = Cloud(command_ms=args.command_ms, callback_url=args.callback_url)

    def build() -> ASGIApp:
        return build_app(World(Store(args.data), account, cloud), control_token=args.control_token)

    return serving.serve("ttlock", args, build)


def main(argv: Sequence[str]) -> int:
    """Serve."""
    return serve(parser().parse_args(argv))


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(0)
