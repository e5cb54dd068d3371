"""After an outage: what it holds, and a dry run: what a recovery would do, counted by effect, without doing it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from django.db.models import QuerySet

from keys.affected import Touched, stays_of, touched
from keys.facts import Answer, Row, answer, as_if_released, rows_of
from keys.models import Assignment, KeychainDoor
from keys.remedies import Remedy
from keys.rules import Hold, Permission, Waits
from pms.models import Outage

CAP = 1000


class Becomes(StrEnum):
    """What would become of a held door, the most urgent last; the words are what staff read."""

    WRITTEN = "Written to the lock now"
    TIME = "Waits for its time"
    LOCK = "Waits for the lock"
    CHECK_IN = "Waits for check-in"
    SOMEONE = "Waits for someone"


Effect = Mapping[Becomes, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class DryRun:
    """What a recovery that is confirmed now would do. ``agree`` are reservations with which nothing is left to do.

    ``doors`` of ``keys`` would be released, with their effects by the property's rule and with the box "before check-in".
    ``up_to`` is the newest reservation that was looked at, at ``seen_at``.
    """

    remedies: Mapping[Remedy, int]
    agree: int
    keys: int
    doors: int
    by_rule: Effect
    before_check_in: Effect
    up_to: int
    seen_at: datetime

    @property
    def open(self) -> int:
        """How many reservations something would be done with."""
        return sum(self.remedies.values())

    @property
    def links(self) -> int:
        """How many keys made by hand would be linked."""
        return self.remedies.get(Remedy.LINK, 0)


def held_doors(*, outage: Outage, now: datetime) -> QuerySet[KeychainDoor]:
    """The doors that this outage holds, of keys that are not over."""
    return KeychainDoor.objects.filter(
        outage=outage,
        permission=Permission.HELD_BY_OUTAGE.value,
        removed_at=None,
        key__revoked_at=None,
        key__departed_at=None,
        key__ends_at__gt=now,
    )


def most_held(*, property_id: int, now: datetime) -> tuple[int, int] | None:
    """How many keys outages of this hotel still hold, counted up to a thousand, and the newest such outage; one query."""
    held = KeychainDoor.objects.filter(
        permission=Permission.HELD_BY_OUTAGE.value,
        outage__property_id=property_id,
        removed_at=None,
        key__revoked_at=None,
        key__departed_at=None,
        key__ends_at__gt=now,
    )
    found = list(held.values_list("key_id", "outage_id")[:CAP])
    if not found:
        return None
    return len({key_id for key_id, _ in found}), max(
        outage_id for _, outage_id in found if outage_id
    )


def dry_run(
    *,
    outage: Outage,
    now: datetime,
    reservation_ids: Sequence[int] | None = None,
    links_keys: bool = True,
) -> DryRun:
    """Look at all that the outage touched, or at the chosen ones. A handful of queries for any number of them."""
    stays = stays_of(outage)
    if reservation_ids is not None:
        stays = stays.filter(pk__in=list(reservation_ids))
    found = touched(outage=outage, stays=stays, now=now, seen_at=now, links_keys=links_keys)
    todo = [one for one in found if one.proposal.is_open]
    counted = Counter(one.proposal.remedy for one in todo)
    rows = _rows_to_release(outage, todo, reservation_ids is not None, now)
    return DryRun(
        remedies={one: counted[one] for one in Remedy if counted[one]},
        agree=len(found) - len(todo),
        keys=counted[Remedy.PROVISION],
        doors=len({row.keychain_door_id for row in rows}),
        by_rule=_effect(rows, Permission.AUTOMATIC, now=now),
        before_check_in=_effect(rows, Permission.ALLOWED_BEFORE_CHECK_IN, now=now),
        up_to=max((one.stay.id for one in found), default=0),
        seen_at=now,
    )


def _rows_to_release(
    outage: Outage,
    todo: Sequence[Touched],
    chosen: bool,  # noqa: FBT001 - a fact, not a switch
    now: datetime,
) -> list[Row]:
    """The places of the doors that would be released."""
    held = held_doors(outage=outage, now=now)
    released = {
        one.stay.key_id
        for one in todo
        if one.proposal.remedy is Remedy.PROVISION and one.stay.key_id is not None
    }
    if chosen:
        held = held.filter(key_id__in=released)
    rows = rows_of(
        Assignment.objects.filter(keychain_door__in=held.values("id"), credential__retired_at=None)
    )
    return [row for row in rows if row.key_id in released]


def _effect(rows: list[Row], permission: Permission, *, now: datetime) -> Effect:
    order = list(Becomes)
    found: dict[int, Becomes] = {}
    for row in rows:
        one = _becomes(answer(as_if_released(row, permission), now=now))
        known = found.setdefault(row.keychain_door_id, one)
        found[row.keychain_door_id] = max(known, one, key=order.index)
    counted = Counter(found.values())
    return {one: counted[one] for one in order if counted[one]}


def _becomes(told: Answer) -> Becomes:
    head = told.decision.headline
    if head is None:
        return Becomes.WRITTEN
    if head in {Hold.NOT_CHECKED_IN, Hold.CHECK_IN_UNKNOWN}:
        return Becomes.CHECK_IN
    return {Waits.TIME: Becomes.TIME, Waits.LOCK: Becomes.LOCK}.get(
        Waits(told.waits), Becomes.SOMEONE
    )
