"""What locks record and the cloud tells: records on their way up, and callbacks to the application's one address.

TTLock documents, cloud/lockRecord/list and notify, en/cloud/gateway/gatewayNotify, en/cloud/wifiLock/WiFiLockNotify. A
callback is a form, unsigned; a record in it has no recordId. One that is not answered with ``success`` is told again
[chosen: after 30 s, four times].
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from typing import Any

import httpx2

from locks.simulators.ttlock.lock import Lock
from locks.simulators.ttlock.world import WIFI_CACHE_MS, World

TRIES = 5
LOOK_EVERY_S = 0.05
TIMEOUT_S = 5.0
# ``recordType`` of the cloud for the lock's own ``recordTypeFromLock``; what the documents do not pair is 0 [chosen].
CLOUD_TYPES = {1: 1, 4: 4, 7: 4, 11: 4, 13: 4, 17: 7, 25: 7, 28: 12, 44: 44, 48: 48, 27: 10}


def note(
    world: World, lock: Lock, record: int, *, success: bool, name: str = "", value: str = ""
) -> None:
    """Have a lock record something, and the cloud hear of it if the lock can be reached."""
    lock.note(
        {
            "recordTypeFromLock": record,
            "recordType": CLOUD_TYPES.get(record, 0),
            "success": int(success),
            "username": name,
            "keyboardPwd": value,
            "lockDate": lock.clock_ms(world.now_ms()),
        }
    )
    world.save_lock(lock)
    upload(world, lock)


def upload(world: World, lock: Lock) -> None:
    """Bring a lock's waiting records to the cloud, if it can be reached."""
    if not lock.records or not world.reaches(lock):
        return
    records, lock.records = lock.records, []
    world.save_lock(lock)
    told = []
    for record in records:
        more = {"lockId": lock.id, "serverDate": world.now_ms()}
        kept = {"recordId": world.next_number(), **record, **more}
        world.records[kept["recordId"]] = kept
        world.store.save("record", kept["recordId"], kept)
        told.append({**record, **more, "lockMac": lock.mac, "electricQuantity": lock.battery})
    call(world, notifyType=1, lockId=lock.id, lockMac=lock.mac, records=json.dumps(told))


def call(world: World, **form: Any) -> None:
    """Put a callback on its way."""
    if not world.cloud.callback_url:
        return
    if world.cloud.callbacks_lost:
        world.cloud.callbacks_lost -= world.cloud.callbacks_lost > 0
        return
    due_at = time.time() + world.cloud.callback_delay_s
    form["admin"] = world.account.username
    world.callbacks.append({"form": form, "tries": 0, "due_at": due_at, "state": "waiting"})
    world.news.set()


def notice(world: World) -> None:
    """Tell of gateways and WiFi locks whose state the cloud has come to see otherwise."""
    now = world.now_ms()
    for gateway in world.gateways.values():
        if gateway.told != gateway.seen_online(now):
            gateway.told = not gateway.told
            world.save_gateway(gateway)
            told = {"gatewayId": gateway.id, "gatewayName": gateway.name}
            call(world, notifyType=2, **told, isOnline=int(gateway.told))
    for lock in world.locks.values():
        if lock.wifi and lock.reach_told != wifi_seen(lock, now):
            lock.reach_told = not lock.reach_told
            world.save_lock(lock)
            told = {"lockId": lock.id, "lockAlias": lock.alias}
            call(world, notifyType=3, **told, isOnline=int(lock.reach_told))


def wifi_seen(lock: Lock, now_ms: int) -> bool:
    """Whether the cloud believes that a WiFi lock is online."""
    return lock.in_reach or now_ms - lock.reach_changed_ms < WIFI_CACHE_MS


async def run(world: World) -> None:
    """Notice and call until cancelled."""
    async with httpx2.AsyncClient(trust_env=False, timeout=TIMEOUT_S) as client:
        while True:
            notice(world)
            for callback in [each for each in world.callbacks if _is_due(each)]:
                await _deliver(world, client, callback)
            world.news.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOK_EVERY_S):
                    await world.news.wait()


def _is_due(callback: dict[str, Any]) -> bool:
    return bool(callback["state"] == "waiting" and callback["due_at"] <= time.time())


async def _deliver(world: World, client: httpx2.AsyncClient, callback: dict[str, Any]) -> None:
    callback["tries"] += 1
    callback["due_at"] = time.time() + world.cloud.callback_again_s
    try:
        answer = await client.post(world.cloud.callback_url, data=callback["form"])
        callback["answer"] = answer.text[:50]
    except (httpx2.HTTPError, httpx2.InvalidURL) as trouble:
        callback["answer"] = type(trouble).__name__
    if callback["answer"].strip() == "success":
        callback["state"] = "delivered"
    elif callback["tries"] >= TRIES:
        callback["state"] = "given up"
