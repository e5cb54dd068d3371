"""The Alerts page, the notice that every page has, and what each person wants by e-mail."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib import messages
from django.db.models import Count, Subquery
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import urlencode
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET

from keys.alerting import REMEDIES
from keys.holdings import ghosts
from keys.telling_models import Alert
from portal import alert_mails
from portal.models import AlertPreference
from portal.roles import Right
from portal.staff.access import Staff, StaffRequest, needs
from portal.staff.alert_forms import PreferenceForm
from portal.staff.pages import capped, form_page, show, turn

NOTICE_COUNTS_TO = 100
Place = tuple[Right, str, str]
"""A page where a remedy begins: the right that it needs, its name, its address."""


@dataclass(frozen=True, slots=True)
class Notice:
    """The open alerts in one line: how many, the most urgent one's words, and how many credentials should be gone."""

    count: str
    not_gone: str
    first: Alert
    is_urgent: bool


@dataclass(frozen=True, slots=True)
class Line:
    """One alert with its remedy and the place where to begin, if this person may go there."""

    alert: Alert
    remedy: str
    where: str
    link: str


def notice(staff: Staff) -> Notice | None:
    """What every page says of open alerts; one query. What should be gone is counted where something is open only:
    a removal that takes its ordinary few seconds is no news."""
    if not staff.may(Right.SEE_ALERTS):
        return None
    rows = Alert.objects.filter(property_id=staff.hotel.pk, closed_at=None)
    to_go = ghosts(property_id=staff.hotel.pk).order_by().values("property_id")
    not_gone = Subquery(to_go.annotate(many=Count("pk")).values("many"))
    found = list(rows.annotate(not_gone=not_gone).order_by("rank", "id")[:NOTICE_COUNTS_TO])
    if not found:
        return None
    first = max(found, key=lambda one: (one.is_urgent(), -one.rank, -one.pk))
    return Notice(
        capped(len(found), at=NOTICE_COUNTS_TO),
        capped(first.not_gone or 0, at=NOTICE_COUNTS_TO),
        first,
        first.is_urgent(),
    )


@never_cache
@require_GET
@needs(Right.SEE_ALERTS)
def alerts(request: StaffRequest) -> HttpResponse:
    """Open alerts, the most urgent first; or past ones, the latest first."""
    past = request.GET.get("show") == "past"
    rows = Alert.objects.filter(property_id=request.staff.hotel.pk, closed_at__isnull=not past)
    after = request.GET.get("after", "")
    if past:
        page = turn(rows, by="-closed_at", after=after, value=_end)
    else:
        page = turn(rows, by="rank", after=after, value=_rank)
    context: dict[str, Any] = {
        "lines": _lines(page.rows, request.staff),
        "next": page.after,
        "past": past,
    }
    return show(request, "staff/alerts.html", context)


def _end(alert: Alert) -> datetime | None:
    return alert.closed_at


def _rank(alert: Alert) -> int:
    return alert.rank


def _lines(rows: Sequence[Alert], staff: Staff) -> list[Line]:
    return [Line(one, REMEDIES[one.kind], *place_of(one, staff)) for one in rows]


def place_of(alert: Alert, staff: Staff) -> tuple[str, str]:
    """The name and the address of the page where the remedy begins; empty when this person may not open it."""
    what, _, number = alert.about.partition(":")
    for right, name, address in _places(alert, what, number):
        if staff.may(right):
            return name, address
    return "", ""


def _places(alert: Alert, what: str, number: str) -> list[Place]:
    integrations = (Right.SEE_SETTINGS, "Settings → Integrations", reverse("integrations"))
    door = (Right.SEE_DOORS, "Open the door", reverse("door", args=[number or 0]))
    match alert.kind:
        case Alert.Kind.PMS_BROKEN | Alert.Kind.PMS_SILENT:
            return [integrations]
        case Alert.Kind.PMS_MISSING:
            address = reverse("missing", args=[number or 0])
            missing = (Right.CHANGE_INTEGRATIONS, "Missing reservations", address)
            return [missing, integrations]
        case Alert.Kind.ACCOUNT:
            systems = reverse("lock_systems")
            place = (Right.SEE_LOCK_SYSTEMS, "Settings → Lock systems", systems)
            return [place, (Right.SEE_DOORS, "Doors", reverse("doors"))]
        case Alert.Kind.GATEWAY:
            locks = (Right.PAIR_LOCKS, "Settings → Locks", reverse("installation"))
            return [locks, (Right.SEE_DOORS, "Doors", reverse("doors"))]
        case Alert.Kind.REMOVALS | Alert.Kind.CLOCK:
            return [door]
    return _places_of_arrivals(alert, what, door, integrations)


def _places_of_arrivals(alert: Alert, what: str, door: Place, integrations: Place) -> list[Place]:
    match what:
        case "door":
            found = f"{reverse('keys')}?{urlencode({'q': alert.subject})}"
            return [(Right.SEE_KEYS, "Keys of this door", found), door]
        case "outage":
            return [(Right.SEE_KEYS, "Affected reservations", reverse("affected"))]
        case "pms":
            return [integrations]
        case "rooms":
            return [(Right.EDIT_DOORS, "Doors: add the rooms", reverse("doors"))]
    return [(Right.SEE_KEYS, "Keys that wait", f"{reverse('keys')}?pending=someone")]


@never_cache
@form_page
@needs(Right.SEE_ALERTS)
def alert_preferences(request: StaffRequest) -> HttpResponseBase:
    """Which alerts this person gets by e-mail from this property, and when not."""
    member = request.staff.membership
    row = AlertPreference.objects.filter(membership=member).first()
    form = PreferenceForm(request.POST or None, initial=_shown(row))
    if request.method == "POST" and form.is_valid():
        alert_mails.change_preference(membership=member, **form.cleaned_data)
        messages.success(request, "Saved.", extra_tags="")
        return redirect("alerts")
    return render(request, "staff/alert_preferences.html", {"form": form})


def _shown(row: AlertPreference | None) -> dict[str, Any]:
    if row is None:
        return {"by_email": False, "kinds": Alert.Kind.values, "urgent_anyway": True}
    names = ("by_email", "kinds", "quiet_from", "quiet_to", "urgent_anyway")
    return {name: getattr(row, name) for name in names}
