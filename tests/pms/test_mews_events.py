"""What the MEWS simulator tells: webhooks in batches, the life of integrations, and live messages."""

from __future__ import annotations

import json
import time
from uuid import UUID

import pytest

from tests.eventually import eventually
from tests.pms.mews_app import MewsApp
from tests.pms.mews_server import CLIENT_TOKEN, LANTERN, MESA, SEASIDE, start_mews
from tests.pms.webhook_listener import Listener
from tests.pms.websocket_client import WebSocketClient

CLOSE, PING, PONG = 8, 9, 10


@pytest.fixture(scope="module")
def process():
    with start_mews("--requests", "0", "--retry-seconds", "0.1") as server:
        yield server


@pytest.fixture
def listener():
    heard = Listener()
    yield heard
    heard.stop()


@pytest.fixture
def mews(process, listener):
    process.post("reset", records=True, dials=True)
    process.post("webhooks", url=listener.url)
    return process


def told(bodies):
    return [event["Discriminator"] for body in bodies for event in body["Events"]]


# General webhooks


def test_one_address_hears_of_all_hotels_by_ids_alone(mews, listener):
    booked = mews.book(room="11")
    mews.book(property=LANTERN, room="101")
    here, there = sorted(listener.wait(2), key=lambda body: body["EnterpriseId"] != SEASIDE)
    assert (here["EnterpriseId"], there["EnterpriseId"]) == (SEASIDE, LANTERN)
    assert here["IntegrationId"] == mews.integration()["id"]
    assert UUID(here["IntegrationId"])
    assert told([here]) == ["CustomerAdded", "CustomerUpdated", "ServiceOrderUpdated"]
    assert here["Events"][-1] == {
        "Discriminator": "ServiceOrderUpdated",
        "Value": {"Id": booked["id"]},
    }


def test_each_kind_of_change_has_its_event(mews, listener):
    booked = mews.book(room="11", silent=True)
    assert listener.bodies == []
    mews.act(booked["id"], "check-in")
    listener.wait(1)
    mews.act(booked["id"], "change-guest", first="Adele")
    listener.wait(2)
    mews.post("rooms/24", state="Dirty")
    listener.wait(3)
    block = mews.post("blocks", room="24")
    listener.wait(4)
    mews.post(f"blocks/{block['id']}/delete")
    listener.wait(5)
    assert told(listener.bodies[:1]) == ["ServiceOrderUpdated"]
    guests = [body for body in listener.bodies if told([body]) == ["CustomerUpdated"]]
    assert SEASIDE in {body["EnterpriseId"] for body in guests}
    eventually(lambda: len(listener.bodies) == 6)
    assert told(listener.bodies).count("ResourceUpdated") == 1
    assert told(listener.bodies).count("ResourceBlockUpdated") == 2


def test_a_guest_of_the_chain_concerns_all_its_hotels(mews, listener):
    booked = mews.book(room="11", silent=True)
    mews.act(booked["id"], "change-guest", last="Other")
    assert {body["EnterpriseId"] for body in listener.wait(2)} == {SEASIDE, MESA}


def test_events_gather_into_one_call(mews, listener):
    mews.post("webhooks", batch_seconds=0.5)
    made = mews.book(room=None, count=20)["made"]
    mews.act(made[0], "cancel")
    listener.wait(1)
    time.sleep(0.3)
    assert len(listener.bodies) == 1
    assert told(listener.bodies).count("ServiceOrderUpdated") == 21


def test_more_than_a_call_holds_becomes_two(mews, listener):
    mews.post("webhooks", batch_seconds=1.5)
    mews.book(room=None, count=200)
    first, second = listener.wait(2, seconds=15)
    assert len(first["Events"]) + len(second["Events"]) == 600
    assert max(len(first["Events"]), len(second["Events"])) <= 500


