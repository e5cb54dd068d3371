"""The frame of a simulator's pages: plain HTML and CSS, light and dark, from 360 px up."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

STYLE = """
:root{color-scheme:light dark;--ink:#1c2430;--dim:#5a6675;--paper:#f4f1ea;--card:#fffdf8;
--line:#d9d2c3;--main:#7a3d00;--on-main:#fff;--ok:#1d6b3a;--bad:#a3231c;--tape:#f2b705}
@media (prefers-color-scheme:dark){:root{--ink:#e9e4d8;--dim:#a9b0ba;--paper:#16181c;
--card:#1f2228;--line:#3a3f48;--main:#ffb45c;--on-main:#1c1200;--ok:#6fd193;--bad:#ff8d84}}
*{box-sizing:border-box}
body{margin:0;background:var(--paper);color:var(--ink);font:16px/1.5 system-ui,sans-serif}
.tape{background:repeating-linear-gradient(45deg,var(--tape) 0 14px,#222 14px 28px);padding:.35rem}
.tape p{margin:0;background:#222;color:#fff;font-weight:600;text-align:center;padding:.25rem .5rem}
main{max-width:70rem;margin:0 auto;padding:1rem}
h1{font-size:1.4rem;margin:.4rem 0}h2{font-size:1.1rem;margin:1.6rem 0 .5rem}
small,.dim{color:var(--dim)}code{font-size:.9em;overflow-wrap:anywhere}
section,.card{background:var(--card);border:1px solid var(--line);border-radius:.5rem;padding:.8rem}
section{margin:0 0 1rem}section h2{margin-top:0}
.grid{display:grid;gap:.8rem;grid-template-columns:repeat(auto-fill,minmax(min(100%,20rem),1fr))}
.row{display:flex;flex-wrap:wrap;gap:.5rem;align-items:end}
label{display:block;font-size:.9rem}label.choice{padding:.45rem 0;font-size:1rem}
input,select,button{font:inherit;color:inherit;min-height:2.75rem;border:1px solid var(--line);
border-radius:.4rem;padding:.3rem .6rem;background:var(--paper);max-width:100%}
input[type=checkbox],input[type=radio]{min-height:auto;width:1.2rem;height:1.2rem;vertical-align:-.2rem}
input[type=number]{width:6rem}
button{cursor:pointer}button.main{background:var(--main);color:var(--on-main);border-color:var(--main)}
button:focus-visible,input:focus-visible,select:focus-visible,summary:focus-visible,a:focus-visible{
outline:3px solid var(--main);outline-offset:2px}
.bad{color:var(--bad)}.ok{color:var(--ok)}.said{border-left:.4rem solid var(--main)}
summary{cursor:pointer;padding:.6rem 0}a{color:var(--main)}
.scroll{overflow-x:auto}table{border-collapse:collapse;font-size:.9rem}
td,th{text-align:left;padding:.25rem .6rem;border-bottom:1px solid var(--line);vertical-align:top}
fieldset{border:1px solid var(--line);border-radius:.4rem;margin:.5rem 0}ul.scopes{columns:14rem}
"""


def page(title: str, body: str, *, vendor: str) -> str:
    """A whole page; the body is HTML already."""
    return f"""<!doctype html><html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(title)} - {vendor} simulator</title><style>{STYLE}</style></head><body>
<header class="tape"><p>Simulator - this is not {vendor}. No real hotel, no real guests.</p></header>
<main>{body}</main></body></html>"""


def hidden(values: dict[str, str]) -> str:
    """Hidden form fields."""
    return "".join(
        f'<input type="hidden" name="{escape(name)}" value="{escape(value)}">'
        for name, value in values.items()
    )


def button(address: str, text: str, values: dict[str, str], *, main: bool = False) -> str:
    """A form that is only a button."""
    kind = ' class="main"' if main else ""
    return (
        f'<form method="post" action="{escape(address)}">{hidden(values)}'
        f"<button{kind}>{escape(text)}</button></form>"
    )


def table(heads: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    """A table that scrolls sideways on a narrow screen."""
    head = "".join(f'<th scope="col">{escape(text)}</th>' for text in heads)
    lines = "".join(
        "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows
    )
    return (
        f'<div class="scroll" tabindex="0"><table><thead><tr>{head}</tr></thead>'
        f"<tbody>{lines}</tbody></table></div>"
    )
