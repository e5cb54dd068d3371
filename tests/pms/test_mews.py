"""A hotel whose PMS is MEWS: connected by a token, broken and back by its events, guests of a whole chain."""

from __future__ import annotations

import json

import pytest

from locks.clock import database_now
from pms import connecting, connection
from pms.adapters import CallRefused, StayState
from pms.connection import NotConnected
from pms.models import Integration, Outage, Reservation, WebhookEvent
from tests.factories import BY, PropertyFactory
from tests.pms import mews_openapi
from tests.pms.mews_hotel import MewsHotel
from tests.pms.mews_server import LANTERN, MESA, SEASIDE

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def hotel(mews):
    return MewsHotel(mews)


def stay():
    return Reservation.objects.get()


@pytest.mark.skipif(
    mews_openapi.document_missing(), reason="VENDOR_SPECS names no vendor documents"
)
def test_every_request_and_answer_agrees_with_the_vendors_document(hotel, mews):
    wrong, seen = [], set()

    def check(response):
        response.read()
        operation = response.request.url.path.removeprefix("/api/connector/v1/")
        seen.add(operation)
        asked = json.loads(response.request.content)
        wrong.extend(mews_openapi.violations_of_request(operation, asked))
        wrong.extend(
            mews_openapi.violations_of_response(operation, response.status_code, response.json())
        )

    connection.adapter_of("mews").wire._opened().event_hooks = {"response": [check]}
    booked = mews.book(guests=["Ada Example", "Bob Example"], room="11")
    hotel.connect()
    mews.act(booked["id"], "merge-guest", guest_id=booked["guests"][0]["id"], guest="Ada Merged")
    hotel.work(until=lambda: stay().guest_name == "Ada Merged")
    mews.act(booked["id"], "check-in")
    hotel.work(until=lambda: stay().state == "in_house")
    with pytest.raises(NotConnected):
        connecting.connect_with_token(
            property=PropertyFactory(), adapter="mews", typed=mews.portfolio_token(), by=BY
        )
    assert wrong == []
    assert len(seen) == 7


def test_a_pasted_token_connects_and_reads_what_is_there(hotel, mews):
    mews.book(guest="Ada Example", room="11")
    hotel.connect()
    assert hotel.state == "connected"
    assert hotel.integration.external_property_id == SEASIDE
    assert hotel.integration.connection_ref == mews.integration()["id"]
    assert (stay().guest_name, stay().room_name) == ("Ada Example", "11")
    assert stay().key.doors.get().door == hotel.doors["11"]


def test_a_bed_opens_the_door_of_its_dorm(hotel, mews):
    mews.book(guest="Bea Bed", room="Dorm 1 B")
    hotel.connect()
    assert stay().room_name == "Dorm 1 B"
    assert stay().key.doors.get().door == hotel.doors["Dorm 1"]


def test_events_bring_check_in_move_and_cancellation(hotel, mews):
    hotel.connect()
    booked = mews.book(guest="Ada Example", room="11")["id"]
    hotel.work(until=lambda: Reservation.objects.filter(state="expected").exists())
    mews.act(booked, "check-in")
    hotel.work(until=lambda: stay().state == "in_house")
    assert stay().checked_in_at is not None
    mews.act(booked, "move", room="12")
    hotel.work(until=lambda: stay().room_name == "12")
    mews.act(booked, "undo-check-in")
    mews.act(booked, "cancel")
    hotel.work(until=lambda: stay().state == "cancelled")


def test_a_customer_of_the_chain_who_changes_is_read_where_they_stay(hotel, mews):
    hotel.connect()
    booked = mews.book(guest="Ada Example", room="11")
    hotel.work(until=Reservation.objects.exists)
    guest = booked["guests"][0]["id"]
    mews.act(booked["id"], "change-guest", guest_id=guest, first="Ada", last="Newname")
    hotel.work(until=lambda: stay().guest_name == "Ada Newname")
    mews.act(booked["id"], "merge-guest", guest_id=guest, guest="Ada Merged")
    hotel.work(until=lambda: stay().guest_name == "Ada Merged")


def test_guests_that_cannot_be_read_now_stay_as_they_were_known(hotel, mews):
    booked = mews.book(guest="Ada Example", room="11")["id"]
    hotel.connect()
    mews.post("access/deny", operation="customers/getAll")
    mews.act(booked, "check-in")
    hotel.work(until=lambda: stay().state == "in_house")
    assert stay().guest_name == "Ada Example"
    assert hotel.state == "connected"


def test_an_operation_that_is_not_permitted_breaks_nothing(hotel, mews):
    hotel.connect()
    mews.post("access/deny", operation="reservations/getAll/2023-06-06")
    with pytest.raises(CallRefused, match="does not permit"):
        connection.ask(hotel.integration, lambda h: list(h.stays(["x"])), now=database_now())
    assert hotel.state == "connected"
    mews.post("access/allow", operation="reservations/getAll/2023-06-06")


@pytest.mark.parametrize("verb", ["disable", "cancel", "delete"])
def test_access_taken_away_is_heard_of_at_once(hotel, mews, verb):
    hotel.connect()
    mews.post(f"access/{verb}", property=SEASIDE)
    hotel.hears_of(lambda: hotel.state == "broken")
    assert Outage.objects.get().ended_at is None
    assert "access token" in hotel.integration.problem


