"""Settings → Integrations: the PMS, its state in words, Connect, Reconnect and Disconnect."""

from __future__ import annotations

from dataclasses import dataclass

from django.contrib import messages
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from keys.models import Key, KeychainDoor
from keys.rules import Permission
from locks.clock import zone
from pms import connection
from pms.adapters import REGISTRY
from pms.connection import NotConnected
from pms.models import Integration, Outage, Reservation, Room, RoomDoor
from portal.roles import Right
from portal.staff import dates
from portal.staff.access import StaffRequest, needs
from portal.staff.pages import now, show

State = Integration.State
CAP = 1000


@dataclass(frozen=True, slots=True)
class Card:
    """One PMS as the page shows it."""

    adapter: str
    name: str
    integration: Integration | None
    outage: Outage | None
    held: int
    unmapped: int


@never_cache
@require_GET
@needs(Right.SEE_SETTINGS)
def integrations(request: StaffRequest) -> HttpResponse:
    """Every PMS that can be connected, the connected one with its state."""
    rows = {
        row.adapter: row for row in Integration.objects.filter(property_id=request.staff.hotel.pk)
    }
    cards = [_card(name, rows.get(name)) for name in REGISTRY]
    return show(request, "staff/integrations.html", {"cards": cards})


def _card(adapter: str, row: Integration | None) -> Card:
    name = adapter.title()
    if row is None:
        return Card(adapter, name, None, None, 0, 0)
    outage = Outage.objects.filter(integration=row).order_by("-began_at").first()
    held = KeychainDoor.objects.filter(
        outage__integration=row, permission=Permission.HELD_BY_OUTAGE.value, removed_at=None
    )
    mapped = RoomDoor.objects.filter(integration=row).values("room_ref")
    unmapped = Room.objects.filter(integration=row, is_virtual=False).exclude(
        external_id__in=mapped
    )
    count = len(set(held.values_list("key_id", flat=True)[:CAP]))
    return Card(adapter, name, row, outage, count, unmapped.count())


@never_cache
@require_GET
@needs(Right.SEE_KEYS)
def affected(request: StaffRequest) -> HttpResponse:
    """The reservations that came in while the PMS was broken and wait for someone, soonest first."""
    at, hotel = now(), request.staff.hotel
    held = KeychainDoor.objects.filter(
        property=hotel, permission=Permission.HELD_BY_OUTAGE.value, removed_at=None
    ).values("key_id")
    keys = Key.objects.filter(property=hotel, pk__in=held, revoked_at=None, ends_at__gt=at)
    tz = zone(hotel.timezone)
    found = list(keys.select_related("reservation").order_by("starts_at", "id")[:200])
    lines = [(key, dates.day_and_time(key.starts_at, tz=tz, now=at)) for key in found]
    changed = Reservation.objects.filter(
        property=hotel, affected_by__isnull=False, came_in_during=None
    )
    also = list(changed.select_related("key").order_by("-changed_at", "id")[:100])
    return show(request, "staff/affected.html", {"lines": lines, "also": also})


@require_POST
@needs(Right.CHANGE_INTEGRATIONS)
def connect(request: StaffRequest, adapter: str) -> HttpResponseBase:
    """Connect, or Reconnect in place: go to the PMS to sign in there."""
    if adapter not in REGISTRY:
        return redirect("integrations")
    try:
        address = connection.begin_connect(
            property=request.staff.hotel,
            adapter=adapter,
            user_id=request.staff.user.pk,
            by=request.staff.actor(),
            now=now(),
        )
    except NotConnected as problem:
        messages.error(request, problem.message, extra_tags="bad")
        return redirect("integrations")
    return redirect(address)


@never_cache
@require_GET
@needs(Right.CHANGE_INTEGRATIONS)
def callback(request: StaffRequest) -> HttpResponseBase:
    """Where the PMS sends people back to."""
    if request.GET.get("error") or not request.GET.get("code"):
        messages.error(
            request,
            "The sign-in at the PMS was not finished. Nothing was changed.",
            extra_tags="bad",
        )
        return redirect("integrations")
    try:
        row = connection.finish_connect(
            state=request.GET.get("state", ""),
            code=request.GET["code"],
            user_id=request.staff.user.pk,
            by=request.staff.actor(),
            now=now(),
        )
    except NotConnected as problem:
        messages.error(request, problem.message, extra_tags="bad")
    else:
        messages.success(
            request,
            f"{row.adapter.title()} is connected. Portal reads what changed there.",
            extra_tags="",
        )
    return redirect("integrations")


@never_cache
@require_http_methods(["GET", "POST"])
@needs(Right.DISCONNECT)
def disconnect(request: StaffRequest, integration_id: int) -> HttpResponseBase:
    """Disconnect, with a preview of what stays and what stops."""
    row = get_object_or_404(Integration, pk=integration_id, property_id=request.staff.hotel.pk)
    if request.method == "POST":
        connection.disconnect(integration=row, by=request.staff.actor(), now=now())
        messages.success(
            request,
            f"{row.adapter.title()} is disconnected. Codes that are on locks keep working until their end.",
            extra_tags="",
        )
        return redirect("integrations")
    at = now()
    live = Key.objects.filter(
        property_id=row.property_id, revoked_at=None, reservation__isnull=False, ends_at__gt=at
    )
    context = {
        "integration": row,
        "name": row.adapter.title(),
        "current": live.filter(starts_at__lte=at)[:CAP].count(),
        "upcoming": live.filter(starts_at__gt=at)[:CAP].count(),
    }
    return render(request, "staff/disconnect.html", context)
