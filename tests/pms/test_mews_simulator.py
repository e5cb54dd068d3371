"""The MEWS simulator over real HTTP: its wire format, its tokens, its lists and its troubles."""

from __future__ import annotations

import json
import re
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest

from tests.pms import mews_openapi
from tests.pms.mews_app import STATES, MewsApp
from tests.pms.mews_server import CLIENT_TOKEN, LANTERN, MESA, SEASIDE, start_mews

EXAMPLES = sorted((Path(__file__).parent / "payloads" / "mews").glob("*.json"))
LIST = "reservations/getAll/2023-06-06"
TOKEN_FORM = re.compile(r"[0-9A-F]{32}-[0-9A-F]{31}")

needs_document = pytest.mark.skipif(
    mews_openapi.document_missing(),
    reason="VENDOR_SPECS does not name a folder with the vendor's API document",
)


@pytest.fixture(scope="module")
def process():
    with start_mews("--requests", "0", "--retry-seconds", "0.1") as server:
        yield server


@pytest.fixture
def mews(process):
    process.post("reset", records=True, dials=True)
    return process


@pytest.fixture
def app(mews):
    return MewsApp(mews, mews.access_token())


def utc(moment):
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


# The document


@needs_document
def test_every_answer_is_as_the_vendor_documents_it(mews, app):
    booked = mews.book(
        guests=["Ada Example", "Bea Example"],
        rooms=[{"room": "11", "guests": ["Ada Example", "Bea Example"]}, {"room": "Dorm 1 A"}],
        nights=2,
    )
    for state in ("Inquired", "Requested", "Optional", "Started", "Processed", "no_show"):
        mews.book(room="any", state=state, force=True)
    mews.post("blocks", room="24")
    number, service = booked["id"], app.all("services/getAll")[0]["Id"]
    app.checked("configuration/get")
    app.checked("enterprises/getAll")
    app.checked("resources/getAll", Extent={"Resources": True, "Inactive": True})
    kinds = app.all("resourceCategories/getAll", ServiceIds=[service])
    ids = [kind["Id"] for kind in kinds]
    app.checked("resourceCategoryAssignments/getAll", ResourceCategoryIds=ids)
    assert len(app.all(LIST, States=STATES)) == 8
    everything = {"Customers": True, "Reservations": True, "ReservationGroups": True}
    app.checked("companionships/getAll", ReservationIds=[number], Extent=everything)
    app.checked("customers/getAll", Extent={"Customers": True})
    app.checked("reservationGroups/getAll", ReservationGroupIds=[booked["group_id"]])
    assert app.checked("resourceBlocks/getAll")["ResourceBlocks"][0]["Type"] == "OutOfOrder"
    update = {"ReservationId": number, "Options": {"OwnerCheckedIn": {"Value": True}}}
    app.checked("reservations/update", ReservationUpdates=[update])
    token = app.add_code(number, "482913")
    change = {"ResourceAccessTokenId": token["Id"], "Value": {"Value": "555000"}}
    app.checked("resourceAccessTokens/update", ResourceAccessTokenUpdates=[change])
    app.checked("resourceAccessTokens/getAll", ServiceOrderIds=[number])
    app.checked("resourceAccessTokens/delete", Ids=[token["Id"]])
    refused = app.call("configuration/get", AccessToken="nonsense")
    assert mews_openapi.violations_of_response("configuration/get", 401, refused.json()) == []


@needs_document
def test_the_comparison_itself_finds_what_is_wrong():
    credentials = {"ClientToken": "a", "AccessToken": "b", "Client": "Portal 1.0.0"}
    assert mews_openapi.violations_of_request(LIST, credentials)
    listed = {**credentials, "Limitation": {"Count": 5000}}
    assert mews_openapi.violations_of_request(LIST, listed)
    listed["Limitation"] = {"Count": 1000, "Cursor": None}
    assert mews_openapi.violations_of_request(LIST, listed) == []
    assert mews_openapi.violations_of_request(LIST, {**listed, "States": ["Enquired"]})
    assert mews_openapi.violations_of_request(LIST, {**listed, "reservationIds": []})
    assert mews_openapi.violations_of_response(LIST, 200, {"Reservations": [{"Id": "x"}]})
    assert mews_openapi.violations_of_request("nothing/getAll", listed)


