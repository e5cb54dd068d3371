"""The bell: tells a worker to look now. Losing a ring costs one sweep, so a broker in trouble never hurts the caller."""

from __future__ import annotations

import logging

from celery import current_app

log = logging.getLogger(__name__)


def ring(task: str) -> None:
    """Ask any worker to run the named task soon. Never raises: the rows are the queue."""
    try:
        current_app.send_task(task, ignore_result=True, retry=False)
    except Exception as error:  # noqa: BLE001 - whatever the broker does, the change is saved and the sweep will come
        log.warning("no bell rung for %s: %s", task, type(error).__name__)
