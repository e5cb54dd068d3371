"""The listener beside the real Z-Wave JS server: hears at once, takes up again, and says which time nobody listened to."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from datetime import timedelta

import pytest

from locks import hearing
from locks.drivers import Cause, EventPage, EventType, LockError, LockEvent, Retry, Scope
from locks.ears import Line
from locks.hearing import Hearing
from locks.log_models import DoorLogEntry
from locks.models import Lock, LockAccount
from tests.eventually import eventually, stays
from tests.factories import AccountFactory, LockFactory, now
from tests.locks.peers.zwave.peer import PLAIN, TOKEN

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.xdist_group("zwave")]


@contextmanager
def listening():
    """A listener in a thread, as the process runs it."""
    over = threading.Event()
    thread = threading.Thread(target=Hearing(look_every_s=0.1).run, args=(over,))
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(15)
        assert not thread.is_alive()


def codes():
    return list(DoorLogEntry.objects.order_by("happened_at", "id").values_list("code", flat=True))


@pytest.fixture
def lock(zwave):
    zwave.act(PLAIN, "reset")
    account = AccountFactory(driver="zwave", base_url=zwave.gate, token=TOKEN)
    return LockFactory(account=account, external_id=PLAIN, first_slot=1)


def account_of(lock):
    return LockAccount.objects.get(pk=lock.account_id)


def is_listened_to(lock):
    return account_of(lock).heard_until is not None


@pytest.mark.slow
def test_what_happens_is_in_the_log_at_once_and_an_online_signal_is_believed(zwave, lock):
    with listening():
        eventually(lambda: is_listened_to(lock))
        zwave.act(PLAIN, "offline")
        eventually(lambda: not Lock.objects.get(pk=lock.pk).is_online)
        zwave.act(PLAIN, "online")
        eventually(lambda: Lock.objects.get(pk=lock.pk).is_online)
        zwave.act(PLAIN, "keypad", slot=7, code="551234")
        eventually(lambda: "changed_at_lock" in codes())
    assert {"offline", "online"} <= set(codes())
    assert "551234" not in str(list(DoorLogEntry.objects.values()))
    assert account_of(lock).listener == ""


@pytest.mark.slow
def test_after_a_silence_the_log_says_from_when_to_when_and_the_locks_are_read(lock):
    LockAccount.objects.filter(pk=lock.account_id).update_untracked(
        heard_until=now() - timedelta(minutes=5)
    )
    with listening():
        line = eventually(lambda: DoorLogEntry.objects.filter(code="unheard").first())
    assert line.property_id == lock.property_id
    assert line.actor == account_of(lock).name
    assert "–" in line.cause
    assert Lock.objects.get(pk=lock.pk).read_backs_left > 0
    assert codes().count("unheard") == 1


@pytest.mark.slow
def test_two_listeners_hear_an_event_once_and_one_takes_over_from_one_that_is_gone(zwave, lock):
    with listening(), listening():
        eventually(lambda: is_listened_to(lock))
        zwave.act(PLAIN, "keypad", slot=7, code="551235")
        eventually(lambda: "changed_at_lock" in codes())
        assert stays(lambda: codes().count("changed_at_lock") == 1, 1.5)
    LockAccount.objects.filter(pk=lock.account_id).update_untracked(
        listener="somebody", listening_until=now() - timedelta(seconds=1)
    )
    with listening():
        eventually(lambda: account_of(lock).listener not in {"", "somebody"})


def test_an_account_that_somebody_listens_to_is_left_alone(lock):
    LockAccount.objects.filter(pk=lock.account_id).update_untracked(
        listener="somebody", listening_until=now() + timedelta(minutes=1)
    )
    with listening():
        assert stays(lambda: account_of(lock).listener == "somebody", 0.6)


@pytest.mark.slow
def test_a_token_that_is_refused_breaks_the_account_and_ends_the_trying(lock):
    account = account_of(lock)
    account.token = "wrong"
    account.save()
    with listening():
        eventually(lambda: account_of(lock).state == "broken")
    assert account_of(lock).problem


@pytest.fixture
def heard(lock):
    """A listener without ears, and its line to the lock's account."""
    listener = Hearing()
    line = Line(account_id=lock.account_id, driver="zwave", base_url="", token="")
    LockAccount.objects.filter(pk=lock.account_id).update_untracked(
        listener=listener._me, heard_until=now() - timedelta(seconds=9)
    )
    return listener, line


def test_a_line_that_is_lost_marks_until_when_it_was_heard_and_a_short_break_reads_no_lock(
    heard, lock
):
    listener, line = heard
    listener._take(line, EventPage(events=(), cursor=""))
    assert codes() == ["unheard"]
    assert Lock.objects.get(pk=lock.pk).read_backs_left == 0
    before = account_of(lock).heard_until
    lost = LockError(cause=Cause.VENDOR_UNREACHABLE, retry=Retry.SOON, scope=Scope.ACCOUNT)
    event = LockEvent(
        event_id="a", lock_ref=PLAIN, type=EventType.UNLOCKED, happened_at=now(), address="1"
    )
    listener._take(line, EventPage(events=(event,), cursor="", error=lost))
    assert codes() == ["unheard", "unlocked"]
    assert account_of(lock).heard_until > before
    assert account_of(lock).state == "working"


def test_only_working_accounts_of_systems_that_tell_live_are_listened_to(lock):
    AccountFactory()
    broken = AccountFactory(driver="zwave", state="broken", broken_at=now())
    assert [line.account_id for line in hearing._wanted()] == [lock.account_id]
    assert broken.token not in repr(hearing._wanted())
