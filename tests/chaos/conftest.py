"""The silent bell, for faults too: only the sweep finds work."""

from __future__ import annotations

from tests.keys.conftest import silent_bell

__all__ = ["silent_bell"]
