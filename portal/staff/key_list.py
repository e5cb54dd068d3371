"""Which keys a list shows: groups by state, what waits and for what, and a search decided by the form of the input.

Every query starts with the property and goes on by a cursor; counts stop at a thousand.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from django.db import connection
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.db.models.functions import Lower

from keys.backup_models import BackupCode
from keys.continuing import numbered
from keys.models import Assignment, Key, KeychainDoor
from keys.rules import Hold, Waits
from locks.models import Door
from pms.models import Reservation
from portal.staff.pages import PAGE, Page, read_cursor, turn, words_typed, write_cursor

CAP = 1000


class Group(StrEnum):
    """The tabs of the list, in their order."""

    CURRENT = "current"
    UPCOMING = "upcoming"
    PAST = "past"
    REVOKED = "revoked"


ORDER = {
    Group.CURRENT: "over_at",
    Group.UPCOMING: "starts_at",
    Group.PAST: "-over_at",
    Group.REVOKED: "-revoked_at",
}


class Pending(StrEnum):
    """What a pending key waits for; and, more urgent, what should be off a lock and is not proven to be."""

    SOMEONE = "someone"
    LOCK = "lock"
    TIME = "time"
    REMOVAL = "removal"


@dataclass(frozen=True, slots=True)
class Search:
    """What was typed, understood: ``words`` says how, ``matches`` narrows keys, ``problem`` says what to type."""

    typed: str = ""
    words: str = ""
    problem: str = ""
    matches: Q | None = None


def group_of(keys: QuerySet[Key], group: Group, *, now: datetime) -> QuerySet[Key]:
    """The keys of one state. Someone who left early is past, whatever the planned end was."""
    if group is Group.REVOKED:
        return keys.filter(revoked_at__isnull=False)
    keys = keys.filter(revoked_at=None)
    if group is Group.UPCOMING:
        return keys.filter(starts_at__gt=now, departed_at=None)
    if group is Group.CURRENT:
        return keys.filter(over_at__gt=now, starts_at__lte=now)
    return keys.filter(over_at__lte=now)


def understand(text: str, *, property_id: int) -> Search:
    """Decide by its form what was searched for: a door of that name, digits of a reservation, or a guest's name."""
    typed = words_typed(text)
    if not typed:
        return Search()
    door = (
        Door.objects.annotate(lower=Lower("name"))
        .filter(property_id=property_id, lower=typed.lower(), archived_at=None)
        .first()
    )
    if door is not None:
        inside = KeychainDoor.objects.filter(key_id=OuterRef("pk"), door=door, removed_at=None)
        return Search(typed, f"door {door.name}", matches=Q(Exists(inside)))
    if any(c.isdigit() for c in typed):
        stays = Reservation.objects.filter(property_id=property_id, number__startswith=typed)
        return Search(
            typed,
            f"reservation numbers that begin with {typed}",
            matches=numbered(stays.values_list("id", flat=True)[:CAP]),
        )
    if len(typed.replace(" ", "")) < 3:
        return Search(
            typed,
            problem="Type at least three letters of the guest’s name, a door, or a reservation number.",
        )
    return Search(typed, f"guests named like “{typed}”", matches=Q(label__icontains=typed))


def guests_keys(property_id: int) -> QuerySet[Key]:
    """The keys of a property, without those that hold its backup codes."""
    backup = BackupCode.objects.filter(key_id=OuterRef("pk"))
    return Key.objects.filter(~Exists(backup), property_id=property_id)


def keys_of(
    *, property_id: int, group: Group | None, search: Search, after: str, now: datetime
) -> Page[Key]:
    """One page of keys; without a group all that match the search, latest arrival first."""
    keys = guests_keys(property_id).select_related("reservation")
    if search.matches is not None:
        keys = keys.filter(search.matches)
    if group is None:
        return turn(keys, by="-starts_at", after=after, value=lambda key: key.starts_at)
    by = ORDER[group]
    name = by.removeprefix("-")
    return turn(
        group_of(keys, group, now=now), by=by, after=after, value=lambda key: getattr(key, name)
    )


