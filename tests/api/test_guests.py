"""Erasing and exporting a guest by the API."""

from __future__ import annotations

import json

from portal.models import Role
from tests.api.world import ApiClient, make_key


def test_a_guest_is_erased_after_the_word_and_stays_on_the_lock(api, seaview):
    key = make_key(seaview, guest="Zephyrine Quaxolotl")
    address = f"keys/{key.pk}/people/{key.people.get().pk}/erase/"
    refused = api.post(address, {"word": "please"})
    assert refused.status_code == 400
    assert "Type ERASE" in refused.content.decode()
    done = api.post(address, {"word": "ERASE"})
    assert done.status_code == 200, done.content
    assert done.json()["opens_until"]
    key.refresh_from_db()
    assert key.label == done.json()["pseudonym"]
    assert "Zephyrine" not in api.get(f"keys/{key.pk}/").content.decode()
    newest = key.history.latest("history_id")
    assert (newest.source, newest.history_change_reason) == ("api", "Guest erased")


def test_a_guest_is_exported(api, seaview):
    key = make_key(seaview, guest="Zephyrine Quaxolotl")
    code = str(key.credentials.get(kind="door_code").secret)
    told = api.get(f"keys/{key.pk}/people/{key.people.get().pk}/export/")
    assert told.status_code == 200
    assert told.json()["guest"][0]["name"] == "Zephyrine Quaxolotl"
    assert code in json.dumps(told.json())


def test_only_a_general_manager_and_an_owner_may(seaview):
    key = make_key(seaview)
    person = key.people.get().pk
    team = ApiClient(seaview, role=Role.TEAM)
    assert team.post(f"keys/{key.pk}/people/{person}/erase/", {"word": "ERASE"}).status_code == 403
    assert team.get(f"keys/{key.pk}/people/{person}/export/").status_code == 403
    key.refresh_from_db()
    assert key.label == "Ana Silva"
