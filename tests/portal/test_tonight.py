"""Tonight: whose door opens and whose does not, in one glance, by the rule's own answers and by the hotel's clock."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.test import Client

from keys import issuing
from keys.evening import MEANS, Meaning, night_of
from keys.models import Assignment
from keys.rules import Hold
from keys.tonight import board
from locks.drivers import Kind
from locks.models import Lock
from portal.models import Role
from portal.tokens import make_token
from tests import factories
from tests.factories import BY

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)
NOON = datetime(2026, 11, 24, 18, 0, tzinfo=UTC)
"""An evening in Lisbon, whose clocks show the same."""


def arriving(lock, *, starts_in=HOUR, at=NOON, **values):
    start = at + starts_in
    return factories.key_for(
        lock.door, starts_at=start, ends_at=start + timedelta(days=2), at=at, **values
    )


def written(key):
    Assignment.objects.filter(key=key).update(written_revision=1, proof="read_back", waits="")


def meanings(lock, at=NOON):
    told = board(hotel=lock.property, now=at)
    return {one.label: one.meaning.value for one in [*told.now_first, *told.arrivals]}


def risen(lock, at=NOON):
    return [one.label for one in board(hotel=lock.property, now=at).now_first]


def visitor(lock, role=Role.TEAM):
    client = Client()
    client.force_login(factories.member(lock.property, role).user)
    return client


def another(lock, **values):
    if values.get("is_online") is False:
        values["offline_since"] = NOON - HOUR
    return factories.LockFactory(account=lock.account, **values)


@pytest.mark.parametrize(
    ("at", "day"),
    [
        ("2026-11-24T23:40", 24),
        ("2026-11-25T02:00", 24),
        ("2026-11-25T05:59", 24),
        ("2026-11-25T06:00", 25),
    ],
)
def test_the_evening_lasts_until_the_hotels_day_turns(at, day):
    tz = ZoneInfo("America/Denver")
    night = night_of(datetime.fromisoformat(at).replace(tzinfo=tz).astimezone(UTC), tz)
    assert night.day.day == day
    assert (night.begins.astimezone(tz).day, night.begins.astimezone(tz).hour) == (day, 6)
    assert night.ends.astimezone(tz).day == day + 1


def test_the_night_of_a_clock_change_is_an_hour_longer_or_shorter():
    tz = ZoneInfo("Europe/Lisbon")
    lengths = [
        night.ends - night.begins
        for night in (
            night_of(datetime(2026, m, d, 20, tzinfo=UTC), tz) for m, d in ((3, 28), (10, 24))
        )
    ]
    assert lengths == [23 * HOUR, 25 * HOUR]


def test_five_meanings_and_who_stands_outside(lock):
    """Each is the rule's answer: confirmed, its time, check-in, a lock that may come back, and a hold."""
    offline, late = another(lock, is_online=False), another(lock, native_window=False)
    written(arriving(lock, guest="Rita Ready"))
    arriving(late, guest="Lena Later", starts_in=4 * HOUR)
    arriving(offline, guest="Oskar Offline", starts_in=5 * HOUR)
    arriving(lock, guest="Hana Held", allow=False, starts_in=3 * HOUR)
    stay = factories.stay_in(
        factories.outage_of(lock.property), lock.door, number="7", came_in=False, guest="Willa"
    )
    Assignment.objects.filter(key=stay).update(starts_at=NOON, ends_at=NOON + 30 * HOUR)
    stay.starts_at, stay.ends_at = NOON, NOON + 30 * HOUR
    stay.save()
    assert meanings(lock) == {
        "Rita Ready": "ready",
        "Lena Later": "later",
        "Oskar Offline": "at_risk",
        "Hana Held": "broken",
        "Willa": "waiting",
    }
    assert board(hotel=lock.property, now=NOON).glance == (1, 1, 1, 1, 1, 2)


def test_every_reason_has_a_meaning_that_fits_who_clears_it():
    healing = {hold for hold in Hold if MEANS.get(hold) is Meaning.AT_RISK}
    assert Hold.LOCK_OFFLINE in healing
    assert not healing & {Hold.DISABLED_BY_STAFF, Hold.CAME_IN_DURING_OUTAGE, Hold.NO_LOCK}
    assert MEANS[Hold.NOT_CHECKED_IN] is Meaning.WAITING


def test_a_lock_that_is_offline_counts_although_the_guest_is_not_checked_in(lock):
    """The stored headline says check-in alone; the board asks for every reason."""
    stay = factories.stay_in(
        factories.outage_of(lock.property), lock.door, number="7", came_in=False
    )
    at = factories.now()
    stay.starts_at = at
    stay.save()
    Lock.objects.update(is_online=False, offline_since=at)
    told = board(hotel=lock.property, now=at)
    assert [one.meaning for one in told.now_first] == [Meaning.AT_RISK]


