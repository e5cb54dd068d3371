"""The Celery app and its beat schedule: the table of contents of background work.

Every periodic task is "do what the tables say is due"; a lost or doubled message changes nothing but speed.
"""

from __future__ import annotations

import os

from celery import Celery
from django.conf import settings
from kombu.transport import TRANSPORT_ALIASES

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
TRANSPORT_ALIASES["filesystem"] = "portal.broker:Transport"

app = Celery("portal")
app.config_from_object("django.conf:settings", namespace="CELERY")
if settings.DATABASES["default"]["ENGINE"].endswith("sqlite3"):
    # Opening the file means reading the whole schema: the worker's threads keep theirs for a thousand tasks. Celery looks
    # for this name as it stands, which the namespace would hide. On PostgreSQL connections go back to a pool.
    app.conf["CELERY_DB_REUSE_MAX"] = 1000
app.autodiscover_tasks(["keys", "pms", "locks", "portal"])


@app.on_after_configure.connect
def set_schedule(sender: Celery, **_: object) -> None:
    """Say how often each kind of due work is looked for. Intervals only: nothing depends on a time of day."""
    sweep = settings.SWEEP_EVERY_S
    rung = 3 * sweep  # what rings a bell when it comes is only looked for in case nobody heard it
    sender.conf.beat_schedule = {
        name: {
            "task": task,
            "schedule": every,
            "options": {"expires": max(every, min(60.0, 10 * every))},
        }
        for name, task, every in (
            ("deliver what is due", "keys.tasks.look_now", sweep),
            ("do what staff asked of locks", "keys.tasks.run_errands", rung),
            ("encode keycards", "keys.tasks.encode_cards", rung),
            ("keep backup codes", "keys.tasks.keep_backup_codes", 30.0),
            ("follow reservations", "keys.tasks.follow_reservations", sweep),
            ("work off recoveries", "keys.tasks.recover", rung),
            ("work off changes of many keys", "keys.tasks.change_keys", rung),
            ("apply waiting PMS events", "pms.tasks.apply_inbox", sweep),
            ("say which codes the PMS shall show", "keys.tasks.tell_pms", sweep),
            ("show codes in the PMS", "pms.tasks.write_back", rung),
            ("read and probe due PMSes", "pms.tasks.read_due", sweep),
            ("find what people must be told", "keys.tasks.find_alerts", settings.ALERTS_EVERY_S),
            ("mail alerts", "portal.tasks.mail_alerts", settings.ALERTS_EVERY_S),
            ("message guests", "keys.tasks.message_guests", settings.MESSAGES_EVERY_S),
            ("collect events from locks", "locks.tasks.poll_locks", settings.POLL_LOCKS_EVERY_S),
            ("take in events that were given", "locks.tasks.take_in", rung),
            ("renew lock accounts", "locks.tasks.renew_accounts", 600.0),
            ("try broken accounts", "locks.tasks.try_broken_accounts", settings.RETRY_OFFLINE_S[0]),
            ("look for locks of accounts", "locks.tasks.discover", settings.POLL_LOCKS_EVERY_S),
            ("ask locks how they are", "keys.tasks.tend_locks", settings.TEND_LOCKS_EVERY_S),
            ("plan the slow read-back of new locks", "locks.tasks.plan_read_backs", 600.0),
            ("forget guests past their time", "keys.tasks.forget_guests", 3600.0),
            ("ready next month's door log", "locks.tasks.prepare_log", 6 * 3600.0),
        )
    }
