"""A stay is moved, prolonged and changed by PMS and staff: the key goes with it, and the guest is never left outside."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.eventually import eventually, stays
from tests.hotel import Hotel, Key
from tests.scenarios.steps import in_house, is_empty_of, sent_to, writes_to

scenario = pytest.mark.scenario
RULE, SENDING = "Require check-in before provisioning", "Send Door Codes to guests"
EARLY = {RULE: "Not required", SENDING: "When the code is on its locks"}
"""Codes are on their locks and guests hear of them long before they come."""
DAY = timedelta(days=1)


def doors(hotel: Hotel, key: Key) -> list[str]:
    """The doors of a key by the API, those that are still to be emptied as well."""
    return [one["name"] for one in hotel.api("GET", f"/keys/{key.id}/doors/")]


def end_on(hotel: Hotel, room: str, key: Key) -> datetime | None:
    """When the lock of this room shuts a key's Door Code out."""
    codes = [one for one in hotel.lock(room).memory(key) if one["kind"] == "door_code"]
    return datetime.fromisoformat(codes[0]["ends_at"]) if codes else None


def in_days(days: int, clock: str) -> datetime:
    """So many days from today at this time by the hotel's clock, which is UTC's."""
    return datetime.fromisoformat(f"{datetime.now(UTC) + days * DAY:%Y-%m-%d}T{clock}:00+00:00")


def leave_at(key: Key, moment: datetime) -> None:
    """Edit Key, another departure, Save: staff's own word."""
    form = key.page().click("Edit Key").form("Save")
    form.fill("Departure date", f"{moment:%Y-%m-%d}").fill("Departure Time", f"{moment:%H:%M}")
    page = form.press("Save")
    assert page.path == key.path, page.text


@scenario(38)
def test_a_room_move_before_check_in_moves_the_key_with_its_code_and_sends_one_message(hotel):
    """The key is the same, the code is on the new door and off the old one, and the guest is told once."""
    hotel.settings(**EARLY)
    stay = hotel.book("Abel Moved", arrival="+1", nights=2)
    key, old = hotel.key_of(stay), hotel.lock(stay.room)
    code = key.code()
    eventually(lambda: old.holds(code))
    eventually(lambda: len(sent_to(hotel, code)) == 1)
    moved = hotel.move(stay)
    eventually(lambda: hotel.lock(moved.room).holds(code))
    is_empty_of(old, key)
    assert hotel.key_of(stay).id == key.id
    assert key.code() == code
    eventually(lambda: doors(hotel, key) == [moved.room])
    eventually(lambda: len(sent_to(hotel, code)) == 2)
    news = next(text for text in sent_to(hotel, code) if "your room has changed" in text)
    assert moved.room in news
    assert stay.room not in news
    assert stays(lambda: len(sent_to(hotel, code)) == 2, 2.5)


@scenario(39)
def test_a_guest_who_moves_while_in_house_has_the_new_room_before_the_old_one_is_emptied(hotel):
    """If the new room's lock is out of reach the old one goes on opening, until it is back or staff take the old one out.
    The next guest's key warns meanwhile."""
    stay, key, old = in_house(hotel, "Amir Inhouse")
    code = key.code()
    hotel.simlock.reset_stats()
    stay = hotel.move(stay)
    is_empty_of(old, key)
    assert hotel.lock(stay.room).opens_for(code)
    assert len(writes_to(hotel, stay.room)) == 2
    assert _last_write(hotel, stay.room) < _first_removal(hotel, old.ref)

    far, kept = hotel.lock(hotel.vacant_room()), stay.room
    far.offline()
    stay = hotel.move(stay, far.ref)
    eventually(lambda: "Moved out, still opens" in key.door(kept).text)
    assert f"{kept} keeps the code until {far.ref} has it" in key.page().text
    other = hotel.add_key("Anna Next", kept)
    eventually(lambda: f"moved out of {kept} can still open it" in other.page().text)
    assert stays(lambda: hotel.lock(kept).opens_for(code), 1.5)
    far.online()
    eventually(lambda: far.opens_for(code))
    is_empty_of(hotel.lock(kept), key)
    assert "can still open it" not in other.page().text
    other.revoke()
    is_empty_of(hotel.lock(kept), other)

    farther, kept = hotel.lock(hotel.vacant_room()), stay.room
    farther.offline()
    hotel.move(stay, farther.ref)
    eventually(lambda: "Moved out, still opens" in key.door(kept).text)
    key.page().click(f"Remove {kept}").press("Remove")
    is_empty_of(hotel.lock(kept), key)
    farther.online()
    eventually(lambda: farther.opens_for(code))


def _last_write(hotel: Hotel, room: str) -> int:
    return max(
        n for n, (method, where) in enumerate(_asked(hotel)) if (method, where) == ("PUT", room)
    )


