"""The driver for locks behind Z-Wave JS: a server in the house, one WebSocket to it, numbered places in each lock.

Locks of this kind keep no time windows and no names. A lock on a battery that does not answer is "dead" to the server,
which may still deliver what was asked meanwhile when it is back, so nothing is ever sent to a dead lock. A lost
acknowledgement looks like a lock that was never reached; so that is unknown and not failed.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from locks.drivers import (
    Addressing,
    Capabilities,
    Cause,
    EventPage,
    Found,
    Grant,
    Health,
    Held,
    Kind,
    LockError,
    Observation,
    Outcome,
    Place,
    Result,
    Retry,
    Scope,
)
from locks.drivers.in_order import NOT_SENT, in_order
from locks.drivers.trust import timeout_s
from locks.drivers.zwave_events import ECHO_S, Ear, lock_name
from locks.drivers.zwave_line import (
    ASLEEP,
    DEAD,
    NEWEST_SCHEMA,
    UNKNOWN_STATUS,
    Event,
    Line,
    Refused,
    Unsure,
    ZWaveError,
    lock_error,
    open_line,
)
from locks.drivers.zwave_places import BATTERY, Places, in_our_words, out_of_reach, unsupported
from locks.drivers.zwave_writes import (
    TIMEOUT,
    Attempt,
    free_place,
    hint,
    open_bolt,
    outcome_of,
    put_code,
)
from locks.vendors import AccountField, Vendor

WRITE_PAUSE_S = 2.0
"""Between two writes on one lock: what lock_code_manager (github.com/raman325/lock_code_manager) waits in the field."""
SETTLE_S = 1.0
"""So long a lock may take until what it took can be read."""
CONNECT_SHARE, PING_SHARE = 1 / 3, 0.6
"""Of the time for a call: to give up early is worth knowing, since nothing was sent by then."""
REMOVED = lock_error(
    Cause.LOCK_REMOVED, Retry.NEVER, Scope.LOCK, code="node_not_found", text="No such node."
)
NO_SLOT = lock_error(Cause.BAD_REQUEST, Retry.NEVER, Scope.CREDENTIAL, code="no_place")
LINE_LOST = lock_error(Cause.VENDOR_UNREACHABLE, Retry.SOON, Scope.ACCOUNT, code="line_lost")
NOT_READY = lock_error(Cause.BUSY, Retry.SOON, Scope.LOCK, code="not_interviewed")


@dataclass(slots=True)
class Turn:
    """Whose turn it is to write on one lock, and from when on, in the loop's time."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    may_write_at: float = 0.0


