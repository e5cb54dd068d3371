"""Another property's ids do not exist: in addresses, in bodies and in lists, for every noun."""

from __future__ import annotations

import pytest
from django.urls import URLPattern

from locks.log_models import DoorLogEntry
from portal import api_urls
from portal.roles import Right
from tests import factories
from tests.api.world import NOW, first_door, key_of, make_key, reservation

UNKNOWN = 999_999_999


@pytest.fixture
def theirs(other):
    key = key_of(reservation(other, number="R-2"), other)
    DoorLogEntry.objects.create(
        property=other.property, happened_at=NOW, received_at=NOW, origin="portal", code="written"
    )
    return {
        "key": key,
        "door": other.doors[0],
        "keychain_door": first_door(key),
        "lock": other.doors[0].lock,
        "reservation": key.reservation,
        "integration": other.integration,
        "alert": factories.alert_at(other.property, subject="Elsewhere"),
    }


def test_their_ids_are_404_in_addresses(api, seaview, theirs):
    key, door = theirs["key"].pk, theirs["keychain_door"].pk
    addresses = [
        f"keys/{key}/",
        f"keys/{key}/explanation/",
        f"keys/{key}/doors/",
        f"keys/{key}/doors/{door}/",
        f"keys/{key}/people/{theirs['key'].people.get().pk}/keycard/",
        f"doors/{theirs['door'].pk}/",
        f"locks/{theirs['lock'].pk}/",
        f"reservations/{theirs['reservation'].pk}/",
        f"integrations/{theirs['integration'].pk}/",
        f"integrations/{theirs['integration'].pk}/rooms/",
        f"alerts/{theirs['alert'].pk}/",
    ]
    for address in addresses:
        assert api.get(address).status_code == 404, address
    for address in (f"keys/{key}/revoke/", f"keys/{key}/restore/", f"keys/{key}/release-times/"):
        assert api.post(address).status_code == 404, address
    ours, theirs_lock = seaview.doors[0].lock, theirs["lock"]
    assert api.post(f"locks/{theirs_lock.pk}/swap/", {"lock": ours.pk}).status_code == 404
    assert api.post(f"locks/{ours.pk}/swap/", {"lock": theirs_lock.pk}).status_code == 404
    assert api.patch(f"keys/{key}/", {"allow_provisioning": False}).status_code == 404
    assert api.patch(f"keys/{key}/doors/{door}/", {"allow_provisioning": False}).status_code == 404
    assert api.delete(f"keys/{key}/doors/{door}/").status_code == 404
    assert api.post(f"keys/{key}/doors/{door}/try-now/").status_code == 404
    person = theirs["key"].people.get().pk
    assert api.post(f"keys/{key}/people/{person}/erase/", {"word": "ERASE"}).status_code == 404
    assert api.get(f"keys/{key}/people/{person}/export/").status_code == 404


def test_a_door_of_another_key_is_404_under_this_key(api, seaview):
    first, second = make_key(seaview), make_key(seaview)
    assert api.get(f"keys/{first.pk}/doors/{first_door(second).pk}/").status_code == 404


def test_their_ids_are_404_in_bodies_like_ids_that_never_were(api, seaview, theirs):
    mine = make_key(seaview)
    for door in (theirs["door"].pk, UNKNOWN):
        wish = {
            "people": [{"name": "Ana"}],
            "doors": [{"door": door}],
            "starts_at": "2027-07-01T15:00",
            "ends_at": "2027-07-02T11:00",
        }
        answer = api.post("keys/", wish)
        assert answer.status_code == 404
        assert answer.json()["errors"] == [
            {"field": "doors", "message": f"{door} does not exist at this property."}
        ]
        assert api.post(f"keys/{mine.pk}/doors/", {"door": door}).status_code == 404
    ids = [first_door(mine).pk, theirs["keychain_door"].pk]
    answer = api.post("keychain-doors/release/", {"doors": ids, "reason": "x"})
    assert answer.status_code == 404


@pytest.mark.parametrize(
    "noun",
    [
        "keys",
        "doors",
        "locks",
        "lock-accounts",
        "reservations",
        "integrations",
        "door-log",
        "episodes",
        "alerts",
    ],
)
def test_lists_hold_nothing_of_theirs(api, seaview, theirs, noun):
    text = api.get(f"{noun}/").content.decode()
    assert "Elsewhere" not in text
    ids = {row["id"] for row in api.get(f"{noun}/").json()["results"]}
    others = {
        "keys": theirs["key"].pk,
        "doors": theirs["door"].pk,
        "locks": theirs["lock"].pk,
        "reservations": theirs["reservation"].pk,
        "integrations": theirs["integration"].pk,
        "alerts": theirs["alert"].pk,
    }
    assert others.get(noun) not in ids


def test_ids_beyond_a_database_are_404(api):
    for noun in ("keys", "doors", "locks", "reservations", "integrations", "alerts"):
        assert api.get(f"{noun}/99999999999999999999999/").status_code == 404
    assert api.get("keys/99999999999999999999999/doors/").status_code == 404
    assert api.get("integrations/99999999999999999999999/rooms/").status_code == 404


def actions():
    for pattern in api_urls.urlpatterns:
        assert isinstance(pattern, URLPattern)
        view = pattern.callback
        for action in getattr(view, "actions", {}).values():
            yield view.cls, action


@pytest.mark.parametrize(("view", "action"), list(actions()))
def test_every_action_names_a_right_of_the_table(view, action):
    assert view.rights[action] in Right.__members__
