"""The Cloudbeds simulator over real HTTP: its wire format, its sign-in, its webhooks, its troubles."""

from __future__ import annotations

import json
import re
import time
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path

import httpx2
import pytest

from tests.eventually import eventually
from tests.pms import openapi
from tests.pms.cloudbeds_server import start_cloudbeds
from tests.pms.webhook_listener import Listener

HARBOR, CANYON = "318267", "318268"
PAYLOADS = Path(__file__).parent / "payloads" / "cloudbeds"
EXAMPLES = sorted(PAYLOADS.glob("get*.json"))
API = "/api/v1.3"
BACK = "http://127.0.0.1:9/back"
SCOPES = (
    "read:reservation write:reservation read:guest read:room write:room read:hotel"
    " read:customFields write:customFields"
)
KEY_GRANT = "urn:ietf:params:oauth:grant-type:api-key"
AWAY = [f"reservation/{action}" for action in ("created", "status_changed", "deleted")]

needs_document = pytest.mark.skipif(
    openapi.document_missing(),
    reason="VENDOR_SPECS does not name a folder with the vendor's API document",
)


@pytest.fixture(scope="module")
def process():
    with start_cloudbeds("--per-second", "0", "--retry-seconds", "0.1") as server:
        yield server


@pytest.fixture
def cloudbeds(process):
    process.post("reset", records=True, dials=True)
    return process


@pytest.fixture
def listener():
    heard = Listener()
    yield heard
    heard.stop()


class App:
    """The partner app: a token, and calls whose answers are compared with the document."""

    def __init__(self, server, tokens):
        self.server = server
        self.tokens = tokens

    def call(self, verb, name, form=None, token=None, **query):
        headers = {"Authorization": f"Bearer {token or self.tokens['access_token']}"}
        return self.server.client.request(
            verb, f"{API}/{name}", params=query, data=form, headers=headers
        )

    def checked(self, verb, name, form=None, **query):
        """A good call: request and answer as documented, no invented field, success."""
        answer = self.call(verb, name, form, **query)
        assert answer.status_code == 200, answer.text
        body = answer.json()
        if not openapi.document_missing():
            assert openapi.violations_of_request(verb, name, query, form) == []
            assert openapi.violations_of_response(verb, name, 200, body) == []
            extra = openapi.unlisted_fields(verb, name, body)
            assert [field for field in extra if not field.endswith("customFieldID")] == []
        assert body.get("success", True) in {True, "true"}
        return body

    def listen(self, url, *events):
        for event in events:
            entity, action = event.split("/")
            form = {"object": entity, "action": action, "endpointUrl": url}
            self.checked("POST", "postWebhook", form)


def ask(server, **form):
    whole = {"client_id": "portal-demo", "client_secret": "demo-secret", **form}
    return server.client.post(f"{API}/access_token", data=whole)


def new_code(server, *, property_id=HARBOR, scope=SCOPES, state="s-1"):
    url = httpx2.URL(
        f"{server.url}{API}/oauth",
        params={
            "client_id": "portal-demo",
            "redirect_uri": BACK,
            "response_type": "code",
            "scope": scope,
            "state": state,
        },
    )
    back = server.allow(str(url), property_id=property_id)
    assert back["state"] == state
    return back["code"]


def exchange(server, code, grant="authorization_code"):
    return ask(server, grant_type=grant, code=code, redirect_uri=BACK)


def connect(server, **wish):
    return App(server, exchange(server, new_code(server, **wish)).json())


@pytest.fixture
def app(cloudbeds):
    return connect(cloudbeds)


# The document


