"""Columns of values as PostgreSQL's array literals, for statements that take thousands of rows at once.

The database driver writes such a literal value by value with a pattern search in each; here it costs a tenth.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from types import NoneType
from typing import Any


def columns(rows: Iterable[Sequence[Any]]) -> list[str]:
    """The columns of these rows, each as one literal; there must be at least one row."""
    return [array(column) for column in zip(*rows, strict=True)]


def array(values: Iterable[Any]) -> str:
    """One literal of whole numbers, truths, texts, aware datetimes and nones. Raises TypeError for anything else."""
    values = tuple(values)
    kinds = set(map(type, values))
    if kinds == {str}:
        return _texts(values)
    if kinds == {int}:
        return f"{{{','.join(map(str, values))}}}"
    return "{" + ",".join([_FORMS.get(type(value), _other)(value) for value in values]) + "}"


def _texts(values: tuple[str, ...]) -> str:
    """The same for texts alone, joined at once where none needs care."""
    joined = '","'.join(values)
    careful = "\\" in joined or joined.count('"') != 2 * (len(values) - 1)
    return "{" + ",".join(map(_text, values)) + "}" if careful else f'{{"{joined}"}}'


def _text(value: str) -> str:
    if "\\" in value or '"' in value:
        value = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{value}"'


def _other(value: Any) -> str:
    if isinstance(value, str):  # an enumeration's member
        return _text(str.__str__(value))
    raise TypeError(f"{type(value).__name__} has no place in an array")


_FORMS: dict[type, Callable[[Any], str]] = {
    int: int.__repr__,
    str: _text,
    bool: lambda value: "t" if value else "f",
    datetime: datetime.isoformat,
    NoneType: lambda _: "NULL",
}
