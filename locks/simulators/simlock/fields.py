"""How an action and the values it takes are described, so that HTTP, page and command line can offer it alike."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Generic, TypeVar

from locks.simulators.simlock.words import Code, Refusal
from locks.simulators.simlock.world import World

Values = Mapping[str, Any]
LONGEST_TEXT = 200
# Far enough for any clock (31 years in seconds), and near enough that no date runs out of its calendar.
LARGEST_NUMBER = 1e9
Target = TypeVar("Target")


class FieldType(StrEnum):
    """How a value is written."""

    INT = "int"
    FLOAT = "float"
    BOOL = "bool"
    TEXT = "text"


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One value that an action takes. ``choices`` limits a text to some words."""

    name: str
    type: FieldType
    default: Any = None
    choices: tuple[str, ...] = ()

    def read(self, given: Any) -> Any:
        """Turn JSON or form text into the value. Raises Refusal(BAD_REQUEST)."""
        if given is None or given == "":
            if self.default is None:
                raise Refusal(Code.BAD_REQUEST, f"{self.name} is missing.")
            return self.default
        try:
            value = _READ[self.type](given)
        except (TypeError, ValueError, OverflowError):
            raise Refusal(Code.BAD_REQUEST, f"{self.name} must be {self.type}.") from None
        if self.choices and value not in self.choices:
            raise Refusal(
                Code.BAD_REQUEST, f"{self.name} must be one of {', '.join(self.choices)}."
            )
        return value


def _read_bool(given: Any) -> bool:
    return given if isinstance(given, bool) else str(given).lower() in {"1", "true", "yes", "on"}


def _read_float(given: Any) -> float:
    number = float(given)
    if not math.isfinite(number) or abs(number) > LARGEST_NUMBER:
        raise ValueError("Out of range.")
    return number


def _read_int(given: Any) -> int:
    _read_float(given)
    return int(given)


def _read_text(given: Any) -> str:
    text = str(given)
    if isinstance(given, (dict, list)) or len(text) > LONGEST_TEXT or not text.isprintable():
        raise ValueError("Not a short text.")
    return text


_READ: dict[FieldType, Callable[[Any], Any]] = {
    FieldType.INT: _read_int,
    FieldType.FLOAT: _read_float,
    FieldType.BOOL: _read_bool,
    FieldType.TEXT: _read_text,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Action(Generic[Target]):
    """One thing to do. ``run`` answers what happened: facts, with one sentence under ``said``."""

    name: str
    label: str
    help: str
    run: Callable[[World, Target, Values], dict[str, Any]]
    fields: tuple[Field, ...] = ()

    def read(self, given: Values) -> dict[str, Any]:
        """All values of the action. Raises Refusal(BAD_REQUEST), also for a name that it does not know."""
        if not isinstance(given, Mapping):
            raise Refusal(Code.BAD_REQUEST, "The values must be a JSON object.")
        unknown = set(given) - {field.name for field in self.fields}
        if unknown:
            raise Refusal(Code.BAD_REQUEST, f"Unknown: {', '.join(sorted(unknown))}.")
        return {field.name: field.read(given.get(field.name)) for field in self.fields}