@needs_document
@pytest.mark.parametrize("file", EXAMPLES, ids=lambda file: file.stem)
def test_the_kept_examples_are_as_the_vendor_documents_them(file):
    schema, body = file.stem.partition(".")[0], json.loads(file.read_text(encoding="utf-8"))
    if schema.startswith("webhook"):
        assert set(body) in ({"EnterpriseId", "IntegrationId", "Events"}, {"Action", "Data"})
    else:
        assert mews_openapi.violations(schema, body) == []


# The form of a request


@pytest.mark.parametrize("path", ["Configuration/get", "configuration/get/", "configuration/Get"])
def test_addresses_have_one_spelling(mews, app, path):
    answer = mews.client.post(f"/api/connector/v1/{path}", json=app.body())
    assert answer.status_code == 404
    assert answer.json()["RequestId"] == answer.headers["request-id"]


def test_only_json_is_taken_and_only_by_post(mews, app):
    at = "/api/connector/v1/configuration/get"
    assert mews.client.get(at).status_code == 405
    assert mews.client.post(at, data=app.body()).status_code == 415
    headers = {"content-type": "application/json"}
    broken = mews.client.post(at, content='{"ClientToken', headers=headers)
    assert (broken.status_code, broken.json()["Message"]) == (400, "Invalid JSON")


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"Chek": 1}, "Invalid Chek"),
        ({"Limitation": {"Count": 1001}}, "Invalid Count"),
        ({"Limitation": {"Count": 0}}, "Invalid Count"),
        ({"Limitation": None}, "Invalid Limitation"),
        ({"ReservationIds": ["x"]}, "Invalid ReservationIds"),
        ({"ReservationIds": []}, "Invalid ReservationIds"),
        ({"ReservationIds": [str(uuid4()) for _ in range(1001)]}, "Invalid ReservationIds"),
        ({"PartnerCompanyIds": [str(uuid4()) for _ in range(101)]}, "Invalid PartnerCompanyIds"),
        ({"States": ["Enquired"]}, "Invalid States"),
        ({"EnterpriseIds": [LANTERN]}, "Invalid EnterpriseIds"),
        ({"UpdatedUtc": {"StartUtc": "yesterday"}}, "Invalid StartUtc"),
        ({"UpdatedUtc": {"From": "2026-01-01T00:00:00Z"}}, "Invalid From"),
        (
            {"UpdatedUtc": {"StartUtc": "2026-01-01T00:00:00Z", "EndUtc": "2026-04-01T00:00:01Z"}},
            "Invalid UpdatedUtc",
        ),
        (
            {
                "ScheduledStartUtc": {"StartUtc": "2026-01-01T00:00:00Z"},
                "ActualStartUtc": {"StartUtc": "2026-01-01T00:00:00Z"},
            },
            "Invalid ActualStartUtc",
        ),
        ({"Client": None}, "Invalid Client"),
        ({"LanguageCode": "en-US"}, "Invalid CultureCode"),
    ],
)
def test_what_is_malformed_is_refused_by_name(app, wrong, message):
    answer = app.call(LIST, **{"Limitation": {"Count": 10}, **wrong})
    assert (answer.status_code, answer.json()["Message"]) == (400, message)


def test_three_months_are_not_too_long(app):
    bounds = {"StartUtc": "2026-01-01T00:00:00Z", "EndUtc": "2026-04-01T00:00:00Z"}
    assert app.all(LIST, UpdatedUtc=bounds) == []


# Tokens


def test_the_state_tells_tokens_of_the_vendors_form(mews):
    state = mews.get("state")
    assert state["client_token"] == CLIENT_TOKEN
    for one in state["integrations"]:
        assert TOKEN_FORM.fullmatch(one["access_token"])
        assert one["access_token"].startswith(one["id"].replace("-", "").upper())


def test_the_probe_names_the_hotel_its_zone_and_the_vendors_clock(app):
    body = app.checked("configuration/get")
    hotel, service = body["Enterprise"], body["Service"]["Data"]["Value"]
    assert (hotel["Id"], hotel["Name"]) == (SEASIDE, "Seaside Rooms")
    assert hotel["TimeZoneIdentifier"] == "Europe/Berlin"
    assert service["StartOffset"] == "P0M0DT15H0M0S"
    assert service["EndOffset"] == "P0M0DT10H0M0S"
    now = datetime.fromisoformat(body["NowUtc"])
    assert abs(now - datetime.now(UTC)) < timedelta(seconds=5)


