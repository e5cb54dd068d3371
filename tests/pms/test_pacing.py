"""The pace of calls to a PMS: one for all workers, with room left for people."""

from __future__ import annotations

import threading
import time

import pytest
from django.db import connection, connections

from pms import pacing
from pms.adapters import Limit, TryLater
from pms.models import Pace

pytestmark = pytest.mark.django_db(transaction=True)
FAST = Limit(calls=40, per_s=1.0, ahead=2, ahead_for_people=8)


def moments_of(workers, calls, payer="app"):
    """When each call of these workers, which know nothing of each other, was let through."""
    passed: list[float] = []

    def work():
        for _ in range(calls):
            pacing.wait(payer, FAST, for_people=False)
            passed.append(time.monotonic())
        connections.close_all()

    threads = [threading.Thread(target=work) for _ in range(workers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sorted(passed)


def test_several_workers_together_keep_the_limit_of_one():
    passed = moments_of(workers=4, calls=10)
    assert len(passed) == 40
    most = max(sum(at <= other < at + 0.5 for other in passed) for at in passed)
    assert most <= FAST.calls * 0.5 + FAST.ahead + 1
    assert passed[-1] - passed[0] >= (40 - FAST.ahead - 1) / FAST.calls * 0.9


def test_each_payer_has_its_own_pace():
    for payer in ("one", "two", "three"):
        began = time.monotonic()
        pacing.wait(payer, Limit(calls=1, per_s=30.0), for_people=False)
        assert time.monotonic() - began < 5
    assert Pace.objects.count() == 3


def test_a_person_does_not_wait_for_the_background():
    slow = Limit(calls=1, per_s=5.0, ahead=2, ahead_for_people=5)
    for _ in range(2):
        pacing.wait("app", slow, for_people=False)
    began = time.monotonic()
    pacing.wait("app", slow, for_people=True)
    assert time.monotonic() - began < 2.5


def test_what_would_wait_longer_than_a_minute_is_told_to_come_later():
    slow = Limit(calls=1, per_s=90.0)
    pacing.wait("app", slow, for_people=False)
    with pytest.raises(TryLater):
        pacing.wait("app", slow, for_people=False)


def test_what_the_vendor_asks_for_is_waited_out_by_all_and_by_people_too():
    pacing.hold("app", FAST, 0.6)
    began = time.monotonic()
    pacing.wait("app", FAST, for_people=True)
    assert 0.55 <= time.monotonic() - began < 1.5
    passed = moments_of(workers=3, calls=1, payer="other")
    assert passed[-1] - passed[0] < 0.5, "another payer was not asked to wait"


def test_a_wish_never_shortens_what_waits_already():
    slow = Limit(calls=1, per_s=0.8)
    pacing.wait("app", slow, for_people=False)
    pacing.wait("app", slow, for_people=False)
    before = Pace.objects.get().free_at_s
    pacing.hold("app", slow, 0.0)
    assert Pace.objects.get().free_at_s >= before


def test_no_token_stands_in_the_table():
    pacing.wait("MEWS:C66EF7B239D24632943D115EDE9CB810", FAST, for_people=False)
    with connection.cursor() as cursor:
        cursor.execute("SELECT payer FROM pms_pace")
        assert "C66EF" not in str(cursor.fetchall())
