"""Settings → Property and Settings → Locks."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET

from keys import going_live, pairing, rule_changes
from keys.house_rules import change_property
from keys.refusal import Refused
from locks.models import Door, Lock, Property
from portal.roles import Right
from portal.staff.access import StaffRequest, needs
from portal.staff.forms import PairForm, PropertyForm
from portal.staff.pages import form_page, now, show, turn


@require_GET
@needs(Right.SEE_DOORS)
def settings_start(request: StaffRequest) -> HttpResponseBase:
    """The first page of Settings that this person may see."""
    if request.staff.may(Right.SEE_SETTINGS):
        return redirect("integrations")
    return redirect("installation" if request.staff.may(Right.PAIR_LOCKS) else "doors")


@never_cache
@form_page
@needs(Right.CHANGE_SETTINGS)
def property_settings(request: StaffRequest) -> HttpResponseBase:
    """Settings → Property."""
    hotel, kept = Property.objects.get(pk=request.staff.hotel.pk), request.staff.hotel
    form = PropertyForm(request.POST or None, instance=hotel)
    if request.method == "POST" and form.is_valid():
        if asked := _asks_first(request, kept, form):
            return asked
        try:
            change_property(
                property=hotel, changes=form.cleaned_data, by=request.staff.actor(), now=now()
            )
        except Refused as refused:
            form.add_error(refused.field, refused.message)
        else:
            messages.success(request, "Saved.", extra_tags="")
            return redirect("property_settings")
    return render(request, "staff/property.html", {"form": form})


def _asks_first(
    request: StaffRequest, kept: Property, form: PropertyForm
) -> HttpResponseBase | None:
    """The page that says what these settings do to keys, if they do something and that was not confirmed yet."""
    at, is_live = now(), kept.mode == Property.Mode.LIVE
    if not is_live and form.cleaned_data["mode"] == Property.Mode.LIVE:
        if "go_live" in request.POST:
            return None
        seen = going_live.preview(property=kept, now=at)
        return render(request, "staff/going_live.html", {"form": form, "seen": seen})
    if not is_live or "change_rules" in request.POST:
        return None
    change = rule_changes.preview(property=kept, changes=form.cleaned_data, now=at)
    if not change.is_felt:
        return None
    return render(request, "staff/rule_change.html", {"form": form, "change": change})


@never_cache
@require_GET
@needs(Right.PAIR_LOCKS)
def installation(request: StaffRequest) -> HttpResponse:
    """Settings → Locks: which lock hangs on which door."""
    hotel = request.staff.hotel
    rows = Lock.objects.filter(property=hotel).select_related("door", "account", "gateway")
    page = turn(rows, by="name", after=request.GET.get("after", ""), value=lambda lock: lock.name)
    return show(request, "staff/installation.html", {"locks": page.rows, "next": page.after})


@never_cache
@form_page
@needs(Right.PAIR_LOCKS)
def pair_lock(request: StaffRequest, lock_id: int) -> HttpResponseBase:
    """Hang a lock on a door. A lock that holds credentials of guests stays where it is."""
    hotel = request.staff.hotel
    lock = get_object_or_404(Lock.objects.select_related("door"), pk=lock_id, property_id=hotel.pk)
    free = Door.objects.filter(property=hotel, archived_at=None, lock=None).order_by("name")
    doors = {str(door.pk): door for door in [*([lock.door] if lock.door else []), *free]}
    form = PairForm(
        request.POST or None,
        doors=[(pk, door.name) for pk, door in doors.items()],
        initial={"door": str(lock.door_id or "")},
    )
    if request.method == "POST" and form.is_valid():
        door = doors.get(form.cleaned_data["door"])
        try:
            pairing.pair_lock(lock=lock, door=door, by=request.staff.actor(), now=now())
        except Refused as refused:
            form.refuse(refused)
        else:
            where = f"on {door.name}" if door else "on no door"
            messages.success(request, f"{lock.name} is {where} now.", extra_tags="")
            return redirect("installation")
    return render(request, "staff/lock_pair.html", {"form": form, "lock": lock})
