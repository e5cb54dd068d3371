"""Settings → Integrations → Missing reservations: keys end when a person chose them and typed the word, never otherwise."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse

from keys import ending
from keys.models import Assignment, Key
from pms.models import Reservation
from portal.models import Role
from tests import factories
from tests.factories import now

pytestmark = pytest.mark.django_db
WRONG = "So many at once rather speak of a wrong answer"


@pytest.fixture
def pms(lock):
    """A PMS with ten stays that have keys, none missing yet."""
    outage = factories.outage_of(lock.property)
    for number in range(10):
        factories.stay_in(outage, lock.door, number=str(number), came_in=False)
    return outage.integration


def gone(*numbers):
    """The PMS no longer mentions these; returns the ids of their keys."""
    Reservation.objects.filter(number__in=numbers).update(missing_since=now())
    return list(Key.objects.filter(reservation__number__in=numbers).values_list("id", flat=True))


def signed_in(lock, role=Role.GENERAL_MANAGER):
    client = Client()
    client.force_login(factories.member(lock.property, role).user)
    return client


def ended():
    return set(Key.objects.exclude(revoked_at=None).values_list("id", flat=True))


def test_only_those_chosen_end_and_only_by_the_word(lock, pms):
    one, other = gone("3", "4")
    client, address = signed_in(lock), reverse("missing", args=[pms.pk])
    shown = client.get(address).content.decode()
    assert "the reservations of 2 keys" in shown
    assert WRONG not in shown
    assert "Tick the keys" in client.post(address, {"word": "revoke"}).content.decode()
    assert "Type the word" in client.post(address, {"word": "x", "key": one}).content.decode()
    assert ended() == set()
    said = client.post(address, {"word": "revoke", "key": one}, follow=True).content.decode()
    assert "1 key ended" in said
    assert ended() == {one}
    history = Key.objects.get(pk=one).history.latest("history_date")
    assert history.history_change_reason == "Cloudbeds no longer mentions the reservation"
    assert Assignment.objects.filter(key_id=one, next_attempt_at__lte=now()).exists()
    assert f'value="{other}"' in client.get(address).content.decode()


def test_many_at_once_are_called_a_wrong_answer(lock, pms):
    gone("1", "2", "3")
    text = signed_in(lock).get(reverse("missing", args=[pms.pk])).content.decode()
    assert WRONG in text


@pytest.mark.parametrize(
    ("many", "of", "mass"), [(1, 5, False), (1, 4, True), (5, 100, False), (6, 100, True)]
)
def test_more_than_five_or_a_fifth_is_a_mass(many, of, mass):
    assert ending.is_mass(many, of) is mass


def test_one_that_is_mentioned_again_meanwhile_stays(lock, pms):
    (key,) = gone("3")
    Reservation.objects.update(missing_since=None)
    signed_in(lock).post(reverse("missing", args=[pms.pk]), {"word": "revoke", "key": key})
    assert ended() == set()


def test_what_is_not_missing_cannot_be_ended_here(lock, pms):
    gone("3")
    fine = Key.objects.get(reservation__number="5").pk
    signed_in(lock).post(reverse("missing", args=[pms.pk]), {"word": "revoke", "key": fine})
    assert ended() == set()


def test_the_front_desk_neither_sees_nor_ends_them(lock, pms):
    (key,) = gone("3")
    client, address = signed_in(lock, Role.TEAM), reverse("missing", args=[pms.pk])
    assert client.get(address).status_code == 403
    assert client.post(address, {"word": "revoke", "key": key}).status_code == 403
    assert ended() == set()
