"""``manage.py resync``: read everything from a PMS again, as after a Reconnect."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from locks.clock import database_now
from pms import resyncing
from pms.adapters import PMSError
from pms.models import Integration


class Command(BaseCommand):
    help = "Read all current, coming and changed reservations of a property's PMS again."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--property", help="The property's name; without it, all properties.")

    def handle(self, *args: Any, **options: Any) -> None:
        live = Integration.objects.exclude(state=Integration.State.DISCONNECTED)
        if options["property"]:
            live = live.filter(property__name=options["property"])
        if not live.exists():
            raise CommandError("No connected PMS: connect one under Settings → Integrations.")
        for integration in live.select_related("property"):
            self._resync(integration)

    def _resync(self, integration: Integration) -> None:
        if integration.state == Integration.State.BROKEN:
            self.stdout.write(
                f"{integration} is broken since {integration.state_since:%Y-%m-%d %H:%M} UTC: "
                "press Reconnect under Settings → Integrations, which resyncs by itself."
            )
            return
        try:
            applied = resyncing.resync(integration=integration, now=database_now())
        except PMSError as error:
            raise CommandError(
                f"{integration}: {error}. Press Reconnect, then try again."
            ) from None
        if applied is None:
            self.stdout.write(f"{integration}: another resync is under way.")
            return
        self.stdout.write(
            f"{integration}: {len(applied.changed)} changed ({applied.new} new), "
            f"{applied.same} as known, {applied.not_understood} not understood."
        )