def test_an_arrival_within_two_hours_that_is_not_written_rises(lock):
    Lock.objects.update(is_online=False, offline_since=NOON)
    arriving(lock, guest="Near", starts_in=2 * HOUR)
    arriving(lock, guest="Far", starts_in=2 * HOUR + timedelta(minutes=1))
    assert risen(lock) == ["Near"]
    assert risen(lock, NOON + HOUR) == ["Near", "Far"]
    page = visitor(lock).get("/tonight/")
    assert page.status_code == 200


def test_one_door_that_stays_shut_is_the_keys_meaning_and_each_person_counts_once(lock):
    lift = another(lock, is_online=False)
    key = factories.key_for(
        lock.door,
        lift.door,
        kinds=(Kind.DOOR_CODE, Kind.SMARTKEY),
        starts_at=NOON + 3 * HOUR,
        ends_at=NOON + 30 * HOUR,
        at=NOON,
    )
    Assignment.objects.filter(key=key, door=lock.door).update(written_revision=1)
    told = board(hotel=lock.property, now=NOON)
    assert {door.name: door.meaning.value for door in told.arrivals[0].doors} == {
        lock.door.name: "ready",
        lift.door.name: "at_risk",
    }
    assert (told.glance.at_risk, told.glance.outside) == (1, 1)


def test_who_came_earlier_and_cannot_get_in_is_there_too_and_who_left_is_not(lock):
    at = factories.now()
    stuck = factories.key_for(lock.door, guest="Stuck", starts_at=at - 40 * HOUR)
    gone = factories.key_for(lock.door, guest="Gone", starts_at=at - 41 * HOUR)
    Assignment.objects.update(waits="someone", headline="lock_offline")
    Lock.objects.update(is_online=False, offline_since=at)
    issuing.revoke(key=gone, by=BY, now=at)
    assert risen(lock, at) == ["Stuck"]
    assert stuck.label == "Stuck"


def test_the_page_says_who_must_act_where_and_shows_no_code(lock):
    at = factories.now()
    key = factories.key_for(lock.door, guest="Hana Held", allow=False, starts_at=at)
    code = key.credentials.get().secret
    page = visitor(lock).get("/tonight/").content.decode()
    assert re.search(r"<strong[^>]*>1</strong>\s*guest\s+stands before a closed door", page)
    assert "Allow Provisioning was switched off." in page
    assert "<strong>Front desk</strong> · Nothing by itself" in page
    door = key.doors.get()
    assert f'href="/keys/{key.pk}/doors/{door.pk}/"' in page
    assert code not in page
    assert "style=" not in page
    assert "<script>" not in page


def test_what_should_be_gone_comes_before_the_arrivals(lock):
    at = factories.now()
    key = factories.key_for(lock.door, guest="Dora Departed", starts_at=at)
    Assignment.objects.filter(key=key).update(
        headline="removal_pending", waits="someone", headline_since=at - HOUR
    )
    arriving(lock, at=at, guest="Arno Arriving")
    page = visitor(lock).get("/tonight/").content.decode()
    assert page.index("Should be gone and may still open") < page.index("Arno Arriving")
    pressed = visitor(lock).post(f"/locks/{lock.pk}/try/", {"from": "tonight"})
    assert pressed["Location"] == "/tonight/"


def test_another_hotels_evening_is_not_told(lock):
    factories.key_for(factories.LockFactory().door, guest="Elsewhere", starts_at=factories.now())
    page = visitor(lock).get("/tonight/").content.decode()
    assert "Nobody arrives tonight" in page
    assert "Elsewhere" not in page


def test_staff_begin_at_tonight_and_those_without_keys_at_doors(lock):
    assert visitor(lock).get("/")["Location"] == "/tonight/"
    assert visitor(lock, Role.HOUSEKEEPING).get("/")["Location"] == "/doors/"


def test_the_worker_serves_its_screen_only_and_is_no_page_of_anybody(lock):
    answer = Client().get("/tonight/worker.js")
    script = b"".join(answer.streaming_content).decode()
    assert answer["Content-Type"] == "text/javascript"
    assert "Service-Worker-Allowed" not in answer
    assert "csrfmiddlewaretoken" in script  # it keeps none
    assert "data-forgets" in Client().get("/sign-in/").content.decode()


def test_the_api_says_the_same(lock):
    at = factories.now()
    key = factories.key_for(lock.door, guest="Hana Held", allow=False, starts_at=at)
    _, secret = make_token(
        membership=factories.member(lock.property, Role.TEAM),
        role=Role.TEAM,
        name="kiosk",
        expires_at=at + timedelta(days=1),
        now=at,
    )
    told = Client(headers={"Authorization": f"Bearer {secret}"}).get("/api/v1/tonight/").json()
    assert told["glance"]["outside"] == told["glance"]["broken"] == 1
    (one,) = told["arrivals"]
    assert (one["key"], one["meaning"], one["act_now"]) == (key.pk, "broken", True)
    assert one["reasons"][0]["sentence"] == "Allow Provisioning was switched off."