def _first_removal(hotel: Hotel, room: str) -> int:
    return min(
        n for n, (method, where) in enumerate(_asked(hotel)) if (method, where) == ("DELETE", room)
    )


def _asked(hotel: Hotel) -> list[tuple[str, str]]:
    """What all locks were asked since the figures were reset, in order."""
    said = hotel.simlock.stats(requests=2000)["requests"]
    return [(one["method"], one["lock_id"]) for one in said]


@scenario(40)
def test_an_extension_writes_the_later_end_with_the_same_code_and_tells_the_guest_if_staff_send_it(
    hotel,
):
    """The lock has the later end long before the old check-out, nothing is taken off in between, and no message goes out."""
    hotel.settings(**{SENDING: EARLY[SENDING]})
    stay, key, lock = in_house(hotel, "Beth Longer")
    code = key.code()
    eventually(lambda: len(sent_to(hotel, code)) == 1)
    before = end_on(hotel, stay.room, key)
    hotel.simlock.reset_stats()
    hotel.pms.act(stay.id, "dates", departure="+4", force=True)
    eventually(lambda: end_on(hotel, stay.room, key) == in_days(4, "11:00"))
    assert before == in_days(1, "11:00")
    assert "DELETE" not in {method for method, _ in writes_to(hotel, stay.room)}
    assert lock.opens_for(code)
    assert key.code() == code
    assert stays(lambda: len(sent_to(hotel, code)) == 1, 2.5)
    key.page().press(f"Send the Door Code to {stay.guest}")
    eventually(lambda: len(sent_to(hotel, code)) == 2)
    assert any(f"11:00, {in_days(4, '11:00'):%a}" in text for text in sent_to(hotel, code))


@scenario(41)
def test_a_late_check_out_given_by_staff_outlives_the_pms_until_staff_release_it(hotel):
    """News from the PMS with the old time changes nothing on the lock; the key's page names both times."""
    stay, key, lock = in_house(hotel, "Cyril Late")
    late = in_days(1, "16:30")
    leave_at(key, late)
    eventually(lambda: end_on(hotel, stay.room, key) == late)
    _news(hotel, key, stay, last="Later")
    hotel.pms.act(stay.id, "dates", departure="+2", force=True)
    eventually(lambda: f"the PMS says 11:00 on {in_days(2, '11:00').day}" in key.page().text)
    assert "Staff set the departure; the PMS says" in key.page().text
    assert end_on(hotel, stay.room, key) == late
    assert _told(hotel, key)["ends_by_staff"]
    key.page().press("Release times to the PMS")
    eventually(lambda: end_on(hotel, stay.room, key) == in_days(2, "11:00"))
    assert "Staff set the departure" not in key.page().text
    assert lock.opens_for(key.code())


@scenario(42)
def test_what_staff_did_not_set_follows_the_pms_though_something_else_is_theirs(hotel):
    """A departure and two doors are staff's, one put in and one taken out; arrival, name and room go on following."""
    hotel.settings(**{RULE: EARLY[RULE]})
    stay = hotel.book("Dina Mixed", arrival="+3", nights=2)
    key = hotel.key_of(stay)
    late = in_days(5, "17:00")
    leave_at(key, late)
    extra, unwanted = hotel.free_room(), stay.room
    key.page().click("Add door").form("Save").fill("Door", extra).press("Save")
    eventually(lambda: hotel.lock(extra).memory(key) and hotel.lock(unwanted).memory(key))
    key.page().click(f"Remove {unwanted}").press("Remove")
    hotel.pms.act(stay.id, "dates", arrival="+2", departure="+5", force=True)
    _news(hotel, key, stay, last="Married")
    assert doors(hotel, key) == [extra]
    assert f"Staff took {unwanted} out of the keychain; the PMS means it." in key.page().text
    moved = hotel.move(stay)
    eventually(lambda: end_on(hotel, moved.room, key) == late)
    eventually(lambda: sorted(doors(hotel, key)) == sorted([extra, moved.room]))
    eventually(lambda: _told(hotel, key)["starts_at"].startswith(f"{in_days(2, '15:00'):%Y-%m-%d}"))
    assert end_on(hotel, extra, key) == late
    assert "Dina Married" in key.page().text
    assert not hotel.lock(stay.room).memory(key)


def _news(hotel: Hotel, key: Key, stay: Any, **change: str) -> None:
    """The PMS says something else of the guest; waits until the key has heard of it."""
    first = stay.guest.split()[0]
    hotel.pms.act(stay.id, "change-guest", first=first, **change)
    eventually(lambda: f"{first} {change['last']}" in key.page().text)


def _told(hotel: Hotel, key: Key) -> dict[str, Any]:
    found: dict[str, Any] = hotel.api("GET", f"/keys/{key.id}/")
    return found
