"""Large hotels, quickly: rows with all their constraints, put in by COPY or in bulk, ids chosen here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.core.management.color import no_style
from django.db import connection, models

from keys.models import Assignment, Credential, Guest, Key, KeychainDoor, Person
from keys.rules import Waits
from locks.models import Door, Gateway, Lock, LockAccount, Property, Writer
from locks.vault import digest
from pms.models import Integration, Reservation
from tests.factories import PropertyFactory


def load(model: type[models.Model], count: int, **given: Any) -> list[int]:
    """Insert ``count`` rows. A list gives each row its value, anything else goes into all; returns the ids."""
    if not count:
        return []
    top = model._base_manager.aggregate(top=models.Max("pk"))["top"] or 0
    given.setdefault(model._meta.pk.attname, list(range(top + 1, top + count + 1)))
    fields = [field for field in model._meta.concrete_fields if not field.generated]
    columns = []
    for field in fields:
        each = field.attname in given and isinstance(given[field.attname], list)
        value = given.pop(field.attname) if field.attname in given else _default(field)
        columns.append(
            [field.get_db_prep_save(one, connection) for one in value]
            if each
            else [field.get_db_prep_save(value, connection)] * count
        )
    if given:
        raise TypeError(f"{model.__name__} has no {sorted(given)}")
    _insert(model, [field.column for field in fields], list(zip(*columns, strict=True)))
    place = [field.attname for field in fields].index(model._meta.pk.attname)
    return list(columns[place])


def _default(field: models.Field) -> Any:
    return None if field.null and not field.has_default() else field.get_default()


def _insert(model: type[models.Model], columns: list[str], rows: Sequence[tuple[Any, ...]]) -> None:
    table, names = model._meta.db_table, ", ".join(f'"{name}"' for name in columns)
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            with cursor.copy(f'COPY "{table}" ({names}) FROM STDIN') as copy:
                for row in rows:
                    copy.write_row(row)
            for statement in connection.ops.sequence_reset_sql(no_style(), [model]):
                cursor.execute(statement)
        else:
            marks = ", ".join(["%s"] * len(columns))
            cursor.executemany(f'INSERT INTO "{table}" ({names}) VALUES ({marks})', rows)


def tidy(*names: str) -> None:
    """Sweep up dead rows and count anew, so that a round does not pay for the one before."""
    with connection.cursor() as cursor:
        for name in names:
            if connection.vendor == "postgresql":
                cursor.execute(f"VACUUM ANALYZE {name}")
        if connection.vendor == "sqlite":
            cursor.execute("ANALYZE")
            cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")


@dataclass(slots=True)
class Hotel:
    """A property with doors and locks; ``doors``, ``locks`` and ``writers`` belong together by place."""

    property: Property
    doors: list[int]
    locks: list[int]
    writers: list[int]


def make_hotel(*, locks: int, driver: str, gateways: bool | int = False, **account: Any) -> Hotel:
    """A Live property with that many doors, a lock on each, and a gateway for each lock if wished, or so many for all."""
    hotel = PropertyFactory()
    account_id = LockAccount.objects.create(
        property=hotel, driver=driver, name=driver, **account
    ).pk
    mine: dict[str, Any] = {"property_id": hotel.pk}
    names = [f"{n + 1}" for n in range(locks)]
    doors = load(Door, locks, name=names, **mine)
    queues = locks if isinstance(gateways, bool) else gateways
    writers = load(Writer, queues, **mine)
    boxes: Any = None
    if gateways:
        refs = [f"G{n}" for n in range(queues)]
        boxes = load(
            Gateway,
            queues,
            account_id=account_id,
            writer_id=writers,
            external_id=refs,
            name=refs,
            **mine,
        )
    if boxes:
        boxes = [boxes[n % queues] for n in range(locks)]
    writers = [writers[n % queues] for n in range(locks)]
    refs = [f"L{n}" for n in range(locks)]
    hung = load(
        Lock,
        locks,
        account_id=account_id,
        writer_id=writers,
        gateway_id=boxes,
        door_id=doors,
        external_id=refs,
        name=refs,
        **mine,
    )
    return Hotel(hotel, doors, hung, writers)


def make_stays(
    hotel: Hotel, windows: Sequence[tuple[datetime, datetime]], *, now: datetime
) -> list[int]:
    """A reservation for each window, from a connected PMS; returns their ids."""
    integration, _ = Integration.objects.get_or_create(
        property=hotel.property,
        adapter="cloudbeds",
        defaults={
            "state": Integration.State.CONNECTED,
            "state_since": now,
            "external_property_id": f"P{hotel.property.pk}",
        },
    )
    refs = [f"{hotel.property.pk}{n:08d}" for n in range(len(windows))]
    return load(
        Reservation,
        len(windows),
        property_id=hotel.property.pk,
        integration_id=integration.pk,
        external_id=refs,
        booking_ref=refs,
        number=refs,
        state=Reservation.State.EXPECTED,
        arrival_on=[start.date() for start, _ in windows],
        departure_on=[end.date() for _, end in windows],
        read_at=now,
        first_seen_at=now,
        changed_at=now,
        followed_at=now,
        fingerprint="",
    )


def make_keys(
    hotel: Hotel,
    windows: Sequence[tuple[datetime, datetime]],
    *,
    now: datetime,
    stays: list[int] | None = None,
    names: Sequence[str] = ("Ada Example",),
    due_at: datetime | None = None,
    assignment: dict[str, list[Any]] | None = None,
    **key: Any,
) -> list[int]:
    """One key with one Door Code on one lock for each window, locks in turn; returns the assignments' ids."""
    count, mine = len(windows), {"property_id": hotel.property.pk}
    shown = [names[n % len(names)] for n in range(count)]
    starts, ends = [start for start, _ in windows], [end for _, end in windows]
    place = [n % len(hotel.doors) for n in range(count)]
    doors, locks = [hotel.doors[n] for n in place], [hotel.locks[n] for n in place]
    keys = load(
        Key,
        count,
        reservation_id=stays,
        label=shown,
        starts_at=starts,
        ends_at=ends,
        created_at=now,
        **key,
        **mine,
    )
    guests = load(Guest, count, name=shown, **mine)
    people = load(Person, count, key_id=keys, guest_id=guests, is_main=True, **mine)
    chain = load(KeychainDoor, count, key_id=keys, door_id=doors, permission_since=now, **mine)
    # A code must differ from the others on its door only.
    codes = [f"{100000 + n // len(hotel.doors)}" for n in range(count)]
    digests = {code: digest(code, scope=f"{hotel.property.pk}:door_code") for code in set(codes)}
    found = [digests[code] for code in codes]
    credentials = load(
        Credential,
        count,
        key_id=keys,
        person_id=people,
        kind="door_code",
        secret=codes,
        secret_digest=found,
        drawn_at=now,
        **mine,
    )
    return load(
        Assignment,
        count,
        key_id=keys,
        credential_id=credentials,
        keychain_door_id=chain,
        door_id=doors,
        lock_id=locks,
        writer_id=[hotel.writers[n] for n in place],
        kind="door_code",
        reserved_digest=found,
        starts_at=starts,
        ends_at=ends,
        next_attempt_at=due_at,
        **(assignment or {"waits": Waits.LOCK.value}),
        **mine,
    )


def a_stay(now: datetime, days: float = 2) -> tuple[datetime, datetime]:
    """A window that is running."""
    return now - timedelta(hours=1), now + timedelta(days=days)
