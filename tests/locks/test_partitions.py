"""The door log on PostgreSQL: one table to whoever asks, a partition per month underneath."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.core.management import call_command
from django.db import connection, transaction
from django.db.utils import IntegrityError

from locks import doorlog, partitions
from locks.events import LOCK
from locks.log_models import DoorLogEntry
from locks.tasks import prepare_log
from tests.factories import LockFactory, now

# The engine takes back changes of its tables with the transaction, so these leave nothing behind.
pytestmark = [pytest.mark.postgres, pytest.mark.django_db]
COLUMNS = ["id", "happened_at", "code", "external_id", "key_id"]


@pytest.fixture
def lock():
    return LockFactory()


def names() -> set[str]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'locks_doorlogentry'::regclass"
        )
        return {row[0] for row in cursor.fetchall()}


def line(lock, at, *, event=""):
    origin = LOCK if event else doorlog.PORTAL
    return doorlog.Line(
        lock.property_id, lock.door_id, lock.pk, at, now(), origin, "unlocked", external_id=event
    )


def place_of(entry) -> str:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT tableoid::regclass::text FROM locks_doorlogentry WHERE id = %s", [entry.pk]
        )
        return cursor.fetchone()[0]


def rows():
    return list(DoorLogEntry.objects.order_by("id").values_list(*COLUMNS))


def test_the_months_around_now_have_their_partitions_and_the_rest_has_one_together():
    this = now()
    last = this.replace(day=1) - timedelta(days=1)
    coming = {start for start, _ in partitions.months(this)}
    assert {f"locks_doorlogentry_{day:%Y_%m}" for day in {last, *coming}} <= names()
    assert "locks_doorlogentry_other" in names()


def test_a_line_lies_in_the_partition_of_its_month_and_one_from_a_wrong_clock_in_the_other(lock):
    doorlog.append([line(lock, now()), line(lock, datetime(2009, 5, 1, tzinfo=UTC))])
    here, odd = DoorLogEntry.objects.order_by("-happened_at")
    assert place_of(here) == f"locks_doorlogentry_{here.happened_at:%Y_%m}"
    assert place_of(odd) == "locks_doorlogentry_other"


def test_an_event_of_a_lock_is_kept_once_in_whatever_partition(lock):
    moments = [now(), now() - timedelta(days=400)]
    events = [line(lock, at, event=f"e{n}") for n, at in enumerate(moments)]
    assert doorlog.append(events) == 2
    assert doorlog.append(events) == 0
    with pytest.raises(IntegrityError), transaction.atomic():
        DoorLogEntry.objects.create(**events[0]._asdict())


def test_the_coming_months_are_made_once_and_take_what_waits_for_them(lock):
    later = now() + timedelta(days=370)
    doorlog.append([line(lock, later), line(lock, now() + timedelta(days=3650))])
    early, far = DoorLogEntry.objects.order_by("happened_at")
    assert place_of(early) == place_of(far) == "locks_doorlogentry_other"
    made = partitions.prepare(now=later)
    assert f"locks_doorlogentry_{later:%Y_%m}" in made
    assert len(made) == partitions.MONTHS_AHEAD + 1
    assert place_of(early) == f"locks_doorlogentry_{later:%Y_%m}"
    assert place_of(far) == "locks_doorlogentry_other"
    assert partitions.prepare(now=later) == []


def test_the_task_makes_what_is_missing():
    (*_, (last, _end)) = partitions.months(now())
    name = f"locks_doorlogentry_{last:%Y_%m}"
    with connection.cursor() as cursor:
        cursor.execute(f"DROP TABLE {name}")
    prepare_log()
    assert name in names()


def test_lines_keep_their_ids_when_the_log_becomes_one_table_and_partitions_again(lock):
    connection.check_constraints()  # rows that still wait for their checks would forbid the migration
    doorlog.append([line(lock, now(), event="a"), line(lock, now() - timedelta(days=900))])
    before = rows()
    call_command("migrate", "locks", "0001", verbosity=0)
    assert rows() == before
    doorlog.append([line(lock, now(), event="b")])
    as_one_table = rows()
    assert as_one_table[-1][0] > before[-1][0]
    call_command("migrate", verbosity=0)
    assert rows() == as_one_table
    doorlog.append([line(lock, now(), event="a"), line(lock, now(), event="c")])
    assert rows()[-1][0] > as_one_table[-1][0]
    assert "locks_doorlogentry_other" in names()


@pytest.mark.slow
def test_everything_can_be_migrated_away_and_back():
    def shape():
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT conrelid::regclass::text, conname, contype FROM pg_constraint "
                "WHERE connamespace = 'public'::regnamespace AND conparentid = 0 "
                "UNION SELECT tablename, indexname, 'i' FROM pg_indexes WHERE schemaname = 'public'"
            )
            found = set(cursor.fetchall())
        return {row for row in found if not row[0].startswith("locks_doorlogentry_")}

    before = shape()
    for app in ("portal", "keys", "pms", "locks"):
        call_command("migrate", app, "zero", verbosity=0)
    call_command("migrate", verbosity=0)
    assert shape() == before
