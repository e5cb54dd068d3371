"""The short way of an event into the log says the same as the long one, and leaves to that what it cannot say."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from io import StringIO

import pytest

from locks import events, intake
from locks.event_lines import BadLine, event_of, plain_event, rows_of_ndjson
from locks.intake_models import Intake
from locks.log_models import DoorLogEntry
from tests.factories import LockFactory, now

LATEST = datetime(2026, 12, 1, tzinfo=UTC)
ROW = {
    "lock": "L1",
    "type": "denied",
    "happened_at": "2026-11-24T19:05:00.5+01:00",
    "event_id": "e",
}
SAID = {"kind": "door_code", "vendor_type": 'a "b" \\ c'}


@pytest.mark.parametrize("more", [{}, SAID, {"kind": ""}, {"kind": None}, {"vendor_type": None}])
def test_a_plain_event_is_stored_as_the_long_way_stores_it(more):
    row = ROW | more
    plain = plain_event(row, LATEST)
    assert plain is not None
    long_way = intake.row_of(7, event_of(row, line=1, latest=LATEST))
    assert intake.plain_row(7, plain) == long_way


@pytest.mark.parametrize(
    "more",
    [
        {"code": "123456"},
        {"address": "3"},
        {"battery": 5},
        {"reason": "late"},
        {"event_id": ""},
        {"event_id": "x" * 101},
        {"event_id": 5},
        {"event_id": "a\0"},
        {"vendor_type": "x" * 41},
        {"kind": "smoke"},
        {"type": "sang"},
        {"type": ["denied"]},
        {"happened_at": "2026-11-24T19:05:00"},
        {"happened_at": "2027-01-01T00:00:00Z"},
        {"happened_at": 5},
        {"surprise": "x"},
    ],
)
def test_anything_else_is_left_to_the_long_way(more):
    assert plain_event(ROW | more, LATEST) is None


@pytest.mark.parametrize(
    "texts",
    [
        ['{"a":1},{"b":2}', '{"c":1', '"d":2}'],
        ['{"a":1},2'],
        ['{"x":[1', '{"y":2}]}'],
        ["[1]"],
        ['{"a":1}', "", '{"b":"{"}', "7"],
        ['{"a":1}{"b":2}'],
    ],
)
def test_lines_that_are_read_together_are_what_they_are_alone(texts):
    def alone(number, text):
        ((_, row),) = rows_of_ndjson(StringIO(text))
        return BadLine(number, row.field, row.fix) if isinstance(row, BadLine) else row

    expected = [(n, alone(n, text)) for n, text in enumerate(texts, start=1) if text]
    assert list(rows_of_ndjson(StringIO("\n".join(texts)))) == expected


@pytest.mark.django_db
def test_history_goes_the_short_way_and_what_needs_more_the_long_way_to_the_same_lines():
    lock = LockFactory(external_id="L1")
    old = now() - timedelta(days=3)
    plain = [lock.pk, "e1", "denied", old.isoformat(), "door_code", "", "", None, "", None, "11"]
    assert events.only_kept([plain], now=now())
    for place, value in ((5, "handle"), (6, "3"), (7, "1234"), (3, now().isoformat())):
        assert not events.only_kept([[*plain[:place], value, *plain[place + 1 :]]], now=now())
    seen = []
    for rows in ([plain, plain], [plain], [[*plain[:1], "e2", *plain[2:6], "9", *plain[7:]]]):
        intake.store_rows(rows, property_id=lock.property_id, source=Intake.Source.FILE, now=old)
        seen.append(intake.work_off())
    assert seen == [1, 0, 1]
    short, long = DoorLogEntry.objects.order_by("external_id")
    assert (short.external_id, long.external_id, short.happened_at) == ("e1", "e2", old)
    skipped = {"id", "external_id", "received_at"}
    names = [field.attname for field in DoorLogEntry._meta.concrete_fields]
    for name in set(names) - skipped:
        assert getattr(short, name) == getattr(long, name), name


@pytest.mark.django_db
def test_a_lock_of_another_hotel_is_left_out_of_the_short_way():
    lock, theirs = LockFactory(external_id="L1"), LockFactory(external_id="L1")
    old = now() - timedelta(days=3)
    rows = [
        [one.pk, "e", "denied", old.isoformat(), None, "", "", None, "", None, ""]
        for one in (lock, theirs)
    ]
    body = json.loads(json.dumps(rows))
    intake.store_rows(body, property_id=lock.property_id, source=Intake.Source.API, now=old)
    assert intake.work_off() == 1
    assert DoorLogEntry.objects.get().lock_id == lock.pk
