"""A shift is handed over: what failed, healed, is open and was overridden since the last one, told once and mailed once."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import pytest
from django.test import Client

from keys import issuing, shift
from locks.history import SYSTEM, Source, acting
from locks.log_models import Episode
from portal import handovers
from portal.models import Handover, HandoverMail, Role
from portal.tokens import make_token
from tests import factories
from tests.factories import BY, now

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)


def visitor(lock, role=Role.TEAM):
    client = Client()
    client.force_login(factories.member(lock.property, role).user)
    return client


def episode(lock, *, began_ago, ended_ago=None, number=1, kind="4117"):
    return Episode.objects.create(
        property=lock.property,
        door=lock.door,
        kind=kind,
        assignment_id=number,
        key_id=number,
        cause="lock_unreachable",
        tries=2,
        opened_at=now() - began_ago,
        closed_at=None if ended_ago is None else now() - ended_ago,
    )


def told(lock, *, since=None):
    at = now() + timedelta(seconds=1)
    return shift.told(property_id=lock.property_id, since=since or at - 12 * HOUR, until=at)


def test_failures_are_told_as_open_or_healed_and_those_of_earlier_shifts_not_at_all(lock):
    episode(lock, began_ago=30 * HOUR, ended_ago=20 * HOUR, number=1)
    healed = episode(lock, began_ago=30 * HOUR, ended_ago=HOUR, number=2)
    stuck = episode(lock, began_ago=2 * HOUR, number=3)
    ghost = episode(lock, began_ago=HOUR, number=4, kind="not_removed")
    found = told(lock)
    assert found.healed == [healed]
    assert found.still_open == [ghost, stuck], "who may still enter comes first"
    assert found.failed == 2


def test_what_people_decided_is_told_with_their_name_and_reason_and_machines_are_not(lock):
    key = factories.key_for(lock.door, guest="Ada Example")
    door = key.doors.get()
    nina = replace(BY, label="Nina", reason="asked at the desk")
    issuing.set_permission(keychain_door=door, on=False, by=nina, now=now())
    pms = replace(SYSTEM, source=Source.PMS)
    with acting(pms):
        door.refresh_from_db()
        door.permission = "automatic"
        door.save()
    issuing.revoke(key=key, by=nina, now=now())
    said = [(one.who, one.what, one.door, one.why) for one in told(lock).overrides]
    assert said == [
        ("Nina", "revoked the key", "", "asked at the desk"),
        ("Nina", "switched Allow Provisioning off", lock.door.name, "asked at the desk"),
    ]


def test_one_batch_is_one_line(lock):
    keys = [factories.key_for(lock.door, guest=f"Guest {n}") for n in range(3)]
    doors = [key.doors.get().pk for key in keys]
    night = replace(BY, batch_id=uuid4())
    issuing.set_permissions(
        door_ids=doors, property_id=lock.property_id, on=False, by=night, now=now()
    )
    (line,) = told(lock).overrides
    assert (line.what, line.more) == ("switched Allow Provisioning off", 2)


def test_taking_over_begins_a_new_shift_and_a_second_press_changes_nothing(lock):
    episode(lock, began_ago=3 * HOUR, ended_ago=HOUR)
    client = visitor(lock)
    assert "nobody has taken over yet" in client.get("/handover/").content.decode()
    for _ in range(2):
        assert client.post("/handover/take/")["Location"] == "/handover/"
    assert Handover.objects.count() == 1
    page = client.get("/handover/").content.decode()
    assert "Nothing had to heal." in page
    assert "took over" in page


def test_a_shift_is_never_longer_than_a_week():
    at = now()
    assert shift.since_when(at - timedelta(days=30), now=at) == at - timedelta(days=7)
    assert shift.since_when(None, now=at) == at - 12 * HOUR


def test_it_is_mailed_once_by_those_who_may_and_names_no_guest(lock, mailoutbox):
    key = factories.key_for(lock.door, guest="Ada Example")
    episode(lock, began_ago=HOUR, number=key.pk)
    sent = {"address": "night@hotel.example"}
    assert visitor(lock).post("/handover/mail/", sent).status_code == 403
    boss = visitor(lock, Role.GENERAL_MANAGER)
    boss.post("/handover/mail/", {"address": "no address"})
    assert not HandoverMail.objects.exists()
    assert boss.post("/handover/mail/", sent).status_code == 302
    later = now() + timedelta(seconds=5)
    assert [handovers.send_due(now=later), handovers.send_due(now=later)] == [1, 0]
    (mail,) = mailoutbox
    assert mail.to == ["night@hotel.example"]
    assert "1 failure still open" in mail.subject
    assert lock.door.name in mail.body
    assert "Ada Example" not in mail.body
    assert key.credentials.get().secret not in mail.body
    assert HandoverMail.objects.get().result == "sent"


def test_a_mail_server_that_is_gone_is_tried_again(lock, settings, mailoutbox):
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 9
    visitor(lock, Role.OWNER).post("/handover/mail/", {"address": "night@hotel.example"})
    later = now() + timedelta(seconds=5)
    assert handovers.send_due(now=later) == 0
    mail = HandoverMail.objects.get()
    assert mail.result == "not sent yet: ConnectionRefusedError"
    assert later < mail.next_try_at < later + 10 * timedelta(minutes=1)


def test_the_page_has_the_guests_names_and_another_hotels_shift_is_not_there(lock):
    key = factories.key_for(lock.door, guest="Ada Example")
    episode(lock, began_ago=HOUR, number=key.pk)
    other = factories.LockFactory()
    episode(other, began_ago=HOUR, number=2)
    page = visitor(lock).get("/handover/").content.decode()
    assert "Ada Example" in page
    assert f'href="/doors/{other.door_id}/"' not in page


def test_the_api_tells_the_shift_and_takes_it_over(lock):
    episode(lock, began_ago=HOUR)
    _, secret = make_token(
        membership=factories.member(lock.property, Role.TEAM),
        role=Role.TEAM,
        name="kiosk",
        expires_at=now() + timedelta(days=1),
        now=now(),
    )
    program = Client(headers={"Authorization": f"Bearer {secret}"})
    before = program.get("/api/v1/handover/").json()
    assert [one["name"] for one in before["still_open"]] == [lock.door.name]
    after = program.post("/api/v1/handover/take-over/").json()
    assert after["since"] > before["since"]
    assert (after["failed"], len(after["still_open"])) == (0, 1)
