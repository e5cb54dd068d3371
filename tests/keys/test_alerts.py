"""Alerts: what is an alarm and what is not, one row per stretch of trouble, guests counted, nobody named."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from keys import alerts, issuing, provisioning
from keys.alerting import REMEDIES
from keys.models import Assignment, Key
from keys.telling_models import Alert
from locks.log_models import Episode
from locks.models import Gateway, Lock, LockAccount, Pulse
from pms.models import Integration, Reservation
from tests import factories
from tests.factories import BY, now

pytestmark = pytest.mark.django_db
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


@pytest.fixture
def wall(db):
    """A lock behind a gateway, on a door; no lock system behind it."""
    gateway = factories.GatewayFactory()
    return factories.LockFactory(account=gateway.account, gateway=gateway)


def decided(at=None):
    """Let the rule say what each door waits for, as delivery would, long enough ago to be no flicker."""
    for one in Assignment.objects.values_list("property_id", flat=True).distinct():
        provisioning.ask_again(property_id=one, now=at or now())
    provisioning.decide_again(now=at or now())
    Assignment.objects.update(headline_since=now() - HOUR)


def looked(at=None):
    """Look, and return what is open by kind and subject with the guests at risk."""
    alerts.look(now=at or now())
    rows = Alert.objects.filter(closed_at=None).order_by("rank", "id")
    return [(row.kind, row.subject, row.guests) for row in rows]


def stays(door, count, *, starts_in=HOUR, heard_ago=MINUTE, state="connected", **stay):
    """So many expected reservations of the door's room, and the connection they came through."""
    outage = factories.outage_of(door.property)
    Integration.objects.filter(pk=outage.integration_id).update_untracked(
        last_word_at=now() - heard_ago
    )
    pms = Integration.objects.get(pk=outage.integration_id)
    pms.state, pms.state_since = state, now() - heard_ago
    pms.save()
    for number in range(count):
        key = factories.stay_in(outage, door, number=f"{number}", came_in=False, **stay)
        key.starts_at, key.ends_at = now() + starts_in, now() + timedelta(days=2)
        key.save()
        Assignment.objects.filter(key=key).update(starts_at=key.starts_at, ends_at=key.ends_at)
    return pms


def test_a_quiet_hotel_has_no_alert(wall):
    stays(wall.door, 2)
    decided()
    assert looked() == []


def test_missing_reservations_are_told_with_how_many_of_how_many_until_none_is(wall):
    stays(wall.door, 4, starts_in=20 * HOUR)
    decided()
    Reservation.objects.filter(number__in=["0", "1"]).update(missing_since=now())
    assert looked() == [("pms_missing", "Cloudbeds", 0)]
    assert Alert.objects.get().sentence == (
        "Cloudbeds no longer mentions the reservations of 2 of 4 keys. Nothing was revoked."
    )
    for key in Key.objects.filter(reservation__missing_since__isnull=False):
        issuing.revoke(key=key, by=BY, now=now())
    assert looked() == []


def test_silence_is_an_alarm_only_when_arrivals_are_at_risk(wall):
    stays(wall.door, 7, heard_ago=43 * MINUTE, state="delayed")
    decided()
    assert looked() == [("pms_silent", "Cloudbeds", 7)]
    said = Alert.objects.get().sentence
    assert said == (
        "No word from Cloudbeds for 40 minutes, 7 arrivals in the next 12 hours "
        "have no code on the lock."
    )


@pytest.mark.parametrize(
    ("heard_ago", "starts_in", "checked_in"),
    [(39 * MINUTE, HOUR, False), (2 * HOUR, 13 * HOUR, False), (2 * HOUR, HOUR, True)],
)
def test_no_silence_alarm_too_soon_or_for_nobody(wall, heard_ago, starts_in, checked_in):
    stays(wall.door, 2, heard_ago=heard_ago, starts_in=starts_in, checked_in=checked_in)
    Assignment.objects.update(written_revision=1)
    decided()
    assert looked() == []


def test_a_broken_pms_is_told_at_once_with_its_guests_and_without_their_names(wall):
    stays(wall.door, 3, heard_ago=MINUTE, state="broken")
    decided()
    assert looked() == [("pms_broken", "Cloudbeds", 3)]
    one = Alert.objects.get()
    assert "3 guests in house or arriving in the next 12 hours have no code" in one.sentence
    assert "Gil Guest" not in one.sentence + one.subject
    assert one.opened_at == Integration.objects.get().state_since


def test_an_arrival_within_two_hours_without_a_code_is_one_alert_per_door(wall):
    start = now() + HOUR
    keys = [factories.key_for(wall.door, starts_at=start, ends_at=start + HOUR) for _ in range(2)]
    Lock.objects.update(is_online=False, offline_since=now() - HOUR)
    decided()
    assert looked() == [("arrivals", wall.door.name, 2)]
    said = Alert.objects.get().sentence
    assert said.startswith("2 guests in house or arriving soon have no working code on")
    assert said.endswith("its lock is offline.")
    Assignment.objects.filter(key=keys[0]).update(written_revision=1)
    decided()
    assert looked() == [("arrivals", wall.door.name, 1)]
    assert Alert.objects.get().most_guests == 2


