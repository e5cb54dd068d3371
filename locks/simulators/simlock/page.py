"""The control page: plain HTML made here, forms that post to the control API, no script at all."""

from __future__ import annotations

from datetime import datetime
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from locks.simulators.simlock.actions import (
    FAULTS,
    GATEWAY_ACTIONS,
    HANDS,
    LOCK_ACTIONS,
    REACH,
)
from locks.simulators.simlock.encoder import ENCODER_ACTIONS, encoder_of
from locks.simulators.simlock.fields import Action, Field, FieldType
from locks.simulators.simlock.lock import Credential, Lock
from locks.simulators.simlock.words import Refusal, say_time
from locks.simulators.simlock.world import World

PAGE_SIZE = 60
STYLE = (Path(__file__).parents[1] / "shared" / "page.css").read_text(encoding="utf-8")
POLICY = "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
KIND_WORDS = {"door_code": "Door Code", "smartkey": "SmartKey", "keycard": "Keycard"}
FIELD_WORDS = {
    "calls": "calls (-1: all)",
    "silence": "the caller",
    "hang_s": "for seconds",
    "ms": "milliseconds",
    "land_after_s": "after seconds",
    "retry_after_s": "retry after s",
    "offset_s": "seconds off",
    "percent": "percent",
    "silent": "without a signal",
    "on": "full",
    "handle": "which",
    "value": "digits",
    "card": "card number",
}


def list_page(world: World, *, query: str, page: int, said: str) -> str:
    """All locks, a page at a time, filtered by a word in id, name or gateway."""
    word = query.strip().lower()
    found = [
        lock
        for lock in world.locks.values()
        if word in f"{lock.id} {lock.name} {lock.gateway}".lower()
    ]
    shown = found[page * PAGE_SIZE : (page + 1) * PAGE_SIZE]
    here = f"/?q={quote(query)}&page={page}"
    body = [
        _search(query, total=len(found)),
        f'<div class="grid">{"".join(_card(world, lock, here) for lock in shown)}</div>',
        _pager(query, page=page, more=len(found) > (page + 1) * PAGE_SIZE),
        _gateways(world, here),
        _encoder(world, here),
        _clock(world, here),
    ]
    return _document("Simulated locks", "".join(body), said=said)


def lock_page(world: World, lock: Lock, *, said: str) -> str:
    """One lock: what it holds, trying it, and everything that can go wrong with it."""
    here = f"/locks/{quote(lock.id)}"
    body = [
        '<p><a href="/">All locks</a></p>',
        f'<section class="card"><h2>{escape(lock.name)}</h2>{_state(world, lock)}{_facts(world, lock)}</section>',
        f'<section class="card"><h2>At the door</h2>{_tries(lock, here)}</section>',
        f'<section class="card"><h2>What the lock holds</h2>{_memory(world, lock)}</section>',
        f'<section class="card"><h2>Faults</h2>{_group(lock, REACH, here)}{_group(lock, FAULTS, here)}</section>',
        f'<section class="card"><h2>Hands on the lock</h2>{_group(lock, HANDS, here)}</section>',
    ]
    return _document(f"{lock.name} - simulated lock", "".join(body), said=said)


def _document(title: str, body: str, *, said: str) -> str:
    news = f'<p class="card said" role="status">{escape(said)}</p>' if said else ""
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<style>{STYLE}</style></head><body>"
        '<div class="banner">Simulator. These locks are not real, and this is not the portal.</div>'
        '<header><h1>Simulated lock system</h1><p class="soft">The vendor\'s cloud and the locks on the wall.</p>'
        f"</header><main>{news}{body}</main></body></html>"
    )


def _search(query: str, *, total: int) -> str:
    return (
        '<form class="row" method="get" action="/" role="search"><label>Find a lock'
        f'<input type="text" name="q" value="{escape(query)}"></label><button>Find</button>'
        f'<span class="soft">{total} lock(s)</span></form>'
    )


def _pager(query: str, *, page: int, more: bool) -> str:
    def link(number: int, word: str) -> str:
        return f'<a href="/?q={quote(query)}&amp;page={number}">{word}</a>'

    parts = [link(page - 1, "Earlier")] if page else []
    parts += [link(page + 1, "Further")] if more else []
    return f'<p class="row">{" ".join(parts)}</p>'


def _card(world: World, lock: Lock, here: str) -> str:
    action = LOCK_ACTIONS["offline" if lock.online else "online"]
    return (
        f'<section class="card"><h2><a href="/locks/{quote(lock.id)}">{escape(lock.name)}</a></h2>'
        f"{_state(world, lock)}<p>{_summary(lock)}</p>{_tries(lock, here)}{_lock_form(lock, action, here)}"
        f'<p><a href="/locks/{quote(lock.id)}">Memory and faults of {escape(lock.name)}</a></p></section>'
    )


