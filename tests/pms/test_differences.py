"""What happened to a stay meanwhile, told from what was known before and what is known now."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime

import pytest

from pms.adapters import Stay, StayState
from pms.differences import Happened, happened, sentences, snapshot

KNOWN = Stay(
    external_id="1",
    booking_ref="1",
    number="1",
    state=StayState.EXPECTED,
    checked_in=False,
    checked_in_online=False,
    arrival_on=date(2026, 11, 24),
    departure_on=date(2026, 11, 26),
    room_ref="r201",
    room_name="201",
)


def kept(stay):
    return snapshot(stay, checked_in=stay.checked_in or stay.checked_in_online)


def between(**changes):
    return happened(kept(KNOWN), kept(replace(KNOWN, **changes)))


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({}, [Happened.CHANGED]),
        ({"guest_name": "Ada"}, [Happened.CHANGED]),
        ({"state": StayState.CANCELLED}, [Happened.CANCELLED]),
        ({"state": StayState.DELETED, "room_ref": ""}, [Happened.DELETED]),
        ({"state": StayState.DEPARTED, "checked_in": True}, [Happened.DEPARTED]),
        ({"state": StayState.UNKNOWN}, [Happened.CHANGED]),
        ({"checked_in_online": True}, [Happened.CHECKED_IN]),
        ({"room_ref": "r204"}, [Happened.MOVED]),
        ({"room_ref": ""}, [Happened.ROOM_UNASSIGNED]),
        ({"departure_on": date(2026, 11, 28)}, [Happened.EXTENDED]),
        ({"departure_on": date(2026, 11, 25)}, [Happened.SHORTENED]),
        ({"departure_at": datetime(2026, 11, 26, 9, tzinfo=UTC)}, [Happened.EXTENDED]),
        ({"arrival_on": date(2026, 11, 25)}, [Happened.ARRIVAL_CHANGED]),
        (
            {"state": StayState.IN_HOUSE, "checked_in": True, "room_ref": "r204"},
            [Happened.MOVED, Happened.CHECKED_IN],
        ),
    ],
)
def test_each_change_has_its_name_and_the_most_urgent_is_first(changes, told):
    assert between(**changes) == told


def test_a_check_in_that_is_undone_a_stay_that_reopens_and_a_room_that_is_given():
    in_house = replace(KNOWN, state=StayState.IN_HOUSE, checked_in=True)
    assert happened(kept(in_house), kept(KNOWN)) == [Happened.CHECK_IN_UNDONE]
    cancelled = replace(KNOWN, state=StayState.CANCELLED)
    assert happened(kept(cancelled), kept(KNOWN)) == [Happened.REOPENED]
    assert happened(kept(replace(KNOWN, room_ref="")), kept(KNOWN)) == [Happened.ROOM_ASSIGNED]


def test_what_was_not_known_before_came_in_and_perhaps_more():
    assert happened(None, kept(KNOWN)) == [Happened.CAME_IN]
    gone = kept(replace(KNOWN, state=StayState.CANCELLED))
    assert happened(None, gone) == [Happened.CANCELLED, Happened.CAME_IN]


def test_the_words_name_rooms_and_days():
    now = replace(KNOWN, room_ref="r204", room_name="204", departure_on=date(2026, 12, 1))
    told = happened(kept(KNOWN), kept(now))
    assert sentences(told, kept(KNOWN), now) == [
        "Moved from 201 to 204",
        "Extended from 26 Nov to 1 Dec",
    ]
