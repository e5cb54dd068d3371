"""The proposal for each reservation after an outage, and which key made by hand is surely the guest's."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from keys.remedies import ByHand, Case, Proposal, Remedy, Wanted, propose, same_name, twins

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
DAY = timedelta(days=1)
KNOWN = Case(
    happened=frozenset({"changed"}),
    is_ended=False,
    has_key=True,
    key_is_over=False,
    is_behind=False,
    held=0,
    free=1,
    twin_id=None,
)
HELD = KNOWN._replace(happened=frozenset({"came_in"}), held=1, free=0)


def after(case, *what, **facts):
    return propose(case._replace(**{"happened": frozenset(what or case.happened)} | facts))


@pytest.mark.parametrize(
    ("told", "remedy"),
    [
        (after(HELD), Remedy.PROVISION),
        (after(HELD, "came_in", "checked_in"), Remedy.PROVISION),
        (after(HELD, free=1), Remedy.PROVISION),
        (after(HELD, twin_id=7), Remedy.LINK),
        (after(HELD, twin_id=7, free=1), Remedy.PROVISION),
        (after(HELD, "cancelled", is_ended=True), Remedy.REVOKE),
        (after(KNOWN, "shortened", is_behind=True), Remedy.SHORTEN),
        (after(KNOWN, "check_in_undone", is_behind=True), Remedy.SHORTEN),
        (after(KNOWN, "moved", "extended", is_behind=True), Remedy.MOVE),
        (after(KNOWN, "room_unassigned", is_behind=True), Remedy.MOVE),
        (after(KNOWN, "extended", is_behind=True), Remedy.EXTEND),
        (after(KNOWN, "departed", is_ended=True, is_behind=True), Remedy.REVOKE),
    ],
)
def test_what_is_left_to_do_is_proposed(told, remedy):
    assert told.remedy is remedy
    assert told.is_open


@pytest.mark.parametrize(
    "told",
    [
        after(KNOWN, "checked_in"),
        after(KNOWN, "changed"),
        after(HELD, key_is_over=True),
        after(KNOWN, "came_in", has_key=False),
        after(KNOWN, "cancelled", is_ended=True, has_key=False),
        after(KNOWN, "cancelled", is_ended=True, key_is_over=True),
        after(KNOWN, "moved"),
        after(KNOWN, "extended"),
    ],
)
def test_what_agrees_by_itself_or_has_no_key_is_left(told):
    assert not told.is_open


def test_a_link_names_the_key():
    assert after(HELD, twin_id=7) == Proposal(Remedy.LINK, is_done=False, twin_id=7)


def stay(stay_id=1, guest="Ada Example", room=5, start=NOON):
    return Wanted(stay_id, guest, start, start + DAY, frozenset({room}))


def key(key_id=9, label="Ada Example", door=5, start=NOON):
    return ByHand(key_id, label, start, start + DAY, door)


def test_the_same_door_an_overlapping_window_and_the_same_guest_make_a_twin():
    assert twins([stay()], [key()]) == {1: 9}
    assert twins([stay()], [key(label="EXAMPLE, Ada")]) == {1: 9}
    assert twins([stay(guest="")], [key(label="Walk-in")]) == {1: 9}


def test_another_door_time_or_guest_does_not():
    assert twins([stay()], [key(door=6)]) == {}
    assert twins([stay()], [key(start=NOON + DAY)]) == {}
    assert twins([stay()], [key(label="Bo Li")]) == {}


def test_what_is_not_sure_is_not_proposed():
    assert twins([stay()], [key(), key(key_id=10)]) == {}
    assert twins([stay(), stay(stay_id=2)], [key()]) == {}


def test_names_are_compared_without_case_accents_and_order():
    assert same_name("José  Núñez", "nunez, JOSE")
    assert not same_name("Ada Example", "Ada Exampel")