def waiting(*, property_id: int, pending: Pending) -> QuerySet[Assignment]:
    """One assignment per key that waits for this, by the index over what waits: the key's earliest."""
    rows = _waiting(property_id, pending)
    earlier = Assignment.objects.filter(_kind(pending), key_id=OuterRef("key_id")).filter(
        Q(starts_at__lt=OuterRef("starts_at"))
        | Q(starts_at=OuterRef("starts_at"), id__lt=OuterRef("id"))
    )
    return rows.filter(~Exists(earlier))


def pending_keys(*, property_id: int, pending: Pending, after: str) -> Page[Key]:
    """One page of the keys that wait for this, soonest first."""
    rows = waiting(property_id=property_id, pending=pending)
    place = read_cursor(after)
    if place is not None and isinstance(place[0], datetime):
        at, pk = place
        rows = rows.filter(starts_at__gte=at).filter(Q(starts_at__gt=at) | Q(key_id__gt=pk))
    found = list(
        rows.order_by("starts_at", "key_id").values_list("starts_at", "key_id")[: PAGE + 1]
    )
    more = len(found) > PAGE
    found = found[:PAGE]
    keys = Key.objects.select_related("reservation").in_bulk([key_id for _, key_id in found])
    rows_shown = [keys[key_id] for _, key_id in found]
    return Page(rows_shown, write_cursor(*found[-1]) if more else "")


def ids_of(
    *,
    property_id: int,
    group: Group | None,
    pending: Pending | None,
    search: Search,
    most: int,
    now: datetime,
) -> list[int]:
    """The ids of the keys that a list shows over all its pages, up to ``most``, in its order."""
    if pending is not None:
        rows = waiting(property_id=property_id, pending=pending)
        return list(rows.order_by("starts_at", "key_id").values_list("key_id", flat=True)[:most])
    keys = guests_keys(property_id)
    if search.matches is not None:
        keys = keys.filter(search.matches)
    by = "-starts_at" if group is None else ORDER[group]
    keys = keys if group is None else group_of(keys, group, now=now)
    return list(keys.order_by(by, "id").values_list("id", flat=True)[:most])


def counts(*, property_id: int, now: datetime) -> dict[str, str]:
    """How many keys are in each group and wait for each thing, "999+" beyond that: one statement for all."""
    keys = guests_keys(property_id)
    texts: dict[str, str] = {}
    params: list[Any] = []
    for group in (Group.CURRENT, Group.UPCOMING):
        part = group_of(keys, group, now=now).order_by().values("pk")[:CAP]
        texts[group.value], given = _counted("COUNT(*)", part)
        params += given
    for pending in Pending:
        # In the order of the index, so that reading stops as well; a key's doors mostly begin together.
        rows = _waiting(property_id, pending).order_by("starts_at", "key_id")
        pairs = rows.values("starts_at", "key_id").distinct()[: 2 * CAP]
        number = f"CASE WHEN COUNT(*) = {2 * CAP} THEN {CAP} ELSE COUNT(DISTINCT key_id) END"
        texts[pending.value], given = _counted(number, pairs)
        params += given
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {', '.join(texts.values())}", params)
        numbers = cursor.fetchone()
    return {name: capped(n) for name, n in zip(texts, numbers, strict=True)}


def _counted(number: str, part: QuerySet[Any, Any]) -> tuple[str, tuple[Any, ...]]:
    sql, given = part.query.sql_with_params()
    return f"(SELECT {number} FROM ({sql}) AS counted)", given  # noqa: S608 - the ORM wrote it


def capped(number: int) -> str:
    """A count as people read it: "999+" where counting stopped."""
    return f"{CAP - 1}+" if number >= CAP else str(number)


def _kind(pending: Pending) -> Q:
    removal = Q(headline=Hold.REMOVAL_PENDING.value)
    match pending:
        case Pending.REMOVAL:
            return Q(waits=Waits.SOMEONE.value) & removal
        case Pending.SOMEONE:
            return Q(waits=Waits.SOMEONE.value) & ~removal
        case Pending.LOCK:
            return Q(waits=Waits.LOCK.value)
        case Pending.TIME:
            return Q(waits=Waits.TIME.value)


def _waiting(property_id: int, pending: Pending) -> QuerySet[Assignment]:
    backup = BackupCode.objects.filter(key_id=OuterRef("key_id"))
    return Assignment.objects.filter(_kind(pending), ~Exists(backup), property_id=property_id)
