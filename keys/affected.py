"""The reservations that an outage touched, each with its proposal: a constant number of queries for any number of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta
from typing import NamedTuple

from django.db.models import F, Q, QuerySet

from keys.models import Key, KeychainDoor
from keys.remedies import ByHand, Case, Proposal, Wanted, propose, twins
from keys.rules import Permission
from pms.differences import GONE
from pms.models import Outage, Reservation, RoomDoor


class Stay(NamedTuple):
    """A stay that was touched and its key's window, as plain values in the order of ``COLUMNS``."""

    id: int
    state: str
    happened: list[str]
    guest_name: str
    room_ref: str
    arrival_on: date
    changed_at: datetime
    followed_at: datetime | None
    key_id: int | None
    starts_at: datetime | None
    ends_at: datetime | None
    departed_at: datetime | None
    revoked_at: datetime | None


COLUMNS = (
    "id",
    "state",
    "happened",
    "guest_name",
    "room_ref",
    "arrival_on",
    "changed_at",
    "followed_at",
    "key__id",
    "key__starts_at",
    "key__ends_at",
    "key__departed_at",
    "key__revoked_at",
)


class Touched(NamedTuple):
    """A stay and what is proposed for it."""

    stay: Stay
    proposal: Proposal


class _Doors(NamedTuple):
    """How many live doors of a key the outage holds, and how many it does not."""

    held: int
    free: int


NO_DOORS = _Doors(0, 0)
AT_ONCE = 5000
State = Reservation.State
FOLLOWED_WITHIN = timedelta(minutes=2)


def stays_of(outage: Outage) -> QuerySet[Reservation]:
    """The stays that this outage touched: came in then, or changed then."""
    return Reservation.objects.filter(
        Q(affected_by=outage) | Q(came_in_during=outage), property_id=outage.property_id
    )


def not_followed_yet(outage: Outage, *, now: datetime) -> int:
    """How many of them are to get a key and have none yet, because Portal has only just read them.

    One that could not be followed for two minutes is not waited for: it has trouble of its own.
    """
    behind = Q(followed_at=None) | ~Q(followed_at=F("changed_at"))
    coming = stays_of(outage).filter(state__in=[State.EXPECTED, State.IN_HOUSE], key=None)
    return coming.filter(behind, changed_at__gt=now - FOLLOWED_WITHIN).count()


def touched(
    *,
    outage: Outage,
    stays: QuerySet[Reservation],
    now: datetime,
    seen_at: datetime,
    links_keys: bool = True,
) -> list[Touched]:
    """These stays with their proposals, in the order of ``stays``. Three queries, and three more when keys were
    made by hand.

    Keys made by hand count up to ``seen_at``: nothing is linked that nobody saw proposed.
    """
    rows = [Stay._make(values) for values in stays.values_list(*COLUMNS)]
    doors = _doors_of(outage, [row.key_id for row in rows if row.key_id])
    fits = _twins_of(outage, now=now, seen_at=seen_at) if rows and links_keys else {}
    return [Touched(row, propose(_case(row, doors, fits, now))) for row in rows]


def _case(row: Stay, doors: dict[int, _Doors], fits: dict[int, int], now: datetime) -> Case:
    over = row.revoked_at is not None or row.departed_at is not None
    found = doors.get(row.key_id or 0, NO_DOORS)
    return Case(
        happened=frozenset(row.happened),
        is_ended=row.state in GONE,
        has_key=row.key_id is not None,
        key_is_over=over or (row.ends_at is not None and row.ends_at <= now),
        is_behind=row.followed_at != row.changed_at,
        held=found.held,
        free=found.free,
        twin_id=fits.get(row.id),
    )


def _doors_of(outage: Outage, key_ids: Sequence[int]) -> dict[int, _Doors]:
    found: dict[int, _Doors] = {}
    for start in range(0, len(key_ids), AT_ONCE):
        some = key_ids[start : start + AT_ONCE]
        rows = KeychainDoor.objects.filter(key_id__in=some, removed_at=None)
        for key_id, permission, outage_id in rows.values_list("key_id", "permission", "outage_id"):
            held, free = found.get(key_id, NO_DOORS)
            is_held = permission == Permission.HELD_BY_OUTAGE.value and outage_id == outage.pk
            found[key_id] = _Doors(held + is_held, free + (not is_held))
    return found


def _twins_of(outage: Outage, *, now: datetime, seen_at: datetime) -> dict[int, int]:
    """Keys made by hand while the PMS was not heard, matched with the stays that they were surely made for.

    All touched stays of those rooms are looked at, so that a key that fits two of them is given to neither.
    """
    made = made_by_hand(outage, now=now, seen_at=seen_at)
    if not made:
        return {}
    rooms = _rooms_of(outage, {one.door_id for one in made})
    there = stays_of(outage).filter(room_ref__in=list(rooms))
    rows = [Stay._make(values) for values in there.values_list(*COLUMNS)]
    doors = _doors_of(outage, [row.key_id for row in rows if row.key_id])
    wanted = [
        Wanted(row.id, row.guest_name, row.starts_at, row.ends_at, rooms[row.room_ref])
        for row in rows
        if row.starts_at and row.ends_at and doors.get(row.key_id or 0, NO_DOORS).held
    ]
    return twins(wanted, made)


def made_by_hand(outage: Outage, *, now: datetime, seen_at: datetime) -> list[ByHand]:
    """The keys without a reservation that were made during the outage and are not over, a row per door."""
    until = min(outage.reconnected_at or seen_at, seen_at)
    keys = Key.objects.filter(
        property_id=outage.property_id,
        reservation=None,
        backup=None,
        created_at__gte=outage.last_word_at,
        created_at__lte=until,
        revoked_at=None,
        departed_at=None,
        ends_at__gt=now,
    )
    live = keys.filter(doors__removed_at=None)
    return [
        ByHand._make(values)
        for values in live.values_list("id", "label", "starts_at", "ends_at", "doors__door_id")
        if values[4] is not None
    ]


def rooms_made_by_hand(outage: Outage, *, now: datetime, seen_at: datetime) -> list[str]:
    """The rooms of the PMS for whose doors keys were made by hand during the outage."""
    made = made_by_hand(outage, now=now, seen_at=seen_at)
    return sorted(_rooms_of(outage, {one.door_id for one in made})) if made else []


def _rooms_of(outage: Outage, door_ids: Iterable[int]) -> dict[str, frozenset[int]]:
    """The rooms of the PMS that open these doors, and which."""
    mapped = RoomDoor.objects.filter(
        integration_id=outage.integration_id, door_id__in=list(door_ids)
    )
    found: dict[str, set[int]] = {}
    for room_ref, door_id in mapped.values_list("room_ref", "door_id"):
        found.setdefault(room_ref, set()).add(door_id)
    return {room_ref: frozenset(ids) for room_ref, ids in found.items() if room_ref}
