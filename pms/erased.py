"""Guests who were erased, on the PMS side: what is taken out of stays and stored events, and what the PMS may not bring back.

A guest's id at the PMS becomes a pseudonym that only Portal's digest key can make from it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import replace
from functools import reduce
from operator import or_

from django.db.models import Q, QuerySet

from locks.vault import digest
from pms.adapters import Companion, Stay, Subject
from pms.models import Reservation, WebhookEvent

MARK = "erased-"
MAIN = "main"
"""Stands in ``erased_refs`` where the main guest was erased: the stay has no named main guest any more."""


def pseudonym(ref: str) -> str:
    """What stands in the place of a guest's id at the PMS; of a pseudonym that is itself."""
    return ref if ref.startswith(MARK) else MARK + digest(ref, scope="erased guest")[:24]


def without_erased(stay: Stay, erased: Collection[str]) -> Stay:
    """What the PMS said of a stay, without the names and contacts of those who were erased. Pure."""
    if not erased or not stay.guests_known:
        return stay
    others = tuple(
        Companion(ref=pseudonym(c.ref), name="") if pseudonym(c.ref) in erased else c
        for c in stay.companions
    )
    stay = replace(stay, companions=others)
    if MAIN not in erased and pseudonym(stay.guest_ref) not in erased:
        return stay
    return replace(
        stay, guest_ref=pseudonym(stay.guest_ref), guest_name="", guest_email="", guest_phone=""
    )


def stays_with(property_id: int, ref: str) -> QuerySet[Reservation]:
    """The stays of a hotel that name this guest of the PMS, as main guest or companion."""
    named = Q(guest_ref=ref) | Q(companions__icontains=ref)
    return Reservation.objects.filter(named, property_id=property_id)


def forget_in_stays(rows: Iterable[Reservation], *, refs: Collection[str], is_main: bool) -> int:
    """Take the guests ``refs`` out of these stays, which the caller has locked; with ``is_main`` the main guest, too.

    The fingerprint fits nothing any more, so the next word of the PMS is applied once, without the guest.
    """
    many = 0
    for row in rows:
        gone = [c for c in row.companions if c.get("ref") in refs]
        main = is_main or row.guest_ref in refs
        if not gone and not main:
            continue
        erased = {*row.erased_refs, *(pseudonym(c["ref"]) for c in gone)}
        row.companions = [
            {"ref": pseudonym(c["ref"]), "name": ""} if c in gone else c for c in row.companions
        ]
        if main:
            erased |= {MAIN, pseudonym(row.guest_ref)}
            row.guest_ref = pseudonym(row.guest_ref)
            row.guest_name = row.guest_email = row.guest_phone = ""
        row.erased_refs = sorted(erased)
        row.fingerprint = digest(str(row.pk), scope="erased stay")
        row.save()
        many += 1
    return many


def forget_in_events(
    property_id: int,
    *,
    refs: Collection[str],
    words: Collection[str],
    stays: Iterable[Reservation],
    masked: Callable[[str], str],
) -> int:
    """Empty the stored events about these guests and stays, and those that say one of the words. Returns how many.

    What an event is about stays until it is worked off; the body is needed by nobody.
    """
    about = {f"{Subject.GUEST}:{ref}" for ref in refs}
    for stay in stays:
        about |= {f"{Subject.BOOKING}:{stay.booking_ref}", f"{Subject.STAY}:{stay.external_id}"}
    says = [Q(payload__icontains=word) | Q(result__icontains=word) for word in {*words, *refs}]
    events = WebhookEvent.objects.filter(property_id=property_id)
    events = events.filter(reduce(or_, says, Q(entity__in=about)))
    many = 0
    for event in events.only("payload", "result", "entity", "event_key", "processed_at"):
        event.payload, event.result = "", masked(event.result)[:200]
        if event.processed_at is not None:
            event.entity = _nobody(event.entity, refs)
            event.event_key = _nobody_key(event, refs)
        event.save(update_fields=["payload", "result", "entity", "event_key"])
        many += 1
    return many


def _nobody(entity: str, refs: Collection[str]) -> str:
    subject, _, ref = entity.partition(":")
    return f"{subject}:{pseudonym(ref)}" if ref in refs else entity


def _nobody_key(event: WebhookEvent, refs: Collection[str]) -> str:
    """The key of an event that was worked off, which only tells it from its twins."""
    return f"{MARK}{event.pk}" if any(ref in event.event_key for ref in refs) else event.event_key
