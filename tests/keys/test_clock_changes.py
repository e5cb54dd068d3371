"""Locks that know no time zone when the clocks change: set before the next arrival, and stays over the change are flagged.

The property's clocks are those of Berlin. The lock is an hour behind, as it is in the minute after they went forward.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.test import Client

from keys import clocks, errands, past
from keys.delivery import look
from keys.explaining import explain_key
from locks.clock import next_change, utc_offset_s
from locks.errand_models import Errand
from locks.log_models import DoorLogEntry
from locks.models import Lock
from portal.models import Role
from portal.tokens import make_token
from tests import factories
from tests.factories import key_for, now
from tests.locks.ttlock_server import start_ttlock

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("quick", "silent_bell"),
]
BERLIN = ZoneInfo("Europe/Berlin")


@pytest.fixture(scope="module")
def ttlock():
    with start_ttlock() as server:
        yield server


@pytest.fixture
def lock(ttlock):
    """A lock in Berlin whose own clock is an hour behind that of the house."""
    ttlock.post("reset")
    account = factories.AccountFactory(driver="ttlock", base_url=ttlock.url, token=ttlock.token())
    account.property.timezone = "Europe/Berlin"
    account.property.save()
    gateway = factories.GatewayFactory(account=account, external_id="7")
    offset = utc_offset_s(BERLIN, now()) - 3600
    ref = ttlock.add_lock(gateway=7, alias="204", raw_offset_s=int(offset))
    return factories.LockFactory(account=account, gateway=gateway, external_id=ref)


def tend(at=None):
    """What beat and a worker do: ask whose turn it is, and do what was found to be done."""
    clocks.tend(now=at or now())
    errands.run_due()


def held(ttlock, lock):
    return [
        (row["start_ms"] // 1000, row["end_ms"] // 1000)
        for row in ttlock.lock(lock.external_id)["memory"]
        if row["kind"] == "code"
    ]


def window_of(key):
    return (int(key.starts_at.timestamp()), int(key.ends_at.timestamp()))


def door_of(key):
    return explain_key(key=key, now=now()).doors[0]


@pytest.mark.scenario("59")
def test_the_clock_of_a_lock_without_time_zone_is_set_before_the_next_arrival(ttlock, lock):
    """Its offset is found wrong, set at once, and what it held is written again: the window is right to the minute."""
    begin = now().replace(second=0, microsecond=0)
    here = key_for(
        lock.door, starts_at=begin - timedelta(hours=3), ends_at=begin + timedelta(days=2)
    )
    look(now=now())
    assert held(ttlock, lock) == [window_of(here)]
    clocks.tend(now=now())
    errands.run_due()
    lock.refresh_from_db()
    assert lock.utc_offset_s == utc_offset_s(BERLIN, now()) - 3600
    clocks.tend(now=now())
    asked = Errand.objects.get(lock=lock, what="sync_clock", done_at=None)
    assert asked.due_at <= now(), "before whoever arrives next"
    errands.run_due()
    lock.refresh_from_db()
    assert lock.utc_offset_s == utc_offset_s(BERLIN, now())
    assert ttlock.lock(lock.external_id)["raw_offset_ms"] / 1000 == lock.utc_offset_s
    early = tuple(edge - 3600 for edge in window_of(here))
    assert held(ttlock, lock) == [early], "the lock reads what it holds by its new local time"
    look(now=now())
    assert held(ttlock, lock) == [window_of(here)]
    assert ttlock.try_door(lock.external_id, str(here.credentials.get().secret))
    assert DoorLogEntry.objects.filter(lock=lock, code="clock_set").count() == 1
    tend()
    tend()
    assert Errand.objects.filter(lock=lock, what="sync_clock").count() == 1, "once, not again"


@pytest.mark.scenario("59")
def test_keys_that_cross_the_change_are_flagged_on_their_page_in_the_api_and_when_it_did_not_work(
    ttlock, lock
):
    at = now().replace(second=0, microsecond=0)
    change = next_change(BERLIN, at, at + timedelta(days=370))
    crossing = key_for(lock.door, starts_at=at, ends_at=change + timedelta(hours=20))
    before = key_for(lock.door, starts_at=at, ends_at=change - timedelta(hours=1))
    tend()
    tend()
    lock.refresh_from_db()
    assert lock.utc_offset_s == utc_offset_s(BERLIN, now())
    member = factories.member(lock.property, Role.OWNER)
    client = Client()
    client.force_login(member.user)
    said = "during this stay, and the lock knows no time zone: its clock is set then"
    page = client.get(f"/keys/{crossing.pk}/").content.decode()
    assert said in page
    assert f"{change.astimezone(BERLIN):%b %Y %H:%M}" in page
    assert said not in client.get(f"/keys/{before.pk}/").content.decode()
    _, token = make_token(
        membership=member, role=Role.OWNER, name="Kiosk", expires_at=at + timedelta(days=9), now=at
    )
    answer = client.get(
        f"/api/v1/keys/{crossing.pk}/doors/", headers={"Authorization": f"Bearer {token}"}
    ).json()
    rows = answer["results"] if isinstance(answer, dict) else answer
    assert said in rows[0]["cautions"][0]
    # In the hours after the change, until a worker came to the lock.
    clocks.tend(now=change + timedelta(minutes=1))
    assert Errand.objects.filter(lock=lock, what="sync_clock", done_at=None).count() == 1
    later = change + timedelta(hours=6)
    assert "the lock’s clock is not set yet: by the lock it is 60 minutes" in " ".join(
        explain_key(key=crossing, now=later).doors[0].cautions
    )
    secret = str(crossing.credentials.get().secret)
    (finding,) = [
        one
        for one in past.why(door=lock.door, moment=later, code=secret).verdicts[0].findings
        if one.why == "clock_wrong"
    ]
    assert "The clocks changed" in finding.sentence
    assert "not at all yet" in finding.sentence
    assert Lock.objects.get().clock_wrong_since is None, "to the second it is right"


def test_when_the_clocks_change_next():
    day = timedelta(days=1)
    march = datetime(2027, 3, 1, tzinfo=UTC)
    spring = datetime(2027, 3, 28, 1, tzinfo=UTC)
    assert next_change(BERLIN, march, march + 40 * day) == spring
    assert next_change(BERLIN, march, spring) is None
    assert next_change(BERLIN, spring, march + 200 * day) is None
    assert next_change(BERLIN, spring, march + 300 * day) == datetime(2027, 10, 31, 1, tzinfo=UTC)
    assert next_change(ZoneInfo("Atlantic/Reykjavik"), march, march + 400 * day) is None
