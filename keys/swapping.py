"""A door gets a new lock: every code of the door is written to the new one, and what lies on the old one is not forgotten.

A code that is or may be on the old lock stays known there under its old name, as one of a copy of the credential that is
retired: so it is removed, listed and told like any other that must be gone. The credential itself has a new place on the
new lock. Only a lock that was reset holds nothing, and Portal takes staff's word for that.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import partial

from django.db import transaction
from django.db.models import Q, QuerySet

from keys import pairing, whole_hours
from keys.facts import Row, answer, rows_of
from keys.ledger import mark
from keys.models import Assignment, Credential
from keys.refusal import Refused
from keys.rules import Action
from locks import doorlog, slots
from locks.bell import ring
from locks.history import Actor, acting
from locks.log_models import DoorLogEntry, LogCode
from locks.models import Door, Lock, Writer
from locks.pulse import bump

MAY_BE_THERE = Q(written_revision__isnull=False) | Q(sent_revision__isnull=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """What a swap does, in credentials: written to the new lock at once, written later, and left on the old lock."""

    now: int
    later: int
    left: int


def preview(*, lock: Lock, now: datetime) -> Preview:
    """What happens if another lock takes this one's place, as far as the door's keys and their times say."""
    rows = rows_of(Assignment.objects.filter(lock=lock))
    told = [answer(_as_on_a_new_lock(row), now=now) for row in rows]
    return Preview(
        now=sum(each.decision.action is Action.WRITE for each in told),
        later=sum(each.decision.action is Action.WAIT for each in told),
        left=sum(row.written_revision is not None or row.sent_revision is not None for row in rows),
    )


def _as_on_a_new_lock(row: Row) -> Row:
    return row._replace(
        written_revision=None,
        sent_revision=None,
        accepted_at=None,
        refused_revision=None,
        retry_at=None,
        lock_online=True,
        gateway_online=None if row.gateway_online is None else True,
        account_state="working",
    )


def swap_lock(*, old: Lock, new: Lock, was_reset: bool, by: Actor, now: datetime) -> Door:
    """Hang ``new`` on the door of ``old``, in one go. Returns the door.

    ``was_reset`` says that the old lock's memory was emptied; otherwise what lies there stays listed until it is proven
    gone, or until ``was_emptied``. Raises Refused with field lock, or was_reset while Portal speaks with the old lock.
    """
    with transaction.atomic(), acting(by.because("the door got a new lock")):
        if old.door is not None:
            whole_hours.hold_keys(old.door, now=now)
        old, new = _locked(old, new)
        door = _door_of(old, new)
        places = pairing.in_order(Assignment.objects.filter(lock=old))
        left: list[Assignment] = []
        if was_reset:
            _forget(old, places, by=by, now=now)
        else:
            left = _leave_behind(places.filter(MAY_BE_THERE), now=now)
        pairing.leave(places.exclude(MAY_BE_THERE), now=now)
        for lock, there in ((old, None), (new, door)):
            lock.door = there
            lock.save(update_fields=["door"])
        Assignment.objects.bulk_create(_again(place, new, now) for place in left)
        pairing.wait_for(new, door, now=now)
        doorlog.append(
            [
                _line(old, door, LogCode.UNPAIRED, by=by, now=now),
                _line(new, door, LogCode.PAIRED, by=by, now=now),
            ]
        )
        _tell(old)
    return door


def was_emptied(*, lock: Lock, by: Actor, now: datetime) -> int:
    """Take staff's word that this lock was reset: nothing of Portal's is on it any more. Returns how much was there.

    Only for a lock on no door: one that hangs somewhere is read. Raises Refused.
    """
    with transaction.atomic():
        lock, _ = _locked(lock, lock)
        if lock.door_id is not None:
            raise Refused(
                "", "This lock hangs on a door: use Read again now, which asks it what it holds."
            )
        places = pairing.in_order(Assignment.objects.filter(MAY_BE_THERE, lock=lock))
        many = _forget(lock, places, by=by, now=now)
        _tell(lock)
    return many


def _locked(old: Lock, new: Lock) -> tuple[Lock, Lock]:
    """Both locks and their writers, in the order in which delivery takes them."""
    writers = Writer.objects.filter(pk__in=(old.writer_id, new.writer_id))
    list(writers.select_for_update(no_key=True).order_by("id"))
    rows = Lock.objects.filter(pk__in=(old.pk, new.pk)).select_for_update(of=("self",), no_key=True)
    locks = {lock.pk: lock for lock in rows.select_related("door").order_by("id")}
    return locks[old.pk], locks[new.pk]


def _door_of(old: Lock, new: Lock) -> Door:
    if old.door is None:
        raise Refused("lock", f"{old.name} hangs on no door any more: see Settings, Locks.")
    if new.property_id != old.property_id:
        raise Refused(
            "lock", "That lock does not exist at this property: choose one from the list."
        )
    if new.door_id is not None:
        raise Refused("lock", f"{new.name} hangs on a door already: choose one that hangs on none.")
    pairing.check_empty(new, Assignment.objects.filter(lock=new), field="lock")
    return old.door


def _forget(lock: Lock, places: QuerySet[Assignment], *, by: Actor, now: datetime) -> int:
    """Believe that nothing of these is on the lock. A call that is under way there could still write."""
    writer = Writer.objects.get(pk=lock.writer_id)
    if writer.owner and places.filter(sent_revision__isnull=False, accepted_at=None).exists():
        raise Refused(
            "was_reset", "Portal is speaking with the old lock just now: try again in a minute."
        )
    there = list(places.filter(MAY_BE_THERE))
    doorlog.append(
        [
            _line(lock, place.door_id, LogCode.REMOVED, by=by, now=now)._replace(
                cause="lock_reset", kind=place.kind, key_id=place.key_id, assignment_id=place.pk
            )
            for place in there
        ]
    )
    ids = [place.pk for place in there]
    mark(
        Assignment.objects.filter(pk__in=ids),
        now=now,
        written_revision=None,
        sent_revision=None,
        accepted_at=None,
        accepted_removal=False,
        lock_digest=None,
        address="",
        problem="",
        problem_since=None,
        tries=0,
        retry_at=None,
    )
    slots.free(ids, now=now)
    return len(ids)


def _leave_behind(places: QuerySet[Assignment], *, now: datetime) -> list[Assignment]:
    """Let these stay on their lock as what must be gone. Returns them as they were."""
    rows = places.select_related("credential")
    left = [place for place in rows.order_by("id") if place.credential.retired_at is None]
    for place in left:
        copy = _retired_copy(place.credential, now=now)
        mark(
            Assignment.objects.filter(pk=place.pk),
            now=now,
            credential=copy,
            reserved_digest=f"stray:{place.pk}",
        )
    return left


def _retired_copy(credential: Credential, *, now: datetime) -> Credential:
    copied = ("property_id", "key_id", "person_id", "kind", "policy", "secret", "secret_digest")
    same = {name: getattr(credential, name) for name in (*copied, "revision", "drawn_at")}
    return Credential.objects.create(**same, retired_at=now)


def _again(place: Assignment, lock: Lock, now: datetime) -> Assignment:
    """The place of the same credential on the new lock, with the code that its guest set at the keypad of the old one."""
    digest = place.reserved_digest
    return Assignment(
        property_id=place.property_id,
        key_id=place.key_id,
        credential_id=place.credential_id,
        keychain_door_id=place.keychain_door_id,
        door_id=place.door_id,
        lock=lock,
        writer_id=lock.writer_id,
        kind=place.kind,
        reserved_digest=None if digest is None or digest.startswith("stray:") else digest,
        own_secret=place.own_secret,
        starts_at=place.starts_at,
        ends_at=place.ends_at,
        next_attempt_at=now,
    )


def _line(lock: Lock, door: Door | int, code: LogCode, *, by: Actor, now: datetime) -> doorlog.Line:
    return doorlog.Line(
        property_id=lock.property_id,
        door_id=door if isinstance(door, int) else door.pk,
        lock_id=lock.pk,
        happened_at=now,
        received_at=now,
        origin=DoorLogEntry.Origin.PORTAL.value,
        code=code.value,
        actor=by.label,
    )


def _tell(lock: Lock) -> None:
    bump([lock.property_id])
    transaction.on_commit(partial(ring, "keys.tasks.look_now"))
