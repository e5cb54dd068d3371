"""Hotels for tests: small, real rows made through the models, and keys made through the domain."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import factory

from keys.issuing import CredentialWish, DoorWish, PersonWish, make_key
from locks.drivers import Kind
from locks.history import Actor, Source
from locks.models import Door, Gateway, Lock, LockAccount, Property, Writer
from portal.models import Membership, Role, User

BY = Actor(source=Source.PORTAL, label="a test")


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


def member(property_, role=Role.TEAM, **extra):
    """A signed-up person with this role at this property."""
    user = UserFactory()
    user.set_password("a long password")
    user.save()
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
