"""The bell: tells a worker to look now. Losing a ring costs one sweep, so a broker in trouble never hurts the caller."""

from __future__ import annotations

import logging
import threading
import time

from celery import current_app

log = logging.getLogger(__name__)
RING_EVERY_S = 0.1


def ring(task: str) -> None:
    """Ask any worker to run the named task soon. Never raises: the rows are the queue."""
    try:
        current_app.send_task(task, ignore_result=True, retry=False)
    except Exception as error:  # noqa: BLE001 - whatever the broker does, the change is saved and the sweep will come
        log.warning("no bell rung for %s: %s", task, type(error).__name__)


class Bell:
    """Tells a worker to run one task, at most ten times a second, from a thread of its own so that a broker in trouble
    slows no answer. The last of a burst is told as well."""

    def __init__(self, task: str) -> None:
        self._task = task
        self._news = threading.Event()
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None

    def strike(self) -> None:
        """Ring soon; returns at once."""
        self._news.set()
        if self._thread is None or not self._thread.is_alive():
            with self._starting:
                if self._thread is None or not self._thread.is_alive():
                    self._thread = threading.Thread(target=self._run, name="bell", daemon=True)
                    self._thread.start()

    def _run(self) -> None:
        while True:
            self._news.wait()
            self._news.clear()
            ring(self._task)
            time.sleep(RING_EVERY_S)
