"""Bad input on the real pages: each is refused at its field with the fix, nothing is stored, and what was typed stays."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from html import unescape
from zoneinfo import ZoneInfo

import pytest
from django.test import Client
from django.urls import reverse

from keys.models import Assignment, Credential, Key, KeychainDoor
from locks.models import Door, Lock, Property
from portal.models import Role
from portal.staff.pages import write_cursor
from tests import factories
from tests.factories import key_for, now
from tests.portal.test_keys import typed

pytestmark = pytest.mark.django_db
NO_SUCH_DOOR = "That door does not exist at this property: choose one from the list."
BACKWARDS = "The departure must be after the arrival: choose a later departure."
SKIPPED = "01:30 does not exist on 28 March 2027: the clocks go forward. Choose 02:00 or later."


@pytest.fixture
def lock():
    return factories.LockFactory(code_max=8)


@pytest.fixture
def short_lock(lock):
    """A second door of the hotel whose lock takes at most five digits."""
    return factories.LockFactory(account=lock.account, code_max=5)


@pytest.fixture
def client(lock):
    signed_in = Client()
    signed_in.force_login(factories.member(lock.property, Role.OWNER).user)
    return signed_in


def said_at(page, name):
    """What the page says at the field of that name; for a group of boxes, inside its fieldset."""
    form = next(
        f
        for f in [page.context.get("form"), *page.context.get("people", [])]
        if f is not None and any(name == f.add_prefix(n) for n in f.fields)
    )
    field = next(n for n in form.fields if form.add_prefix(n) == name)
    errors = [str(error) for error in form.errors.get(field, [])]
    text = unescape(page.content.decode())
    assert all(error in text for error in errors), "an error that the page does not show"
    return " ".join(errors)


def kept(page, **values):
    """Whether the form still shows these typed values."""
    text = page.content.decode()
    return all(
        re.search(rf'name="{name}"[^>]*value="{value}"', text) for name, value in values.items()
    )


def strict(code, **more):
    return {"p0-policy": "strict", "p0-code": code} | more


ADD_KEY = {
    "a window that ends before it starts": (
        {"departure_on": "2027-05-30"},
        "departure_on",
        BACKWARDS,
    ),
    "a window without length": (
        {"departure_on": "2027-06-01", "departure_at": "15:00"},
        "departure_on",
        BACKWARDS,
    ),
    "no day": ({"arrival_on": ""}, "arrival_on", "Choose the day of arrival."),
    "a day that is none": (
        {"arrival_on": "2027-02-30"},
        "arrival_on",
        "Give the day as year-month-day",
    ),
    "a day that no clock knows": (
        {"arrival_on": "0001-01-01"},
        "arrival_on",
        "Choose a year from 2000",
    ),
    "a day too far off": (
        {"departure_on": "9999-12-31"},
        "departure_on",
        "Choose a year from 2000",
    ),
    "a time that is none": (
        {"arrival_at": "25:00"},
        "arrival_at",
        "Give the time as hours and minutes",
    ),
    "a time that the clocks skip": (
        {"arrival_on": "2027-03-28", "arrival_at": "01:30"},
        "arrival_at",
        SKIPPED,
    ),
    "no door": ({"doors": []}, "doors", "Choose at least one door."),
    "a door that is none": ({"doors": ["x"]}, "doors", NO_SUCH_DOOR),
    "an unknown door": ({"doors": ["999999"]}, "doors", NO_SUCH_DOOR),
    "a code too short": (strict("12"), "p0-code", "Too short for"),
    "a code too long": (strict("1234567890123"), "p0-code", "use at most 8 digits"),
    "a weak code": (strict("1234"), "p0-code", "Too easy to guess"),
    "a code of one digit": (strict("777777"), "p0-code", "Too easy to guess"),
    "a code of letters": (strict("48a7"), "p0-code", "A Door Code has digits only."),
    "a code of foreign digits": (strict("٤٨٢٧"), "p0-code", "A Door Code has digits only"),
    "no code": (strict(""), "p0-code", "Type the code, or choose Random."),
    "no name": ({"p0-name": " "}, "p0-name", "Name the person."),
    "an address that is none": ({"p0-email": "grace"}, "p0-email", "valid email address"),
    "no credential": ({"p0-door_code": ""}, "p0-door_code", "Choose at least one credential."),
    "no weekday": ({"weekdays": []}, "weekdays", "Choose at least one day of the week."),
    "hours that end before they begin": (
        {"from_hour": "20:00", "to_hour": "08:00"},
        "to_hour",
        "The daily limit must end after it begins.",
    ),
    "half a daily limit": ({"from_hour": "20:00"}, "to_hour", "Give both hours"),
}


@pytest.mark.parametrize(("changes", "field", "says"), ADD_KEY.values(), ids=ADD_KEY)
def test_add_key_refuses(client, lock, changes, field, says):
    sent = typed(lock, **{"p0-phone": "+351 555"} | changes)
    if sent["p0-door_code"] == "":
        del sent["p0-door_code"]
    page = client.post("/keys/add/", sent)
    assert page.status_code == 200
    assert says in said_at(page, field)
    assert "What you typed is still here." in page.content.decode()
    assert kept(page, **{"p0-phone": r"\+351 555"})
    for name, value in changes.items():
        if isinstance(value, str) and value.strip():
            assert kept(page, **{name: re.escape(value)}) or name.endswith("policy"), name
    assert not Key.objects.exists()


def test_add_key_refuses_a_door_of_another_property(client, lock):
    foreign = factories.DoorFactory()
    page = client.post("/keys/add/", typed(lock, doors=[str(foreign.pk)]))
    assert said_at(page, "doors") == NO_SUCH_DOOR
    assert not Key.objects.exists()


def test_add_key_refuses_a_strict_code_that_is_taken_and_says_where(client, lock):
    client.post("/keys/add/", typed(lock, **strict("482716")))
    page = client.post(
        "/keys/add/", typed(lock, **strict("482716", once="b" * 24), **{"p0-name": "Second"})
    )
    said = said_at(page, "p0-code")
    assert said.startswith(f"This code is taken on {lock.door.name} by the key of Grace Guest")
    assert "choose another code, or Preferred" in said
    assert kept(page, **{"p0-code": "482716", "p0-name": "Second"})
    assert Key.objects.count() == 1


def test_add_key_refuses_a_code_too_long_for_one_of_the_doors_and_says_which(
    client, lock, short_lock
):
    doors = [str(lock.door_id), str(short_lock.door_id)]
    page = client.post("/keys/add/", typed(lock, **strict("482716", doors=doors)))
    assert said_at(page, "p0-code") == f"Too long for {short_lock.door.name}: use at most 5 digits."
    assert not Key.objects.exists()


def test_the_error_stands_at_the_person_whose_code_it_is(client, lock):
    second = {
        "people": "2",
        "p1-name": "Bo",
        "p1-door_code": "on",
        "p1-policy": "strict",
        "p1-code": "12",
    }
    page = client.post("/keys/add/", typed(lock, **second))
    assert "Too short" in said_at(page, "p1-code")
    assert said_at(page, "p0-code") == ""


def test_a_double_click_on_save_makes_one_key_and_both_answers_lead_to_it(client, lock):
    sent = typed(lock)
    answers = [client.post("/keys/add/", sent) for _ in range(3)]
    assert Key.objects.count() == 1
    assert {answer["Location"] for answer in answers} == {f"/keys/{Key.objects.get().pk}/"}


# The other forms --------------------------------------------------------------------------------------


def edit_door_form(**changes):
    days = ["0", "1", "2", "3", "4", "5", "6"]
    return {"allow": "on", "weekdays": days, "reason": "because"} | changes


EDIT_DOOR = {
    "a window that ends before it starts": (
        {
            "arrival_on": "2027-06-03",
            "arrival_at": "15:00",
            "departure_on": "2027-06-01",
            "departure_at": "11:00",
        },
        "departure_on",
        BACKWARDS,
    ),
    "a day without a time": (
        {"arrival_on": "2027-06-03"},
        "arrival_on",
        "Give both the day and the time, or neither.",
    ),
    "a time that the clocks skip": (
        {"arrival_on": "2027-03-28", "arrival_at": "01:30"},
        "arrival_at",
        SKIPPED,
    ),
    "no weekday": ({"weekdays": []}, "weekdays", "Choose at least one day of the week."),
    "half a daily limit": ({"to_hour": "20:00"}, "to_hour", "Give both hours"),
}


@pytest.mark.parametrize(("changes", "field", "says"), EDIT_DOOR.values(), ids=EDIT_DOOR)
def test_edit_door_refuses(client, lock, changes, field, says):
    door = key_for(lock.door).doors.get()
    page = client.post(
        reverse("edit_key_door", args=[door.key_id, door.pk]), edit_door_form(**changes)
    )
    assert page.status_code == 200
    assert says in said_at(page, field)
    assert kept(page, reason="because")
    assert door.history.count() == 1


@pytest.mark.parametrize(
    ("changes", "field", "says"),
    [
        ({"departure_on": "2020-01-01"}, "departure_on", BACKWARDS),
        ({"arrival_on": "2027-03-28", "arrival_at": "01:30"}, "arrival_at", SKIPPED),
        ({"arrival_on": ""}, "arrival_on", "Choose the day of arrival."),
    ],
)
def test_edit_key_refuses(client, lock, changes, field, says):
    key = key_for(lock.door)
    sent = {
        "arrival_on": "2027-06-01",
        "arrival_at": "15:07",
        "departure_on": "2027-06-03",
        "departure_at": "11:00",
    }
    page = client.post(reverse("edit_key", args=[key.pk]), sent | changes)
    assert says in said_at(page, field)
    assert kept(page, departure_at="11:00")
    assert key.history.count() == 1


def test_adding_a_door_refuses_one_of_another_property_and_one_that_is_there(client, lock):
    key, foreign = key_for(lock.door), factories.DoorFactory()
    address = reverse("add_key_door", args=[key.pk])
    for door in (foreign.pk, 999999, lock.door_id):
        assert said_at(client.post(address, {"doors": door}), "doors") == NO_SUCH_DOOR
    assert said_at(client.post(address, {"doors": ""}), "doors") == "Choose a door."
    assert KeychainDoor.objects.count() == 1


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("12", "Too short"),
        ("1234567890", "use at most 8 digits"),
        ("123456", "Too easy to guess"),
        ("", "type the digits"),
    ],
)
def test_regenerating_refuses_a_code_that_cannot_be_had_and_keeps_the_old_one(
    client, lock, code, says
):
    credential = key_for(lock.door).credentials.get()
    before = credential.secret
    address = reverse("regenerate", args=[credential.key_id, credential.pk])
    page = client.post(address, {"policy": "strict", "code": code, "revision": 1})
    assert says in said_at(page, "code")
    credential.refresh_from_db()
    assert (credential.secret, credential.revision) == (before, 1)


def test_regenerating_refuses_a_code_that_someone_else_has_there(client, lock):
    client.post("/keys/add/", typed(lock, **strict("482716")))
    credential = key_for(lock.door, guest="Other").credentials.get()
    address = reverse("regenerate", args=[credential.key_id, credential.pk])
    page = client.post(address, {"policy": "strict", "code": "482716", "revision": 1})
    assert "This code is taken on" in said_at(page, "code")
    assert kept(page, code="482716")


@pytest.mark.scenario("72")
def test_a_regeneration_sent_twice_draws_once(client, lock):
    credential = key_for(lock.door).credentials.get()
    address = reverse("regenerate", args=[credential.key_id, credential.pk])
    for _ in range(2):
        assert client.post(address, {"policy": "random", "revision": 1}).status_code == 302
    assert Credential.objects.get().revision == 2


def test_a_person_gets_one_credential_of_a_kind(client, lock):
    key = key_for(lock.door)
    address = reverse("add_credential", args=[key.pk, key.people.get().pk])
    page = client.post(address, {"kind": "door_code", "policy": "random"})
    assert "This person already has a door code." in said_at(page, "kind")
    assert Credential.objects.count() == 1


def test_a_door_needs_a_name_of_its_own(client, lock):
    page = client.post("/doors/add/", {"name": lock.door.name, "type": "lift", "location": "B 2"})
    assert "already has a door of that name: choose another" in said_at(page, "name")
    assert kept(page, location="B 2")
    assert Door.objects.count() == 1


def test_a_door_is_not_linked_to_another_propertys(client, lock):
    foreign = factories.DoorFactory()
    sent = {"name": "Gate", "type": "entrance", "links": [str(foreign.pk)]}
    assert NO_SUCH_DOOR in said_at(client.post("/doors/add/", sent), "links")


@pytest.mark.parametrize(
    ("changes", "field", "says"),
    [
        ({"code_length": "3"}, "code_length", "Choose 4 to 12 digits."),
        ({"write_lead_minutes": "999"}, "write_lead_minutes", "240"),
        ({"timezone": "Mars/Base"}, "timezone", "is not a time zone"),
        ({"guest_lead_hours": "721"}, "guest_lead_hours", "720"),
        ({"name": ""}, "name", "required"),
        ({"arrival_time": "26:00"}, "arrival_time", "valid time"),
    ],
)
def test_the_property_refuses(client, lock, changes, field, says):
    sent = {
        "name": "Renamed",
        "timezone": "Europe/Lisbon",
        "mode": "live",
        "check_in_rule": "either",
        "arrival_time": "15:00",
        "departure_time": "11:00",
        "after_outage": "hold",
        "write_lead_minutes": "0",
        "code_length": "6",
        "reopened_code": "same",
        "guest_messages": "off",
        "guest_channels": "email",
        "guest_lead_hours": "0",
    }
    page = client.post("/settings/property/", sent | changes)
    assert says in said_at(page, field)
    assert Property.objects.get().name != "Renamed"


def test_a_lock_is_paired_with_a_free_door_of_the_property_only(client, lock, short_lock):
    address = reverse("pair_lock", args=[lock.pk])
    for door in (short_lock.door_id, factories.DoorFactory().pk, "x"):
        assert "choose one from the list" in said_at(client.post(address, {"door": door}), "door")
    key = key_for(lock.door)
    Assignment.objects.filter(key=key).update(written_revision=1)
    page = client.post(address, {"door": ""})
    assert "still holds credentials: take them off first" in said_at(page, "door")
    lock.refresh_from_db()
    assert lock.door_id is not None


def test_a_lock_moves_to_another_door_and_both_pages_say_so(client, lock):
    gate = factories.DoorFactory(property=lock.property, name="Gate")
    page = client.post(reverse("pair_lock", args=[lock.pk]), {"door": gate.pk}, follow=True)
    assert f"{lock.name} is on Gate now." in page.content.decode()
    assert "No lock installed" in client.get(f"/doors/{lock.door_id}/").content.decode()
    assert "Lock hung on this door" in client.get(f"/doors/{gate.pk}/").content.decode()


def test_a_swap_says_what_is_written_and_asks_for_the_new_lock(client, lock):
    free = factories.LockFactory(account=lock.account, door=None, name="Spare")
    key_for(lock.door)
    address = reverse("swap_lock", args=[lock.pk])
    assert "1 credential will be written to it at once" in " ".join(
        client.get(address).content.decode().split()
    )
    assert "Choose the new lock" in said_at(client.post(address, {"lock": ""}), "lock")
    assert "choose one from the list" in said_at(client.post(address, {"lock": lock.pk}), "lock")
    page = client.post(address, {"lock": free.pk}, follow=True)
    assert "Spare hangs on" in page.content.decode()
    again = said_at(client.post(address, {"lock": lock.pk}), "lock")
    assert "choose one from the list" in again


def test_a_lock_was_reset_only_by_a_ticked_box_and_off_its_door(client, lock):
    address = reverse("was_reset", args=[lock.pk])
    assert "once the lock itself was reset" in said_at(client.post(address, {}), "sure")
    page = client.post(address, {"sure": "on"})
    assert "hangs on a door: use Read again now" in page.content.decode()
    Lock.objects.filter(pk=lock.pk).update(door=None)
    page = client.post(address, {"sure": "on"}, follow=True)
    assert "Nothing is on" in page.content.decode()


# Addresses that nobody made ---------------------------------------------------------------------------

FAR = datetime(9000, 1, 1, tzinfo=ZoneInfo("UTC"))
CURSORS = [
    "x",
    "%00",
    write_cursor("a door", 1),
    write_cursor("a \x00 door", 1),
    write_cursor(FAR, 1),
    write_cursor(FAR.replace(tzinfo=None), 1),
    write_cursor(FAR, 2**70),
    write_cursor(FAR, -1),
]


@pytest.mark.parametrize("cursor", CURSORS)
@pytest.mark.parametrize(
    "path",
    ["/keys/", "/keys/?pending=lock", "/doors/", "/log/", "/settings/team/", "/settings/locks/"],
)
def test_a_cursor_that_no_page_made_shows_a_page(client, lock, path, cursor):
    key_for(lock.door)
    assert client.get(path, {"after": cursor}).status_code == 200


@pytest.mark.parametrize(
    "query", ["group=x", "pending=x", "q=%00", "q=" + "9" * 400, "q=%25", "q='\";--"]
)
def test_a_search_of_anything_shows_a_page(client, query):
    assert client.get(f"/keys/?{query}").status_code == 200
    assert client.get(f"/doors/?{query}").status_code == 200


@pytest.mark.parametrize(
    "path", ["/keys/{}/", "/doors/{}/", "/settings/team/{}/", "/settings/locks/{}/"]
)
def test_a_number_larger_than_any_database_keeps_is_not_there(client, path):
    assert client.get(path.format(10**30)).status_code == 404


def test_nonsense_where_a_number_is_expected_is_no_fault(client, lock):
    assert client.post("/keys/add/", typed(lock, people="²")).status_code == 302
    assert client.get("/log/", {"door": "²", "code": "x"}).status_code == 200
    assert client.post("/property/", {"property": "²"}).status_code == 404


def test_a_key_whose_end_has_passed_cannot_be_restored(client, lock):
    start = now() - timedelta(days=3)
    key = key_for(lock.door, starts_at=start, ends_at=start + timedelta(days=1))
    page = client.post(reverse("restore_key", args=[key.pk]), follow=True)
    assert "This key is not revoked." in page.content.decode()
