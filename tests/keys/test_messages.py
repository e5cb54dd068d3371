"""Messages to guests: only what the locks hold, once per news, by e-mail and SMS, and never a code in a log."""

from __future__ import annotations

import json
import stat
import threading
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from django.core import mail
from django.core.mail.backends.locmem import EmailBackend
from django.db import connection

from keys import following, issuing, messages
from keys.channels import NotSent, channel
from keys.house_rules import change_property
from keys.issuing import CredentialWish, DoorWish, PersonWish
from keys.models import Assignment, Credential, Key
from keys.refusal import Refused
from keys.tasks import message_guests
from keys.telling_models import GuestMessage
from locks.drivers import Kind
from locks.models import Lock, Property
from pms.models import Reservation
from tests import factories
from tests.factories import BY, now

pytestmark = pytest.mark.django_db
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
ADDRESS, NUMBER = "ada@guest.example", "+351 910 000 001"


class Unreachable(EmailBackend):
    """A mail server that does not answer."""

    def send_messages(self, messages):
        raise ConnectionRefusedError


@pytest.fixture
def lock():
    """A lock at a hotel that sends codes as soon as they are on their locks."""
    one = factories.LockFactory()
    rules(one.property, guest_messages="on_key")
    return one


def rules(hotel, **values):
    for name, value in values.items():
        setattr(hotel, name, value)
    hotel.save()


def key_with(*doors, starts_at=None, email=ADDRESS, phone="", allow=True):
    at = now()
    person = PersonWish(
        name="Ada Guest",
        email=email,
        phone=phone,
        credentials=(CredentialWish(kind=Kind.DOOR_CODE), CredentialWish(kind=Kind.SMARTKEY)),
    )
    return issuing.make_key(
        property=doors[0].property,
        people=[person],
        doors=[DoorWish(door=door, allow=allow) for door in doors],
        starts_at=starts_at or at - HOUR,
        ends_at=(starts_at or at) + 2 * DAY,
        by=BY,
        now=at,
    )


def code_of(key):
    return Credential.objects.select_related("key__property", "person__guest").get(
        key=key, kind="door_code"
    )


def confirmed(*keys):
    """The locks confirm what they should hold."""
    for place in Assignment.objects.filter(key__in=keys):
        Assignment.objects.filter(pk=place.pk).update(
            written_revision=place.revision, waits="", headline=""
        )


def sent(at=None):
    """Plan and send, as the task does; the texts that went out by e-mail."""
    mail.outbox.clear()
    messages.plan(now=at or now())
    messages.send_due(now=at or now())
    return [one.body for one in mail.outbox]


# When -----------------------------------------------------------------------------------------------


def test_nothing_is_sent_where_the_property_does_not_send(lock):
    rules(lock.property, guest_messages="off")
    confirmed(key_with(lock.door))
    assert Property(name="x").guest_messages == "off"
    assert sent() == []
    assert not GuestMessage.objects.exists()


def test_a_code_is_sent_once_when_every_door_is_confirmed_to_hold_it(lock):
    other = factories.LockFactory(account=lock.account)
    key = key_with(lock.door, other.door)
    assert sent() == []
    Assignment.objects.filter(key=key, lock=lock).update(written_revision=1)
    assert sent() == []
    confirmed(key)
    (text,) = sent()
    assert f"your door code is {code_of(key).secret}." in text
    assert f"It opens {lock.door.name} and {other.door.name}." in text
    assert "It works now, until" in text
    assert mail.outbox[0].to == [ADDRESS]
    assert str(code_of(key).secret) not in mail.outbox[0].subject
    assert sent() == []
    row = GuestMessage.objects.get()
    assert (row.why, row.state, row.revision) == ("made", "sent", 1)
    assert row.sent_at is not None


def test_an_unknown_outcome_is_no_confirmation(lock):
    key = key_with(lock.door)
    confirmed(key)
    Assignment.objects.filter(key=key).update(sent_revision=1)
    assert sent() == []


def test_a_stay_to_come_is_told_from_when_the_code_works(lock):
    start = now() + 3 * DAY
    confirmed(key_with(lock.door, starts_at=start))
    (text,) = sent()
    assert f"It works from {start:%H:%M}" in text
    assert "It works now" not in text


def test_a_lock_that_gets_the_code_at_the_start_is_told_as_that(lock):
    Lock.objects.update(native_window=False)
    key_with(lock.door, starts_at=now() + 3 * HOUR)
    Assignment.objects.update(waits="time", headline="not_due_yet")
    (text,) = sent()
    assert "It will work from" in text
    assert "put on the lock then" in text
    assert "works now" not in text


