"""Background work of keys. Ids in, nothing out; anyone may run any of these twice, late or never."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable

from celery import shared_task
from django.conf import settings

from keys import (
    alerts,
    backups,
    bulk,
    clocks,
    delivery,
    encoding,
    erasing,
    errands,
    following,
    messages,
    pms_codes,
    recovering,
)
from locks.bell import ring
from locks.clock import database_now

_is_following = threading.Lock()


@shared_task
def look_now() -> None:
    """Deliver whatever the rows say is due."""
    delivery.look(now=database_now())


@shared_task
def run_errands() -> None:
    """Carry out what staff asked of single locks."""
    errands.run_due()


@shared_task
def encode_cards() -> None:
    """Encode the keycards that staff asked for."""
    encoding.run_due(now=database_now())


@shared_task
def keep_backup_codes() -> None:
    """Keep backup codes on the locks of rooms, and end those whose guest has left."""
    backups.keep(now=database_now())


@shared_task
def follow_reservations() -> None:
    """Let keys follow the reservations that changed since they last did.

    One thread of a worker at a time: hundreds of changes must not keep all of them from locks and recoveries.
    """
    if _is_following.acquire(blocking=False):
        try:
            following.follow_all(now=database_now())
        finally:
            _is_following.release()


@shared_task
def recover() -> None:
    """Work off the recoveries that someone confirmed; what is left after a round is another message's."""
    _work_off(
        recovering.unfinished(),
        lambda pk: recovering.step(recovery_id=pk, now=database_now()),
        recovering.BELL,
    )


@shared_task
def change_keys() -> None:
    """Work off the changes of many keys that someone confirmed, in the same way, with room for others in between."""
    _work_off(
        bulk.unfinished(),
        lambda pk: bulk.step(change_id=pk, now=database_now()),
        bulk.BELL,
        pause_s=settings.BULK_PAUSE_S,
    )


def _work_off(
    ids: Iterable[int], step: Callable[[int], bool], bell: str, *, pause_s: float = 0
) -> None:
    end = time.monotonic() + settings.DELIVERY_ROUND_S
    for pk in ids:
        while step(pk):
            if time.monotonic() > end:
                ring(bell)
                return
            time.sleep(pause_s)


@shared_task
def tend_locks() -> None:
    """Ask locks how they are, and set clocks right that are wrong."""
    clocks.tend(now=database_now())


@shared_task
def find_alerts() -> None:
    """Open, keep true and close alerts by what the tables say is wrong now."""
    alerts.look(now=database_now())


@shared_task
def message_guests() -> None:
    """Send guests what is due to them."""
    now = database_now()
    messages.plan(now=now)
    messages.send_due(now=now)


@shared_task
def tell_pms() -> None:
    """Say which Door Codes the PMS shall show, where something changed."""
    pms_codes.tell_all(now=database_now())


@shared_task
def forget_guests() -> None:
    """Erase guests who were kept as long as their property says; what is left after a round is another message's."""
    if erasing.forget_due(now=database_now()) >= erasing.AT_ONCE:
        ring("keys.tasks.forget_guests")
