"""Lists about all locks of a property: what should be gone and is not, and how full their memories will be."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from django.http import HttpResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET

from keys.forecast import DAYS, forecasts, may_be_short
from keys.holdings import ghosts
from keys.models import Assignment
from keys.rules import Hold
from keys.wording import problem_text
from locks.clock import zone
from locks.models import Lock
from locks.slot_models import ForeignCode
from portal.roles import Right
from portal.staff.access import StaffRequest, needs
from portal.staff.pages import capped, now, show, turn

CAP = 100
SHORT_SHOWN = 50


@dataclass(frozen=True, slots=True)
class Ghost:
    """A credential that should be gone, and why it is not."""

    place: Assignment
    why: str
    ended: str


class Tabs(NamedTuple):
    """How much there is in the lists beside the doors, up to a hundred."""

    ghosts: str
    foreign: str


def tabs(request: StaffRequest) -> Tabs:
    """What the tabs beside the doors say."""
    hotel = request.staff.hotel.pk
    strangers = ForeignCode.objects.filter(property_id=hotel, gone_at=None)
    lists = (ghosts(property_id=hotel), strangers)
    return Tabs(*(capped(len(rows.values_list("pk")[:CAP]), at=CAP) for rows in lists))


@never_cache
@require_GET
@needs(Right.SEE_DOORS)
def ghost_list(request: StaffRequest) -> HttpResponse:
    """Credentials that should be off their lock and are not confirmed gone, the longest first."""
    rows = ghosts(property_id=request.staff.hotel.pk).select_related(
        "door", "key", "lock__gateway", "lock__account"
    )
    page = turn(
        rows.filter(headline_since__isnull=False),
        by="headline_since",
        after=request.GET.get("after", ""),
        value=lambda place: place.headline_since,
    )
    context = {
        "ghosts": [_ghost(place) for place in page.rows],
        "next": page.after,
        "tabs": tabs(request),
    }
    return show(request, "staff/ghosts.html", context)


def _ghost(place: Assignment) -> Ghost:
    ended = "Allow Provisioning was switched off"
    if place.headline == Hold.REMOVAL_PENDING:
        ended = place.key.get_revoked_because_display() or "its time is over"
    return Ghost(place, _why(place), ended)


def _why(place: Assignment) -> str:
    lock = place.lock
    if lock is not None and lock.account.state == "broken":
        return "the lock account was refused"
    if place.problem:
        return problem_text(place.problem)
    if lock is not None and lock.gateway is not None and not lock.gateway.is_online:
        return "the gateway is offline"
    if lock is not None and not lock.is_online:
        return "the lock is offline"
    return "it is being removed"


@never_cache
@require_GET
@needs(Right.SEE_DOORS)
def forecast(request: StaffRequest) -> HttpResponse:
    """How full each lock's memory gets in the coming days; those that get too full first."""
    hotel, at = request.staff.hotel, now()
    tz = zone(hotel.timezone)
    locks = Lock.objects.filter(property_id=hotel.pk, door__isnull=False).select_related("door")
    page = turn(locks, by="name", after=request.GET.get("after", ""), value=lambda lock: lock.name)
    first = not request.GET.get("after")
    ids = may_be_short(property_id=hotel.pk, now=at)[:SHORT_SHOWN] if first else []
    doubtful = sorted(locks.filter(pk__in=ids), key=lambda lock: lock.name) if ids else []
    short = [one for one in forecasts(doubtful, tz=tz, now=at) if one.short_days]
    context = {
        "short": short,
        "all": forecasts(page.rows, tz=tz, now=at),
        "next": page.after,
        "days": DAYS,
        "tabs": tabs(request),
    }
    return show(request, "staff/forecast.html", context)
