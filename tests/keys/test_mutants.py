"""Bugs planted in delivery on purpose: each must turn a short version of the random sequences red."""

from __future__ import annotations

import pytest
from django.db.models import F

from keys import leases, ledger, outcomes, rules
from keys.models import Assignment
from locks.drivers import Cause, LockError, Outcome, Result, Retry, Scope
from locks.models import Writer
from tests.keys.sequences import run_sequence

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("silent_bell")]
SEEDS = range(1, 41)
WITH_PAUSES = range(1, 20, 2)
PAUSES = {"pause": 40, "deliver": 20}


def is_caught(seeds: range = SEEDS, more: dict[str, int] | None = None) -> bool:
    """Whether any of these sequences finds something wrong; the first is enough."""
    return any(run_sequence(seed, more=more).violations for seed in seeds)


def test_nothing_is_caught_where_no_bug_is():
    assert not is_caught(WITH_PAUSES[:4], PAUSES)


def test_no_lease_is_caught(monkeypatch):
    grab = leases.grab

    def ignore_the_lease(**options):
        Writer.objects.exclude(owner="").update(until_ms=1)
        return grab(**options)

    monkeypatch.setattr(leases, "grab", ignore_the_lease)
    assert is_caught()


def test_no_fence_is_caught(monkeypatch):
    """What such a worker does wrong heals by reading back; that it writes on beside the other one is seen."""
    monkeypatch.setattr(ledger, "renew", lambda grips, **_: {grip.writer_id for grip in grips})
    assert is_caught(WITH_PAUSES, PAUSES)


def test_done_marked_before_the_call_is_caught(monkeypatch):
    stamp = ledger.stamp

    def mark_done(rows):
        stamped = stamp(rows)
        Assignment.objects.filter(pk__in=stamped).update(
            written_revision=F("revision"), sent_revision=None
        )
        return stamped

    monkeypatch.setattr(ledger, "stamp", mark_done)
    assert is_caught()


def test_marking_the_current_instead_of_the_sent_revision_is_caught(monkeypatch):
    apply = ledger.apply

    def mark_the_current(changes):
        done = apply(changes)
        written = {
            change.row.id
            for change in changes
            if change.seen.sent_revision and change.row.written_revision
        }
        Assignment.objects.filter(pk__in=done & written).update(written_revision=F("revision"))
        return done

    monkeypatch.setattr(ledger, "apply", mark_the_current)
    assert is_caught()


def test_reading_unknown_as_failed_is_caught(monkeypatch):
    failed = outcomes.failed
    error = LockError(cause=Cause.UNEXPLAINED, retry=Retry.SOON, scope=Scope.CREDENTIAL)
    monkeypatch.setattr(outcomes, "_unsure", lambda sent, pace, now: failed(sent, error, pace, now))
    assert Outcome(result=Result.UNKNOWN).error is None
    assert is_caught()


def test_a_hold_ignored_is_caught(monkeypatch):
    monkeypatch.setattr(rules, "permission_hold", lambda permission: None)
    rules.decide.cache_clear()
    try:
        assert is_caught()
    finally:
        rules.decide.cache_clear()
