"""Support releases what hotels asked for, with a reason; and ``manage.py recover`` counts, does, and says how it ended."""

from __future__ import annotations

from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.urls import reverse

from keys import recovering
from keys.models import KeychainDoor, Recovery, SupportRequest
from keys.rules import Permission
from keys.support import contact_support
from locks.history import Actor, Source
from tests import factories
from tests.factories import now

RITA = Actor(source=Source.PORTAL, label="Rita")


@pytest.fixture
def outage(seaview):
    return factories.outage_of(seaview.property)


@pytest.fixture
def held(outage, seaview):
    return [
        factories.stay_in(outage, door, number=f"R-{place}", guest="Held Hanna")
        for place, door in enumerate(seaview.doors)
    ]


def still_held():
    return KeychainDoor.objects.filter(permission=Permission.HELD_BY_OUTAGE).count()


def recover(*words):
    """Run the command; returns what it said and its exit code."""
    out = StringIO()
    try:
        call_command("recover", *words, stdout=out)
    except SystemExit as end:
        return out.getvalue(), end.code
    return out.getvalue(), 0


# The queue in the admin ---------------------------------------------------------------------------


def asked_why(client, *requests):
    address = reverse("admin:keys_supportrequest_changelist")
    chosen = {"action": "release", "_selected_action": [one.pk for one in requests]}
    return client.post(address, chosen)


def test_support_sees_the_outage_and_the_count_and_no_guest(support, outage, held):
    contact_support(outage=outage, by=RITA, now=now())
    text = support.get(reverse("admin:keys_supportrequest_changelist")).content.decode()
    assert "Rita" in text
    assert "waiting" in text
    assert "Hanna" not in text


def test_support_releases_with_a_reason_that_history_keeps(support, outage, held):
    asked = contact_support(outage=outage, by=RITA, now=now())
    page = asked_why(support, asked)
    assert "2 keys held, asked by Rita" in page.content.decode()
    address = reverse("admin:keys_supportrequest_release")
    sent = {"requests": str(asked.pk)}
    refused = support.post(address, sent | {"reason": " "})
    assert "Say why" in refused.content.decode()
    assert not Recovery.objects.exists()
    support.post(address, sent | {"reason": "Rita called"})
    factories.work_off_recoveries()
    assert still_held() == 0
    record = held[0].doors.get().history.first()
    assert (record.source, record.actor_label, record.history_change_reason) == (
        "admin",
        "Sam",
        "Rita called",
    )
    asked.refresh_from_db()
    assert asked.answered_at is not None
    assert asked.recovery.done == 2


def test_a_request_with_nothing_left_is_closed_and_one_that_was_answered_stays(
    support, outage, held
):
    asked = contact_support(outage=outage, by=RITA, now=now())
    recovering.start(outage=outage, by=RITA.because("myself"), now=now())
    factories.work_off_recoveries()
    address = reverse("admin:keys_supportrequest_release")
    for _ in range(2):
        support.post(address, {"requests": str(asked.pk), "reason": "Rita called"})
    asked.refresh_from_db()
    assert (asked.recovery, asked.answered_at is not None) == (None, True)
    page = support.get(reverse("admin:keys_supportrequest_changelist")).content.decode()
    assert "nothing was left" in page
    again = contact_support(outage=outage, by=RITA, now=now())
    assert SupportRequest.objects.count() == 2
    assert again.keys == 0


# The command --------------------------------------------------------------------------------------


def test_a_dry_run_is_the_default_and_changes_nothing(outage, held):
    said, code = recover()
    assert code == 3
    assert f"Outage {outage.pk}, Seaview: Cloudbeds was broken from" in said
    assert "Provision: 2" in said
    assert "Waits for check-in: 2 doors by the rule, 0 before check-in" in said
    assert "Nothing was changed." in said
    assert "Hanna" not in said
    assert still_held() == 2


@pytest.mark.parametrize("by_name", [True, False])
def test_with_yes_it_is_done_here_and_now(outage, held, by_name):
    which = ("--property", "Seaview") if by_name else ("--outage", str(outage.pk))
    said, code = recover(*which, "--yes", "--reason", "a call", "--before-check-in")
    assert code == 0
    assert "Done. 2 done, 0 failed, 0 had nothing to do." in said
    record = held[0].doors.get().history.first()
    assert (record.source, record.history_change_reason) == ("command", "a call")
    assert record.permission == Permission.ALLOWED_BEFORE_CHECK_IN
    assert recover() == ("Nothing is left to be done.\n", 0)


def test_what_failed_is_said_and_is_an_exit_code(outage, held, monkeypatch):
    held[0].reservation.state = "cancelled"
    held[0].reservation.changed_at = now()
    held[0].reservation.save()
    monkeypatch.setattr("keys.recovery_steps.follow", lambda **_: 1 / 0)
    said, code = recover("--yes", "--reason", "a call")
    assert code == 2
    assert "1 done, 1 failed" in said
    assert f"Key {held[0].pk}: This could not be done because of an error" in said


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("--outage", "999"), "no outage 999"),
        (("--property", "Nowhere"), "no property Nowhere"),
        (("--yes",), "Say why with --reason"),
        (("--yes", "--reason", " "), "Say why with --reason"),
    ],
)
def test_what_was_asked_for_wrongly_is_said(db, words, complaint):
    with pytest.raises(CommandError, match=complaint):
        recover(*words)
