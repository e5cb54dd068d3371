"""Locks, gateways and records of the cloud API.

TTLock documents, en/cloud/gateway/listByLock, adjustLockDatetime and unlock, cloud/lockRecord/list. What is shown of a
gateway or WiFi lock is what the cloud believes; it notices a loss 30 or 15 minutes late.
"""

from __future__ import annotations

from typing import Any

from locks.simulators.ttlock.access import Asked
from locks.simulators.ttlock.keys import know_receiver
from locks.simulators.ttlock.lock import DAY_MS, Lock
from locks.simulators.ttlock.news import note, wifi_seen
from locks.simulators.ttlock.radio import command
from locks.simulators.ttlock.words import Err, Refusal
from locks.simulators.ttlock.world import Gateway, Token, World

Json = dict[str, Any]
BY_GATEWAY = 2
REMOTE = 28
KEPT_RECORDS_MS = 183 * DAY_MS
STRONG_RSSI = -62


async def list_locks(world: World, asked: Asked, token: Token) -> Json:
    """lock/list: the locks of the account."""
    word = asked.text("lockAlias", default="").lower()
    shown = [_shown(lock) for lock in world.locks.values() if word in lock.alias.lower()]
    return asked.page(shown)


async def detail(world: World, asked: Asked, token: Token) -> Json:
    """lock/detail: one lock; with the super passcode in it, which nobody should keep."""
    lock = asked.lock(world)
    return _shown(lock) | {
        "noKeyPwd": f"{(lock.id * 7_919) % 10_000_000:07d}", "isFrozen": 1 if lock.frozen else 2,
        "autoLockTime": 5, "passageMode": 2, "modelNum": "SN9206_PV53", "hardwareRevision": "1.4",
    }  # fmt: skip


def _shown(lock: Lock) -> Json:
    return {
        "lockId": lock.id, "lockName": lock.name, "lockAlias": lock.alias, "lockMac": lock.mac,
        "electricQuantity": lock.battery, "featureValue": f"{lock.features:X}",
        "timezoneRawOffset": lock.raw_offset_ms, "hasGateway": int(bool(lock.gateway)),
        "keyboardPwdVersion": lock.passcode_version, "date": 1_700_000_000_000,
    }  # fmt: skip


async def open_state(world: World, asked: Asked, token: Token) -> Json:
    """lock/queryOpenState: 0 locked, 1 unlocked, 2 unknown."""
    return await command(world, asked.lock(world), lambda: {"state": 0})


async def battery(world: World, asked: Asked, token: Token) -> Json:
    """lock/queryElectricQuantity: asked of the lock."""
    lock = asked.lock(world)
    return await command(world, lock, lambda: {"electricQuantity": lock.battery})


async def query_date(world: World, asked: Asked, token: Token) -> Json:
    """lock/queryDate: the lock's clock, asked of the lock."""
    lock = asked.lock(world)
    return await command(world, lock, lambda: {"date": lock.clock_ms(world.now_ms())})


async def update_date(world: World, asked: Asked, token: Token) -> Json:
    """lock/updateDate: set the lock's clock."""
    lock = asked.lock(world)

    def work() -> Json:
        lock.drift_ms, lock.wall_offset_ms = 0, lock.raw_offset_ms
        return {"date": lock.clock_ms(world.now_ms())}

    return await command(world, lock, work)


async def change_offset(world: World, asked: Asked, token: Token) -> Json:
    """lock/changeTimezoneRawOffset: another zone for lock and cloud, or with type 1 for the cloud only.

    The lock keeps windows in its local time, so those that it has already move with it [chosen].
    """
    lock, offset = asked.lock(world), asked.whole("timezoneRawOffset")
    if abs(offset) > DAY_MS:
        raise Refusal(Err.INVALID_PARAMETER)

    def work() -> Json:
        lock.move_windows(lock.raw_offset_ms - offset)
        lock.raw_offset_ms = lock.wall_offset_ms = offset
        return Refusal(Err.OK).body()

    if asked.whole("type", 1) == BY_GATEWAY:
        return await command(world, lock, work)
    lock.raw_offset_ms = offset
    world.save_lock(lock)
    return Refusal(Err.OK).body()


