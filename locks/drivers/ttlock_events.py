"""News of a TTLock account by asking: records of all its locks, reach of its gateways, low batteries.

There is no feed of an account. The cursor remembers per lock the upload that was told last, which gateways were offline
and which batteries were low, and what of the present round is still to be asked.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

from locks.drivers import EventPage, EventType, LockError, LockEvent, Scope
from locks.drivers.ttlock_answers import event
from locks.drivers.ttlock_cloud import Cloud
from locks.drivers.web import NOT_UNDERSTOOD, Refused, Said, Unsure

LOCKS_AT_ONCE = 8
LOW_BATTERY = 20
# What happened before an account was connected is nobody's business here.
LOOK_BACK_MS = 24 * 3_600_000
# Records of a lock that was out of reach come late, and the documents do not say which of their two times a
# list is cut by: so it is cut with room, and what was told is left out here.
ROOM_MS = 24 * 3_600_000


@dataclass(slots=True, kw_only=True)
class Cursor:
    """Where to go on. ``told`` is the time of the last upload that was told, by lock, in milliseconds."""

    told: dict[str, int] = field(default_factory=dict)
    todo: list[str] = field(default_factory=list)
    away: list[str] = field(default_factory=list)
    low: list[str] = field(default_factory=list)
    turns: int = 0

    def text(self) -> str:
        """For the account."""
        return json.dumps(asdict(self), separators=(",", ":"))


def read_cursor(text: str) -> Cursor:
    """The cursor behind such a text; the beginning for any other."""
    try:
        return Cursor(**json.loads(text))
    except (TypeError, ValueError):
        return Cursor()


async def page(cloud: Cloud, text: str) -> EventPage:
    """The next page: at the start of a round what the cloud believes of gateways and locks, then some locks' records."""
    cursor, events = read_cursor(text), []
    try:
        if not cursor.todo:
            events += await _begin_round(cloud, cursor)
        some, cursor.todo = cursor.todo[:LOCKS_AT_ONCE], cursor.todo[LOCKS_AT_ONCE:]
        until = cloud.until()
        replies = await asyncio.gather(*(_records(cloud, lock, cursor, until) for lock in some))
        for lock, rows in zip(some, replies, strict=True):
            events += _told(rows, lock, cursor, key=cloud.token.client_secret)
    except _NoAnswer as none:
        return EventPage(events=(), cursor=text, error=none.error)
    except (AttributeError, KeyError, TypeError, ValueError):
        return EventPage(events=(), cursor=text, error=NOT_UNDERSTOOD.error)
    return EventPage(events=tuple(events), cursor=cursor.text(), more=bool(cursor.todo))


class _NoAnswer(Exception):
    def __init__(self, error: LockError) -> None:
        super().__init__()
        self.error = error


def _rows(reply: list[Mapping[str, Any]] | Refused | Unsure) -> list[Mapping[str, Any]]:
    if not isinstance(reply, list):
        raise _NoAnswer(reply.error)
    return reply


async def _records(
    cloud: Cloud, lock: str, cursor: Cursor, until: float
) -> list[Mapping[str, Any]]:
    since = max(cursor.told[lock] - ROOM_MS, 0)
    params: dict[str, str | int] = {"lockId": lock, "startDate": since, "endDate": 0}
    reply = await cloud.rows("lockRecord/list", until, params)
    if isinstance(reply, Refused) and reply.error.scope is Scope.LOCK:
        return []  # A lock that left the account meanwhile, or is not ours, keeps no other waiting.
    return _rows(reply)


def _told(
    rows: list[Mapping[str, Any]], lock: str, cursor: Cursor, *, key: str
) -> Iterable[LockEvent]:
    """What is new of a lock, by the time of the lock. Records of one upload share one time, and are told together."""
    new = [row for row in rows if int(row["serverDate"]) > cursor.told[lock]]
    new.sort(key=lambda row: (int(row["lockDate"]), int(row["recordId"])))
    cursor.told[lock] = max([cursor.told[lock], *(int(row["serverDate"]) for row in new)])
    return [found for row in new if (found := event(row, key=key)) is not None]


async def _begin_round(cloud: Cloud, cursor: Cursor) -> list[LockEvent]:
    until = cloud.until()
    locks, gateways = await asyncio.gather(
        cloud.rows("lock/list", until), cloud.rows("gateway/list", until)
    )
    first = round(cloud.clock() * 1000) - LOOK_BACK_MS
    batteries = {str(row["lockId"]): row.get("electricQuantity") for row in _rows(locks)}
    cursor.told = {lock: cursor.told.get(lock, first) for lock in batteries}
    cursor.todo = sorted(batteries)
    cursor.turns += 1
    now = datetime.fromtimestamp(cloud.clock(), UTC)
    events = _low_batteries(batteries, cursor, now)
    away = {str(row["gatewayId"]) for row in _rows(gateways) if not int(row["isOnline"])}
    for gateway in sorted(away ^ set(cursor.away)):
        events += await _turned(cloud, gateway, cursor, until, now, away=gateway in away)
    cursor.away = sorted(away)
    return events


def _low_batteries(batteries: Mapping[str, Any], cursor: Cursor, now: datetime) -> list[LockEvent]:
    low = {
        lock: int(percent)
        for lock, percent in batteries.items()
        if percent is not None and int(percent) <= LOW_BATTERY
    }
    fresh = [
        LockEvent(
            event_id=f"low-{cursor.turns}-{lock}",
            lock_ref=lock,
            type=EventType.BATTERY_LOW,
            happened_at=now,
            battery=percent,
            vendor_type="electricQuantity",
        )
        for lock, percent in low.items()
        if lock not in cursor.low
    ]
    cursor.low = sorted(low)
    return fresh


async def _turned(
    cloud: Cloud, gateway: str, cursor: Cursor, until: float, now: datetime, *, away: bool
) -> list[LockEvent]:
    """A gateway went or came, and with it the locks near it. The cloud notices a loss 30 minutes late."""
    reply = await cloud.ask("gateway/listLock", until, {"gatewayId": gateway})
    if not isinstance(reply, Said):
        raise _NoAnswer(reply.error)
    return [
        LockEvent(
            event_id=f"reach-{cursor.turns}-{gateway}-{row['lockId']}",
            lock_ref=str(row["lockId"]),
            type=EventType.OFFLINE if away else EventType.ONLINE,
            happened_at=now,
            reason="gateway",
            vendor_type="isOnline",
        )
        for row in reply.doc["list"]
    ]
