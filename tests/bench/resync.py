"""How a resync after an outage uses the rate of calls that the PMS allows, how long it lasts, and what it costs Portal.

The PMS is the Cloudbeds simulator, a process of its own, with its limit of calls on.
"""

from __future__ import annotations

import contextlib
import math
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from statistics import median
from typing import Any

from django.conf import settings
from django.db import connections
from django.test import override_settings

from locks.clock import database_now
from locks.models import Property
from pms import connecting, connection, resyncing
from pms.adapters import PMSError
from pms.adapters.cloudbeds import PAGE
from pms.models import Integration, Outage, Reservation
from tests.bench import hooks
from tests.bench.figures import Figure, must, short
from tests.bench.processes import Kit
from tests.factories import BY, PropertyFactory
from tests.pms.cloudbeds_server import CloudbedsServer, start_cloudbeds

THE_VENDORS = 10
"""Calls a second that partners get for all properties together: https://developers.cloudbeds.com/docs/faq"""
SLACK_S = 5.0
LIST = "getReservationsWithRateDetails"
ZONE = "Europe/Lisbon"
State = Integration.State


@dataclass(slots=True)
class Walk:
    """One resync: calls a second until the last answer, its calls, the seconds of all of it, and Portal's CPU seconds."""

    rate: float
    calls: int
    took: float
    cpu: float


@dataclass(slots=True)
class Book:
    """A connected hotel and what its PMS has; each round changes bookings that none before has changed."""

    server: CloudbedsServer
    hotel: Property
    bookings: list[str]
    changes: int
    done: int = field(default=0)

    @property
    def integration(self) -> Integration:
        """As it is now."""
        found: Integration = Integration.objects.select_related("property").get(property=self.hotel)
        return found


@contextlib.contextmanager
def booked(kit: Kit, *, count: int, changes: int) -> Iterator[Book]:
    """A hotel with that many current and coming bookings, made some weeks ago, that Portal knows all of."""
    options = ["--per-second", str(THE_VENDORS), "--timezone", ZONE]
    with start_cloudbeds(*options) as server:
        urls = {"CLOUDBEDS_URL": server.url, "CLOUDBEDS_API_URL": server.url}
        with override_settings(**urls, PORTAL_BASE_URL="http://127.0.0.1:9"):
            book = Book(server, PropertyFactory(timezone=ZONE), made(server, count), changes)
            connect(book)
            walk(book)
            must(known(book).count() == count, "the first resync did not bring every booking")
            try:
                yield book
            finally:  # the next hotel of this run has the same number in the PMS
                connection.disconnect(integration=book.integration, by=BY, now=database_now())


