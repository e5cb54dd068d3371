"""Door Codes shown in the PMS: written once they are on the locks, kept up to date, never in anyone's way."""

from __future__ import annotations

import json
import re
import time
from datetime import timedelta
from urllib.parse import parse_qsl

import pytest
from django.db import connection as database
from django.test.utils import CaptureQueriesContext

from keys import issuing, pms_codes
from keys.delivery import look
from keys.models import Credential, Key
from locks.clock import database_now
from pms import connecting, connection, writing_back
from pms.adapters import StayCode
from pms.adapters.cloudbeds_codes import text_of
from pms.adapters.mews_codes import planned
from pms.models import WebhookEvent, WriteBack
from tests.eventually import eventually
from tests.factories import BY, AccountFactory, DoorFactory, LockFactory, now
from tests.pms import mews_openapi, openapi
from tests.pms.conftest import Hotel
from tests.pms.mews_hotel import MewsHotel
from tests.pms.mews_server import CLIENT_TOKEN, SEASIDE

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("quick")]
FIELD = "portal_door_code"
DAY = timedelta(days=1)


class CloudbedsDesk:
    """One field of a booking says the codes of all its rooms."""

    rooms = ("101", "102", "103", "104")
    add, read = "putReservation", "getReservation"
    used = {"putReservation", "getReservation", "getCustomFields"}
    refusals = ("scope_missing", "refused")

    def __init__(self, cloudbeds):
        self.pms = cloudbeds

    def book(self, rooms):
        lines = [{"room": room, "guest": "Ada Example"} for room in rooms]
        made = self.pms.book(guest="Ada Example", rooms=lines)
        self.pms.act(made["id"], "check-in", force=True)
        return [made["id"]]

    def shown(self, ids):
        text = self.pms.get(f"reservations/{ids[0]}")["fields"].get(FIELD, "")
        return dict(part.split(": ") for part in text.split("; ")) if text else {}

    def calls(self, name):
        return [c for c in self.pms.get("requests")["requests"] if c["call"] == name]

    def break_(self):
        self.pms.post("access/revoke")

    def mend(self):
        self.pms.post("access/restore")


class MewsDesk(CloudbedsDesk):
    """Each reservation has access tokens of its own."""

    rooms = ("11", "12", "13", "14")
    add, read = "resourceAccessTokens/add", "resourceAccessTokens/getAll"
    used = {"add", "update", "delete", "getAll"}
    refusals = ("401", "refused")

    def book(self, rooms):
        lines = [{"room": room, "guest": "Ada Example"} for room in rooms]
        ids = self.pms.book(guest="Ada Example", rooms=lines)["group"]
        for one in ids:
            self.pms.act(one, "check-in", force=True)
        return ids

    def tokens(self, ids):
        asked = {
            "ClientToken": CLIENT_TOKEN,
            "AccessToken": self.pms.access_token(),
            "Client": "a test",
            "Limitation": {"Count": 100},
            "ServiceOrderIds": ids,
            "ActivityStates": ["Active"],
        }
        answer = self.pms.client.post(f"/api/connector/v1/{self.read}", json=asked)
        return answer.json()["ResourceAccessTokens"]

    def shown(self, ids):
        names = {room["id"]: room["name"] for room in self.pms.get("rooms")["rooms"]}
        tokens = self.tokens(ids)
        found = {names[token["ResourceId"]]: token["Value"] for token in tokens}
        assert len(found) == len(tokens), "two codes for one room"
        return found

    def calls(self, name):
        return [c for c in self.pms.get("requests")["requests"] if c["path"].endswith(name)]

    def break_(self):
        self.pms.post("access/disable", property=SEASIDE, announce=False)

    def mend(self):
        self.pms.post("access/enable", property=SEASIDE, announce=False)


