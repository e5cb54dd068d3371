"""A lock that is away for three days, by the simulated clock: no wasted tries, and on return only the newest state."""

from __future__ import annotations

from datetime import timedelta

import pytest

from keys import issuing
from tests.factories import BY, key_for
from tests.keys.checker import check_end
from tests.keys.hotel import Hotel

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("silent_bell")]
HOUR = timedelta(hours=1)


@pytest.mark.parametrize("signals", [True, False])
def test_a_lock_offline_for_three_days_is_cleared_first_and_gets_only_the_newest_state(signals):
    hotel = Hotel(seed=1)
    hotel.signals = signals
    lock = hotel.wall.locks["L0"]
    lock.room = 1000
    keys = [_long_key(hotel) for _ in range(4)]
    hotel.deliver()
    assert len(lock.memory) == 4
    lock.online = False
    tries = hotel.wall.fired["offline"]
    for turn in range(72):
        issuing.regenerate(credential=keys[turn % 3].credentials.get(), by=BY, now=hotel.clock())
        door = keys[1].doors.get()
        issuing.set_permission(keychain_door=door, on=bool(turn % 2), by=BY, now=hotel.clock())
        if turn == 40:
            issuing.revoke(key=keys[3], by=BY, now=hotel.clock())
        hotel.deliver()
        hotel.wall.pass_time(hotel.clock() + HOUR)
    assert hotel.wall.fired["offline"] - tries <= 72 + 10, (
        "more than one try per step of the slow schedule"
    )
    lock.calls.clear()
    hotel.lock_online_with_a_signal()
    hotel.deliver()
    assert [call.verb for call in lock.calls] == ["remove", "put", "put", "put"]
    hotel.settle()
    assert not hotel.wall.violations
    assert not check_end(hotel)
    hotel.leave()


def _long_key(hotel):
    now = hotel.clock()
    return key_for(hotel.doors[0], ends_at=now + timedelta(days=9), at=now)
