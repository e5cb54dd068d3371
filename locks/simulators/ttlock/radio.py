"""One command on its way to a lock: which gateway carries it, the faults it meets, and what it does there.

A gateway carries one command at a time; a second one is told that it is busy (TTLock documents, en/cloud/errorCode).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from locks.simulators.ttlock.lock import Lock
from locks.simulators.ttlock.news import upload
from locks.simulators.ttlock.words import Err, Fate, NoAnswer, NotTheVendor, Refusal
from locks.simulators.ttlock.world import World

Json = dict[str, Any]
Work = Callable[[], Json]
"""What a command does, at the lock first and then in the book. Raises Refusal, and then has changed nothing."""

_late: set[asyncio.Task[None]] = set()


async def command(world: World, lock: Lock, work: Work, *, in_book: Work | None = None) -> Json:
    """Send a command and answer what it came to. Raises Refusal, NoAnswer or NotTheVendor.

    ``in_book`` is what the book alone would have done; it serves the fault of a success that is none.
    """
    if lock.frozen:
        raise Refusal(Err.LOCK_FROZEN)
    with _line(world, lock):
        _require_reach(world, lock)
        fate = lock.faults.draw()
        errcode, lock.faults.errcode = lock.faults.errcode, 0
        if fate is Fate.BUSY:
            raise Refusal(Err.LOCK_BUSY if lock.wifi else Err.GATEWAY_BUSY)
        await asyncio.sleep((world.cloud.command_ms + lock.faults.slow_ms) / 1000)
        _require_reach(world, lock)
        if errcode:
            raise Refusal(errcode)
        return _meet(world, lock, fate, work, in_book)


def _meet(world: World, lock: Lock, fate: Fate, work: Work, in_book: Work | None) -> Json:
    hang_s = lock.faults.hang_s
    match fate:
        case Fate.REFUSE:
            raise Refusal(Err.FAILED)
        case Fate.PHANTOM if in_book is not None:
            return in_book()
        case Fate.LOSE_REQUEST:
            raise NoAnswer(hang_s=hang_s)
        case Fate.LAND_LATE:
            _land_later(world, lock, work)
            raise NoAnswer(hang_s=hang_s)
        case Fate.LOSE_ANSWER:
            _carry_out_unheard(world, lock, work)
            raise NoAnswer(hang_s=hang_s)
        case _:
            return _carry_out(world, lock, work)


def _carry_out(world: World, lock: Lock, work: Work) -> Json:
    answer = work()
    world.save_lock(lock)
    upload(world, lock)
    return answer


def _carry_out_unheard(world: World, lock: Lock, work: Work) -> None:
    try:
        _carry_out(world, lock, work)
    except Refusal:
        return  # The refusal is lost on the way, like any other answer.


def _land_later(world: World, lock: Lock, work: Work) -> None:
    async def land() -> None:
        await asyncio.sleep(lock.faults.land_after_s)
        if world.locks.get(lock.id) is lock:
            _carry_out_unheard(world, lock, work)

    task = asyncio.create_task(land())
    _late.add(task)
    task.add_done_callback(_late.discard)


@contextmanager
def _line(world: World, lock: Lock) -> Iterator[None]:
    name = f"lock {lock.id}" if lock.wifi else f"gateway {lock.gateway}"
    if name in world.in_flight:
        world.overlaps += 1
        raise Refusal(Err.LOCK_BUSY if lock.wifi else Err.GATEWAY_BUSY)
    world.in_flight.add(name)
    try:
        yield
    finally:
        world.in_flight.discard(name)


def _require_reach(world: World, lock: Lock) -> None:
    if lock.wifi and lock.power_saving:
        raise Refusal(Err.POWER_SAVING)
    gateway = world.gateways.get(lock.gateway)
    if not lock.wifi and gateway is None:
        raise Refusal(Err.NO_GATEWAY_NEAR)
    if not lock.wifi and gateway is not None and not gateway.online:
        raise Refusal(Err.GATEWAY_OFFLINE)
    if not lock.in_reach or world.locks.get(lock.id) is not lock:
        raise Refusal(Err.LOCK_OFFLINE)


def meddle(lock: Lock) -> None:
    """Let the faults strike that spoil any call about a lock. Raises NotTheVendor."""
    if lock.faults.take("garbage"):
        raise NotTheVendor(200)
    if lock.faults.take("server_error"):
        raise NotTheVendor(500)
