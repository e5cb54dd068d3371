"""Bad input over the API: the same refusals as on the pages, each with its field and the fix, and nothing stored."""

from __future__ import annotations

import pytest

from keys.models import Key, KeychainDoor
from locks.models import Lock
from tests.api.test_keys import wish
from tests.api.world import first_door, make_key

BACKWARDS = "The departure must be after the arrival: choose a later departure."


def refused(answer, field, says, *, status=400):
    """Check that this is a problem document with this field and these words; what is not there is a 404."""
    assert answer.status_code == status, answer.content
    assert answer["Content-Type"] == "application/problem+json"
    errors = {error["field"]: error["message"] for error in answer.json()["errors"]}
    assert field in errors, errors
    assert says in errors[field]


def strict(code):
    held = {"kind": "door_code", "policy": "strict", "code": code}
    return {"people": [{"name": "Ana", "credentials": [held]}]}


NEW_KEY = {
    "a window that ends before it starts": (
        {"starts_at": "2027-06-03T15:00", "ends_at": "2027-06-01T11:00"},
        "ends_at",
        BACKWARDS,
    ),
    "a time that the clocks skip": (
        {"starts_at": "2027-03-28T01:30"},
        "starts_at",
        "use 02:00 or later",
    ),
    "a time out of range": ({"ends_at": "9999-12-31T00:00"}, "ends_at", "out of range"),
    "a code too short": (strict("12"), "code", "Too short for"),
    "a weak code": (strict("1234"), "code", "Too easy to guess"),
    "a code too long": (strict("48271649382716"), "code", "use at most 9 digits"),
    "a code of letters": (strict("48a7"), "code", "digits only"),
    "no code": (strict(""), "people.0.credentials.0.code", "may not be blank"),
}


@pytest.mark.parametrize(("changes", "field", "says"), NEW_KEY.values(), ids=NEW_KEY)
def test_a_new_key_is_refused(api, seaview, changes, field, says):
    refused(api.post("keys/", wish(seaview, **changes)), field, says)
    assert not Key.objects.exists()


def test_a_door_of_another_property_is_refused_like_one_that_never_was(api, seaview, other):
    for door in (other.doors[0].pk, 999_999):
        answer = api.post("keys/", wish(seaview, doors=[{"door": door}]))
        refused(answer, "doors", f"{door} does not exist at this property", status=404)
    assert not Key.objects.exists()


def test_a_strict_code_that_is_taken_says_where_and_by_whom(api, seaview):
    assert api.post("keys/", wish(seaview, **strict("482716"))).status_code == 201
    answer = api.post("keys/", wish(seaview, **strict("482716")))
    refused(answer, "code", f"This code is taken on {seaview.doors[0].name} by the key of Ana")
    assert Key.objects.count() == 1


def test_a_code_too_long_for_one_of_the_doors_names_that_door(api, seaview):
    narrow = seaview.doors[1]
    Lock.objects.filter(door=narrow).update(code_max=5)
    doors = [{"door": door.pk} for door in seaview.doors]
    answer = api.post("keys/", wish(seaview, doors=doors, **strict("482716")))
    refused(answer, "code", f"Too long for {narrow.name}: use at most 5 digits.")


def test_changes_of_a_key_and_its_doors_are_refused_alike(api, seaview):
    key = make_key(seaview)
    door = first_door(key)
    address = f"keys/{key.pk}/doors/{door.pk}/"
    refused(api.patch(f"keys/{key.pk}/", {"ends_at": "2020-01-01T11:00"}), "ends_at", BACKWARDS)
    refused(api.patch(address, {"ends_at": "2020-01-01T11:00"}), "ends_at", BACKWARDS)
    refused(api.patch(address, {"starts_at": "2027-03-28T01:30"}), "starts_at", "02:00 or later")
    refused(api.patch(address, {"from_hour": "20:00"}), "to_hour", "Give both hours")
    refused(
        api.post(f"keys/{key.pk}/doors/", {"door": door.door_id}),
        "doors",
        "in this keychain already",
    )
    assert key.history.count() == 1
    assert KeychainDoor.history.filter(key_id=key.pk).count() == key.doors.count()
