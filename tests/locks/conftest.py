"""Names the mark that the driver contract uses, and leaves out what a vendor's locks cannot do."""

from __future__ import annotations

import pytest


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", "needs(trouble): runs only against a peer that can make this trouble"
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    left = [item for item in items if _is_beyond(item)]
    config.hook.pytest_deselected(items=left)
    items[:] = [item for item in items if item not in left]


def _is_beyond(item: pytest.Item) -> bool:
    needs = item.get_closest_marker("needs")
    return needs is not None and needs.args[0] in getattr(item.cls, "cannot", ())
