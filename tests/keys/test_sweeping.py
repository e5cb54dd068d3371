"""Commands that do by hand what the worker does by itself, and the slow cycle in which every lock is read."""

from __future__ import annotations

from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from keys.delivery import look
from locks import doorlog
from locks.log_models import DoorLogEntry
from locks.models import Lock
from tests.factories import AccountFactory, LockFactory, key_for, now

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("quick")]


@pytest.fixture
def lock(simlock):
    simlock.add_lock("L1")
    account = AccountFactory(base_url=simlock.url, token=simlock.token, name="North wing")
    return LockFactory(account=account, external_id="L1")


def said(command: str, **options) -> str:
    out = StringIO()
    call_command(command, stdout=out, **options)
    return out.getvalue()


def test_sweep_delivers_from_the_rows_alone_and_says_what_is_left(simlock, lock):
    key = key_for(lock.door)
    secret = str(key.credentials.get().secret)
    text = said("sweep", dry_run=True)
    assert "still due: 1 credentials at their locks" in text
    assert simlock.memory("L1") == {}
    text = said("sweep")
    assert "1 attempts at locks" in text
    assert "nothing due: credentials at their locks" in text
    assert secret not in text
    assert [held["value"] for held in simlock.memory("L1").values()] == [secret]


def test_ingest_door_log_brings_in_each_event_once(simlock, lock):
    key = key_for(lock.door)
    look(now=now())
    simlock.try_door("L1", str(key.credentials.get().secret))
    assert "North wing: " in said("ingest_door_log", property=lock.property.name)
    opened = DoorLogEntry.objects.filter(code="unlocked", key_id=key.pk)
    assert opened.count() == 1
    assert "North wing: 0 new events." in said("ingest_door_log")
    assert opened.count() == 1


def test_ingest_door_log_says_which_account_could_not_be_fetched(simlock, lock):
    nobody = AccountFactory(base_url="http://127.0.0.1:9", name="South wing")
    out = StringIO()
    with pytest.raises(CommandError, match="1 of 2 accounts could not be fetched"):
        call_command("ingest_door_log", stdout=out)
    assert "North wing: " in out.getvalue()
    assert f"{nobody.property.name}, South wing: " in out.getvalue()
    with pytest.raises(CommandError, match="No lock account"):
        said("ingest_door_log", property="Nowhere")


def test_every_lock_is_read_back_in_a_slow_cycle_even_if_nothing_ever_went_wrong(
    simlock, lock, settings
):
    settings.READ_BACK_ALL_EVERY_S = 60.0
    key = key_for(lock.door)
    look(now=now())
    (handle,) = simlock.memory("L1")
    simlock.act("L1", "keypad-delete", handle=handle)
    assert doorlog.plan_read_backs(now=now() - timedelta(seconds=61)) == 1
    assert doorlog.plan_read_backs(now=now()) == 0
    look(now=now())
    look(now=now())
    assert [h["value"] for h in simlock.memory("L1").values()] == [
        str(key.credentials.get().secret)
    ]
    assert DoorLogEntry.objects.filter(code="repaired").exists()
    assert Lock.objects.get(pk=lock.pk).read_back_at > now()


def test_locks_are_spread_over_the_cycle(settings):
    settings.READ_BACK_ALL_EVERY_S = 100.0
    account = AccountFactory()
    for _ in range(4):
        LockFactory(account=account)
    at = now()
    doorlog.plan_read_backs(now=at)
    pauses = [(lock.read_back_at - at).total_seconds() for lock in Lock.objects.order_by("id")]
    assert pauses == [25.0, 50.0, 75.0, 100.0]


def test_an_account_that_is_refused_while_its_events_are_fetched_is_broken(simlock, lock):
    simlock.cloud(reject_token=True)
    out = StringIO()
    with pytest.raises(CommandError):
        call_command("ingest_door_log", stdout=out)
    assert "then auth" in out.getvalue()
    lock.account.refresh_from_db()
    assert lock.account.state == "broken"
    assert lock.account.broken_at is not None
    simlock.cloud(reject_token=False)
