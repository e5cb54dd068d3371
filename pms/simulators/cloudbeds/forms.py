"""The parameters of a call, as values of the kinds the API knows."""

from __future__ import annotations

from typing import Any

from pms.simulators.shared.clock import read_date
from pms.simulators.shared.forms import BadParameter


class Params:
    """The parameters of one call, read as the kinds the vendor documents."""

    def __init__(self, values: dict[str, Any]) -> None:
        """Takes the tree of `read_pairs`."""
        self.values = values

    def text(self, name: str) -> str:
        """A text, empty if it was not sent."""
        value = self.values.get(name, "")
        if not isinstance(value, str):
            raise BadParameter(f"Invalid parameter: {name}")
        return value

    def need(self, name: str) -> str:
        """A text that must be sent."""
        value = self.text(name)
        if not value:
            raise BadParameter(f"Missing required parameter: {name}")
        return value

    def flag(self, name: str) -> bool:
        """``true`` or ``1``; anything else is false."""
        return self.text(name).lower() in {"true", "1"}

    def whole(self, name: str, default: int) -> int:
        """A positive whole number."""
        value = self.text(name)
        if not value:
            return default
        if not value.isdigit() or int(value) < 1:
            raise BadParameter(f"Invalid parameter: {name}")
        return int(value)

    def comma(self, name: str) -> tuple[str, ...]:
        """A comma list."""
        return tuple(part.strip() for part in self.text(name).split(",") if part.strip())

    def day(self, name: str) -> str:
        """A ``YYYY-MM-DD`` date as text, empty if it was not sent."""
        value = self.text(name)
        if value and read_date(value) is None:
            raise BadParameter(f"Invalid date: {name}")
        return value

    def rows(self, name: str) -> tuple[Params, ...]:
        """The rows of a bracketed list, in their order."""
        value = self.values.get(name, {})
        if not isinstance(value, dict):
            raise BadParameter(f"Invalid parameter: {name}")
        return tuple(Params(row) for row in value.values() if isinstance(row, dict))
