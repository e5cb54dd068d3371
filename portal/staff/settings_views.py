"""Settings → Property and Settings → Locks."""

from __future__ import annotations

from django.contrib import messages
from django.db import transaction
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods

from keys.models import Assignment
from locks.history import acting
from locks.models import Door, Lock, LockAccount, Property
from locks.pulse import bump
from portal.roles import Right
from portal.staff.access import StaffRequest, needs
from portal.staff.forms import PairForm, PropertyForm
from portal.staff.pages import now, show, turn


@require_GET
@needs(Right.SEE_DOORS)
def settings_start(request: StaffRequest) -> HttpResponseBase:
    """The first page of Settings that this person may see."""
    if request.staff.may(Right.SEE_SETTINGS):
        return redirect("integrations")
    return redirect("installation" if request.staff.may(Right.PAIR_LOCKS) else "doors")


@never_cache
@require_http_methods(["GET", "POST"])
@needs(Right.CHANGE_SETTINGS)
def property_settings(request: StaffRequest) -> HttpResponseBase:
    """Settings → Property."""
    hotel = Property.objects.get(pk=request.staff.hotel.pk)
    form = PropertyForm(request.POST or None, instance=hotel)
    if request.method == "POST" and form.is_valid():
        with transaction.atomic(), acting(request.staff.actor()):
            form.save()
            # Mode, rule and lead are facts of every credential: all that are live are decided again.
            Assignment.objects.filter(property=hotel, ends_at__gt=now()).update(
                next_attempt_at=now()
            )
            bump([hotel.pk])
        messages.success(request, "Saved.", extra_tags="")
        return redirect("property_settings")
    return render(request, "staff/property.html", {"form": form})


@never_cache
@require_GET
@needs(Right.PAIR_LOCKS)
def installation(request: StaffRequest) -> HttpResponse:
    """Settings → Locks: accounts, and which lock hangs on which door."""
    hotel = request.staff.hotel
    rows = Lock.objects.filter(property=hotel).select_related("door", "account", "gateway")
    page = turn(rows, by="name", after=request.GET.get("after", ""), value=lambda lock: lock.name)
    accounts = LockAccount.objects.filter(property=hotel).defer("token").order_by("name")
    return show(
        request,
        "staff/installation.html",
        {"locks": page.rows, "next": page.after, "accounts": accounts},
    )


@never_cache
@require_http_methods(["GET", "POST"])
@needs(Right.PAIR_LOCKS)
def pair_lock(request: StaffRequest, lock_id: int) -> HttpResponseBase:
    """Hang a lock on a door. A lock that holds credentials of guests stays where it is."""
    lock = get_object_or_404(
        Lock.objects.select_related("door"), pk=lock_id, property_id=request.staff.hotel.pk
    )
    free = Door.objects.filter(property_id=request.staff.hotel.pk, archived_at=None, lock=None)
    doors = [
        (str(d.pk), d.name)
        for d in ([lock.door] if lock.door else []) + list(free.order_by("name"))
    ]
    form = PairForm(request.POST or None, doors=doors, initial={"door": str(lock.door_id or "")})
    if request.method == "POST" and form.is_valid():
        if (
            Assignment.objects.filter(lock=lock)
            .exclude(written_revision=None, sent_revision=None)
            .exists()
        ):
            form.add_error("door", "This lock still holds credentials: take them off first.")
        else:
            _pair(lock, form.cleaned_data["door"])
            messages.success(request, f"{lock.name} is saved.", extra_tags="")
            return redirect("installation")
    return render(request, "staff/lock_pair.html", {"form": form, "lock": lock})


def _pair(lock: Lock, door_id: str) -> None:
    with transaction.atomic():
        Assignment.objects.filter(lock=lock).update(lock=None, writer=None)
        lock.door_id = int(door_id) if door_id else None
        lock.save(update_fields=["door"])
        if lock.door_id:
            waiting = Assignment.objects.filter(door_id=lock.door_id, ends_at__gt=now())
            waiting.update(lock=lock, writer_id=lock.writer_id, next_attempt_at=now())
        bump([lock.property_id])
