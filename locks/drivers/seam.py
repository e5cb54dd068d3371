"""The driver of Seam Connect, one API in front of many makers' locks.

Everything is asynchronous: the cloud takes a declaration and makes the lock follow, in seconds or days. What it says is
its book, not the lock. Facts: github.com/seamapi/docs and the official Python SDK 3.18.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from locks.drivers import (
    Addressing,
    Capabilities,
    Cause,
    EventPage,
    Found,
    Grant,
    Health,
    Heard,
    Kind,
    LockError,
    Observation,
    Outcome,
    Place,
    Proof,
    Result,
    Retry,
    Scope,
)
from locks.drivers import seam_book as book
from locks.drivers import seam_events as feed
from locks.drivers.in_order import in_order
from locks.drivers.seam_calls import Calls, Params, said_of
from locks.drivers.trust import timeout_s
from locks.drivers.web import NOT_UNDERSTOOD, Refused, Reply, Said, Unsure, error
from locks.vendors import AccountField, Vendor

ASK_UNLOCK_EVERY_S = 0.25
EVENTS_PER_CALL = 500
FIRST_EVENTS = timedelta(days=7)
MOST_PAGES = 50
MOST_HALVINGS = 40
POLL_EVERY_S = 10.0
Doc = Mapping[str, Any]


class SeamDriver:
    """One workspace. ``webhook_secret`` is empty where the vendor does not call us."""

    def __init__(
        self, *, base_url: str, api_key: str, webhook_secret: str, timeout_s: float
    ) -> None:
        self.capabilities = Capabilities(
            timeout_s=timeout_s, addressing=Addressing.VENDOR_ID, read_back=False
        )
        self._calls = Calls(base_url=base_url, api_key=api_key, timeout_s=timeout_s)
        self._webhook_secret = webhook_secret

    def _until(self) -> float:
        return asyncio.get_running_loop().time() + self.capabilities.timeout_s

    async def put(self, lock_ref: str, grants: Sequence[Grant]) -> list[Outcome]:
        """Declare these, one after the other. An earlier success is found by its name, which is our handle."""

        async def write(grant: Grant) -> Outcome:
            if grant.kind is not Kind.DOOR_CODE:
                return _failed(error(Cause.UNSUPPORTED, Retry.NEVER, Scope.CREDENTIAL, "kind"))
            until = self._until()
            seen = await self._codes(lock_ref, until)
            if not isinstance(seen, list):
                return _outcome(seen)
            mine = _mine(seen, Place(handle=grant.handle, kind=grant.kind, address=grant.address))
            return await self._declare(lock_ref, grant, mine, until)

        return await in_order(grants, write)

    async def _declare(
        self, lock_ref: str, grant: Grant, mine: Sequence[Doc], until: float
    ) -> Outcome:
        staying = [doc for doc in mine if not book.is_leaving(doc)]
        body = {
            "name": grant.handle,
            "code": grant.secret,
            "starts_at": feed.say(grant.starts_at),
            "ends_at": feed.say(grant.ends_at),
        }
        for doc in staying[1:]:  # a create that landed late, after another one
            await self._delete(str(doc["access_code_id"]), until)
        if not staying:
            full = {"device_id": lock_ref, **body}
            reply = await self._calls.call("POST", "/access_codes/create", body=full, until=until)
            return _created(reply, mine, grant)
        address = str(staying[0]["access_code_id"])
        if book.is_as_wanted(staying[0], grant):
            return Outcome(result=Result.ACCEPTED, address=address, proof=Proof.ACCEPTED)
        change = {"access_code_id": address, **body}
        reply = await self._calls.call("PATCH", "/access_codes/update", body=change, until=until)
        return _outcome(reply, address=address)

    async def remove(self, lock_ref: str, places: Sequence[Place]) -> list[Outcome]:
        """Have these removed, one after the other; what the book does not know is absent."""

        async def write(place: Place) -> Outcome:
            until = self._until()
            seen = await self._codes(lock_ref, until)
            if not isinstance(seen, list):
                return _outcome(seen)
            mine = _mine(seen, place)
            if not mine and place.address and not place.handle:
                return await self._delete(place.address, until, kind="access_codes/unmanaged")
            ending = Outcome(result=Result.CONFIRMED, address=place.address, proof=Proof.READ_BACK)
            for doc in mine:
                address = str(doc["access_code_id"])
                if book.is_leaving(doc):
                    ending = Outcome(result=Result.ACCEPTED, address=address, proof=Proof.ACCEPTED)
                else:
                    ending = await self._delete(address, until)
                if ending.result in {Result.UNKNOWN, Result.FAILED}:
                    break
            return ending

        return await in_order(places, write)

    async def _delete(self, address: str, until: float, *, kind: str = "access_codes") -> Outcome:
        params = {"access_code_id": address}
        reply = await self._calls.call("DELETE", f"/{kind}/delete", params=params, until=until)
        if isinstance(reply, Refused) and reply.missing.endswith("access_code"):
            return Outcome(result=Result.CONFIRMED, address=address, proof=Proof.READ_BACK)
        return _outcome(reply, address=address)

    async def observe(self, lock_ref: str, places: Sequence[Place] = ()) -> Observation:
        """What the vendor's book says; a lock that is offline is not asked. Codes of others have no handle."""
        until = self._until()
        managed, unmanaged = await asyncio.gather(
            self._codes(lock_ref, until), self._codes(lock_ref, until, "access_codes/unmanaged")
        )
        for seen in (managed, unmanaged):
            if not isinstance(seen, list):
                why = NOT_UNDERSTOOD.error if isinstance(seen, Said) else seen.error
                return Observation(held=None, error=why)
        try:
            return book.observation(_list(managed), _list(unmanaged), places)
        except (KeyError, TypeError, ValueError, AttributeError):
            return Observation(held=None, error=NOT_UNDERSTOOD.error)

    async def health(self, lock_ref: str) -> Health:
        """How the vendor sees the lock."""
        params = {"device_id": lock_ref}
        reply = await self._calls.call("GET", "/devices/get", params=params, until=self._until())
        if not isinstance(reply, Said):
            return Health(online=False, error=reply.error)
        try:
            doc = reply.doc["device"]
            why = book.unreachable(doc)
            return Health(
                online=doc["properties"]["online"] is True and why is None,
                battery=book.battery(doc),
                gateway_online=False if book.has_hub_trouble(doc) else None,
                error=why if why is not None and why.retry is Retry.NEVER else None,
            )
        except (KeyError, TypeError, ValueError, AttributeError):
            return Health(online=False, error=NOT_UNDERSTOOD.error)

    async def events(self, cursor: str) -> EventPage:
        """Events of all locks after the cursor, by when they were generated; an empty one means of the last week.

        Of many the vendor shows only some, and not always the oldest: then a shorter time is asked for.
        """
        week = datetime.fromtimestamp(time.time(), UTC) - FIRST_EVENTS
        start = feed.read_cursor(cursor, otherwise=week)
        try:
            docs, end, more = await self._span(start[0], self._until())
            docs = sorted((each for each in docs if feed.key(each) > start), key=feed.key)
            found = [event for doc in docs if (event := feed.event(doc)) is not None]
            last = (end, "") if end else (feed.key(docs[-1]) if docs else None)
        except _NoAnswer as trouble:
            return EventPage(events=(), cursor=cursor, error=trouble.error)
        except (KeyError, TypeError, ValueError, AttributeError):
            return EventPage(events=(), cursor=cursor, error=NOT_UNDERSTOOD.error)
        told = cursor if last is None else feed.say_cursor(*last)
        return EventPage(events=tuple(found), cursor=told, more=more)

    async def _span(self, start: datetime, until: float) -> tuple[list[Doc], datetime | None, bool]:
        """All events from then on, or up to an earlier end, at which to go on."""
        since, end = feed.before(start), None
        for _ in range(MOST_HALVINGS):
            bounds: Params = {"limit": str(EVENTS_PER_CALL), "since": feed.say(since)}
            if end is not None:
                bounds = {
                    "limit": str(EVENTS_PER_CALL),
                    "between": [feed.say(since), feed.say(end)],
                }
            reply = await self._calls.call("GET", "/events/list", params=bounds, until=until)
            if not isinstance(reply, Said):
                raise _NoAnswer(reply.error)
            docs = reply.doc["events"]
            if len(docs) < EVENTS_PER_CALL:
                break
            newest = max(feed.key(doc)[0] for doc in docs)
            end = since + (newest - since) / 2
        return docs, end, end is not None

    async def unlock(self, lock_ref: str) -> Outcome:
        """Open the door now, and wait for the end as long as a call may take. Never repeated by itself."""
        until = self._until()
        body = {"device_id": lock_ref}
        reply = await self._calls.call("POST", "/locks/unlock_door", body=body, until=until)
        reference = ""
        while isinstance(reply, Said):
            attempt = reply.doc.get("action_attempt")
            if not isinstance(attempt, dict) or not attempt.get("action_attempt_id"):
                return _outcome(NOT_UNDERSTOOD)
            reference = str(attempt["action_attempt_id"])
            if attempt.get("status") != "pending":
                return _attempted(attempt, reference)
            if until - asyncio.get_running_loop().time() <= ASK_UNLOCK_EVERY_S:
                break
            await asyncio.sleep(ASK_UNLOCK_EVERY_S)
            params = {"action_attempt_id": reference}
            reply = await self._calls.call(
                "GET", "/action_attempts/get", params=params, until=until
            )
        if not reference and not isinstance(reply, Said):
            return _outcome(reply)
        return Outcome(result=Result.UNKNOWN, reference=reference)

    async def sync_clock(self, lock_ref: str, *, utc_offset_s: float | None = None) -> Outcome:
        """The vendor keeps clocks to itself."""
        return _failed(error(Cause.UNSUPPORTED, Retry.NEVER, Scope.LOCK, "clock"))

    async def discover(self) -> list[Found]:
        """All locks of the workspace that take codes; empty also when there is no answer."""
        seen = await self._pages("/devices/list", "devices", {}, self._until())
        try:
            docs = seen if isinstance(seen, list) else []
            return [found for doc in docs if (found := book.found(doc)) is not None]
        except (KeyError, TypeError, ValueError, AttributeError):
            return []

    async def why_not(self) -> LockError | None:
        """Whether the workspace is open to our key."""
        return await _why_not(self._calls, self._until())

    def receive(self, *, headers: Mapping[str, str], body: bytes) -> Heard:
        """One event that the vendor tells by webhook. Raises NotGenuine, also where no secret is known."""
        return feed.heard(
            secret=self._webhook_secret, headers=headers, body=body, now_s=time.time()
        )

    async def close(self) -> None:
        """Hang up."""
        await self._calls.close()

    async def _codes(
        self, lock_ref: str, until: float, kind: str = "access_codes"
    ) -> list[Doc] | Reply:
        return await self._pages(f"/{kind}/list", "access_codes", {"device_id": lock_ref}, until)

    async def _pages(
        self, path: str, name: str, params: Mapping[str, str], until: float
    ) -> list[Doc] | Reply:
        """All pages of a list, or why not all could be had."""
        docs: list[Doc] = []
        given = dict(params)
        for _ in range(MOST_PAGES):
            reply = await self._calls.call("GET", path, params=given, until=until)
            if not isinstance(reply, Said):
                return reply
            page, pagination = reply.doc.get(name), reply.doc.get("pagination") or {}
            if not isinstance(page, list) or not isinstance(pagination, dict):
                return NOT_UNDERSTOOD
            docs += page
            if not (pagination.get("has_next_page") and pagination.get("next_page_cursor")):
                break
            given["page_cursor"] = str(pagination["next_page_cursor"])
        return docs


