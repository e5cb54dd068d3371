"""Keys over the API: made, read, edited, held, released, revoked, always through the domain's own functions."""

from __future__ import annotations

from datetime import datetime

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from keys.models import Credential, Key, KeychainDoor
from keys.rules import Permission
from portal.models import Role
from tests.api.world import DAY, NOW, ApiClient, first_door, key_of, make_key, reservation

WISH = {
    "people": [{"name": "Ana Silva"}],
    "starts_at": (NOW - DAY).isoformat(),
    "ends_at": (NOW + DAY).isoformat(),
}


def wish(hotel, **changes):
    return WISH | {"doors": [{"door": hotel.doors[0].pk}]} | changes


def test_make_a_key_and_read_its_code(api, seaview):
    answer = api.post("keys/", wish(seaview))
    assert answer.status_code == 201, answer.content
    told = answer.json()
    assert told["guest"] == "Ana Silva"
    assert told["timezone"] == "Europe/Lisbon"
    assert told["starts_at"].endswith("Z")
    assert told["allow_provisioning"] == "on"
    assert told["pending"] is True
    (credential,) = told["people"][0]["credentials"]
    assert credential["code"] == str(Credential.objects.get().secret)
    assert answer["Cache-Control"] == "no-store"


def test_history_names_the_member_the_token_and_the_api(api, seaview):
    api.post("keys/", wish(seaview, reason="Late arrival"))
    (row,) = Key.history.all()
    assert row.source == "api"
    assert row.history_user_id == seaview.membership.user_id
    assert row.actor_label == "Rita by Kiosk"
    assert row.history_change_reason == "Late arrival"


def test_smartkeys_show_no_secret(api, seaview):
    key = make_key(seaview)
    held = api.get(f"keys/{key.pk}/").json()["people"][0]["credentials"]
    shown = {each["kind"]: each["code"] for each in held}
    assert shown["door_code"]
    assert shown["smartkey"] is None


def test_codes_are_in_no_list_and_no_explanation(api, seaview):
    key = make_key(seaview)
    secrets = [str(credential.secret) for credential in key.credentials.all()]
    for path in ("keys/", f"keys/{key.pk}/explanation/", f"keys/{key.pk}/doors/", "door-log/"):
        text = api.get(path).content.decode()
        assert not [secret for secret in secrets if f'"{secret}"' in text]


def test_a_door_says_why_in_the_words_of_the_portal(api, seaview):
    key = key_of(reservation(seaview), seaview)
    door = first_door(key)
    told = api.get(f"keys/{key.pk}/doors/{door.pk}/").json()
    assert told["pending"] is True
    assert told["allow_provisioning"] is True
    reason = told["reasons"][0]
    assert reason["hold"] == "not_checked_in"
    assert reason["sentence"].startswith("The reservation is not checked in")
    assert reason["who"] == "Guest or front desk"
    assert reason["next"] == "Written by itself at check-in."


def test_the_explanation_lists_every_door(api, seaview):
    key = key_of(reservation(seaview), seaview)
    told = api.get(f"keys/{key.pk}/explanation/").json()
    assert [door["name"] for door in told["doors"]] == ["201", "202"]
    assert told["state"] == "current"
    assert told["waits"] == "someone"


def test_hold_and_release_one_door(api, seaview):
    key = make_key(seaview)
    path = f"keys/{key.pk}/doors/{first_door(key).pk}/"
    held = api.patch(path, {"allow_provisioning": False, "reason": "Unpaid"}).json()
    assert held["allow_provisioning"] is False
    assert held["permission"] == "held_by_staff"
    assert held["removing"] is False
    row = KeychainDoor.history.latest("history_id")
    assert (row.permission, row.history_change_reason) == ("held_by_staff", "Unpaid")
    released = api.patch(path, {"allow_provisioning": True}).json()
    assert released["permission"] == "automatic"


def test_switching_off_answers_removing_while_the_code_is_on_the_lock(api, seaview):
    key = make_key(seaview)
    key.assignments.update(written_revision=1, address="7")
    told = api.patch(f"keys/{key.pk}/doors/{first_door(key).pk}/", {"allow_provisioning": False})
    assert told.json()["removing"] is True
    assert told.json()["headline"] == "Switched off, still on the lock, may still open."


def test_before_check_in_is_preset_after_an_outage_and_can_be_given(api, seaview):
    key = key_of(reservation(seaview), seaview)
    path = f"keys/{key.pk}/doors/{first_door(key).pk}/"
    assert api.patch(path, {"before_check_in": True}).json()["permission"] == (
        "allowed_before_check_in"
    )
    api.patch(path, {"allow_provisioning": False})
    back = api.patch(path, {"allow_provisioning": True, "before_check_in": False}).json()
    assert back["permission"] == "automatic"


