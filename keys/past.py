"""Reads from history, slots and the door log what was so at a door at a moment, and asks the two questions about it.

The typed code is matched by its digest and goes nowhere else. Nothing here changes anything.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import Q

from keys.models import Assignment, Credential, Key, KeychainDoor
from keys.opening import Answer, Stranger, strangers_then, who_could_open
from keys.past_facts import Frame, Part, Place, Said
from keys.past_models import FormerCode
from keys.why_not import Match, Result, Rule, Scene, Spell, why_not
from keys.wording import problem_text
from locks.clock import next_change, on_the_hour, zone
from locks.drivers import Kind
from locks.log_models import DoorLogEntry, Episode, LogCode
from locks.models import Door, Lock, Property
from locks.slot_models import ForeignCode, SlotUse
from locks.vault import digest

LOOK_BACK = timedelta(days=120)
"""So long before the moment the log is searched for credentials whose time was over and that may still have been there."""
ABOUT_LOCK = timedelta(days=30)
MOST_LINES = 20000
STATES = [
    LogCode.WRITTEN,
    LogCode.REMOVED,
    LogCode.ACCEPTED,
    LogCode.UNCONFIRMED,
    LogCode.REMOVE_FAILED,
    LogCode.REPAIRED,
    LogCode.UNLOCKED,
]
LOCKS_OWN = [
    LogCode.DENIED,
    LogCode.OFFLINE,
    LogCode.ONLINE,
    LogCode.BATTERY_LOW,
    LogCode.CHANGED_AT_LOCK,
    LogCode.CLOCK_WRONG,
    LogCode.LOCKED_OUT,
    LogCode.JAMMED,
]
SWAPS = [LogCode.PAIRED, LogCode.UNPAIRED]


@dataclass(frozen=True, slots=True)
class Opening:
    """Who could open a door at a moment, what strange lay on its lock, and how far back the log goes."""

    answers: list[Answer]
    strangers: list[Stranger]
    log_since: datetime | None
    swapped_at: datetime | None
    is_whole: bool


def who_could(*, door: Door, moment: datetime) -> Opening:
    """Who could open this door then."""
    ids, is_whole = _near(door, moment)
    lock = _lock_of(door)
    answers = who_could_open(
        _places(Assignment.objects.filter(pk__in=ids), door),
        moment=moment,
        clock_offset_s=lock.clock_offset_s if lock else None,
        tz=zone(door.property.timezone),
    )
    swapped_at = max((at for at, _ in _swaps(door)), default=None)
    after = swapped_at if swapped_at is not None and swapped_at > moment else None
    strangers = strangers_then(_strangers(lock), moment)
    return Opening(answers, strangers, _log_since(door), after, is_whole)


def why(*, door: Door, moment: datetime, code: str) -> Result:
    """Why this code did not open the door then."""
    found = digest(code, scope=f"{door.property_id}:{Kind.DOOR_CODE.value}")
    return why_not(_matches(door, found), _scene(door, moment, code))


def _lock_of(door: Door) -> Lock | None:
    return Lock.objects.filter(door=door).first()


def _near(door: Door, moment: datetime) -> tuple[list[int], bool]:
    """The credentials that may have had to do with the door then, and whether all of them were looked at."""
    here = Assignment.objects.filter(door=door)
    ids = set(here.filter(starts_at__lte=moment, ends_at__gt=moment).values_list("id", flat=True))
    lines = DoorLogEntry.objects.filter(
        door=door,
        happened_at__gt=moment - LOOK_BACK,
        happened_at__lte=moment,
        code__in=STATES,
        assignment_id__isnull=False,
    )
    newest = list(
        lines.order_by("-happened_at", "-id").values_list("assignment_id", "code")[:MOST_LINES]
    )
    last: dict[int, str] = {}
    for assignment_id, code in newest:
        last.setdefault(assignment_id or 0, code)
    ids |= {id_ for id_, code in last.items() if code != LogCode.REMOVED}
    ghosts = Episode.objects.filter(door=door, opened_at__lte=moment)
    lasting = ghosts.filter(Q(closed_at=None) | Q(closed_at__gt=moment))
    ids |= set(lasting.values_list("assignment_id", flat=True))
    return sorted(ids), len(newest) < MOST_LINES


def _places(assignments: Any, door: Door) -> list[Place]:
    """These credentials at the door with their past, in a constant number of queries."""
    rows = list(
        assignments.select_related(
            "key__reservation", "credential__person__guest", "lock"
        ).order_by("id")
    )
    ids, keys = [row.pk for row in rows], {row.key_id for row in rows}
    frames, parts = _frames(keys), _parts({row.keychain_door_id for row in rows})
    lines, swaps = _lines(door, keys), _swaps(door)
    freed, waited = _freed(ids), _waited(ids)
    return [
        Place(
            assignment_id=row.pk,
            key_id=row.key_id,
            label=row.key.label,
            person=row.credential.person.guest.name,
            kind=row.get_kind_display(),
            created_at=row.key.created_at,
            keeps_windows=row.lock is None or row.lock.native_window,
            frames=tuple(frames.get(row.key_id, ())),
            parts=tuple(parts.get(row.keychain_door_id, ())),
            lines=tuple(_with_swaps(lines.get(row.pk, []), swaps)),
            freed_at=tuple(freed.get(row.pk, ())),
            waited=tuple(waited.get(row.pk, ())),
            retired_at=row.credential.retired_at or row.credential.person.removed_at,
            has_reservation=row.key.reservation_id is not None,
            checked_in_at=row.key.reservation and row.key.reservation.checked_in_at,
            checked_in_online_at=row.key.reservation and row.key.reservation.checked_in_online_at,
            has_lock=row.lock_id is not None,
            rounds=_rounding(row.lock, door.property),
        )
        for row in rows
    ]


def _rounding(
    lock: Lock | None, hotel: Property
) -> Callable[[datetime, datetime], tuple[datetime, datetime]] | None:
    if lock is None or not lock.whole_hours or hotel.whole_hours != Property.WholeHours.ROUND:
        return None
    return partial(on_the_hour, tz=zone(hotel.timezone))


def _who(row: Any) -> str:
    return str(row.actor_label or row.history_user or row.get_source_display())


def _frames(key_ids: Iterable[int]) -> dict[int, list[Frame]]:
    created = dict(Key.objects.filter(pk__in=key_ids).values_list("id", "created_at"))
    rows = Key.history.filter(id__in=created).select_related("history_user")
    found: dict[int, list[Frame]] = {}
    for row in rows.order_by("history_date", "history_id"):
        mine = found.setdefault(row.id, [])
        before = mine[-1] if mine else None
        same = before is not None and before.revoked_at == row.revoked_at
        because = Key.Revoked(row.revoked_because).label.lower() if row.revoked_because else ""
        mine.append(
            Frame(
                since=row.history_date if mine else min(row.history_date, created[row.id]),
                starts_at=row.starts_at,
                ends_at=row.ends_at,
                revoked_at=row.revoked_at,
                revoked_because=because,
                departed_at=row.departed_at,
                by=before.by if before is not None and same else _who(row),
            )
        )
    return found


def _parts(door_ids: Iterable[int]) -> dict[int, list[Part]]:
    rows = KeychainDoor.history.filter(id__in=list(door_ids)).select_related("history_user")
    found: dict[int, list[Part]] = {}
    for row in rows.order_by("history_date", "history_id"):
        mine = found.setdefault(row.id, [])
        before = mine[-1] if mine else None
        same = before is not None and (before.permission, before.removed_at) == (
            row.permission,
            row.removed_at,
        )
        mine.append(
            Part(
                since=row.history_date if mine else min(row.history_date, row.permission_since),
                permission=row.permission,
                permission_since=row.permission_since,
                starts_at=row.starts_at,
                ends_at=row.ends_at,
                removed_at=row.removed_at,
                by=before.by if before is not None and same else _who(row),
            )
        )
    return found


def _lines(door: Door, key_ids: Iterable[int]) -> dict[int, list[Said]]:
    rows = DoorLogEntry.objects.filter(
        property_id=door.property_id, key_id__in=list(key_ids), door=door, code__in=STATES
    ).order_by("happened_at", "id")
    found: dict[int, list[Said]] = {}
    for at, code, cause, assignment_id in rows.values_list(
        "happened_at", "code", "cause", "assignment_id"
    ):
        found.setdefault(assignment_id or 0, []).append(
            Said(at, code, cause, assignment_id=assignment_id)
        )
    return found


def _swaps(door: Door) -> list[tuple[datetime, str]]:
    rows = DoorLogEntry.objects.filter(property_id=door.property_id, door=door, code__in=SWAPS)
    return list(rows.order_by("happened_at", "id").values_list("happened_at", "code"))


def _with_swaps(lines: list[Said], swaps: Sequence[tuple[datetime, str]]) -> list[Said]:
    return sorted([*lines, *(Said(at, code) for at, code in swaps)], key=lambda line: line.at)


def _freed(ids: Sequence[int]) -> dict[int, list[datetime]]:
    found: dict[int, list[datetime]] = {}
    rows = SlotUse.objects.filter(assignment_id__in=ids, until__isnull=False)
    for assignment_id, until in rows.values_list("assignment_id", "until"):
        if until is not None:
            found.setdefault(assignment_id, []).append(until)
    return found


def _waited(ids: Sequence[int]) -> dict[int, list[tuple[datetime, datetime | None, str]]]:
    found: dict[int, list[tuple[datetime, datetime | None, str]]] = {}
    rows = Episode.objects.filter(assignment_id__in=ids, kind=Episode.Kind.NOT_WRITTEN)
    for row in rows.order_by("opened_at"):
        mine = found.setdefault(row.assignment_id, [])
        mine.append((row.opened_at, row.closed_at, problem_text(row.cause)))
    return found


def _strangers(lock: Lock | None) -> list[Stranger]:
    if lock is None:
        return []
    return [
        Stranger(row.address, row.first_seen_at, row.gone_at, row.kind.replace("_", " "), row.hint)
        for row in ForeignCode.objects.filter(lock=lock).order_by("first_seen_at", "id")[:200]
    ]


def _log_since(door: Door) -> datetime | None:
    rows = DoorLogEntry.objects.filter(property_id=door.property_id, door=door)
    return rows.order_by("happened_at", "id").values_list("happened_at", flat=True).first()


# Why did this code not work? -----------------------------------------------------------------------


def _matches(door: Door, found: str) -> list[Match]:
    """Every credential of the hotel that has this code or had it."""
    former: dict[int, list[Spell]] = {}
    rows = FormerCode.objects.filter(property_id=door.property_id, digest=found)
    for row in rows.order_by("since"):
        former.setdefault(row.credential_id, []).append(Spell(row.since, row.until, row.by))
    mine = Credential.objects.filter(
        Q(pk__in=former) | Q(property_id=door.property_id, secret_digest=found)
    ).select_related("key", "person__guest")
    credentials = list(mine.order_by("id"))
    ids = [credential.pk for credential in credentials]
    here = Assignment.objects.filter(credential_id__in=ids, door=door)
    places = {place.assignment_id: place for place in _places(here, door)}
    by_credential = dict(here.values_list("credential_id", "id"))
    return [
        Match(
            key_id=credential.key_id,
            label=credential.key.label,
            person=credential.person.guest.name,
            spells=_spells(credential, former.get(credential.pk, []), found),
            doors=tuple(
                KeychainDoor.objects.filter(key_id=credential.key_id, removed_at=None)
                .order_by("door__name")
                .values_list("door__name", flat=True)
            ),
            place=places.get(by_credential.get(credential.pk, 0)),
            person_removed_at=credential.person.removed_at,
        )
        for credential in credentials
    ]


def _spells(credential: Credential, former: list[Spell], found: str) -> tuple[Spell, ...]:
    now_has = credential.secret_digest == found
    return (*former, *([Spell(credential.drawn_at, None, "")] if now_has else []))


def _scene(door: Door, moment: datetime, code: str) -> Scene:
    lock, hotel = _lock_of(door), door.property
    changed_at, set_at = _clock_change(lock, zone(hotel.timezone), moment)
    return Scene(
        clocks_changed_at=changed_at,
        clock_set_at=set_at,
        moment=moment,
        tz=zone(hotel.timezone),
        door=door.name,
        digits=len(code),
        hint=code[-2:],
        has_lock=lock is not None,
        code_min=lock.code_min if lock else 0,
        code_max=lock.code_max if lock else 99,
        clock_offset_s=lock.clock_offset_s if lock else None,
        clock_read_at=lock.health_read_at if lock else None,
        battery=lock.battery if lock else None,
        lines=tuple(_around(door, moment)),
        strangers=tuple(_strangers(lock)),
        rules=tuple(_rules(hotel)),
        log_since=_log_since(door),
        codes_since=hotel.created_at,
    )


def _clock_change(
    lock: Lock | None, tz: ZoneInfo, moment: datetime
) -> tuple[datetime | None, datetime | None]:
    """When the clocks changed last in the month before, and when the lock's own was set after that."""
    if lock is None or lock.door_id is None or lock.utc_offset_s is None:
        return None, None
    changed_at = next_change(tz, moment - ABOUT_LOCK, moment)
    if changed_at is None:
        return None, None
    done = DoorLogEntry.objects.filter(
        property_id=lock.property_id,
        door_id=lock.door_id,
        code=LogCode.CLOCK_SET,
        cause="",
        happened_at__gte=changed_at,
    )
    first = done.order_by("happened_at", "id").values_list("happened_at", flat=True).first()
    return changed_at, first


def _around(door: Door, moment: datetime) -> list[Said]:
    """What the lock said of itself in the month before, up to a little after."""
    rows = DoorLogEntry.objects.filter(
        property_id=door.property_id,
        door=door,
        happened_at__gt=moment - ABOUT_LOCK,
        happened_at__lte=moment + timedelta(minutes=5),
        code__in=LOCKS_OWN,
    ).order_by("-happened_at", "-id")
    said = [
        Said(at, code, cause, hint, assignment_id)
        for at, code, cause, hint, assignment_id in rows.values_list(
            "happened_at", "code", "cause", "hint", "assignment_id"
        )[:500]
    ]
    return said[::-1]


def _rules(hotel: Property) -> list[Rule]:
    rows = Property.history.filter(id=hotel.pk).order_by("history_date", "history_id")
    found: list[Rule] = []
    for at, rule, mode in rows.values_list("history_date", "check_in_rule", "mode"):
        found.append(Rule(at if found else min(at, hotel.created_at), rule, mode))
    return found
