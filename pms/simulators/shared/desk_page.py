"""The parts of a control page that all simulators share: forms, faults, settings and traffic."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from html import escape
from typing import Any

from pms.simulators.shared.looks import button, hidden, table
from pms.simulators.shared.sender import WebhookModes
from pms.simulators.shared.store import Store
from pms.simulators.shared.trouble import Faults, RequestLog

Fields = Sequence[tuple[str, str]]


def form(at: str, action: str, text: str, mine: dict[str, str], inputs: str) -> str:
    """A form for one action below an address."""
    return (
        f'<form method="post" action="{at}/{action}">{hidden(mine)}'
        f'<div class="row">{inputs}<button>{text}</button></div></form>'
    )


def text_input(name: str, text: str, value: str = "") -> str:
    """A short text with its label."""
    return f'<label>{text} <input name="{name}" size="10" value="{escape(value)}"></label>'


def box(name: str) -> str:
    """A box to tick, labelled with its name."""
    return f'<label><input type="checkbox" name="{name}"> {name.replace("_", " ")}</label>'


def choice(name: str, text: str, options: Iterable[str]) -> str:
    """A choice of words with its label."""
    listed = "".join(f"<option>{escape(option)}</option>" for option in options)
    return f'<label>{text} <select name="{name}">{listed}</select></label>'


def dial_form(mine: dict[str, str], name: str, title: str, values: Fields) -> str:
    """A section for one group of settings."""
    inputs = "".join(text_input(key, key.replace("_", " "), value) for key, value in values)
    return f"""<section><h2>{title}</h2><form method="post" action="/control/{name}">
    {hidden(mine)}<div class="row">{inputs}<button>Set</button></div></form></section>"""


def webhook_fields(modes: WebhookModes) -> Fields:
    """What can be turned about webhooks by hand."""
    names = ("delay_seconds", "drop", "repeat", "shuffle_seconds", "retry_seconds")
    values = [(name, f"{getattr(modes, name):g}") for name in names]
    return [*values, ("paused", yes_or_no(modes.paused))]


def yes_or_no(value: bool) -> str:  # noqa: FBT001 - the value shown
    """As a form says it."""
    return "yes" if value else "no"


def fault_section(
    mine: dict[str, str], faults: Faults, kinds: Iterable[str], *, example: str
) -> str:
    """The trouble in force, a form for more, and a button for none; ``example`` names a method."""
    rows = [
        (
            str(fault["kind"]),
            fault["method"] or "every call",
            str(fault["times"] or "until cleared"),
        )
        for fault in faults.listed()
    ]
    listed = table(("kind", "calls", "times left"), rows) if rows else "<p>None.</p>"
    return f"""<section><h2>Answers</h2>{listed}
    <form method="post" action="/control/faults">{hidden(mine)}<div class="row">
    {choice("kind", "Kind", kinds)}
    <label>Only this method <input name="method" placeholder="{escape(example)}"></label>
    <label>Times <input name="times" type="number" min="1"></label>
    <label>Seconds <input name="seconds" type="number" value="30"></label>
    <button>Add</button></div></form>
    {button("/control/faults/clear", "All is well again", mine)}</section>"""


def traffic(store: Store, log: RequestLog, about: Callable[[Any], str]) -> str:
    """The last webhooks and calls; ``about`` says what a webhook's body is about."""
    rows = store.rows("SELECT * FROM deliveries ORDER BY id DESC LIMIT 15")
    sent = [
        (row["event"], row["state"], str(row["tries"]), row["answer"], _about(row["body"], about))
        for row in rows
    ]
    asked = [
        (entry["method"], entry["call"], str(entry["status"]))
        for entry in reversed(log.since(0)[-15:])
    ]
    return f"""<div class="grid"><section><h2>Webhooks</h2>
    {table(("event", "state", "tries", "answer", "about"), sent)}</section>
    <section><h2>Calls</h2>{table(("verb", "method", "status"), asked)}</section></div>"""


def _about(body: str, about: Callable[[Any], str]) -> str:
    try:
        told = json.loads(body)
    except ValueError:
        return ""
    return about(told) if isinstance(told, dict) else ""