def test_before_check_in_needs_the_switch_on(api, seaview):
    key = make_key(seaview)
    path = f"keys/{key.pk}/doors/{first_door(key).pk}/"
    answer = api.patch(path, {"allow_provisioning": False, "before_check_in": True})
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["field"] == "before_check_in"


def test_an_unchanged_switch_stores_nothing(api, seaview):
    key = make_key(seaview)
    before = KeychainDoor.history.count()
    api.patch(f"keys/{key.pk}/doors/{first_door(key).pk}/", {"allow_provisioning": True})
    assert KeychainDoor.history.count() == before


def test_limits_of_a_door_keep_what_is_not_named(api, seaview):
    key = make_key(seaview)
    path = f"keys/{key.pk}/doors/{first_door(key).pk}/"
    api.patch(path, {"weekdays": [1, 7]})
    told = api.patch(path, {"from_hour": "08:00", "to_hour": "20:00"}).json()
    assert told["weekdays"] == [1, 7]
    assert (told["from_hour"], told["to_hour"]) == ("08:00:00", "20:00:00")
    assert told["allow_provisioning"] is True


def test_the_switch_of_a_key_sets_all_its_doors(api, seaview):
    key = make_key(seaview)
    told = api.patch(f"keys/{key.pk}/", {"allow_provisioning": False, "reason": "Fraud"}).json()
    assert told["allow_provisioning"] == "off"
    rows = KeychainDoor.history.filter(history_change_reason="Fraud")
    assert rows.count() == 2
    assert len({row.batch_id for row in rows}) == 1


def test_edit_times_add_and_remove_a_door_revoke_and_restore(api, seaview):
    key = api.post("keys/", wish(seaview)).json()
    later = (NOW + 2 * DAY).isoformat()
    told = api.patch(f"keys/{key['id']}/", {"ends_at": later}).json()
    assert datetime.fromisoformat(told["ends_at"]) == NOW + 2 * DAY
    added = api.post(f"keys/{key['id']}/doors/", {"door": seaview.doors[1].pk})
    assert added.status_code == 201, added.content
    gone = api.delete(f"keys/{key['id']}/doors/{added.json()['id']}/")
    assert gone.json() == {"removing": False}
    assert api.post(f"keys/{key['id']}/revoke/").json()["state"] == "revoked"
    assert api.post(f"keys/{key['id']}/restore/").json()["state"] == "current"


