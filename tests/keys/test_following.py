"""Keys follow what the PMS says of people and of the reason of an end."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from keys.explaining import explain_key
from keys.following import follow_all
from keys.issuing import edit_key
from keys.models import Key
from locks.models import Property
from pms import sync
from pms.adapters import Companion, Stay, StayState
from pms.models import Integration, RoomDoor
from tests.factories import BY, DoorFactory, PropertyFactory, now

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("silent_bell")]


@pytest.fixture
def said():
    """Let the PMS say this of its one stay."""
    at = now()
    integration = Integration.objects.create(
        property=PropertyFactory(), adapter="cloudbeds", state="connected", state_since=at
    )
    stay = Stay(
        external_id="7",
        booking_ref="7",
        number="7",
        state=StayState.EXPECTED,
        checked_in=False,
        checked_in_online=False,
        arrival_on=at.date(),
        departure_on=at.date() + timedelta(days=3),
        guest_ref="g1",
        guest_name="Ada Example",
        companions=(Companion(ref="g2", name="Bo Example"),),
    )

    def say(**change):
        sync.apply(integration=integration, stays=[replace(stay, **change)], now=now())
        follow_all(now=now())
        return Key.objects.get()

    say()
    return say


def people_of(key):
    return {(p.guest.name, p.is_main) for p in key.people.filter(removed_at=None)}


def test_a_companion_is_renamed_and_keeps_the_code(said):
    codes = set(Key.objects.get().credentials.values_list("secret_digest", "revision"))
    key = said(companions=(Companion(ref="g2", name="Bo Married"),))
    assert people_of(key) == {("Ada Example", True), ("Bo Married", False)}
    assert set(key.credentials.values_list("secret_digest", "revision")) == codes


def test_the_contacts_of_the_main_guest_follow(said):
    key = said(guest_email="ada@example.com", guest_phone="+351 1")
    guest = key.people.get(is_main=True).guest
    assert (guest.email, guest.phone) == ("ada@example.com", "+351 1")


def test_with_another_address_the_smartkey_is_sent_anew_and_the_door_code_stays(said):
    hotel = Property.objects.get()
    room = {"property": hotel, "integration": Integration.objects.get(), "room_ref": "r1"}
    RoomDoor.objects.create(**room, door=DoorFactory(property=hotel))
    key = said(room_ref="r1")
    before = dict(
        key.assignments.filter(credential__person__is_main=True).values_list("kind", "revision")
    )
    said(room_ref="r1", guest_email="ada@example.com")
    after = dict(
        key.assignments.filter(credential__person__is_main=True).values_list("kind", "revision")
    )
    assert after == before | {"smartkey": before["smartkey"] + 1}
    said(room_ref="r1", guest_email="ada@example.com", guest_name="Ada Other")
    mine = key.assignments.filter(credential__person__is_main=True, kind="smartkey")
    assert mine.get().revision == after["smartkey"]


def test_another_guest_of_the_same_name_takes_the_place_of_the_main_guest(said):
    key = said(guest_ref="g2", companions=())
    assert key.people.get(is_main=True).guest.external_id == "g2"
    assert people_of(key) == {("Ada Example", True)}


def test_an_erased_guest_stays_erased(said):
    guest = Key.objects.get().people.get(is_main=True).guest
    guest.name, guest.erased_at = "erased", now()
    guest.save()
    key = said(guest_name="Ada Back")
    assert key.people.get(is_main=True).guest.name == "erased"


def test_the_reason_of_an_end_is_the_one_that_the_pms_gives_last(said):
    ended_at = said(state=StayState.CANCELLED).revoked_at
    key = said(state=StayState.DELETED)
    assert (key.revoked_because, key.revoked_at) == (Key.Revoked.DELETED, ended_at)


def test_a_revocation_by_staff_keeps_its_reason(said):
    key = Key.objects.get()
    key.revoked_at, key.revoked_because = now(), Key.Revoked.BY_STAFF
    key.save()
    assert said(state=StayState.CANCELLED).revoked_because == Key.Revoked.BY_STAFF


@pytest.mark.parametrize(("policy", "same"), [("same", True), ("new", False)])
def test_a_reservation_that_is_booked_again_has_the_code_that_the_property_wants(
    said, policy, same
):
    hotel = Key.objects.get().property
    hotel.reopened_code = policy
    hotel.save()
    codes = _codes()
    said(state=StayState.CANCELLED)
    key = said()
    assert (_codes()["door_code"] == codes["door_code"]) is same
    assert _codes()["smartkey"] == codes["smartkey"]
    assert key.revoked_at is None
    assert key.reopened_at is not None


def test_a_code_that_staff_chose_stays_when_the_reservation_is_booked_again(said):
    key = Key.objects.get()
    key.property.reopened_code = "new"
    key.property.save()
    key.credentials.filter(kind="door_code").update(policy="strict")
    codes = _codes()
    said(state=StayState.CANCELLED)
    said()
    assert _codes() == codes


def test_a_stay_that_the_pms_moves_past_staffs_departure_keeps_its_window_and_the_page_says_so(
    said,
):
    key = Key.objects.get()
    late = key.ends_at + timedelta(hours=3)
    edit_key(key=key, ends_at=late, by=BY, now=now())
    day = now().date() + timedelta(days=8)
    moved = said(arrival_on=day, departure_on=day + timedelta(days=1))
    assert (moved.starts_at, moved.ends_at) == (key.starts_at, late)
    notices = explain_key(key=moved, now=now()).notices
    assert any("for the arrival, which does not fit the time that staff set" in n for n in notices)
    assert any(n.startswith("Staff set the departure; the PMS says") for n in notices)


def _codes():
    found = {}
    for kind, digest in Key.objects.get().credentials.values_list("kind", "secret_digest"):
        found.setdefault(kind, set()).add(digest)
    return found
