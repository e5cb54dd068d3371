"""Many keys changed at once: counted before, done key by key, cancelled between two, and undone where nobody changed them."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from keys import bulk, issuing
from keys.bulk import Effect
from keys.models import Assignment, BulkRow, Key
from keys.refusal import Refused
from keys.rules import Permission
from tests import factories
from tests.factories import BY, now

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("silent_bell")]
WHY = replace(BY, reason="The east wing is closed")


@pytest.fixture
def lock():
    return factories.LockFactory()


def keys_of(lock, many, *, written=0):
    found = [factories.key_for(lock.door) for _ in range(many)]
    Assignment.objects.filter(key__in=found[:written]).update(written_revision=1)
    return found


def counted(lock, action, keys):
    seen = bulk.dry_run(
        property_id=lock.property_id, action=action, key_ids=[k.pk for k in keys], now=now()
    )
    return dict(seen.effects)


def started(lock, action, keys):
    return bulk.start(
        property_id=lock.property_id,
        action=action,
        key_ids=[key.pk for key in keys],
        by=WHY,
        now=now(),
    )


def steps(change, most=1000):
    for _ in range(most):
        if not bulk.step(change_id=change.pk, now=now()):
            break
    change.refresh_from_db()
    return change


def results(change):
    rows = BulkRow.objects.filter(change=change).order_by("key_id")
    return list(rows.values_list("state", "result"))


def is_revoked(key):
    return Key.objects.get(pk=key.pk).revoked_at is not None


def permissions(key):
    return set(key.doors.values_list("permission", flat=True))


# The dry run ----------------------------------------------------------------------------------------


def test_the_dry_run_counts_keys_by_what_happens_to_them(lock):
    away = factories.LockFactory(
        account=lock.account, is_online=False, offline_since=now(), next_try_at=now()
    )
    keys = keys_of(lock, 3, written=2) + keys_of(away, 1, written=1)
    over = keys_of(lock, 1)[0]
    issuing.revoke(key=over, by=BY, now=now())
    theirs = factories.key_for(factories.LockFactory().door)
    seen = bulk.dry_run(
        property_id=lock.property_id,
        action="revoke",
        key_ids=[key.pk for key in [*keys, over, theirs]],
        now=now(),
    )
    assert dict(seen.effects) == {
        Effect.COMES_OFF: 2,
        Effect.STUCK: 1,
        Effect.NOT_THERE: 1,
        Effect.NOTHING: 1,
    }
    assert (seen.keys, seen.changes, seen.in_house) == (5, 4, 3)
    assert not any(is_revoked(key) for key in keys), "looking changes nothing"


def test_switches_are_counted_by_what_they_still_change(lock):
    on, off = keys_of(lock, 1)[0], factories.key_for(lock.door, allow=False)
    assert counted(lock, "hold", [on, off]) == {Effect.NOT_THERE: 1, Effect.NOTHING: 1}
    assert counted(lock, "allow", [on, off]) == {Effect.WRITTEN: 1, Effect.NOTHING: 1}
    outage = factories.outage_of(lock.property)
    held = factories.stay_in(outage, lock.door, number="1")
    assert counted(lock, "allow", [held]) == {Effect.NO_CHECK_IN: 1}


def test_the_dry_run_costs_the_same_for_more_keys(lock, django_assert_num_queries):
    keys = keys_of(lock, 12, written=6)
    with django_assert_num_queries(3):
        counted(lock, "revoke", keys)


# Doing it -------------------------------------------------------------------------------------------


def test_each_key_is_revoked_in_a_step_of_its_own_with_a_result_and_one_batch(lock):
    keys = keys_of(lock, 3, written=1)
    issuing.revoke(key=keys[2], by=BY, now=now())
    change = started(lock, "revoke", keys)
    assert bulk.step(change_id=change.pk, now=now())
    assert [is_revoked(key) for key in keys[:2]] == [True, False]
    steps(change)
    assert (change.planned, change.done, change.skipped) == (3, 2, 1)
    assert change.state() == "Done"
    assert results(change) == [
        ("done", f"Revoked; its code was on {lock.door.name} and is taken off now."),
        ("done", "Revoked; nothing was on a lock."),
        ("skipped", "Revoked already."),
    ]
    record = Key.history.filter(id=keys[0].pk).latest("history_id")
    assert (record.batch_id, record.history_change_reason) == (change.batch_id, WHY.reason)
    assert bulk.step(change_id=change.pk, now=now()) is False


def test_what_fails_at_one_key_fails_there_alone(lock, monkeypatch):
    keys = keys_of(lock, 3)
    revoke = issuing.revoke

    def stumbles(*, key, by, now):
        if key.pk == keys[1].pk:
            raise RuntimeError(key.label)
        return revoke(key=key, by=by, now=now)

    monkeypatch.setattr(issuing, "revoke", stumbles)
    change = steps(started(lock, "revoke", keys))
    assert [is_revoked(key) for key in keys] == [True, False, True]
    assert (change.done, change.failed) == (2, 1)
    assert "Ada" not in str(results(change))


def test_cancelled_the_rest_is_not_done(lock):
    keys = keys_of(lock, 4)
    change = started(lock, "revoke", keys)
    steps(change, 1)
    bulk.cancel(change=change, now=now())
    steps(change)
    assert [is_revoked(key) for key in keys] == [True, False, False, False]
    assert (change.done, change.cancelled, change.state()) == (1, 3, "Cancelled")


def test_a_reason_some_keys_and_not_too_many_are_asked_for(lock, monkeypatch):
    keys = keys_of(lock, 2)
    ids = [key.pk for key in keys]
    given = {"property_id": lock.property_id, "action": "revoke", "now": now()}
    with pytest.raises(Refused, match="Say why"):
        bulk.start(key_ids=ids, by=BY, **given)
    with pytest.raises(Refused, match="No key is chosen"):
        bulk.start(key_ids=[factories.key_for(factories.LockFactory().door).pk], by=WHY, **given)
    monkeypatch.setattr(bulk, "MOST", 1)
    with pytest.raises(Refused, match="More than 1 keys"):
        bulk.start(key_ids=ids, by=WHY, **given)


# Undoing it -----------------------------------------------------------------------------------------


def test_undone_keys_are_restored_with_their_codes_unless_someone_changed_them_since(lock):
    keys = keys_of(lock, 4, written=1)
    codes = [key.credentials.get().secret for key in keys]
    change = started(lock, "revoke", keys)
    with pytest.raises(Refused, match="still under way"):
        bulk.undo(change=change, by=BY, now=now())
    steps(change)
    issuing.restore(key=keys[1], by=BY, now=now())
    issuing.revoke(key=keys[1], by=BY, now=now() + timedelta(seconds=1))
    Assignment.objects.filter(key=keys[2]).update(reserved_digest=None)
    issuing.make_key(
        property=lock.property,
        people=[
            issuing.PersonWish(
                name="Bea",
                credentials=(
                    issuing.CredentialWish(kind="door_code", policy="strict", requested=codes[2]),
                ),
            )
        ],
        doors=[issuing.DoorWish(door=lock.door)],
        starts_at=now(),
        ends_at=now() + timedelta(days=1),
        by=BY,
        now=now(),
    )
    bulk.undo(change=change, by=BY, now=now())
    steps(change)
    assert [is_revoked(key) for key in keys] == [False, True, False, False]
    assert [result for _, result in results(change)] == [
        "Restored with the same code.",
        "Left as it is: it was changed since.",
        "Restored with another code: someone has the old one by now.",
        "Restored with the same code.",
    ]
    assert [
        key.credentials.get().secret == code for key, code in zip(keys, codes, strict=True)
    ] == [
        True,
        True,
        False,
        True,
    ]
    assert (change.done, change.undone, change.kept, change.state()) == (0, 3, 1, "Undone")


def test_undone_doors_have_the_permission_that_they_had(lock):
    before = Permission.ALLOWED_BEFORE_CHECK_IN.value
    first, second, third = keys_of(lock, 3)
    door = second.doors.get()
    door.permission = before
    door.save()
    change = steps(started(lock, "hold", [first, second, third]))
    assert permissions(second) == {Permission.HELD_BY_STAFF.value}
    issuing.set_permission(keychain_door=third.doors.get(), on=True, by=BY, now=now())
    bulk.undo(change=change, by=BY, now=now())
    steps(change)
    assert permissions(first) == {Permission.AUTOMATIC.value}
    assert permissions(second) == {before}
    assert [state for state, _ in results(change)] == ["undone", "undone", "kept"]


def test_undone_a_release_is_held_by_whom_it_was_held(lock):
    outage = factories.outage_of(lock.property)
    held, off = (
        factories.stay_in(outage, lock.door, number="1"),
        factories.key_for(lock.door, allow=False),
    )
    change = steps(started(lock, "allow", [held, off]))
    assert permissions(held) == permissions(off) == {Permission.AUTOMATIC.value}
    bulk.undo(change=change, by=BY, now=now())
    steps(change)
    assert permissions(held) == {Permission.HELD_BY_OUTAGE.value}
    assert permissions(off) == {Permission.HELD_BY_STAFF.value}
