"""``manage.py ingest_door_log``: fetch the locks' own events now, as the worker does every few seconds."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from locks import listening
from locks.clock import database_now
from locks.models import LockAccount


class Command(BaseCommand):
    """Safe beside a running worker: an event counts once, by the lock's own number for it."""

    help = "Fetch new events from lock accounts into the door log."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--property", help="The property's name; without it, all properties.")

    def handle(self, *args: Any, **options: Any) -> None:
        accounts = LockAccount.objects.select_related("property").order_by("id")
        if options["property"]:
            accounts = accounts.filter(property__name=options["property"])
        if not accounts.exists():
            raise CommandError("No lock account: check the property's name.")
        failed = [account for account in accounts if not self._fetch(account)]
        if failed:
            raise CommandError(f"{len(failed)} of {len(accounts)} accounts could not be fetched.")

    def _fetch(self, account: LockAccount) -> bool:
        """Fetch one account and say what came. False when nothing could be fetched."""
        name = f"{account.property.name}, {account.name}"
        if account.state != LockAccount.State.WORKING:
            self.stdout.write(f"{name}: broken ({account.problem}): connect the account again.")
            return False
        new, error = listening.poll(account=account, now=database_now())
        if error is not None:
            self.stdout.write(
                f"{name}: {new} new events, then {error.cause}: is the lock system reachable?"
            )
            return False
        self.stdout.write(f"{name}: {new} new events.")
        return True
