"""Whose an event of a lock is, in which order and how often it counts, and what is believed of it."""

from __future__ import annotations

from datetime import timedelta

import pytest

from keys import issuing
from keys.models import Assignment
from locks.crediting import Given, remember
from locks.drivers import EventType, Kind, LockEvent
from locks.events import ingest
from locks.log_models import DoorLogEntry, Episode
from locks.models import Lock
from tests.factories import BY, LockFactory, key_for, now

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)


@pytest.fixture
def lock():
    return LockFactory()


def told(lock, type_, *, ago=MINUTE, **more):
    """An event of this lock."""
    return LockEvent(
        event_id=more.pop("event_id", f"{type_.value}-{ago}"),
        lock_ref=lock.external_id,
        type=type_,
        happened_at=more.pop("at", None) or now() - ago,
        **more,
    )


def tell(lock, *events):
    return ingest(account_id=lock.account_id, events=events, now=now())


def lines():
    return list(DoorLogEntry.objects.filter(origin="lock").order_by("happened_at", "id"))


def test_a_vendors_own_id_is_the_credentials_also_after_it_is_gone(lock):
    key = key_for(lock.door)
    place = Assignment.objects.get()
    remember([Given(lock.property_id, lock.pk, "seam-7", key.pk, place.pk)] * 2, now=now() - HOUR)
    tell(
        lock,
        told(lock, EventType.UNLOCKED, address="seam-7"),
        told(lock, EventType.LOCKED, address="seam-8"),
    )
    assert {line.code: line.key_id for line in lines()} == {"unlocked": key.pk, "locked": None}


def test_a_typed_code_is_credited_to_who_had_it_then_and_is_never_stored(lock):
    """Of a code that was changed since, the one that had it; a code of another door is nobody's here."""
    key = key_for(lock.door)
    old = key.credentials.get().secret
    other = key_for(LockFactory(account=lock.account).door)
    typed = {"kind": Kind.DOOR_CODE}
    tell(lock, told(lock, EventType.UNLOCKED, secret=old, event_id="a", ago=-MINUTE, **typed))
    issuing.regenerate(credential=key.credentials.get(), by=BY, now=now())
    new = key.credentials.get().secret
    tell(
        lock,
        told(lock, EventType.DENIED, secret=new, event_id="b", ago=-MINUTE, **typed),
        told(
            lock,
            EventType.DENIED,
            secret=other.credentials.get().secret,
            event_id="c",
            ago=-2 * MINUTE,
            **typed,
        ),
    )
    assert [(line.code, line.key_id) for line in lines()] == [
        ("unlocked", key.pk),
        ("denied", key.pk),
        ("denied", None),
    ]
    stored = str(list(DoorLogEntry.objects.values()))
    assert old not in stored
    assert new not in stored


def test_a_wrong_code_is_a_refusal_and_no_4117_for_anyone(lock):
    key_for(lock.door)
    tell(lock, told(lock, EventType.DENIED, secret="000999", kind=Kind.DOOR_CODE))
    line = lines()[0]
    assert (line.code, line.key_id, line.hint) == ("denied", None, "••99")
    assert not Episode.objects.exists()


def test_a_code_that_is_pending_and_was_typed_is_a_4117(lock):
    key = key_for(lock.door, allow=False)
    code = key.credentials.get().secret
    tell(lock, told(lock, EventType.DENIED, secret=code, kind=Kind.DOOR_CODE, ago=-MINUTE))
    assert Episode.objects.get(kind="4117").key_id == key.pk
    assert lines()[0].key_id == key.pk


def test_events_count_once_and_stand_in_the_locks_order(lock):
    later = told(lock, EventType.LOCKED, ago=MINUTE)
    earlier = told(lock, EventType.UNLOCKED, ago=2 * MINUTE)
    assert tell(lock, later, earlier, later) == 2
    assert tell(lock, earlier, later) == 0
    assert [line.code for line in lines()] == ["unlocked", "locked"]


def test_the_newest_word_about_reach_counts_however_late_an_older_one_comes(lock):
    tell(lock, told(lock, EventType.ONLINE, ago=MINUTE))
    tell(lock, told(lock, EventType.OFFLINE, ago=2 * MINUTE))
    assert Lock.objects.get(pk=lock.pk).is_online
    tell(lock, told(lock, EventType.OFFLINE, ago=MINUTE / 2))
    seen = Lock.objects.get(pk=lock.pk)
    assert not seen.is_online
    assert seen.offline_since < now() - MINUTE / 3


def test_history_is_kept_and_changes_nothing_that_is_believed(lock):
    """A file of last month's events must not take a lock offline, read it back or open a 4117."""
    key = key_for(lock.door, allow=False)
    code = key.credentials.get().secret
    old = timedelta(days=40)
    tell(
        lock,
        told(lock, EventType.OFFLINE, ago=old),
        told(lock, EventType.CHANGED_AT_LOCK, ago=old),
        told(lock, EventType.DENIED, ago=old, secret=code, kind=Kind.DOOR_CODE),
    )
    seen = Lock.objects.get(pk=lock.pk)
    assert (seen.is_online, seen.last_heard_at, seen.read_back_at) == (True, None, None)
    assert not Episode.objects.exists()
    assert len(lines()) == 3


def test_a_word_from_a_clock_that_is_ahead_does_not_silence_the_later_ones(lock):
    tell(lock, told(lock, EventType.OFFLINE, ago=-HOUR))
    tell(lock, told(lock, EventType.ONLINE, ago=-MINUTE))
    assert Lock.objects.get(pk=lock.pk).is_online
