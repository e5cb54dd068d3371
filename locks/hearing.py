"""Listens live to every lock system that tells by itself: what is heard goes into the door log, what was missed is said there.

One process listens to an account at a time; when it ends without a word, another takes over within ``TAKEN_OVER_AFTER``.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
import uuid
from collections import deque
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from django.db import Error, close_old_connections
from django.db import connection as database
from django.db.models import Q

from locks import doorlog, events
from locks.clock import database_now, zone
from locks.drivers import EventPage, Retry, Scope
from locks.ears import Ears, Line, News
from locks.history import SYSTEM, acting
from locks.log_models import LogCode
from locks.models import Lock, LockAccount
from locks.pulse import bump
from locks.vendors import REGISTRY, vendor

log = logging.getLogger(__name__)
LOOK_EVERY_S = 2.0
NEWS_WITHIN_S = 0.25
TAKEN_OVER_AFTER = timedelta(seconds=20)
READ_AFTER = timedelta(seconds=30)
"""After a longer silence every lock of the account is read: somebody may have changed it at its keypad."""


class Hearing:
    """The accounts that this process listens to."""

    def __init__(self, *, look_every_s: float = LOOK_EVERY_S) -> None:
        self._me = uuid.uuid4().hex
        self._look_every_s = look_every_s
        self._lines: dict[int, Line] = {}
        self._standing: set[Line] = set()
        self._waiting: deque[News] = deque()
        self._ears = Ears()

    def run(self, over: threading.Event) -> None:
        """Listen until it is over. The database may come and go: what was heard meanwhile waits for it."""
        self._ears.start()
        look_at = 0.0
        try:
            while not over.is_set():
                try:
                    if time.monotonic() >= look_at:
                        look_at = time.monotonic() + self._look_every_s
                        close_old_connections()
                        self._look()
                    self._take_next()
                except Error as error:
                    log.warning("the database is away: %s", type(error).__name__)
                    database.close()
                    over.wait(min(1.0, self._look_every_s))
        finally:
            self._hang_up()

    def _look(self) -> None:
        """Listen to what is ours, note that we do, and say how far we heard."""
        now = database_now()
        wanted = {line.account_id: line for line in _wanted()}
        mine = {id_: line for id_, line in wanted.items() if self._is_mine(id_, now)}
        self._standing &= set(mine.values())
        self._lines = mine
        self._ears.follow(mine)
        up = {line.account_id for line in self._standing}
        if not self._waiting and self._ears.news.empty():
            rows = LockAccount.objects.filter(pk__in=up, listener=self._me)
            rows.update_untracked(heard_until=now)

    def _is_mine(self, account_id: int, now: datetime) -> bool:
        """Whether this process listens to the account: nobody else does, or has not been heard of for a while."""
        free = (
            Q(listener__in=["", self._me]) | Q(listening_until=None) | Q(listening_until__lte=now)
        )
        rows = LockAccount.objects.filter(free, pk=account_id)
        return bool(
            rows.update_untracked(listener=self._me, listening_until=now + TAKEN_OVER_AFTER)
        )

    def _take_next(self) -> None:
        """Take one piece of news; it stays the next one if the database is away."""
        if not self._waiting:
            try:
                self._waiting.append(self._ears.news.get(timeout=NEWS_WITHIN_S))
            except queue.Empty:
                return
        news = self._waiting[0]
        if self._lines.get(news.line.account_id) == news.line:
            self._take(news.line, news.page)
        self._waiting.popleft()

    def _take(self, line: Line, page: EventPage) -> None:
        now = database_now()
        if page.error is None and line not in self._standing:
            listens(account_id=line.account_id, now=now)
            self._standing.add(line)
        if page.events:
            events.ingest(account_id=line.account_id, events=page.events, now=now)
        if page.error is not None:
            self._lost(line, page, now)

    def _lost(self, line: Line, page: EventPage, now: datetime) -> None:
        if line in self._standing:
            self._standing.discard(line)
            rows = LockAccount.objects.filter(pk=line.account_id, listener=self._me)
            rows.update_untracked(heard_until=now)
        error = page.error
        if error is not None and error.scope is Scope.ACCOUNT and error.retry is Retry.NEVER:
            problem = error.vendor_text or "The lock system refused the account."
            with acting(SYSTEM.because("it could not be listened to")):
                doorlog.account_broken(account_id=line.account_id, problem=problem, now=now)

    def _hang_up(self) -> None:
        """Let others take over at once."""
        self._ears.hang_up()
        try:
            rows = LockAccount.objects.filter(listener=self._me)
            rows.update_untracked(listener="", listening_until=None)
        except Error as error:
            log.warning("the database is away: %s", type(error).__name__)
        database.close()


def listens(*, account_id: int, now: datetime) -> None:
    """A line to this account stands: say which time nobody listened to, and look at what may have happened then.

    A lock system that tells later what it told nobody is asked for that; of any other the time stays uncovered.
    """
    account = LockAccount.objects.select_related("property").get(pk=account_id)
    since = account.heard_until
    LockAccount.objects.filter(pk=account_id).update_untracked(heard_until=now)
    if since is None or now - since < timedelta(seconds=1):
        return
    doorlog.append(
        [
            doorlog.Line(
                account.property_id,
                None,
                None,
                now,
                now,
                doorlog.PORTAL,
                LogCode.UNHEARD.value,
                cause=_span(since, now, zone(account.property.timezone)),
                actor=account.name,
            )
        ]
    )
    bump({account.property_id})
    if now - since >= READ_AFTER:
        ids = Lock.objects.filter(account_id=account_id).values_list("id", flat=True)
        doorlog.must_read_back(lock_ids=ids, now=now)


def _span(since: datetime, until: datetime, tz: ZoneInfo) -> str:
    """The time that nobody listened to, in the hotel's own."""
    return f"{since.astimezone(tz):%d %b %H:%M:%S} – {until.astimezone(tz):%d %b %H:%M:%S %Z}"[:40]


def _wanted() -> list[Line]:
    """A line for each working account of a lock system that tells by itself."""
    names = [name for name in REGISTRY if vendor(name).tells_live]
    rows = LockAccount.objects.filter(driver__in=names, state=LockAccount.State.WORKING)
    return [
        Line(account_id=row.pk, driver=row.driver, base_url=row.base_url, token=str(row.token))
        for row in rows.order_by("id")
    ]
