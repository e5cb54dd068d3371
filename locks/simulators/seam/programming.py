"""How the cloud makes locks hold what its book declares: when, with which errors, and what it sets back."""

from __future__ import annotations

import asyncio
import contextlib
from datetime import datetime, timedelta
from uuid import uuid4

from locks.simulators.seam.records import Attempt, Code, Device, Slot
from locks.simulators.seam.words import say_time
from locks.simulators.seam.world import World

TRY_AGAIN = timedelta(seconds=30)
DELAYED_AFTER = timedelta(seconds=60)
# The cloud does not try these again until the declaration changes. Python SDK, resources/access_code.py
GIVEN_UP = {"code_constraints_violated"}
SET_ERRORS = {
    "failed_to_set_on_device",
    "duplicate_code_on_device",
    "no_space_for_access_code_on_device",
    "code_constraints_violated",
}
MESSAGES = {
    "failed_to_set_on_device": "Failed to set the code on the device.",
    "failed_to_remove_from_device": "Failed to remove the code from the device. It may still open.",
    "duplicate_code_on_device": "Another code on this device has the same value.",
    "no_space_for_access_code_on_device": "The device has no space for another code.",
    "code_constraints_violated": "The code breaks the constraints of the device.",
}


async def run(world: World) -> None:
    """Do what is due until cancelled. Looks often, for time goes on at whatever speed."""
    while True:
        world.news.clear()
        step(world)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(0.02):
                await world.news.wait()


def step(world: World) -> None:
    """Everything that is due now, once."""
    now = world.now()
    for device in list(world.devices.values()):
        if device.removed:
            continue
        _notice_hands(world, device)
        for code in world.codes_of(device):
            if code.managed and not device.faults.frozen:
                _follow(world, device, code, now)
    for attempt in list(world.attempts.values()):
        _end_attempt(world, attempt, now)


# One entry of the book.


def _follow(world: World, device: Device, code: Code, now: datetime) -> None:
    if code.is_over(now):
        _take_off(world, device, code, now)
        return
    if code.set_as == code.declared():
        _start(world, device, code, now)
        return
    if _defer(world, device, code, now):
        return
    if code.set_as is None:
        _pend(world, code, "creating")
    if not device.reachable:
        _delay(world, code, now, "setting_on")
    elif not code.given_up and now >= code.due_at:
        _write(world, device, code, now)


def _defer(world: World, device: Device, code: Code, now: datetime) -> bool:
    """Whether its start is still too far away for the lock; when it no longer is, the writing begins."""
    at = code.program_at(device)
    if at is not None and now < at:
        if code.set_as is None:
            _pend(world, code, "deferring_creation", scheduled_at=say_time(at))
            return True
        if not code.native(device):
            _take_back(world, device, code)
            return True
    if code.pending.pop("deferring_creation", None):
        code.asked_at = now
        _again(world, code, now + timedelta(seconds=device.latency_s))
    return False


def _pend(world: World, code: Code, mutation: str, **facts: str) -> None:
    if mutation not in code.pending:
        code.pending[mutation] = {"created_at": say_time(world.now()), **facts}
        world.keep(code)


def _again(world: World, code: Code, at: datetime) -> None:
    code.due_at = at
    world.keep(code)


def _write(world: World, device: Device, code: Code, now: datetime) -> None:
    error = _verdict(device, code)
    if error:
        device.faults.refuse_set -= device.faults.refuse_set > 0
        world.keep(device)
        _fail(world, code, error, "failed_to_set_on_device", now)
        return
    native = code.native(device)
    slot = device.slot_of(code.code_id)
    if slot is None:
        slot = Slot(code=code.code, name=code.name, code_id=code.code_id)
        device.memory.append(slot)
    slot.code, slot.name = code.code, code.name
    slot.starts_at = code.starts_at if native else None
    slot.ends_at = code.ends_at if native else None
    code.set_as = code.declared()
    code.pending, code.errors, code.given_up, code.delayed = {}, {}, False, False
    code.warnings.pop("delay_in_setting_on_device", None)
    code.started = not native or code.starts_at is None or now >= code.starts_at
    world.keep(device)
    world.keep(code)
    world.tell_of(code, "set_on_device" if code.started else "scheduled_on_device", code=code.code)


def _verdict(device: Device, code: Code) -> str:
    """Why the lock does not take it, or nothing."""
    others = [each for each in device.memory if each.code_id != code.code_id]
    if device.faults.refuse_set:
        return "failed_to_set_on_device"
    if device.violates(code.code):
        return "code_constraints_violated"
    if any(each.code == code.code for each in others):
        return "duplicate_code_on_device"
    is_new = device.slot_of(code.code_id) is None
    if is_new and (device.faults.memory_full or len(others) >= device.max_codes):
        return "no_space_for_access_code_on_device"
    return ""


def _fail(world: World, code: Code, error: str, event: str, now: datetime) -> None:
    is_new = error not in code.errors
    code.errors = {error: {"created_at": say_time(now), "message": MESSAGES[error]}}
    code.given_up = error in GIVEN_UP
    _again(world, code, now + TRY_AGAIN)
    if is_new:
        told = [{"error_code": error, **code.errors[error]}]
        world.tell_of(code, event, access_code_errors=told)


