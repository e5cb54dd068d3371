"""The only writer of Reservation and Room: applies what was read from a PMS, and reads everything after a Reconnect.

Nothing older than what is stored is ever applied. What an answer does not mention is unknown, never gone. Keys hear of a
change by ``reservation_changed``, inside the transaction that made it.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from django.conf import settings
from django.db import transaction

from locks.clock import zone
from locks.history import Actor
from locks.models import Door
from locks.pulse import bump
from pms import connection
from pms.adapters import Hotel, Page, RoomFacts, Stay, StayState
from pms.models import Integration, Outage, Reservation, Room, RoomDoor
from pms.signals import reservation_changed

log = logging.getLogger(__name__)
State = Reservation.State
ENDING = {StayState.CANCELLED, StayState.NO_SHOW, StayState.DELETED, StayState.DEPARTED}
ACTIVE = [State.EXPECTED, State.IN_HOUSE, State.UNKNOWN]
SYNC_CLAIM = timedelta(minutes=2)
ROUNDING = timedelta(seconds=1)


@dataclass(slots=True)
class Applied:
    """What applying some stays did: ids that changed, how many were new, how many were as known or older."""

    changed: list[int] = field(default_factory=list)
    new: int = 0
    same: int = 0
    not_understood: int = 0

    def add(self, other: Applied) -> None:
        """Count another page in."""
        self.changed += other.changed
        self.new += other.new
        self.same += other.same
        self.not_understood += other.not_understood


# Applying -----------------------------------------------------------------------------------------


def apply(
    *,
    integration: Integration,
    stays: Sequence[Stay],
    now: datetime,
    read_at: datetime | None = None,
    outage: Outage | None = None,
) -> Applied:
    """Store these stays where they are news. Endings and shortened stays go first, so that nobody waits for a removal.

    ``read_at`` is when the PMS was asked (now, if not given): of one version, nothing that was asked earlier than what is
    stored is applied. ``outage`` is the one that the current resync recovers from; it decides the marks, not the content.
    """
    applied = Applied()
    with transaction.atomic():
        known = {
            row.external_id: row
            for row in Reservation.objects.select_for_update().filter(
                integration=integration, external_id__in=[stay.external_id for stay in stays]
            )
        }
        newest = {stay.external_id: stay for stay in sorted(stays, key=_version)}
        for stay in sorted(newest.values(), key=lambda s: _urgency(s, known.get(s.external_id))):
            _apply_one(
                integration, stay, known.get(stay.external_id), outage, applied, (read_at or now, now)
            )
        if applied.changed:
            bump([integration.property_id])
            reservation_changed.send(sender=Reservation, reservation_ids=applied.changed)
    return applied


def _version(stay: Stay) -> float:
    return stay.updated_at.timestamp() if stay.updated_at else 0.0


def _urgency(stay: Stay, known: Reservation | None) -> int:
    if stay.state in ENDING:
        return 0
    shortened = known is not None and stay.departure_on < known.departure_on
    return 1 if shortened else 2


def _apply_one(
    integration: Integration,
    stay: Stay,
    row: Reservation | None,
    outage: Outage | None,
    applied: Applied,
    times: tuple[datetime, datetime],
) -> None:
    read_at, now = times
    print_ = fingerprint(stay)
    if row is not None and _is_older(stay, row, read_at):
        applied.same += 1
        return
    if row is not None and row.fingerprint == print_:
        applied.same += 1
        Reservation.objects.filter(pk=row.pk).update(
            pms_updated_at=stay.updated_at or row.pms_updated_at, read_at=read_at
        )
        return
    if row is None:
        row = Reservation(
            property_id=integration.property_id,
            integration=integration,
            external_id=stay.external_id,
            first_seen_at=now,
            pms_created_at=stay.created_at,
        )
        applied.new += 1
    _copy(stay, row, now)
    if outage is not None:
        _mark(stay, row, outage)
    row.fingerprint, row.changed_at, row.read_at = print_, now, read_at
    row.save()
    applied.changed.append(row.pk)


def _is_older(stay: Stay, row: Reservation, read_at: datetime) -> bool:
    """Older by version; or, since a PMS may change a stay without a new version, asked before what is stored."""
    if stay.updated_at and row.pms_updated_at and stay.updated_at != row.pms_updated_at:
        return stay.updated_at < row.pms_updated_at
    return read_at < row.read_at


def fingerprint(stay: Stay) -> str:
    """Equal for equal content, whatever its version: what keys care about, and the guest."""
    content = [
        stay.booking_ref,
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
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()


def _copy(stay: Stay, row: Reservation, now: datetime) -> None:
    row.booking_ref, row.number = stay.booking_ref, stay.number
    if stay.state is not StayState.UNKNOWN or row.pk is None:
        row.state = stay.state.value
    row.guest_name, row.guest_ref = stay.guest_name, stay.guest_ref
    row.guest_email, row.guest_phone = stay.guest_email, stay.guest_phone
    row.companions = [{"ref": c.ref, "name": c.name} for c in stay.companions]
    row.room_ref, row.room_name = stay.room_ref, stay.room_name
    row.arrival_on, row.departure_on = stay.arrival_on, max(stay.departure_on, stay.arrival_on)
    row.arrival_at, row.departure_at = stay.arrival_at, stay.departure_at
    row.pms_updated_at = stay.updated_at or row.pms_updated_at
    if stay.state is not StayState.UNKNOWN:
        row.checked_in_at = (row.checked_in_at or now) if stay.checked_in else None
        row.departed_at = (row.departed_at or now) if stay.state is StayState.DEPARTED else None
    row.checked_in_online_at = (
        (row.checked_in_online_at or now) if stay.checked_in_online else None
    )


def _mark(stay: Stay, row: Reservation, outage: Outage) -> None:
    """Affected: changed from the last good word until Reconnect. Came in: created then, or first seen now if it does not say."""
    until = outage.reconnected_at or outage.began_at
    changed_at = stay.updated_at
    if changed_at is None or outage.last_word_at - ROUNDING <= changed_at < until:
        row.affected_by = outage
    if row.pk is not None:
        return
    created_at = stay.created_at
    if created_at is None or outage.last_word_at - ROUNDING <= created_at < until:
        row.came_in_during = row.affected_by = outage


# Rooms --------------------------------------------------------------------------------------------


def import_rooms(*, integration: Integration, rooms: Iterable[RoomFacts], now: datetime) -> int:
    """Store the PMS's rooms; on the first import a room whose name, or dorm's name, is a door's maps itself."""
    first = not Room.objects.filter(integration=integration).exists()
    doors = {
        door.name.lower(): door
        for door in Door.objects.filter(property_id=integration.property_id, archived_at=None)
    }
    count = 0
    with transaction.atomic():
        for facts in rooms:
            count += 1
            Room.objects.update_or_create(
                integration=integration,
                external_id=facts.external_id,
                defaults={
                    "property_id": integration.property_id,
                    "name": facts.name,
                    "parent_name": facts.parent_name,
                    "is_virtual": facts.is_virtual,
                    "seen_at": now,
                },
            )
            door = doors.get(facts.name.lower()) or doors.get(facts.parent_name.lower())
            if first and door is not None and not facts.is_virtual:
                _map(integration, facts.external_id, door)
        bump([integration.property_id])
    return count


