"""How fast a recovery releases what an outage holds: against one UPDATE and one INSERT of its historical rows."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from statistics import median
from typing import Any

import httpx2
from django.db import connection, transaction

from keys import provisioning, recovering
from keys.affected import stays_of
from keys.api_shapes import BULK
from keys.models import Assignment, KeychainDoor, Recheck, Recovery, RecoveryRow
from keys.releasing import held_doors
from keys.rules import Hold, Permission
from locks.history import SYSTEM
from pms.models import Integration, Outage, Reservation
from portal.models import Membership, Role, User
from portal.tokens import make_token
from tests.bench.figures import Figure, interleave, must, percentile, short
from tests.bench.hooks import served
from tests.bench.hotel import Hotel, a_stay, make_hotel, make_keys, make_stays, tidy
from tests.bench.processes import Kit

WHY = replace(SYSTEM, label="bench", reason="bench")
ANSWER_S = 1.0
DAY = timedelta(days=1)
TABLES = ("keys_keychaindoor", "keys_assignment", "keys_recovery", "keys_recoveryrow")
_UPDATE = """
UPDATE keys_keychaindoor SET permission = 'automatic', permission_since = %s
WHERE outage_id = %s AND permission = 'held_by_outage'
"""
_HISTORY = """
INSERT INTO keys_historicalkeychaindoor (id, origin, permission, permission_since, starts_at, ends_at, weekdays,
  from_hour, to_hour, removed_at, removed_by_staff, property_id, key_id, door_id, outage_id, history_date, history_type,
  history_change_reason, source, actor_label)
SELECT id, origin, permission, permission_since, starts_at, ends_at, weekdays, from_hour, to_hour, removed_at, removed_by_staff,
  property_id, key_id, door_id, outage_id, %s, '~', 'bench', 'system', 'bench' FROM keys_keychaindoor WHERE outage_id = %s
"""


def release_all(kit: Kit) -> Figure:
    """The request only makes the record; the figure is the whole work of the worker, planning included."""
    count = kit.size(5000, 30, 2000)
    figure = Figure(
        name="releasing",
        says=f"Releasing {count:,} held doors / one UPDATE and the INSERT of its historical rows",
        target=0.25,
        unit="doors/s",
        if_missed="Beside both statements every reservation gets a row, and later its result.",
    )
    outage = held_hotel(kit, count)
    answered: list[float] = []
    interleave(
        figure,
        kit.size(kit.rounds, 1, 3),
        lambda: count / release_at_once(outage, count),
        lambda: count / release_by_recovery(outage, count, answered),
    )
    figure.checked = (
        "every door is on by the rule and has one historical row of the batch with the reason, every code is due or decided again, and "
        "every reservation has its result"
    )
    figure.beside = [
        f"the request that confirms it took {short(median(answered) * 1000)} ms",
        "the product's side is the task's own calls, in one process; deciding the doors again is a figure of its own",
    ]
    return figure


def answer(kit: Kit) -> Figure:
    """The same request over HTTP, again and again; the record that it made is cancelled each time before any work."""
    count, often = kit.size(5000, 30), kit.size(100, 3)
    figure = Figure(
        name="releasing-answer",
        says=f"99th percentile of the request that releases {count:,} held doors / {ANSWER_S:g} s",
        target=1,
        unit="ms",
        at_most=True,
        if_missed="The request asks once whether anything is still held and makes one record; that question looks at the "
        "property's doors.",
    )
    outage = held_hotel(kit, count)
    hold(outage)
    chosen = list(stays_of(outage).order_by("id").values_list("id", flat=True)[:BULK])
    with served(kit) as port:
        ask = asker(outage, port)
        ask({}), ask({"reservations": chosen})
        for _ in range(kit.size(3, 1)):
            seen = [ask({}) for _ in range(often)]
            figure.limit.append(ANSWER_S * 1000)
            figure.product.append(percentile(seen, 0.99))
        few = [ask({"reservations": chosen}) for _ in range(max(often // 10, 1))]
    must(held_doors(outage=outage, now=datetime.now(UTC)).count() == count, "doors were released")
    figure.checked = "every request answered with 201 and a recovery of its own, which had everything still to do"
    figure.beside = [
        f"{often} requests a round, one after the other, to gunicorn; median {short(median(seen))} ms",
        f"with {len(chosen):,} reservations chosen by their ids, whose rows are made at once, the median is "
        f"{short(median(few))} ms",
    ]
    return figure


def asker(outage: Outage, port: int) -> Callable[[dict[str, Any]], float]:
    """A function that asks for a recovery as an API's client does, and tells the milliseconds of the answer."""
    now = datetime.now(UTC)
    user = User.objects.create_user(f"bench-{outage.pk}@example.com", name="Bench")
    owner = Membership.objects.create(property=outage.property, user=user, role=Role.OWNER)
    _, secret = make_token(
        membership=owner, role=Role.OWNER, name="bench", expires_at=now + DAY, now=now
    )
    client = httpx2.Client(
        base_url=f"http://127.0.0.1:{port}/api/v1/",
        headers={"Authorization": f"Bearer {secret}"},
        timeout=60,
        trust_env=False,
    )

    def ask(more: dict[str, Any]) -> float:
        began = time.perf_counter()
        reply = client.post(f"outages/{outage.pk}/recover/", json={"reason": "bench", **more})
        took = time.perf_counter() - began
        must(reply.status_code == 201, f"the answer was {reply.status_code}: {reply.text[:200]}")
        recovery = Recovery.objects.get(pk=reply.json()["id"])
        must(recovery.finished_at is None and not recovery.settled(), "it is not one of its own")
        recovering.cancel(recovery=recovery, now=datetime.now(UTC))
        return took * 1000

    return ask