class House:
    """The hotel with a lock on each of its doors, and what its workers do."""

    def __init__(self, hotel, desk, simlock):
        self.hotel, self.desk, self.pms = hotel, desk, desk.pms
        self.rooms = desk.rooms
        account = AccountFactory(property=hotel.property, base_url=simlock.url, token=simlock.token)
        for name in desk.rooms:
            door = hotel.doors.get(name) or DoorFactory(property=hotel.property, name=name)
            simlock.add_lock(name)
            LockFactory(account=account, external_id=name, door=door)
        hotel.connect()

    def work(self, rounds=2):
        """A few rounds of everything that the worker does."""
        for _ in range(rounds):
            self.hotel.work()
            look(now=now())
            pms_codes.tell_all(now=database_now())
            writing_back.write_all(now=database_now())

    def until(self, condition, seconds=8.0):
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, "what was waited for did not happen"
            self.work(1)
            time.sleep(0.05)

    def stay(self, *rooms):
        """Guests who have checked in, each in a room of their own; returns the PMS's ids."""
        return self.desk.book(rooms or self.rooms[:1])

    def shown(self, ids):
        """The codes that the PMS shows, by room."""
        return self.desk.shown(ids)

    def codes(self, *rooms):
        """The main guests' present Door Codes by room."""
        held = Credential.objects.filter(kind="door_code", retired_at=None)
        return {
            room: str(held.get(key__doors__door__name=room, key__doors__removed_at=None).secret)
            for room in rooms or self.rooms[:1]
        }

    def until_shown(self, ids, *rooms):
        self.until(lambda: Key.objects.exists() and self.shown(ids) == self.codes(*rooms))

    def until_gone(self, ids):
        self.until(lambda: self.shown(ids) == {})

    def calls(self):
        return self.desk.calls(self.desk.add)

    def forget_calls(self):
        self.pms.client.delete("/control/requests")


@pytest.fixture(params=["cloudbeds", "mews"])
def house(request, simlock, settings):
    settings.PMS_TIMEOUT_S = 5.0
    connection._opened.cache_clear()  # what it knew of the fields of earlier tests
    server = request.getfixturevalue(request.param)
    if request.param == "mews":
        return House(MewsHotel(server), MewsDesk(server), simlock)
    return House(Hotel(server), CloudbedsDesk(server), simlock)


def told():
    return pms_codes.shown_in_pms(Key.objects.get(), now=now())


def due_now():
    WriteBack.objects.filter(next_try_at__isnull=False).update(next_try_at=now())


def door_code():
    return Credential.objects.get(kind="door_code", retired_at=None)


def test_a_code_on_its_lock_is_shown_in_the_pms_once(house):
    stay = house.stay()
    house.until_shown(stay)
    house.work(3)
    assert len(house.calls()) == 1
    row = WriteBack.objects.get()
    assert (row.next_try_at, row.claimed_until, row.sent, row.problem) == (None, None, "", "")
    assert told().state == "written"
    assert told().sentence.startswith("written ")


def test_nothing_is_shown_before_the_code_is_on_every_lock(house, simlock):
    simlock.offline(house.rooms[0])
    stay = house.stay()
    house.work(3)
    assert house.shown(stay) == {}
    assert told().sentence == "not yet: the code is not on every lock of this key"
    simlock.online(house.rooms[0])
    house.until_shown(stay)


def test_two_rooms_of_a_booking_show_a_code_each(house):
    stay = house.stay(*house.rooms[:2])
    house.until(lambda: Key.objects.count() == 2)
    house.until_shown(stay, *house.rooms[:2])
    one = Key.objects.get(doors__door__name=house.rooms[0])
    issuing.revoke(key=one, by=BY, now=now())
    house.until(lambda: house.shown(stay) == house.codes(house.rooms[1]))


def test_a_change_of_room_or_code_replaces_it(house):
    stay = house.stay()
    house.until_shown(stay)
    house.pms.act(stay[0], "move", room=house.rooms[1])
    house.until(lambda: set(house.shown(stay)) == {house.rooms[1]})
    before = house.codes(house.rooms[1])
    issuing.regenerate(credential=door_code(), by=BY, now=now())
    house.until_shown(stay, house.rooms[1])
    assert house.codes(house.rooms[1]) != before


@pytest.mark.parametrize("end", ["cancel", "check-out", "revoke"])
def test_a_key_that_is_over_takes_its_code_along(house, end):
    stay = house.stay()
    house.until_shown(stay)
    if end == "revoke":
        issuing.revoke(key=Key.objects.get(), by=BY, now=now())
    else:
        house.pms.act(stay[0], end, force=True)
    house.until_gone(stay)
    assert WriteBack.objects.get().wanted == ""


def test_a_key_that_ends_takes_its_code_along_though_nothing_changed(house):
    stay = house.stay()
    house.until_shown(stay)
    house.work(2)
    assert pms_codes._expired(database_now()) == set()
    later = Key.objects.get().over_at
    assert pms_codes._expired(later) == {house.hotel.property.pk}

    def gone():
        pms_codes.tell_all(now=later)
        due_now()
        writing_back.write_all(now=database_now())
        return house.shown(stay) == {}

    eventually(gone)


def test_a_held_door_takes_it_back_and_a_released_one_shows_it_again(house):
    stay = house.stay()
    house.until_shown(stay)
    door = Key.objects.get().doors.get()
    issuing.set_permission(keychain_door=door, on=False, by=BY, now=now())
    house.until_gone(stay)
    issuing.set_permission(keychain_door=door, on=True, by=BY, now=now())
    house.until_shown(stay)


