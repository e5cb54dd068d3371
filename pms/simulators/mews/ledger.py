"""How reservations, groups and guests are written down."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from uuid import uuid4

from pms.simulators.mews import moments
from pms.simulators.mews.records import HOLDS_A_ROOM, Enterprise, State
from pms.simulators.shared.people import Person
from pms.simulators.shared.store import Store, Value, marks


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """What a new booking says for all its rooms."""

    state: State = State.CONFIRMED
    reason: str | None = None
    origin: str = "ChannelManager"
    channel_number: str | None = None
    channel_manager: str | None = None
    company: bool = False
    is_pinned: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Party:
    """One room to be booked: who, what kind of room, perhaps which one, from when to when."""

    guests: Sequence[Person]
    category_id: str
    resource_id: str | None
    starts_at: float
    ends_at: float
    group_guests: Sequence[Person] = field(default=())


def usual_times(hotel: Enterprise, starts_on: date, ends_on: date) -> tuple[float, float]:
    """Arrival and departure by the offsets of the hotel's service."""
    return (
        moments.at(starts_on, hotel.starts, hotel.zone),
        moments.at(ends_on, hotel.ends, hotel.zone),
    )


def write_group(store: Store, hotel: Enterprise, sheet: Sheet, name: str, at: float) -> str:
    """A new group; says its id."""
    group_id = str(uuid4())
    store.insert(
        "groups",
        id=group_id,
        enterprise_id=hotel.id,
        name=name,
        channel_manager=sheet.channel_manager,
        channel_number=sheet.channel_number,
        updated_at=at,
    )
    return group_id


def write_customer(store: Store, chain_id: str, person: Person, at: float) -> str:
    """A new guest of the chain; says the id."""
    customer_id = str(uuid4())
    store.insert(
        "customers",
        id=customer_id,
        chain_id=chain_id,
        number=str(store.next_number("customer")),
        first=person.first or None,
        last=person.last or person.first,
        email=person.email or None,
        phone=person.phone or None,
        language="en-US",
        created_at=at,
        updated_at=at,
    )
    return customer_id


def write_companionship(
    store: Store,
    hotel: Enterprise,
    *,
    customer_id: str,
    group_id: str,
    reservation_id: str | None,
    at: float,
) -> str:
    """A guest's place in a reservation, or (None) in the whole group."""
    companionship_id = str(uuid4())
    store.insert(
        "companionships",
        id=companionship_id,
        enterprise_id=hotel.id,
        customer_id=customer_id,
        group_id=group_id,
        reservation_id=reservation_id,
        updated_at=at,
    )
    return companionship_id


def write_reservation(
    store: Store,
    hotel: Enterprise,
    *,
    sheet: Sheet,
    party: Party,
    group_id: str,
    account_id: str,
    at: float,
) -> str:
    """A new reservation; says its id."""
    reservation_id = str(uuid4())
    in_house = sheet.state in {State.STARTED, State.PROCESSED}
    times: dict[str, Value] = {
        "actual_starts_at": min(at, party.starts_at) if in_house else None,
        "actual_ends_at": at if sheet.state is State.PROCESSED else None,
        "cancelled_at": at if sheet.state is State.CANCELED else None,
        "released_at": party.starts_at if sheet.state is State.OPTIONAL else None,
    }
    store.insert(
        "reservations",
        id=reservation_id,
        enterprise_id=hotel.id,
        service_id=hotel.service_id,
        group_id=group_id,
        account_id=account_id,
        account_type="Company" if sheet.company else "Customer",
        number=str(store.next_number("reservation")),
        state=sheet.state,
        origin=sheet.origin,
        created_at=at,
        updated_at=at,
        cancellation_reason=sheet.reason,
        category_id=party.category_id,
        resource_id=party.resource_id,
        channel_number=sheet.channel_number,
        starts_at=party.starts_at,
        ends_at=party.ends_at,
        owner_checked_in=sheet.state is State.STARTED,
        people=max(1, len(party.guests)),
        is_pinned=sheet.is_pinned,
        **times,
    )
    return reservation_id


def taken(
    store: Store, resource_id: str, *, starts_at: float, ends_at: float, apart_from: str = ""
) -> bool:
    """Whether someone else has the room or bed at some time of this stay."""
    found = store.number(
        "SELECT count(*) FROM reservations WHERE resource_id = ? AND starts_at < ?"  # noqa: S608
        f" AND ends_at > ? AND id <> ? AND state IN ({marks(HOLDS_A_ROOM)})",
        resource_id,
        ends_at,
        starts_at,
        apart_from,
        *HOLDS_A_ROOM,
    )
    return found > 0
