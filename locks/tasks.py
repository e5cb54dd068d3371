"""Background work of locks: collecting their events, and readying the door log for the months to come."""

from __future__ import annotations

from celery import shared_task

from locks import discovering, doorlog, intake, listening, renewing
from locks.clock import database_now
from locks.partitions import prepare


@shared_task
def poll_locks() -> None:
    """Fetch new events of every working lock account."""
    listening.poll_all(now=database_now())


@shared_task
def take_in() -> None:
    """Take events that were called in, posted or read from files into the door log."""
    intake.work_off()


@shared_task
def renew_accounts() -> None:
    """Renew lock accounts whose right to speak runs out."""
    renewing.renew_due(now=database_now())


@shared_task
def try_broken_accounts() -> None:
    """Ask lock accounts that were refused whether they work again."""
    listening.try_broken(now=database_now())


@shared_task
def discover() -> None:
    """Ask vendors for the locks of accounts where someone wants to know."""
    discovering.work_off(now=database_now())


@shared_task
def prepare_log() -> None:
    """Make the door log's partitions for this month and the next ones."""
    prepare(now=database_now())


@shared_task
def plan_read_backs() -> None:
    """Have locks that were never read back take their turn in the slow cycle."""
    doorlog.plan_read_backs(now=database_now())
