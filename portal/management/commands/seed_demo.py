"""``manage.py seed_demo``: make the demo hotel against the running simulators."""

from __future__ import annotations

import json
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from portal import demo_hotel, demo_vendors


class Command(BaseCommand):
    help = "Make the demo hotel: people, doors, locks, a connected PMS, a key for every reason to wait."

    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.PORTAL_DEMO:
            raise CommandError("This makes demo people with a known password: set PORTAL_DEMO=1.")
        logins = demo_hotel.seed(self.stdout.write)
        demo_vendors.seed()
        told = {"url": settings.PORTAL_BASE_URL, "logins": logins}
        (settings.VAR / "demo.json").write_text(json.dumps(told, indent=1))