class _NoAnswer(Exception):
    def __init__(self, why: LockError) -> None:
        super().__init__(why.vendor_code)
        self.error = why


# Outcomes.


def _failed(why: LockError) -> Outcome:
    return Outcome(result=Result.FAILED, error=why)


def _outcome(reply: Reply, *, address: str = "") -> Outcome:
    match reply:
        case Said():
            return Outcome(result=Result.ACCEPTED, address=address, proof=Proof.ACCEPTED)
        case Refused(why):
            return Outcome(result=Result.FAILED, address=address, error=why)
        case Unsure(why):
            return Outcome(result=Result.UNKNOWN, address=address, error=why)


def _created(reply: Reply, mine: Sequence[Doc], grant: Grant) -> Outcome:
    """A create counts only with its id. A duplicate of our own code that is just leaving is gone soon."""
    if isinstance(reply, Said):
        code = reply.doc.get("access_code")
        address = code.get("access_code_id") if isinstance(code, dict) else None
        reply = reply if address else NOT_UNDERSTOOD
        return _outcome(reply, address=str(address or ""))
    outcome = _outcome(reply)
    is_taken = outcome.error is not None and outcome.error.cause is Cause.DUPLICATE_CODE
    if is_taken and any(doc.get("code") == grant.secret for doc in mine):
        return _failed(error(Cause.BUSY, Retry.SOON, Scope.CREDENTIAL, "being_removed"))
    return outcome