def test_staffs_time_is_given_back_to_the_pms(api, seaview):
    key = key_of(reservation(seaview), seaview)
    told = api.patch(f"keys/{key.pk}/", {"ends_at": (NOW + 3 * DAY).isoformat()}).json()
    assert told["ends_by_staff"] is True
    assert told["notices"]
    back = api.post(f"keys/{key.pk}/release-times/").json()
    assert back["ends_by_staff"] is False
    assert back["ends_at"] == back["pms_ends_at"]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"ends_at": (NOW - 2 * DAY).isoformat()}, "ends_at"),
        ({"people": []}, "people"),
        ({"doors": []}, "doors"),
        ({"starts_at": "tomorrow"}, "starts_at"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_bad_wishes_name_the_field_and_the_fix(api, seaview, changes, field):
    answer = api.post("keys/", wish(seaview, **changes))
    assert answer.status_code == 400
    assert answer["Content-Type"] == "application/problem+json"
    assert answer.json()["errors"][0]["field"] == field
    assert answer.json()["errors"][0]["message"]
    assert not Key.objects.exists()


@pytest.mark.parametrize("code", ["12", "1111", "1234567890123"])
def test_a_strict_code_that_no_lock_takes_is_refused(api, seaview, code):
    people = [
        {
            "name": "Ana",
            "credentials": [{"kind": "door_code", "policy": "strict", "code": code}],
        }
    ]
    answer = api.post("keys/", wish(seaview, people=people))
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["field"] == "code"


def test_a_time_that_the_clocks_skip_is_refused_with_the_next_that_exists(api, seaview):
    answer = api.post("keys/", wish(seaview, starts_at="2027-03-28T01:30"))
    (error,) = answer.json()["errors"]
    assert error["field"] == "starts_at"
    assert "01:30 does not exist in Europe/Lisbon" in error["message"]
    assert "02:00" in error["message"]


def test_a_time_without_offset_is_the_propertys_wall_clock(api, seaview):
    told = api.post(
        "keys/", wish(seaview, starts_at="2027-07-01T15:00", ends_at="2027-07-02T11:00")
    ).json()
    assert told["starts_at"] == "2027-07-01T14:00:00Z"


@pytest.mark.parametrize("path", ["keys/x/", "keys", "nothing/", "keys/1/doors/x/"])
def test_an_address_that_does_not_exist_is_a_problem_too(api, path):
    answer = api.get(path)
    assert answer.status_code == 404
    assert answer["Content-Type"] == "application/problem+json"


def test_a_number_is_no_text(api, seaview):
    key = make_key(seaview)
    assert api.post(f"keys/{key.pk}/revoke/", {"reason": 0}).status_code == 400
    assert api.get("keys/?waits=").status_code == 400


def test_the_wrong_body_is_a_problem(api):
    answer = api.call("POST", "keys/", [1, 2])
    assert answer.status_code == 400
    assert (
        api.client.generic(
            "POST",
            "/api/v1/keys/",
            data="{",
            content_type="application/json",
            headers={"Authorization": f"Bearer {api.secret}"},
        ).status_code
        == 400
    )


def test_release_many_doors_with_one_batch_in_history(api, seaview):
    first, second = make_key(seaview, allow=False), make_key(seaview, allow=False)
    ids = [door.pk for key in (first, second) for door in key.doors.all()]
    answer = api.post("keychain-doors/release/", {"doors": ids, "reason": "After the outage"})
    assert sorted(answer.json()["changed"]) == sorted(ids)
    rows = KeychainDoor.history.filter(history_change_reason="After the outage")
    assert {str(row.batch_id) for row in rows} == {answer.json()["batch_id"]}
    assert {row.permission for row in rows} == {Permission.AUTOMATIC.value}
    assert {row.source for row in rows} == {"api"}


def test_releasing_many_needs_a_reason(api, seaview):
    key = make_key(seaview, allow=False)
    answer = api.post("keychain-doors/release/", {"doors": [first_door(key).pk]})
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["field"] == "reason"


def test_the_team_may_not_release_in_bulk(seaview):
    key = make_key(seaview, allow=False)
    team = ApiClient(seaview, role=Role.TEAM)
    body = {"doors": [first_door(key).pk], "reason": "x"}
    assert team.post("keychain-doors/release/", body).status_code == 403


@pytest.mark.parametrize("role", [Role.HOUSEKEEPING, Role.INSTALLER])
def test_housekeeping_and_installers_see_doors_but_never_keys(seaview, role):
    make_key(seaview)
    client = ApiClient(seaview, role=role)
    assert client.get("doors/").status_code == 200
    assert client.get("locks/").status_code == 200
    for path in ("keys/", "reservations/", f"keys/{Key.objects.get().pk}/"):
        assert client.get(path).status_code == 403


def test_pages_follow_the_cursor_without_counting(api, seaview):
    made = [make_key(seaview, guest=f"Guest {n}").pk for n in range(5)]
    seen, path = [], "keys/?limit=2"
    while path:
        with CaptureQueriesContext(connection) as queries:
            page = api.get(path).json()
        assert not [q for q in queries.captured_queries if "COUNT(" in q["sql"]]
        seen += [key["id"] for key in page["results"]]
        path = page["next"]
    assert seen == made


def test_a_page_of_keys_costs_a_constant_number_of_queries(api, seaview):
    make_key(seaview)
    api.get("keys/")  # the first use of a token is noted
    with CaptureQueriesContext(connection) as one:
        api.get("keys/")
    for n in range(5):
        make_key(seaview, guest=f"Guest {n}")
    with CaptureQueriesContext(connection) as six:
        api.get("keys/")
    assert len(six) == len(one) <= 12


def test_lists_filter_by_state_pending_door_and_search(api, seaview):
    mine = make_key(seaview, guest="Ana Silva")
    stay = key_of(reservation(seaview, number="R-77"), seaview)
    stay.assignments.update(waits="someone")
    ids = lambda path: [key["id"] for key in api.get(path).json()["results"]]  # noqa: E731
    assert ids("keys/?search=silva") == [mine.pk]
    assert ids("keys/?search=R-77") == [stay.pk]
    assert ids("keys/?pending=true") == [stay.pk]
    assert ids("keys/?waits=someone") == [stay.pk]
    assert ids("keys/?pending=false") == [mine.pk]
    assert set(ids(f"keys/?door={seaview.doors[0].pk}")) == {mine.pk, stay.pk}
    assert ids("keys/?state=upcoming") == []
    assert set(ids("keys/?state=current")) == {mine.pk, stay.pk}
    api.post(f"keys/{mine.pk}/revoke/")
    assert ids("keys/?state=revoked") == [mine.pk]
    assert api.get("keys/?state=sleeping").status_code == 400
    assert api.get("keys/?cursor=xx").status_code == 400
    assert api.get("keys/?limit=0").status_code == 400
