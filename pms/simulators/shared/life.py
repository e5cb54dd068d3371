"""A hotel that goes on by itself: random events if wanted, and a new day's guests."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass

from starlette.applications import Starlette

from pms.simulators.shared.clock import Clock
from pms.simulators.shared.sender import Sender
from pms.simulators.shared.store import Store
from pms.simulators.shared.wishes import Refused

HOUR = 3600.0


@dataclass(slots=True)
class Life:
    """Whether random things happen by themselves, and every how many seconds on average."""

    on: bool = False
    every_seconds: float = 20.0


async def live(
    life: Life, clock: Clock, *, happen: Callable[[], object], top_up: Callable[[], object] | None
) -> None:
    """Keep a hotel going until cancelled: ``happen`` while life is on, ``top_up`` every hour."""
    topped_up_at = clock.now()
    while True:
        await asyncio.sleep(max(0.05, life.every_seconds * random.uniform(0.5, 1.5)))  # noqa: S311
        if life.on:
            happen()
        late = (clock.now() - topped_up_at).total_seconds() > HOUR
        if top_up is not None and late:
            top_up()
            topped_up_at = clock.now()


def lifespan(
    *,
    sender: Sender,
    store: Store,
    life: Life,
    clock: Clock,
    happen: Callable[[], object],
    top_up: Callable[[], object] | None,
) -> Callable[[Starlette], AbstractAsyncContextManager[None]]:
    """What goes on while the application runs: the webhook sender and the hotel's own life."""

    @asynccontextmanager
    async def running(app: Starlette) -> AsyncIterator[None]:
        if top_up is not None:
            top_up()
        going_on = live(life, clock, happen=happen, top_up=top_up)
        tasks = [asyncio.create_task(sender.run()), asyncio.create_task(going_on)]
        yield
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        store.close()

    return running


def did(act: Callable[[], object]) -> bool:
    """Whether the hotel did it or refused."""
    try:
        act()
    except Refused:
        return False
    return True