@pytest.mark.parametrize("wrong", [{"ClientToken": "x"}, {"AccessToken": "x"}])
def test_a_wrong_token_is_a_401_with_the_request_id(app, wrong):
    answer = app.call("configuration/get", **wrong)
    assert answer.status_code == 401
    assert answer.json()["Message"] == f"Invalid {next(iter(wrong))}."
    assert answer.json()["RequestId"] == answer.headers["request-id"]


def test_a_new_token_kills_the_old_one(mews, app):
    mews.post("access/regenerate", property=SEASIDE)
    assert app.call("configuration/get").status_code == 401
    fresh = MewsApp(mews, mews.access_token())
    assert fresh.token != app.token
    fresh.checked("configuration/get")
    MewsApp(mews, mews.access_token(MESA)).checked("configuration/get")


@pytest.mark.parametrize(
    ("down", "up"), [("disable", "enable"), ("cancel", "reinstate"), ("revoke", "restore")]
)
def test_an_integration_ends_and_comes_back_with_its_token(mews, app, down, up):
    mews.post(f"access/{down}")
    assert app.call("configuration/get").status_code == 401
    mews.post(f"access/{up}")
    app.checked("configuration/get")


def test_a_deleted_integration_comes_back_with_another_token(mews, app):
    mews.post("access/delete")
    assert app.call("configuration/get").status_code == 401
    again = mews.client.post("/control/access/enable", json={})
    assert again.status_code == 409
    created = mews.post("access/create", property=SEASIDE)
    assert TOKEN_FORM.fullmatch(created["access_token"])
    MewsApp(mews, created["access_token"]).checked("configuration/get")
    assert app.call("configuration/get").status_code == 401


def test_one_operation_may_be_denied_while_the_probe_is_good(mews, app):
    mews.post("access/deny", operation="resourceAccessTokens/add")
    number = mews.book(room="11")["id"]
    denied = app.call("resourceAccessTokens/add", **app.code(number, "1234"))
    assert denied.status_code == 401
    app.checked("configuration/get")
    mews.post("access/allow", operation="resourceAccessTokens/add")
    app.add_code(number, "1234")


def test_a_disabled_hotel_lets_nobody_in(mews, app):
    mews.post(f"properties/{SEASIDE}", is_active=False)
    assert app.call("configuration/get").status_code == 401


def test_a_portfolio_token_opens_two_hotels_and_looks_like_any_other(mews):
    app = MewsApp(mews, mews.portfolio_token())
    assert app.checked("configuration/get")["Enterprise"]["IsPortfolio"] is True
    assert app.checked("configuration/get", EnterpriseId=MESA)["Enterprise"]["Id"] == MESA
    assert {row["Id"] for row in app.all("enterprises/getAll")} == {SEASIDE, MESA}
    mews.book(room="11")
    mews.book(property=MESA, room="1")
    mews.book(property=LANTERN, room="101")
    assert len(app.all(LIST)) == 2
    there = app.all(LIST, EnterpriseIds=[MESA])[0]["Id"]
    update = {"ReservationId": there, "Options": {"OwnerCheckedIn": {"Value": True}}}
    unnamed = app.call("reservations/update", ReservationUpdates=[update])
    assert unnamed.json()["Message"] == "Invalid EnterpriseId"
    app.checked("reservations/update", EnterpriseId=MESA, ReservationUpdates=[update])
    asked = {"Extent": {"Customers": True}, "Limitation": {"Count": 10}}
    assert app.call("customers/getAll", **asked).json()["Message"] == "Invalid ChainIds"
    chain = app.all("enterprises/getAll")[0]["ChainId"]
    assert len(app.all("customers/getAll", Extent={"Customers": True}, ChainIds=[chain])) == 2


def test_hotels_stay_apart_but_a_chain_shares_its_guests(mews, app):
    there = mews.book(property=MESA, room="1")
    mews.book(property=LANTERN, room="101")
    assert app.all(LIST, ReservationIds=[there["id"]]) == []
    guests = app.all("customers/getAll", Extent={"Customers": True})
    assert [guest["Id"] for guest in guests] == [there["account_id"]]
    foreign = app.call("resourceAccessTokens/add", **app.code(there["id"], "1234"))
    assert foreign.json()["Message"] == "Invalid ServiceOrderId"


