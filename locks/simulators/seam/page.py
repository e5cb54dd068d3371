"""The control page: plain HTML made here, forms that post to the control API, no script at all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from locks.simulators.seam.actions import ACTIONS, FAULTS, HANDS, REACH, Action
from locks.simulators.seam.bodies import code_doc
from locks.simulators.seam.records import Device
from locks.simulators.seam.words import say_time
from locks.simulators.seam.world import World

STYLE = (Path(__file__).parents[1] / "shared" / "page.css").read_text(encoding="utf-8")
POLICY = "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"


def list_page(world: World, *, said: str) -> str:
    """All devices, the clock, and the calls to webhooks."""
    cards = "".join(_card(each) for each in world.devices.values())
    empty = '<p class="soft">No device is in the account.</p>'
    body = [f'<div class="grid">{cards or empty}</div>', _clock(world), _calls(world)]
    return _document("Simulated Seam", "".join(body), said=said)


def device_page(world: World, device: Device, *, said: str) -> str:
    """One device: what the lock holds beside what the cloud's book says, and all that can be done to it."""
    here = f"/locks-page/{quote(device.device_id)}"
    body = [
        '<p><a href="/">All devices</a></p>',
        f'<section class="card"><h2>{escape(device.name)}</h2>{_tags(device)}</section>',
        f'<section class="card"><h2>What the lock holds</h2>{_memory(device)}</section>',
        f'<section class="card"><h2>What the book says</h2>{_book(world, device)}</section>',
        f'<section class="card"><h2>Hands on the lock</h2>{_group(device, HANDS, here)}</section>',
        f'<section class="card"><h2>Faults</h2>{_group(device, REACH | FAULTS, here)}</section>',
    ]
    return _document(f"{device.name} - simulated Seam", "".join(body), said=said)


def _document(title: str, body: str, *, said: str) -> str:
    news = f'<p class="card said" role="status">{escape(said)}</p>' if said else ""
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<style>{STYLE}</style></head><body>"
        '<div class="banner">Simulator. These locks are not real, and this is not Seam.</div>'
        '<header><h1>Simulated Seam</h1><p class="soft">The cloud\'s book and the locks on the wall.</p>'
        f"</header><main>{news}{body}</main></body></html>"
    )


def _card(device: Device) -> str:
    action = "offline" if device.online else "online"
    link = f'<a href="/locks-page/{quote(device.device_id)}">{escape(device.name)}</a>'
    forms = _form(device, "try", ACTIONS["try"], "/") + _form(device, action, ACTIONS[action], "/")
    held = f"<p>Holds {len(device.memory)} of {device.max_codes}.</p>"
    return f'<section class="card"><h2>{link}</h2>{_tags(device)}{held}{forms}</section>'


def _tags(device: Device) -> str:
    tags = [("good", "online") if device.online else ("bad", "offline")]
    tags += [("bad", "hub offline")] if not device.hub_online else []
    tags += [("bad", "removed")] if device.removed else []
    tags += [("soft", "keeps windows" if device.native else "keeps no windows")]
    faults = asdict(device.faults)
    tags += [
        ("warn", name.replace("_", " "))
        for name, value in faults.items()
        if value and name not in {"silence", "land_after_s"}
    ]
    spans = [f'<span class="tag {kind}">{escape(word)}</span>' for kind, word in tags]
    return f"<p>{''.join(spans)}</p>"


def _memory(device: Device) -> str:
    rows = [
        [each.name, each.code, _time(each.starts_at), _time(each.ends_at)] for each in device.memory
    ]
    return _table(["Name", "Code", "From", "To"], rows)


def _book(world: World, device: Device) -> str:
    docs = [code_doc(world, each) for each in world.codes_of(device)]
    rows = [
        [
            doc["name"],
            doc["code"],
            doc["status"],
            ", ".join(each["mutation_code"] for each in doc.get("pending_mutations", [])),
            ", ".join(each["error_code"] for each in doc["errors"]),
            (doc.get("starts_at") or "")[:16],
            (doc.get("ends_at") or "")[:16],
        ]
        for doc in docs
    ]
    return _table(["Name", "Code", "Status", "Pending", "Errors", "From", "To"], rows)


