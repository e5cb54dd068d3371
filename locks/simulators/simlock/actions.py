"""Everything that can be done to a lock or a gateway from outside: one table that HTTP, page and command line share."""

from __future__ import annotations

import secrets
from typing import Any

from locks.simulators.simlock.fields import Action, Field, FieldType, Values
from locks.simulators.simlock.lock import Credential, Lock
from locks.simulators.simlock.words import (
    Code,
    EventType,
    Fate,
    Faults,
    Kind,
    Refusal,
    Silence,
    Source,
)
from locks.simulators.simlock.world import Gateway, World

LOW_BATTERY = 20
WRONG_CLOCK_S = 60

# Reachability.


def _lock_offline(world: World, lock: Lock, values: Values) -> dict[str, Any]:
    was_online, lock.online = lock.online, False
    if was_online and lock.signals and not values["silent"]:
        lock.seen_online = False
        world.report(lock, EventType.OFFLINE, by_lock=False)
    world.store.save_lock(lock)
    return {"said": "The lock is offline. It goes on opening for what it holds."}


def _lock_online(world: World, lock: Lock, values: Values) -> dict[str, Any]:
    was_offline, lock.online = not lock.online, True
    if world.reaches(lock) and lock.signals and not values["silent"]:
        _signal_back(world, lock, reason="", news=was_offline or not lock.seen_online)
    world.store.save_lock(lock)
    world.land_waiting(lock)
    return {"said": "The lock is online."}


def _signal_back(world: World, lock: Lock, *, reason: str, news: bool) -> None:
    lock.seen_online = True
    world.store.save_lock(lock)
    if news:
        world.report(lock, EventType.ONLINE, by_lock=False, reason=reason)
    world.upload(lock)


def _gateway_offline(world: World, gateway: Gateway, values: Values) -> dict[str, Any]:
    was_online, gateway.online = gateway.online, False
    if was_online and not values["silent"]:
        gateway.seen_online = False
        for lock in _behind(world, gateway):
            if lock.signals and lock.online:
                world.report(lock, EventType.OFFLINE, by_lock=False, reason="gateway")
    world.save_gateway(gateway)
    return {"said": "The gateway is offline, and so are the locks behind it."}


def _gateway_online(world: World, gateway: Gateway, values: Values) -> dict[str, Any]:
    was_offline, gateway.online = not gateway.online, True
    signaled = not values["silent"]
    gateway.seen_online = gateway.seen_online or signaled
    world.save_gateway(gateway)
    for lock in _behind(world, gateway):
        if lock.online and lock.signals and signaled:
            _signal_back(world, lock, reason="gateway", news=was_offline)
        world.land_waiting(lock)
    return {"said": "The gateway is online."}


def _behind(world: World, gateway: Gateway) -> list[Lock]:
    return [lock for lock in world.locks.values() if lock.gateway == gateway.id]


def _gateway_busy(world: World, gateway: Gateway, values: Values) -> dict[str, Any]:
    gateway.busy = values["calls"]
    world.save_gateway(gateway)
    return {"said": _how_often("The gateway answers busy", values["calls"])}


def _gateway_slow(world: World, gateway: Gateway, values: Values) -> dict[str, Any]:
    gateway.slow_ms = values["ms"]
    world.save_gateway(gateway)
    return {"said": f"Each command through this gateway takes {values['ms']:g} ms."}


# Faults.


def _how_often(what: str, calls: int) -> str:
    if calls < 0:
        return f"{what} until this is cleared."
    return f"{what} for the next {calls} call(s)." if calls else f"No longer: {what.lower()}."


def _fault(fate: Fate, label: str, what: str, *more: Field) -> Action[Lock]:
    """An action that arms one counted fault, and sets what goes with it."""

    def run(world: World, lock: Lock, values: Values) -> dict[str, Any]:
        setattr(lock.faults, fate.value, values["calls"])
        for field in more:
            value = values[field.name]
            setattr(lock.faults, field.name, Silence(value) if field.name == "silence" else value)
        world.store.save_lock(lock)
        return {"said": _how_often(what, values["calls"])}

    name = fate.value.replace("_", "-")
    return Action(name=name, label=label, help=f"{what}.", run=run, fields=(_CALLS, *more))


def _slow(world: World, lock: Lock, values: Values) -> dict[str, Any]:
    lock.faults.slow_ms = values["ms"]
    world.store.save_lock(lock)
    return {"said": f"Each command to this lock takes {values['ms']:g} ms."}


