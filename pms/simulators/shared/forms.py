"""Query strings and form bodies with nested bracket names."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import parse_qsl

BRACKETS = re.compile(r"\[([^\]]*)\]")


class BadParameter(Exception):
    """A missing or unreadable parameter: the caller's bug."""


def read_pairs(raw: str) -> dict[str, Any]:
    """``a=1&b[0][c]=2`` as ``{"a": "1", "b": {"0": {"c": "2"}}}``."""
    tree: dict[str, Any] = {}
    for name, value in parse_qsl(raw, keep_blank_values=True):
        plain = name.partition("[")[0]
        _put(tree, [plain, *BRACKETS.findall(name)], value)
    return tree


def _put(tree: dict[str, Any], path: list[str], value: str) -> None:
    for step in path[:-1]:
        inner = tree.setdefault(step, {})
        if not isinstance(inner, dict):
            raise BadParameter(f"Invalid parameter: {path[0]}")
        tree = inner
    tree[path[-1] or str(len(tree))] = value
