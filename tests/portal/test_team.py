"""Settings → Team over HTTP: inviting, joining, changing a role, and ending someone's access at once."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.contrib.sessions.models import Session
from django.test import Client
from django.urls import reverse

from portal.models import ApiToken, Invitation, Membership, Role, User
from portal.tokens import make_token
from tests import factories
from tests.factories import now

pytestmark = pytest.mark.django_db
PASSWORD = "a long password"


@pytest.fixture
def hotel():
    return factories.PropertyFactory()


@pytest.fixture
def owner(hotel):
    return factories.member(hotel, Role.OWNER)


@pytest.fixture
def client(owner):
    signed_in = Client()
    signed_in.force_login(owner.user)
    return signed_in


def sign_in(member):
    client = Client()
    client.post("/sign-in/", {"username": member.user.email, "password": PASSWORD})
    return client


def invite(client, email="new@hotel.example", role="team"):
    """Invite someone and return the path of the link, which the next page shows once."""
    client.post("/settings/team/invite/", {"email": email, "role": role})
    page = client.get("/settings/team/").content.decode()
    found = re.search(r'value="[^"]*(/invitation/[^"]+/)"', page)
    assert found, page
    return found[1]


def test_an_invited_person_joins_by_the_link_once_and_is_in(client, hotel):
    link, guest = invite(client), Client()
    assert "Team" in guest.get(link).content.decode()
    joined = guest.post(link, {"name": "Nina New", "password": "correct horse battery"})
    assert joined.status_code == 302
    assert guest.get("/keys/").status_code == 200
    member = Membership.objects.get(user__email="new@hotel.example")
    assert (member.property, member.role, member.is_active) == (hotel, Role.TEAM, True)
    assert Client().get(link).status_code == 404


def test_the_link_is_shown_once_and_kept_only_as_a_digest(client):
    link = invite(client)
    assert link not in client.get("/settings/team/").content.decode()
    assert link.split("/")[2] not in Invitation.objects.get().token_digest


def test_a_weak_password_is_refused_and_the_link_still_works(client):
    link = invite(client)
    page = Client().post(link, {"name": "Nina New", "password": "12345"})
    assert "too short" in page.content.decode()
    assert 'value="Nina New"' in page.content.decode()
    assert Client().get(link).status_code == 200


def test_someone_with_an_account_joins_with_its_password_only(client):
    known = factories.member(factories.PropertyFactory())
    link = invite(client, known.user.email)
    page = Client().post(link, {"name": "x", "password": "not the password"})
    assert "You have an account already" in page.content.decode()
    assert Client().get(link).status_code == 200
    assert Client().post(link, {"name": "x", "password": PASSWORD}).status_code == 302
    assert Membership.objects.filter(user=known.user).count() == 2


def test_a_withdrawn_or_expired_link_no_longer_works(client):
    link = invite(client)
    one = Invitation.objects.get()
    client.post(reverse("withdraw_invitation", args=[one.pk]))
    assert Client().get(link).status_code == 404
    assert "new@hotel.example" not in client.get("/settings/team/").content.decode()
    late = invite(client, "late@hotel.example")
    Invitation.objects.filter(email="late@hotel.example").update(expires_at=now())
    assert Client().get(late).status_code == 404


def test_a_second_invitation_ends_the_first(client):
    first, second = invite(client), invite(client)
    assert Client().get(first).status_code == 404
    assert Client().get(second).status_code == 200


def test_who_works_here_already_is_not_invited_again(client, owner):
    page = client.post("/settings/team/invite/", {"email": owner.user.email, "role": "team"})
    assert "works here already" in page.content.decode()


def test_deactivating_ends_all_sessions_and_tokens_at_once(client, hotel):
    porter = factories.member(hotel)
    desk, phone = sign_in(porter), sign_in(porter)
    _, secret = make_token(
        membership=porter,
        role=Role.TEAM,
        name="Kiosk",
        expires_at=now() + timedelta(days=1),
        now=now(),
    )
    program = {"Authorization": f"Bearer {secret}"}
    assert desk.get("/keys/").status_code == phone.get("/keys/").status_code == 200
    assert Client().get("/api/v1/keys/", headers=program).status_code == 200
    page = client.post(reverse("deactivate", args=[porter.pk]), follow=True)
    assert "is out: all sessions and tokens ended" in page.content.decode()
    for device in (desk, phone):
        assert device.get("/keys/")["Location"].startswith("/sign-in/")
    assert Client().get("/api/v1/keys/", headers=program).status_code == 401
    mine = [s for s in Session.objects.all() if s.get_decoded().get("_auth_user_id")]
    assert {s.get_decoded()["_auth_user_id"] for s in mine} == {client.session["_auth_user_id"]}
    assert ApiToken.objects.get().revoked_at is not None
    assert sign_in(porter).get("/keys/").status_code == 403


def test_an_activated_person_may_come_back_without_the_old_tokens(client, hotel):
    porter = factories.member(hotel)
    client.post(reverse("deactivate", args=[porter.pk]))
    gone = client.get("/settings/team/?show=deactivated").content.decode()
    assert porter.user.email in gone
    assert porter.user.email not in client.get("/settings/team/").content.decode()
    client.post(reverse("deactivate", args=[porter.pk]))
    assert sign_in(porter).get("/keys/").status_code == 200


def test_a_changed_role_counts_at_once_and_stands_in_history(client, hotel, owner):
    porter = factories.member(hotel)
    device = sign_in(porter)
    client.post(
        reverse("member", args=[porter.pk]),
        {"role": "housekeeping", "may_release_after_outage": "on"},
    )
    assert device.get("/keys/").status_code == 403
    row = porter.history.first()
    assert (row.role, row.may_release_after_outage) == ("housekeeping", True)
    assert row.history_user == owner.user


def test_the_last_owner_can_neither_go_nor_become_less(client, owner, hotel):
    page = client.post(reverse("member", args=[owner.pk]), {"role": "team"})
    assert "This is the last Owner" in page.content.decode()
    page = client.post(reverse("deactivate", args=[owner.pk]), follow=True)
    assert "This is the last Owner" in page.content.decode()
    factories.member(hotel, Role.OWNER)
    client.post(reverse("member", args=[owner.pk]), {"role": "team"})
    owner.refresh_from_db()
    assert owner.role == Role.TEAM


def test_a_long_team_goes_on_by_a_cursor(client, hotel):
    User.objects.bulk_create(
        User(email=f"p{n}@hotel.example", name=f"Person {n:03}") for n in range(60)
    )
    for user in User.objects.filter(email__startswith="p"):
        Membership.objects.get_or_create(property=hotel, user=user, defaults={"role": Role.TEAM})
    first = client.get("/settings/team/")
    second = client.get("/settings/team/", {"after": first.context["next"]})
    seen = [one.pk for page in (first, second) for one in page.context["members"]]
    assert len(seen) == len(set(seen)) == Membership.objects.filter(property=hotel).count()
    assert second.context["next"] == ""


def test_a_general_manager_sees_the_team_and_changes_nothing(hotel, owner):
    manager = Client()
    manager.force_login(factories.member(hotel, Role.GENERAL_MANAGER).user)
    page = manager.get("/settings/team/").content.decode()
    assert owner.user.email in page
    assert "btn-danger" not in page
    assert manager.post(reverse("deactivate", args=[owner.pk])).status_code == 403
