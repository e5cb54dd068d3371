"""No row of one hotel can point at a row of another, whatever code writes it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.apps import apps
from django.db import connection, transaction
from django.db.models import Max
from django.db.utils import IntegrityError

from keys.backup_models import BackupCode
from keys.encoding_models import CardEncoding
from keys.models import (
    Assignment,
    BulkChange,
    BulkRow,
    Continuation,
    Credential,
    Guest,
    Key,
    KeychainDoor,
    Person,
    Recovery,
    RecoveryRow,
    SupportRequest,
)
from keys.past_models import FormerCode
from keys.telling_models import GuestMessage
from locks.discovery_models import Discovery
from locks.errand_models import Errand
from locks.intake_models import Intake
from locks.log_models import Episode
from locks.models import Door, DoorLink, Gateway, Lock, LockAccount, Writer
from locks.same_hotel import OneHotel, pointers
from locks.slot_models import ForeignCode, SlotUse, VendorId
from pms.models import Integration, Outage, Reservation, Room, RoomDoor, WebhookEvent, WriteBack
from portal.models import (
    AlertMail,
    AlertPreference,
    ApiToken,
    Handover,
    HandoverMail,
    Membership,
    Role,
)
from tests import factories
from tests.factories import now

pytestmark = pytest.mark.django_db
MODELS = [
    model
    for name in ("locks", "pms", "keys", "portal")
    for model in apps.get_app_config(name).get_models()
    if not model.__name__.startswith("Historical")
]
POINTERS = [(model, field) for model in MODELS for field in pointers(model)]


class Hotel:
    """One row of every kind, and of those that others point at another one to which nothing points yet."""

    def __init__(self):
        self.rows, self.at = {}, now()
        self.hotel = factories.PropertyFactory()
        for _ in range(2):
            self._walls()
            self._stays()
        self._keys()
        self._recoveries()
        self._bulk_changes()
        self._people()

    def _keep(self, row):
        self.rows.setdefault(type(row), []).append(row)
        return row

    def _walls(self):
        account = self._keep(factories.AccountFactory(property=self.hotel))
        self._keep(Discovery.objects.create(property=self.hotel, account=account, asked_at=self.at))
        writer = self._keep(Writer.objects.create(property=self.hotel))
        gateway = self._keep(factories.GatewayFactory(account=account))
        self._keep(gateway.writer)
        door, other = (self._keep(factories.DoorFactory(property=self.hotel)) for _ in range(2))
        lock = self._keep(factories.LockFactory(account=account, writer=writer, door=door))
        mine = {"property": self.hotel, "lock": lock}
        self._keep(
            SlotUse.objects.create(number=1, key_id=1, assignment_id=lock.pk, since=self.at, **mine)
        )
        self._keep(
            VendorId.objects.create(
                address="v", key_id=1, assignment_id=lock.pk, since=self.at, **mine
            )
        )
        self._keep(
            Intake.objects.create(
                property=self.hotel,
                source="api",
                events=0,
                received_at=self.at,
                next_try_at=self.at,
            )
        )
        seen = {"first_seen_at": self.at, "last_seen_at": self.at}
        foreign = ForeignCode.objects.create(address="1", kind="door_code", **seen, **mine)
        self._keep(foreign)
        self._keep(
            Errand.objects.create(
                **mine,
                writer=writer,
                foreign=foreign,
                what="remove_foreign",
                asked_at=self.at,
                due_at=self.at,
                expires_at=self.at,
            )
        )
        self._keep(DoorLink.objects.create(property=self.hotel, door=door, linked=other))
        self._keep(
            Episode.objects.create(
                property=self.hotel,
                door=door,
                kind="4117",
                assignment_id=door.pk,
                key_id=1,
                cause="held",
                opened_at=self.at,
            )
        )

    def _stays(self):
        number = len(self.rows.get(Integration, ()))
        pms = self._keep(
            Integration.objects.create(
                property=self.hotel, adapter=f"pms{number}", state_since=self.at
            )
        )
        outage = self._keep(
            Outage.objects.create(
                property=self.hotel, integration=pms, began_at=self.at, last_word_at=self.at
            )
        )
        room = self._keep(
            Room.objects.create(
                property=self.hotel, integration=pms, external_id="r", name="r", seen_at=self.at
            )
        )
        self._keep(
            WebhookEvent.objects.create(
                property=self.hotel,
                integration=pms,
                event_key="e",
                event="changed",
                payload="{}",
                received_at=self.at,
            )
        )
        door = self.rows[Door][-1]
        self._keep(
            RoomDoor.objects.create(
                property=self.hotel, integration=pms, room_ref=room.external_id, door=door
            )
        )
        stay = self._keep(
            Reservation.objects.create(
                property=self.hotel,
                integration=pms,
                external_id=f"s{number}",
                booking_ref="b",
                number="b",
                state="expected",
                arrival_on=self.at.date(),
                departure_on=self.at.date(),
                read_at=self.at,
                first_seen_at=self.at,
                changed_at=self.at,
                came_in_during=outage,
                affected_by=outage,
            )
        )
        self._keep(
            WriteBack.objects.create(
                property=self.hotel, integration=pms, reservation=stay, booking_ref="b"
            )
        )

    def _keys(self):
        for stay, lock in zip(self.rows[Reservation], self.rows[Lock], strict=True):
            key = self._keep(factories.key_for(lock.door, with_linked_doors=False))
            key.reservation = stay
            key.save()
            held = key.doors.get()
            held.outage = stay.affected_by
            held.save()
            for row in (held, key.people.get(), key.credentials.get(), key.assignments.get()):
                self._keep(row)
            self._keep(key.people.get().guest)
            self._keep(
                FormerCode.objects.create(
                    property=self.hotel,
                    credential=key.credentials.get(),
                    digest="d",
                    since=self.at,
                    until=self.at,
                )
            )
            self._keep(
                CardEncoding.objects.create(
                    property=self.hotel,
                    account=lock.account,
                    key=key,
                    person=key.people.get(),
                    asked_at=self.at,
                    ended_at=self.at,
                    result="failed",
                )
            )
            self._keep(Continuation.objects.create(property=self.hotel, key=key, reservation=stay))
            self._keep(
                BackupCode.objects.create(
                    property=self.hotel,
                    door=lock.door,
                    key=key,
                    made_at=self.at,
                    given_for=key,
                    given_at=self.at,
                )
            )
            self._keep(
                GuestMessage.objects.create(
                    property=self.hotel,
                    key=key,
                    credential=key.credentials.get(),
                    channel="email",
                    number=1,
                    why="made",
                    revision=1,
                    doors="1",
                    address="a@guest.example",
                    made_at=self.at,
                    next_try_at=self.at,
                )
            )

    def _recoveries(self):
        for key in self.rows[Key]:
            outage = key.reservation.affected_by
            about = {"property": self.hotel, "outage": outage}
            recovery = self._keep(
                Recovery.objects.create(
                    **about, source="portal", seen_at=self.at, up_to=1, started_at=self.at
                )
            )
            self._keep(
                RecoveryRow.objects.create(
                    property=self.hotel,
                    recovery=recovery,
                    reservation=key.reservation,
                    key=key,
                    twin=key,
                    action="provision",
                    rank=5,
                )
            )
            self._keep(
                SupportRequest.objects.create(**about, keys=1, asked_at=self.at, recovery=recovery)
            )

    def _bulk_changes(self):
        for key in self.rows[Key]:
            about = {"property": self.hotel, "source": "portal", "started_at": self.at}
            change = self._keep(BulkChange.objects.create(**about, action="revoke"))
            self._keep(BulkRow.objects.create(property=self.hotel, change=change, key=key))

    def _people(self):
        for _ in range(2):
            member = self._keep(factories.member(self.hotel, Role.OWNER))
            alert = self._keep(factories.alert_at(self.hotel, about=f"door:{member.pk}"))
            self._keep(AlertPreference.objects.create(property=self.hotel, membership=member))
            mine = {"property": self.hotel, "membership": member}
            self._keep(Handover.objects.create(taken_at=self.at, **mine))
            self._keep(
                HandoverMail.objects.create(
                    since=self.at, until=self.at + timedelta(hours=1), address="a@b.example", **mine
                )
            )
            mail = AlertMail(
                property=self.hotel, alert=alert, membership=member, what="over", made_at=self.at
            )
            mail.save()
            self._keep(mail)
            self._keep(
                ApiToken.objects.create(
                    property=self.hotel,
                    membership=member,
                    role=Role.OWNER,
                    name="t",
                    prefix="p",
                    digest=f"d{member.pk}",
                    created_at=self.at,
                    expires_at=self.at + timedelta(days=1),
                )
            )


@pytest.fixture
def hotels():
    return Hotel(), Hotel()


def test_every_row_that_points_into_its_hotel_looks_when_it_is_saved():
    assert {model for model, _ in POINTERS} == {
        *(Gateway, DoorLink, Lock, Episode, Outage, Room, RoomDoor, Reservation, Key, Person),
        *(Recovery, RecoveryRow, SupportRequest, BulkRow),
        *(KeychainDoor, Credential, Assignment, ApiToken, WebhookEvent, AlertPreference, AlertMail),
        *(GuestMessage, WriteBack, SlotUse, VendorId, ForeignCode, Errand, Continuation, Discovery),
        *(BackupCode, FormerCode, CardEncoding),
        *(BackupCode, FormerCode, Handover, HandoverMail),
    }
    assert all(issubclass(model, OneHotel) for model, _ in POINTERS)
    parents = {field.related_model for _, field in POINTERS}
    assert parents >= {Door, LockAccount, Writer, Guest, Membership, Integration}


def saved(row) -> str:
    """What refuses to save this row; empty when nothing does."""
    try:
        with transaction.atomic():
            row.save()
    except IntegrityError as error:
        return str(error)
    return ""


def test_no_row_is_saved_that_points_at_another_hotel(hotels):
    here, there = hotels
    wrong = []
    for model, field in POINTERS:
        row = model.objects.get(pk=here.rows[model][0].pk)
        setattr(row, field.name, there.rows[field.related_model][-1])
        if "another hotel" not in saved(row):
            wrong.append(f"{model.__name__}.{field.name}")
    assert wrong == []


def test_no_row_is_made_that_points_at_another_hotel_by_its_id(hotels):
    here, there = hotels
    wrong = []
    for model, field in POINTERS:
        mine = here.rows[model][0]
        names = [each.attname for each in model._meta.concrete_fields if not each.generated]
        row = model(**{name: getattr(mine, name) for name in names})
        row.pk, row._state.adding = None, True
        setattr(row, field.attname, there.rows[field.related_model][-1].pk)
        said = saved(row)  # PostgreSQL looks at what must be unique before it looks at other tables
        if not any(word in said for word in ("another hotel", "_same_hotel", "unique")):
            wrong.append(f"{model.__name__}.{field.name}: {said}")
    assert wrong == []


@pytest.mark.postgres
def test_the_database_itself_refuses_to_point_at_another_hotel(hotels):
    here, there = hotels
    connection.check_constraints()  # or what Django's own keys still have to check would be in the way
    wrong = []
    for model, field in POINTERS:
        theirs = there.rows[field.related_model][-1].pk
        said = _pointed(model, field.column, here.rows[model][0].pk, theirs)
        if f"{field.column}_same_hotel" not in said:
            wrong.append(f"{model.__name__}.{field.name}: {said}")
    assert wrong == []


def _pointed(model, column: str, pk: int, theirs: int) -> str:
    """What refuses this pointer when uniqueness and the checks of the row alone do not."""
    table = model._meta.db_table
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT format('ALTER TABLE %%s DROP CONSTRAINT %%I', conrelid::regclass, conname) "
            "FROM pg_constraint WHERE conrelid = %s::regclass "
            "AND (contype = 'c' OR contype = 'u' AND conname NOT LIKE '%%_of_hotel') "
            "UNION ALL SELECT format('DROP INDEX %%s', indexrelid::regclass) FROM pg_index "
            "WHERE indrelid = %s::regclass AND indisunique "
            "AND indexrelid NOT IN (SELECT conindid FROM pg_constraint)",
            [table, table],
        )
        alone = [row[0] for row in cursor.fetchall()]
        try:
            with transaction.atomic():
                for statement in alone:
                    cursor.execute(statement)
                cursor.execute(f"UPDATE {table} SET {column} = %s WHERE id = %s", [theirs, pk])
        except IntegrityError as error:
            return str(error)
    return ""


def test_rows_without_a_pointer_take_no_look():
    assert pointers(Guest) == ()
    assert Guest.objects.aggregate(Max("id"))["id__max"] is None
