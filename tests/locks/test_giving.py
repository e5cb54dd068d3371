"""Events in files: all of their types are taken, each once; a bad line is named with its field and its remedy."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from locks import intake
from locks.drivers import EventType
from locks.event_lines import BadLine, event_of, rows_of_csv, rows_of_ndjson
from locks.intake_models import Intake
from locks.log_models import DoorLogEntry
from tests.factories import AccountFactory, LockFactory, now

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("no_worker")]
LATEST = datetime(2026, 12, 1, tzinfo=UTC)
AT = "2026-11-24T18:05:00Z"


@pytest.fixture
def no_worker(monkeypatch):
    """No broker, and no waiting for a worker that is not there."""
    monkeypatch.setattr("locks.management.commands.ingest_door_log.ring", lambda _: None)
    monkeypatch.setattr("locks.management.commands.ingest_door_log.WORKER_WITHIN_S", 0.0)


@pytest.fixture
def lock():
    return LockFactory(external_id="L1")


def give(lock, path):
    said, wrong = StringIO(), StringIO()
    try:
        call_command(
            "ingest_door_log", path, property=lock.property.name, stdout=said, stderr=wrong
        )
    except CommandError as error:
        wrong.write(f"{error}\n")
    return said.getvalue(), wrong.getvalue().splitlines()


def line(**more):
    return {"lock": "L1", "type": "unlocked", "happened_at": AT, **more}


def ndjson(tmp_path, *rows):
    path = tmp_path / "log.ndjson"
    path.write_text("\n".join(r if isinstance(r, str) else json.dumps(r) for r in rows))
    return path


def test_every_type_of_event_is_taken_from_ndjson_once(lock, tmp_path):
    rows = [line(type=type_.value, event_id=f"e{n}") for n, type_ in enumerate(EventType)]
    path = ndjson(tmp_path, *rows, "")
    assert give(lock, path) == (f"{len(rows)} events, {len(rows)} of them new.\n", [])
    assert give(lock, path) == (f"{len(rows)} events, 0 of them new.\n", [])
    assert DoorLogEntry.objects.filter(lock=lock).count() == len(EventType)
    assert {row.body for row in Intake.objects.all()} == {""}


def test_a_csv_file_says_the_same_and_a_typed_code_is_never_stored(lock, tmp_path):
    path = tmp_path / "log.csv"
    path.write_text(
        "lock,type,happened_at,kind,code,reason,battery\n"
        f"L1,denied,{AT},door_code,918273,wrong,\n"
        f"L1,denied,{AT},door_code,918274,wrong,\n"
        'L1,unlocked,2026-11-24T19:05:00+01:00,smartkey,,"by phone, at night",77\n',
        encoding="utf-8-sig",
    )
    assert give(lock, path)[0] == "3 events, 3 of them new.\n"
    assert give(lock, path)[0] == "3 events, 0 of them new.\n"
    lines = DoorLogEntry.objects.order_by("id")
    assert [(each.code, each.hint) for each in lines] == [
        ("denied", "••73"),
        ("denied", "••74"),
        ("unlocked", ""),
    ]
    assert {each.happened_at for each in lines} == {datetime(2026, 11, 24, 18, 5, tzinfo=UTC)}
    assert lines[2].cause == "by phone, at night"
    assert "91827" not in str(list(DoorLogEntry.objects.values()))


@pytest.mark.parametrize(
    ("row", "field", "says"),
    [
        (line(lock=""), "lock", "id of the lock"),
        (line(lock="L9"), "lock", "No lock of this property"),
        (line(type="opened_wide"), "type", "Give one of unlocked"),
        (line(happened_at="24.11.2026 18:05"), "happened_at", "offset from UTC"),
        (line(happened_at="2026-11-24T18:05:00"), "happened_at", "offset from UTC"),
        (line(happened_at="2096-11-24T18:05:00Z"), "happened_at", "in the future"),
        (line(kind="pin"), "kind", "door_code, smartkey or keycard"),
        (line(battery=101), "battery", "0 to 100"),
        (line(battery="low"), "battery", "0 to 100"),
        (line(code=918273), "code", "as text"),
        (line(event_id="x" * 101), "event_id", "at most 100"),
        (line(colour="red"), "colour", "There is no such field"),
        ("[1]", "line", "one JSON object"),
        ('{"lock": ', "line", "one JSON object"),
    ],
)
def test_a_bad_line_is_named_and_the_others_are_taken(lock, tmp_path, row, field, says):
    path = ndjson(tmp_path, line(event_id="a"), row, line(event_id="b"))
    said, wrong = give(lock, path)
    assert said == "2 events, 2 of them new.\n"
    assert wrong[0].startswith(f"Line 2, {field}: ")
    assert says in wrong[0]
    assert "918273" not in wrong[0]
    assert "1 lines could not be taken" in wrong[1]


@pytest.mark.parametrize(
    ("text", "line_", "field"),
    [
        ("lock,type\nL1,unlocked\n", 1, "happened_at"),
        (f"lock,type,happened_at\nL1,unlocked,{AT},x\n", 2, "line"),
        ("lock,type,happened_at\nL1,unlocked\n", 2, "line"),
        ("", 1, "lock"),
    ],
)
def test_a_table_that_does_not_fit_its_first_line_is_refused(text, line_, field):
    bad = next(row for _, row in rows_of_csv(StringIO(text)))
    assert isinstance(bad, BadLine)
    assert (bad.line, bad.field) == (line_, field)


def test_lines_are_counted_as_an_editor_does(lock):
    rows = list(rows_of_ndjson(StringIO('\n\n{"lock": "L1"}\nnonsense\n')))
    assert [number for number, _ in rows] == [3, 4]
    with pytest.raises(BadLine, match="Line 3, type"):
        event_of(rows[0][1], line=3, latest=LATEST)


def test_a_lock_id_that_two_accounts_have_is_asked_about(lock, tmp_path):
    LockFactory(account=AccountFactory(property=lock.property), external_id="L1")
    _, wrong = give(lock, ndjson(tmp_path, line()))
    assert "Two accounts" in wrong[0]


def test_another_hotels_lock_is_no_lock(lock, tmp_path):
    LockFactory(external_id="theirs")
    _, wrong = give(lock, ndjson(tmp_path, line(lock="theirs")))
    assert "No lock of this property" in wrong[0]


def test_a_large_file_is_stored_in_chunks_that_are_worked_off_apart(lock, tmp_path, monkeypatch):
    monkeypatch.setattr("locks.giving.CHUNK", 10)
    begun = now() - timedelta(days=30)
    rows = [
        line(event_id=f"e{n}", happened_at=(begun + timedelta(seconds=n)).isoformat())
        for n in range(35)
    ]
    assert give(lock, ndjson(tmp_path, *rows))[0] == "35 events, 35 of them new.\n"
    assert sorted(Intake.objects.values_list("events", flat=True)) == [5, 10, 10, 10]
    assert intake.work_off() == 0


@pytest.mark.parametrize(
    ("name", "says"), [("log.xlsx", "ends with .csv"), ("gone.csv", "No such file")]
)
def test_a_file_that_cannot_be_read_is_refused_in_words(lock, tmp_path, name, says):
    _, wrong = give(lock, tmp_path / name)
    assert says in wrong[-1]
