"""What tests of keys share."""

from __future__ import annotations

import pytest


class NoBell:
    """Takes rings and drops them: delivery is driven by the test alone."""

    def send_task(self, *_args, **_options) -> None:
        return None


@pytest.fixture
def silent_bell(monkeypatch) -> None:
    """Nothing is sent to a broker."""
    monkeypatch.setattr("locks.bell.current_app", NoBell())
