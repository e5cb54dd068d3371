"""Everything that can be done to a lock or a gateway from outside: one table that HTTP and page share.

A value is read as what its default is: a number, yes or no, or a text.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from locks.simulators.ttlock.lock import Lock
from locks.simulators.ttlock.news import note, notice, upload
from locks.simulators.ttlock.words import Faults, WrongCommand
from locks.simulators.ttlock.world import Entry, Gateway, World

Values = Mapping[str, Any]
CHANGED, DELETED, ADDED, LOCKED_OUT = 5, 6, 93, 48


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """One thing to do. ``run`` answers facts, with one sentence under ``said``."""

    label: str
    run: Callable[[World, Any, Values], dict[str, Any]]
    takes: Mapping[str, Any] = field(default_factory=dict)

    def read(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """All values. Raises WrongCommand for a name that it does not know or a value of another sort."""
        if unknown := set(given) - set(self.takes):
            raise WrongCommand(f"Unknown: {', '.join(sorted(unknown))}.")
        return {name: read_as(name, given.get(name), like) for name, like in self.takes.items()}


def read_as(name: str, given: Any, like: Any) -> Any:
    """A value of the sort of ``like``, which is also what stands for nothing. Raises WrongCommand."""
    if given is None or given == "":
        return like
    if isinstance(like, bool):
        return (
            given if isinstance(given, bool) else str(given).lower() in {"1", "true", "yes", "on"}
        )
    try:
        value = type(like)(given)
    except (TypeError, ValueError):
        raise WrongCommand(f"{name} must be {type(like).__name__}.") from None
    if isinstance(value, str) and (len(value) > 200 or not value.isprintable()):
        raise WrongCommand(f"{name} must be a short text.")
    return value


# Reach.


def _reach(world: World, lock: Lock, *, near: bool) -> None:
    if lock.in_reach != near:
        lock.in_reach, lock.reach_changed_ms = near, world.now_ms()
    world.save_lock(lock)
    notice(world)
    upload(world, lock)


def _offline(world: World, lock: Lock, values: Values) -> dict[str, Any]:
    _reach(world, lock, near=False)
    return {"said": "The lock is out of reach. It goes on opening for what it holds."}


def _online(world: World, lock: Lock, values: Values) -> dict[str, Any]:
    _reach(world, lock, near=True)
    return {"said": "The lock is in reach."}


def _heal(world: World, lock: Lock, values: Values) -> dict[str, Any]:
    lock.faults, lock.battery, lock.drift_ms = Faults(), 100, 0
    lock.frozen = lock.power_saving = False
    lock.wall_offset_ms = lock.raw_offset_ms
    _reach(world, lock, near=True)
    return {"said": "Nothing is wrong with this lock any more. Its memory is as it was."}


# Faults.


def _fault(name: str, label: str, **more: Any) -> Action:
    def run(world: World, lock: Lock, values: Values) -> dict[str, Any]:
        setattr(lock.faults, name, values["calls"])
        for each in more:
            setattr(lock.faults, each, values[each])
        world.save_lock(lock)
        return {"said": f"{label}: the next {values['calls']} call(s)."}

    return Action(label=label, run=run, takes={"calls": 1} | more)


def _set(label: str, said: str, name: str, like: Any, *, scale: int = 1) -> Action:
    """An action that sets one property of a lock."""

    def run(world: World, lock: Lock, values: Values) -> dict[str, Any]:
        [value] = values.values()
        owner = lock.faults if hasattr(lock.faults, name) else lock
        setattr(owner, name, int(value * scale) if scale != 1 else value)
        world.save_lock(lock)
        return {"said": said}

    field_name = name if scale == 1 else name.replace("_ms", "_s")
    return Action(label=label, run=run, takes={field_name: like})


# Hands on the lock.


def try_door(world: World, lock: Lock, values: Values) -> dict[str, Any]:
    """Type a code, or hold a card to the lock: whether it opens, by its own memory and clock."""
    kind, value = values["kind"], values["value"]
    verdict = lock.judge(kind, value, world.now_ms())
    entry = world.book.get(verdict.ref)
    note(
        world,
        lock,
        verdict.record,
        success=verdict.opened,
        name=entry.name if entry else "",
        value=value,
    )
    if kind == "code" and lock.count_try(verdict, world.now_ms()):
        note(world, lock, LOCKED_OUT, success=True)
    world.save_lock(lock)
    said = "It opens." if verdict.opened else f"It stays shut (record {verdict.record})."
    return {"opened": verdict.opened, "record": verdict.record, "said": said}


def _keypad_change(world: World, lock: Lock, values: Values) -> dict[str, Any]:
    held = next((each for each in lock.memory if each.value == values["old"]), None)
    if held is None:
        raise WrongCommand("The lock does not hold that code.")
    held.value = values["value"]
    note(world, lock, CHANGED, success=True, value=values["value"])
    return {"said": "The code was changed at the keypad; the cloud's book knows nothing of it."}


def _keypad_delete(world: World, lock: Lock, values: Values) -> dict[str, Any]:
    lock.forget("code", values["value"])
    note(world, lock, DELETED, success=True, value=values["value"])
    return {"said": "The code was deleted at the keypad; it still stands in the cloud's book."}


def _app_add(world: World, lock: Lock, values: Values) -> dict[str, Any]:
    code = values["value"]
    entry = Entry(id=world.next_number(), kind="code", lock=lock.id, name=code, value=code, type=2)
    lock.add_code(code, ref=entry.id, start_ms=0, end_ms=0)
    world.write(entry)
    note(world, lock, ADDED, success=True, name=code, value=code)
    return {"said": "A code was added with the vendor's app.", "keyboardPwdId": entry.id}


LOCK_ACTIONS: dict[str, Action] = {
    "offline": Action(label="Out of reach", run=_offline),
    "online": Action(label="In reach", run=_online),
    "heal": Action(label="Heal everything", run=_heal),
    "try": Action(label="Try at the door", run=try_door, takes={"kind": "code", "value": ""}),
    "app-add": Action(label="Add with the app", run=_app_add, takes={"value": ""}),
    "keypad-change": Action(
        label="Change at the keypad", run=_keypad_change, takes={"old": "", "value": ""}
    ),
    "keypad-delete": Action(label="Delete at the keypad", run=_keypad_delete, takes={"value": ""}),
    "busy": _fault("busy", "Busy"),
    "refuse": _fault("refuse", "Fail without a reason"),
    "phantom": _fault("phantom", "Say success and do nothing"),
    "lose-request": _fault("lose_request", "Lose the request", hang_s=30.0),
    "lose-answer": _fault("lose_answer", "Lose the answer", hang_s=30.0),
    "land-late": _fault("land_late", "Land late", land_after_s=5.0, hang_s=30.0),
    "garbage": _fault("garbage", "Garbage"),
    "server-error": _fault("server_error", "Server error"),
    "errcode": _set("Answer with errcode", "The next command gets it.", "errcode", 0),
    "slow": _set("Slow", "Each command takes so much longer.", "slow_ms", 3000.0),
    "clock": _set("Set the clock wrong", "The clock is off.", "drift_ms", 0.0, scale=1000),
    "wall-offset": _set("Set the clock in another zone", "Set.", "wall_offset_ms", 0.0, scale=1000),
    "battery": _set("Battery", "Set.", "battery", 10),
    "freeze": _set("Freeze", "Set.", "frozen", True),  # noqa: FBT003 - the value
    "remote-unlock": _set("Remote unlock", "Set.", "remote_unlock", False),  # noqa: FBT003
    "power-saving": _set("Power saving", "Set.", "power_saving", True),  # noqa: FBT003
    "capacity": _set("Places for codes", "Set.", "max_codes", 250),
}


# Gateways.


def _gateway(world: World, gateway: Gateway, *, online: bool) -> dict[str, Any]:
    if gateway.online != online:
        gateway.online, gateway.changed_ms = online, world.now_ms()
    world.save_gateway(gateway)
    notice(world)
    for lock in [each for each in world.locks.values() if each.gateway == gateway.id]:
        upload(world, lock)
    return {"said": f"The gateway is {'online' if online else 'without power'}."}


GATEWAY_ACTIONS: dict[str, Action] = {
    "offline": Action(label="Pull the plug", run=lambda w, g, v: _gateway(w, g, online=False)),
    "online": Action(label="Plug in", run=lambda w, g, v: _gateway(w, g, online=True)),
}