def test_webhooks_are_lost_repeated_held_delayed_and_shuffled(mews, listener):
    mews.post("webhooks", drop=1)
    mews.book(room=None)
    assert mews.get("deliveries")["deliveries"][-1]["state"] == "lost"
    mews.post("webhooks", drop=0, repeat=2)
    mews.book(room=None)
    assert len({json.dumps(body) for body in listener.wait(3)}) == 1
    listener.bodies.clear()
    mews.post("webhooks", repeat=0, paused=True)
    mews.book(room=None)
    time.sleep(0.2)
    assert listener.bodies == []
    mews.post("webhooks", paused=False)
    listener.wait(1)
    listener.bodies.clear()
    mews.post("webhooks", delay_seconds=0.5)
    begun = time.monotonic()
    mews.book(room=None)
    listener.wait(1)
    assert time.monotonic() - begun >= 0.5
    listener.bodies.clear()
    mews.post("webhooks", delay_seconds=0, shuffle_seconds=1.0)
    ids = [mews.book(room=None)["id"] for _ in range(12)]
    came = []
    for body in listener.wait(12):
        events = [e["Value"]["Id"] for e in body["Events"] if "Service" in e["Discriminator"]]
        came += events
    assert sorted(came) == sorted(ids)
    assert came != ids


def test_a_failed_call_is_sent_again_a_few_times_and_then_discarded(mews, listener):
    def last_state() -> str:
        return mews.get("deliveries")["deliveries"][-1]["state"]

    listener.answers = [500, 404]
    mews.book(room=None)
    eventually(lambda: last_state() == "delivered")
    assert len(listener.bodies) == 3
    listener.bodies.clear()
    listener.answers = [500] * 9
    mews.book(room=None)
    eventually(lambda: last_state() == "given up")
    assert len(listener.bodies) == 4


def test_a_redirect_of_the_two_kinds_is_followed(mews, listener):
    listener.answers = [308, 307]
    mews.book(room=None)
    first, second, third = listener.wait(3)
    assert first == second == third
    assert listener.paths == ["/hook", "/hook/moved", "/hook/moved"]
    eventually(lambda: mews.get("deliveries")["deliveries"][-1]["state"] == "delivered")
    listener.answers = [302]
    mews.book(room=None)
    listener.wait(5)
    assert listener.paths[3:] == ["/hook", "/hook"]


def test_a_refused_booking_is_told_to_nobody(mews, listener):
    mews.post("webhooks", batch_seconds=0.2)
    refused = mews.client.post("/control/reservations", json={"room": "11", "count": 2})
    assert refused.status_code == 409
    booked = mews.book(room="12")
    (body,) = listener.wait(1)
    assert told([body]).count("ServiceOrderUpdated") == 1
    assert body["Events"][-1]["Value"]["Id"] == booked["id"]
    assert len(mews.get("reservations")["reservations"]) == 1


def test_a_slow_receiver_is_asked_again(mews, listener):
    assert mews.get("webhooks")["timeout_seconds"] == 5.0
    mews.post("webhooks", timeout_seconds=0.2)
    listener.slow = 0.5
    mews.book(room=None)
    listener.wait(2)


def test_anything_can_be_sent_to_the_address(mews, listener):
    mews.post("events", body={"EnterpriseId": "nobody", "Events": []})
    assert listener.wait(1) == [{"EnterpriseId": "nobody", "Events": []}]


# Integration webhooks


@pytest.mark.parametrize(
    ("verb", "action"),
    [
        ("disable", "IntegrationDisabled"),
        ("enable", "IntegrationEnabled"),
        ("cancel", "IntegrationCanceled"),
        ("reinstate", "IntegrationReinstated"),
    ],
)
def test_the_life_of_an_integration_is_told_by_its_id_alone(mews, listener, verb, action):
    mews.post(f"access/{verb}", property=MESA)
    one = mews.integration(MESA)
    integration = {"Id": one["id"], "Name": "Portal"}
    assert listener.wait(1) == [{"Action": action, "Data": {"Integration": integration}}]
    mews.post(f"access/{verb}", property=MESA, announce=False)
    time.sleep(0.2)
    assert len(listener.bodies) == 1


