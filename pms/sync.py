"""The only writer of Reservation: applies what was read from a PMS, and reads everything again after a Reconnect.

Nothing older than what is stored is ever applied. What an answer does not mention is unknown, never gone. Keys hear of a
change by ``reservation_changed``, inside the transaction that made it.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction

from locks.clock import database_now, zone
from locks.pulse import bump
from locks.vault import digest
from pms import connection
from pms.adapters import Ended, Hotel, Page, RoomFacts, Stay, StayState
from pms.models import Integration, Outage, Reservation
from pms.rooms import import_rooms, map_room, unmap_room
from pms.signals import reservation_changed

__all__ = ["apply", "apply_pages", "import_rooms", "map_room", "resync", "unmap_room"]
log = logging.getLogger(__name__)
State = Reservation.State
ENDING = {StayState.CANCELLED, StayState.NO_SHOW, StayState.DELETED, StayState.DEPARTED}
ACTIVE = [State.TENTATIVE, State.EXPECTED, State.IN_HOUSE, State.UNKNOWN]
AT_ONCE = 200
JITTER_S = 2.0
"""Clocks closer than this count as equal: the PMS tells its time in whole seconds."""


@dataclass(slots=True)
class Applied:
    """What applying some stays did: ids that changed, how many were new, how many were as known or older."""

    changed: list[int] = field(default_factory=list)
    new: int = 0
    same: int = 0
    not_understood: int = 0

    def add(self, other: Applied) -> None:
        """Count another part in."""
        self.changed += other.changed
        self.new += other.new
        self.same += other.same
        self.not_understood += other.not_understood


# Outages ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Spans:
    """The outages of one connection, to tell what fell into one by the PMS's own times.

    ``recovering`` is the outage that the resync under way recovers from, if there is one. ``offset`` is how far the
    PMS's clock is ahead of Portal's.
    """

    outages: tuple[Outage, ...] = ()
    recovering: Outage | None = None
    offset: timedelta = timedelta(0)

    def at(self, moment: datetime | None) -> Outage | None:
        """The outage that a moment of the PMS's clock fell into: from the last good word, to the whole second, until
        the Reconnect."""
        if moment is None:
            return None
        ours = moment - self.offset
        for outage in self.outages:
            until = outage.reconnected_at or outage.ended_at
            began = outage.last_word_at.replace(microsecond=0)
            if began <= ours and (until is None or ours < until):
                return outage
        return None


def spans_of(
    integration: Integration, *, recovering: Outage | None = None, offset_s: float = 0.0
) -> Spans:
    """The outages of this connection, newest first."""
    outages = tuple(integration.outages.order_by("-began_at", "-id")[:50])
    offset = timedelta(seconds=offset_s if abs(offset_s) >= JITTER_S else 0.0)
    return Spans(outages=outages, recovering=recovering, offset=offset)


def _mark(stay: Stay, row: Reservation, spans: Spans, *, was_version: datetime | None) -> None:
    """Affected: changed between the last good word and the Reconnect. Came in: created then, or first seen by the resync
    if the PMS does not say when. A mark of coming in is never taken back, nor given to what was known before."""
    is_new = not row.fingerprint
    came_in = spans.at(stay.created_at) if is_new else None
    if is_new and stay.created_at is None:
        came_in = spans.recovering
    changed = spans.at(stay.updated_at) if stay.updated_at != was_version else None
    if changed is None and not is_new and _changed_silently(stay, spans, was_version):
        changed = spans.recovering
    row.came_in_during = row.came_in_during or came_in
    row.affected_by = came_in or changed or row.affected_by


def _changed_silently(stay: Stay, spans: Spans, was_version: datetime | None) -> bool:
    """A resync found other content under a version that it knew, or under none."""
    return spans.recovering is not None and (
        stay.updated_at is None or stay.updated_at == was_version
    )


# Applying -----------------------------------------------------------------------------------------


def apply(
    *,
    integration: Integration,
    stays: Sequence[Stay],
    now: datetime,
    read_at: datetime | None = None,
    spans: Spans | None = None,
) -> Applied:
    """Store these stays where they are news. Endings and shortened stays go first, so that nobody waits for a removal.

    ``read_at`` is when the PMS was asked (now, if not given): of one version, nothing that was asked earlier than what is
    stored is applied. ``spans`` decide the marks, not the content.
    """
    applied = Applied()
    spans = spans_of(integration) if spans is None else spans
    asked_at = read_at or now
    with transaction.atomic():
        known = {
            row.external_id: row
            for row in Reservation.objects.select_for_update()
            .filter(integration=integration, external_id__in=[s.external_id for s in stays])
            .order_by("id")
        }
        for stay in sorted(stays, key=lambda s: _urgency(s, known.get(s.external_id))):
            row = known.get(stay.external_id)
            if row is not None and not _is_news(stay, row, asked_at):
                applied.same += 1
                continue
            applied.new += row is None
            row = row or _first_seen(integration, stay, now)
            _store(stay, row, spans, asked_at, now)
            applied.changed.append(row.pk)
        if applied.changed:
            reservation_changed.send(sender=Reservation, reservation_ids=applied.changed)
            bump([integration.property_id])
    return applied


def _urgency(stay: Stay, known: Reservation | None) -> int:
    if stay.state in ENDING:
        return 0
    shortened = known is not None and stay.departure_on < known.departure_on
    return 1 if shortened else 2


def _is_news(stay: Stay, row: Reservation, asked_at: datetime) -> bool:
    """Newer by version; or, since a PMS may change a stay without a new version, other content asked for later."""
    ours, theirs = row.pms_updated_at, stay.updated_at
    if ours is not None and theirs is not None and theirs != ours:
        return theirs > ours
    return asked_at >= row.read_at and row.fingerprint != fingerprint(stay)


def _first_seen(integration: Integration, stay: Stay, now: datetime) -> Reservation:
    return Reservation(
        property_id=integration.property_id,
        integration=integration,
        external_id=stay.external_id,
        first_seen_at=now,
        pms_created_at=stay.created_at,
    )


def _store(stay: Stay, row: Reservation, spans: Spans, asked_at: datetime, now: datetime) -> None:
    """Keys follow ``changed_at``, so it moves on even when two changes are applied in one moment, and only for a change
    of content."""
    was_version, print_ = row.pms_updated_at, fingerprint(stay)
    _mark(stay, row, spans, was_version=was_version)
    is_new = not row.fingerprint
    if is_new:
        row.changed_at = now
    elif row.fingerprint != print_:
        row.changed_at = max(now, row.changed_at + timedelta(microseconds=1))
    _copy(stay, row, now)
    row.fingerprint, row.read_at = print_, asked_at
    row.save(update_fields=None if is_new else COPIED)


def fingerprint(stay: Stay) -> str:
    """Equal for equal content, whatever its version: what keys care about, and the guest. Keyed: it tells no contact."""
    content = [
        stay.booking_ref,
        stay.number,
        stay.state.value,
        stay.checked_in,
        stay.checked_in_online,
        str(stay.arrival_on),
        str(stay.departure_on),
        str(stay.arrival_at),
        str(stay.departure_at),
        stay.room_ref,
        stay.room_name,
        stay.guest_ref,
        stay.guest_name,
        stay.guest_email,
        stay.guest_phone,
        [[c.ref, c.name] for c in stay.companions],
    ]
    return digest(json.dumps(content), scope="stay")


COPIED = [
    "booking_ref",
    "number",
    "state",
    "guest_name",
    "guest_ref",
    "guest_email",
    "guest_phone",
    "companions",
    "room_ref",
    "room_name",
    "arrival_on",
    "departure_on",
    "arrival_at",
    "departure_at",
    "checked_in_at",
    "checked_in_online_at",
    "departed_at",
    "pms_updated_at",
    "read_at",
    "changed_at",
    "fingerprint",
    "came_in_during",
    "affected_by",
]


def _copy(stay: Stay, row: Reservation, now: datetime) -> None:
    row.booking_ref, row.number = stay.booking_ref, stay.number
    row.guest_name, row.guest_ref = stay.guest_name[:200], stay.guest_ref
    row.guest_email, row.guest_phone = stay.guest_email, stay.guest_phone
    row.companions = [{"ref": c.ref, "name": c.name} for c in stay.companions]
    row.room_ref, row.room_name = stay.room_ref, stay.room_name[:100]
    row.arrival_on, row.departure_on = stay.arrival_on, max(stay.departure_on, stay.arrival_on)
    row.arrival_at, row.departure_at = stay.arrival_at, stay.departure_at
    row.pms_updated_at = stay.updated_at or row.pms_updated_at
    online = row.checked_in_online_at or now
    row.checked_in_online_at = online if stay.checked_in_online else None
    row.state = State(stay.state.value)
    if stay.state is not StayState.UNKNOWN:
        _copy_presence(stay, row, now)


def _copy_presence(stay: Stay, row: Reservation, now: datetime) -> None:
    """An unknown word of the PMS never gets here: what was known of the guest's presence stays."""
    left = stay.state is StayState.DEPARTED
    row.checked_in_at = (row.checked_in_at or now) if stay.checked_in else None
    row.departed_at = (row.departed_at or now) if left else None


