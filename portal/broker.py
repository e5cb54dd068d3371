"""Hides how a Celery queue can live in a folder: every message appears whole or not at all.

Kombu's own ``filesystem`` transport creates a message and writes it afterwards, and the same with
its table of bindings, so a reader that keeps up takes a half-written file and the worker ends
(https://github.com/celery/kombu/issues/1551). Here both are written aside and renamed into place.

Meant for one machine and the traffic of one hotel. A message is taken when it is read, so a worker
that is killed loses what it had read; Portal can afford that, because its tables say what is due
and a message is only a bell.
"""

from __future__ import annotations

import logging
import time
import uuid
from collections import defaultdict, deque
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from queue import Empty
from typing import Any

from kombu.exceptions import ChannelError
from kombu.transport import filesystem
from kombu.utils.encoding import str_to_bytes
from kombu.utils.json import dumps, loads

logger = logging.getLogger(__name__)

# A leading dot is never the name of a waiting message, so nothing below looks at such a file.
HIDDEN = "."


def write_whole(path: Path, content: Any) -> None:
    """Write JSON so that a reader finds the old file or the new one, never a part of it.

    Raises ChannelError when the folder cannot be written.
    """
    draft = path.with_name(f"{HIDDEN}{path.name}.{uuid.uuid4()}.draft")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        draft.write_bytes(str_to_bytes(dumps(content)))
        draft.replace(path)
    except OSError as error:
        draft.unlink(missing_ok=True)
        message = f"Cannot write {path}"
        raise ChannelError(message) from error


class Channel(filesystem.Channel):  # type: ignore[misc]  # kombu is not typed
    """A channel whose messages and bindings are published by renaming."""

    @cached_property
    def _listed(self) -> defaultdict[str, deque[Path]]:
        """Messages seen at the last look, by queue: a backlog is listed once, not once a message."""
        return defaultdict(deque)

    def _put(self, queue: str, payload: Any, **kwargs: Any) -> None:
        # The wall clock, in fixed width: sorting by name is sorting by age, over reboots too.
        name = f"{time.time_ns():020}_{uuid.uuid4()}.{queue}.msg"
        write_whole(Path(self.data_folder_out) / name, payload)

    def _get(self, queue: str) -> Any:
        """Take the oldest message of the queue; raises queue.Empty when there is none."""
        listed = self._listed[queue]
        if not listed:
            listed.extend(sorted(self._waiting(queue)))
        while listed:
            content = self._take(listed.popleft())
            if content is not None:
                return content
        raise Empty

    @staticmethod
    def _take(path: Path) -> Any:
        """Return a message that is from now on ours alone; None when it is gone or unreadable."""
        taken = path.with_name(f"{HIDDEN}{path.name}.taken")
        try:
            path.rename(taken)
        except FileNotFoundError:  # another worker was quicker
            return None
        try:
            return loads(taken.read_bytes())
        except ValueError:
            # A power cut can leave a name without its content. The sweep finds the work.
            logger.warning("Dropped an unreadable message: %s", path.name)
            return None
        finally:
            taken.unlink(missing_ok=True)

    def _size(self, queue: str) -> int:
        return len(self._waiting(queue))

    def _purge(self, queue: str) -> int:
        waiting = self._waiting(queue)
        for path in waiting:
            path.unlink(missing_ok=True)
        return len(waiting)

    def _waiting(self, queue: str) -> list[Path]:
        ending = f"{queue}.msg"
        try:
            files = list(Path(self.data_folder_in).iterdir())
        except FileNotFoundError:  # nobody has published anything yet
            return []
        return [file for file in files if file.name.partition(".")[2] == ending]

    def get_table(self, exchange: str) -> list[filesystem.exchange_queue_t]:
        """Return the queues bound to an exchange."""
        try:
            rows = loads(self._exchange_file(exchange).read_bytes())
        except FileNotFoundError:
            # Somebody emptied the folder under a running process: it still knows its own bindings.
            rows = self.state.exchanges.get(exchange, {}).get("table", [])
        return [filesystem.exchange_queue_t(*(part or "" for part in row)) for row in rows]

    def _queue_bind(self, exchange: str, routing_key: str, pattern: str, queue: str) -> None:
        row = filesystem.exchange_queue_t(routing_key or "", pattern or "", queue or "")
        with self._bindings(exchange) as rows:
            if row not in rows:
                rows.insert(0, row)

    def _delete(
        self, queue: str, exchange: str, routing_key: str, pattern: str, *args: Any, **kwargs: Any
    ) -> None:
        self._purge(queue)
        row = filesystem.exchange_queue_t(routing_key or "", pattern or "", queue or "")
        with self._bindings(exchange) as rows:
            if row in rows:
                rows.remove(row)

    @contextmanager
    def _bindings(self, exchange: str) -> Iterator[list[filesystem.exchange_queue_t]]:
        """Yield the bindings of an exchange for change, one process at a time."""
        file = self._exchange_file(exchange)
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.with_name(f"{HIDDEN}{file.name}.lock").open("ab") as guard:
            filesystem.lock(guard, filesystem.LOCK_EX)
            before = self.get_table(exchange) if file.exists() else []
            rows = list(before)
            yield rows
            if rows != before:
                write_whole(file, rows)


class Transport(filesystem.Transport):  # type: ignore[misc]  # kombu is not typed
    """The transport that ``portal/celery.py`` puts under ``filesystem://``."""

    Channel = Channel
