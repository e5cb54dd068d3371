"""A guest who stands outside: the code comes to every lock, and where it does not, the door says why."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.eventually import eventually, stays
from tests.hotel import DAY, fill_window
from tests.scenarios.steps import is_empty_of, keys_listed, made_by_hand, writes_to

scenario = pytest.mark.scenario


@scenario(13)
def test_a_key_is_active_only_when_its_code_is_on_every_door(hotel):
    """The code is written by itself; as long as one lock has not confirmed it, the key is Pending Provisioning."""
    room, other = hotel.free_room(), hotel.free_room()
    hotel.lock(other).offline()
    key = hotel.add_key("Lena Everywhere", room, other)
    code = key.code()
    eventually(lambda: hotel.lock(room).opens_for(code))
    eventually(lambda: not key.door(room).is_pending)
    assert key.door(other).is_pending
    assert key.states == ["Current", "Inactive"]
    hotel.lock(other).online()
    eventually(lambda: hotel.lock(other).opens_for(code))
    eventually(lambda: key.states == ["Current", "Active"])


@scenario(14)
def test_an_offline_lock_is_a_4117_with_its_cause_and_gets_the_code_by_itself_when_it_is_back(
    hotel,
):
    """Pending Provisioning shows the next try; nobody presses anything."""
    room = hotel.free_room()
    lock = hotel.lock(room)
    lock.offline()
    key = hotel.add_key("Milo Later", room)
    eventually(lambda: "4117" in key.page().text)
    door = key.door(room)
    assert door.is_pending
    assert door.reasons[0].startswith("The lock is offline since")
    assert "Written by itself as soon as it is back online." in door.next[0]
    eventually(lambda: "Tried again by itself at" in key.door(room).next[0])
    log = hotel.page("/log/").text
    assert "Allow Provisioning: on. Lock: offline since" in log
    lock.online()
    eventually(lambda: lock.opens_for(key.code()))
    eventually(lambda: key.states == ["Current", "Active"])
    assert "4117 resolved" in key.page().text


@scenario(15)
def test_a_write_without_an_answer_is_not_confirmed_until_the_lock_was_read(hotel):
    """The code is on the lock, nobody answered and the lock is too busy to be read: 4117, and never a tick."""
    room = hotel.free_room()
    lock = hotel.lock(room)
    lock.act("lose-ack", calls=1, silence="hang")
    key = hotel.add_key("Nora Unsure", room)
    eventually(lambda: lock.memory(key))
    lock.act("busy", calls=-1)
    eventually(lambda: key.door(room).reasons[:1] == [NOT_CONFIRMED])
    eventually(lambda: "4117" in key.page().text)
    assert stays(lambda: key.states == ["Current", "Inactive"] and key.door(room).is_pending, 1.5)
    lock.act("heal")
    eventually(lambda: key.states == ["Current", "Active"])
    assert "read back from the lock" in key.page().text
    assert len(lock.memory()) == 1


NOT_CONFIRMED = "Not confirmed: the lock’s answer was lost, it may or may not be there."


@scenario(18)
def test_a_code_that_a_lock_cannot_take_is_refused_before_saving_or_drawn_to_fit(hotel):
    """Strict says what is wrong and keeps what was typed; Random fits the lock; no lock is tried with what cannot be."""
    room = hotel.free_room()
    hotel.simlock.reset_stats()
    for code, said in WRONG.items():
        form = hotel.page("/keys/").click("Add Key").form("Save").fill("Name", "Otto Strict")
        form.fill(room, value=True).fill("Policy", "Strict").fill("Code", code)
        fill_window(form, -timedelta(hours=1), DAY)
        page = form.press("Save")
        assert page.path == "/keys/add/"
        assert said in page.text
        assert page.form("Save").field("Name").get("value") == "Otto Strict"
    assert writes_to(hotel, room) == []
    assert hotel.lock(room).memory() == []
    hotel.settings(Digits_of_a_random_Door_Code="12")
    try:
        key = made_by_hand(hotel, "Otto Random", room)
    finally:
        hotel.settings(Digits_of_a_random_Door_Code="6")
    assert len(key.code()) == 9
    assert [method for method, _ in writes_to(hotel, room)] == ["PUT"]


WRONG = {
    "12": "use at least 4 digits",
    "1234567890": "use at most 9 digits",
    "7777": "Too easy to guess",
}


@scenario(19)
def test_a_code_that_a_lock_already_holds_is_drawn_again_for_all_doors(hotel):
    """Somebody typed the same code in at one lock: the guest gets another, the same at each door, and none of the old."""
    room, other = hotel.free_room(), hotel.free_room()
    hotel.lock(other).offline()
    key = hotel.add_key("Pia Twice", room, other)
    first = key.code()
    eventually(lambda: hotel.lock(room).holds(first))
    hotel.lock(other).act("keypad-add", value=first)
    hotel.lock(other).online()
    eventually(lambda: key.code() != first)
    second = key.code()
    for name in (room, other):
        lock = hotel.lock(name)
        eventually(lambda lock=lock: [one["value"] for one in lock.memory(key)] == [second])
    assert not hotel.lock(room).holds(first)
    eventually(lambda: key.states == ["Current", "Active"])
    assert f"was taken on {other}" in key.page().text


@scenario(20)
def test_a_preferred_code_that_is_taken_gives_another_and_staff_are_told_which(hotel):
    """The guest gets in with the other code; the key says what was taken where, and what is used."""
    room = hotel.free_room()
    first = made_by_hand(hotel, "Quin First", room)
    taken = first.code()
    key = hotel.add_key("Rosa Second", room, Policy="Preferred", Code=taken)
    used = key.code()
    assert used != taken
    assert f"{taken} was taken on {room}, {used} used" in key.page().text
    eventually(lambda: hotel.lock(room).opens_for(used))
    assert [one["value"] for one in hotel.lock(room).memory(first)] == [taken]


@scenario(21)
def test_a_strict_code_that_is_taken_is_not_written_and_the_holder_is_named(hotel):
    """Nothing is saved; the first guest's code stays as it is."""
    room = hotel.free_room()
    taken = made_by_hand(hotel, "Sam Holder", room).code()
    before = hotel.lock(room).memory()
    form = hotel.page("/keys/").click("Add Key").form("Save").fill("Name", "Tim Strict")
    form.fill(room, value=True).fill("Policy", "Strict").fill("Code", taken)
    fill_window(form, -timedelta(hours=1), DAY)
    page = form.press("Save")
    assert page.path == "/keys/add/"
    assert f"This code is taken on {room} by the key of Sam Holder" in page.text
    assert keys_listed(hotel, "/keys/?q=Tim Strict") == []
    assert stays(lambda: hotel.lock(room).memory() == before, 0.6)


