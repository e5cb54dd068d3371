"""A hotel whose PMS is the real Cloudbeds simulator, connected over HTTP the way staff would."""

from __future__ import annotations

import time

import pytest

from keys.following import follow_all
from locks.clock import database_now
from pms import connection, inbox, watching
from pms.models import Integration
from tests.factories import BY, DoorFactory, PropertyFactory
from tests.pms.cloudbeds_server import start_cloudbeds


@pytest.fixture(scope="session")
def cloudbeds_process():
    with start_cloudbeds("--per-second", "0", "--retry-seconds", "0.2") as server:
        yield server


@pytest.fixture
def cloudbeds(cloudbeds_process, settings, live_server):
    """The simulator with an empty book, and Portal reachable for its webhooks."""
    cloudbeds_process.post("reset", records=True)
    settings.CLOUDBEDS_URL = settings.CLOUDBEDS_API_URL = cloudbeds_process.url
    settings.PORTAL_BASE_URL = live_server.url
    settings.PMS_CALLS_A_SECOND = 1000
    return cloudbeds_process


class Hotel:
    """A property with doors 101 to 106, and its connection to the simulator."""

    def __init__(self, cloudbeds):
        self.cloudbeds = cloudbeds
        self.property = PropertyFactory()
        self.doors = {
            str(n): DoorFactory(property=self.property, name=str(n)) for n in range(101, 107)
        }

    @property
    def integration(self):
        return Integration.objects.get(property=self.property)

    def connect(self, user_id=1):
        url = connection.begin_connect(
            property=self.property, adapter="cloudbeds", user_id=user_id, by=BY, now=database_now()
        )
        back = self.cloudbeds.allow(url)
        connection.finish_connect(
            state=back["state"], code=back["code"], user_id=user_id, by=BY, now=database_now()
        )
        self.work()

    def probe(self):
        """Look at the connection now, whatever the time since the last look."""
        Integration.objects.filter(property=self.property).update_untracked(
            next_read_at=database_now()
        )
        watching.read_all_due(now=database_now())

    def work(self, until=None, seconds=5.0):
        """Do what the worker does until the condition holds."""
        end = time.monotonic() + seconds
        while True:
            watching.read_all_due(now=database_now())
            inbox.apply_all(now=database_now())
            follow_all(now=database_now())
            if until is None or until():
                return
            assert time.monotonic() < end, "what was waited for did not happen"
            time.sleep(0.05)


@pytest.fixture
def hotel(cloudbeds):
    return Hotel(cloudbeds)
