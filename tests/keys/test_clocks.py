"""Locks are asked how they are: a clock that drifts is flagged, told to staff, and set right through the lease of its writer."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse

from keys import alerts, clocks, delivery, errands, past
from keys.past_facts import CLOCK_LIMIT_S
from keys.telling_models import Alert
from locks import listening
from locks.clock import DRIFT_S
from locks.drift import note_clock
from locks.log_models import DoorLogEntry
from locks.models import Lock
from portal.models import Role
from tests import factories
from tests.factories import now

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("silent_bell")]


def codes(lock):
    rows = DoorLogEntry.objects.filter(lock=lock, origin="portal")
    return list(rows.order_by("id").values_list("code", flat=True))


def tended(at):
    """What beat and a worker do: who is due is asked, and what that finds is mended."""
    clocks.tend(now=at)
    soon = [at + timedelta(seconds=seconds) for seconds in (1, 3)]
    return sum(errands.run_due(clock=lambda at=at: at) for at in soon)


def page_of(lock):
    client = Client()
    client.force_login(factories.member(lock.property, Role.TEAM).user)
    return client.get(reverse("door", args=[lock.door_id])).content.decode()


@pytest.mark.scenario("60")
def test_a_clock_that_drifts_is_flagged_named_and_set_right(lock, simlock):
    simlock.act("L1", "clock", offset_s=-3480)
    clocks.tend(now=now())
    errands.run_due()
    lock.refresh_from_db()
    assert lock.last_heard_at is not None
    assert lock.clock_offset_s == -3480
    assert lock.clock_wrong_since is not None
    assert codes(lock) == ["clock_wrong"]
    assert "58 minutes slow" in page_of(lock)
    alerts.look(now=now())
    alert = Alert.objects.get(kind="clock", closed_at=None)
    assert "58 minutes slow" in alert.sentence
    key = factories.key_for(lock.door, starts_at=now() - timedelta(minutes=10))
    delivery.deliver()
    code = str(key.credentials.get().secret)
    assert not simlock.try_door("L1", code)["opened"]
    told = past.why(door=lock.door, moment=now(), code=code).verdicts[0].findings[0]
    assert told.why == "clock_wrong"
    assert "58 minutes slow" in told.sentence
    errands.run_due()
    assert simlock.try_door("L1", code)["opened"]
    lock.refresh_from_db()
    assert (lock.clock_offset_s, lock.clock_wrong_since) == (0.0, None)
    assert codes(lock)[-1] == "clock_set"
    alerts.look(now=now())
    alert.refresh_from_db()
    assert alert.closed_at is not None
    assert "slow" not in page_of(lock)


def test_a_lock_is_asked_when_it_is_its_turn(lock, simlock):
    assert tended(now()) == 1
    assert tended(now()) == 0
    assert tended(now() + timedelta(hours=2)) == 1
    Lock.objects.filter(pk=lock.pk).update(
        next_health_at=None, is_online=False, offline_since=now()
    )
    assert tended(now()) == 0


def test_two_minutes_are_no_drift(lock, simlock):
    simlock.act("L1", "clock", offset_s=119)
    assert tended(now()) == 1
    lock.refresh_from_db()
    assert (lock.clock_offset_s, lock.clock_wrong_since) == (119.0, None)
    assert codes(lock) == []


def test_what_the_lock_says_of_its_clock_has_it_asked_at_once(lock, simlock):
    tended(now())
    simlock.act("L1", "clock", offset_s=900)
    listening.poll(account=lock.account, now=now())
    assert tended(now() + timedelta(seconds=1)) == 2
    assert codes(lock)[-1] == "clock_set"


def test_a_clock_that_cannot_be_set_stays_flagged(lock):
    assert note_clock(lock_id=lock.pk, offset_s=600.0, now=now())
    assert note_clock(lock_id=lock.pk, offset_s=640.0, now=now())
    assert codes(lock) == ["clock_wrong"]
    assert not note_clock(lock_id=lock.pk, offset_s=-3.0, now=now())
    lock.refresh_from_db()
    assert lock.clock_wrong_since is None


def test_both_limits_are_the_same():
    assert CLOCK_LIMIT_S == DRIFT_S