@needs_document
def test_every_answer_is_as_the_vendor_documents_it(cloudbeds, app):
    booking = cloudbeds.book(
        guests=["Ada Example", "Bea Example"],
        room="101",
        rooms=[{"room": "101"}, {"room": None, "room_type": "Dorm bed"}],
        nights=2,
        arrival_time="17:30:00",
        fields={"online_checkin": "done"},
    )
    canceled = cloudbeds.book(room="102", status="canceled")["id"]
    number, at = booking["id"], {"includeGuestsDetails": "true", "includeCustomFields": "true"}
    app.checked("GET", "oauth/metadata")
    app.checked("GET", "userinfo", role_details="true")
    app.checked("GET", "getHotels")
    app.checked("GET", "getHotelDetails", propertyID=HARBOR)
    app.checked("GET", "getRooms", includeRoomRelations="1", pageSize="100")
    rows = app.checked("GET", "getReservationsWithRateDetails", includeDeleted="true", **at)["data"]
    assert {row["reservationID"] for row in rows} == {number, canceled}
    app.checked("GET", "getReservations", includeAllRooms="true", **at)
    app.checked("GET", "getReservation", reservationID=number)
    for stay in booking["stays"]:
        app.checked("GET", "getReservationRoomDetails", subReservationID=stay["id"])
    app.checked("GET", "getReservationAssignments")
    app.checked("POST", "postRoomCheckIn", {"reservationID": number, "subReservationID": number})
    app.checked("POST", "postRoomCheckOut", {"reservationID": number, "subReservationID": number})
    app.checked("POST", "postCustomField", {"name": "Door code", "shortcode": "portal_door_code"})
    app.checked("GET", "getCustomFields", shortcode="portal_door_code")
    field = {
        "customFields[0][customFieldName]": "portal_door_code",
        "customFields[0][customFieldValue]": "101: 482913",
    }
    changed = app.checked("PUT", "putReservation", {"reservationID": number, **field})
    assert {f["shortcode"]: f["customFieldValue"] for f in changed["data"]["customFields"]} == {
        "online_checkin": "done",
        "portal_door_code": "101: 482913",
    }
    app.listen("http://127.0.0.1:9/hook", "reservation/created")
    hook = app.checked("GET", "getWebhooks")["data"][0]
    app.checked("DELETE", "deleteWebhook", subscriptionID=hook["id"])
    assert app.checked("GET", "getWebhooks")["data"] == []
    assert app.checked("GET", "getAppState")["data"]["app_state"] == "enabled"
    app.checked("POST", "postAppState", {"app_state": "disabled"})


@needs_document
def test_tokens_are_answered_as_the_vendor_documents_them(cloudbeds):
    body = exchange(cloudbeds, new_code(cloudbeds)).json()
    assert openapi.violations_of_response("POST", "access_token", 200, body) == []
    assert body["resources"] == [{"type": "property", "id": HARBOR}]
    assert body["expires_in"] == 28800


@needs_document
def test_the_comparison_itself_finds_what_is_wrong():
    misspelled = openapi.violations_of_request("GET", "getReservations", {"modifiedfrom": "x"})
    assert misspelled == ["modifiedfrom is not a parameter"]
    assert openapi.violations_of_request("GET", "getReservation", {}) == [
        "reservationID is missing"
    ]
    assert openapi.violations_of_request(
        "GET", "getReservations", {"includeAllRooms": "1", "modifiedFrom": "2026-11-23T10:00"}
    )
    stamp = {"modifiedFrom": "2026-11-23 10:00:00", "checkInTo": "2026-11-24"}
    assert openapi.violations_of_request("GET", f"{API}/getReservations", stamp) == []
    assert openapi.violations_of_request("PUT", "putReservation", form={"status": "cancelled"})
    assert openapi.violations_of_request(
        "PUT", "putReservation", form={"customFields[0][name]": "a"}
    )
    body = {"success": True, "data": [{"status": "cancelled"}]}
    assert openapi.violations_of_response("GET", "getReservations", 200, body)
    assert openapi.violations_of_response("GET", "getNothing", 200, {})


@needs_document
@pytest.mark.parametrize("file", EXAMPLES, ids=lambda file: file.stem)
def test_the_kept_examples_are_as_the_vendor_documents_them(file):
    body = json.loads(file.read_text(encoding="utf-8"))
    assert openapi.violations_of_response("GET", file.stem, 200, body) == []


# Sign-in and tokens


