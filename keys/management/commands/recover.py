"""``manage.py recover``: what outages left to be done, counted by effect; with ``--yes`` it is done, here and now."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from keys import recovering
from keys.models import Recovery, RecoveryRow
from keys.recovery_steps import has_open
from keys.refusal import Refused
from keys.releasing import Becomes, DryRun, dry_run
from keys.remedies import WORDS
from locks.clock import database_now
from locks.history import Actor, Source
from locks.models import Property
from pms.models import Outage

NEWEST = 20
FAILED, LEFT = 2, 3


class Command(BaseCommand):
    """Needs no broker and no worker, and is safe beside them: every row is done once."""

    help = (
        "Show what an outage left to be done; with --yes, do it. Exit codes: 0 nothing is left, "
        "1 it was asked for wrongly, 2 some reservations failed, 3 something is left (a dry run, or stopped before the end)."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        which = parser.add_mutually_exclusive_group()
        which.add_argument("--outage", type=int, help="The outage's number.")
        which.add_argument("--property", help="The property's name; without either, all of them.")
        parser.add_argument("--yes", action="store_true", help="Do it; else it is only counted.")
        parser.add_argument("--reason", default="", help="Kept in history; needed with --yes.")
        parser.add_argument(
            "--before-check-in",
            action="store_true",
            help="Write codes now, before check-in; else doors return to the property's rule.",
        )
        parser.add_argument(
            "--no-links",
            action="store_true",
            help="Do not link keys made by hand to the reservations they were made for.",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if options["yes"] and not options["reason"].strip():
            raise CommandError("Say why with --reason: history keeps it.")
        outages = self._outages(options)
        now = database_now()
        found = [outage for outage in outages if has_open(outage, now=now)]
        if not found:
            self.stdout.write("Nothing is left to be done.")
            return
        for outage in found:
            self._say(outage, dry_run(outage=outage, now=now, links_keys=not options["no_links"]))
        if not options["yes"]:
            self.stdout.write("Nothing was changed. Do it with --yes --reason “…”.")
            sys.exit(LEFT)
        done = [self._recover(outage, options) for outage in found]
        if any(recovery.failed for recovery in done):
            sys.exit(FAILED)
        if any(recovery.finished_at is None for recovery in done):
            sys.exit(LEFT)

    def _outages(self, options: dict[str, Any]) -> list[Outage]:
        rows = Outage.objects.select_related("property", "integration").order_by("-id")
        if options["outage"] is not None:
            rows = rows.filter(pk=options["outage"])
            if not rows.exists():
                raise CommandError(f"There is no outage {options['outage']}.")
        if options["property"]:
            if not Property.objects.filter(name=options["property"]).exists():
                raise CommandError(f"There is no property {options['property']}.")
            rows = rows.filter(property__name=options["property"])
        return list(rows[:NEWEST])

    def _say(self, outage: Outage, seen: DryRun) -> None:
        pms = outage.integration.pms_name()
        self.stdout.write(
            f"Outage {outage.pk}, {outage.property}: {pms} was broken from "
            f"{outage.last_word_at:%Y-%m-%d %H:%M} UTC on."
        )
        for remedy, many in seen.remedies.items():
            self.stdout.write(f"  {WORDS[remedy]}: {many}")
        for effect in Becomes:
            if effect in seen.by_rule or effect in seen.before_check_in:
                self.stdout.write(
                    f"  {effect.value}: {seen.by_rule.get(effect, 0)} doors by the rule, "
                    f"{seen.before_check_in.get(effect, 0)} before check-in"
                )
        self.stdout.write(f"  Left as they are: {seen.agree}")

    def _recover(self, outage: Outage, options: dict[str, Any]) -> Recovery:
        by = Actor(source=Source.COMMAND, label="manage.py recover", reason=options["reason"])
        try:
            recovery = recovering.start(
                outage=outage,
                before_check_in=options["before_check_in"],
                links_keys=not options["no_links"],
                by=by,
                now=database_now(),
            )
        except Refused as refused:
            raise CommandError(refused.message) from None
        while recovering.step(recovery_id=recovery.pk, now=database_now()):
            pass
        recovery.refresh_from_db()
        self.stdout.write(
            f"{recovery}, batch {recovery.batch_id}: {recovery.state()}. {recovery.done} done, "
            f"{recovery.failed} failed, {recovery.skipped} had nothing to do."
        )
        for row in recovery.rows.filter(state=RecoveryRow.State.FAILED).order_by("id"):
            self.stdout.write(f"  Key {row.key_id}: {row.result}")
        return recovery
