"""The Celery app and its beat schedule: the table of contents of background work.

Every periodic task is "do what the tables say is due"; a lost or doubled message changes nothing but speed.
"""

from __future__ import annotations

import os

from celery import Celery
from kombu.transport import TRANSPORT_ALIASES

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
TRANSPORT_ALIASES["filesystem"] = "portal.broker:Transport"

app = Celery("portal")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks(["keys", "pms", "locks"])


@app.on_after_configure.connect
def set_schedule(sender: Celery, **_: object) -> None:
    """Say how often each kind of due work is looked for. Intervals only: nothing depends on a time of day."""
    from django.conf import settings  # noqa: PLC0415 - read when Celery is configured, not on import

    sender.conf.beat_schedule = {
        name: {"task": task, "schedule": every, "options": {"expires": max(60.0, every)}}
        for name, task, every in (
            ("deliver what is due", "keys.tasks.look_now", settings.SWEEP_EVERY_S),
            ("follow reservations", "keys.tasks.follow_reservations", settings.SWEEP_EVERY_S),
            ("apply waiting PMS events", "pms.tasks.apply_inbox", settings.SWEEP_EVERY_S),
            ("read and probe due PMSes", "pms.tasks.read_due", settings.SWEEP_EVERY_S),
            ("collect events from locks", "locks.tasks.poll_locks", settings.POLL_LOCKS_EVERY_S),
            ("ready next month's door log", "locks.tasks.prepare_log", 6 * 3600.0),
        )
    }