def _time(moment: Any) -> str:
    return say_time(moment)[:16].replace("T", " ") if moment else "always"


def _table(head: list[str], rows: list[list[str]]) -> str:
    if not rows:
        return '<p class="soft">Nothing.</p>'
    top = "".join(f"<th>{escape(word)}</th>" for word in head)
    body = "".join(
        f"<tr>{''.join(f'<td>{escape(str(cell))}</td>' for cell in row)}</tr>" for row in rows
    )
    return f'<div class="scroll" tabindex="0"><table><tr>{top}</tr>{body}</table></div>'


def _group(device: Device, actions: Mapping[str, Action], here: str) -> str:
    parts = [
        f'<div><h3>{action.label}</h3><p class="soft small">{action.help}</p>'
        f"{_form(device, name, action, here)}</div>"
        for name, action in actions.items()
    ]
    return f'<div class="grid">{"".join(parts)}</div>'


def _form(device: Device, name: str, action: Action, here: str) -> str:
    inputs = "".join(_input(device, field, default) for field, default in action.fields.items())
    target = f"/control/devices/{quote(device.device_id)}/{name}"
    return (
        f'<form class="row" method="post" action="{target}">{_hidden("back", here)}{inputs}'
        f"<button>{action.label}</button></form>"
    )


def _input(device: Device, name: str, default: Any) -> str:
    if isinstance(default, bool):
        return (
            f'<label class="check"><input type="checkbox" name="{name}" value="true">{name}</label>'
        )
    if name == "silence":
        options = '<option value="hang">waits</option><option value="drop">is cut off</option>'
        return f'<label>the caller<select name="silence">{options}</select></label>'
    if name == "name":
        options = "".join(f"<option>{escape(each.name)}</option>" for each in device.memory)
        return f'<label>which<select name="name">{options}</select></label>'
    if isinstance(default, (int, float)):
        shown = f'value="{default:g}"'
        return f'<label>{name}<input type="number" step="any" name="{name}" {shown}></label>'
    return f'<label>{name}<input type="text" name="{name}" required autocomplete="off"></label>'


def _hidden(name: str, value: str) -> str:
    return f'<input type="hidden" name="{name}" value="{escape(value)}">'


def _clock(world: World) -> str:
    return (
        f'<section class="card"><h2>Time</h2><p>{_time(world.now())} UTC, speed {world.clock.speed:g}</p>'
        f'<form class="row" method="post" action="/control/clock">{_hidden("back", "/")}'
        '<label>seconds ahead<input type="number" step="any" name="advance_s" value="3600"></label>'
        "<button>Let time jump</button></form></section>"
    )


def _calls(world: World) -> str:
    rows = [
        [row["event"], row["state"], str(row["tries"]), row["answer"], row["due_at"][:19]]
        for row in list(world.store.calls())[-30:]
    ]
    table = _table(["Event", "State", "Tries", "Answer", "Next"], rows[::-1])
    return f'<section class="card"><h2>Calls to webhooks</h2>{table}</section>'


def routes(world: World) -> list[Route]:
    """The two pages."""

    async def show_list(request: Request) -> Response:
        return _respond(list_page(world, said=request.query_params.get("said", "")))

    async def show_device(request: Request) -> Response:
        device = world.devices.get(request.path_params["device_id"])
        if device is None:
            return _respond(list_page(world, said="There is no such device."), status=404)
        return _respond(device_page(world, device, said=request.query_params.get("said", "")))

    return [Route("/", show_list), Route("/locks-page/{device_id}", show_device)]


def _respond(text: str, *, status: int = 200) -> Response:
    return HTMLResponse(text, status_code=status, headers={"content-security-policy": POLICY})
