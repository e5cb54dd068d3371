"""The driver of the simulated lock system: its vendor API over HTTP, like any other vendor's."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote
from zlib import crc32

import httpx2

from locks.drivers import (
    Capabilities,
    CardStock,
    Cause,
    EventPage,
    EventType,
    Found,
    Grant,
    Health,
    Held,
    Kind,
    LockError,
    LockEvent,
    Observation,
    Outcome,
    Place,
    Proof,
    Result,
    Retry,
    Scope,
)
from locks.drivers.in_order import in_order
from locks.drivers.trust import timeout_s, trusted
from locks.drivers.web import (
    KEEP_ALIVE_S,
    NOT_UNDERSTOOD,
    Refused,
    Reply,
    Said,
    Unsure,
    clean,
    ending,
    error,
    json_object,
    retry_after_s,
    time_limits,
    unexplained,
)
from locks.vendors import AccountField, Vendor

POOLS = 64
MAX_LINES = 1000
EVENTS_PER_PAGE = 500

# The vendor's ``code`` in our words. Every one of them means that nothing was changed.
ERRORS: dict[str, tuple[Cause, Retry, Scope]] = {
    "lock_offline": (Cause.LOCK_UNREACHABLE, Retry.WHEN_ONLINE, Scope.LOCK),
    "gateway_offline": (Cause.GATEWAY_UNREACHABLE, Retry.WHEN_ONLINE, Scope.GATEWAY),
    "busy": (Cause.BUSY, Retry.SOON, Scope.LOCK),
    "gateway_busy": (Cause.BUSY, Retry.SOON, Scope.GATEWAY),
    "rate_limited": (Cause.RATE_LIMITED, Retry.SOON, Scope.ACCOUNT),
    "duplicate_code": (Cause.DUPLICATE_CODE, Retry.AFTER_CHANGE, Scope.CREDENTIAL),
    "memory_full": (Cause.NO_SPACE, Retry.AFTER_CHANGE, Scope.LOCK),
    "invalid_code": (Cause.INVALID_CODE, Retry.AFTER_CHANGE, Scope.CREDENTIAL),
    "invalid_code_length": (Cause.INVALID_CODE, Retry.AFTER_CHANGE, Scope.CREDENTIAL),
    "weak_code": (Cause.INVALID_CODE, Retry.AFTER_CHANGE, Scope.CREDENTIAL),
    "invalid_window": (Cause.INVALID_WINDOW, Retry.AFTER_CHANGE, Scope.CREDENTIAL),
    "no_card": (Cause.NO_CARD, Retry.AFTER_CHANGE, Scope.CREDENTIAL),
    "encoding_interrupted": (
        Cause.ENCODING_INTERRUPTED,
        Retry.AFTER_CHANGE,
        Scope.CREDENTIAL,
    ),
    "encoder_offline": (Cause.ENCODER_UNREACHABLE, Retry.AFTER_CHANGE, Scope.ACCOUNT),
    "refused": (Cause.REJECTED, Retry.SOON, Scope.CREDENTIAL),
    "lock_not_found": (Cause.LOCK_REMOVED, Retry.NEVER, Scope.LOCK),
    "unsupported": (Cause.UNSUPPORTED, Retry.NEVER, Scope.CREDENTIAL),
    "unauthorized": (Cause.AUTH, Retry.NEVER, Scope.ACCOUNT),
    "bad_request": (Cause.BAD_REQUEST, Retry.NEVER, Scope.CREDENTIAL),
}
# Refusals that are clear from the status alone, whoever on the way spoke it.
PLAIN_STATUS = {401: "unauthorized", 429: "rate_limited"}


class ManyPools(httpx2.AsyncBaseTransport):
    """Spreads locks over several pools of lines, the same lock always on the same one.

    A pool looks through all its lines at the start and at the end of every request. With 200 locks written at
    the same time that took more than the requests themselves; in small pools it is next to nothing.
    """

    def __init__(self) -> None:
        limits = httpx2.Limits(
            max_connections=MAX_LINES,
            max_keepalive_connections=MAX_LINES,
            keepalive_expiry=KEEP_ALIVE_S,
        )
        self._pools = [
            httpx2.AsyncHTTPTransport(verify=trusted(), limits=limits, trust_env=False)
            for _ in range(POOLS)
        ]

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send a request on a line of its lock's pool."""
        lock_path = request.url.path.partition("/credentials")[0]
        return await self._pools[crc32(lock_path.encode()) % POOLS].handle_async_request(request)

    async def aclose(self) -> None:
        """Close all lines."""
        for pool in self._pools:
            await pool.aclose()


