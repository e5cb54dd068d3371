"""Events that come twice, out of order, late or never, and ones that cannot be applied."""

from __future__ import annotations

import json
import random
import threading

import pytest
from django.db import connections

from locks.clock import database_now
from pms import connection, inbox, sync
from pms.models import Integration, Reservation, WebhookEvent

pytestmark = pytest.mark.django_db(transaction=True)


def event(name, booking, **more):
    return {
        "event": f"reservation/{name}",
        "propertyID": 318267,
        "reservationID": booking,
        "timestamp": random.random(),
        **more,
    }


def announce(client, hotel, body):
    address = f"/hooks/cloudbeds/{hotel.integration.hook_secret}"
    return client.post(address, json.dumps(body), content_type="application/json")


def apply():
    return inbox.apply_all(now=database_now())


def test_the_order_repetition_and_loss_of_events_change_nothing(hotel, cloudbeds, client):
    hotel.connect()
    cloudbeds.post("webhooks", paused=True)
    booked = cloudbeds.book(guest="Kim Order", room="101")["id"]
    cloudbeds.act(booked, "check-in")
    cloudbeds.act(booked, "move", room="102")
    cloudbeds.act(booked, "check-out")
    events = [
        event("status_changed", booked, status="canceled"),
        event("accommodation_changed", booked, roomId="128837-1"),
        event("created", booked),
    ]
    for body in [*events, *events]:
        assert announce(client, hotel, body).status_code == 200
    assert WebhookEvent.objects.count() == 3
    assert apply() == 3
    stay = Reservation.objects.get()
    assert (stay.state, stay.room_name) == ("departed", "102")
    changed_at = stay.changed_at
    for body in events:
        announce(client, hotel, {**body, "timestamp": random.random()})
    assert apply() == 3
    assert Reservation.objects.get().changed_at == changed_at
    cloudbeds.post("webhooks", paused=False)


def test_events_of_one_booking_are_read_once(hotel, cloudbeds, client):
    hotel.connect()
    booked = cloudbeds.book(guest="Kim Once", room="101", silent=True)["id"]
    for name in ("created", "status_changed", "dates_changed", "accommodation_changed"):
        announce(client, hotel, event(name, booked))
    cloudbeds.client.delete("/control/requests")
    assert apply() == 4
    calls = [c["call"] for c in cloudbeds.get("requests")["requests"]]
    assert calls == ["getReservationsWithRateDetails"]


def test_a_forged_event_moves_nothing_but_a_read(hotel, cloudbeds, client):
    hotel.connect()
    booked = cloudbeds.book(guest="Kim Forged", room="101", silent=True)["id"]
    announce(client, hotel, event("status_changed", booked, status="checked_in"))
    announce(client, hotel, event("status_changed", "9999", status="checked_in"))
    apply()
    stay = Reservation.objects.get()
    assert stay.checked_in_at is None
    assert stay.state == "expected"


def test_a_lost_event_is_made_good_by_the_next_read(hotel, cloudbeds):
    hotel.connect()
    cloudbeds.post("webhooks", drop=1.0)
    cloudbeds.book(guest="Kim Lost", room="101")
    assert not Reservation.objects.exists()
    sync.read_changes(integration=hotel.integration, now=database_now())
    assert Reservation.objects.count() == 1
    cloudbeds.post("webhooks", drop=0.0)


def test_an_event_of_a_guest_is_read_as_the_guests_bookings(hotel, cloudbeds, client):
    hotel.connect()
    booked = cloudbeds.book(guest="Kim Guest", room="101", silent=True)
    announce(client, hotel, event("created", booked["id"]))
    apply()
    guest = Reservation.objects.get().guest_ref
    cloudbeds.act(booked["id"], "change-guest", first="Kimberly", last="Guest", silent=True)
    body = {"event": "guest/details_changed", "propertyId": 318267, "guestId": int(guest)}
    announce(client, hotel, {**body, "timestamp": 3.5})
    apply()
    assert Reservation.objects.get().guest_name == "Kimberly Guest"


