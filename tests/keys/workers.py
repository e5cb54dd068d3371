"""Workers on the fake wall: their figures, and one that can be killed at any point."""

from __future__ import annotations

import asyncio
import contextlib
from datetime import datetime
from typing import Any

from keys.delivery import Limits, Round
from keys.desk import Desk
from keys.outcomes import Pace
from tests.keys.wall import FakeDriver, Wall

LIMITS = Limits(
    driver_timeout=10.0,
    round_length=20.0,
    writers=100,
    pace=Pace(soon=[2.0, 5.0, 15.0, 60.0, 300.0], offline=60.0, unsure=2.0),
)


class SimulatedDesk(Desk):
    """A door to the database that knows no time but the simulated one."""

    def now(self) -> datetime:
        return self.clock()

    def read_clock(self) -> datetime:
        return self.clock()


class SimulatedRound(Round):
    """A delivery round with this driver, by the simulated clock alone."""

    def __init__(self, wall: Wall, driver: FakeDriver) -> None:
        super().__init__(LIMITS, wall.clock, lambda _: driver)

    def open_desk(self, clock: Any) -> Desk:
        return SimulatedDesk(self.owner, self.limits.lease_ms, clock)


class Worker(Round):
    """A delivery round that can be killed at a named point; nothing of it happens afterwards."""

    POINTS = ("after the stamp", "before the call", "after the call", "before settling")

    def __init__(self, wall: Wall, point: str) -> None:
        super().__init__(LIMITS, wall.clock, lambda _: wall.driver(worker=self))
        self.wall, self.point = wall, point
        self.is_dead = False

    def live(self) -> bool:
        """Run until nothing is due or death. True when it died."""
        return asyncio.run(self._live())

    async def _live(self) -> bool:
        self.death = asyncio.Event()
        living = asyncio.create_task(self.run())
        dying = asyncio.create_task(self.death.wait())
        await asyncio.wait({living, dying}, return_when=asyncio.FIRST_COMPLETED)
        for task in (living, dying):
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        return self.is_dead

    async def die_at(self, point: str) -> None:
        """Die here if this is the point, or stay dead."""
        if point == self.point and not self.is_dead:
            self.is_dead = True
            self.wall.fired[f"killed {point}"] += 1
            self.death.set()
        if self.is_dead:
            await asyncio.sleep(3600)

    def open_desk(self, clock: Any) -> Desk:
        return DyingDesk(self, clock)


class DyingDesk(SimulatedDesk):
    """The worker's door to the database, at which it may die."""

    def __init__(self, worker: Worker, clock: Any) -> None:
        super().__init__(worker.owner, worker.limits.lease_ms, clock)
        self.worker = worker

    async def call(self, call: Any, *arguments: Any) -> Any:
        settles = call == self.settle
        if settles and any(each.batch.changes for each in arguments[0]):
            await self.worker.die_at("before settling")
        if self.worker.is_dead:
            await asyncio.sleep(3600)
        answer = await super().call(call, *arguments)
        if settles and answer.stamped:
            await self.worker.die_at("after the stamp")
        return answer
