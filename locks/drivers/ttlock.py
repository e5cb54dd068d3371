"""The driver of TTLock: its cloud API v3, through gateways and WiFi locks.

A Door Code is a custom passcode, a SmartKey an eKey whose secret is the receiver's user name, a keycard an IC card whose
secret is the number as the lock's reader reads it. The cloud keeps a book of them; no call reads a lock's own memory, so
reading back reads the book (TTLock documents, cloud/passcode/list). Writes say that they go through the gateway: without
that the cloud only writes its book, and the code opens nothing (TTLock documents, cloud/passcode/add).

One gateway carries one command at a time; whoever writes through it must wait for each answer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any
from urllib.parse import parse_qs

from locks.drivers import (
    Addressing,
    Capabilities,
    EventPage,
    Found,
    Grant,
    Health,
    Heard,
    Held,
    Kind,
    LockError,
    NotGenuine,
    Observation,
    Outcome,
    Place,
    Result,
)
from locks.drivers import ttlock_events as news
from locks.drivers.in_order import in_order
from locks.drivers.trust import timeout_s as timeout_of_calls
from locks.drivers.ttlock_answers import (
    ASLEEP_OR_AWAY,
    GATEWAY_AWAY,
    GATEWAY_BUSY,
    LOCK_BUSY,
    SHELVES,
    found,
)
from locks.drivers.ttlock_cloud import Cloud, Token, now_s, read_token, sign_in
from locks.drivers.ttlock_writes import BY_GATEWAY, Write, lines_of, outcome_of
from locks.drivers.web import NOT_UNDERSTOOD, Reply, Said
from locks.vendors import AccountField, Vendor


class TTLockDriver:
    """One account at TTLock: an application and the app user whose locks it may drive."""

    def __init__(
        self, *, base_url: str, token: str, timeout_s: float, clock: Callable[[], float] = now_s
    ) -> None:
        self.capabilities = Capabilities(
            timeout_s=timeout_s,
            addressing=Addressing.VENDOR_ID,
            read_back=False,
            by_user_name=True,
        )
        self._cloud = Cloud(
            base_url=base_url, token=read_token(token), timeout_s=timeout_s, clock=clock
        )

    async def put(self, lock_ref: str, grants: Sequence[Grant]) -> list[Outcome]:
        """Make the lock hold exactly these, one after the other; what is in the book under our name is changed."""

        async def write(grant: Grant) -> Outcome:
            return await self._write(lock_ref, grant.kind).put(grant)

        return await in_order(grants, write)

    async def remove(self, lock_ref: str, places: Sequence[Place]) -> list[Outcome]:
        """Make these absent, one after the other, wherever in the book they stand under our name."""

        async def write(place: Place) -> Outcome:
            return await self._write(lock_ref, place.kind).remove(place)

        return await in_order(places, write)

    def _write(self, lock_ref: str, kind: Kind) -> Write:
        return Write(self._cloud, lock_ref, SHELVES[kind], self._cloud.until())

    async def observe(self, lock_ref: str, places: Sequence[Place] = ()) -> Observation:
        """Read the vendor's book, which can be had of a lock that is offline, too."""
        kinds = {place.kind for place in places} or set(SHELVES)
        until = self._cloud.until()
        shelves = [SHELVES[kind] for kind in sorted(kinds)]
        seen = await asyncio.gather(
            *(lines_of(self._cloud, lock_ref, shelf, until) for shelf in shelves)
        )
        everything: list[Held] = []
        for lines in seen:
            if not isinstance(lines, list):
                return Observation(held=None, error=lines.error)
            everything += lines
        return Observation(held=tuple(everything))

    async def health(self, lock_ref: str) -> Health:
        """What the cloud knows of the lock, and its clock, which only the lock itself can tell: so it is reached, or not.

        The cloud's own word on gateways is half an hour old at worst (TTLock documents, en/cloud/gateway/listByLock).
        The clock is right to the few seconds that the way to the lock takes.
        """
        until = self._cloud.until()
        told = await self._cloud.ask("lock/detail", until, {"lockId": lock_ref})
        if not isinstance(told, Said):
            return Health(online=False, error=told.error)
        asked_at = self._cloud.clock()
        reply = await self._cloud.ask("lock/queryDate", until, {"lockId": lock_ref})
        middle = (asked_at + self._cloud.clock()) / 2
        try:
            return _health(told.doc, reply, middle)
        except (KeyError, TypeError, ValueError):
            return Health(online=False, error=NOT_UNDERSTOOD.error)

    async def events(self, cursor: str) -> EventPage:
        """Records of all locks, reach of gateways and low batteries; an empty cursor begins a day ago.

        A round over many locks takes several pages. Without an answer the cursor stays, so that nothing is skipped.
        """
        return await news.page(self._cloud, cursor)

    def receive(self, *, headers: Mapping[str, str], body: bytes) -> Heard:
        """A callback is unsigned, so it only says that there is news (TTLock documents, cloud/lockRecord/notify)."""
        form = parse_qs(body.decode(errors="replace"))
        if "notifyType" not in form or not form.keys() & {"lockId", "gatewayId"}:
            raise NotGenuine
        return Heard(ask=True, about=tuple(form.get("lockId", ())), answer="success")

    async def unlock(self, lock_ref: str) -> Outcome:
        """Open the door now. Never repeated by itself."""
        reply = await self._cloud.ask("lock/unlock", self._cloud.until(), {"lockId": lock_ref})
        return outcome_of(reply)

    async def sync_clock(self, lock_ref: str, *, utc_offset_s: float | None = None) -> Outcome:
        """Set the lock's clock right, and before that the offset by which lock and cloud turn moments into its local time."""
        until = self._cloud.until()
        if utc_offset_s is not None:
            offset = {"timezoneRawOffset": round(utc_offset_s * 1000), "type": BY_GATEWAY}
            moved = await self._cloud.ask(
                "lock/changeTimezoneRawOffset", until, {"lockId": lock_ref, **offset}
            )
            if outcome_of(moved).result is not Result.CONFIRMED:
                return outcome_of(moved)
        reply = await self._cloud.ask("lock/updateDate", until, {"lockId": lock_ref})
        if isinstance(reply, Said) and reply.doc.get("date"):
            reply = Said({"errcode": 0})  # it answers with the lock's new time instead
        return outcome_of(reply)

    async def discover(self) -> list[Found]:
        """All locks of the account with their gateways; empty also when there is no answer."""
        until = self._cloud.until()
        locks, gateways = await asyncio.gather(
            self._cloud.rows("lock/list", until), self._cloud.rows("gateway/list", until)
        )
        if not isinstance(locks, list) or not isinstance(gateways, list):
            return []
        try:
            names = {str(row["gatewayId"]): str(row.get("gatewayName") or "") for row in gateways}
            near = await self._gateways_of_locks(list(names), until)
            via = [near.get(str(row["lockId"]), "") for row in locks]
            return [
                found(row, gateway=box, gateway_name=names.get(box, ""))
                for row, box in zip(locks, via, strict=True)
            ]
        except (AttributeError, KeyError, TypeError, ValueError):
            return []

    async def why_not(self) -> LockError | None:
        """Whether the cloud lists locks for us."""
        first = {"pageNo": 1, "pageSize": 1}
        reply = await self._cloud.ask("lock/list", self._cloud.until(), first)
        return None if isinstance(reply, Said) else reply.error

    async def _gateways_of_locks(self, gateways: Sequence[str], until: float) -> dict[str, str]:
        near: dict[str, tuple[int, str]] = {}
        asked = (
            self._cloud.ask("gateway/listLock", until, {"gatewayId": each}) for each in gateways
        )
        for gateway, reply in zip(gateways, await asyncio.gather(*asked), strict=True):
            for row in reply.doc["list"] if isinstance(reply, Said) else ():
                # The cloud takes the gateway with the best signal; so do we.
                signal = (int(row.get("rssi") or -999), gateway)
                near[str(row["lockId"])] = max(near.get(str(row["lockId"]), signal), signal)
        return {lock: gateway for lock, (_, gateway) in near.items()}

    # The account.

    def renew_at(self) -> datetime | None:
        """Ten days before the access token runs out."""
        return self._cloud.renew_at()

    async def renew(self) -> str | LockError:
        """A new pair of tokens for the refresh token, which lives ten years; this driver goes on with the old one."""
        token = self._cloud.token
        granted = await self._cloud.grant(grant_type="refresh_token", refresh_token=token.refresh)
        return granted.text() if isinstance(granted, Token) else granted

    async def close(self) -> None:
        """Hang up."""
        await self._cloud.close()


