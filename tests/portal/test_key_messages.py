"""The page of a key: what was sent to its guest, and sending it again."""

from __future__ import annotations

import re

import pytest
from django.core import mail
from django.test import Client
from django.urls import reverse

from keys import messages
from keys.models import Assignment, Guest
from keys.telling_models import GuestMessage
from portal.models import Role
from tests import factories
from tests.factories import now

pytestmark = pytest.mark.django_db
ADDRESS = "ada@guest.example"


@pytest.fixture
def client(lock):
    signed_in = Client()
    signed_in.force_login(factories.member(lock.property, Role.TEAM).user)
    return signed_in


@pytest.fixture
def key(lock):
    made = factories.key_for(lock.door)
    guest = Guest.objects.get()
    guest.email = ADDRESS
    guest.save()
    return made


def send(client, key, once=""):
    page = client.get(reverse("key", args=[key.pk])).content.decode()
    found = re.findall(r'name="once" value="(\w+)"', page)
    address = reverse("send_code", args=[key.pk, key.credentials.get().pk])
    token = once or found[0]
    text = client.post(address, {"once": token}, follow=True).content.decode()
    return token, text


def test_sending_a_code_says_by_what_way_and_is_shown_on_the_key(client, key):
    Assignment.objects.update(written_revision=1)
    token, text = send(client, key)
    assert "The Door Code is being sent by E-mail." in text
    send(client, key, once=token)
    assert GuestMessage.objects.count() == 1
    mail.outbox.clear()
    messages.send_due(now=now())
    assert len(mail.outbox) == 1
    text = client.get(reverse("key", args=[key.pk])).content.decode()
    assert "E-mail to a•••@guest.example" in text
    assert "Sent by staff" in text
    assert ADDRESS not in text
    assert str(key.credentials.get().secret) not in text


def test_what_is_not_on_the_lock_is_not_sent_and_staff_read_why(client, key, lock):
    _, text = send(client, key)
    assert f"The code is not confirmed on {lock.door.name} yet" in text
    assert not GuestMessage.objects.exists()
    Assignment.objects.update(written_revision=1)
    _, text = send(client, key)
    assert "is being sent" in text


def test_a_failure_is_shown_with_its_cause(client, key):
    credential = key.credentials.get()
    GuestMessage.objects.create(
        property=key.property,
        key=key,
        credential=credential,
        channel="sms",
        number=1,
        why="made",
        state="failed",
        revision=1,
        doors="1",
        address="+351910000001",
        made_at=now(),
        problem="the SMS gateway answered 400",
    )
    text = client.get(reverse("key", args=[key.pk])).content.decode()
    assert "Not sent" in text
    assert "SMS to •••001" in text
    assert "the SMS gateway answered 400" in text


def test_the_settings_of_the_property_turn_messages_on(lock):
    boss = Client()
    boss.force_login(factories.member(lock.property, Role.OWNER).user)
    text = boss.get("/settings/property/").content.decode()
    assert "Send Door Codes to guests" in text
    found = boss.get("/settings/property/").context["form"].initial
    given = {name: value for name, value in found.items() if value is not None}
    given |= {"guest_messages": "on_check_in", "guest_channels": "both", "guest_lead_hours": "48"}
    assert boss.post("/settings/property/", given).status_code == 302
    lock.property.refresh_from_db()
    assert (lock.property.guest_messages, lock.property.guest_lead_hours) == ("on_check_in", 48)
