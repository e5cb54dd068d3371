"""Whose an event is: by our own name for the credential, by its place or the vendor's id, or by the code that was typed.

A code is compared by its digest and forgotten. Who has which code the app above knows; it says so to ``codes_known_by``.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import NamedTuple

from django.db.models import QuerySet

from locks import slots
from locks.drivers import Kind, LockEvent
from locks.handles import handle_of
from locks.models import Lock
from locks.slot_models import VendorId
from locks.vault import digest


class Typed(NamedTuple):
    """A code that was typed at a door: only its digest, to be matched with what should open there."""

    lock_id: int
    door_id: int | None
    kind: str
    digest: str
    happened_at: datetime


class Known(NamedTuple):
    """A lock as far as its events need it."""

    pk: int
    property_id: int
    door_id: int | None
    writer_id: int
    external_id: str
    first_slot: int | None
    is_online: bool
    reach_told_at: datetime | None


def known(locks: QuerySet[Lock]) -> list[Known]:
    """These locks, light: a page of events may name hundreds."""
    names = ("id", *Known._fields[1:])
    return [Known(*row) for row in locks.values_list(*names)]


WhoseCodes = Callable[[Collection[Typed]], Mapping[Typed, str]]
"""From typed codes to our names for the credentials that had them at these doors then; the rest is left out."""

_whose_codes: list[WhoseCodes] = []


def codes_known_by(answer: WhoseCodes) -> None:
    """Have typed codes matched by this function from now on."""
    _whose_codes[:] = [answer]


def typed_in(lock: Known, event: LockEvent) -> Typed | None:
    """What was typed, none where the event shows no code."""
    if not event.secret:
        return None
    kind = (event.kind or Kind.DOOR_CODE).value
    found = digest(event.secret, scope=f"{lock.property_id}:{kind}")
    return Typed(lock.pk, lock.door_id, kind, found, event.happened_at)


def credited(events: Sequence[tuple[Known, LockEvent]]) -> list[tuple[Known, LockEvent]]:
    """The events with our name for the credential wherever it can be told."""
    if not any(event.address or event.secret for _, event in events):
        return list(events)
    events = _named(events, _by_address(events))
    typed = [None if event.handle else typed_in(lock, event) for lock, event in events]
    asked = {each for each in typed if each is not None and each.door_id is not None}
    if not asked or not _whose_codes:
        return list(events)
    names = _whose_codes[0](asked)
    return _named(events, [names.get(each, "") if each else "" for each in typed])


def _named(
    events: Sequence[tuple[Known, LockEvent]], names: Iterable[str]
) -> list[tuple[Known, LockEvent]]:
    return [
        (lock, replace(event, handle=name) if name and not event.handle else event)
        for (lock, event), name in zip(events, names, strict=True)
    ]


def _by_address(events: Sequence[tuple[Known, LockEvent]]) -> list[str]:
    by_slot = [
        (lock.pk, event)
        if lock.first_slot is not None and not event.handle
        else (lock.pk, replace(event, address=""))
        if event.address
        else (lock.pk, event)
        for lock, event in events
    ]
    ids = _vendor_ids(
        [(lock.pk, e.address) for lock, e in events if lock.first_slot is None and not e.handle]
    )
    return [
        slot or ids.get((lock.pk, event.address), "")
        for slot, (lock, event) in zip(slots.who_had(by_slot), events, strict=True)
    ]


def _vendor_ids(wanted: Iterable[tuple[int, str]]) -> dict[tuple[int, str], str]:
    """Our names by lock and vendor's id. An id that was ours for several credentials is the last one's."""
    asked = {place for place in wanted if place[1]}
    if not asked:
        return {}
    rows = VendorId.objects.filter(
        lock_id__in={lock_id for lock_id, _ in asked}, address__in={text for _, text in asked}
    )
    return {
        (row.lock_id, row.address): handle_of(key_id=row.key_id, assignment_id=row.assignment_id)
        for row in rows.order_by("since", "id")
    }


class Given(NamedTuple):
    """The vendor's id of one credential on a lock, as a write was answered."""

    property_id: int
    lock_id: int
    address: str
    key_id: int
    assignment_id: int


def remember(given: Sequence[Given], *, now: datetime) -> None:
    """Keep ids that a vendor gave, for events that name nothing else. One that is known stays as it is."""
    if given:
        VendorId.objects.bulk_create(
            [VendorId(**each._asdict(), since=now) for each in given], ignore_conflicts=True
        )
