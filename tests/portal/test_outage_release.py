"""Recovering after an outage: the list, the dry run by effect, one confirmation, progress, a result per row, cancel, undo."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse

from keys import recovering
from keys.models import Assignment, Key, KeychainDoor, Recovery, SupportRequest
from keys.rules import Permission
from portal.models import Role
from portal.staff import pages
from tests import factories
from tests.factories import now

pytestmark = pytest.mark.django_db


@pytest.fixture
def outage(lock):
    return factories.outage_of(lock.property)


@pytest.fixture
def client(lock):
    return signed_in(lock, Role.GENERAL_MANAGER)


def signed_in(lock, role, **extra):
    client = Client()
    client.force_login(factories.member(lock.property, role, **extra).user)
    return client


def another_door(lock):
    return factories.LockFactory(account=lock.account).door


def held():
    return KeychainDoor.objects.filter(permission=Permission.HELD_BY_OUTAGE)


def effects(page):
    """The table of the preview: what becomes of how many doors, by the rule and with the box."""
    text = re.sub(r"\s+", " ", page.content.decode())
    rows = re.findall(r'<th scope="row">([^<]+)</th> <td[^>]*>(\d+)</td> <td[^>]*>(\d+)</td>', text)
    return {name: (int(by_rule), int(before)) for name, by_rule, before in rows}


def confirm(client, outage, *stays, **given):
    """The dry run and its confirmation, as the form sends it; nothing is worked off yet."""
    address = reverse("release_outage", args=[outage.pk])
    first = client.get(address, {"stay": stays} if stays else {}).context["form"].initial
    sent = {"reason": "the PMS was down", "up_to": first["up_to"], "seen_at": first["seen_at"]}
    sent |= {"links_keys": "on"} | ({"stay": stays} if stays else {})
    return client.post(address, sent | given, follow=True)


def release(client, outage, *stays, **given):
    page = confirm(client, outage, *stays, **given)
    factories.work_off_recoveries()
    return client.get(page.request["PATH_INFO"])


def text_of(page):
    return re.sub(r"\s+", " ", re.sub("<[^>]+>", " ", page.content.decode()))


def test_the_list_shows_what_came_in_and_what_changed_and_what_releasing_would_do(
    client, lock, outage
):
    factories.stay_in(outage, lock.door, number="7001", guest="Held Hanna")
    factories.stay_in(outage, another_door(lock), number="7002", came_in=False, guest="Known Karl")
    text = client.get("/keys/affected/").content.decode()
    assert "Held Hanna" in text
    assert "Known Karl" in text
    assert "The PMS connection was broken when the reservation came in." in text
    assert "Released: The reservation is not checked in" in text
    assert text.count("Came in meanwhile") == text.count("Changed meanwhile") == 1
    assert text.count('name="stay"') == 1, "only what is left to do can be chosen"


def test_the_preview_counts_doors_by_effect_with_and_without_the_box(client, lock, outage):
    factories.stay_in(outage, lock.door, number="1", checked_in=True)
    factories.stay_in(outage, another_door(lock), number="2")
    offline = factories.LockFactory(account=lock.account, is_online=False, offline_since=now())
    offline.next_try_at = now() + timedelta(hours=1)
    offline.save()
    factories.stay_in(outage, offline.door, number="3", checked_in=True)
    page = client.get(reverse("release_outage", args=[outage.pk]))
    assert effects(page) == {
        "Written to the lock now": (1, 2),
        "Waits for someone": (1, 1),
        "Waits for check-in": (1, 0),
    }


def test_releasing_returns_doors_to_the_rule_in_one_batch_with_the_reason(client, lock, outage):
    keys = [
        factories.stay_in(outage, another_door(lock), number=str(n), guest=f"Guest {n}")
        for n in range(3)
    ]
    page = release(client, outage)
    assert not held().exists()
    rows = [door.history.first() for key in keys for door in key.doors.all()]
    assert {row.history_change_reason for row in rows} == {"the PMS was down"}
    assert len({row.batch_id for row in rows}) == 1
    assert rows[0].batch_id is not None
    assert {row.permission for row in rows} == {Permission.AUTOMATIC}
    text = page.content.decode()
    assert all(f"Guest {n}" in text for n in range(3))
    assert text.count("The reservation is not checked in") == 3


def test_the_box_writes_them_before_check_in(client, lock, outage):
    key = factories.stay_in(outage, lock.door, number="1")
    release(client, outage, before_check_in="on")
    assert key.doors.get().permission == Permission.ALLOWED_BEFORE_CHECK_IN


def test_a_reason_must_be_typed_and_what_was_ticked_stays(client, lock, outage):
    factories.stay_in(outage, lock.door, number="1")
    page = confirm(client, outage, reason=" ", before_check_in="on")
    text = page.content.decode()
    assert "Say why: it is kept in the history of every door." in text
    assert re.search(r'name="before_check_in"[^>]*checked', text)
    assert held().count() == 1


def test_running_it_again_changes_nothing(client, lock, outage):
    factories.stay_in(outage, lock.door, number="1")
    release(client, outage)
    before = KeychainDoor.history.count()
    page = confirm(client, outage)
    assert "Nothing was left to release" in page.content.decode()
    assert KeychainDoor.history.count() == before


def test_only_the_chosen_ones_are_released(client, lock, outage):
    chosen = factories.stay_in(outage, lock.door, number="1")
    other = factories.stay_in(outage, another_door(lock), number="2")
    address = reverse("release_outage", args=[outage.pk])
    text = text_of(client.get(address, {"stay": [chosen.reservation_id]}))
    assert "1 door of 1 key" in text
    assert "Only the chosen ones are meant." in text
    release(client, outage, chosen.reservation_id)
    assert [door.key_id for door in held()] == [other.pk]


def test_the_request_only_makes_the_record_and_the_page_shows_progress(client, lock, outage):
    key = factories.stay_in(outage, lock.door, number="1", guest="Held Hanna")
    page = confirm(client, outage)
    assert held().exists()
    assert "Recovery: Under way" in text_of(page)
    assert "It goes on by itself" in text_of(page)
    factories.work_off_recoveries()
    again = client.get(page.request["PATH_INFO"])
    assert "Recovery: Done" in text_of(again)
    assert "1 of 1 reservation" in text_of(again)
    assert "Released: Allow Provisioning is on for 1 door." in text_of(again)
    assert again.context["lines"][0].key == key
    part = client.get(page.request["PATH_INFO"], headers={"X-Live": "1"}).content.decode()
    assert part.strip().startswith('<div id="live"')


def test_confirming_while_one_is_under_way_leads_to_that_one(client, lock, outage):
    factories.stay_in(outage, lock.door, number="1")
    first = confirm(client, outage)
    second = confirm(client, outage)
    assert first.request["PATH_INFO"] == second.request["PATH_INFO"]
    assert "was under way already" not in text_of(first)
    assert "was under way already" in text_of(second)


def test_cancelling_and_undoing_are_buttons_of_the_page(client, lock, outage, settings):
    settings.RECOVERY_CHUNK = 1
    keys = [factories.stay_in(outage, another_door(lock), number=str(n)) for n in range(2)]
    page = confirm(client, outage, before_check_in="on")
    recovery = Recovery.objects.get()
    while not Recovery.objects.get().done:
        recovering.step(recovery_id=recovery.pk, now=now())
    assert "Cancel the rest" in text_of(client.get(page.request["PATH_INFO"]))
    text = text_of(client.post(reverse("cancel_recovery", args=[recovery.pk]), follow=True))
    assert "Recovery: Cancelled" in text
    assert "Not done: cancelled before." in text
    Assignment.objects.filter(key=keys[0]).update(written_revision=1)
    undo = reverse("undo_recovery", args=[recovery.pk])
    assert "1 of the keys have a code on a lock now" in text_of(client.get(undo))
    assert held().count() == 1
    client.post(undo)
    factories.work_off_recoveries()
    text = text_of(client.get(page.request["PATH_INFO"]))
    assert held().count() == 2
    assert "Recovery: Undone" in text
    assert "and is taken off now." in text


def test_a_key_made_by_hand_is_proposed_and_linked_only_when_confirmed(client, lock, outage):
    at = outage.reconnected_at - timedelta(minutes=5)
    made = factories.key_for(lock.door, guest="Gil Guest", at=at)
    own = factories.stay_in(outage, lock.door, number="1")
    text = text_of(client.get("/keys/affected/"))
    assert f"Link to the key made by hand, Key {made.pk}, and keep its code" in text
    address = reverse("release_outage", args=[outage.pk])
    assert "Linked to the key made by hand, whose code is kept 1" in text_of(client.get(address))
    assert Key.objects.get(pk=made.pk).reservation_id is None
    report = release(client, outage)
    assert Key.objects.get(pk=made.pk).reservation_id == own.reservation_id
    assert report.context["lines"][0].key.pk == made.pk


def test_who_may_not_release_asks_support_once_and_names_no_guest(lock, outage):
    factories.stay_in(outage, lock.door, number="1", guest="Held Hanna")
    team = signed_in(lock, Role.TEAM)
    assert "Contact support" in team.get("/keys/affected/").content.decode()
    for _ in range(2):
        page = team.post(reverse("contact_support", args=[outage.pk]), follow=True)
    asked = SupportRequest.objects.get()
    assert (asked.outage, asked.keys, asked.answered_at) == (outage, 1, None)
    assert "has not answered yet" in page.content.decode()
    assert "Contact support" not in page.content.decode()
    boss = signed_in(lock, Role.OWNER)
    assert "Contact support" not in boss.get("/keys/affected/").content.decode()


@pytest.mark.parametrize(
    ("role", "extra", "may"),
    [
        (Role.OWNER, {}, True),
        (Role.GENERAL_MANAGER, {}, True),
        (Role.TEAM, {}, False),
        (Role.TEAM, {"may_release_after_outage": True}, True),
        (Role.HOUSEKEEPING, {"may_release_after_outage": True}, False),
        (Role.INSTALLER, {}, False),
    ],
)
def test_only_who_may_release_after_an_outage_does(lock, outage, role, extra, may):
    factories.stay_in(outage, lock.door, number="1")
    client = signed_in(lock, role, **extra)
    address = reverse("release_outage", args=[outage.pk])
    sent = {"reason": "x", "up_to": 10**9, "seen_at": now().isoformat()}
    assert client.get(address).status_code == (200 if may else 403)
    assert client.post(address, sent).status_code == (302 if may else 403)
    factories.work_off_recoveries()
    assert held().exists() is not may


def test_an_outage_of_another_property_is_not_there(client):
    foreign = factories.outage_of(factories.PropertyFactory())
    assert client.get(reverse("release_outage", args=[foreign.pk])).status_code == 404
    assert client.get(f"/keys/affected/?outage={foreign.pk}").context["outage"] is None


def test_keys_and_integrations_lead_there_while_something_is_held(client, lock, outage):
    factories.stay_in(outage, lock.door, number="1")
    address = reverse("release_outage", args=[outage.pk])
    for page in ("/keys/", "/settings/integrations/"):
        assert address in client.get(page).content.decode(), page
    release(client, outage)
    for page in ("/keys/", "/settings/integrations/"):
        assert address not in client.get(page).content.decode(), page


def test_the_list_and_the_report_go_on_by_a_cursor(client, lock, outage, monkeypatch):
    monkeypatch.setattr(pages.turn, "__kwdefaults__", {"size": 3})
    for n in range(5):
        factories.stay_in(outage, lock.door, number=str(n))
    first = client.get("/keys/affected/")
    second = client.get("/keys/affected/", {"outage": outage.pk, "after": first.context["next"]})
    seen = [line.stay.pk for page in (first, second) for line in page.context["lines"]]
    assert len(seen) == len(set(seen)) == 5
    report = release(client, outage)
    more = client.get(report.request["PATH_INFO"], {"after": report.context["next"]})
    told = [line.key.pk for page in (report, more) for line in page.context["lines"]]
    assert len(told) == len(set(told)) == 5


def test_the_preview_costs_the_same_for_one_and_for_many(
    client, lock, outage, django_assert_max_num_queries
):
    for n in range(8):
        factories.stay_in(outage, another_door(lock), number=str(n))
    with django_assert_max_num_queries(12):
        client.get(reverse("release_outage", args=[outage.pk]))
    with django_assert_max_num_queries(24):
        client.get("/keys/affected/")
    sent = {"reason": "x", "up_to": 10**9, "seen_at": now().isoformat()}
    with django_assert_max_num_queries(16):
        page = client.post(reverse("release_outage", args=[outage.pk]), sent)
    factories.work_off_recoveries()
    report = client.get(page["Location"])
    with django_assert_max_num_queries(14):
        client.get(report.request["PATH_INFO"])