def test_the_same_lock_offline_says_nothing(lock):
    Lock.objects.update(native_window=False, is_online=False, offline_since=now())
    key_with(lock.door, starts_at=now() + 3 * HOUR)
    Assignment.objects.update(waits="time")  # the last answer, from before
    assert sent() == []


@pytest.mark.parametrize("how", ["held", "revoked", "over"])
def test_a_key_that_is_held_or_over_sends_nothing(lock, how):
    key = key_with(lock.door, allow=how != "held")
    confirmed(key)
    if how == "revoked":
        issuing.revoke(key=key, by=BY, now=now())
    at = now() + 3 * DAY if how == "over" else now()
    assert sent(at) == []


def test_after_check_in_at_the_desk_only_and_never_for_online_alone(lock):
    rules(lock.property, guest_messages="on_check_in", check_in_rule="either")
    key = stay_with(lock.door)
    stay = Reservation.objects.get()
    Reservation.objects.update(checked_in_online_at=now())
    confirmed(key)
    assert sent() == []
    Reservation.objects.update(checked_in_at=now())
    assert len(sent()) == 1
    assert stay.guest_email == ADDRESS


def test_not_earlier_than_the_hours_before_arrival(lock):
    rules(lock.property, guest_lead_hours=24)
    start = now() + 3 * DAY
    confirmed(key_with(lock.door, starts_at=start))
    assert sent() == []
    assert sent(start - 25 * HOUR) == []
    assert len(sent(start - 23 * HOUR)) == 1


def test_who_is_in_house_when_messages_begin_gets_none_until_there_is_news(lock, silent_bell):
    rules(lock.property, guest_messages="off")
    key = key_with(lock.door, starts_at=now() - DAY - HOUR)
    coming = key_with(lock.door, starts_at=now() + DAY)
    confirmed(key, coming)
    change_property(
        property=lock.property, changes={"guest_messages": "on_key"}, by=BY, now=now() + MINUTE
    )
    (text,) = sent(now() + 2 * MINUTE)
    assert str(code_of(coming).secret) in text
    issuing.regenerate(credential=code_of(key), by=BY, now=now() + 2 * MINUTE)
    confirmed(key)
    (text,) = sent(now() + 3 * MINUTE)
    assert str(code_of(key).secret) in text


def test_a_guest_without_an_address_gets_nothing(lock):
    confirmed(key_with(lock.door, email=""))
    assert sent() == []


# What changed ---------------------------------------------------------------------------------------


def test_a_new_code_is_told_once_it_is_on_the_locks(lock):
    key = key_with(lock.door)
    confirmed(key)
    old = str(code_of(key).secret)
    assert len(sent()) == 1
    issuing.regenerate(credential=code_of(key), by=BY, now=now())
    assert sent() == []
    confirmed(key)
    (text,) = sent()
    assert f"your new door code is {code_of(key).secret}" in text
    assert "no longer counts" in text
    assert old not in text
    assert sent() == []
    whys = GuestMessage.objects.order_by("number").values_list("why", "revision")
    assert list(whys) == [("made", 1), ("code", 2)]


def test_a_room_move_is_told_with_the_same_code_also_there_and_back(lock):
    other = factories.LockFactory(account=lock.account)
    key = key_with(lock.door)
    confirmed(key)
    assert len(sent()) == 1
    for here, there in ((lock, other), (other, lock)):
        door = key.doors.get(door=here.door, removed_at=None)
        issuing.add_door(key=key, wish=DoorWish(door=there.door), by=BY, now=now())
        issuing.remove_door(keychain_door=door, by=BY, now=now())
        assert sent() == []
        confirmed(key)
        Assignment.objects.filter(door=here.door).update(written_revision=None)
        (text,) = sent()
        assert "your room has changed" in text
        assert f"It opens {there.door.name}." in text
        assert sent() == []


def test_switching_a_door_off_and_on_is_no_news(lock):
    key = key_with(lock.door)
    confirmed(key)
    assert len(sent()) == 1
    for on in (False, True):
        issuing.set_permission(keychain_door=key.doors.get(), on=on, by=BY, now=now())
        confirmed(key)
        assert sent() == []


def test_what_is_no_longer_true_is_not_sent_and_made_again_when_it_is(lock):
    key = key_with(lock.door)
    confirmed(key)
    messages.plan(now=now())
    issuing.set_permission(keychain_door=key.doors.get(), on=False, by=BY, now=now())
    messages.send_due(now=now())
    assert GuestMessage.objects.get().state == "dropped"
    assert not mail.outbox
    issuing.set_permission(keychain_door=key.doors.get(), on=True, by=BY, now=now())
    confirmed(key)
    assert len(sent()) == 1


