"""Changes are heard by the live channel of the MEWS simulator, with its webhooks switched off."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager

import pytest
from django.db import OperationalError

from locks.clock import database_now
from pms import connection, listening, webhooks
from pms.adapters import Subject
from pms.models import Integration, Reservation, WebhookEvent
from tests.eventually import eventually
from tests.factories import BY
from tests.pms.mews_hotel import MewsHotel
from tests.pms.mews_server import LANTERN, SEASIDE
from tests.running import ROOT, database_url

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def hotel(mews):
    """Connected, and told nothing by webhook."""
    mews.post("webhooks", url="")
    hotel = MewsHotel(mews)
    hotel.connect()
    return hotel


@contextmanager
def listens():
    """A listening process in a thread of its own."""
    over = threading.Event()
    thread = threading.Thread(target=listening.Listening(look_every_s=0.2).run, args=[over])
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(10)
        assert not thread.is_alive()


def listeners(mews):
    return mews.get("state")["listeners"]


@pytest.fixture
def heard(hotel, mews):
    """Somebody listens, and what was missed before is read."""
    with listens():
        eventually(lambda: listeners(mews) == 1, 5)
        hotel.work(until=all_read)
        yield
    eventually(lambda: listeners(mews) == 0, 5)


def all_read():
    events = WebhookEvent.objects
    return events.exists() and not events.filter(processed_at=None).exists()


def test_a_check_in_arrives_within_two_seconds(hotel, heard, mews):
    booked = mews.book(guest="Ada Example", room="11")["id"]
    hotel.work(until=Reservation.objects.filter(state="expected").exists, seconds=2)
    mews.act(booked, "check-in")
    hotel.work(until=Reservation.objects.filter(state="in_house").exists, seconds=2)
    assert WebhookEvent.objects.filter(entity=f"stay:{booked}", payload="").exists()
    assert not WebhookEvent.objects.exclude(event__in=["Reservation", "listens"]).exists()


def test_what_happened_while_the_line_was_broken_is_found(hotel, heard, mews):
    assert mews.post("live/close")["closed"] == 1
    booked = mews.book(guest="Mira Meanwhile", room="11")["id"]
    hotel.work(until=Reservation.objects.exists)
    eventually(lambda: listeners(mews) == 1, 5)
    mews.act(booked, "check-in")
    hotel.work(until=Reservation.objects.filter(state="in_house").exists, seconds=2)


def test_a_new_token_gets_a_line_of_its_own(hotel, heard, mews):
    mews.post("access/regenerate", property=SEASIDE)
    hotel.work(until=lambda: hotel.state == "broken")
    eventually(lambda: listeners(mews) == 0, 5)
    hotel.connect(mews.access_token())
    eventually(lambda: listeners(mews) == 1, 5)
    mews.book(guest="Ada Example", room="11")
    hotel.work(until=Reservation.objects.exists, seconds=2)


def test_a_refused_line_has_the_connection_probed_and_marks_nothing_itself(hotel, heard, mews):
    Integration.objects.update_untracked(next_read_at=database_now().replace(year=2099))
    mews.post("access/disable", property=SEASIDE)
    eventually(lambda: hotel.integration.next_read_at <= database_now(), 5)
    assert hotel.state == "connected"
    hotel.work(until=lambda: hotel.state == "broken")


def test_a_hotel_that_is_disconnected_in_portal_is_listened_to_no_more(hotel, heard, mews):
    connection.disconnect(integration=hotel.integration, by=BY, now=database_now())
    eventually(lambda: listeners(mews) == 0, 5)


def test_nothing_of_another_hotel_is_heard(hotel, heard, mews):
    before = WebhookEvent.objects.count()
    mews.book(property=LANTERN, guest="Not Ours")
    time.sleep(0.5)
    assert WebhookEvent.objects.count() == before


def test_two_that_listen_do_no_harm(hotel, heard, mews):
    with listens():
        eventually(lambda: listeners(mews) == 2, 5)
        mews.book(guest="Ada Example", room="11")
        hotel.work(until=lambda: Reservation.objects.exists() and all_read())
    assert Reservation.objects.count() == 1


def test_what_could_not_be_stored_is_read_when_the_database_is_back(
    hotel, heard, mews, monkeypatch
):
    take, failed = webhooks.take, []

    def away(hints, **owner):
        if not failed and hints[0].subject is Subject.STAY:
            failed.append(hints)
            raise OperationalError("away")
        take(hints, **owner)

    monkeypatch.setattr(webhooks, "take", away)
    mews.book(guest="Ada Example", room="11")
    hotel.work(until=Reservation.objects.exists)
    assert failed
    assert not WebhookEvent.objects.filter(event="Reservation").exists()


def test_no_token_gets_into_the_logs(hotel, mews, caplog):
    caplog.set_level(logging.DEBUG)
    with listens():
        eventually(lambda: listeners(mews) == 1, 5)
        mews.post("access/disable", property=SEASIDE)
        eventually(lambda: "answered 401" in caplog.text, 5)
    told = repr(listening.wanted())
    assert "integration_id" in told
    for secret in (mews.access_token(), "portal-demo-client-token"):
        assert secret not in caplog.text
        assert secret not in told


def test_the_command_listens_until_it_is_told_to_stop(hotel, mews):
    env = os.environ | {"DATABASE_URL": database_url(), "MEWS_API_URL": mews.url}
    command = [sys.executable, "manage.py", "listen"]
    with subprocess.Popen(command, cwd=ROOT, env=env, stderr=subprocess.PIPE, text=True) as process:
        try:
            eventually(lambda: listeners(mews) == 1, 30)
            process.send_signal(signal.SIGTERM)
            assert process.wait(8) == 0
        finally:
            process.kill()
        assert "Traceback" not in process.stderr.read()
    eventually(lambda: listeners(mews) == 0, 5)
