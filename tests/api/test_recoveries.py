"""Outages and recoveries over the API: what was touched, the dry run, a recovery with its progress, cancel and undo."""

from __future__ import annotations

import pytest

from keys import recovering
from keys.models import KeychainDoor
from keys.rules import Permission
from portal.models import Role
from tests import factories
from tests.api.world import ApiClient
from tests.factories import now

WHY = {"reason": "After the outage"}


@pytest.fixture
def outage(seaview):
    return factories.outage_of(seaview.property)


@pytest.fixture
def held(outage, seaview):
    """Two reservations that came in meanwhile, each in a room of its own."""
    return [
        factories.stay_in(outage, door, number=f"R-{place}", guest="Held Hanna")
        for place, door in enumerate(seaview.doors)
    ]


def still_held():
    return KeychainDoor.objects.filter(permission=Permission.HELD_BY_OUTAGE).count()


def test_an_outage_names_what_it_touched_and_what_is_proposed(api, outage, held):
    assert [row["id"] for row in api.get("outages/").json()["results"]] == [outage.pk]
    assert api.get(f"outages/{outage.pk}/").json()["ended_at"].endswith("Z")
    rows = api.get(f"outages/{outage.pk}/reservations/").json()["results"]
    assert [row["number"] for row in rows] == ["R-0", "R-1"]
    assert {(row["proposed"], row["open"], row["came_in"]) for row in rows} == {
        ("provision", True, True)
    }
    assert "Hanna" not in api.get(f"outages/{outage.pk}/reservations/").content.decode()


def test_the_list_goes_on_by_a_cursor(api, outage, held):
    first = api.get(f"outages/{outage.pk}/reservations/?limit=1").json()
    second = api.get(first["next"]).json()
    assert [row["number"] for row in first["results"] + second["results"]] == ["R-0", "R-1"]
    assert second["next"] is None


def test_a_dry_run_counts_and_changes_nothing(api, outage, held):
    told = api.post(f"outages/{outage.pk}/dry-run/").json()
    assert told["remedies"] == {"provision": 2}
    assert told["doors"] == 2
    assert told["effects"] == [
        {"effect": "Written to the lock now", "by_rule": 0, "before_check_in": 2},
        {"effect": "Waits for check-in", "by_rule": 2, "before_check_in": 0},
    ]
    assert still_held() == 2
    one = api.post(f"outages/{outage.pk}/dry-run/", {"reservations": [held[0].reservation_id]})
    assert one.json()["doors"] == 1


def test_a_recovery_is_answered_at_once_and_read_until_it_is_done(api, outage, held):
    seen = api.post(f"outages/{outage.pk}/dry-run/").json()
    wish = WHY | {"up_to": seen["up_to"], "seen_at": seen["seen_at"], "before_check_in": True}
    answer = api.post(f"outages/{outage.pk}/recover/", wish)
    assert answer.status_code == 201
    made = answer.json()
    assert (made["state"], made["finished"]) == ("Under way", False)
    assert still_held() == 2
    factories.work_off_recoveries()
    told = api.get(f"recoveries/{made['id']}/").json()
    assert (told["state"], told["planned"], told["done"]) == ("Done", 2, 2)
    rows = api.get(f"recoveries/{made['id']}/rows/?state=done").json()["results"]
    assert {row["result"] for row in rows} == {"Released: Allow Provisioning is on for 1 door."}
    record = held[0].doors.get().history.first()
    assert (record.source, record.history_change_reason) == ("api", "After the outage")
    assert str(record.batch_id) == told["batch_id"]
    assert record.permission == Permission.ALLOWED_BEFORE_CHECK_IN


def test_it_can_be_cancelled_and_undone(api, outage, held, settings):
    settings.RECOVERY_CHUNK = 1
    made = api.post(f"outages/{outage.pk}/recover/", WHY).json()
    while not api.get(f"recoveries/{made['id']}/").json()["done"]:
        recovering.step(recovery_id=made["id"], now=now())
    assert api.post(f"recoveries/{made['id']}/cancel/").json()["state"] == "Cancelled"
    assert still_held() == 1
    assert api.post(f"recoveries/{made['id']}/undo/").json()["state"] == "Being undone"
    factories.work_off_recoveries()
    assert api.get(f"recoveries/{made['id']}/").json()["undone"] == 1
    assert still_held() == 2


def test_what_cannot_be_names_the_field(api, outage, held):
    def problem(body):
        answer = api.post(f"outages/{outage.pk}/recover/", body)
        return answer.status_code, answer.json()["errors"][0]["field"]

    assert problem({}) == (400, "reason")
    assert problem(WHY | {"reservations": [10**9]}) == (404, "reservations")
    assert problem(WHY | {"typo": 1}) == (400, "typo")
    api.post(f"outages/{outage.pk}/recover/", WHY)
    factories.work_off_recoveries()
    assert problem(WHY) == (400, "reservations")


def test_the_team_sees_it_and_may_not_do_it_unless_the_membership_says_so(seaview, outage, held):
    team = ApiClient(seaview, role=Role.TEAM)
    assert team.get("outages/").status_code == 200
    for address in ("dry-run", "recover"):
        assert team.post(f"outages/{outage.pk}/{address}/", WHY).status_code == 403
    recovery = recovering.start(outage=outage, by=factories.BY.because("x"), now=now())
    assert team.get(f"recoveries/{recovery.pk}/rows/").status_code == 200
    for address in ("cancel", "undo"):
        assert team.post(f"recoveries/{recovery.pk}/{address}/").status_code == 403
    housekeeping = ApiClient(seaview, role=Role.HOUSEKEEPING)
    assert housekeeping.get("outages/").status_code == 403
    assert housekeeping.get(f"recoveries/{recovery.pk}/").status_code == 403


def test_another_propertys_outage_and_recovery_do_not_exist(api, other):
    theirs = factories.outage_of(other.property)
    factories.stay_in(theirs, other.doors[0], number="T-1")
    recovery = recovering.start(outage=theirs, by=factories.BY.because("x"), now=now())
    assert api.get("outages/").json()["results"] == []
    assert api.get("recoveries/").json()["results"] == []
    for address in (f"outages/{theirs.pk}/", f"outages/{theirs.pk}/reservations/"):
        assert api.get(address).status_code == 404
    for address in (f"recoveries/{recovery.pk}/", f"recoveries/{recovery.pk}/rows/"):
        assert api.get(address).status_code == 404
    for address in ("dry-run", "recover"):
        assert api.post(f"outages/{theirs.pk}/{address}/", WHY).status_code == 404
    for address in ("cancel", "undo"):
        assert api.post(f"recoveries/{recovery.pk}/{address}/").status_code == 404
    for noun in ("outages", "recoveries"):
        assert api.get(f"{noun}/99999999999999999999999/").status_code == 404
    assert api.get("recoveries/99999999999999999999999/rows/").status_code == 404