class SimulatedDriver:
    """One account of the simulated lock system. All locks of the account share the lines of one client."""

    def __init__(self, *, base_url: str, token: str, timeout_s: float) -> None:
        self.capabilities = Capabilities(timeout_s=timeout_s)
        self._base_url = base_url.rstrip("/")
        self._client = httpx2.AsyncClient(
            headers={b"authorization": f"Bearer {token}".encode()},
            timeout=time_limits(timeout_s),
            transport=ManyPools(),
            trust_env=False,
        )

    async def put(self, lock_ref: str, grants: Sequence[Grant]) -> list[Outcome]:
        """Make the lock hold exactly these, one after the other. A lock without windows keeps no times."""

        async def write(grant: Grant) -> Outcome:
            path = _credential_path(lock_ref, grant.address or grant.handle)
            body = {
                "kind": grant.kind,
                "value": grant.secret,
                "starts_at": grant.starts_at.astimezone(UTC).isoformat(),
                "ends_at": grant.ends_at.astimezone(UTC).isoformat(),
            }
            reply = await self._call("PUT", path, body=body, secret=grant.secret)
            return _outcome(reply, address=grant.address or grant.handle, state="stored")

        return await in_order(grants, write)

    async def remove(self, lock_ref: str, places: Sequence[Place]) -> list[Outcome]:
        """Make these absent, one after the other."""

        async def write(place: Place) -> Outcome:
            address = place.address or place.handle
            reply = await self._call("DELETE", _credential_path(lock_ref, address))
            return _outcome(reply, address=address, state="removed")

        return await in_order(places, write)

    async def observe(self, lock_ref: str, places: Sequence[Place] = ()) -> Observation:
        """Read the lock's own memory, all of it whatever the places. What was typed in at the keypad has an address and no handle."""
        reply = await self._call("GET", f"{_lock_path(lock_ref)}/credentials")
        if not isinstance(reply, Said):
            return Observation(held=None, error=reply.error)
        try:
            return Observation(held=tuple(_held(doc) for doc in reply.doc["credentials"]))
        except (KeyError, TypeError, ValueError):
            return Observation(held=None, error=NOT_UNDERSTOOD.error)

    async def health(self, lock_ref: str) -> Health:
        """How the vendor's cloud sees the lock. It may be out of date, and answers for offline locks too."""
        reply = await self._call("GET", _lock_path(lock_ref))
        if not isinstance(reply, Said):
            return Health(online=False, error=reply.error)
        try:
            gateway = reply.doc["gateway"]
            return Health(
                online=bool(reply.doc["online"]),
                battery=int(reply.doc["battery"]),
                clock_offset_s=float(reply.doc["clock_offset_s"]),
                gateway_online=None if gateway is None else bool(gateway["online"]),
            )
        except (KeyError, TypeError, ValueError):
            return Health(online=False, error=NOT_UNDERSTOOD.error)

    async def events(self, cursor: str) -> EventPage:
        """Events of all locks of the account after the cursor; an empty one means from the beginning.

        Without an answer the page is empty, says why, and the cursor stays, so that nothing is skipped.
        """
        params = {"after": cursor, "limit": str(EVENTS_PER_PAGE)}
        reply = await self._call("GET", "/v1/events", params=params)
        if not isinstance(reply, Said):
            return EventPage(events=(), cursor=cursor, error=reply.error)
        try:
            events = [event for doc in reply.doc["events"] if (event := _event(doc)) is not None]
            return EventPage(
                events=tuple(events), cursor=str(reply.doc["cursor"]), more=bool(reply.doc["more"])
            )
        except (KeyError, TypeError, ValueError):
            return EventPage(events=(), cursor=cursor, error=NOT_UNDERSTOOD.error)

    async def unlock(self, lock_ref: str) -> Outcome:
        """Open the door now. Never repeated by itself."""
        reply = await self._call("POST", f"{_lock_path(lock_ref)}/unlock")
        if isinstance(reply, Said) and reply.doc.get("opened") is not True:
            reply = NOT_UNDERSTOOD
        return _plain_outcome(reply)

    async def sync_clock(self, lock_ref: str, *, utc_offset_s: float | None = None) -> Outcome:
        """Set the lock's clock right."""
        reply = await self._call("POST", f"{_lock_path(lock_ref)}/sync-clock")
        if isinstance(reply, Said) and reply.doc.get("clock_offset_after_s") != 0:
            reply = NOT_UNDERSTOOD
        return _plain_outcome(reply)

    async def set_master_code(self, lock_ref: str, code: str) -> Outcome:
        """Change the code that programs the lock at its keypad."""
        path, body = f"{_lock_path(lock_ref)}/master-code", {"code": code}
        reply = await self._call("PUT", path, body=body, secret=code)
        if isinstance(reply, Said) and reply.doc.get("master_code") != "changed":
            reply = NOT_UNDERSTOOD
        return _plain_outcome(reply)

    async def cards(self) -> CardStock:
        """The cards in the encoder's stock."""
        reply = await self._call("GET", "/v1/encoder/cards")
        if not isinstance(reply, Said):
            return CardStock(error=reply.error)
        try:
            return CardStock(cards=tuple(str(card) for card in reply.doc["cards"]))
        except (KeyError, TypeError):
            return CardStock(error=NOT_UNDERSTOOD.error)

    async def encode(self, card: str) -> Outcome:
        """Write the card on the encoder. Nothing is certain unless the answer names this card."""
        reply = await self._call("POST", "/v1/encoder/encode", body={"card": card}, secret=card)
        if isinstance(reply, Said) and (reply.doc.get("card"), reply.doc.get("state")) != (
            card,
            "encoded",
        ):
            reply = NOT_UNDERSTOOD
        return _plain_outcome(reply)

    async def discover(self) -> list[Found]:
        """All locks of the account; empty also when there is no answer."""
        reply = await self._call("GET", "/v1/locks")
        if not isinstance(reply, Said):
            return []
        try:
            return [_found(doc) for doc in reply.doc["locks"]]
        except (KeyError, TypeError, ValueError):
            return []

    async def why_not(self) -> LockError | None:
        """Whether the account may hear of its locks."""
        reply = await self._call("GET", "/v1/events", params={"after": "", "limit": "1"})
        return None if isinstance(reply, Said) else reply.error

    async def close(self) -> None:
        """Hang up."""
        await self._client.aclose()

    async def _call(
        self,
        method: str,
        path: str,
        *,
        body: Mapping[str, Any] | None = None,
        params: Mapping[str, str] | None = None,
        secret: str = "",
    ) -> Reply:
        """One request, at most ``timeout_s`` long, its every ending put into one of three words."""
        return await ending(
            self._client.request(method, f"{self._base_url}{path}", json=body, params=params),
            lambda response: _read(response, secret=secret),
            until=asyncio.get_running_loop().time() + self.capabilities.timeout_s,
        )


