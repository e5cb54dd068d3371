"""What Zigbee2MQTT says, in our words. Pure: documents in, facts and events out, and no PIN goes further than a comparison.

Facts are those of Zigbee2MQTT 2.14.1 (https://www.zigbee2mqtt.io/guide/usage/mqtt_topics_and_messages.html) and of the
converters that it runs (Koenkk/zigbee-herdsman-converters, ``converters/fromZigbee.ts`` and ``toZigbee.ts``).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from locks.drivers import Cause, Found, Kind, LockError, Retry, Scope

# The ZCL's defaults of MinPINCodeLength and MaxPINCodeLength; the bridge shows no lock's own.
CODE_MIN, CODE_MAX = 4, 8
# ``pinCodeCount`` of the converters' definitions, which the bridge does not publish: per vendor the smallest.
# The lock's own memory may be smaller still; a place that it does not have is refused in silence.
PLACES = {
    "Danalock": 20,
    "Datek": 109,
    "Heimgard Technologies": 39,
    "Kwikset": 30,
    "Onesti Products AS": 1000,
    "ShinaSystem": 4,
    "Schlage": 30,
    "Weiser": 30,
    "Yale": 100,
}
FEWEST_PLACES = 20
TEXT_LIMIT = 200
READABLE = 0b100  # of ``access`` in a device's exposes

FAILED = re.compile(
    r"Publish '(?P<verb>set|get)' '(?P<what>\w+)' to '(?P<name>.+?)' failed: '(?P<text>.*)'",
    re.DOTALL,
)
# What the converter ``pincode_lock`` throws before anything goes on the air. Any other error may come after that.
OUT_OF_RANGE = re.compile(r"Error: (user|userId) must be in range for device")
MALFORMED = re.compile(
    r"Error: (user must be numbers|pinCode must be a number|pin_code is not a object.*)", re.DOTALL
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """A lock as the bridge lists it. ``ref`` is its address for ever, ``name`` is the topic it has now."""

    ref: str
    name: str
    vendor: str = ""
    model: str = ""

    @property
    def places(self) -> int:
        """How many places it is asked for, from 0 on."""
        return PLACES.get(self.vendor, FEWEST_PLACES)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bridge:
    """What the bridge says of itself and its locks; None is what it has not said yet."""

    online: bool | None = None
    ref: str = ""
    locks: Mapping[str, Device] | None = None
    shows_pins: frozenset[str] | None = None

    @property
    def is_known(self) -> bool:
        """Whether it has said all that it keeps ready for whoever subscribes."""
        return None not in (self.online, self.locks, self.shows_pins)


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One place of a lock as a message shows it. ``pin`` counts only where the device shows its PINs."""

    status: str
    pin: str = field(default="", repr=False)

    @property
    def is_taken(self) -> bool:
        """Whether something lies there, be it switched off."""
        return self.status != "available"

    @property
    def is_enabled(self) -> bool:
        """Whether what lies there opens the door."""
        return self.status == "enabled"


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A command that the bridge could not carry out. ``text`` may hold a PIN."""

    verb: str
    what: str
    name: str
    text: str = field(repr=False)

    @property
    def is_out_of_range(self) -> bool:
        """Whether the definition of the device has no such place."""
        return OUT_OF_RANGE.fullmatch(self.text) is not None

    @property
    def is_malformed(self) -> bool:
        """Whether the bridge did not understand, and so sent nothing."""
        return self.is_out_of_range or MALFORMED.fullmatch(self.text) is not None


def document(payload: bytes | str) -> Any:
    """What a payload says, None for what is not JSON."""
    try:
        return json.loads(payload)
    except (ValueError, RecursionError):
        return None


def is_online(doc: Any) -> bool | None:
    """What ``bridge/state`` or a lock's ``availability`` says."""
    state = doc.get("state") if isinstance(doc, dict) else doc
    return {"online": True, "offline": False}.get(state) if isinstance(state, str) else None


def told_devices(bridge: Bridge, doc: Any) -> Bridge:
    """The bridge with the locks of ``bridge/devices``: those that have a state and PINs, and that it supports."""
    if not isinstance(doc, list):
        return bridge
    rows = [row for row in doc if isinstance(row, dict) and row.get("ieee_address")]
    locks = [_device(row) for row in rows if not row.get("disabled") and _is_lock(row)]
    ref = next((str(row["ieee_address"]) for row in rows if row.get("type") == "Coordinator"), "")
    return Bridge(
        online=bridge.online,
        ref=ref,
        locks={lock.ref: lock for lock in locks},
        shows_pins=bridge.shows_pins,
    )


def _device(row: Mapping[str, Any]) -> Device:
    definition = row["definition"]
    return Device(
        ref=str(row["ieee_address"]),
        name=str(row.get("friendly_name") or row["ieee_address"]),
        vendor=str(definition.get("vendor", "")),
        model=str(definition.get("model", "")),
    )


def _is_lock(row: Mapping[str, Any]) -> bool:
    definition = row.get("definition")
    exposes = definition.get("exposes") if isinstance(definition, dict) else None
    if not isinstance(exposes, list):
        return False
    known = [each for each in exposes if isinstance(each, dict)]
    pins = [each for each in known if each.get("property") == "pin_code"]
    return any(each.get("type") == "lock" for each in known) and any(
        int(each.get("access") or 0) & READABLE for each in pins
    )


