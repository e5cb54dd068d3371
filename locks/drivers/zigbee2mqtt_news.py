"""From the messages of locks behind Zigbee2MQTT to events. PINs in them go no further.

Actions are the ones of ``lock_operation_event`` and ``lock_programming_event`` in
Koenkk/zigbee-herdsman-converters, ``converters/fromZigbee.ts``. They are told once; everything else is repeated in every
message, so only its changes are events.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from locks.drivers import EventType, Kind, LockEvent
from locks.drivers.zigbee2mqtt_line import Word
from locks.drivers.zigbee2mqtt_words import Bridge, Device, battery_in

OPENINGS = {
    "unlock": "",
    "manual_unlock": "from inside",
    "key_unlock": "by key",
    "schedule_unlock": "by schedule",
}
LOCKINGS = frozenset(
    {"lock", "auto_lock", "manual_lock", "key_lock", "one_touch_lock", "schedule_lock"}
)
DENIALS = {
    "unlock_failure_invalid_pin_or_id": "unknown_code",
    "unlock_failure_invalid_schedule": "outside_window",
    "non_access_user_operational_event": "blocked",
}
PROGRAMMING = frozenset(
    {
        "master_code_changed",
        "pin_code_added",
        "pin_code_changed",
        "pin_code_deleted",
        "rfid_code_added",
        "rfid_code_deleted",
    }
)
KINDS = {"keypad": Kind.DOOR_CODE, "rfid": Kind.KEYCARD}
BY_RADIO = "rf"
LEAVES = {
    "open": EventType.OPENED,
    "closed": EventType.CLOSED,
    "error_forced_open": EventType.FORCED,
    "error_jammed": EventType.JAMMED,
}
MILLISECONDS = 10**11  # a time in seconds is smaller than this for some thousand years


@dataclass(slots=True)
class News:
    """What was heard last of each lock, so that repetition is told from change. Ends with the driver."""

    _reach: dict[str, bool] = field(default_factory=dict)
    _leaf: dict[str, str] = field(default_factory=dict)
    _low: dict[str, bool] = field(default_factory=dict)
    _locks: dict[str, Device] = field(default_factory=dict)

    def hear(
        self, word: Word, *, bridge: Bridge, reachable: Mapping[str, bool], now: datetime
    ) -> tuple[LockEvent, ...]:
        """The events of one word; ``bridge`` and ``reachable`` are as they are after it."""
        locks = bridge.locks or {}
        events: list[LockEvent] = []
        if word.topic == "bridge/devices":
            events += self._gone(locks, now)
        if word.topic in ("bridge/state", "bridge/devices") or word.topic.endswith("/availability"):
            events += self._moved(locks.values(), bridge=bridge, reachable=reachable, now=now)
        device = next((each for each in locks.values() if each.name == word.topic), None)
        if device is not None and isinstance(word.doc, dict):
            events += self._said(device, word.doc, now)
        return tuple(events)

    def _gone(self, locks: Mapping[str, Device], now: datetime) -> list[LockEvent]:
        gone = [device for ref, device in self._locks.items() if ref not in locks]
        self._locks = dict(locks)
        for device in gone:
            self._reach.pop(device.ref, None)
        return [_event(device, EventType.REMOVED_FROM_ACCOUNT, now) for device in gone]

    def _moved(
        self,
        devices: Iterable[Device],
        *,
        bridge: Bridge,
        reachable: Mapping[str, bool],
        now: datetime,
    ) -> list[LockEvent]:
        """A lock is online only if both the bridge and its availability say so: after the bridge stops, the latter stays."""
        events = []
        for device in devices:
            own = reachable.get(device.name)
            if bridge.online is None or (bridge.online and own is None):
                continue
            is_online = bool(bridge.online and own)
            if self._reach.get(device.ref) is not is_online:
                self._reach[device.ref] = is_online
                kind = EventType.ONLINE if is_online else EventType.OFFLINE
                reason = "" if bridge.online else "gateway"
                events.append(_event(device, kind, now, reason=reason))
        return events

    def _said(self, device: Device, doc: Mapping[str, Any], now: datetime) -> list[LockEvent]:
        at = _last_seen(doc.get("last_seen")) or now
        battery = battery_in(doc)
        events = []
        action = doc.get("action")
        if isinstance(action, str) and (done := _action(device, action, doc, at, battery)):
            events.append(done)
        leaf, low = doc.get("door_state"), doc.get("battery_low")
        if isinstance(leaf, str):
            was = self._leaf.get(device.ref)
            self._leaf[device.ref] = leaf
            if was is not None and was != leaf and leaf in LEAVES:
                events.append(_event(device, LEAVES[leaf], at, vendor_type=leaf, battery=battery))
        if isinstance(low, bool):
            was_low = self._low.get(device.ref, False)
            self._low[device.ref] = low
            if low and not was_low:
                events.append(_event(device, EventType.BATTERY_LOW, at, battery=battery))
        return events


def _action(
    device: Device, action: str, doc: Mapping[str, Any], at: datetime, battery: int | None
) -> LockEvent | None:
    """One action in our words, None for one that says nothing. Programming by radio is our own write, early or late."""
    source = str(doc.get("action_source_name") or "")
    kind, reason = KINDS.get(source), ""
    if action in OPENINGS:
        event = EventType.UNLOCKED
        reason = OPENINGS[action] or _by(source)
    elif action in LOCKINGS:
        event = EventType.LOCKED
        reason = _by(source)
    elif action in DENIALS:
        event, reason = EventType.DENIED, DENIALS[action]
    elif action in PROGRAMMING:
        event = EventType.SETTLED if source == BY_RADIO else EventType.CHANGED_AT_LOCK
        kind = Kind.KEYCARD if action.startswith("rfid") else Kind.DOOR_CODE
    else:
        return None
    user = doc.get("action_user")
    address = str(user) if isinstance(user, int) and not isinstance(user, bool) else ""
    return _event(
        device,
        event,
        at,
        vendor_type=action,
        kind=kind,
        address=address,
        reason=reason,
        battery=battery,
    )


def _by(source: str) -> str:
    return {BY_RADIO: "remote", "manual": "from inside", "fingerprint": "fingerprint"}.get(
        source, ""
    )


def _event(
    device: Device,
    event: EventType,
    at: datetime,
    *,
    vendor_type: str = "",
    address: str = "",
    **more: Any,
) -> LockEvent:
    """An event with an id made of what is told: Zigbee2MQTT gives none. A message that comes twice with its own time is one."""
    told = "|".join((device.ref, event, vendor_type, address, at.isoformat()))
    return LockEvent(
        event_id=hashlib.sha256(told.encode()).hexdigest()[:24],
        lock_ref=device.ref,
        type=event,
        happened_at=at,
        vendor_type=vendor_type,
        address=address,
        **more,
    )


def _last_seen(told: Any) -> datetime | None:
    """When the lock spoke, as the option ``last_seen`` adds it: ISO 8601, or milliseconds since 1970."""
    try:
        if isinstance(told, str):
            moment = datetime.fromisoformat(told)
            return moment.astimezone(UTC) if moment.tzinfo else None
        if isinstance(told, int | float) and told > MILLISECONDS:
            return datetime.fromtimestamp(told / 1000, UTC)
    except (ValueError, OverflowError, OSError):
        pass
    return None