def open_driver(*, base_url: str, token: str) -> SimulatedDriver:
    """A connection to one account. DRIVER_TIMEOUT_S bounds each call, 10 s if it is not set."""
    return SimulatedDriver(base_url=base_url, token=token, timeout_s=timeout_s())


VENDOR = Vendor(
    title="Simulated locks",
    default_url="http://127.0.0.1:8001",
    fields=(AccountField(name="token", label="Token", secret=True),),
    open_driver=open_driver,
    one_memory=True,
    encodes=True,
    sets_master_codes=True,
)


# Writes.


def _outcome(reply: Reply, *, address: str, state: str) -> Outcome:
    """What a put or remove came to. A 200 counts only if it names our address and the state we asked for."""
    if isinstance(reply, Said) and (reply.doc.get("handle"), reply.doc.get("state")) != (
        address,
        state,
    ):
        reply = NOT_UNDERSTOOD
    return _plain_outcome(reply, address=address)


def _plain_outcome(reply: Reply, *, address: str = "") -> Outcome:
    match reply:
        case Said():
            return Outcome(result=Result.CONFIRMED, address=address, proof=Proof.ACKNOWLEDGED)
        case Refused(why):
            return Outcome(result=Result.FAILED, address=address, error=why)
        case Unsure(why):
            return Outcome(result=Result.UNKNOWN, address=address, error=why)