def test_the_authorise_page_offers_allow_and_deny_and_echoes_the_state(cloudbeds):
    asked = {
        "client_id": "portal-demo",
        "redirect_uri": BACK,
        "response_type": "code",
        "state": 'a"b&c',
    }
    shown = cloudbeds.client.get(f"{API}/oauth", params=asked)
    assert shown.status_code == 200
    assert "Allow" in shown.text
    assert "Deny" in shown.text
    denied = cloudbeds.client.post(f"{API}/oauth", data={**asked, "decision": "deny"})
    back = httpx2.URL(denied.headers["location"])
    assert denied.status_code == 302
    assert dict(back.params)["error"] == "access_denied"
    assert dict(back.params)["state"] == 'a"b&c'


@pytest.mark.parametrize(
    "wrong",
    [
        {"client_id": "other"},
        {"redirect_uri": "https://evil.example/back"},
        {"response_type": "token"},
    ],
)
def test_a_wrong_authorisation_request_is_never_redirected(cloudbeds, wrong):
    asked = {"client_id": "portal-demo", "redirect_uri": BACK, "response_type": "code"} | wrong
    answer = cloudbeds.client.post(f"{API}/oauth", data={**asked, "decision": "allow"})
    assert answer.status_code == 400


def test_a_code_works_once_and_for_ten_minutes(cloudbeds):
    code = new_code(cloudbeds)
    assert exchange(cloudbeds, code).status_code == 200
    again = exchange(cloudbeds, code)
    assert again.status_code == 401
    assert again.json()["error"] == "server_error"
    late = new_code(cloudbeds)
    cloudbeds.post("clock", shift_seconds=601)
    assert exchange(cloudbeds, late).status_code == 401


def test_a_refresh_rotates_and_the_old_refresh_token_is_refused(cloudbeds, app):
    first = app.tokens["refresh_token"]
    fresh = ask(cloudbeds, grant_type="refresh_token", refresh_token=first).json()
    assert fresh["refresh_token"] != first
    refused = ask(cloudbeds, grant_type="refresh_token", refresh_token=first)
    assert refused.status_code == 400
    assert refused.json()["message"] == "The refresh token is invalid."
    assert app.call("GET", "getHotels", token=fresh["access_token"]).json()["success"] is True
    cloudbeds.post("tokens", rotate=False)
    kept = ask(cloudbeds, grant_type="refresh_token", refresh_token=fresh["refresh_token"]).json()
    assert kept["refresh_token"] == fresh["refresh_token"]


def test_a_wrong_client_secret_gets_no_token(cloudbeds):
    assert ask(cloudbeds, client_secret="guess", grant_type="refresh_token").status_code == 401


def test_an_access_token_ends_after_its_life(cloudbeds, app):
    assert app.call("GET", "getHotels").status_code == 200
    cloudbeds.post("clock", shift_seconds=28801)
    assert app.call("GET", "getHotels").status_code == 401


def test_an_api_key_lives_on_use_and_dies_of_disuse(cloudbeds):
    key = exchange(cloudbeds, new_code(cloudbeds), KEY_GRANT).json()["access_token"]
    assert key.startswith("cbat_")
    day = 86400

    def hotels():
        return cloudbeds.client.get(f"{API}/getHotels", headers={"x-api-key": key})

    for days in (20, 40):
        cloudbeds.post("clock", shift_seconds=days * day)
        assert hotels().status_code == 200
    cloudbeds.post("clock", shift_seconds=71 * day)
    assert hotels().status_code == 401
    assert hotels().json()["title"] == "Unauthorized"


def test_revoked_access_ends_tokens_and_subscriptions(cloudbeds, app, listener):
    app.listen(listener.url, "integration/appstate_changed", "reservation/created")
    other = connect(cloudbeds, property_id=CANYON)
    cloudbeds.post("access/revoke", property=HARBOR)
    denied = app.call("GET", "getHotels")
    assert denied.status_code == 401
    assert denied.json()["error"] == "access_denied"
    told = listener.wait(1)[0]
    assert (told["clientID"], told["newState"]) == ("portal-demo", "disabled")
    refused = ask(cloudbeds, grant_type="refresh_token", refresh_token=app.tokens["refresh_token"])
    assert refused.json()["message"] == "The refresh token is invalid."
    assert other.call("GET", "getHotels").status_code == 200
    again = connect(cloudbeds)
    assert again.checked("GET", "getWebhooks")["data"] == []
    assert again.checked("GET", "getAppState")["data"]["app_state"] == "enabled"


