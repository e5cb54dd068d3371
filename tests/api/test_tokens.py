"""Tokens: shown once, kept as a digest, and dead when expired, revoked, or without their member."""

from __future__ import annotations

from datetime import timedelta

import pytest

from keys.refusal import Refused
from locks.history import SYSTEM, acting
from portal import tokens
from portal.models import ApiToken, Role
from portal.roles import Right
from tests.api.world import DAY, NOW, ApiClient, hotel


def test_a_living_token_opens_its_own_property(api, seaview):
    answer = api.get("property/")
    assert answer.status_code == 200
    assert answer.json()["name"] == seaview.property.name
    assert answer.json()["timezone"] == "Europe/Lisbon"


def test_only_a_digest_and_a_prefix_are_stored(api):
    row = ApiToken.objects.values().get()
    assert str(api.secret) not in str(row)
    assert api.secret.startswith(row["prefix"])
    assert repr(api.secret) == "'•••'"


@pytest.mark.parametrize("header", ["", "Bearer", "Token abc", "Bearer a b", "Bearer portal_x"])
def test_without_a_living_token_everything_is_401_and_a_problem(api, header):
    answer = api.call("GET", "keys/", Authorization=header)
    assert answer.status_code == 401
    assert answer["Content-Type"] == "application/problem+json"
    assert answer["WWW-Authenticate"] == "Bearer"
    assert answer.json()["status"] == 401


def test_a_revoked_token_is_dead(api):
    tokens.revoke_token(token=api.token, now=NOW)
    assert api.get("property/").status_code == 401


def test_an_expired_token_is_dead(api):
    ApiToken.objects.update(created_at=NOW - 2 * DAY, expires_at=NOW - DAY)
    assert api.get("property/").status_code == 401


def test_a_token_dies_with_its_membership(api, seaview):
    seaview.membership.is_active = False
    with acting(SYSTEM):
        seaview.membership.save()
    assert api.get("property/").status_code == 401


def test_a_token_dies_with_its_user(api, seaview):
    seaview.membership.user.is_active = False
    seaview.membership.user.save()
    assert api.get("property/").status_code == 401


def test_a_token_shrinks_with_its_member(api, seaview):
    seaview.membership.role = Role.HOUSEKEEPING
    with acting(SYSTEM):
        seaview.membership.save()
    assert api.get("doors/").status_code == 200
    assert api.get("keys/").status_code == 403


def test_a_token_may_do_no_more_than_its_member(db):
    team = hotel("Team house", role=Role.TEAM)
    with pytest.raises(Refused) as refused:
        ApiClient(team, role=Role.OWNER)
    assert refused.value.field == "role"


@pytest.mark.parametrize(("name", "expires_at"), [(" ", NOW + DAY), ("Kiosk", NOW)])
def test_a_token_needs_a_name_and_a_future(seaview, name, expires_at):
    with pytest.raises(Refused):
        tokens.make_token(
            membership=seaview.membership, role="team", name=name, expires_at=expires_at, now=NOW
        )


def test_use_is_noted_at_most_once_an_hour(api, django_assert_num_queries):
    api.get("property/")
    token = ApiToken.objects.get()
    assert token.last_used_at is not None
    with django_assert_num_queries(0):
        tokens.note_use(token=token, now=token.last_used_at + timedelta(minutes=59))
    tokens.note_use(token=token, now=token.last_used_at + timedelta(minutes=61))
    assert ApiToken.objects.get().last_used_at > token.last_used_at


def test_the_night_porters_right_needs_a_token_that_has_it_too(seaview):
    token, _ = tokens.make_token(
        membership=seaview.membership, role="team", name="x", expires_at=NOW + DAY, now=NOW
    )
    assert not tokens.token_allows(token, Right.RELEASE_IN_BULK)


def test_too_many_requests_are_told_when_to_come_back(api, settings, monkeypatch):
    settings.API_RATE = "2/min"
    answers = [api.get("property/") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert int(answers[-1]["Retry-After"]) > 0