def _memory_full(world: World, lock: Lock, values: Values) -> dict[str, Any]:
    lock.faults.memory_full = values["on"]
    world.store.save_lock(lock)
    return {
        "said": "The memory takes nothing new." if values["on"] else "The memory has room again."
    }


def _heal(world: World, lock: Lock, values: Values) -> dict[str, Any]:
    lock.faults = Faults()
    lock.battery = 100
    lock.clock_offset_s = 0.0
    _lock_online(world, lock, {"silent": False})
    return {"said": "Nothing is wrong with this lock any more. Its memory is as it was."}


def _clock(world: World, lock: Lock, values: Values) -> dict[str, Any]:
    lock.clock_offset_s = values["offset_s"]
    world.store.save_lock(lock)
    if abs(lock.clock_offset_s) >= WRONG_CLOCK_S:
        world.report(lock, EventType.CLOCK_WRONG, clock_offset_s=lock.clock_offset_s)
    return {"said": f"The clock of the lock is off by {lock.clock_offset_s:+g} s."}


def _battery(world: World, lock: Lock, values: Values) -> dict[str, Any]:
    lock.battery = min(max(values["percent"], 0), 100)
    world.store.save_lock(lock)
    if lock.battery <= LOW_BATTERY:
        world.report(lock, EventType.BATTERY_LOW, battery=lock.battery)
    return {"said": f"The battery is at {lock.battery} %."}


# At the door.


def _keypad_change(world: World, lock: Lock, values: Values) -> dict[str, Any]:
    held = _held(lock, values["handle"])
    held.value = values["value"]
    world.store.save_credential(lock.id, held)
    _changed(world, lock, held, "code_changed")
    return {"said": "The code was changed at the keypad."}


def _keypad_delete(world: World, lock: Lock, values: Values) -> dict[str, Any]:
    held = _held(lock, values["handle"])
    del lock.memory[held.handle]
    world.store.delete_credential(lock.id, held.handle)
    _changed(world, lock, held, "code_deleted")
    return {"said": "The code was deleted at the keypad."}


def _keypad_add(world: World, lock: Lock, values: Values) -> dict[str, Any]:
    handle = f"keypad-{secrets.token_hex(4)}"
    held = Credential(
        handle=handle, kind=Kind.DOOR_CODE, value=values["value"], source=Source.KEYPAD
    )
    lock.memory[handle] = held
    world.store.save_credential(lock.id, held)
    _changed(world, lock, held, "code_added")
    return {"said": "A code that the cloud never wrote was typed in.", "handle": handle}


def _held(lock: Lock, handle: str) -> Credential:
    try:
        return lock.memory[handle]
    except KeyError:
        raise Refusal(Code.BAD_REQUEST, "The lock holds nothing under that handle.") from None


def _changed(world: World, lock: Lock, held: Credential, reason: str) -> None:
    world.report(lock, EventType.CHANGED_AT_LOCK, kind=held.kind, handle=held.handle, reason=reason)


def _try(world: World, lock: Lock, values: Values) -> dict[str, Any]:
    kind, value = Kind(values["kind"]), values["value"]
    judgment = lock.judge(kind, value, now=world.now())
    world.report(
        lock,
        EventType.UNLOCKED if judgment.opened else EventType.DENIED,
        kind=kind,
        value=value,
        handle=judgment.handle or None,
        reason=judgment.reason,
    )
    return {
        "opened": judgment.opened,
        "reason": judgment.reason,
        "handle": judgment.handle,
        "lock_time": lock.clock(world.now()).isoformat().replace("+00:00", "Z"),
        "said": REASONS[judgment.reason],
    }


REASONS = {
    "matched": "It opens.",
    "always_opens": "It opens; this lock keeps no times for it.",
    "unknown": "It stays shut: the lock does not know this.",
    "not_yet_valid": "It stays shut: by the lock's clock it is too early.",
    "expired": "It stays shut: by the lock's clock it is over.",
    "unsupported_kind": "It stays shut: this lock does not take that kind.",
}

_CALLS = Field(name="calls", type=FieldType.INT, default=1)
_SILENT = Field(name="silent", type=FieldType.BOOL, default=False)
_SILENCE = Field(name="silence", type=FieldType.TEXT, default="hang", choices=tuple(Silence))
_HANG = Field(name="hang_s", type=FieldType.FLOAT, default=30.0)
_HANDLE = Field(name="handle", type=FieldType.TEXT)
_VALUE = Field(name="value", type=FieldType.TEXT)
_MS = Field(name="ms", type=FieldType.FLOAT, default=3000.0)
_AFTER = Field(name="land_after_s", type=FieldType.FLOAT, default=5.0)
_WAIT = Field(name="retry_after_s", type=FieldType.FLOAT, default=2.0)
_ON = Field(name="on", type=FieldType.BOOL, default=True)
_OFFSET = Field(name="offset_s", type=FieldType.FLOAT)
_PERCENT = Field(name="percent", type=FieldType.INT, default=10)
_KIND = Field(name="kind", type=FieldType.TEXT, default="door_code", choices=tuple(Kind))

