"""A small hotel in the database, and a client that speaks the API with a token of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.test import Client

from keys import following, issuing
from keys.models import Key, KeychainDoor
from locks.drivers import Kind
from locks.history import SYSTEM
from locks.models import Door, Lock, LockAccount, Property, Writer
from pms.models import Integration, Reservation
from portal.models import ApiToken, Membership, Role, User
from portal.tokens import make_token

NOW = datetime.now(tz=UTC).replace(microsecond=0)
DAY = timedelta(days=1)


@dataclass
class Hotel:
    """A property with doors, locks, a PMS and one member."""

    property: Property
    doors: list[Door]
    integration: Integration
    membership: Membership


def hotel(name: str = "Seaview", *, role: str = Role.OWNER, doors: int = 2) -> Hotel:
    """Make a live hotel whose PMS is connected."""
    place = Property.objects.create(name=name, timezone="Europe/Lisbon", mode="live")
    account = LockAccount.objects.create(property=place, driver="simulated", name="Locks")
    made = []
    for number in range(doors):
        door = Door.objects.create(property=place, name=f"20{number + 1}")
        writer = Writer.objects.create(property=place)
        Lock.objects.create(
            property=place,
            account=account,
            writer=writer,
            door=door,
            external_id=f"{name}-{number}",
            name=f"Lock {number}",
        )
        made.append(door)
    integration = Integration.objects.create(
        property=place,
        adapter="cloudbeds",
        state="connected",
        state_since=NOW,
        external_property_id=name,
    )
    user = User.objects.create_user(f"{name.lower()}@example.com", name="Rita")
    member = Membership.objects.create(property=place, user=user, role=role)
    return Hotel(place, made, integration, member)


def make_key(at: Hotel, *, guest: str = "Ana Silva", allow: bool = True) -> Key:
    """Make a key by hand for all doors of the hotel, current for a day."""
    return issuing.make_key(
        property=at.property,
        people=[
            issuing.PersonWish(
                name=guest,
                credentials=(
                    issuing.CredentialWish(kind=Kind.DOOR_CODE),
                    issuing.CredentialWish(kind=Kind.SMARTKEY),
                ),
            )
        ],
        doors=[issuing.DoorWish(door=door, allow=allow) for door in at.doors],
        starts_at=NOW - DAY,
        ends_at=NOW + DAY,
        by=SYSTEM,
        now=NOW,
    )


def reservation(at: Hotel, number: str = "R-1001", *, guest: str = "Bo Li") -> Reservation:
    """A stay that has not checked in, from yesterday to tomorrow."""
    return Reservation.objects.create(
        property=at.property,
        integration=at.integration,
        external_id=number,
        booking_ref=number,
        number=number,
        state="expected",
        guest_name=guest,
        arrival_on=(NOW - DAY).date(),
        departure_on=(NOW + DAY).date(),
        read_at=NOW,
        first_seen_at=NOW,
        changed_at=NOW,
        fingerprint="x",
    )


def key_of(stay: Reservation, at: Hotel) -> Key:
    """The key of a stay, with all doors of the hotel."""
    key = following.follow(reservation=stay, now=NOW)
    assert key is not None
    for door in at.doors:
        issuing.add_door(key=key, wish=issuing.DoorWish(door=door), by=SYSTEM, now=NOW)
    return key


def first_door(key: Key) -> KeychainDoor:
    """The first keychain door of a key."""
    door = key.doors.order_by("id").first()
    assert door is not None
    return door


class ApiClient:
    """Speaks JSON to /api/v1/ with a token."""

    def __init__(self, at: Hotel, *, role: str = Role.OWNER) -> None:
        self.token: ApiToken
        self.token, self.secret = make_token(
            membership=at.membership, role=role, name="Kiosk", expires_at=NOW + DAY, now=NOW
        )
        self.client = Client()

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        """Make one request; ``path`` begins after /api/v1/, or is a whole address."""
        sent = {"Authorization": f"Bearer {self.secret}"} | headers
        url = path if path.startswith("http") else f"/api/v1/{path}"
        return self.client.generic(
            method,
            url,
            data="" if body is None else self.client._encode_json(body, "application/json"),
            content_type="application/json",
            headers=sent,
        )

    def get(self, path: str) -> Any:
        return self.call("GET", path)

    def post(self, path: str, body: Any = None) -> Any:
        return self.call("POST", path, {} if body is None else body)

    def patch(self, path: str, body: Any) -> Any:
        return self.call("PATCH", path, body)

    def delete(self, path: str) -> Any:
        return self.call("DELETE", path)
