"""Asks locks now and then how they are, so that a clock that drifts is found and set right before the next guest arrives."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Q

from keys.errands import BY_ITSELF, ask
from locks.errand_models import Errand
from locks.models import Lock, LockAccount

AT_ONCE = 50


def tend(*, now: datetime) -> int:
    """Have the locks checked whose turn it is; those out of reach are left until they are back. Returns how many."""
    due = Lock.objects.filter(
        Q(next_health_at=None) | Q(next_health_at__lte=now),
        account__state=LockAccount.State.WORKING,
        account__disconnected_at=None,
        is_online=True,
    ).order_by("next_health_at", "id")
    locks = list(due[:AT_ONCE])
    again = now + timedelta(seconds=settings.LOCK_HEALTH_EVERY_S)
    for lock in locks:
        ask(lock=lock, what=Errand.What.CHECK, by=BY_ITSELF, now=now)
    Lock.objects.filter(pk__in=[lock.pk for lock in locks]).update(next_health_at=again)
    return len(locks)
