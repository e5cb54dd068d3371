"""Which locks an account has: asked for by a person, answered by a worker, and taken in as locks and gateways.

The row is the queue: asking writes it, whoever looks first takes it, and one that a worker took and never ended is taken
again.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from django.db import transaction
from django.db.models import Q

from locks.account_words import no_in_words
from locks.bell import ring
from locks.discovery_models import Discovery
from locks.drivers import Found, Kind, LockError
from locks.models import Gateway, Lock, LockAccount, Writer
from locks.pulse import bump
from locks.signals import lock_reported
from locks.vendors import open_driver, vendor

log = logging.getLogger(__name__)
PATIENCE_S = 30.0
TAKEN_LASTS = timedelta(minutes=2)


@dataclass(frozen=True, slots=True)
class Known:
    """A lock as discovery found it, and whether it is known already: ``lock`` here, ``elsewhere`` by another account."""

    found: Found
    lock: Lock | None
    elsewhere: str

    @property
    def is_new(self) -> bool:
        """Whether it can be added."""
        return self.lock is None and not self.elsewhere


def ask(*, account: LockAccount, now: datetime) -> Discovery:
    """Have the account's locks looked for. One that is being looked for already goes on."""
    with transaction.atomic():
        fresh: dict[str, Any] = {"taken_at": None, "ended_at": None, "problem": "", "found": []}
        row, is_new = Discovery.objects.select_for_update(no_key=True).get_or_create(
            account=account, defaults={"property": account.property, "asked_at": now}
        )
        if not is_new and (row.ended_at is not None or _is_stale(row, now)):
            Discovery.objects.filter(pk=row.pk).update(asked_at=now, **fresh)
        bump([account.property_id])
        transaction.on_commit(partial(ring, "locks.tasks.discover"))
    return row


def _is_stale(row: Discovery, now: datetime) -> bool:
    return row.taken_at is not None and row.taken_at < now - TAKEN_LASTS


def work_off(*, now: datetime) -> int:
    """Ask the vendors for whatever is asked for. Returns how many accounts were asked."""
    may = Q(taken_at=None) | Q(taken_at__lt=now - TAKEN_LASTS)
    done = 0
    for row in Discovery.objects.filter(may, ended_at=None).order_by("asked_at"):
        mine = Discovery.objects.filter(pk=row.pk, ended_at=None, taken_at=row.taken_at)
        if mine.update(taken_at=now):
            _end(row, _asked(row.account), taken_at=now)
            done += 1
    return done


def _end(row: Discovery, told: list[Found] | str, *, taken_at: datetime) -> None:
    problem, found = (told, []) if isinstance(told, str) else ("", [asdict(one) for one in told])
    with transaction.atomic():
        mine = Discovery.objects.filter(pk=row.pk, taken_at=taken_at, ended_at=None)
        if mine.update(ended_at=taken_at, problem=problem[:300], found=found) and not problem:
            _refresh(row.account, [read_found(doc) for doc in found])
        bump([row.property_id])


def _asked(account: LockAccount) -> list[Found] | str:
    """What the vendor tells, or why it told nothing, in words."""
    if account.state == LockAccount.State.DISCONNECTED:
        return f"{account.name} is disconnected: connect it first."
    try:
        told = asyncio.run(_ask_vendor(account))
    except TimeoutError:
        return f"{vendor(account.driver).title} did not answer in time: try again."
    except Exception:
        log.exception("the locks of account %s could not be looked for", account.pk)
        return "Portal could not look: support finds the reason in the worker’s log."
    if isinstance(told, LockError):
        return no_in_words(vendor(account.driver), told)[1]
    return sorted(told, key=lambda one: (one.name.casefold(), one.external_id))


async def _ask_vendor(account: LockAccount) -> list[Found] | LockError:
    async with asyncio.timeout(PATIENCE_S):
        driver = open_driver(account.driver, base_url=account.base_url, token=account.token)
        try:
            # An empty list is also what a driver says when nobody answers.
            return await driver.why_not() or await driver.discover()
        finally:
            await driver.close()


# What was found ------------------------------------------------------------------------------------


def read_found(doc: Mapping[str, Any]) -> Found:
    """A lock as the row keeps it."""
    kinds = tuple(Kind(kind) for kind in doc["kinds"])
    return Found(**{**doc, "kinds": kinds, "code_rules": tuple(doc["code_rules"])})


def known(account: LockAccount, found: Sequence[Found]) -> list[Known]:
    """Which of these are locks of Portal's already. A lock belongs to one account of a property, whoever else sees it."""
    refs = [one.external_id for one in found]
    rows = Lock.objects.filter(
        property_id=account.property_id, account__driver=account.driver, external_id__in=refs
    ).select_related("account", "door", "gateway")
    mine = {row.external_id: row for row in rows if row.account_id == account.pk}
    others = {row.external_id: row.account.name for row in rows if row.account_id != account.pk}
    return [Known(one, mine.get(one.external_id), others.get(one.external_id, "")) for one in found]


def _refresh(account: LockAccount, found: Sequence[Found]) -> None:
    """Believe what the vendor says now of locks that are known already: their model, what they take, and how much.

    How such a lock is driven stays: its windows, its places and its gateway are those that its codes were written by.
    """
    changed = []
    for one in known(account, found):
        facts = _facts(one.found)
        if one.lock is None or all(getattr(one.lock, name) == it for name, it in facts.items()):
            continue
        Lock.objects.filter(pk=one.lock.pk).update(**facts)
        changed.append(one.lock.pk)
    if changed:
        lock_reported.send(sender=Lock, lock_ids=changed, used=[], typed=[])


def _facts(found: Found) -> dict[str, Any]:
    """What a lock is like, as its row keeps it."""
    return {
        "model": found.model[:60],
        "takes_door_codes": Kind.DOOR_CODE in found.kinds,
        "takes_smartkeys": Kind.SMARTKEY in found.kinds,
        "takes_keycards": Kind.KEYCARD in found.kinds,
        "code_min": found.code_min,
        "code_max": found.code_max,
        "max_codes": found.max_codes,
    }


def add(*, account: LockAccount, found: Sequence[Found]) -> list[Lock]:
    """Make locks of these, on no door, behind the gateways that they name; those that are known already are left out.

    Inside a transaction. Raises IntegrityError when someone else adds the same one at this moment.
    """
    made = [
        _lock(account, one.found, _gateway(account, one.found))
        for one in known(account, found)
        if one.is_new
    ]
    bump([account.property_id])
    return made


def _gateway(account: LockAccount, found: Found) -> Gateway | None:
    if not found.gateway:
        return None
    gateway = Gateway.objects.filter(account=account, external_id=found.gateway).first()
    if gateway is None:
        gateway = Gateway(
            property=account.property,
            account=account,
            writer=Writer.objects.create(property=account.property),
            external_id=found.gateway,
            name=(found.gateway_name or f"Gateway {found.gateway}")[:100],
        )
        gateway.save()
    return gateway


def _lock(account: LockAccount, found: Found, gateway: Gateway | None) -> Lock:
    writer = gateway.writer if gateway else Writer.objects.create(property=account.property)
    lock = Lock(
        property=account.property,
        account=account,
        gateway=gateway,
        writer=writer,
        external_id=found.external_id,
        name=found.name[:100],
        native_window=found.native_window,
        whole_hours=found.whole_hours,
        first_slot=found.first_slot,
        **_facts(found),
    )
    lock.save()
    return lock
