"""``manage.py erase_guest``: erases a guest of one hotel for good, as the portal does."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from keys import erasing
from keys.models import Guest
from keys.refusal import Refused
from locks.history import Actor, Source


def guest_of_key(key_id: int, name: str) -> Guest:
    """The main guest of a key, or the person of it with that name. Raises CommandError, without names."""
    people = Guest.objects.select_related("property").filter(people__key_id=key_id)
    people = people.filter(name=name) if name else people.filter(people__is_main=True)
    guest = people.order_by("id").first()
    if guest is None:
        raise CommandError(f"Key {key_id} has no such guest.")
    return guest


class Command(BaseCommand):
    """Takes name and contacts out everywhere; says how many rows, and nothing about the guest."""

    help = "Erase a guest everywhere; doors and times stay in the log under a number."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("key", type=int, help="The number of a key of the guest.")
        parser.add_argument("--companion", default="", help="The name of a companion instead.")
        parser.add_argument("--yes", default="", help=f"{erasing.WORD}: it cannot be undone.")

    def handle(self, *args: Any, **options: Any) -> None:
        guest = guest_of_key(options["key"], options["companion"])
        try:
            erasing.confirm(options["yes"])
        except Refused as refused:
            raise CommandError(f"{refused.message} (--yes {erasing.WORD})") from None
        by = Actor(source=Source.COMMAND, label="erase_guest")
        done = erasing.erase(guest=guest, by=by, now=timezone.now())
        figures = ", ".join(f"{many} {what}" for what, many in done.counts.items())
        self.stdout.write(f"Erased as {done.pseudonym}: {figures}.")
        if done.opens_until:
            self.stdout.write(f"Codes of the guest open until {done.opens_until.isoformat()}.")
