"""A guest who is erased is named nowhere in the database; the key, its doors and the log stay, and the PMS brings nothing back."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta

import pytest
from cryptography.fernet import InvalidToken
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.contenttypes.models import ContentType
from django.core.management import CommandError, call_command
from django.db import connection

from keys import erasing
from keys.bulk_models import BulkChange, BulkRow
from keys.following import follow_all
from keys.guest_export import export_guest
from keys.issuing import CredentialWish, DoorWish, PersonWish, edit_key, make_key
from keys.models import Credential, Guest, Key
from keys.telling_models import GuestMessage
from locks.drivers import Kind
from locks.history import Actor, Source
from locks.log_models import DoorLogEntry
from locks.vault import ring
from pms import sync
from pms.adapters import Companion, Stay, StayState
from pms.models import Integration, Reservation, RoomDoor, WebhookEvent
from portal.models import User
from tests.factories import BY, DoorFactory, PropertyFactory, now

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("silent_bell")]
NAME, EMAIL, PHONE, REF = (
    "Zephyrine Quaxolotl",
    "zq.774@quaxmail.example",
    "+351 999 774 411",
    "gst-zq-774411",
)
WORDS = ("zephyrine", "quaxolotl", "quaxmail", "999 774 411", REF)
OTHER = "Bo Example"


class Hotel:
    """A hotel whose PMS says one stay: of Zephyrine, with Bo, in house."""

    def __init__(self, **first) -> None:
        at = now()
        self.property = PropertyFactory(code_length=6)
        self.door = DoorFactory(property=self.property)
        self.pms = Integration.objects.create(
            property=self.property, adapter="cloudbeds", state="connected", state_since=at
        )
        RoomDoor.objects.create(
            property=self.property, integration=self.pms, room_ref="r1", door=self.door
        )
        self.stay = Stay(
            external_id="7",
            booking_ref="7",
            number="7",
            state=StayState.IN_HOUSE,
            checked_in=True,
            checked_in_online=False,
            arrival_on=at.date() - timedelta(days=1),
            departure_on=at.date() + timedelta(days=3),
            room_ref="r1",
            guest_ref=REF,
            guest_name=NAME,
            guest_email=EMAIL,
            guest_phone=PHONE,
            companions=(Companion(ref="g2", name=OTHER),),
        )
        self.say(**first)

    def say(self, **change) -> Key:
        self.stay = replace(self.stay, **change)
        sync.apply(integration=self.pms, stays=[self.stay], now=now())
        follow_all(now=now())
        return self.key()

    def key(self) -> Key:
        return Key.objects.get(property=self.property, reservation__external_id="7")

    def guest(self, *, is_main: bool = True) -> Guest:
        return self.key().people.get(is_main=is_main).guest


def plant(hotel: Hotel) -> None:
    """Name the guest in every place that takes words."""
    key, at, said = hotel.key(), now(), f"Late, says {NAME} ({EMAIL}, {PHONE})"
    by = Actor(source=Source.PORTAL, label="Rita", reason=said)
    edit_key(key=key, ends_at=key.ends_at + timedelta(hours=1), by=by, now=at)
    code = key.credentials.get(person__is_main=True, kind="door_code")
    Credential.objects.filter(pk=code.pk).update(note=said)
    _messages(code, at)
    _events(hotel, at)
    change = BulkChange.objects.create(
        property=hotel.property,
        action="hold",
        source="portal",
        actor_label="Rita",
        reason=said,
        started_at=at,
    )
    BulkRow.objects.create(property=hotel.property, change=change, key=key, result=said)
    DoorLogEntry.objects.create(
        property=hotel.property,
        door=hotel.door,
        happened_at=at,
        received_at=at,
        origin="lock",
        code="unlocked",
        key_id=key.pk,
        actor=NAME,
    )
    user = User.objects.create_user("rita@hotel.example")
    LogEntry.objects.create(
        user=user,
        content_type=ContentType.objects.get_for_model(Guest),
        object_id=str(hotel.guest().pk),
        object_repr=NAME,
        action_flag=CHANGE,
        change_message=said,
    )


def _messages(code: Credential, at) -> None:
    for number, state in ((1, "sent"), (2, "waiting")):
        GuestMessage.objects.create(
            property_id=code.property_id,
            key_id=code.key_id,
            credential=code,
            channel="email",
            number=number,
            why="made",
            state=state,
            revision=1,
            doors="1",
            address=EMAIL,
            body=f"Dear {NAME}, your code …",
            made_at=at,
            next_try_at=at if state == "waiting" else None,
        )


def _events(hotel: Hotel, at) -> None:
    bodies = {
        "booking:7": json.dumps({"reservation": "7"}),
        f"guest:{REF}": json.dumps({"guestId": REF}),
        "booking:elsewhere": json.dumps({"guest": {"name": NAME, "phone": PHONE}}),
    }
    for entity, payload in bodies.items():
        WebhookEvent.objects.create(
            property=hotel.property,
            integration=hotel.pms,
            event_key=f"guest-changed-{entity}",
            event="guest/changed",
            entity=entity,
            payload=payload,
            received_at=at,
            processed_at=at,
        )


def places_with(words=WORDS) -> set[str]:
    """Every column of every table of the database, decrypted where Portal can, in which one of the words stands."""
    found = set()
    quote = connection.ops.quote_name
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f"SELECT * FROM {quote(table)}")
            names = [column[0] for column in cursor.description]
            for row in cursor.fetchall():
                for name, value in zip(names, row, strict=True):
                    if any(word in _plain(value) for word in words):
                        found.add(f"{table}.{name}")
    return found


def _plain(value: object) -> str:
    if isinstance(value, memoryview | bytes):
        value = bytes(value).decode(errors="replace")
    text = value if isinstance(value, str) else json.dumps(value, default=str)
    if text.startswith("gAAAA"):
        try:
            text = ring().decrypt(text.encode()).decode()
        except InvalidToken:
            return ""
    return text.lower()


@pytest.mark.scenario(74)
def test_a_guest_who_is_erased_is_named_nowhere_and_keeps_the_code_until_the_end_of_the_stay():
    hotel = Hotel()
    plant(hotel)
    held = set(hotel.key().credentials.values_list("secret_digest", "revision", "retired_at"))
    places = set(hotel.key().assignments.values_list("id", "revision", "reserved_digest"))
    planted = places_with()
    assert planted >= {
        "keys_guest.name",
        "keys_guest.email",
        "keys_guest.phone",
        "keys_key.label",
        "keys_guestmessage.address",
        "keys_guestmessage.body",
        "keys_credential.note",
        "keys_bulkchange.reason",
        "keys_bulkrow.result",
        "keys_historicalkey.history_change_reason",
        "pms_reservation.guest_name",
        "pms_reservation.guest_email",
        "pms_reservation.guest_ref",
        "pms_webhookevent.payload",
        "pms_webhookevent.event_key",
        "pms_webhookevent.entity",
        "locks_doorlogentry.actor",
        "django_admin_log.object_repr",
    }

    done = erasing.erase(guest=hotel.guest(), by=BY, now=now())

    assert places_with() == set()
    key = hotel.key()
    assert key.label == done.pseudonym == hotel.guest().name
    assert done.opens_until == key.over_at > now()
    assert held == set(key.credentials.values_list("secret_digest", "revision", "retired_at"))
    assert places == set(key.assignments.values_list("id", "revision", "reserved_digest"))
    line = DoorLogEntry.objects.get(key_id=key.pk, code="unlocked")
    assert (line.door, line.actor) == (hotel.door, done.pseudonym)
    assert hotel.guest(is_main=False).name == OTHER
    assert set(GuestMessage.objects.values_list("state", flat=True)) == {"sent", "dropped"}
    newest = key.history.latest("history_id")
    assert (newest.history_change_reason, newest.actor_label) == ("Guest erased", BY.label)


@pytest.mark.scenario(74)
def test_the_next_word_of_the_pms_moves_the_stay_and_brings_no_name_back():
    hotel = Hotel()
    erasing.erase(guest=hotel.guest(), by=BY, now=now())
    ends_at = hotel.key().ends_at
    hotel.say(departure_on=hotel.stay.departure_on + timedelta(days=2))
    assert hotel.key().ends_at == ends_at + timedelta(days=2)
    hotel.say(guest_name=NAME.upper(), guest_email="new." + EMAIL)
    assert places_with() == set()
    hotel.say(guest_ref="merged-1")  # the PMS merged the guest with another row of the same person
    assert places_with() == set()
    assert hotel.guest(is_main=False).name == OTHER
    assert hotel.key().people.count() == 2


def test_what_was_applied_once_after_an_erasure_is_known_from_then_on():
    hotel = Hotel()
    erasing.erase(guest=hotel.guest(), by=BY, now=now())
    hotel.say()
    again = sync.apply(integration=hotel.pms, stays=[hotel.stay], now=now())
    assert (again.changed, again.same) == ([], 1)


def test_a_companion_is_erased_alone_and_stays_so_as_main_guest():
    hotel = Hotel(companions=(Companion(ref=REF, name=NAME),), guest_ref="g1", guest_name=OTHER,
                  guest_email="", guest_phone="")  # fmt: skip
    erasing.erase(guest=hotel.guest(is_main=False), by=BY, now=now())
    assert places_with() == set()
    assert (hotel.key().label, hotel.guest().name) == (OTHER, OTHER)
    hotel.say(companions=())
    hotel.say(companions=(Companion(ref=REF, name=NAME),))
    hotel.say(companions=(), guest_ref=REF, guest_name=NAME)
    assert places_with() == set()


def test_another_stay_of_the_guest_goes_too_and_another_hotel_keeps_its_own():
    hotel, other = Hotel(), Hotel()
    coming = replace(hotel.stay, external_id="8", number="8", state=StayState.EXPECTED)
    coming = replace(coming, arrival_on=coming.departure_on + timedelta(days=9), checked_in=False)
    coming = replace(coming, departure_on=coming.arrival_on + timedelta(days=1))
    sync.apply(integration=hotel.pms, stays=[coming], now=now())
    follow_all(now=now())
    erasing.erase(guest=hotel.guest(), by=BY, now=now())
    names = Reservation.objects.filter(property=hotel.property).values_list("guest_name", flat=True)
    assert set(names) == {""}
    labels = Key.objects.filter(property=hotel.property).values_list("label", flat=True)
    assert len(labels) == 2
    assert all(label.startswith("Guest ") for label in labels)
    assert other.key().label == other.guest().name == NAME


def test_erasing_twice_changes_nothing_more():
    hotel = Hotel()
    first = erasing.erase(guest=hotel.guest(), by=BY, now=now())
    ref = hotel.guest().external_id
    assert erasing.erase(guest=hotel.guest(), by=BY, now=now()).pseudonym == first.pseudonym
    assert hotel.guest().external_id == ref


def by_hand(hotel: Hotel, *, days_ago: int, name: str = NAME) -> Key:
    """A key by hand that ended so many days ago."""
    ended = now() - timedelta(days=days_ago)
    person = PersonWish(name=name, email=EMAIL, credentials=(CredentialWish(kind=Kind.DOOR_CODE),))
    return make_key(
        property=hotel.property,
        people=[person],
        doors=[DoorWish(door=hotel.door)],
        starts_at=ended - timedelta(days=1),
        ends_at=ended,
        by=BY,
        now=ended - timedelta(days=2),
    )


def test_guests_are_forgotten_by_the_clock_when_their_hotel_says_so():
    hotel = Hotel()
    hotel.property.guests_kept_days = 30
    hotel.property.save()
    old, recent = by_hand(hotel, days_ago=31), by_hand(hotel, days_ago=29, name=OTHER)
    assert erasing.forget_due(now=now()) == 1
    old.refresh_from_db()
    recent.refresh_from_db()
    assert old.label == old.people.get().guest.name == f"Guest {old.people.get().guest_id}"
    assert old.history.latest("history_id").history_change_reason == "Kept long enough"
    assert recent.label == recent.people.get().guest.name == OTHER
    assert hotel.key().label == NAME
    assert erasing.forget_due(now=now()) == 0


def test_a_guest_who_comes_again_is_not_forgotten_though_nothing_has_a_key_yet():
    hotel = Hotel()
    hotel.property.guests_kept_days = 30
    hotel.property.save()
    guest = by_hand(hotel, days_ago=31).people.get().guest
    Guest.objects.filter(pk=guest.pk).update(external_id="gst-comes-again")
    booked = replace(hotel.stay, external_id="8", number="8", state=StayState.TENTATIVE)
    booked = replace(booked, guest_ref="gst-comes-again", checked_in=False, companions=())
    sync.apply(integration=hotel.pms, stays=[booked], now=now())
    follow_all(now=now())
    assert erasing.forget_due(now=now()) == 0
    guest.refresh_from_db()
    assert guest.name == NAME


def test_the_export_holds_what_is_held_and_codes_only_by_right():
    hotel = Hotel()
    plant(hotel)
    code = str(hotel.key().credentials.get(person__is_main=True, kind="door_code").secret)
    told = json.dumps(export_guest(guest=hotel.guest(), with_codes=False, now=now()))
    assert all(word in told for word in (NAME, EMAIL, PHONE, REF, hotel.door.name, "unlocked"))
    assert code not in told
    assert OTHER not in told
    assert code in json.dumps(export_guest(guest=hotel.guest(), with_codes=True, now=now()))


def test_the_commands_export_and_erase_a_guest(capsys):
    hotel = Hotel()
    key = str(hotel.key().pk)
    call_command("export_guest", key)
    assert json.loads(capsys.readouterr().out)["guest"][0]["name"] == NAME
    with pytest.raises(CommandError, match="Type ERASE"):
        call_command("erase_guest", key)
    call_command("erase_guest", key, yes="ERASE")
    out = capsys.readouterr().out
    assert "Erased as Guest" in out
    assert NAME not in out
    assert places_with() == set()
