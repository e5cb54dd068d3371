"""The Cloudbeds adapter against the real simulator: what each answer means, and each call against the vendor's document."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qsl

import pytest

from pms import connection
from pms.adapters import (
    App,
    CallRefused,
    ConnectionBroken,
    Link,
    NotUnderstood,
    StayState,
    Subject,
    TokenExpired,
    TryLater,
    load,
)
from tests.pms import openapi

BACK = "http://127.0.0.1:9/settings/integrations/callback/"
HOOK = "http://127.0.0.1:9/hooks/cloudbeds/"


@pytest.fixture
def vendor(cloudbeds_process):
    cloudbeds_process.post("reset", records=True)
    app = App(
        sign_in_url=cloudbeds_process.url,
        api_url=cloudbeds_process.url,
        client_id="portal-demo",
        client_secret="demo-secret",
        timeout_s=2.0,
        calls_a_second=1000,
    )
    return load("cloudbeds")(app)


def signed_in(vendor, server, property_id="318267"):
    back = server.allow(vendor.authorize_url(state="s", redirect_uri=BACK), property_id=property_id)
    assert back["state"] == "s"
    return vendor.exchange(code=back["code"], redirect_uri=BACK)


@pytest.fixture
def link(vendor, cloudbeds_process):
    tokens = signed_in(vendor, cloudbeds_process)
    return Link(tokens=tokens, property_id="318267", online_check_in_field="online_checkin")


@pytest.fixture
def hotel(vendor, link):
    return vendor.open(link)


def stays(pages):
    return [stay for page in pages for stay in page.stays]


def now():
    return datetime.now(UTC)


@pytest.mark.skipif(openapi.document_missing(), reason="VENDOR_SPECS names no vendor documents")
def test_every_request_and_answer_agrees_with_the_vendors_document(vendor, cloudbeds_process):
    wrong: list[str] = []
    seen: set[str] = set()

    def check(response):
        response.read()
        request = response.request
        path = request.url.path.removeprefix("/api/v1.3")
        seen.add(path)
        query = dict(parse_qsl(request.url.query.decode(), keep_blank_values=True))
        form = dict(parse_qsl(request.content.decode(), keep_blank_values=True))
        wrong.extend(openapi.violations_of_request(request.method, path, query=query, form=form))
        wrong.extend(
            openapi.violations_of_response(
                request.method, path, response.status_code, response.json()
            )
        )

    vendor.wire._opened().event_hooks = {"response": [check]}
    tokens = vendor.refresh(signed_in(vendor, cloudbeds_process))
    hotel = vendor.open(Link(tokens=tokens, property_id="318267"))
    booking = cloudbeds_process.book(guest="Ada Example", room="101")
    hotel.details(hotel.properties()[0])
    hotel.address()
    hotel.rooms()
    found = stays(hotel.bookings([booking["id"]]))
    list(hotel.bookings_of_guests([found[0].guest_ref]))
    list(hotel.changed(now() - timedelta(minutes=1), now=now()))
    list(hotel.current_and_coming(now().date()))
    hotel.mend_webhooks(f"{HOOK}a", own_prefix=HOOK)
    hotel.mend_webhooks(f"{HOOK}b", own_prefix=HOOK)
    hotel.leave()
    assert wrong == []
    assert len(seen) == 10


def test_a_stay_is_read_with_its_guest_room_dates_and_version(hotel, cloudbeds_process):
    booking = cloudbeds_process.book(guest="Ada Example", room="101")
    (stay,) = stays(hotel.bookings([booking["id"]]))
    assert (stay.booking_ref, stay.room_name, stay.guest_name) == (
        booking["id"],
        "101",
        "Ada Example",
    )
    assert stay.state is StayState.EXPECTED
    assert stay.arrival_on < stay.departure_on
    assert abs(stay.created_at - now()) < timedelta(seconds=5)
    assert stay.updated_at >= stay.created_at
    cloudbeds_process.act(booking["id"], "check-in")
    (stay,) = stays(hotel.bookings([booking["id"]]))
    assert stay.state is StayState.IN_HOUSE
    assert stay.checked_in
    cloudbeds_process.act(booking["id"], "delete")
    (stay,) = stays(hotel.bookings([booking["id"]]))
    assert stay.state is StayState.DELETED


def test_a_state_that_nobody_knows_is_unknown_and_fails_nothing(hotel, cloudbeds_process):
    booking = cloudbeds_process.book(guest="Ada Example", room="101")
    cloudbeds_process.act(
        booking["id"],
        "oddity",
        unknown_status="levitating",
        empty_guest_list=True,
        room_id_missing=True,
    )
    (stay,) = stays(hotel.bookings([booking["id"]]))
    assert stay.state is StayState.UNKNOWN
    assert stay.room_ref == ""


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("401", TokenExpired),
        ("401_key_revoked", TokenExpired),
        ("500", TryLater),
        ("503", TryLater),
        ("429_retry_after", TryLater),
        ("garbage", NotUnderstood),
        ("html", NotUnderstood),
        ("hang", TryLater),
        ("user_inactive", ConnectionBroken),
        ("property_canceled", ConnectionBroken),
        ("wrong_property", CallRefused),
        ("scope_missing", CallRefused),
        ("refused", CallRefused),
        ("partial", NotUnderstood),
    ],
)
def test_each_kind_of_bad_answer_says_what_to_do_now(hotel, cloudbeds_process, kind, error):
    for room in ("101", "102"):
        cloudbeds_process.book(guest="Ada Example", room=room)
    cloudbeds_process.post("faults", kind=kind, seconds=30)
    with pytest.raises(error) as caught:
        list(hotel.current_and_coming(now().date()))
    assert type(caught.value) is error
    assert "secret" not in str(caught.value)
    if kind == "429_retry_after":
        assert caught.value.retry_after_s == 30
    cloudbeds_process.post("faults/clear")
    assert len(stays(hotel.current_and_coming(now().date()))) == 2


def test_a_short_overload_is_waited_for(hotel, cloudbeds_process):
    cloudbeds_process.post("faults", kind="429_retry_after", seconds=1, times=1)
    assert hotel.properties()


def test_a_refused_refresh_is_a_broken_connection_and_an_outage_of_it_is_not(
    vendor, link, cloudbeds_process
):
    cloudbeds_process.post("faults", kind="500", method="access_token", times=1)
    with pytest.raises(TryLater):
        vendor.refresh(link.tokens)
    fresh = vendor.refresh(link.tokens)
    assert fresh.access != link.tokens.access
    with pytest.raises(ConnectionBroken):
        vendor.refresh(link.tokens)
    with pytest.raises(CallRefused):
        vendor.exchange(code="used", redirect_uri=BACK)


def test_webhooks_are_subscribed_once_and_old_addresses_given_up(hotel, cloudbeds_process):
    first = hotel.mend_webhooks(f"{HOOK}a", own_prefix=HOOK)
    assert first.added == 13
    assert not first.refused
    again = hotel.mend_webhooks(f"{HOOK}a", own_prefix=HOOK)
    assert (again.added, again.removed) == (0, 0)
    moved = hotel.mend_webhooks(f"{HOOK}b", own_prefix=HOOK)
    assert (moved.added, moved.removed) == (13, 13)


def test_secrets_show_in_no_repr(link, vendor):
    assert link.tokens.access not in repr(link)
    assert link.tokens.refresh not in repr(link)
    assert "demo-secret" not in repr(vendor.app)


@pytest.mark.parametrize(
    ("body", "subject", "ref"),
    [
        ({"event": "reservation/created", "reservationID": "7"}, Subject.BOOKING, "7"),
        ({"event": "reservation/deleted", "reservationId": 7}, Subject.BOOKING, "7"),
        ({"event": "guest/details_changed", "guestId": 9, "guestId_str": "9"}, Subject.GUEST, "9"),
        ({"event": "integration/appstate_changed", "clientID": "x"}, Subject.CONNECTION, ""),
        ({"event": "night_audit/completed"}, Subject.NOTHING, ""),
        ({"event": "reservation/created", "reservationID": "x\x00; drop"}, Subject.NOTHING, ""),
    ],
)
def test_a_webhook_is_only_a_hint_at_what_to_read(body, subject, ref):
    (hint,) = load("cloudbeds").read_events({"propertyID": 318267, "timestamp": 1.5, **body})
    assert (hint.subject, hint.ref, hint.property_id) == (subject, ref, "318267")


def test_adapters_are_opened_once_per_process(settings):
    assert connection.adapter_of("cloudbeds") is connection.adapter_of("cloudbeds")
