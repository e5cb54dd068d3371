"""The two questions on staff's pages and over the API: true answers from real rows, and nothing of the typed code is kept."""

from __future__ import annotations

import json
import logging
from datetime import timedelta

import pytest
from django.contrib.sessions.models import Session
from django.test import Client
from django.urls import reverse

from keys import issuing
from keys.models import Assignment
from locks import doorlog
from locks.clock import zone
from locks.models import Lock
from portal.models import Role
from portal.tokens import make_token
from tests import factories
from tests.factories import BY, now

pytestmark = pytest.mark.django_db
MINUTE = timedelta(minutes=1)


def staff(hotel, role=Role.TEAM):
    client = Client()
    client.force_login(factories.member(hotel, role).user)
    return client


def wall(hotel, at):
    local = at.astimezone(zone(hotel.timezone))
    return {"day": f"{local:%Y-%m-%d}", "time": f"{local:%H:%M:%S}"}


def ask_why(client, door, at, code):
    values = {"door": door.pk, "code": code, **wall(door.property, at)}
    return client.post(reverse("why"), values).content.decode()


def ask_who(client, door, at):
    values = {"door": door.pk, **wall(door.property, at)}
    return client.get(reverse("who_could_open"), values).content.decode()


def on_lock(key, at, code="written"):
    place = Assignment.objects.get(key=key)
    line = doorlog.Line(
        key.property_id,
        place.door_id,
        place.lock_id,
        at,
        at,
        "portal",
        code,
        key_id=key.pk,
        assignment_id=place.pk,
    )
    doorlog.append([line])


@pytest.fixture
def key(lock):
    made = factories.key_for(lock.door, guest="Ada Example", at=now() - timedelta(hours=3))
    on_lock(made, now() - timedelta(hours=2))
    return made


def code_of(key):
    return str(key.credentials.get().secret)


def test_a_code_that_was_drawn_anew_is_told_from_one_that_never_was(lock, key):
    old = code_of(key)
    issuing.regenerate(credential=key.credentials.get(), by=BY, now=now() - MINUTE)
    page = ask_why(staff(lock.property), lock.door, now(), old)
    assert "An old code of this key" in page
    assert "by a test" in page
    assert "Ada Example" in page
    before = ask_why(staff(lock.property), lock.door, now() - 30 * MINUTE, old)
    assert "An old code" not in before
    assert "it should have opened" in before
    never = ask_why(staff(lock.property), lock.door, now(), "918273")
    assert "No key of this property has had this code" in never
    assert "Ada Example" not in never


def test_the_wrong_door_a_revoked_key_and_a_hold_are_named(lock, key):
    other = factories.LockFactory(account=lock.account).door
    client = staff(lock.property)
    assert "Wrong door: this key opens" in ask_why(client, other, now(), code_of(key))
    issuing.revoke(key=key, by=BY, now=now())
    page = ask_why(client, lock.door, now() + timedelta(seconds=2), code_of(key))
    assert "The key was revoked" in page
    assert "by a test: revoked by staff" in page
    held = factories.key_for(lock.door, guest="Bo Li", allow=False, at=now() - MINUTE)
    page = ask_why(client, lock.door, now(), code_of(held))
    assert "Allow Provisioning was off since" in page
    assert "Not on the lock then" in page


def test_a_code_of_another_hotel_is_nobodys_here(lock, key):
    there = factories.LockFactory()
    page = ask_why(staff(there.property), there.door, now(), code_of(key))
    assert "No key of this property has had this code" in page
    assert "Ada Example" not in page
    assert "choose one from the list" in ask_why(
        staff(there.property), lock.door, now(), code_of(key)
    )


def test_a_lock_whose_clock_is_wrong_is_named(lock):
    key = factories.key_for(lock.door, starts_at=now() - 10 * MINUTE, at=now() - timedelta(hours=3))
    on_lock(key, now() - timedelta(hours=1))
    Lock.objects.filter(pk=lock.pk).update(clock_offset_s=-58 * 60, health_read_at=now())
    page = ask_why(staff(lock.property), lock.door, now(), code_of(key))
    assert "The lock’s clock is 58 minutes slow" in page


def test_the_typed_code_is_neither_shown_again_nor_kept_nor_logged(lock, key, caplog):
    caplog.set_level(logging.DEBUG)
    client = staff(lock.property)
    page = ask_why(client, lock.door, now(), "73910462")
    assert "No key of this property" in page
    assert "73910462" not in page
    assert "73910462" not in caplog.text
    assert "73910462" not in json.dumps([s.get_decoded() for s in Session.objects.all()])
    answer = client.get(reverse("why"), {"code": "73910462", "door": lock.door.pk})
    assert "73910462" not in answer.content.decode()


