"""``manage.py export_guest``: everything that is held about a guest, as JSON."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand
from django.utils import timezone

from keys.guest_export import export_guest
from keys.management.commands.erase_guest import guest_of_key


class Command(BaseCommand):
    """Prints the document that the portal gives for download; with ``--codes`` also codes and messages."""

    help = "Print everything that is held about a guest as JSON."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("key", type=int, help="The number of a key of the guest.")
        parser.add_argument("--companion", default="", help="The name of a companion instead.")
        parser.add_argument("--codes", action="store_true", help="With Door Codes and messages.")

    def handle(self, *args: Any, **options: Any) -> None:
        guest = guest_of_key(options["key"], options["companion"])
        told = export_guest(guest=guest, with_codes=options["codes"], now=timezone.now())
        self.stdout.write(json.dumps(told, indent=2, ensure_ascii=False))
