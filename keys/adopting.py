"""Codes on a lock that are not Portal's: made somebody's key as they lie there, or taken off. Never written over."""

from __future__ import annotations

from datetime import datetime
from functools import partial

from django.db import transaction

from keys import errands
from keys.issuing import CredentialWish, DoorWish, PersonWish, make_key
from keys.models import Assignment, Credential, Key
from keys.refusal import Refused
from locks import doorlog
from locks.bell import ring
from locks.drivers import Kind, Proof
from locks.errand_models import Errand
from locks.history import Actor
from locks.log_models import LogCode
from locks.models import Lock
from locks.pulse import bump
from locks.slot_models import ForeignCode, SlotUse
from locks.vendors import vendor


def adopt(
    *,
    foreign: ForeignCode,
    name: str,
    code: str,
    starts_at: datetime,
    ends_at: datetime,
    by: Actor,
    now: datetime,
) -> Key:
    """Make a key of this code for the door of its lock. The code stays as it is; from now on Portal keeps it as its own.

    ``code`` is what staff say it is, needed only where the lock does not show it. Raises Refused, naming the field.
    """
    with transaction.atomic():
        row = _locked(foreign)
        lock = Lock.objects.select_related("door", "property", "account").get(pk=row.lock_id)
        if lock.door is None:
            raise Refused("name", "Its lock hangs on no door: pair the lock with a door first.")
        if row.kind != Kind.DOOR_CODE or not vendor(lock.account.driver).keeps_foreign:
            raise Refused("name", "This one cannot be made a key: remove it and make a new key.")
        if not row.secret and not code:
            raise Refused("code", "The lock does not show this code: type it.")
        secret = str(row.secret or code)
        wish = CredentialWish(
            kind=Kind.DOOR_CODE, policy=Credential.Policy.STRICT, requested=secret
        )
        key = make_key(
            property=lock.property,
            people=[PersonWish(name=name, credentials=(wish,))],
            doors=[DoorWish(door=lock.door)],
            starts_at=starts_at,
            ends_at=ends_at,
            by=by,
            now=now,
            with_linked_doors=False,
        )
        _keep(row, lock, key, by=by, now=now)
    return key


def _locked(foreign: ForeignCode) -> ForeignCode:
    row = ForeignCode.objects.select_for_update(no_key=True).get(pk=foreign.pk)
    if row.gone_at is not None:
        raise Refused("name", "This code is not on the lock any more: there is nothing to do.")
    if Errand.objects.filter(foreign=row, done_at=None).exists():
        raise Refused("name", "This code is being removed: wait for the answer of the lock.")
    return row


def _keep(row: ForeignCode, lock: Lock, key: Key, *, by: Actor, now: datetime) -> None:
    """Let the key's place on the lock be where the code lies, known as far as the lock showed it."""
    place = Assignment.objects.select_related("credential").get(key=key, lock=lock)
    Assignment.objects.filter(pk=place.pk).update(
        address=row.address,
        written_revision=place.revision,
        lock_digest=place.credential.secret_digest,
        proof=Proof.READ_BACK.value if row.secret else Proof.ASKED.value,
        proven_at=row.last_seen_at,
    )
    if lock.first_slot is not None and row.address.isdigit():
        SlotUse.objects.create(
            property_id=lock.property_id,
            lock=lock,
            number=int(row.address),
            key_id=key.pk,
            assignment_id=place.pk,
            since=now,
        )
    row.gone_at, row.adopted_key, row.adopted_as = now, key.pk, place.pk
    row.secret = row.secret_digest = ""
    row.save()
    line = doorlog.lock_line(lock, LogCode.FOREIGN_ADOPTED, now)
    line = line._replace(
        actor=by.label[:120], kind=row.kind, hint=row.hint, key_id=key.pk, assignment_id=place.pk
    )
    doorlog.append([line])
    doorlog.must_read_back(lock_ids=[lock.pk], now=now)
    bump([lock.property_id])
    transaction.on_commit(partial(ring, "keys.tasks.look_now"))


def remove(*, foreign: ForeignCode, by: Actor, now: datetime) -> Errand:
    """Have this code taken off its lock. Raises Refused when it is gone, or is a key's by now."""
    with transaction.atomic():
        row = ForeignCode.objects.select_for_update(no_key=True).get(pk=foreign.pk)
        if row.gone_at is not None:
            raise Refused("word", "This code is not on the lock any more: there is nothing to do.")
        lock = Lock.objects.get(pk=row.lock_id)
        return errands.ask(lock=lock, what=Errand.What.REMOVE_FOREIGN, foreign=row, by=by, now=now)
