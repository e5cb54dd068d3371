"""Ears: one thread that keeps a line open to each lock system that tells by itself, and passes on what it hears.

It touches no database. Each line is opened again by itself, ever more slowly while that fails.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import queue
import threading
from collections.abc import AsyncGenerator, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field

from locks.drivers import EventPage, Listens
from locks.lines import breaks_after, pause_after
from locks.vendors import open_driver

log = logging.getLogger(__name__)
MOST_NEWS = 1000
CLOSE_WITHIN_S = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One account as it is to be listened to. Another token, another address: another line."""

    account_id: int
    driver: str
    base_url: str
    token: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class News:
    """What came over a line. The first page means that it stands, one with an error that it does not, or no more."""

    line: Line
    page: EventPage


class Ears(threading.Thread):
    """The ears of this process, in one event loop. ``news`` is read by whoever has the database."""

    def __init__(self) -> None:
        super().__init__(name="ears", daemon=True)
        self.news: queue.Queue[News] = queue.Queue(MOST_NEWS)
        self._loop = asyncio.new_event_loop()
        self._ears: dict[Line, Future[None]] = {}

    def run(self) -> None:
        """Until ``hang_up``."""
        self._loop.run_forever()

    def follow(self, lines: Mapping[int, Line]) -> None:
        """Have one ear for each of these lines, and no other."""
        wanted = set(lines.values())
        for line in [line for line, ear in self._ears.items() if line not in wanted or ear.done()]:
            self._ears.pop(line).cancel()
        for line in wanted - self._ears.keys():
            self._ears[line] = asyncio.run_coroutine_threadsafe(self._listen(line), self._loop)

    def hang_up(self) -> None:
        """Close all lines; those that do not close in time end with the process."""
        for ear in self._ears.values():
            ear.cancel()
        end = asyncio.run_coroutine_threadsafe(asyncio.sleep(0.1), self._loop)
        with contextlib.suppress(TimeoutError):
            end.result(CLOSE_WITHIN_S)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self.join(CLOSE_WITHIN_S)

    async def _listen(self, line: Line) -> None:
        clock, breaks = asyncio.get_running_loop().time, 0
        while True:
            began = clock()
            try:
                await self._listen_once(line)
            except Exception as error:  # noqa: BLE001 - never the text of the error: it may hold what was sent
                log.warning("account %s: not listening: %s", line.account_id, type(error).__name__)
            breaks = breaks_after(breaks, lasted_s=clock() - began)
            await asyncio.sleep(pause_after(breaks))

    async def _listen_once(self, line: Line) -> None:
        """Until the line breaks, or nobody takes the news."""
        driver = open_driver(line.driver, base_url=line.base_url, token=line.token)
        try:
            if not isinstance(driver, Listens):
                return
            pages = driver.listen()
            try:
                async for page in pages:
                    if not self._tell(News(line=line, page=page)):
                        return
            finally:
                if isinstance(pages, AsyncGenerator):
                    await pages.aclose()
        finally:
            with contextlib.suppress(Exception):
                async with asyncio.timeout(CLOSE_WITHIN_S):
                    await driver.close()

    def _tell(self, news: News) -> bool:
        """Hand on; where that cannot be done the line is opened anew, and what was missed is said."""
        try:
            self.news.put_nowait(news)
        except queue.Full:
            return False
        return True
