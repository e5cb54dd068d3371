"""Renews accounts whose right to speak runs out: one worker at a time for each, and stored before it is used."""

from __future__ import annotations

import asyncio
import logging
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Q

from locks import doorlog
from locks.drivers import Cause, LockError, Renews, Retry, Scope
from locks.history import SYSTEM, acting
from locks.models import LockAccount
from locks.vault import digest
from locks.vendors import UnknownDriver, open_driver

log = logging.getLogger(__name__)
CLAIM = timedelta(minutes=2)
PATIENCE_S = 20.0
SCOPE = "renewal"


def renew_due(*, now: datetime) -> int:
    """Renew every connected account whose time has come. Returns how many were. The trouble of one is not another's."""
    renewed = 0
    free = Q(renewing_until=None) | Q(renewing_until__lte=now)
    working = LockAccount.objects.filter(free, state=LockAccount.State.WORKING)
    for account in working.order_by("id"):
        try:
            renewed += _renew(account, now)
        except UnknownDriver:
            continue
        except Exception as error:  # noqa: BLE001 - its text may hold a token
            log.error("lock account %s could not be renewed: %s", account.pk, type(error).__name__)
    return renewed


def _renew(account: LockAccount, now: datetime) -> bool:
    due = asyncio.run(_renew_at(account))
    if due is None or due > now or not _mine(account, now):
        return False
    said = asyncio.run(_ask(account))
    if isinstance(said, LockError):
        _refused(account, said, now)
        return False
    with acting(SYSTEM.because("renewed")), transaction.atomic():
        row = LockAccount.objects.select_for_update(no_key=True).get(pk=account.pk)
        if str(row.token) != str(account.token):
            return False  # someone connected it anew meanwhile
        row.token, row.renewing_until = said, None
        row.save(update_fields=["token", "renewing_until"])
    return True


async def _renew_at(account: LockAccount) -> datetime | None:
    driver = open_driver(account.driver, base_url=account.base_url, token=account.token)
    try:
        return driver.renew_at() if isinstance(driver, Renews) else None
    finally:
        await driver.close()


async def _ask(account: LockAccount) -> str | LockError:
    """The new token, or why not."""
    driver = open_driver(account.driver, base_url=account.base_url, token=account.token)
    silence = LockError(cause=Cause.VENDOR_UNREACHABLE, retry=Retry.SOON, scope=Scope.ACCOUNT)
    try:
        async with asyncio.timeout(PATIENCE_S):
            return await driver.renew() if isinstance(driver, Renews) else silence
    except TimeoutError:
        return silence
    finally:
        await driver.close()


def _mine(account: LockAccount, now: datetime) -> bool:
    """Whether this worker renews it: a token that is renewed twice at once may be void twice."""
    seen = LockAccount.objects.filter(pk=account.pk, renewing_until=account.renewing_until)
    return bool(seen.update_untracked(renewing_until=now + CLAIM))


def _refused(account: LockAccount, error: LockError, now: datetime) -> None:
    """Refused for good, the account is broken until someone connects it anew; anything else is tried again."""
    log.warning("lock account %s was not renewed: %s", account.pk, error.cause)
    if error.scope is not Scope.ACCOUNT or error.retry is not Retry.NEVER:
        return
    LockAccount.objects.filter(pk=account.pk).update_untracked(renewal_refused=fingerprint(account))
    with acting(SYSTEM.because("its token could not be renewed")):
        doorlog.account_broken(
            account_id=account.pk,
            problem=error.vendor_text or "The lock system does not renew the sign-in.",
            now=now,
        )


def fingerprint(account: LockAccount) -> str:
    """Tells whether the token is still the one that was refused."""
    return digest(account.token, scope=SCOPE)