@pytest.mark.parametrize("announce", [True, False])
def test_a_probe_notices_what_no_event_told(hotel, mews, announce):
    hotel.connect()
    mews.post("access/disable", property=SEASIDE, announce=announce)
    hotel.probe()
    assert hotel.state == "broken"


@pytest.mark.parametrize(("away", "back"), [("disable", "enable"), ("cancel", "reinstate")])
def test_access_given_back_is_a_reconnect_with_everything_missed(hotel, mews, away, back):
    hotel.connect()
    mews.post(f"access/{away}", property=SEASIDE)
    hotel.hears_of(lambda: hotel.state == "broken")
    mews.book(guest="Mira Meanwhile", room="11")
    mews.post(f"access/{back}", property=SEASIDE)
    hotel.hears_of(lambda: hotel.state == "connected")
    outage = Outage.objects.get()
    assert outage.ended_at is not None
    assert stay().came_in_during == outage


def test_a_regenerated_token_arrives_by_event_and_is_kept_nowhere_else(hotel, mews):
    hotel.connect()
    old = mews.access_token()
    mews.post("access/regenerate", property=SEASIDE)
    assert mews.access_token() != old
    hotel.hears_of(
        lambda: (
            connection.tokens_of(hotel.integration).access == mews.access_token()
            and hotel.state == "connected"
        )
    )
    events = WebhookEvent.objects.filter(event="IntegrationApiKeyCreated")
    assert [event.token for event in events] == [""]
    mews.book(guest="Ada Example", room="11")
    hotel.work(until=Reservation.objects.exists)


def test_a_forged_new_token_replaces_nothing(hotel, mews):
    hotel.connect()
    body = {
        "Action": "IntegrationApiKeyCreated",
        "Data": {
            "Integration": {"Id": hotel.integration.connection_ref, "Name": "Portal"},
            "ApiKey": mews.access_token(MESA),
        },
    }
    mews.post("events", body=body)
    hotel.hears_of(lambda: WebhookEvent.objects.filter(processed_at__isnull=False).exists())
    assert connection.tokens_of(hotel.integration).access == mews.access_token()
    assert hotel.state == "connected"


def test_a_token_of_another_hotel_is_refused_by_name_and_changes_nothing(hotel, mews):
    hotel.connect()
    before = hotel.integration.token_version
    with pytest.raises(NotConnected, match="In MEWS that opens Mesa Inn"):
        hotel.connect(mews.access_token(MESA))
    assert hotel.integration.token_version == before


def test_a_token_that_another_hotel_uses_is_refused(hotel, mews):
    hotel.connect()
    with pytest.raises(NotConnected, match="connected to another hotel in Portal"):
        connecting.connect_with_token(
            property=PropertyFactory(), adapter="mews", typed=mews.access_token(), by=BY
        )


def test_a_token_of_several_hotels_is_refused(hotel, mews):
    with pytest.raises(NotConnected, match="opened 2 properties"):
        hotel.connect(mews.portfolio_token())
    assert not Integration.objects.exists()


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("12", "copy it whole"),
        ("A" * 32 + "-" + "B" * 31, "does not accept this token"),
        ("two words and more of them", "copy it whole"),
    ],
)
def test_what_is_no_token_is_refused_with_the_fix(hotel, typed, said):
    with pytest.raises(NotConnected, match=said):
        hotel.connect(typed)
    assert not Integration.objects.exists()


def test_disconnect_and_connect_again_is_the_same_integration_and_the_same_outage(hotel, mews):
    first = hotel.connect()
    mews.post("access/delete", property=SEASIDE)
    hotel.hears_of(lambda: hotel.state == "broken")
    connection.disconnect(integration=hotel.integration, by=BY, now=database_now())
    booked = mews.book(guest="Mira Meanwhile", room="11")["id"]
    token = mews.post("access/create", property=SEASIDE)["access_token"]
    again = hotel.connect(token)
    assert again.pk == first.pk
    assert hotel.state == "connected"
    outage = Outage.objects.get()
    assert outage.ended_at is not None
    assert stay().came_in_during == outage
    mews.act(booked, "check-in")
    hotel.work(until=lambda: stay().state == "in_house")
    assert set(stay().key.doors.values_list("permission", flat=True)) == {"held_by_outage"}


def test_a_state_that_nobody_knows_keeps_what_is_and_is_shown(hotel, mews):
    booked = mews.book(guest="Ada Example", room="11")["id"]
    hotel.connect()
    mews.act(booked, "check-in")
    hotel.work(until=lambda: stay().state == "in_house")
    mews.act(booked, "oddity", unknown_state="Levitating", null_enums=True)
    hotel.work(until=lambda: stay().state == StayState.UNKNOWN.value)
    assert stay().checked_in_at is not None
    assert stay().key.revoked_at is None


def test_nothing_of_another_hotel_of_the_chain_gets_in(hotel, mews):
    hotel.connect()
    mews.book(property=LANTERN, guest="Not Ours")
    mews.book(guest="Ada Example", room="11")
    hotel.work(until=Reservation.objects.exists)
    hotel.probe()
    assert set(Reservation.objects.values_list("guest_name", flat=True)) == {"Ada Example"}