# Reading ------------------------------------------------------------------------------------------


def read_bookings(*, integration: Integration, refs: Sequence[str], now: datetime) -> Applied:
    """Read these bookings back and apply them. Raises the adapter's errors."""
    wanted = list(dict.fromkeys(refs))
    pages = connection.ask(integration, lambda hotel: list(hotel.bookings(wanted)), now=now)
    return apply_pages(integration=integration, pages=pages, now=now)


def read_changes(*, integration: Integration, now: datetime) -> Applied:
    """Everything changed since the last whole walk; the mark moves only when this one was whole. Raises the adapter's
    errors."""
    since = integration.read_until_at or now - timedelta(days=1)
    pages = connection.ask(integration, lambda hotel: list(hotel.changed(since, now=now)), now=now)
    applied = apply_pages(integration=integration, pages=pages, now=now)
    Integration.objects.filter(pk=integration.pk).update_untracked(read_until_at=now)
    return applied


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


def apply_pages(
    *,
    integration: Integration,
    pages: Sequence[Page],
    now: datetime,
    spans: Spans | None = None,
) -> Applied:
    """Apply what was read in one walk, cancellations, departures and shortened stays before all else.

    The PMS was asked at ``now``. Of a stay that came twice the newest counts, and of one version the one read last.
    """
    applied = Applied(not_understood=sum(page.not_understood for page in pages))
    if applied.not_understood:
        log.warning("%s bookings of the PMS were not understood", applied.not_understood)
    spans = spans_of(integration) if spans is None else spans
    ended = [end for page in pages for end in page.ended]
    stays = _newest([*(s for page in pages for s in page.stays), *_ended(integration, ended)])
    stays.sort(key=lambda stay: _urgency(stay, None))
    for first in (True, False):
        part = [stay for stay in stays if (stay.state in ENDING) is first]
        for start in range(0, len(part), AT_ONCE):
            few = part[start : start + AT_ONCE]
            moment = max(now, database_now())
            applied.add(
                apply(integration=integration, stays=few, now=moment, read_at=now, spans=spans)
            )
    return applied


