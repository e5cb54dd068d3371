"""The drivers that a round has open, each call bounded in time and never raising."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Coroutine, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from locks.drivers import (
    Cause,
    Driver,
    Encodes,
    Grant,
    Health,
    LockError,
    Observation,
    Outcome,
    Place,
    Result,
    Retry,
    Scope,
    SetsMasterCode,
)
from locks.models import LockAccount
from locks.vendors import open_driver

log = logging.getLogger(__name__)
T = TypeVar("T")
NOT_HERE = LockError(cause=Cause.UNSUPPORTED, retry=Retry.NEVER, scope=Scope.ACCOUNT)
NO_WORD = LockError(cause=Cause.VENDOR_UNREACHABLE, retry=Retry.SOON, scope=Scope.LOCK)


def open_account(account: LockAccount) -> Driver:
    """The driver that speaks for this account."""
    return open_driver(account.driver, base_url=account.base_url, token=account.token)


@dataclass(slots=True)
class LockCalls:
    """One open driver per account, for as long as the round lasts."""

    timeout: float
    """Seconds that a driver may take for one call; it bounds itself, this bounds the driver."""
    open_account: Callable[[LockAccount], Driver]
    _accounts: dict[int, LockAccount] = field(default_factory=dict)
    _drivers: dict[int, Driver] = field(default_factory=dict)

    def know(self, account_ids: Iterable[int]) -> None:
        """Read these accounts, if they are new. Only in the database's thread."""
        missing = set(account_ids) - self._accounts.keys()
        if missing:
            self._accounts |= {a.pk: a for a in LockAccount.objects.filter(pk__in=missing)}

    def hold(self, account: LockAccount) -> None:
        """Know this account as it was read already."""
        self._accounts[account.pk] = account

    def driver(self, account_id: int) -> Driver:
        """The open driver of an account that is known."""
        if account_id not in self._drivers:
            self._drivers[account_id] = self.open_account(self._accounts[account_id])
        return self._drivers[account_id]

    async def observe(
        self, account_id: int, lock_ref: str, places: Sequence[Place] = ()
    ) -> Observation:
        """What the lock holds, there or in all, or nothing when it could not be read."""
        call = self.driver(account_id).observe(lock_ref, places)
        return await self._bounded(call, lambda: Observation(held=None))

    async def put(self, account_id: int, lock_ref: str, grants: Sequence[Grant]) -> list[Outcome]:
        """Write these; unknown where the driver said nothing in time."""
        call = self.driver(account_id).put(lock_ref, grants)
        return await self._bounded(call, lambda: [Outcome(result=Result.UNKNOWN) for _ in grants])

    async def remove(
        self, account_id: int, lock_ref: str, places: Sequence[Place]
    ) -> list[Outcome]:
        """Take these off; unknown where the driver said nothing in time."""
        call = self.driver(account_id).remove(lock_ref, places)
        return await self._bounded(call, lambda: [Outcome(result=Result.UNKNOWN) for _ in places])

    async def health(self, account_id: int, lock_ref: str) -> Health:
        """How the lock is; not online where nobody could say."""
        call = self.driver(account_id).health(lock_ref)
        return await self._bounded(call, lambda: Health(online=False, error=NO_WORD))

    async def sync_clock(
        self, account_id: int, lock_ref: str, *, utc_offset_s: float | None
    ) -> Outcome:
        """Set the lock's clock right, and its offset of local time where it keeps one."""
        call = self.driver(account_id).sync_clock(lock_ref, utc_offset_s=utc_offset_s)
        return await self._bounded(call, lambda: Outcome(result=Result.UNKNOWN))

    async def set_master_code(self, account_id: int, lock_ref: str, code: str) -> Outcome:
        """Change the code that programs the lock."""
        driver = self.driver(account_id)
        if not isinstance(driver, SetsMasterCode):
            return Outcome(result=Result.FAILED, error=NOT_HERE)
        call = driver.set_master_code(lock_ref, code)
        return await self._bounded(call, lambda: Outcome(result=Result.UNKNOWN))

    async def unlock(self, account_id: int, lock_ref: str) -> Outcome:
        """Open the door now. Never made twice for one wish."""
        call = self.driver(account_id).unlock(lock_ref)
        return await self._bounded(call, lambda: Outcome(result=Result.UNKNOWN))

    async def encode(self, account_id: int, card: str) -> Outcome:
        """Write the card that lies on the account's encoder."""
        driver = self.driver(account_id)
        if not isinstance(driver, Encodes):
            return Outcome(result=Result.FAILED, error=NOT_HERE)
        return await self._bounded(driver.encode(card), lambda: Outcome(result=Result.UNKNOWN))

    async def _bounded(self, call: Coroutine[Any, Any, T], otherwise: Callable[[], T]) -> T:
        try:
            async with asyncio.timeout(self.timeout * 1.5):
                return await call
        except TimeoutError:
            return otherwise()
        except Exception:
            log.exception("a driver raised instead of answering")
            return otherwise()

    async def close(self) -> None:
        """Close every driver, whatever it says."""
        for driver in self._drivers.values():
            with contextlib.suppress(Exception):
                await driver.close()
