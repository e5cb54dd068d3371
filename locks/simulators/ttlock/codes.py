"""Passcodes of the cloud API: custom and random ones, in the book and on the lock.

TTLock documents, cloud/passcode/add, get, update and list, and userGuide/passcodeEn. ``addType`` 1, the default, only
writes into the book: the cloud believes that an app has written the lock over Bluetooth.
"""

from __future__ import annotations

import secrets
from dataclasses import replace
from typing import Any

from locks.simulators.ttlock.access import Asked
from locks.simulators.ttlock.lock import DAY_MS, HOUR_MS, Algorithmic, Lock, check_code
from locks.simulators.ttlock.news import note
from locks.simulators.ttlock.radio import command
from locks.simulators.ttlock.words import Err, Refusal
from locks.simulators.ttlock.world import Entry, Token, World

Json = dict[str, Any]
PERMANENT, PERIOD = 2, 3
BY_PHONE, BY_GATEWAY = 1, 2
CODE_ADDED = 93
LONGEST_RANDOM_MS = 366 * DAY_MS


async def add(world: World, asked: Asked, token: Token) -> Json:
    """keyboardPwd/add: a custom passcode."""
    lock = asked.lock(world)
    entry = _read_entry(world, asked, lock, token)
    if entry.value in {each.value for each in world.entries(lock.id, "code")}:
        raise Refusal(Err.SAME_PASSCODE)
    if _way(asked, "addType") == BY_PHONE:
        return _in_book(world, entry)

    def work() -> Json:
        lock.add_code(entry.value, ref=entry.id, start_ms=entry.start_ms, end_ms=entry.end_ms)
        answer = _in_book(world, entry)
        note(world, lock, CODE_ADDED, success=True, name=entry.name, value=entry.value)
        return answer

    return await command(world, lock, work, in_book=lambda: _in_book(world, entry))


def _read_entry(world: World, asked: Asked, lock: Lock, token: Token) -> Entry:
    code, type_ = asked.text("keyboardPwd"), asked.whole("keyboardPwdType", PERIOD)
    if lock.passcode_version != 4:
        raise Refusal(Err.OLD_PASSCODES)
    check_code(code)
    start, end = (asked.whole("startDate"), asked.whole("endDate")) if type_ == PERIOD else (0, 0)
    if type_ not in {PERMANENT, PERIOD} or (type_ == PERIOD and end <= start):
        raise Refusal(Err.INVALID_PARAMETER)
    return Entry(
        id=world.next_number(), kind="code", lock=lock.id, value=code, type=type_,
        name=asked.text("keyboardPwdName", default=code), start_ms=start, end_ms=end,
        sent_ms=world.now_ms(), sender=token.username,
    )  # fmt: skip


def _in_book(world: World, entry: Entry) -> Json:
    world.write(entry)
    return {"keyboardPwdId": entry.id}


def _way(asked: Asked, name: str) -> int:
    """How a write travels. NB-IoT and sleeping WiFi locks are not built here."""
    way = asked.whole(name, BY_PHONE)
    if way not in {BY_PHONE, BY_GATEWAY}:
        raise Refusal(Err.NOT_SUPPORTED)
    return way


async def get(world: World, asked: Asked, token: Token) -> Json:
    """keyboardPwd/get: a random passcode, by an algorithm that cloud and lock share; whole hours, a year at most."""
    lock = asked.lock(world)
    start, end = (asked.whole(name) for name in ("startDate", "endDate"))
    start, end = start - start % HOUR_MS, end - end % HOUR_MS
    window = f"{lock.id} {start} {end}"
    if window in world.spent_windows:
        raise Refusal(Err.WINDOW_USED_UP)
    if asked.whole("keyboardPwdType") != PERIOD or not start < end <= start + LONGEST_RANDOM_MS:
        raise Refusal(Err.INVALID_PARAMETER)
    known = [e for e in world.entries(lock.id, "code") if not e.custom]
    entry = next((e for e in known if (e.start_ms, e.end_ms) == (start, end)), None)
    if entry is None:
        entry = Entry(
            id=world.next_number(), kind="code", lock=lock.id, value=_drawn(lock), custom=False,
            name=asked.text("keyboardPwdName", default=""), start_ms=start, end_ms=end,
            sent_ms=world.now_ms(), sender=token.username,
        )  # fmt: skip
        world.write(entry)
        lock.algorithm.append(
            Algorithmic(value=entry.value, ref=entry.id, start_ms=start, end_ms=end)
        )
        world.save_lock(lock)
    return {"keyboardPwdId": entry.id, "keyboardPwd": entry.value}


