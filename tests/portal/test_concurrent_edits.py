"""Two people edit the same key or door: the second sees what the first changed and chooses, and nothing typed is lost."""

from __future__ import annotations

import re
from datetime import timedelta
from html import unescape

import pytest
from django.test import Client
from django.urls import reverse

from keys import issuing
from keys.rules import Permission
from locks.clock import zone
from locks.history import ChangedMeanwhile, version_of
from locks.models import Door
from portal.models import Role
from tests import factories
from tests.factories import BY, now

pytestmark = pytest.mark.django_db


@pytest.fixture
def ada(lock):
    return signed_in(lock)


@pytest.fixture
def bo(lock):
    return signed_in(lock)


def signed_in(lock):
    client = Client()
    client.force_login(factories.member(lock.property, Role.TEAM).user)
    return client


def filled(page):
    """What a browser would send of the form that this page shows."""
    text, sent = page.content.decode(), {}
    form = text[text.index('name="seen"') - 200 :]
    form = form[: form.index("</form>")]
    for tag in re.findall(r"<input[^>]*>", form):
        given = dict(re.findall(r'([a-z-]+)="([^"]*)"', tag))
        boxed = given.get("type") in {"checkbox", "radio"}
        if "name" in given and (not boxed or re.search(r"\bchecked\b", tag)):
            sent.setdefault(given["name"], []).append(
                unescape(given.get("value", "on" if boxed else ""))
            )
    for name, options in re.findall(r'<select name="([^"]+)".*?>(.*?)</select>', form, re.DOTALL):
        chosen = re.search(r'value="([^"]*)"[^>]*selected', options)
        sent[name] = [chosen[1] if chosen else ""]
    return sent


def test_the_second_to_save_a_key_sees_the_first_change_and_keeps_what_was_typed(lock, ada, bo):
    key = factories.key_for(lock.door)
    address = reverse("edit_key", args=[key.pk])
    hers, his = filled(ada.get(address)), filled(bo.get(address))
    ada.post(address, hers | {"departure_at": ["12:34"]})
    page = bo.post(address, his | {"arrival_at": ["01:02"]})
    assert page.status_code == 200
    text = page.content.decode()
    assert "while you were editing" in text
    assert 'value="01:02"' in text  # his own
    assert 'value="12:34"' in text  # hers, which he had left alone
    key.refresh_from_db()
    assert key.history.count() == 2
    again = bo.post(address, filled(page))
    assert again.status_code == 302
    key.refresh_from_db()
    start, end = (at.astimezone(zone(key.property.timezone)) for at in (key.starts_at, key.ends_at))
    assert (f"{start:%H:%M}", f"{end:%H:%M}") == ("01:02", "12:34")


@pytest.mark.scenario("71")
def test_a_field_that_both_changed_shows_both_and_the_second_chooses(lock, ada, bo):
    key = factories.key_for(lock.door)
    address = reverse("edit_key", args=[key.pk])
    hers, his = filled(ada.get(address)), filled(bo.get(address))
    ada.post(address, hers | {"departure_at": ["12:34"]})
    text = bo.post(address, his | {"departure_at": ["13:57"]}).content.decode()
    assert "<ins>12:34</ins>, you typed 13:57" in re.sub(r"\s+", " ", text)
    assert 'value="13:57"' in text


def test_editing_a_time_never_releases_a_door_that_someone_else_held_meanwhile(lock, ada, bo):
    key = factories.key_for(lock.door)
    door = key.doors.get()
    address = reverse("edit_key_door", args=[key.pk, door.pk])
    hers, his = filled(ada.get(address)), filled(bo.get(address))
    hers.pop("allow")
    ada.post(address, hers)
    page = bo.post(address, his | {"from_hour": ["08:00"], "to_hour": ["20:00"]})
    text = re.sub(r"\s+", " ", page.content.decode())
    assert "Allow Provisioning: <del>on</del> → <ins>off</ins>" in text
    assert 'value="08:00"' in text
    door.refresh_from_db()
    assert door.permission == Permission.HELD_BY_STAFF
    assert door.from_hour is None
    bo.post(address, filled(page))
    door.refresh_from_db()
    assert door.permission == Permission.HELD_BY_STAFF
    assert f"{door.from_hour:%H:%M}" == "08:00"


def test_two_who_want_the_same_are_not_asked(lock, ada, bo):
    key = factories.key_for(lock.door)
    door = key.doors.get()
    address = reverse("edit_key_door", args=[key.pk, door.pk])
    hers, his = filled(ada.get(address)), filled(bo.get(address))
    hers.pop("allow")
    his.pop("allow")
    assert ada.post(address, hers).status_code == 302
    assert bo.post(address, his).status_code == 302
    assert door.history.count() == 2


def test_the_second_to_save_a_door_of_the_hotel_sees_the_first_change(lock, ada, bo):
    entrance = factories.DoorFactory(property=lock.property, name="Entrance")
    address = reverse("edit_door", args=[lock.door_id])
    hers, his = filled(ada.get(address)), filled(bo.get(address))
    ada.post(address, hers | {"location": ["Second floor"], "links": [str(entrance.pk)]})
    page = bo.post(address, his | {"name": ["204 b"]})
    text = re.sub(r"\s+", " ", page.content.decode())
    assert "Linked doors: <del>empty</del> → <ins>Entrance</ins>" in text
    assert 'value="204 b"' in text
    assert Door.objects.get(pk=lock.door_id).name == lock.door.name
    bo.post(address, filled(page))
    door = Door.objects.get(pk=lock.door_id)
    assert (door.name, door.location) == ("204 b", "Second floor")
    assert list(door.links.values_list("linked_id", flat=True)) == [entrance.pk]


def test_the_domain_itself_refuses_a_version_that_is_not_the_newest(lock):
    key = factories.key_for(lock.door)
    seen = version_of(key)
    later = key.ends_at + timedelta(hours=1)
    issuing.edit_key(key=key, ends_at=later, seen=seen, by=BY, now=now())
    with pytest.raises(ChangedMeanwhile):
        issuing.edit_key(key=key, ends_at=later + timedelta(hours=1), seen=seen, by=BY, now=now())
    key.refresh_from_db()
    assert key.ends_at == later


def test_what_the_form_carries_may_be_nonsense(lock, bo):
    key = factories.key_for(lock.door)
    address = reverse("edit_key", args=[key.pk])
    sent = filled(bo.get(address))
    for seen in ("", "x", "[]", '["a",{}]', '[1,{"arrival_on":5}]', "null"):
        assert bo.post(address, sent | {"seen": [seen]}).status_code in {200, 302}