def test_a_room_move_that_was_not_sent_is_not_forgotten(lock):
    other = factories.LockFactory(account=lock.account)
    key = key_with(lock.door)
    confirmed(key)
    assert len(sent()) == 1
    door = issuing.add_door(key=key, wish=DoorWish(door=other.door), by=BY, now=now())
    confirmed(key)
    messages.plan(now=now())
    Assignment.objects.filter(keychain_door=door).update(sent_revision=1)
    messages.send_due(now=now())
    assert GuestMessage.objects.get(why="room").state == "dropped"
    Assignment.objects.filter(keychain_door=door).update(sent_revision=None)
    (text,) = sent()
    assert "your room has changed" in text


def test_contacts_that_change_in_the_pms_are_followed(lock):
    key = stay_with(lock.door)
    Reservation.objects.update(guest_email="new@guest.example")
    following.follow(reservation=Reservation.objects.get(), now=now())
    assert code_of(key).person.guest.email == "new@guest.example"


# Once, and never lost -------------------------------------------------------------------------------


def test_two_workers_make_one_message_and_one_sends_it(lock):
    key = key_with(lock.door)
    confirmed(key)
    at = now()
    twice = [*messages._due(code_of(key), now=at), *messages._due(code_of(key), now=at)]
    GuestMessage.objects.bulk_create(twice, ignore_conflicts=True)
    rows = list(GuestMessage.objects.select_related("credential__key__property"))
    assert [messages._sent(row, at) for row in rows + rows] == [True, False]
    assert len(mail.outbox) == 1


def test_a_worker_that_died_after_sending_repeats_once(lock, monkeypatch):
    confirmed(key_with(lock.door))
    at = now()

    def dies(*_args, **_values):
        raise SystemExit

    with monkeypatch.context() as patched:
        patched.setattr("keys.messages._settle", dies)
        with pytest.raises(SystemExit):
            sent(at)
    assert sent(at + MINUTE) == []
    assert len(sent(at + 6 * MINUTE)) == 1
    assert sent(at + HOUR) == []


def test_a_mail_server_in_trouble_is_tried_again_and_access_is_untouched(lock, settings, caplog):
    key = key_with(lock.door)
    confirmed(key)
    at, works = now(), settings.EMAIL_BACKEND
    settings.EMAIL_BACKEND = "tests.keys.test_messages.Unreachable"
    assert sent(at) == []
    row = GuestMessage.objects.get()
    assert (row.state, row.problem) == ("waiting", "the mail server: ConnectionRefusedError")
    assert Key.objects.get().revoked_at is None
    settings.EMAIL_BACKEND = works
    assert len(sent(at + 2 * MINUTE)) == 1
    assert ADDRESS not in caplog.text
    assert str(code_of(key).secret) not in caplog.text


def test_no_row_and_no_history_shows_code_or_address(lock):
    key = key_with(lock.door)
    confirmed(key)
    sent()
    with connection.cursor() as cursor:
        cursor.execute("SELECT address, body FROM keys_guestmessage")
        stored = " ".join(cursor.fetchone())
    assert ADDRESS not in stored
    assert str(code_of(key).secret) not in stored
    row = GuestMessage.objects.get()
    assert str(row.address) == ADDRESS
    assert str(code_of(key).secret) in row.body
    assert not hasattr(GuestMessage, "history")


def test_the_task_plans_and_sends(lock):
    confirmed(key_with(lock.door))
    mail.outbox.clear()
    message_guests()
    message_guests()
    assert len(mail.outbox) == 1


# Staff ----------------------------------------------------------------------------------------------


def test_staff_send_again_what_is_true_and_are_told_why_not(lock, silent_bell):
    rules(lock.property, guest_messages="off")
    key = key_with(lock.door)
    with pytest.raises(Refused, match="not confirmed on"):
        messages.send_again(credential=code_of(key), by=BY, now=now())
    confirmed(key)
    (row,) = messages.send_again(credential=code_of(key), by=BY, now=now())
    assert messages.send_again(credential=code_of(key), by=BY, now=now()) == []
    assert (row.why, row.asked_by) == ("again", "a test")
    assert len(sent()) == 1
    issuing.set_permission(keychain_door=key.doors.get(), on=False, by=BY, now=now())
    with pytest.raises(Refused, match="Allow Provisioning is off"):
        messages.send_again(credential=code_of(key), by=BY, now=now())


