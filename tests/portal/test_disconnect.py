"""Settings → Integrations → Disconnect: the preview counts what stays, and what is on locks stays there."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse

from keys.models import Assignment, Key
from pms.models import Integration, RoomDoor
from portal.models import Role, User
from tests import factories
from tests.factories import now

pytestmark = pytest.mark.django_db


@pytest.fixture
def pms(lock):
    """A PMS with two stays in house, one of them on its lock, and one to come."""
    outage = factories.outage_of(lock.property)
    keys = [factories.stay_in(outage, lock.door, number=str(n), came_in=False) for n in range(3)]
    Assignment.objects.filter(key=keys[0]).update(written_revision=1)
    keys[2].starts_at, keys[2].ends_at = now() + timedelta(days=1), now() + timedelta(days=2)
    keys[2].save()
    return outage.integration


def signed_in(lock, role):
    client = Client()
    client.force_login(factories.member(lock.property, role).user)
    return client


def test_the_preview_counts_what_stays_and_nothing_is_disconnected_by_looking(lock, pms):
    page = signed_in(lock, Role.OWNER).get(reverse("disconnect", args=[pms.pk]))
    text = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page.content.decode()))
    assert "Keys in house 2, on their locks: 1. Codes on locks keep working" in text
    assert "Keys to come 1." in text
    assert "1 mapping stays for the next Connect." in text
    assert Integration.objects.get().state == "connected"


def test_disconnecting_keeps_keys_codes_and_mappings(lock, pms):
    client = signed_in(lock, Role.OWNER)
    on_locks = Assignment.objects.filter(written_revision=1).count()
    client.post(reverse("disconnect", args=[pms.pk]), {"ends": "none"})
    assert Integration.objects.get().state == "disconnected"
    assert Key.objects.filter(revoked_at=None).count() == 3
    assert Assignment.objects.filter(written_revision=1).count() == on_locks > 0
    assert RoomDoor.objects.count() == 1
    assert "Disconnected" in client.get("/settings/integrations/").content.decode()


@pytest.mark.parametrize(("ends", "left"), [("coming", 2), ("all", 0)])
def test_keys_end_only_when_chosen_and_confirmed_by_the_word(lock, pms, ends, left):
    client, address = signed_in(lock, Role.OWNER), reverse("disconnect", args=[pms.pk])
    refused = client.post(address, {"ends": ends, "word": "yes"})
    assert "Type the word revoke to confirm, or keep the keys." in refused.content.decode()
    assert Integration.objects.get().state == "connected"
    assert Key.objects.filter(revoked_at=None).count() == 3
    said = client.post(address, {"ends": ends, "word": "Revoke"}, follow=True).content.decode()
    assert f"{3 - left} key{'' if left == 2 else 's'} ended" in said
    assert Integration.objects.get().state == "disconnected"
    assert Key.objects.filter(revoked_at=None).count() == left
    ended = Key.objects.exclude(revoked_at=None)
    assert {key.revoked_because for key in ended} == {"staff"}
    told = [key.history.latest("history_date") for key in ended]
    assert {row.history_change_reason for row in told} == {"Cloudbeds was disconnected"}
    owner = User.objects.get(pk=client.session["_auth_user_id"])
    assert {row.history_user for row in told} == {owner}
    due = Assignment.objects.filter(key__in=ended, next_attempt_at__lte=now())
    assert due.count() == Assignment.objects.filter(key__in=ended).count() > 0


def test_other_keys_of_the_hotel_are_not_ended(lock, pms):
    by_hand = factories.key_for(lock.door)
    signed_in(lock, Role.OWNER).post(
        reverse("disconnect", args=[pms.pk]), {"ends": "all", "word": "revoke"}
    )
    by_hand.refresh_from_db()
    assert by_hand.revoked_at is None


def test_only_an_owner_disconnects(lock, pms):
    address = reverse("disconnect", args=[pms.pk])
    for role in (Role.GENERAL_MANAGER, Role.TEAM):
        assert signed_in(lock, role).post(address).status_code == 403
    assert Integration.objects.get().state == "connected"