def test_a_revocation_can_be_taken_back(cloudbeds, app):
    cloudbeds.post("access/revoke")
    assert app.call("GET", "getAppState").status_code == 401
    cloudbeds.post("access/restore")
    assert app.checked("GET", "getAppState")["data"]["app_state"] == "enabled"


def test_the_app_ends_its_own_access(cloudbeds, app):
    app.call("POST", "postAppState", {"app_state": "disabled"})
    assert app.call("GET", "getHotels").status_code == 401


# Reading


def test_hotels_stay_apart(cloudbeds, app):
    there = cloudbeds.book(property=CANYON, room="Cabin 1")["id"]
    assert app.checked("GET", "getReservationsWithRateDetails")["data"] == []
    hidden = app.call("GET", "getReservation", reservationID=there).json()
    assert hidden == {"success": False, "message": "Reservation not found"}
    wrong = app.call("GET", "getReservations", propertyID=CANYON).json()
    assert "None of the included property id's" in wrong["message"]


def test_a_group_account_must_name_the_property(cloudbeds):
    app = connect(cloudbeds, property_id=f"{HARBOR},{CANYON}")
    assert app.tokens["resources"][0]["type"] == "association"
    assert len(app.checked("GET", "getHotels")["data"]) == 2
    asked = app.call("GET", "getHotelDetails").json()
    assert asked["message"] == 'Please specify "propertyID" parameter for this call'


def test_rooms_come_in_pages_of_twenty_unless_asked_otherwise(cloudbeds):
    app = connect(cloudbeds, property_id=CANYON)
    first = app.checked("GET", "getRooms")
    assert (first["count"], first["total"]) == (20, 24)
    second = app.checked("GET", "getRooms", pageNumber="2")
    assert second["count"] == 4
    assert app.checked("GET", "getRooms", pageSize="100")["count"] == 24


def test_rooms_show_beds_of_a_dorm_and_virtual_rooms(app):
    rooms = app.checked("GET", "getRooms", pageSize="100", includeRoomRelations="1")
    by_name = {room["roomName"]: room for room in rooms["data"][0]["rooms"]}
    beds = [room for room in by_name.values() if room.get("dormRoomName") == "Dorm 1"]
    assert len(beds) == 4
    assert not any(bed["isPrivate"] for bed in beds)
    joined = by_name["205+206"]
    assert joined["isVirtual"]
    assert joined["linkedRoomIDs"] == [by_name["205"]["roomID"], by_name["206"]["roomID"]]


def test_reservations_are_paged_and_never_more_than_a_hundred(cloudbeds, app):
    cloudbeds.book(room=None, count=103)
    pages = [
        app.checked("GET", "getReservationsWithRateDetails", pageNumber=str(n), pageSize="500")
        for n in (1, 2)
    ]
    assert [page["count"] for page in pages] == [100, 3]
    ids = {row["reservationID"] for page in pages for row in page["data"]}
    assert len(ids) == pages[0]["total"] == 103


def test_the_lists_are_filtered_by_time_of_change_in_property_time(cloudbeds, app):
    number = cloudbeds.book(room="101")["id"]
    row = app.checked("GET", "getReservationsWithRateDetails")["data"][0]

    def found(**query):
        data = app.checked("GET", "getReservationsWithRateDetails", **query)["data"]
        return [one["reservationID"] for one in data]

    assert found(modifiedFrom=row["dateModified"], modifiedTo=row["dateModified"]) == [number]
    assert found(modifiedFrom="2099-01-01 00:00:00") == []
    assert found(reservationID=f"{number},1") == [number]
    assert found(excludeStatuses="confirmed") == []
    refused = app.call("GET", "getReservations", modifiedFrom="2026-11-23T10:00:00Z")
    assert refused.status_code == 400


def test_unknown_filters_are_silently_ignored(cloudbeds, app):
    cloudbeds.book(room="101")
    assert app.call("GET", "getReservations", chekInFrom="2099-01-01").json()["total"] == 1


