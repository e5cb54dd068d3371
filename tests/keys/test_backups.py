"""Backup codes: kept on the locks of rooms, given at a locked door with a ledger, taken back after that guest's stay."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client

from keys import backups, messages
from keys.backup_models import BackupCode
from keys.delivery import look
from keys.models import Assignment, Credential, Guest, Key
from keys.telling_models import GuestMessage
from locks.clock import zone
from locks.log_models import DoorLogEntry
from locks.models import Property
from portal.models import Role
from tests import factories
from tests.factories import key_for, now

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("quick", "silent_bell"),
]


def settle(lock, **values) -> None:
    """Change a setting of the property."""
    hotel = Property.objects.get(pk=lock.property_id)
    for name, value in values.items():
        setattr(hotel, name, value)
    hotel.save()


def wish(lock, many: int) -> None:
    """Have so many kept on each lock, and put there."""
    settle(lock, backup_codes=many)
    backups.keep(now=now())
    look(now=now())


def on_lock(simlock) -> set[str]:
    return {held["value"] for held in simlock.memory("L1").values()}


@pytest.fixture
def staff(lock):
    client = Client()
    client.force_login(factories.member(lock.property, Role.TEAM).user)
    return client


@pytest.fixture
def stranded(simlock, lock):
    """A guest whose code does not get to the lock, which has two backup codes."""
    wish(lock, 2)
    simlock.offline("L1", silent=True)
    key = key_for(lock.door, guest="Greta Guest")
    look(now=now())
    assert Assignment.objects.get(key=key).written_revision is None
    return key


def address(key: Key) -> str:
    return f"/keys/{key.pk}/doors/{key.doors.get().pk}/backup/"


def test_as_many_are_kept_on_the_lock_of_each_room_as_the_property_wishes(simlock, lock):
    for many in (2, 1, 3, 0):
        wish(lock, many)
        assert len(on_lock(simlock)) == many
        assert backups.keep(now=now()) == 0, "nothing is left to do"


def test_none_are_kept_in_setup_mode_or_at_doors_for_everyone(simlock, lock):
    lock.door.type = "entrance"
    lock.door.save()
    wish(lock, 2)
    assert on_lock(simlock) == set()
    lock.door.type = "private_room"
    lock.door.save()
    settle(lock, mode="setup")
    wish(lock, 2)
    assert not BackupCode.objects.exists()


def test_one_that_would_end_soon_is_replaced(simlock, lock):
    wish(lock, 1)
    before = on_lock(simlock)
    key = Key.objects.get()
    key.ends_at = now() + timedelta(days=3)
    key.save()
    wish(lock, 1)
    look(now=now())
    assert len(on_lock(simlock)) == 1
    assert on_lock(simlock).isdisjoint(before)


@pytest.mark.scenario(17)
def test_a_backup_code_is_given_at_a_locked_door_and_goes_after_that_guests_stay(
    simlock, lock, staff, stranded
):
    before = on_lock(simlock)
    assert "Give backup code" in staff.get(f"/keys/{stranded.pk}/").content.decode()
    refused = staff.post(address(stranded), {"because": ""})
    assert "Say why" in refused.content.decode()
    page = staff.post(address(stranded), {"because": "The lock is out of reach"})
    code = page.context["code"]
    assert code in before, "it is one that is on the lock already"
    assert simlock.try_door("L1", code)["opened"]
    again = staff.post(address(stranded), {"because": "Pressed twice"})
    assert again.context["code"] == code
    row = BackupCode.objects.get(given_for=stranded)
    assert row.because == "The lock is out of reach"
    ledger = staff.get("/locks/backups/").content.decode()
    assert "Greta Guest" in ledger
    assert "The lock is out of reach" in ledger
    assert code not in ledger
    assert code not in staff.get(f"/keys/{stranded.pk}/").content.decode()
    assert DoorLogEntry.objects.filter(code="backup_given", key_id=stranded.pk).count() == 1
    simlock.online("L1", silent=True)
    staff.post(f"/keys/{stranded.pk}/revoke/", {"word": "revoke"})
    wish(lock, 2)
    look(now=now() + timedelta(seconds=5))
    eventually_gone(simlock, code)
    row.refresh_from_db()
    assert row.rotated_at is not None
    assert len(on_lock(simlock)) == 2
    assert "Taken back" in staff.get("/locks/backups/").content.decode()


def eventually_gone(simlock, code: str) -> None:
    for _ in range(20):
        Assignment.objects.filter(retry_at__isnull=False).update(
            retry_at=None, next_attempt_at=now()
        )
        look(now=now())
        if code not in on_lock(simlock):
            return
    raise AssertionError("the code is still on the lock")


@pytest.mark.scenario(17)
def test_a_backup_code_is_sent_to_the_guest_who_was_given_it_with_the_end_of_that_stay(
    simlock, lock, staff, stranded, settings, tmp_path
):
    settings.GUEST_MESSAGES_FOLDER = str(tmp_path)
    guest = Guest.objects.get(people__key=stranded)
    guest.email = "greta@guests.example"
    guest.save()
    page = staff.post(address(stranded), {"because": "Locked out", "send": "on"})
    assert "It is being sent to the guest" in page.content.decode()
    staff.post(address(stranded), {"because": "Locked out", "send": "on"})
    messages.plan(now=now())
    messages.send_due(now=now())
    (sent,) = GuestMessage.objects.all()
    assert (sent.key_id, sent.state) == (stranded.pk, "sent")
    assert page.context["code"] in sent.body
    until = stranded.ends_at.astimezone(backups_zone(lock))
    assert f"until {until:%H:%M}, {until:%a} {until.day} {until:%b}" in sent.body


def backups_zone(lock):
    return zone(lock.property.timezone)


@pytest.mark.scenario(17)
def test_none_is_given_to_who_may_not_enter_or_when_none_is_on_the_lock(
    simlock, lock, staff, stranded
):
    def said(key: Key) -> str:
        return staff.post(address(key), {"because": "Locked out"}).content.decode()

    held = key_for(lock.door, allow=False)
    assert "Allow Provisioning is off at this door" in said(held)
    later = key_for(
        lock.door, starts_at=now() + timedelta(days=3), ends_at=now() + timedelta(days=4)
    )
    assert "The stay begins in more than a day" in said(later)
    for row in BackupCode.objects.select_related("key"):
        Assignment.objects.filter(key=row.key).update(written_revision=None)
    assert f"No backup code is on the lock of {lock.door.name}" in said(stranded)
    staff.post(f"/keys/{stranded.pk}/revoke/", {"word": "revoke"})
    assert "The key is over" in said(stranded)
    assert not BackupCode.objects.filter(given_at__isnull=False).exists()


def test_backup_codes_are_in_no_list_of_keys_and_wait_for_nobody(simlock, lock, staff, stranded):
    Assignment.objects.filter(key__backup__isnull=False).update(waits="someone")
    for query in ("?group=current", "?q=Backup", "?pending=someone"):
        page = staff.get(f"/keys/{query}")
        assert "Backup code" not in {line.key.label[:11] for line in page.context["lines"]}
    names = {line.key.label for line in staff.get("/keys/?group=current").context["lines"]}
    assert names == {"Greta Guest"}
    codes = {str(one.secret) for one in Credential.objects.filter(key__backup__isnull=False)}
    pages = "".join(
        staff.get(path).content.decode()
        for path in (
            "/keys/",
            "/log/",
            "/locks/backups/",
            f"/locks/{lock.pk}/",
            f"/doors/{lock.door_id}/",
        )
    )
    assert not [code for code in codes if code in pages]