def _newest(stays: Iterable[Stay]) -> list[Stay]:
    """One of each stay: the newest version, or the last read of equal ones."""
    found: dict[str, Stay] = {}
    for stay in stays:
        before = found.get(stay.external_id)
        if before is None or _version(stay) >= _version(before):
            found[stay.external_id] = stay
    return list(found.values())


def _version(stay: Stay) -> float:
    return stay.updated_at.timestamp() if stay.updated_at else 0.0


def _ended(integration: Integration, ended: Sequence[Ended]) -> Iterator[Stay]:
    """The stays that are known of bookings which are over as a whole."""
    by_ref = {end.booking_ref: end for end in ended}
    rows = Reservation.objects.filter(integration=integration, booking_ref__in=list(by_ref))
    for row in rows if by_ref else ():
        end = by_ref[row.booking_ref]
        yield _again(row, end.state, end.updated_at)


def _again(row: Reservation, state: StayState, updated_at: datetime | None) -> Stay:
    return Stay(
        external_id=row.external_id,
        booking_ref=row.booking_ref,
        number=row.number,
        state=state,
        checked_in=False,
        checked_in_online=row.checked_in_online_at is not None,
        arrival_on=row.arrival_on,
        departure_on=row.departure_on,
        arrival_at=row.arrival_at,
        departure_at=row.departure_at,
        room_ref=row.room_ref,
        room_name=row.room_name,
        guest_ref=row.guest_ref,
        guest_name=row.guest_name,
        guest_email=row.guest_email,
        guest_phone=row.guest_phone,
        created_at=row.pms_created_at,
        updated_at=updated_at or row.pms_updated_at,
    )


# Resync -------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Everything:
    """What a whole walk brought."""

    rooms: list[RoomFacts]
    pages: list[Page]
    offset_s: float


def _end_bookings(integration: Integration, pages: Sequence[Page], *, now: datetime) -> None:
    """Bookings that are over as a whole and came without their stays: all stays of them that we hold end."""
    for ended in (each for page in pages for each in page.ended):
        rows = Reservation.objects.filter(
            integration=integration,
            booking_ref=ended.booking_ref,
            state__in=[*ACTIVE, State.TENTATIVE],
        )
        if ended.updated_at is not None:
            rows = rows.exclude(pms_updated_at__gt=ended.updated_at)
        ids = list(rows.values_list("id", flat=True))
        if not ids:
            continue
        departed = now if ended.state is StayState.DEPARTED else None
        with transaction.atomic():
            Reservation.objects.filter(pk__in=ids).update(
                state=ended.state.value,
                departed_at=departed,
                changed_at=now,
                read_at=now,
                fingerprint="",
                pms_updated_at=ended.updated_at,
            )
            bump([integration.property_id])
            reservation_changed.send(sender=Reservation, reservation_ids=ids)


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
    """Bookings that are held as active and that no page mentioned: asked for by name, never taken for gone."""
    seen = {stay.external_id for page in pages for stay in page.stays}
    ended = {end.booking_ref for page in pages for end in page.ended}
    held = Reservation.objects.filter(
        integration=integration, state__in=ACTIVE, departure_on__gte=now.date() - timedelta(days=1)
    ).values_list("external_id", "booking_ref")
    missed = sorted({ref for stay, ref in held if stay not in seen and ref not in ended})
    if not missed:
        return Applied()
    more = connection.ask(integration, lambda hotel: list(hotel.bookings(missed)), now=now)
    return apply_pages(integration=integration, pages=more, now=now, spans=spans)
