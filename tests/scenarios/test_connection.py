"""The line to the PMS: broken, slow, overloaded, of another hotel, or with events lost, doubled and out of order."""

from __future__ import annotations

import re
from datetime import datetime

import pytest

from tests.eventually import eventually, stays
from tests.hotel import PMS_PROPERTY
from tests.scenarios.steps import all_in_house, in_house, writes_to

scenario = pytest.mark.scenario
MISSING = "/alerts/?open=true&kind=pms_missing"
WORD, REVOKE = "Type the word revoke", "Revoke the chosen keys"
COUNTED = re.compile(r"Keys (in house|to come) (\d+)")


@scenario(23)
def test_a_revoked_access_is_broken_at_once_and_codes_stay(hotel):
    """The first refusal counts and is the last call; the outage begins at the last good word, staff are told, codes open."""
    _, key, lock = in_house(hotel, "Ida Stays")
    heard_at = hotel.api("GET", "/integrations/")["results"][0]["last_word_at"]
    last_call = hotel.pms_calls()[-1]["number"]
    hotel.pms.post("access/revoke", announce=False)
    eventually(lambda: hotel.pms_state() == "Broken", every=0.05)
    refused = [call for call in hotel.pms_calls(last_call) if call["status"] in {400, 401}]
    asked = [call["call"] for call in refused if call["call"] != "access_token"]
    assert len(asked) <= 2, "once, and once more by another worker that was at it"
    outage = hotel.api("GET", "/outages/")["results"][0]
    assert outage["ended_at"] is None
    last_word, began = (
        datetime.fromisoformat(outage[name]) for name in ("last_word_at", "began_at")
    )
    assert datetime.fromisoformat(heard_at) <= last_word < began
    assert "Cloudbeds is Broken since" in hotel.page("/keys/", "general_manager").text
    alerts = "/alerts/?open=true&kind=pms_broken"
    eventually(lambda: hotel.api("GET", alerts)["results"])
    quiet_since = hotel.pms_calls()[-1]["number"]
    assert stays(lambda: lock.opens_for(key.code()) and not hotel.pms_calls(quiet_since), 1.5)
    assert "Active" in key.states


@scenario(27)
def test_a_reconnect_with_another_hotels_account_applies_nothing_and_says_what_differs(hotel):
    """Portal stays Broken, keeps rooms, keys and codes, and names both hotels; the right account goes on as ever."""
    _, key, lock = in_house(hotel, "Otto Ours")
    hotel.break_pms()
    during = hotel.book("Ova During", arrival="today")
    hotel.pms.book(guest="Cora Cabin", room="Cabin 7", property="318268", arrival="today")
    rooms = _rooms(hotel)
    hotel.pms.post("access/restore")
    page = hotel.sign_in_at_pms("Reconnect", "Canyon Lodge")
    assert f"Canyon Lodge (318268), but this hotel was connected as {PMS_PROPERTY}" in page.text
    assert "Nothing was changed" in page.text
    assert hotel.pms_state() == "Broken"
    assert _rooms(hotel) == rooms
    for nobody in ("Cora Cabin", "Ova During"):
        assert nobody not in hotel.page(f"/keys/?q={nobody.split()[0]}").text.split("Search")[-1]
    assert lock.opens_for(key.code())
    hotel.reconnect()
    assert hotel.key_of(during).door(during.room).is_pending


@scenario(28)
def test_an_empty_answer_of_the_pms_ends_nothing_until_a_person_confirms_it(hotel):
    """All codes stay and staff are told. Only the key that someone chose ends; the rest is found again."""
    (gone, gone_key, gone_lock), (_, here, lock) = all_in_house(hotel, "Gina Gone", "Hugo Here")
    coming = [hotel.key_of(hotel.book(f"Coming {n}", arrival="+1")) for n in range(4)]
    hotel.break_pms()
    hotel.pms_fails("empty_list", method="getReservationsWithRateDetails")
    hotel.reconnect()
    alert = eventually(lambda: hotel.api("GET", MISSING)["results"])[0]
    assert re.match(
        r"Cloudbeds no longer mentions the reservations of \d+ of \d+", alert["sentence"]
    )
    assert gone_lock.opens_for(gone_key.code())
    assert lock.opens_for(here.code())
    assert not any("Revoked" in key.states for key in coming)
    page = hotel.page("/alerts/", "general_manager").click("Missing reservations")
    assert "So many at once rather speak of a wrong answer" in page.text
    form = page.form("Revoke the chosen keys").tick_row(gone.id)
    assert "Type the word revoke to confirm" in form.fill(WORD, "yes").press(REVOKE).text
    assert stays(lambda: gone_lock.memory(gone_key), 0.5)
    form.fill(WORD, "revoke").press(REVOKE)
    eventually(lambda: not gone_lock.memory(gone_key))
    assert lock.opens_for(here.code())
    hotel.pms_answers()
    eventually(lambda: not hotel.api("GET", MISSING)["results"])
    assert "No reservation is missing" in hotel.page(page.path, "owner").text
    assert lock.opens_for(here.code())


