"""How the vendor API shows devices, access codes and action attempts."""

from __future__ import annotations

from typing import Any

from locks.simulators.seam.programming import SET_ERRORS
from locks.simulators.seam.records import Attempt, Code, Device
from locks.simulators.seam.words import say_time
from locks.simulators.seam.world import ACCOUNT, WORKSPACE, World

LOW_BATTERY = 0.2


def device_doc(world: World, device: Device) -> dict[str, Any]:
    """A lock with what it can do and what is wrong with it."""
    return {
        "device_id": device.device_id,
        "device_type": f"{device.brand}_lock",
        "display_name": device.name,
        "nickname": device.name,
        "workspace_id": WORKSPACE,
        "connected_account_id": ACCOUNT,
        "created_at": say_time(device.created_at),
        "is_managed": True,
        "capabilities_supported": ["access_code", "lock", "battery"],
        "can_remotely_unlock": True,
        "can_remotely_lock": True,
        "can_program_online_access_codes": True,
        "can_unlock_with_code": True,
        "properties": {
            "name": device.name,
            "online": device.online and device.hub_online,
            "locked": device.locked,
            "manufacturer": device.brand,
            "model": {
                "display_name": f"{device.brand.title()} lock",
                "manufacturer_display_name": device.brand.title(),
            },
            "battery_level": device.battery,
            "battery": {"level": device.battery, "status": _battery_word(device.battery)},
            "supported_code_lengths": device.code_lengths,
            "max_active_codes_supported": device.max_codes,
            "code_constraints": [{"constraint_type": each} for each in device.constraints],
            "appearance": {"name": device.name},
        },
        "errors": device_errors(world, device),
        "warnings": [],
        "custom_metadata": {},
    }


def _battery_word(level: float) -> str:
    if level <= LOW_BATTERY / 2:
        return "critical"
    return "low" if level <= LOW_BATTERY else "good" if level < 1 else "full"


def device_errors(world: World, device: Device) -> list[dict[str, Any]]:
    """What is wrong with a device or the account behind it; its access codes show the same."""
    told = [
        (not world.account_connected, "account_disconnected", "The account was disconnected."),
        (not device.hub_online, "hub_disconnected", "The hub of the device is disconnected."),
        (not device.online, "device_offline", "The device is offline."),
        (device.removed, "device_removed", "The device was removed."),
    ]
    created_at = say_time(world.now())
    return [
        {
            "error_code": code,
            "message": message,
            "created_at": created_at,
            "is_device_error": code != "account_disconnected",
        }
        for wrong, code, message in told
        if wrong
    ]


def code_doc(world: World, code: Code) -> dict[str, Any]:
    """An entry of the book. ``status`` is the deprecated word, the rest is what to decide by."""
    device = world.devices[code.device_id]
    own = [
        {"error_code": name, "is_access_code_error": True, **facts}
        for name, facts in code.errors.items()
    ]
    timed = code.starts_at is not None
    doc = {
        "access_code_id": code.code_id,
        "device_id": code.device_id,
        "workspace_id": WORKSPACE,
        "name": code.name,
        "code": code.code,
        "type": "time_bound" if timed else "ongoing",
        "status": _status(world, code),
        "created_at": say_time(code.created_at),
        "is_managed": code.managed,
        "errors": [*own, *device_errors(world, device)],
        "warnings": [{"warning_code": n, **facts} for n, facts in code.warnings.items()],
    }
    if code.starts_at is not None and code.ends_at is not None:
        doc |= {"starts_at": say_time(code.starts_at), "ends_at": say_time(code.ends_at)}
    return doc if not code.managed else doc | _managed(world, code, device)


def _managed(world: World, code: Code, device: Device) -> dict[str, Any]:
    return {
        "pending_mutations": [
            {"mutation_code": name, "message": f"Seam is {name.replace('_', ' ')}.", **facts}
            for name, facts in code.pending.items()
        ],
        "display_status": _status(world, code).title(),
        "is_scheduled_on_device": code.set_as is not None and not code.started,
        "is_external_modification_allowed": code.may_change,
        "is_backup": False,
        "is_backup_access_code_available": False,
        "is_offline_access_code": False,
        "is_one_time_use": False,
        "is_waiting_for_code_assignment": False,
        "common_code_key": None,
        "pulled_backup_access_code_id": None,
    }


def _status(world: World, code: Code) -> str:
    if code.deleting or "deleting" in code.pending:
        return "removing"
    if code.set_as is None:
        waits = "deferring_creation" in code.pending or bool(SET_ERRORS & set(code.errors))
        return "unset" if waits else "setting"
    if not code.started and code.managed:
        return "unset"
    return "setting" if code.pending else "set"


def attempt_doc(attempt: Attempt) -> dict[str, Any]:
    """A remote opening: pending, or how it ended."""
    done = attempt.status == "success"
    return {
        "action_attempt_id": attempt.attempt_id,
        "action_type": attempt.action.upper(),
        "status": attempt.status,
        "result": {"was_confirmed_by_device": True} if done else None,
        "error": attempt.error,
    }
