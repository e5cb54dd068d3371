"""Whether a lock's clock is right: a drift of more than two minutes is flagged from when it is read until it is read as mended."""

from __future__ import annotations

import logging
from datetime import datetime

from locks import doorlog
from locks.clock import DRIFT_S
from locks.log_models import LogCode
from locks.models import Lock
from locks.pulse import bump

log = logging.getLogger(__name__)


def note_clock(*, lock_id: int, offset_s: float, now: datetime) -> bool:
    """Flag a clock that is wrong by this reading, or take the flag away. True when it is wrong."""
    lock = Lock.objects.get(pk=lock_id)
    is_wrong, was_wrong = abs(offset_s) > DRIFT_S, lock.clock_wrong_since is not None
    if is_wrong != was_wrong:
        since = now if is_wrong else None
        Lock.objects.filter(pk=lock_id).update(clock_wrong_since=since)
        bump([lock.property_id])
    if is_wrong and not was_wrong:
        log.warning("the clock of lock %s is off by %s s", lock_id, round(offset_s))
        doorlog.append([doorlog.lock_line(lock, LogCode.CLOCK_WRONG, now)])
    return is_wrong
