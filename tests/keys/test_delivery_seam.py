"""Delivery through a lock system that takes everything first and carries it out later: what is said meanwhile, and after."""

from __future__ import annotations

import time
from datetime import timedelta

import pytest

from keys import issuing
from keys.delivery import look
from keys.explaining import explain_key
from keys.models import Assignment
from keys.rules import Hold, OnLock
from locks import listening
from locks.log_models import DoorLogEntry, Episode
from locks.models import Lock
from tests.eventually import eventually
from tests.factories import BY, AccountFactory, LockFactory, key_for, now
from tests.locks.seam_server import start_seam

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("quick", "silent_bell"),
]


@pytest.fixture(scope="module")
def running():
    with start_seam() as server:
        yield server


@pytest.fixture
def seam(running):
    running.post("reset")
    running.add_device("front-204", latency_s=0.05)
    return running


@pytest.fixture
def lock(seam, settings):
    """A lock of a Seam workspace, on a door; the vendor may take a long time before that is a 4117."""
    settings.ACCEPTED_PATIENCE_S, settings.OVERDUE_GRACE_S = 600.0, 600.0
    account = AccountFactory(driver="seam", name="Seam", base_url=seam.url, token=seam.key)
    return LockFactory(account=account, external_id="front-204")


def codes(seam):
    return list(seam.memory("front-204").values())


def at_work(seam, *, on=True):
    """Have the vendor take everything and carry nothing out."""
    seam.act("front-204", "frozen", on=on)


def place_of(key):
    (door,) = explain_key(key=key, now=now()).doors
    return door.places[0]


def look_until(is_so, seconds=8.0):
    def looked():
        look(now=now())
        return is_so()

    return eventually(looked, seconds, every=0.05)


def is_on(key):
    return place_of(key).on_lock is OnLock.CURRENT


def open_kinds():
    return set(Episode.objects.filter(closed_at=None).values_list("kind", flat=True))


def test_what_was_taken_waits_with_a_reason_and_is_on_the_lock_when_the_book_shows_it(seam, lock):
    at_work(seam)
    key = key_for(lock.door)
    look(now=now())
    place = place_of(key)
    assert place.on_lock is OnLock.ACCEPTED
    assert place.headline.startswith("Seam took it at ")
    assert place.headline.endswith("and is still at work.")
    (reason,) = place.reasons
    assert (reason.hold, reason.who) == (Hold.AT_WORK, "By itself")
    assert reason.since == Assignment.objects.get().accepted_at
    assert "its book is looked into at" in reason.next
    assert place.proof == ""
    assert not open_kinds(), "taken is no 4117 at once"
    assert codes(seam) == []
    at_work(seam, on=False)
    look_until(lambda: is_on(key))
    assert codes(seam) == [key.credentials.get().secret]
    assert place_of(key).proof == "in the lock system’s book, not read from the lock"
    assert DoorLogEntry.objects.filter(code="written", proof="book").count() == 1
    assert not Episode.objects.exists()


def test_what_takes_too_long_is_a_4117_of_its_own_that_ends_when_it_is_done(seam, lock, settings):
    settings.ACCEPTED_PATIENCE_S, settings.OVERDUE_GRACE_S = 0.4, 0.2
    at_work(seam)
    key = key_for(lock.door)
    look_until(lambda: "4117" in open_kinds())
    assert Episode.objects.get().cause == "overdue"
    assert "has not brought it to the lock yet" in place_of(key).headline
    at_work(seam, on=False)
    look_until(lambda: is_on(key))
    assert not open_kinds()


def test_what_is_not_due_yet_is_no_4117_however_long_it_takes(seam, lock, settings):
    settings.ACCEPTED_PATIENCE_S, settings.OVERDUE_GRACE_S = 0.1, 0.1
    starts_at = now() + timedelta(days=9)
    key = key_for(lock.door, starts_at=starts_at, ends_at=starts_at + timedelta(days=1))
    look_until(lambda: place_of(key).on_lock is OnLock.ACCEPTED)
    time.sleep(0.5)
    look(now=now())
    assert place_of(key).reasons[0].hold is Hold.AT_WORK
    assert not Episode.objects.exists()


def test_a_problem_in_the_book_is_a_failed_try_with_the_vendors_cause(seam, lock):
    seam.act("front-204", "refuse-set", calls=1)
    key = key_for(lock.door)
    look_until(lambda: "4117" in open_kinds())
    episode = Episode.objects.get()
    assert episode.cause == "rejected"
    assert DoorLogEntry.objects.filter(
        code="write_failed", vendor_code__contains="failed_to_set"
    ).exists()
    look_until(lambda: is_on(key))
    assert codes(seam) == [key.credentials.get().secret]
    assert not open_kinds()


