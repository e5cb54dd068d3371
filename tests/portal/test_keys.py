"""The screens of keys: the list within its queries, the words of the article, and forms that keep what was typed."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse

from keys import wording
from keys.models import Key
from keys.rules import Permission
from portal.models import Role
from tests import factories
from tests.factories import now

pytestmark = pytest.mark.django_db


@pytest.fixture
def client(lock):
    signed_in = Client()
    signed_in.force_login(factories.member(lock.property, Role.TEAM).user)
    return signed_in


def typed(lock, **changes):
    """A filled-in Add Key form."""
    page = {
        "once": "a" * 24,
        "people": "1",
        "p0-name": "Grace Guest",
        "p0-door_code": "on",
        "p0-policy": "random",
        "doors": [str(lock.door_id)],
        "arrival_on": "2027-06-01",
        "arrival_at": "15:00",
        "departure_on": "2027-06-03",
        "departure_at": "11:00",
        "weekdays": ["0", "1", "2", "3", "4", "5", "6"],
        "allow": "on",
        "linked": "on",
    }
    return page | changes


@pytest.mark.parametrize("many", [1, 30])
def test_the_list_takes_at_most_twelve_queries_for_any_number_of_keys(
    client, lock, many, django_assert_max_num_queries
):
    for n in range(many):
        factories.key_for(lock.door, guest=f"Guest {n}")
    with django_assert_max_num_queries(12):
        page = client.get("/keys/")
    assert page.content.decode().count("main-link") == many


def test_a_held_door_shows_the_tag_with_the_articles_tooltip_and_its_reason_beside_it(client, lock):
    key = factories.key_for(lock.door, allow=False)
    text = client.get(reverse("key", args=[key.pk])).content.decode()
    assert f'role="tooltip" id="tip-{key.doors.get().pk}">{wording.PENDING_TOOLTIP}</span>' in text
    assert "Allow Provisioning was switched off" in text


def test_a_form_sent_twice_makes_one_key(client, lock):
    first = client.post("/keys/add/", typed(lock))
    second = client.post("/keys/add/", typed(lock))
    assert first["Location"] == second["Location"]
    assert Key.objects.count() == 1


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"departure_on": "2027-05-30"}, "The departure must be after the arrival"),
        ({"doors": []}, "Choose at least one door."),
        ({"doors": ["999999"]}, "That door does not exist at this property"),
        ({"arrival_on": "2027-03-28", "arrival_at": "01:30"}, "does not exist on 28 March 2027"),
        ({"p0-policy": "strict", "p0-code": "12"}, "12"),
        ({"p0-policy": "strict", "p0-code": ""}, "Type the code, or choose Random."),
    ],
)
def test_a_wish_that_cannot_be_granted_names_its_fix_and_keeps_what_was_typed(
    client, lock, changes, says
):
    page = client.post("/keys/add/", typed(lock, **changes))
    assert page.status_code == 200
    text = page.content.decode()
    assert says in text
    assert 'value="Grace Guest"' in text
    assert Key.objects.count() == 0


def test_a_refused_form_may_be_corrected_and_sent_again(client, lock):
    client.post("/keys/add/", typed(lock, departure_on="2027-05-30"))
    client.post("/keys/add/", typed(lock))
    assert Key.objects.count() == 1


def test_edit_door_switches_allow_provisioning_off_and_on_again_and_stores_nothing_else(
    client, lock
):
    key = factories.key_for(lock.door)
    door = key.doors.get()
    address = reverse("edit_key_door", args=[key.pk, door.pk])
    days = {"weekdays": ["0", "1", "2", "3", "4", "5", "6"]}
    client.post(address, days)
    door.refresh_from_db()
    assert door.permission == Permission.HELD_BY_STAFF
    client.post(address, days | {"allow": "on"})
    door.refresh_from_db()
    assert door.permission == Permission.AUTOMATIC
    before = door.history.count()
    client.post(address, days | {"allow": "on"})
    assert door.history.count() == before


def test_a_code_is_masked_until_it_is_asked_for(client, lock):
    key = factories.key_for(lock.door)
    credential = key.credentials.get()
    address = reverse("key", args=[key.pk])
    assert credential.secret not in client.get(address).content.decode()
    shown = client.post(reverse("show_code", args=[key.pk, credential.pk]))
    assert credential.secret in shown.content.decode()
    assert "no-store" in shown["Cache-Control"]


def test_revoking_asks_for_the_word(client, lock):
    key = factories.key_for(lock.door)
    address = reverse("revoke_key", args=[key.pk])
    assert "Type the word revoke" in client.post(address, {"word": "yes"}).content.decode()
    client.post(address, {"word": "revoke"})
    key.refresh_from_db()
    assert key.revoked_at is not None


@pytest.mark.parametrize(("q", "found"), [("Ada", True), ("Zzz", False), ("Ad", False)])
def test_search_finds_a_guest_by_three_letters(client, lock, q, found):
    factories.key_for(lock.door)
    page = client.get("/keys/", {"q": q}).content.decode()
    assert ("main-link" in page) is (found or q == "Ad")
    assert ("Type at least three letters" in page) is (q == "Ad")


def test_search_finds_the_keys_of_a_door(client, lock):
    factories.key_for(lock.door)
    page = client.get("/keys/", {"q": lock.door.name}).content.decode()
    assert f"door {lock.door.name}" in page
    assert "Ada Example" in page


def test_pages_go_on_where_the_last_one_ended_and_show_each_key_once(client, lock):
    start = now() + timedelta(days=1)
    for n in range(60):
        at = start + timedelta(hours=n // 2)
        factories.key_for(
            lock.door, guest=f"Guest {n:02}", starts_at=at, ends_at=at + timedelta(days=1)
        )
    first = client.get("/keys/", {"group": "upcoming"})
    second = client.get("/keys/", {"group": "upcoming", "after": first.context["next"]})
    seen = [line.key.pk for page in (first, second) for line in page.context["lines"]]
    assert len(seen) == len(set(seen)) == 60


def test_an_open_page_is_told_only_when_something_changed(client, lock):
    number = client.get("/pulse/?n=x").content.decode()
    assert client.get(f"/pulse/?n={number}").status_code == 204
    factories.key_for(lock.door)
    assert client.get(f"/pulse/?n={number}").status_code == 200
    part = client.get("/keys/", headers={"X-Live": "1"}).content.decode()
    assert part.strip().startswith('<div id="live"')
