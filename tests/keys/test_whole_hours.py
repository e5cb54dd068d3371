"""Locks that take whole hours only: the window is rounded to the guest's favor and told, or refused, as the property chose."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from html import unescape
from zoneinfo import ZoneInfo

import pytest
from django.test import Client

from keys import past
from keys.delivery import look
from keys.message_truth import truth_of
from keys.message_words import text
from keys.models import Key
from locks import discovering
from locks.clock import on_the_hour
from locks.models import Lock
from portal.models import Role
from portal.tokens import make_token
from tests import factories
from tests.factories import now
from tests.portal.test_keys import typed

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("quick", "silent_bell"),
]
LISBON = ZoneInfo("Europe/Lisbon")
ODD = {"arrival_at": "15:20", "departure_at": "11:40"}


@pytest.fixture
def lock(account, simlock):
    """A lock that the simulator refuses times that are not whole hours."""
    simlock.add_lock("L1", whole_hours=True)
    return factories.LockFactory(account=account, external_id="L1", whole_hours=True)


@pytest.fixture
def member(lock):
    return factories.member(lock.property, Role.OWNER)


@pytest.fixture
def client(member):
    signed_in = Client()
    signed_in.force_login(member.user)
    return signed_in


def add_key(client, lock, **changes):
    once = f"{Key.objects.count():024}"
    page = client.post("/keys/add/", typed(lock, once=once, **ODD | changes))
    return Key.objects.latest("id") if page.status_code == 302 else page


def held(simlock, key):
    mine = [c for h, c in simlock.memory("L1").items() if h.startswith(f"k{key.pk}a")]
    return [
        f"{datetime.fromisoformat(credential[end]).astimezone(LISBON):%d %H:%M}"
        for credential in mine
        for end in ("starts_at", "ends_at")
    ]


def said(page):
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", page.content.decode())))


def settings_with(client, **changes):
    shown = client.get("/settings/property/").context["form"].initial
    return {name: value for name, value in shown.items() if value is not None} | changes


@pytest.mark.scenario("63")
def test_a_lock_of_whole_hours_opens_from_the_hour_before_to_the_hour_after_and_all_are_told(
    lock, simlock, client, member
):
    """On the key's page, in the API and in the guest's message."""
    key = add_key(client, lock)
    look(now=now())
    assert held(simlock, key) == ["01 15:00", "03 12:00"]
    page = said(client.get(f"/keys/{key.pk}/"))
    opens = "The lock takes whole hours only: it opens from 15:00 on 1 Jun until 12:00 on 3 Jun."
    assert opens in page
    assert "15:20" in page, "what was asked for stays"
    at = now()
    _, token = make_token(
        membership=member, role=Role.OWNER, name="Kiosk", expires_at=at + timedelta(days=9), now=at
    )
    detail = client.get(
        f"/api/v1/keys/{key.pk}/", headers={"Authorization": f"Bearer {token}"}
    ).json()
    (door,) = detail["doors"]
    assert door["cautions"] == [opens]
    assert door["window"]["ends_at"] == "2027-06-03T10:40:00Z"
    assert [door["places"][0][end] for end in ("starts_at", "ends_at")] == [
        "2027-06-01T14:00:00Z",
        "2027-06-03T11:00:00Z",
    ]
    told = text(truth_of(key.credentials.get(), why="made", now=now()).told)
    assert "It works from 15:00, Tue 1 Jun 2027 until 12:00, Thu 3 Jun 2027." in told
    late = datetime(2027, 6, 3, 11, 50, tzinfo=LISBON)
    (then,) = past.who_could(door=lock.door, moment=late).answers
    assert (then.place.key_id, then.could) == (key.pk, "yes"), "by its lock it still opens"


@pytest.mark.scenario("63")
def test_a_property_that_does_not_round_refuses_such_times_with_the_hour(lock, simlock, client):
    """The change is previewed; staff are told the hour; what the PMS gives with such times waits and says why."""
    key = add_key(client, lock)
    look(now=now())
    sent = settings_with(client, whole_hours="refuse")
    assert "1 key at locks that take whole hours only" in said(
        client.post("/settings/property/", sent)
    )
    lock.property.refresh_from_db()
    assert lock.property.whole_hours == "round"
    client.post("/settings/property/", sent | {"change_rules": "yes"})
    look(now=now())
    assert held(simlock, key) == ["01 15:00", "03 12:00"], "it does not vanish from the lock"
    page = add_key(client, lock)
    lines = page.context["form"].errors["arrival_on"]
    assert lines == [f"The lock of {lock.door.name} takes whole hours only: choose 15:00."]
    page = add_key(client, lock, arrival_at="15:00")
    assert "choose 12:00." in str(page.context["form"].errors["departure_on"])
    whole = add_key(client, lock, arrival_at="15:00", departure_at="12:00")
    outage = factories.outage_of(lock.property)
    lock.door.departure_time = "10:15"
    lock.door.save()
    stay = factories.stay_in(outage, lock.door, number="1", came_in=False, checked_in=True)
    look(now=now())
    assert held(simlock, whole) == ["01 15:00", "03 12:00"]
    assert held(simlock, stay) == []
    page = said(client.get(f"/keys/{stay.pk}/"))
    assert "this property does not round: choose" in page
    assert "Pending Provisioning" in page
    client.post("/settings/property/", settings_with(client, whole_hours="round", change_rules="y"))
    look(now=now())
    assert held(simlock, stay)[1].endswith("11:00")


def test_a_lock_says_that_it_takes_whole_hours_when_it_is_found(account, simlock):
    simlock.add_lock("L1", whole_hours=True)
    simlock.add_lock("L2")
    (found, other) = discovering._asked(account)
    assert (found.whole_hours, other.whole_hours) == (True, False)
    discovering.add(account=account, found=[found, other])
    assert [lock.whole_hours for lock in Lock.objects.order_by("external_id")] == [True, False]


def test_hours_are_those_of_the_zone_also_in_the_night_of_a_clock_change():
    kathmandu = ZoneInfo("Asia/Kathmandu")
    start = datetime(2027, 6, 1, 15, 20, tzinfo=kathmandu)
    window = on_the_hour(start, start + timedelta(hours=2), kathmandu)
    assert [f"{at.astimezone(kathmandu):%H:%M}" for at in window] == ["15:00", "18:00"]
    twice = datetime(2027, 10, 31, 1, 30, fold=1, tzinfo=LISBON)
    begin, end = on_the_hour(twice, twice + timedelta(minutes=45), LISBON)
    assert end - begin == timedelta(hours=2)
    assert begin.astimezone(LISBON).fold == 1
