"""Reads everything of a PMS again: after a Reconnect, so that nothing stays missed, or because someone asked."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings

from locks.clock import database_now, zone
from pms import connection
from pms.adapters import Hotel, Page, RoomFacts
from pms.missing import note_missing
from pms.models import Integration, Reservation
from pms.rooms import import_rooms
from pms.spans import Spans, spans_of
from pms.sync import ACTIVE, Applied, apply_pages

log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Everything:
    """What a whole walk brought."""

    rooms: list[RoomFacts]
    pages: list[Page]
    offset_s: float


def resync(*, integration: Integration, now: datetime) -> Applied | None:
    """Find everything that was missed by reading all of it; then the connection is Connected and the outage over.

    One walk at a time per integration; none when another is under way. Safe to repeat and to kill: the marks are moved
    only by a whole walk, and nothing is applied twice. Raises the adapter's errors.
    """
    if not _claim(integration, now):
        return None
    try:
        return _walk(integration, now)
    finally:
        Integration.objects.filter(
            pk=integration.pk, token_version=integration.token_version
        ).update_untracked(reading_until_at=None)


def sweep(*, integration: Integration, now: datetime) -> Applied:
    """Read all current and coming stays, and mend the webhooks: the net under changes that nothing told of. Raises the
    adapter's errors."""
    today = now.astimezone(zone(integration.property.timezone)).date()

    def read(hotel: Hotel) -> list[Page]:
        _mend_webhooks(integration, hotel)
        return list(hotel.current_and_coming(today))

    pages = connection.ask(integration, read, now=now)
    applied = apply_pages(integration=integration, pages=pages, now=now)
    applied.add(_read_unmentioned(integration, pages, now, None))
    Integration.objects.filter(pk=integration.pk).update_untracked(swept_at=now)
    return applied


def _claim_length() -> timedelta:
    return timedelta(seconds=4 * settings.PMS_TIMEOUT_S + 1)


def _claim(integration: Integration, now: datetime) -> bool:
    """True for one of any number of workers. The claim ends by itself should its holder die; a living one renews it."""
    free = Integration.objects.filter(pk=integration.pk).exclude(reading_until_at__gt=now)
    return bool(free.update_untracked(reading_until_at=now + _claim_length()))


def _renewing(integration: Integration, pages: Iterator[Page]) -> Iterator[Page]:
    """The same pages; each one read makes the claim last longer."""
    for page in pages:
        Integration.objects.filter(
            pk=integration.pk, token_version=integration.token_version
        ).update_untracked(reading_until_at=database_now() + _claim_length())
        yield page


def _walk(integration: Integration, now: datetime) -> Applied:
    outage = integration.outages.filter(ended_at=None).order_by("-began_at").first()
    marks = [integration.read_until_at, outage and outage.last_word_at]
    since = min((mark for mark in marks if mark), default=now - timedelta(days=1))
    found = connection.ask(
        integration, lambda hotel: _read_everything(integration, hotel, since, now), now=now
    )
    import_rooms(integration=integration, rooms=found.rooms, now=now)
    spans = spans_of(integration, recovering=outage, offset_s=found.offset_s)
    applied = apply_pages(integration=integration, pages=found.pages, now=now, spans=spans)
    applied.add(_read_unmentioned(integration, found.pages, now, spans))
    fresh = Integration.objects.get(pk=integration.pk)
    if (
        fresh.state_since == integration.state_since
    ):  # else someone reconnected meanwhile: walk again
        connection.caught_up(
            integration_id=integration.pk,
            token_version=fresh.token_version,
            began_at=now,
            now=max(now, database_now()),
        )
    return applied


def _read_everything(
    integration: Integration, hotel: Hotel, since: datetime, now: datetime
) -> _Everything:
    """Webhooks first: from then on nothing new is missed. Then all that changed, and all that is current or coming."""
    today = now.astimezone(zone(integration.property.timezone)).date()
    own = [p for p in hotel.properties() if p.external_id == integration.external_property_id]
    _mend_webhooks(integration, hotel)
    pages = list(_renewing(integration, hotel.changed(since, now=now)))
    pages += _renewing(integration, hotel.current_and_coming(today))
    offset_s = own[0].clock_offset_s if own else 0.0
    return _Everything(rooms=list(hotel.rooms()), pages=pages, offset_s=offset_s)


def _mend_webhooks(integration: Integration, hotel: Hotel) -> None:
    url = connection.hook_url(integration)
    prefix = f"{settings.PORTAL_BASE_URL}/hooks/{integration.adapter}/"
    refused = hotel.mend_webhooks(url, own_prefix=prefix).refused
    if refused:
        log.warning("the PMS refused %s webhook subscriptions", len(refused))


def _read_unmentioned(
    integration: Integration, pages: Sequence[Page], now: datetime, spans: Spans | None
) -> Applied:
    """Bookings that are held as active and that no page mentioned: asked for by name, and if that brings nothing noted as
    missing, never taken for gone."""
    held = Reservation.objects.filter(
        integration=integration, state__in=ACTIVE, departure_on__gte=now.date() - timedelta(days=1)
    )
    missed = _unmentioned(dict(held.values_list("external_id", "booking_ref")), pages)
    if not missed:
        return Applied()
    names = sorted(set(missed.values()))
    more = connection.ask(integration, lambda hotel: list(hotel.bookings(names)), now=now)
    applied = apply_pages(integration=integration, pages=more, now=now, spans=spans)
    gone = _unmentioned(missed, more)
    if applied.not_understood:  # it may be one of them
        return applied
    if note_missing(integration=integration, refs=gone, now=now):
        log.warning("%s active stays are no longer mentioned by the PMS", len(gone))
    return applied


def _unmentioned(stays: Mapping[str, str], pages: Sequence[Page]) -> dict[str, str]:
    """Of these stays, given with their bookings, those of which no page says anything."""
    seen = {stay.external_id for page in pages for stay in page.stays}
    ended = {end.booking_ref for page in pages for end in page.ended}
    return {ref: name for ref, name in stays.items() if ref not in seen and name not in ended}
