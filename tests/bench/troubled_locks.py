"""Locks that share a gateway, hang or are away: what they cost, and whether the others feel it."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Min

from keys.delivery import deliver
from keys.models import Assignment
from locks.drivers import (
    Capabilities,
    Cause,
    Grant,
    LockError,
    Observation,
    Outcome,
    Place,
    Result,
    Retry,
    Scope,
)
from locks.log_models import DoorLogEntry
from locks.models import Lock, LockAccount, Writer
from tests.bench.delivery import (
    WAIT_S,
    deliver_all,
    mark_all_due,
    noted,
    nothing_but_locks,
    now,
    ring,
)
from tests.bench.figures import Figure, interleave, must, percentile
from tests.bench.hotel import Hotel, a_stay, make_hotel, make_keys
from tests.bench.processes import Kit, wait_until

AWAY = timedelta(days=3)
HUNG_ONE_IN = 20


def behind_gateways(kit: Kit) -> Figure:
    """A gateway serves its locks one after the other, and one worker process serves all gateways side by side."""
    locks, gateways, each = kit.size(100, 6), kit.size(20, 2), kit.size(4, 2)
    figure = Figure(
        name="gateways",
        says=f"{locks} locks on {gateways} gateways, {WAIT_S * 1000:.0f} ms a write / the longest gateway's own queue",
        target=1.15,
        unit="s",
        at_most=True,
        if_missed="Each write is stamped in a durable transaction before it is sent, and its gateway waits for that commit, which is slower "
        "on a busy machine.",
    )
    hotel = make_hotel(locks=locks, driver="quick", gateways=gateways, base_url=f"{WAIT_S}/1")
    ids = make_keys(hotel, [a_stay(now())] * (locks * each), now=now())
    queues = Counter(
        Assignment.objects.filter(pk__in=ids).values_list("writer_id", flat=True)
    ).values()
    must(len(queues) == gateways, "not every gateway has a queue")
    boxes = dict(
        Lock.objects.filter(property=hotel.property).values_list("external_id", "gateway__name")
    )

    def product() -> float:
        took = deliver_all(kit, hotel, ids, within_s=120)
        _, _, in_turn = noted(kit, boxes)
        must(in_turn, "two writes at one gateway overlapped")
        return took

    with kit.worker():
        interleave(
            figure,
            kit.size(min(kit.rounds, 5), 1),
            lambda: asyncio.run(nothing_but_locks(gateways, max(queues))),
            product,
        )
    figure.beside = [
        f"{locks * each} writes, {max(queues)} at the gateway with most, one worker process"
    ]
    figure.checked = "each write confirmed once, its log line, no two writes at a gateway at once"
    return figure


def beside_hung(kit: Kit) -> Figure:
    """A lock that never answers holds nothing but itself."""
    locks, each = kit.size(200, 20), kit.size(5, 2)
    figure = Figure(
        name="hung-locks",
        says=f"99th percentile of writes to healthy locks, one lock in {HUNG_ONE_IN} hanging / none hanging",
        target=1.05,
        unit="s",
        at_most=True,
        if_missed="The worker's one process also notes and puts off the writes that hang.",
    )
    hotel = make_hotel(locks=locks, driver="quick", gateways=True, base_url=f"{WAIT_S}/1")
    ids = make_keys(hotel, [a_stay(now())] * (locks * each), now=now())
    with kit.worker(**({"DRIVER_TIMEOUT_S": "1"} if kit.small else {})):
        interleave(
            figure,
            kit.size(min(kit.rounds, 5), 1),
            lambda: _healthy(kit, hotel, ids, hanging=False),
            lambda: _healthy(kit, hotel, ids, hanging=True),
        )
    figure.beside = [
        f"{locks} locks of {WAIT_S * 1000:.0f} ms a write, {each} writes each, one worker process; a write counts from the "
        "ring to its line in the log, and only at locks that hang in neither half"
    ]
    figure.checked = (
        "every write to a healthy lock is confirmed and has its line, none to a hanging one has"
    )
    return figure


def _healthy(kit: Kit, hotel: Hotel, ids: Sequence[int], *, hanging: bool) -> float:
    """The 99th percentile of the seconds from the ring to the log line of a healthy lock's write."""
    account = LockAccount.objects.get(property=hotel.property)
    account.base_url = f"{WAIT_S}/1/{HUNG_ONE_IN}" if hanging else f"{WAIT_S}/1"
    account.save(update_fields=["base_url"])
    hung = [pk for place, pk in enumerate(hotel.locks) if place % HUNG_ONE_IN == 0]
    mark_all_due(ids)
    mine = DoorLogEntry.objects.filter(property=hotel.property, code="written")
    rest = Assignment.objects.filter(pk__in=ids).exclude(lock_id__in=hung)
    expected = rest.count() if hanging else len(ids)
    began = now()
    ring()
    wait_until(lambda: mine.count() >= expected, "healthy locks waited", within_s=90, every_s=0.1)
    lines = mine.exclude(lock_id__in=hung).values_list("happened_at", "assignment_id")
    seconds = [(at - began).total_seconds() for at, _ in lines]
    must(len({each for _, each in lines}) == rest.count() == len(seconds), "not each once")
    must(not hanging or not mine.filter(lock_id__in=hung).exists(), "a hung lock was written")
    _let_go(hotel, within_s=60)
    return percentile(seconds, 0.99)


