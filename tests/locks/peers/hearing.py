"""Keeps a driver listening beside a test, in a thread and a loop of its own."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from locks.drivers import EventPage, EventType, Listens, LockEvent
from tests.eventually import eventually

QUIET_S = 0.3


class Hearing:
    """What was heard so far: pages, and the events in them."""

    def __init__(self) -> None:
        self.pages: list[EventPage] = []
        self._changed = time.monotonic()

    @property
    def events(self) -> list[LockEvent]:
        """All events, in order."""
        return [event for page in list(self.pages) for event in page.events]

    def add(self, page: EventPage) -> None:
        """Take in one page."""
        self.pages.append(page)
        self._changed = time.monotonic()

    def of(self, lock: str, *types: EventType) -> list[LockEvent]:
        """The events of one lock, of some types or of all."""
        mine = [event for event in self.events if event.lock_ref == lock]
        return [event for event in mine if not types or event.type in types]

    def wait(self, lock: str, *types: EventType) -> list[LockEvent]:
        """The same, once there are any."""
        return eventually(lambda: self.of(lock, *types), every=0.02)

    def until_quiet(self) -> None:
        """Wait until nothing new was heard for a moment."""
        started = time.monotonic()
        eventually(lambda: time.monotonic() - max(self._changed, started) > QUIET_S, every=0.02)


@contextmanager
def hearing(opener: Callable[[], Listens]) -> Iterator[Hearing]:
    """A driver that listens for the length of a ``with`` block; the line stands when it begins."""
    heard = Hearing()
    loop = asyncio.new_event_loop()

    async def listen() -> None:
        driver = opener()
        pages = driver.listen()
        try:
            async for page in pages:
                heard.add(page)
        finally:
            await pages.aclose()
            await driver.close()

    async def run() -> None:
        task = asyncio.create_task(listen())
        loop.call_soon(started.set)
        tasks.append(task)
        await asyncio.gather(task, return_exceptions=True)

    started, tasks = threading.Event(), []
    thread = threading.Thread(target=lambda: loop.run_until_complete(run()), daemon=True)
    thread.start()
    try:
        started.wait(5)
        eventually(lambda: heard.pages, every=0.02)
        yield heard
    finally:
        loop.call_soon_threadsafe(tasks[0].cancel)
        thread.join(10)
        loop.close()
