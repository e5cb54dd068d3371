"""Delivery against the real simulated locks: what ends up in a lock's memory, whatever happens on the way."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import timedelta

import pytest

from keys import issuing
from keys.delivery import look
from keys.explaining import explain_key
from keys.models import Assignment
from locks import listening
from locks.drivers import simulated
from locks.log_models import DoorLogEntry, Episode
from locks.models import Lock
from tests.factories import BY, GatewayFactory, LockFactory, key_for, now

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("quick")]


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


def test_a_full_lock_takes_the_code_as_soon_as_another_one_left(simlock, account):
    simlock.add_lock("L2", max_codes=1)
    lock = LockFactory(account=account, external_id="L2")
    first = key_for(lock.door)
    look(now=now())
    second = key_for(lock.door)
    settle()
    assert "memory is full" in explain_key(key=second, now=now()).headline
    issuing.revoke(key=first, by=BY, now=now())
    settle()
    assert codes(simlock, "L2") == [second.credentials.get().secret]


def test_an_account_that_was_refused_goes_on_once_it_is_accepted_again(simlock, account, lock):
    simlock.cloud(reject_token=True)
    key = key_for(lock.door)
    look(now=now())
    assert explain_key(key=key, now=now()).headline.endswith("is refused by the lock system.")
    assert listening.try_broken(now=now()) == 0
    simlock.cloud(reject_token=False)
    assert listening.try_broken(now=now()) == 1
    settle()
    assert codes(simlock, "L1") == [key.credentials.get().secret]
    account.refresh_from_db()
    assert (account.state, account.problem) == ("working", "")


def test_a_vendor_that_counts_calls_is_asked_for_events_no_oftener_than_it_says(
    simlock, account, lock, monkeypatch
):
    monkeypatch.setattr(simulated, "VENDOR", replace(simulated.VENDOR, poll_every_s=30.0))
    start = now()
    simlock.try_door("L1", "730528")
    assert listening.poll_all(now=start) == 1
    simlock.try_door("L1", "915047")
    assert listening.poll_all(now=start + timedelta(seconds=29)) == 0
    assert listening.poll_all(now=start + timedelta(seconds=30)) == 1


def test_a_removal_whose_answer_was_lost_is_sent_again_before_a_new_code(simlock, lock, settings):
    settings.RETRY_SOON_S = [
        60.0
    ]  # not tried again before the new code is there, however slow this machine
    ended = key_for(lock.door)
    look(now=now())
    simlock.act("L1", "lose-request", calls=1)
    issuing.revoke(key=ended, by=BY, now=now())
    look(now=now())
    Assignment.objects.update(retry_at=None, next_attempt_at=now())
    key_for(lock.door)
    simlock.reset_stats()
    look(now=now())
    sent = [each["method"] for each in simlock.stats(requests=10)["requests"]]
    assert [method for method in sent if method != "GET"] == ["DELETE", "PUT"]


def test_what_waits_for_an_offline_lock_is_due_together_so_that_removals_go_first(
    simlock, lock, settings
):
    gone = [key_for(lock.door, guest=f"Guest {n}") for n in range(2)]
    settle()
    settings.RETRY_OFFLINE_S = [60.0, 600.0]
    simlock.offline("L1", silent=True)
    for key in gone:
        issuing.revoke(key=key, by=BY, now=now())
    look(now=now())
    waiting = key_for(lock.door, guest="Guest 2")
    look(now=now())
    next_try_at = Lock.objects.get().next_try_at
    assert set(Assignment.objects.values_list("next_attempt_at", flat=True)) == {next_try_at}
    simlock.online("L1", silent=True)
    Lock.objects.update(next_try_at=now())
    Assignment.objects.update(next_attempt_at=now())
    settle(10.0)
    assert codes(simlock, "L1") == [waiting.credentials.get().secret]


def test_a_full_lock_gives_the_space_of_a_later_arrival_to_a_sooner_one_only(simlock, account):
    simlock.add_lock("L9", max_codes=2)
    lock = LockFactory(account=account, external_id="L9", max_codes=2)

    def arriving(guest, days):
        start = now() + timedelta(days=days)
        return key_for(lock.door, guest=guest, starts_at=start, ends_at=start + timedelta(days=1))

    def held():
        settle(10.0)
        return {handle.split("a")[0] for handle in simlock.memory("L9")}

    in_house, late = arriving("In house", -0.5), arriving("Late", 9)
    assert held() == {f"k{in_house.pk}", f"k{late.pk}"}
    soon = arriving("Soon", 2)
    assert held() == {f"k{in_house.pk}", f"k{soon.pk}"}
    arriving("Later still", 20)
    assert held() == {f"k{in_house.pk}", f"k{soon.pk}"}
    assert not Assignment.objects.filter(next_attempt_at__lte=now()).exists()
    issuing.revoke(key=in_house, by=BY, now=now())
    assert held() == {f"k{soon.pk}", f"k{late.pk}"}
