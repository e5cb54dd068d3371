"""The only writer of Reservation: applies what was read from a PMS.

Nothing older than what is stored is ever applied. What an answer does not mention is unknown, never gone. Keys hear of a
change by ``reservation_changed``, inside the transaction that made it.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import NamedTuple

from django.db import IntegrityError, transaction
from django.db.models import QuerySet

from locks.clock import database_now
from locks.pulse import bump
from locks.vault import digest
from pms import connection
from pms.adapters import Companion, Ended, Page, Stay, StayState
from pms.erased import without_erased
from pms.missing import note_mentioned
from pms.models import Integration, Reservation, Room
from pms.rooms import import_rooms
from pms.signals import reservation_changed
from pms.spans import Spans, mark, spans_of

__all__ = ["apply", "apply_pages", "import_rooms"]
log = logging.getLogger(__name__)
State = Reservation.State
ENDING = {StayState.CANCELLED, StayState.NO_SHOW, StayState.DELETED, StayState.DEPARTED}
ACTIVE = [State.TENTATIVE, State.EXPECTED, State.IN_HOUSE, State.UNKNOWN]
AT_ONCE = 200


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
    spans = spans_of(integration) if spans is None else spans
    try:
        return _apply(integration, stays, spans, read_at or now, now)
    except IntegrityError:  # another worker stored one of them first; now it is known
        return _apply(integration, stays, spans, read_at or now, now)


def _apply(
    integration: Integration,
    stays: Sequence[Stay],
    spans: Spans,
    asked_at: datetime,
    now: datetime,
) -> Applied:
    applied, rooms = Applied(), _room_names(integration, stays)
    with transaction.atomic():
        news = _news(integration, [_named(stay, rooms) for stay in stays], asked_at)
        applied.same += len(stays) - len(news)
        refs = [stay.external_id for stay in news]
        rows = _locked(integration, refs) if refs else ()
        known = {row.external_id: row for row in rows}
        whole = [_completed(stay, known.get(stay.external_id)) for stay in news]
        for stay in sorted(whole, key=lambda s: _urgency(s, known.get(s.external_id))):
            row = known.get(stay.external_id)
            if row is not None and not _is_news(stay, row, asked_at):
                applied.same += 1
                continue
            if row is not None and _is_echo(stay, row, spans):
                _note_version(stay, row, asked_at)
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


class _Glance(NamedTuple):
    """What tells whether a stay is news, without its guest."""

    pms_updated_at: datetime | None
    read_at: datetime
    fingerprint: str
    erased_refs: list[str]


def _news(integration: Integration, stays: Sequence[Stay], asked_at: datetime) -> list[Stay]:
    """The stays that may be news; the rows of all of them are locked. A resync finds most as known, and opening every
    guest's contacts to see that would be most of its work."""
    rows = _locked(integration, [stay.external_id for stay in stays])
    found = {
        ref: _Glance(*rest) for ref, *rest in rows.values_list("external_id", *_Glance._fields)
    }
    news = []
    for said in stays:
        glance = found.get(said.external_id)
        stay = said if glance is None else without_erased(said, glance.erased_refs)
        if glance is None or not stay.guests_known or _is_news(stay, glance, asked_at):
            news.append(stay)
    return news


def _locked(integration: Integration, refs: Sequence[str]) -> QuerySet[Reservation]:
    """These stays of one PMS, locked until the end of the transaction, in the order in which all lock them."""
    rows = Reservation.objects.select_for_update(no_key=True)
    return rows.filter(integration=integration, external_id__in=refs).order_by("id")


def _room_names(integration: Integration, stays: Sequence[Stay]) -> dict[str, str]:
    """The names of rooms that a PMS tells only by their ids."""
    nameless = {stay.room_ref for stay in stays if stay.room_ref and not stay.room_name}
    if not nameless:
        return {}
    rooms = Room.objects.filter(integration=integration, external_id__in=nameless)
    return dict(rooms.values_list("external_id", "name"))


def _named(stay: Stay, rooms: Mapping[str, str]) -> Stay:
    """With its room's name."""
    if stay.room_ref and not stay.room_name:
        return replace(stay, room_name=rooms.get(stay.room_ref, ""))
    return stay


def _completed(stay: Stay, row: Reservation | None) -> Stay:
    """With the guests that are known where they could not be read."""
    if stay.guests_known or row is None:
        return stay
    return replace(
        stay,
        guest_ref=row.guest_ref,
        guest_name=row.guest_name,
        guest_email=row.guest_email,
        guest_phone=row.guest_phone,
        companions=tuple(Companion(ref=c["ref"], name=c["name"]) for c in row.companions),
    )


def _urgency(stay: Stay, known: Reservation | None) -> int:
    if stay.state in ENDING:
        return 0
    shortened = known is not None and stay.departure_on < known.departure_on
    return 1 if shortened else 2


def _is_news(stay: Stay, row: Reservation | _Glance, asked_at: datetime) -> bool:
    """Newer by version; or, since a PMS may change a stay without a new version, other content asked for later."""
    ours, theirs = row.pms_updated_at, stay.updated_at
    if ours is not None and theirs is not None and theirs != ours:
        return theirs > ours
    return asked_at >= row.read_at and row.fingerprint != fingerprint(stay)


def _is_echo(stay: Stay, row: Reservation, spans: Spans) -> bool:
    """A new version with nothing new that keys care about, in no outage: what Portal's own writing causes."""
    if row.fingerprint != fingerprint(stay):
        return False
    return spans.recovering is None and spans.at(stay.updated_at) is None


def _note_version(stay: Stay, row: Reservation, asked_at: datetime) -> None:
    row.pms_updated_at, row.read_at = stay.updated_at, asked_at
    row.save(update_fields=["pms_updated_at", "read_at"])


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
    mark(stay, row, spans, was_version=was_version)
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
    "before_outage",
    "happened",
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
    note_mentioned(integration=integration, refs=[stay.external_id for stay in stays])
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
