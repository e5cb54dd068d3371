"""All simulated locks and gateways, the vendor's clock and its event feed, kept in memory and written through."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from locks.simulators.simlock.lock import Line, Lock
from locks.simulators.simlock.store import Landing, Store
from locks.simulators.simlock.words import Code, Command, EventType, Fate, Refusal, say_time


@dataclass(slots=True, kw_only=True)
class Gateway:
    """The box between the cloud and some locks. One command at a time passes through it."""

    id: str
    online: bool = True
    seen_online: bool = True
    busy: int = 0
    slow_ms: float = 0.0
    line: Line = field(default_factory=Line)

    def doc(self) -> dict[str, Any]:
        """What is stored and shown of it."""
        names = ("id", "online", "seen_online", "busy", "slow_ms")
        return {name: getattr(self, name) for name in names}


@dataclass(slots=True, kw_only=True)
class Cloud:
    """What is wrong with the vendor's cloud as a whole. ``outage``: empty, error, drop or hang."""

    latency_ms: float = 0.0
    reject_token: bool = False
    outage: str = ""
    hang_s: float = 30.0
    rate_limit: int = 0
    retry_after_s: float = 2.0


class World:
    """Everything the simulator knows. Used from one event loop only."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.locks: dict[str, Lock] = store.locks()
        self.gateways: dict[str, Gateway] = {name: Gateway(**doc) for name, doc in store.gateways()}
        self.clock_offset_s = float(store.setting("clock_offset_s") or 0)
        self.cloud = Cloud(latency_ms=float(store.setting("latency_ms") or 0))
        self.requests: deque[dict[str, Any]] = deque(maxlen=2000)
        self._landings: dict[int, Landing] = {landing.id: landing for landing in store.landings()}
        self._next_landing = max(self._landings, default=0) + 1
        self._unsent = store.unsent_locks()
        self._news = asyncio.Event()

    # The clock.

    def now(self) -> datetime:
        """The simulated true time, aware UTC."""
        return datetime.fromtimestamp(time.time(), UTC) + timedelta(seconds=self.clock_offset_s)

    def set_clock(self, *, offset_s: float) -> None:
        """Move the simulated true time away from the host's, for all locks at once."""
        self.clock_offset_s = offset_s
        self.store.save_setting("clock_offset_s", repr(offset_s))

    # Locks and gateways.

    def lock(self, lock_id: str) -> Lock:
        """The lock of that id. Raises Refusal(LOCK_NOT_FOUND)."""
        try:
            return self.locks[lock_id]
        except KeyError:
            raise Refusal(Code.LOCK_NOT_FOUND, "There is no such lock in this account.") from None

    def gateway_of(self, lock: Lock) -> Gateway | None:
        """The gateway in front of a lock, or None."""
        return self.gateways.get(lock.gateway) if lock.gateway else None

    def hang_up(self, lock_id: str, properties: dict[str, Any]) -> None:
        """Put a lock on the wall, or change one that hangs there; its memory and faults stay."""
        lock = self.locks.get(lock_id) or Lock(id=lock_id, name=lock_id)
        for name, value in properties.items():
            setattr(lock, name, value)
        self.locks[lock_id] = lock
        if lock.gateway and lock.gateway not in self.gateways:
            self.save_gateway(Gateway(id=lock.gateway))
        self.store.save_lock(lock)

    def remove_lock(self, lock: Lock) -> None:
        """Take a lock off the wall and out of the account."""
        del self.locks[lock.id]
        self._unsent.discard(lock.id)
        self.store.delete_lock(lock.id)

    def save_gateway(self, gateway: Gateway) -> None:
        """Store a new or changed gateway."""
        self.gateways[gateway.id] = gateway
        self.store.save_gateway(gateway.id, gateway.doc())

    def wipe(self) -> None:
        """Forget all locks, events, faults and figures; the clock is right again and the latency zero."""
        self.store.wipe()
        self.locks.clear()
        self.gateways.clear()
        self._landings.clear()
        self._unsent.clear()
        self.requests.clear()
        self.cloud = Cloud()
        self.store.save_setting("latency_ms", "0")
        self.store.save_doc("encoder", {})
        self.set_clock(offset_s=0.0)

    def reset_figures(self) -> None:
        """Start counting again."""
        self.requests.clear()
        for line in [lock.line for lock in self.locks.values()] + [
            gateway.line for gateway in self.gateways.values()
        ]:
            line.max_in_flight = line.in_flight
            line.overlaps = line.write_overlaps = 0
        for lock in self.locks.values():
            lock.counts = type(lock.counts)()

    # The way to a lock.

    def reaches(self, lock: Lock) -> bool:
        """Whether a command would get through now: the truth, not the cloud's belief."""
        gateway = self.gateway_of(lock)
        return lock.online and (gateway is None or gateway.online)

    def hears(self, lock: Lock) -> bool:
        """Whether the cloud hears of what happens at a lock now: reachable, and known to be."""
        gateway = self.gateway_of(lock)
        return self.reaches(lock) and lock.seen_online and (gateway is None or gateway.seen_online)

    def require_reachable(self, lock: Lock) -> None:
        """Raises Refusal when lock or gateway is offline; the cloud learns of it by that."""
        gateway = self.gateway_of(lock)
        if gateway is not None and not gateway.online:
            self._believe(lock, gateway_online=False)
            raise Refusal(Code.GATEWAY_OFFLINE, "The gateway of this lock is offline.")
        if not lock.online:
            self._believe(lock, lock_online=False)
            raise Refusal(Code.LOCK_OFFLINE, "The lock is offline.")

    def contact(self, lock: Lock) -> None:
        """A command got through: the cloud knows that the lock is there, and the lock reports what it kept."""
        self._believe(lock, lock_online=True, gateway_online=True)
        self.upload(lock)

    def _believe(
        self, lock: Lock, *, lock_online: bool | None = None, gateway_online: bool | None = None
    ) -> None:
        gateway = self.gateway_of(lock)
        if gateway and gateway_online is not None and gateway.seen_online != gateway_online:
            gateway.seen_online = gateway_online
            self.save_gateway(gateway)
        if lock_online is not None and lock.seen_online != lock_online:
            lock.seen_online = lock_online
            self.store.save_lock(lock)

    @contextmanager
    def on_the_line(self, lock: Lock, *, write: bool) -> Iterator[None]:
        """Hold the lock and its gateway for one command. Raises Refusal when one of them is in use: an overlap."""
        gateway = self.gateway_of(lock)
        lines = [lock.line] if gateway is None else [lock.line, gateway.line]
        free = [line.ring(write=write) for line in lines]
        if not free[0]:
            raise Refusal(Code.BUSY, "The lock is carrying out another command.")
        if not all(free):
            raise Refusal(Code.GATEWAY_BUSY, "The gateway is carrying out another command.")
        for line in lines:
            line.take(write=write)
        try:
            yield
        finally:
            for line in lines:
                line.leave(write=write)

    def draw(self, lock: Lock, command: Command) -> Fate:
        """Decide what becomes of a command, counting the fault off. Raises Refusal when the gateway is busy."""
        gateway = self.gateway_of(lock)
        if gateway is not None and gateway.busy:
            gateway.busy -= gateway.busy > 0
            self.save_gateway(gateway)
            raise Refusal(Code.GATEWAY_BUSY, "The gateway is busy; try again in a few seconds.")
        fate = lock.faults.draw(command)
        if fate is not Fate.NORMAL:
            self.store.save_lock(lock)
        return fate

    def delay_s(self, lock: Lock) -> float:
        """How long a command to this lock takes, in seconds."""
        gateway = self.gateway_of(lock)
        own = lock.faults.slow_ms or (gateway.slow_ms if gateway else 0)
        return (own or self.cloud.latency_ms) / 1000

    # Writes that land later.

    def land_later(self, landing: Landing) -> None:
        """Let a write reach its lock at ``due_at``, or when the lock is back after that."""
        landing.id, self._next_landing = self._next_landing, self._next_landing + 1
        self._landings[landing.id] = landing
        self.store.save_landing(landing)
        self._schedule(landing)

    def resume_landings(self) -> None:
        """After a start: let the writes that were on their way arrive. Needs a running event loop."""
        for landing in self._landings.values():
            self._schedule(landing)

    def _schedule(self, landing: Landing) -> None:
        delay = max(0.0, landing.due_at - time.time())
        asyncio.get_running_loop().call_later(delay, self._land, landing.id)

    def _land(self, landing_id: int) -> None:
        landing = self._landings.get(landing_id)
        lock = self.locks.get(landing.lock) if landing else None
        if landing is None or (lock is not None and not self.reaches(lock)):
            return
        del self._landings[landing_id]
        self.store.delete_landing(landing_id)
        if lock is not None:
            self._carry_late(lock, landing)

    def _carry_late(self, lock: Lock, landing: Landing) -> None:
        lock.counts.late_landings += 1
        try:
            self.write(lock, landing)
        except Refusal:
            return
        self.contact(lock)

    def land_waiting(self, lock: Lock) -> None:
        """The lock is back: what was on its way to it arrives."""
        due = [
            each.id
            for each in self._landings.values()
            if each.lock == lock.id and each.due_at <= time.time()
        ]
        for landing_id in due:
            self._land(landing_id)

    def landings_of(self, lock: Lock) -> int:
        """How many writes are on their way to a lock."""
        return sum(landing.lock == lock.id for landing in self._landings.values())

    def write(self, lock: Lock, landing: Landing) -> bool:
        """Carry out one put or delete in the lock's memory; true when something was there. Raises Refusal."""
        held = landing.handle in lock.memory
        if landing.credential is None:
            lock.counts.deletes += 1
            if lock.memory.pop(landing.handle, None):
                self.store.delete_credential(lock.id, landing.handle)
            return held
        try:
            lock.remember(landing.credential)
        except Refusal:
            lock.counts.refused += 1
            raise
        lock.counts.puts += 1
        self.store.save_credential(lock.id, landing.credential)
        return held

    # Events.

    def report(self, lock: Lock, type_: EventType, *, by_lock: bool = True, **facts: Any) -> None:
        """Record an event. The lock's own wait in the lock until the cloud hears of it; the cloud's appear at once."""
        at = lock.clock(self.now()) if by_lock else self.now()
        doc: dict[str, Any] = {
            "event_id": f"{self.store.identity}-{secrets.token_hex(6)}",
            "lock_id": lock.id,
            "type": type_,
            "happened_at": say_time(at),
            "kind": None,
            "value": None,
            "handle": None,
            "reason": "",
            "battery": None,
            "clock_offset_s": None,
        }
        doc |= facts
        if by_lock and not self.hears(lock):
            self._unsent.add(lock.id)
            self.store.add_unsent(lock.id, doc)
            return
        if by_lock:
            self.upload(lock)
        self._publish(doc)

    def upload(self, lock: Lock) -> None:
        """The lock tells the cloud what happened while it was away."""
        if lock.id not in self._unsent:
            return
        self._unsent.discard(lock.id)
        for doc in self.store.take_unsent(lock.id):
            self._publish(doc)

    def _publish(self, doc: dict[str, Any]) -> None:
        self.store.add_event({**doc, "reported_at": say_time(self.now())})
        self._news.set()
        self._news = asyncio.Event()

    async def wait_for_news(self, *, seconds: float) -> None:
        """Return when an event is published, or after that many seconds."""
        try:
            await asyncio.wait_for(self._news.wait(), seconds)
        except TimeoutError:
            return

    # Figures.

    def figures(self, *, requests: int) -> dict[str, Any]:
        """What was done to locks and gateways, without any code."""
        locks = {lock.id: asdict(lock.counts) | asdict(lock.line) for lock in self.locks.values()}
        gateways = {gateway.id: asdict(gateway.line) for gateway in self.gateways.values()}
        for doc in locks.values():
            doc["writes"] = doc["puts"] + doc["deletes"]
        names = (
            "writes",
            "puts",
            "deletes",
            "reads",
            "refused",
            "late_landings",
            "overlaps",
            "write_overlaps",
        )
        totals = {name: sum(doc[name] for doc in locks.values()) for name in names}
        totals["gateway_overlaps"] = sum(doc["overlaps"] for doc in gateways.values())
        totals["gateway_write_overlaps"] = sum(doc["write_overlaps"] for doc in gateways.values())
        doubled = [
            (lock.id, handles) for lock in self.locks.values() for handles in lock.duplicates()
        ]
        return {
            "totals": totals,
            "locks": locks,
            "gateways": gateways,
            "duplicate_live_codes": [
                {"lock_id": lock_id, "handles": handles} for lock_id, handles in doubled
            ],
            "requests": list(self.requests)[-requests:] if requests else [],
        }
