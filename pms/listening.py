"""Listens live to every PMS that tells at once: one process, one ear per connection that is up, one user of the database.

What is heard becomes rows of the inbox, like a webhook, and is read back by a worker; nothing of it is believed. Each time
an ear begins to listen, all that changed is read, since nothing is told twice. Several such processes only read more often.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
import uuid
from collections.abc import Iterator, Mapping

from django.conf import settings
from django.db import Error, close_old_connections
from django.db import connection as database

from locks.clock import database_now
from pms import connection, webhooks
from pms.adapters import EventHint, NoSuchPMS, Subject, TellsLive
from pms.live import Ear, Line, News, Word
from pms.models import Integration

log = logging.getLogger(__name__)
LOOK_EVERY_S = 2.0
NEWS_WITHIN_S = 0.25
MOST_NEWS = 1000
HANG_UP_WITHIN_S = 4.0


class Listening:
    """The ears of this process."""

    def __init__(self, *, look_every_s: float = LOOK_EVERY_S) -> None:
        self._look_every_s = look_every_s
        self._ears: dict[int, Ear] = {}
        self._news: queue.Queue[News] = queue.Queue(MOST_NEWS)
        self._missed: dict[int, Line] = {}

    def run(self, over: threading.Event) -> None:
        """Listen until it is over. The database may come and go: what could not be stored is read when it is back."""
        look_at = 0.0
        try:
            while not over.is_set():
                try:
                    if time.monotonic() >= look_at:
                        look_at = time.monotonic() + self._look_every_s
                        close_old_connections()
                        self._follow(wanted())
                    self._take(self._next())
                    self._read_what_was_missed()
                except Error as error:
                    log.warning("the database is away: %s", type(error).__name__)
                    database.close()
                    over.wait(min(1.0, self._look_every_s))
        finally:
            self._hang_up()

    def _follow(self, lines: Mapping[int, Line]) -> None:
        """Have one ear for each of these lines, and no other."""
        for key, ear in list(self._ears.items()):
            if lines.get(key) != ear.line or not ear.is_alive():
                ear.stop()
                del self._ears[key]
        for key, line in lines.items():
            if key not in self._ears:
                self._ears[key] = Ear(line, self._tell, timeout_s=settings.PMS_TIMEOUT_S)
                self._ears[key].start()
        self._missed = {key: line for key, line in self._missed.items() if key in lines}

    def _tell(self, news: News) -> bool:
        """Called by the ears."""
        try:
            self._news.put_nowait(news)
        except queue.Full:
            return False
        return True

    def _next(self) -> News | None:
        try:
            return self._news.get(timeout=NEWS_WITHIN_S)
        except queue.Empty:
            return None

    def _take(self, news: News | None) -> None:
        """Raises errors of the database; what is lost by that will be read."""
        if news is None or not self._is_current(news.line):
            return
        line = news.line
        if news.word is Word.NOT_LET_IN:
            connection.probe_soon(
                integration_id=line.integration_id,
                token_version=line.token_version,
                now=database_now(),
            )
            return
        if news.word is Word.LISTENS:
            self._missed[line.integration_id] = line
            return
        try:
            webhooks.take(
                news.hints, integration_id=line.integration_id, property_id=line.property_id
            )
        except Error:
            self._missed[line.integration_id] = line
            raise

    def _is_current(self, line: Line) -> bool:
        """Not of a line that was given up meanwhile."""
        ear = self._ears.get(line.integration_id)
        return ear is not None and ear.line == line

    def _read_what_was_missed(self) -> None:
        """Have all that changed read, where an ear began to listen or something heard could not be stored."""
        for key, line in list(self._missed.items()):
            webhooks.take([everything()], integration_id=key, property_id=line.property_id)
            del self._missed[key]

    def _hang_up(self) -> None:
        """Close all lines; those that do not close in time end with the process."""
        for ear in self._ears.values():
            ear.stop()
        end = time.monotonic() + HANG_UP_WITHIN_S
        for ear in self._ears.values():
            ear.join(max(0.0, end - time.monotonic()))
        self._ears.clear()
        database.close()


def everything() -> EventHint:
    """The wish to read all that changed."""
    return EventHint(key=f"listens:{uuid.uuid4().hex}", event="listens", subject=Subject.CHANGES)


def wanted() -> dict[int, Line]:
    """A line for each connection that is up at a vendor that tells live, by the integration's id."""
    rows = Integration.objects.filter(state__in=connection.LIVE).select_related("property")
    return {line.integration_id: line for row in rows for line in _line_of(row)}


def _line_of(row: Integration) -> Iterator[Line]:
    try:
        vendor = connection.adapter_of(row.adapter)
        if not isinstance(vendor, TellsLive):
            return
        channel = vendor.live_channel(connection.link_of(row))
    except (NoSuchPMS, ValueError) as error:
        log.error("integration %s cannot be listened to: %s", row.pk, type(error).__name__)
        return
    yield Line(
        integration_id=row.pk,
        property_id=row.property_id,
        token_version=row.token_version,
        channel=channel,
        vendor=vendor,
    )
