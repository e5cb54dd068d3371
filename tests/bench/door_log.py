"""How fast events come into the door log, checked, each once and with all its indexes: against COPY into a bare table."""

from __future__ import annotations

import io
import json
import random
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from django.db import connection

from locks import intake
from locks.drivers import EventType, LockEvent
from locks.event_lines import rows_of_ndjson
from locks.events import ingest
from locks.giving import give
from locks.intake_models import Intake
from locks.log_models import DoorLogEntry
from tests.bench.figures import Figure, interleave, must, short
from tests.bench.hotel import Hotel, make_hotel, tidy
from tests.bench.processes import Kit

TABLE = "locks_doorlogentry"
REPEATED = 20
"""Every so many-th event comes twice."""
DAYS = 30
HOUR = timedelta(hours=1)
PAGE = 200
TYPES = (EventType.UNLOCKED, EventType.LOCKED, EventType.DENIED, EventType.OPENED)
_BARE = "bench_bare"
_COLUMNS = "property_id, door_id, lock_id, happened_at, received_at, origin, code, cause, kind, vendor_code, external_id"


class Events:
    """Events at the locks of one hotel, in rough order of time, a twentieth of them twice."""

    def __init__(
        self, hotel: Hotel, refs: Sequence[str], count: int, *, lasts: timedelta, ago: timedelta
    ) -> None:
        self.hotel, self.count, self._lasts = hotel, count, lasts
        self._refs, self._rng = refs, random.Random(7)
        self._until = datetime.now(UTC) - ago

    def rows(self) -> list[tuple[int, str, EventType, datetime]]:
        """Place of the lock, id, type and time."""
        rng, step = self._rng, self._lasts / self.count
        rows = [
            (
                rng.randrange(len(self._refs)),
                f"{rng.getrandbits(128):032x}",
                TYPES[n % len(TYPES)],
                self._until - step * (self.count - n) + timedelta(seconds=rng.randrange(600)),
            )
            for n in range(self.count - self.count // REPEATED)
        ]
        return rows + rows[: self.count - len(rows)]

    def as_ndjson(self) -> str:
        """A file's text."""
        return "\n".join(
            json.dumps(
                {
                    "lock": self._refs[lock],
                    "type": type_.value,
                    "happened_at": at.isoformat(),
                    "event_id": id_,
                    "kind": "door_code",
                    "vendor_type": "11",
                }
            )
            for lock, id_, type_, at in self.rows()
        )

    def as_events(self) -> list[LockEvent]:
        """What a driver gives."""
        return [
            LockEvent(
                event_id=id_, lock_ref=self._refs[lock], type=type_, happened_at=at, vendor_type="1"
            )
            for lock, id_, type_, at in self.rows()
        ]

    def as_copy(self) -> str:
        """What COPY takes, ready."""
        now = datetime.now(UTC).isoformat()
        hotel, doors, locks = self.hotel.property.pk, self.hotel.doors, self.hotel.locks
        return "".join(
            f"{hotel}\t{doors[lock]}\t{locks[lock]}\t{at.isoformat()}\t{now}\tlock\t{type_.value}\t\t"
            f"door_code\t11\t{id_}\n"
            for lock, id_, type_, at in self.rows()
        )

    @property
    def different(self) -> int:
        """How many there are, each counted once."""
        return self.count - self.count // REPEATED


def _events(kit: Kit, count: int, *, fresh: bool = False) -> Events:
    hotel = make_hotel(locks=kit.size(400, 10), driver="simulated")
    refs = dict(hotel.property.locks.values_list("id", "external_id"))
    lasts, ago = (20 * HOUR, HOUR) if fresh else (DAYS * 24 * HOUR, 48 * HOUR)
    return Events(hotel, [refs[pk] for pk in hotel.locks], count, lasts=lasts, ago=ago)


def in_bulk(kit: Kit) -> Figure:
    """A file, as the command takes it: read, checked, stored encrypted, and worked off by one process after another."""
    count = kit.size(1_000_000, 2_000, 50_000)
    figure = Figure(
        name="door-log",
        says=f"Door log: {count:,} events from a file / COPY of ready text into a table without indexes",
        target=0.22,
        unit="events/s",
        if_missed="In a run of 200,000 events the INSERT into the log, which looks for each event first and keeps four indexes, "
        "took just under half of the time and was alone at a seventh of COPY's pace; checking, storing encrypted and reading again come on "
        "top, one after the other in one process. Where the time goes at a million was not taken apart. A worker that prepares "
        "the next chunk while PostgreSQL inserts would mend some of it.",
    )
    events = _events(kit, count)
    copied, text = events.as_copy(), events.as_ndjson()
    interleave(
        figure,
        kit.size(min(kit.rounds, 3), 1),
        lambda: count / copy(copied),
        lambda: count / from_file(events, text),
    )
    figure.checked = f"{events.different:,} lines are in the log, each once, and no event waits"
    return figure


def in_pages(kit: Kit) -> Figure:
    """Pages as a lock system gives them, each in a transaction of its own, and each says something of now."""
    count = kit.size(100_000, 1_000, 20_000)
    figure = Figure(
        name="door-log-pages",
        says=f"Door log: {count:,} events of today in pages of {PAGE} / the same COPY",
        target=0.07,
        unit="events/s",
        if_missed="Each page finds its locks, takes the turn of each from delivery, notes at each lock when it was last heard, and "
        "commits: with events of some 150 locks on a page these rows cost as much as the page's own lines. Noting the last word of a "
        "lock once in some seconds, and taking turns only where an event changes what is believed, would mend it.",
    )
    events = _events(kit, count, fresh=True)
    copied, told = events.as_copy(), events.as_events()
    interleave(
        figure,
        kit.size(min(kit.rounds, 3), 1),
        lambda: count / copy(copied),
        lambda: count / by_pages(events, told),
    )
    figure.checked = f"{events.different:,} lines are in the log, each once"
    return figure


def when_large(kit: Kit) -> Figure:
    """The same file into a log that is empty, and into one with five million lines."""
    there, count = kit.size(5_000_000, 5_000, 100_000), kit.size(200_000, 1_000, 20_000)
    figure = Figure(
        name="door-log-large",
        says=f"Door log: {count:,} events beside {there:,} lines / into an empty log",
        target=0.9,
        unit="events/s",
    )
    events = _events(kit, count)
    text = events.as_ndjson()
    for _ in range(kit.size(2, 1)):
        figure.limit.append(count / from_file(events, text))
    empty()
    fill(events, there)
    for _ in range(len(figure.limit)):
        figure.product.append(count / from_file(events, text, there=there))
        forget(events)
    figure.checked = f"{there + events.different:,} lines were in the log at the end"
    figure.beside = [f"the first round into the empty log: {short(figure.limit[0])} events/s"]
    empty()
    return figure


def empty() -> None:
    """No line in the log."""
    with connection.cursor() as cursor:
        word = "TRUNCATE" if connection.vendor == "postgresql" else "DELETE FROM"
        cursor.execute(f"{word} {TABLE}")
    Intake.objects.all().delete()


def forget(events: Events) -> None:
    """Take the events of the file out of the log again."""
    DoorLogEntry.objects.filter(property_id=events.hotel.property.pk, cause="").delete()
    Intake.objects.all().delete()
    tidy(TABLE)


def fill(events: Events, count: int) -> None:
    """Old lines of the same locks, over the same month."""
    hotel = events.hotel
    rows = io.StringIO()
    step = timedelta(days=DAYS) / count
    begun = datetime.now(UTC) - timedelta(days=DAYS + 2)
    with connection.cursor() as cursor:
        for n in range(count):
            place = n * 7919 % len(hotel.locks)
            at = (begun + step * n).isoformat()
            rows.write(
                f"{hotel.property.pk}\t{hotel.doors[place]}\t{hotel.locks[place]}\t{at}\t{at}\tlock\tunlocked\told\t"
                f"door_code\t\told-{n}\n"
            )
            if rows.tell() > 16_000_000 or n == count - 1:
                _load(cursor, TABLE, rows.getvalue())
                rows = io.StringIO()
    tidy(TABLE)


def _load(cursor, table: str, text: str) -> None:
    if connection.vendor != "postgresql":
        names = _COLUMNS.split(", ")
        marks = ", ".join(["%s"] * len(names))
        more, ours = ("", "") if table == _BARE else (", hint, actor, proof", ", '', '', ''")
        rows = [line.split("\t") for line in text.splitlines()]
        cursor.executemany(
            f"INSERT INTO {table} ({_COLUMNS}{more}) VALUES ({marks}{ours})",
            rows,
        )
        return
    if table == _BARE:
        with cursor.copy(f"COPY {table} ({_COLUMNS}) FROM STDIN") as target:
            target.write(text)
        return
    cursor.execute("CREATE TEMP TABLE IF NOT EXISTS bench_fill (LIKE locks_doorlogentry)")
    cursor.execute("ALTER TABLE bench_fill ALTER id DROP NOT NULL")
    for name in ("hint", "actor", "proof"):
        cursor.execute(f"ALTER TABLE bench_fill ALTER {name} SET DEFAULT ''")
    with cursor.copy(f"COPY bench_fill ({_COLUMNS}) FROM STDIN") as target:
        target.write(text)
    more = f"{_COLUMNS}, hint, actor, proof"
    cursor.execute(f"INSERT INTO {table} ({more}) SELECT {more} FROM bench_fill")
    cursor.execute("TRUNCATE bench_fill")


def copy(text: str) -> float:
    """Seconds that a bare table takes for all of it, in one transaction."""
    with connection.cursor() as cursor:
        cursor.execute(f"DROP TABLE IF EXISTS {_BARE}")
        moment = "timestamptz" if connection.vendor == "postgresql" else "text"
        kinds = [*["bigint"] * 3, *[moment] * 2, *["text"] * 6]
        names = ", ".join(f"{n} {k}" for n, k in zip(_COLUMNS.split(", "), kinds, strict=True))
        cursor.execute(f"CREATE TABLE {_BARE} ({names})")
        began = time.perf_counter()
        _load(cursor, _BARE, text)
        took = time.perf_counter() - began
        cursor.execute(f"SELECT count(*) FROM {_BARE}")
        must(cursor.fetchone()[0] == text.count("\n"), "COPY left lines out")
        cursor.execute(f"DROP TABLE {_BARE}")
    return took


def from_file(events: Events, text: str, *, there: int = 0) -> float:
    """Seconds from the file to the last line in the log."""
    if not there:
        empty()
    began = time.perf_counter()
    given = give(
        rows_of_ndjson(io.StringIO(text)),
        property_id=events.hotel.property.pk,
        source=Intake.Source.FILE,
        now=datetime.now(UTC),
    )
    while Intake.objects.filter(processed_at=None).exists():
        intake.work_off()
    took = time.perf_counter() - began
    must(not given.bad, "good lines were refused")
    must(given.taken == events.count, "not every line was taken")
    _all_there(events, there)
    return took


def by_pages(events: Events, told: Sequence[LockEvent]) -> float:
    """Seconds for all pages."""
    empty()
    account_id = events.hotel.property.lock_accounts.get().pk
    began = time.perf_counter()
    for start in range(0, len(told), PAGE):
        ingest(account_id=account_id, events=told[start : start + PAGE], now=datetime.now(UTC))
    took = time.perf_counter() - began
    _all_there(events)
    return took


def _all_there(events: Events, there: int = 0) -> None:
    count = DoorLogEntry.objects.count()
    must(count == events.different + there, f"{count:,} lines are in the log")


__all__ = ["in_bulk", "in_pages", "when_large"]
