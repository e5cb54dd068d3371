"""Delivery against the real simulated locks: what ends up in a lock's memory, whatever happens on the way."""

from __future__ import annotations

import time
from datetime import timedelta

import pytest

from keys import issuing
from keys.explaining import explain_key
from keys.models import Assignment
from keys.provisioning import look
from locks.models import DoorLogEntry, Episode, Lock
from tests.factories import BY, AccountFactory, GatewayFactory, LockFactory, key_for, now

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("quick")]


@pytest.fixture
def account(simlock):
    return AccountFactory(base_url=simlock.url, token=simlock.token)


@pytest.fixture
def lock(simlock, account):
    simlock.add_lock("L1")
    return LockFactory(account=account, external_id="L1")


def codes(simlock, lock_ref):
    return sorted(held["value"] for held in simlock.memory(lock_ref).values())


def overlaps(simlock):
    totals = simlock.stats()["totals"]
    return totals["overlaps"] + totals["gateway_overlaps"]


def settle(seconds=1.0):
    """Look until nothing is due or the time is up, as the worker's sweep does."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        look(now=now())
        if not Assignment.objects.filter(
            next_attempt_at__lte=now() + timedelta(seconds=1)
        ).exists():
            return
        time.sleep(0.05)


def test_an_allowed_code_is_written_and_shown_as_on_the_lock(simlock, lock):
    key = key_for(lock.door)
    look(now=now())
    secret = key.credentials.get().secret
    assert codes(simlock, "L1") == [secret]
    told = explain_key(key=key, now=now())
    assert told.is_active
    assert not told.is_pending
    assert DoorLogEntry.objects.filter(code="written").count() == 1


def test_a_held_code_is_not_written_until_someone_releases_it(simlock, lock):
    key = key_for(lock.door, allow=False)
    look(now=now())
    assert codes(simlock, "L1") == []
    door = key.doors.get()
    issuing.set_permission(keychain_door=door, on=True, by=BY, now=now())
    look(now=now())
    assert len(codes(simlock, "L1")) == 1


def test_switching_off_takes_the_code_off_and_switching_on_writes_the_same(simlock, lock):
    key = key_for(lock.door)
    look(now=now())
    before = codes(simlock, "L1")
    issuing.set_permission(keychain_door=key.doors.get(), on=False, by=BY, now=now())
    look(now=now())
    assert codes(simlock, "L1") == []
    issuing.set_permission(keychain_door=key.doors.get(), on=True, by=BY, now=now())
    look(now=now())
    assert codes(simlock, "L1") == before


def test_an_offline_lock_opens_4117_and_gets_its_code_when_it_is_back(simlock, lock):
    simlock.offline("L1")
    key = key_for(lock.door)
    look(now=now())
    assert Lock.objects.get().is_online is False
    episode = Episode.objects.get()
    assert (episode.kind, episode.cause, episode.closed_at) == ("4117", "lock_offline", None)
    assert "offline since" in explain_key(key=key, now=now()).headline
    simlock.online("L1", silent=True)
    settle(3)
    assert len(codes(simlock, "L1")) == 1
    assert Episode.objects.get().closed_at is not None


def test_a_lost_acknowledgement_is_read_back_and_never_written_twice(simlock, lock):
    simlock.act("L1", "lose-ack", calls=1, silence="drop")
    key = key_for(lock.door)
    settle(3)
    assert codes(simlock, "L1") == [key.credentials.get().secret]
    assert Assignment.objects.get().proof == "read_back"
    assert overlaps(simlock) == 0


def test_a_revoked_key_comes_off_the_lock(simlock, lock):
    key = key_for(lock.door)
    look(now=now())
    issuing.revoke(key=key, by=BY, now=now())
    look(now=now())
    assert codes(simlock, "L1") == []
    assert Assignment.objects.get().reserved_digest is None


def test_one_gateway_gets_one_write_at_a_time(simlock, account):
    gateway = GatewayFactory(account=account, external_id="G1")
    simlock.add_locks([{"id": f"L{n}", "gateway": "G1"} for n in range(4)])
    locks = [LockFactory(account=account, external_id=f"L{n}", gateway=gateway) for n in range(4)]
    key_for(*(lock.door for lock in locks))
    look(now=now())
    assert [len(codes(simlock, f"L{n}")) for n in range(4)] == [1, 1, 1, 1]
    assert overlaps(simlock) == 0


def test_a_lock_without_windows_is_written_at_the_start_and_cleared_at_the_end(simlock, account):
    simlock.add_lock("L9", native_window=False)
    lock = LockFactory(account=account, external_id="L9", native_window=False)
    soon = now() + timedelta(seconds=1)
    key_for(lock.door, starts_at=soon, ends_at=soon + timedelta(seconds=1.5))
    look(now=now())
    assert codes(simlock, "L9") == []
    assert Assignment.objects.get().waits == "time"
    time.sleep(1.1)
    look(now=now())
    assert len(codes(simlock, "L9")) == 1
    time.sleep(1.5)
    look(now=now())
    assert codes(simlock, "L9") == []