def test_a_new_key_a_deletion_and_a_new_integration_are_told(mews, listener):
    mews.post("access/regenerate")
    told_key = listener.wait(1)[0]
    assert told_key["Action"] == "IntegrationApiKeyCreated"
    assert told_key["Data"]["ApiKey"] == mews.access_token()
    mews.post("access/delete")
    deleted = listener.wait(2)[1]
    assert set(deleted["Data"]) == {"DeletedUtc", "Integration"}
    mews.post("access/create")
    created = listener.wait(3)[2]
    assert created["Action"] == "IntegrationCreated"
    data = created["Data"]
    assert data["Enterprise"] == {"Id": SEASIDE, "Name": "Seaside Rooms"}
    assert (data["AccessToken"], data["IsEnabled"]) == (mews.access_token(), True)
    assert data["Integration"]["Id"] == mews.integration()["id"]
    MewsApp(mews, data["AccessToken"]).checked("configuration/get")


def test_a_disabled_integration_is_told_nothing_else(mews, listener):
    mews.post("access/disable", announce=False)
    mews.book(room="11")
    time.sleep(0.2)
    assert listener.bodies == []


def test_the_echo_of_a_code_can_be_switched_on(mews, listener):
    number = mews.book(room="11", silent=True)["id"]
    app = MewsApp(mews, mews.access_token())
    app.add_code(number, "1234")
    time.sleep(0.2)
    assert listener.bodies == []
    mews.post("quirks", token_touches_reservation=True)
    app.add_code(number, "1234")
    assert told(listener.wait(1)) == ["ServiceOrderUpdated"]


# The WebSocket


@pytest.fixture
def live(mews):
    cookies = {"ClientToken": CLIENT_TOKEN, "AccessToken": mews.access_token()}
    client = WebSocketClient(mews.url, "/ws/connector", cookies)
    assert client.status == 101
    eventually(lambda: mews.get("state")["listeners"] == 1)
    yield client
    client.close()
    eventually(lambda: mews.get("state")["listeners"] == 0)


def test_a_change_is_told_live(mews, live):
    booked = mews.book(room="11")
    assert live.events() == [
        {
            "Type": "Reservation",
            "Id": booked["id"],
            "State": "Confirmed",
            "StartUtc": booked["starts_at"],
            "EndUtc": booked["ends_at"],
            "AssignedResourceId": booked["resource_id"],
        }
    ]
    mews.act(booked["id"], "check-in")
    assert live.events()[0]["State"] == "Started"
    mews.act(booked["id"], "unassign")
    assert "AssignedResourceId" not in live.events()[0]
    mews.post("rooms/24", state="Dirty")
    room = live.events()[0]
    assert (room["Type"], room["State"]) == ("Resource", "Dirty")


def test_only_the_own_hotel_is_told_and_long_messages_arrive_whole(mews, live):
    mews.book(property=MESA, room="1")
    mews.act(mews.book(room="11", silent=True)["id"], "change-guest", last="Other")
    mews.book(rooms=[{"room": None}] * 300)
    assert len(live.events()) == 300


def test_nothing_is_told_again_after_a_break(mews, live):
    mews.book(room="11")
    live.events()
    assert mews.post("live/close")["closed"] == 1
    assert live.receive()[0] == CLOSE
    mews.book(room="12")
    cookies = {"ClientToken": CLIENT_TOKEN, "AccessToken": mews.access_token()}
    again = WebSocketClient(mews.url, "/ws/connector", cookies)
    eventually(lambda: mews.get("state")["listeners"] == 1)
    booked = mews.book(room="13")
    assert [event["Id"] for event in again.events()] == [booked["id"]]
    again.close()


def test_a_ping_is_answered_and_a_goodbye_too(mews, live):
    live.send(PING, b"here?")
    assert live.receive() == (PONG, b"here?")
    live.send(CLOSE, b"\x03\xe8")
    assert live.receive()[0] == CLOSE


def test_an_open_connection_ends_with_its_token(mews, live):
    mews.post("access/disable", announce=False)
    assert live.receive()[0] == CLOSE


@pytest.mark.parametrize(
    "cookies",
    [{}, {"ClientToken": CLIENT_TOKEN}, {"ClientToken": CLIENT_TOKEN, "AccessToken": "x"}],
)
def test_a_stranger_is_not_let_in(mews, cookies):
    client = WebSocketClient(mews.url, "/ws/connector", cookies)
    assert client.status == 401
    client.close()
