"""What every adapter must do, asked of each against its real simulator."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from pms.adapters import (
    App,
    CallRefused,
    ConnectionBroken,
    Hotel,
    Link,
    NotUnderstood,
    StayState,
    TokenExpired,
    TryLater,
    load,
)
from tests.pms.mews_server import CLIENT_TOKEN, SEASIDE

BACK = "http://127.0.0.1:9/settings/integrations/callback/"
DAY = timedelta(days=1)


@dataclass
class Case:
    """One vendor: its simulator, an open hotel there, and two of its rooms."""

    name: str
    server: Any
    hotel: Hotel
    rooms: tuple[str, str]
    dorm: str
    app: App

    def book(self, **wish: Any) -> dict[str, Any]:
        return self.server.book(**{"guest": "Ada Example", "room": self.rooms[0], **wish})

    def stays(self, pages: Any) -> list[Any]:
        return [stay for page in pages for stay in page.stays]

    def all(self) -> list[Any]:
        """Each stay that is current or coming, once."""
        found = self.stays(self.hotel.current_and_coming(now().date()))
        return list({stay.external_id: stay for stay in found}.values())

    def one(self) -> Any:
        (stay,) = self.all()
        return stay


def now() -> datetime:
    return datetime.now(UTC)


def _app(server: Any, **more: Any) -> App:
    return App(
        sign_in_url=server.url, api_url=server.url, timeout_s=2.0, calls_a_second=1000, **more
    )


@pytest.fixture(params=["cloudbeds", "mews"])
def case(request):
    server = request.getfixturevalue(f"{request.param}_process")
    server.post("reset", records=True)
    if request.param == "mews":
        app = _app(server, client_id="Portal 1.0.0", client_secret=CLIENT_TOKEN)
        vendor = load("mews")(app)
        tokens = vendor.read_token(f"  {server.access_token()}\n")
        link = Link(tokens=tokens, property_id=SEASIDE, timezone="Europe/Berlin")
        return Case(request.param, server, vendor.open(link), ("11", "12"), "Dorm 1", app)
    app = _app(server, client_id="portal-demo", client_secret="demo-secret")
    vendor = load("cloudbeds")(app)
    back = server.allow(vendor.authorize_url(state="s", redirect_uri=BACK))
    tokens = vendor.exchange(code=back["code"], redirect_uri=BACK)
    link = Link(tokens=tokens, property_id="318267", online_check_in_field="online_checkin")
    return Case(request.param, server, vendor.open(link), ("101", "102"), "Dorm 1", app)


def test_the_property_is_named_with_its_zone_times_and_clock(case):
    (facts,) = case.hotel.properties()
    facts = case.hotel.details(facts)
    assert facts.external_id == case.hotel.link.property_id
    assert facts.name
    assert "/" in facts.timezone
    assert facts.arrival_time > facts.departure_time
    assert abs(facts.clock_offset_s) < 2


def test_beds_name_the_dorm_they_stand_in(case):
    rooms = {room.name: room for room in case.hotel.rooms()}
    assert set(case.rooms) <= set(rooms)
    assert rooms[case.rooms[0]].parent_name == ""
    beds = [room for room in rooms.values() if room.parent_name == case.dorm]
    assert len(beds) >= 4


def test_a_stay_is_read_with_its_guest_room_dates_and_version(case):
    case.book(guest="Ada Example", nights=2)
    stay = case.one()
    assert (stay.state, stay.guest_name) == (StayState.EXPECTED, "Ada Example")
    assert stay.guest_email == "ada.example@example.com"
    assert stay.departure_on - stay.arrival_on == 2 * DAY
    assert abs(stay.created_at - now()) < timedelta(seconds=5)
    assert stay.updated_at >= stay.created_at
    assert (stay.checked_in, stay.checked_in_online) == (False, False)
    by_ref = {room.external_id: room.name for room in case.hotel.rooms()}
    assert by_ref[stay.room_ref] == case.rooms[0]


def test_it_is_found_by_its_id_its_booking_its_guest_and_its_time_of_change(case):
    case.book(guest="Bea Other", room=case.rooms[1])
    case.book()
    stay = next(each for each in case.all() if each.guest_name == "Ada Example")
    assert [s.external_id for s in case.stays(case.hotel.stays([stay.external_id]))] == [
        stay.external_id
    ]
    assert case.stays(case.hotel.bookings([stay.booking_ref])) == [stay]
    assert case.stays(case.hotel.bookings_of_guests([stay.guest_ref])) == [stay]
    changed = case.stays(case.hotel.changed(now() - timedelta(minutes=1), now=now()))
    assert {each.external_id for each in changed} == {each.external_id for each in case.all()}


def test_check_in_and_what_undoes_it(case):
    booked = case.book()["id"]
    case.server.act(booked, "online-check-in")
    stay = case.one()
    assert (stay.checked_in, stay.checked_in_online) == (False, True)
    case.server.act(booked, "check-in")
    stay = case.one()
    assert (stay.state, stay.checked_in) == (StayState.IN_HOUSE, True)
    case.server.act(booked, "undo-check-in")
    assert case.one().state is StayState.EXPECTED
    case.server.act(booked, "check-in")
    case.server.act(booked, "check-out")
    assert case.one().state is StayState.DEPARTED


@pytest.mark.parametrize(
    ("action", "state"),
    [
        ("cancel", StayState.CANCELLED),
        ("no-show", StayState.NO_SHOW),
        ("unconfirm", StayState.TENTATIVE),
    ],
)
def test_what_ends_or_unmakes_a_stay(case, action, state):
    booked = case.book()["id"]
    before = case.one()
    case.server.act(booked, action)
    (after,) = case.stays(case.hotel.stays([before.external_id]))
    assert after.state is state
    assert after.updated_at >= before.updated_at


def test_a_cancelled_stay_that_is_restored_is_expected_again(case):
    booked = case.book()["id"]
    ref = case.one().external_id
    case.server.act(booked, "cancel")
    case.server.act(booked, "restore")
    (stay,) = case.stays(case.hotel.stays([ref]))
    assert stay.state is StayState.EXPECTED


def test_a_room_move_and_a_room_taken_away(case):
    booked = case.book()["id"]
    first = case.one().room_ref
    case.server.act(booked, "move", room=case.rooms[1])
    moved = case.one().room_ref
    assert moved not in {first, ""}
    case.server.act(booked, "unassign")
    assert case.one().room_ref == ""


def test_two_rooms_of_one_booking_are_two_stays(case):
    case.book(rooms=list(case.rooms))
    first, second = case.all()
    assert first.booking_ref == second.booking_ref
    assert first.external_id != second.external_id
    assert first.room_ref != second.room_ref


def test_companions_belong_to_the_stay(case):
    case.book(guests=["Ada Example", "Bob Example"])
    stay = case.one()
    assert stay.guest_name == "Ada Example"
    assert [other.name for other in stay.companions] == ["Bob Example"]


def test_a_word_that_nobody_knows_is_unknown_and_fails_nothing(case):
    booked = case.book()["id"]
    case.server.act(booked, "oddity", unknown_status="levitating", unknown_state="Levitating")
    (stay,) = case.stays(case.hotel.stays([booked]))
    assert stay.state is StayState.UNKNOWN


def test_every_stay_of_many_pages_comes_once(case):
    for nights in range(1, 9):
        case.book(room="", count=15, nights=nights)
    assert len(case.all()) == 120


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("500", TryLater),
        ("503", TryLater),
        ("429_retry_after", TryLater),
        ("garbage", NotUnderstood),
        ("html", NotUnderstood),
        ("hang", TryLater),
        ("refused", CallRefused),
    ],
)
def test_each_kind_of_bad_answer_says_what_to_do_now(case, kind, error):
    case.book()
    case.server.post("faults", kind=kind, seconds=30)
    with pytest.raises(error) as caught:
        case.all()
    assert type(caught.value) is error
    assert case.hotel.link.tokens.access not in str(caught.value)
    if kind == "429_retry_after":
        assert caught.value.retry_after_s == 30
    case.server.post("faults/clear")
    assert len(case.all()) == 1


def test_access_that_was_taken_away_is_no_passing_trouble(case):
    case.server.post("access/revoke")
    with pytest.raises(ConnectionBroken) as caught:
        case.all()
    assert isinstance(caught.value, TokenExpired) or "no longer accepts" in str(caught.value)


def test_an_address_where_nobody_listens_is_passing_trouble(case):
    away = replace(case.app, api_url="http://127.0.0.1:9")
    with pytest.raises(TryLater):
        load(case.name)(away).open(case.hotel.link).properties()


def test_secrets_show_in_no_repr(case):
    told = repr(case.hotel.link) + repr(case.app)
    assert case.hotel.link.tokens.access not in told
    assert case.app.client_secret not in told
