"""One call of the vendor's API as its operation sees it, and the search that all lists share."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pms.simulators.mews.access import Caller
from pms.simulators.mews.bodies import Interval, Invalid, Limitation, Reader
from pms.simulators.mews.world import World
from pms.simulators.shared.store import Value, marks

Json = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """What an operation needs to answer; ``asked`` is the request as its reader gave it."""

    world: World
    caller: Caller
    asked: Json
    now: datetime

    @property
    def enterprise_ids(self) -> tuple[str, ...]:
        """The hotels the call is about: those named, or all of the token's; raises Invalid."""
        named = self.asked.get("EnterpriseIds") or []
        if set(named) - set(self.caller.enterprise_ids):
            raise Invalid("EnterpriseIds")
        return tuple(named) or self.caller.enterprise_ids

    def one_enterprise(self) -> str:
        """The hotel a writing call is about; a portfolio token must name it."""
        named = self.asked.get("EnterpriseId")
        if not self.caller.integration.is_portfolio:
            return self.caller.enterprise_ids[0]
        if named not in self.caller.enterprise_ids:
            raise Invalid("EnterpriseId")
        return str(named)


@dataclass(frozen=True, slots=True)
class Operation:
    """How a request is read, and what answers it."""

    read: Reader
    answer: Callable[[Call], Json]


class Search:
    """A search in one table, newest first; clauses are this package's own text."""

    def __init__(self, call: Call, table: str, key: str = "id") -> None:
        """All rows of the table; ``key`` is the column that a cursor names."""
        self._key = key
        self._call = call
        self._table = table
        self._clauses: list[str] = ["1"]
        self._values: list[Value] = []

    def where(self, clause: str, *values: Value) -> None:
        """Narrow it."""
        self._clauses.append(clause)
        self._values += values

    def among(self, column: str, values: Sequence[Value]) -> None:
        """Narrow it to rows with one of these values."""
        self.where(f"{column} IN ({marks(values)})", *values)

    def listed(self, name: str, column: str) -> None:
        """Narrow it by a list of the request, if it was sent."""
        values = self._call.asked.get(name)
        if values is not None:
            self.among(column, values)

    def within(self, name: str, column: str) -> None:
        """Narrow it by an interval of the request, if it was sent."""
        span: Interval | None = self._call.asked.get(name)
        if span is None:
            return
        if span.starts_at is not None and span.starts_at == span.ends_at:
            self.where(f"{column} = ?", span.starts_at)
            return
        if span.starts_at is not None:
            self.where(f"{column} >= ?", span.starts_at)
        if span.ends_at is not None:
            self.where(f"{column} < ?", span.ends_at)

    def colliding(self, starts: str, ends: str) -> None:
        """Narrow it to what touches the interval ``CollidingUtc``, if it was sent."""
        span: Interval | None = self._call.asked.get("CollidingUtc")
        if span is None:
            return
        if span.starts_at is not None:
            self.where(f"{ends} > ?", span.starts_at)
        if span.ends_at is not None:
            instant = span.starts_at == span.ends_at
            self.where(f"{starts} {'<=' if instant else '<'} ?", span.ends_at)

    def active(self, column: str = "is_active") -> None:
        """Narrow it by ``ActivityStates``, if it was sent."""
        states = self._call.asked.get("ActivityStates")
        if states is not None:
            self.among(column, [int(state == "Active") for state in states])

    def page(self) -> tuple[list[sqlite3.Row], str | None]:
        """The rows asked for, and the id of the oldest if there are more, else None.

        With the quirk ``cursor_on_last_page`` a full last page has a cursor too.
        """
        limit: Limitation = self._call.asked["Limitation"]
        if limit.cursor is not None:
            self.where(f"seq < (SELECT seq FROM {self._table} WHERE {self._key} = ?)", limit.cursor)  # noqa: S608
        sql = f"SELECT * FROM {self._table} WHERE {' AND '.join(self._clauses)}"  # noqa: S608 - own names
        order = " ORDER BY seq DESC LIMIT ?"
        rows = self._call.world.store.rows(sql + order, *self._values, limit.count + 1)
        more = len(rows) > limit.count
        rows = rows[: limit.count]
        if self._call.world.quirks.cursor_on_last_page:
            more = len(rows) == limit.count
        return rows, rows[-1][self._key] if more and rows else None