# Lists


def test_lists_are_paged_backwards_and_end_with_a_null_cursor(mews, app):
    made = mews.book(room=None, count=5)["made"]
    pages, cursor = [], None
    for _ in range(3):
        page = app.checked(LIST, Limitation={"Count": 2, "Cursor": cursor})
        pages.append([row["Id"] for row in page["Reservations"]])
        if page["Cursor"]:
            assert page["Cursor"] == pages[-1][-1]
        cursor = page["Cursor"]
    assert [len(page) for page in pages] == [2, 2, 1]
    assert cursor is None
    assert [number for page in pages for number in page] == made[::-1]
    mews.post("quirks", cursor_on_last_page=True)
    assert app.checked(LIST, Limitation={"Count": 5})["Cursor"] == made[0]


def test_a_walk_is_not_disturbed_by_new_rows(mews, app):
    made = mews.book(room=None, count=4)["made"]
    first = app.checked(LIST, Limitation={"Count": 2})
    mews.book(room=None)
    second = app.checked(LIST, Limitation={"Count": 2, "Cursor": first["Cursor"]})
    assert [row["Id"] for row in second["Reservations"]] == made[1::-1]


def test_intervals_are_half_open_and_equal_bounds_mean_that_instant(mews, app):
    number = mews.book(room="11")["id"]
    stamp = app.all(LIST)[0]["UpdatedUtc"]
    moment = datetime.fromisoformat(stamp)
    second = timedelta(seconds=1)

    def found(starts, ends):
        bounds = {"StartUtc": utc(starts), "EndUtc": utc(ends)}
        return [row["Id"] for row in app.all(LIST, UpdatedUtc=bounds)]

    assert found(moment, moment + second) == [number]
    assert found(moment - second, moment) == []
    assert found(moment, moment) == [number]


def test_reservations_are_found_by_every_filter(mews, app):
    one = mews.book(room="11", nights=2, third_party="TW48ZP")
    mews.book(room="12", arrival="+40", nights=2)
    starts, ends = (datetime.fromisoformat(one[name]) for name in ("starts_at", "ends_at"))
    hour = timedelta(hours=1)

    def found(**filters):
        return [row["Id"] for row in app.all(LIST, **filters)] == [one["id"]]

    assert found(ReservationIds=[one["id"], str(uuid4())])
    assert found(ReservationGroupIds=[one["group_id"]])
    assert found(AccountIds=[one["account_id"]])
    assert found(Numbers=[one["number"]])
    assert found(ChannelNumbers=["TW48ZP"])
    assert found(AssignedResourceIds=[one["resource_id"]])
    assert found(ScheduledStartUtc={"StartUtc": utc(starts), "EndUtc": utc(starts + hour)})
    assert found(ScheduledEndUtc={"StartUtc": utc(ends), "EndUtc": utc(ends)})
    assert found(CollidingUtc={"StartUtc": utc(ends - hour), "EndUtc": utc(ends + hour)})
    assert found(CollidingUtc={"StartUtc": utc(starts), "EndUtc": utc(starts)})
    assert not app.all(LIST, CollidingUtc={"StartUtc": utc(ends), "EndUtc": utc(ends + hour)})
    assert not app.all(LIST, CollidingUtc={"StartUtc": utc(starts - hour), "EndUtc": utc(starts)})
    assert not app.all(LIST, AvailabilityBlockIds=[str(uuid4())])
    assert len(app.all(LIST, ServiceIds=[one["service_id"]])) == 2
    mews.act(one["id"], "check-in")
    now = datetime.now(UTC)
    assert found(ActualStartUtc={"StartUtc": utc(now - hour), "EndUtc": utc(now + hour)})
    assert found(States=["Started"])


