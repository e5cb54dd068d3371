"""One ear: a thread that keeps one WebSocket of one connection open and passes on what it hears. It touches no database.

It connects again by itself, ever more slowly while that fails. What is said while nobody listens is never said again, so
that each time it begins to listen is news as well.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import Enum

from websockets.exceptions import InvalidStatus, WebSocketException
from websockets.sync.client import ClientConnection, connect

from locks.lines import breaks_after, pause_after
from pms.adapters import EventHint, LiveChannel, NotUnderstood, TellsLive

log = logging.getLogger(__name__)
quiet = logging.getLogger("pms.live.wire")
quiet.setLevel(logging.WARNING)  # below it the library logs headers, and these hold the tokens
NOT_LET_IN = {401, 403}
LARGEST_MESSAGE = 256 * 1024
PING_EVERY_S = 20.0
CLOSE_WITHIN_S = 2.0
LOOK_UP_S = 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One connection as it is to be listened to. Another token, another address: another line."""

    integration_id: int
    property_id: int
    token_version: int
    channel: LiveChannel
    vendor: TellsLive = field(repr=False)


class Word(Enum):
    """What an ear reports: it begins to listen, it heard of something, it was not let in."""

    LISTENS = "listens"
    HEARD = "heard"
    NOT_LET_IN = "not let in"


@dataclass(frozen=True, slots=True, kw_only=True)
class News:
    """One report of an ear."""

    line: Line
    word: Word
    hints: Sequence[EventHint] = ()


class Ear(threading.Thread):
    """Listens to one line until it is told to stop. Each step may take ``timeout_s``.

    ``tell`` takes a report, or says by False that it cannot now; the ear then connects anew, since something was missed.
    """

    def __init__(self, line: Line, tell: Callable[[News], bool], *, timeout_s: float) -> None:
        super().__init__(name=f"ear {line.integration_id}", daemon=True)
        self.line = line
        self._tell, self._timeout_s = tell, timeout_s
        self._over = threading.Event()

    def stop(self) -> None:
        """Hang up soon; returns at once."""
        self._over.set()

    def run(self) -> None:
        """Listen, and again after each break."""
        breaks = 0
        while not self._over.is_set():
            began = time.monotonic()
            self._listen_once()
            breaks = breaks_after(breaks, lasted_s=time.monotonic() - began)
            self._over.wait(pause_after(breaks))

    def _listen_once(self) -> None:
        """Until the line breaks."""
        line = self.line
        try:
            with self._open() as socket:
                if self._say(Word.LISTENS):
                    log.info("listening to integration %s", line.integration_id)
                    self._hear(socket)
        except InvalidStatus as error:
            status = error.response.status_code
            log.warning("integration %s: the live channel answered %s", line.integration_id, status)
            if status in NOT_LET_IN:
                self._say(Word.NOT_LET_IN)
        except (WebSocketException, OSError, ValueError) as error:
            # Never the text of the error: it may hold what was sent.
            log.info("integration %s: not listening: %s", line.integration_id, type(error).__name__)

    def _open(self) -> ClientConnection:
        return connect(
            self.line.channel.url,
            additional_headers=list(self.line.channel.headers),
            open_timeout=self._timeout_s,
            close_timeout=CLOSE_WITHIN_S,
            ping_interval=PING_EVERY_S,
            ping_timeout=self._timeout_s,
            max_size=LARGEST_MESSAGE,
            compression=None,
            logger=quiet,
            legacy=True,
        )

    def _hear(self, socket: ClientConnection) -> None:
        while not self._over.is_set():
            try:
                message = socket.recv(timeout=LOOK_UP_S)
            except TimeoutError:
                continue
            hints = self._understood(message)
            if hints and not self._say(Word.HEARD, hints):
                return

    def _understood(self, message: str | bytes) -> Sequence[EventHint]:
        try:
            body = json.loads(message)
            if not isinstance(body, dict):
                raise NotUnderstood("a message is an object")
            return self.line.vendor.read_live(body)
        except (NotUnderstood, ValueError, RecursionError):
            log.warning("integration %s: a message was not understood", self.line.integration_id)
            return ()

    def _say(self, word: Word, hints: Sequence[EventHint] = ()) -> bool:
        return self._tell(News(line=self.line, word=word, hints=hints))
