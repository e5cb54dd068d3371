"""Applies the inbox: merges waiting events of the same booking, reads the bookings back in few calls, marks the events.

Events of a connection that is not up stay stored and are applied after it has caught up. One that cannot be applied is
tried again with back-off and at last set aside, visibly; the others go on.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from datetime import datetime, timedelta

from django.db.models import F, Q, QuerySet

from locks.clock import database_now
from pms import connecting, connection, sync
from pms.adapters import CallRefused, Hotel, NotUnderstood, Page, PMSError, Subject, TryLater
from pms.models import Integration, Reservation, WebhookEvent

log = logging.getLogger(__name__)
AT_ONCE = 500
TRIES = 8
COALESCE_S = 0.15
CLAIM = timedelta(seconds=30)
UP = [Integration.State.CONNECTED, Integration.State.DELAYED]
SET_ASIDE = "set aside after too many tries"


def apply_all(*, now: datetime) -> int:
    """Apply what waits for every connection that is up. Returns how many events were dealt with.

    One action at the PMS fires several events; a short moment is waited for the rest of them, and they are read once.
    """
    ids = list(
        _waiting(now).order_by("integration_id").values_list("integration_id", flat=True).distinct()
    )
    if not ids:
        return 0
    time.sleep(COALESCE_S)
    done = 0
    for integration in Integration.objects.filter(pk__in=ids).select_related("property"):
        try:
            done += _apply(integration, database_now())
        except Exception as error:  # noqa: BLE001 - the trouble of one hotel is not another's; its events are due again
            log.error("the inbox of integration %s: %s", integration.pk, type(error).__name__)
    return done


def _due(now: datetime) -> QuerySet[WebhookEvent]:
    at_once_or_again = Q(next_try_at=None) | Q(next_try_at__lte=now)
    return WebhookEvent.objects.filter(at_once_or_again, processed_at=None)


def _waiting(now: datetime) -> QuerySet[WebhookEvent]:
    return _due(now).filter(integration__state__in=UP)


def hear_of_connections(*, now: datetime) -> int:
    """Follow what a PMS says of a connection that is broken, or of a new token for one: by trying, never by believing.

    Returns how many events were dealt with. One of a connection that works is a reason to probe, like any other event.
    """
    heard = 0
    news = (
        _due(now)
        .filter(entity=f"{Subject.CONNECTION.value}:")
        .exclude(integration__state=Integration.State.DISCONNECTED)
    )
    for event in news.select_related("integration__property").order_by("received_at", "id")[:50]:
        broken = event.integration.state == Integration.State.BROKEN
        if not (broken or event.token) or not _mine(event, now):
            continue
        try:
            back = connecting.try_again(event.integration, token=event.token, now=now)
        except PMSError as error:
            _later([event], error, now)
            continue
        except Exception as error:  # noqa: BLE001 - as in apply_all: the event is due again, the other hotels go on
            log.error("integration %s: %s", event.integration_id, type(error).__name__)
            continue
        WebhookEvent.objects.filter(pk=event.pk).update(
            processed_at=database_now(),
            token="",
            result="connected again" if back else "changed nothing",
        )
        heard += 1
    return heard


def _mine(event: WebhookEvent, now: datetime) -> bool:
    """Whether this worker takes the event, for half a minute."""
    seen = WebhookEvent.objects.filter(
        pk=event.pk, processed_at=None, next_try_at=event.next_try_at, tries=event.tries
    )
    taken = seen.update(next_try_at=now + CLAIM, tries=F("tries") + 1)
    event.tries += taken
    return bool(taken)


def _apply(integration: Integration, now: datetime) -> int:
    events = _claim(integration, now)
    if not events:
        return 0
    try:
        said = _read_back(integration, events, now)
    except (CallRefused, NotUnderstood) as error:
        return _one_by_one(integration, events, error, now)
    except PMSError as error:
        _later(events, error, now)
        return 0
    _done(events, said)
    return len(events)


def _claim(integration: Integration, now: datetime) -> list[WebhookEvent]:
    """Take what is due, for half a minute: a worker that dies loses nothing, a second one reads nothing twice."""
    ids = list(
        _waiting(now)
        .filter(integration=integration)
        .order_by("received_at")
        .values_list("id", flat=True)[:AT_ONCE]
    )
    mine = []
    for event in WebhookEvent.objects.filter(pk__in=ids).order_by("received_at"):
        if _mine(event, now):
            mine.append(event)
    return mine


def _one_by_one(
    integration: Integration, events: list[WebhookEvent], error: PMSError, now: datetime
) -> int:
    """Find the event that spoils the rest; only it has to wait."""
    by_entity: dict[str, list[WebhookEvent]] = {}
    for event in events:
        by_entity.setdefault(event.entity, []).append(event)
    if len(by_entity) == 1:
        _later(events, error, now)
        return 0
    done = 0
    for few in by_entity.values():
        try:
            said = _read_back(integration, few, now)
        except PMSError as own:
            _later(few, own, now)
            continue
        _done(few, said)
        done += len(few)
    return done


def _read_back(integration: Integration, events: Sequence[WebhookEvent], now: datetime) -> str:
    """Read what the events are about, or all that changed after some may have been missed."""
    everything = f"{Subject.CHANGES.value}:"
    rest = [event for event in events if event.entity != everything]
    applied, pages = sync.Applied(), _read_each(integration, rest, now)
    if pages is not None:
        applied.add(sync.apply_pages(integration=integration, pages=pages, now=now))
    if len(rest) < len(events):
        applied.add(sync.read_changes(integration=integration, now=now))
    elif pages is None:
        return "nothing to read"
    return f"{len(applied.changed)} changed, {applied.same} as known"


def _read_each(
    integration: Integration, events: Sequence[WebhookEvent], now: datetime
) -> list[Page] | None:
    """What the PMS says of each event's subject; none when there is nothing to ask."""
    refs: dict[str, set[str]] = {subject.value: set() for subject in Subject}
    for event in events:
        subject, _, ref = event.entity.partition(":")
        refs.setdefault(subject, set()).add(ref)
    bookings, stays = refs[Subject.BOOKING.value], sorted(refs[Subject.STAY.value] - {""})
    unknown = _known_bookings(integration, refs[Subject.GUEST.value], bookings)
    check = bool(refs[Subject.CONNECTION.value])
    if not bookings and not stays and not unknown and not check:
        return None
    return connection.ask(
        integration,
        lambda hotel: _read(hotel, sorted(bookings), stays, unknown, check=check),
        now=now,
    )


