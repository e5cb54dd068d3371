"""A hotel whose PMS is the MEWS simulator."""

from __future__ import annotations

from locks.clock import database_now
from pms import connecting, inbox
from tests.factories import BY
from tests.pms.conftest import Worker


class MewsHotel(Worker):
    """A property with the doors of Seaside Rooms, and its connection."""

    names = ("11", "12", "Dorm 1")

    def __init__(self, mews):
        super().__init__()
        self.mews = mews

    def connect(self, token=None):
        made = connecting.connect_with_token(
            property=self.property,
            adapter="mews",
            typed=token or self.mews.access_token(),
            by=BY,
        )
        self.work()
        return made

    def hears_of(self, condition):
        """Work until it holds, as the worker does that hears the bell."""

        def look():
            inbox.hear_of_connections(now=database_now())
            return condition()

        self.work(until=look)

    @property
    def state(self):
        return self.integration.state
