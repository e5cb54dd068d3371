"""Ending many keys at once: with the connection to a PMS, or because a person confirmed that their reservations are gone."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum

from django.db import transaction
from django.db.models import QuerySet

from keys.keychain import changed
from keys.ledger import mark
from keys.models import Assignment, Key
from locks.history import Actor, change_in_bulk
from pms import connection
from pms.missing import missing
from pms.models import Integration

AT_ONCE = 500
MASS_KEYS, MASS_SHARE = 5, 0.2


class Ends(StrEnum):
    """Which keys end with the connection. Those that do not stay until their own end, codes on locks too."""

    NONE = "none"
    COMING = "coming"
    ALL = "all"


def live_keys(integration: Integration, *, now: datetime) -> QuerySet[Key]:
    """The keys of this PMS's reservations that are not over."""
    return Key.objects.filter(
        property_id=integration.property_id,
        reservation__integration=integration,
        revoked_at=None,
        departed_at=None,
        ends_at__gt=now,
    )


def disconnect(*, integration: Integration, ends: Ends, by: Actor, now: datetime) -> int:
    """End the connection and the keys that were chosen; returns how many keys ended.

    Keys end first, so that dying in between leaves a connection that can be ended again, and once more afterwards, so
    that none that came in between stays.
    """
    ended = _end(integration, ends, by=by, now=now)
    connection.disconnect(integration=integration, by=by, now=now)
    return ended + _end(integration, ends, by=by, now=now)


def _end(integration: Integration, ends: Ends, *, by: Actor, now: datetime) -> int:
    chosen = live_keys(integration, now=now)
    match ends:
        case Ends.NONE:
            return 0
        case Ends.COMING:
            chosen = chosen.filter(starts_at__gt=now)
        case Ends.ALL:
            pass
    because = by.because(f"{integration.pms_name()} was disconnected")
    ids = list(chosen.order_by("id").values_list("id", flat=True))
    return revoke_all(property_id=integration.property_id, key_ids=ids, by=because, now=now)


def missing_keys(integration: Integration, *, now: datetime) -> QuerySet[Key]:
    """Live keys whose reservation the PMS no longer mentions. They stay until someone ends them."""
    return live_keys(integration, now=now).filter(
        reservation__in=missing(integration).order_by().values("id")
    )


def end_missing(
    *, integration: Integration, key_ids: Sequence[int], by: Actor, now: datetime
) -> int:
    """A person confirmed that these reservations are gone: revoke their keys, except of those mentioned again meanwhile.

    Returns how many keys ended.
    """
    still = missing_keys(integration, now=now).filter(pk__in=key_ids)
    ids = list(still.order_by("id").values_list("id", flat=True))
    because = by.because(f"{integration.pms_name()} no longer mentions the reservation")
    return revoke_all(property_id=integration.property_id, key_ids=ids, by=because, now=now)


def is_mass(many: int, of: int) -> bool:
    """Whether so many missing stays of so many rather speak of a wrong answer than of reservations that are gone."""
    return many > MASS_KEYS or many > MASS_SHARE * of


def revoke_all(*, property_id: int, key_ids: Sequence[int], by: Actor, now: datetime) -> int:
    """Revoke these keys of one hotel, in chunks that commit; returns how many were not over before."""
    ended = 0
    for start in range(0, len(key_ids), AT_ONCE):
        ended += _revoke_some(property_id, key_ids[start : start + AT_ONCE], by=by, now=now)
    return ended


def _revoke_some(property_id: int, key_ids: Sequence[int], *, by: Actor, now: datetime) -> int:
    with transaction.atomic():
        rows = Key.objects.select_for_update(no_key=True).filter(
            property_id=property_id, pk__in=key_ids, revoked_at=None
        )
        found = list(rows.order_by("id").values_list("id", flat=True))
        ids = change_in_bulk(
            model=Key,
            ids=found,
            changes={"revoked_at": now, "revoked_because": Key.Revoked.BY_STAFF.value},
            by=by,
            now=now,
        )
        mark(Assignment.objects.filter(key_id__in=ids), now=now)
        changed(property_id)
    return len(ids)