def test_a_failure_of_a_moment_a_later_arrival_and_staffs_own_hold_are_no_alarm(wall):
    later = now() + 3 * HOUR
    factories.key_for(wall.door, starts_at=later, ends_at=later + HOUR)
    factories.key_for(wall.door, allow=False)
    Lock.objects.update(is_online=False, offline_since=now() - HOUR)
    decided()
    assert looked() == []
    factories.key_for(wall.door)
    decided()
    Assignment.objects.update(headline_since=now())
    assert looked() == []


def test_arrivals_of_a_pms_that_was_disconnected_are_at_risk_and_their_check_in_is_unknown(wall):
    stays(wall.door, 2, state="disconnected")
    decided()
    assert looked() == [("arrivals", "Check-ins unknown", 2)]
    assert "the PMS is disconnected" in Alert.objects.get().sentence


def test_a_dead_gateway_is_one_alert_with_all_its_guests(wall):
    other = factories.LockFactory(account=wall.account, gateway=wall.gateway)
    for lock in (wall, other):
        factories.key_for(lock.door)
    Gateway.objects.update(is_online=False, offline_since=now() - 2 * MINUTE)
    decided()
    assert looked() == [("gateway", wall.gateway.name, 2)]
    assert "2 locks" in Alert.objects.get().sentence


def test_a_broken_account_is_told_also_when_nobody_waits(wall):
    account = LockAccount.objects.get()
    account.state, account.broken_at = "broken", now()
    account.save()
    assert looked() == [("account", account.name, 0)]
    assert not Alert.objects.get().is_urgent()


def test_removals_come_first_and_count_the_guests_behind_the_door(wall):
    gone, stays_here = factories.key_for(wall.door), factories.key_for(wall.door)
    Assignment.objects.update(written_revision=1)
    issuing.revoke(key=gone, by=BY, now=now())
    Lock.objects.update(is_online=False, offline_since=now() - HOUR)
    decided()
    Episode.objects.create(
        property=wall.property,
        door=wall.door,
        kind="not_removed",
        assignment_id=gone.assignments.get().pk,
        key_id=gone.pk,
        cause="lock_offline",
        opened_at=now() - 2 * MINUTE,
    )
    assert looked()[0] == ("removals", wall.door.name, 1)
    assert Alert.objects.order_by("rank").first().is_urgent()
    assert stays_here.pk != gone.pk


def test_what_came_in_during_an_outage_is_one_alert_and_rooms_without_a_door_another(wall):
    outage = factories.outage_of(wall.property)
    for number in ("1", "2"):
        factories.stay_in(outage, wall.door, number=number)
    lost = factories.stay_in(outage, wall.door, number="3", came_in=False)
    for door in lost.doors.all():
        issuing.remove_door(keychain_door=door, by=BY, now=now())
    decided()
    assert sorted(looked()) == [
        ("arrivals", "Held after the outage", 2),
        ("arrivals", "Rooms without a door", 1),
    ]


def test_a_hotel_in_setup_is_told_of_no_arrivals(wall):
    factories.key_for(wall.door)
    hotel = wall.property
    hotel.mode = "setup"
    hotel.save()
    Lock.objects.update(is_online=False, offline_since=now() - HOUR)
    decided()
    assert looked() == []


def test_looking_twice_changes_nothing_and_open_pages_hear_of_what_does(wall):
    Gateway.objects.update(is_online=False, offline_since=now() - 2 * MINUTE)
    assert alerts.look(now=now()) == 1
    first, pulse = Alert.objects.get(), Pulse.objects.get().number
    assert alerts.look(now=now() + MINUTE) == 0
    assert Alert.objects.get().opened_at == first.opened_at
    assert Pulse.objects.get().number == pulse
    Gateway.objects.update(is_online=True, offline_since=None)
    assert alerts.look(now=now() + 2 * MINUTE) == 1
    assert Pulse.objects.get().number == pulse + 1
    assert Alert.objects.get().closed_at is not None


@pytest.mark.parametrize(("minutes", "rows"), [(4, 1), (6, 2)])
def test_what_comes_back_within_minutes_is_the_same_stretch(wall, minutes, rows):
    at = now()
    dead = {"is_online": False, "offline_since": at - 2 * MINUTE}
    Gateway.objects.update(**dead)
    alerts.look(now=at)
    Gateway.objects.update(is_online=True, offline_since=None)
    alerts.look(now=at)
    Gateway.objects.update(**dead)
    alerts.look(now=at + minutes * MINUTE)
    assert Alert.objects.count() == rows
    assert Alert.objects.filter(closed_at=None).count() == 1


def test_the_database_keeps_one_open_alert_per_trouble(wall):
    factories.alert_at(wall.property)
    with pytest.raises(IntegrityError), transaction.atomic():
        factories.alert_at(wall.property)
    factories.alert_at(wall.property, about="gateway:2")


def test_a_look_costs_the_same_for_many(wall):
    def cost():
        with CaptureQueriesContext(connection) as made:
            alerts.look(now=now())
        return len(made)

    Lock.objects.update(is_online=False, offline_since=now() - HOUR)
    factories.key_for(wall.door)
    decided()
    looked()
    one = cost()
    for _ in range(5):
        lock = factories.LockFactory(
            account=factories.AccountFactory(), is_online=False, offline_since=now()
        )
        factories.key_for(lock.door)
    decided()
    looked()
    assert cost() == one


def test_every_kind_has_a_remedy():
    assert set(REMEDIES) == set(Alert.Kind.values)