def told_info(bridge: Bridge, doc: Any) -> Bridge:
    """The bridge with the option ``expose_pin`` of ``bridge/info``: what a message keeps from before it was off proves nothing."""
    config = doc.get("config") if isinstance(doc, dict) else None
    if not isinstance(config, dict):
        return bridge
    devices = config.get("devices")
    by_default = bool((config.get("device_options") or {}).get("expose_pin"))
    options = devices.items() if isinstance(devices, dict) else ()
    shown = {
        ref for ref, own in options if isinstance(own, dict) and own.get("expose_pin", by_default)
    }
    return Bridge(
        online=bridge.online, ref=bridge.ref, locks=bridge.locks, shows_pins=frozenset(shown)
    )


def place_in(doc: Any, place: int) -> Seen | None:
    """That place in a lock's message, None where the message does not show it."""
    users = doc.get("users") if isinstance(doc, dict) else None
    user = users.get(str(place)) if isinstance(users, dict) else None
    if not isinstance(user, dict) or not isinstance(user.get("status"), str):
        return None
    return Seen(status=user["status"], pin=str(user.get("pin_code") or ""))


def failure_in(doc: Any) -> Failure | None:
    """The failed command of a line of ``bridge/logging``, None for any other line."""
    if not isinstance(doc, dict) or doc.get("level") != "error":
        return None
    found = FAILED.search(str(doc.get("message", "")))
    return Failure(**found.groupdict()) if found else None


def battery_in(doc: Any) -> int | None:
    """Percent, as the lock's last report had it."""
    level = doc.get("battery") if isinstance(doc, dict) else None
    return round(level) if isinstance(level, int | float) and 0 <= level <= 100 else None


def found(device: Device, *, bridge: Bridge) -> Found:
    """The lock as discovery shows it. The bridge is its gateway; nothing it knows has a window of its own."""
    return Found(
        external_id=device.ref,
        name=device.name,
        model=f"{device.vendor} {device.model}".strip(),
        gateway=bridge.ref,
        kinds=(Kind.DOOR_CODE,),
        native_window=False,
        code_min=CODE_MIN,
        code_max=CODE_MAX,
        max_codes=device.places,
        first_slot=0,
    )


def cleaned(text: str) -> str:
    """The bridge's words without anything that could be a PIN, and not too many of them."""
    return re.sub(r"\d{3,}", "***", text)[:TEXT_LIMIT]


def error(cause: Cause, retry: Retry, scope: Scope, *, code: str = "", text: str = "") -> LockError:
    """An error in our words."""
    return LockError(
        cause=cause, retry=retry, scope=scope, vendor_code=code, vendor_text=cleaned(text)
    )


BRIDGE_OFFLINE = error(
    Cause.GATEWAY_UNREACHABLE,
    Retry.WHEN_ONLINE,
    Scope.GATEWAY,
    code="bridge_offline",
    text="Zigbee2MQTT is not running, or has another base topic.",
)
LOCK_OFFLINE = error(
    Cause.LOCK_UNREACHABLE,
    Retry.WHEN_ONLINE,
    Scope.LOCK,
    code="offline",
    text="Zigbee2MQTT says that the lock is offline.",
)
NO_WORD_OF_LOCK = error(
    Cause.LOCK_UNREACHABLE,
    Retry.WHEN_ONLINE,
    Scope.LOCK,
    code="no_availability",
    text="Zigbee2MQTT does not say whether the lock is online: its option availability must be on.",
)
NO_ANSWER = error(
    Cause.LOCK_UNREACHABLE,
    Retry.WHEN_ONLINE,
    Scope.LOCK,
    code="no_answer",
    text="The lock did not answer when one of its places was read.",
)
NOT_PROVEN = error(
    Cause.UNEXPLAINED,
    Retry.SOON,
    Scope.CREDENTIAL,
    code="not_proven",
    text="Read back, the lock does not show what was written. Such locks give no reason.",
)
NO_SUCH_LOCK = error(Cause.LOCK_REMOVED, Retry.NEVER, Scope.LOCK, code="not_in_bridge")
NO_SUCH_PLACE = error(Cause.BAD_REQUEST, Retry.NEVER, Scope.CREDENTIAL, code="no_such_place")
NOT_SENT = error(Cause.VENDOR_UNREACHABLE, Retry.SOON, Scope.ACCOUNT, code="not_sent")
BUSY = error(Cause.BUSY, Retry.SOON, Scope.LOCK, code="busy")
UNSUPPORTED = error(Cause.UNSUPPORTED, Retry.NEVER, Scope.CREDENTIAL, code="unsupported")
INVALID_CODE = error(Cause.INVALID_CODE, Retry.AFTER_CHANGE, Scope.CREDENTIAL, code="invalid_code")
INVALID_WINDOW = error(
    Cause.INVALID_WINDOW, Retry.AFTER_CHANGE, Scope.CREDENTIAL, code="invalid_window"
)
