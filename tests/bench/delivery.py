"""How fast due rows reach their locks: against empty Celery tasks, and against what the locks themselves take."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from statistics import median

from celery import current_app
from django.conf import settings
from django.db import connections
from django.db.models import Count

from keys.models import Assignment
from locks.log_models import DoorLogEntry
from locks.models import Lock, LockAccount
from tests.bench.celery_app import app
from tests.bench.figures import Figure, interleave, must
from tests.bench.hotel import Hotel, a_stay, make_hotel, make_keys, tidy
from tests.bench.processes import Kit, wait_until
from tests.locks.simlock_server import SimlockServer, start_simlock

WAIT_S = 0.3
PREFORK = "-empty"
"""Added to the queue's name for the worker whose only work is empty tasks."""


def now() -> datetime:
    return datetime.now(UTC)


def mark_all_due(ids: Sequence[int]) -> None:
    """As if none of them had ever been written."""
    Assignment.objects.filter(pk__in=ids).update(
        written_revision=None,
        sent_revision=None,
        lock_digest=None,
        proof="",
        proven_at=None,
        waits="lock",
        headline="",
        headline_since=None,
        next_attempt_at=now(),
    )
    DoorLogEntry.objects.all().delete()
    tidy("keys_assignment", "locks_doorlogentry", "locks_writer")


def ring() -> None:
    """What a change rings when it commits."""
    app.send_task("keys.tasks.look_now", ignore_result=True)


def deliver_all(kit: Kit, hotel: Hotel, ids: Sequence[int], *, within_s: float) -> float:
    """Ring once and wait until all are confirmed; returns the seconds."""
    mark_all_due(ids)
    forget_calls(kit)
    open_rows = Assignment.objects.filter(
        property=hotel.property, next_attempt_at__lte=now()
    ).order_by("next_attempt_at")
    rung = began = time.monotonic()
    ring()

    def done() -> bool:
        nonlocal rung
        if not open_rows.exists():
            return True
        if time.monotonic() - rung > settings.SWEEP_EVERY_S:  # as beat does
            rung = time.monotonic()
            ring()
        return False

    wait_until(done, f"{len(ids)} rows were not delivered", within_s=within_s)
    took = time.monotonic() - began
    check(kit, hotel, ids)
    return took


def forget_calls(kit: Kit) -> None:
    for file in (kit.folder / "calls").glob("calls-*"):
        file.unlink()


def check(kit: Kit, hotel: Hotel, ids: Sequence[int]) -> None:
    """Every row is confirmed with its log line and its proof, and a driver that notes calls saw each once, in turn."""
    confirmed = Assignment.objects.filter(
        property=hotel.property, written_revision=1, sent_revision=None, waits=""
    )
    must(confirmed.count() == len(ids), "not every row is confirmed")
    lines = DoorLogEntry.objects.filter(property=hotel.property, code="written")
    told = lines.aggregate(n=Count("id"), of=Count("assignment_id", distinct=True))
    must(told == {"n": len(ids), "of": len(ids)}, f"the log tells of {told}, not {len(ids)}")
    if LockAccount.objects.get(property=hotel.property).driver != "quick":
        return
    wait_until(lambda: noted(kit)[0] >= len(ids), "the driver saw less", within_s=30, every_s=0.2)
    count, once, in_turn = noted(kit)
    must(count == len(ids) and once, f"the driver saw {count} writes of {len(ids)}")
    must(in_turn, "two writes to one lock overlapped")


def noted(kit: Kit, places: Mapping[str, str] | None = None) -> tuple[int, bool, bool]:
    """How many writes the drivers noted, whether each handle came once, and whether no two of a lock overlapped.

    ``places`` says what else may not overlap: the gateway of each lock.
    """
    calls = [
        call
        for file in sorted((kit.folder / "calls").glob("calls-*"))
        for call in json.loads(file.read_text())
    ]
    handles = Counter(handle for _, handles, _, _ in calls for handle in handles)
    by_lock: dict[str, list[tuple[float, float]]] = {}
    for lock, _, began, ended in calls:
        by_lock.setdefault((places or {}).get(lock, lock), []).append((began, ended))
    in_turn = all(
        before[1] <= after[0]
        for spans in by_lock.values()
        for before, after in zip(sorted(spans), sorted(spans)[1:], strict=False)
    )
    return handles.total(), all(n == 1 for n in handles.values()), in_turn


