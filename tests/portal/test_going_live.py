"""From Setup to Live: first what will be made, then the button."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client

from keys.following import follow_all
from keys.models import Key
from locks.clock import database_now
from locks.models import Property
from pms.models import Integration, Reservation, RoomDoor
from portal.roles import Role
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def hotel():
    return factories.PropertyFactory(mode="setup")


@pytest.fixture
def boss(hotel):
    client = Client()
    client.force_login(factories.member(hotel, Role.OWNER).user)
    return client


def sent(boss, **changes):
    """The form as it is shown, changed."""
    shown = boss.get("/settings/property/").context["form"].initial
    return {name: value for name, value in shown.items() if value is not None} | changes


def stays_in(hotel, *rooms):
    """Reservations for tonight in these rooms of the PMS."""
    now = database_now()
    integration = Integration.objects.create(
        property=hotel, adapter="cloudbeds", state="connected", state_since=now
    )
    return integration, [
        Reservation.objects.create(
            property=hotel,
            integration=integration,
            external_id=f"s{number}",
            booking_ref=f"b{number}",
            number=f"b{number}",
            state="expected",
            room_ref=room,
            arrival_on=now.date(),
            departure_on=now.date() + timedelta(days=2),
            read_at=now,
            first_seen_at=now,
            changed_at=now,
            fingerprint=f"f{number}",
        )
        for number, room in enumerate(rooms)
    ]


def test_going_live_shows_first_what_it_makes_and_makes_it_only_then(hotel, boss):
    integration, stays = stays_in(hotel, "r1", "r1", "r9", "")
    door = factories.DoorFactory(property=hotel, name="101")
    RoomDoor.objects.create(property=hotel, integration=integration, room_ref="r1", door=door)
    follow_all(now=database_now())
    assert not Key.objects.exists()
    given = sent(boss, mode="live")
    page = boss.post("/settings/property/", given)
    seen = page.context["seen"]
    assert (seen.keys, seen.not_mapped, seen.without_room) == (4, 1, 1)
    assert seen.doors_without_lock == 1
    assert "Go Live" in page.content.decode()
    assert Property.objects.get().mode == "setup"
    done = boss.post("/settings/property/", given | {"go_live": "yes"})
    assert done.status_code == 302
    assert Property.objects.get().mode == "live"
    follow_all(now=database_now())
    assert set(Key.objects.values_list("reservation_id", flat=True)) == {s.pk for s in stays}


def test_the_preview_costs_the_same_for_more_reservations(
    hotel, boss, django_assert_max_num_queries
):
    stays_in(hotel, *["r1"] * 40)
    given = sent(boss, mode="live")
    with django_assert_max_num_queries(23):
        assert boss.post("/settings/property/", given).context["seen"].keys == 40


def test_what_was_typed_beside_it_is_not_lost(boss):
    page = boss.post("/settings/property/", sent(boss, mode="live", name="Renamed House"))
    assert 'name="name" value="Renamed House"' in page.content.decode()


def test_other_changes_are_saved_without_a_question(boss):
    assert boss.post("/settings/property/", sent(boss, name="Renamed")).status_code == 302


# Rules of a house that is Live ----------------------------------------------------------------------


@pytest.fixture
def live(hotel):
    hotel.mode, hotel.check_in_rule = "live", "not_required"
    hotel.save()
    return hotel


def test_another_check_in_rule_is_saved_only_after_its_preview(live, boss):
    outage = factories.outage_of(live)
    lock = factories.LockFactory(account=factories.AccountFactory(property=live))
    factories.stay_in(outage, lock.door, number="1", came_in=False)
    given = sent(boss, check_in_rule="either", name="Renamed House")
    page = boss.post("/settings/property/", given)
    assert page.context["change"].wait == 1
    assert 'name="name" value="Renamed House"' in page.content.decode()
    assert Property.objects.get().check_in_rule == "not_required"
    assert boss.post("/settings/property/", given | {"change_rules": "yes"}).status_code == 302
    assert Property.objects.get().check_in_rule == "either"


def test_another_check_in_rule_that_nobody_feels_is_saved_at_once(live, boss):
    given = sent(boss, check_in_rule="either")
    assert boss.post("/settings/property/", given).status_code == 302


def test_a_live_house_must_choose_for_common_doors_that_no_room_is_linked_to(live, boss):
    factories.DoorFactory(property=live, name="Gate", type="entrance")
    page = boss.post("/settings/property/", sent(boss, name="Renamed"))
    said = page.context["form"].errors["common_doors"]
    assert said == ["No room is linked to Gate: choose for them."]
    given = sent(boss, name="Renamed", common_doors="none")
    assert boss.post("/settings/property/", given).status_code == 302
    assert Property.objects.get().common_doors == "none"
