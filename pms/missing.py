"""Stays that the PMS no longer mentions. Absence is not deletion: they are noted for people, and nothing ends by itself."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from django.db.models import QuerySet

from locks.pulse import bump
from pms.models import Integration, Reservation

AT_ONCE = 500


def missing(integration: Integration) -> QuerySet[Reservation]:
    """The stays that were asked for by name and not mentioned, and have not been since."""
    return Reservation.objects.filter(integration=integration, missing_since__isnull=False)


def note_missing(*, integration: Integration, refs: Collection[str], now: datetime) -> int:
    """The PMS was asked for these stays by name at ``now`` and mentioned none. Returns how many that is news of."""
    wanted, noted = sorted(refs), 0
    for start in range(0, len(wanted), AT_ONCE):
        rows = Reservation.objects.filter(
            integration=integration,
            external_id__in=wanted[start : start + AT_ONCE],
            missing_since=None,
            read_at__lte=now,
        )
        noted += rows.update(missing_since=now)
    if noted:
        bump([integration.property_id])
    return noted


def note_mentioned(*, integration: Integration, refs: Collection[str]) -> int:
    """The PMS mentioned these stays, whatever it said of them. Returns how many were missing until now."""
    known = dict(missing(integration).values_list("external_id", "id"))
    back = sorted(known[ref] for ref in known.keys() & set(refs))
    if back:
        Reservation.objects.filter(pk__in=back).update(missing_since=None)
        bump([integration.property_id])
    return len(back)
