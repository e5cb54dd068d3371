"""What other rules of a property do to its current and coming keys: told before they are saved, and what stays as it is.

The answers come from the rule itself, asked once with the rules as they are and once with those that are wanted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db.models import Count, Q, QuerySet

from keys import keypad, rezoning, whole_hours
from keys.facts import Row, answer, is_over, rows_of
from keys.following import ALIVE
from keys.issuing import switch_many
from keys.keychain import doors_without_rooms
from keys.models import Assignment, Key, KeychainDoor
from keys.rezoning import ZoneChange
from keys.rules import Action, Hold, OnLock, Permission
from locks.history import Actor
from locks.models import Door, Property

HONOR = Property.KeypadChanges.HONOR
CAP = 2000
"""Keys that are looked at one by one, those that end soonest first; a larger house reads "2000 or more"."""
CHECK_IN = {Hold.NOT_CHECKED_IN, Hold.CHECK_IN_UNKNOWN}


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleChange:
    """Counts of keys for the page that asks whether to change the rules. ``capped`` when there are more than counted.

    ``stay`` have a code on a lock and their guests are in house; ``come_off`` have one and are to come; ``wait`` have
    none yet and will wait for check-in. ``go_on`` wait no longer, ``at_once`` of them are written as soon as it is saved.
    ``zone`` is what another time zone does, none where it stays. ``rounded`` and ``refused`` are at locks that take whole
    hours only, with other times. ``put_back`` are codes changed at keypads that give way to ours again.
    """

    stay: int = 0
    come_off: int = 0
    wait: int = 0
    go_on: int = 0
    at_once: int = 0
    capped: bool = False
    get: list[tuple[Door, int]] = field(default_factory=list)
    lose: list[tuple[Door, int]] = field(default_factory=list)
    zone: ZoneChange | None = None
    rounded: int = 0
    refused: int = 0
    put_back: int = 0

    @property
    def is_felt(self) -> bool:
        """Whether any key is affected."""
        counts = self.stay or self.come_off or self.wait or self.go_on
        return bool(
            counts
            or self.get
            or self.lose
            or self.zone
            or self.rounded
            or self.refused
            or self.put_back
        )


def preview(
    *,
    property: Property,  # noqa: A002
    changes: Mapping[str, Any],
    now: datetime,
) -> RuleChange:
    """What these settings do to the keys of a property that is Live; nothing is changed."""
    found: dict[str, Any] = {}
    if changes.get("check_in_rule", property.check_in_rule) != property.check_in_rule:
        found |= _by_check_in(property, changes["check_in_rule"], now)
    if changes.get("common_doors", property.common_doors) != property.common_doors:
        found |= _by_common_doors(property, changes["common_doors"], now)
    if changes.get("whole_hours", property.whole_hours) != property.whole_hours:
        rounds = changes["whole_hours"] == whole_hours.ROUND
        found["rounded" if rounds else "refused"] = whole_hours.touched(property, now=now)
    if changes.get("keypad_changes", HONOR) == keypad.RESTORE and property.keypad_changes == HONOR:
        found["put_back"] = keypad.own_codes(property, now=now).count()
    if changes.get("timezone", property.timezone) != property.timezone:
        zone = rezoning.preview(property=property, timezone=changes["timezone"], now=now)
        found |= {"zone": zone, "capped": zone.capped or found.get("capped", False)}
    return RuleChange(**found)


def keep_in_house(
    *,
    property: Property,  # noqa: A002
    check_in_rule: str,
    by: Actor,
    now: datetime,
) -> None:
    """Let codes that are on locks stay there for guests who are in house and would wait for check-in by the new rule.

    Their doors are allowed before check-in, as if staff had ticked it, each with its historical row.
    """
    begun = _live_keys(property, now).filter(starts_at__lte=now)
    there = Q(written_revision__isnull=False) | Q(sent_revision__isnull=False)
    places = Assignment.objects.filter(there, key__in=begun)
    keys = {
        row.key_id
        for row in _automatic(rows_of(places))
        if not _waits_for_check_in(row, now)
        and _waits_for_check_in(_under(row, check_in_rule), now)
    }
    doors = KeychainDoor.objects.filter(
        key_id__in=keys, removed_at=None, permission=Permission.AUTOMATIC.value
    )
    why = by.because("In house when check-in became required")
    switch_many(doors, Permission.ALLOWED_BEFORE_CHECK_IN, by=why, now=now)


def _live_keys(hotel: Property, now: datetime) -> QuerySet[Key]:
    return Key.objects.filter(
        property=hotel, revoked_at=None, over_at__gt=now, reservation__isnull=False
    )


def _by_check_in(hotel: Property, rule: str, now: datetime) -> dict[str, int | bool]:
    ids = list(
        _live_keys(hotel, now).order_by("over_at", "id").values_list("id", flat=True)[: CAP + 1]
    )
    by_key: dict[int, list[Row]] = {}
    for row in _automatic(rows_of(Assignment.objects.filter(key_id__in=ids[:CAP]))):
        by_key.setdefault(row.key_id, []).append(row)
    counts = Counter[str]()
    for rows in by_key.values():
        counts.update(_effects(rows, rule, now))
    return {**counts, "capped": len(ids) > CAP}


def _automatic(rows: Iterable[Row]) -> list[Row]:
    """Those that follow the property's rule; for the others a switch decides."""
    return [
        row for row in rows if row.permission == Permission.AUTOMATIC.value and not is_over(row)
    ]


