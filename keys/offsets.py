"""Locks that keep an offset of local time and no time zone: what it should be, and which stays a clock change touches.

Such a lock stores windows in its local time. While offset and clock stand still its windows are right; once they are set
after a clock change, what was stored before is an hour off until it is written again.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from django.db.models import F

from keys.ledger import mark
from keys.models import Assignment
from keys.past_facts import told
from locks.clock import next_change, utc_offset_s, zone
from locks.models import Lock


def wanted(lock: Lock, now: datetime) -> float | None:
    """The offset that the lock should have now, in seconds; none for a lock that keeps none."""
    if lock.utc_offset_s is None:
        return None
    return utc_offset_s(zone(lock.property.timezone), now)


def note(lock: Lock, read: float | None, *, now: datetime) -> bool:
    """Have what lies on the lock written again if its offset is another than it was. ``lock`` is as it was before."""
    if read is None or lock.utc_offset_s in {None, read}:
        return False
    places = Assignment.objects.filter(
        lock_id=lock.pk, lock__native_window=True, written_revision__isnull=False, ends_at__gt=now
    )
    mark(places, now=now, revision=F("revision") + 1)
    return True


def caution(
    lock: Lock | None, window: tuple[datetime, datetime], tz: ZoneInfo, *, now: datetime
) -> str:
    """What staff must know of a stay at this lock over a clock change; empty where there is nothing, or no more."""
    if lock is None or lock.utc_offset_s is None or not lock.native_window or window[1] <= now:
        return ""
    changed_at = next_change(tz, *window)
    if changed_at is None:
        return ""
    when = told(changed_at, tz)
    if now < changed_at:
        return (
            f"The clocks change {when} during this stay, and the lock knows no time zone: its clock is set then and the "
            "code written again."
        )
    if lock.utc_offset_s == utc_offset_s(tz, now):
        return ""
    by = timedelta(seconds=abs(utc_offset_s(tz, now) - lock.utc_offset_s))
    return (
        f"The clocks changed {when} and the lock’s clock is not set yet: by the lock it is "
        f"{round(by.total_seconds() / 60)} minutes {'earlier' if lock.utc_offset_s < utc_offset_s(tz, now) else 'later'}."
    )
