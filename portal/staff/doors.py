"""Doors: the list, the page of one with its lock, and adding and editing them."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.db import transaction
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods

from keys import wording
from keys.models import Assignment
from locks.history import acting
from locks.models import Door, DoorLink, DoorLogEntry
from locks.pulse import bump
from pms import sync
from pms.models import Integration, Room, RoomDoor
from portal.roles import Right
from portal.staff import log
from portal.staff.access import StaffRequest, needs
from portal.staff.forms import DoorForm
from portal.staff.pages import now, show, turn

ON_IT = 60


@never_cache
@require_GET
@needs(Right.SEE_DOORS)
def door_list(request: StaffRequest) -> HttpResponse:
    """All doors with the state of their locks."""
    rows = Door.objects.filter(property_id=request.staff.hotel.pk, archived_at=None)
    typed = " ".join(request.GET.get("q", "").split())[:60]
    if typed:
        rows = rows.filter(name__istartswith=typed)
    rows = rows.select_related("lock__gateway", "lock__account")
    page = turn(rows, by="name", after=request.GET.get("after", ""), value=lambda door: door.name)
    return show(
        request, "staff/doors.html", {"doors": page.rows, "next": page.after, "typed": typed}
    )


def door_of(request: StaffRequest, door_id: int) -> Door:
    """The door, if it is this property's; 404 otherwise."""
    rows = Door.objects.select_related("lock__gateway", "lock__account", "property")
    return get_object_or_404(rows, pk=door_id, property_id=request.staff.hotel.pk, archived_at=None)


@never_cache
@require_GET
@needs(Right.SEE_DOORS)
def door_page(request: StaffRequest, door_id: int) -> HttpResponse:
    """One door: lock, what is on it, what is open, its log."""
    door, at = door_of(request, door_id), now()
    lines = DoorLogEntry.objects.filter(property_id=door.property_id, door=door)
    context: dict[str, Any] = {
        "door": door,
        "lock": getattr(door, "lock", None),
        "open": log.open_ones(door.property_id, door=door, now=at),
        "lines": log.told(
            list(lines.order_by("-happened_at", "-id")[:25]),
            see_codes=request.staff.may(Right.SEE_CODES),
        ),
        "error_4117": wording.ERROR_4117,
        "links": list(door.links.select_related("linked").order_by("linked__name")),
        "rooms": list(_room_names(door)),
        "on_it": _on_it(door) if request.staff.may(Right.SEE_KEYS) else None,
    }
    return show(request, "staff/door.html", context)


def _on_it(door: Door) -> list[Assignment]:
    rows = Assignment.objects.filter(door=door).exclude(written_revision=None, sent_revision=None)
    return list(
        rows.select_related("key", "credential__person__guest").order_by("starts_at", "id")[:ON_IT]
    )


def _room_names(door: Door) -> list[str]:
    refs = list(RoomDoor.objects.filter(door=door).values_list("integration_id", "room_ref"))
    rooms = Room.objects.filter(
        property_id=door.property_id, external_id__in=[ref for _, ref in refs]
    )
    names = {(room.integration_id, room.external_id): room.name for room in rooms}
    return [names.get(ref, ref[1]) for ref in refs]


@never_cache
@require_http_methods(["GET", "POST"])
@needs(Right.EDIT_DOORS)
def add_door(request: StaffRequest) -> HttpResponseBase:
    """Add a door."""
    return _door_form(request, Door(property=request.staff.hotel))


@never_cache
@require_http_methods(["GET", "POST"])
@needs(Right.EDIT_DOORS)
def edit_door(request: StaffRequest, door_id: int) -> HttpResponseBase:
    """Edit a door."""
    return _door_form(request, door_of(request, door_id))


def _door_form(request: StaffRequest, door: Door) -> HttpResponseBase:
    hotel = request.staff.hotel
    pms = (
        Integration.objects.filter(property=hotel)
        .exclude(state=Integration.State.DISCONNECTED)
        .first()
    )
    rooms = (
        [(r.external_id, f"{r.parent_name} {r.name}".strip()) for r in pms.rooms.order_by("name")]
        if pms
        else []
    )
    others = (
        Door.objects.filter(property=hotel, archived_at=None).exclude(pk=door.pk).order_by("name")
    )
    initial = {
        "links": [str(pk) for pk in door.links.values_list("linked_id", flat=True)]
        if door.pk
        else [],
        "rooms": list(door.room_doors.values_list("room_ref", flat=True)) if door.pk else [],
    }
    form = DoorForm(
        request.POST or None, instance=door, others=others, rooms=rooms, initial=initial
    )
    if request.method == "POST" and form.is_valid():
        _save_door(request, form, pms, initial)
        messages.success(request, f"{door.name} is saved.", extra_tags="")
        return redirect("door", door_id=door.pk)
    return render(request, "staff/door_form.html", {"form": form, "door": door, "pms": pms})


def _save_door(
    request: StaffRequest, form: DoorForm, pms: Integration | None, before: dict[str, list[str]]
) -> None:
    by, at = request.staff.actor(), now()
    with transaction.atomic(), acting(by):
        door = form.save()
        _link(door, {int(pk) for pk in form.cleaned_data["links"]})
        bump([door.property_id])
    if pms is None:
        return
    wanted, had = set(form.cleaned_data["rooms"]), set(before["rooms"])
    for ref in sorted(wanted - had):
        sync.map_room(integration=pms, room_ref=ref, door=door, by=by, now=at)
    for ref in sorted(had - wanted):
        sync.unmap_room(integration=pms, room_ref=ref, door=door, by=by, now=at)


def _link(door: Door, wanted: set[int]) -> None:
    had = set(door.links.values_list("linked_id", flat=True))
    door.links.filter(linked_id__in=had - wanted).delete()
    DoorLink.objects.bulk_create(
        DoorLink(property_id=door.property_id, door=door, linked_id=pk)
        for pk in sorted(wanted - had)
    )
