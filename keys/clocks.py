"""Asks locks now and then how they are, so that a clock that drifts is found and set right before the next guest arrives."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Exists, OuterRef, Q, QuerySet

from keys.errands import BY_ITSELF, ask
from locks.clock import utc_offset_s, zone
from locks.errand_models import Errand
from locks.models import Lock, LockAccount
from locks.vendors import vendor

AT_ONCE = 50
AGAIN = timedelta(hours=1)
"""A clock that was to be set and is wrong all the same is set again after so long."""


def tend(*, now: datetime) -> int:
    """Have the locks checked whose turn it is; those out of reach are left until they are back. Returns how many."""
    _set_offsets(now)
    due = _reachable().filter(Q(next_health_at=None) | Q(next_health_at__lte=now))
    due = due.order_by("next_health_at", "id")
    locks = list(due[:AT_ONCE])
    again = now + timedelta(seconds=settings.LOCK_HEALTH_EVERY_S)
    for lock in locks:
        ask(lock=lock, what=Errand.What.CHECK, by=BY_ITSELF, now=now)
    Lock.objects.filter(pk__in=[lock.pk for lock in locks]).update(next_health_at=again)
    return len(locks)


def _reachable() -> QuerySet[Lock]:
    return Lock.objects.filter(
        account__state=LockAccount.State.WORKING, account__disconnected_at=None, is_online=True
    )


def _set_offsets(now: datetime) -> None:
    """Have the clocks set of locks that keep another offset of local time than their property has now, as after a clock
    change: at once, so that it is done before the next arrival."""
    keeping = _reachable().filter(utc_offset_s__isnull=False)
    zones = keeping.order_by().values_list("property_id", "property__timezone").distinct()
    for property_id, name in zones:
        wanted = utc_offset_s(zone(name), now)
        asked = Errand.objects.filter(
            lock=OuterRef("pk"), what=Errand.What.SYNC_CLOCK, asked_at__gt=now - AGAIN
        )
        wrong = keeping.filter(property_id=property_id).exclude(utc_offset_s=wanted)
        for lock in wrong.exclude(Exists(asked)).select_related("account").order_by("id")[:AT_ONCE]:
            if vendor(lock.account.driver).sets_clocks:
                ask(lock=lock, what=Errand.What.SYNC_CLOCK, by=BY_ITSELF, now=now)
