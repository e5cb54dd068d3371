"""A hotel with three rooms and a PMS that says things about stays; their keys follow, and locks believe what they are told."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from django.db.models import F

from keys.following import follow_all
from keys.models import Assignment, Key
from pms import sync
from pms.adapters import RoomFacts, Stay, StayState
from pms.models import Integration, Reservation
from pms.rooms import import_rooms
from tests.factories import AccountFactory, DoorFactory, LockFactory, now

DAY = timedelta(days=1)
ROOMS = ("101", "102", "103")


class FrontDesk:
    """See the verbs. Days count from today."""

    def __init__(self):
        at = now()
        account = AccountFactory()
        self.hotel = account.property
        self.pms = Integration.objects.create(
            property=self.hotel, adapter="cloudbeds", state="connected", state_since=at
        )
        self.doors = {name: DoorFactory(property=self.hotel, name=name) for name in ROOMS}
        for door in self.doors.values():
            LockFactory(account=account, door=door)
        rooms = [RoomFacts(external_id=name, name=name) for name in ROOMS]
        import_rooms(integration=self.pms, rooms=rooms, now=at)
        self.stays = {}

    def say(self, number, *, arrival=None, departure=None, **change):
        """The PMS says this of a stay, new or known; the key that it has then."""
        today = now().date()
        stay = self.stays.get(number) or Stay(
            external_id=number,
            booking_ref=number,
            number=number,
            state=StayState.EXPECTED,
            checked_in=False,
            checked_in_online=False,
            arrival_on=today,
            departure_on=today + 2 * DAY,
            room_ref="101",
            guest_ref="g1",
            guest_name="Ada Example",
        )
        if arrival is not None:
            change["arrival_on"] = today + arrival * DAY
        if departure is not None:
            change["departure_on"] = today + departure * DAY
        change.setdefault("checked_in", change.get("state", stay.state) is StayState.IN_HOUSE)
        self.stays[number] = replace(stay, **change)
        sync.apply(integration=self.pms, stays=[self.stays[number]], now=now())
        follow_all(now=now())
        return self.key(number)

    def key(self, number):
        """The stay's own key, or none."""
        return Key.objects.filter(reservation__number=number).first()

    def stay(self, number):
        """The row of a stay."""
        return Reservation.objects.get(number=number)

    def written(self, *rooms):
        """All that is wanted is on the locks of these rooms."""
        places = Assignment.objects.filter(door__name__in=rooms or ROOMS)
        places.filter(keychain_door__removed_at=None).update(
            written_revision=F("revision"), sent_revision=None
        )


def doors_of(key):
    """The names of the doors in its keychain, with those that are leaving marked."""
    doors = key.doors.filter(removed_at=None).order_by("id")
    return [door.door.name + ("?" if door.leaving_since else "") for door in doors]