def _attempted(attempt: Doc, reference: str) -> Outcome:
    status = attempt.get("status")
    if status == "success":
        return Outcome(result=Result.CONFIRMED, proof=Proof.ACKNOWLEDGED, reference=reference)
    if status == "error":
        why = said_of(attempt.get("error") or {})
        if why.cause is Cause.UNEXPLAINED:
            why = error(
                Cause.REJECTED, Retry.SOON, Scope.LOCK, why.vendor_code, text=why.vendor_text
            )
        return Outcome(result=Result.FAILED, error=why, reference=reference)
    return Outcome(result=Result.UNKNOWN, reference=reference)


def _mine(seen: Sequence[Doc], place: Place) -> list[Doc]:
    """Our own codes of that place, oldest first: by the vendor's id or by the name that is our handle."""
    found = [
        doc
        for doc in seen
        if (place.address and doc.get("access_code_id") == place.address)
        or (place.handle and doc.get("name") == place.handle)
    ]
    return sorted(found, key=lambda doc: str(doc.get("created_at") or ""))


def _list(seen: list[Doc] | Reply) -> list[Doc]:
    return seen if isinstance(seen, list) else []


# The account.


def open_driver(*, base_url: str, token: str) -> SeamDriver:
    """A connection to one workspace. DRIVER_TIMEOUT_S bounds each call, 10 s if it is not set."""
    api_key, secret = _read_token(token)
    return SeamDriver(
        base_url=base_url, api_key=api_key, webhook_secret=secret, timeout_s=timeout_s()
    )


