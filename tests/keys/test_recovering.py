"""A recovery is worked off from its rows: once each, whoever dies meanwhile, and history says who, why and in which batch."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from keys import affected, issuing, provisioning, recovering
from keys.models import Assignment, Key, KeychainDoor, Recovery, RecoveryRow
from keys.refusal import Refused
from keys.rules import Permission
from locks.models import Property
from pms.models import Reservation
from tests import factories
from tests.factories import BY, now

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("silent_bell")]
WHY = replace(BY, reason="the PMS was down", user_id=None)
State = RecoveryRow.State


@pytest.fixture
def lock():
    """A lock on a door of a hotel of its own; no lock system behind it."""
    return factories.LockFactory()


@pytest.fixture
def outage(lock):
    return factories.outage_of(lock.property)


def came_in(outage, lock, many, **wish):
    """Held reservations, each in a room of its own."""
    made = []
    for _ in range(many):
        door = factories.LockFactory(account=lock.account).door
        number = f"n{door.pk}"
        made.append(factories.stay_in(outage, door, number=number, **wish))
    return made


def worked_off(recovery):
    steps = 0
    while recovering.step(recovery_id=recovery.pk, now=now()):
        steps += 1
    recovery.refresh_from_db()
    return steps


def start(outage, **wish):
    return recovering.start(outage=outage, by=WHY, now=now(), **wish)


def held():
    return KeychainDoor.objects.filter(permission=Permission.HELD_BY_OUTAGE)


def results(recovery):
    return {row.key_id: (row.state, row.result) for row in recovery.rows.all()}


def without_key(changed_at):
    """The first reservation as it is between being read and being followed."""
    stay = Reservation.objects.order_by("id").first()
    key = Key.objects.get(reservation=stay)
    key.reservation = None
    key.save()
    Reservation.objects.filter(pk=stay.pk).update(followed_at=None, changed_at=changed_at)


def test_a_recovery_of_all_waits_until_the_keys_are_made(outage, lock):
    came_in(outage, lock, 2)
    without_key(changed_at=now())
    with pytest.raises(recovering.StillFollowing, match="the keys of 1 of these"):
        start(outage)


def test_one_that_cannot_be_followed_holds_nobody_up(outage, lock):
    came_in(outage, lock, 2)
    without_key(changed_at=now() - timedelta(minutes=3))
    assert start(outage).pk


def test_all_is_released_in_chunks_with_one_batch_and_the_reason(outage, lock, settings):
    settings.RECOVERY_CHUNK = 2
    keys = came_in(outage, lock, 5)
    recovery = start(outage)
    assert held().count() == 5, "only the record was made"
    worked_off(recovery)
    assert not held().exists()
    assert (recovery.state(), recovery.planned, recovery.done) == ("Done", 5, 5)
    rows = [key.doors.get().history.first() for key in keys]
    assert {(row.batch_id, row.history_change_reason) for row in rows} == {
        (recovery.batch_id, "the PMS was down")
    }
    said = {result for _, result in results(recovery).values()}
    assert said == {"Released: Allow Provisioning is on for 1 door."}
    due = Assignment.objects.filter(key__in=keys, next_attempt_at__isnull=False)
    assert due.values("key").distinct().count() == 5


def test_a_worker_that_dies_in_a_step_leaves_nothing_half_done(outage, lock, settings, monkeypatch):
    settings.RECOVERY_CHUNK = 2
    came_in(outage, lock, 6)
    recovery = start(outage)
    while not recovery.done:
        recovering.step(recovery_id=recovery.pk, now=now())
        recovery.refresh_from_db()
    history = KeychainDoor.history.count()

    def dies(*_args, **_kw):
        raise KeyboardInterrupt

    with monkeypatch.context() as broken:
        broken.setattr("keys.recovery_steps._settle", dies)
        with pytest.raises(KeyboardInterrupt):
            recovering.step(recovery_id=recovery.pk, now=now())
    assert held().count() == 4
    assert KeychainDoor.history.count() == history
    worked_off(recovery)
    assert not held().exists()
    assert KeychainDoor.history.count() == history + 4
    assert (recovery.done, recovery.settled()) == (6, 6)


def test_working_it_off_again_and_a_second_one_change_nothing(outage, lock):
    came_in(outage, lock, 2)
    recovery = start(outage)
    worked_off(recovery)
    before = KeychainDoor.history.count()
    assert worked_off(recovery) == 0
    with pytest.raises(recovering.NothingLeft):
        start(outage)
    assert KeychainDoor.history.count() == before


def test_confirming_twice_is_one_recovery(outage, lock):
    came_in(outage, lock, 1)
    assert start(outage).pk == start(outage).pk
    assert Recovery.objects.count() == 1


def test_only_the_chosen_are_released(outage, lock):
    chosen, other = came_in(outage, lock, 2)
    recovery = start(outage, reservation_ids=[chosen.reservation_id])
    worked_off(recovery)
    assert [door.key_id for door in held()] == [other.pk]
    assert set(results(recovery)) == {chosen.pk}


def test_what_came_after_the_dry_run_is_not_released(outage, lock):
    (seen,) = came_in(outage, lock, 1)
    (later,) = came_in(outage, lock, 1)
    worked_off(start(outage, up_to=seen.reservation_id))
    assert [door.key_id for door in held()] == [later.pk]


def test_what_staff_did_meanwhile_is_theirs(outage, lock):
    mine, theirs = came_in(outage, lock, 2)
    recovery = start(outage)
    recovering.step(recovery_id=recovery.pk, now=now())
    issuing.set_permission(keychain_door=theirs.doors.get(), on=True, by=BY, now=now())
    issuing.set_permission(keychain_door=theirs.doors.get(), on=False, by=BY, now=now())
    worked_off(recovery)
    assert theirs.doors.get().permission == Permission.HELD_BY_STAFF
    assert results(recovery)[theirs.pk] == (State.SKIPPED, "Nothing of it was held any more.")
    assert results(recovery)[mine.pk][0] == State.DONE
    assert (recovery.done, recovery.skipped) == (1, 1)


def test_cancelling_keeps_what_is_done_and_leaves_the_rest_held(outage, lock, settings):
    settings.RECOVERY_CHUNK = 1
    came_in(outage, lock, 3)
    recovery = start(outage)
    while not recovery.done:
        recovering.step(recovery_id=recovery.pk, now=now())
        recovery.refresh_from_db()
    recovering.cancel(recovery=recovery, now=now())
    assert worked_off(recovery) == 0
    assert (recovery.state(), recovery.done, recovery.cancelled) == ("Cancelled", 1, 2)
    assert held().count() == 2
    again = start(outage)
    worked_off(again)
    assert (again.done, held().count()) == (2, 0)


def test_undoing_holds_those_doors_again_and_says_which_codes_come_off(outage, lock):
    written, plain, touched = came_in(outage, lock, 3)
    recovery = start(outage, before_check_in=True)
    worked_off(recovery)
    Assignment.objects.filter(key=written).update(written_revision=1)
    issuing.set_permission(
        keychain_door=touched.doors.get(), on=True, before_check_in=False, by=BY, now=now()
    )
    with pytest.raises(Refused):
        recovering.undo(recovery=start_another(outage, lock), by=WHY, now=now())
    Recovery.objects.filter(finished_at=None).update(finished_at=now())
    recovering.undo(recovery=recovery, by=WHY, now=now())
    worked_off(recovery)
    told = results(recovery)
    name = written.doors.get().door.name
    assert told[written.pk] == (
        State.UNDONE,
        f"Held again; its code was on {name} and is taken off now.",
    )
    assert told[plain.pk] == (State.UNDONE, "Held again.")
    assert told[touched.pk] == (State.KEPT, "Left as it is: its doors were changed since.")
    assert (recovery.state(), recovery.done, recovery.undone, recovery.kept) == ("Undone", 0, 2, 1)
    record = plain.doors.get().history.first()
    assert record.permission == Permission.HELD_BY_OUTAGE
    assert record.history_change_reason == "Undone: the PMS was down"
    assert record.batch_id == recovery.batch_id


def start_another(outage, lock):
    came_in(outage, lock, 1)
    return start(outage)


def test_one_that_fails_stays_listed_and_does_not_stop_the_others(outage, lock, monkeypatch):
    gone, other = came_in(outage, lock, 2)
    Reservation.objects.filter(pk=gone.reservation_id).update(state="cancelled", changed_at=now())
    recovery = start(outage)
    monkeypatch.setattr("keys.recovery_steps.follow", lambda **_: 1 / 0)
    worked_off(recovery)
    assert results(recovery)[gone.pk][0] == State.FAILED
    assert results(recovery)[other.pk][0] == State.DONE
    monkeypatch.undo()
    again = start(outage)
    worked_off(again)
    assert results(again)[gone.pk][0] == State.DONE
    gone.refresh_from_db()
    assert gone.revoked_because == Key.Revoked.CANCELLED


def test_what_takes_access_away_comes_first(outage, lock):
    came_in(outage, lock, 1)
    (gone,) = came_in(outage, lock, 1, came_in=False)
    Reservation.objects.filter(pk=gone.reservation_id).update(
        state="cancelled", changed_at=now(), happened=["cancelled"]
    )
    recovery = start(outage)
    worked_off(recovery)
    rows = list(recovery.rows.order_by("settled_at").values_list("action", flat=True))
    assert rows == ["revoke", "provision"]


def test_a_reason_is_needed(outage, lock):
    came_in(outage, lock, 1)
    with pytest.raises(Refused):
        recovering.start(outage=outage, by=replace(BY, reason=" "), now=now())


# Linking ------------------------------------------------------------------------------------------


@pytest.fixture
def by_hand(outage, lock):
    """A key that staff made during the outage, and afterwards the reservation of the same guest and room."""
    at = outage.reconnected_at - timedelta(minutes=10)
    made = factories.key_for(lock.door, guest="Gil Guest", at=at)
    Assignment.objects.filter(key=made).update(written_revision=1, next_attempt_at=None)
    return made, factories.stay_in(outage, lock.door, number="77", guest="GUEST, Gil")


def test_a_key_made_by_hand_becomes_the_reservations_key_and_keeps_its_code(outage, lock, by_hand):
    made, own = by_hand
    code = made.credentials.get().secret
    stay = own.reservation
    recovery = start(outage)
    worked_off(recovery)
    made.refresh_from_db()
    own.refresh_from_db()
    assert results(recovery) == {
        own.pk: (State.DONE, f"Linked to Key {made.pk}, which keeps its code.")
    }
    assert made.reservation_id == stay.pk
    assert made.credentials.get(retired_at=None).secret == code
    assert (own.reservation_id, own.revoked_because) == (None, Key.Revoked.LINKED)
    door = made.doors.get(removed_at=None)
    assert (door.permission, door.origin) == (Permission.ALLOWED_BEFORE_CHECK_IN, "room")
    assert made.history.first().reservation_id == stay.pk
    provisioning.settle_without_lock(now=now())
    place = Assignment.objects.get(key=made)
    assert place.written_revision == place.revision, "nothing of it is written again"


def test_it_is_never_linked_by_itself_nor_when_staff_untick_it(outage, lock, by_hand):
    made, own = by_hand
    worked_off(start(outage, links_keys=False))
    made.refresh_from_db()
    assert made.reservation_id is None
    assert own.doors.get().permission == Permission.AUTOMATIC


def test_a_key_made_after_the_dry_run_is_not_linked(outage, lock, by_hand):
    made, _own = by_hand
    before = made.created_at - timedelta(minutes=1)
    worked_off(start(outage, seen_at=before))
    made.refresh_from_db()
    assert made.reservation_id is None


def test_a_key_that_was_revoked_meanwhile_is_not_linked_and_the_reservation_stays_held(
    outage, lock, by_hand
):
    made, own = by_hand
    recovery = start(outage)
    recovering.step(recovery_id=recovery.pk, now=now())
    issuing.revoke(key=made, by=BY, now=now())
    worked_off(recovery)
    assert results(recovery)[own.pk][0] == State.FAILED
    assert own.doors.get().permission == Permission.HELD_BY_OUTAGE


def test_the_linked_key_follows_the_pms_from_then_on(outage, lock, by_hand):
    made, own = by_hand
    stay = own.reservation
    worked_off(start(outage))
    Reservation.objects.filter(pk=stay.pk).update(state="cancelled", changed_at=now())
    factories.following.follow(reservation=stay, now=now())
    made.refresh_from_db()
    assert made.revoked_because == Key.Revoked.CANCELLED


# The property's policy ----------------------------------------------------------------------------


@pytest.mark.parametrize("rule", ["either", "front_desk", "not_required"])
def test_released_by_itself_when_checked_in_if_the_property_says_so(outage, lock, rule):
    hotel = lock.property
    hotel.after_outage, hotel.check_in_rule = Property.AfterOutage.RELEASE, rule
    hotel.save()
    key = factories.stay_in(outage, lock.door, number="1")
    door = key.doors.get()
    assert door.permission == (
        Permission.HELD_BY_OUTAGE if rule == "not_required" else Permission.AUTOMATIC
    )
    stay = key.reservation
    Reservation.objects.filter(pk=stay.pk).update(
        state="in_house", checked_in_at=now(), changed_at=now()
    )
    factories.following.follow(reservation=stay, now=now())
    assert key.doors.get().permission == Permission.AUTOMATIC


def test_held_for_staff_also_when_checked_in_if_the_property_says_nothing(outage, lock):
    key = factories.stay_in(outage, lock.door, number="1", checked_in=True)
    factories.following.follow(reservation=key.reservation, now=now())
    assert key.doors.get().permission == Permission.HELD_BY_OUTAGE


# Planning by the thousand -------------------------------------------------------------------------


def test_the_statement_for_thousands_plans_what_is_proposed_one_by_one(outage, lock):
    at = outage.reconnected_at - timedelta(minutes=10)
    _held, gone, ended, freed, twin = came_in(outage, lock, 5)
    came_in(outage, lock, 1, came_in=False)
    Reservation.objects.filter(pk=gone.reservation_id).update(state="cancelled")
    issuing.revoke(key=ended, by=BY, now=now())
    issuing.set_permission(keychain_door=freed.doors.get(), on=True, by=BY, now=now())
    factories.key_for(twin.doors.get().door, guest="Gil Guest", at=at)
    proposed = {
        one.stay.id: (one.proposal.remedy.value, one.proposal.twin_id)
        for one in affected.touched(
            outage=outage, stays=affected.stays_of(outage), now=now(), seen_at=now()
        )
        if one.proposal.is_open
    }
    recovery = start(outage)
    recovering.step(recovery_id=recovery.pk, now=now())
    planned = recovery.rows.values_list("reservation_id", "action", "twin_id")
    assert {stay: (action, twin_id) for stay, action, twin_id in planned} == proposed
    assert sorted(action for action, _ in proposed.values()) == ["link", "provision", "revoke"]


def test_many_doors_are_decided_again_in_one_go_and_then_due(outage, lock, monkeypatch):
    monkeypatch.setattr("keys.recovery_steps.MARKED_ONE_BY_ONE", 2)
    keys = came_in(outage, lock, 3, checked_in=True)
    Assignment.objects.all().update(next_attempt_at=None)
    worked_off(start(outage))
    assert not Assignment.objects.filter(next_attempt_at__isnull=False).exists()
    provisioning.decide_again(now=now())
    due = Assignment.objects.filter(key__in=keys, next_attempt_at__lte=now())
    assert due.values("key").distinct().count() == 3
