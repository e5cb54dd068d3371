"""What tests of the staff portal share."""

from __future__ import annotations

import pytest

from tests import factories


@pytest.fixture
def lock():
    """A lock on a door of a hotel of its own; no lock system behind it."""
    return factories.LockFactory()
