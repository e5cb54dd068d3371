"""Whose code was typed at a door: found by its digest among the credentials that had it there, by the time it was typed."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import NamedTuple

from django.db.models import Q

from keys.models import Assignment
from locks.crediting import Typed
from locks.handles import handle_of

CLOCKS_APART = timedelta(hours=1)
"""So far a lock's clock may be behind and a code that was typed just after it was drawn is still known."""


class _Had(NamedTuple):
    id: int
    key_id: int
    door_id: int
    kind: str
    starts_at: datetime
    ends_at: datetime
    drawn_at: datetime


def whose_codes(typed: Collection[Typed]) -> dict[Typed, str]:
    """Our names for the credentials that had these codes; a code that was nobody's at that door is left out.

    Of several the one whose window was open, else the one whose window was nearest.
    """
    digests = {each.digest for each in typed}
    fields = ("id", "key_id", "door_id", "kind", "starts_at", "ends_at", "credential__drawn_at")
    digest_fields = ("reserved_digest", "lock_digest", "credential__secret_digest")
    rows = Assignment.objects.filter(
        Q(reserved_digest__in=digests)
        | Q(lock_digest__in=digests)
        | Q(credential__secret_digest__in=digests),
        door_id__in={each.door_id for each in typed},
    ).values_list(*fields, *digest_fields)
    found: dict[tuple[int, str, str], list[_Had]] = {}
    for row in rows:
        had = _Had(*row[: len(fields)])
        for digest in set(row[len(fields) :]) & digests:
            found.setdefault((had.door_id, had.kind, digest), []).append(had)
    names: dict[Typed, str] = {}
    for each in typed:
        if best := _best(found.get((each.door_id or 0, each.kind, each.digest), ()), each):
            names[each] = handle_of(key_id=best.key_id, assignment_id=best.id)
    return names


def _best(had: Collection[_Had], typed: Typed) -> _Had | None:
    at = typed.happened_at
    known = [each for each in had if each.drawn_at <= at + CLOCKS_APART]
    return min(known, key=lambda each: (_distance(each, at), -each.id), default=None)


def _distance(had: _Had, at: datetime) -> timedelta:
    if had.starts_at <= at < had.ends_at:
        return timedelta(0)
    return had.starts_at - at if at < had.starts_at else at - had.ends_at + timedelta.resolution