class ZwaveDriver:
    """One Z-Wave JS server with its locks. A lock is named by its network's number and its own: ``2119630849-12``."""

    def __init__(
        self,
        *,
        url: str,
        token: str,
        timeout_s: float,
        write_pause_s: float = WRITE_PAUSE_S,
        settle_s: float = SETTLE_S,
        echo_s: float = ECHO_S,
        newest_schema: int = NEWEST_SCHEMA,
    ) -> None:
        self.capabilities = Capabilities(
            timeout_s=timeout_s, addressing=Addressing.SLOT, backfill=False
        )
        self._url, self._token, self._newest_schema = url, token, newest_schema
        self._write_pause_s, self._settle_s, self._echo_s = write_pause_s, settle_s, echo_s
        self._opening: asyncio.Task[Line] | None = None
        self._turns: dict[str, Turn] = {}

    async def put(self, lock_ref: str, grants: Sequence[Grant]) -> list[Outcome]:
        """Make these places hold these codes, all within one time-out. The windows are the caller's to keep."""
        deadline = self._deadline()

        async def write(grant: Grant) -> Outcome:
            error = _unfit(grant)
            if error is not None:
                return Outcome(result=Result.FAILED, address=grant.address, error=error)

            async def work(attempt: Attempt) -> Outcome:
                async with self._turn(lock_ref) as places:
                    slot, wait = int(grant.address), self._settle_s
                    return await put_code(
                        places, slot, grant.secret, attempt=attempt, settle_s=wait
                    )

            return replace(await outcome_of(work, deadline=deadline), address=grant.address)

        return await in_order(grants, write)

    async def remove(self, lock_ref: str, places: Sequence[Place]) -> list[Outcome]:
        """Make these places free, all within one time-out. What never had a place is not there."""
        deadline = self._deadline()

        async def write(place: Place) -> Outcome:
            if not place.address:
                return Outcome(result=Result.CONFIRMED)
            if not _is_slot(place.address):
                return Outcome(result=Result.FAILED, address=place.address, error=NO_SLOT)

            async def work(attempt: Attempt) -> Outcome:
                async with self._turn(lock_ref) as there:
                    slot = int(place.address)
                    return await free_place(there, slot, attempt=attempt, settle_s=self._settle_s)

            return replace(await outcome_of(work, deadline=deadline), address=place.address)

        return await in_order(places, write)

    @contextlib.asynccontextmanager
    async def _turn(self, lock_ref: str) -> AsyncIterator[Places]:
        """The places of a lock that can be reached, after the pause it needs since the last write."""
        clock = asyncio.get_running_loop().time
        turn = self._turns.setdefault(lock_ref, Turn())
        async with turn.lock:
            await asyncio.sleep(max(turn.may_write_at - clock(), 0.0))
            line, node = await self._reach(lock_ref)
            try:
                yield _places(line, node)
            finally:
                turn.may_write_at = clock() + self._write_pause_s

    async def observe(self, lock_ref: str, places: Sequence[Place] = ()) -> Observation:
        """Read these places from the lock, or all of it. What does not come in time is told as unsure."""
        held: list[Held] = []
        unsure: list[Place] = []
        left, wanted = list(places), len(places)
        error: LockError | None = None
        try:
            async with asyncio.timeout_at(self._deadline()):
                line, node = await self._reach(lock_ref)
                there = _places(line, node)
                if not places:
                    left = _all_of((await there.limits()).places)
                    wanted = len(left)
                while left:
                    try:
                        found = await _read(there, left[0])
                        held += [found] if found else []
                    except Unsure as silent:
                        unsure.append(left[0])
                        error = silent.error
                    left = left[1:]
        except Refused as refused:
            error = refused.error
        except ZWaveError as trouble:
            error = in_our_words(trouble) or hint(trouble)
        except TimeoutError:
            error = TIMEOUT
        unsure += left
        if error is not None and len(unsure) == wanted:
            return Observation(held=None, error=error)
        return Observation(held=tuple(held), unsure=tuple(unsure), error=error)

    async def health(self, lock_ref: str) -> Health:
        """How the server sees the lock. One that it thinks is dead is asked whether it is back."""
        try:
            async with asyncio.timeout_at(self._deadline()):
                line, node = await self._reach(lock_ref)
                value = {"commandClass": BATTERY, "endpoint": 0, "property": "level"}
                level = (await line.call("node.get_value", nodeId=node, valueId=value)).get("value")
            return Health(online=True, battery=level if isinstance(level, int) else None)
        except (Refused, Unsure) as trouble:
            return Health(online=False, error=trouble.error)
        except ZWaveError as error:
            return Health(online=False, error=hint(error))
        except TimeoutError:
            return Health(online=False, error=TIMEOUT)

    async def discover(self) -> list[Found]:
        """All nodes that keep codes; empty also when there is no answer."""
        found: list[Found] = []
        try:
            async with asyncio.timeout_at(self._deadline()):
                line = await self._line()
                for node in sorted(line.nodes):
                    with contextlib.suppress(Refused, ZWaveError):
                        found.append(await _found(line, node))
        except (Refused, Unsure, TimeoutError):
            return []
        return found

    async def why_not(self) -> LockError | None:
        """Whether the server lets us in and knows its network."""
        try:
            async with asyncio.timeout_at(self._deadline()):
                await self._line()
        except Refused as refused:
            return refused.error
        except Unsure as trouble:
            return trouble.error
        except TimeoutError:
            return TIMEOUT
        return None

    async def events(self, cursor: str) -> EventPage:
        """Always empty: what happens while nobody listens is told to nobody."""
        return EventPage(events=(), cursor=cursor)

    async def listen(self) -> AsyncIterator[EventPage]:
        """Events as they come, until the line is lost."""
        try:
            async with asyncio.timeout_at(self._deadline()):
                line = await self._line()
        except (Refused, TimeoutError) as trouble:
            error = trouble.error if isinstance(trouble, Refused) else NOT_SENT
            yield EventPage(events=(), cursor="", error=error)
            return
        heard: asyncio.Queue[Event | None] = asyncio.Queue()
        ear = Ear(line.home_id, line.nodes, echo_s=self._echo_s)
        clock = asyncio.get_running_loop().time
        with line.listening(heard.put_nowait):
            yield EventPage(events=(), cursor="")
            while (event := await _next(heard, until=ear.next_due())) is not None:
                now = datetime.now(UTC)  # noqa: TID251 - the server tells no times
                told = ear.hear(event, now=now, clock=clock()) + ear.due(clock=clock())
                if told:
                    yield EventPage(events=tuple(told), cursor="")
            rest = ear.due(clock=float("inf"))
            yield EventPage(events=tuple(rest), cursor="", error=LINE_LOST)

    async def unlock(self, lock_ref: str) -> Outcome:
        """Open the bolt now. Never repeated by itself."""

        async def work(attempt: Attempt) -> Outcome:
            line, node = await self._reach(lock_ref)
            return await open_bolt(line, node, attempt=attempt, settle_s=self._settle_s)

        return await outcome_of(work, deadline=self._deadline())

    async def sync_clock(self, lock_ref: str, *, utc_offset_s: float | None = None) -> Outcome:
        """These locks keep no windows and need no time."""
        return Outcome(result=Result.FAILED, error=unsupported("no_clock"))

    async def close(self) -> None:
        """Hang up."""
        opening, self._opening = self._opening, None
        if opening is not None:
            opening.cancel()
            with contextlib.suppress(asyncio.CancelledError, Refused):
                await (await opening).close()

    def _deadline(self) -> float:
        return asyncio.get_running_loop().time() + self.capabilities.timeout_s

    async def _line(self) -> Line:
        """The open line, opened anew if it was lost. Whoever comes while it is being opened waits for the same one."""
        opening = self._opening
        if opening is None or (opening.done() and not _is_open(opening)):
            within_s = self.capabilities.timeout_s * CONNECT_SHARE
            opening = self._opening = asyncio.create_task(
                open_line(
                    url=self._url,
                    token=self._token,
                    within_s=within_s,
                    newest_schema=self._newest_schema,
                )
            )
        return await asyncio.shield(opening)

    async def _reach(self, lock_ref: str) -> tuple[Line, int]:
        """The line and the number of a lock that can be reached now. Raises Refused for one that cannot."""
        line = await self._line()
        home, _, number = lock_ref.partition("-")
        node = int(number) if home == str(line.home_id) and number.isdecimal() else 0
        if node not in line.nodes:
            raise Refused(REMOVED)
        status = line.nodes[node].get("status")
        if status == ASLEEP:
            raise Refused(out_of_reach("asleep"))
        if status in {DEAD, UNKNOWN_STATUS} and not await self._ping(line, node):
            raise Refused(out_of_reach("dead"))
        return line, node

    async def _ping(self, line: Line, node: int) -> bool:
        try:
            async with asyncio.timeout(self.capabilities.timeout_s * PING_SHARE):
                return (await line.call("node.ping", nodeId=node)).get("responded") is True
        except TimeoutError:
            return False


