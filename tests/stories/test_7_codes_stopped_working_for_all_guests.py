"""Troubleshooting: Codes stopped working for all guests at once. What's wrong?"""

from __future__ import annotations

import pytest

from tests.eventually import eventually, stays
from tests.pages import label_of, words

CAME_IN = "The PMS connection was broken when the reservation came in."


@pytest.fixture
def outage(hotel):
    """The PMS was broken, a reservation came in and its guest checked in meanwhile, and Portal was reconnected."""
    hotel.break_pms()
    stay = hotel.book("Otto Outage")
    hotel.check_in(stay)
    hotel.reconnect()
    return stay


def test_this_is_almost_always_a_broken_pms_connection(hotel):
    hotel.break_pms()
    alert = hotel.page("/keys/").all(".//div[@role='alert']")[0]
    assert words(alert).startswith("Cloudbeds is Broken since")
    assert "Settings → Integrations → Reconnect" in words(alert)


def test_when_portal_loses_the_connection_it_stops_receiving_check_ins_and_codes_are_not_generated(
    hotel,
):
    in_house, expected = hotel.book("Ina Inhouse"), hotel.book("Evi Expected")
    keys = {stay: hotel.key_of(stay) for stay in (in_house, expected)}
    hotel.check_in(in_house)
    code = keys[in_house].code()
    eventually(lambda: hotel.lock(in_house.room).holds(code))
    hotel.break_pms()
    hotel.check_in(expected)
    new = hotel.book("Nele New")
    hotel.meanwhile(expected.room)
    assert hotel.lock(expected.room).memory(keys[expected]) == []
    assert keys[expected].door(expected.room).reasons[0].startswith("No word from Cloudbeds since")
    nobody = lambda: "No keys here" in hotel.page(f"/keys/?q={new.id}").text  # noqa: E731
    assert stays(nobody, 1.5)
    assert hotel.lock(in_house.room).holds(code), "a code that is on its lock stays there"


def test_go_to_settings_integrations_find_your_pms_click_reconnect_and_reauthenticate(hotel):
    hotel.break_pms()
    page = hotel.page("/", "owner").click("Settings").click("Integrations")
    panel = page.all(".//section[@aria-label='Cloudbeds']")[0]
    assert "Reconnect" in [label_of(one) for one in panel.iter("button")]
    hotel.pms.post("access/restore")
    asked = page.press("Reconnect")
    assert asked.url.startswith(hotel.pms.url), "the PMS asks who signs in"
    asked.press("Allow")
    eventually(lambda: hotel.pms_state() == "Connected")


def test_once_reconnected_new_reservations_will_provision_automatically(hotel):
    hotel.break_pms()
    hotel.reconnect()
    stay = hotel.book("Nina Newagain")
    hotel.check_in(stay)
    key = hotel.key_of(stay)
    eventually(lambda: hotel.lock(stay.room).holds(key.code()))


def test_reservations_that_already_came_in_need_provisioning_enabled_manually(hotel, outage):
    key = hotel.key_of(outage)
    door = key.door(outage.room)
    assert not door.is_allowed
    assert door.reasons[0] == CAME_IN
    hotel.meanwhile(outage.room)
    assert hotel.lock(outage.room).memory(key) == []
    assert "Otto Outage" in hotel.page("/keys/affected/").text


def test_keys_open_the_reservation_edit_door_enable_allow_provisioning_save(hotel, outage):
    hotel.key_of(outage)
    keys = hotel.page("/").click("Keys")
    form = keys.click("Current").click("Otto Outage").click(f"Edit Door {outage.room}").form("Save")
    form.fill("Allow Provisioning", value=True).press("Save")
    key = hotel.key_of(outage)
    eventually(lambda: hotel.lock(outage.room).holds(key.code()))
    eventually(lambda: not key.door(outage.room).is_pending)


def test_each_affected_reservation_can_be_updated_individually(hotel):
    hotel.break_pms()
    one, other = hotel.book("Ona One"), hotel.book("Odo Other")
    hotel.reconnect()
    keys = {stay: hotel.key_of(stay) for stay in (one, other)}
    keys[one].allow(one.room)
    eventually(lambda: hotel.lock(one.room).holds(keys[one].code()))
    hotel.meanwhile(other.room)
    assert hotel.lock(other.room).memory(keys[other]) == []
    assert keys[other].door(other.room).reasons[0] == CAME_IN


def test_there_is_a_bulk_fix(hotel):
    hotel.break_pms()
    affected = [hotel.book(f"Bulk {name}") for name in ("Anton", "Berta", "Carla")]
    hotel.reconnect()
    keys = {stay: hotel.key_of(stay) for stay in affected}
    doors = [
        door["id"] for key in keys.values() for door in hotel.api("GET", f"/keys/{key.id}/doors/")
    ]
    reason = "the outage is over"
    hotel.api("POST", "/keychain-doors/release/", doors=doors, before_check_in=True, reason=reason)
    for stay, key in keys.items():
        eventually(lambda stay=stay, key=key: hotel.lock(stay.room).holds(key.code()))


def test_contact_support_if_the_number_of_affected_reservations_is_too_large(hotel):
    hotel.break_pms()
    affected = [hotel.book(f"Support {name}") for name in ("Dora", "Emil")]
    hotel.reconnect()
    keys = {stay: hotel.key_of(stay) for stay in affected}
    found = hotel.support().click("Keychain doors")
    listed = found.browser.open("?permission=held_by_outage", base=found.url).form("Go")
    for stay in affected:
        listed.tick_row(stay.guest)
    form = listed.fill("Action:", "Allow Provisioning on…").press("Go").form("Save")
    form.fill("Reason", "a call from the hotel").fill("Write now, before check-in", value=True)
    assert "2 doors" in form.press("Save").text
    for stay, key in keys.items():
        eventually(lambda stay=stay, key=key: hotel.lock(stay.room).holds(key.code()))
