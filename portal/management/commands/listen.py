"""``manage.py listen``: hear at once what happens at PMSes and lock systems that tell it live."""

from __future__ import annotations

import signal
import threading
from typing import Any

from django.core.management.base import BaseCommand

from locks.hearing import Hearing
from pms.listening import Listening


class Command(BaseCommand):
    help = (
        "Listen to every connected PMS and lock system that tells live what happens (MEWS; Z-Wave JS and Zigbee2MQTT). "
        "Runs until SIGTERM. Without it changes come from a PMS minutes later, and events of such locks never."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        over = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: over.set())
        self.stdout.write("Listening; stop with Ctrl-C.")
        locks = threading.Thread(target=Hearing().run, args=(over,), name="locks")
        locks.start()
        try:
            Listening().run(over)
        finally:
            over.set()
            locks.join()