def _drawn(lock: Lock) -> str:
    taken = {each.value for each in lock.memory} | {each.value for each in lock.algorithm}
    while (code := f"{1_000_000 + secrets.randbelow(9_000_000)}") in taken:
        pass
    return code


async def change(world: World, asked: Asked, token: Token) -> Json:
    """keyboardPwd/change: a new passcode, new times, or both. Only one of the two times has no effect, and succeeds."""
    lock = asked.lock(world)
    entry = _entry(world, asked, lock)
    both = bool(asked.values.get("startDate")) and bool(asked.values.get("endDate"))
    wanted = replace(
        entry,
        value=asked.text("newKeyboardPwd", default=entry.value),
        name=asked.text("keyboardPwdName", default=entry.name),
        start_ms=asked.whole("startDate") if both else entry.start_ms,
        end_ms=asked.whole("endDate") if both else entry.end_ms,
    )
    if both and wanted.end_ms <= wanted.start_ms:
        raise Refusal(Err.INVALID_PARAMETER)
    if _way(asked, "changeType") == BY_PHONE:
        return _changed(world, wanted)

    def work() -> Json:
        lock.change_code(entry.value, wanted.value, start_ms=wanted.start_ms, end_ms=wanted.end_ms)
        return _changed(world, wanted)

    if wanted == entry and not both:
        return Refusal(Err.OK).body()
    return await command(world, lock, work, in_book=lambda: _changed(world, wanted))


def _changed(world: World, entry: Entry) -> Json:
    world.write(entry)
    return Refusal(Err.OK).body()


async def delete(world: World, asked: Asked, token: Token) -> Json:
    """keyboardPwd/delete: off the lock and out of the book. One that the lock does not hold is gone, too [chosen]."""
    lock = asked.lock(world)
    return await _delete(world, asked, lock, _entry(world, asked, lock))


async def delete_by_code(world: World, asked: Asked, token: Token) -> Json:
    """keyboardPwd/deleteByCode: the same, by the passcode itself."""
    lock = asked.lock(world)
    code = asked.text("keyboardPwd")
    found = next((e for e in world.entries(lock.id, "code") if e.value == code), None)
    if found is None:
        raise Refusal(Err.NO_PASSCODE)
    return await _delete(world, asked, lock, found)


async def _delete(world: World, asked: Asked, lock: Lock, entry: Entry) -> Json:
    def in_book() -> Json:
        world.strike(entry)
        if not entry.custom:
            world.spent_windows.add(f"{lock.id} {entry.start_ms} {entry.end_ms}")
            world.set("spent_windows", sorted(world.spent_windows))
        return Refusal(Err.OK).body()

    def work() -> Json:
        lock.forget("code", entry.value)
        return in_book()

    if _way(asked, "deleteType") == BY_PHONE:
        return in_book()
    return await command(world, lock, work, in_book=in_book)


def _entry(world: World, asked: Asked, lock: Lock) -> Entry:
    entry = world.book.get(asked.whole("keyboardPwdId"))
    if entry is None or (entry.kind, entry.lock) != ("code", lock.id):
        raise Refusal(Err.NO_PASSCODE)
    if not entry.custom and not any(k.ref == entry.id and k.used for k in lock.algorithm):
        raise Refusal(Err.NEVER_USED)
    return entry


async def list_codes(world: World, asked: Asked, token: Token) -> Json:
    """lock/listKeyboardPwd: the book, not the lock; ``searchStr`` is a whole passcode or a part of a name."""
    lock, word = asked.lock(world), asked.text("searchStr", default="")
    found = [
        entry
        for entry in world.entries(lock.id, "code")
        if not word or word == entry.value or word.lower() in entry.name.lower()
    ]
    by_age = asked.whole("orderBy", 1) == 1
    found.sort(key=lambda e: -e.id if by_age else e.name)
    return asked.page([_shown(entry) for entry in found])


def _shown(entry: Entry) -> Json:
    return {
        "keyboardPwdId": entry.id, "lockId": entry.lock, "keyboardPwd": entry.value,
        "keyboardPwdName": entry.name, "keyboardPwdType": entry.type, "startDate": entry.start_ms,
        "endDate": entry.end_ms, "sendDate": entry.sent_ms, "isCustom": int(entry.custom),
        "senderUsername": entry.sender,
    }  # fmt: skip
