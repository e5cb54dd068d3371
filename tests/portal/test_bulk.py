"""Keys → ticks → Revoke…: a dry run, a typed word, progress with a result per key, cancel and undo."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse

from keys import bulk
from keys.models import Assignment, BulkChange, Key
from portal.models import Role
from tests import factories
from tests.factories import now

pytestmark = pytest.mark.django_db


@pytest.fixture
def lock():
    return factories.LockFactory()


@pytest.fixture
def boss(lock):
    return signed_in(lock, Role.GENERAL_MANAGER)


def signed_in(lock, role):
    client = Client()
    client.force_login(factories.member(lock.property, role).user)
    return client


def words(page):
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page.content.decode()))


def keys_of(lock, many):
    return [factories.key_for(lock.door, guest=f"Guest {chr(65 + n)}dam") for n in range(many)]


def looked(client, keys, action="revoke", **more):
    return client.get("/keys/bulk/", {"key": [key.pk for key in keys], "action": action} | more)


def confirmed(client, page, **typed):
    form = page.context["form"]
    given = {"keys": form["keys"].value(), "action": form["action"].value()}
    given |= {"once": page.context["once"], "reason": "Fire drill"}
    return client.post("/keys/bulk/", given | typed, follow=True)


def work_off():
    for change_id in bulk.unfinished():
        while bulk.step(change_id=change_id, now=now()):
            pass


def test_the_dry_run_changes_nothing_and_says_how_many_are_in_house(lock, boss):
    keys = keys_of(lock, 3)
    Assignment.objects.filter(key=keys[0]).update(written_revision=1)
    page = looked(boss, keys)
    said = words(page)
    assert "Revoke 3 keys" in said
    assert "1 of the guests is in house with something on a lock." in said
    assert "Come off their locks 1" in said
    assert "Nothing of them is on a lock 2" in said
    assert not BulkChange.objects.exists()


def test_revoking_is_confirmed_by_the_typed_number_and_done_by_workers(lock, boss):
    keys = keys_of(lock, 3)
    page = looked(boss, keys)
    again = confirmed(boss, page, typed="revoke 2")
    assert "Type revoke 3 to confirm." in words(again)
    assert not BulkChange.objects.exists()
    done = confirmed(boss, again, typed=" Revoke  3 ")
    assert done.redirect_chain == [
        (reverse("bulk_change", args=[BulkChange.objects.get().pk]), 302)
    ]
    assert "0 of 3 keys. It goes on by itself" in words(done)
    work_off()
    said = words(boss.get(done.redirect_chain[0][0]))
    assert "3 of 3 keys." in said
    assert said.count("Revoked; nothing was on a lock.") == 3
    assert "Revoke: Done" in said


def test_sent_twice_it_is_one_change(lock, boss):
    page = looked(boss, keys_of(lock, 2), "hold")
    first, second = (confirmed(boss, page) for _ in range(2))
    assert BulkChange.objects.count() == 1
    assert first.redirect_chain == second.redirect_chain


def test_all_keys_of_a_list_are_more_than_a_page_of_it(lock, boss, monkeypatch):
    keys_of(lock, 6)
    factories.key_for(lock.door, starts_at=now() + timedelta(days=1))
    monkeypatch.setattr("portal.staff.pages.turn.__kwdefaults__", {"size": 2})
    page = boss.get("/keys/bulk/", {"all": "on", "group": "current", "action": "hold"})
    assert "Switch Allow Provisioning off for 6 keys" in words(page)
    waiting = boss.get("/keys/bulk/", {"all": "on", "pending": "removal"}, follow=True)
    assert "No key is chosen" in words(waiting)
    found = boss.get("/keys/bulk/", {"all": "on", "q": "Guest Cdam", "action": "allow"})
    assert "Switch Allow Provisioning on for 1 key" in words(found)
    assert "Back to Keys" in words(found)
    monkeypatch.setattr(bulk, "MOST", 5)
    many = boss.get("/keys/bulk/", {"all": "on", "group": "current"}, follow=True)
    assert "The list has more than 5 keys" in words(many)


def test_keys_of_another_hotel_are_left_out(lock, boss):
    theirs = factories.key_for(factories.LockFactory().door)
    page = looked(boss, [*keys_of(lock, 1), theirs])
    assert "Revoke 1 key" in words(page)
    confirmed(boss, page, typed="revoke 1")
    work_off()
    assert Key.objects.get(pk=theirs.pk).revoked_at is None


def test_cancelled_and_undone_from_its_page(lock, boss):
    keys = keys_of(lock, 3)
    done = confirmed(boss, looked(boss, keys), typed="revoke 3")
    change = BulkChange.objects.get()
    bulk.step(change_id=change.pk, now=now())
    address = done.redirect_chain[0][0]
    assert "Undo" not in words(boss.get(address))
    boss.post(reverse("cancel_bulk", args=[change.pk]))
    said = words(boss.get(address))
    assert "Revoke: Cancelled" in said
    assert said.count("Not done: cancelled before.") == 2
    assert "Their codes open again" in words(boss.get(reverse("undo_bulk", args=[change.pk])))
    boss.post(reverse("undo_bulk", args=[change.pk]))
    work_off()
    assert "Restored with the same code." in words(boss.get(address))
    assert not Key.objects.filter(revoked_at__isnull=False).exists()


def test_a_team_member_has_no_boxes_and_may_not(lock):
    keys = keys_of(lock, 1)
    team = signed_in(lock, Role.TEAM)
    assert "Revoke…" not in words(team.get("/keys/"))
    assert looked(team, keys).status_code == 403
    assert "Revoke…" in words(signed_in(lock, Role.OWNER).get("/keys/"))
