"""Support people and hotels for the tests of the admin."""

from __future__ import annotations

import pytest
from django.test import Client

from portal.models import User
from tests.api.world import Hotel, hotel


@pytest.fixture
def seaview(db) -> Hotel:
    return hotel("Seaview")


@pytest.fixture
def support(db) -> Client:
    """Signed in as somebody of support, who is no superuser."""
    person = User.objects.create_user("sam@support.example", name="Sam", is_staff=True)
    client = Client()
    client.force_login(person, backend="django.contrib.auth.backends.ModelBackend")
    return client


@pytest.fixture
def root(db) -> Client:
    """Signed in as a superuser."""
    person = User.objects.create_superuser("root@support.example", name="Root")
    client = Client()
    client.force_login(person, backend="django.contrib.auth.backends.ModelBackend")
    return client
