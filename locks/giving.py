"""Takes events that a person or a program gives to a hotel, of any of its locks: checked at once, stored, and taken in by a worker."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from locks import intake
from locks.drivers import LockEvent
from locks.event_lines import AHEAD, MADE_ID, BadLine, event_of, plain_event
from locks.intake_models import Intake
from locks.models import Lock
from locks.vault import digest

CHUNK = 20_000


@dataclass(slots=True)
class Given:
    """How many events were stored, in which chunks, and what was wrong with the rest."""

    taken: int = 0
    chunks: list[int] = field(default_factory=list)
    bad: list[BadLine] = field(default_factory=list)


Row = tuple[int, Mapping[str, Any] | BadLine]


def give(
    rows: Iterable[Row],
    *,
    property_id: int,
    source: Intake.Source,
    now: datetime,
    whole: bool = False,
) -> Given:
    """Store what can be taken, chunk by chunk, and say what cannot. Giving the same again changes nothing.

    ``whole``: at most one chunk, and nothing of it where something is wrong.
    """
    given = Given()
    chunk: list[intake.Row] = []
    locks = _locks_of(property_id)
    for told in _checked(rows, locks, given, now):
        chunk.append(told)
        if len(chunk) >= CHUNK:
            _store(chunk, given, property_id, source, now)
            chunk = []
    if not (whole and given.bad):
        _store(chunk, given, property_id, source, now)
    return given


def _checked(
    rows: Iterable[Row], locks: Mapping[str, list[int]], given: Given, now: datetime
) -> Iterator[intake.Row]:
    latest = now + AHEAD
    for line, row in rows:
        if isinstance(row, BadLine):
            given.bad.append(row)
            continue
        ids = locks.get(ref) if type(ref := row.get("lock")) is str else None
        if ids is not None and len(ids) == 1 and (plain := plain_event(row, latest)):
            yield intake.plain_row(ids[0], plain)
            continue
        try:
            event = event_of(row, line=line, latest=latest)
            yield intake.row_of(_lock(locks, event.lock_ref, line), _told_apart(event))
        except BadLine as bad:
            given.bad.append(bad)


def _told_apart(event: LockEvent) -> LockEvent:
    """Two codes that were typed in one moment are two events, also where neither came with an id."""
    if not event.secret or not event.event_id.startswith(MADE_ID):
        return event
    typed = digest(event.secret, scope="event")[:16]
    return replace(event, event_id=f"{event.event_id}-{typed}")


def _lock(locks: Mapping[str, list[int]], ref: str, line: int) -> int:
    ids = locks.get(ref, ())
    if not ids:
        raise BadLine(line, "lock", "No lock of this property has this id at its lock system.")
    if len(ids) > 1:
        raise BadLine(
            line,
            "lock",
            "Two accounts of this property have a lock of this id; give its events by one.",
        )
    return ids[0]


def _locks_of(property_id: int) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    rows = Lock.objects.filter(property_id=property_id).values_list("external_id", "id")
    for ref, id_ in rows:
        found.setdefault(ref, []).append(id_)
    return found


def _store(
    chunk: Sequence[intake.Row],
    given: Given,
    property_id: int,
    source: Intake.Source,
    now: datetime,
) -> None:
    if chunk:
        row = intake.store_rows(chunk, property_id=property_id, source=source, now=now)
        given.chunks.append(row.pk)
        given.taken += len(chunk)