def _known_bookings(integration: Integration, guests: set[str], bookings: set[str]) -> set[str]:
    """Turn guests of known stays into their bookings; returns the guests of none."""
    if not guests:
        return set()
    found = Reservation.objects.filter(integration=integration, guest_ref__in=guests).values_list(
        "guest_ref", "booking_ref"
    )
    pairs = list(found)
    bookings |= {booking for _, booking in pairs}
    return guests - {guest for guest, _ in pairs}


def _read(
    hotel: Hotel, refs: Sequence[str], stays: Sequence[str], guests: set[str], *, check: bool
) -> list[Page]:
    pages = list(hotel.bookings(refs)) if refs else []
    pages += hotel.stays(stays) if stays else []
    found = [stay for page in pages for stay in page.stays]
    seen = {stay.guest_ref for stay in found} | {c.ref for s in found for c in s.companions}
    if unseen := sorted(guests - seen):
        pages += hotel.bookings_of_guests(unseen)
    if check and not pages:
        hotel.properties()
    return pages


def _done(events: Sequence[WebhookEvent], said: str) -> None:
    ids = [event.pk for event in events]
    WebhookEvent.objects.filter(pk__in=ids).update(processed_at=database_now(), result=said)


def _later(events: Sequence[WebhookEvent], error: PMSError, now: datetime) -> None:
    """Overload and a broken connection are nobody's fault and tried for ever; a poisonous event is set aside."""
    poison = isinstance(error, CallRefused | NotUnderstood)
    wish = error.retry_after_s if isinstance(error, TryLater) else None
    for event in events:
        wait = wish or min(2.0 ** min(event.tries, 9), 300.0)
        event.result, event.next_try_at = str(error)[:200], now + timedelta(seconds=wait)
        if poison and event.tries >= TRIES:
            event.processed_at, event.result = now, SET_ASIDE
    WebhookEvent.objects.bulk_update(events, ["result", "next_try_at", "processed_at"])
