"""What each list costs in queries: a number that is written down here, and the same for three rows and for thirty-three."""

from __future__ import annotations

from dataclasses import asdict
from datetime import timedelta

import pytest
from django.core.cache import cache
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from keys.backup_models import BackupCode
from keys.models import Assignment, KeychainDoor, Recovery, RecoveryRow, SupportRequest
from keys.rules import Permission
from locks import doorlog
from locks.discovery_models import Discovery
from locks.drivers import Found
from locks.log_models import Episode
from pms.models import Integration, Outage, Reservation, WriteBack
from portal.models import AlertMail, Role, User
from portal.tokens import make_token
from tests import factories
from tests.factories import now

pytestmark = pytest.mark.django_db
FEW, MANY = 3, 33
BACKEND = "django.contrib.auth.backends.ModelBackend"
PORTAL = {
    "/tonight/": 12,
    "/handover/": 12,
    "/keys/": 14,
    "/keys/?group=upcoming": 14,
    "/keys/?group=past": 14,
    "/keys/?pending=someone": 14,
    "/keys/?q=Guest": 14,
    "/keys/affected/": 23,
    "/doors/": 10,
    "/locks/ghosts/": 10,
    "/locks/foreign/": 10,
    "/locks/forecast/": 14,
    "/locks/backups/": 10,
    "/log/": 10,
    "/alerts/": 8,
    "/alerts/?show=past": 8,
    "/settings/team/": 10,
    "/settings/integrations/": 14,
    "/settings/integrations/{pms}/rooms/": 12,
    "/settings/integrations/{pms}/rooms/?unmapped=1": 12,
    "/settings/locks/": 10,
    "/settings/lock-systems/": 8,
    "/settings/lock-systems/{account}/discover/": 10,
    "/keys/recoveries/{recovery}/": 14,
}
API = {
    "/api/v1/tonight/": 11,
    "/api/v1/handover/": 11,
    "/api/v1/keys/": 9,
    "/api/v1/keys/?pending=true": 9,
    "/api/v1/doors/": 6,
    "/api/v1/locks/": 6,
    "/api/v1/lock-accounts/": 6,
    "/api/v1/door-log/": 6,
    "/api/v1/episodes/": 6,
    "/api/v1/alerts/": 6,
    "/api/v1/alerts/?open=true": 6,
    "/api/v1/reservations/": 6,
    "/api/v1/integrations/": 6,
    "/api/v1/integrations/{pms}/rooms/": 9,
    "/api/v1/outages/": 6,
    "/api/v1/outages/{outage}/reservations/": 10,
    "/api/v1/recoveries/": 6,
    "/api/v1/recoveries/{recovery}/rows/": 7,
}
ADMIN = {
    f"/admin/{name}/": 12
    for name in (
        "keys/key",
        "keys/keychaindoor",
        "keys/assignment",
        "keys/recovery",
        "keys/recoveryrow",
        "keys/supportrequest",
        "locks/property",
        "locks/door",
        "locks/lock",
        "locks/gateway",
        "locks/lockaccount",
        "locks/episode",
        "locks/doorlogentry",
        "pms/reservation",
        "pms/integration",
        "pms/outage",
        "keys/alert",
        "portal/alertmail",
        "pms/writeback",
        "portal/membership",
        "portal/apitoken",
        "portal/user",
    )
}


