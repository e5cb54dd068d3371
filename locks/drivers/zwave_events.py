"""What a Z-Wave JS server tells, in our words. It gives neither numbers nor times: both are made here.

Numbers of notifications are those of zwave-js (``packages/core/src/registries/Notifications.ts``). PURE.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, NamedTuple

from locks.drivers import EventType, Kind, LockEvent

ECHO_S = 3.0
"""So long the news of a changed place waits for the word that the server itself changed it, and so long after it counts."""
LOW_BATTERY = 20
"""Percent. Few locks use the sign for "low" of their class; most count down to a sudden end."""
NOTIFICATION, BATTERY = 113, 128
ACCESS_CONTROL, HOME_SECURITY = 6, 7
ALL_DELETED, ONE_DELETED, ONE_ADDED = 12, 13, 14
WRITTEN = {"credential added", "credential modified", "credential deleted"}


class Meaning(NamedTuple):
    """An event type of ours, how or why it came, and with what."""

    type: EventType
    reason: str = ""
    kind: Kind | None = None


UNLOCKED, LOCKED, DENIED = EventType.UNLOCKED, EventType.LOCKED, EventType.DENIED
JAMMED, CHANGED, CODE = EventType.JAMMED, EventType.CHANGED_AT_LOCK, Kind.DOOR_CODE
ACCESS: dict[int, Meaning] = {
    1: Meaning(LOCKED, "manual"),
    2: Meaning(UNLOCKED, "manual"),
    3: Meaning(LOCKED, "remote"),
    4: Meaning(UNLOCKED, "remote"),
    5: Meaning(LOCKED, "keypad", CODE),
    6: Meaning(UNLOCKED, "keypad", CODE),
    7: Meaning(JAMMED, "manual"),
    8: Meaning(JAMMED, "remote"),
    9: Meaning(LOCKED, "automatic"),
    10: Meaning(JAMMED, "automatic"),
    11: Meaning(JAMMED),
    ALL_DELETED: Meaning(CHANGED, "all_deleted"),
    ONE_DELETED: Meaning(CHANGED, "deleted"),
    ONE_ADDED: Meaning(CHANGED, "added"),
    16: Meaning(EventType.LOCKED_OUT),
    20: Meaning(DENIED, "unknown_code", CODE),
    21: Meaning(DENIED, "unknown_code", CODE),
    22: Meaning(EventType.OPENED),
    23: Meaning(EventType.CLOSED),
    33: Meaning(LOCKED, "keypad", CODE),
    34: Meaning(UNLOCKED, "keypad", CODE),
    35: Meaning(LOCKED, "credential"),
    36: Meaning(UNLOCKED, "credential"),
    47: Meaning(DENIED, "disabled"),
    48: Meaning(DENIED, "outside_window"),
    49: Meaning(DENIED, "incomplete"),
    50: Meaning(DENIED, "unknown_code"),
    51: Meaning(DENIED, "blocked"),
}
SECURITY: dict[int, Meaning] = {
    3: Meaning(EventType.TAMPER, "cover"),
    4: Meaning(EventType.TAMPER, "invalid_code"),
    9: Meaning(EventType.TAMPER, "moved"),
}
MEANINGS = {ACCESS_CONTROL: ACCESS, HOME_SECURITY: SECURITY}
# Notifications that are states come as changed values; the door's are told twice by some locks, the second time as "simple".
STATES = {
    ("Access Control", "Lock state"): ACCESS_CONTROL,
    ("Access Control", "Door state"): ACCESS_CONTROL,
    ("Access Control", "Keypad state"): ACCESS_CONTROL,
    ("Home Security", "Cover status"): HOME_SECURITY,
}
REACH = {"dead": EventType.OFFLINE, "alive": EventType.ONLINE}


def lock_name(home_id: int, node: int) -> str:
    """How Portal names a lock: a node number alone would name another lock in another network."""
    return f"{home_id}-{node}"


class Ear:
    """Turns the server's events into ours, one line's after another.

    A lock that says "a code was added" does not say by whom. What the server itself wrote is told by the server as
    well, before or after, and is no change at the lock.
    """

    def __init__(
        self, home_id: int, nodes: Mapping[int, Mapping[str, Any]], *, echo_s: float = ECHO_S
    ) -> None:
        self._home_id, self._echo_s = home_id, echo_s
        self._batteries = {number: _battery_of(node) for number, node in nodes.items()}
        self._written: dict[tuple[int, str], float] = {}
        self._waiting: list[tuple[float, LockEvent, int]] = []

    def hear(self, event: Mapping[str, Any], *, now: datetime, clock: float) -> list[LockEvent]:
        """What can be told at once. ``now`` is when it was heard, aware UTC; ``clock`` the same in ever growing seconds."""
        node = _node_of(event)
        said = event.get("args")
        said = said if isinstance(said, dict) else {}
        if event.get("event") in WRITTEN:
            self._was_written(node, str(said.get("credentialSlot", "")), clock)
            return []
        meaning, vendor_type = self._meaning(node, event, said)
        if meaning is None:
            return []
        told = self._event(node, meaning, said, now, vendor_type)
        if meaning.type is not CHANGED:
            return [told]
        written_at = self._written.get((node, told.address))
        if written_at is None or clock - written_at >= self._echo_s:
            self._waiting.append((clock + self._echo_s, told, node))
        return []

    def due(self, *, clock: float) -> list[LockEvent]:
        """Changes that nobody here made."""
        over = [told for until, told, _ in self._waiting if until <= clock]
        self._waiting = [each for each in self._waiting if each[0] > clock]
        return over

    def next_due(self) -> float | None:
        """When to ask for these again, on the same clock; none while there are none."""
        return min((until for until, _, _ in self._waiting), default=None)

    def _was_written(self, node: int, slot: str, clock: float) -> None:
        self._written[node, slot] = clock
        self._waiting = [
            each for each in self._waiting if (each[2], each[1].address) != (node, slot)
        ]

    def _meaning(
        self, node: int, event: Mapping[str, Any], said: Mapping[str, Any]
    ) -> tuple[Meaning | None, str]:
        name = str(event.get("event", ""))
        if event.get("source") == "controller":
            gone = name == "node removed"
            return (Meaning(EventType.REMOVED_FROM_ACCOUNT) if gone else None), name
        if name in REACH:
            return Meaning(REACH[name]), name
        if name == "notification":
            kind, number = said.get("type"), said.get("event")
            return MEANINGS.get(kind or 0, {}).get(number or 0), f"{kind}/{number}"
        if name in {"value updated", "value added"}:
            return self._changed_value(node, said)
        return None, name

    def _changed_value(self, node: int, said: Mapping[str, Any]) -> tuple[Meaning | None, str]:
        new, what = said.get("newValue"), said.get("property")
        is_news = new != said.get("prevValue")
        if said.get("commandClass") == BATTERY:
            is_low = what == "isLow" and new is True and is_news
            if what == "level" and isinstance(new, int):
                before, self._batteries[node] = self._batteries.get(node), new
                is_low = new <= LOW_BATTERY < (100 if before is None else before)
            return (Meaning(EventType.BATTERY_LOW) if is_low else None), "battery"
        kind = STATES.get((str(what), str(said.get("propertyKey"))))
        if said.get("commandClass") != NOTIFICATION or kind is None or not is_news:
            return None, ""
        return MEANINGS[kind].get(new if isinstance(new, int) else 0), f"{kind}/{new}"

    def _event(
        self, node: int, meaning: Meaning, said: Mapping[str, Any], now: datetime, vendor_type: str
    ) -> LockEvent:
        parameters = said.get("parameters")
        user = parameters.get("userId") if isinstance(parameters, dict) else None
        told = LockEvent(
            event_id="",
            lock_ref=lock_name(self._home_id, node),
            type=meaning.type,
            happened_at=now,
            kind=meaning.kind,
            address=str(user) if isinstance(user, int) and user > 0 else "",
            reason=meaning.reason,
            battery=self._batteries.get(node),
            vendor_type=vendor_type,
        )
        return replace(told, event_id=_identity(told))


def _identity(told: LockEvent) -> str:
    """From who, what and when; never from a code."""
    words = (told.lock_ref, told.vendor_type, told.address, told.happened_at.isoformat())
    return hashlib.sha256("|".join(words).encode()).hexdigest()[:32]


def _node_of(event: Mapping[str, Any]) -> int:
    node = event.get("nodeId")
    if node is None and isinstance(event.get("node"), dict):
        node = event["node"].get("nodeId")
    return node if isinstance(node, int) else 0


def _battery_of(node: Mapping[str, Any]) -> int | None:
    for value in node.get("values", ()):
        if (value.get("commandClass"), value.get("property")) == (BATTERY, "level"):
            level = value.get("value")
            return level if isinstance(level, int) else None
    return None
