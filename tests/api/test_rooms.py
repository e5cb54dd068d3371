"""The API's rooms: paged, each with its doors, and the ones that open no door can be asked for."""

from __future__ import annotations

import pytest

from tests.api.world import ApiClient, reservation
from tests.factories import room_of


@pytest.fixture
def address(seaview):
    return f"integrations/{seaview.integration.pk}/rooms/"


def test_rooms_come_by_name_with_their_doors_and_reservations(api, seaview, address):
    pms = seaview.integration
    room_of(pms, *seaview.doors, ref="r2", name="Suite", parent_name="Dorm 1")
    room_of(pms, ref="r1", name="101")
    stay = reservation(seaview)
    stay.room_ref = "r2"
    stay.save()
    first, second = api.get(address).json()["results"]
    assert (first["name"], first["doors"], first["reservations"]) == ("101", [], 0)
    assert second["external_id"] == "r2"
    assert second["parent_name"] == "Dorm 1"
    assert second["reservations"] == 1
    assert second["doors"] == [{"id": door.pk, "name": door.name} for door in seaview.doors]


def test_pages_go_on_by_cursor_with_few_queries(
    api, seaview, address, django_assert_max_num_queries
):
    for n in range(7):
        room_of(seaview.integration, *seaview.doors, ref=f"r{n}", name="Twin")
    seen, url = [], f"{address}?limit=3"
    while url:
        with django_assert_max_num_queries(9):
            page = api.get(url).json()
        seen += [row["external_id"] for row in page["results"]]
        url = page["next"]
    assert seen == [f"r{n}" for n in range(7)]


def test_the_unmapped_can_be_asked_for(api, seaview, address):
    room_of(seaview.integration, seaview.doors[0], ref="a")
    room_of(seaview.integration, ref="b")
    rows = api.get(f"{address}?unmapped=true").json()["results"]
    assert [row["external_id"] for row in rows] == ["b"]
    wrong = api.get(f"{address}?unmapped=perhaps")
    assert wrong.status_code == 400
    assert wrong.json()["errors"][0]["field"] == "unmapped"


def test_housekeeping_may_not(seaview, address):
    assert ApiClient(seaview, role="housekeeping").get(address).status_code == 403