def test_a_change_of_dates_takes_nothing_away(house):
    stay = house.stay()
    house.until_shown(stay)
    key = Key.objects.get()
    house.forget_calls()
    house.pms.act(stay[0], "dates", departure="+9")
    for _ in range(6):
        house.work(1)
        assert house.shown(stay) == house.codes()
    assert Key.objects.get().ends_at > key.ends_at
    assert house.calls() == []


def test_after_a_lost_answer_the_pms_is_read_and_nothing_is_sent_twice(house):
    house.pms.post("faults", kind="lost_answer", method=house.desk.add, times=1, seconds=0.2)
    stay = house.stay()
    house.until(lambda: WriteBack.objects.filter(tries=1, claimed_until=None).exists())
    assert WriteBack.objects.get().sent
    due_now()
    house.until(lambda: not WriteBack.objects.get().sent)
    assert len(house.calls()) == 1
    assert house.desk.calls(house.desk.read)
    assert house.shown(stay) == house.codes()


def test_a_new_code_after_a_lost_answer_replaces_the_one_that_arrived(house):
    house.pms.post("faults", kind="lost_answer", method=house.desk.add, times=1, seconds=0.2)
    stay = house.stay()
    house.until(lambda: WriteBack.objects.filter(tries=1, claimed_until=None).exists())
    issuing.regenerate(credential=door_code(), by=BY, now=now())
    house.until_shown(stay)


@pytest.mark.parametrize("which", [0, 1])
def test_a_refusal_is_kept_in_sight_and_breaks_nothing(house, which):
    house.pms.post("faults", kind=house.desk.refusals[which], method=house.desk.add)
    stay = house.stay()
    house.until(lambda: WriteBack.objects.exclude(problem="").exists())
    assert house.hotel.integration.state == "connected"
    assert told().state == "waiting"
    assert told().sentence.startswith(f"not yet: {house.hotel.integration.pms_name()} ")
    row = WriteBack.objects.get()
    assert (row.next_try_at - database_now()).total_seconds() > 300
    tried = len(house.calls())
    house.work(2)
    assert len(house.calls()) == tried
    house.pms.post("faults/clear")
    due_now()
    house.until_shown(stay)


def test_nothing_is_written_while_the_pms_is_not_connected_and_all_of_it_after_reconnect(house):
    stay = house.stay()
    house.until_shown(stay)
    house.desk.break_()
    house.hotel.probe()
    assert house.hotel.integration.state == "broken"
    house.forget_calls()
    issuing.regenerate(credential=door_code(), by=BY, now=now())
    house.work(3)
    assert house.pms.get("requests")["requests"] == []
    assert told().sentence.endswith("is not connected")
    house.desk.mend()
    house.hotel.connect()
    house.until_shown(stay)


def test_the_echo_of_a_write_is_as_known(house):
    if isinstance(house.desk, MewsDesk):
        house.pms.post("quirks", token_touches_reservation=True)
    stay = house.stay()
    house.until_shown(stay)
    before = Key.objects.get().reservation.changed_at
    house.until(lambda: not WebhookEvent.objects.filter(processed_at=None).exists())
    last = WebhookEvent.objects.order_by("-received_at", "-id").first()
    assert last.result == "0 changed, 1 as known"
    assert Key.objects.get().reservation.changed_at == before


def test_no_code_shows_where_it_should_not(house, caplog):
    stay = house.stay()
    house.until_shown(stay)
    (code,) = house.codes().values()
    with database.cursor() as raw:
        raw.execute("SELECT * FROM pms_writeback")
        assert code not in str(raw.fetchall())
    assert code not in caplog.text
    assert code not in repr(writing_back._code(WriteBack.objects.get()))
    assert code not in str(list(house.hotel.integration.history.values()))


def test_switching_it_off_takes_away_what_was_written(house):
    stay = house.stay()
    house.until_shown(stay)
    connecting.show_codes(integration=house.hotel.integration, on=False, by=BY)
    house.until_gone(stay)
    assert told().state == "off"
    connecting.show_codes(integration=house.hotel.integration, on=True, by=BY)
    house.until_shown(stay)
    assert house.hotel.integration.history.filter(write_codes=False).count() == 1


