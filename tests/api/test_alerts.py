"""Alerts over the API: what is wrong now or was, and what to do; never a guest."""

from __future__ import annotations

from portal.models import Role
from tests import factories
from tests.api.world import NOW, ApiClient


def test_alerts_are_listed_latest_first_and_can_be_narrowed(api, seaview):
    open_one = factories.alert_at(seaview.property, guests=2, most_guests=3)
    past = factories.alert_at(
        seaview.property, kind="removals", about="door:1", opened_at=NOW, closed_at=NOW
    )
    assert [row["id"] for row in api.get("alerts/").json()["results"]] == [past.pk, open_one.pk]
    assert [row["id"] for row in api.get("alerts/?open=true").json()["results"]] == [open_one.pk]
    assert [row["id"] for row in api.get("alerts/?open=false").json()["results"]] == [past.pk]
    assert [row["id"] for row in api.get("alerts/?kind=removals").json()["results"]] == [past.pk]
    assert api.get("alerts/?kind=fire").status_code == 400
    one = api.get(f"alerts/{open_one.pk}/").json()
    assert (one["guests_at_risk"], one["most_guests_at_risk"], one["is_urgent"]) == (2, 3, True)
    assert one["closed_at"] is None
    assert one["remedy"]


def test_alerts_are_read_only(api, seaview):
    one = factories.alert_at(seaview.property)
    assert api.patch(f"alerts/{one.pk}/", {"closed_at": None}).status_code == 405
    assert api.delete(f"alerts/{one.pk}/").status_code == 405
    assert api.post("alerts/", {}).status_code == 405


def test_every_role_may_read_them(seaview):
    factories.alert_at(seaview.property)
    program = ApiClient(seaview, role=Role.HOUSEKEEPING)
    assert len(program.get("alerts/").json()["results"]) == 1
