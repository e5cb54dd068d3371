"""What a property in Setup will make and write once it goes live, by the functions that then do it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import QuerySet

from keys.following import ALIVE, is_checked_in, window_of
from keys.models import Key
from locks.models import Door, Property
from pms.models import Reservation, RoomDoor

CAP = 2000
"""Reservations that are looked at one by one; a larger house reads "2000 or more"."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GoingLive:
    """Counts for the page that asks whether to go live. ``capped`` when there are more reservations than were counted."""

    keys: int
    checked_in: int
    without_room: int
    not_mapped: int
    doors_without_lock: int
    made_by_hand: int
    capped: bool


def preview(*, property: Property, now: datetime) -> GoingLive:  # noqa: A002
    """Count what going live makes. One query for each stay that ends about today, few for all others."""
    stays = list(_coming(property, now)[: CAP + 1])
    alive = [stay for stay in stays[:CAP] if _ends_later(stay, now)]
    mapped = set(
        RoomDoor.objects.filter(property=property, door__archived_at=None).values_list(
            "room_ref", flat=True
        )
    )
    by_hand = Key.objects.filter(
        property=property, backup=None, revoked_at=None, departed_at=None, ends_at__gt=now
    )
    bare = Door.objects.filter(property=property, archived_at=None, lock=None)
    return GoingLive(
        keys=len(alive),
        checked_in=sum(is_checked_in(stay) for stay in alive),
        without_room=sum(not stay.room_ref for stay in alive),
        not_mapped=sum(bool(stay.room_ref) and stay.room_ref not in mapped for stay in alive),
        doors_without_lock=bare.count(),
        made_by_hand=by_hand.count(),
        capped=len(stays) > CAP,
    )


def _ends_later(stay: Reservation, now: datetime) -> bool:
    """Only around its day of departure does the time of its door decide, which takes a query."""
    if stay.departure_at is not None:
        return stay.departure_at > now
    return stay.departure_on > now.date() + timedelta(days=1) or window_of(stay)[1] > now


def _coming(hotel: Property, now: datetime) -> QuerySet[Reservation]:
    return (
        Reservation.objects.filter(
            property=hotel,
            state__in=ALIVE,
            key=None,
            departure_on__gte=now.date() - timedelta(days=1),
        )
        .select_related("property", "integration")
        .order_by("arrival_on", "id")
    )
