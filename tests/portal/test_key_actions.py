"""Regenerate, Revoke with its typed word, and restore, over HTTP and down to the memory of the lock."""

from __future__ import annotations

import re

import pytest
from django.test import Client
from django.urls import reverse

from keys.delivery import look
from keys.models import Key
from portal.models import Role
from tests.factories import AccountFactory, LockFactory, key_for, member, now

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("quick")]


@pytest.fixture
def lock(simlock):
    simlock.add_lock("L1")
    account = AccountFactory(base_url=simlock.url, token=simlock.token)
    return LockFactory(account=account, external_id="L1")


@pytest.fixture
def client(lock):
    signed_in = Client()
    signed_in.force_login(member(lock.property, Role.TEAM).user)
    return signed_in


@pytest.fixture
def key(lock):
    made = key_for(lock.door)
    look(now=now())
    return made


def memory(simlock):
    return [held["value"] for held in simlock.memory("L1").values()]


def shown_code(client, key):
    """The code as the page shows it to who asks."""
    credential = key.credentials.get()
    page = client.post(reverse("show_code", args=[key.pk, credential.pk]))
    return re.search(r'<span class="code">\s*(\d+)', page.content.decode())[1]


def test_show_shows_the_code_that_is_on_the_lock_and_a_reload_hides_it(client, simlock, key):
    code = shown_code(client, key)
    assert memory(simlock) == [code]
    assert code not in client.get(reverse("key", args=[key.pk])).content.decode()


def test_regenerate_puts_a_new_code_on_the_lock_and_takes_the_old_one_off(client, simlock, key):
    old = shown_code(client, key)
    credential = key.credentials.get()
    address = reverse("regenerate", args=[key.pk, credential.pk])
    client.post(address, {"policy": "strict", "code": "482716", "revision": credential.revision})
    look(now=now())
    assert shown_code(client, key) == "482716" != old
    assert memory(simlock) == ["482716"]


def test_revoke_needs_the_typed_word_then_empties_the_lock_and_restore_brings_the_code_back(
    client, simlock, key
):
    code, address = shown_code(client, key), reverse("revoke_key", args=[key.pk])
    page = client.post(address, {"word": "yes", "reason": "lost"})
    assert "Type the word revoke to confirm." in page.content.decode()
    assert 'value="lost"' in page.content.decode()
    assert Key.objects.get().revoked_at is None
    client.post(address, {"word": " Revoke ", "reason": "lost"})
    look(now=now())
    assert memory(simlock) == []
    text = client.get(reverse("key", args=[key.pk])).content.decode()
    assert "Revoked" in text
    assert "lost" in text
    client.post(reverse("restore_key", args=[key.pk]))
    look(now=now())
    assert memory(simlock) == [code]
    assert Key.objects.get().revoked_at is None


def test_a_key_that_is_not_revoked_is_not_restored(client, simlock, key):
    page = client.post(reverse("restore_key", args=[key.pk]), follow=True)
    assert "This key is not revoked." in page.content.decode()
    assert len(memory(simlock)) == 1
