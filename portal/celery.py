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
app.autodiscover_tasks(["keys", "pms", "locks", "portal"])


@app.on_after_configure.connect
def set_schedule(sender: Celery, **_: object) -> None:
    """Say how often each kind of due work is looked for. Intervals only: nothing depends on a time of day."""
    from django.conf import settings  # noqa: PLC0415 - read when Celery is configured, not on import

    sender.conf.beat_schedule = {
        name: {
            "task": task,
            "schedule": every,
            "options": {"expires": max(every, min(60.0, 10 * every))},
        }
        for name, task, every in (
            ("deliver what is due", "keys.tasks.look_now", settings.SWEEP_EVERY_S),
            ("do what staff asked of locks", "keys.tasks.run_errands", settings.SWEEP_EVERY_S),
            ("keep backup codes", "keys.tasks.keep_backup_codes", 30.0),
            ("follow reservations", "keys.tasks.follow_reservations", settings.SWEEP_EVERY_S),
            ("work off recoveries", "keys.tasks.recover", settings.SWEEP_EVERY_S),
            ("work off changes of many keys", "keys.tasks.change_keys", settings.SWEEP_EVERY_S),
            ("apply waiting PMS events", "pms.tasks.apply_inbox", settings.SWEEP_EVERY_S),
            ("say which codes the PMS shall show", "keys.tasks.tell_pms", settings.SWEEP_EVERY_S),
            ("show codes in the PMS", "pms.tasks.write_back", settings.SWEEP_EVERY_S),
            ("read and probe due PMSes", "pms.tasks.read_due", settings.SWEEP_EVERY_S),
            ("find what people must be told", "keys.tasks.find_alerts", settings.ALERTS_EVERY_S),
            ("mail alerts", "portal.tasks.mail_alerts", settings.ALERTS_EVERY_S),
            ("message guests", "keys.tasks.message_guests", settings.MESSAGES_EVERY_S),
            ("collect events from locks", "locks.tasks.poll_locks", settings.POLL_LOCKS_EVERY_S),
            ("take in events that were given", "locks.tasks.take_in", settings.POLL_LOCKS_EVERY_S),
            ("renew lock accounts", "locks.tasks.renew_accounts", 600.0),
            ("try broken accounts", "locks.tasks.try_broken_accounts", settings.RETRY_OFFLINE_S[0]),
            ("look for locks of accounts", "locks.tasks.discover", settings.POLL_LOCKS_EVERY_S),
            ("ask locks how they are", "keys.tasks.tend_locks", settings.TEND_LOCKS_EVERY_S),
            ("plan the slow read-back of new locks", "locks.tasks.plan_read_backs", 600.0),
            ("ready next month's door log", "locks.tasks.prepare_log", 6 * 3600.0),
        )
    }