async def unlock(world: World, asked: Asked, token: Token) -> Json:
    """lock/unlock: open the door now."""
    lock = asked.lock(world)
    if not lock.remote_unlock:
        raise Refusal(Err.NOT_SUPPORTED)

    def work() -> Json:
        note(world, lock, REMOTE, success=True, name=token.username)
        return Refusal(Err.OK).body()

    return await command(world, lock, work, in_book=Refusal(Err.OK).body)


# Gateways.


async def list_gateways(world: World, asked: Asked, token: Token) -> Json:
    """gateway/list: with ``isOnline`` as the cloud believes."""
    return asked.page([_gateway(world, gateway) for gateway in world.gateways.values()])


def _gateway(world: World, gateway: Gateway) -> Json:
    near = [lock for lock in world.locks.values() if lock.gateway == gateway.id]
    return {
        "gatewayId": gateway.id, "gatewayName": gateway.name, "gatewayVersion": gateway.version,
        "gatewayMac": f"AC:23:3F:00:00:{gateway.id % 256:02X}", "lockNum": len(near),
        "isOnline": int(gateway.seen_online(world.now_ms())),
    }  # fmt: skip


async def gateways_of_lock(world: World, asked: Asked, token: Token) -> Json:
    """gateway/listByLock: the gateways near a lock; without ``isOnline``."""
    lock = asked.lock(world)
    near = [world.gateways[lock.gateway]] if lock.gateway in world.gateways else []
    shown = [
        {
            "gatewayId": gateway.id, "gatewayMac": f"AC:23:3F:00:00:{gateway.id % 256:02X}",
            "gatewayName": gateway.name, "rssi": STRONG_RSSI, "rssiUpdateDate": world.now_ms(),
        }
        for gateway in near
        if gateway.seen_online(world.now_ms())
    ]  # fmt: skip
    return {"list": shown}


async def locks_of_gateway(world: World, asked: Asked, token: Token) -> Json:
    """gateway/listLock: the locks near a gateway."""
    gateway_id = asked.whole("gatewayId")
    shown = [
        {
            "lockId": lock.id, "lockName": lock.name, "lockAlias": lock.alias,
            "lockMac": lock.mac, "rssi": STRONG_RSSI, "updateDate": world.now_ms(),
        }
        for lock in world.locks.values()
        if lock.gateway == gateway_id
    ]  # fmt: skip
    return {"list": shown}


async def wifi_detail(world: World, asked: Asked, token: Token) -> Json:
    """wifiLock/detail: reach of a WiFi lock, as the cloud believes."""
    lock = asked.lock(world)
    if not lock.wifi:
        raise Refusal(Err.NO_NETWORK)
    return {
        "isOnline": int(wifi_seen(lock, world.now_ms())), "rssiGrade": 3,
        "powerSavingMode": 1 if lock.power_saving else 2,
    }  # fmt: skip


# Records and users.


async def list_records(world: World, asked: Asked, token: Token) -> Json:
    """lockRecord/list: what was uploaded in the last six months, newest first; the dates are the upload's [chosen]."""
    lock = asked.lock(world)
    oldest = max(asked.whole("startDate", 0), world.now_ms() - KEPT_RECORDS_MS)
    newest = asked.whole("endDate", 0) or world.now_ms() + DAY_MS
    kind, word = asked.whole("recordType", 0), asked.text("searchStr", default="")
    found = [
        record
        for record in reversed(world.records.values())
        if record["lockId"] == lock.id
        and oldest <= record["serverDate"] <= newest
        and (not kind or record["recordType"] == kind)
        and (not word or record["keyboardPwd"] == word)
    ]
    return asked.page(found)


async def register(world: World, asked: Asked, token: None) -> Json:
    """user/register: an app account for someone; the name comes back with a prefix of the application's."""
    username = asked.text("username")
    if asked.text("clientId", "client_id") != world.account.client_id:
        raise Refusal(Err.INVALID_CLIENT)
    if not (username.isascii() and username.isalnum()):
        raise Refusal(Err.BAD_USERNAME)
    name = f"{world.account.client_id[:4]}_{username}"
    if name in world.account.receivers:
        raise Refusal(Err.USERNAME_TAKEN)
    know_receiver(world, name)
    return {"username": name}
