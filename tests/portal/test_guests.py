"""Erasing and exporting a guest on the pages of a key."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse

from portal.models import Role
from tests.factories import key_for, member

pytestmark = pytest.mark.django_db


@pytest.fixture
def key(lock):
    return key_for(lock.door)


@pytest.fixture
def client(lock):
    signed_in = Client()
    signed_in.force_login(member(lock.property, Role.GENERAL_MANAGER).user)
    return signed_in


def test_a_guest_is_erased_after_the_typed_word_and_the_page_says_what_still_opens(client, key):
    name, person = key.label, key.people.get()
    page = client.get(reverse("key", args=[key.pk])).content.decode()
    address = reverse("erase_guest", args=[key.pk, person.pk])
    assert address in page
    assert "keep working until" in client.get(address).content.decode()
    refused = client.post(address, {"word": "yes"})
    assert "Type ERASE" in refused.content.decode()
    key.refresh_from_db()
    assert key.label == name
    page = client.post(address, {"word": "erase"}, follow=True).content.decode()
    assert f"The guest is erased and is Guest {person.guest_id} now." in page
    assert name not in page
    assert address not in page


def test_a_guest_is_downloaded(client, key):
    answer = client.get(reverse("export_guest", args=[key.pk, key.people.get().pk]))
    assert answer["Content-Disposition"].startswith("attachment")
    assert answer.json()["guest"][0]["name"] == key.label
    assert answer.json()["keys"][0]["credentials"][0]["code"]
