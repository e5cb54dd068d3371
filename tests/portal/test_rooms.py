"""Settings → Integrations → Rooms: what is not mapped is seen, and a mapping changes keys only after a preview."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse

from keys import following
from keys.models import Key, KeychainDoor
from locks.models import Door, DoorLink
from pms.models import Integration, Reservation, RoomDoor
from portal.models import Role
from portal.staff import pages
from tests import factories
from tests.factories import now

pytestmark = pytest.mark.django_db


@pytest.fixture
def outage(lock):
    return factories.outage_of(lock.property)


@pytest.fixture
def pms(outage):
    return outage.integration


@pytest.fixture
def entrance(lock):
    """The entrance, which opens together with the lock's door."""
    door = factories.DoorFactory(property=lock.property, name="Entrance", type="entrance")
    DoorLink.objects.create(property=lock.property, door=lock.door, linked=door)
    return door


@pytest.fixture
def client(lock):
    return signed_in(lock, Role.OWNER)


def signed_in(lock, role):
    one = Client()
    one.force_login(factories.member(lock.property, role).user)
    return one


def words(page):
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page.content.decode()))


def stays(outage, door, many, *, in_house=0):
    return [
        factories.stay_in(outage, door, number=str(n), came_in=False, checked_in=n < in_house)
        for n in range(many)
    ]


def follow_all():
    for stay in Reservation.objects.filter(followed_at=None):
        following.follow(reservation=stay, now=now())


def opened(key):
    rows = key.doors.filter(removed_at=None)
    return set(rows.values_list("door__name", flat=True))


def mapped(ref):
    return set(RoomDoor.objects.filter(room_ref=ref).values_list("door__name", flat=True))


# The list -----------------------------------------------------------------------------------------


def test_the_card_counts_rooms_and_leads_to_those_without_a_door(client, lock, pms):
    factories.room_of(pms, lock.door, ref="a")
    factories.room_of(pms, ref="b")
    factories.room_of(pms, ref="c", is_virtual=True)
    page = client.get("/settings/integrations/")
    assert "3 rooms, 1 not mapped to a door" in words(page)
    assert f'href="{reverse("rooms", args=[pms.pk])}?unmapped=1"' in page.content.decode()


def test_the_list_says_parent_doors_and_reservations(client, lock, outage, pms):
    stays(outage, lock.door, 2)
    factories.room_of(pms, ref=f"room-{lock.door_id}", name="Bed 1", parent_name="Dorm 1")
    factories.room_of(pms, ref="b", name="305")
    first, second = client.get(reverse("rooms", args=[pms.pk])).context["lines"]
    assert (first.room.name, first.stays, second.stays) == ("305", 0, 2)
    assert first.doors == []
    assert second.doors == [lock.door]
    page = words(client.get(reverse("rooms", args=[pms.pk])))
    assert "In Dorm 1" in page
    assert "1 room opens no door" in page


def test_only_stays_of_today_and_later_that_are_not_over_count(client, lock, outage, pms):
    stays(outage, lock.door, 3)
    factories.room_of(pms, ref=f"room-{lock.door_id}")
    gone = Reservation.objects.order_by("id")
    gone.filter(number="0").update(state="cancelled")
    long_ago = (now() - timedelta(days=3)).date()
    gone.filter(number="1").update(arrival_on=long_ago, departure_on=long_ago)
    assert client.get(reverse("rooms", args=[pms.pk])).context["lines"][0].stays == 1


def test_a_joined_room_waits_for_doors_only_when_someone_is_coming(client, lock, outage, pms):
    factories.room_of(pms, ref="joined", is_virtual=True)
    address = reverse("rooms", args=[pms.pk]) + "?unmapped=1"
    assert client.get(address).context["lines"] == []
    stays(outage, lock.door, 1)
    Reservation.objects.update(room_ref="joined")
    assert [line.room.name for line in client.get(address).context["lines"]] == ["joined"]


