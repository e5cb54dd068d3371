"""Another time zone for a property: previewed, wall times kept, locks written again, history says so."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from html import unescape
from zoneinfo import ZoneInfo

import pytest
from django.test import Client

from keys import issuing
from keys.delivery import look
from keys.following import follow_all
from keys.models import Key
from keys.rezoning import same_wall
from locks.models import Property
from pms.models import Reservation
from portal.models import Role
from tests import factories
from tests.factories import BY, key_for, now

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("silent_bell")]
LISBON, BERLIN, NEW_YORK = (
    ZoneInfo(name) for name in ("Europe/Lisbon", "Europe/Berlin", "America/New_York")
)


@pytest.fixture
def boss(lock):
    lock.property.check_in_rule = "not_required"
    lock.property.save()
    client = Client()
    client.force_login(factories.member(lock.property, Role.OWNER).user)
    return client


def settings_with(client, **changes):
    shown = client.get("/settings/property/").context["form"].initial
    return {name: value for name, value in shown.items() if value is not None} | changes


def said(page):
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", page.content.decode())))


def wall(moment, tz):
    return f"{moment.astimezone(tz):%Y-%m-%d %H:%M}"


def held(simlock, key):
    mine = [c for h, c in simlock.memory("L1").items() if h.startswith(f"k{key.pk}a")]
    (one,) = (credential for credential in mine if credential["kind"] == "door_code")
    return [datetime.fromisoformat(one[end]) for end in ("starts_at", "ends_at")]


def write(simlock):
    """What a worker does."""
    follow_all(now=now())
    look(now=now() + timedelta(seconds=1))


@pytest.mark.scenario("62")
def test_another_time_zone_is_previewed_and_keeps_what_the_wall_clock_shows(lock, simlock, boss):
    """Of keys made by hand, of staff's own times, of a door's own window and of reservations; locks hold the new moments."""
    at = now().replace(second=0, microsecond=0)
    soon = {"starts_at": at + timedelta(days=40), "ends_at": at + timedelta(days=42)}
    by_hand, here = key_for(lock.door, **soon), key_for(lock.door, guest="In House")
    outage = factories.outage_of(lock.property)
    stay = factories.stay_in(outage, lock.door, number="1", came_in=False)
    late = factories.stay_in(outage, lock.door, number="2", came_in=False, checked_in=True)
    issuing.edit_key(key=late, ends_at=at + timedelta(days=3), by=BY, now=at)
    exact = factories.stay_in(outage, lock.door, number="3", came_in=False)
    moments = {"arrival_at": at - timedelta(days=1), "departure_at": at + timedelta(days=2)}
    Reservation.objects.filter(pk=exact.reservation_id).update(**moments, followed_at=None)
    write(simlock)
    keys = [by_hand, here, stay, late]
    for key in [*keys, exact]:
        key.refresh_from_db()
    walls = [wall(key.ends_at, LISBON) for key in keys]
    begins, was_fixed = wall(by_hand.starts_at, LISBON), held(simlock, exact)
    sent = settings_with(boss, timezone="Europe/Berlin")
    asked = said(boss.post("/settings/property/", sent))
    assert "Europe/Lisbon becomes Europe/Berlin. Stays keep their times of day" in asked
    assert "4 keys, also those made by hand; written again on their locks: 4." in asked
    assert "1 key, whose moments the PMS gave" in asked
    assert Property.objects.get().timezone == "Europe/Lisbon"
    assert [wall(held(simlock, key)[1], LISBON) for key in keys] == walls, "nothing is changed yet"
    assert boss.post("/settings/property/", sent | {"change_rules": "yes"}).status_code == 302
    write(simlock)
    assert [wall(held(simlock, key)[1], BERLIN) for key in keys] == walls
    assert wall(held(simlock, by_hand)[0], BERLIN) == begins
    assert held(simlock, exact) == was_fixed
    page = said(boss.get(f"/keys/{by_hand.pk}/"))
    assert "The time zone changed from Europe/Lisbon to Europe/Berlin" in page
    assert "Europe/Berlin" in page
    record = Property.objects.get().history.latest("history_id")
    assert (record.timezone, record.prev_record.timezone) == ("Europe/Berlin", "Europe/Lisbon")
    assert record.actor_label or record.history_user


def test_a_key_that_has_begun_stays_begun_and_a_door_keeps_its_own_hours(lock, simlock, boss):
    key = key_for(lock.door)
    door = key.doors.get()
    begin = now().replace(microsecond=0)
    issuing.edit_door(
        keychain_door=door, on=True, ends_at=begin + timedelta(days=1), by=BY, now=begin
    )
    sent = settings_with(boss, timezone="America/New_York", change_rules="yes")
    boss.post("/settings/property/", sent)
    look(now=now())
    door.refresh_from_db()
    starts_at = Key.objects.get().starts_at
    assert starts_at == key.starts_at
    assert wall(door.ends_at, NEW_YORK) == wall(begin + timedelta(days=1), LISBON)
    assert held(simlock, key)[1] == door.ends_at
    assert simlock.try_door("L1", str(key.credentials.get().secret))["opened"]


def test_an_hour_that_the_new_zone_skips_moves_to_the_guests_favor():
    skipped = datetime(2027, 3, 28, 2, 30, tzinfo=ZoneInfo("Asia/Tokyo"))
    start = same_wall(skipped, ZoneInfo("Asia/Tokyo"), BERLIN, later=False)
    end = same_wall(skipped, ZoneInfo("Asia/Tokyo"), BERLIN, later=True)
    assert (start, end) == (
        datetime(2027, 3, 28, 0, 30, tzinfo=UTC),
        datetime(2027, 3, 28, 1, 30, tzinfo=UTC),
    )
