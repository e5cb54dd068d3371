"""Hotels for tests: small, real rows made through the models, and keys made through the domain."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cache

import factory
from django.contrib.auth.hashers import make_password

from keys import following, recovering
from keys.issuing import CredentialWish, DoorWish, PersonWish, make_key
from keys.telling_models import Alert
from locks.drivers import Kind
from locks.history import Actor, Source
from locks.models import Door, Gateway, Lock, LockAccount, Property, Writer
from locks.slot_models import ForeignCode
from pms.models import Integration, Outage, Reservation, Room, RoomDoor
from portal.models import Membership, Role, User

BY = Actor(source=Source.PORTAL, label="a test")
PASSWORD = "a long password"


def now() -> datetime:
    """Now, in UTC, to the millisecond: what every database keeps alike."""
    moment = datetime.now(UTC)
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


class PropertyFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = Property

    name = factory.Sequence(lambda n: f"Hotel {n}")
    timezone = "Europe/Lisbon"
    mode = Property.Mode.LIVE


class AccountFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = LockAccount

    property = factory.SubFactory(PropertyFactory)
    driver = "simulated"
    name = factory.Sequence(lambda n: f"Locks {n}")
    base_url = "http://127.0.0.1:9"
    token = "test-lock-token"


class GatewayFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = Gateway

    account = factory.SubFactory(AccountFactory)
    property = factory.SelfAttribute("account.property")
    writer = factory.LazyAttribute(lambda o: Writer.objects.create(property=o.property))
    external_id = factory.Sequence(lambda n: f"GW{n}")
    name = factory.Sequence(lambda n: f"Gateway {n}")


class DoorFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = Door

    property = factory.SubFactory(PropertyFactory)
    name = factory.Sequence(lambda n: f"{200 + n}")


class LockFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = Lock

    account = factory.SubFactory(AccountFactory)
    property = factory.SelfAttribute("account.property")
    door = factory.SubFactory(DoorFactory, property=factory.SelfAttribute("..property"))
    gateway = None
    writer = factory.LazyAttribute(
        lambda o: o.gateway.writer if o.gateway else Writer.objects.create(property=o.property)
    )
    external_id = factory.Sequence(lambda n: f"L{n}")
    name = factory.LazyAttribute(lambda o: f"Lock of {o.door.name}" if o.door else o.external_id)


class UserFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = User

    email = factory.Sequence(lambda n: f"person{n}@hotel.example")
    name = factory.Sequence(lambda n: f"Person {n}")
    is_active = True


@cache
def hashed(password):
    """The stored form of a password, made once: it takes as long as it is meant to."""
    return make_password(password)


def member(property_, role=Role.TEAM, **extra):
    """A signed-up person with this role at this property."""
    user = UserFactory(password=hashed(PASSWORD))
    return Membership.objects.create(property=property_, user=user, role=role, **extra)


def key_for(
    *doors,
    guest="Ada Example",
    kinds=(Kind.DOOR_CODE,),
    starts_at=None,
    ends_at=None,
    allow=True,
    at=None,
    **options,
):
    """A key made by hand for these doors, current unless told otherwise."""
    at = at or now()
    return make_key(
        property=doors[0].property,
        people=[PersonWish(name=guest, credentials=tuple(CredentialWish(kind=k) for k in kinds))],
        doors=[DoorWish(door=door, allow=allow) for door in doors],
        starts_at=starts_at or at - timedelta(hours=1),
        ends_at=ends_at or at + timedelta(days=2),
        by=BY,
        now=at,
        **options,
    )


def outage_of(property_):
    """A break of the property's PMS that is over: from three hours ago to a minute ago."""
    at = now()
    pms, _ = Integration.objects.get_or_create(
        property=property_,
        adapter="cloudbeds",
        defaults={"state": "connected", "state_since": at, "last_word_at": at},
    )
    return Outage.objects.create(
        property=property_,
        integration=pms,
        began_at=at - timedelta(hours=2),
        last_word_at=at - timedelta(hours=3),
        reconnected_at=at - timedelta(minutes=2),
        ended_at=at - timedelta(minutes=1),
    )


def room_of(integration, *doors, ref="r1", name="", **values):
    """A room of the PMS that opens these doors."""
    for door in doors:
        RoomDoor.objects.create(
            property=integration.property, integration=integration, room_ref=ref, door=door
        )
    return Room.objects.create(
        property=integration.property,
        integration=integration,
        external_id=ref,
        name=name or ref,
        seen_at=now(),
        **values,
    )


def stay_in(outage, door, *, number, came_in=True, checked_in=False, guest="Gil Guest"):
    """A reservation of that door's room that the outage touched, and its key; one that came in meanwhile is held."""
    at = now()
    ref = f"room-{door.pk}"
    RoomDoor.objects.get_or_create(
        property=door.property, integration=outage.integration, room_ref=ref, door=door
    )
    stay = Reservation.objects.create(
        property=door.property,
        integration=outage.integration,
        external_id=number,
        booking_ref=number,
        number=number,
        state="in_house" if checked_in else "expected",
        guest_name=guest,
        room_ref=ref,
        room_name=door.name,
        arrival_on=(at - timedelta(days=1)).date(),
        departure_on=(at + timedelta(days=2)).date(),
        checked_in_at=at if checked_in else None,
        read_at=at,
        first_seen_at=at,
        changed_at=at,
        fingerprint=number,
        came_in_during=outage if came_in else None,
        affected_by=outage,
    )
    return following.follow(reservation=stay, now=at)


def alert_at(property_, *, kind="gateway", about="gateway:1", closed_at=None, **values):
    """An alert of this property that began an hour ago."""
    shown = {"subject": "Gateway of the cabins", "sentence": "It does not answer.", "rank": 4}
    begun = {"opened_at": now() - timedelta(hours=1), "found_at": now() - timedelta(hours=1)}
    return Alert.objects.create(
        property=property_,
        kind=kind,
        about=about,
        closed_at=closed_at,
        **{**shown, **begun, **values},
    )


def foreign_code(lock, *, address="7", secret="739153", **values):
    """A code on this lock that Portal did not put there."""
    about = {"property": lock.property, "kind": "door_code", "hint": f"••{secret[-2:]}"}
    seen = {"first_seen_at": now(), "last_seen_at": now(), "secret": secret}
    return ForeignCode.objects.create(lock=lock, address=address, **{**about, **seen, **values})


def work_off_recoveries():
    """What a worker does when the bell of recoveries rings."""
    for recovery_id in recovering.unfinished():
        while recovering.step(recovery_id=recovery_id, now=now()):
            pass
