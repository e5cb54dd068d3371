"""Reads what alerts depend on from the tables: a constant number of queries for all hotels together."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db.models import Count, Exists, Min, OuterRef

from keys.alerting import HORIZON, Clock, Doorless, Facts, Ghost, Missing, Part, Pms, Waiting
from keys.ending import live_keys
from keys.models import Assignment, Key, KeychainDoor, Person
from keys.rules import Hold, Waits
from locks.log_models import Episode
from locks.models import Gateway, Lock, LockAccount, Property
from pms.adapters import title_of
from pms.models import Integration, Reservation

LIVE_GUEST = {
    "key__revoked_at": None,
    "key__departed_at": None,
    "keychain_door__removed_at": None,
    "credential__retired_at": None,
    "credential__person__removed_at": None,
}
AT_ONCE = 1000
NOBODYS_RISK = [
    Hold.REMOVAL_PENDING.value,
    Hold.STILL_ON_LOCK.value,
    Hold.DISABLED_BY_STAFF.value,
]
"""What waits to be gone, and what staff hold back themselves."""


def read(*, grace: timedelta, now: datetime) -> Facts:
    """The facts of all hotels as the tables have them now. What failed less than ``grace`` ago may heal by itself."""
    hotels = list(Property.objects.values_list("id", flat=True))
    live = list(Property.objects.filter(mode=Property.Mode.LIVE).values_list("id", flat=True))
    ghosts = _ghosts(hotels, now - grace)
    return Facts(
        pmses=_pmses(),
        gateways=_gateways(now - grace, now),
        accounts=_accounts(now),
        clocks=_clocks(now),
        missing=_missing(now),
        ghosts=ghosts,
        behind=_behind({ghost.door_id for ghost in ghosts}, now),
        waiting=_waiting(live, now),
        doorless=_doorless(live, now),
    )


def _pmses() -> list[Pms]:
    state = Integration.State
    rows = Integration.objects.values_list(
        "property_id", "id", "adapter", "state", "state_since", "last_word_at", "first_connected_at"
    )
    return [
        Pms(
            hotel,
            pk,
            title_of(adapter),
            now_is == state.BROKEN,
            now_is == state.DISCONNECTED,
            since,
            heard_at or first,
        )
        for hotel, pk, adapter, now_is, since, heard_at, first in rows
    ]


def _missing(now: datetime) -> list[Missing]:
    """Of connections that answer; of the others nothing is known. The live keys are counted where some are missing only."""
    found = (
        Reservation.objects.filter(
            missing_since__isnull=False,
            key__revoked_at=None,
            key__departed_at=None,
            key__ends_at__gt=now,
            integration__state=Integration.State.CONNECTED,
        )
        .values_list("integration_id")
        .annotate(many=Count("id"), since=Min("missing_since"))
    )
    told = {pk: (many, since) for pk, many, since in found}
    rows = Integration.objects.filter(pk__in=told)
    return [
        Missing(
            row.property_id,
            row.pk,
            row.pms_name(),
            told[row.pk][0],
            live_keys(row, now=now).count(),
            told[row.pk][1],
        )
        for row in rows
    ]


def _gateways(before: datetime, now: datetime) -> list[Part]:
    rows = Gateway.objects.filter(is_online=False, offline_since__lte=before)
    counted = rows.annotate(many=Count("locks")).filter(many__gt=0)
    found = counted.values_list("property_id", "id", "name", "offline_since", "many")
    return [Part(hotel, pk, name, since or now, many) for hotel, pk, name, since, many in found]


def _accounts(now: datetime) -> list[Part]:
    rows = LockAccount.objects.exclude(state=LockAccount.State.WORKING)
    counted = rows.annotate(many=Count("locks"))
    found = counted.values_list("property_id", "id", "name", "broken_at", "disconnected_at", "many")
    return [
        Part(hotel, pk, name, broken or off or now, many, off is not None)
        for hotel, pk, name, broken, off, many in found
    ]


def _clocks(now: datetime) -> list[Clock]:
    rows = Lock.objects.filter(clock_wrong_since__isnull=False, door__isnull=False)
    found = rows.values_list(
        "property_id", "door_id", "door__name", "clock_offset_s", "clock_wrong_since"
    )
    return [
        Clock(hotel, door_id or 0, str(door), offset or 0.0, since or now)
        for hotel, door_id, door, offset, since in found
    ]


def _ghosts(hotels: list[int], before: datetime) -> list[Ghost]:
    rows = Episode.objects.filter(
        property_id__in=hotels,
        kind=Episode.Kind.NOT_REMOVED,
        closed_at=None,
        opened_at__lte=before,
    )
    names = ("property_id", "door_id", "door__name", "opened_at", "assignment_id")
    found = list(rows.order_by("id").values_list(*names))
    places = Assignment.objects.filter(pk__in=[place for *_, place in found])
    off = set(places.filter(lock__isnull=False, lock__door=None).values_list("id", flat=True))
    return [
        Ghost(hotel, door, name, since, place in off) for hotel, door, name, since, place in found
    ]


def _behind(door_ids: set[int], now: datetime) -> dict[int, set[int]]:
    """The guests in house, or arriving within the horizon, of these doors."""
    if not door_ids:
        return {}
    rows = Assignment.objects.filter(
        door_id__in=door_ids,
        reserved_digest__isnull=False,
        starts_at__lte=now + HORIZON,
        ends_at__gt=now,
        **LIVE_GUEST,
    )
    found: dict[int, set[int]] = {}
    for door_id, person_id in rows.values_list("door_id", "credential__person_id"):
        found.setdefault(door_id, set()).add(person_id)
    return found


def _waiting(hotels: list[int], now: datetime) -> list[Waiting]:
    """By the index over what waits first, so that the years before are not read for the few that do."""
    rows = Assignment.objects.filter(
        property_id__in=hotels,
        waits__in=[Waits.SOMEONE.value, Waits.LOCK.value],
        starts_at__lte=now + HORIZON,
        ends_at__gt=now,
    ).exclude(headline__in=NOBODYS_RISK)
    ids = list(rows.values_list("id", flat=True))
    return [
        one
        for start in range(0, len(ids), AT_ONCE)
        for one in _waiting_guests(ids[start : start + AT_ONCE])
    ]


def _waiting_guests(ids: list[int]) -> list[Waiting]:
    guests = Assignment.objects.filter(pk__in=ids, key__backup=None, **LIVE_GUEST)
    found = guests.values_list(
        "property_id",
        "credential__person_id",
        "door_id",
        "door__name",
        "headline",
        "headline_since",
        "starts_at",
        "key__reservation__integration_id",
        "keychain_door__outage_id",
        "lock__gateway_id",
        "lock__account_id",
    )
    return [Waiting(*values) for values in found]


def _doorless(hotels: list[int], now: datetime) -> list[Doorless]:
    """People of stays whose room opens no door. A stay without a room is ordinary until the desk gives it one."""
    door = KeychainDoor.objects.filter(key_id=OuterRef("pk"), removed_at=None)
    keys = Key.objects.filter(
        ~Exists(door),
        property_id__in=hotels,
        revoked_at=None,
        starts_at__lte=now + HORIZON,
        over_at__gt=now,
        reservation__isnull=False,
    )
    rows = Person.objects.filter(
        removed_at=None,
        key_id__in=list(keys.values_list("id", flat=True)[:AT_ONCE]),
        key__reservation__room_ref__gt="",
    )
    return [Doorless(*values) for values in rows.values_list("property_id", "id", "key__starts_at")]
