"""Events as others write them down, in a CSV or NDJSON file or a post to the API: read line by line, with what is wrong. Pure.

``docs/locks.md`` describes the fields.
"""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any, TextIO

from locks.drivers import EventType, Kind, LockEvent

REQUIRED = ("lock", "type", "happened_at")
FIELDS = (
    *REQUIRED,
    "event_id",
    "kind",
    "address",
    "code",
    "reason",
    "battery",
    "vendor_type",
)
LONGEST = {"event_id": 100, "address": 100, "code": 40, "reason": 40, "vendor_type": 40}
LONGEST_LOCK = 100
MADE_ID = "line-"
AHEAD = timedelta(days=1)
"""A lock's clock may be ahead by so much; what is later is a mistake of whoever wrote it down."""
_TYPES = {type_.value: type_ for type_ in EventType}
_KINDS: dict[str, Kind | None] = {kind.value: kind for kind in Kind} | {"": None}


@dataclass(frozen=True, slots=True)
class BadLine(Exception):
    """A line that cannot be taken: which one, which field, and how to mend it. Never holds what stood in ``code``."""

    line: int
    field: str
    fix: str

    def __str__(self) -> str:
        return f"Line {self.line}, {self.field}: {self.fix}"


def event_of(row: Mapping[str, Any], *, line: int, latest: datetime) -> LockEvent:
    """One event of the lock that the row names. Raises BadLine. ``latest`` is the end of what can have happened."""
    if not row.keys() <= _KNOWN:
        name = str(next(iter(row.keys() - _KNOWN)))[:40]
        raise BadLine(line, name, f"There is no such field; the fields are {', '.join(FIELDS)}.")
    lock, type_ = row.get("lock"), row.get("type")
    if not isinstance(lock, str) or not lock or len(lock) > LONGEST_LOCK:
        raise BadLine(line, "lock", "Give the lock system's id of the lock as text.")
    known = _TYPES.get(type_) if isinstance(type_, str) else None
    if known is None:
        raise BadLine(line, "type", f"Give one of {', '.join(_TYPES)}.")
    texts = {name: _text(row, name, line) for name in row.keys() & LONGEST.keys()}
    said = texts.get
    kind = row.get("kind") or ""
    if not isinstance(kind, str) or kind not in _KINDS:
        raise BadLine(line, "kind", "Give door_code, smartkey or keycard, or leave it out.")
    at = _moment(row.get("happened_at"), line, latest)
    return LockEvent(
        event_id=said("event_id") or _made_id(lock, known, at, texts),
        lock_ref=lock,
        type=known,
        happened_at=at,
        kind=_KINDS[kind],
        address=said("address", ""),
        secret=said("code") or None,
        reason=said("reason", ""),
        battery=_battery(row.get("battery"), line),
        vendor_type=said("vendor_type", ""),
    )


_KNOWN = frozenset(FIELDS)


def _text(row: Mapping[str, Any], name: str, line: int) -> str:
    value = row.get(name)
    if value is None or value == "":
        return ""
    if not isinstance(value, str):
        raise BadLine(line, name, "Give it as text, in quotes.")
    if len(value) > LONGEST[name] or "\0" in value:
        raise BadLine(line, name, f"Give at most {LONGEST[name]} characters.")
    return value


def _moment(value: Any, line: int, latest: datetime) -> datetime:
    try:
        at = datetime.fromisoformat(value)
        if at.tzinfo is None:
            raise ValueError
        at = at.astimezone(UTC)
    except (TypeError, ValueError, OverflowError):
        fix = "Give date, time and offset from UTC, such as 2026-11-24T18:05:00Z."
        raise BadLine(line, "happened_at", fix) from None
    if at > latest:
        raise BadLine(line, "happened_at", "This is in the future: check year and offset from UTC.")
    return at


def _battery(value: Any, line: int) -> int | None:
    if value is None or value == "":
        return None
    try:
        percent = int(value)
    except (TypeError, ValueError):
        percent = -1
    if isinstance(value, bool | float) or not 0 <= percent <= 100:
        raise BadLine(line, "battery", "Give whole percent from 0 to 100.")
    return percent


