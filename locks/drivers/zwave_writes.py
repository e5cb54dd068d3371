"""What a command to a Z-Wave lock came to: four outcomes, and the reading back that makes an unsure one certain."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from locks.drivers import Cause, Held, LockError, Outcome, Proof, Result, Retry, Scope
from locks.drivers.zwave_line import Line, Refused, Unsure, ZWaveError, lock_error
from locks.drivers.zwave_places import (
    DOOR_LOCK,
    OUT_OF_REACH,
    Places,
    Said,
    in_our_words,
    invoke,
    no_such_place,
    out_of_reach,
    supervised,
)

UNSECURED = 0
"""The mode of the Door Lock class in which the bolt is open."""
REJECTED = lock_error(Cause.REJECTED, Retry.SOON, Scope.CREDENTIAL, code="failed")
DUPLICATE = lock_error(Cause.DUPLICATE_CODE, Retry.AFTER_CHANGE, Scope.CREDENTIAL, code="duplicate")
MASKED = lock_error(Cause.UNEXPLAINED, Retry.SOON, Scope.CREDENTIAL, code="masked")
TIMEOUT = lock_error(Cause.UNEXPLAINED, Retry.SOON, Scope.CREDENTIAL, code="timeout")
TOO_LATE = lock_error(Cause.BUSY, Retry.SOON, Scope.LOCK, code="no_time_left")


@dataclass(slots=True)
class Attempt:
    """How far one command came before its time was up."""

    sent: bool = False


Work = Callable[[Attempt], Awaitable[Outcome]]


async def outcome_of(work: Work, *, deadline: float) -> Outcome:
    """Do it until the deadline, in the loop's time, and put its every ending into an outcome."""
    attempt = Attempt()
    try:
        async with asyncio.timeout_at(deadline):
            return await work(attempt)
    except Refused as refused:
        return Outcome(result=Result.FAILED, error=refused.error)
    except ZWaveError as error:
        certain = in_our_words(error)
        if certain is not None:
            return Outcome(result=Result.FAILED, error=certain)
        return _cut_off(attempt, hint(error), hint(error))
    except Unsure as unsure:
        return _cut_off(attempt, unsure.error, unsure.error)
    except TimeoutError:
        return _cut_off(attempt, TIMEOUT, TOO_LATE)


def _cut_off(attempt: Attempt, unknown: LockError, failed: LockError) -> Outcome:
    if attempt.sent:
        return Outcome(result=Result.UNKNOWN, error=unknown)
    return Outcome(result=Result.FAILED, error=failed)


def hint(error: ZWaveError) -> LockError:
    """An error of the Z-Wave JS driver that leaves open what the lock did."""
    if error.number in OUT_OF_REACH:
        return out_of_reach(error.code)
    return lock_error(Cause.UNEXPLAINED, Retry.SOON, Scope.CREDENTIAL, code=error.code)


async def put_code(
    places: Places, slot: int, code: str, *, attempt: Attempt, settle_s: float
) -> Outcome:
    """Make a place hold a code. Raises what ``Places`` raises."""
    limits = await places.limits()
    if limits.places and slot > limits.places:
        raise Refused(no_such_place())
    if not limits.shortest <= len(code) <= limits.longest:
        raise Refused(
            lock_error(Cause.INVALID_CODE, Retry.AFTER_CHANGE, Scope.CREDENTIAL, code="length")
        )
    began = asyncio.get_running_loop().time()
    attempt.sent = True
    said = await places.write(slot, code)
    if said is Said.DONE:
        return Outcome(result=Result.CONFIRMED, proof=Proof.ACKNOWLEDGED)
    held = await _read_until(
        places, slot, lambda found: found is not None and found.secret == code, settle_s
    )
    if held is not None and held.secret == code:
        return Outcome(result=Result.CONFIRMED, proof=Proof.READ_BACK)
    if held is not None and held.secret is None and said is Said.UNPROVEN:
        return await _prove_masked(places, slot, code, settle_s)
    is_double = places.line.heard_duplicate(places.node, since=began)
    is_double = is_double or await places.is_cached_elsewhere(slot, code)
    return Outcome(result=Result.FAILED, error=DUPLICATE if is_double else REJECTED)


async def _prove_masked(places: Places, slot: int, code: str, settle_s: float) -> Outcome:
    """Write a code that its lock hides once more, into a place that is proven empty before: what is there then is it."""
    nothing_left = await places.clear(slot) is Said.DONE or (
        await _read_until(places, slot, lambda found: found is None, settle_s) is None
    )
    if nothing_left:
        await places.write(slot, code)
        held = await _read_until(places, slot, lambda found: found is not None, settle_s)
        if held is not None:
            return Outcome(result=Result.CONFIRMED, proof=Proof.READ_BACK)
    return Outcome(result=Result.UNKNOWN, error=MASKED)


async def free_place(places: Places, slot: int, *, attempt: Attempt, settle_s: float) -> Outcome:
    """Make a place free. Raises what ``Places`` raises."""
    attempt.sent = True
    if await places.clear(slot) is Said.DONE:
        return Outcome(result=Result.CONFIRMED, proof=Proof.ACKNOWLEDGED)
    if await _read_until(places, slot, lambda found: found is None, settle_s) is None:
        return Outcome(result=Result.CONFIRMED, proof=Proof.READ_BACK)
    return Outcome(result=Result.FAILED, error=REJECTED)


async def _read_until(
    places: Places, slot: int, is_so: Callable[[Held | None], bool], settle_s: float
) -> Held | None:
    """What the lock holds there, read again after a moment if it is not what was asked: a lock may need that long."""
    held = await places.read(slot)
    if is_so(held):
        return held
    await asyncio.sleep(settle_s)
    return await places.read(slot)


async def open_bolt(line: Line, node: int, *, attempt: Attempt, settle_s: float) -> Outcome:
    """Unlock. A lock that does not say what it did is asked until the time is up."""
    attempt.sent = True
    said = supervised(await invoke(line, node, DOOR_LOCK, "set", UNSECURED))
    if said is Said.FAILED:
        return Outcome(result=Result.FAILED, error=REJECTED)
    if said is Said.DONE:
        return Outcome(result=Result.CONFIRMED, proof=Proof.ACKNOWLEDGED)
    while not await _is_open(line, node):
        await asyncio.sleep(settle_s)
    return Outcome(result=Result.CONFIRMED, proof=Proof.READ_BACK)


async def _is_open(line: Line, node: int) -> bool:
    report = await invoke(line, node, DOOR_LOCK, "get")
    return isinstance(report, dict) and report.get("currentMode") == UNSECURED
