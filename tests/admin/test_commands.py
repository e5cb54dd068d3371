"""The commands of support and of the operator: explain a key, make an owner, make a token, rotate the encryption key."""

from __future__ import annotations

from io import StringIO

import pytest
from cryptography.fernet import Fernet
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client

from keys.models import Credential
from locks.models import Property
from portal.models import Membership, User
from tests.api.world import key_of, make_key, reservation


def said(command: str, *args: str, **options) -> str:
    out = StringIO()
    call_command(command, *args, stdout=out, stderr=StringIO(), **options)
    return out.getvalue()


@pytest.mark.parametrize("by_number", [True, False])
def test_explain_key_prints_the_portals_sentences_and_no_code(seaview, by_number):
    key = key_of(reservation(seaview, number="R-55"), seaview)
    text = said("explain_key", "R-55" if by_number else str(key.pk))
    assert f"Key {key.pk} of Bo Li, reservation R-55, Seaview" in text
    assert "Current, Inactive [Pending Provisioning]" in text
    assert "201: Allow Provisioning on [Pending Provisioning]" in text
    assert "The reservation is not checked in (at the front desk or online)." in text
    assert "Who can change it: Guest or front desk. Written by itself at check-in." in text
    assert not [c for c in key.credentials.all() if str(c.secret) in text]


@pytest.mark.parametrize("term", ["999", "R-0", "٣"])
def test_explain_key_says_when_there_is_none(db, term):
    with pytest.raises(CommandError, match="No key or reservation"):
        said("explain_key", term)


def test_create_owner_makes_a_hotel_that_can_be_entered(db, monkeypatch):
    monkeypatch.setenv("OWNER_PASSWORD", "a long enough secret")
    text = said("create_owner", "Olga@Hotel.example", "Harbor", timezone="Europe/Berlin")
    assert "olga@hotel.example owns Harbor" in text
    hotel = Property.objects.get()
    assert (hotel.mode, hotel.timezone) == ("setup", "Europe/Berlin")
    assert Membership.objects.get().role == "owner"
    assert hotel.history.get().source == "command"
    assert User.objects.get().check_password("a long enough secret")
    with pytest.raises(CommandError, match="works at Harbor already"):
        said("create_owner", "olga@hotel.example", "Harbor")


@pytest.mark.parametrize(
    ("email", "zone", "password"),
    [
        ("x", "Europe/Berlin", "a long enough secret"),
        ("a@b.example", "Mars", "a long enough secret"),
        ("a@b.example", "Europe/Berlin", "123"),
    ],
)
def test_create_owner_refuses_and_leaves_nothing(db, monkeypatch, email, zone, password):
    monkeypatch.setenv("OWNER_PASSWORD", password)
    with pytest.raises(CommandError):
        said("create_owner", email, "Harbor", timezone=zone)
    assert not Property.objects.exists()
    assert not User.objects.exists()


def test_create_api_token_prints_a_token_that_works(seaview):
    secret = said(
        "create_api_token", "seaview@example.com", "Seaview", "Kiosk", role="team"
    ).strip()
    answer = Client().get("/api/v1/property/", headers={"Authorization": f"Bearer {secret}"})
    assert answer.json()["name"] == "Seaview"
    with pytest.raises(CommandError, match="does not work at"):
        said("create_api_token", "nobody@example.com", "Seaview", "Kiosk")


def stored():
    with connection.cursor() as cursor:
        cursor.execute("SELECT id, secret FROM keys_credential ORDER BY id")
        return dict(cursor.fetchall())


def test_rotating_keeps_every_secret_and_needs_the_old_key_no_more(seaview, settings):
    make_key(seaview)
    plain = {c.pk: str(c.secret) for c in Credential.objects.all()}
    old, new = settings.PORTAL_FIELD_KEYS[0], Fernet.generate_key().decode()
    settings.PORTAL_FIELD_KEYS = [new, old]
    with pytest.raises(CommandError, match="not encrypted with the newest key"):
        said("rotate_field_keys", check=True)
    history = Credential.history.count()
    assert "keys.Credential.secret: 2 rotated, 0 unreadable" in said("rotate_field_keys", chunk=1)
    assert "keys.Credential.secret: 0 rotated, 0 unreadable" in said("rotate_field_keys")
    settings.PORTAL_FIELD_KEYS = [new]
    assert {c.pk: str(c.secret) for c in Credential.objects.all()} == plain
    assert Credential.history.count() == history


def test_a_secret_that_no_key_opens_is_counted_and_left_alone(seaview, settings):
    make_key(seaview)
    before = stored()
    settings.PORTAL_FIELD_KEYS = [Fernet.generate_key().decode()]
    with pytest.raises(CommandError, match="2 secrets"):
        said("rotate_field_keys")
    assert stored() == before
