"""Pauses between attempts: longer after each failure, a gateway asked once for all its locks, and ended by staff."""

from __future__ import annotations

import time
from datetime import timedelta

import pytest

from keys import issuing, provisioning
from keys.delivery import look
from keys.explaining import explain_key
from keys.models import Assignment
from locks.doorlog import retry_delay
from locks.models import Lock
from tests.factories import BY, GatewayFactory, LockFactory, key_for, now

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("quick")]


def asked(simlock, *methods):
    """The calls of these methods since the figures were reset, as (lock, handle), in order."""
    said = simlock.stats(requests=500)["requests"]
    return [(one["lock_id"], one["handle"]) for one in said if one["method"] in methods]


def look_for(seconds):
    """Look again and again, as the worker's sweep does."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        look(now=now())
        time.sleep(0.02)


def test_a_lock_that_loses_every_call_is_called_less_and_less(simlock, lock, settings):
    settings.RETRY_SOON_S = [0.05, 0.1, 30.0]
    simlock.act("L1", "lose-request", calls=-1, silence="drop")
    key = key_for(lock.door)
    look_for(3.0)
    assert len(asked(simlock, "PUT")) == 4, "at once, again at once, then after each pause"
    told = explain_key(key=key, now=now())
    assert "Paused after 4 attempts, to spare the lock." in told.headline
    assert told.doors[0].pauses


def test_staff_end_a_pause_for_all_that_waits_at_the_lock(simlock, lock, settings):
    settings.RETRY_SOON_S = [30.0]
    simlock.act("L1", "busy", calls=1)
    keys = [key_for(lock.door, guest=f"Guest {n}") for n in range(3)]
    look(now=now())
    assert explain_key(key=keys[0], now=now()).doors[0].pauses
    look(now=now())
    assert simlock.memory("L1") == {}
    assert provisioning.try_now(lock_id=lock.pk, now=now()) == 3
    look(now=now())
    assert len(simlock.memory("L1")) == 3
    assert not explain_key(key=keys[0], now=now()).doors[0].pauses
    assert provisioning.try_now(lock_id=lock.pk, now=now()) == 0


def test_trying_an_offline_lock_now_is_one_try_and_goes_on_with_the_schedule(
    simlock, lock, settings
):
    settings.RETRY_OFFLINE_S = [30.0, 60.0]
    simlock.offline("L1", silent=True)
    key = key_for(lock.door)
    look(now=now())
    simlock.reset_stats()
    assert provisioning.try_now(lock_id=lock.pk, now=now()) == 1
    look(now=now())
    assert len(asked(simlock, "PUT")) == 1
    assert Lock.objects.get().next_try_at - now() > timedelta(seconds=50)
    simlock.online("L1", silent=True)
    provisioning.try_now(lock_id=lock.pk, now=now())
    look(now=now())
    assert explain_key(key=key, now=now()).is_active


def test_what_a_lock_refused_for_good_is_not_tried_by_that(simlock, lock):
    key_for(lock.door)
    Assignment.objects.update(
        refused_revision=1, headline="refused_by_lock", next_attempt_at=None, problem="rejected"
    )
    assert provisioning.try_now(lock_id=lock.pk, now=now()) == 0


@pytest.fixture
def behind(simlock, account):
    """Four locks behind one gateway."""
    gateway = GatewayFactory(account=account)
    simlock.add_locks([{"id": f"G{n}", "gateway": gateway.external_id} for n in range(4)])
    for n in range(4):
        LockFactory(account=account, gateway=gateway, external_id=f"G{n}")
    return gateway


def test_a_busy_gateway_is_asked_once_for_all_its_locks(simlock, behind, settings):
    settings.RETRY_SOON_S = [0.05, 30.0]
    simlock.gateway(behind.external_id, "busy", calls=-1)
    for lock in behind.locks.order_by("id"):
        key_for(lock.door)
    look_for(1.0)
    assert len(asked(simlock, "PUT")) == 2
    simlock.gateway(behind.external_id, "busy", calls=0)
    Assignment.objects.update(next_attempt_at=now(), retry_at=None)
    look(now=now())
    assert [len(simlock.memory(f"G{n}")) for n in range(4)] == [1, 1, 1, 1]


def test_a_gateway_that_is_back_without_a_word_is_found_by_one_try_and_serves_all_in_order(
    simlock, behind, settings
):
    locks = list(behind.locks.order_by("id"))
    gone = key_for(locks[3].door)
    look(now=now())
    settings.RETRY_OFFLINE_S = [0.3, 60.0]
    simlock.gateway(behind.external_id, "offline", silent=True)
    simlock.reset_stats()
    later = [
        key_for(lock.door, starts_at=now() + timedelta(hours=4 - n))
        for n, lock in enumerate(locks[:3])
    ]
    issuing.revoke(key=gone, by=BY, now=now())
    look(now=now())
    assert asked(simlock, "PUT", "DELETE") == [("G3", asked(simlock, "DELETE")[0][1])]
    assert len(set(behind.locks.values_list("next_try_at", flat=True))) == 1
    for key in later:
        assert "is offline since" in explain_key(key=key, now=now()).headline
    simlock.gateway(behind.external_id, "online", silent=True)
    simlock.reset_stats()
    look_for(1.0)
    assert [lock for lock, _ in asked(simlock, "PUT", "DELETE")] == ["G3", "G2", "G1", "G0"]
    assert simlock.stats()["totals"]["gateway_overlaps"] == 0
    behind.refresh_from_db()
    assert behind.is_online


def test_pauses_of_different_locks_end_apart_and_never_sooner():
    pauses = {lock: retry_delay(2, [1.0, 2.0, 10.0], of=lock) for lock in range(1, 50)}
    assert all(timedelta(seconds=10) <= pause <= timedelta(seconds=12) for pause in pauses.values())
    assert len(set(pauses.values())) > 40
    assert pauses == {lock: retry_delay(2, [1.0, 2.0, 10.0], of=lock) for lock in range(1, 50)}
    assert retry_delay(9, [1.0, 2.0, 10.0]) == timedelta(seconds=10)
