"""Other rules of a house: what they do to keys is told before, guests in house keep their codes, and doors follow."""

from __future__ import annotations

from datetime import timedelta

import pytest

from keys import rule_changes
from keys.following import follow, follow_all
from keys.house_rules import change_property
from keys.models import Assignment
from keys.rules import Permission
from locks.models import Door, DoorLink
from pms.models import Reservation
from tests import factories
from tests.factories import BY, now

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("silent_bell")]
REQUIRED, FREE = {"check_in_rule": "either"}, {"check_in_rule": "not_required"}


@pytest.fixture
def lock():
    lock = factories.LockFactory()
    lock.property.check_in_rule = "not_required"
    lock.property.save()
    return lock


def guest(lock, number, *, begun, written=True, checked_in=False):
    """The key of a reservation, current or from tomorrow on, whose code is on the lock or not."""
    outage = factories.outage_of(lock.property)
    key = factories.stay_in(outage, lock.door, number=number, came_in=False, checked_in=checked_in)
    if not begun:
        later = (now() + timedelta(days=1)).date()
        Reservation.objects.filter(pk=key.reservation_id).update(arrival_on=later)
        follow(reservation=key.reservation, now=now())
    if written:
        Assignment.objects.filter(key=key).update(written_revision=1)
    key.refresh_from_db()
    return key


def told(lock, changes):
    return rule_changes.preview(property=lock.property, changes=changes, now=now())


def permissions(key):
    return set(key.doors.values_list("permission", flat=True))


def test_a_required_check_in_leaves_guests_in_house_and_takes_off_those_to_come(lock):
    here = guest(lock, "1", begun=True)
    coming = guest(lock, "2", begun=False)
    guest(lock, "3", begun=False, written=False)
    guest(lock, "4", begun=True, checked_in=True)
    seen = told(lock, REQUIRED)
    assert (seen.stay, seen.come_off, seen.wait, seen.go_on) == (1, 1, 1, 0)
    assert seen.is_felt
    assert permissions(here) == {"automatic"}, "looking changes nothing"
    change_property(property=lock.property, changes=REQUIRED, by=BY, now=now())
    assert permissions(here) == {Permission.ALLOWED_BEFORE_CHECK_IN.value}
    assert permissions(coming) == {Permission.AUTOMATIC.value}
    record = here.doors.get().history.latest("history_id")
    assert record.history_change_reason == "In house when check-in became required"
    assert record.actor_label == BY.label


def test_online_check_in_that_no_longer_counts_takes_no_code_from_a_guest_in_house(lock):
    change_property(property=lock.property, changes=REQUIRED, by=BY, now=now())
    lock.property.refresh_from_db()
    online = guest(lock, "1", begun=True)
    Reservation.objects.update(checked_in_online_at=now())
    assert told(lock, {"check_in_rule": "online"}).is_felt is False
    assert told(lock, {"check_in_rule": "front_desk"}).stay == 1
    desk_only = {"check_in_rule": "front_desk"}
    change_property(property=lock.property, changes=desk_only, by=BY, now=now())
    assert permissions(online) == {Permission.ALLOWED_BEFORE_CHECK_IN.value}


def test_what_staff_switched_off_is_neither_counted_nor_touched(lock):
    held = guest(lock, "1", begun=True)
    door = held.doors.get()
    door.permission = Permission.HELD_BY_STAFF.value
    door.save()
    assert told(lock, REQUIRED).is_felt is False
    change_property(property=lock.property, changes=REQUIRED, by=BY, now=now())
    assert permissions(held) == {Permission.HELD_BY_STAFF.value}


def test_no_required_check_in_lets_those_go_on_that_waited_for_it(lock):
    change_property(property=lock.property, changes=REQUIRED, by=BY, now=now())
    lock.property.refresh_from_db()
    guest(lock, "1", begun=True, written=False)
    lock.is_online, lock.offline_since = False, now()
    lock.next_try_at = now() + timedelta(minutes=5)
    lock.save()
    seen = told(lock, FREE)
    assert (seen.go_on, seen.at_once) == (1, 0), "its lock is offline"
    lock.is_online, lock.offline_since, lock.next_try_at = True, None, None
    lock.save()
    assert told(lock, FREE).at_once == 1


def test_the_preview_of_another_check_in_costs_the_same_for_more_keys(
    lock, django_assert_max_num_queries
):
    for number in range(12):
        guest(lock, str(number), begun=number % 2 == 0)
    with django_assert_max_num_queries(2):
        assert told(lock, REQUIRED).stay == 6


# Common doors without rooms -------------------------------------------------------------------------


def opened(key):
    return set(key.doors.filter(removed_at=None).values_list("door__name", flat=True))


def test_a_common_door_without_rooms_opens_for_all_or_none_as_chosen(lock):
    key = guest(lock, "1", begun=True)
    gate = factories.DoorFactory(property=lock.property, name="Gate", type="entrance")
    linked = factories.DoorFactory(property=lock.property, name="Lift", type="lift")
    other = factories.DoorFactory(property=lock.property, name="Other")
    DoorLink.objects.create(property=lock.property, door=other, linked=linked)
    everyone, nobody = {"common_doors": "all"}, {"common_doors": "none"}
    assert told(lock, nobody).is_felt is False, "as long as nobody chose, none opens it"
    assert told(lock, everyone).get == [(gate, 1)], "the lift has rooms"
    change_property(property=lock.property, changes=everyone, by=BY, now=now())
    follow_all(now=now())
    assert opened(key) == {lock.door.name, "Gate"}
    by_hand = factories.key_for(Door.objects.get(pk=lock.door_id))
    assert opened(by_hand) == {lock.door.name, "Gate"}
    assert opened(factories.key_for(Door.objects.get(pk=linked.pk))) == {"Lift"}
    lock.property.refresh_from_db()
    assert told(lock, nobody).lose == [(gate, 1)]
    change_property(property=lock.property, changes=nobody, by=BY, now=now())
    follow_all(now=now())
    assert opened(key) == {lock.door.name}
