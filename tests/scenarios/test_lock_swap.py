"""A door gets a new lock: every code follows, and the old lock is not forgotten before nothing of ours is on it."""

from __future__ import annotations

import pytest

from tests.eventually import eventually
from tests.hotel import Hotel, Key
from tests.scenarios.steps import is_empty_of, made_by_hand

scenario = pytest.mark.scenario
RESET = "The old lock was reset: nothing is stored in it any more"


def swap(hotel: Hotel, old: str, new: str, *, was_reset: bool) -> None:
    """Settings → Locks → the lock → Swap lock, as an Installer's boss does it."""
    page = hotel.page(lock_path(hotel, old), "owner").click("Swap lock")
    form = page.form("Swap lock").fill("New lock", f"Lock of {new}")
    page = form.fill(RESET, value=was_reset).press("Swap lock")
    assert "its codes are being written" in page.text


def lock_path(hotel: Hotel, room: str) -> str:
    """The page of the lock that was hung on this room at first."""
    found = [
        each
        for each in hotel.api("GET", "/locks/?limit=200")["results"]
        if each["external_id"] == room
    ]
    return f"/locks/{found[0]['id']}/"


def hang(hotel: Hotel, lock: str, door: str) -> None:
    """Settings → Locks → Pair."""
    page = hotel.page("/settings/locks/", "owner").click(f"Pair Lock of {lock}")
    page = page.form("Save").fill("Door", door).press("Save")
    assert "is on" in page.text


def is_listed(hotel: Hotel, key: Key) -> bool:
    """Whether something of this key stands under Should be gone."""
    return f"/keys/{key.id}/" in str(
        [link.get("href") for link in hotel.page("/locks/ghosts/").all(".//td//a")]
    )


@scenario(54)
def test_a_new_lock_gets_every_code_and_the_old_one_is_dropped_only_once_it_is_empty(hotel):
    room, other = hotel.free_room(), hotel.free_room()
    old, new = hotel.lock(room), hotel.lock(other)
    hang(hotel, other, "")
    here = made_by_hand(hotel, "Sara Swap", room)
    held_back = hotel.add_key("Till Tomorrow", room, allow=False)
    old.offline()
    swap(hotel, room, other, was_reset=False)
    eventually(lambda: [one["value"] for one in new.memory()] == [here.code()])
    assert new.opens_for(here.code())
    eventually(lambda: is_listed(hotel, here))
    held_back.allow(room)
    eventually(lambda: new.opens_for(held_back.code()))
    old.online()
    is_empty_of(old, here)
    eventually(lambda: not is_listed(hotel, here))
    new.offline()
    for handle in hotel.simlock.memory(other):
        new.act("keypad-delete", handle=handle)
    swap(hotel, other, room, was_reset=True)
    for key in (here, held_back):
        eventually(lambda key=key: old.opens_for(key.code()))
        assert not is_listed(hotel, key)
    assert new.memory() == []
    new.online()
    hang(hotel, other, other)
