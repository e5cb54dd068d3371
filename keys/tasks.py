"""Background work of keys. Ids in, nothing out; anyone may run any of these twice, late or never."""

from __future__ import annotations

from celery import shared_task

from keys import following, provisioning
from locks.clock import database_now


@shared_task
def look_now() -> None:
    """Deliver whatever the rows say is due."""
    provisioning.look(now=database_now())


@shared_task
def follow_reservations() -> None:
    """Let keys follow the reservations that changed since they last did."""
    following.follow_all(now=database_now())
