"""``python3 run.py bench [figure…]``: measure, print the table, write ``var/bench``, and with ``--write`` the document.

The engine and broker of the environment are measured first; when those are not the embedded ones, the embedded ones are
printed beside.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path

from tests.bench import figures

ROOT = Path(__file__).resolve().parents[2]
DOCUMENT = ROOT / "docs" / "performance.md"
NAMES = (
    "delivery",
    "slow-locks",
    "gateways",
    "hung-locks",
    "offline-cost",
    "deciding",
    "releasing",
    "releasing-answer",
    "webhooks",
    "webhooks-empty",
    "webhooks-busy",
    "webhooks-resync",
    "resync",
    "door-log",
    "door-log-pages",
    "door-log-large",
    "key-list",
    "key-list-queries",
)


def main() -> int:
    """Exit 0 when all were measured with right results, whether or not the targets are reached; 1 otherwise."""
    words = argparse.ArgumentParser(prog="run.py bench", description="Figures: " + ", ".join(NAMES))
    words.add_argument("names", nargs="*", metavar="figure", help="all when none is named")
    words.add_argument(
        "--write", action="store_true", help="put the table into docs/performance.md"
    )
    words.add_argument(
        "--add",
        action="store_true",
        help="keep what an earlier run of today measured and this does not",
    )
    words.add_argument("--small", action="store_true", help="tiny sizes: only whether it works")
    words.add_argument("--rounds", type=int, default=5, help="of limit and product, in turns")
    words.add_argument("--no-beside", action="store_true", help="not SQLite and the file broker")
    asked = words.parse_args()
    if unknown := set(asked.names) - set(NAMES):
        words.error(
            f"no figure is called {', '.join(sorted(unknown))}; there are {', '.join(NAMES)}"
        )
    folder = Path(os.environ.get("PORTAL_VAR") or ROOT / "var").absolute() / "bench"
    told: dict[str, dict[str, object]] = {}
    found: dict[str, list[figures.Figure]] = {}
    for title, env, more in engines(asked):
        out = folder / f"{title.replace(' ', '-').lower()}.json"
        earlier = figures.read_json(out) if asked.add and out.exists() else None
        out.unlink(missing_ok=True)
        command = [sys.executable, "-m", "tests.bench.engine", "--out", str(out), *more]
        subprocess.run([*command, *asked.names], cwd=ROOT, env=env, check=False)
        if not out.exists():
            print(f"The figures on {title} came to no end.", file=sys.stderr)
            return 1
        told[title], found[title] = figures.read_json(out)
        if earlier is not None:
            found[title] = figures.added(found[title], to=earlier, about=told[title], order=NAMES)
            figures.write_json(out, told[title], found[title])
    show(told, found, folder)
    if asked.write:
        figures.write_block(DOCUMENT, figures.as_markdown(told, found))
        print(f"Written into {DOCUMENT}.")
    return 1 if any(one.error for several in found.values() for one in several) else 0


def engines(asked: argparse.Namespace) -> list[tuple[str, dict[str, str], list[str]]]:
    """What is measured: a title, the environment and the words of each run."""
    shared = ["--rounds", str(asked.rounds), *(["--small"] if asked.small else [])]
    embedded = {
        name: value
        for name, value in os.environ.items()
        if name not in {"DATABASE_URL", "CELERY_BROKER_URL"}
    }
    if embedded == dict(os.environ):
        return [("SQLite and files", embedded, shared)]
    runs = [("PostgreSQL and Redis", dict(os.environ), shared)]
    if not asked.no_beside:
        fewer = ["--rounds", str(min(asked.rounds, 3))]
        runs.append(("SQLite and files", embedded, [*shared, *fewer, "--beside"]))
    return runs


def show(
    told: dict[str, dict[str, object]], found: dict[str, list[figures.Figure]], folder: Path
) -> None:
    """All tables once more, below each other."""
    for title, several in found.items():
        print(f"\n{told[title]['line']}\n\n{figures.as_text(several)}")
        for one in several:
            for note in one.beside:
                print(f"  {one.name}: {note}")
    print(f"\nAs JSON in {folder}.")


if __name__ == "__main__":
    sys.exit(main())