def _summary(lock: Lock) -> str:
    held = f"Holds {len(lock.memory)} of {lock.max_codes}."
    return held if lock.native_window else f"{held} Keeps no times: what it holds always opens."


def _state(world: World, lock: Lock) -> str:
    gateway = world.gateway_of(lock)
    tags = [("good", "online") if lock.online else ("bad", "offline")]
    tags += [("bad", "gateway offline")] if gateway and not gateway.online else []
    tags += [("warn", "cloud believes the opposite")] if lock.online != lock.seen_online else []
    tags += [("soft", "never signals")] if not lock.signals else []
    tags += [("warn", f"battery {lock.battery} %")] if lock.battery <= 20 else []
    tags += [("warn", f"clock {lock.clock_offset_s:+g} s")] if lock.clock_offset_s else []
    tags += [("warn", fault) for fault in lock.faults.active()]
    waiting = world.landings_of(lock)
    tags += [("warn", f"{waiting} write(s) on the way")] if waiting else []
    spans = [f'<span class="tag {kind}">{escape(word)}</span>' for kind, word in tags]
    return f"<p>{''.join(spans)}</p>"


def _facts(world: World, lock: Lock) -> str:
    facts = {
        "Id": lock.id,
        "Gateway": lock.gateway or "none",
        "Takes": ", ".join(KIND_WORDS[kind] for kind in lock.kinds),
        "Codes": f"{lock.code_min} to {lock.code_max} digits, {lock.max_codes} places",
        "Time windows": "the lock keeps them"
        if lock.native_window
        else "none: what it holds always opens",
        "Battery": f"{lock.battery} %",
        "Its clock": f"{_time(lock.clock(world.now()))} ({lock.clock_offset_s:+g} s)",
    }
    rows = "".join(f"<dt>{name}</dt><dd>{escape(text)}</dd>" for name, text in facts.items())
    return f"<dl>{rows}</dl>"


def _tries(lock: Lock, here: str) -> str:
    forms = []
    for kind in lock.kinds:
        word = KIND_WORDS[kind]
        button = {"Door Code": "Try code", "SmartKey": "Try SmartKey"}.get(word, f"Try {word}")
        forms.append(
            f'<form class="row" method="post" action="/control/locks/{quote(lock.id)}/try">{_hidden("back", here)}'
            f'{_hidden("kind", kind)}<label>{word}<input type="text" name="value" required autocomplete="off">'
            f'</label><button class="main">{button}</button></form>'
        )
    return "".join(forms)


def _memory(world: World, lock: Lock) -> str:
    if not lock.memory:
        return '<p class="soft">Nothing. Nobody gets in but with a mechanical key.</p>'
    head = "".join(
        f"<th>{word}</th>"
        for word in ("Handle", "Kind", "Value", "From", "To", "Put there by", "Now")
    )
    rows = "".join(_memory_row(world, lock, held) for held in lock.memory.values())
    return f'<div class="scroll" tabindex="0"><table><tr>{head}</tr>{rows}</table></div>'


def _memory_row(world: World, lock: Lock, held: Credential) -> str:
    opens = lock.judge(held.kind, held.value, now=world.now()).opened
    now = '<span class="good">opens</span>' if opens else '<span class="soft">stays shut</span>'
    cells = [
        f"<code>{escape(held.handle)}</code>",
        KIND_WORDS[held.kind],
        f"<code>{escape(held.value)}</code>",
        _time(held.starts_at) or "always",
        _time(held.ends_at) or "always",
        "the cloud" if held.source == "api" else "someone at the keypad",
        now,
    ]
    return f"<tr>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"


def _time(moment: datetime | None) -> str:
    return (say_time(moment) or "")[:16].replace("T", " ") + (" UTC" if moment else "")


def _group(lock: Lock, actions: tuple[Action[Lock], ...], here: str) -> str:
    parts = [
        f'<div><h3>{action.label}</h3><p class="soft small">{action.help}</p>'
        f"{_lock_form(lock, action, here)}</div>"
        for action in actions
    ]
    return f'<div class="grid">{"".join(parts)}</div>'


def _lock_form(lock: Lock, action: Action[Lock], here: str) -> str:
    return _form(
        f"/control/locks/{quote(lock.id)}/{action.name}", action, here, handles=list(lock.memory)
    )


