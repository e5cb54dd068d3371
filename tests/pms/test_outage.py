"""A PMS connection that works, breaks and is reconnected, against the real Cloudbeds simulator over HTTP."""

from __future__ import annotations

import pytest

from keys.explaining import explain_key
from keys.models import Key
from locks.clock import database_now
from pms import connecting, connection
from pms.models import Integration, Outage, Reservation, WebhookEvent
from tests.factories import BY, PropertyFactory

pytestmark = pytest.mark.django_db(transaction=True)
State = Integration.State


def stay_of(booking):
    return Reservation.objects.filter(booking_ref=booking["id"]).first()


def test_connecting_finds_the_stays_that_are_there(hotel, cloudbeds):
    booked = cloudbeds.book(guest="Ada Example", room="101")
    hotel.connect()
    assert hotel.integration.state == State.CONNECTED
    assert not Outage.objects.exists()
    key = Key.objects.get()
    assert key.reservation.booking_ref == booked["id"]
    assert [d.door.name for d in key.doors.all()] == ["101"]


def test_a_webhook_brings_a_new_reservation_and_its_check_in(hotel, cloudbeds):
    hotel.connect()
    booked = cloudbeds.book(guest="Bea Example", room="102")
    hotel.work(until=Key.objects.exists)
    key = Key.objects.get()
    assert "not checked in" in explain_key(key=key, now=database_now()).headline
    cloudbeds.act(booked["id"], "check-in")
    hotel.work(until=lambda: stay_of(booked).checked_in_at is not None)
    assert WebhookEvent.objects.filter(processed_at__isnull=False).exists()


def test_online_check_in_is_seen_by_the_custom_field(hotel, cloudbeds):
    hotel.connect()
    booked = cloudbeds.book(guest="Carl Example", room="103")
    cloudbeds.act(booked["id"], "online-check-in")
    hotel.work(until=lambda: stay_of(booked) and stay_of(booked).checked_in_online_at)


def test_a_room_move_moves_the_key(hotel, cloudbeds):
    hotel.connect()
    booked = cloudbeds.book(guest="Dora Example", room="104")
    hotel.work(until=Key.objects.exists)
    cloudbeds.act(booked["id"], "move", room="105")
    live = lambda: [d.door.name for d in Key.objects.get().doors.filter(removed_at=None)]  # noqa: E731
    hotel.work(until=lambda: live() == ["105"])


def test_a_cancelled_reservation_revokes_its_key(hotel, cloudbeds):
    hotel.connect()
    booked = cloudbeds.book(guest="Emil Example", room="101")
    hotel.work(until=Key.objects.exists)
    cloudbeds.act(booked["id"], "cancel")
    hotel.work(until=lambda: Key.objects.get().revoked_at is not None)
    assert Key.objects.get().revoked_because == "cancelled"
    cloudbeds.act(booked["id"], "restore")
    hotel.work(until=lambda: Key.objects.get().revoked_at is None)


def test_what_came_in_during_an_outage_is_held_and_nothing_else_is(hotel, cloudbeds):
    hotel.connect()
    before = cloudbeds.book(guest="Fay Before", room="101")
    hotel.work(until=lambda: stay_of(before) is not None)
    cloudbeds.post("access/revoke")
    hotel.probe()
    assert hotel.integration.state == State.BROKEN
    outage = Outage.objects.get()
    during = cloudbeds.book(guest="Gus During", room="102")
    cloudbeds.act(before["id"], "check-in")
    hotel.work()
    assert stay_of(during) is None
    cloudbeds.post("access/restore")
    hotel.connect()
    after = cloudbeds.book(guest="Hana After", room="103")
    hotel.work(until=lambda: Key.objects.count() == 3)
    outage.refresh_from_db()
    assert outage.ended_at is not None
    assert hotel.integration.state == State.CONNECTED
    marks = {r.booking_ref: r.came_in_during_id for r in Reservation.objects.all()}
    assert marks == {before["id"]: None, during["id"]: outage.pk, after["id"]: None}
    assert stay_of(before).affected_by_id == outage.pk
    assert stay_of(before).checked_in_at is not None
    held = Key.objects.get(reservation__booking_ref=during["id"])
    assert (
        "was broken when the reservation came in"
        in explain_key(key=held, now=database_now()).headline
    )


def test_another_property_is_refused_on_reconnect(hotel, cloudbeds):
    hotel.connect()
    url = connecting.begin_connect(
        property=hotel.property, adapter="cloudbeds", user_id=1, by=BY, now=database_now()
    )
    back = cloudbeds.allow(url, property_id="318268")
    with pytest.raises(
        connection.NotConnected,
        match=r"opens Canyon Lodge \(318268\), but this hotel was connected as 318267",
    ):
        connecting.finish_connect(
            state=back["state"], code=back["code"], user_id=1, by=BY, now=database_now()
        )
    assert hotel.integration.external_property_id == "318267"


BODIES = [
    (b"not json", 400),
    (b"[1]", 400),
    (b"{}", 400),
    (b"\xff\xfe", 400),
    (b'{"event":"reservation/created","propertyID_str":"999","timestamp":1}', 403),
    (b'{"event":"reservation/created","propertyID_str":"318267","timestamp":1}', 200),
    (b"x" * 300_000, 413),
    (b"[" * 100_000, 400),
    (
        b'{"event":"reservation/created","propertyID_str":"318267","timestamp":'
        + b"9" * 5000
        + b"}",
        400,
    ),
    (b'{"event":"reservation/\\u0000","propertyID_str":"318267","timestamp":1}', 400),
    (b'{"event":"reservation/created","propertyID_str":"\\ud800","timestamp":1}', 400),
    (
        b'{"event":"reservation/created","propertyID_str":"318267","timestamp":"\\u0000\\ud800"}',
        200,
    ),
    (b'{"event":"reservation/created","propertyID_str":"318267","timestamp":{"a":NaN}}', 200),
    (b'{"event":"a/b","propertyID_str":"318267","reservationID":{"x":[1]},"timestamp":2}', 200),
    (b'{"event":["a/b"],"propertyID_str":"318267"}', 400),
    (b'{"event":"a/b"}', 400),
]


def test_a_webhook_of_any_form_is_answered_and_never_an_error(hotel, client):
    hotel.connect()
    path = f"/hooks/cloudbeds/{hotel.integration.hook_secret}"
    for body, status in BODIES:
        for _ in range(2):
            answered = client.post(path, body, content_type="application/json")
            assert answered.status_code == status, body[:80]
        unknown = client.post("/hooks/cloudbeds/wrong", body, content_type="application/json")
        assert unknown.status_code in {404, 413}, body[:80]


def test_a_webhook_for_nobody_is_not_found(client):
    PropertyFactory()
    assert client.get("/hooks/cloudbeds/x").status_code == 405
    assert (
        client.post("/hooks/mystery/x", b"{}", content_type="application/json").status_code == 404
    )
