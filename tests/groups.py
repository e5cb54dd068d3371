"""Lets xdist keep tests with the mark ``xdist_group`` together, and hand them out in the order in which they stand.

Workers say which group each test belongs to in a file beside their data; xdist itself hides it in the test's name, which
pytest no longer lets it change.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

WORKER = os.environ.get("PYTEST_XDIST_WORKER", "")


def _file(worker: str) -> Path:
    return Path(os.environ["PORTAL_TEST_VAR"]) / f"groups-{worker}.json"


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tell the process that hands out the tests, before it hears of them."""
    if not WORKER:
        return
    marks = {item.nodeid: item.get_closest_marker("xdist_group") for item in items}
    groups = {nodeid: str(mark.args[0]) for nodeid, mark in marks.items() if mark is not None}
    _file(WORKER).write_text(json.dumps(groups))


@pytest.hookimpl(optionalhook=True, tryfirst=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """For ``--dist loadgroup``, the same with groups that are read from the workers' files."""
    if config.getvalue("dist") != "loadgroup":
        return None
    from xdist.scheduler import LoadScopeScheduling  # noqa: PLC0415 - only where xdist runs

    class ByGroup(LoadScopeScheduling):
        groups: dict[str, str] | None = None

        def _split_scope(self, nodeid: str) -> str:
            if self.groups is None:
                worker = next(iter(self.registered_collections)).gateway.id
                self.groups = json.loads(_file(worker).read_text())
            return self.groups.get(nodeid, nodeid)

    config.option.loadscopereorder = False
    return ByGroup(config, log)
