"""Connects a property to its lock systems: tells the vendor who we are, tries, reconnects and disconnects an account.

Nothing is stored before the vendor let us in, and then only what its driver calls the token. A person waits for each of
these calls: none takes longer than PATIENCE_S, and none is made inside a transaction.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Coroutine, Mapping
from datetime import datetime
from typing import Any, TypeVar
from urllib.parse import urlsplit

from django.db import IntegrityError, transaction

from locks import doorlog
from locks.account_words import SCHEMES, no_in_words, title_of
from locks.drivers import Cause, LockError, Retry, Scope
from locks.history import Actor, acting
from locks.models import Lock, LockAccount, Property
from locks.pulse import bump
from locks.vendors import open_driver, vendor

PATIENCE_S = 8.0
"""How long a person waits for a vendor."""
State = LockAccount.State
T = TypeVar("T")


class NotConnected(Exception):
    """The account cannot be used so. ``field`` is what was typed wrongly, empty for none; the message says how to mend it."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field, self.message = field, message


def connect(
    *,
    property: Property,  # noqa: A002
    driver: str,
    name: str,
    base_url: str,
    typed: Mapping[str, str],
    by: Actor,
) -> LockAccount:
    """A new account, once the vendor let us in. Raises NotConnected."""
    _check_name(property, name)
    base_url = _checked(driver, base_url)
    token = _let_in(driver, base_url, typed)
    account = LockAccount(
        property=property, driver=driver, name=name, base_url=base_url, token=token
    )
    try:
        with acting(by.because("connected")), transaction.atomic():
            account.save()
            bump([property.pk])
    except IntegrityError:  # someone else took the name meanwhile
        _check_name(property, name)
        raise
    return account


def reconnect(
    *,
    account: LockAccount,
    name: str,
    base_url: str,
    typed: Mapping[str, str],
    by: Actor,
    now: datetime,
) -> LockAccount:
    """The same account with a new secret: its locks, their doors and all that lies on them stay. Raises NotConnected.

    What may be left empty and is goes on as it was. A login that knows none of the account's locks is another account's.
    """
    _check_name(account.property, name, but=account.pk)
    base_url = _checked(account.driver, base_url)
    kept, fields = kept_of(account), vendor(account.driver).fields
    whole = {
        field.name: typed.get(field.name) or (kept.get(field.name, "") if field.secret else "")
        for field in fields
    }
    token = _let_in(account.driver, base_url, whole)
    _check_same(account, base_url, token)
    with acting(by.because("reconnected")), transaction.atomic():
        doorlog.look_at_locks_of(account)
        if (
            account.state == State.DISCONNECTED
        ):  # whatever happened at the locks meanwhile is found out
            ids = Lock.objects.filter(account=account).order_by("id").values_list("id", flat=True)
            doorlog.must_read_back(lock_ids=list(ids), now=now)
        row = LockAccount.objects.select_for_update(no_key=True).get(pk=account.pk)
        row.name, row.base_url, row.token = name, base_url, token
        row.state, row.broken_at, row.disconnected_at, row.problem = State.WORKING, None, None, ""
        row.save()
        bump([row.property_id])
    return row


def check(*, account: LockAccount, by: Actor, now: datetime) -> str:
    """Ask the vendor whether it lets us in now, and believe the answer. Returns why not in words, empty when it does."""
    if account.state == State.DISCONNECTED:
        return f"{account.name} is disconnected: connect it first."
    error = _ask(_why_not(account.driver, account.base_url, account.token))
    with acting(by.because("tested")):
        if error is None:
            doorlog.account_works(account_id=account.pk, now=now)
            return ""
        said = no_in_words(vendor(account.driver), error)[1]
        if error.scope is Scope.ACCOUNT and error.retry is Retry.NEVER:
            problem = error.vendor_text or said
            doorlog.account_broken(account_id=account.pk, problem=problem, now=now)
    return said


