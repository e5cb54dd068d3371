"""Applies the inbox: merges waiting events of the same booking, reads the bookings back in few calls, marks the events.

Events of a connection that is not up stay stored and are applied after it has caught up. One that cannot be applied is
tried again with back-off and at last set aside, visibly; the others go on.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta

from django.db.models import Q

from pms import connection, sync
from pms.adapters import Hotel, Page, PMSError, Subject
from pms.models import Integration, WebhookEvent

log = logging.getLogger(__name__)
AT_ONCE = 500
TRIES = 8
UP = [Integration.State.CONNECTED, Integration.State.DELAYED]
SET_ASIDE = "set aside after too many tries"


def apply_all(*, now: datetime) -> int:
    """Apply what waits for every connection that is up. Returns how many events were dealt with."""
    waiting = WebhookEvent.objects.filter(processed_at=None, integration__state__in=UP)
    ids = waiting.order_by("integration_id").values_list("integration_id", flat=True).distinct()
    done = 0
    for integration in Integration.objects.filter(pk__in=list(ids)).select_related("property"):
        try:
            done += _apply(integration, now)
        except Exception:
            log.exception("the inbox of integration %s could not be applied", integration.pk)
    return done


def _apply(integration: Integration, now: datetime) -> int:
    due = WebhookEvent.objects.filter(
        Q(next_try_at=None) | Q(next_try_at__lte=now), integration=integration, processed_at=None
    )
    events = list(due.order_by("received_at")[:AT_ONCE])
    if not events:
        return 0
    refs = {_subject(e)[1] for e in events if _subject(e)[0] == Subject.BOOKING.value}
    guests = {_subject(e)[1] for e in events if _subject(e)[0] == Subject.GUEST.value}
    check = any(_subject(e)[0] == Subject.CONNECTION.value for e in events)
    try:
        pages = connection.ask(
            integration, lambda hotel: _read(hotel, sorted(refs), sorted(guests), check), now=now
        )
        applied = sync.apply_pages(integration=integration, pages=pages, now=now)
    except PMSError as error:
        _later(events, type(error).__name__, now)
        return 0
    connection.good_word(
        integration_id=integration.pk, token_version=integration.token_version, now=now
    )
    said = f"{len(applied.changed)} changed, {applied.same} as known"
    WebhookEvent.objects.filter(pk__in=[e.pk for e in events]).update(
        processed_at=now, result=said
    )
    return len(events)


def _subject(event: WebhookEvent) -> tuple[str, str]:
    subject, _, ref = event.entity.partition(":")
    return subject, ref


def _read(hotel: Hotel, refs: Sequence[str], guests: Sequence[str], check: bool) -> list[Page]:
    pages = list(hotel.bookings(refs)) if refs else []
    for guest in guests:
        pages += hotel.bookings_of_guest(guest)
    if check and not pages:
        hotel.properties()
    return pages


def _later(events: Sequence[WebhookEvent], problem: str, now: datetime) -> None:
    for event in events:
        event.tries += 1
        event.result = problem[:200]
        event.next_try_at = now + timedelta(seconds=min(2.0**event.tries, 300.0))
        if event.tries >= TRIES and problem not in {"TryLater", "ConnectionBroken", "TokenExpired"}:
            event.processed_at, event.result = now, SET_ASIDE
    WebhookEvent.objects.bulk_update(events, ["tries", "result", "next_try_at", "processed_at"])