def test_a_lock_out_of_reach_is_named_while_the_vendor_goes_on_trying(seam, lock):
    seam.act("front-204", "offline")
    key = key_for(lock.door)
    look_until(lambda: "4117" in open_kinds())
    assert Episode.objects.get().cause == "lock_unreachable"
    assert "goes on trying: the lock did not answer" in place_of(key).headline
    seam.act("front-204", "online")
    look_until(lambda: is_on(key))
    assert not open_kinds()


def test_reading_the_book_does_not_bring_a_lock_online(seam, lock):
    key = key_for(lock.door)
    look_until(lambda: is_on(key))
    seam.act("front-204", "offline")
    listening.poll(account=lock.account, now=now())
    assert not Lock.objects.get().is_online
    Lock.objects.update(read_back_at=now(), read_backs_left=1)
    look_until(lambda: Lock.objects.get().read_backs_left == 0)
    assert not Lock.objects.get().is_online
    seam.act("front-204", "online")
    listening.poll(account=lock.account, now=now())
    assert Lock.objects.get().is_online


def test_a_removal_that_was_taken_says_so_and_is_urgent_when_it_takes_too_long(
    seam, lock, settings
):
    settings.OVERDUE_GRACE_S = 0.3
    key = key_for(lock.door)
    look_until(lambda: is_on(key))
    at_work(seam)
    issuing.revoke(key=key, by=BY, now=now())
    look(now=now())
    place = Assignment.objects.get()
    assert (place.accepted_removal, open_kinds()) == (True, set())
    assert "has taken" in explain_key(key=key, now=now()).doors[0].reasons[0].next
    look_until(lambda: "not_removed" in open_kinds())
    assert Episode.objects.get().cause == "overdue"
    assert codes(seam) != []
    at_work(seam, on=False)
    look_until(lambda: not open_kinds())
    assert codes(seam) == []
    assert DoorLogEntry.objects.filter(code="removed").count() == 1
    assert Assignment.objects.get().reserved_digest is None


def test_what_was_revoked_before_it_was_carried_out_never_opens(seam, lock):
    at_work(seam)
    key = key_for(lock.door)
    look(now=now())
    issuing.revoke(key=key, by=BY, now=now())
    look(now=now())
    assert (
        Assignment.objects.get().accepted_removal or Assignment.objects.get().sent_revision is None
    )
    at_work(seam, on=False)
    look_until(lambda: Assignment.objects.get().reserved_digest is None)
    assert codes(seam) == []
    assert not seam.api("GET", "/access_codes/list", query={"device_id": "front-204"})[
        "access_codes"
    ]


def test_a_new_code_is_sent_though_the_old_one_is_still_in_the_vendors_hands(seam, lock):
    at_work(seam)
    key = key_for(lock.door)
    look(now=now())
    issuing.regenerate(credential=key.credentials.get(), by=BY, now=now())
    look(now=now())
    place = Assignment.objects.get()
    assert place.sent_revision == place.revision == 2
    at_work(seam, on=False)
    look_until(lambda: is_on(key))
    assert codes(seam) == [key.credentials.get().secret]


@pytest.mark.parametrize("fault", ["lose-answer", "lose-request"])
def test_after_an_unknown_outcome_the_book_is_read_before_anything_is_decided(seam, lock, fault):
    seam.act("front-204", fault, calls=1)
    key = key_for(lock.door)
    look(now=now())
    look_until(lambda: is_on(key))
    assert codes(seam) == [key.credentials.get().secret]
    created = seam.api("GET", "/access_codes/list", query={"device_id": "front-204"})
    assert len(created["access_codes"]) == 1


def test_a_code_that_the_lock_has_already_is_replaced_for_the_whole_key(seam, lock):
    key = key_for(lock.door)
    first = key.credentials.get().secret
    seam.act("front-204", "keypad-add", code=first)
    look_until(lambda: is_on(key))
    second = key.credentials.get().secret
    assert second != first
    assert sorted(codes(seam)) == sorted([first, second])


def test_a_second_code_of_one_name_that_landed_late_is_taken_off_when_the_book_is_read(seam, lock):
    key = key_for(lock.door)
    look_until(lambda: is_on(key))

    def on_it():
        return sorted(each["code"] for each in seam.get("devices/front-204")["memory"])

    seam.create("front-204", f"k{key.pk}a{Assignment.objects.get().pk}", "975318")
    secret = key.credentials.get().secret
    eventually(lambda: on_it() == sorted([secret, "975318"]), 5)
    Lock.objects.update(read_back_at=now(), read_backs_left=1)
    look_until(lambda: on_it() == [secret] and is_on(key))