def empty_tasks(
    kit: Kit, workers: dict[str, subprocess.Popen[bytes]], count: int
) -> dict[str, float]:
    """Tasks a second of empty tasks, per queue: published while its worker is stopped, then let go."""
    return {queue: _empty_tasks(kit, worker, queue, count) for queue, worker in workers.items()}


def _empty_tasks(kit: Kit, worker: subprocess.Popen[bytes], queue: str, count: int) -> float:
    calls = kit.folder / "calls"
    for name in ("began", "ended"):
        (calls / name).unlink(missing_ok=True)
    os.killpg(worker.pid, signal.SIGSTOP)
    try:
        with current_app.connection_for_write() as line, app.amqp.Producer(line) as producer:
            options = {"queue": queue, "producer": producer, "ignore_result": True}
            app.send_task("bench.mark", ["began"], **options)
            for _ in range(count):
                app.send_task("bench.nothing", **options)
            app.send_task("bench.mark", ["ended"], **options)
    finally:
        os.killpg(worker.pid, signal.SIGCONT)
    wait_until(
        (calls / "ended").exists, "the empty tasks were not done", within_s=120, every_s=0.05
    )
    began, ended = (float((calls / name).read_text()) for name in ("began", "ended"))
    return count / (ended - began)


def at_once(kit: Kit) -> Figure:
    """Many due rows are claimed, decided and settled per task and per statement."""
    figure = Figure(
        name="delivery",
        says="Delivery, driver answers at once / empty Celery tasks",
        target=10,
        unit="a second",
        if_missed="A write costs Portal about as much in Python (reading its row, asking the rule before and after, opening "
        "its code, two array literals) as in PostgreSQL (stamp, outcome, log line, each with its indexes and constraints), and "
        "both share the cores with the driver. A second worker process helps where there are more cores; fewer indexes on the "
        "door log and a verdict that does not ask the rule a second time would help everywhere.",
    )
    locks, writes = kit.size(1000, 20, 200), kit.size(20000, 100, 2000)
    hotel = make_hotel(locks=locks, driver="quick", base_url="0/1")
    ids = make_keys(hotel, [a_stay(now())] * writes, now=now())
    tasks = kit.size(1500, 30, 500)
    own, other = settings.CELERY_TASK_DEFAULT_QUEUE, settings.CELERY_TASK_DEFAULT_QUEUE + PREFORK
    seen: dict[str, list[float]] = {own: [], other: []}
    with (
        kit.worker() as worker,
        kit.worker(
            name="prefork", pool="prefork", size=kit.size(2, 1), CELERY_QUEUE=other
        ) as prefork,
    ):

        def limit() -> float:
            rates = empty_tasks(kit, {own: worker, other: prefork}, tasks)
            for queue, rate in rates.items():
                seen[queue].append(rate)
            return max(rates.values())

        def product() -> float:
            return writes / deliver_all(kit, hotel, ids, within_s=300)

        interleave(figure, kit.rounds, limit, product)
    figure.beside = [
        f"empty tasks a second: {median(seen[own]):,.0f} in the worker that delivers (4 threads), "
        f"{median(seen[other]):,.0f} in one of 2 processes; the faster of each round is the limit",
        f"{writes:,} writes at {locks:,} locks, one place a call, one worker process",
    ]
    figure.checked = "each write confirmed once, its log line, no two writes to a lock at once"
    return figure


