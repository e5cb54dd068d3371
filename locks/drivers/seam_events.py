"""Seam's events in our words, and the proof that a call to our webhook is Seam's.

Events: SDK 3.18, ``resources/seam_event.py``. Signature: docs.svix.com/receiving/verifying-payloads/how-manual.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from locks.drivers import EventType, Heard, Kind, LockEvent, NotGenuine
from locks.drivers.seam_book import moment

TOLERANCE_S = 300
PREFIX = "whsec_"
TYPES: dict[str, EventType] = {
    "access_code.set_on_device": EventType.SETTLED,
    "access_code.scheduled_on_device": EventType.SETTLED,
    "access_code.failed_to_set_on_device": EventType.SETTLED,
    "access_code.removed_from_device": EventType.SETTLED,
    "access_code.deleted": EventType.SETTLED,
    "access_code.failed_to_remove_from_device": EventType.SETTLED,
    "access_code.modified_external_to_seam": EventType.CHANGED_AT_LOCK,
    "access_code.deleted_external_to_seam": EventType.CHANGED_AT_LOCK,
    "access_code.unmanaged.created": EventType.CHANGED_AT_LOCK,
    "access_code.unmanaged.removed": EventType.CHANGED_AT_LOCK,
    "device.connected": EventType.ONLINE,
    "device.disconnected": EventType.OFFLINE,
    "device.low_battery": EventType.BATTERY_LOW,
    "device.tampered": EventType.TAMPER,
    "device.removed": EventType.REMOVED_FROM_ACCOUNT,
    "device.deleted": EventType.REMOVED_FROM_ACCOUNT,
    "lock.locked": EventType.LOCKED,
    "lock.unlocked": EventType.UNLOCKED,
    "lock.access_denied": EventType.DENIED,
}
KINDS = {"keycode": Kind.DOOR_CODE, "mobile_key": Kind.SMARTKEY, "card": Kind.KEYCARD}
TOO_MANY = "too_many_attempts"


def event(doc: Mapping[str, Any]) -> LockEvent | None:
    """One event in our words; none for a type that we do not use or that concerns no lock.

    Raises KeyError, TypeError or ValueError for what is not the vendor's.
    """
    vendor_type = str(doc["event_type"])
    type_ = TYPES.get(vendor_type)
    if type_ is None or not doc.get("device_id"):
        return None
    reason = doc.get("reason") or {}
    why = str(reason.get("reason_code") or doc.get("method") or "")[:40]
    if why == TOO_MANY:
        type_ = EventType.LOCKED_OUT
    at = moment(doc.get("occurred_at") or doc["created_at"])
    if at is None:
        raise ValueError("An event without a time.")
    battery = doc.get("battery_level")
    used = type_ in {EventType.UNLOCKED, EventType.LOCKED}
    return LockEvent(
        event_id=str(doc["event_id"]),
        lock_ref=str(doc["device_id"]),
        type=type_,
        happened_at=at,
        kind=_kind(doc) if used else None,
        address=str(doc.get("access_code_id") or ""),
        secret=str(doc["code"]) if used and doc.get("code") else None,
        reason=why,
        battery=None if battery is None else round(float(battery) * 100),
        vendor_type=vendor_type[:60],
    )


def _kind(doc: Mapping[str, Any]) -> Kind | None:
    method = str(doc.get("method") or "")
    if method == "remote" and (doc.get("is_via_bluetooth") or doc.get("is_via_nfc")):
        return Kind.SMARTKEY
    return KINDS.get(method)


# The place in the feed.


def key(doc: Mapping[str, Any]) -> tuple[datetime, str]:
    """Where an event stands in the feed: when it was generated, which may be long after it occurred, and its id."""
    at = moment(doc.get("created_at") or doc["occurred_at"])
    if at is None:
        raise ValueError("An event without a time.")
    return at, str(doc["event_id"])


def say_cursor(at: datetime, event_id: str) -> str:
    """A place as text."""
    return f"{at.isoformat()}|{event_id}"


def read_cursor(text: str, *, otherwise: datetime) -> tuple[datetime, str]:
    """The place that a cursor names; another's cursor, or none, means ``otherwise``."""
    at, _, event_id = text.partition("|")
    try:
        found = datetime.fromisoformat(at)
    except ValueError:
        return otherwise, ""
    return (found, event_id) if found.tzinfo else (otherwise, "")


def before(at: datetime) -> datetime:
    """A little earlier: whether the vendor's bounds include themselves is not said, and its times may be rounded."""
    return at - timedelta(milliseconds=2)


def say(at: datetime) -> str:
    """A time as the vendor takes it."""
    return at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


# Webhooks.


def heard(*, secret: str, headers: Mapping[str, str], body: bytes, now_s: float) -> Heard:
    """What a call says, once it is proven to be the vendor's. Raises NotGenuine.

    A genuine call that cannot be read asks for the feed to be read instead.
    """
    _prove(secret=secret, headers=headers, body=body, now_s=now_s)
    try:
        doc = json.loads(body)
        found = event(doc)
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError):
        return Heard(ask=True)
    return Heard(events=() if found is None else (found,))


def _prove(*, secret: str, headers: Mapping[str, str], body: bytes, now_s: float) -> None:
    message, timestamp = headers.get("svix-id", ""), headers.get("svix-timestamp", "")
    if not (secret and message and timestamp.isascii() and timestamp.isdigit()):
        raise NotGenuine
    if len(timestamp) > 12 or abs(int(timestamp) - now_s) > TOLERANCE_S:
        raise NotGenuine
    try:
        key_ = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except ValueError:
        raise NotGenuine from None
    signed = f"{message}.{timestamp}.".encode() + body
    right = base64.b64encode(hmac.new(key_, signed, hashlib.sha256).digest())
    given = [each.partition(",") for each in headers.get("svix-signature", "").split()]
    if not any(
        version == "v1" and hmac.compare_digest(right, each.encode()) for version, _, each in given
    ):
        raise NotGenuine
