"""What staff ask of one lock: done once, through the lease of its writer, and answered as the lock answered."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client

from keys import adopting, alerts, errands
from keys.delivery import look
from keys.leases import grab_one, release
from keys.models import Key
from locks.errand_models import Errand
from locks.log_models import DoorLogEntry
from locks.models import Lock
from locks.slot_models import ForeignCode
from portal.models import Role
from tests import factories
from tests.eventually import eventually
from tests.factories import BY, key_for, now

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("quick", "silent_bell"),
]
CODE = "739153"


def asked(lock: Lock, what: str) -> Errand:
    return Errand.objects.filter(lock=lock, what=what).latest("id")


def logged(lock: Lock, code: str) -> list[tuple[str, str]]:
    lines = DoorLogEntry.objects.filter(lock=lock, code=code).order_by("id")
    return [(line.cause, line.actor) for line in lines]


def read(lock: Lock) -> None:
    """Have the lock read now."""
    Lock.objects.filter(pk=lock.pk).update(read_back_at=now())
    look(now=now())


@pytest.fixture
def staff(lock):
    client = Client()
    client.force_login(factories.member(lock.property, Role.GENERAL_MANAGER).user)
    return client


@pytest.fixture
def foreign(simlock, lock):
    """A code that someone typed in at the keypad, found by reading."""
    simlock.act("L1", "keypad-add", value=CODE)
    read(lock)
    return ForeignCode.objects.get(lock=lock, gone_at=None)


def test_unlock_opens_the_door_once_however_often_the_button_is_pressed(simlock, lock, staff):
    for _ in range(3):
        staff.post(f"/locks/{lock.pk}/unlock/")
    assert errands.run_due() == 1
    assert errands.run_due() == 0
    done = asked(lock, "unlock")
    assert (done.result, done.proof) == ("confirmed", "acknowledged")
    assert len(logged(lock, "remote_unlock")) == 1
    page = staff.get(f"/locks/{lock.pk}/").content.decode()
    assert "Done, acknowledged by the lock" in page


def test_an_unlock_without_an_answer_says_that_the_door_may_have_opened(simlock, lock, staff):
    simlock.cloud(outage="drop")
    staff.post(f"/locks/{lock.pk}/unlock/")
    errands.run_due()
    simlock.cloud(outage="")
    assert asked(lock, "unlock").result == "unknown"
    assert "may have opened" in staff.get(f"/locks/{lock.pk}/").content.decode()
    assert errands.run_due() == 0, "nobody opens a door for the second time"


def test_an_unlock_that_nobody_came_to_in_time_is_not_made_later(simlock, lock):
    row = errands.ask(lock=lock, what=Errand.What.UNLOCK, by=BY, now=now())
    Errand.objects.filter(pk=row.pk).update(expires_at=now() - timedelta(seconds=1))
    assert errands.run_due() == 0
    row.refresh_from_db()
    assert row.result == "expired"
    assert logged(lock, "remote_unlock") == [("expired", BY.label)]


def test_an_unlock_whose_worker_died_is_not_made_again(lock):
    row = errands.ask(lock=lock, what=Errand.What.UNLOCK, by=BY, now=now())
    Errand.objects.filter(pk=row.pk).update(tries=1)
    assert errands.run_due() == 0
    row.refresh_from_db()
    assert row.result == "unknown"


def test_an_offline_lock_refuses_to_unlock_and_that_is_told(simlock, lock, staff):
    simlock.offline("L1", silent=True)
    staff.post(f"/locks/{lock.pk}/unlock/")
    errands.run_due()
    row = asked(lock, "unlock")
    assert (row.result, row.cause) == ("failed", "lock_unreachable")
    assert "Not done: the lock did not answer" in staff.get(f"/locks/{lock.pk}/").content.decode()


def test_nothing_is_asked_of_a_lock_while_another_speaks_to_it(lock):
    grip = grab_one(writer_id=lock.writer_id, owner="another", lease_ms=60_000)
    errands.ask(lock=lock, what=Errand.What.SYNC_CLOCK, by=BY, now=now())
    assert errands.run_due() == 0
    assert grab_one(writer_id=lock.writer_id, owner="a third", lease_ms=60_000) is None
    release([grip], owner="another")
    assert errands.run_due() == 1
    lock.writer.refresh_from_db()
    assert lock.writer.owner == ""


def test_sync_clock_sets_the_clock_right_and_the_page_says_so(simlock, lock, staff):
    simlock.act("L1", "clock", offset_s=200)
    staff.post(f"/locks/{lock.pk}/read/")
    errands.run_due()
    assert "3 minutes fast" in staff.get(f"/locks/{lock.pk}/").content.decode()
    staff.post(f"/locks/{lock.pk}/clock/")
    errands.run_due()
    assert simlock.lock("L1")["clock_offset_s"] == 0
    page = staff.get(f"/locks/{lock.pk}/").content.decode()
    assert "minutes fast" not in page
    assert len(logged(lock, "clock_set")) == 1


def test_read_again_now_compares_the_lock_with_what_it_should_hold(simlock, lock, staff):
    key_for(lock.door)
    look(now=now())
    (handle,) = simlock.memory("L1")
    simlock.act("L1", "keypad-delete", handle=handle)
    staff.post(f"/locks/{lock.pk}/read/")
    look(now=now())
    assert len(simlock.memory("L1")) == 1, "it was put back"
    lock.refresh_from_db()
    assert lock.last_read_at is not None
    assert "from the lock itself" in staff.get(f"/locks/{lock.pk}/").content.decode()


@pytest.mark.scenario(70)
def test_a_code_that_is_not_ours_is_listed_and_never_written_over(simlock, lock, staff, foreign):
    listed = staff.get("/locks/foreign/").content.decode()
    assert lock.door.name in listed
    assert "••53" in listed
    assert CODE not in listed
    key_for(lock.door)
    for _ in range(2):
        look(now=now())
        read(lock)
    assert CODE in {held["value"] for held in simlock.memory("L1").values()}
    assert len(simlock.memory("L1")) == 2


@pytest.mark.scenario(70)
def test_a_foreign_code_is_removed_after_a_typed_word_and_the_lock_proves_it(
    simlock, lock, staff, foreign
):
    address = f"/locks/foreign/{foreign.pk}/remove/"
    refused = staff.post(address, {"word": "yes"})
    assert "Type the word remove to confirm." in refused.content.decode()
    assert not Errand.objects.exists()
    staff.post(address, {"word": "remove"})
    staff.post(address, {"word": "remove"})
    assert len(simlock.memory("L1")) == 1, "nothing but delivery speaks to a lock"
    assert errands.run_due() == 1
    assert simlock.memory("L1") == {}
    foreign.refresh_from_db()
    assert foreign.gone_at is not None
    page = staff.get(f"/locks/{lock.pk}/").content.decode()
    assert "acknowledged by the lock" in page
    (line,) = DoorLogEntry.objects.filter(lock=lock, code="foreign_removed")
    assert (line.hint, line.proof) == ("••53", "acknowledged")


@pytest.mark.scenario(70)
def test_a_foreign_code_of_an_offline_lock_is_removed_when_the_lock_is_back(
    simlock, lock, staff, foreign
):
    simlock.offline("L1", silent=True)
    staff.post(f"/locks/foreign/{foreign.pk}/remove/", {"word": "remove"})
    errands.run_due()
    row = asked(lock, "remove_foreign")
    assert row.done_at is None
    assert (
        "The last try failed: the lock did not answer"
        in staff.get("/locks/foreign/").content.decode()
    )
    simlock.online("L1", silent=True)

    def is_gone() -> bool:
        errands.run_due()
        return simlock.memory("L1") == {}

    eventually(is_gone, 10)


@pytest.mark.scenario(70)
def test_a_foreign_code_becomes_a_key_as_it_is_and_goes_with_it(simlock, lock, staff, foreign):
    (before,) = simlock.memory("L1").values()
    form = staff.get(f"/locks/foreign/{foreign.pk}/adopt/").context["form"]
    assert "code" not in form.fields, "the lock shows it"
    window = {name: form[name].value() for name in form.fields if name != "name"}
    sent = {k: f"{v:%H:%M}" if k.endswith("_at") else f"{v}" for k, v in window.items()}
    answer = staff.post(f"/locks/foreign/{foreign.pk}/adopt/", {"name": "Cleaners", **sent})
    key = Key.objects.get(label="Cleaners")
    assert answer["Location"] == f"/keys/{key.pk}/"
    for _ in range(3):
        look(now=now())
        read(lock)
    assert [held["value"] for held in simlock.memory("L1").values()] == [CODE]
    assert list(simlock.memory("L1")) == [before["handle"]], "it was not written anew"
    assert not ForeignCode.objects.filter(lock=lock, gone_at=None).exists()
    assert str(key.credentials.get().secret) == CODE
    place = key.assignments.get()
    assert place.written_revision == place.revision
    staff.post(f"/keys/{key.pk}/revoke/", {"word": "revoke"})
    for _ in range(2):
        look(now=now())
    assert simlock.memory("L1") == {}


def test_what_is_being_removed_cannot_become_a_key_and_a_key_is_not_removed_as_foreign(
    lock, foreign
):
    wish = {"name": "Cleaners", "code": "", "starts_at": now(), "by": BY, "now": now()}
    wish["ends_at"] = now() + timedelta(days=1)
    row = adopting.remove(foreign=foreign, by=BY, now=now())
    with pytest.raises(adopting.Refused, match="being removed"):
        adopting.adopt(foreign=foreign, **wish)
    row.delete()
    adopting.adopt(foreign=foreign, **wish)
    with pytest.raises(adopting.Refused, match="nothing to do"):
        adopting.remove(foreign=foreign, by=BY, now=now())
    with pytest.raises(adopting.Refused, match="nothing to do"):
        adopting.adopt(foreign=foreign, **wish)


def test_what_should_be_gone_is_listed_with_its_reason_and_tried_at_once(simlock, lock, staff):
    key = key_for(lock.door, guest="Gus Ghost")
    look(now=now())
    simlock.offline("L1", silent=True)
    staff.post(f"/keys/{key.pk}/revoke/", {"word": "revoke"})
    look(now=now())
    alerts.look(now=now() + timedelta(minutes=2))
    page = staff.get("/locks/ghosts/").content.decode()
    assert "Gus Ghost" in page
    assert "the lock did not answer" in page
    assert "1<span class" in page, "the menu counts it"
    about = staff.get(f"/locks/{lock.pk}/")
    assert {name: many for name, many, _ in about.context["counts"]}["Should be gone"] == 1
    simlock.online("L1", silent=True)
    staff.post(f"/locks/{lock.pk}/try/", {"from": "ghosts"})
    look(now=now())
    assert simlock.memory("L1") == {}
    assert "Nothing is left behind" in staff.get("/locks/ghosts/").content.decode()


@pytest.mark.scenario(77)
def test_a_master_code_of_an_offline_lock_waits_and_is_changed_when_the_lock_confirms_it(
    simlock, lock, staff
):
    simlock.offline("L1")
    Lock.objects.filter(pk=lock.pk).update(is_online=False, offline_since=now())
    address = f"/locks/{lock.pk}/master-code/"
    assert "The old master code holds" in staff.get(address).content.decode()
    page = staff.post(address, {"code": CODE}, follow=True).content.decode()
    assert "the old master code holds until the lock is back" in page
    errands.run_due()
    page = staff.get(f"/locks/{lock.pk}/").content.decode()
    assert "The last try failed: the lock did not answer" in page
    assert CODE not in page
    assert simlock.lock("L1")["master_code"] == ""
    assert logged(lock, "master_code") == []
    again = staff.post(address, {"code": "264813"}).content.decode()
    assert "still waits for this lock" in again
    simlock.online("L1")

    def is_changed() -> bool:
        errands.run_due()
        return simlock.lock("L1")["master_code"] == CODE

    eventually(is_changed, 10)
    row = asked(lock, "master_code")
    assert (row.result, row.secret) == ("confirmed", "")
    assert [cause for cause, _ in logged(lock, "master_code")] == [""]


def test_a_master_code_that_anyone_would_guess_is_refused_at_once(lock, staff):
    page = staff.post(f"/locks/{lock.pk}/master-code/", {"code": "1234"}).content.decode()
    assert "not easy to guess" in page
    assert not Errand.objects.filter(what="master_code").exists()
