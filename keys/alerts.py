"""The only writer of Alert: opens one for each trouble that is found, keeps its words true, closes it when it is over.

Everything is found again from the tables at each look, so that looking twice, late or by two workers at once changes
nothing but speed.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from django.conf import settings
from django.db import IntegrityError, transaction

from keys import alert_facts, alerting
from keys.alerting import Limits, Trouble
from keys.telling_models import Alert
from locks.pulse import bump

SETTLES = timedelta(minutes=5)
"""What comes back sooner than this is the same stretch of trouble, and nobody is told that it was over."""
RANKS = {kind.value: rank for rank, kind in enumerate(Alert.Kind)}
Identity = tuple[int, str, str]


def look(*, now: datetime) -> int:
    """Compare what is wrong with what is open, and write the difference. Returns how many alerts changed."""
    limits = Limits(
        silence=timedelta(seconds=settings.PMS_SILENT_AFTER_S),
        arrivals=timedelta(seconds=settings.ARRIVALS_AT_RISK_S),
        grace=timedelta(seconds=settings.ALERT_GRACE_S),
    )
    facts = alert_facts.read(grace=limits.grace, now=now)
    found = {trouble.identity: trouble for trouble in alerting.find(facts, limits, now=now)}
    known = {_identity(row): row for row in Alert.objects.filter(closed_at=None)}
    fresh = [trouble for identity, trouble in found.items() if identity not in known]
    over = [row for identity, row in known.items() if identity not in found]
    both = [(row, found[identity]) for identity, row in known.items() if identity in found]
    hotels = _open(fresh, now) | _close(over, now) | _keep_true(both)
    with transaction.atomic():
        bump(hotels)
    return len(fresh) + len(over) + len([row for row, now_is in both if _differs(row, now_is)])


def _identity(row: Alert) -> Identity:
    return (row.property_id, row.kind, row.about)


def _open(fresh: Sequence[Trouble], now: datetime) -> set[int]:
    if not fresh:
        return set()
    hotels = {trouble.property_id for trouble in fresh}
    recent = Alert.objects.filter(property_id__in=hotels, closed_at__gt=now - SETTLES)
    again = {_identity(row): row for row in recent.order_by("closed_at")}
    new = [t for t in fresh if not _reopened(again.get(t.identity), t)]
    Alert.objects.bulk_create([_row(trouble, now) for trouble in new], ignore_conflicts=True)
    return hotels


def _reopened(row: Alert | None, trouble: Trouble) -> bool:
    """Whether an alert that closed a moment ago goes on."""
    if row is None:
        return False
    same = Alert.objects.filter(pk=row.pk, closed_at=row.closed_at)
    try:
        with transaction.atomic():
            return bool(same.update(closed_at=None, **_words(row, trouble)))
    except IntegrityError:  # another worker opened it meanwhile
        return True


def _row(trouble: Trouble, now: datetime) -> Alert:
    return Alert(
        property_id=trouble.property_id,
        kind=trouble.kind,
        rank=RANKS[trouble.kind],
        about=trouble.about,
        subject=trouble.subject[:120],
        sentence=trouble.sentence[:400],
        guests=trouble.guests,
        most_guests=trouble.guests,
        opened_at=min(trouble.since, now),
        found_at=now,
    )


def _close(over: Sequence[Alert], now: datetime) -> set[int]:
    Alert.objects.filter(pk__in=[row.pk for row in over], closed_at=None).update(closed_at=now)
    return {row.property_id for row in over}


def _differs(row: Alert, trouble: Trouble) -> bool:
    told = (row.subject, row.sentence, row.guests)
    return told != (trouble.subject[:120], trouble.sentence[:400], trouble.guests)


def _words(row: Alert, trouble: Trouble) -> dict[str, str | int]:
    return {
        "subject": trouble.subject[:120],
        "sentence": trouble.sentence[:400],
        "guests": trouble.guests,
        "most_guests": max(row.most_guests, trouble.guests),
    }


def _keep_true(both: Sequence[tuple[Alert, Trouble]]) -> set[int]:
    hotels: set[int] = set()
    for row, trouble in both:
        if _differs(row, trouble):
            Alert.objects.filter(pk=row.pk, closed_at=None).update(**_words(row, trouble))
            hotels.add(row.property_id)
    return hotels