def test_rooms_show_the_beds_of_a_dorm(mews, app):
    rooms = {row["Name"]: row for row in app.rooms()}
    singles = ["11", "12", "13", "14", "15", "16", "21", "22", "23", "24"]
    beds = [f"Dorm 1 {letter}" for letter in "ABCD"]
    assert sorted(rooms) == sorted([*singles, "Dorm 1", *beds])
    assert {rooms[bed]["ParentResourceId"] for bed in beds} == {rooms["Dorm 1"]["Id"]}
    assert rooms["11"]["ParentResourceId"] is None
    kinds = app.all("resourceCategories/getAll", ServiceIds=[app.all("services/getAll")[0]["Id"]])
    of_kind = {kind["Id"]: kind["Type"] for kind in kinds}
    assigned = app.all("resourceCategoryAssignments/getAll", ResourceCategoryIds=list(of_kind))
    types = {row["ResourceId"]: of_kind[row["CategoryId"]] for row in assigned}
    assert types[rooms["Dorm 1"]["Id"]] == "Dorm"
    assert types[rooms["Dorm 1 A"]["Id"]] == "Bed"


def test_inactive_rooms_are_hidden_unless_asked_for(mews, app):
    mews.post("rooms/24", is_active=False, name="24 closed")
    assert "24 closed" not in {row["Name"] for row in app.rooms()}
    shown = app.rooms(Extent={"Resources": True, "Inactive": True}, Names=["24 closed"])
    assert [row["IsActive"] for row in shown] == [False]


def test_guests_come_by_companionship_owner_and_group(mews, app):
    booked = mews.book(guests=["Ada A", "Bea B"], room="11")
    mews.act(booked["id"], "add-room", room="12", guest="Carl C")
    mews.act(booked["id"], "add-guest", guest="Dora D", whole_group=True)
    rows = app.all("companionships/getAll", Extent={}, ReservationIds=[booked["id"]])
    assert len(rows) == 2
    assert [row["ReservationId"] for row in rows] == [None, booked["id"]]
    assert app.guests(booked["id"]) == {"Ada A", "Bea B", "Dora D"}
    lonely = {"Extent": {}, "UpdatedUtc": {}, "Limitation": {"Count": 10}}
    assert app.call("companionships/getAll", **lonely).status_code == 400


def test_a_company_owns_and_its_guests_are_companions(mews, app):
    booked = mews.book(guests=["Ada A", "Bea B"], room="11", company=True)
    assert app.one(booked["id"])["AccountType"] == "Company"
    assert app.guests(booked["id"]) == {"Ada A", "Bea B"}


# The front desk


def test_a_stay_begins_and_ends_by_the_offsets_of_the_service(mews, app):
    at = datetime.fromisoformat(
        app.one(mews.book(room="11", arrival="2026-07-01")["id"])["ScheduledStartUtc"]
    )
    assert at == datetime(2026, 7, 1, 13, tzinfo=UTC)
    west = MewsApp(mews, mews.access_token(MESA))
    one = west.one(mews.book(property=MESA, room="1", arrival="2026-01-10")["id"])
    assert one["ScheduledStartUtc"] == "2026-01-10T22:00:00Z"
    assert one["ScheduledEndUtc"] == "2026-01-11T17:00:00Z"


def test_a_stay_goes_through_its_states_and_back(mews, app):
    number = mews.book(room="11")["id"]
    assert app.one(number)["State"] == "Confirmed"
    mews.act(number, "check-in")
    started = app.one(number)
    assert started["State"] == "Started"
    assert started["ActualStartUtc"]
    mews.act(number, "undo-check-in")
    undone = app.one(number)
    assert (undone["State"], undone["ActualStartUtc"]) == ("Confirmed", None)
    assert undone["Options"]["OwnerCheckedIn"] is False
    mews.act(number, "check-in")
    mews.act(number, "check-out")
    left = app.one(number)
    assert left["State"] == "Processed"
    assert left["ActualEndUtc"] < left["ScheduledEndUtc"]


def test_cancelled_not_shown_and_restored(mews, app):
    number = mews.book(room="11")["id"]
    mews.act(number, "cancel")
    assert app.one(number)["CancellationReason"] == "RequestedByGuest"
    mews.act(number, "restore")
    back = app.one(number)
    assert (back["State"], back["CancelledUtc"]) == ("Confirmed", None)
    assert back["AssignedResourceId"]
    mews.act(number, "no-show")
    gone = app.one(number)
    assert (gone["State"], gone["CancellationReason"]) == ("Canceled", "NoShow")
    mews.book(room="11")
    assert mews.act(number, "restore")["room"] is None


