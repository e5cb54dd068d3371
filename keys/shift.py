"""What a shift hands over: what failed, what healed, what is still open, and what people overrode or did by hand.

Told from the door log's episodes, the outages and the history; seven queries for any hotel, each read by time and bounded.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from django.db.models import F, OuterRef, Q, QuerySet, Subquery

from keys.models import Key, KeychainDoor
from keys.rules import Permission
from locks.history import Source
from locks.log_models import DoorLogEntry, Episode, LogCode
from pms.models import Outage

FIRST_SHIFT = timedelta(hours=12)
"""How far back is told where nobody has taken over yet."""
LONGEST = timedelta(days=7)
"""A shift is never told further back than this."""
MOST = 100
MOST_CHANGES = 500
BY_PEOPLE = (Source.PORTAL.value, Source.API.value, Source.ADMIN.value, Source.COMMAND.value)
BY_HAND = (
    LogCode.BACKUP_GIVEN.value,
    LogCode.REMOTE_UNLOCK.value,
    LogCode.MASTER_CODE.value,
    LogCode.FOREIGN_ADOPTED.value,
    LogCode.FOREIGN_REMOVED.value,
)
SWITCHED = {
    Permission.HELD_BY_STAFF.value: "switched Allow Provisioning off",
    Permission.AUTOMATIC.value: "switched Allow Provisioning on",
    Permission.ALLOWED_BEFORE_CHECK_IN.value: "let it be written before check-in",
}


class Override(NamedTuple):
    """Something that a person decided against what would have come by itself. ``more`` counts others of the same batch."""

    at: datetime
    who: str
    what: str
    door: str
    key_id: int
    why: str
    more: int


@dataclass(frozen=True, slots=True)
class Shift:
    """Everything from ``since`` until ``until``. ``names`` are the guests by key, for those who may see them.

    ``failed`` counts the episodes that began within the shift, as far as they are listed. ``is_whole`` is false where
    a list was cut.
    """

    since: datetime
    until: datetime
    failed: int
    still_open: list[Episode]
    healed: list[Episode]
    outages: list[Outage]
    overrides: list[Override]
    by_hand: list[DoorLogEntry]
    names: dict[int, str]
    is_whole: bool


def since_when(last_taken_at: datetime | None, *, now: datetime) -> datetime:
    """Where a shift begins: at the last takeover, or half a day ago, and never more than a week ago."""
    return max(last_taken_at or now - FIRST_SHIFT, now - LONGEST)


def told(*, property_id: int, since: datetime, until: datetime) -> Shift:
    """What happened at this property between two moments; what is open is open at the time of asking."""
    episodes = Episode.objects.filter(property_id=property_id).select_related("door")
    still_open = list(episodes.filter(closed_at=None).order_by("-kind", "opened_at", "id")[:MOST])
    closed = episodes.filter(closed_at__gte=since, closed_at__lt=until)
    healed = list(closed.order_by("-closed_at", "-id")[:MOST])
    lines = DoorLogEntry.objects.filter(
        property_id=property_id,
        code__in=BY_HAND,
        happened_at__gte=since,
        happened_at__lt=until,
    )
    by_hand = list(lines.select_related("door").order_by("-happened_at", "-id")[:MOST])
    overrides, all_read = _overrides(property_id, since, until)
    ids = {one.key_id for one in (*still_open, *healed)} | {one.key_id for one in overrides}
    rows = Key.objects.filter(property_id=property_id, pk__in=ids).values_list("id", "label")
    lists: tuple[Sequence[Any], ...] = (still_open, healed, by_hand, overrides)
    return Shift(
        since=since,
        until=until,
        failed=sum(one.opened_at >= since for one in (*still_open, *healed)),
        still_open=still_open,
        healed=healed,
        outages=_outages(property_id, since, until),
        overrides=overrides,
        by_hand=by_hand,
        names=dict(rows),
        is_whole=all_read and all(len(some) < MOST for some in lists),
    )


def _outages(property_id: int, since: datetime, until: datetime) -> list[Outage]:
    lasted = Q(ended_at=None) | Q(ended_at__gte=since)
    rows = Outage.objects.filter(lasted, property_id=property_id, began_at__lt=until)
    return list(rows.select_related("integration").order_by("-began_at", "-id")[:MOST])


class _Change(NamedTuple):
    at: datetime
    batch: Any
    who: str
    what: str
    door: str
    key_id: int
    why: str


def _overrides(property_id: int, since: datetime, until: datetime) -> tuple[list[Override], bool]:
    """The lines, and whether all changes were read for them."""
    switched = list(_switched(property_id, since, until))
    rekeyed = list(_rekeyed(property_id, since, until))
    changes = sorted([*switched, *rekeyed], key=lambda one: one.at, reverse=True)
    return _gathered(changes)[:MOST], max(len(switched), len(rekeyed)) < MOST_CHANGES


def _gathered(changes: Iterable[_Change]) -> list[Override]:
    """One line for all that was changed in one batch by the same words."""
    lines: dict[Any, Override] = {}
    for number, one in enumerate(changes):
        name = (one.batch, one.who, one.what) if one.batch else number
        known = lines.get(name)
        fresh = Override(one.at, one.who, one.what, one.door, one.key_id, one.why, 0)
        lines[name] = known._replace(more=known.more + 1) if known else fresh
    return list(lines.values())


def _history(
    model: Any, names: Sequence[str], property_id: int, since: datetime, until: datetime
) -> QuerySet[Any]:
    """What people recorded in that time, the latest first, beside the values of the record before."""
    history = model.history.model.objects
    before = history.filter(id=OuterRef("id"), history_id__lt=OuterRef("history_id"))
    before = before.order_by("-history_id")
    rows: QuerySet[Any] = history.filter(
        property_id=property_id,
        history_date__gte=since,
        history_date__lt=until,
        source__in=BY_PEOPLE,
    )
    was = {f"was_{name}": Subquery(before.values(name)[:1]) for name in names}
    rows = rows.annotate(**was, said_by=F("history_user__name"))
    return rows.order_by("-history_date", "-history_id")


def _who(row: Any) -> str:
    return row.actor_label or row.said_by or "Portal"


def _switched(property_id: int, since: datetime, until: datetime) -> Iterable[_Change]:
    rows = _history(KeychainDoor, ["permission"], property_id, since, until)
    changed = rows.exclude(permission=F("was_permission")).exclude(
        Q(was_permission=None) & ~Q(permission=Permission.HELD_BY_STAFF.value)
    )
    for row in changed.annotate(door_name=F("door__name"))[:MOST_CHANGES]:
        what = SWITCHED.get(row.permission, "")
        if what:
            why = row.history_change_reason or ""
            at = row.history_date
            yield _Change(at, row.batch_id, _who(row), what, row.door_name, row.key_id, why)


def _rekeyed(property_id: int, since: datetime, until: datetime) -> Iterable[_Change]:
    names = ["revoked_at", "starts_by_staff", "ends_by_staff"]
    rows = _history(Key, names, property_id, since, until)
    telling = (
        Q(revoked_at__isnull=False, was_revoked_at=None)
        | Q(revoked_at=None, was_revoked_at__isnull=False)
        | ~Q(starts_by_staff=F("was_starts_by_staff"))
        | ~Q(ends_by_staff=F("was_ends_by_staff"))
    )
    for row in rows.filter(telling).exclude(history_type="+")[:MOST_CHANGES]:
        why = row.history_change_reason or ""
        what = ", ".join(_what(row))
        yield _Change(row.history_date, row.batch_id, _who(row), what, "", row.id, why)


def _what(row: Any) -> Iterable[str]:
    if row.revoked_at and not row.was_revoked_at:
        yield "revoked the key"
    if row.was_revoked_at and not row.revoked_at:
        yield "restored the key"
    for name, mine, before in (
        ("arrival", row.starts_by_staff, row.was_starts_by_staff),
        ("departure", row.ends_by_staff, row.was_ends_by_staff),
    ):
        if mine != before:
            yield f"set the {name} by hand" if mine else f"gave the {name} back to the PMS"