def made(server: CloudbedsServer, count: int) -> list[str]:
    """Two weeks of arrivals, many to a room; made a month ago by the PMS's clock."""
    server.post("clock", shift_seconds=-30 * 86400)
    rooms = [room["name"] for room in server.get("rooms")["rooms"] if not room["is_virtual"]]
    today, ids = database_now().date(), []
    for start in range(0, count, 100):
        arrival = today + timedelta(days=start // 100 % 14)
        several = server.book(
            count=min(100, count - start),
            room=rooms[start // 100 % len(rooms)],
            force=True,
            arrival=str(arrival),
            departure=str(arrival + timedelta(days=3)),
            silent=True,
        )
        ids += several["made"]
    server.post("clock", shift_seconds=0)
    return ids


def connect(book: Book) -> None:
    """Sign in at the PMS, for the first time or again."""
    wanted: dict[str, Any] = {"user_id": 1, "by": BY}
    url = connecting.begin_connect(
        property=book.hotel, adapter="cloudbeds", now=database_now(), **wanted
    )
    back = book.server.allow(url)
    connecting.finish_connect(state=back["state"], code=back["code"], now=database_now(), **wanted)


def break_off(book: Book) -> None:
    """Access is revoked, and Portal notices."""
    book.server.post("access/revoke")
    with contextlib.suppress(PMSError):
        connection.ask(book.integration, lambda hotel: hotel.properties(), now=database_now())
    must(book.integration.state == State.BROKEN, "the connection was not seen to be broken")


def change(book: Book) -> dict[str, str]:
    """What the front desk does meanwhile; nobody hears of it. Returns the state that each changed booking has then."""
    manner = {"silent": True, "force": True}
    few = [book.bookings[(book.done + n) % len(book.bookings)] for n in range(book.changes)]
    book.done += len(few)
    expected = {}
    for number, ref in enumerate(few):
        if number % 5 == 0:
            book.server.act(ref, "cancel", **manner)
            expected[ref] = "cancelled"
        elif number % 5 in {1, 2}:
            book.server.act(ref, "check-in", **manner)
            expected[ref] = "in_house"
        else:
            departure = str(database_now().date() + timedelta(days=30))
            book.server.act(ref, "dates", departure=departure, **manner)
            expected[ref] = "expected"
    return expected


def known(book: Book) -> Any:
    """The hotel's reservations."""
    return Reservation.objects.filter(property=book.hotel)


def walk(book: Book) -> tuple[Walk, set[int], list[dict[str, Any]]]:
    """One resync, as the task runs it; what it cost, the reservations that it changed, and the calls it made."""
    before = book.server.get("requests")["requests"]
    since = before[-1]["number"] if before else 0
    time.sleep(1)  # what was called before belongs to another second of the vendor's limit
    at, began, used = time.time(), time.perf_counter(), time.process_time()
    applied = resyncing.resync(integration=book.integration, now=database_now())
    took, cpu = time.perf_counter() - began, time.process_time() - used
    must(applied is not None, "another resync was under way")
    calls = book.server.get("requests", since=since)["requests"]
    rate = len(calls) / (calls[-1]["at"] - at)
    return Walk(rate, len(calls), took, cpu), set(applied.changed if applied else ()), calls


def after_an_outage(book: Book) -> Walk:
    """Break off, change, sign in again, resync; the results are checked."""
    break_off(book)
    expected = change(book)
    connect(book)
    found, changed, calls = walk(book)
    check_calls(calls, count=len(book.bookings), changed=book.done)
    rows = dict(known(book).filter(pk__in=changed).values_list("booking_ref", "state"))
    must(rows == expected, f"{len(rows)} reservations changed, not the {len(expected)} of the PMS")
    must(known(book).count() == len(book.bookings), "reservations were lost or invented")
    must(book.integration.state == State.CONNECTED, "the connection is not Connected again")
    outage = Outage.objects.filter(property=book.hotel).latest("began_at")
    affected = known(book).filter(affected_by=outage)
    must(
        outage.ended_at is not None and set(affected.values_list("id", flat=True)) == changed,
        "the outage does not list what changed",
    )
    return found


def check_calls(calls: list[dict[str, Any]], *, count: int, changed: int) -> None:
    """Whole pages only, each once, none by the id of a booking or a guest, and none too many a second."""
    must({call["status"] for call in calls} == {200}, "the vendor refused calls")
    lists = [call for call in calls if call["call"] == LIST]
    by_id = [call for call in lists if {"reservationID", "guestID"} & set(call["query"])]
    single = [call for call in calls if call["call"] == "getReservation"]
    must(not by_id and not single, "reservations were read one by one")
    pages = math.ceil(count / PAGE) + math.ceil(min(changed, count) / PAGE)
    must(len(lists) == pages, f"{len(lists)} pages were read, not {pages}")


def resync(kit: Kit) -> list[Figure]:
    """One run, three figures: the rate, the end, and Portal's own time."""
    count, changes = kit.size(10_000, 230), kit.size(500, 15)
    ours = settings.PMS_CALLS_A_SECOND
    about = f"{count:,} reservations, {changes} changed"
    rate = Figure(
        name="resync",
        says=f"Resync of {about}: calls / what Portal allows itself",
        target=0.9,
        unit="calls/s",
        if_missed="Pages are read one after the other, so an answer that takes longer than a call's share of a second delays "
        "the next. Asking for the next page before the last is there would mend it.",
    )
    end = Figure(
        name="resync-end",
        says=f"Resync of {about}: its end / {1.1:g} × its calls at that rate + {SLACK_S:g} s",
        target=1,
        unit="s",
        at_most=True,
        if_missed="What was read is applied only after the last page, so that endings go first. Applying while the pages "
        "still come would mend it, at the price of that order.",
    )
    own = Figure(
        name="resync-cpu",
        says=f"Resync of {about}: Portal's CPU time / the time it lasts",
        target=0.1,
        unit="s",
        at_most=True,
        if_missed="Every booking on every page is parsed, digested and compared with its row, changed or not.",
    )
    with booked(kit, count=count, changes=changes) as book:
        for _ in range(kit.size(min(kit.rounds, 3), 1)):
            seen = after_an_outage(book)
            rate.limit.append(float(ours))
            rate.product.append(seen.rate)
            end.limit.append(1.1 * seen.calls / ours + SLACK_S)
            end.product.append(seen.took)
            own.limit.append(seen.took)
            own.product.append(seen.cpu)
    rate.beside = [
        f"the vendor allows {THE_VENDORS} calls a second and the simulator refuses more; of these Portal allows itself {ours} "
        f"(`PMS_CALLS_A_SECOND`), so it uses {short(median(rate.product) / THE_VENDORS)} of the vendor's",
        f"{seen.calls} calls in the last round, {PAGE} reservations a page",
    ]
    rate.checked = (
        "no call was refused, no reservation was read by its id, every page once, exactly the changed reservations changed, "
        "and these are what the outage lists"
    )
    own.beside = ["the simulator, PostgreSQL and the keys that follow afterwards are not in it"]
    return [rate, end, own]


# Webhooks meanwhile -------------------------------------------------------------------------------


def webhooks(kit: Kit) -> Figure:
    """Open loop, while this process reads another hotel's PMS again and again."""
    figure = Figure(
        name="webhooks-resync",
        says=f"99th percentile of webhooks at {hooks.PACE} a second, a resync running / {hooks.LONGEST_S * 1000:.0f} ms",
        target=1,
        unit="ms",
        at_most=True,
        if_missed="A resync takes a core for a second or two when it applies what it read; a lower priority for the worker "
        "(nice) or a third core would mend it.",
    )
    number = kit.size(2000, 20)
    quiet, walks = [], 0
    count, changes = kit.size(10_000, 230), kit.size(500, 15)
    with booked(kit, count=count, changes=changes) as book, hooks.serving(kit) as at:
        hooks.send(kit, at, at.path, number // 10, pace=hooks.PACE)
        for _ in range(kit.size(3, 1)):
            quiet.append(hooks.slowest(kit, at, number // 2))
            with resyncing_meanwhile(book) as ended:
                busy = hooks.slowest(kit, at, number)
            walks += ended()
            figure.limit.append(hooks.LONGEST_S * 1000)
            figure.product.append(busy)
    figure.beside = [
        f"without the resync the same percentile is {median(quiet):.1f} ms; {walks} resyncs came to their end meanwhile",
    ]
    figure.checked = "every request answered with 200, every event a row, every resync whole"
    return figure


@contextlib.contextmanager
def resyncing_meanwhile(book: Book) -> Iterator[Callable[[], int]]:
    """Outages and resyncs one after the other until the block ends; gives a function that counts the whole ones."""
    break_off(book)
    change(book)
    connect(book)
    enough, walked, failed = threading.Event(), [], []

    def again() -> None:
        try:
            while not walked or not enough.is_set():
                walked.append(walk(book)[0])
        except Exception as error:  # noqa: BLE001 - told by the thread that waits
            failed.append(error)
        finally:
            connections.close_all()

    thread = threading.Thread(target=again)
    thread.start()
    try:
        yield lambda: len(walked)
    finally:
        enough.set()
        thread.join()
    must(not failed, f"a resync failed: {failed[:1]}")
