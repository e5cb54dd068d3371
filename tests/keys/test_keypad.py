"""A code that was changed at the keypad: put back, or kept on that lock and told, and never for a guest who was revoked."""

from __future__ import annotations

import re
from datetime import timedelta
from html import unescape

import pytest
from django.test import Client

from keys import issuing
from keys.delivery import look
from keys.keypad import own_codes
from keys.message_truth import truth_of
from keys.models import Assignment
from keys.swapping import swap_lock
from locks import listening
from locks.log_models import DoorLogEntry
from locks.models import Lock
from portal.models import Role
from tests import factories
from tests.eventually import eventually
from tests.factories import BY, key_for, now

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("quick", "silent_bell"),
]
NEW = "258147"


@pytest.fixture
def boss(lock):
    client = Client()
    client.force_login(factories.member(lock.property, Role.OWNER).user)
    return client


def set_to(boss, policy, **more):
    shown = boss.get("/settings/property/").context["form"].initial
    kept = {name: value for name, value in shown.items() if value is not None}
    return boss.post("/settings/property/", kept | {"keypad_changes": policy} | more)


def said(page):
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", page.content.decode())))


def code_of(key):
    return str(key.credentials.get().secret)


def on_lock(simlock):
    return sorted(one["value"] for one in simlock.memory("L1").values())


def work(lock):
    """What the worker does that hears of the change: ask for events, read the lock, write what is due."""
    listening.poll(account=lock.account, now=now())
    look(now=now())
    look(now=now() + timedelta(seconds=1))


def changed_at_keypad(lock, simlock, value=NEW):
    handle = next(h for h, one in simlock.memory("L1").items() if one["value"] != value)
    simlock.act("L1", "keypad-change", handle=handle, value=value)
    work(lock)


@pytest.mark.scenario("69")
def test_a_code_changed_at_the_keypad_is_kept_on_that_lock_where_the_property_honors_it(
    lock, simlock, boss, account
):
    """It stays through other writes, is shown and logged, goes with the key, and never comes back with a new code."""
    set_to(boss, "honor")
    simlock.add_lock("L2")
    other = factories.LockFactory(account=account, external_id="L2")
    key = key_for(lock.door, other.door)
    look(now=now())
    was = code_of(key)
    changed_at_keypad(lock, simlock)
    assert on_lock(simlock) == [NEW]
    assert simlock.try_door("L1", NEW)["opened"]
    assert [one["value"] for one in simlock.memory("L2").values()] == [was], "there ours stays"
    (line,) = DoorLogEntry.objects.filter(code="kept")
    assert (line.key_id, line.hint, line.cause) == (key.pk, "••47", "changed_outside")
    page = said(boss.get(f"/keys/{key.pk}/"))
    assert "Changed outside: the Door Code of Ada Example was changed at the keypad" in page
    assert NEW not in page
    truth = truth_of(key.credentials.get(), why="again", now=now())
    assert f"changed at the keypad of {lock.door.name}" in truth.refusal
    issuing.edit_key(key=key, ends_at=key.ends_at + timedelta(days=1), by=BY, now=now())
    look(now=now())
    (one,) = simlock.memory("L1").values()
    assert one["value"] == NEW, "a later end is written with the code that the guest has there"
    assert one["ends_at"][:16] == f"{key.ends_at + timedelta(days=1):%Y-%m-%dT%H:%M}"
    listening.poll(account=lock.account, now=now())
    assert DoorLogEntry.objects.filter(code="unlocked", key_id=key.pk).exists()
    issuing.regenerate(credential=key.credentials.get(), by=BY, now=now())
    look(now=now())
    assert on_lock(simlock) == [code_of(key)]
    assert Assignment.objects.filter(own_secret__isnull=False).count() == 0


def test_where_the_property_restores_ours_it_is_put_back(lock, simlock, boss):
    key = key_for(lock.door)
    look(now=now())
    changed_at_keypad(lock, simlock)
    eventually(lambda: (work(lock), on_lock(simlock) == [code_of(key)])[1])
    assert not DoorLogEntry.objects.filter(code="kept").exists()