def test_who_could_open_it_knows_the_day_before_yesterday_from_history(lock, key):
    client = staff(lock.property)
    page = ask_who(client, lock.door, now())
    assert "Could open it" in page
    assert "Ada Example" in page
    early = ask_who(client, lock.door, now() - timedelta(hours=2, minutes=30))
    assert "Had a key for it, but could not open it" in early
    assert ">Could open it<" not in early
    issuing.revoke(key=key, by=BY, now=now() - MINUTE)
    on_lock(key, now(), "removed")
    assert "Could open it" in ask_who(client, lock.door, now() - timedelta(hours=1))
    after = ask_who(client, lock.door, now() + timedelta(seconds=30))
    assert "No key of this property could open it then" in after
    assert "Mechanical keys" in after


def test_a_time_that_the_clocks_skip_or_repeat_is_asked_about(lock):
    client = staff(lock.property)
    skipped = {"door": lock.door.pk, "day": "2026-03-29", "time": "01:30"}
    page = client.get(reverse("who_could_open"), skipped).content.decode()
    assert "01:30 does not exist that night" in page
    twice = {"door": lock.door.pk, "day": "2026-10-25", "time": "01:30"}
    page = client.get(reverse("who_could_open"), twice).content.decode()
    assert "The second time, after the clocks went back" in page


def test_what_is_still_to_come_is_refused(lock):
    page = ask_who(staff(lock.property), lock.door, now() + timedelta(days=2))
    assert "That is still to come" in page


def test_a_refusal_in_the_door_log_leads_to_the_question_about_it(lock):
    at = now() - MINUTE
    said = {"external_id": "e1", "hint": "••16"}
    line = doorlog.Line(lock.property_id, lock.door_id, lock.pk, at, at, "lock", "denied", **said)
    doorlog.append([line])
    client = staff(lock.property)
    for address in (reverse("log"), reverse("door", args=[lock.door_id])):
        page = client.get(address).content.decode()
        link = page.split(f"{reverse('why')}?door={lock.door_id}&amp;at=")[1].split('"')[0]
    form = client.get(f"{reverse('why')}?door={lock.door_id}&at={link}").content.decode()
    assert f'value="{wall(lock.property, at)["time"]}"' in form
    housekeeping = staff(lock.property, Role.HOUSEKEEPING)
    assert reverse("why") not in housekeeping.get(reverse("log")).content.decode()


def api(lock, role):
    _, secret = make_token(
        membership=factories.member(lock.property, Role.OWNER),
        role=role,
        name="Kiosk",
        expires_at=now() + timedelta(days=1),
        now=now(),
    )
    return Client(headers={"Authorization": f"Bearer {secret}"})


def test_the_api_answers_both_questions_to_those_who_see_codes(lock, key):
    body = {"at": now().isoformat(), "code": code_of(key)}
    why = f"/api/v1/doors/{lock.door_id}/why/"
    told = api(lock, Role.TEAM).post(why, body, content_type="application/json")
    assert told.status_code == 200, told.content
    assert told.json()["verdicts"][0]["key"] == key.pk
    assert told.json()["verdicts"][0]["findings"][0]["why"] == "should_have_opened"
    assert code_of(key) not in told.content.decode()
    who = f"/api/v1/doors/{lock.door_id}/who-could-open/"
    told = api(lock, Role.TEAM).get(who, {"at": now().isoformat()}).json()
    assert [(one["key"], one["could"]) for one in told["results"]] == [(key.pk, "yes")]
    for role in (Role.HOUSEKEEPING, Role.INSTALLER):
        refused = api(lock, role).post(why, body, content_type="application/json")
        assert refused.status_code == 403
        assert api(lock, role).get(who, {"at": now().isoformat()}).status_code == 403
    there = factories.LockFactory()
    foreign = f"/api/v1/doors/{there.door_id}/why/"
    answer = api(lock, Role.TEAM).post(foreign, body, content_type="application/json")
    assert answer.status_code == 404
    bad = api(lock, Role.TEAM).post(why, body | {"code": "12a4"}, content_type="application/json")
    assert bad.json()["errors"][0]["field"] == "code"


def test_both_questions_cost_the_same_for_many_keys(lock, django_assert_max_num_queries):
    client = staff(lock.property)
    for number in range(12):
        made = factories.key_for(lock.door, guest=f"Guest {number}", at=now() - timedelta(hours=3))
        on_lock(made, now() - timedelta(hours=2))
    with django_assert_max_num_queries(22):
        ask_who(client, lock.door, now())
    with django_assert_max_num_queries(28):
        ask_why(client, lock.door, now(), code_of(made))
