"""Plans a recovery: a row for each reservation with which something is left to do.

What asks for a thought is planned one by one by ``remedies.propose``. What only has to be released comes by the thousand
and is planned by one statement, which must say the same; a test holds the two against each other.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from django.db import connection
from django.db.models import Exists, F, OuterRef, Q, QuerySet, Value

from keys.affected import rooms_made_by_hand, stays_of, touched
from keys.models import KeychainDoor, Recovery, RecoveryRow
from keys.remedies import RANK, Remedy
from keys.rules import Permission
from pms.differences import GONE
from pms.models import Reservation

COLUMNS = "property_id, recovery_id, reservation_id, key_id, action, rank, state, result"


def plan(recovery: Recovery, stay_ids: Sequence[int], *, now: datetime) -> int:
    """Make the rows of these stays by asking about each; returns how many."""
    found = touched(
        outage=recovery.outage,
        stays=Reservation.objects.filter(pk__in=stay_ids).order_by("id"),
        now=now,
        seen_at=recovery.seen_at,
        links_keys=recovery.links_keys,
    )
    rows = [
        RecoveryRow(
            property_id=recovery.property_id,
            recovery=recovery,
            reservation_id=one.stay.id,
            key_id=one.stay.key_id,
            twin_id=one.proposal.twin_id,
            action=one.proposal.remedy.value,
            rank=RANK[one.proposal.remedy],
        )
        for one in found
        if one.proposal.is_open and one.stay.key_id is not None
    ]
    RecoveryRow.objects.bulk_create(rows)
    recovery.planned += len(rows)
    return len(rows)


def plan_range(recovery: Recovery, after: int, up_to: int, *, now: datetime) -> None:
    """Make the rows of all stays whose id is beyond ``after`` and not beyond ``up_to``."""
    stays = stays_of(recovery.outage).filter(pk__gt=after, pk__lte=up_to)
    thought = _asks_for_thought(recovery, now)
    plan(recovery, list(stays.filter(thought).values_list("id", flat=True)), now=now)
    recovery.planned += _plan_releases(recovery, stays.exclude(thought), now)


def _asks_for_thought(recovery: Recovery, now: datetime) -> Q:
    """Stays that ended, whose keys do not follow yet, or in whose rooms a key was made by hand."""
    behind = Q(followed_at=None) | ~Q(followed_at=F("changed_at"))
    rooms: list[str] = []
    if recovery.links_keys:
        rooms = rooms_made_by_hand(recovery.outage, now=now, seen_at=recovery.seen_at)
    return Q(state__in=sorted(GONE)) | behind | Q(room_ref__in=rooms)


def _plan_releases(recovery: Recovery, stays: QuerySet[Reservation], now: datetime) -> int:
    """A row to release each of these stays whose key is not over and has a door that the outage holds."""
    held = KeychainDoor.objects.filter(
        key_id=OuterRef("key__id"),
        outage_id=recovery.outage_id,
        permission=Permission.HELD_BY_OUTAGE.value,
        removed_at=None,
    )
    live = stays.filter(key__revoked_at=None, key__departed_at=None, key__ends_at__gt=now)
    rows = (
        live.filter(Exists(held))
        .order_by("id")
        .values_list(
            "property_id",
            Value(recovery.pk),
            "id",
            "key__id",
            Value(Remedy.PROVISION.value),
            Value(RANK[Remedy.PROVISION]),
            Value(RecoveryRow.State.WAITING.value),
            Value(""),
        )
    )
    sql, given = rows.query.sql_with_params()
    with connection.cursor() as cursor:
        cursor.execute(f"INSERT INTO keys_recoveryrow ({COLUMNS}) {sql}", given)
        return int(cursor.rowcount)
