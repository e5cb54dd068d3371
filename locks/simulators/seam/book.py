"""The calls about access codes: what is declared, and what is refused at once."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from uuid import uuid4

from locks.simulators.seam.bodies import code_doc
from locks.simulators.seam.records import Code, Device
from locks.simulators.seam.words import Refusal, flag, invalid, not_found, read_time, say_time
from locks.simulators.seam.world import World

Given = Mapping[str, Any]
MOST_IN_A_PAGE = 500


def create(world: World, given: Given) -> dict[str, Any]:
    """/access_codes/create: taken into the book; the lock gets it later."""
    device = world.device(given.get("device_id"))
    starts_at, ends_at = _window(world, given)
    text = _code_text(given, device)
    _require_unique(world, device, text, but="")
    world.spend(device, "create")
    now = world.now()
    code = Code(
        code_id=str(uuid4()),
        device_id=device.device_id,
        name=str(given.get("name") or f"Code {len(world.codes) + 1}"),
        code=text,
        created_at=now,
        starts_at=starts_at,
        ends_at=ends_at,
        may_change=_may_change(given),
        wants_native=flag(given, "prefer_native_scheduling", default=True),
        due_at=now + timedelta(seconds=device.latency_s),
        asked_at=now,
    )
    at = code.program_at(device)
    later = at is not None and now < at
    facts = {"scheduled_at": say_time(at)} if at is not None and later else {}
    code.pending["deferring_creation" if later else "creating"] = {
        "created_at": say_time(now),
        **facts,
    }
    world.keep(code)
    world.tell_of(code, "created")
    world.wake()
    return {"access_code": code_doc(world, code)}


def _may_change(given: Given) -> bool:
    names = ("allow_external_modification", "is_external_modification_allowed")
    return any(flag(given, name) for name in names)


def _code_text(given: Given, device: Device) -> str:
    text = given.get("code")
    if text is None:
        return _drawn(device)
    if not isinstance(text, str) or not text or len(text) > 20:
        raise invalid("code", "code must be a text of 1 to 20 characters.")
    return text


def _drawn(device: Device) -> str:
    taken = {slot.code for slot in device.memory}
    length = device.code_lengths[0]
    for number in range(7, 10**length, 37):
        text = str((number * 7919) % 10**length).zfill(length)
        if text not in taken and not device.violates(text):
            return text
    raise Refusal("no_code_available", "No code could be drawn.")


def _window(world: World, given: Given, old: Code | None = None) -> tuple[Any, Any]:
    starts_at = read_time(given.get("starts_at"), field="starts_at")
    ends_at = read_time(given.get("ends_at"), field="ends_at")
    if old is not None:
        starts_at, ends_at = starts_at or old.starts_at, ends_at or old.ends_at
    if (starts_at is None) != (ends_at is None):
        raise invalid("ends_at" if ends_at is None else "starts_at", "Give both times or neither.")
    if starts_at is not None and ends_at is not None:
        if ends_at <= starts_at:
            raise invalid("ends_at", "ends_at must be after starts_at.")
        if ends_at <= world.now():
            raise invalid("ends_at", "ends_at must be in the future.")
    return starts_at, ends_at


def _require_unique(world: World, device: Device, text: str, *, but: str) -> None:
    if device.faults.duplicates_later:
        return
    others = [each for each in world.codes_of(device) if each.code_id != but]
    if any(each.code == text for each in others if each.managed):
        message = "Another access code on this device has the same code."
        raise Refusal("duplicate_access_code", message, status=409)


def update(world: World, given: Given) -> dict[str, Any]:
    """/access_codes/update: a new declaration. Answers nothing."""
    code = world.code(given.get("access_code_id"))
    device = world.device(code.device_id)
    if code.is_over(world.now()):
        raise Refusal("access_code_being_deleted", "The access code is being deleted.", status=409)
    starts_at, ends_at = _window(world, given, code)
    if given.get("type") == "ongoing":
        starts_at = ends_at = None
    text = _code_text(given, device) if given.get("code") is not None else code.code
    _require_unique(world, device, text, but=code.code_id)
    world.spend(device, "update")
    before = code.declared()
    code.code, code.starts_at, code.ends_at = text, starts_at, ends_at
    code.name = str(given.get("name") or code.name)
    if any(name in given for name in ("allow_external_modification",)):
        code.may_change = _may_change(given)
    _ask_again(world, device, code, before)
    return {}


def _ask_again(world: World, device: Device, code: Code, before: dict[str, Any]) -> None:
    """What an update puts under way. Errors of the declaration before it are gone."""
    now = world.now()
    code.errors, code.given_up, code.delayed, code.asked_at = {}, False, False, now
    code.due_at = now + timedelta(seconds=device.latency_s)
    is_set = code.set_as or {}
    if is_set and is_set["code"] != code.code:
        change = {"from": {"code": is_set["code"]}, "to": {"code": code.code}}
        code.pending["updating_code"] = {"created_at": say_time(now), **change}
    if is_set and (is_set["starts_at"], is_set["ends_at"]) != (code.starts_at, code.ends_at):
        change = {"from": _frame(is_set), "to": _frame(code.declared())}
        code.pending["updating_time_frame"] = {"created_at": say_time(now), **change}
    if code.set_as == code.declared():
        code.pending.clear()
    world.keep(code)
    if before != code.declared():
        world.tell_of(code, "changed")
    world.wake()


def _frame(declared: dict[str, Any]) -> dict[str, str | None]:
    names = ("starts_at", "ends_at")
    return {each: say_time(declared[each]) if declared[each] else None for each in names}


def delete(world: World, given: Given) -> dict[str, Any]:
    """/access_codes/delete: it leaves the book when it has left the lock. Answers nothing."""
    code = world.code(given.get("access_code_id"))
    device = world.device(code.device_id)
    world.spend(device, "delete")
    code.deleting = True
    world.keep(code)
    world.wake()
    return {}


def get(world: World, given: Given) -> dict[str, Any]:
    """/access_codes/get by id, or by device and code."""
    if given.get("access_code_id"):
        return {"access_code": code_doc(world, world.code(given["access_code_id"]))}
    device = world.device(given.get("device_id"))
    for code in world.codes_of(device):
        if code.managed and code.code == given.get("code"):
            return {"access_code": code_doc(world, code)}
    raise not_found("access_code")


def list_codes(world: World, given: Given, *, managed: bool = True) -> dict[str, Any]:
    """/access_codes/list by device, or by ids; a page at a time."""
    ids = given.get("access_code_ids")
    if not given.get("device_id") and not ids:
        raise invalid("device_id", "Give device_id or access_code_ids.")
    if given.get("device_id"):
        found = world.codes_of(world.device(given["device_id"]))
    else:
        wanted = [ids] if isinstance(ids, str) else list(ids or [])
        found = [world.codes[each] for each in wanted if each in world.codes]
    word = str(given.get("search") or "").lower()
    shown = [
        each
        for each in found
        if each.managed is managed
        and (not ids or each.code_id in ids)
        and word in f"{each.name} {each.code} {each.code_id}".lower()
    ]
    page, pagination = paged(shown, given, path="/access_codes/list")
    return {"access_codes": [code_doc(world, each) for each in page], "pagination": pagination}


def delete_unmanaged(world: World, given: Given) -> dict[str, Any]:
    """/access_codes/unmanaged/delete: taken off the lock, which must be reachable."""
    code = world.code(given.get("access_code_id"), managed=False)
    device = world.device(code.device_id)
    world.spend(device, "delete")
    slot = device.slot_of(code.code_id)
    if slot is not None and device.reachable:
        device.memory.remove(slot)
        world.keep(device)
    world.wake()
    return {}


def paged(found: list[Any], given: Given, *, path: str) -> tuple[list[Any], dict[str, Any]]:
    """One page of a list, and where to go on."""
    try:
        limit = min(MOST_IN_A_PAGE, max(1, int(float(given.get("limit") or MOST_IN_A_PAGE))))
        start = int(given.get("page_cursor") or 0)
    except ValueError:
        raise invalid("limit", "limit must be a number, page_cursor one of ours.") from None
    page = found[start : start + limit]
    more = start + limit < len(found)
    cursor = str(start + limit) if more else None
    url = f"{path}?page_cursor={cursor}" if more else None
    return page, {"has_next_page": more, "next_page_cursor": cursor, "next_page_url": url}
