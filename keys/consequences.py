"""What follows when a lock says no to one credential: another code for its key, space from a later arrival, an account that stops."""

from __future__ import annotations

import contextlib
from datetime import datetime
from functools import partial

from django.db import transaction

from keys import allocation
from keys.facts import Row
from keys.keychain import locked
from keys.ledger import Batch
from keys.models import Credential, Key
from keys.provisioning import make_space
from keys.refusal import Refused
from locks import doorlog
from locks.drivers import Cause, Kind, LockError, Retry, Scope
from locks.history import SYSTEM, acting
from locks.models import Door

DRAWS = 5
"""So often another code is drawn because a lock says duplicate; then a person has to look."""


def what_follows(row: Row, error: LockError, batch: Batch, *, writes: bool, now: datetime) -> None:
    """Have the batch do what this refusal asks for beyond its row."""
    if error.cause is Cause.DUPLICATE_CODE:
        batch.before.append(partial(_draw_another, row, now))
    if writes and error.cause is Cause.NO_SPACE:
        batch.effects.append(partial(make_space, row, now=now))
        batch.locks.add(row.lock_id or 0)
    if error.scope is Scope.ACCOUNT and error.retry is Retry.NEVER:
        text = error.vendor_text or "The lock system refused the account."
        batch.effects.append(
            partial(doorlog.account_broken, account_id=row.account_id or 0, problem=text, now=now)
        )


def _draw_another(row: Row, now: datetime) -> None:
    """A lock holds this code already, unknown to us: draw another for all doors of the key, unless it is Strict.

    Before the outcome is settled, so that a worker that dies between the two leaves an outcome to be learnt.
    """
    if row.tries >= DRAWS or row.kind != Kind.DOOR_CODE:
        return
    because = SYSTEM.because("the lock already holds this code")
    with contextlib.suppress(Refused), transaction.atomic(), acting(because):
        locked(Key(pk=row.key_id))
        credentials = Credential.objects.select_for_update(of=("self",), no_key=True)
        credential = credentials.select_related("key__property").get(pk=row.credential_id)
        allocation.replace(credential=credential, because=Door.objects.get(pk=row.door_id), now=now)