def _delay(world: World, code: Code, now: datetime, what: str) -> None:
    if not code.delayed and now - code.asked_at >= DELAYED_AFTER:
        code.delayed = True
        code.warnings[f"delay_in_{what}_device"] = {
            "created_at": say_time(now),
            "message": "There was an unusually long delay.",
        }
        world.keep(code)
        world.tell_of(code, f"delay_in_{what}_device")


def _take_back(world: World, device: Device, code: Code) -> None:
    """A code without a window of its own must not open before its start has come near again."""
    slot = device.slot_of(code.code_id)
    if slot is not None and device.reachable:
        device.memory.remove(slot)
        world.keep(device)
    if device.slot_of(code.code_id) is None:
        code.set_as, code.pending = None, {}
        world.keep(code)
        world.tell_of(code, "removed_from_device")


def _start(world: World, device: Device, code: Code, now: datetime) -> None:
    """A code that the lock keeps by itself begins to open."""
    if not code.started and code.starts_at is not None and now >= code.starts_at:
        code.started = True
        world.keep(code)
        world.tell_of(code, "set_on_device", code=code.code)


def _take_off(world: World, device: Device, code: Code, now: datetime) -> None:
    if "deleting" not in code.pending:
        code.pending = {"deleting": {"created_at": say_time(now)}}
        code.errors, code.asked_at, code.delayed = {}, now, False
        _again(world, code, now + timedelta(seconds=device.latency_s))
        return
    slot = device.slot_of(code.code_id)
    if slot is None and code.set_as is None:
        _gone(world, code)
        return
    if not device.reachable:
        _delay(world, code, now, "removing_from")
    elif now >= code.due_at:
        _remove(world, device, code, slot, now)


def _remove(world: World, device: Device, code: Code, slot: Slot | None, now: datetime) -> None:
    if device.faults.refuse_remove:
        device.faults.refuse_remove -= 1
        world.keep(device)
        error = "failed_to_remove_from_device"
        _fail(world, code, error, error, now)
        return
    if slot is not None:
        device.memory.remove(slot)
        world.keep(device)
    world.tell_of(code, "removed_from_device")
    _gone(world, code)


def _gone(world: World, code: Code) -> None:
    world.forget_code(code)
    world.tell_of(code, "deleted", code=None)


# Hands on the lock.


def _notice_hands(world: World, device: Device) -> None:
    """What someone did at the keypad: the cloud sees it when it reaches the lock."""
    if not device.reachable:
        return
    for code in world.codes_of(device):
        if not code.managed:
            if not any(each.code_id == code.code_id for each in device.memory):
                world.forget_code(code)
                world.tell_of(code, "unmanaged.removed")
        elif code.set_as is not None and not code.is_over(world.now()):
            _compare(world, device, code)
    for slot in device.memory:
        if not slot.code_id:
            _take_in(world, device, slot)


def _compare(world: World, device: Device, code: Code) -> None:
    slot = device.slot_of(code.code_id)
    if code.set_as is None or (slot is not None and slot.code == code.set_as["code"]):
        return
    if slot is None:
        code.set_as = None
        world.tell_of(code, "deleted_external_to_seam")
    else:
        code.set_as = code.set_as | {"code": slot.code}
        world.tell_of(code, "modified_external_to_seam")
        if code.may_change:
            code.code = slot.code
            message = "The code was changed outside of Seam, which is allowed."
            facts = {"created_at": say_time(world.now()), "message": message}
            code.warnings["external_modification_in_effect"] = facts
        else:
            change = {"from": {"code": slot.code}, "to": {"code": code.code}}
            code.pending["updating_code"] = {"created_at": say_time(world.now()), **change}
    code.asked_at = world.now()
    _again(world, code, world.now() + timedelta(seconds=device.latency_s))


def _take_in(world: World, device: Device, slot: Slot) -> None:
    now = world.now()
    code = Code(
        code_id=str(uuid4()),
        device_id=device.device_id,
        name=slot.name,
        code=slot.code,
        created_at=now,
        managed=False,
        due_at=now,
        asked_at=now,
    )
    code.set_as = code.declared()
    slot.code_id = code.code_id
    world.keep(device)
    world.keep(code)
    world.tell_of(code, "unmanaged.created")


# Remote openings.


def _end_attempt(world: World, attempt: Attempt, now: datetime) -> None:
    device = world.devices.get(attempt.device_id)
    if attempt.status != "pending" or now < attempt.due_at or device is None:
        return
    if device.faults.unlock_never_ends:
        return
    if device.reachable:
        attempt.status = "success"
        device.locked = attempt.action == "lock_door"
        world.keep(device)
        done = "locked" if device.locked else "unlocked"
        about = {"method": "remote", "action_attempt_id": attempt.attempt_id}
        world.tell_at(device, f"lock.{done}", **about)
    else:
        attempt.status = "error"
        attempt.error = {"type": "device_offline", "message": "The device is offline."}
    world.keep(attempt)
    ending = "succeeded" if attempt.status == "success" else "failed"
    about = {"action_attempt_id": attempt.attempt_id, "device_id": device.device_id}
    world.tell(f"action_attempt.{attempt.action}.{ending}", about, at=now)
