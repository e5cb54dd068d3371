"""docs/scenarios.md and the tests agree: each number has its tests, and each test that carries a number stands there."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
MAP = ROOT / "docs" / "scenarios.md"
ROW = re.compile(r"^\| *(C?\d+) *\| *([^|]+?) *\| *`([^`|]+)` *\|$")
MUST = {
    str(n)
    for n in (
        *range(1, 7),
        *range(8, 16),
        *range(18, 23),
        *range(24, 27),
        *range(49, 58),
        78,
    )
} | {f"C{n}" for n in range(1, 6)}
"""The numbers that may not be missing."""

Marks = dict[str, set[str]]


def rows(text: str) -> list[tuple[str, str]]:
    """Number and test of each row of the map."""
    return [(found[1], found[3]) for line in text.splitlines() if (found := ROW.match(line))]


def disagreements(text: str, collected: Marks) -> list[str]:
    """What is wrong: ``collected`` is every test that pytest finds, with the numbers it carries."""
    mapped = rows(text)
    wrong = [f"{number} has no test" for number in sorted(MUST - {number for number, _ in mapped})]
    for number, test in mapped:
        if test not in collected:
            wrong.append(f"{number} names {test}, which is not collected")
        elif number not in collected[test]:
            wrong.append(f"{test} is not marked with {number}")
    for test, numbers in collected.items():
        wrong += [
            f"{test} is marked with {n}, which is not mapped"
            for n in numbers
            if (n, test) not in mapped
        ]
    return wrong


class _Collector:
    """A plugin that prints every test with its numbers."""

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        print(f"\nCOLLECTED {json.dumps(_numbers(session.items))}")


def _numbers(items: list[pytest.Item]) -> dict[str, list[str]]:
    """The tests with the numbers they carry; the cases of one test are one."""
    found: dict[str, list[str]] = {}
    for item in items:
        numbers = [str(n) for mark in item.iter_markers("scenario") for n in mark.args]
        found.setdefault(item.nodeid.partition("[")[0].partition("@")[0], []).extend(numbers)
    return found


@pytest.fixture(scope="module")
def collected(request: pytest.FixtureRequest) -> Marks:
    """What a run of all tests would collect, which this run is, or another process tells."""
    config = request.config
    if config.args == config.getini("testpaths") and not config.option.keyword:
        return {test: set(numbers) for test, numbers in _numbers(request.session.items).items()}
    done = subprocess.run(
        [sys.executable, "-m", "tests.test_scenarios"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    line = next((one for one in done.stdout.splitlines() if one.startswith("COLLECTED ")), "")
    assert line, done.stdout + done.stderr
    return {test: set(n) for test, n in json.loads(line.removeprefix("COLLECTED ")).items()}


def test_every_scenario_has_its_tests_and_every_numbered_test_its_scenario(collected):
    assert disagreements(MAP.read_text(), collected) == []


def test_scenarios_are_played_over_http_and_look_at_no_table():
    for path in (ROOT / "tests" / "scenarios").glob("*.py"):
        imported = re.findall(r"^(?:from|import) (\S+)", path.read_text(), re.MULTILINE)
        inside = {
            name
            for name in imported
            if name.split(".")[0] in {"django", "keys", "locks", "pms", "portal"}
        }
        assert not inside, f"{path.name}: {inside}"


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda text, tests: (text.replace("| 13 |", "| 113 |"), tests), "13 has no test"),
        (
            lambda text, tests: (text, {test: n for test, n in tests.items() if "13" not in n}),
            "13 names",
        ),
        (
            lambda text, tests: (text, {test: n - {"13"} for test, n in tests.items()}),
            "is not marked with 13",
        ),
        (
            lambda text, tests: (text, tests | {"tests/x.py::test_more": {"77"}}),
            "tests/x.py::test_more is marked with 77",
        ),
    ],
    ids=["a missing number", "a test that is gone", "a lost mark", "an unmapped mark"],
)
def test_a_map_that_is_wrong_is_noticed(collected, change, complaint):
    text, tests = change(MAP.read_text(), collected)
    assert any(complaint in one for one in disagreements(text, tests))


if __name__ == "__main__":
    sys.exit(pytest.main(["--collect-only", "-q", "tests"], plugins=[_Collector()]))