def slow_locks(kit: Kit) -> Figure:
    """A lock takes 300 ms a write and one write at a time; nothing but the locks may set the pace."""
    locks, each = kit.size(200, 10), kit.size(10, 2)
    figure = Figure(
        name="slow locks",
        says="Delivery, driver takes 300 ms / the locks' own limit",
        target=0.85,
        unit="writes/s",
        if_missed="Each write is stamped in a durable transaction before it is sent, and the lock waits for that commit. The "
        "stamp already travels with the outcome of the write before; stamping two writes ahead would mend it, at the price of "
        "more unknown outcomes after a crash.",
    )
    hotel = make_hotel(locks=locks, driver="quick", gateways=True, base_url=f"{WAIT_S}/1")
    ids = make_keys(hotel, [a_stay(now())] * (locks * each), now=now())
    with kit.worker():
        interleave(
            figure,
            kit.size(min(kit.rounds, 5), 1),
            lambda: locks * each / asyncio.run(nothing_but_locks(locks, each)),
            lambda: len(ids) / deliver_all(kit, hotel, ids, within_s=120),
        )
        over_http = [over(kit, locks, each) for _ in range(kit.size(2, 1))]
    limit = locks / WAIT_S
    rate = median(over_http)
    figure.beside = [
        f"{locks} locks, each behind its own gateway, {each} writes each, one worker process",
        f"the same over HTTP to the simulated lock system, a process of its own: {rate:,.0f} writes/s, "
        f"{rate / limit:.2f} of {limit:,.0f}",
    ]
    figure.checked = "each write confirmed once, its log line, no two writes to a lock at once"
    return figure


async def nothing_but_locks(locks: int, each: int) -> float:
    """The seconds that the locks need when nobody thinks, decides or notes anything."""

    async def one() -> None:
        for _ in range(each):
            await asyncio.sleep(WAIT_S)

    began = time.monotonic()
    await asyncio.gather(*(one() for _ in range(locks)))
    return time.monotonic() - began


def over(kit: Kit, locks: int, each: int) -> float:
    """Writes a second to the simulated lock system, with a wall of its own."""
    with start_simlock() as wall:
        hotel, ids = _wall(wall, locks, each)
        took = deliver_all(kit, hotel, ids, within_s=120)
        _check_wall(wall, len(ids))
    return len(ids) / took


def _wall(wall: SimlockServer, locks: int, each: int) -> tuple[Hotel, list[int]]:
    hotel = make_hotel(
        locks=locks, driver="simulated", gateways=True, base_url=wall.url, token=wall.token
    )
    refs = Lock.objects.filter(property=hotel.property).values_list("external_id", "gateway__name")
    wall.add_locks([{"id": ref, "gateway": box} for ref, box in refs])
    wall.cloud(latency_ms=WAIT_S * 1000)
    return hotel, make_keys(hotel, [a_stay(now())] * (locks * each), now=now())


def _check_wall(wall: SimlockServer, writes: int) -> None:
    held = sum(len(memory) for memory in wall.memories().values())
    must(held == writes, f"the locks hold {held} codes, not {writes}")
    totals = wall.stats()["totals"]
    overlaps = totals["write_overlaps"] + totals["gateway_write_overlaps"]
    must(overlaps == 0, "two writes to one lock overlapped")


@contextlib.contextmanager
def busy_worker(kit: Kit) -> Iterator[Callable[[], int]]:
    """A worker that has something to deliver all the while; gives a function that counts what it has written since."""
    locks, each = kit.size(500, 5), kit.size(40, 20)
    hotel = make_hotel(locks=locks, driver="quick", base_url="0/1")
    make_keys(hotel, [a_stay(now())] * (locks * each), now=now(), due_at=now())
    lines = DoorLogEntry.objects.filter(property=hotel.property, code="written")
    enough = threading.Event()
    feeder = threading.Thread(target=keep_due, args=(hotel, enough))
    with kit.worker(name="busy"):
        feeder.start()
        try:
            wait_until(lines.exists, "the worker did not begin", within_s=60)
            before = lines.count()
            yield lambda: lines.count() - before
        finally:
            enough.set()
            feeder.join()
    Assignment.objects.filter(property=hotel.property).update(next_attempt_at=None)


def keep_due(hotel: Hotel, enough: threading.Event) -> None:
    """Twice a second make due again what is written, as if it had never been, and ring."""
    rows = Assignment.objects.filter(
        property=hotel.property, written_revision=1, sent_revision=None
    )
    try:
        while not enough.is_set():
            rows.update(written_revision=None, lock_digest=None, next_attempt_at=now())
            ring()
            enough.wait(0.5)
    finally:
        connections.close_all()