def disconnect(*, account: LockAccount, by: Actor, now: datetime) -> None:
    """Forget the secret and stop all its locks. What lies on them stays until its end; locks and doors stay for ever."""
    with acting(by.because("disconnected")), transaction.atomic():
        doorlog.look_at_locks_of(account)
        row = LockAccount.objects.select_for_update(no_key=True).get(pk=account.pk)
        if row.state == State.DISCONNECTED:
            return
        row.state, row.token, row.problem = State.DISCONNECTED, "", ""
        row.broken_at, row.disconnected_at = None, now
        row.save()
        bump([row.property_id])


def kept_of(account: LockAccount) -> dict[str, str]:
    """What was typed for this account, as far as its token keeps it, by the names of the vendor's fields."""
    names = {field.name for field in vendor(account.driver).fields}
    try:
        doc = json.loads(account.token)
    except ValueError:
        doc = None
    told = doc if isinstance(doc, dict) else {"token": account.token}
    return {name: str(value) for name, value in told.items() if name in names and value}


# What is asked of the vendor -----------------------------------------------------------------------


def _let_in(driver: str, base_url: str, typed: Mapping[str, str]) -> str:
    """The token that the vendor accepts. Raises NotConnected."""
    told = _ask(_token(driver, base_url, typed))
    if isinstance(told, LockError):
        raise NotConnected(*no_in_words(vendor(driver), told))
    return told


async def _token(driver: str, base_url: str, typed: Mapping[str, str]) -> str | LockError:
    if sign_in := vendor(driver).sign_in:
        return await sign_in(base_url, typed)
    token = typed.get("token", "")
    return await _why_not(driver, base_url, token) or token


def _check_same(account: LockAccount, base_url: str, token: str) -> None:
    known = set(Lock.objects.filter(account=account).values_list("external_id", flat=True))
    if not known:
        return
    seen = _ask(_locks_of(account.driver, base_url, token))
    if isinstance(seen, set) and not seen & known:
        title = title_of(account.driver)
        raise NotConnected(
            "",
            f"{title} lets this login in, but it has none of the {len(known)} locks of {account.name}: it is another "
            "account. Type the login of the account that owns these locks, or connect it as a new account.",
        )


def _ask(call: Coroutine[Any, Any, T]) -> T | LockError:
    async def bounded() -> T | LockError:
        try:
            async with asyncio.timeout(PATIENCE_S):
                return await call
        except TimeoutError:
            return TOO_SLOW

    return asyncio.run(bounded())


TOO_SLOW = LockError(
    cause=Cause.VENDOR_UNREACHABLE, retry=Retry.SOON, scope=Scope.ACCOUNT, vendor_code="timeout"
)


async def _why_not(driver: str, base_url: str, token: str) -> LockError | None:
    line = open_driver(driver, base_url=base_url, token=token)
    try:
        return await line.why_not()
    finally:
        await line.close()


async def _locks_of(driver: str, base_url: str, token: str) -> set[str]:
    line = open_driver(driver, base_url=base_url, token=token)
    try:
        return {each.external_id for each in await line.discover()}
    finally:
        await line.close()


# What was typed ------------------------------------------------------------------------------------


def _check_name(hotel: Property, name: str, *, but: int = 0) -> None:
    if LockAccount.objects.filter(property=hotel, name=name).exclude(pk=but).exists():
        raise NotConnected("name", f"This property already has an account {name}: choose another.")


def _checked(driver: str, base_url: str) -> str:
    """The address without its last slash. Raises NotConnected for what cannot be one."""
    default = vendor(driver).default_url
    schemes = SCHEMES[urlsplit(default).scheme]
    try:
        parts = urlsplit(base_url)
        is_one = parts.scheme in schemes and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_one = False
    if not is_one:
        raise NotConnected(
            "base_url",
            f"This is no address of {title_of(driver)}: it begins with {' or '.join(f'{s}://' for s in schemes)}, such as {default}.",
        )
    if parts.username is not None or parts.password is not None:
        raise NotConnected(
            "base_url",
            "Leave user name and password out of the address: it is shown and kept in the history. They have fields of their own.",
        )
    return base_url.rstrip("/")
