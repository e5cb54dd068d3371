"""The control page: the locks with their memories beside the cloud's book, and everything that can go wrong with them.

Plain HTML made here, forms that post to the control API, no script at all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from html import escape
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from locks.simulators.ttlock.actions import GATEWAY_ACTIONS, LOCK_ACTIONS, Action
from locks.simulators.ttlock.lock import Lock
from locks.simulators.ttlock.world import World

STYLE = (Path(__file__).parents[1] / "shared" / "page.css").read_text(encoding="utf-8")
POLICY = "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
AT_HAND = ("try", "offline", "online", "heal")


def list_page(world: World, *, said: str) -> str:
    """All locks and gateways."""
    cards = "".join(
        f'<section class="card"><h2><a href="/locks/{lock.id}">{escape(lock.alias)}</a></h2>'
        f"{_state(world, lock)}{_forms(lock, AT_HAND, '/')}</section>"
        for lock in world.locks.values()
    )
    now = f'<section class="card"><h2>Time</h2><p>{_time(world.now_ms())}</p>{_clock_form()}</section>'
    return _document(
        "Simulated TTLock", f'<div class="grid">{cards}</div>{_gateways(world)}{now}', said
    )


def lock_page(world: World, lock: Lock, *, said: str) -> str:
    """One lock: what it holds, what the book says, and all actions."""
    here = f"/locks/{lock.id}"
    held = [
        (each.kind, each.value, _time(each.start_ms), _time(each.end_ms), str(each.ref or "keypad"))
        for each in lock.memory
    ]
    book = [
        (e.kind, e.value, _time(e.start_ms), _time(e.end_ms), f"{e.id} {e.name}")
        for e in world.entries(lock.id)
    ]
    body = (
        f'<p><a href="/">All locks</a></p><section class="card"><h2>{escape(lock.alias)}</h2>'
        f"{_state(world, lock)}<p>Its clock: {_time(lock.clock_ms(world.now_ms()))}</p></section>"
        f'<section class="card"><h2>What the lock holds</h2>{_table(held)}</section>'
        f'<section class="card"><h2>What the cloud’s book says</h2>{_table(book)}</section>'
        f'<section class="card"><h2>Actions</h2>{_forms(lock, tuple(LOCK_ACTIONS), here)}</section>'
    )
    return _document(f"{lock.alias} - simulated TTLock", body, said)


def _document(title: str, body: str, said: str) -> str:
    news = f'<p class="card said" role="status">{escape(said)}</p>' if said else ""
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<style>{STYLE}</style></head><body>"
        '<div class="banner">Simulator. This is not TTLock, and these locks are not real.</div>'
        f"<header><h1>Simulated TTLock</h1></header><main>{news}{body}</main></body></html>"
    )


def _state(world: World, lock: Lock) -> str:
    tags = [("good", "reached") if world.reaches(lock) else ("bad", "not reached")]
    tags += [("warn", f"battery {lock.battery} %")] if lock.battery <= 20 else []
    tags += [("warn", f"clock {lock.drift_ms / 1000:+g} s")] if lock.drift_ms else []
    tags += [("warn", "frozen")] if lock.frozen else []
    tags += [("warn", each) for each in lock.faults.active()]
    tags += [("soft", f"{len(lock.memory)} of {lock.max_codes} places")]
    spans = "".join(f'<span class="tag {kind}">{escape(word)}</span>' for kind, word in tags)
    return f"<p>{spans}</p>"


def _table(rows: Sequence[tuple[str, ...]]) -> str:
    if not rows:
        return '<p class="soft">Nothing.</p>'
    heads = ("Kind", "Value", "From", "To", "Id and name")
    head = "".join(f'<th scope="col">{word}</th>' for word in heads)
    lines = "".join(
        f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in rows
    )
    return f'<div class="scroll" tabindex="0"><table><tr>{head}</tr>{lines}</table></div>'


def _forms(lock: Lock, names: tuple[str, ...], here: str) -> str:
    forms = (_form(f"/control/locks/{lock.id}/{name}", LOCK_ACTIONS[name], here) for name in names)
    return f'<div class="grid">{"".join(forms)}</div>'


def _form(target: str, action: Action, here: str) -> str:
    return (
        f'<form class="row" method="post" action="{target}">'
        f'<input type="hidden" name="back" value="{escape(here)}">{_inputs(action.takes)}'
        f"<button>{escape(action.label)}</button></form>"
    )


def _inputs(takes: Mapping[str, Any]) -> str:
    return "".join(
        f'<label>{name.replace("_", " ")}<input type="text" name="{name}" value="{escape(str(like))}"'
        ' autocomplete="off"></label>'
        for name, like in takes.items()
    )


def _gateways(world: World) -> str:
    parts = []
    for gateway in world.gateways.values():
        word = "online" if gateway.online else "offline"
        seen = (
            ""
            if gateway.online == gateway.seen_online(world.now_ms())
            else ", the cloud has not noticed"
        )
        forms = "".join(
            _form(f"/control/gateways/{gateway.id}/{name}", action, "/")
            for name, action in GATEWAY_ACTIONS.items()
        )
        parts.append(f"<div><h3>{escape(gateway.name)}: {word}{seen}</h3>{forms}</div>")
    return (
        f'<section class="card"><h2>Gateways</h2><div class="grid">{"".join(parts)}</div></section>'
    )


def _clock_form() -> str:
    return (
        '<form class="row" method="post" action="/control/clock"><label>seconds from the host'
        '<input type="number" step="any" name="shift_s" value="0"></label>'
        "<button>Set the time for cloud and locks</button></form>"
    )


def _time(moment_ms: int) -> str:
    if not moment_ms:
        return "always"
    return f"{datetime.fromtimestamp(moment_ms / 1000, UTC):%Y-%m-%d %H:%M:%S} UTC"


def routes(world: World) -> list[Route]:
    """The two pages."""

    async def show_list(request: Request) -> Response:
        return _respond(list_page(world, said=request.query_params.get("said", "")))

    async def show_lock(request: Request) -> Response:
        lock = world.locks.get(request.path_params["number"])
        said = request.query_params.get("said", "")
        if lock is None:
            return _respond(list_page(world, said="There is no such lock."), status=404)
        return _respond(lock_page(world, lock, said=said))

    return [Route("/", show_list), Route("/locks/{number:int}", show_lock)]


def _respond(text: str, *, status: int = 200) -> Response:
    return HTMLResponse(text, status_code=status, headers={"content-security-policy": POLICY})
