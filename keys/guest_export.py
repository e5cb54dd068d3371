"""Everything that is held about one guest, as one document that can be given to them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db.models import Model

from keys.erasing import keys_of, same_person, stays_of
from keys.models import Credential, Guest, Key
from keys.telling_models import GuestMessage
from locks.api_kit import utc_text
from locks.drivers import Kind
from locks.log_models import DoorLogEntry
from pms.models import Reservation

STAY = (
    "number",
    "booking_ref",
    "state",
    "room_name",
    "arrival_on",
    "departure_on",
    "checked_in_at",
    "checked_in_online_at",
    "departed_at",
    "first_seen_at",
)
KEY = ("id", "starts_at", "ends_at", "departed_at", "revoked_at", "revoked_because", "created_at")
LOG = ("happened_at", "code", "cause", "kind", "origin", "key_id")


def export_guest(*, guest: Guest, with_codes: bool, now: datetime) -> dict[str, Any]:
    """All that is held, ready for JSON: moments in UTC. Codes and the texts that tell them only ``with_codes``.

    Of other guests of the same stays it says nothing.
    """
    guests = list(same_person(guest).order_by("id"))
    keys = list(keys_of(guests).order_by("id"))
    credentials = list(
        Credential.objects.filter(person__guest__in=guests).select_related("person").order_by("id")
    )
    ids = [key.pk for key in keys]
    log = DoorLogEntry.objects.filter(property_id=guest.property_id, key_id__in=ids)
    return {
        "exported_at": utc_text(now),
        "property": guest.property.name,
        "guest": [_guest(one) for one in guests],
        "stays": [_stay(stay, guests) for stay in stays_of(guests).order_by("id")],
        "keys": [_key(key, credentials, with_codes=with_codes) for key in keys],
        "messages": [_message(row, with_codes=with_codes) for row in _messages(guests)],
        "door_log": [
            _picked(line, LOG) | {"door": line.door.name if line.door else None}
            for line in log.select_related("door").order_by("happened_at", "id")
        ],
    }


def _guest(guest: Guest) -> dict[str, Any]:
    return {
        "name": guest.name,
        "email": str(guest.email),
        "phone": str(guest.phone),
        "pms_id": guest.external_id,
        "erased_at": utc_text(guest.erased_at),
    }


def _stay(stay: Reservation, guests: Sequence[Guest]) -> Mapping[str, Any]:
    refs = {guest.external_id for guest in guests}
    said = _picked(stay, STAY) | {"pms": stay.integration.pms_name()}
    if stay.guest_ref in refs:
        said |= {
            "name": stay.guest_name,
            "email": str(stay.guest_email),
            "phone": str(stay.guest_phone),
        }
    names = [c["name"] for c in stay.companions if c.get("ref") in refs]
    return said | ({"as_companion": names} if names else {})


def _key(key: Key, credentials: Sequence[Credential], *, with_codes: bool) -> Mapping[str, Any]:
    doors = key.doors.select_related("door").order_by("id")
    mine = [one for one in credentials if one.key_id == key.pk]
    return _picked(key, KEY) | {
        "doors": [
            {"door": each.door.name, "removed_at": utc_text(each.removed_at)} for each in doors
        ],
        "credentials": [_credential(one, with_codes=with_codes) for one in mine],
    }


def _credential(credential: Credential, *, with_codes: bool) -> Mapping[str, Any]:
    told = _picked(credential, ("kind", "drawn_at", "retired_at"))
    if with_codes and credential.kind == Kind.DOOR_CODE:
        told["code"] = str(credential.secret)
    return told


def _messages(guests: Sequence[Guest]) -> Sequence[GuestMessage]:
    return list(GuestMessage.objects.filter(credential__person__guest__in=guests).order_by("id"))


def _message(row: GuestMessage, *, with_codes: bool) -> Mapping[str, Any]:
    told = _picked(row, ("channel", "why", "state", "made_at", "sent_at"))
    told["address"] = str(row.address)
    return told | ({"text": str(row.body)} if with_codes else {})


def _picked(row: Model, names: Sequence[str]) -> dict[str, Any]:
    return {name: _plain(getattr(row, name)) for name in names}


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return utc_text(value)
    return value if value is None or isinstance(value, int | str) else str(value)
