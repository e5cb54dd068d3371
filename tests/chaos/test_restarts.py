"""A hotel whose own PostgreSQL or Redis is killed under it: what staff and guests were promised still comes true.

Nothing here looks at Portal's tables: what was promised is an answer of the API, what is true is in the locks' memory.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest

from tests import furnish
from tests.chaos.services import own_postgres, own_redis
from tests.eventually import eventually, stays
from tests.hotel import Hotel, open_hotel

ROOMS = furnish.OTHER_ROOMS[:8]
HEALS_S = 90.0
"""Enough for a lease to run out and for both read-backs, on a busy machine."""


class FrontDesk:
    """Makes and ends keys over the API, and remembers what it was promised: no more and no less."""

    def __init__(self, hotel: Hotel) -> None:
        self.hotel = hotel
        doors = hotel.api("GET", "/doors/?limit=100")["results"]
        self.doors = {door["name"]: door["id"] for door in doors}
        self.codes: dict[int, str] = {}
        self.ended: set[int] = set()
        self.failures = 0

    def add(self, guest: str) -> int | None:
        """Add a key for all rooms; nothing when Portal could not promise it."""
        now = datetime.now(UTC)
        told = self._ask(
            "/keys/",
            people=[{"name": guest}],
            doors=[{"door": self.doors[room]} for room in ROOMS],
            starts_at=(now - timedelta(hours=1)).isoformat(),
            ends_at=(now + timedelta(days=1)).isoformat(),
        )
        if told is not None:
            self.codes[told["id"]] = told["people"][0]["credentials"][0]["code"]
        return told and told["id"]

    def end(self, key_id: int) -> None:
        """Revoke a key, again and again until that is promised."""
        eventually(lambda: self._ask(f"/keys/{key_id}/revoke/") is not None, 60)
        self.ended.add(key_id)

    def _ask(self, path: str, **body: Any) -> Any:
        try:
            answer = httpx2.post(
                f"{self.hotel.url}/api/v1{path}",
                json=body,
                headers={"Authorization": f"Bearer {self.hotel.access['token']}"},
                timeout=30,
                trust_env=False,
            )
        except httpx2.HTTPError:
            self.failures += 1
            return None
        assert answer.status_code < 400 or answer.status_code >= 500, answer.text
        self.failures += answer.status_code >= 500
        return answer.json() if answer.status_code < 300 else None

    def differences(self) -> list[str]:
        """Promised and not on a lock, or on a lock and ended."""
        wrong = []
        memories = self.hotel.simlock.memories()
        for room in ROOMS:
            held = {
                int(handle[1:].split("a")[0]): thing["value"]
                for handle, thing in memories[room].items()
            }
            for key_id, code in self.codes.items():
                if key_id not in self.ended and held.get(key_id) != code:
                    wrong.append(f"missing on {room}: key {key_id}")
            wrong += [f"still on {room}: key {key_id}" for key_id in self.ended & held.keys()]
        return wrong


def is_healed(desk: FrontDesk) -> bool:
    """Whether the locks come to hold what was promised, and go on to when they are read back."""

    def well() -> bool:
        wrong = desk.differences()
        assert not wrong, wrong
        return True

    eventually(well, HEALS_S, every=0.5)
    return stays(lambda: not desk.differences(), 3)


def some_are_written(hotel: Hotel, key_id: int | None) -> bool:
    """Whether a key has begun to arrive on its locks."""
    memories = hotel.simlock.memories()
    return any(handle.startswith(f"k{key_id}a") for room in ROOMS for handle in memories[room])


@pytest.mark.slow
def test_a_postgresql_restarted_in_the_middle_of_writes_loses_nothing_that_was_promised(
    tmp_path_factory,
):
    with own_postgres() as postgres, own_redis() as redis:
        own = {"DATABASE_URL": postgres.url, "CELERY_BROKER_URL": redis.url}
        with open_hotel(tmp_path_factory.mktemp("restarts"), **own) as hotel:
            desk = FrontDesk(hotel)
            hotel.simlock.cloud(latency_ms=150)
            guests, in_the_middle = [], 0
            for turn in range(3):
                keys = [desk.add(f"Guest {turn}.{n}") for n in range(4)]
                guest = hotel.book(f"Guest of turn {turn}")
                eventually(lambda last=keys[-1]: some_are_written(hotel, last), 60)
                hotel.check_in(guest)
                desk.end(keys[0])
                in_the_middle += bool(desk.differences())
                postgres.restart_at_once()
                eventually(lambda: desk.add("Guest after the restart"), 60)
                guests.append(guest)
            assert in_the_middle, "delivery was never under way"
            assert is_healed(desk)
            for guest in guests:
                key = hotel.key_of(guest)
                eventually(lambda k=key, g=guest: hotel.lock(g.room).memory(k), HEALS_S)


@pytest.fixture(scope="module")
def redis():
    with own_redis() as server:
        yield server


@pytest.fixture(scope="module")
def hotel_on_redis(redis, tmp_path_factory):
    with open_hotel(tmp_path_factory.mktemp("redis"), CELERY_BROKER_URL=redis.url) as hotel:
        yield hotel


def all_goes_on_for_staff_and_pms(hotel: Hotel, desk: FrontDesk, guest: str) -> None:
    """Without a working broker: keys are made and ended, pages open, and what the PMS says is taken."""
    before = desk.failures
    first, second = desk.add(f"{guest} and friend"), desk.add(guest)
    assert first
    assert second
    desk.end(first)
    assert hotel.page("/keys/").status == 200
    stay = hotel.book(guest)

    def taken() -> bool:
        told = hotel.pms.get("deliveries")["deliveries"]
        return any(stay.id in str(one["body"]) and one["state"] == "delivered" for one in told)

    eventually(taken, 60)
    assert desk.failures == before


@pytest.mark.slow
@pytest.mark.xdist_group("hotel on redis")
def test_a_redis_killed_with_its_queue_and_back_empty_costs_nothing_but_time(redis, hotel_on_redis):
    desk = FrontDesk(hotel_on_redis)
    assert desk.add("Guest before")
    redis.kill()
    all_goes_on_for_staff_and_pms(hotel_on_redis, desk, "Guest without a queue")
    redis.start()
    assert is_healed(desk)


@pytest.mark.slow
@pytest.mark.xdist_group("hotel on redis")
def test_a_redis_that_takes_nothing_any_more_costs_nothing_but_time(redis, hotel_on_redis):
    desk = FrontDesk(hotel_on_redis)
    redis.say("CONFIG", "SET", "maxmemory-policy", "noeviction")
    redis.say("CONFIG", "SET", "maxmemory", "1")
    assert "OOM" in redis.say("SET", "a", "b")
    all_goes_on_for_staff_and_pms(hotel_on_redis, desk, "Guest of a full queue")
    redis.say("CONFIG", "SET", "maxmemory", "0")
    assert is_healed(desk)
