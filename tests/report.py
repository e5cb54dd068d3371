"""Stories first and as sentences; skipped tests by name and reason, and a failure in CI."""

from __future__ import annotations

import os
import sys

import pytest

STORIES = "tests/stories/"
MARKS = {"passed": "✓", "failed": "✗", "skipped": "–"}
IN_WORKER = "PYTEST_XDIST_WORKER" in os.environ


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What the product promises is known before anything else; the order within stays."""
    items.sort(key=lambda item: not item.nodeid.startswith(STORIES))


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
    """Name each test that did not run, and why."""
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


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """With ``CI=true`` nothing may be left out."""
    terminal = session.config.pluginmanager.get_plugin("terminalreporter")
    if IN_WORKER or terminal is None or os.environ.get("CI") != "true":
        return
    if terminal.stats.get("skipped") and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
