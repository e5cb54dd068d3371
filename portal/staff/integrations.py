"""Settings → Integrations: the PMS, its state in words, Connect, Reconnect and Disconnect."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib import messages
from django.db.models import Exists, Max, OuterRef
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from keys import ending, releasing
from keys.affected import not_followed_yet
from keys.ending import Ends
from keys.models import Assignment
from pms import connecting, connection
from pms.adapters import REGISTRY, title_of
from pms.connection import NotConnected
from pms.mapping import without_door
from pms.models import Integration, Outage, Room, RoomDoor
from portal.roles import Right
from portal.staff.access import StaffRequest, needs
from portal.staff.forms import AccessTokenForm, DisconnectForm
from portal.staff.key_list import capped
from portal.staff.pages import form_page, now, show

State = Integration.State
CAP = 1000


@dataclass(frozen=True, slots=True)
class Card:
    """One PMS as the page shows it; ``other`` is another one that the property uses."""

    adapter: str
    name: str
    by_token: bool
    other: str
    integration: Integration | None
    outage: Outage | None
    held: tuple[int, int] | None
    following: int
    rooms: int
    unmapped: int
    missing: int


@never_cache
@require_GET
@needs(Right.SEE_SETTINGS)
def integrations(request: StaffRequest) -> HttpResponse:
    """Every PMS that can be connected, the connected one with its state."""
    rows = {
        row.adapter: row
        for row in Integration.objects.filter(property_id=request.staff.hotel.pk).select_related(
            "property"
        )
    }
    used = {name for name, row in rows.items() if row.state != State.DISCONNECTED}
    cards = [_card(name, rows.get(name), used - {name}, now()) for name in REGISTRY]
    return show(request, "staff/integrations.html", {"cards": cards})


def _card(adapter: str, row: Integration | None, others: set[str], at: datetime) -> Card:
    name, by_token = title_of(adapter), connection.takes_token(adapter)
    other = ", ".join(title_of(each) for each in sorted(others))
    if row is None:
        return Card(adapter, name, by_token, other, None, None, None, 0, 0, 0, 0)
    outage = Outage.objects.filter(integration=row).order_by("-began_at").first()
    rooms = Room.objects.filter(integration=row).count()
    unmapped = without_door(row, at).count()
    held = releasing.most_held(property_id=row.property_id, now=at)
    following = not_followed_yet(outage, now=at) if held and outage else 0
    missing = ending.missing_keys(row, now=at).count()
    return Card(
        adapter, name, by_token, other, row, outage, held, following, rooms, unmapped, missing
    )


@never_cache
@form_page
@needs(Right.CHANGE_INTEGRATIONS)
def connect(request: StaffRequest, adapter: str) -> HttpResponseBase:
    """Connect or Reconnect: go to the PMS to sign in there, or take the access token that the PMS gave."""
    if adapter not in REGISTRY:
        return redirect("integrations")
    if connection.takes_token(adapter):
        return _take_token(request, adapter)
    if request.method != "POST":
        return redirect("integrations")
    try:
        address = connecting.begin_connect(
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


def _take_token(request: StaffRequest, adapter: str) -> HttpResponseBase:
    """The steps at the PMS, and the place for its token. What was typed stays out of the page: it is a secret."""
    form = AccessTokenForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            row = connecting.connect_with_token(
                property=request.staff.hotel,
                adapter=adapter,
                typed=form.cleaned_data["token"],
                by=request.staff.actor(),
            )
        except NotConnected as problem:
            form.add_error("token", problem.message)
        else:
            _say_connected(request, row)
            return redirect("integrations")
    known = Integration.objects.filter(
        property_id=request.staff.hotel.pk, adapter=adapter, first_connected_at__isnull=False
    ).exists()
    context = {"form": form, "name": title_of(adapter), "again": known}
    return render(request, "staff/connect_token.html", context)


def _say_connected(request: StaffRequest, row: Integration) -> None:
    text = f"{row.pms_name()} is connected. Portal reads what changed there."
    messages.success(request, text, extra_tags="")


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
        row = connecting.finish_connect(
            state=request.GET.get("state", ""),
            code=request.GET["code"],
            user_id=request.staff.user.pk,
            by=request.staff.actor(),
            now=now(),
        )
    except NotConnected as problem:
        messages.error(request, problem.message, extra_tags="bad")
    else:
        _say_connected(request, row)
    return redirect("integrations")


@never_cache
@require_POST
@needs(Right.CHANGE_INTEGRATIONS)
def show_codes(request: StaffRequest, integration_id: int) -> HttpResponseBase:
    """Switch on or off that Door Codes are shown in the PMS."""
    row = get_object_or_404(Integration, pk=integration_id, property_id=request.staff.hotel.pk)
    on = request.POST.get("on") == "yes"
    connecting.show_codes(integration=row, on=on, by=request.staff.actor())
    said = "are shown in" if on else "are taken out of"
    messages.success(request, f"Door Codes {said} {row.pms_name()}.", extra_tags="")
    return redirect("integrations")


@never_cache
@form_page
@needs(Right.DISCONNECT)
def disconnect(request: StaffRequest, integration_id: int) -> HttpResponseBase:
    """Disconnect, with a preview of what stays and what stops."""
    row = get_object_or_404(Integration, pk=integration_id, property_id=request.staff.hotel.pk)
    form = DisconnectForm(request.POST or None, initial={"ends": Ends.NONE.value})
    if request.method == "POST" and form.is_valid():
        ended = ending.disconnect(
            integration=row,
            ends=Ends(form.cleaned_data["ends"]),
            by=request.staff.actor(),
            now=now(),
        )
        rest = "Codes that are on locks keep working until their end."
        if ended:
            rest = f"{ended} key{'' if ended == 1 else 's'} ended: their codes come off the locks."
        said = f"{row.pms_name()} is disconnected. {rest}"
        messages.success(request, said, extra_tags="")
        return redirect("integrations")
    return render(request, "staff/disconnect.html", {"form": form} | _what_stays(row, now()))


def _what_stays(row: Integration, at: datetime) -> dict[str, Any]:
    """What a disconnect leaves as it is, in numbers that stop at a thousand."""
    live = ending.live_keys(row, now=at)
    current = live.filter(starts_at__lte=at)
    written = Assignment.objects.filter(key_id=OuterRef("pk"), written_revision__isnull=False)
    on_lock = current.filter(Exists(written))
    return {
        "integration": row,
        "name": row.pms_name(),
        "current": capped(current[:CAP].count()),
        "on_lock": capped(on_lock[:CAP].count()),
        "last_end": on_lock.aggregate(last=Max("ends_at"))["last"],
        "upcoming": capped(live.filter(starts_at__gt=at)[:CAP].count()),
        "mappings": RoomDoor.objects.filter(integration=row).count(),
    }
