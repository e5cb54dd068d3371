"""``manage.py sweep``: do now, from the rows alone, whatever a worker would do; needs no broker and no worker."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand
from django.db.models import F, Q

from keys import delivery, following
from keys.models import Assignment, Recheck
from locks.clock import database_now
from locks.models import Lock
from pms import inbox, watching
from pms.models import Reservation, WebhookEvent


class Command(BaseCommand):
    """Safe beside running workers: leases keep each lock to one of them."""

    help = "Apply waiting PMS events, follow reservations and deliver what is due, once, here."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--dry-run", action="store_true", help="Only count what is due; change nothing."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if not options["dry_run"]:
            self.stdout.write(f"{watching.read_all_due(now=database_now())} PMS connections read")
            self.stdout.write(f"{inbox.apply_all(now=database_now())} PMS events applied")
            self.stdout.write(
                f"{following.follow_all(now=database_now())} reservations followed by their keys"
            )
            self.stdout.write(f"{delivery.look(now=database_now())} attempts at locks")
        for what, count in _due().items():
            self.stdout.write(f"still due: {count} {what}" if count else f"nothing due: {what}")


def _due() -> dict[str, int]:
    """How much of each kind of work the rows name now."""
    now = database_now()
    behind = Q(followed_at=None) | ~Q(followed_at=F("changed_at"))
    return {
        "PMS events": WebhookEvent.objects.filter(processed_at=None, next_try_at__lte=now).count(),
        "reservations to follow": Reservation.objects.filter(behind).count(),
        "properties to decide again": Recheck.objects.count(),
        "credentials at their locks": Assignment.objects.filter(next_attempt_at__lte=now).count(),
        "locks to read back": Lock.objects.filter(read_back_at__lte=now).count(),
    }
