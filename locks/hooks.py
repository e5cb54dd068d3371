"""Takes what lock systems call in and answers at once: proven by the driver, stored in one insert, nothing believed yet.

Each account has an address of its own, made of its number and a secret that only this Portal can make. A vendor with one
address for a whole application calls any of these. A call that is not the vendor's is refused and counted; nothing of it
is stored or logged.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from hmac import compare_digest
from typing import NamedTuple

from django.conf import settings
from django.core.exceptions import SuspiciousOperation
from django.db import DatabaseError
from django.db.models import F, Q
from django.http import HttpRequest, HttpResponse

from locks import intake
from locks.bell import Bell
from locks.drivers import Heard, LockEvent, NotGenuine, Receives
from locks.intake_models import Intake
from locks.models import Lock, LockAccount
from locks.vault import digest
from locks.vendors import UnknownDriver, open_driver, vendor

log = logging.getLogger(__name__)
LARGEST = 256 * 1024
SCOPE = "lock-hook"
REMEMBERED_S = 5.0
ASKED_AFTER = timedelta(seconds=2)
"""So long is waited for the rest of a burst before a vendor is asked."""
_take_in, _poll = Bell(intake.BELL), Bell("locks.tasks.poll_locks")


def address_of(account: LockAccount) -> str:
    """Where the vendor of this account calls; empty for one that never calls."""
    try:
        driver = _open(account)
    except UnknownDriver:
        return ""
    if not isinstance(driver, Receives):
        return ""
    return f"{settings.PORTAL_BASE_URL}/hooks/locks/{account.pk}/{_secret(account.pk)}"


def _secret(account_id: int) -> str:
    return digest(str(account_id), scope=SCOPE)[:40]


def receive(request: HttpRequest, *, account: str, secret: str) -> HttpResponse:
    """Answer one call: 200 with the text that the vendor wants, 400 not genuine or not readable, 404 nobody's address,
    405 not a POST, 413 too large, 503 not now. What it says is stored before it is answered with 200."""
    if request.method != "POST":
        return HttpResponse(status=405, headers={"Allow": "POST"})
    try:
        return _take(request, account, secret)
    except (OSError, SuspiciousOperation, ValueError):
        return HttpResponse("This call cannot be read.", status=400)
    except DatabaseError as error:
        return _not_now(error)
    except Exception as error:  # noqa: BLE001 - a vendor never gets a 500; the text may hold what was told
        return _not_now(error)


def _not_now(error: Exception) -> HttpResponse:
    log.warning("a call of a lock system was not taken: %s", type(error).__name__)
    return HttpResponse("Not now, send it again.", status=503, headers={"Retry-After": "30"})


def _take(request: HttpRequest, account: str, secret: str) -> HttpResponse:
    if not (account.isascii() and account.isdigit() and len(account) < 18):
        return HttpResponse(status=404)
    if not compare_digest(_secret(int(account)).encode(), secret.encode()):
        return HttpResponse(status=404)
    caller = _caller(int(account))
    if caller is None:
        return HttpResponse(status=404)
    if int(request.META.get("CONTENT_LENGTH") or 0) > LARGEST:
        return HttpResponse("At most 256 kB.", status=413)
    headers = {name.lower(): value for name, value in request.headers.items()}
    try:
        heard = caller.driver.receive(headers=headers, body=request.body)
    except NotGenuine:
        _count_refused(caller.account_id)
        return HttpResponse("This call is not genuine.", status=400)
    _store(caller, heard)
    return HttpResponse(heard.answer, content_type="text/plain")


class _Caller(NamedTuple):
    """Whose address it is, remembered by this process for a few seconds. The driver makes no calls here."""

    account_id: int
    property_id: int
    name: str
    driver: Receives
    until_s: float


_callers: dict[int, _Caller] = {}


def _caller(account_id: int) -> _Caller | None:
    """Only what exists and is connected is remembered."""
    known = _callers.get(account_id)
    if known is not None and known.until_s > time.monotonic():
        return known
    _callers.pop(account_id, None)
    account = (
        LockAccount.objects.filter(pk=account_id)
        .exclude(state=LockAccount.State.DISCONNECTED)
        .first()
    )
    if account is None:
        return None
    driver = _open(account)
    if not isinstance(driver, Receives):
        return None
    caller = _Caller(
        account.pk, account.property_id, account.driver, driver, time.monotonic() + REMEMBERED_S
    )
    _callers[account_id] = caller
    return caller


def _open(account: LockAccount) -> object:
    vendor(account.driver)
    return open_driver(account.driver, base_url=account.base_url, token=account.token)


def _count_refused(account_id: int) -> None:
    rows = LockAccount.objects.filter(pk=account_id)
    rows.update_untracked(refused_calls=F("refused_calls") + 1, refused_call_at=datetime.now(UTC))


def _store(caller: _Caller, heard: Heard) -> None:
    if heard.events and (told := _of_known_locks(caller, heard.events)):
        at = datetime.now(UTC)
        intake.store(told, property_id=caller.property_id, source=Intake.Source.HOOK, now=at)
        _take_in.strike()
    if heard.ask:
        _ask_soon(caller, heard.about)
        _poll.strike()


def _of_known_locks(caller: _Caller, events: Sequence[LockEvent]) -> list[intake.Told]:
    """Events of locks that this account has here; of others Portal is not told anything."""
    ids = dict(
        Lock.objects.filter(
            account_id=caller.account_id, external_id__in={event.lock_ref for event in events}
        ).values_list("external_id", "id")
    )
    return [(ids[event.lock_ref], event) for event in events if event.lock_ref in ids]


def _ask_soon(caller: _Caller, about: Sequence[str]) -> None:
    """Have the events of whoever has these locks asked for, else those of the account whose address was called."""
    soon = datetime.now(UTC) + ASKED_AFTER
    working = LockAccount.objects.filter(
        Q(next_poll_at__gt=soon), driver=caller.name, state=LockAccount.State.WORKING
    )
    theirs = LockAccount.objects.filter(driver=caller.name, locks__external_id__in=about)
    ids = set(theirs.values_list("id", flat=True)) if about else set()
    working.filter(pk__in=ids or {caller.account_id}).update_untracked(next_poll_at=soon)