def held_hotel(kit: Kit, count: int) -> Outage:
    """A hotel with that many reservations, a key and a door each, that came in during an outage."""
    now = datetime.now(UTC)
    windows = [a_stay(now)] * count
    hotel = make_hotel(locks=kit.size(400, 10), driver="quick", base_url="0/1")
    make_keys(hotel, windows, now=now, stays=make_stays(hotel, windows, now=now))
    return came_in(hotel, now)


def came_in(hotel: Hotel, now: datetime) -> Outage:
    """An outage during which all of the hotel's reservations came in."""
    outage = Outage.objects.create(
        property=hotel.property,
        integration=Integration.objects.get(property=hotel.property),
        began_at=now - timedelta(hours=2),
        last_word_at=now - timedelta(hours=3),
        reconnected_at=now - timedelta(hours=1),
        ended_at=now - timedelta(hours=1),
    )
    Reservation.objects.filter(property=hotel.property).update(
        came_in_during=outage, affected_by=outage, happened=["came_in"]
    )
    return outage


def hold(outage: Outage) -> None:
    """Everything is held again, and nothing is left of the round before."""
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM keys_historicalkeychaindoor")
        cursor.execute("DELETE FROM keys_recoveryrow")
        cursor.execute("DELETE FROM keys_recovery")
        cursor.execute(
            "UPDATE keys_keychaindoor SET permission = 'held_by_outage', outage_id = %s "
            "WHERE property_id = %s",
            [outage.pk, outage.property_id],
        )
        cursor.execute("UPDATE keys_assignment SET next_attempt_at = NULL, headline = ''")
    tidy(*TABLES, "keys_historicalkeychaindoor")


def release_at_once(outage: Outage, count: int) -> float:
    """The least that could be done, in one transaction; the seconds it took."""
    hold(outage)
    now = connection.ops.adapt_datetimefield_value(datetime.now(UTC))
    with connection.cursor() as cursor:
        began = time.perf_counter()
        with transaction.atomic():
            cursor.execute(_UPDATE, [now, outage.pk])
            cursor.execute(_HISTORY, [now, outage.pk])
        took = time.perf_counter() - began
    must(KeychainDoor.history.count() == count, "not every door has its historical row")
    return took


def release_by_recovery(outage: Outage, count: int, answered: list[float]) -> float:
    """Confirm a recovery of all and work it off; the seconds of the work, with the results checked."""
    hold(outage)
    began = time.perf_counter()
    recovery = recovering.start(outage=outage, by=WHY, now=datetime.now(UTC))
    answered.append(time.perf_counter() - began)
    began = time.perf_counter()
    while recovering.step(recovery_id=recovery.pk, now=datetime.now(UTC)):
        pass
    took = time.perf_counter() - began
    _check(recovery, outage, count)
    return took


def _check(recovery: Recovery, outage: Outage, count: int) -> None:
    recovery.refresh_from_db()
    must(recovery.done == count == recovery.settled(), f"{recovery.done} are done, not {count}")
    on = KeychainDoor.objects.filter(outage=outage, permission=Permission.AUTOMATIC.value)
    must(on.count() == count, "not every door is on")
    records = KeychainDoor.history.filter(
        batch_id=recovery.batch_id, history_change_reason="bench", permission="automatic"
    )
    must(records.values("id").distinct().count() == records.count() == count, "history has a hole")
    places = Assignment.objects.filter(property=outage.property)
    if Recheck.objects.exists():
        provisioning.decide_again(now=datetime.now(UTC))
        told = places.filter(headline=Hold.NOT_CHECKED_IN.value)
        must(told.count() == count, "not every code has the answer of the rule")
    else:
        due = places.filter(next_attempt_at__isnull=False)
        must(due.count() == count, "not every code is due")
    rows = RecoveryRow.objects.filter(recovery=recovery, state="done", settled_at__isnull=False)
    must(rows.count() == count, "not every reservation has its result")
