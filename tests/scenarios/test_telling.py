"""Who is told what: guests of what is true on their locks, staff of what needs them, each once."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.eventually import eventually, stays
from tests.hotel import Hotel
from tests.scenarios.steps import sent_to

scenario = pytest.mark.scenario
SENDING, BY = "Send Door Codes to guests", "Messages go by"
HOUR = timedelta(hours=1)


@scenario(7)
def test_a_code_is_sent_after_check_in_at_the_desk_and_not_for_checking_in_online(hotel):
    """The property lets codes onto locks before check-in; the guest hears of it at the desk."""
    rule = "Require check-in before provisioning"
    hotel.settings(**{SENDING: "After check-in at the front desk only", rule: "Not required"})
    stay = hotel.book("Ella Early")
    key, lock = hotel.key_of(stay), hotel.lock(stay.room)
    eventually(lambda: lock.memory(key))
    eventually(lambda: "Active" in key.states or "Upcoming" in key.states)
    code = key.code()
    assert lock.holds(code)
    hotel.check_in_online(stay)
    eventually(lambda: "Online" in key.page().text)
    assert stays(lambda: sent_to(hotel, code) == [], 3)
    hotel.check_in(stay)
    eventually(lambda: len(sent_to(hotel, code)) == 1)
    assert stay.room in sent_to(hotel, code)[0]
    eventually(lambda: lock.opens_for(code))
    assert stays(lambda: len(sent_to(hotel, code)) == 1, 3)
    assert code not in key.page().text
    assert "Key made" in key.page().text


@scenario(16)
def test_an_arrival_without_its_code_is_an_alert_that_is_mailed_once_and_ends_by_itself(hotel):
    """The lock is tried again and again; the alert stands on every page, and one e-mail goes out."""
    room = hotel.free_room()
    lock = hotel.lock(room)
    lock.offline()
    form = hotel.page("/alerts/preferences/", "owner").form("Save")
    form.fill("Alerts by e-mail", value=True).press("Save")
    try:
        key = hotel.add_key("Nils Nearby", room, starts_in=HOUR)
        eventually(lambda: room in alerts_about(hotel))
        assert alerts_about(hotel)[room]["guests_at_risk"] == 1
        assert "its lock is offline" in alerts_about(hotel)[room]["sentence"]
        board = hotel.api("GET", "/tonight/")["arrivals"]
        (nils,) = [one for one in board if one["guest"] == "Nils Nearby"]
        assert (nils["meaning"], nils["act_now"]) == ("at_risk", True)
        assert "Nils Nearby" in hotel.page("/tonight/").text.partition("Act now")[2]
        for role in ("owner", "team", "housekeeping"):
            assert "alert" in hotel.page("/doors/", role).text
            assert room in hotel.page("/alerts/", role).text
            assert "Nils Nearby" not in hotel.page("/alerts/", role).text
        eventually(lambda: mails_about(hotel, room))
        assert stays(lambda: mails_about(hotel, room) == 1, 4)
        lock.online()
        eventually(lambda: lock.memory(key))
        eventually(lambda: room not in alerts_about(hotel))
        assert room in hotel.page("/alerts/?show=past", "owner").text
    finally:
        form = hotel.page("/alerts/preferences/", "owner").form("Save")
        form.fill("Alerts by e-mail", value=False).press("Save")


def alerts_about(hotel: Hotel) -> dict[str, dict]:
    """The open alerts about arrivals, by their subjects."""
    found = hotel.api("GET", "/alerts/?open=true&kind=arrivals&limit=200")["results"]
    return {one["subject"]: one for one in found}


def mails_about(hotel: Hotel, room: str) -> int:
    """How many e-mails name this door as an arrival at risk; without a mail server the worker prints them."""
    text = "".join(path.read_text() for path in (hotel.run.folder / "log").glob("worker*"))
    return text.count(f"Arrivals at risk: {room}, since")


@scenario(73)
def test_a_message_that_cannot_be_sent_is_shown_and_sent_again_while_the_code_works(hotel):
    """The SMS gateway does not answer: the guest enters all the same, staff see it and send an e-mail."""
    hotel.settings(**{SENDING: "When the code is on its locks", BY: "SMS"})
    stay = hotel.book("Olaf Offered")
    hotel.check_in(stay)
    key, lock = hotel.key_of(stay), hotel.lock(stay.room)
    eventually(lambda: "the SMS gateway: ConnectError" in key.page().text)
    code = key.code()
    assert lock.opens_for(code)
    assert "Active" in key.states
    hotel.settings(**{SENDING: "Off", BY: "E-mail"})
    assert sent_to(hotel, code) == []
    said = key.page().press(f"Send the Door Code to {stay.guest}").text
    assert "The Door Code is being sent by E-mail." in said
    eventually(lambda: len(sent_to(hotel, code)) == 1)
    eventually(lambda: "Sent by staff" in key.page().text)
