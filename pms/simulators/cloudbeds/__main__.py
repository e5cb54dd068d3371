"""Runs the Cloudbeds simulator: ``python -m pms.simulators.cloudbeds --port 8002``."""

from __future__ import annotations

import argparse
import sys
from zoneinfo import available_timezones

from pms.simulators.cloudbeds.access import Client, TokenRules
from pms.simulators.cloudbeds.app import build_app
from pms.simulators.cloudbeds.trouble import Limits
from pms.simulators.cloudbeds.world import Options, World
from pms.simulators.shared.sender import WebhookModes
from pms.simulators.shared.serving import serve


def arguments() -> argparse.ArgumentParser:
    """What the command understands."""
    parser = argparse.ArgumentParser(prog="python -m pms.simulators.cloudbeds", description=__doc__)
    add = parser.add_argument
    add("--host", default="127.0.0.1")
    add("--port", type=int, default=8002, help="0 takes a free one and prints it")
    add("--data", default=":memory:", help="SQLite file; without it nothing is kept")
    add("--timezone", default="Europe/Lisbon", help="IANA zone of Harbor House")
    add("--client-id", default="portal-demo")
    add("--client-secret", default="demo-secret")
    add("--redirect-uri", action="append", default=[], help="one more; loopback is always allowed")
    add("--api-url", default="", help="address told by oauth/metadata, if not the one asked")
    add("--seed-stays", action="store_true", help="guests in house, tonight and tomorrow")
    add("--life", action="store_true", help="random events by themselves")
    add("--life-seconds", type=float, default=20.0, help="their mean distance")
    add("--per-second", type=int, default=10, help="calls a second and client, 0 for no limit")
    add("--retry-seconds", type=float, default=60.0, help="distance of webhook tries")
    add("--webhook-timeout", type=float, default=2.0)
    add("--access-seconds", type=int, default=28800, help="life of an access token")
    return parser


def main() -> int:
    """Listen until stopped; a taken port is said in one sentence."""
    asked = arguments().parse_args()
    if asked.timezone not in available_timezones():
        sys.stderr.write(f"There is no time zone {asked.timezone}: say one like Europe/Lisbon.\n")
        return 2
    return serve("Cloudbeds", asked.host, asked.port, lambda: build_app(World(_options(asked))))


def _options(asked: argparse.Namespace) -> Options:
    return Options(
        data=asked.data,
        timezone=asked.timezone,
        client=Client(
            id=asked.client_id,
            secret=asked.client_secret,
            redirect_uris=tuple(asked.redirect_uri),
        ),
        webhooks=WebhookModes(
            timeout_seconds=asked.webhook_timeout, retry_seconds=asked.retry_seconds
        ),
        limits=Limits(per_second=asked.per_second or None),
        tokens=TokenRules(access_seconds=asked.access_seconds),
        seed_stays=asked.seed_stays,
        life=asked.life,
        life_seconds=asked.life_seconds,
        api_url=asked.api_url,
    )


if __name__ == "__main__":
    sys.exit(main())