def _under(row: Row, rule: str) -> Row:
    return row._replace(check_in_rule=rule)


def _waits_for_check_in(row: Row, now: datetime) -> bool:
    return not CHECK_IN.isdisjoint(answer(row, now=now).decision.holds)


def _effects(rows: list[Row], rule: str, now: datetime) -> list[str]:
    """What happens to one key, as names of the counts."""
    wanted = [_under(row, rule) for row in rows]
    waited = any(_waits_for_check_in(row, now) for row in rows)
    waits = any(_waits_for_check_in(row, now) for row in wanted)
    if waited == waits:
        return []
    told = [answer(row, now=now) for row in wanted]
    if waited:
        at_once = any(each.decision.action is Action.WRITE for each in told)
        return ["go_on", "at_once"] if at_once else ["go_on"]
    if all(each.facts.on_lock is OnLock.ABSENT for each in told):
        return ["wait"]
    return ["stay" if any(row.starts_at <= now for row in rows) else "come_off"]


def _by_common_doors(hotel: Property, choice: str, now: datetime) -> dict[str, Any]:
    """How many keys of rooms get, or lose, each common door that no room is linked to."""
    doors = {door.pk: door for door in doors_without_rooms(hotel.pk)}
    keys = Key.objects.filter(
        property=hotel,
        revoked_at=None,
        departed_at=None,
        over_at__gt=now,
        reservation__state__in=ALIVE,
    )
    of_rooms = keys.filter(
        doors__removed_at=None,
        doors__origin=KeychainDoor.Origin.ROOM,
        doors__door__type__in=Door.OF_A_ROOM,
    ).distinct()
    chained = KeychainDoor.objects.filter(door__in=doors, removed_at=None, key__in=of_rooms)
    if choice == Property.CommonDoors.ALL:
        many, have = of_rooms.count(), _counted(chained)
        gets = [(door, many - have[pk]) for pk, door in doors.items()]
        return {"get": [each for each in gets if each[1] > 0]}
    lose = _counted(chained.filter(origin=KeychainDoor.Origin.LINKED))
    return {"lose": [(doors[pk], many) for pk, many in sorted(lose.items())]}


def _counted(chained: QuerySet[KeychainDoor]) -> Counter[int]:
    rows = chained.values("door_id").annotate(many=Count("id")).order_by()
    return Counter({row["door_id"]: row["many"] for row in rows})
