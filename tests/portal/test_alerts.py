"""Alerts in the portal and by e-mail: on every page, once per stretch of trouble, not at night unless urgent."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta

import pytest
from django.core import mail
from django.core.mail.backends.locmem import EmailBackend
from django.test import Client

from keys.telling_models import Alert
from locks.models import Property
from portal import alert_mails
from portal.models import AlertMail, AlertPreference, Role
from portal.tasks import mail_alerts
from tests import factories
from tests.factories import now

pytestmark = pytest.mark.django_db
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
NIGHT = datetime(2027, 1, 12, 2, 30, tzinfo=UTC)
MORNING = datetime(2027, 1, 12, 7, 30, tzinfo=UTC)
"""Lisbon keeps UTC in January."""


class Unreachable(EmailBackend):
    """A mail server that does not answer."""

    def send_messages(self, messages):
        raise ConnectionRefusedError


@pytest.fixture
def hotel():
    return factories.PropertyFactory()


@pytest.fixture
def boss(hotel):
    return factories.member(hotel, Role.OWNER)


def signed_in(member):
    client = Client()
    client.force_login(member.user)
    return client


def wants(member, **values):
    given = {"by_email": True, "kinds": Alert.Kind.values, "urgent_anyway": True}
    given |= {"quiet_from": None, "quiet_to": None}
    return alert_mails.change_preference(membership=member, **(given | values))


def mailed(at):
    """Plan and send as the task does; returns the subjects that went out."""
    mail.outbox.clear()
    alert_mails.plan(now=at)
    alert_mails.send_due(now=at)
    return [one.subject for one in mail.outbox]


# The portal -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("address", ["/doors/", "/keys/", "/log/", "/settings/team/", "/keys/add/"])
def test_every_page_says_how_many_alerts_are_open_and_the_most_urgent(hotel, boss, address):
    factories.alert_at(hotel)
    factories.alert_at(
        hotel, kind="removals", about="door:1", rank=0, sentence="1 code may still open 204."
    )
    factories.alert_at(hotel, about="gateway:2", closed_at=now())
    text = signed_in(boss).get(address).content.decode()
    assert "<strong>2 alerts</strong>" in text
    assert "1 code may still open 204." in text


def test_an_open_page_hears_of_a_new_alert(hotel, boss):
    factories.alert_at(hotel)
    client = signed_in(boss)
    answer = client.get("/doors/", headers={"X-Live": "1"}).content.decode()
    assert 'id="live"' in answer
    assert "<strong>1 alert</strong>" in answer
    Alert.objects.update(closed_at=now())
    assert "alert</strong>" not in client.get("/doors/", headers={"X-Live": "1"}).content.decode()


def test_the_page_shows_guests_remedy_and_a_way_there_for_who_may_go(hotel, boss):
    factories.alert_at(
        hotel, kind="pms_broken", about="pms:1", rank=2, subject="Cloudbeds", guests=3
    )
    text = signed_in(boss).get("/alerts/").content.decode()
    assert "3 guests at risk" in text
    assert "Settings, Integrations, Reconnect" in text
    assert '<a href="/settings/integrations/">Settings → Integrations</a>' in text
    cleaner = factories.member(hotel, Role.HOUSEKEEPING)
    assert "Settings → Integrations</a>" not in signed_in(cleaner).get("/alerts/").content.decode()


def test_every_kind_leads_somewhere(hotel, boss):
    door = factories.DoorFactory(property=hotel)
    abouts = {"pms_broken": ["pms:1"], "pms_silent": ["pms:1"], "gateway": ["gateway:1"]}
    abouts |= {"account": ["account:1"], "removals": [f"door:{door.pk}"]}
    abouts["clock"] = [f"door:{door.pk}"]
    abouts["pms_missing"] = [f"pms:{factories.outage_of(hotel).integration_id}"]
    abouts["arrivals"] = [f"door:{door.pk}", "outage:1", "pms:1", "rooms"]
    for kind in Alert.Kind.values:
        for about in abouts[kind]:
            factories.alert_at(hotel, kind=kind, about=about)
    client = signed_in(boss)
    lines = client.get("/alerts/").context["lines"]
    assert len(lines) == 11
    for line in lines:
        assert line.remedy
        assert client.get(line.link).status_code == 200, line.alert


def test_past_alerts_say_from_when_to_when_and_how_many_were_at_risk(hotel, boss):
    factories.alert_at(hotel, closed_at=now(), most_guests=4)
    text = signed_in(boss).get("/alerts/?show=past").content.decode()
    assert "at most 4 guests at risk" in text
    assert "Nothing needs anyone now" in signed_in(boss).get("/alerts/").content.decode()


# What someone wants ---------------------------------------------------------------------------------


def test_a_person_chooses_kinds_and_quiet_hours_for_themselves(hotel, boss):
    client = signed_in(boss)
    assert "Lisbon" in client.get("/alerts/preferences/").content.decode()
    given = {"by_email": "on", "kinds": ["removals", "pms_broken"], "quiet_from": "22:00"}
    answer = client.post("/alerts/preferences/", given)
    assert "Give both ends of the quiet hours" in answer.content.decode()
    assert not AlertPreference.objects.exists()
    answer = client.post("/alerts/preferences/", given | {"quiet_to": "07:00"})
    assert answer.status_code == 302
    row = AlertPreference.objects.get(membership=boss)
    assert (row.by_email, row.kinds) == (True, ["removals", "pms_broken"])
    assert (row.quiet_from, row.quiet_to, row.urgent_anyway) == (time(22), time(7), False)


def test_by_e_mail_without_any_kind_is_refused_at_the_field(hotel, boss):
    answer = signed_in(boss).post("/alerts/preferences/", {"by_email": "on"})
    assert "Choose which alerts to get" in answer.content.decode()


@pytest.mark.parametrize(
    ("start", "end", "at", "quiet"),
    [
        (time(22), time(7), time(23), True),
        (time(22), time(7), time(6, 59), True),
        (time(22), time(7), time(7), False),
        (time(22), time(7), time(12), False),
        (time(9), time(17), time(9), True),
        (time(9), time(17), time(17), False),
        (time(9), time(9), time(9), False),
        (None, None, time(3), False),
    ],
)
def test_quiet_hours_may_pass_midnight(start, end, at, quiet):
    assert alert_mails.is_quiet(start, end, at) is quiet


# By e-mail ------------------------------------------------------------------------------------------


def test_nobody_gets_e_mail_who_did_not_ask(hotel, boss):
    factories.alert_at(hotel)
    assert mailed(now()) == []
    wants(boss, by_email=False)
    assert mailed(now()) == []
    wants(boss, kinds=["removals"])
    assert mailed(now()) == []
    assert not AlertMail.objects.exists()


def test_one_e_mail_when_it_begins_and_one_when_it_is_over(hotel, boss):
    wants(boss)
    alert = factories.alert_at(hotel, guests=2, most_guests=5)
    at = now()
    assert mailed(at) == [f"{hotel.name}: Gateway offline: Gateway of the cabins"]
    assert mail.outbox[0].to == [boss.user.email]
    text = mail.outbox[0].body
    assert "Guests at risk: 2." in text
    assert "Check the power" in text
    assert "(Europe/Lisbon)" in text
    assert "/alerts/" in text
    assert mailed(at + MINUTE) == []
    Alert.objects.update(closed_at=at + MINUTE)
    assert mailed(at + 2 * MINUTE) == []  # it may come back
    over = mailed(at + 7 * MINUTE)
    assert over == [f"{hotel.name}: over: {alert}"]
    assert "at most 5 guests were at risk" in mail.outbox[0].body
    assert mailed(at + HOUR) == []
    assert AlertMail.objects.exclude(sent_at=None).count() == 2


def test_what_begins_at_one_time_is_one_e_mail(hotel, boss):
    wants(boss)
    for n in range(3):
        factories.alert_at(hotel, about=f"door:{n}")
    assert mailed(now()) == [f"{hotel.name}: 3 alerts"]


def test_people_of_another_hotel_hear_nothing(hotel, boss):
    wants(factories.member(factories.PropertyFactory(), Role.OWNER))
    factories.alert_at(hotel)
    assert mailed(now()) == []


def test_the_night_is_quiet_but_for_what_is_urgent(hotel, boss):
    wants(boss, quiet_from=time(22), quiet_to=time(7))
    calm = factories.alert_at(hotel, opened_at=NIGHT)
    assert mailed(NIGHT) == []
    urgent = factories.alert_at(hotel, kind="removals", about="door:1", rank=0, opened_at=NIGHT)
    assert mailed(NIGHT + MINUTE) == [f"{hotel.name}: {urgent}"]
    assert mailed(MORNING) == [f"{hotel.name}: {calm}"]


def test_urgent_alerts_wait_too_for_who_wants_to_sleep(hotel, boss):
    wants(boss, quiet_from=time(22), quiet_to=time(7), urgent_anyway=False)
    urgent = factories.alert_at(hotel, kind="removals", about="door:1", opened_at=NIGHT)
    assert mailed(NIGHT) == []
    assert mailed(MORNING) == [f"{hotel.name}: {urgent}"]


def test_quiet_hours_are_by_the_propertys_clock(hotel, boss):
    hotel.timezone = "Asia/Tokyo"
    hotel.save()
    wants(boss, quiet_from=time(22), quiet_to=time(7))
    alert = factories.alert_at(hotel, opened_at=NIGHT)
    assert mailed(NIGHT) == [f"{hotel.name}: {alert}"]  # half past eleven in the morning there


def test_what_was_over_before_the_morning_is_told_once_as_over(hotel, boss):
    wants(boss, quiet_from=time(22), quiet_to=time(7))
    alert = factories.alert_at(hotel, opened_at=NIGHT)
    assert mailed(NIGHT) == []
    Alert.objects.update(closed_at=NIGHT + HOUR)
    assert mailed(NIGHT + 2 * HOUR) == []
    assert mailed(MORNING) == [f"{hotel.name}: over: {alert}"]


def test_a_mail_server_that_does_not_answer_is_tried_again(hotel, boss, settings):
    wants(boss)
    factories.alert_at(hotel)
    at, works = now(), settings.EMAIL_BACKEND
    settings.EMAIL_BACKEND = "tests.portal.test_alerts.Unreachable"
    assert mailed(at) == []
    row = AlertMail.objects.get()
    assert row.sent_at is None
    assert row.result == "not sent yet: ConnectionRefusedError"
    settings.EMAIL_BACKEND = works
    assert mailed(at + MINUTE / 2) == []
    assert len(mailed(at + 2 * MINUTE)) == 1


def test_a_worker_that_died_after_sending_repeats_once_and_loses_nothing(hotel, boss, monkeypatch):
    wants(boss)
    factories.alert_at(hotel)
    at = now()

    def dies(*_args, **_kwargs):
        raise SystemExit

    with monkeypatch.context() as patched:
        patched.setattr("portal.alert_mails.EmailMessage.send", dies)
        with pytest.raises(SystemExit):
            mailed(at)
    assert mailed(at + MINUTE) == []
    assert len(mailed(at + 6 * MINUTE)) == 1
    assert mailed(at + HOUR) == []


def test_of_two_workers_one_sends(hotel, boss):
    wants(boss)
    factories.alert_at(hotel)
    alert_mails.plan(now=now())
    seen = list(AlertMail.objects.all())
    assert [alert_mails._taken(one, now()) for one in seen + seen] == [True, False]


def test_who_left_hears_nothing_more(hotel, boss):
    wants(boss)
    factories.alert_at(hotel)
    alert_mails.plan(now=now())
    boss.is_active = False
    boss.save()
    mail.outbox.clear()
    assert alert_mails.send_due(now=now()) == 0
    assert AlertMail.objects.get().result == "not wanted any more"
    assert not mail.outbox


def test_the_task_does_both(hotel, boss):
    wants(boss)
    factories.alert_at(hotel)
    mail.outbox.clear()
    mail_alerts()
    mail_alerts()
    assert len(mail.outbox) == 1
    assert Property.objects.count() == 1
