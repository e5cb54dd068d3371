"""One command on its way to a lock: the line it needs, the faults it meets, what it does there."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from locks.simulators.simlock.lock import Credential, Lock
from locks.simulators.simlock.store import Landing, credential_doc
from locks.simulators.simlock.words import (
    Code,
    Command,
    EventType,
    Fate,
    Garbage,
    NoAnswer,
    Refusal,
    Silence,
    say_time,
)
from locks.simulators.simlock.world import World


async def perform(
    world: World,
    lock: Lock,
    command: Command,
    handle: str = "",
    credential: Credential | None = None,
) -> dict[str, Any]:
    """Send one command to a lock and let it meet its fate. Raises Refusal, NoAnswer or Garbage."""
    landing = Landing(
        id=0, lock=lock.id, command=command, handle=handle, credential=credential, due_at=0
    )
    with world.on_the_line(lock, write=command.is_write):
        world.require_reachable(lock)
        fate = world.draw(lock, command)
        _refuse_at_once(lock, fate)
        if delay := world.delay_s(lock):
            await asyncio.sleep(delay)
            _require_still_there(world, lock)
        return _meet(world, lock, landing, fate)


def _refuse_at_once(lock: Lock, fate: Fate) -> None:
    if fate is Fate.BUSY:
        raise Refusal(Code.BUSY, "The lock is busy; try again in a few seconds.")
    if fate is Fate.RATE_LIMIT:
        after = lock.faults.retry_after_s
        raise Refusal(Code.RATE_LIMITED, "Too many calls for this lock.", retry_after_s=after)
    if fate is Fate.SERVER_ERROR:
        raise Refusal(Code.SERVER_ERROR, "Something went wrong on our side.")
    if fate is Fate.GARBAGE:
        raise Garbage


def _require_still_there(world: World, lock: Lock) -> None:
    if world.locks.get(lock.id) is not lock:
        raise Refusal(Code.LOCK_NOT_FOUND, "The lock was removed meanwhile.")
    if not world.reaches(lock):
        raise NoAnswer(Silence.ERROR, hang_s=0)


def _meet(world: World, lock: Lock, landing: Landing, fate: Fate) -> dict[str, Any]:
    """Let a command meet its fate at the lock. Raises Refusal or NoAnswer."""
    silence = NoAnswer(lock.faults.silence, hang_s=lock.faults.hang_s)
    match fate:
        case Fate.REFUSE:
            lock.counts.refused += 1
            raise Refusal(Code.REFUSED, "The lock refused, without giving a reason.")
        case Fate.DUPLICATE:
            lock.counts.refused += 1
            raise Refusal(
                Code.DUPLICATE_CODE, "Another credential on this lock has the same value."
            )
        case Fate.DROP_WRITE:
            return {
                "handle": landing.handle,
                "state": "stored" if landing.credential else "removed",
            }
        case Fate.LOSE_REQUEST:
            raise silence
        case Fate.LAND_LATE:
            landing.due_at = time.time() + lock.faults.land_after_s
            world.land_later(landing)
            raise silence
        case Fate.LOSE_ACK:
            _carry_out_unheard(world, lock, landing)
            raise silence
        case _:
            answer = _carry_out(world, lock, landing)
            world.contact(lock)
            return answer


def _carry_out_unheard(world: World, lock: Lock, landing: Landing) -> None:
    try:
        world.write(lock, landing)
    except Refusal:
        return  # The refusal is lost on the way, like any other answer.


def _carry_out(world: World, lock: Lock, landing: Landing) -> dict[str, Any]:
    match landing.command:
        case Command.PUT:
            world.write(lock, landing)
            return {"handle": landing.handle, "state": "stored"}
        case Command.DELETE:
            world.write(lock, landing)
            return {"handle": landing.handle, "state": "removed"}
        case Command.READ:
            lock.counts.reads += 1
            held = [_shown(lock, credential) for credential in lock.memory.values()]
            return {"credentials": held, "read_at": say_time(world.now())}
        case Command.UNLOCK:
            world.report(lock, EventType.UNLOCKED, reason="remote")
            return {"opened": True}
        case Command.MASTER_CODE:
            lock.check_code(landing.handle)
            lock.master_code = landing.handle
            world.store.save_lock(lock)
            return {"master_code": "changed"}
        case Command.SYNC_CLOCK:
            before, lock.clock_offset_s = lock.clock_offset_s, 0.0
            world.store.save_lock(lock)
            return {"clock_offset_before_s": before, "clock_offset_after_s": 0.0}


def _shown(lock: Lock, credential: Credential) -> dict[str, Any]:
    doc = credential_doc(credential)
    return doc | {"value": None} if lock.masked else doc
