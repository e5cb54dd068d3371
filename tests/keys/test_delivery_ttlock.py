"""Delivery through TTLock's cloud: the vendor names the places, and its book is all that can be read back."""

from __future__ import annotations

import time
from datetime import timedelta

import pytest

from keys import issuing
from keys.delivery import look
from keys.explaining import explain_key
from keys.models import Assignment, Guest
from locks import doorlog, listening
from locks.drivers import Kind
from locks.log_models import DoorLogEntry
from tests.factories import BY, AccountFactory, GatewayFactory, LockFactory, key_for, now
from tests.locks.ttlock_server import start_ttlock

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("quick")]


@pytest.fixture(scope="module")
def ttlock():
    with start_ttlock() as server:
        yield server


@pytest.fixture
def lock(ttlock):
    """A lock behind a gateway, on a door."""
    ttlock.post("reset")
    account = AccountFactory(driver="ttlock", base_url=ttlock.url, token=ttlock.token())
    gateway = GatewayFactory(account=account, external_id="7")
    return LockFactory(
        account=account, gateway=gateway, external_id=ttlock.add_lock(gateway=7, alias="204")
    )


def codes(ttlock, lock):
    return list(ttlock.memory(lock.external_id).values())


def settle(seconds=6.0):
    end = time.monotonic() + seconds
    soon = now() + timedelta(seconds=30)
    while time.monotonic() < end:
        look(now=now())
        if not Assignment.objects.filter(next_attempt_at__lte=soon).exists():
            return
        time.sleep(0.05)


def test_a_code_opens_the_door_is_seen_in_use_and_is_taken_off_again(ttlock, lock) -> None:
    key = key_for(lock.door)
    look(now=now())
    secret = key.credentials.get().secret
    assert codes(ttlock, lock) == [secret]
    entry = next(iter(ttlock.book(lock.external_id).values()))
    assert Assignment.objects.get().address == str(entry["id"])
    assert explain_key(key=key, now=now()).is_active
    assert ttlock.try_door(lock.external_id, secret)
    listening.poll(account=lock.account, now=now())
    assert DoorLogEntry.objects.filter(code="unlocked", key_id=key.pk).count() == 1
    issuing.revoke(key=key, by=BY, now=now())
    settle()
    assert codes(ttlock, lock) == []


def ekeys(ttlock, lock):
    """Who has an eKey for this lock by the cloud's book."""
    return [each["value"] for each in ttlock.book(lock.external_id, kind="ekey").values()]


def test_a_smartkey_goes_to_the_guest_by_e_mail_and_says_what_is_missing(ttlock, lock) -> None:
    key = key_for(lock.door, kinds=(Kind.SMARTKEY,))
    look(now=now())
    reason = explain_key(key=key, now=now()).doors[0].reasons[0].sentence
    assert "no e-mail address or phone number" in reason
    assert ekeys(ttlock, lock) == []
    guest = Guest.objects.get()
    guest.email = "ada@guest.example"
    guest.save()
    settle()
    reason = explain_key(key=key, now=now()).doors[0].reasons[0].sentence
    assert "has not signed up" in reason
    ttlock.post("receivers", username=guest.email)
    issuing.regenerate(credential=key.credentials.get(), by=BY, now=now())
    settle()
    assert ekeys(ttlock, lock) == [guest.email]
    assert explain_key(key=key, now=now()).is_active
    assert guest.email not in str(list(DoorLogEntry.objects.values()))
    doorlog.must_read_back(lock_ids=[lock.pk], now=now())
    look(now=now())
    assert not DoorLogEntry.objects.filter(code="repaired").exists()
    issuing.revoke(key=key, by=BY, now=now())
    settle()
    assert ekeys(ttlock, lock) == []


def test_a_lost_answer_is_learnt_from_the_book_with_the_id(ttlock, lock) -> None:
    ttlock.act(lock.external_id, "lose-answer")
    key = key_for(lock.door)
    settle()
    assert codes(ttlock, lock) == [key.credentials.get().secret]
    assert Assignment.objects.get().address in {
        str(entry["id"]) for entry in ttlock.book(lock.external_id).values()
    }
    issuing.revoke(key=key, by=BY, now=now())
    settle()
    assert codes(ttlock, lock) == []


def test_a_lock_out_of_reach_gets_its_code_when_it_is_tried_again(ttlock, lock, settings) -> None:
    settings.RETRY_OFFLINE_S = [0.2]
    ttlock.act(lock.external_id, "offline")
    key = key_for(lock.door)
    look(now=now())
    assert "offline" in explain_key(key=key, now=now()).headline
    ttlock.act(lock.external_id, "online")
    time.sleep(0.3)
    settle()
    assert codes(ttlock, lock) == [key.credentials.get().secret]