def test_of_two_workers_one_writes_a_booking_and_the_rest_waits_its_turn(house):
    stay = house.stay()
    house.until_shown(stay)
    issuing.regenerate(credential=door_code(), by=BY, now=now())
    look(now=now())
    pms_codes.tell_all(now=database_now())
    row = WriteBack.objects.get()
    until = database_now() + writing_back.CLAIM
    assert writing_back._claim(row.integration_id, row.booking_ref, until)
    assert writing_back._claim(row.integration_id, row.booking_ref, until) == []
    due_now()
    assert writing_back.write_all(now=database_now()) == 0
    WriteBack.objects.update(claimed_until=now())
    house.until_shown(stay)


def test_telling_costs_the_same_for_any_number_of_keys(house):
    def cost():
        with CaptureQueriesContext(database) as made:
            pms_codes.tell(property_id=house.hotel.property.pk, now=database_now())
        return len(made)

    house.stay()
    house.until(WriteBack.objects.exists)
    WriteBack.objects.all().delete()
    few = cost()
    house.stay(*house.rooms[1:])
    house.until(lambda: WriteBack.objects.count() == 4)
    WriteBack.objects.all().delete()
    assert cost() == few <= 14
    assert WriteBack.objects.count() == 4


def test_a_field_of_cloudbeds_that_the_hotel_deleted_is_made_again(cloudbeds, simlock, settings):
    house = House(Hotel(cloudbeds), CloudbedsDesk(cloudbeds), simlock)
    connection.adapter_of("cloudbeds").with_field.add("318267")
    stay = house.stay()
    house.until_shown(stay)
    assert len(house.desk.calls("postCustomField")) == 1
    assert len(house.calls()) == 2


def code(**more):
    at = now()
    values = {"stay_ref": "s", "room_ref": "r", "code": "482913"}
    return StayCode(**{**values, "starts_at": at, "ends_at": at + DAY, **more})


def test_long_numbers_never_run_together():
    codes = [code(stay_ref="2", room_name="102", code="5" * 12)]
    codes.append(code(stay_ref="1", room_name="101", code="482913"))
    codes.append(code(stay_ref="3", room_name="", code=""))
    assert text_of(codes) == f"101: 482913; 102: {'5' * 12}"
    assert re.search(r"\d{13}", text_of(codes)) is None


def test_tokens_of_others_are_left_alone():
    row = {"ServiceOrderId": "s", "ResourceId": "r", "Type": "PinCode", "Id": "x", "Value": "1"}
    card = {**row, "Id": "y", "Type": "RfidTag", "Value": "482913"}
    plan = planned([row, card], [code()])
    assert (plan.delete, plan.update, len(plan.add)) == ([], [], 1)
    assert planned([row, card], [code(code="")]).delete == []
    assert planned([row, card], [code(code="", ref="x")]).delete == ["x"]
    assert planned([row, card], [code(code="", maybe=("1",))]).delete == ["x"]


@pytest.mark.skipif(openapi.document_missing(), reason="VENDOR_SPECS names no vendor documents")
def test_every_request_and_answer_agrees_with_the_vendors_document(house):
    wrong, seen = [], set()

    def check(response):
        response.read()
        request, status = response.request, response.status_code
        path = request.url.path
        seen.add(path)
        if house.hotel.integration.adapter == "mews":
            path = path.removeprefix("/api/connector/v1/")
            wrong.extend(mews_openapi.violations_of_request(path, json.loads(request.content)))
            wrong.extend(mews_openapi.violations_of_response(path, status, response.json()))
            return
        query, form = (
            dict(parse_qsl(text.decode(), keep_blank_values=True))
            for text in (request.url.query, request.content)
        )
        found = openapi.violations_of_request(request.method, path, query=query, form=form)
        wrong.extend(found)
        wrong.extend(openapi.violations_of_response(request.method, path, status, response.json()))

    wire = connection.adapter_of(house.hotel.integration.adapter).wire
    wire._opened().event_hooks = {"response": [check]}
    house.pms.post("faults", kind="lost_answer", method=house.desk.add, times=1, seconds=0.2)
    stay = house.stay(*house.rooms[:2])
    house.until(lambda: WriteBack.objects.filter(tries=1, claimed_until=None).exists())
    due_now()
    house.until(lambda: Key.objects.count() == 2)
    house.until_shown(stay, *house.rooms[:2])
    one = Credential.objects.filter(kind="door_code").first()
    issuing.regenerate(credential=one, by=BY, now=now())
    house.until_shown(stay, *house.rooms[:2])
    for key in Key.objects.all():
        issuing.edit_key(key=key, ends_at=key.ends_at + DAY, by=BY, now=now())
    house.work(3)
    for key in Key.objects.all():
        issuing.revoke(key=key, by=BY, now=now())
    house.until_gone(stay)
    wire._opened().event_hooks = {"response": []}
    assert wrong == []
    assert {path.rpartition("/")[2] for path in seen} >= house.desk.used
