"""What Portal has of a stay and of its key, and what the hotel's book means them to be: plain values to compare."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from keys.models import Key
from locks.clock import by_rule, zone
from locks.models import Property
from pms.models import Reservation
from tests.pms.front_desks import Line
from tests.pms.life import Life

VOID = {"cancelled", "no_show", "deleted"}
NO_KEY = {"access": "none"}
Facts = dict[str, Any]


def stay_of(row: Reservation) -> Facts:
    """A reservation as Portal has it."""
    return {
        "state": row.state,
        "arrival": row.arrival_on,
        "departure": row.departure_on,
        "room": row.room_name,
        "guests": [row.guest_name, *sorted(c["name"] for c in row.companions)],
        "refs": [row.guest_ref, *sorted(c["ref"] for c in row.companions)],
        "online": row.checked_in_online_at is not None,
        "checked in": None if row.state == "unknown" else row.checked_in_at is not None,
    }


def meant_stay(line: Line) -> Facts:
    """The same as the book means it."""
    main, *others = line.guests
    return {
        "state": line.state,
        "arrival": line.arrival,
        "departure": line.departure,
        "room": line.room,
        "guests": [main[1], *sorted(name for _, name in others)],
        "refs": [main[0], *sorted(ref for ref, _ in others)],
        "online": line.online,
        "checked in": None if line.state == "unknown" else line.state == "in_house",
    }


def without_refs(stay: Facts) -> Facts:
    """What two months of the same seed have in common: ids are drawn anew in each."""
    return {name: value for name, value in stay.items() if name != "refs"}


def key_of(key: Key | None, line: Line, life: Life) -> Facts:
    """A key as Portal has it. The moments when Portal learnt of a check-in or a departure depend on when it heard, so
    only whether they count is said here; that a key begins no earlier than its guest came is checked."""
    if key is None:
        return NO_KEY
    if key.revoked_at is not None:
        return {"access": "none", "because": key.revoked_because}
    doors = [door for door in key.doors.select_related("door") if door.removed_at is None]
    people = list(key.people.filter(removed_at=None).select_related("guest"))
    _check_codes(key)
    return {
        "access": "over" if key.departed_at else "yes",
        "from": _start(key, line, life),
        "until": key.ends_at,
        "doors": {door.door.name for door in doors},
        "permissions": {door.permission for door in doors},
        "label": key.label,
        "main": [person.guest.name for person in people if person.is_main],
        "others": sorted(person.guest.name for person in people if not person.is_main),
        "codes": sorted(key.credentials.filter(person__in=people).values_list("kind", flat=True)),
    }


def _check_codes(key: Key) -> None:
    """Whatever happened, each person's code is the first one, and every door of the key keeps it for the key's window."""
    changed = key.credentials.exclude(revision=1, retired_at=None)
    assert not changed.exists(), f"a code of {key} was changed"
    places = key.assignments.filter(
        credential__person__removed_at=None, keychain_door__removed_at=None
    )
    lost = places.filter(reserved_digest=None)
    assert not lost.exists(), f"a door of {key} does not keep its code"
    windows = set(places.values_list("starts_at", "ends_at"))
    assert windows <= {(key.starts_at, key.ends_at)}, f"a door of {key} has another window"


def _planned(line: Line, hotel: Property) -> datetime:
    if line.starts_at is not None:
        return line.starts_at
    return by_rule(line.arrival, hotel.arrival_time, zone(hotel.timezone), later=False)


def _start(key: Key, line: Line, life: Life) -> datetime | str:
    planned = _planned(line, key.property)
    if key.starts_at >= planned or line.state != "in_house":
        return key.starts_at
    assert life.entered[line.ref][0] - timedelta(seconds=2) <= key.starts_at
    return planned


def meant_key(line: Line, hotel: Property, life: Life) -> list[Facts]:
    """What the book means, and, where the guest has no right to enter now, also that nobody ever heard of a key."""
    if line.state in VOID:
        return [NO_KEY, {"access": "none", "because": line.state}]
    tz = zone(hotel.timezone)
    until = line.ends_at or by_rule(line.departure, hotel.departure_time, tz, later=True)
    main, *others = line.guests
    doors = life.desk.house.doors_of(line.room)
    whole = {
        "access": "over" if line.state == "departed" else "yes",
        "from": _planned(line, hotel),
        "until": until,
        "doors": doors,
        "permissions": {"automatic"} if doors else set(),
        "label": main[1],
        "main": [main[1]],
        "others": sorted(name for _, name in others),
        "codes": sorted(["door_code", "smartkey"] * len(line.guests)),
    }
    over = line.state == "departed" or until <= life.now
    return [whole, NO_KEY] if over else [whole]


def differences(one: dict[str, Facts], other: dict[str, Facts]) -> list[str]:
    """Where two ends of the same month are not alike. A key that was never made, since its guest had no right any more
    when the stay was first heard of, opens as much as one that is over."""
    return [
        f"{number}: {one.get(number)} and {other.get(number)}"
        for number in sorted({*one, *other})
        if not _alike(one.get(number, {}), other.get(number, {}))
    ]


def _alike(one: Facts, other: Facts) -> bool:
    keys = [one.get("key"), other.get("key")]
    return one.get("stay") == other.get("stay") and (keys[0] == keys[1] or NO_KEY in keys)
