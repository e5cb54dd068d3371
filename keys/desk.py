"""A round's one door to the database: everything that its coroutines ask for meanwhile travels in one transaction.

The database lives in one thread beside the event loop, since a round has a single connection and drivers must never wait
for it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from time import monotonic
from typing import Any, TypeVar

from django.db import connections

from keys import ledger
from keys.facts import Row
from keys.leases import Grip
from keys.ledger import Batch, Settled

T = TypeVar("T")
Item = TypeVar("Item")
AT_ONCE = 250
"""So many ask in one transaction: while the database works on these, the event loop serves those before them."""


class LeaseLost(Exception):
    """Another worker took this writer over; nothing more may be said in its name."""


@dataclass(slots=True)
class Asked:
    """What one coroutine asks of the database, and where the answer goes."""

    batch: Batch
    grip: Grip
    stamps: list[Row]
    answered: asyncio.Future[dict[int, str]]

    def answer(self, settled: Settled) -> None:
        """Hand out the secrets that may be sent, or say that the lease is lost."""
        if self.grip.writer_id not in settled.held:
            self.fail(LeaseLost())
        elif not self.answered.done():
            ids = [row.id for row in self.stamps if row.id in settled.stamped]
            self.answered.set_result({id_: settled.stamped[id_] for id_ in ids})

    def fail(self, error: BaseException) -> None:
        """Let the one who asked give up its writer."""
        _fail(self.answered, error)


def _fail(answered: asyncio.Future[Any], error: BaseException) -> None:
    if not answered.done():
        answered.set_exception(error)
        answered.exception()  # a coroutine that was cancelled will not come to fetch it


@dataclass(slots=True)
class Desk:
    """The thread of the database, and what waits to be written by it."""

    owner: str
    lease_ms: int
    clock: Callable[[], datetime]
    _asked: list[Asked] = field(default_factory=list)
    _shared: dict[Callable[..., Any], list[tuple[Any, asyncio.Future[Any]]]] = field(
        default_factory=dict
    )
    _bell: asyncio.Event = field(default_factory=asyncio.Event)
    _read: tuple[datetime, float] | None = None
    _thread: ThreadPoolExecutor = field(
        default_factory=lambda: ThreadPoolExecutor(1, "delivery-db")
    )

    def now(self) -> datetime:
        """The database's time, carried on by the monotonic clock between two looks at it."""
        if self._read is None:
            return self.read_clock()
        moment, then = self._read
        return moment + timedelta(seconds=monotonic() - then)

    def read_clock(self) -> datetime:
        """Look at the database's clock, which within a round never goes back. Only in its thread."""
        moment = self.clock() if self._read is None else max(self.clock(), self.now())
        self._read = moment, monotonic()
        return moment

    async def call(self, call: Callable[..., T], *arguments: Any) -> T:
        """Run this in the database's thread."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, partial(call, *arguments))

    def ask(
        self, grip: Grip, batch: Batch, stamps: Sequence[Row] = ()
    ) -> asyncio.Future[dict[int, str]]:
        """Have a batch settled and rows stamped soon: the future gives the secrets by row, or raises LeaseLost."""
        answered = asyncio.get_running_loop().create_future()
        self._asked.append(Asked(batch, grip, list(stamps), answered))
        self._bell.set()
        return answered

    def together(self, call: Callable[[list[Item]], Sequence[T]], item: Item) -> asyncio.Future[T]:
        """Run this in the database's thread, once for all the items that coroutines bring meanwhile; answers in order."""
        answered = asyncio.get_running_loop().create_future()
        self._shared.setdefault(call, []).append((item, answered))
        self._bell.set()
        return answered

    async def write_down(self) -> None:
        """Do what was asked for, again and again, until cancelled."""
        while True:
            await self._bell.wait()
            self._bell.clear()
            asked, self._asked = self._asked[:AT_ONCE], self._asked[AT_ONCE:]
            if self._asked:
                self._bell.set()
            shared, self._shared = self._shared, {}
            if asked:
                await self._settle(asked)
            for call, items in shared.items():
                await self._share(call, items)

    async def _settle(self, asked: Sequence[Asked]) -> None:
        try:
            settled = await self.call(self.settle, asked)
        except Exception as error:  # noqa: BLE001 - each who asked learns of it and gives up its writer
            for each in asked:
                each.fail(error)
            return
        for each in asked:
            each.answer(settled)

    async def _share(
        self, call: Callable[..., Any], items: list[tuple[Any, asyncio.Future[Any]]]
    ) -> None:
        try:
            answers = await self.call(call, [item for item, _ in items])
        except Exception as error:  # noqa: BLE001 - each who asked learns of it and gives up its writer
            for _, answered in items:
                _fail(answered, error)
            return
        for (_, answered), answer in zip(items, answers, strict=True):
            if not answered.done():
                answered.set_result(answer)

    def settle(self, asked: Sequence[Asked]) -> Settled:
        """All that was asked for, as one transaction. Only in the database's thread."""
        whole = Batch()
        for each in asked:
            whole.add(each.batch)
            whole.stamps += [(each.grip, row) for row in each.stamps]
            whole.grips.add(each.grip)
        return ledger.settle(whole, owner=self.owner, lease_ms=self.lease_ms, now=self.now())

    def close(self) -> None:
        """Let the thread end and its connections with it."""
        self._thread.submit(connections.close_all)
        self._thread.shutdown(wait=True)
