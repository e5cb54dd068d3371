"""Plants a bug in the demo's real worker when it starts: the one that the file FAULT_FILE names, none while it is empty.

Python imports this by itself where the folder is on PYTHONPATH. Nothing but the demo's worker takes notice of it.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

FAULT_FILE = Path(os.environ["FAULT_FILE"])


def plant(name: str) -> None:
    """Put this bug into the delivery of this process."""
    from keys import rules  # noqa: PLC0415 - after Django is set up
    from locks.drivers import Outcome, Proof, Result  # noqa: PLC0415 - after Django is set up
    from locks.drivers.simulated import SimulatedDriver  # noqa: PLC0415 - after Django is set up

    async def confirm_without_a_call(self, lock_ref, grants):
        sure = {"result": Result.CONFIRMED, "proof": Proof.ACKNOWLEDGED}
        return [Outcome(address=grant.address or grant.handle, **sure) for grant in grants]

    match name:
        case "":
            return
        case "driver drops writes":
            SimulatedDriver.put = confirm_without_a_call
        case "hold ignored":
            rules.permission_hold = lambda permission: None
        case "check-in ignored":
            rules.check_in_hold = lambda facts: None
        case _:
            raise SystemExit(f"no such bug: {name}")


def _watch() -> None:
    from celery.signals import worker_init, worker_ready  # noqa: PLC0415 - in the worker only

    name = FAULT_FILE.read_text()

    def begin(**_: object) -> None:
        plant(name)

    def ready(**_: object) -> None:
        FAULT_FILE.with_suffix(".ready").write_text(f"{os.getpid()} {name}")

    worker_init.connect(begin, weak=False)
    worker_ready.connect(ready, weak=False)


if {"celery", "worker"} <= set(sys.orig_argv):
    _watch()
