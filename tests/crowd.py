"""A hotel with years of keys, written by one statement per table; only PostgreSQL can make them this way.

Nine of ten keys are past, some left early, a few are revoked, a tenth waits for something. A second hotel of the same
size stands beside it, so that an index that forgets the property is found out.
"""

from __future__ import annotations

from typing import Any

from django.db import connection, models

from keys.models import (
    Assignment,
    BulkChange,
    BulkRow,
    Credential,
    Guest,
    Key,
    KeychainDoor,
    Person,
    Recovery,
    RecoveryRow,
)
from locks.log_models import DoorLogEntry, Episode
from locks.models import Door, Lock, LockAccount, Property, Writer
from pms.models import Integration, Outage, Reservation, Room, RoomDoor
from tests.factories import now

DOORS = 300
ROOMS = 320
"""Rooms of the PMS; the last twenty open no door."""
ROOT = 1000  # beyond any id that a test made before


class Crowd:
    """Two hotels with ``size`` keys each, their ids following from the number of the hotel and of the key."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.at = f"timestamptz '{now().isoformat()}'"
        self.start = f"({self.at} + interval '1 hour' * (g.n - {size * 9 // 10}))"
        self.end = f"({self.start} + interval '1 hour' * (30 + g.n % 100))"
        hotels = [self._hotel(n) for n in range(2)]
        self.property = hotels[0]
        for hotel in hotels:
            self._walls(hotel)
            self._stays(hotel)
            self._keys(hotel)
            self._recovery(hotel)
            self._bulk_change(hotel)
            self._log(hotel)
        self._forward()
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE")

    def _hotel(self, number: int) -> Property:
        return Property.objects.create(name=f"Crowd {number}", mode=Property.Mode.LIVE)

    def _base(self, hotel: Property) -> int:
        return ROOT + hotel.pk * 10_000_000

    def _insert(self, model: Any, hotel: Property, many: int, **given: str) -> None:
        """One row per number ``g.n`` from 1; SQL expressions by column, the rest as a new row of the model has it."""
        fields = [f for f in model._meta.concrete_fields if not f.generated]
        values = {f.column: _default(f) for f in fields} | {"property_id": str(hotel.pk)} | given
        columns = [f.column for f in fields if values[f.column] is not None]
        picked = ", ".join(values[column] for column in columns)
        with connection.cursor() as cursor:
            cursor.execute(
                f"INSERT INTO {model._meta.db_table} ({', '.join(columns)}) "
                f"SELECT {picked} FROM generate_series(1, {many}) AS g(n)"
            )

    def _walls(self, hotel: Property) -> None:
        base, at = self._base(hotel), self.at
        self._insert(LockAccount, hotel, 1, id=f"{base}", driver="'simulated'", name="'a'")
        self._insert(Writer, hotel, DOORS, id=f"{base} + g.n")
        self._insert(Door, hotel, DOORS, id=f"{base} + g.n", name="'Room ' || g.n")
        self._insert(
            Lock,
            hotel,
            DOORS,
            id=f"{base} + g.n",
            account_id=f"{base}",
            writer_id=f"{base} + g.n",
            door_id=f"{base} + g.n",
            external_id="'L' || g.n",
            name="'Lock ' || g.n",
        )
        self._insert(
            Integration,
            hotel,
            1,
            id=f"{base}",
            adapter="'cloudbeds'",
            state="'connected'",
            state_since=at,
        )
        self._insert(
            Outage,
            hotel,
            1,
            id=f"{base}",
            integration_id=f"{base}",
            began_at=f"{at} - interval '2 hours'",
            last_word_at=f"{at} - interval '3 hours'",
        )

        numbers = {"integration_id": f"{base}", "id": f"{base} + g.n"}
        self._insert(
            Room,
            hotel,
            ROOMS,
            **numbers,
            external_id="'r' || g.n",
            name="'Room ' || g.n",
            seen_at=at,
        )
        self._insert(
            RoomDoor, hotel, DOORS, **numbers, room_ref="'r' || g.n", door_id=f"{base} + g.n"
        )

    def _stays(self, hotel: Property) -> None:
        base, at = self._base(hotel), self.at
        start = self.start
        affected = f"CASE WHEN g.n % 20 = 7 THEN {base} END"
        self._insert(
            Reservation,
            hotel,
            self.size,
            id=f"{base} + g.n",
            integration_id=f"{base}",
            external_id="'s' || g.n",
            booking_ref="'b' || g.n / 2",
            number="to_char(700000 + g.n, 'FM999999')",
            state=f"CASE WHEN {self.end} < {at} THEN 'departed' ELSE 'expected' END",
            guest_name="'Guest'",
            room_ref=f"'r' || (1 + g.n % {ROOMS})",
            fingerprint="''",
            arrival_on=f"({start})::date",
            departure_on=f"({start})::date + 2",
            read_at=at,
            first_seen_at=at,
            changed_at=f"{at} - interval '1 second' * g.n",
            followed_at=f"{at} - interval '1 second' * g.n",
            came_in_during_id=f"CASE WHEN g.n % 40 = 7 THEN {base} END",
            affected_by_id=affected,
        )

    def _keys(self, hotel: Property) -> None:
        base, at = self._base(hotel), self.at
        start, end = self.start, self.end
        revoked = "g.n % 50 = 3"
        ids = {"id": f"{base} + g.n", "key_id": f"{base} + g.n"}
        self._insert(
            Key,
            hotel,
            self.size,
            id=ids["id"],
            reservation_id=f"{base} + g.n",
            label="CASE WHEN g.n % 400 = 0 THEN 'Zebedee Rare' ELSE 'Maria Common ' || g.n END",
            starts_at=start,
            ends_at=end,
            departed_at=f"CASE WHEN g.n % 30 = 1 AND {end} < {at} THEN {end} - interval '5 hours' END",
            revoked_at=f"CASE WHEN {revoked} THEN least({start}, {at}) END",
            revoked_because=f"CASE WHEN {revoked} THEN 'staff' ELSE '' END",
            created_at=start,
        )
        self._insert(Guest, hotel, self.size, id=ids["id"], name="'Guest ' || g.n")
        self._insert(Person, hotel, self.size, **ids, guest_id=ids["id"], is_main="true")
        self._insert(
            Credential,
            hotel,
            self.size,
            **ids,
            person_id=ids["id"],
            kind="'door_code'",
            secret="''",
            secret_digest="'d' || g.n",
            drawn_at=start,
        )
        self._places(hotel, ids)

    def _places(self, hotel: Property, ids: dict[str, str]) -> None:
        base, at, start, end = self._base(hotel), self.at, self.start, self.end
        live = f"({end} > {at} AND g.n % 50 <> 3)"
        door = f"{base} + 1 + g.n % {DOORS}"
        held = f"({live} AND g.n % 20 = 7)"
        self._insert(
            KeychainDoor,
            hotel,
            self.size,
            **ids,
            door_id=door,
            permission=f"CASE WHEN {held} THEN 'held_by_outage' ELSE 'automatic' END",
            outage_id=f"CASE WHEN {held} THEN {base} END",
            permission_since=start,
        )
        self._insert(
            Assignment,
            hotel,
            self.size,
            **ids,
            credential_id=ids["id"],
            keychain_door_id=ids["id"],
            door_id=door,
            lock_id=door,
            writer_id=door,
            kind="'door_code'",
            reserved_digest=f"CASE WHEN {live} THEN 'd' || g.n END",
            starts_at=start,
            ends_at=end,
            waits=f"CASE WHEN g.n % 97 = 5 THEN 'someone' WHEN NOT {live} THEN '' "
            f"WHEN {held} OR g.n % 2 = 0 THEN 'someone' WHEN g.n % 3 = 0 THEN 'lock' ELSE 'time' END",
            headline="CASE WHEN g.n % 97 = 5 THEN 'removal_pending' WHEN g.n % 20 = 7 THEN "
            "'came_in_during_outage' ELSE 'not_checked_in' END",
        )

    def _recovery(self, hotel: Property) -> None:
        base, at = self._base(hotel), self.at
        self._insert(
            Recovery,
            hotel,
            1,
            id=f"{base}",
            outage_id=f"{base}",
            batch_id="gen_random_uuid()",
            source="'portal'",
            seen_at=at,
            up_to="0",
            started_at=at,
            finished_at=at,
            planned=f"{self.size}",
        )
        self._insert(
            RecoveryRow,
            hotel,
            self.size,
            id=f"{base} + g.n",
            recovery_id=f"{base}",
            reservation_id=f"{base} + g.n",
            key_id=f"{base} + g.n",
            action="'provision'",
            rank="5",
            state="CASE WHEN g.n % 1000 = 7 THEN 'failed' ELSE 'done' END",
        )

    def _bulk_change(self, hotel: Property) -> None:
        """Five thousand keys, which is more than anyone can change at once."""
        base, at = self._base(hotel), self.at
        self._insert(
            BulkChange,
            hotel,
            1,
            id=f"{base}",
            batch_id="gen_random_uuid()",
            source="'portal'",
            undo_source="'system'",
            action="'revoke'",
            started_at=at,
            finished_at=at,
            planned="5000",
            done="4950",
        )
        self._insert(
            BulkRow,
            hotel,
            5000,
            id=f"{base} + g.n",
            change_id=f"{base}",
            key_id=f"{base} + g.n * 4",
            state="CASE WHEN g.n % 100 = 0 THEN 'failed' ELSE 'done' END",
            before="'{}'::jsonb",
        )

    def _log(self, hotel: Property) -> None:
        base, at = self._base(hotel), self.at
        door = f"{base} + 1 + g.n % {DOORS}"
        self._insert(
            DoorLogEntry,
            hotel,
            self.size * 3,
            id=f"{base} + g.n",
            door_id=door,
            lock_id=door,
            key_id=f"{base} + 1 + g.n % {self.size}",
            happened_at=f"{at} - interval '1 minute' * g.n",
            received_at=at,
            origin="'portal'",
            code="CASE WHEN g.n % 5000 = 9 THEN '4117' WHEN g.n % 3 = 0 THEN 'written' ELSE 'unlocked' END",
        )
        self._insert(
            Episode,
            hotel,
            2000,
            id=f"{base} + g.n",
            door_id=door,
            kind="CASE WHEN g.n % 3 = 0 THEN 'not_removed' ELSE '4117' END",
            assignment_id=f"{base} + g.n",
            key_id=f"{base} + g.n",
            cause="'lock_unreachable'",
            opened_at=f"{at} - interval '1 hour' * g.n",
            closed_at=f"CASE WHEN g.n > 400 THEN {at} END",
        )

    def _forward(self) -> None:
        """What is made later gets ids beyond these."""
        models_ = (Key, Guest, Person, Credential, KeychainDoor, Assignment, Door, Lock, Writer)
        with connection.cursor() as cursor:
            for model in (
                *models_,
                LockAccount,
                Integration,
                Outage,
                Reservation,
                DoorLogEntry,
                Episode,
                Recovery,
                RecoveryRow,
            ):
                table = model._meta.db_table
                cursor.execute(
                    f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), (SELECT max(id) FROM {table}))"
                )


def _default(field: models.Field[Any, Any]) -> str | None:
    if field.primary_key and not field.is_relation:
        return None
    value = field.get_default() if field.has_default() else None
    if value is None and field.null:
        return "NULL"
    if value is None:
        value = ""
    if isinstance(value, bool | int):
        return str(value).lower()
    return "'" + str(value).replace("'", "''").replace("%", "%") + "'"