def _map(integration: Integration, room_ref: str, door: Door) -> None:
    RoomDoor.objects.get_or_create(
        integration=integration,
        room_ref=room_ref,
        door=door,
        defaults={"property_id": integration.property_id},
    )


def map_room(
    *, integration: Integration, room_ref: str, door: Door, by: Actor, now: datetime
) -> None:
    """Have a PMS room open this door; its reservations are followed again. Raises ValueError across properties."""
    if door.property_id != integration.property_id:
        raise ValueError("a room and its door belong to one property")
    with transaction.atomic():
        _map(integration, room_ref, door)
        _follow_again(integration, [room_ref], by, now)


def unmap_room(
    *, integration: Integration, room_ref: str, door: Door, by: Actor, now: datetime
) -> None:
    """A PMS room opens this door no longer; its reservations are followed again."""
    with transaction.atomic():
        RoomDoor.objects.filter(integration=integration, room_ref=room_ref, door=door).delete()
        _follow_again(integration, [room_ref], by, now)


def _follow_again(
    integration: Integration, room_refs: Sequence[str], by: Actor, now: datetime
) -> None:
    stays = Reservation.objects.filter(
        integration=integration, room_ref__in=room_refs, state__in=ACTIVE
    )
    ids = list(stays.values_list("id", flat=True))
    stays.update(followed_at=None)
    log.info("rooms mapped anew by %s: %s reservations are followed again", by.source, len(ids))
    bump([integration.property_id])
    reservation_changed.send(sender=Reservation, reservation_ids=ids)


# Reading ------------------------------------------------------------------------------------------


def read_bookings(*, integration: Integration, refs: Sequence[str], now: datetime) -> Applied:
    """Read these bookings back and apply them. Raises the adapter's errors."""
    pages = connection.ask(
        integration, lambda hotel: list(hotel.bookings(list(dict.fromkeys(refs)))), now=now
    )
    return apply_pages(integration=integration, pages=pages, now=now)