def test_reservations_are_found_by_dates_status_and_room(cloudbeds, app):
    today = cloudbeds.book(room="101", nights=2)
    later = cloudbeds.book(room="102", arrival="+5")
    day = later["check_in"]

    def found(**query):
        data = app.checked("GET", "getReservations", **query)["data"]
        return {one["reservationID"] for one in data}

    assert found(checkInFrom=day, checkInTo=day) == {later["id"]}
    assert found(checkOutTo=today["check_out"]) == {today["id"]}
    assert found(status="checked_in") == set()
    assert found(status="confirmed", roomID=today["stays"][0]["room_id"]) == {today["id"]}


def test_a_deleted_reservation_is_hidden_unless_asked_for(cloudbeds, app):
    number = cloudbeds.book(room="101")["id"]
    cloudbeds.act(number, "delete")
    assert app.checked("GET", "getReservations")["data"] == []
    assert app.checked("GET", "getReservationsWithRateDetails")["data"] == []
    rows = app.checked("GET", "getReservationsWithRateDetails", includeDeleted="true")["data"]
    assert rows[0]["isDeleted"] is True
    assert app.call("GET", "getReservation", reservationID=number).json()["success"] is False


def test_an_unassigned_room_has_no_id(cloudbeds, app):
    number = cloudbeds.book(room=None)["id"]
    line = app.checked("GET", "getReservationsWithRateDetails")["data"][0]["rooms"][0]
    assert "roomID" not in line
    assert line["roomName"] is None
    full = app.checked("GET", "getReservation", reservationID=number)["data"]
    assert (len(full["assigned"]), len(full["unassigned"])) == (0, 1)


# The front desk


def status_of(app, number):
    rows = app.checked(
        "GET", "getReservationsWithRateDetails", reservationID=number, includeDeleted="true"
    )["data"]
    return rows[0]["status"], [room["roomStatus"] for room in rows[0]["rooms"]]


def test_rooms_are_checked_in_one_by_one(cloudbeds, app):
    number = cloudbeds.book(rooms=[{"room": "101"}, {"room": "102"}])["id"]
    cloudbeds.act(number, "check-in", stay="101")
    assert status_of(app, number) == ("confirmed", ["in_house", "not_checked_in"])
    cloudbeds.act(number, "check-in", stay=f"{number}-1")
    assert status_of(app, number) == ("checked_in", ["in_house", "in_house"])
    cloudbeds.act(number, "undo-check-in")
    assert status_of(app, number) == ("confirmed", ["not_checked_in", "not_checked_in"])
    cloudbeds.act(number, "check-in")
    cloudbeds.act(number, "check-out")
    assert status_of(app, number) == ("checked_out", ["checked_out", "checked_out"])


def test_a_reservation_is_cancelled_restored_and_not_shown(cloudbeds, app):
    number = cloudbeds.book(room="101")["id"]
    cloudbeds.act(number, "cancel")
    assert status_of(app, number) == ("canceled", ["cancelled"])
    cloudbeds.act(number, "restore")
    assert status_of(app, number) == ("confirmed", ["not_checked_in"])
    cloudbeds.act(number, "no-show")
    assert status_of(app, number)[0] == "no_show"


def test_a_room_given_away_is_lost_to_a_restored_stay(cloudbeds):
    number = cloudbeds.book(room="101")["id"]
    cloudbeds.act(number, "cancel")
    cloudbeds.book(room="101")
    assert cloudbeds.act(number, "restore")["stays"][0]["room"] is None


def test_a_taken_room_is_refused_unless_forced(cloudbeds):
    cloudbeds.book(room="101")
    refused = cloudbeds.client.post("/control/reservations", json={"room": "101"})
    assert refused.status_code == 409
    assert refused.json()["error"] == "Room 101 is taken on one of these nights."
    assert cloudbeds.book(room="101", force=True)["stays"][0]["room"] == "101"


def test_the_api_checks_in_and_refuses_card_numbers(cloudbeds, app):
    number = cloudbeds.book(room="101", fields={"note": ""})["id"]
    app.checked("PUT", "putReservation", {"reservationID": number, "status": "checked_in"})
    assert status_of(app, number) == ("checked_in", ["in_house"])
    card = {"customFields[0][customFieldName]": "note"}
    for value, good in (("4111111111111111", False), ("4111-1111-1111-1111", True)):
        form = {"reservationID": number, **card, "customFields[0][customFieldValue]": value}
        assert app.call("PUT", "putReservation", form).json()["success"] is good


