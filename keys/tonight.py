"""Reads who arrives tonight and whether their doors will open: a constant number of queries, bounded by the evening.

The rule is asked about every credential of these arrivals with all its reasons; nothing here decides anything itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import NamedTuple

from django.conf import settings
from django.db.models import Exists, OuterRef, QuerySet

from keys.backup_models import BackupCode
from keys.evening import (
    CLOSED,
    ADoor,
    Arrival,
    Glance,
    Meaning,
    Night,
    glance_of,
    meaning_of,
    night_of,
    worst,
)
from keys.explaining import DoorAnswer, explain_keys
from keys.facts import COLUMNS, Row, answer, values
from keys.holdings import TO_GO, ghosts
from keys.models import Assignment, Key
from keys.rules import Waits
from locks.clock import zone
from locks.models import Property

MOST = 1000
"""So many arrivals of one evening are looked at."""
MOST_EARLIER = 200
"""So many guests of earlier days who still wait for a door are looked at."""
MOST_GHOSTS = 20


class _Stay(NamedTuple):
    """A key as far as the board shows it, in the order of ``_KEY``."""

    id: int
    label: str
    starts_at: datetime
    number: str | None
    room_ref: str | None
    room_name: str | None


_KEY = (
    "id",
    "label",
    "starts_at",
    "reservation__number",
    "reservation__room_ref",
    "reservation__room_name",
)
_BESIDE = (
    "credential__person_id",
    "door__name",
    "keychain_door__leaving_since",
    "key__backup",
)


@dataclass(frozen=True, slots=True)
class Board:
    """The evening: whose doors need someone now, all others by their arrival, and what should be gone from locks.

    ``ghosts`` are at most ``MOST_GHOSTS``, the longest first, and ``more_ghosts`` says that there are others.
    ``is_whole`` is false when more arrive than are looked at.
    """

    night: Night
    glance: Glance
    now_first: list[Arrival]
    arrivals: list[Arrival]
    ghosts: list[Assignment]
    more_ghosts: bool
    is_whole: bool


def board(*, hotel: Property, now: datetime) -> Board:
    """What the front desk must know tonight. Four queries, however many keys the property has."""
    night = night_of(now, zone(hotel.timezone))
    stays = _arriving(hotel.pk, night, now)
    found = _assemble(stays[:MOST], _earlier(hotel.pk, night, now), now)
    gone = ghosts(property_id=hotel.pk).filter(headline_since__isnull=False)
    late = list(
        gone.select_related("door", "key").order_by("headline_since", "id")[: MOST_GHOSTS + 1]
    )
    return Board(
        night=night,
        glance=glance_of(found),
        now_first=[one for one in found if one.rises],
        arrivals=[one for one in found if not one.rises],
        ghosts=late[:MOST_GHOSTS],
        more_ghosts=len(late) > MOST_GHOSTS,
        is_whole=len(stays) <= MOST,
    )


def reasons_of(arrivals: Iterable[Arrival], *, now: datetime) -> dict[int, DoorAnswer]:
    """By key, the explanation of its worst door, for those that are not ready. Four queries."""
    waiting = {one.key_id: one for one in arrivals if one.meaning is not Meaning.READY}
    told = explain_keys(keys=[Key(pk=key_id) for key_id in waiting], now=now) if waiting else {}
    found: dict[int, DoorAnswer] = {}
    for key_id, explained in told.items():
        doors = {one.keychain_door_id: one.meaning for one in waiting[key_id].doors}
        bad = [
            door
            for door in explained.doors
            if doors.get(door.keychain_door.pk) is waiting[key_id].meaning
        ]
        if bad:
            found[key_id] = bad[0]
    return found


def _guests() -> QuerySet[Key]:
    backup = BackupCode.objects.filter(key_id=OuterRef("pk"))
    return Key.objects.filter(~Exists(backup), revoked_at=None)


def _arriving(property_id: int, night: Night, now: datetime) -> list[_Stay]:
    keys = _guests().filter(
        property_id=property_id,
        starts_at__gte=night.begins,
        starts_at__lt=night.ends,
        over_at__gt=now,
    )
    rows = keys.order_by("starts_at", "id").values_list(*_KEY)[: MOST + 1]
    return [_Stay._make(row) for row in rows]


def _earlier(property_id: int, night: Night, now: datetime) -> list[int]:
    """Keys of earlier days that still wait at a door, the latest first: by the index over what waits, and that alone."""
    places = Assignment.objects.filter(
        property_id=property_id,
        waits__in=[Waits.SOMEONE.value, Waits.LOCK.value],
        starts_at__lt=night.begins,
        ends_at__gt=now,
    ).exclude(headline__in=TO_GO)
    rows = places.order_by("-starts_at", "-key_id").values_list("key_id", flat=True)
    return list(dict.fromkeys(rows[: MOST_EARLIER * 3]))[:MOST_EARLIER]


class _Place(NamedTuple):
    door: ADoor
    person_id: int


def _assemble(stays: Sequence[_Stay], earlier: Sequence[int], now: datetime) -> list[Arrival]:
    """Ask the rule about everything that these keys want on locks, in one query."""
    known = {one.id: one for one in stays}
    wanted = [*known, *(pk for pk in earlier if pk not in known)]
    rows = Assignment.objects.filter(key_id__in=wanted).order_by("id")
    by_key: dict[int, list[_Place]] = {}
    for told in values(rows, *_BESIDE, *(f"key__{name}" for name in _KEY)) if wanted else ():
        row = Row._make(told[: len(COLUMNS)])
        person_id, name, leaving_since, backup = told[len(COLUMNS) : -len(_KEY)]
        if row.revoked_at or row.departed_at or backup or leaving_since:
            continue
        known.setdefault(row.key_id, _Stay._make(told[-len(_KEY) :]))
        _take(by_key, row, person_id, name, now)
    soon = now + timedelta(seconds=settings.ARRIVALS_AT_RISK_S)
    ordered = sorted(known.values(), key=lambda one: (one.starts_at, one.id))
    tonight = {one.id for one in stays}
    made = [
        _arrival(stay, by_key.get(stay.id, []), soon)
        for stay in ordered
        if stay.id in tonight or stay.id in by_key
    ]
    return [one for one in made if one.key_id in tonight or one.meaning is not Meaning.READY]


def _take(
    by_key: dict[int, list[_Place]], row: Row, person_id: int, name: str, now: datetime
) -> None:
    meaning = meaning_of(answer(row, now=now))
    if meaning is None:
        return
    door = ADoor(
        keychain_door_id=row.keychain_door_id,
        door_id=row.door_id,
        lock_id=row.lock_id,
        name=name,
        meaning=meaning,
        opens_at=row.starts_at,
    )
    by_key.setdefault(row.key_id, []).append(_Place(door, person_id))


def _arrival(stay: _Stay, places: Sequence[_Place], soon: datetime) -> Arrival:
    doors: dict[int, ADoor] = {}
    for place in places:
        known = doors.get(place.door.keychain_door_id, place.door)
        both = worst((known.meaning, place.door.meaning)) or known.meaning
        doors[place.door.keychain_door_id] = replace(known, meaning=both)
    meaning, sentence = _without_doors(stay)
    if doors:
        meaning, sentence = worst(one.meaning for one in doors.values()) or meaning, ""
    outside = {place.person_id for place in places if place.door.meaning in CLOSED}
    return Arrival(
        key_id=stay.id,
        label=stay.label,
        number=stay.number or "",
        starts_at=stay.starts_at,
        meaning=meaning,
        doors=tuple(sorted(doors.values(), key=lambda one: one.name)),
        people=len({place.person_id for place in places}) or 1,
        outside=len(outside) if doors else int(meaning in CLOSED),
        rises=meaning in CLOSED and stay.starts_at <= soon,
        sentence=sentence,
    )


def _without_doors(stay: _Stay) -> tuple[Meaning, str]:
    """What is said of a key that opens no door."""
    if stay.room_ref:
        return (
            Meaning.BROKEN,
            f"Room {stay.room_name or stay.room_ref} is not mapped to a door yet.",
        )
    if stay.number is not None:
        return Meaning.WAITING, "The reservation has no room yet."
    return Meaning.BROKEN, "The key opens no door."