def _form(target: str, action: Action[Any], here: str, *, handles: list[str]) -> str:
    inputs = "".join(_input(field, handles) for field in action.fields)
    return (
        f'<form class="row" method="post" action="{target}">{_hidden("back", here)}{inputs}'
        f"<button>{action.label}</button></form>"
    )


def _input(field: Field, handles: list[str]) -> str:
    word, name = FIELD_WORDS.get(field.name, field.name), f'name="{field.name}"'
    if field.type is FieldType.BOOL and not field.default:
        return f'<label class="check"><input type="checkbox" {name} value="true">{word}</label>'
    options = handles if field.name == "handle" else list(field.choices)
    if field.type is FieldType.BOOL:
        options = ["true", "false"]
    if options or field.name == "handle":
        return f"<label>{word}<select {name}>{''.join(_option(each) for each in options)}</select></label>"
    shown = "" if field.default is None else f' value="{field.default:g}"'
    if field.type is FieldType.TEXT:
        return f'<label>{word}<input type="text" {name} required autocomplete="off"></label>'
    return f'<label>{word}<input type="number" step="any" {name}{shown} required></label>'


def _option(text: str) -> str:
    words = {
        "true": "yes",
        "false": "no",
        "hang": "waits",
        "drop": "is cut off",
        "error": "gets an error",
    }
    return f'<option value="{escape(text)}">{escape(words.get(text, text))}</option>'


def _hidden(name: str, value: str) -> str:
    return f'<input type="hidden" name="{name}" value="{escape(value)}">'


def _gateways(world: World, here: str) -> str:
    if not world.gateways:
        return ""
    parts = []
    for gateway in world.gateways.values():
        word = (
            '<span class="tag good">online</span>'
            if gateway.online
            else '<span class="tag bad">offline</span>'
        )
        forms = [
            _form(f"/control/gateways/{quote(gateway.id)}/{name}", action, here, handles=[])
            for name, action in GATEWAY_ACTIONS.items()
            if name != ("online" if gateway.online else "offline")
        ]
        parts.append(f"<div><h3>{escape(gateway.id)} {word}</h3>{''.join(forms)}</div>")
    return (
        f'<section class="card"><h2>Gateways</h2><div class="grid">{"".join(parts)}</div></section>'
    )


def _encoder(world: World, here: str) -> str:
    encoder = encoder_of(world)
    tags = [("good", "connected") if encoder.online else ("bad", "unplugged")]
    tags += [("warn", "cards are pulled off too early")] if encoder.pull_early else []
    spans = "".join(f'<span class="tag {kind}">{word}</span>' for kind, word in tags)
    forms = [
        f'<div><p class="soft small">{action.help}</p>'
        f"{_form(f'/control/encoder/{name}', action, here, handles=[])}</div>"
        for name, action in ENCODER_ACTIONS.items()
        if name != ("online" if encoder.online else "offline")
    ]
    return (
        f'<section class="card"><h2>Card encoder {spans}</h2><p>Cards in stock: '
        f"{escape(', '.join(encoder.cards)) or 'none'}. Written whole: "
        f"{escape(', '.join(encoder.encoded)) or 'none'}.</p>"
        f'<div class="grid">{"".join(forms)}</div></section>'
    )


def _clock(world: World, here: str) -> str:
    return (
        f'<section class="card"><h2>Time</h2><p>{_time(world.now())} ({world.clock_offset_s:+g} s from the host)</p>'
        f'<form class="row" method="post" action="/control/clock">{_hidden("back", here)}'
        '<label>seconds from the host<input type="number" step="any" name="offset_s" value="0" required></label>'
        "<button>Set the time for all locks</button></form></section>"
    )


def routes(world: World) -> list[Route]:
    """The two pages."""

    async def show_list(request: Request) -> Response:
        query = request.query_params
        number = query.get("page", "0")
        page = int(number) if number.isascii() and number.isdecimal() else 0
        text = list_page(world, query=query.get("q", ""), page=page, said=query.get("said", ""))
        return _respond(text)

    async def show_lock(request: Request) -> Response:
        try:
            lock = world.lock(request.path_params["lock_id"])
        except Refusal as refusal:
            text = list_page(world, query="", page=0, said=refusal.message)
            return _respond(text, status=404)
        return _respond(lock_page(world, lock, said=request.query_params.get("said", "")))

    return [Route("/", show_list), Route("/locks/{lock_id}", show_lock)]


def _respond(text: str, *, status: int = 200) -> Response:
    return HTMLResponse(text, status_code=status, headers={"content-security-policy": POLICY})
