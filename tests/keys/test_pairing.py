"""A lock moves from door to door: the credentials that wait move with it, and none ever opens the wrong door."""

from __future__ import annotations

import pytest

from keys import ledger
from keys.delivery import look
from keys.explaining import explain_key
from keys.facts import rows_of
from keys.models import Assignment
from keys.pairing import pair_lock
from keys.refusal import Refused
from locks.log_models import DoorLogEntry, LogCode
from tests.factories import BY, DoorFactory, LockFactory, key_for, now

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("quick")]


def memory(simlock):
    return sorted(held["value"] for held in simlock.memory("L1").values())


def test_a_key_of_a_door_without_a_lock_is_written_when_a_lock_is_hung_there(simlock, lock):
    bare = DoorFactory(property=lock.property)
    key = key_for(bare)
    look(now=now())
    assert explain_key(key=key, now=now()).headline == f"No lock is installed on {bare.name}."
    pair_lock(lock=lock, door=bare, by=BY, now=now())
    look(now=now())
    assert memory(simlock) == [key.credentials.get().secret]
    assert explain_key(key=key, now=now()).is_active


def test_keys_of_the_old_door_wait_for_a_lock_and_lose_what_the_old_lock_refused(lock):
    key = key_for(lock.door, allow=False)
    Assignment.objects.filter(key=key).update(refused_revision=1, problem="invalid_code", tries=4)
    pair_lock(lock=lock, door=None, by=BY, now=now())
    place = Assignment.objects.get(key=key)
    assert (place.lock_id, place.writer_id) == (None, None)
    assert (place.refused_revision, place.problem, place.tries) == (None, "", 0)
    assert place.next_attempt_at is not None


def test_a_lock_that_holds_a_credential_stays_where_it_is(simlock, lock):
    key = key_for(lock.door)
    look(now=now())
    with pytest.raises(Refused, match="still holds credentials"):
        pair_lock(lock=lock, door=DoorFactory(property=lock.property), by=BY, now=now())
    lock.refresh_from_db()
    assert lock.door_id == key.doors.get().door_id
    assert Assignment.objects.get(key=key).lock_id == lock.pk
    assert memory(simlock) == [key.credentials.get().secret]


def test_a_lock_whose_last_write_is_unproven_stays_where_it_is(lock):
    key = key_for(lock.door)
    Assignment.objects.filter(key=key).update(sent_revision=1)
    with pytest.raises(Refused, match="still holds credentials"):
        pair_lock(lock=lock, door=None, by=BY, now=now())


def test_a_lock_that_is_being_read_back_stays_where_it_is(lock):
    lock.read_backs_left = 1
    lock.save()
    with pytest.raises(Refused, match="reading this lock back"):
        pair_lock(lock=lock, door=None, by=BY, now=now())


def test_a_door_takes_one_lock_and_only_of_its_own_property(lock):
    other = LockFactory(account=lock.account)
    with pytest.raises(Refused, match="has a lock already"):
        pair_lock(lock=lock, door=other.door, by=BY, now=now())
    with pytest.raises(Refused, match="does not exist at this property"):
        pair_lock(lock=lock, door=DoorFactory(), by=BY, now=now())


def test_the_door_log_keeps_who_moved_it_and_the_same_again_changes_nothing(lock):
    old, new = lock.door, DoorFactory(property=lock.property)
    pair_lock(lock=lock, door=new, by=BY, now=now())
    pair_lock(lock=lock, door=new, by=BY, now=now())
    lines = DoorLogEntry.objects.order_by("id").values_list("door_id", "code", "actor")
    assert list(lines) == [
        (old.pk, LogCode.UNPAIRED, "a test"),
        (new.pk, LogCode.PAIRED, "a test"),
    ]


def test_a_worker_that_decided_before_the_move_cannot_write_after_it(lock):
    """What delivery took from the table before is not sent once the lock hangs elsewhere."""
    key = key_for(lock.door)
    seen = rows_of(Assignment.objects.filter(key=key))
    pair_lock(lock=lock, door=None, by=BY, now=now())
    assert ledger.stamp(seen) == {}
    assert Assignment.objects.get(key=key).sent_revision is None
