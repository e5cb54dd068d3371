"""Background work of the portal. Anyone may run any of these twice, late or never."""

from __future__ import annotations

from celery import shared_task

from locks.clock import database_now
from portal import alert_mails, handovers


@shared_task
def mail_alerts() -> None:
    """Tell members by e-mail what they asked for, and shifts to the addresses that someone typed."""
    now = database_now()
    alert_mails.plan(now=now)
    alert_mails.send_due(now=now)
    handovers.send_due(now=now)