@scenario(22)
def test_a_full_lock_serves_the_soonest_arrivals_and_lists_the_others(hotel):
    """Later arrivals give way to sooner ones, a guest in house to nobody; who leaves makes room for who comes first."""
    room = "601"
    lock = hotel.lock(room)

    def arriving(guest, days):
        return hotel.add_key(guest, room, starts_in=days * DAY, lasts=2 * DAY)

    def on_it(*keys):
        return lambda: [bool(lock.memory(key)) for key in keys] == [True] * len(keys)

    in_house = made_by_hand(hotel, "Uma Inhouse", room)
    later, latest = arriving("Vera Later", 10), arriving("Will Latest", 20)
    eventually(on_it(in_house, later, latest))
    soon = arriving("Xena Soon", 1)
    eventually(on_it(in_house, later, soon))
    assert not lock.memory(latest)
    now = hotel.add_key("Yann Now", room)
    eventually(on_it(in_house, soon, now))
    assert not lock.memory(later)
    last = arriving("Zoe Last", 30)
    eventually(lambda: last.door(room).reasons[:1] == ["The lock’s memory is full."])
    assert stays(on_it(in_house, soon, now), 1.0)
    listed = hotel.page("/keys/?pending=someone")
    waiting = keys_listed(hotel, "/keys/?pending=someone")
    places = [waiting.index(key.id) for key in (later, latest, last)]
    assert places == sorted(places)
    assert "The lock’s memory is full." in listed.text
    soon.revoke()
    is_empty_of(lock, soon)
    eventually(on_it(in_house, later, now))
    assert stays(lambda: not lock.memory(latest) and not lock.memory(last), 0.6)
