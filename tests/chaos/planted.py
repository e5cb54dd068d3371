"""Starts Celery with a bug planted in delivery, named by PLANTED; without one it is the worker as it is shipped."""

from __future__ import annotations

import os
import sys


def plant(name: str) -> None:
    """Put this bug into the delivery of this process."""
    from django.db.models import F  # noqa: PLC0415 - after Django is set up

    from keys import leases, ledger, outcomes, rules  # noqa: PLC0415 - after Django is set up
    from keys.models import Assignment  # noqa: PLC0415 - after Django is set up
    from locks import doorlog  # noqa: PLC0415 - after Django is set up
    from locks.drivers import Cause, LockError, Retry, Scope  # noqa: PLC0415 - after Django is set up

    stamp, failed = ledger.stamp, outcomes.failed

    def mark_done(rows):
        stamped = stamp(rows)
        Assignment.objects.filter(pk__in=stamped).update(
            written_revision=F("revision"), sent_revision=None
        )
        return stamped

    error = LockError(cause=Cause.UNEXPLAINED, retry=Retry.NEVER, scope=Scope.CREDENTIAL)
    match name:
        case "done before the call":
            ledger.stamp = mark_done
        case "a hold ignored":
            rules.permission_hold = lambda permission: None
        case "unknown read as failed":
            outcomes._unsure = lambda sent, pace, now: failed(sent, error, pace, now)
            doorlog.must_read_back = lambda **_: None
        case "no sweep after death":
            leases.grab = lambda **_: []
        case _:
            raise SystemExit(f"no such bug: {name}")


if __name__ == "__main__":
    from celery.__main__ import main
    from celery.signals import worker_ready

    import portal.celery  # noqa: F401 - the folder broker must be known first

    if os.environ.get("PLANTED"):
        import django

        os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
        django.setup()
        plant(os.environ["PLANTED"])
    worker_ready.connect(lambda **_: print("This worker is ready.", flush=True), weak=False)
    sys.argv[0] = "celery"
    main()
