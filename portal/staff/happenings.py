"""What people and machines changed about a key: who, when, from what to what, why, and through which door."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from keys.models import Credential, Key, KeychainDoor, PermissionChoice
from portal.staff import dates

SHOWN = 60
QUIET = {
    "id",
    "property",
    "key",
    "person",
    "reservation",
    "followed_at",
    "permission_since",
    "created_at",
    "drawn_at",
    "outage",
    "pms_starts_at",
    "pms_ends_at",
    "removed_by_staff",
    "carried_from",
    "revision",
}
NAMES = {
    "starts_at": "Arrival",
    "ends_at": "Departure",
    "starts_by_staff": "Arrival set by staff",
    "ends_by_staff": "Departure set by staff",
    "departed_at": "Departed",
    "revoked_at": "Revoked",
    "revoked_because": "Reason of the revocation",
    "reopened_at": "Valid again",
    "permission": "Allow Provisioning",
    "leaving_since": "Moved out, opens until the new room does",
    "removed_at": "Taken out of the keychain",
    "retired_at": "Taken away",
    "weekdays": "Days",
    "from_hour": "From",
    "to_hour": "To",
    "policy": "Policy",
}


@dataclass(frozen=True, slots=True)
class Change:
    """One field from what to what."""

    name: str
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class Happening:
    """One thing that someone did."""

    at: datetime
    who: str
    through: str
    why: str
    about: str
    what: str
    changes: tuple[Change, ...]


def of_key(key: Key, *, tz: ZoneInfo, now: datetime, most: int | None = SHOWN) -> list[Happening]:
    """What is recorded about the key, its doors and its credentials, newest first, all of it or the newest. Four queries."""
    doors = dict(key.doors.values_list("id", "door__name"))
    found = [
        *_told(Key.history.filter(id=key.pk), lambda _: "Key", tz, now),
        *_told(
            KeychainDoor.history.filter(key_id=key.pk),
            lambda row: f"Door {doors.get(row.id, '')}",
            tz,
            now,
        ),
        *_told(Credential.history.filter(key_id=key.pk), _credential, tz, now),
    ]
    return sorted(found, key=lambda one: one.at, reverse=True)[:most]


def _credential(row: Any) -> str:
    return str(row.get_kind_display())


def _told(rows: Any, about: Any, tz: ZoneInfo, now: datetime) -> Iterable[Happening]:
    last: dict[int, Any] = {}
    for row in rows.select_related("history_user").order_by("history_date", "history_id"):
        before = last.get(row.id)
        last[row.id] = row
        changes = () if before is None else tuple(_changes(before, row, tz, now))
        if before is not None and not changes and not _is_new_secret(before, row):
            continue
        yield Happening(
            at=row.history_date,
            who=row.actor_label or str(row.history_user or "Portal"),
            through=row.get_source_display(),
            why=row.history_change_reason or "",
            about=about(row),
            what=_what(before, row),
            changes=changes,
        )


def _is_new_secret(before: Any, row: Any) -> bool:
    return getattr(before, "revision", 0) != getattr(row, "revision", 0)


def _what(before: Any, row: Any) -> str:
    if before is None:
        return (
            "made"
            if hasattr(row, "label") or hasattr(row, "kind") or not hasattr(row, "door_id")
            else "added"
        )
    return "drawn anew" if _is_new_secret(before, row) else "changed"


def _changes(before: Any, row: Any, tz: ZoneInfo, now: datetime) -> Iterable[Change]:
    for field in row.tracked_fields:
        if field.name in QUIET:
            continue
        old, new = getattr(before, field.attname), getattr(row, field.attname)
        if old != new:
            name = NAMES.get(field.name, field.name.replace("_", " ").capitalize())
            yield Change(name, _said(field.name, old, tz, now), _said(field.name, new, tz, now))


def _said(name: str, value: Any, tz: ZoneInfo, now: datetime) -> str:
    if name == "permission":
        return PermissionChoice(value).label
    if name == "revoked_because" and value:
        return Key.Revoked(value).label
    if isinstance(value, datetime):
        return dates.moment(value, tz=tz, now=now)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if name == "weekdays":
        return " ".join(day for bit, day in enumerate(DAYS) if int(value) >> bit & 1)
    return str(value) if value not in {None, ""} else "none"


DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