def test_an_overload_delays_events_and_loses_none(hotel, cloudbeds, client):
    hotel.connect()
    booked = cloudbeds.book(guest="Kim Later", room="101", silent=True)["id"]
    announce(client, hotel, event("created", booked))
    cloudbeds.post("faults", kind="429_retry_after", seconds=90)
    before = database_now()
    assert apply() == 0
    waiting = WebhookEvent.objects.get()
    assert (waiting.next_try_at - before).total_seconds() >= 90
    assert hotel.integration.state == Integration.State.CONNECTED
    cloudbeds.post("faults/clear")
    cloudbeds.client.delete("/control/requests")
    WebhookEvent.objects.update(next_try_at=None)
    hotel.probe()
    assert apply() == 0
    assert cloudbeds.get("requests")["requests"] == [], "nobody calls before the PMS wants it"
    quiet = Integration.objects.all()
    assert (quiet.get().quiet_until_at - before).total_seconds() >= 90
    quiet.update_untracked(quiet_until_at=database_now())
    WebhookEvent.objects.update(next_try_at=None)
    assert apply() == 1
    assert Reservation.objects.exists()


def test_a_poisonous_event_is_set_aside_visibly_and_the_rest_flows(hotel, cloudbeds, client):
    hotel.connect()
    booked = cloudbeds.book(guest="Kim Fine", room="101", silent=True)["id"]
    announce(client, hotel, event("created", booked))
    cloudbeds.post("faults", kind="refused")
    for _ in range(inbox.TRIES):
        WebhookEvent.objects.update(next_try_at=None)
        apply()
    cloudbeds.post("faults/clear")
    aside = WebhookEvent.objects.get()
    assert aside.result == inbox.SET_ASIDE
    assert aside.processed_at is not None
    announce(client, hotel, event("status_changed", booked))
    assert apply() == 1


def test_an_event_is_taken_by_one_worker_and_is_due_again_when_that_one_dies(
    hotel, cloudbeds, client
):
    hotel.connect()
    booked = cloudbeds.book(guest="Kim Claimed", room="101", silent=True)["id"]
    announce(client, hotel, event("created", booked))
    now = database_now()
    assert len(inbox._claim(hotel.integration, now)) == 1
    assert inbox._claim(hotel.integration, now) == []
    assert len(inbox._claim(hotel.integration, now + inbox.CLAIM)) == 1


def test_a_broker_that_is_down_neither_fails_nor_slows_the_answer(
    hotel, cloudbeds, client, monkeypatch
):
    hotel.connect()
    rung = threading.Event()

    def hangs(task):
        rung.set()
        threading.Event().wait(0.5)

    monkeypatch.setattr("locks.bell.ring", hangs)
    assert announce(client, hotel, event("created", "1")).status_code == 200
    assert announce(client, hotel, event("created", "2")).status_code == 200
    assert rung.wait(20)


def test_a_retried_address_of_another_hotel_stores_nothing(hotel, cloudbeds, client):
    hotel.connect()
    body = {**event("created", "1"), "propertyID": 318268}
    assert announce(client, hotel, body).status_code == 403
    assert not WebhookEvent.objects.exists()
    assert connection.hook_url(hotel.integration).endswith(hotel.integration.hook_secret)


def test_many_workers_at_once_apply_each_stay_once(hotel, cloudbeds, client):
    hotel.connect()
    rooms = ["101", "102", "103", "104"]
    booked = [cloudbeds.book(guest="Kim Many", room=room, silent=True)["id"] for room in rooms]
    for ref in booked:
        announce(client, hotel, event("created", ref))

    def work():
        try:
            apply()
        finally:
            connections.close_all()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert Reservation.objects.count() == 4
    assert not WebhookEvent.objects.filter(processed_at=None).exists()
