"""Stays of one guest in one room that touch are one key; stays that do not are not."""

from __future__ import annotations

from datetime import timedelta

import pytest

from keys import issuing
from keys.continuing import numbered
from keys.explaining import explain_key
from keys.models import Key
from keys.rules import Permission
from keys.telling_models import GuestMessage
from pms.adapters import StayState
from pms.models import Reservation
from tests.factories import BY, now
from tests.keys.front_desk import FrontDesk

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("silent_bell")]
IN_HOUSE, DEPARTED, CANCELLED = StayState.IN_HOUSE, StayState.DEPARTED, StayState.CANCELLED


@pytest.fixture
def desk():
    """A hotel with a guest whose stay 1 ends today and whose stay 2 goes on from then."""
    desk = FrontDesk()
    desk.hotel.departure_time = "23:59"
    desk.hotel.arrival_time = "23:58"
    desk.hotel.save()
    desk.say("1", arrival=-1, departure=0, state=IN_HOUSE)
    return desk


def days(key):
    """Until how many days from today a key lasts."""
    return (key.ends_at.date() - now().date()).days


def code(key):
    """What opens for the key, as far as it may be told apart here."""
    return key.credentials.get(kind="door_code").secret_digest


def test_the_second_stay_makes_the_key_last_and_has_none_of_its_own(desk):
    key = desk.key("1")
    before = code(key)
    assert desk.say("2", arrival=0, departure=3) is None
    key = desk.key("1")
    assert (days(key), code(key)) == (3, before)
    assert Key.objects.count() == 1
    assert "Goes on as reservation 2" in explain_key(key=key, now=now()).notices[0]
    for number in "12":
        stays = Reservation.objects.filter(number=number).values_list("id", flat=True)
        assert Key.objects.filter(numbered(stays)).get() == key


@pytest.mark.parametrize(
    "change",
    [
        {"guest_ref": "g2", "guest_name": "Bo Example"},
        {"guest_ref": "g2"},
        {"room_ref": "102"},
        {"arrival": 1},
        {"state": StayState.TENTATIVE},
    ],
    ids=["another guest", "a namesake", "another room", "a night between", "tentative"],
)
def test_what_does_not_touch_is_another_key_or_none(desk, change):
    key = desk.say("2", **({"arrival": 0, "departure": 3} | change))
    assert (key is None) == ("state" in change)
    assert days(desk.key("1")) == 0


def test_a_guest_is_known_again_by_name_and_address():
    desk = FrontDesk()
    desk.say("1", arrival=0, departure=1, guest_ref="a", guest_email="ada@guest.example")
    told = {"guest_ref": "b", "guest_email": "Ada@Guest.example"}
    assert desk.say("2", arrival=1, departure=2, **told) is None
    assert days(desk.key("1")) == 2


def test_after_check_out_the_key_goes_on_as_the_next_stays_without_a_gap(desk):
    desk.say("2", arrival=0, departure=3)
    key = desk.key("1")
    begun, was = key.starts_at, code(key)
    desk.say("1", state=DEPARTED)
    assert desk.key("1") is None
    gone_on = desk.key("2")
    assert (gone_on.pk, gone_on.starts_at, code(gone_on)) == (key.pk, begun, was)
    assert gone_on.departed_at is None
    assert gone_on.doors.get().permission == Permission.ALLOWED_BEFORE_CHECK_IN
    desk.say("2", guest_name="Ada Married")
    assert desk.key("2").starts_at == begun
    desk.say("1", state=IN_HOUSE)
    assert Key.objects.count() == 1
    assert days(desk.key("2")) == 3


def test_who_leaves_days_before_the_next_stay_has_no_access_in_between():
    desk = FrontDesk()
    desk.say("1", arrival=-1, departure=2, state=IN_HOUSE)
    desk.say("2", arrival=2, departure=4)
    desk.say("1", state=DEPARTED)
    key = desk.key("2")
    assert key.starts_at > now() + timedelta(days=1)
    assert key.doors.get(removed_at=None).permission == Permission.AUTOMATIC


def test_if_the_first_is_cancelled_the_key_is_the_seconds():
    desk = FrontDesk()
    key = desk.say("1", arrival=1, departure=2)
    desk.say("2", arrival=2, departure=4)
    desk.say("1", state=CANCELLED)
    gone_on = desk.key("2")
    assert gone_on.pk == key.pk
    assert gone_on.revoked_at is None
    assert (gone_on.starts_at.date() - now().date()).days == 2
    assert not gone_on.continuations.exists()


@pytest.mark.parametrize(
    "change", [{"state": CANCELLED}, {"room_ref": "102"}, {"arrival": 1}], ids=str
)
def test_a_stay_that_no_longer_touches_leaves_the_key_as_it_was(desk, change):
    desk.say("2", arrival=0, departure=3)
    other = desk.say("2", **change)
    key = desk.key("1")
    assert days(key) == 0
    assert not key.continuations.exists()
    assert (other is None) == ("state" in change)


def test_if_the_first_changes_so_that_they_do_not_touch_the_second_gets_its_own_key(desk):
    desk.say("2", arrival=0, departure=3)
    desk.say("1", room_ref="102")
    assert desk.key("2") is not None
    assert desk.key("2").pk != desk.key("1").pk


def test_three_stays_are_one_key(desk):
    desk.say("2", arrival=0, departure=2)
    desk.say("3", arrival=2, departure=4)
    key = desk.key("1")
    assert (days(key), key.continuations.count(), Key.objects.count()) == (4, 2, 1)
    desk.say("1", state=DEPARTED)
    desk.say("2", state=IN_HOUSE)
    assert days(desk.key("2")) == 4


def test_a_departure_that_staff_set_is_not_prolonged(desk):
    key = desk.key("1")
    issuing.edit_key(key=key, ends_at=key.ends_at - timedelta(minutes=1), by=BY, now=now())
    assert desk.say("2", arrival=0, departure=3) is not None
    assert days(desk.key("1")) == 0


def test_an_own_key_that_nobody_knows_gives_way_when_its_stay_is_moved_next_to_another():
    desk = FrontDesk()
    desk.say("1", arrival=0, departure=1)
    own = desk.say("2", arrival=1, departure=3, room_ref="102")
    assert own is not None
    assert desk.say("2", room_ref="101") is None
    own.refresh_from_db()
    assert own.revoked_because == Key.Revoked.CONTINUED
    assert days(desk.key("1")) == 3


def test_an_own_key_of_which_the_guest_was_told_stays():
    desk = FrontDesk()
    desk.say("1", arrival=0, departure=1)
    own = desk.say("2", arrival=1, departure=3, room_ref="102")
    GuestMessage.objects.create(
        property=desk.hotel,
        key=own,
        credential=own.credentials.get(kind="door_code"),
        channel="email",
        number=1,
        why="made",
        state="sent",
        revision=1,
        doors="1",
        address="ada@guest.example",
        made_at=now(),
    )
    assert desk.say("2", room_ref="101") == own
    assert days(desk.key("1")) == 1