def test_json_bodies_and_wrong_verbs_are_refused(app):
    headers = {"Authorization": f"Bearer {app.tokens['access_token']}"}
    client = app.server.client
    answer = client.post(f"{API}/postWebhook", json={"object": "guest"}, headers=headers)
    assert answer.status_code == 415
    assert client.post(f"{API}/getHotels", headers=headers).status_code == 405
    assert client.get(f"{API}/getNothing", headers=headers).status_code == 404
    assert app.call("GET", "getReservation").status_code == 400


def test_a_missing_scope_is_a_refusal_with_200(cloudbeds):
    app = connect(cloudbeds, scope="read:hotel")
    answer = app.call("GET", "getRooms")
    assert answer.status_code == 200
    assert answer.json()["message"] == "Scope required for this call was not granted by property."


# Webhooks


def test_one_action_sends_several_events_with_their_own_letter_case(cloudbeds, app, listener):
    moved = ["reservation/accommodation_changed", "guest/assigned"]
    app.listen(listener.url, *AWAY, *moved, "reservation/custom_fields_changed", "guest/created")
    number = cloudbeds.book(room="101")["id"]
    listener.wait(3)
    created = next(body for body in listener.bodies if body["event"] == "reservation/created")
    assert created["reservationID"] == number
    assert (created["propertyID"], created["propertyID_str"]) == (int(HARBOR), HARBOR)
    guest = next(body for body in listener.bodies if body["event"] == "guest/created")
    assert guest["guestId_str"] == str(guest["guestId"])
    assert guest["propertyId_str"] == HARBOR
    listener.bodies.clear()
    cloudbeds.act(number, "move", room="102")
    told = {body["event"]: body for body in listener.wait(2)}
    assert set(told) == set(moved)
    assert told[moved[0]]["roomId"] != told[moved[0]]["roomIdPrev"]
    listener.bodies.clear()
    cloudbeds.act(number, "online-check-in", value="yes")
    field = listener.wait(1)[0]["createdCustomFields"][0]
    assert (field["name"], field["new_value"]) == ("online_checkin", "yes")
    listener.bodies.clear()
    cloudbeds.act(number, "cancel")
    assert listener.wait(1)[0]["status"] == "canceled"


def test_a_failed_webhook_is_tried_five_times_and_then_dropped(cloudbeds, app, listener):
    app.listen(listener.url, "reservation/created")
    listener.answers = [500, 500]
    cloudbeds.book(room="101")

    def last_state() -> str:
        return cloudbeds.get("deliveries")["deliveries"][-1]["state"]

    eventually(lambda: last_state() == "delivered")
    assert len(listener.bodies) == 3
    assert listener.bodies[0] == listener.bodies[2]
    listener.bodies.clear()
    listener.answers = [500] * 9
    cloudbeds.book(room="102")
    eventually(lambda: last_state() == "given up")
    time.sleep(0.4)
    assert len(listener.bodies) == 5


def test_a_slow_receiver_is_tried_again(cloudbeds, app, listener):
    cloudbeds.post("webhooks", timeout_seconds=0.2)
    app.listen(listener.url, "reservation/created")
    listener.slow = 0.5
    cloudbeds.book(room="101")
    listener.wait(2)


def test_webhooks_are_lost_repeated_held_and_shuffled_on_demand(cloudbeds, app, listener):
    app.listen(listener.url, "reservation/created")
    cloudbeds.post("webhooks", drop=1)
    cloudbeds.book(room=None)
    assert cloudbeds.get("deliveries")["deliveries"][-1]["state"] == "lost"
    cloudbeds.post("webhooks", drop=0, repeat=2)
    cloudbeds.book(room=None)
    assert len({body["reservationID"] for body in listener.wait(3)}) == 1
    listener.bodies.clear()
    cloudbeds.post("webhooks", repeat=0, paused=True)
    cloudbeds.book(room=None)
    time.sleep(0.2)
    assert listener.bodies == []
    cloudbeds.post("webhooks", paused=False, shuffle_seconds=1.0)
    listener.wait(1)
    listener.bodies.clear()
    made = cloudbeds.book(room=None, count=12)["made"]
    came = [body["reservationID"] for body in listener.wait(12)]
    assert sorted(came) == sorted(made)
    assert came != made


