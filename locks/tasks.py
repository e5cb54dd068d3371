"""Background work of locks: collecting their events, and readying the door log for the months to come."""

from __future__ import annotations

from celery import shared_task

from locks import listening
from locks.clock import database_now
from locks.partitions import prepare


@shared_task
def poll_locks() -> None:
    """Fetch new events of every working lock account."""
    listening.poll_all(now=database_now())


@shared_task
def prepare_log() -> None:
    """Make the door log's partitions for this month and the next ones."""
    prepare(now=database_now())