def _read_token(token: str) -> tuple[str, str]:
    """API key and webhook secret. A token that is no JSON is the API key alone."""
    try:
        doc = json.loads(token)
    except (ValueError, RecursionError):
        return token, ""
    if not isinstance(doc, dict):
        return token, ""
    return str(doc.get("api_key") or ""), str(doc.get("webhook_secret") or "")


async def sign_in(base_url: str, typed: Mapping[str, str]) -> str | LockError:
    """The token of an account, once its key has been accepted; or why it was not."""
    token = {name: typed.get(name, "").strip() for name in ("api_key", "webhook_secret")}
    limit_s = timeout_s()
    calls = Calls(base_url=base_url, api_key=token["api_key"], timeout_s=limit_s)
    try:
        no = await _why_not(calls, asyncio.get_running_loop().time() + limit_s)
    finally:
        await calls.close()
    return no or json.dumps(token)


async def _why_not(calls: Calls, until: float) -> LockError | None:
    reply = await calls.call("GET", "/devices/list", params={"limit": "1"}, until=until)
    return None if isinstance(reply, Said) else reply.error


VENDOR = Vendor(
    title="Seam",
    default_url="https://connect.getseam.com",
    fields=(
        AccountField(name="api_key", label="API key", secret=True),
        AccountField(
            name="webhook_secret",
            label="Webhook secret",
            help="Begins with whsec_. Seam shows it when the webhook is made.",
            secret=True,
            required=False,
        ),
    ),
    open_driver=open_driver,
    reads_locks=False,
    sets_clocks=False,
    keeps_foreign=False,
    sign_in=sign_in,
    poll_every_s=POLL_EVERY_S,
)