def test_a_delayed_webhook_comes_later(cloudbeds, app, listener):
    app.listen(listener.url, "reservation/created")
    cloudbeds.post("webhooks", delay_seconds=0.5)
    begun = time.monotonic()
    cloudbeds.book(room="101")
    listener.wait(1)
    assert time.monotonic() - begun >= 0.5


def test_a_double_subscription_doubles_every_event(cloudbeds, app, listener):
    app.listen(listener.url, "reservation/created", "reservation/created")
    cloudbeds.book(room="101")
    listener.wait(2)


def test_an_unknown_event_cannot_be_subscribed(app):
    form = {"object": "reservation", "action": "changed", "endpointUrl": "http://127.0.0.1/x"}
    assert app.call("POST", "postWebhook", form).json()["success"] is False


def test_silent_changes_and_changes_without_a_new_stamp(cloudbeds, app, listener):
    app.listen(listener.url, *AWAY)
    booking = cloudbeds.book(room="101", silent=True)
    cloudbeds.post("clock", shift_seconds=60)
    changed = cloudbeds.act(booking["id"], "check-in", touch=False)
    assert changed["modified_at"] == booking["modified_at"]
    assert listener.wait(1)[0]["status"] == "checked_in"
    assert "reservation/created" not in [body["event"] for body in listener.bodies]


# Trouble


@pytest.mark.parametrize(
    ("kind", "status", "text"),
    [
        ("429", 429, "Too many"),
        ("500", 500, "error"),
        ("503", 503, "unavailable"),
        ("401", 401, "access_denied"),
        ("401_key_revoked", 401, "Unauthorized"),
        ("garbage", 200, '{"success": tru'),
        ("html", 200, "<!doctype html>"),
        ("user_inactive", 200, "is not active anymore"),
        ("property_canceled", 200, "invalid status. See details: canceled: "),
        ("wrong_property", 200, "None of the included"),
        ("scope_missing", 200, "Scope required"),
        ("refused", 200, "so it is"),
        ("hang", 504, "timeout"),
        ("lost_answer", 504, "timeout"),
    ],
)
def test_a_fault_spoils_one_answer(cloudbeds, app, kind, status, text):
    cloudbeds.post(
        "faults", kind=kind, method="getHotels", times=1, seconds=0.1, message="so it is"
    )
    assert app.call("GET", "getRooms").status_code == 200
    spoiled = app.call("GET", "getHotels")
    assert spoiled.status_code == status
    assert text in spoiled.text
    assert app.call("GET", "getHotels").json()["success"] is True


def test_retry_after_and_incomplete_lists(cloudbeds, app):
    cloudbeds.book(room=None, count=4)
    cloudbeds.post("faults", kind="429_retry_after", times=1, seconds=7)
    assert app.call("GET", "getReservations").headers["retry-after"] == "7"
    cloudbeds.post("faults", kind="empty_list", times=1)
    assert app.checked("GET", "getReservations")["total"] == 0
    cloudbeds.post("faults", kind="partial", times=1)
    half = app.checked("GET", "getReservations")
    assert (half["count"], half["total"]) == (2, 4)


def test_a_lost_answer_was_carried_out(cloudbeds, app):
    number = cloudbeds.book(room="101")["id"]
    cloudbeds.post("faults", kind="lost_answer", method="putReservation", times=1, seconds=0.1)
    form = {"reservationID": number, "status": "checked_in"}
    assert app.call("PUT", "putReservation", form).status_code == 504
    assert cloudbeds.get(f"reservations/{number}")["status"] == "checked_in"


def test_too_many_calls_a_second_are_answered_with_429(cloudbeds, app):
    cloudbeds.post("limits", per_second=5, retry_after=1)
    answers = [app.call("GET", "getAppState") for _ in range(8)]
    statuses = [answer.status_code for answer in answers]
    assert 429 in statuses
    assert statuses[:5] == [200] * 5
    assert answers[statuses.index(429)].headers["retry-after"] == "1"


