"""One page and its live part from the same template and context; and lists that go on by a cursor, never by a count."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar

from django.db.models import Model, Q, QuerySet
from django.http import HttpResponse
from django.shortcuts import render

from portal.staff.access import StaffRequest

PAGE = 50
M = TypeVar("M", bound=Model)


def show(
    request: StaffRequest, template: str, context: dict[str, Any], *, status: int = 200
) -> HttpResponse:
    """The page; or, for an open page that asks again and for htmx, its live part alone."""
    wants_part = request.headers.get("X-Live") == "1" or (request.htmx and not request.htmx.boosted)
    name = f"{template}#live" if wants_part else template
    return render(request, name, context, status=status)


def now() -> datetime:
    """The clock at the edge; everything below is given the time."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Page(Generic[M]):
    """Some rows and the cursor of the page after them, empty on the last."""

    rows: Sequence[M]
    after: str


def turn(
    rows: QuerySet[M],
    *,
    by: str,
    after: str,
    value: Callable[[M], Any],
    size: int = PAGE,
) -> Page[M]:
    """The next page of ``rows`` in the order of the field ``by`` (with "-" for falling) and the id.

    ``after`` is the cursor of an earlier page. One that cannot be read is treated as none: an old link shows the start.
    """
    falling = by.startswith("-")
    name = by.removeprefix("-")
    place = read_cursor(after)
    if place is not None:
        step = "lt" if falling else "gt"
        key, pk = place
        beyond = Q(**{f"{name}__{step}": key}) | Q(**{name: key, f"id__{step}": pk})
        rows = rows.filter(beyond, **{f"{name}__{step}e": key})
    found = list(rows.order_by(by, "-id" if falling else "id")[: size + 1])
    more = len(found) > size
    found = found[:size]
    return Page(found, write_cursor(value(found[-1]), found[-1].pk) if more else "")


def write_cursor(key: Any, pk: int) -> str:
    """A place in a list, as it stands in an address."""
    said = key.isoformat() if isinstance(key, datetime) else key
    kind = "t" if isinstance(key, datetime) else "s"
    return base64.urlsafe_b64encode(json.dumps([kind, said, pk]).encode()).decode().rstrip("=")


def read_cursor(text: str) -> tuple[Any, int] | None:
    """The place that a cursor names, or none."""
    if not text:
        return None
    try:
        kind, said, pk = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        key = datetime.fromisoformat(said) if kind == "t" else str(said)
        return key, int(pk)
    except (ValueError, TypeError, binascii.Error):
        return None
