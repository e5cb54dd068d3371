"""Hanging a lock on a door: the lock, and every credential that waits for it, move together or not at all."""

from __future__ import annotations

from datetime import datetime
from functools import partial

from django.db import transaction
from django.db.models import QuerySet

from keys import whole_hours
from keys.ledger import mark
from keys.models import Assignment
from keys.refusal import Refused
from locks import doorlog, slots
from locks.bell import ring
from locks.history import Actor
from locks.log_models import DoorLogEntry, LogCode
from locks.models import Door, Lock, Writer
from locks.pulse import bump


def pair_lock(*, lock: Lock, door: Door | None, by: Actor, now: datetime) -> Lock:
    """Hang the lock on this door, or on none. Doing so again changes nothing.

    Credentials of the old door then wait for a lock, those of the new door are due on this one; the door log keeps who
    did it. Raises Refused with field door while anything is, or may be, on the lock.
    """
    with transaction.atomic():
        if door is not None:
            whole_hours.hold_keys(door, now=now)
        Writer.objects.select_for_update(no_key=True).get(pk=lock.writer_id)
        lock = Lock.objects.select_for_update(no_key=True).get(pk=lock.pk)
        if lock.door_id == (door.pk if door else None):
            return lock
        _check_door(lock, door)
        places = in_order(Assignment.objects.filter(lock=lock))
        check_empty(lock, places)
        leave(places, now=now)
        old, lock.door = lock.door_id, door
        lock.save(update_fields=["door"])
        if door is not None:
            wait_for(lock, door, now=now)
        _tell(lock, old, by=by, now=now)
        bump([lock.property_id])
        transaction.on_commit(partial(ring, "keys.tasks.look_now"))
    return lock


def _check_door(lock: Lock, door: Door | None) -> None:
    if door is None:
        return
    if door.property_id != lock.property_id or door.archived_at is not None:
        raise Refused(
            "door", "That door does not exist at this property: choose one from the list."
        )
    if Lock.objects.filter(door=door).exists():
        raise Refused("door", f"{door.name} has a lock already: take that one off first.")


def check_empty(lock: Lock, places: QuerySet[Assignment], *, field: str = "door") -> None:
    """Nothing may be on the lock or on its way there: it would open the wrong door afterwards.

    A worker that decided on these rows before cannot send them after: marking them due again takes that from it.
    """
    if places.exclude(written_revision=None, sent_revision=None).exists():
        raise Refused(field, "This lock still holds credentials: take them off first.")
    if lock.read_backs_left:
        raise Refused(field, "Portal is still reading this lock back: try again in a minute.")


def leave(places: QuerySet[Assignment], *, now: datetime) -> None:
    """Let these, of which nothing is on their lock, wait for another. Their numbered places there are free again."""
    slots.free(list(places.values_list("id", flat=True)), now=now)
    mark(
        places,
        now=now,
        lock=None,
        writer=None,
        address="",
        refused_revision=None,
        problem="",
        problem_since=None,
        tries=0,
        retry_at=None,
    )


def wait_for(lock: Lock, door: Door, *, now: datetime) -> None:
    """Let all that waits for a lock on this door be due on this one."""
    waiting = Assignment.objects.filter(door=door, lock=None, ends_at__gt=now)
    mark(waiting, now=now, lock=lock, writer_id=lock.writer_id)
    if Lock.objects.filter(property_id=lock.property_id, whole_hours=True).exists():
        whole_hours.place_again(Lock.objects.filter(pk=lock.pk), now=now)


def in_order(places: QuerySet[Assignment]) -> QuerySet[Assignment]:
    """These rows, locked by id as delivery locks them."""
    rows = places.select_for_update(of=("self",), no_key=True).order_by("id")
    ids = list(rows.values_list("id", flat=True))
    return Assignment.objects.filter(pk__in=ids)


def _tell(lock: Lock, old: int | None, *, by: Actor, now: datetime) -> None:
    moves = [(old, LogCode.UNPAIRED), (lock.door_id, LogCode.PAIRED)]
    doorlog.append(
        [
            doorlog.Line(
                property_id=lock.property_id,
                door_id=door_id,
                lock_id=lock.pk,
                happened_at=now,
                received_at=now,
                origin=DoorLogEntry.Origin.PORTAL.value,
                code=code.value,
                actor=by.label,
            )
            for door_id, code in moves
            if door_id is not None
        ]
    )
