"""After an outage: the reservations it touched, what happened to each, what is proposed, and the call for support."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.contrib import messages
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from keys import releasing, support
from keys.affected import not_followed_yet, stays_of, touched
from keys.explaining import KeyAnswer, explain_keys
from keys.models import Key, Recovery
from keys.recovery_steps import has_open
from keys.remedies import WORDS as REMEDIES
from keys.remedies import Proposal, Remedy
from keys.rules import Permission
from locks.clock import zone
from pms.differences import sentences
from pms.models import Outage, Reservation
from portal.roles import Right
from portal.staff import dates
from portal.staff.access import StaffRequest, needs
from portal.staff.keys import WORDS
from portal.staff.pages import now, show, turn

OUTAGES = 20
RECOVERIES = 5


@dataclass(frozen=True, slots=True)
class Line:
    """One affected reservation: what happened, what is proposed, how it stands, and how it would, were it released."""

    stay: Reservation
    key: Key | None
    arrival: str
    doors: list[str]
    happened: list[str]
    proposal: Proposal
    remedy: str
    is_held: bool
    stands: str
    would: str


@never_cache
@require_GET
@needs(Right.SEE_KEYS)
def affected(request: StaffRequest) -> HttpResponse:
    """The reservations that an outage touched, soonest arrival first."""
    hotel, at = request.staff.hotel, now()
    outages = list(
        Outage.objects.filter(property=hotel)
        .select_related("integration", "property")
        .order_by("-began_at", "-id")[:OUTAGES]
    )
    outage = _chosen(outages, request.GET.get("outage", ""), at)
    if outage is None:
        return show(request, "staff/affected.html", {"lines": [], "outage": None} | WORDS)
    page = turn(
        stays_of(outage).select_related("key"),
        by="arrival_on",
        after=request.GET.get("after", ""),
        value=lambda stay: stay.arrival_on.isoformat(),
    )
    recoveries = list(Recovery.objects.filter(outage=outage).order_by("-id")[:RECOVERIES])
    is_open = has_open(outage, now=at)
    context = {
        "outage": outage,
        "outages": outages,
        "is_over": outage.ended_at is not None,
        "lines": _lines(list(page.rows), outage, at),
        "next": page.after,
        "is_open": is_open,
        "may_choose": is_open and request.staff.may(Right.RELEASE_IN_BULK),
        "following": not_followed_yet(outage, now=at),
        "recoveries": recoveries,
        "asked": support.waits_for_support(outage) if is_open else None,
    }
    return show(request, "staff/affected.html", context | WORDS)


def _chosen(outages: list[Outage], wanted: str, at: datetime) -> Outage | None:
    """The outage asked for; else the newest that still holds something; else the newest."""
    asked = next((one for one in outages if str(one.pk) == wanted), None)
    if asked is not None or not outages:
        return asked
    holding = (one for one in outages if releasing.held_doors(outage=one, now=at).exists())
    return next(holding, outages[0])


def _lines(stays: list[Reservation], outage: Outage, at: datetime) -> list[Line]:
    keys = [stay.key for stay in stays if hasattr(stay, "key")]
    stands = explain_keys(keys=keys, now=at)
    would = explain_keys(keys=keys, now=at, released=Permission.AUTOMATIC)
    alike = Reservation.objects.filter(pk__in=[stay.pk for stay in stays])
    found = touched(outage=outage, stays=alike, now=at, seen_at=at)
    proposals = {one.stay.id: one.proposal for one in found}
    return [_line(stay, outage, proposals[stay.pk], stands, would, at) for stay in stays]


def _line(
    stay: Reservation,
    outage: Outage,
    proposal: Proposal,
    stands: dict[int, KeyAnswer],
    would: dict[int, KeyAnswer],
    at: datetime,
) -> Line:
    key: Key | None = getattr(stay, "key", None)
    answer = stands[key.pk] if key else None
    held = answer is not None and any(
        door.keychain_door.permission == Permission.HELD_BY_OUTAGE.value
        and door.keychain_door.outage_id == outage.pk
        for door in answer.doors
    )
    tz = zone(outage.property.timezone)
    return Line(
        stay=stay,
        key=key,
        arrival=dates.day_and_time(key.starts_at, tz=tz, now=at) if key else "",
        doors=[door.door.name for door in answer.doors] if answer else [],
        happened=_happened(stay, outage),
        proposal=proposal,
        remedy=_remedy(proposal),
        is_held=held,
        stands=_stands(answer),
        would=_stands(would[key.pk]) if key and held else "",
    )


def _happened(stay: Reservation, outage: Outage) -> list[str]:
    """What happened, as it was noted when it was read; a later outage may have taken the note's place."""
    if stay.happened and stay.affected_by_id == outage.pk:
        return sentences(stay.happened, stay.before_outage, stay)
    came_in = stay.came_in_during_id == outage.pk
    return ["Came in meanwhile" if came_in else "Changed meanwhile"]


def _remedy(proposal: Proposal) -> str:
    words = REMEDIES[proposal.remedy]
    if proposal.remedy is Remedy.LINK:
        return f"{words}, Key {proposal.twin_id}, and keep its code"
    if proposal.is_done and proposal.remedy is not Remedy.LEAVE:
        return f"{words}: done when Portal caught up"
    return words


def _stands(answer: KeyAnswer | None) -> str:
    if answer is None:
        return "No key: the reservation ended or has no room."
    if answer.headline:
        return answer.headline
    return f"{answer.state}, on all its locks." if answer.is_active else f"{answer.state}."


def outage_of(request: StaffRequest, outage_id: int) -> Outage:
    """The outage, if it is this property's; 404 otherwise."""
    rows = Outage.objects.select_related("integration", "property")
    return get_object_or_404(rows, pk=outage_id, property_id=request.staff.hotel.pk)


@require_POST
@needs(Right.SEE_KEYS)
def contact_support(request: StaffRequest, outage_id: int) -> HttpResponseBase:
    """Put the outage and how many keys it holds, without guests, into support's queue."""
    outage = outage_of(request, outage_id)
    support.contact_support(outage=outage, by=request.staff.actor(), now=now())
    messages.success(
        request,
        "Support was asked to release what waits. They see the outage and the count, no guests.",
        extra_tags="",
    )
    return redirect("affected")