@pytest.mark.scenario("69")
def test_a_code_changed_at_the_keypad_is_never_kept_for_a_guest_who_was_revoked(
    lock, simlock, boss
):
    set_to(boss, "honor")
    key = key_for(lock.door)
    look(now=now())
    simlock.offline("L1")
    issuing.revoke(key=key, by=BY, now=now())
    handle = next(iter(simlock.memory("L1")))
    simlock.act("L1", "keypad-change", handle=handle, value=NEW)
    simlock.online("L1")
    Lock.objects.filter(pk=lock.pk).update(read_back_at=now())
    eventually(lambda: (work(lock), on_lock(simlock) == [])[1])
    assert not DoorLogEntry.objects.filter(code="kept").exists()
    assert not simlock.try_door("L1", NEW)["opened"]


def test_what_is_kept_goes_when_the_key_is_revoked_and_ours_comes_back_when_it_is_restored(
    lock, simlock, boss
):
    set_to(boss, "honor")
    key = key_for(lock.door)
    look(now=now())
    changed_at_keypad(lock, simlock)
    issuing.revoke(key=key, by=BY, now=now())
    eventually(lambda: (look(now=now()), on_lock(simlock) == [])[1])
    issuing.restore(key=key, by=BY, now=now())
    look(now=now())
    assert on_lock(simlock) == [code_of(key)]


def test_restoring_ours_again_is_previewed_and_puts_it_back(lock, simlock, boss):
    set_to(boss, "honor")
    key = key_for(lock.door)
    look(now=now())
    changed_at_keypad(lock, simlock)
    asked = set_to(boss, "restore")
    assert "1 code that was changed at a keypad and kept until now." in said(asked)
    assert on_lock(simlock) == [NEW]
    set_to(boss, "restore", change_rules="yes")
    look(now=now())
    assert on_lock(simlock) == [code_of(key)]


def test_ours_stays_away_where_another_guest_was_given_it_meanwhile(lock, simlock, boss):
    set_to(boss, "honor")
    key = key_for(lock.door)
    look(now=now())
    changed_at_keypad(lock, simlock)
    other = key_for(lock.door, guest="Bob", allow=False)
    digest = key.credentials.get().secret_digest
    Assignment.objects.filter(key=other).update(reserved_digest=digest)
    saved = set_to(boss, "restore", change_rules="yes")
    assert saved.status_code == 302
    look(now=now())
    assert on_lock(simlock) == [NEW]


def test_the_code_of_the_keypad_goes_to_the_lock_that_takes_the_place_of_its_own(
    lock, simlock, boss, account
):
    set_to(boss, "honor")
    key_for(lock.door)
    look(now=now())
    changed_at_keypad(lock, simlock)
    simlock.add_lock("L2")
    spare = factories.LockFactory(account=account, external_id="L2", door=None)
    swap_lock(old=lock, new=spare, was_reset=False, by=BY, now=now())
    eventually(lambda: (look(now=now()), on_lock(simlock) == [])[1])
    assert [one["value"] for one in simlock.memory("L2").values()] == [NEW]
    assert own_codes(lock.property, now=now()).count() == 1


def test_a_code_that_another_guest_has_at_the_door_is_not_kept(lock, simlock, boss):
    set_to(boss, "honor")
    key = key_for(lock.door)
    look(now=now())
    held = key_for(lock.door, guest="Bob", allow=False)
    changed_at_keypad(lock, simlock, value=code_of(held))
    eventually(lambda: (work(lock), on_lock(simlock) == [code_of(key)])[1])
    assert not DoorLogEntry.objects.filter(code="kept").exists()


def test_a_code_that_the_lock_hides_stays_unknown_and_as_it_was_left(lock, simlock, boss, account):
    set_to(boss, "honor")
    simlock.add_lock("L3", masked=True)
    hidden = factories.LockFactory(account=account, external_id="L3")
    key = key_for(hidden.door, guest="Cid")
    look(now=now())
    handle = next(iter(simlock.memory("L3")))
    simlock.act("L3", "keypad-change", handle=handle, value=NEW)
    work(hidden)
    assert Assignment.objects.get(key=key).own_secret is None
    assert [one["value"] for one in simlock.memory("L3").values()] == [NEW]
