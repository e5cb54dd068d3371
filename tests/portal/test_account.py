"""Signing in, a forgotten password, and the property on the screen, over HTTP."""

from __future__ import annotations

import re

import pytest
from django.test import Client

from portal.models import Role
from tests import factories

pytestmark = pytest.mark.django_db
OLD, NEW = "a long password", "quite another phrase"


@pytest.fixture
def porter():
    return factories.member(factories.PropertyFactory(), Role.TEAM)


def sign_in(email, password):
    client = Client()
    answer = client.post("/sign-in/", {"username": email, "password": password})
    return client, answer.status_code == 302


def asked_for(address, mailoutbox):
    """Ask for a new password; the path of the link in the mail, or none if no mail went out."""
    before = len(mailoutbox)
    answer = Client().post("/password/reset/", {"email": address})
    assert answer["Location"] == "/password/reset/sent/"
    if len(mailoutbox) == before:
        return None
    return re.search(r"https?://[^/]+(/password/reset/\S+)", mailoutbox[-1].body)[1]


def test_a_forgotten_password_is_chosen_anew_by_a_link_that_works_once(porter, mailoutbox):
    elsewhere, _ = sign_in(porter.user.email, OLD)
    link = asked_for(porter.user.email, mailoutbox)
    assert mailoutbox[-1].to == [porter.user.email]
    client = Client()
    form = client.get(link, follow=True)
    assert "Choose a new password" in form.content.decode()
    address = form.request["PATH_INFO"]
    weak = client.post(address, {"new_password1": "12345", "new_password2": "12345"})
    assert "too short" in weak.content.decode()
    done = client.post(address, {"new_password1": NEW, "new_password2": NEW}, follow=True)
    assert "Your new password is saved" in done.content.decode()
    assert sign_in(porter.user.email, NEW)[1]
    assert not sign_in(porter.user.email, OLD)[1]
    assert elsewhere.get("/keys/")["Location"].startswith("/sign-in/")
    assert "This link no longer works" in Client().get(link, follow=True).content.decode()


def test_nobody_learns_whether_an_address_belongs_to_someone(porter, mailoutbox):
    assert asked_for("nobody@hotel.example", mailoutbox) is None
    assert asked_for(porter.user.email, mailoutbox) is not None


def test_a_person_of_two_properties_switches_between_them(porter):
    lock = factories.LockFactory()
    factories.key_for(lock.door, guest="Guest of the other")
    client, _ = sign_in(porter.user.email, OLD)
    assert "Guest of the other" not in client.get("/keys/").content.decode()
    factories.Membership.objects.create(
        property=lock.property, user=porter.user, role=Role.HOUSEKEEPING
    )
    other = {"property": lock.property_id}
    page = client.post("/property/", other, follow=True)
    assert lock.property.name in page.content.decode()
    assert page.request["PATH_INFO"] == "/doors/"  # what the role there may see
    assert client.get("/keys/").status_code == 403
    assert client.get(f"/doors/{lock.door_id}/").status_code == 200
    client.post("/property/", {"property": porter.property_id})
    assert client.get("/keys/").status_code == 200
    assert client.get(f"/doors/{lock.door_id}/").status_code == 404


def test_nobody_switches_to_a_property_where_they_do_not_work(porter):
    client, _ = sign_in(porter.user.email, OLD)
    foreign = factories.PropertyFactory()
    assert client.post("/property/", {"property": foreign.pk}).status_code == 404
    assert foreign.name not in client.get("/keys/").content.decode()


def test_signing_out_ends_the_session(porter):
    client, _ = sign_in(porter.user.email, OLD)
    client.post("/sign-out/")
    assert client.get("/keys/")["Location"].startswith("/sign-in/")


def test_who_signs_in_comes_back_to_the_page_that_was_asked_for(porter):
    client = Client()
    asked = client.get("/log/?code=4117")["Location"]
    back = client.post(asked, {"username": porter.user.email, "password": OLD})
    assert back["Location"] == "/log/?code=4117"
