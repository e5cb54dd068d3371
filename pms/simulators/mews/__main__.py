"""Runs the MEWS simulator: ``python -m pms.simulators.mews --port 8003``."""

from __future__ import annotations

import argparse
import sys
from zoneinfo import available_timezones

from pms.simulators.mews.app import build_app
from pms.simulators.mews.outbox import Webhooks
from pms.simulators.mews.trouble import Limits
from pms.simulators.mews.world import CLIENT_TOKEN, Options, World
from pms.simulators.shared.serving import serve


def arguments() -> argparse.ArgumentParser:
    """What the command understands."""
    parser = argparse.ArgumentParser(prog="python -m pms.simulators.mews", description=__doc__)
    add = parser.add_argument
    add("--host", default="127.0.0.1")
    add("--port", type=int, default=8003, help="0 takes a free one and prints it")
    add("--data", default=":memory:", help="SQLite file; without it nothing is kept")
    add("--timezone", default="", help="another IANA zone for Seaside Rooms")
    add("--client-token", default=CLIENT_TOKEN, help="what the application must send")
    add("--webhook-url", default="", help="the one address for events of all properties")
    add("--seed-stays", action="store_true", help="guests in house, tonight and tomorrow")
    add("--life", action="store_true", help="random events by themselves")
    add("--life-seconds", type=float, default=20.0, help="their mean distance")
    add("--requests", type=int, default=200, help="in 30 seconds and token, 0 for no limit")
    add("--delay-seconds", type=float, default=2.0, help="lag of webhooks, in reality minutes")
    add("--batch-seconds", type=float, default=1.0, help="how long events gather into one call")
    add("--retry-seconds", type=float, default=120.0, help="distance of webhook tries")
    add("--webhook-timeout", type=float, default=5.0)
    return parser


def main() -> int:
    """Listen until stopped; a taken port is said in one sentence."""
    asked = arguments().parse_args()
    if asked.timezone and asked.timezone not in available_timezones():
        sys.stderr.write(f"There is no time zone {asked.timezone}: say one like Europe/Lisbon.\n")
        return 2
    return serve("MEWS", asked.host, asked.port, lambda: build_app(World(_options(asked))))


def _options(asked: argparse.Namespace) -> Options:
    return Options(
        data=asked.data,
        timezone=asked.timezone,
        client_token=asked.client_token,
        webhooks=Webhooks(
            url=asked.webhook_url,
            timeout_seconds=asked.webhook_timeout,
            retry_seconds=asked.retry_seconds,
            delay_seconds=asked.delay_seconds,
            batch_seconds=asked.batch_seconds,
        ),
        limits=Limits(requests=asked.requests or None),
        seed_stays=asked.seed_stays,
        life=asked.life,
        life_seconds=asked.life_seconds,
    )


if __name__ == "__main__":
    sys.exit(main())