def test_online_check_in_shows_in_the_options_only(mews, app):
    number = mews.book(room="11")["id"]
    mews.act(number, "online-check-in", companions=True)
    one = app.one(number)
    assert one["State"] == "Confirmed"
    assert one["Options"] == {
        "OwnerCheckedIn": True,
        "AllCompanionsCheckedIn": True,
        "AnyCompanionCheckedIn": True,
        "ConnectorCheckIn": False,
    }
    mews.act(number, "online-check-in", done=False)
    update = {"ReservationId": number, "Options": {"OwnerCheckedIn": {"Value": True}}}
    app.checked("reservations/update", ReservationUpdates=[update])
    options = app.one(number)["Options"]
    assert options["OwnerCheckedIn"] is True
    assert options["ConnectorCheckIn"] is True


def test_the_api_moves_and_extends_a_stay_and_refuses_what_it_does_not_know(mews, app):
    number = mews.book(room="11")["id"]
    other = next(room["Id"] for room in app.rooms() if room["Name"] == "12")
    ends = "2027-01-05T09:00:00Z"
    wish = {"ReservationId": number, "AssignedResourceId": {"Value": other}}
    app.checked("reservations/update", ReservationUpdates=[{**wish, "EndUtc": {"Value": ends}}])
    changed = app.one(number)
    assert (changed["AssignedResourceId"], changed["ScheduledEndUtc"]) == (other, ends)
    unknown = {"ReservationId": number, "ChannelNumber": {"Value": "X"}}
    assert app.call("reservations/update", ReservationUpdates=[unknown]).status_code == 403
    nobody = {"ReservationId": str(uuid4())}
    assert app.call("reservations/update", ReservationUpdates=[nobody]).status_code == 400


def test_rooms_are_moved_given_and_taken_away(mews, app):
    number = mews.book(room="11")["id"]
    assert mews.act(number, "move", room="Dorm 1 B")["room"] == "Dorm 1 B"
    mews.book(room="12")
    taken = mews.client.post(f"/control/reservations/{number}/move", json={"room": "12"})
    assert (taken.status_code, taken.json()["error"]) == (409, "Room 12 is taken at that time.")
    assert mews.act(number, "move", room="12", force=True)["room"] == "12"
    mews.act(number, "unassign")
    assert app.one(number)["AssignedResourceId"] is None


def test_a_group_has_a_reservation_for_each_room(mews, app):
    booked = mews.book(rooms=[{"room": "11"}, {"room": "12"}, {"room": "Dorm 1 A"}])
    rows = app.all(LIST, ReservationGroupIds=[booked["group_id"]])
    assert {row["Id"] for row in rows} == set(booked["group"])
    mews.act(booked["group"][1], "check-in")
    assert sorted(row["State"] for row in app.all(LIST)) == ["Confirmed", "Confirmed", "Started"]


def test_guests_are_renamed_merged_and_anonymised_without_touching_the_stay(mews, app):
    booked = mews.book(room="11", guest="Ada A")
    before = app.one(booked["id"])
    mews.post("clock", shift_seconds=60)
    mews.act(booked["id"], "change-guest", first="Adele")
    assert app.guests(booked["id"]) == {"Adele A"}
    mews.act(booked["id"], "merge-guest", guest="Ada Kept")
    merged = app.customers([booked["account_id"]])[0]
    assert merged["IsActive"] is False
    assert app.customers([merged["MergeTargetId"]])[0]["LastName"] == "Kept"
    mews.act(booked["id"], "anonymise-guest")
    nobody = app.customers([booked["account_id"]])[0]
    assert (nobody["FirstName"], nobody["Email"]) == (None, None)
    assert app.one(booked["id"]) == before


def test_the_older_states_and_an_unknown_one(mews, app):
    number = mews.book(room="11", state="Optional")["id"]
    assert app.one(number)["ReleasedUtc"]
    for state in ("Inquired", "Requested", "Confirmed"):
        mews.act(number, "state", state=state)
        assert app.one(number)["State"] == state
    mews.act(number, "oddity", unknown_state="OnTheWay", null_enums=True)
    odd = app.call(LIST, Limitation={"Count": 10}).json()["Reservations"][0]
    assert (odd["State"], odd["Origin"], odd["CommanderOrigin"]) == ("OnTheWay", None, None)


# Codes told to the staff