def test_staff_are_told_that_no_address_is_known(lock, silent_bell):
    key = key_with(lock.door, email="")
    confirmed(key)
    with pytest.raises(Refused, match="No e-mail address"):
        messages.send_again(credential=code_of(key), by=BY, now=now())


def test_what_staff_sent_is_not_sent_once_more_by_itself(lock, silent_bell):
    rules(lock.property, guest_messages="off")
    key = key_with(lock.door)
    confirmed(key)
    messages.send_again(credential=code_of(key), by=BY, now=now())
    assert len(sent()) == 1
    rules(lock.property, guest_messages="on_key")
    assert sent() == []


# The ways -------------------------------------------------------------------------------------------


def test_both_ways_each_once_and_an_sms_without_a_gateway_is_a_private_file(
    lock, settings, tmp_path
):
    settings.GUEST_MESSAGES_FOLDER = str(tmp_path / "messages")
    rules(lock.property, guest_channels="both")
    key = key_with(lock.door, phone=NUMBER)
    confirmed(key)
    assert len(sent()) == 1
    (file,) = (tmp_path / "messages" / "sms").iterdir()
    assert NUMBER in file.read_text()
    assert str(code_of(key).secret) in file.read_text()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert sent() == []


def test_e_mails_with_codes_are_not_printed(settings, tmp_path, capsys):
    settings.EMAIL_BACKEND = "django.core.mail.backends.console.EmailBackend"
    settings.GUEST_MESSAGES_FOLDER = str(tmp_path)
    channel("email").send(to=ADDRESS, subject="s", text="482913", once="portal-1")
    assert "482913" in (tmp_path / "email" / "portal-1.txt").read_text()
    printed = capsys.readouterr()
    assert "482913" not in printed.out + printed.err


class Gateway(BaseHTTPRequestHandler):
    """An SMS gateway that answers as it is told."""

    answers: list[int] = []
    seen: list[tuple[dict, dict]] = []

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        type(self).seen.append((json.loads(body), dict(self.headers)))
        self.send_response(type(self).answers.pop(0))
        self.end_headers()

    def log_message(self, *_args):
        return None


@pytest.fixture
def gateway(settings):
    server = HTTPServer(("127.0.0.1", 0), Gateway)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    settings.SMS_URL = f"http://127.0.0.1:{server.server_port}/sms"
    settings.SMS_TOKEN, settings.SMS_FROM, settings.SMS_TEXT_FIELD = "t0ken", "Hotel", "message"
    Gateway.answers, Gateway.seen = [], []
    yield Gateway
    server.shutdown()
    server.server_close()


def test_a_gateway_gets_number_text_sender_token_and_a_name_for_the_message(gateway):
    gateway.answers = [202]
    channel("sms").send(to=NUMBER, subject="unused", text="hello", once="portal-7")
    body, headers = gateway.seen[0]
    assert body == {"to": NUMBER, "message": "hello", "from": "Hotel"}
    assert headers["Authorization"] == "Bearer t0ken"
    assert headers["Idempotency-Key"] == "portal-7"


@pytest.mark.parametrize(("status", "for_good"), [(400, True), (429, False), (503, False)])
def test_a_gateways_no_is_for_good_or_for_now(gateway, status, for_good):
    gateway.answers = [status]
    with pytest.raises(NotSent) as refused:
        channel("sms").send(to=NUMBER, subject="", text="hello", once="portal-7")
    assert refused.value.for_good is for_good
    assert NUMBER not in str(refused.value)


def test_a_number_that_the_gateway_refuses_is_shown_as_not_sent(lock, gateway):
    rules(lock.property, guest_channels="sms")
    confirmed(key_with(lock.door, phone=NUMBER))
    gateway.answers = [400]
    sent()
    row = GuestMessage.objects.get()
    assert (row.state, row.problem) == ("failed", "the SMS gateway answered 400")
    assert sent(now() + DAY) == []


def stay_with(door):
    """The key of a reservation whose guest has an e-mail address, with doors on."""
    outage = factories.outage_of(door.property)
    key = factories.stay_in(outage, door, number="1", came_in=False)
    Reservation.objects.update(guest_email=ADDRESS)
    following.follow(reservation=Reservation.objects.get(), now=now())
    return key


def test_the_folder_of_messages_is_not_in_the_repository():
    assert Path(__file__).parents[2].joinpath(".gitignore").read_text().count("var/")
