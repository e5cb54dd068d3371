"""Numbered places on locks that keep no names: picking one before a write, and telling whose it is and was.

A place that was freed is picked again last, so that a write which was given up and lands late meets an empty place.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import NamedTuple

from django.db import transaction
from django.db.models import Max, Q

from locks.drivers import Held, Kind, LockEvent, Place
from locks.handles import handle_of
from locks.models import Lock
from locks.slot_models import ForeignCode, SlotUse

STILL_OURS = timedelta(hours=48)
"""So long after a place was freed, what turns up in it is held for a late landing of ours: a bridge may keep a write for a day."""


class Wanted(NamedTuple):
    """A credential that needs a place on its lock."""

    assignment_id: int
    key_id: int


def place(lock_id: int, wanted: Sequence[Wanted], *, now: datetime) -> dict[int, str]:
    """The places of these credentials on a lock, by assignment; new ones are picked and stored. Where none is left, none is told."""
    ids = [each.assignment_id for each in wanted]
    with transaction.atomic():
        lock = Lock.objects.select_for_update(of=("self",), no_key=True).get(pk=lock_id)
        uses = SlotUse.objects.filter(lock_id=lock_id, until=None)
        numbers = dict(uses.values_list("assignment_id", "number"))
        free = _free(lock, set(numbers.values()))
        new = [each for each in wanted if each.assignment_id not in numbers][: len(free)]
        picked = [
            SlotUse(
                property_id=lock.property_id,
                lock=lock,
                number=number,
                key_id=each.key_id,
                assignment_id=each.assignment_id,
                since=now,
            )
            for each, number in zip(new, free, strict=False)
        ]
        SlotUse.objects.bulk_create(picked)
    numbers |= {use.assignment_id: use.number for use in picked}
    return {id_: str(numbers[id_]) for id_ in ids if id_ in numbers}


def _free(lock: Lock, taken: set[int]) -> list[int]:
    """Numbers that nobody has: those that nobody ever had first, then those that were freed longest ago."""
    if lock.first_slot is None:
        return []
    theirs = ForeignCode.objects.filter(lock=lock, gone_at=None).values_list("address", flat=True)
    taken |= {int(address) for address in theirs if address.isdigit()}
    freed = dict(
        SlotUse.objects.filter(lock=lock)
        .values("number")
        .annotate(last=Max("until"))
        .values_list("number", "last")
    )
    numbers = range(lock.first_slot, lock.first_slot + lock.max_codes)
    never = [number for number in numbers if number not in taken and number not in freed]
    again = [number for number in numbers if number not in taken and number in freed]
    return never + sorted(again, key=lambda number: (freed[number], number))


def free(assignment_ids: Iterable[int], *, now: datetime) -> None:
    """These credentials are proven gone: their places may be picked again."""
    SlotUse.objects.filter(assignment_id__in=list(assignment_ids), until=None).update(until=now)


def named(lock_id: int, held: Sequence[Held], *, now: datetime) -> list[Held]:
    """What was read from a lock with our names for what is or may be ours; the rest stays without a name."""
    uses = SlotUse.objects.filter(lock_id=lock_id).filter(
        Q(until=None) | Q(until__gt=now - STILL_OURS)
    )
    ours = {
        str(use.number): handle_of(key_id=use.key_id, assignment_id=use.assignment_id)
        for use in uses.order_by("since", "id")
    }
    return [
        each if each.handle else replace(each, handle=ours.get(each.address, "")) for each in held
    ]


def who_had(events: Sequence[tuple[int, LockEvent]]) -> list[str]:
    """Our name for what lay in the place that each event of a lock tells of, when it happened; empty for nobody's."""
    places = {(lock_id, int(event.address)) for lock_id, event in events if event.address.isdigit()}
    uses: dict[tuple[int, int], list[SlotUse]] = {}
    found = SlotUse.objects.filter(
        lock_id__in={lock_id for lock_id, _ in places}, number__in={number for _, number in places}
    )
    for use in found.order_by("-since", "-id") if places else ():
        uses.setdefault((use.lock_id, use.number), []).append(use)
    return [_had(uses, lock_id, event) for lock_id, event in events]


def _had(uses: Mapping[tuple[int, int], list[SlotUse]], lock_id: int, event: LockEvent) -> str:
    if not event.address.isdigit():
        return ""
    then = event.happened_at
    for use in uses.get((lock_id, int(event.address)), ()):
        if use.since <= then and (use.until is None or use.until >= then):
            return handle_of(key_id=use.key_id, assignment_id=use.assignment_id)
    return ""


def recent(lock_id: int, *, now: datetime) -> list[str]:
    """The places that are ours or were lately: where something of ours may lie."""
    uses = SlotUse.objects.filter(lock_id=lock_id).filter(
        Q(until=None) | Q(until__gt=now - STILL_OURS)
    )
    return [str(number) for number in sorted(set(uses.values_list("number", flat=True)))]


def places_of(assignments: Sequence[tuple[int, str]]) -> list[Place]:
    """Where these credentials, given as id and kind, lie; those without a place are left out."""
    numbers = SlotUse.objects.filter(assignment_id__in=[id_ for id_, _ in assignments], until=None)
    by_id = {use.assignment_id: use for use in numbers}
    return [
        Place(
            handle=handle_of(key_id=use.key_id, assignment_id=id_),
            kind=Kind(kind),
            address=str(use.number),
        )
        for id_, kind in assignments
        if (use := by_id.get(id_)) is not None
    ]
