"""Stories first and as sentences, then all others, with what takes long spread among what is quick; skipped tests by name and reason, and a failure in CI.

Tests marked ``postgres`` ask for what only that engine has. On another engine they are not collected, which is no skip:
the run on PostgreSQL has them.
"""

from __future__ import annotations

import os
import sys

import pytest
from django.conf import settings

STORIES = "tests/stories/"
HOTELS = ("tests/scenarios/", "tests/smoke/", "tests/browser/", "tests/chaos/")
"""Tests with whole hotels take long in one process, and each hotel costs time while it is open."""
MARKS = {"passed": "✓", "failed": "✗", "skipped": "–"}
IN_WORKER = "PYTEST_XDIST_WORKER" in os.environ


def _on_postgresql() -> bool:
    return str(settings.DATABASES["default"]["ENGINE"]).endswith("postgresql")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """What the product promises is known before anything else; the order within stays."""
    if not _on_postgresql():
        left = [item for item in items if item.get_closest_marker("postgres")]
        config.hook.pytest_deselected(items=left)
        items[:] = [item for item in items if item not in left]
    stories = [item for item in items if item.nodeid.startswith(STORIES)]
    hotels = [item for folder in HOTELS for item in items if item.nodeid.startswith(folder)]
    first = {*stories, *hotels}
    items[:] = stories + _spread(hotels, [item for item in items if item not in first])


def _spread(hotels: list[pytest.Item], quick: list[pytest.Item]) -> list[pytest.Item]:
    """The hotels one after the other among the quick tests, so that few are open at once and none is begun last."""
    groups: dict[object, list[pytest.Item]] = {}
    for item in hotels:
        mark = item.get_closest_marker("xdist_group")
        groups.setdefault(mark.args[0] if mark else item.parent, []).append(item)
    length = len(quick) // (2 * len(groups) or 1)
    spread: list[pytest.Item] = []
    for n, group in enumerate(groups.values()):
        spread += group + quick[n * length : (n + 1) * length]
    return spread + quick[len(groups) * length :]


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Print a story as the sentence that its name is, with how it went."""
    over = report.when == "call" or report.outcome != "passed"
    if IN_WORKER or not over or not report.nodeid.startswith(STORIES):
        return
    sys.stderr.write(
        f"\n {MARKS[report.outcome]} {_sentence(report.nodeid)} ({report.duration:.1f} s)"
    )
    sys.stderr.flush()


def _sentence(nodeid: str) -> str:
    """``test_a_guest_checks_in[x]`` as "A guest checks in [x]"."""
    name, _, case = nodeid.rsplit("::", 1)[-1].removeprefix("test_").partition("[")
    words = name.replace("_", " ")
    return words[:1].upper() + words[1:] + (f" [{case}" if case else "")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what tests told, then name each test that did not run, and why."""
    _print_told(terminalreporter)
    if not _on_postgresql():
        terminalreporter.write_line(
            "Tests marked postgres run where DATABASE_URL names a PostgreSQL server."
        )
    skipped = terminalreporter.stats.get("skipped", [])
    if not skipped:
        return
    terminalreporter.section("not run")
    for report in skipped:
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        terminalreporter.write_line(f"{report.nodeid}: {str(reason).removeprefix('Skipped: ')}")
    if os.environ.get("CI") == "true":
        terminalreporter.write_line(
            "CI=true: a test that does not run counts as a failure.", red=True
        )


def _print_told(terminalreporter: pytest.TerminalReporter) -> None:
    stats = terminalreporter.stats
    reports = (*stats.get("passed", []), *stats.get("failed", []))
    told = [words for report in reports for name, words in report.user_properties if name == "told"]
    if told:
        terminalreporter.section("told")
        for words in told:
            terminalreporter.write_line(words)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """With ``CI=true`` nothing may be left out."""
    terminal = session.config.pluginmanager.get_plugin("terminalreporter")
    if IN_WORKER or terminal is None or os.environ.get("CI") != "true":
        return
    if terminal.stats.get("skipped") and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
