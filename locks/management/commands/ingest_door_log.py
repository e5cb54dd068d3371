"""``manage.py ingest_door_log``: take events from a file, or fetch the locks' own now, as the worker does every few seconds."""

from __future__ import annotations

import time
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from locks import intake, listening
from locks.bell import ring
from locks.clock import database_now
from locks.event_lines import rows_of_csv, rows_of_ndjson
from locks.giving import Given, give
from locks.intake_models import Intake
from locks.models import LockAccount, Property

READERS = {"csv": rows_of_csv, "ndjson": rows_of_ndjson, "jsonl": rows_of_ndjson}
WORKER_WITHIN_S = 10.0


class Command(BaseCommand):
    """Safe beside a running worker, and to repeat: an event counts once, by the lock's own number for it."""

    help = (
        "Take events from a CSV or NDJSON file into the door log, or, without a file, fetch new ones from the lock "
        "accounts. docs/locks.md describes the fields. Bad lines are named and left out; mend them and give the file again."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", nargs="?", type=Path, help="A .csv, .ndjson or .jsonl file.")
        parser.add_argument("--property", help="The property's name; without it, all properties.")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["file"]:
            self._read(options["file"], options["property"])
            return
        accounts = LockAccount.objects.select_related("property").order_by("id")
        if options["property"]:
            accounts = accounts.filter(property__name=options["property"])
        if not accounts.exists():
            raise CommandError("No lock account: check the property's name.")
        failed = [account for account in accounts if not self._fetch(account)]
        if failed:
            raise CommandError(f"{len(failed)} of {len(accounts)} accounts could not be fetched.")

    def _read(self, path: Path, name: str | None) -> None:
        """Store what the file says, have it taken in, and end with an error that counts the bad lines."""
        hotel = Property.objects.filter(name=name).first()
        if hotel is None:
            raise CommandError("--property must name the property whose locks these are.")
        reader = READERS.get(path.suffix.lower().lstrip("."))
        if reader is None:
            raise CommandError(f"{path.name}: give a file that ends with .csv, .ndjson or .jsonl.")
        try:
            with path.open(encoding="utf-8-sig", newline="") as file:
                given = give(
                    reader(file),
                    property_id=hotel.pk,
                    source=Intake.Source.FILE,
                    now=database_now(),
                )
        except OSError as error:
            raise CommandError(f"{path}: {error.strerror}.") from None
        except UnicodeDecodeError as error:
            raise CommandError(
                f"{path.name}: save it as UTF-8 ({error.reason}); what came before was taken."
            ) from None
        for bad in given.bad:
            self.stderr.write(str(bad))
        new = self._wait(given)
        self.stdout.write(f"{given.taken} events, {new} of them new.")
        if given.bad:
            raise CommandError(
                f"{len(given.bad)} lines could not be taken; mend them and give the file again."
            )

    def _wait(self, given: Given) -> int:
        """Wait for the workers; where none is at it, work off here. Returns how many events were new."""
        mine = Intake.objects.filter(pk__in=given.chunks)
        left, quiet_since = len(given.chunks) + 1, time.monotonic()
        if left > 1:
            ring(intake.BELL)
        while now_left := mine.filter(processed_at=None).count():
            if now_left < left:
                left, quiet_since = now_left, time.monotonic()
            elif time.monotonic() - quiet_since > WORKER_WITHIN_S:
                intake.work_off()
            time.sleep(0.1)
        return sum(new or 0 for new in mine.values_list("new", flat=True))

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