def open_driver(*, base_url: str, token: str) -> ZwaveDriver:
    """A connection to one server. DRIVER_TIMEOUT_S bounds each call, 10 s if it is not set."""
    return ZwaveDriver(url=base_url, token=token, timeout_s=timeout_s())


VENDOR = Vendor(
    title="Z-Wave JS",
    default_url="ws://127.0.0.1:3000",
    tells_live=True,
    fields=(
        AccountField(
            name="token",
            label="Token",
            help="Only where a proxy in front of the server wants one; the server itself lets everybody in.",
            secret=True,
            required=False,
        ),
    ),
    open_driver=open_driver,
    sets_clocks=False,
)


def _unfit(grant: Grant) -> LockError | None:
    """Why a grant cannot be written on any lock of this kind."""
    if grant.kind is not Kind.DOOR_CODE:
        return unsupported("kind")
    if not _is_slot(grant.address):
        return NO_SLOT
    if grant.ends_at <= grant.starts_at:
        return lock_error(Cause.INVALID_WINDOW, Retry.AFTER_CHANGE, Scope.CREDENTIAL, code="window")
    return None


def _is_slot(address: str) -> bool:
    return address.isdecimal() and int(address) > 0


def _is_open(opening: asyncio.Task[Line]) -> bool:
    return not opening.cancelled() and opening.exception() is None and opening.result().is_open


def _places(line: Line, node: int) -> Places:
    if line.nodes[node].get("ready") is not True:
        raise Refused(NOT_READY)
    return Places(line, node)


def _all_of(places: int) -> list[Place]:
    numbers = range(1, places + 1)
    return [Place(handle="", kind=Kind.DOOR_CODE, address=str(number)) for number in numbers]


async def _read(places: Places, place: Place) -> Held | None:
    """What lies there; nothing does where a lock has no such place."""
    if place.kind is not Kind.DOOR_CODE or not _is_slot(place.address):
        return None
    return await places.read(int(place.address))


async def _next(heard: asyncio.Queue[Event | None], *, until: float | None) -> Event | None:
    """The next event, an empty one when it is time to look without; none when the line is lost."""
    try:
        async with asyncio.timeout_at(until):
            return await heard.get()
    except TimeoutError:
        return {}


async def _found(line: Line, number: int) -> Found:
    node: dict[str, Any] = line.nodes[number]
    limits = await _places(line, number).limits()
    device = node.get("deviceConfig")
    maker = device.get("manufacturer", "") if isinstance(device, dict) else ""
    label = node.get("label") or (device.get("label") if isinstance(device, dict) else "") or ""
    return Found(
        external_id=lock_name(line.home_id, number),
        name=node.get("name") or label or f"Node {number}",
        model=f"{maker} {label}".strip(),
        native_window=False,
        code_min=limits.shortest,
        code_max=limits.longest,
        max_codes=limits.places,
        first_slot=1,
    )
