"""Settings → API tokens: a secret that works and is shown once, no more rights than its maker's, and an end at once."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.test import Client

from portal.models import ApiToken, Role
from portal.tokens import make_token
from tests import factories
from tests.factories import now

pytestmark = pytest.mark.django_db
PAGE = "/settings/tokens/"


@pytest.fixture
def manager():
    return factories.member(factories.PropertyFactory(), Role.GENERAL_MANAGER)


@pytest.fixture
def client(manager):
    signed_in = Client()
    signed_in.force_login(manager.user)
    return signed_in


def typed(**changes):
    """A filled-in form."""
    last = (now() + timedelta(days=30)).date().isoformat()
    return {"once": "a" * 24, "name": "Kiosk", "role": "team", "expires_on": last} | changes


def shown(answer) -> str | None:
    """The secret on a page."""
    found = re.search(r'id="secret" value="(portal_[^"]+)"', answer.content.decode())
    return found[1] if found else None


def opens(secret: str) -> int:
    return (
        Client().get("/api/v1/property/", headers={"Authorization": f"Bearer {secret}"}).status_code
    )


def test_the_secret_works_and_is_shown_once(client):
    secret = shown(client.post(PAGE, typed()))
    assert secret is not None
    assert opens(secret) == 200
    page = client.get(PAGE).content.decode()
    assert secret not in page
    assert secret[:12] in page


def test_sending_the_form_again_makes_nothing(client):
    client.post(PAGE, typed())
    again = client.post(PAGE, typed(), follow=True)
    assert ApiToken.objects.count() == 1
    assert "made already" in again.content.decode()


def test_nobody_gives_away_more_than_they_may(client):
    refused = client.post(PAGE, typed(role="owner"))
    assert "Nothing was saved" in refused.content.decode()
    assert not ApiToken.objects.exists()
    assert 'value="owner"' not in client.get(PAGE).content.decode()


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("name", " ", "This field is required"),
        ("expires_on", "2020-01-01", "choose a later day"),
        ("expires_on", f"{now().year + 11}-12-31", "within the next ten years"),
    ],
)
def test_what_was_typed_stays_when_it_is_refused(client, field, value, said):
    page = client.post(PAGE, typed(**{"role": "housekeeping", field: value})).content.decode()
    assert said in page
    assert re.search(r'value="housekeeping" selected', page)
    assert not ApiToken.objects.exists()


def test_a_token_ends_with_its_last_day_in_the_zone_of_the_property(client, manager):
    client.post(PAGE, typed(expires_on=f"{now().year + 1}-07-01"))
    ends = ApiToken.objects.get().expires_at
    assert manager.property.timezone == "Europe/Lisbon"
    assert (ends.month, ends.day, ends.hour, ends.minute) == (7, 1, 23, 0)


def test_a_revoked_token_opens_nothing(client):
    secret = shown(client.post(PAGE, typed()))
    client.post(f"{PAGE}{ApiToken.objects.get().pk}/revoke/")
    assert opens(secret) == 401
    assert "Revoked" in client.get(PAGE).content.decode()


def test_tokens_of_another_property_are_not_listed(client):
    other = factories.member(factories.PropertyFactory(), Role.OWNER)
    at = now()
    make_token(
        membership=other, role="team", name="Elsewhere", expires_at=at + timedelta(1), now=at
    )
    assert "Elsewhere" not in client.get(PAGE).content.decode()
