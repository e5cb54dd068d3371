"""The simulator's command line: the control API for people and scripts."""

from __future__ import annotations

import argparse
import json
import sys
import urllib.error
import urllib.request
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from locks.simulators.simlock.actions import GATEWAY_ACTIONS, LOCK_ACTIONS
from locks.simulators.simlock.fields import Action, Field, FieldType

TIMEOUT_S = 10
# The simulator is at hand: a proxy that the environment names is for the world outside.
DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))
READS = {
    "list": ("locks", "all locks as they truly are"),
    "gateways": ("gateways", "all gateways"),
    "stats": ("stats?requests=0", "writes, overlaps, duplicate live codes"),
    "cloud": ("cloud", "troubles of the whole cloud"),
    "time": ("clock", "the simulated time"),
}


def parser() -> argparse.ArgumentParser:
    """All words of the command line."""
    top = argparse.ArgumentParser(prog="python -m locks.simulators.simlock ctl")
    top.add_argument("--url", default="http://127.0.0.1:8001", help="where the simulator listens")
    top.add_argument("--token", default="", help="the control token, if it was started with one")
    words = top.add_subparsers(dest="word", required=True)
    for name, (path, text) in READS.items():
        words.add_parser(name, help=text).set_defaults(path=path)
    for name, action in LOCK_ACTIONS.items():
        _add_action(words.add_parser(name, help=action.help), action, noun="lock")
    memory = words.add_parser("memory", help="what one lock holds")
    memory.add_argument("lock")
    gateways = words.add_parser("gateway", help="do something to a gateway").add_subparsers(
        dest="action", required=True
    )
    for name, gateway_action in GATEWAY_ACTIONS.items():
        _add_action(
            gateways.add_parser(name, help=gateway_action.help), gateway_action, noun="gateway"
        )
    _add_plain_words(words)
    return top


def _add_plain_words(words: Any) -> None:
    add = words.add_parser("add", help="hang up a lock")
    add.add_argument("lock")
    add.add_argument("--name", default=None)
    add.add_argument("--gateway", default="")
    add.add_argument("--no-window", action="store_true", help="a lock that keeps no time windows")
    words.add_parser("remove", help="take a lock off the wall").add_argument("lock")
    set_time = words.add_parser(
        "set-time", help="move time for all locks"
    ).add_mutually_exclusive_group(required=True)
    set_time.add_argument("--advance-s", type=float, help="by so many seconds more")
    set_time.add_argument("--offset-s", type=float, help="to so many seconds from the host")
    set_time.add_argument("--now", help="to this ISO 8601 time with an offset")
    latency = words.add_parser("latency", help="how long each command takes by default")
    latency.add_argument("ms", type=float)
    outage = words.add_parser("outage", help="trouble of the whole cloud")
    outage.add_argument("kind", choices=["none", "error", "drop", "hang"])
    words.add_parser("reset-stats", help="count from zero")
    words.add_parser("reset", help="forget all locks")


def _add_action(parser_: argparse.ArgumentParser, action: Action[Any], *, noun: str) -> None:
    parser_.add_argument(noun)
    for field in action.fields:
        parser_.add_argument(f"--{field.name.replace('_', '-')}", **_option(field))


def _option(field: Field) -> dict[str, Any]:
    if field.type is FieldType.BOOL and not field.default:
        return {"action": "store_true"}
    return {
        "default": field.default,
        "required": field.default is None,
        "choices": field.choices or None,
    }


def call_for(args: argparse.Namespace) -> tuple[str, str, dict[str, Any]]:
    """Method, path and body for the words that were typed."""
    if args.word in READS:
        return "GET", args.path, {}
    if args.word in LOCK_ACTIONS:
        return (
            "POST",
            f"locks/{quote(args.lock)}/{args.word}",
            _values(args, LOCK_ACTIONS[args.word]),
        )
    if args.word == "gateway":
        return (
            "POST",
            f"gateways/{quote(args.gateway)}/{args.action}",
            _values(args, GATEWAY_ACTIONS[args.action]),
        )
    return _plain_call(args)


def _plain_call(args: argparse.Namespace) -> tuple[str, str, dict[str, Any]]:
    match args.word:
        case "memory":
            return "GET", f"locks/{quote(args.lock)}/memory", {}
        case "remove":
            return "DELETE", f"locks/{quote(args.lock)}", {}
        case "reset-stats":
            return "POST", "stats/reset", {}
        case "reset":
            return "POST", "reset", {}
        case _:
            return "POST", *_setting(args)


def _setting(args: argparse.Namespace) -> tuple[str, dict[str, Any]]:
    """Path and body of what takes more than a name."""
    match args.word:
        case "add":
            doc = {"id": args.lock, "name": args.name or args.lock, "gateway": args.gateway}
            return "locks", {"locks": [doc | {"native_window": not args.no_window}]}
        case "set-time":
            given = {name: getattr(args, name) for name in ("advance_s", "offset_s", "now")}
            return "clock", {name: value for name, value in given.items() if value is not None}
        case "latency":
            return "cloud", {"latency_ms": args.ms}
        case _:
            return "cloud", {"outage": "" if args.kind == "none" else args.kind}


def _values(args: argparse.Namespace, action: Action[Any]) -> dict[str, Any]:
    return {field.name: getattr(args, field.name) for field in action.fields}


def main(argv: Sequence[str]) -> int:
    """Do what was typed and print the answer. Returns 1 when the simulator says no or cannot be reached."""
    args = parser().parse_args(argv)
    method, path, body = call_for(args)
    request = urllib.request.Request(  # noqa: S310 - the address is the caller's own simulator
        f"{args.url.rstrip('/')}/control/{path}",
        data=json.dumps(body).encode() if method == "POST" else None,
        method=method,
        headers={"content-type": "application/json", "authorization": f"Bearer {args.token}"},
    )
    try:
        with DIRECT.open(request, timeout=TIMEOUT_S) as response:
            doc = json.load(response)
    except urllib.error.HTTPError as error:
        sys.stderr.write(f"{error.read().decode(errors='replace')}\n")
        return 1
    except OSError:
        sys.stderr.write(f"No simulator answers at {args.url}. Is it running?\n")
        return 1
    sys.stdout.write(f"{json.dumps(doc, indent=2)}\n")
    return 0
