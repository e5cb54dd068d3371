"""How the control interface describes things, with the words that all simulators share."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime

from pms.simulators.mews import moments
from pms.simulators.mews.events import Json
from pms.simulators.mews.records import (
    Integration,
    Reservation,
    companions_of,
    enterprise_of,
    guests_of,
    resources_of,
)
from pms.simulators.shared.store import Store


def described(store: Store, one: Reservation) -> Json:
    """A reservation with its room's name, its guests, and its times as the vendor writes them."""
    hotel = enterprise_of(store, one.enterprise_id)
    room = resources_of(store, one.enterprise_id).get(one.resource_id or "")
    times = {
        name: moments.wire_or_none(getattr(one, name))
        for name in (
            "created_at",
            "updated_at",
            "cancelled_at",
            "released_at",
            "starts_at",
            "ends_at",
            "actual_starts_at",
            "actual_ends_at",
        )
    }
    return {
        **asdict(one),
        **times,
        "property_id": one.enterprise_id,
        "room": room.name if room else None,
        "arrival": f"{datetime.fromtimestamp(one.starts_at, hotel.zone):%Y-%m-%d}",
        "departure": f"{datetime.fromtimestamp(one.ends_at, hotel.zone):%Y-%m-%d}",
        "guests": [asdict(guest) for guest in guests_of(store, one)],
        "companionships": [asdict(companion) for companion in companions_of(store, one)],
    }


def integration(one: Integration) -> Json:
    """An integration with its token, which a real vendor would never show here."""
    return {**asdict(one), "access_token": one.token, "is_portfolio": one.is_portfolio}
