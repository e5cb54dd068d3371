"""Stays over the nights of the clock changes, and dates without a time of day: by the property's clock, as locks hold them."""

from __future__ import annotations

import json
from datetime import UTC, datetime, time

import pytest
from django.test import Client

from keys.delivery import look
from keys.models import Key
from locks.clock import database_now
from portal.models import Role
from portal.tokens import make_token
from tests import factories
from tests.pms.conftest import Hotel
from tests.pms.mews_hotel import MewsHotel
from tests.pms.mews_server import SEASIDE

pytestmark = pytest.mark.django_db(transaction=True)
SPRING = {"arrival": "2027-03-27", "departure": "2027-03-29"}
AUTUMN = {"arrival": "2027-10-30", "departure": "2027-11-01"}


def with_locks(hotel, simlock, zone, *names):
    """Locks for these doors of a hotel in that zone, which asks for no check-in."""
    hotel.property.timezone, hotel.property.check_in_rule = zone, "not_required"
    hotel.property.save()
    account = factories.AccountFactory(
        property=hotel.property, base_url=simlock.url, token=simlock.token
    )
    for name in names:
        simlock.add_lock(name)
        factories.LockFactory(account=account, external_id=name, door=hotel.doors[name])
    return hotel


def held(simlock, name):
    """From when to when the lock holds each of its Door Codes, in UTC."""
    look(now=database_now())
    return [
        tuple(utc(row[end]) for end in ("starts_at", "ends_at"))
        for row in simlock.memory(name).values()
        if row["kind"] == "door_code"
    ]


def utc(text):
    return f"{datetime.fromisoformat(text).astimezone(UTC):%m-%d %H:%M}"


def add_key(client, door, **window):
    """Add Key on the portal's page; the page that comes back, or the key that was made."""
    sent = {
        "once": f"{Key.objects.count():024}",
        "people": "1",
        "p0-name": "Grace Guest",
        "p0-door_code": "on",
        "p0-policy": "random",
        "doors": [str(door.pk)],
        "weekdays": list("0123456"),
        "allow": "on",
    }
    page = client.post("/keys/add/", sent | window)
    return Key.objects.latest("id") if page.status_code == 302 else page


def window(arrival, departure):
    days = {"arrival_on": arrival[:10], "departure_on": departure[:10]}
    return days | {"arrival_at": arrival[11:], "departure_at": departure[11:]}


def asked(token, path, **body):
    answer = Client().post(
        f"/api/v1{path}",
        json.dumps(body),
        content_type="application/json",
        headers={"Authorization": f"Bearer {token}"},
    )
    return answer.status_code, answer.json()


@pytest.mark.scenario("58")
@pytest.mark.usefixtures("silent_bell")
def test_stays_over_both_clock_changes_end_at_eleven_by_the_property_s_clock(cloudbeds, simlock):
    """Of the PMS, by hand and by the API; a time that no clock shows that night is refused with the next one."""
    hotel = with_locks(Hotel(cloudbeds), simlock, "Europe/Berlin", "101", "102", "103")
    cloudbeds.book(guest="Ada Spring", room="101", **SPRING)
    cloudbeds.book(guest="Bob Autumn", room="102", **AUTUMN)
    hotel.connect()
    assert held(simlock, "101") == [("03-27 14:00", "03-29 09:00")]
    assert held(simlock, "102") == [("10-30 13:00", "11-01 10:00")]
    client = Client()
    owner = factories.member(hotel.property, Role.OWNER)
    client.force_login(owner.user)
    door = hotel.doors["103"]
    spring = add_key(client, door, **window("2027-03-27 15:00", "2027-03-28 11:00"))
    assert held(simlock, "103") == [("03-27 14:00", "03-28 09:00")]
    page = client.get(f"/keys/{spring.pk}/").content.decode()
    assert "15:00" in page
    assert "11:00" in page
    autumn = add_key(client, door, **window("2027-10-30 15:00", "2027-10-31 11:00"))
    assert ("10-30 13:00", "10-31 10:00") in held(simlock, "103")
    twice = add_key(client, door, **window("2027-10-31 02:30", "2027-10-31 02:45"))
    assert ("10-31 00:30", "10-31 01:45") in held(simlock, "103"), "no guest loses the hour"
    assert len({spring.pk, autumn.pk, twice.pk}) == 3
    refused = add_key(client, door, **window("2027-03-28 02:30", "2027-03-29 11:00"))
    says = "02:30 does not exist on 28 March 2027: the clocks go forward. Choose 03:00 or later."
    assert refused.context["form"].errors == {"arrival_at": [says]}
    at = database_now()
    _, token = make_token(
        membership=owner, role=Role.OWNER, name="Kiosk", expires_at=at.replace(year=2030), now=at
    )
    wish = {"people": [{"name": "Ivy"}], "doors": [{"door": door.pk}]}
    night = {"starts_at": "2027-03-27T15:00", "ends_at": "2027-03-28T02:30"}
    status, told = asked(token, "/keys/", **wish, **night)
    assert (status, told["errors"][0]["field"]) == (400, "ends_at")
    assert "use 03:00 or later" in told["errors"][0]["message"]
    status, made = asked(token, "/keys/", **wish, **night | {"ends_at": "2027-03-28T11:00"})
    assert (status, made["ends_at"]) == (201, "2027-03-28T09:00:00Z")
    assert held(simlock, "103").count(("03-27 14:00", "03-28 09:00")) == 2


@pytest.mark.scenario("65")
@pytest.mark.usefixtures("silent_bell")
def test_dates_of_cloudbeds_take_the_times_of_the_property_or_of_the_door(cloudbeds, simlock):
    hotel = with_locks(Hotel(cloudbeds), simlock, "America/New_York", "101", "102")
    hotel.property.arrival_time, hotel.property.departure_time = time(16, 30), time(10)
    hotel.property.save()
    late = hotel.doors["102"]
    late.arrival_time, late.departure_time = time(18), time(12, 15)
    late.save()
    cloudbeds.book(guest="Ada", room="101", **SPRING)
    cloudbeds.book(guest="Bob", room="102", **SPRING)
    hotel.connect()
    assert held(simlock, "101") == [("03-27 20:30", "03-29 14:00")]
    assert held(simlock, "102") == [("03-27 22:00", "03-29 16:15")]


@pytest.mark.scenario("65")
@pytest.mark.usefixtures("silent_bell")
def test_dates_of_mews_take_them_too_and_its_times_stay_times(mews, simlock):
    """MEWS tells a date alone as midnight of the hotel, in UTC; over the clock change that is another hour of the day."""
    hotel = with_locks(MewsHotel(mews), simlock, "Europe/Berlin", "11", "12")
    hotel.property.arrival_time = time(16)
    hotel.property.save()
    door = hotel.doors["11"]
    door.departure_time = time(9, 30)
    door.save()
    days = {"start": "2027-03-26T23:00:00Z", "end": "2027-03-28T22:00:00Z"}
    mews.book(guest="Ada", room="11", **days)
    mews.book(guest="Bob", room="12", **days | {"start": "2027-03-27T12:00:00Z"})
    hotel.connect()
    assert hotel.integration.external_property_id == SEASIDE
    assert held(simlock, "11") == [("03-27 15:00", "03-29 07:30")]
    assert held(simlock, "12") == [("03-27 12:00", "03-28 22:00")]
