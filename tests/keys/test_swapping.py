"""A door gets a new lock: all its codes are written there, and what lies on the old lock is listed until it is gone."""

from __future__ import annotations

from datetime import timedelta

import pytest

from keys import alerts, holdings, issuing
from keys.delivery import look
from keys.explaining import explain_key
from keys.models import Assignment, Credential
from keys.refusal import Refused
from keys.swapping import preview, swap_lock, was_emptied
from keys.telling_models import Alert
from locks.log_models import DoorLogEntry, Episode
from locks.models import Lock
from locks.slot_models import SlotUse
from tests.eventually import eventually
from tests.factories import BY, LockFactory, key_for, now

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("quick")]


@pytest.fixture
def spare(simlock, account):
    """A lock of the same account on no door."""
    simlock.add_lock("L2")
    return LockFactory(account=account, external_id="L2", door=None)


def held(simlock, ref):
    return sorted(each["value"] for each in simlock.memory(ref).values())


def listed(lock):
    return list(holdings.ghosts(property_id=lock.property_id).values_list("lock_id", flat=True))


def written(*keys):
    return sorted(str(Credential.objects.get(key=key, retired_at=None).secret) for key in keys)


def swap(old, new, *, was_reset=False):
    return swap_lock(old=old, new=new, was_reset=was_reset, by=BY, now=now())


def test_a_swap_writes_all_to_the_new_lock_and_takes_all_off_the_old_one(simlock, lock, spare):
    keys = [key_for(lock.door), key_for(lock.door, guest="Bo Example")]
    look(now=now())
    held_back = key_for(lock.door, allow=False)
    assert preview(lock=lock, now=now()) == type(preview(lock=lock, now=now()))(
        now=2, later=1, left=2
    )
    door = swap(lock, spare)
    look(now=now())
    assert held(simlock, "L2") == written(*keys)
    assert held(simlock, "L1") == []
    assert Lock.objects.get(door=door).pk == spare.pk
    assert all(explain_key(key=key, now=now()).is_active for key in keys)
    issuing.set_permission(keychain_door=held_back.doors.get(), on=True, by=BY, now=now())
    look(now=now())
    assert held(simlock, "L2") == written(*keys, held_back)
    assert not Episode.objects.filter(closed_at=None).exists()


def test_what_lies_on_an_old_lock_that_is_out_of_reach_stays_listed(simlock, lock, spare):
    key = key_for(lock.door)
    look(now=now())
    simlock.act("L1", "offline")
    swap(lock, spare)
    eventually(lambda: look(now=now()) is not None and held(simlock, "L2") == written(key))
    eventually(lambda: look(now=now()) is not None and listed(lock) == [lock.pk])
    assert Episode.objects.get(closed_at=None).kind == "not_removed"
    alerts.look(now=now() + timedelta(minutes=5))
    told = Alert.objects.get(kind="removals", closed_at=None)
    assert "1 code that must be gone may still be on the lock that hung on" in told.sentence
    issuing.regenerate(credential=key.credentials.get(retired_at=None), by=BY, now=now())
    look(now=now())
    assert held(simlock, "L2") == written(key)
    simlock.act("L1", "online")
    eventually(lambda: look(now=now()) is not None and held(simlock, "L1") == [])
    assert listed(lock) == []


@pytest.mark.parametrize("later", [False, True])
def test_a_lock_that_was_reset_leaves_nothing_in_the_list(simlock, lock, spare, later):
    key = key_for(lock.door)
    look(now=now())
    simlock.act("L1", "offline")
    swap(lock, spare, was_reset=not later)
    if later:
        eventually(lambda: look(now=now()) is not None and listed(lock) == [lock.pk])
        assert was_emptied(lock=lock, by=BY, now=now()) == 1
    eventually(lambda: look(now=now()) is not None and held(simlock, "L2") == written(key))
    assert listed(lock) == []
    assert not Assignment.objects.filter(lock=lock).exclude(written_revision=None).exists()
    assert not Episode.objects.filter(closed_at=None, kind="not_removed").exists()
    assert DoorLogEntry.objects.get(cause="lock_reset").actor == BY.label


def test_the_places_of_the_old_lock_are_not_those_of_the_new(account, spare):
    old = LockFactory(account=account, first_slot=1, native_window=False)
    Lock.objects.filter(pk=spare.pk).update(first_slot=5, native_window=False)
    key = key_for(old.door)
    at = key.assignments.get()
    SlotUse.objects.create(
        property=old.property, lock=old, number=1, key_id=key.pk, assignment_id=at.pk, since=now()
    )
    swap(old, spare)
    assert not SlotUse.objects.filter(until=None).exists()
    look(now=now())
    assert list(SlotUse.objects.filter(until=None).values_list("lock", "number")) == [(spare.pk, 5)]


def test_a_revoked_key_comes_back_on_the_new_lock(simlock, lock, spare):
    key = key_for(lock.door)
    look(now=now())
    simlock.act("L1", "offline")
    issuing.revoke(key=key, by=BY, now=now())
    swap(lock, spare)
    look(now=now())
    assert held(simlock, "L2") == []
    issuing.restore(key=key, by=BY, now=now())
    look(now=now())
    assert held(simlock, "L2") == written(key)


def test_a_swap_takes_a_free_lock_of_the_same_hotel(lock, spare):
    elsewhere = LockFactory(door=None)
    for new in (LockFactory(account=lock.account), elsewhere):
        with pytest.raises(Refused):
            swap(lock, new)
    with pytest.raises(Refused, match="hangs on no door"):
        swap(spare, LockFactory(account=lock.account, door=None))
    with pytest.raises(Refused, match="hangs on a door"):
        was_emptied(lock=lock, by=BY, now=now())