def read_changes(*, integration: Integration, now: datetime) -> Applied:
    """Everything changed since the last whole walk; the mark moves only when this one was whole."""
    since = integration.read_until_at or now - timedelta(days=1)
    pages = connection.ask(
        integration, lambda hotel: list(hotel.changed(since, now=now)), now=now
    )
    applied = apply_pages(integration=integration, pages=pages, now=now)
    if not applied.not_understood:
        Integration.objects.filter(pk=integration.pk).update_untracked(read_until_at=now)
    connection.good_word(
        integration_id=integration.pk, token_version=integration.token_version, now=now
    )
    return applied


def sweep(*, integration: Integration, now: datetime) -> Applied:
    """Read all current and coming stays: the net under changes that touch no time of change."""
    today = now.astimezone(zone(integration.property.timezone)).date()
    pages = connection.ask(
        integration, lambda hotel: list(hotel.current_and_coming(today)), now=now
    )
    applied = apply_pages(integration=integration, pages=pages, now=now)
    Integration.objects.filter(pk=integration.pk).update_untracked(swept_at=now)
    return applied


def apply_pages(
    *,
    integration: Integration,
    pages: Sequence[Page],
    now: datetime,
    outage: Outage | None = None,
) -> Applied:
    """Apply whole pages, endings first, in transactions of a few hundred stays."""
    applied = Applied(not_understood=sum(page.not_understood for page in pages))
    stays = [stay for page in pages for stay in page.stays]
    stays.sort(key=lambda stay: 0 if stay.state in ENDING else 1)
    for start in range(0, len(stays), 200):
        applied.add(
            apply(
                integration=integration,
                stays=stays[start : start + 200],
                now=now,
                outage=outage,
            )
        )
    return applied


def resync(*, integration: Integration, now: datetime) -> Applied | None:
    """Find everything that was missed by reading all of it; then the connection is Connected and the outage over.

    One walk at a time per integration; none when another is under way. Safe to repeat and to kill: the marks are moved
    only by a whole walk, and nothing is applied twice. Raises the adapter's errors.
    """
    claimed = Integration.objects.filter(pk=integration.pk).exclude(reading_until_at__gt=now)
    if not claimed.update_untracked(reading_until_at=now + SYNC_CLAIM):
        return None
    try:
        return _walk(integration, now)
    finally:
        Integration.objects.filter(pk=integration.pk).update_untracked(reading_until_at=None)


def _walk(integration: Integration, now: datetime) -> Applied:
    outage = integration.outages.filter(ended_at=None).order_by("began_at").first()
    today = now.astimezone(zone(integration.property.timezone)).date()
    since = outage.last_word_at if outage else now - timedelta(days=1)
    version = integration.token_version
    rooms, pages = connection.ask(
        integration, lambda hotel: _read_everything(integration, hotel, since, today, now), now=now
    )
    import_rooms(integration=integration, rooms=rooms, now=now)
    applied = apply_pages(integration=integration, pages=pages, now=now, outage=outage)
    missed = _unmentioned(integration, pages, now)
    if missed:
        more = connection.ask(integration, lambda hotel: list(hotel.bookings(missed)), now=now)
        applied.add(apply_pages(integration=integration, pages=more, now=now, outage=outage))
    Integration.objects.filter(pk=integration.pk).update_untracked(swept_at=now)
    fresh = Integration.objects.get(pk=integration.pk)
    connection.caught_up(
        integration_id=integration.pk,
        token_version=max(version, fresh.token_version),
        began_at=now,
        now=now,
    )
    return applied


def _read_everything(
    integration: Integration, hotel: Hotel, since: datetime, today: date, now: datetime
) -> tuple[list[RoomFacts], list[Page]]:
    url = connection.hook_url(integration)
    prefix = f"{settings.PORTAL_BASE_URL}/hooks/{integration.adapter}/"
    refused = hotel.mend_webhooks(url, own_prefix=prefix).refused
    if refused:
        log.warning("the PMS refused %s webhook subscriptions", len(refused))
    pages = [*hotel.changed(since, now=now), *hotel.current_and_coming(today)]
    return list(hotel.rooms()), pages


def _unmentioned(integration: Integration, pages: Sequence[Page], now: datetime) -> list[str]:
    """Bookings that we hold as active and that no page mentioned: asked for by name, never taken for gone."""
    seen = {stay.external_id for page in pages for stay in page.stays}
    yesterday = now.date() - timedelta(days=1)
    held = Reservation.objects.filter(
        integration=integration, state__in=ACTIVE, departure_on__gte=yesterday
    ).values_list("external_id", "booking_ref")
    return sorted({ref for external_id, ref in held if external_id not in seen})