@scenario(29)
def test_a_webhook_that_comes_three_times_has_one_effect(hotel):
    """Each credential is written once, and the key's history tells of one change."""
    stay = hotel.book("Tilda Thrice", arrival="today")
    key, lock = hotel.key_of(stay), hotel.lock(stay.room)
    hotel.simlock.reset_stats()
    hotel.pms_webhooks(repeat=2)
    hotel.check_in(stay)
    hotel.pms_events(*[_event("status_changed", stay, timestamp=1.0)] * 3)
    eventually(lambda: "Active" in key.states)
    eventually(lambda: not _under_way(hotel))
    written = [handle for method, handle in writes_to(hotel, stay.room) if method == "PUT"]
    assert len(written) == len(set(written)) == 2
    assert lock.kinds(key) == {"door_code", "smartkey"}
    assert len(hotel.api("GET", f"/reservations/?number={stay.id}")["results"]) == 1
    assert len(_keys_found(hotel, stay)) == 1


@scenario(30)
def test_webhooks_out_of_order_end_in_what_the_pms_says_now(hotel):
    """A cancellation before the creation, an old update last: what counts is what the PMS answers, read again."""
    hotel.pms_webhooks(drop=1)
    gone, back = (hotel.book(name, arrival="today") for name in ("Gus Gone", "Bert Back"))
    hotel.pms.act(gone.id, "cancel", force=True)
    hotel.pms.act(back.id, "cancel", force=True)
    hotel.pms.act(back.id, "restore", force=True)
    hotel.check_in(back)
    hotel.pms_events(
        _event("status_changed", gone, status="canceled"),
        _event("created", gone, status="confirmed"),
        _event("accommodation_changed", gone, status="checked_in"),
        _event("status_changed", back, status="checked_in"),
        _event("created", back),
        _event("status_changed", back, status="canceled", timestamp=1.0),
    )
    key, lock = hotel.key_of(back), hotel.lock(back.room)
    eventually(lambda: lock.opens_for(key.code()))
    hotel.pms_events(_event("status_changed", back, status="canceled", timestamp=2.0))
    assert eventually(lambda: _state(hotel, gone)) == "cancelled"
    assert stays(lambda: lock.opens_for(key.code()) and not _keys_found(hotel, gone), 1.5)


@scenario(31)
def test_a_change_whose_webhook_is_lost_for_ever_is_found_by_the_next_read(hotel):
    """A check-in and a cancellation that nothing told of: the code comes and goes within one interval of reading."""
    stay = hotel.book("Lola Lost", arrival="today")
    key, lock = hotel.key_of(stay), hotel.lock(stay.room)
    hotel.pms_webhooks(drop=1)
    hotel.check_in(stay)
    eventually(lambda: lock.holds(key.code()), 8)
    hotel.pms.act(stay.id, "cancel", force=True)
    eventually(lambda: not lock.memory(key), 8)


@scenario(32)
def test_a_pms_that_asks_for_a_pause_gets_it_and_is_not_broken(hotel):
    """Whatever happens meanwhile, nothing is asked before the time is over; then everything is found."""
    pause = 6  # longer than one call would be patient for
    last_call = hotel.pms_calls()[-1]["number"]
    hotel.pms_fails("429_retry_after", seconds=pause, times=1)
    refused = eventually(lambda: _with_status(hotel, last_call, 429))[0]
    stay = hotel.book("Rita Retry", arrival="today")
    hotel.check_in(stay)
    assert hotel.pms_state() in {"Connected", "Delayed"}
    key = hotel.key_of(stay)
    next_call = hotel.pms_calls(refused["number"])[0]
    assert next_call["at"] - refused["at"] >= pause
    eventually(lambda: hotel.lock(stay.room).holds(key.code()))
    assert hotel.pms_state() == "Connected"
    assert key.door(stay.room).is_allowed


