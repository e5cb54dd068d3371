"""The room of a guest in house changes: the old door goes when the new one has the code, and staff's doors stay staff's."""

from __future__ import annotations

import pytest

from keys import issuing, moving
from keys.explaining import explain_key
from keys.keychain import DoorWish
from keys.models import Assignment
from keys.remapping import preview
from keys.rules import Permission
from pms.adapters import StayState
from pms.models import Room
from tests.factories import BY, now
from tests.keys.front_desk import FrontDesk, doors_of

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("silent_bell")]
IN_HOUSE = StayState.IN_HOUSE


@pytest.fixture
def desk():
    """A hotel with a guest in house in 101, whose code is on the lock."""
    desk = FrontDesk()
    desk.say("7", state=IN_HOUSE)
    desk.written("101")
    return desk


def told(key):
    """What the key's page says of it as a whole."""
    return explain_key(key=key, now=now()).notices


def test_the_old_door_leaves_when_the_new_one_has_everything(desk):
    key = desk.say("7", room_ref="102")
    assert doors_of(key) == ["101?", "102"]
    assert moving.finish(now=now()) == 0
    assert "101 keeps the code until 102 has it" in told(key)[0]
    code = Assignment.objects.filter(door=desk.doors["102"]).order_by("id").first()
    code.written_revision = code.revision
    code.save()
    assert moving.finish(now=now()) == 0, "the SmartKey is missing"
    desk.written("102")
    assert moving.finish(now=now()) == 1
    assert doors_of(key) == ["102"]
    assert told(key) == []
    assert moving.finish(now=now()) == 0


def test_a_lock_that_cannot_hold_a_kind_is_not_waited_for_but_one_that_holds_nothing_is(desk):
    lock = desk.doors["102"].lock
    lock.takes_smartkeys = False
    lock.save()
    key = desk.say("7", room_ref="102")
    assert moving.finish(now=now()) == 0
    Assignment.objects.filter(door=desk.doors["102"], kind="door_code").update(written_revision=1)
    assert moving.finish(now=now()) == 1
    assert doors_of(key) == ["102"]


def test_a_key_is_active_when_the_new_room_opens_whatever_the_old_one_does(desk):
    key = desk.say("7", room_ref="102")
    assert not explain_key(key=key, now=now()).is_active
    desk.written("102")
    Assignment.objects.filter(door=desk.doors["101"]).update(sent_revision=1)
    assert explain_key(key=key, now=now()).is_active


@pytest.mark.parametrize(
    "before",
    [
        lambda desk: desk.say("7", state=StayState.EXPECTED),
        lambda desk: Assignment.objects.update(written_revision=None),
        lambda desk: issuing.set_permission(
            keychain_door=desk.key("7").doors.get(), on=False, by=BY, now=now()
        ),
    ],
    ids=["not in house", "nothing on the old lock", "switched off by staff"],
)
def test_nothing_is_kept_for_who_does_not_use_it(desk, before):
    before(desk)
    assert doors_of(desk.say("7", room_ref="102")) == ["102"]


def test_a_room_without_a_door_takes_the_old_one_at_once(desk):
    assert doors_of(desk.say("7", room_ref="999")) == []


def test_a_guest_who_moves_back_keeps_the_first_room(desk):
    desk.say("7", room_ref="102")
    key = desk.say("7", room_ref="101")
    assert doors_of(key) == ["101"]
    assert moving.finish(now=now()) == 0


def test_a_second_move_gives_up_what_was_never_written(desk):
    desk.say("7", room_ref="102")
    key = desk.say("7", room_ref="103")
    assert doors_of(key) == ["101?", "103"]
    desk.written("103")
    moving.finish(now=now())
    assert doors_of(key) == ["103"]


def test_staff_decide_by_taking_the_old_door_out(desk):
    key = desk.say("7", room_ref="102")
    issuing.remove_door(keychain_door=key.doors.get(door__name="101"), by=BY, now=now())
    assert doors_of(key) == ["102"]
    assert doors_of(desk.say("7", room_ref="101")) == ["101"]


@pytest.mark.parametrize("end", ["revoked", "left"])
def test_what_is_over_keeps_no_old_room(desk, end):
    key = desk.say("7", room_ref="102")
    if end == "revoked":
        issuing.revoke(key=key, by=BY, now=now())
        assert moving.finish(now=now()) == 1
    else:
        desk.say("7", state=StayState.DEPARTED)
    assert doors_of(key) == ["102"]


def test_the_next_guests_key_warns_while_the_old_room_still_opens(desk):
    desk.say("7", room_ref="102")
    other = issuing.make_key(
        property=desk.hotel,
        people=[issuing.PersonWish(name="Bo Next")],
        doors=[DoorWish(door=desk.doors["101"])],
        starts_at=now(),
        ends_at=desk.key("7").ends_at,
        by=BY,
        now=now(),
    )
    said = "A guest who moved out of 101 can still open it: their new room is not written yet."
    assert said in told(other)
    desk.written("102")
    moving.finish(now=now())
    assert said not in told(other)


def test_what_staff_took_out_does_not_come_back_with_other_news(desk):
    key = desk.key("7")
    issuing.remove_door(keychain_door=key.doors.get(), by=BY, now=now())
    room = Room.objects.get(external_id="101")
    assert doors_of(desk.say("7", guest_name="Ada Married")) == []
    assert told(key)[-1] == "Staff took 101 out of the keychain; the PMS means it."
    assert preview(room=room, doors=[desk.doors["101"]], now=now()).gets == []
    desk.say("7", room_ref="102")
    assert doors_of(desk.say("7", room_ref="101"))[-1] == "101"


def test_leave_to_be_written_before_check_in_goes_with_the_guest():
    desk = FrontDesk()
    key = desk.say("7")
    door = key.doors.get()
    issuing.set_permission(keychain_door=door, on=True, before_check_in=True, by=BY, now=now())
    desk.say("7", room_ref="102")
    new = key.doors.get(removed_at=None)
    assert new.permission == Permission.ALLOWED_BEFORE_CHECK_IN