def open_driver(*, base_url: str, token: str) -> TTLockDriver:
    """A connection to one account. DRIVER_TIMEOUT_S bounds each operation, 10 s if it is not set."""
    return TTLockDriver(base_url=base_url, token=token, timeout_s=timeout_of_calls())


VENDOR = Vendor(
    title="TTLock",
    default_url="https://euapi.ttlock.com",
    fields=(
        AccountField(
            name="client_id",
            label="Client ID",
            help="Of your application at the TTLock Open Platform.",
            refused_by=("10000",),
        ),
        AccountField(
            name="client_secret", label="Client secret", secret=True, refused_by=("10001",)
        ),
        AccountField(
            name="username",
            label="User name",
            help="Of the TTLock app account that owns the locks, not of the developer account.",
        ),
        AccountField(
            name="password",
            label="Password",
            help="Of that account, or the ready MD5 value that the TTHotel app exports.",
            secret=True,
            refused_by=("10007",),
        ),
    ),
    open_driver=open_driver,
    reads_locks=False,
    sign_in=sign_in,
    # Every call counts against the plan of the application, and one round asks about every lock.
    poll_every_s=60.0,
)


def _health(doc: Mapping[str, Any], reply: Reply, middle: float) -> Health:
    """``doc`` is the cloud's view, ``reply`` the lock's answer about its clock, ``middle`` the time it was asked."""
    by_gateway = bool(int(doc.get("hasGateway") or 0))
    offset = doc.get("timezoneRawOffset")
    battery = doc.get("electricQuantity")
    health = Health(
        online=True,
        battery=None if battery is None else int(battery),
        gateway_online=True if by_gateway else None,
        utc_offset_s=None if offset is None else int(offset) / 1000,
    )
    if isinstance(reply, Said):
        drift = float(round(int(reply.doc["date"]) / 1000 - middle))
        return replace(health, clock_offset_s=drift)
    code = reply.error.vendor_code
    if code in {GATEWAY_BUSY, LOCK_BUSY}:
        return health
    if code in ASLEEP_OR_AWAY:
        return replace(health, online=False)
    if code == GATEWAY_AWAY:
        return replace(health, online=False, gateway_online=False)
    return replace(health, online=False, error=reply.error)


__all__ = ["VENDOR", "TTLockDriver", "open_driver"]