class House:
    """A hotel to which rows of every kind can be added, one of each at a time."""

    def __init__(self):
        self.account = factories.AccountFactory()
        self.hotel = self.account.property
        self.pms = Integration.objects.create(
            property=self.hotel, adapter="cloudbeds", state="connected", state_since=now()
        )
        self.outage = Outage.objects.create(
            property=self.hotel, integration=self.pms, began_at=now(), last_word_at=now()
        )
        self.recovery = self._recovery()
        self.discovery = Discovery.objects.create(
            property=self.hotel, account=self.account, asked_at=now(), taken_at=now()
        )
        self.rows = 0

    def _recovery(self) -> Recovery:
        about = {"property": self.hotel, "outage": self.outage, "finished_at": now()}
        return Recovery.objects.create(
            **about, source="portal", seen_at=now(), up_to=1, started_at=now()
        )

    def add(self, many: int) -> None:
        for _ in range(many):
            self.rows += 1
            asked = {"property": self.hotel, "outage": self.outage, "recovery": self._recovery()}
            SupportRequest.objects.create(**asked, keys=1, asked_at=now(), answered_at=now())
            self._alerts(factories.member(self.hotel, Role.TEAM))
            gateway = factories.GatewayFactory(account=self.account)
            lock = factories.LockFactory(account=self.account, gateway=gateway)
            self._found(lock)
            for start in (-1, 5):
                self._key(lock, start)
            factories.foreign_code(lock)
            factories.room_of(self.pms, lock.door, ref=f"mapped {self.rows}")
            factories.room_of(self.pms, ref=f"unmapped {self.rows}")

    def _found(self, lock) -> None:
        """Another account, and another two locks that the first one has, of which one is known."""
        factories.AccountFactory(property=self.hotel)
        for ref in (lock.external_id, f"new {lock.external_id}"):
            self.discovery.found.append(asdict(Found(external_id=ref, name=ref)))
        self.discovery.ended_at = now()
        self.discovery.save()

    def _key(self, lock, start: int) -> None:
        begin = now() + timedelta(days=start)
        key = factories.key_for(
            lock.door,
            guest=f"Guest {self.rows}",
            starts_at=begin,
            ends_at=begin + timedelta(days=2),
        )
        stay = self._stay(f"{key.pk}", begin)
        key.reservation = stay
        key.save()
        WriteBack.objects.create(
            property=self.hotel, integration=self.pms, reservation=stay, booking_ref=stay.number
        )
        held = KeychainDoor.objects.get(key=key)
        held.permission, held.outage = Permission.HELD_BY_OUTAGE, self.outage
        held.save()
        RecoveryRow.objects.create(
            property=self.hotel,
            recovery=self.recovery,
            reservation=stay,
            key=key,
            action="provision",
            rank=5,
        )
        place = Assignment.objects.get(key=key)
        Assignment.objects.filter(pk=place.pk).update(
            waits="someone", headline="still_on_lock", headline_since=now()
        )
        self._backup(lock.door, key)
        at = doorlog.Line(
            self.hotel.pk, lock.door_id, lock.pk, now(), now(), "portal", "written", key_id=key.pk
        )
        doorlog.append([at])
        Episode.objects.create(
            property=self.hotel,
            door=lock.door,
            kind="4117",
            assignment_id=place.pk,
            key_id=key.pk,
            cause="lock_unreachable",
            opened_at=now(),
        )

    def _backup(self, door, given_for) -> None:
        standby = factories.key_for(door, guest="Backup code")
        BackupCode.objects.create(
            property=self.hotel,
            door=door,
            key=standby,
            made_at=now(),
            given_for=given_for,
            given_at=now(),
        )

    def _alerts(self, member) -> None:
        for closed_at in (None, now()):
            alert = factories.alert_at(self.hotel, about=f"door:{self.rows}", closed_at=closed_at)
            AlertMail.objects.create(
                property=self.hotel, alert=alert, membership=member, what="opened", made_at=now()
            )

    def _stay(self, name: str, begin) -> Reservation:
        return Reservation.objects.create(
            property=self.hotel,
            integration=self.pms,
            external_id=name,
            booking_ref=name,
            number=name,
            state="expected",
            arrival_on=begin.date(),
            departure_on=begin.date() + timedelta(days=2),
            came_in_during=self.outage,
            affected_by=self.outage,
            read_at=now(),
            first_seen_at=now(),
            changed_at=now(),
        )


@pytest.fixture
def house():
    cache.clear()
    return House()


@pytest.fixture
def clients(house):
    """Someone for each list: staff, a program, support."""
    owner = factories.member(house.hotel, Role.OWNER)
    staff, support = Client(), Client()
    staff.force_login(owner.user, BACKEND)
    support.force_login(User.objects.create_user("sam@support.example", is_staff=True), BACKEND)
    _, secret = make_token(
        membership=owner,
        role=Role.OWNER,
        name="budget",
        expires_at=now() + timedelta(days=1),
        now=now(),
    )
    program = Client(headers={"Authorization": f"Bearer {secret}"})
    return [(staff, PORTAL), (program, API), (support, ADMIN)]


def costs(clients, house) -> dict[str, int]:
    found = {}
    for client, addresses in clients:
        for name in addresses:
            address = name.format(
                outage=house.outage.pk,
                recovery=house.recovery.pk,
                pms=house.pms.pk,
                account=house.account.pk,
            )
            client.get(address)  # what is read once per process is read by now
            with CaptureQueriesContext(connection) as made:
                assert client.get(address).status_code == 200, address
            found[name] = len(made)
    return found


def test_no_list_costs_more_than_its_budget_or_more_for_more_rows(house, clients):
    house.add(FEW)
    few = costs(clients, house)
    house.add(MANY - FEW)
    many = costs(clients, house)
    assert {a: (few[a], n) for a, n in many.items() if n > few[a]} == {}
    budgets = PORTAL | API | ADMIN
    assert {a: n for a, n in many.items() if n > budgets[a]} == {}