def test_a_room_whose_door_is_archived_is_not_mapped(client, lock, pms):
    room = factories.room_of(pms, lock.door)
    lock.door.archived_at = now()
    lock.door.save()
    page = client.get(reverse("rooms", args=[pms.pk]) + "?unmapped=1")
    assert [line.room for line in page.context["lines"]] == [room]


def test_each_room_is_on_one_page_and_a_page_costs_few_queries(
    client, lock, outage, pms, monkeypatch, django_assert_max_num_queries
):
    monkeypatch.setattr(pages.turn, "__kwdefaults__", {"size": 20})
    stays(outage, lock.door, 3)
    for n in range(45):
        factories.room_of(pms, *([lock.door] if n % 2 else []), ref=f"r{n:02}", name=str(n // 2))
    address, seen = reverse("rooms", args=[pms.pk]), []
    after = ""
    for _ in range(3):
        with django_assert_max_num_queries(16):
            page = client.get(address, {"after": after})
        seen += [line.room.external_id for line in page.context["lines"]]
        after = page.context["next"]
    assert after == ""
    assert len(seen) == len(set(seen)) == 45


# One room -----------------------------------------------------------------------------------------


def test_a_room_without_keys_gets_its_doors_at_once(client, lock, entrance, pms):
    room = factories.room_of(pms, ref="a", name="101")
    wish = {"doors": [lock.door_id], "common": [entrance.pk], "had": ""}
    answer = client.post(reverse("room_doors", args=[pms.pk, room.pk]), wish)
    assert answer["Location"] == reverse("rooms", args=[pms.pk])
    assert mapped("a") == {lock.door.name, "Entrance"}


def test_the_form_offers_common_doors_apart_and_ticks_what_is_mapped(client, lock, entrance, pms):
    room = factories.room_of(pms, lock.door, ref="a")
    form = client.get(reverse("room_doors", args=[pms.pk, room.pk])).context["form"]
    assert [name for _, name in form.fields["doors"].choices] == [lock.door.name]
    assert [name for _, name in form.fields["common"].choices] == ["Entrance"]
    assert form["doors"].value() == [str(lock.door_id)]
    assert str(entrance.pk) not in form["common"].value()


def test_a_preview_comes_first_and_what_it_says_is_what_happens(client, lock, entrance, outage):
    keys = stays(outage, lock.door, 3, in_house=1)
    pms, ref = outage.integration, f"room-{lock.door_id}"
    by_staff = KeychainDoor.objects.get(key=keys[2], door=entrance)
    by_staff.origin = KeychainDoor.Origin.STAFF
    by_staff.save()
    room = factories.room_of(pms, ref=ref, name="101")
    new = factories.DoorFactory(property=lock.property, name="New")
    address = reverse("room_doors", args=[pms.pk, room.pk])
    wish = {"doors": [new.pk], "had": str(lock.door_id)}
    page = client.post(address, wish)
    said = words(page)
    assert "3 current or coming keys, 1 in house." in said
    assert f"Lose {lock.door.name} 3 keys" in said
    assert "Lose Entrance 2 keys" in said
    assert "Get New 3 keys" in said
    assert mapped(ref) == {lock.door.name}, "looking changes nothing"
    client.post(address, wish | {"confirmed": "on"})
    follow_all()
    assert [opened(key) for key in keys] == [{"New"}, {"New"}, {"New", "Entrance"}]


def test_keys_that_are_over_are_not_in_the_preview(client, lock, outage):
    keys = stays(outage, lock.door, 2)
    keys[0].revoked_at, keys[0].revoked_because = now(), Key.Revoked.BY_STAFF
    keys[0].save()
    room = factories.room_of(outage.integration, ref=f"room-{lock.door_id}")
    address = reverse("room_doors", args=[outage.integration.pk, room.pk])
    page = client.post(address, {"had": str(lock.door_id)})
    assert page.context["preview"].keys == 1


def test_the_preview_says_when_other_times_count(client, lock, outage):
    stays(outage, lock.door, 1)
    room = factories.room_of(outage.integration, ref=f"room-{lock.door_id}")
    late = factories.DoorFactory(property=lock.property, arrival_time="18:00")
    address = reverse("room_doors", args=[outage.integration.pk, room.pk])
    page = client.post(address, {"doors": [late.pk], "had": str(lock.door_id)})
    assert "Another Arrival or Departure Time counts" in words(page)


def test_a_mapping_that_changed_meanwhile_is_shown_again(client, lock, entrance, pms):
    room = factories.room_of(pms, lock.door, ref="a")
    address = reverse("room_doors", args=[pms.pk, room.pk])
    wish = {"common": [entrance.pk], "had": "", "confirmed": "on"}
    page = client.post(address, wish)
    assert "Someone else changed the doors of this room meanwhile" in words(page)
    assert mapped("a") == {lock.door.name}
    assert f'name="had" value="{lock.door_id}"' in re.sub(r"\s+", " ", page.content.decode())


def test_a_door_of_another_hotel_is_refused_at_its_field(client, lock, pms):
    room = factories.room_of(pms, ref="a")
    theirs = factories.DoorFactory()
    page = client.post(reverse("room_doors", args=[pms.pk, room.pk]), {"doors": [theirs.pk]})
    assert "choose one from the list" in str(page.context["form"].errors["doors"])
    assert mapped("a") == set()


def test_a_room_of_another_integration_is_not_there(client, lock, pms):
    other = Integration.objects.create(
        property=lock.property, adapter="mews", state_since=now(), state="disconnected"
    )
    room = factories.room_of(other)
    assert client.get(reverse("room_doors", args=[pms.pk, room.pk])).status_code == 404


def test_housekeeping_sees_no_rooms_and_team_edits_them(lock, pms):
    room = factories.room_of(pms)
    team = signed_in(lock, Role.TEAM)
    assert team.get(reverse("rooms", args=[pms.pk])).status_code == 200
    assert team.get(reverse("room_doors", args=[pms.pk, room.pk])).status_code == 200
    low = signed_in(lock, Role.HOUSEKEEPING)
    assert low.get(reverse("rooms", args=[pms.pk])).status_code == 403
    assert Door.objects.count() == 1


# From the door's own form -------------------------------------------------------------------------


def door_form(client, door, **changes):
    """The door's form as it is shown, changed."""
    shown = client.get(reverse("edit_door", args=[door.pk])).context
    initial = {**shown["form"].initial, "seen": shown["seen"]}
    return {name: value for name, value in initial.items() if value is not None} | changes


def test_a_door_that_takes_a_room_with_keys_says_first_what_changes(client, lock, entrance, outage):
    keys = stays(outage, lock.door, 2, in_house=1)
    ref = f"room-{lock.door_id}"
    factories.room_of(outage.integration, ref=ref, name="101")
    new = factories.DoorFactory(property=lock.property, name="New")
    address = reverse("edit_door", args=[new.pk])
    wish = door_form(client, new, rooms=[ref], links=[entrance.pk], location="Annex")
    page = client.post(address, wish)
    said = words(page)
    assert "2 current or coming keys, 1 in house." in said
    assert "Get New 2 keys" in said
    assert "Lose" not in said
    assert mapped(ref) == {lock.door.name}, "looking changes nothing"
    assert not new.links.exists()
    assert Door.objects.get(pk=new.pk).location == ""
    client.post(address, wish | {"confirmed": page.context["confirmed"]})
    follow_all()
    assert [opened(key) for key in keys] == [{lock.door.name, "Entrance", "New"}] * 2
    assert Door.objects.get(pk=new.pk).location == "Annex"


def test_a_door_that_loses_its_room_says_so_and_what_was_looked_at_is_what_counts(
    client, lock, entrance, outage
):
    (key,) = stays(outage, lock.door, 1)
    ref = f"room-{lock.door_id}"
    factories.room_of(outage.integration, ref=ref, name="101")
    address = reverse("edit_door", args=[lock.door_id])
    wish = door_form(client, lock.door, rooms=[])
    page = client.post(address, wish | {"confirmed": "another room"})
    assert f"Lose {lock.door.name} 1 key" in words(page)
    assert "Lose Entrance 1 key" in words(page)
    client.post(address, wish | {"confirmed": ref})
    follow_all()
    assert opened(key) == set()


def test_a_door_that_is_added_for_a_room_with_keys_is_made_only_when_confirmed(
    client, lock, outage
):
    (key,) = stays(outage, lock.door, 1)
    ref = f"room-{lock.door_id}"
    factories.room_of(outage.integration, ref=ref, name="101")
    wish = {"name": "Second", "type": "private_room", "rooms": [ref]}
    page = client.post(reverse("add_door"), wish)
    assert "Get Second 1 key" in words(page)
    assert not Door.objects.filter(name="Second").exists()
    client.post(reverse("add_door"), wish | {"confirmed": ref})
    follow_all()
    assert opened(key) == {lock.door.name, "Second"}


def test_a_door_without_another_room_is_saved_at_once(client, lock, outage):
    stays(outage, lock.door, 1)
    factories.room_of(outage.integration, ref=f"room-{lock.door_id}", name="101")
    wish = door_form(client, lock.door, location="North wing")
    assert client.post(reverse("edit_door", args=[lock.door_id]), wish).status_code == 302
    assert Door.objects.get(pk=lock.door_id).location == "North wing"


def test_who_mapped_a_room_and_took_the_door_away_is_kept(client, lock, entrance, pms):
    room = factories.room_of(pms, ref="a", name="101")
    address = reverse("room_doors", args=[pms.pk, room.pk])
    client.post(address, {"doors": [lock.door_id], "had": ""})
    client.post(address, {"doors": [], "had": str(lock.door_id)})
    rows = RoomDoor.history.filter(room_ref="a").order_by("history_id")
    assert [(row.history_type, row.source) for row in rows] == [("+", "portal"), ("-", "portal")]
    assert all(row.history_user for row in rows)
    said = words(client.get(address))
    assert said.index(f"Door {lock.door.name} taken away") < said.index(
        f"Door {lock.door.name} added"
    )


# Making doors -------------------------------------------------------------------------------------


@pytest.fixture
def dorm(pms):
    """Two rooms and two beds of a dorm, none of which opens a door."""
    return [
        factories.room_of(pms, ref="a", name="701"),
        factories.room_of(pms, ref="b", name="702"),
        factories.room_of(pms, ref="c", name="Bed 1", parent_name="Dorm 7"),
        factories.room_of(pms, ref="d", name="Bed 2", parent_name="Dorm 7"),
    ]


def make(client, pms, rooms, **more):
    """Look at the confirmation page of these rooms and send it."""
    address = reverse("make_room_doors", args=[pms.pk])
    ids = [room.pk for room in rooms]
    page = client.get(address, {"room": ids})
    return client.post(address, {"room": ids, "seen": page.context["plan"].mark()} | more)


def test_rooms_get_a_door_each_and_the_beds_of_a_dorm_one_together(client, entrance, pms, dorm):
    make(client, pms, dorm)
    kinds = dict(Door.objects.filter(name__contains="7").values_list("name", "type"))
    assert {name: kinds[name] for name in ("701", "702", "Dorm 7")} == {
        "701": "private_room",
        "702": "private_room",
        "Dorm 7": "shared_room",
    }
    assert [mapped(ref) for ref in "abcd"] == [{"701"}, {"702"}, {"Dorm 7"}, {"Dorm 7"}]
    made = Door.objects.get(name="701")
    assert not made.links.exists(), "no common door unless it was ticked"
    record = made.history.get()
    assert record.source == "portal"
    assert record.history_change_reason == "Made for a room of Cloudbeds"
    assert record.history_user is not None


def test_new_doors_are_linked_to_the_common_doors_that_were_ticked(client, entrance, pms, dorm):
    make(client, pms, dorm[:2], common=[entrance.pk])
    for name in ("701", "702"):
        links = Door.objects.get(name=name).links.values_list("linked__name", flat=True)
        assert list(links) == ["Entrance"]
    assert mapped("c") == set(), "only what was ticked"


def test_the_page_says_which_doors_and_how_many_keys(client, lock, entrance, outage, pms, dorm):
    key = stays(outage, lock.door, 1, in_house=1)[0]
    Reservation.objects.update(room_ref="a")
    page = client.get(reverse("make_room_doors", args=[pms.pk]))
    said = words(page)
    assert "3 new doors. 1 current or coming key gets these doors, 1 in house." in said
    assert "Dorm 7 for Bed 1, Bed 2" in said
    assert not Door.objects.filter(name="701").exists(), "looking makes nothing"
    make(client, pms, dorm[:1], common=[entrance.pk])
    follow_all()
    assert opened(key) == {"701", "Entrance"}


def test_a_door_of_that_name_is_used_and_keeps_its_links(client, lock, entrance, pms, dorm):
    there = factories.DoorFactory(property=lock.property, name="dorm 7", type="shared_room")
    page = client.get(reverse("make_room_doors", args=[pms.pk]))
    assert "There already" in words(page)
    make(client, pms, dorm[2:], common=[entrance.pk])
    assert mapped("c") == mapped("d") == {"dorm 7"}
    assert not there.links.exists()


def test_rooms_that_get_no_door_are_named_with_the_way_out(client, lock, pms):
    twins = [factories.room_of(pms, ref=f"t{n}", name="Twin") for n in range(2)]
    rooms = [
        *twins,
        factories.room_of(pms, lock.door, ref="m", name="Mapped"),
        factories.room_of(pms, ref="v", name="1+2", is_virtual=True),
        factories.room_of(pms, ref="l", name="L" * 61),
    ]
    ids = [room.pk for room in rooms]
    said = words(client.get(reverse("make_room_doors", args=[pms.pk]), {"room": ids}))
    assert "2 rooms are called Twin: choose the doors of each by hand." in said
    assert f"Mapped opens {lock.door.name} already." in said
    assert "1+2 joins other rooms and has no door of its own" in said
    assert "is longer than the 60 characters of a door’s name" in said
    assert "No door is left to make" in said


def test_nothing_ticked_makes_nothing(client, pms, dorm):
    page = client.get(reverse("make_room_doors", args=[pms.pk]), {"room": "0"})
    assert "No room is chosen" in words(page)


def test_sent_twice_the_doors_are_made_once(client, pms, dorm):
    address, ids = reverse("make_room_doors", args=[pms.pk]), [room.pk for room in dorm]
    mark = client.get(address).context["plan"].mark()
    client.post(address, {"room": ids, "seen": mark})
    again = client.post(address, {"room": ids, "seen": mark})
    assert "Doors or rooms changed meanwhile" in words(again)
    assert Door.objects.filter(name="701").count() == 1


def test_rooms_of_another_hotel_get_no_door(client, pms):
    theirs = factories.room_of(factories.outage_of(factories.PropertyFactory()).integration)
    page = client.get(reverse("make_room_doors", args=[pms.pk]), {"room": theirs.pk})
    assert page.context["chosen"] == []


def test_team_maps_rooms_but_makes_no_doors_of_them(lock, pms, dorm):
    team = signed_in(lock, Role.TEAM)
    assert team.get(reverse("make_room_doors", args=[pms.pk])).status_code == 403
    assert "Make doors" not in words(team.get(reverse("rooms", args=[pms.pk])))