# Reading answers.


def _read(response: httpx2.Response, *, secret: str) -> Reply:
    doc = json_object(response)
    if response.status_code == httpx2.codes.OK:
        return NOT_UNDERSTOOD if doc is None else Said(doc)
    code = str((doc or {}).get("code", "")) or PLAIN_STATUS.get(response.status_code, "")
    text = clean(str((doc or {}).get("message", "")), secret)
    if response.is_client_error and code in ERRORS:
        cause, retry, scope = ERRORS[code]
        after = retry_after_s(response)
        return Refused(error(cause, retry, scope, code, text=text, retry_after_s=after))
    status = f"http_{response.status_code}"
    return unexplained(status, scope=Scope.ACCOUNT, text=text)


def _held(doc: Mapping[str, Any]) -> Held:
    is_ours = doc["source"] == "api"
    return Held(
        address=doc["handle"],
        handle=doc["handle"] if is_ours else "",
        kind=Kind(doc["kind"]),
        secret=doc["value"],
        starts_at=_moment(doc["starts_at"]),
        ends_at=_moment(doc["ends_at"]),
    )


def _found(doc: Mapping[str, Any]) -> Found:
    can = doc["capabilities"]
    return Found(
        external_id=doc["id"],
        name=doc["name"],
        model=doc["model"],
        gateway=doc["gateway"]["id"] if doc["gateway"] else "",
        kinds=tuple(Kind(kind) for kind in can["kinds"]),
        native_window=bool(can["native_window"]),
        code_min=int(can["code_min"]),
        code_max=int(can["code_max"]),
        max_codes=int(can["max_codes"]),
        whole_hours=bool(can.get("whole_hours")),
    )


def _event(doc: Mapping[str, Any]) -> LockEvent | None:
    """One event in our words; None for a type that we do not know."""
    if doc["type"] not in list(EventType):
        return None
    happened_at = _moment(doc["happened_at"])
    if happened_at is None:
        raise ValueError("An event without a time.")
    return LockEvent(
        event_id=doc["event_id"],
        lock_ref=doc["lock_id"],
        type=EventType(doc["type"]),
        happened_at=happened_at,
        kind=Kind(doc["kind"]) if doc["kind"] in list(Kind) else None,
        handle=doc["handle"] or "",
        secret=doc["value"],
        reason=doc["reason"],
        battery=doc["battery"],
    )


def _moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text).astimezone(UTC)


def _lock_path(lock_ref: str) -> str:
    return f"/v1/locks/{quote(lock_ref, safe='')}"


def _credential_path(lock_ref: str, address: str) -> str:
    return f"{_lock_path(lock_ref)}/credentials/{quote(address, safe='')}"
