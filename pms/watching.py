"""Keeps every connection alive and honest: probes, reads what changed, sweeps, catches up. What is due is in the rows."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from django.conf import settings

from locks.clock import database_now
from pms import connection, resyncing, sync
from pms.adapters import PMSError, TryLater
from pms.models import Integration

log = logging.getLogger(__name__)
State = Integration.State
WATCHED = [State.CONNECTED, State.DELAYED, State.CATCHING_UP]


def read_all_due(*, now: datetime) -> int:
    """Do what is due at every connection; trouble at one is its own. Returns how many were looked at."""
    due = Integration.objects.filter(state__in=WATCHED, next_read_at__lte=now)
    looked = 0
    for integration in due.select_related("property").order_by("next_read_at"):
        looked += _look(integration, max(now, database_now()))
    return looked


def _look(integration: Integration, now: datetime) -> int:
    pause = timedelta(seconds=settings.PROBE_PMS_EVERY_S)
    mine = Integration.objects.filter(pk=integration.pk, next_read_at=integration.next_read_at)
    if not mine.update_untracked(next_read_at=now + pause):
        return 0
    try:
        _read(integration, now)
    except TryLater as error:
        wait = timedelta(seconds=error.retry_after_s or min(pause.total_seconds(), 10.0))
        Integration.objects.filter(pk=integration.pk).update_untracked(next_read_at=now + wait)
    except PMSError as error:
        log.warning("integration %s: %s", integration.pk, type(error).__name__)
    except Exception as error:  # noqa: BLE001 - the trouble of one hotel must not stop the others' reads
        log.error("integration %s could not be read: %s", integration.pk, type(error).__name__)
    return 1


def _read(integration: Integration, now: datetime) -> None:
    if integration.state == State.CATCHING_UP:
        resyncing.resync(integration=integration, now=now)
        return
    swept, read = integration.swept_at, integration.read_until_at
    if integration.state == State.DELAYED:
        sync.read_changes(integration=integration, now=now)
    elif swept is None or now - swept >= timedelta(seconds=settings.SWEEP_PMS_EVERY_S):
        resyncing.sweep(integration=integration, now=now)
    elif read is None or now - read >= timedelta(seconds=settings.READ_PMS_EVERY_S):
        sync.read_changes(integration=integration, now=now)
    else:
        connection.ask(integration, lambda hotel: hotel.properties(), now=now)
