"""What a figure is: rounds of limit and product, the ratio of their medians, and how it is told to people and files."""

from __future__ import annotations

import json
import math
import platform
import re
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median

BEGIN, END = "<!-- figures: begin -->", "<!-- figures: end -->"


class WrongResult(Exception):
    """What was measured did not do its work: a fast wrong answer is a failure, not a figure."""


def must(true: bool, said: str) -> None:
    """Raise WrongResult unless it is so."""
    if not true:
        raise WrongResult(said)


@dataclass(kw_only=True)
class Figure:
    """One figure. ``limit`` and ``product`` hold one value per round, in ``unit``.

    ``at_most`` turns the target round: the ratio must stay below it. ``if_missed`` says why it may be missed and what
    would mend that.
    """

    name: str
    says: str
    target: float
    unit: str
    at_most: bool = False
    limit: list[float] = field(default_factory=list)
    product: list[float] = field(default_factory=list)
    checked: str = ""
    if_missed: str = ""
    beside: list[str] = field(default_factory=list)
    counts: bool = True
    error: str = ""

    @property
    def ratio(self) -> float:
        """The median of the rounds' ratios: a neighbor who disturbs one round disturbs both of its halves."""
        return median(p / q for p, q in zip(self.product, self.limit, strict=True))

    @property
    def reached(self) -> bool:
        """Whether the target is met."""
        if self.error:
            return False
        return self.ratio <= self.target if self.at_most else self.ratio >= self.target

    def as_json(self) -> dict[str, object]:
        """All that is known, for a file."""
        ratio = None if self.error else round(self.ratio, 4)
        return asdict(self) | {"ratio": ratio, "reached": self.reached}


def interleave(
    figure: Figure, rounds: int, limit: Callable[[], float], product: Callable[[], float]
) -> None:
    """Measure both in turns, changing which goes first; one round before the first is thrown away."""
    limit(), product()
    for number in range(rounds):
        first, second = (limit, product) if number % 2 else (product, limit)
        values = {first: first(), second: second()}
        figure.limit.append(values[limit])
        figure.product.append(values[product])


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least ``share`` of all do not exceed."""
    ordered = sorted(values)
    return ordered[max(math.ceil(len(ordered) * share) - 1, 0)]


def short(value: float) -> str:
    """A number with three digits that count."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def machine() -> dict[str, str]:
    """The processor and the Python that the figures were measured with."""
    text = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
    found = re.search(r"^model name\s*:\s*(.+)$", text, re.MULTILINE)
    cores = len(re.findall(r"^processor\s*:", text, re.MULTILINE))
    return {
        "cpu": found[1].strip() if found else platform.processor() or platform.machine(),
        "cores": str(cores or "?"),
        "python": platform.python_version(),
    }


def rows_of(figures: Sequence[Figure]) -> list[list[str]]:
    """The table's cells."""
    rows = []
    for each in figures:
        sign = "≤" if each.at_most else "≥"
        if each.error:
            rows.append([each.says, "", "", f"{sign} {each.target:g}", "", "failed: " + each.error])
            continue
        rows.append(
            [
                each.says,
                f"{short(median(each.limit))} {each.unit}",
                f"{short(median(each.product))} {each.unit}",
                f"{sign} {each.target:g}",
                f"{each.ratio:.2f}",
                "reached" if each.reached else "**missed**",
            ]
        )
    return rows


HEAD = ["figure", "limit", "Portal", "target", "ratio", ""]


def as_markdown(told: dict[str, dict[str, object]], figures: dict[str, list[Figure]]) -> str:
    """One table per engine, the one that counts first, and what was seen beside."""
    parts = []
    for engine, found in figures.items():
        about = told[engine]
        parts.append(f"### {engine}\n\n{about['line']}\n")
        lines = [HEAD, ["---"] * len(HEAD), *rows_of(found)]
        parts.append("\n".join("| " + " | ".join(cells) + " |" for cells in lines) + "\n")
        notes = [f"* {each.name}: {note}." for each in found for note in each.beside]
        checks = [f"* {each.name}, checked in the same run: {each.checked}." for each in found]
        misses = [
            f"* **{each.name} misses its target.** {each.if_missed}"
            for each in found
            if each.if_missed and not each.error and not each.reached
        ]
        told_below = [*misses, *notes, *(c for c in checks if not c.endswith(": ."))]
        parts.append("\n".join(told_below) + "\n")
    return "\n".join(parts).rstrip() + "\n"


def write_block(document: Path, block: str) -> None:
    """Put the block between the document's marks. Raises ValueError when the marks are missing."""
    text = document.read_text()
    if BEGIN not in text or END not in text:
        raise ValueError(f"{document} has no place for the figures")
    before, rest = text.split(BEGIN, 1)
    _, after = rest.split(END, 1)
    document.write_text(f"{before}{BEGIN}\n{block}{END}{after}")


def as_text(figures: Sequence[Figure]) -> str:
    """The table for a terminal."""
    rows = [HEAD, *([cell.replace("**", "") for cell in row] for row in rows_of(figures))]
    widths = [max(len(row[n]) for row in rows) for n in range(len(HEAD))]
    told = [
        "  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip() for row in rows
    ]
    return "\n".join(told)


def write_json(path: Path, about: dict[str, object], figures: Sequence[Figure]) -> None:
    """One engine's figures as a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    doc = {"about": about, "figures": [each.as_json() for each in figures]}
    path.write_text(json.dumps(doc, indent=2, ensure_ascii=False) + "\n")


def read_json(path: Path) -> tuple[dict[str, object], list[Figure]]:
    """What ``write_json`` wrote."""
    doc = json.loads(path.read_text())
    known = set(Figure.__dataclass_fields__)
    return doc["about"], [
        Figure(**{name: value for name, value in one.items() if name in known})
        for one in doc["figures"]
    ]


def added(
    new: Sequence[Figure],
    *,
    to: tuple[dict[str, object], Sequence[Figure]],
    about: dict[str, object],
    order: Sequence[str],
) -> list[Figure]:
    """New figures and the earlier ones that were not measured again, in order. Only of the same day, machine and engine."""
    if to[0]["line"] != about["line"]:
        return list(new)
    by_name = {figure.name: figure for figure in (*to[1], *new)}
    ranks = {name: rank for rank, name in enumerate(order)}
    return sorted(
        by_name.values(), key=lambda f: ranks.get(f.name, ranks.get(f.name.rpartition("-")[0], 99))
    )
