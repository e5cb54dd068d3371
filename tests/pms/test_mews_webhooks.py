"""MEWS calls one address for all hotels: who is meant stands in the event, and a token in it goes nowhere but encrypted."""

from __future__ import annotations

import json

import pytest
from django.db import connection as database

from locks.clock import database_now
from pms import webhooks
from pms.models import Integration, WebhookEvent
from tests.factories import PropertyFactory

pytestmark = pytest.mark.django_db
SEASIDE, MESA = "851df8c8-90f2-4c4a-8e01-a4fc46b25178", "951df8c8-90f2-4c4a-8e01-a4fc46b25179"
STAY, CUSTOMER = "0f515589-99b4-423d-b83a-b237009f0509", "fadd5bb6-b428-45d5-94f8-fd0d89fece6d"
CONNECTION = "c8bee838-7fb1-4f4e-8fac-ac87008b2f90"
TOKEN = "C8BEE8387FB14F4E8FACAC87008B2F90-B6D09C0C84B09538077CB8FFBB907B4"


@pytest.fixture(autouse=True)
def address(settings):
    settings.MEWS_HOOK_SECRET = "one-for-all"
    webhooks._hooks.clear()


def connected(enterprise, **more):
    now = database_now()
    return Integration.objects.create(
        property=PropertyFactory(),
        adapter="mews",
        state="connected",
        state_since=now,
        external_property_id=enterprise,
        **more,
    )


def announce(client, body, secret="one-for-all"):
    text = body if isinstance(body, str) else json.dumps(body)
    return client.post(f"/hooks/mews/{secret}", text, content_type="text/plain")


def events(enterprise, *pairs):
    return {
        "EnterpriseId": enterprise,
        "IntegrationId": CONNECTION,
        "Events": [{"Discriminator": name, "Value": {"Id": ref}} for name, ref in pairs],
    }


def rows():
    return list(
        WebhookEvent.objects.order_by("id").values_list("integration_id", "event", "entity")
    )


def test_a_batch_is_stored_whole_for_the_hotel_that_it_names(client):
    seaside, mesa = connected(SEASIDE), connected(MESA)
    wanted = [
        ("ServiceOrderUpdated", STAY),
        ("CustomerUpdated", CUSTOMER),
        ("PaymentUpdated", STAY),
    ]
    assert announce(client, events(SEASIDE, *wanted)).status_code == 200
    assert rows() == [
        (seaside.pk, "ServiceOrderUpdated", f"stay:{STAY}"),
        (seaside.pk, "CustomerUpdated", f"guest:{CUSTOMER}"),
        (seaside.pk, "PaymentUpdated", f"nothing:{STAY}"),
    ]
    assert not WebhookEvent.objects.filter(integration=mesa).exists()
    assert set(WebhookEvent.objects.values_list("property_id", flat=True)) == {seaside.property_id}


def test_the_same_event_again_may_be_news_and_counts(client):
    connected(SEASIDE)
    for _ in range(2):
        announce(client, events(SEASIDE, ("ServiceOrderUpdated", STAY)))
    assert len(rows()) == 2


def test_a_hundred_events_come_in_with_one_statement(client, django_assert_max_num_queries):
    connected(SEASIDE)
    many = [("ServiceOrderUpdated", f"{n:08x}-99b4-423d-b83a-b237009f0509") for n in range(100)]
    with django_assert_max_num_queries(2):
        announce(client, events(SEASIDE, *many))
    assert len(rows()) == 100


def test_a_hotel_that_is_not_connected_here_is_answered_and_nothing_is_stored(client):
    connected(SEASIDE)
    assert announce(client, events(MESA, ("ServiceOrderUpdated", STAY))).status_code == 200
    assert rows() == []


@pytest.mark.parametrize("secret", ["guessed", ""])
def test_who_does_not_know_the_address_learns_nothing(client, settings, secret):
    connected(SEASIDE)
    if not secret:
        settings.MEWS_HOOK_SECRET = ""
    body = events(SEASIDE, ("ServiceOrderUpdated", STAY))
    assert announce(client, body, secret or "one-for-all").status_code == 404
    assert announce(client, "{", secret or "one-for-all").status_code == 404
    assert rows() == []


@pytest.mark.parametrize(
    "body",
    [
        "{",
        "[]",
        {},
        {"Events": []},
        {"EnterpriseId": SEASIDE, "Events": [1]},
        {"EnterpriseId": SEASIDE, "Events": [{"Discriminator": "<b>", "Value": {"Id": STAY}}]},
        {"Action": "IntegrationDisabled"},
        {"Action": 7, "Data": {}},
    ],
)
def test_what_is_no_event_of_mews_is_refused_with_a_word(client, body):
    connected(SEASIDE)
    answer = announce(client, body)
    assert answer.status_code == 400
    assert b"not an event" in answer.content
    assert rows() == []


def test_an_integration_webhook_names_only_the_connection(client):
    seaside = connected(SEASIDE, connection_ref=CONNECTION)
    connected(MESA)
    data = {"Integration": {"Id": CONNECTION, "Name": "Portal"}}
    assert announce(client, {"Action": "IntegrationDisabled", "Data": data}).status_code == 200
    assert rows() == [(seaside.pk, "IntegrationDisabled", "connection:")]


def test_a_new_token_is_kept_encrypted_and_stands_in_no_other_column(client):
    connected(SEASIDE, connection_ref=CONNECTION)
    data = {"Integration": {"Id": CONNECTION, "Name": "Portal"}, "ApiKey": TOKEN}
    announce(client, {"Action": "IntegrationApiKeyCreated", "Data": data})
    assert WebhookEvent.objects.get().token == TOKEN
    with database.cursor() as cursor:
        cursor.execute("SELECT * FROM pms_webhookevent")
        assert TOKEN not in str(cursor.fetchall())
