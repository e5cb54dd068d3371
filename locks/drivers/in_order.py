"""Several writes on one lock, one after the other: what may still be sent after one of them went wrong."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from locks.drivers import Cause, Grant, LockError, Outcome, Place, Result, Retry, Scope

Item = TypeVar("Item", Grant, Place)
NOT_SENT = LockError(
    cause=Cause.VENDOR_UNREACHABLE, retry=Retry.SOON, scope=Scope.ACCOUNT, vendor_code="not_sent"
)


async def in_order(
    items: Sequence[Item], write: Callable[[Item], Awaitable[Outcome]]
) -> list[Outcome]:
    """Write one after the other. After trouble that the rest would meet too, the rest is not sent."""
    outcomes: list[Outcome] = []
    stop: LockError | None = None
    for item in items:
        if stop is None:
            outcomes.append(await write(item))
            stop = _reason_to_stop(outcomes[-1])
        else:
            outcomes.append(Outcome(result=Result.FAILED, error=stop))
    return outcomes


def _reason_to_stop(outcome: Outcome) -> LockError | None:
    """A call that hangs must not be followed by others that hang: the caller's lease is two time-outs long."""
    if outcome.result is Result.UNKNOWN:
        return NOT_SENT
    error = outcome.error
    if error is None or error.scope is Scope.CREDENTIAL or error.cause is Cause.NO_SPACE:
        return None
    return error
