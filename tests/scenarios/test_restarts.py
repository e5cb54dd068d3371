"""Restarts in the middle of writing, a gateway that comes back, a lock that fails: read first, in order, without haste."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest

from tests.eventually import eventually, stays
from tests.furnish import GATEWAY, GATEWAY_ROOMS
from tests.hotel import Key
from tests.scenarios.steps import asked_of, made_by_hand, pages, restart_worker, writes_to

scenario = pytest.mark.scenario
HOUR = timedelta(hours=1)


@scenario(35)
def test_a_restart_with_writes_under_way_reads_first_and_takes_no_code_away(hotel):
    """One write landed and its answer is lost, one was lost itself: each lock is read before anything is sent to it."""
    landed, lost = hotel.free_room(), hotel.free_room()
    here = made_by_hand(hotel, "Hanna Here", landed, lost)
    code = here.code()
    hotel.lock(landed).act("lose-ack", calls=1, hang_s=20)
    hotel.lock(lost).act("lose-request", calls=1, hang_s=20)
    hotel.simlock.reset_stats()
    new = hotel.add_key("Nico New", landed, lost, allow=True)
    eventually(lambda: all(writes_to(hotel, room) for room in (landed, lost)), every=0.02)
    assert hotel.lock(landed).memory(new)
    assert not hotel.lock(lost).memory(new)
    hotel.simlock.reset_stats()
    restart_worker(hotel)
    rooms = [hotel.lock(room) for room in (landed, lost)]
    eventually(lambda: "Active" in new.states)
    assert all(lock.opens_for(new.code()) and lock.opens_for(code) for lock in rooms)
    for room in (landed, lost):
        asked = asked_of(hotel, room)
        assert asked[0] == "read", asked
        assert "DELETE" not in asked
    assert asked_of(hotel, landed).count("PUT") == 0, "what had landed is not written again"
    assert asked_of(hotel, lost).count("PUT") == 1
    assert stays(lambda: all(lock.opens_for(code) for lock in rooms), 1.0)


@scenario(36)
def test_a_gateway_that_is_back_gets_removals_first_and_then_arrivals_one_at_a_time(hotel):
    """Nobody tells that it is back: Portal finds out by one try, then does all in order, and never meets a busy gateway."""
    ghosts = [made_by_hand(hotel, f"Gone {room}", room) for room in GATEWAY_ROOMS[-3:]]
    hotel.simlock.gateway(GATEWAY, "offline", silent=True)
    made = _arriving(hotel)
    for ghost in ghosts:
        ghost.revoke()
    for room in (GATEWAY_ROOMS[0], GATEWAY_ROOMS[-1]):
        reasons = made[room].door(room).reasons
        assert reasons[0].startswith(f"{GATEWAY} is offline since"), reasons
    hotel.simlock.reset_stats()
    eventually(lambda: writes_to(hotel, *GATEWAY_ROOMS))
    assert len(writes_to(hotel, *GATEWAY_ROOMS)) == 1, "one try for all that wait behind it"
    hotel.simlock.gateway(GATEWAY, "online", silent=True)
    eventually(lambda: all(hotel.lock(room).memory(key) for room, key in made.items()))
    asked = writes_to(hotel, *GATEWAY_ROOMS, done=True)
    assert [method for method, _ in asked] == ["DELETE"] * len(ghosts) + ["PUT"] * len(made)
    by_arrival = sorted(made.values(), key=lambda key: key.starts_at)
    assert [handle.split("a")[0] for _, handle in asked[len(ghosts) :]] == [
        f"k{key.id}" for key in by_arrival
    ]
    assert hotel.simlock.stats()["totals"]["gateway_overlaps"] == 0


def _arriving(hotel):
    """A key for each room behind the gateway, made in another order than that of the arrivals."""
    doors = {row["name"]: row["id"] for row in pages(hotel, "/doors/?limit=200")}
    start, made = datetime.now(UTC).replace(microsecond=0), {}
    for n, room in enumerate(GATEWAY_ROOMS):
        starts_at, ends_at = start + HOUR * (1 + n * 7 % 16), start + HOUR * 48
        wish = {
            "people": [{"name": f"Guest {room}", "credentials": [{"kind": "door_code"}]}],
            "doors": [{"door": doors[room]}],
            "starts_at": starts_at.isoformat(),
            "ends_at": ends_at.isoformat(),
        }
        key = hotel.api("POST", "/keys/", **wish)
        made[room] = Key(hotel, key["id"], starts_at, ends_at)
    return made


@scenario(37)
def test_a_lock_that_keeps_failing_is_spared_in_a_pause_that_staff_see_and_can_end(hotel):
    """After some tries it is left alone for longer and longer; Try now ends the pause at once."""
    room = hotel.free_room()
    lock = hotel.lock(room)
    lock.act("busy", calls=-1)
    key = hotel.add_key("Bodo Busy", room, allow=True, SmartKey=True)
    eventually(lambda: re.search(r"Paused after [4-9] attempts", key.door(room).reasons[0]))
    door = key.door(room)
    assert door.reasons[0].startswith("The last attempt failed: the lock was busy.")
    assert re.search(r"by itself at \d\d:\d\d, or at once by Try now\.", door.next[0])
    hotel.simlock.reset_stats()
    assert stays(lambda: not writes_to(hotel, room), 1.5), "its battery is spared"
    key.try_now(room)
    eventually(lambda: writes_to(hotel, room), 2.5)
    lock.act("busy", calls=0)
    key.try_now(room)
    eventually(lambda: lock.kinds(key) == {"door_code", "smartkey"}, 2.5)
    assert not key.door(room).is_pending