def test_codes_are_added_changed_and_deleted(mews, app):
    booked = mews.book(room="11")
    token = app.add_code(booked["id"], "482913", ResourceId=booked["resource_id"])
    assert (token["Value"], token["IsActive"]) == ("482913", True)
    assert token["Permissions"] == {"Bed": False, "Room": True, "Floor": False, "Building": True}
    assert len({token["Id"], app.add_code(booked["id"], "482913")["Id"]}) == 2
    ends = "2027-01-05T09:00:00Z"
    change = {
        "ResourceAccessTokenId": token["Id"],
        "ValidityEndUtc": {"Value": ends},
        "Permissions": {"Floor": {"Value": True}},
    }
    app.checked("resourceAccessTokens/update", ResourceAccessTokenUpdates=[change])
    app.checked("resourceAccessTokens/delete", Ids=[token["Id"]])
    gone = app.codes(booked["id"], ActivityStates=["Deleted"])
    assert [(row["Id"], row["ValidityEndUtc"], row["IsActive"]) for row in gone] == [
        (token["Id"], ends, False)
    ]
    assert gone[0]["Permissions"]["Floor"] is True
    assert len(app.codes(booked["id"])) == 2
    again = app.call("resourceAccessTokens/delete", Ids=[token["Id"]])
    assert again.json()["Message"] == "Invalid ResourceAccessTokenId"


@pytest.mark.parametrize(
    ("wrong", "name"),
    [
        ({"Value": "x" * 256}, "Value"),
        ({"Value": ""}, "Value"),
        ({"Type": "Pin"}, "Type"),
        ({"Permissions": {"Room": True}}, "Room"),
        ({"ResourceId": str(uuid4())}, "ResourceId"),
        ({"ServiceOrderId": str(uuid4())}, "ServiceOrderId"),
        ({"ValidityEndUtc": "2020-01-01T00:00:00Z"}, "ValidityEndUtc"),
        ({"CompanionshipId": str(uuid4())}, "CompanionshipId"),
    ],
)
def test_a_wrong_code_is_refused_by_name(mews, app, wrong, name):
    body = app.code(mews.book(room="11")["id"], "1234")
    body["ResourceAccessTokenParameters"][0] |= wrong
    answer = app.call("resourceAccessTokens/add", **body)
    assert (answer.status_code, answer.json()["Message"]) == (400, f"Invalid {name}")


def test_a_search_for_codes_needs_a_filter(app):
    answer = app.call("resourceAccessTokens/getAll", Limitation={"Count": 10})
    assert answer.status_code == 400


# Trouble


@pytest.mark.parametrize(
    ("kind", "status", "text"),
    [
        ("429", 429, "Too many"),
        ("500", 500, "error"),
        ("503", 503, "unavailable"),
        ("401", 401, "Invalid AccessToken"),
        ("400", 400, "so it is"),
        ("refused", 403, "so it is"),
        ("408", 408, "too long"),
        ("409", 409, "changed"),
        ("413", 413, "too large"),
        ("garbage", 200, '{"Reservations": [{"Id"'),
        ("html", 200, "<!doctype html>"),
        ("hang", 504, "timeout"),
        ("lost_answer", 504, "timeout"),
    ],
)
def test_a_fault_spoils_one_answer(mews, app, kind, status, text):
    said = {"message": "so it is"} if text == "so it is" else {}
    mews.post("faults", kind=kind, method="services/getAll", times=1, seconds=0.1, **said)
    assert app.call("configuration/get").status_code == 200
    spoiled = app.call("services/getAll", Limitation={"Count": 10})
    assert (spoiled.status_code, text in spoiled.text) == (status, True)
    assert len(app.all("services/getAll")) == 1


def test_a_fault_of_one_hotel_leaves_the_others_alone(mews, app):
    mews.post("faults", kind="500", property_id=SEASIDE)
    assert app.call("configuration/get").status_code == 500
    MewsApp(mews, mews.access_token(MESA)).checked("configuration/get")


def test_incomplete_lists_and_lost_answers(mews, app):
    mews.book(room=None, count=4)
    mews.post("faults", kind="empty_list", times=1)
    assert app.all(LIST) == []
    mews.post("faults", kind="partial", times=1)
    assert len(app.all(LIST)) == 2
    number = mews.book(room="11")["id"]
    mews.post("faults", kind="lost_answer", method="resourceAccessTokens/add", times=1, seconds=0.1)
    assert app.call("resourceAccessTokens/add", **app.code(number, "1234")).status_code == 504
    assert len(app.codes(number)) == 1


