"""Everything that can be done to a device from outside: one table that the control API and the page share."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from locks.simulators.seam.records import Device, Faults, Slot
from locks.simulators.seam.words import Silence, flag, invalid
from locks.simulators.seam.world import World

Values = Mapping[str, Any]
LOW_BATTERY = 0.2
LARGEST = 1e9


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """One thing to do. ``fields`` are its values with their defaults; None means that it must be given."""

    label: str
    help: str
    run: Callable[[World, Device, Values], dict[str, Any]]
    fields: Mapping[str, Any]

    def read(self, given: Values) -> dict[str, Any]:
        """The values in the types of their defaults. Raises Refusal for one that is missing, wrong or unknown."""
        unknown = set(given) - set(self.fields)
        if unknown:
            raise invalid(sorted(unknown)[0], f"Unknown: {', '.join(sorted(unknown))}.")
        return {name: _value(name, given, default) for name, default in self.fields.items()}


def _value(name: str, given: Values, default: Any) -> Any:
    value = given.get(name)
    if isinstance(default, bool):
        return flag(given, name, default=default)
    if value is None or value == "":
        if default is None:
            raise invalid(name, f"{name} is missing.")
        return default
    if isinstance(default, (int, float)):
        return number(name, value)
    return str(value)[:100]


def number(name: str, value: Any) -> float:
    """A finite number that is not absurdly large. Raises Refusal."""
    try:
        found = float(value)
    except (TypeError, ValueError):
        found = math.nan
    if not math.isfinite(found) or abs(found) > LARGEST:
        raise invalid(name, f"{name} must be a number.")
    return found


# Whether it can be reached.


def _offline(world: World, device: Device, values: Values) -> dict[str, Any]:
    return _reach(world, device, "The device is offline.", online=False)


def _online(world: World, device: Device, values: Values) -> dict[str, Any]:
    return _reach(world, device, "The device is online.", online=True)


def _hub_offline(world: World, device: Device, values: Values) -> dict[str, Any]:
    return _reach(world, device, "Its hub is offline.", hub_online=False)


def _hub_online(world: World, device: Device, values: Values) -> dict[str, Any]:
    return _reach(world, device, "Its hub is online.", hub_online=True)


def _reach(world: World, device: Device, said: str, **now: bool) -> dict[str, Any]:
    before = device.reachable
    for name, value in now.items():
        setattr(device, name, value)
    world.keep(device)
    if before and not device.reachable:
        world.tell(
            "device.disconnected",
            {"device_id": device.device_id, "error_code": "device_offline"},
            at=world.now(),
        )
    if device.reachable and not before:
        world.tell("device.connected", {"device_id": device.device_id}, at=world.now())
        world.upload(device)
    world.wake()
    return {"said": said}


def _remove(world: World, device: Device, values: Values) -> dict[str, Any]:
    device.removed = True
    world.keep(device)
    world.tell("device.removed", {"device_id": device.device_id}, at=world.now())
    return {"said": "The device is gone from the account."}


# What goes wrong.


def _fault(name: str, said: str) -> Callable[[World, Device, Values], dict[str, Any]]:
    def run(world: World, device: Device, values: Values) -> dict[str, Any]:
        value = values["on"] if "on" in values else int(values["calls"])
        setattr(device.faults, name, value)
        if "silence" in values:
            device.faults.silence = Silence(values["silence"]).value
        device.faults.land_after_s = float(values.get("after_s", device.faults.land_after_s))
        world.keep(device)
        world.wake()
        return {"said": said}

    return run


def _clear(world: World, device: Device, values: Values) -> dict[str, Any]:
    device.faults = Faults()
    world.keep(device)
    world.wake()
    return {"said": "All faults are gone."}


# Hands on the lock.


def _try(world: World, device: Device, values: Values) -> dict[str, Any]:
    now = world.now()
    opened, slot = device.judge(values["code"], now=now)
    about: dict[str, Any] = {"access_code_id": slot.code_id} if slot and slot.code_id else {}
    if opened:
        device.locked = False
        managed = bool(slot and slot.code_id)
        facts = {"method": "keycode", "code": values["code"], "access_code_is_managed": managed}
        world.tell_at(device, "lock.unlocked", **about, **facts)
        return {"said": "It opens.", "opened": True, "name": slot.name if slot else ""}
    reason = "expired_code" if slot else "unknown_code"
    told = {"reason_code": reason, "message": "Access was denied."}
    world.tell_at(device, "lock.access_denied", reason=told, **about)
    return {"said": "It stays shut.", "opened": False, "name": slot.name if slot else ""}


def _named(device: Device, name: str) -> Slot:
    found = next((each for each in device.memory if each.name == name), None)
    if found is None:
        raise invalid("name", "The lock holds no code of that name.")
    return found


def _keypad_change(world: World, device: Device, values: Values) -> dict[str, Any]:
    _named(device, values["name"]).code = values["code"]
    world.keep(device)
    world.wake()
    return {"said": "The code was changed at the keypad."}


def _keypad_delete(world: World, device: Device, values: Values) -> dict[str, Any]:
    device.memory.remove(_named(device, values["name"]))
    world.keep(device)
    world.wake()
    return {"said": "The code was deleted at the keypad."}


def _keypad_add(world: World, device: Device, values: Values) -> dict[str, Any]:
    device.memory.append(Slot(code=values["code"], name="Keypad"))
    world.keep(device)
    world.wake()
    return {"said": "A code was stored at the keypad."}


def _battery(world: World, device: Device, values: Values) -> dict[str, Any]:
    device.battery = values["percent"] / 100
    world.keep(device)
    if device.battery <= LOW_BATTERY:
        world.tell_at(device, "device.low_battery", battery_level=device.battery)
    return {"said": f"The battery is at {values['percent']:g} %."}


def _tamper(world: World, device: Device, values: Values) -> dict[str, Any]:
    world.tell_at(device, "device.tampered")
    return {"said": "Someone tampered with the device."}


CALLS: dict[str, Any] = {"calls": 1}
ON: dict[str, Any] = {"on": False}
REACH = {
    "offline": Action(label="Take offline", help="It goes on opening.", run=_offline, fields={}),
    "online": Action(label="Bring back", help="It tells what happened.", run=_online, fields={}),
    "hub-offline": Action(label="Hub off", help="Its hub is cut off.", run=_hub_offline, fields={}),
    "hub-online": Action(label="Hub on", help="Its hub is back.", run=_hub_online, fields={}),
    "remove": Action(label="Remove", help="Gone from the account.", run=_remove, fields={}),
}
FAULTS = {
    "refuse-set": Action(
        label="Refuse to set",
        help="The lock refuses; the cloud tries again later.",
        run=_fault("refuse_set", "The next codes are refused."),
        fields=CALLS,
    ),
    "refuse-remove": Action(
        label="Refuse to remove",
        help="The code stays; the cloud tries again later.",
        run=_fault("refuse_remove", "The next removals are refused."),
        fields=CALLS,
    ),
    "memory-full": Action(
        label="Memory full",
        help="No room for another code.",
        run=_fault("memory_full", "The memory is set."),
        fields=ON,
    ),
    "duplicates-later": Action(
        label="Duplicates later",
        help="The same code is found at the lock, not at once.",
        run=_fault("duplicates_later", "Duplicates are set."),
        fields=ON,
    ),
    "frozen": Action(
        label="Freeze",
        help="The cloud does nothing on this lock.",
        run=_fault("frozen", "The cloud's work is set."),
        fields=ON,
    ),
    "unlock-never-ends": Action(
        label="Unlock never ends",
        help="Remote openings stay pending.",
        run=_fault("unlock_never_ends", "Remote openings are set."),
        fields=ON,
    ),
    "lose-answer": Action(
        label="Lose answers",
        help="The next writes are done and not answered.",
        run=_fault("lose_answer", "The next answers are lost."),
        fields={**CALLS, "silence": "hang"},
    ),
    "lose-request": Action(
        label="Lose requests",
        help="The next writes are neither done nor answered.",
        run=_fault("lose_request", "The next requests are lost."),
        fields={**CALLS, "silence": "hang"},
    ),
    "land-late": Action(
        label="Land late",
        help="The next writes are not answered and done later.",
        run=_fault("land_late", "The next requests arrive late."),
        fields={**CALLS, "silence": "hang", "after_s": 1.0},
    ),
    "server-error": Action(
        label="Server error",
        help="The next calls about it are answered with a 500.",
        run=_fault("server_error", "The next calls fail."),
        fields=CALLS,
    ),
    "garbage": Action(
        label="Garbage",
        help="The next calls about it are answered with a web page.",
        run=_fault("garbage", "The next answers are garbage."),
        fields=CALLS,
    ),
    "clear": Action(label="Clear faults", help="All is well.", run=_clear, fields={}),
}
HANDS = {
    "try": Action(label="Type a code", help="At the door.", run=_try, fields={"code": None}),
    "keypad-change": Action(
        label="Change at the keypad",
        help="The cloud sets it back, unless it may change.",
        run=_keypad_change,
        fields={"name": None, "code": None},
    ),
    "keypad-delete": Action(
        label="Delete at the keypad",
        help="The cloud sets it again.",
        run=_keypad_delete,
        fields={"name": None},
    ),
    "keypad-add": Action(
        label="Add at the keypad",
        help="The cloud shows it as unmanaged.",
        run=_keypad_add,
        fields={"code": None},
    ),
    "battery": Action(label="Battery", help="In percent.", run=_battery, fields={"percent": 15.0}),
    "tamper": Action(label="Tamper", help="Someone is at it.", run=_tamper, fields={}),
}
ACTIONS: dict[str, Action] = REACH | FAULTS | HANDS
