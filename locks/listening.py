"""Fetches events from lock accounts that must be asked, page by page; the cursor moves only with the events it covers."""

from __future__ import annotations

import asyncio
import logging
from datetime import datetime

from django.db import transaction

from locks import doorlog
from locks.drivers import EventPage, open_driver
from locks.models import LockAccount

log = logging.getLogger(__name__)
PAGES = 20
PATIENCE_S = 8.0


def poll_all(*, now: datetime) -> int:
    """Fetch new events of all working accounts; one account in trouble does not keep another waiting for ever."""
    new = 0
    for account in LockAccount.objects.filter(state=LockAccount.State.WORKING).order_by("id"):
        try:
            new += poll(account=account, now=now)
        except Exception:
            log.exception("lock account %s could not be polled", account.pk)
    return new


def poll(*, account: LockAccount, now: datetime) -> int:
    """Fetch and take in the new events of one account. Returns how many were new."""
    new = 0
    cursor = account.event_cursor
    for page in asyncio.run(_pages(account)):
        with transaction.atomic():
            new += doorlog.ingest(account_id=account.pk, events=page.events, now=now)
            if page.cursor != cursor:
                LockAccount.objects.filter(pk=account.pk, event_cursor=cursor).update_untracked(
                    event_cursor=page.cursor
                )
                cursor = page.cursor
    return new


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
        log.warning("lock account %s answers slowly", account.pk)
    finally:
        await driver.close()
    return pages
