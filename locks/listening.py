"""Fetches events from lock accounts that must be asked, page by page; the cursor moves only with the events it covers.

Accounts that were refused are asked now and then whether they work again.
"""

from __future__ import annotations

import asyncio
import logging
from datetime import datetime, timedelta
from typing import NamedTuple

from django.db import transaction
from django.db.models import Q

from locks import doorlog, events
from locks.drivers import Cause, EventPage, LockError, Retry, Scope
from locks.history import SYSTEM, acting
from locks.models import LockAccount
from locks.renewing import fingerprint
from locks.vendors import open_driver, vendor

log = logging.getLogger(__name__)
PAGES = 20
PATIENCE_S = 8.0


def poll_all(*, now: datetime) -> int:
    """Fetch new events of all working accounts; one account in trouble does not keep another waiting for ever."""
    new = 0
    may = Q(next_poll_at=None) | Q(next_poll_at__lte=now)
    working = LockAccount.objects.filter(may, state=LockAccount.State.WORKING)
    for account in working.order_by("id"):
        try:
            _rest(account, now)  # before: what is called in meanwhile asks anew
            new += poll(account=account, now=now).new
        except Exception:
            log.exception("lock account %s could not be polled", account.pk)
    return new


def _rest(account: LockAccount, now: datetime) -> None:
    if every := vendor(account.driver).poll_every_s:
        row = LockAccount.objects.filter(pk=account.pk)
        row.update_untracked(next_poll_at=now + timedelta(seconds=every))


def try_broken(*, now: datetime) -> int:
    """Ask the vendor of each broken account whether it lets us in again. Returns how many accounts work again."""
    mended = 0
    for account in LockAccount.objects.filter(state=LockAccount.State.BROKEN).order_by("id"):
        if account.renewal_refused and account.renewal_refused == fingerprint(account):
            continue  # it may still be let in for some days, and then no more: someone must connect it anew
        try:
            if asyncio.run(_why_not(account)) is None:
                mended += doorlog.account_works(account_id=account.pk, now=now)
        except Exception:
            log.exception("lock account %s could not be tried", account.pk)
    return mended


async def _why_not(account: LockAccount) -> LockError | None:
    driver = open_driver(account.driver, base_url=account.base_url, token=account.token)
    try:
        return await driver.why_not()
    finally:
        await driver.close()


class Polled(NamedTuple):
    """How many events were new, and why no more could be fetched, if so."""

    new: int
    error: LockError | None


def poll(*, account: LockAccount, now: datetime) -> Polled:
    """Fetch and take in the new events of one account. An account that the vendor refuses is marked as broken."""
    new, error = 0, None
    cursor = account.event_cursor
    for page in asyncio.run(_pages(account)):
        error = page.error
        with transaction.atomic():
            new += events.ingest(account_id=account.pk, events=page.events, now=now)
            if page.cursor != cursor:
                LockAccount.objects.filter(pk=account.pk, event_cursor=cursor).update_untracked(
                    event_cursor=page.cursor
                )
                cursor = page.cursor
    if error is not None and error.scope is Scope.ACCOUNT and error.retry is Retry.NEVER:
        problem = error.vendor_text or "The lock system refused the account."
        with acting(SYSTEM.because("its events could not be fetched")):
            doorlog.account_broken(account_id=account.pk, problem=problem, now=now)
    return Polled(new, error)


async def _pages(account: LockAccount) -> list[EventPage]:
    driver = open_driver(account.driver, base_url=account.base_url, token=account.token)
    pages: list[EventPage] = []
    cursor = account.event_cursor
    try:
        async with asyncio.timeout(PATIENCE_S):
            for _ in range(PAGES):
                page = await driver.events(cursor)
                pages.append(page)
                cursor = page.cursor
                if not page.more:
                    break
    except TimeoutError:
        slow = LockError(cause=Cause.VENDOR_UNREACHABLE, retry=Retry.SOON, scope=Scope.ACCOUNT)
        pages.append(EventPage(events=(), cursor=cursor, error=slow))
    finally:
        await driver.close()
    return pages