def test_too_many_calls_of_one_token_are_answered_with_429(mews, app):
    mews.post("limits", requests=5, window_seconds=0.6)
    answers = [app.call("configuration/get") for _ in range(6)]
    assert [answer.status_code for answer in answers] == [200] * 5 + [429]
    assert answers[5].headers["retry-after"] == "1"
    MewsApp(mews, mews.access_token(MESA)).checked("configuration/get")
    mews.post("limits", tells_retry_after=False)
    silent = app.call("configuration/get")
    assert (silent.status_code, "retry-after" in silent.headers) == (429, False)
    time.sleep(0.7)
    app.checked("configuration/get")


def test_the_usual_limit_is_200_calls_in_30_seconds():
    with start_mews() as server:
        limits = server.get("limits")
        assert (limits["requests"], limits["window_seconds"]) == (200, 30.0)


def test_the_clock_can_be_shifted(mews, app):
    mews.post("clock", shift_seconds=3600)
    now = datetime.fromisoformat(app.checked("configuration/get")["NowUtc"])
    assert timedelta(minutes=59) < now - datetime.now(UTC) < timedelta(minutes=61)
    stamp = datetime.fromisoformat(app.one(mews.book(room="11")["id"])["UpdatedUtc"])
    assert stamp - now < timedelta(seconds=10)


def test_the_log_keeps_no_secret(mews, app):
    app.add_code(mews.book(room="11")["id"], "482913")
    text = json.dumps(mews.get("requests"))
    assert '"call": "resourceAccessTokens/add"' in text
    for secret in (CLIENT_TOKEN, app.token, "482913"):
        assert secret not in text


# The hotel


def test_the_seeded_hotel_has_guests_tonight_and_tomorrow(mews):
    mews.post("seed")
    found = mews.get("reservations")["reservations"]
    assert [one["state"] for one in found].count("Started") == 3
    assert [one["state"] for one in found].count("Confirmed") == 5
    assert len({one["arrival"] for one in found}) == 3
    assert mews.post("seed")["made"] == []


def test_life_goes_on_by_itself_but_leaves_pinned_stays_alone():
    with start_mews("--life", "--life-seconds", "0.05", "--seed-stays") as server:
        pinned = server.book(room="any", pinned=True)
        time.sleep(3)
        after = server.get("reservations", limit=500)["reservations"]
        assert len(after) != 9 or any(one["state"] == "Canceled" for one in after)
        assert server.get(f"reservations/{pinned['id']}")["state"] == pinned["state"]


def test_the_store_outlives_the_process(tmp_path):
    data = ("--data", str(tmp_path / "mews.sqlite3"))
    with start_mews(*data) as server:
        booked = server.book(room="11")
        token = server.post("access/regenerate")["access_token"]
    with start_mews(*data) as server:
        assert server.get(f"reservations/{booked['id']}")["state"] == "Confirmed"
        MewsApp(server, token).checked("configuration/get")
        assert int(server.book(room="12")["number"]) > int(booked["number"])


def test_the_control_page_works_with_forms_alone(mews):
    page = mews.client.get("/").text
    assert "this is not MEWS" in page
    assert mews.access_token() in page
    assert "<script" not in page
    wish = {"property": SEASIDE, "guest": "<b>Ada</b> X", "room": "11", "nights": "2"}
    answer = mews.client.post("/control/reservations", data=wish)
    assert answer.status_code == 303
    page = mews.client.get(answer.headers["location"]).text
    assert "&lt;b&gt;Ada&lt;/b&gt; X" in page
    for action in ("check-in", "undo-check-in", "cancel", "restore"):
        address = re.search(rf'action="(/control/reservations/[^"]+/{action})"', page)[1]
        assert mews.client.post(address, data={"property": SEASIDE}).status_code == 303
        page = mews.client.get("/").text
    taken = mews.client.post("/control/reservations", data=wish).headers["location"]
    assert "taken" in mews.client.get(taken).text
    address = {"property": SEASIDE, "integration": mews.integration()["id"]}
    mews.client.post("/control/access/delete", data=address)
    assert "Create anew" in mews.client.get("/").text
    assert mews.client.get("/", params={"property": "1"}).status_code == 404