def _made_id(lock: str, type_: EventType, at: datetime, texts: Mapping[str, str]) -> str:
    """An id for an event that came without one, the same when it comes again. What was typed is no part of it."""
    more = (texts.get(name, "") for name in ("address", "reason", "vendor_type"))
    said = "\0".join((lock, type_.value, at.isoformat(), *more))
    return f"{MADE_ID}{hashlib.sha256(said.encode()).hexdigest()[:32]}"


PlainEvent = tuple[str, str, str, str | None, str]
"""Id, type, time as ISO text in UTC, kind and the vendor's type."""


def plain_event(row: Mapping[str, Any], latest: datetime) -> PlainEvent | None:
    """An event that says nothing but what most say; none for any other.

    What it takes, ``event_of`` takes too and tells the same, at several times the cost.
    """
    id_, type_, kind = row.get("event_id"), row.get("type"), row.get("kind") or ""
    vendor_type = row.get("vendor_type") or ""
    if not (type(id_) is type(type_) is type(kind) is type(vendor_type) is str):
        return None
    if not id_ or len(id_) > LONGEST["event_id"] or len(vendor_type) > LONGEST["vendor_type"]:
        return None
    if type_ not in _TYPES or kind not in _KINDS or "\0" in id_ or "\0" in vendor_type:
        return None
    at = _utc(row.get("happened_at"), latest) if row.keys() <= _PLAIN else None
    return (id_, type_, at, kind or None, vendor_type) if at else None


def _utc(value: Any, latest: datetime) -> str | None:
    try:
        at = datetime.fromisoformat(value)
        return at.astimezone(UTC).isoformat() if at.tzinfo and at <= latest else None
    except (TypeError, ValueError, OverflowError):
        return None


_PLAIN = frozenset({"lock", "type", "happened_at", "event_id", "kind", "vendor_type"})
AT_ONCE = 1000
"""So many lines of a file are read at once."""


# Files ---------------------------------------------------------------------------------------------


def rows_of_csv(file: TextIO) -> Iterator[tuple[int, Mapping[str, Any] | BadLine]]:
    """Rows of a CSV file with a line of names, each with the number of its line."""
    reader = csv.DictReader(file, restkey="", strict=True)
    try:
        missing = [name for name in REQUIRED if name not in (reader.fieldnames or ())]
        if missing:
            fix = f"The first line must name the columns; {', '.join(missing)} is missing."
            yield 1, BadLine(1, missing[0], fix)
            return
        for row in reader:
            line = reader.line_num
            if "" in row:
                yield line, BadLine(line, "line", "It has more values than the first line names.")
            elif None in row.values():
                yield line, BadLine(line, "line", "It has fewer values than the first line names.")
            else:
                yield line, row
    except csv.Error:
        line = reader.line_num
        yield line, BadLine(line, "line", "The quotes are not closed as CSV wants it.")


def rows_of_ndjson(file: TextIO) -> Iterator[tuple[int, Mapping[str, Any] | BadLine]]:
    """Rows of a file with one JSON object a line, each with the number of its line; empty lines are nothing."""
    first = 1
    while texts := list(islice(file, AT_ONCE)):
        rows = _read_together(texts)
        yield from _one_by_one(texts, first) if rows is None else enumerate(rows, start=first)
        first += len(texts)


def _read_together(texts: Sequence[str]) -> list[Mapping[str, Any]] | None:
    """The lines' objects, read at once; none where that could differ from reading them one by one.

    Each line opens one brace, its first letter, and no text runs over the end of a line: where there are as many objects
    as lines, each line is one.
    """
    if not all(text[0] == "{" and text.count("{") == 1 for text in texts):
        return None
    try:
        rows = json.loads(f"[{','.join(texts)}]")
    except (ValueError, RecursionError):
        return None
    alike = len(rows) == len(texts) and all(type(row) is dict for row in rows)
    return rows if alike else None


def _one_by_one(
    texts: Sequence[str], first: int
) -> Iterator[tuple[int, Mapping[str, Any] | BadLine]]:
    for line, text in enumerate(texts, start=first):
        if not text.strip():
            continue
        try:
            row = json.loads(text)
        except (ValueError, RecursionError):
            row = None
        if isinstance(row, dict):
            yield line, row
        else:
            yield line, BadLine(line, "line", "Give one JSON object a line, in braces.")