def _let_go(hotel: Hotel, *, within_s: float) -> None:
    """Nothing is due any more, and no worker holds a lease."""
    rows = Assignment.objects.filter(property=hotel.property)
    held = Writer.objects.filter(property=hotel.property).exclude(owner="")

    def idle() -> bool:
        rows.update(next_attempt_at=None, sent_revision=None, retry_at=None)
        Lock.objects.filter(property=hotel.property).update(read_back_at=None, read_backs_left=0)
        return not held.exists()

    wait_until(idle, "the worker did not let go", within_s=within_s, every_s=0.2)
    Lock.objects.filter(property=hotel.property).update(
        is_online=True, offline_since=None, offline_tries=0, next_try_at=None
    )


class AwayDriver:
    """A lock that nobody reaches; every call to it is counted."""

    capabilities = Capabilities(timeout_s=10.0)
    error = LockError(cause=Cause.LOCK_UNREACHABLE, retry=Retry.WHEN_ONLINE, scope=Scope.LOCK)

    def __init__(self) -> None:
        self.calls: Counter[str] = Counter()

    async def put(self, lock_ref: str, grants: Sequence[Grant]) -> list[Outcome]:
        self.calls["put"] += 1
        return [Outcome(result=Result.FAILED, error=self.error)] * len(grants)

    async def remove(self, lock_ref: str, places: Sequence[Place]) -> list[Outcome]:
        self.calls["remove"] += 1
        return [Outcome(result=Result.FAILED, error=self.error)] * len(places)

    async def observe(self, lock_ref: str, places: Sequence[Place] = ()) -> Observation:
        self.calls["observe"] += 1
        return Observation(held=None, error=self.error)

    async def close(self) -> None:
        """Nothing is open."""


def away(kit: Kit) -> Figure:
    """A lock that is away for days is asked seldom: Portal's own delivery runs, with a clock that jumps to what is due next."""
    figure = Figure(
        name="offline-cost",
        says=f"Calls to a lock that is offline for {AWAY.days} days and has codes waiting / 60",
        target=1,
        unit="calls",
        at_most=True,
    )
    for _ in range(kit.size(3, 1)):
        figure.limit.append(60)
        figure.product.append(sum(_calls_while_away(keys=3).values()))
    pauses = ", ".join(f"{seconds / 60:g}" for seconds in settings.RETRY_OFFLINE_S)
    figure.beside = [
        f"three codes wait; the pauses are {pauses} minutes, the last for ever, each up to a fifth longer by the lock's share",
        "the lock gives no sign of its own when it is back; one that does is served at once, whatever the pause",
    ]
    figure.checked = "the codes still wait at the end, and the next try is planned"
    return figure


def _calls_while_away(*, keys: int) -> Counter[str]:
    hotel = make_hotel(locks=1, driver="simulated")
    begun = now()
    ids = make_keys(hotel, [a_stay(begun, days=AWAY.days + 4)] * keys, now=begun, due_at=begun)
    driver, clock = AwayDriver(), begun
    while clock < begun + AWAY:
        deliver(clock=lambda at=clock: at, open_account=lambda _: driver)  # type: ignore[misc]
        later = _next_due(hotel)
        must(later is not None and later > clock, "nothing is planned, or for a time that is past")
        clock = later or clock
    left = Assignment.objects.filter(pk__in=ids, written_revision=None).exclude(
        next_attempt_at=None
    )
    must(left.count() == keys, "a code does not wait any more")
    Assignment.objects.filter(pk__in=ids).update(next_attempt_at=None)
    return driver.calls


def _next_due(hotel: Hotel) -> datetime | None:
    rows = Assignment.objects.filter(property=hotel.property)
    locks = Lock.objects.filter(property=hotel.property)
    moments = (
        rows.aggregate(at=Min("next_attempt_at"))["at"],
        locks.aggregate(at=Min("read_back_at"))["at"],
    )
    return min((moment for moment in moments if moment), default=None)


__all__ = ["away", "behind_gateways", "beside_hung"]
