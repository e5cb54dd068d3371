"""Background work of the PMS side. Anyone may run any of these twice, late or never."""

from __future__ import annotations

from celery import shared_task

from locks.clock import database_now
from pms import inbox, watching, writing_back


@shared_task
def apply_inbox() -> None:
    """Apply the events that wait."""
    inbox.hear_of_connections(now=database_now())
    inbox.apply_all(now=database_now())


@shared_task
def read_due() -> None:
    """Probe, read or resync every connection that is due."""
    watching.read_all_due(now=database_now())


@shared_task
def write_back() -> None:
    """Show in the PMS the Door Codes that wait for it."""
    writing_back.write_all(now=database_now())