@scenario(33)
def test_a_pms_that_is_down_is_delayed_and_staff_are_asked_for_nothing(hotel):
    """It stays so however often it fails; when it answers again all that happened is applied, nothing is held."""
    _, key, lock = in_house(hotel, "Dirk Downtime")
    coming = hotel.book("Dana Delayed", arrival="today")
    waiting = hotel.key_of(coming)
    outages = hotel.api("GET", "/outages/")["results"]
    last_call = hotel.pms_calls()[-1]["number"]
    hotel.pms_fails("503")
    eventually(lambda: hotel.pms_state() == "Delayed")
    hotel.check_in(coming)
    during = hotel.book("Dora Meanwhile", arrival="today")
    eventually(lambda: len(_with_status(hotel, last_call, 503)) >= 6)
    assert hotel.pms_state() == "Delayed"
    said = hotel.page("/keys/", "owner").text + hotel.page("/settings/integrations/", "owner").text
    assert "Nothing to do: Portal asks again by itself." in said
    assert "Click Reconnect" not in said
    assert lock.opens_for(key.code())
    hotel.pms_answers()
    eventually(lambda: hotel.pms_state() == "Connected")
    eventually(lambda: hotel.lock(coming.room).holds(waiting.code()))
    assert hotel.key_of(during).door(during.room).is_allowed
    assert hotel.api("GET", "/outages/")["results"] == outages


@scenario(34)
def test_disconnecting_shows_what_stays_and_ends_keys_only_when_that_is_chosen(hotel):
    """An Owner sees how many codes stay and until when; by default they work on, and who chose otherwise is recorded."""
    (_, here, lock), (_, other, other_lock) = all_in_house(hotel, "Ines Inhouse", "Igor Inhouse")
    coming = hotel.key_of(hotel.book("Cyra Coming", arrival="+2"))
    assert not hotel.page("/settings/integrations/", "general_manager").text.count("Disconnect ")
    page = hotel.disconnect_page()
    counted = {name: int(number) for name, number in COUNTED.findall(page.text)}
    assert counted["in house"] >= 2
    assert counted["to come"] >= 1
    assert "Codes on locks keep working until their end, the last of them until" in page.text
    assert hotel.pms_state() == "Connected", "looking changes nothing"
    page.press("Disconnect")
    assert hotel.pms_state() == "Disconnected"
    assert stays(lambda: lock.opens_for(here.code()) and "Revoked" not in coming.states, 1.0)
    hotel.reconnect()
    refused = hotel.disconnect_page().form("Disconnect")
    refused.fill("Keys of its reservations", "Revoke those to come")
    assert "Type the word revoke" in refused.press("Disconnect").text
    assert hotel.pms_state() == "Connected"
    chosen = hotel.disconnect_page().form("Disconnect")
    chosen.fill("Keys of its reservations", "Revoke those to come")
    chosen.fill("To revoke keys, type the word revoke", "revoke").press("Disconnect")
    assert hotel.pms_state() == "Disconnected"
    assert "Revoked" in coming.states
    assert "Cloudbeds was disconnected" in coming.page().text
    assert lock.opens_for(here.code())
    assert other_lock.opens_for(other.code())


def _with_status(hotel, since, status):
    """The calls after one number that the PMS answered so."""
    return [call for call in hotel.pms_calls(since) if call["status"] == status]


def _event(what, stay, **fields):
    return {"event": f"reservation/{what}", "reservationID": stay.id} | fields


def _under_way(hotel):
    """Webhooks that the PMS has still to send."""
    sent = hotel.pms.get("deliveries")["deliveries"]
    return [one for one in sent if one["state"] == "waiting"]


def _rooms(hotel):
    """The rooms of the PMS as Portal knows them."""
    number = hotel.api("GET", "/integrations/")["results"][0]["id"]
    found = hotel.api("GET", f"/integrations/{number}/rooms/?limit=200")["results"]
    return {room["external_id"]: room["name"] for room in found}


def _keys_found(hotel, stay):
    return hotel.page(f"/keys/?q={stay.id}").all(".//a[@class='main-link']")


def _state(hotel, stay):
    found = hotel.api("GET", f"/reservations/?number={stay.id}")["results"]
    return found[0]["state"] if found else ""
