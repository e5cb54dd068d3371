"""``manage.py walkthrough``: the article as a running story, told against a running demo and judged from outside."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from portal.walkthrough.stage import Stage, Told
from portal.walkthrough.story import Stopped, tell

PATIENCE_S = 15.0


class Command(BaseCommand):
    """Reads where the demo is from run.json; everything else it learns over HTTP, as anybody could."""

    help = "Tell the article sentence by sentence against the running demo; 1 at the first that is not true."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--patience",
            type=float,
            default=PATIENCE_S,
            help="How many seconds something may take to be seen.",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            told = Told.read(json.loads((settings.VAR / "run.json").read_text()))
        except (OSError, ValueError, KeyError, TypeError):
            raise CommandError("No demo is running here: start it with python3 run.py.") from None
        try:
            patience_s = options["patience"]
            stages = [Stage(told, patience_s=patience_s, place=each) for each in told.places]
            tell(stages, self.stdout.write)
        except Stopped as sentence:
            raise CommandError(f"not true: {sentence}") from None