TRY: Action[Lock] = Action(
    name="try",
    label="Try at the door",
    help="Type a code or hold a SmartKey to the lock.",
    run=_try,
    fields=(_KIND, _VALUE),
)

REACH: tuple[Action[Lock], ...] = (
    Action(
        name="offline",
        label="Offline",
        help="Commands cannot reach the lock; it goes on opening. Without a signal, the cloud does not notice.",
        run=_lock_offline,
        fields=(_SILENT,),
    ),
    Action(
        name="online",
        label="Online",
        help="Commands reach it again. Without a signal, the cloud finds out at the next command only.",
        run=_lock_online,
        fields=(_SILENT,),
    ),
    Action(
        name="heal",
        label="Heal everything",
        help="Online, no faults, the right time, a full battery. The memory stays.",
        run=_heal,
    ),
)
FAULTS: tuple[Action[Lock], ...] = (
    _fault(Fate.BUSY, "Busy", "The lock answers busy"),
    Action(
        name="slow",
        label="Slow",
        help="Each command takes this long; 0 ends it.",
        run=_slow,
        fields=(_MS,),
    ),
    _fault(
        Fate.LOSE_ACK, "Lose the answer", "Writes are done, the answer is lost", _SILENCE, _HANG
    ),
    _fault(Fate.LOSE_REQUEST, "Lose the request", "Writes are lost on the way", _SILENCE, _HANG),
    _fault(Fate.LAND_LATE, "Land late", "Writes arrive late, unanswered", _AFTER, _SILENCE, _HANG),
    _fault(Fate.DROP_WRITE, "Drop the write", "Writes are answered and not done"),
    Action(
        name="memory-full",
        label="Memory full",
        help="New credentials find no room; the ones it holds can still be changed.",
        run=_memory_full,
        fields=(_ON,),
    ),
    _fault(Fate.DUPLICATE, "Duplicate", "The lock says that the code is taken"),
    _fault(Fate.REFUSE, "Refuse", "The lock refuses without a reason"),
    _fault(Fate.RATE_LIMIT, "Rate limit", "The cloud says too many calls", _WAIT),
    _fault(Fate.SERVER_ERROR, "Server error", "The cloud fails with an error 500"),
    _fault(Fate.GARBAGE, "Garbage", "The cloud answers with a web page"),
)
HANDS: tuple[Action[Lock], ...] = (
    Action(
        name="keypad-change",
        label="Change a code",
        help="As someone with the programming code would.",
        run=_keypad_change,
        fields=(_HANDLE, _VALUE),
    ),
    Action(
        name="keypad-delete",
        label="Delete a code",
        help="As someone with the programming code would.",
        run=_keypad_delete,
        fields=(_HANDLE,),
    ),
    Action(
        name="keypad-add",
        label="Type in a foreign code",
        help="A code that the cloud never wrote, without times.",
        run=_keypad_add,
        fields=(_VALUE,),
    ),
    Action(
        name="clock",
        label="Set the clock wrong",
        help="Seconds ahead, or behind with a minus. The lock judges times by it.",
        run=_clock,
        fields=(_OFFSET,),
    ),
    Action(
        name="battery",
        label="Battery",
        help="At 20 percent or less the lock reports it.",
        run=_battery,
        fields=(_PERCENT,),
    ),
)
LOCK_ACTIONS = {action.name: action for action in (*REACH, *FAULTS, *HANDS, TRY)}

GATEWAY_ACTIONS: dict[str, Action[Gateway]] = {
    action.name: action
    for action in (
        Action(
            name="offline",
            label="Offline",
            help="All locks behind it are out of reach.",
            run=_gateway_offline,
            fields=(_SILENT,),
        ),
        Action(
            name="online",
            label="Online",
            help="The locks behind it are in reach again.",
            run=_gateway_online,
            fields=(_SILENT,),
        ),
        Action(
            name="busy",
            label="Busy",
            help="The gateway answers busy.",
            run=_gateway_busy,
            fields=(_CALLS,),
        ),
        Action(
            name="slow",
            label="Slow",
            help="Each command through it takes this long; 0 ends it.",
            run=_gateway_slow,
            fields=(_MS,),
        ),
    )
}
