"""``manage.py listen``: hear at once what happens at PMSes that tell it live."""

from __future__ import annotations

import signal
import threading
from typing import Any

from django.core.management.base import BaseCommand

from pms.listening import Listening


class Command(BaseCommand):
    help = (
        "Listen to every connected PMS that tells live what happens (MEWS). Runs until SIGTERM; without it changes "
        "come by webhooks and reads, minutes later."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        over = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: over.set())
        self.stdout.write("Listening; stop with Ctrl-C.")
        Listening().run(over)
