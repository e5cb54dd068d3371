"""Names the mark that the driver contract uses."""

from __future__ import annotations

import pytest


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", "needs(trouble): runs only against a peer that can make this trouble"
    )
