"""One page and its live part from the same template and context; and lists that go on by a cursor, never by a count."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar

from django.core.exceptions import ValidationError
from django.db.models import Model, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.views.decorators.http import require_http_methods

from portal.staff.access import StaffRequest

PAGE = 50
MOST_TICKED = 200
MAX_ID = 2**63
M = TypeVar("M", bound=Model)

form_page = require_http_methods(["GET", "POST"])
"""A page with a form on it."""


def show(
    request: StaffRequest, template: str, context: dict[str, Any], *, status: int = 200
) -> HttpResponse:
    """The page; or, for htmx, its live part alone; or, for an open page that asks again, that and the notice of alerts."""
    asks_again = request.headers.get("X-Live") == "1"
    wants_part = asks_again or (request.htmx and not request.htmx.boosted)
    name = f"{template}#live" if wants_part else template
    answer = render(request, name, context, status=status)
    if asks_again:
        answer.content += render_to_string("staff/_alerts.html", {}, request).encode()
    return answer


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
        with suppress(ValidationError, ValueError, TypeError):  # a cursor of another list
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
        place = key, int(pk)
        if isinstance(key, datetime) and key.tzinfo is None:
            return None
    except (ValueError, TypeError, binascii.Error):
        return None
    return place if 0 < place[1] < MAX_ID and "\x00" not in str(said) else None


def ticked(request: HttpRequest, name: str) -> list[int] | None:
    """The rows that were ticked, at most as many as are done at once; none when no box was meant."""
    given = (request.POST if request.method == "POST" else request.GET).getlist(name)
    ids = [int(one) for one in given if one.isascii() and one.isdigit() and int(one[:19]) < MAX_ID]
    return ids[:MOST_TICKED] if given else None


def capped(many: int, *, at: int) -> str:
    """A count of which no more than ``at`` were read, as "3" or "99+"; empty for none."""
    return "" if not many else f"{at - 1}+" if many >= at else str(many)


def words_typed(text: str, *, longest: int = 80) -> str:
    """What was typed into a search, in single spaces and without what no database keeps."""
    return " ".join(text.replace("\x00", " ").split())[:longest]
