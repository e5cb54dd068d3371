"""A hotel whose PMS is the real Cloudbeds simulator, connected over HTTP the way staff would."""

from __future__ import annotations

import time

import pytest

from keys.following import follow_all
from locks.clock import database_now
from pms import connecting, inbox, watching, webhooks
from pms.models import Integration
from tests.factories import BY, DoorFactory, PropertyFactory
from tests.keys.conftest import silent_bell, tell
from tests.pms.cloudbeds_server import start_cloudbeds
from tests.pms.mews_server import start_mews

__all__ = ["silent_bell", "tell"]


@pytest.fixture(scope="session")
def cloudbeds_process():
    with start_cloudbeds("--per-second", "0", "--retry-seconds", "0.2") as server:
        yield server


@pytest.fixture(scope="session")
def mews_process():
    with start_mews("--requests", "0", "--retry-seconds", "0.2") as server:
        yield server


@pytest.fixture
def mews(mews_process, settings, live_server):
    """The MEWS simulator with an empty book, which calls Portal's one address for its events."""
    mews_process.post("reset", records=True)
    settings.MEWS_API_URL = mews_process.url
    settings.MEWS_HOOK_SECRET = "one-for-all"
    settings.PORTAL_BASE_URL = live_server.url
    settings.PMS_CALLS_A_SECOND = 1000
    webhooks._hooks.clear()
    mews_process.post("webhooks", url=f"{live_server.url}/hooks/mews/one-for-all")
    return mews_process


@pytest.fixture
def cloudbeds(cloudbeds_process, settings, live_server):
    """The simulator with an empty book, and Portal reachable for its webhooks."""
    cloudbeds_process.post("reset", records=True)
    settings.CLOUDBEDS_URL = settings.CLOUDBEDS_API_URL = cloudbeds_process.url
    settings.PORTAL_BASE_URL = live_server.url
    settings.PMS_CALLS_A_SECOND = 1000
    return cloudbeds_process


class Worker:
    """A property with some doors, and what the worker does for it."""

    names = tuple(str(n) for n in range(101, 107))

    def __init__(self):
        self.property = PropertyFactory()
        self.doors = {name: DoorFactory(property=self.property, name=name) for name in self.names}

    @property
    def integration(self):
        return Integration.objects.get(property=self.property)

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


class Hotel(Worker):
    """A property with doors 101 to 106, and its connection to the Cloudbeds simulator."""

    def __init__(self, cloudbeds):
        super().__init__()
        self.cloudbeds = cloudbeds

    def connect(self, user_id=1):
        url = connecting.begin_connect(
            property=self.property, adapter="cloudbeds", user_id=user_id, by=BY, now=database_now()
        )
        back = self.cloudbeds.allow(url)
        connecting.finish_connect(
            state=back["state"], code=back["code"], user_id=user_id, by=BY, now=database_now()
        )
        self.work()


@pytest.fixture
def hotel(cloudbeds):
    return Hotel(cloudbeds)
