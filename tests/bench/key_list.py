"""Whether the list of keys stays as quick when a hotel has ten times the keys, page by page as a browser gets it."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from keys.models import Key
from keys.rules import Waits
from portal.models import Membership, Role
from portal.staff.pages import write_cursor
from tests.bench.figures import Figure, must, percentile
from tests.bench.hotel import Hotel, make_hotel, make_keys, make_stays, tidy
from tests.bench.processes import Kit
from tests.factories import UserFactory

FEW, MANY, PAGE = 10_000, 100_000, 50
NAMES = [
    f"{first} {last}"
    for first in ("Ada", "Ben", "Cleo", "Dan")
    for last in ("Novak", "Silva", "Moreau")
]
RARE = "Xaver Quillfeather"
FASTEST_QUERIES = 12


@dataclass(slots=True)
class House:
    """A hotel of that many keys, somebody signed in there, and the pages to ask for."""

    hotel: Hotel
    keys: int
    client: Client
    pages: dict[str, str] = field(default_factory=dict)
    seconds: dict[str, list[float]] = field(default_factory=dict)

    def ask(self, page: str) -> bytes:
        """Get a page as a browser does."""
        answered = self.client.get(self.pages[page])
        must(answered.status_code == 200, f"{page} answered {answered.status_code}")
        return bytes(answered.content)


def build(keys: int, now: datetime) -> House:
    """Two thirds past, a fifth to come, the rest current; one in fifty revoked; every key from a reservation."""
    hotel = make_hotel(locks=max(keys // 100, 5), driver="quick", base_url="0/1")
    chance = random.Random(keys)
    windows = [_window(chance, n, now) for n in range(keys)]
    stays = make_stays(hotel, windows, now=now)
    names = [RARE if n == keys // 2 else NAMES[n % len(NAMES)] for n in range(keys)]
    revoked = [now - timedelta(minutes=n) if n % 50 == 7 else None for n in range(keys)]
    because = ["staff" if when else "" for when in revoked]
    make_keys(
        hotel,
        windows,
        now=now,
        stays=stays,
        names=names,
        revoked_at=revoked,
        revoked_because=because,
        assignment=_assignments(windows, revoked, now),
    )
    return House(hotel, keys, _signed_in(hotel))


def _window(chance: random.Random, n: int, now: datetime) -> tuple[datetime, datetime]:
    share = n % 100
    if share < 66:
        ends = now - timedelta(minutes=chance.randint(60, 500_000))
        return ends - timedelta(days=3), ends
    if share < 86:
        starts = now + timedelta(minutes=chance.randint(60, 250_000))
        return starts, starts + timedelta(days=3)
    return now - timedelta(minutes=chance.randint(1, 2000)), now + timedelta(
        minutes=chance.randint(60, 4000)
    )


def _assignments(
    windows: list[tuple[datetime, datetime]], revoked: list[datetime | None], now: datetime
) -> dict[str, list[object]]:
    """Written where current, waiting for the check-in where to come, gone where past or revoked; some wait for a lock."""
    rows: dict[str, list[object]] = {n: [] for n in ("waits", "headline", "written_revision")}
    for n, ((starts, ends), gone) in enumerate(zip(windows, revoked, strict=True)):
        waits, headline, written = "", "", None
        if gone is None and ends > now:
            if starts > now:
                waits, headline = Waits.SOMEONE.value, "not_checked_in"
            elif n % 3 == 0:
                waits, headline = Waits.LOCK.value, "retrying"
            elif n % 3 == 1:
                waits, headline = Waits.TIME.value, "not_due_yet"
            else:
                written = 1
        elif n % 400 == 1:
            waits, headline, written = Waits.SOMEONE.value, "removal_pending", 1
        for name, value in (
            ("waits", waits),
            ("headline", headline),
            ("written_revision", written),
        ):
            rows[name].append(value)
    return rows


def _signed_in(hotel: Hotel) -> Client:
    user = UserFactory(email=f"bench{hotel.property.pk}@hotel.example")
    Membership.objects.create(property=hotel.property, user=user, role=Role.GENERAL_MANAGER)
    client = Client()
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client


def address_pages(house: House, now: datetime) -> None:
    """Every tab, the middle of the long ones, every filter and every form of search."""
    keys = Key.objects.filter(property=house.hotel.property)
    number = keys.filter(revoked_at=None, ends_at__gt=now).values_list(
        "reservation__number", flat=True
    )
    house.pages = {
        "current": "/keys/?group=current",
        "upcoming": "/keys/?group=upcoming",
        "past": "/keys/?group=past",
        "revoked": "/keys/?group=revoked",
        "middle of upcoming": f"/keys/?group=upcoming&after={_cursor(now + timedelta(minutes=125_000))}",
        "middle of past": f"/keys/?group=past&after={_cursor(now - timedelta(minutes=250_000))}",
        "waits for someone": "/keys/?pending=someone",
        "waits for the lock": "/keys/?pending=lock",
        "waits for its time": "/keys/?pending=time",
        "removal pending": "/keys/?pending=removal",
        "search, common name": "/keys/?q=novak",
        "search, rare name": "/keys/?q=quillfeather",
        "search, door": "/keys/?q=3",
        "search, number": f"/keys/?q={number.first()}",
    }
    house.seconds = {page: [] for page in house.pages}


def _cursor(at: datetime) -> str:
    return write_cursor(at, 0)


@contextmanager
def two_houses(kit: Kit) -> Iterator[tuple[House, House]]:
    """One hotel with ten times the keys of the other, in the same tables."""
    now = datetime.now(UTC)
    houses = build(kit.size(FEW, 100), now), build(kit.size(MANY, 200), now)
    tidy("keys_key", "keys_assignment", "keys_keychaindoor", "keys_credential", "keys_person")
    tidy("pms_reservation", "locks_door", "locks_lock", "keys_guest")
    for house in houses:
        address_pages(house, now)
        for page in house.pages:
            _check(house, page)
    yield houses


def _check(house: House, page: str) -> None:
    """What a page shows is right: as many rows as there are, at most a page, and the one that was searched for."""
    shown = house.ask(page)
    rows = shown.count(b'<tr id="row-')
    if page == "search, rare name":
        must(rows == 1 and RARE.encode() in shown, "the rare name was not found alone")
    elif page == "search, number":
        must(rows == 1, "a reservation number found not exactly its key")
    else:
        must(0 < rows <= PAGE, f"{page} shows {rows} rows")
        must(house.keys < MANY or rows == PAGE, f"{page} shows only {rows} rows")


def flat(kit: Kit) -> Figure:
    """The worst page counts: its 95th percentile with 100,000 keys over that with 10,000, asked for in turns."""
    figure = Figure(
        name="key-list",
        says="Key list, worst page: 95th percentile at 100,000 keys / at 10,000",
        target=1.2,
        unit="ms",
        if_missed="Counts stop at a thousand and lists at a page, so what is left is the search that has to look at more "
        "rows, or a busy machine: compare the pages below.",
        at_most=True,
    )
    with two_houses(kit) as houses:
        few, many = houses
        times = kit.size(40, 1, 20)
        for turn in range(times):
            for page in few.pages:
                for house in houses if turn % 2 else reversed(houses):
                    began = time.perf_counter()
                    house.ask(page)
                    house.seconds[page].append(time.perf_counter() - began)
    worst = {page: _p95(many, page) / _p95(few, page) for page in few.pages}
    page = max(worst, key=worst.__getitem__)
    figure.limit, figure.product = [_p95(few, page)], [_p95(many, page)]
    told = (f"{page} {_p95(few, page):.1f} → {_p95(many, page):.1f}" for page in few.pages)
    both = [[s for page in h.pages for s in h.seconds[page]] for h in houses]
    all_few, all_many = (1000 * percentile(seconds, 0.95) for seconds in both)
    figure.beside = [
        f"the worst page is “{page}”",
        f"over all pages {all_few:.1f} → {all_many:.1f} ms, {all_many / all_few:.2f}",
        "each in ms: " + ", ".join(told),
    ]
    figure.checked = "every page shows the rows it should, searches find what is there"
    return figure


def _p95(house: House, page: str) -> float:
    return 1000 * percentile(house.seconds[page], 0.95)


def queries(kit: Kit) -> Figure:
    """The most queries that any page of the list takes."""
    figure = Figure(
        name="key-list-queries",
        says=f"Key list, most queries of a page / {FASTEST_QUERIES}",
        target=1,
        unit="queries",
        at_most=True,
    )
    now = datetime.now(UTC)
    house = build(kit.size(2000, 200), now)
    address_pages(house, now)
    seen: dict[str, int] = {}
    for page in house.pages:
        house.ask(page)
        with CaptureQueriesContext(connection) as caught:
            house.ask(page)
        seen[page] = len(caught)
    figure.limit, figure.product = [float(FASTEST_QUERIES)], [float(max(seen.values()))]
    figure.beside = ["each: " + ", ".join(f"{page} {number}" for page, number in seen.items())]
    return figure