def test_a_hotel_that_left_cloudbeds_or_whose_approver_left(cloudbeds, app):
    cloudbeds.post(f"properties/{HARBOR}", user_active=False)
    assert "not active anymore" in app.call("GET", "getRooms").json()["message"]
    cloudbeds.post(f"properties/{HARBOR}", user_active=True, status="canceled")
    assert f"canceled: {HARBOR}" in app.call("GET", "getRooms").json()["message"]
    cloudbeds.post(f"properties/{HARBOR}", status="active")


def test_odd_records_are_answered_oddly(cloudbeds, app):
    number = cloudbeds.book(room="101")["id"]
    cloudbeds.act(
        number, "oddity", unknown_status="on_the_way", room_id_missing=True, empty_guest_list=True
    )
    row = app.call("GET", "getReservationsWithRateDetails", includeGuestsDetails="true").json()
    assert row["data"][0]["status"] == "on_the_way"
    assert row["data"][0]["guestList"] == []
    assert "roomID" not in row["data"][0]["rooms"][0]
    assert row["data"][0]["rooms"][0]["roomName"] == "101"


def test_the_clock_can_be_shifted(cloudbeds, app):
    cloudbeds.post("clock", shift_seconds=3600)
    stamp = parsedate_to_datetime(app.call("GET", "getAppState").headers["date"])
    assert timedelta(minutes=59) < stamp - datetime.now(UTC) < timedelta(minutes=61)


def test_each_answer_has_a_request_id_and_the_log_keeps_no_secret(cloudbeds, app):
    assert re.fullmatch(r"[0-9a-f]{16}", app.call("GET", "getRooms").headers["x-request-id"])
    text = json.dumps(cloudbeds.get("requests"))
    assert '"call": "getRooms"' in text
    for secret in ("demo-secret", app.tokens["access_token"], app.tokens["refresh_token"]):
        assert secret not in text


# The hotel


def test_the_seeded_hotel_has_guests_tonight_and_tomorrow(cloudbeds):
    cloudbeds.post("seed")
    found = cloudbeds.get("reservations")["reservations"]
    states = [booking["status"] for booking in found]
    assert states.count("checked_in") == 4
    assert states.count("confirmed") == 7
    assert len({booking["check_in"] for booking in found}) == 3
    assert cloudbeds.post("seed")["made"] == []


def test_life_goes_on_by_itself_but_leaves_pinned_stays_alone(listener):
    with start_cloudbeds("--life", "--life-seconds", "0.05", "--seed-stays") as server:
        pinned = server.book(room="any", pinned=True)
        time.sleep(4)
        after = server.get("reservations", limit=500)["reservations"]
        assert len(after) != 12 or any(one["status"] == "canceled" for one in after)
        assert server.get(f"reservations/{pinned['id']}")["stays"] == pinned["stays"]


def test_the_store_outlives_the_process(tmp_path):
    data = ("--data", str(tmp_path / "cloudbeds.sqlite3"))
    with start_cloudbeds(*data) as server:
        number = server.book(room="101")["id"]
        tokens = connect(server).tokens
    with start_cloudbeds(*data) as server:
        assert server.get(f"reservations/{number}")["status"] == "confirmed"
        assert App(server, tokens).call("GET", "getHotels").status_code == 200
        assert server.book(room="102")["id"] > number


def test_the_control_page_works_with_forms_alone(cloudbeds):
    page = cloudbeds.client.get("/").text
    assert "this is not Cloudbeds" in page
    assert "<script" not in page
    form = {"property": HARBOR, "guest": "<b>Ada</b> X", "room": "101", "nights": "2"}
    answer = cloudbeds.client.post("/control/reservations", data=form)
    assert answer.status_code == 303
    page = cloudbeds.client.get(answer.headers["location"]).text
    assert "&lt;b&gt;Ada&lt;/b&gt; X" in page
    action = re.search(r'action="(/control/reservations/\d+/check-in)"', page)
    assert cloudbeds.client.post(action[1], data={"property": HARBOR}).status_code == 303
    taken = cloudbeds.client.post("/control/reservations", data=form).headers["location"]
    assert "taken" in cloudbeds.client.get(taken).text
    assert cloudbeds.client.get("/", params={"property": "1"}).status_code == 404
