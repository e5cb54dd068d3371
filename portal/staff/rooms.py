"""Settings → Integrations → Rooms: which doors each room of the PMS opens, and choosing them with a preview."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.contrib import messages
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET

from keys import remapping
from locks.history import ChangedMeanwhile
from locks.models import Door
from pms.mapping import Plan, doors_by_room, plan_doors, stays_by_room, without_door
from pms.models import Integration, Room, RoomDoor
from pms.rooms import make_doors, set_doors
from portal.roles import Right
from portal.staff.access import StaffRequest, needs, refused
from portal.staff.doors import doors_of
from portal.staff.happenings import Happening
from portal.staff.pages import MOST_TICKED, form_page, now, show, ticked, turn
from portal.staff.room_forms import MakeDoorsForm, RoomDoorsForm

PLAN_CHANGED = "Doors or rooms changed meanwhile: look at the list again, then make the doors."
CHANGED = "Someone else changed the doors of this room meanwhile: look at them again, then save."


@dataclass(frozen=True, slots=True)
class Line:
    """A room with its doors and the number of its current and coming reservations."""

    room: Room
    doors: list[Door]
    stays: int


def integration_of(request: StaffRequest, integration_id: int) -> Integration:
    """The integration, if it is this property's; 404 otherwise."""
    rows = Integration.objects.select_related("property")
    return get_object_or_404(rows, pk=integration_id, property_id=request.staff.hotel.pk)


def lines_of(integration: Integration, rooms: list[Room], at: datetime) -> list[Line]:
    """These rooms as the page shows them. Two queries."""
    refs = [room.external_id for room in rooms]
    doors, stays = doors_by_room(integration, refs), stays_by_room(integration, refs, at)
    return [Line(room, doors[room.external_id], stays[room.external_id]) for room in rooms]


def story_of(room: Room) -> list[Happening]:
    """Who gave the room which door and took it away, newest first, the last twenty. Two queries."""
    rows = RoomDoor.history.filter(integration_id=room.integration_id, room_ref=room.external_id)
    found = list(rows.select_related("history_user").order_by("-history_id")[:20])
    names = Door.objects.in_bulk({row.door_id for row in found})
    return [
        Happening(
            at=row.history_date,
            who=row.actor_label or str(row.history_user or "Portal"),
            through=row.get_source_display(),
            why=row.history_change_reason,
            about=f"Door {names[row.door_id].name}" if row.door_id in names else "A door",
            what="taken away" if row.history_type == "-" else "added",
            changes=(),
        )
        for row in found
    ]


@never_cache
@require_GET
@needs(Right.SEE_SETTINGS)
def rooms(request: StaffRequest, integration_id: int) -> HttpResponse:
    """The rooms that the PMS knows, by name; ``unmapped=1`` shows those that open no door."""
    integration, at = integration_of(request, integration_id), now()
    rows, waiting = Room.objects.filter(integration=integration), without_door(integration, at)
    is_unmapped = request.GET.get("unmapped") == "1"
    page = turn(
        waiting if is_unmapped else rows,
        by="name",
        after=request.GET.get("after", ""),
        value=lambda room: room.name,
    )
    context = {
        "integration": integration,
        "lines": lines_of(integration, list(page.rows), at),
        "next": page.after,
        "is_unmapped": is_unmapped,
        "many": rows.count(),
        "many_unmapped": waiting.count(),
        "may_make": request.staff.may(Right.CHANGE_INTEGRATIONS)
        and request.staff.may(Right.EDIT_DOORS),
    }
    return show(request, "staff/rooms.html", context)


@never_cache
@form_page
@needs(Right.EDIT_DOORS)
def room_doors(request: StaffRequest, integration_id: int, room_id: int) -> HttpResponseBase:
    """The doors of one room: choose, look at what changes for current and coming keys, confirm."""
    integration = integration_of(request, integration_id)
    room = get_object_or_404(
        Room.objects.select_related("integration__property"), pk=room_id, integration=integration
    )
    had = doors_by_room(integration, [room.external_id])[room.external_id]
    form = RoomDoorsForm(request.POST or None, doors=doors_of(request), had=had)
    preview = None
    if request.method == "POST" and form.is_valid():
        if form.cleaned_data["had"] != {door.pk for door in had}:
            form.add_error(None, CHANGED)
        else:
            preview = remapping.preview(room=room, doors=form.chosen(), now=now())
            if form.cleaned_data["confirmed"] or not preview.keys or form.is_same():
                return _save(request, room, form, preview.keys)
    context = {
        "integration": integration,
        "room": room,
        "had": had,
        "form": form,
        "preview": preview,
        "seen": ",".join(str(door.pk) for door in had),
        "story": story_of(room),
    }
    return render(request, "staff/room_doors.html", context)


def _save(request: StaffRequest, room: Room, form: RoomDoorsForm, keys: int) -> HttpResponseBase:
    try:
        set_doors(
            room=room,
            doors=form.chosen(),
            seen=form.cleaned_data["had"],
            by=request.staff.actor(),
            now=now(),
        )
    except ChangedMeanwhile:
        messages.error(request, CHANGED, extra_tags="bad")
        return redirect("room_doors", integration_id=room.integration_id, room_id=room.pk)
    names = ", ".join(door.name for door in form.chosen()) or "no door"
    follows = f" {keys} key{'s follow' if keys > 1 else ' follows'}." if keys else ""
    messages.success(request, f"{room} opens {names}.{follows}", extra_tags="")
    return redirect("rooms", integration_id=room.integration_id)


@never_cache
@form_page
@needs(Right.CHANGE_INTEGRATIONS)
def make_room_doors(request: StaffRequest, integration_id: int) -> HttpResponseBase:
    """Make doors of the ticked rooms, or of all without one, after showing which; needs the right for doors as well."""
    if not request.staff.may(Right.EDIT_DOORS):
        return refused(request, Right.EDIT_DOORS)
    integration, at = integration_of(request, integration_id), now()
    chosen = _chosen(request, integration, at)
    form = MakeDoorsForm(request.POST or None, doors=doors_of(request))
    if request.method == "POST" and form.is_valid():
        try:
            plan = make_doors(
                integration=integration,
                rooms=chosen,
                common=form.chosen(),
                seen=form.cleaned_data["seen"],
                by=request.staff.actor(),
                now=at,
            )
        except ChangedMeanwhile:
            form.add_error(None, PLAN_CHANGED)
        else:
            many = len(plan.doors)
            said = f"{many} door{'s' if many != 1 else ''} for {_many_rooms(plan)}."
            messages.success(request, said, extra_tags="")
            return redirect("rooms", integration_id=integration.pk)
    plan = plan_doors(integration, chosen)
    refs = [room.external_id for one in plan.doors for room in one.rooms]
    keys = remapping.live_keys(integration, refs, at)
    context = {
        "integration": integration,
        "form": form,
        "plan": plan,
        "chosen": chosen,
        "many_new": sum(one.door is None for one in plan.doors),
        "keys": keys.count(),
        "in_house": remapping.many_in_house(keys),
    }
    return render(request, "staff/room_make_doors.html", context)


def _chosen(request: StaffRequest, integration: Integration, at: datetime) -> list[Room]:
    ids = ticked(request, "room")
    rooms = without_door(integration, at).filter(is_virtual=False)
    if ids is not None:
        rooms = Room.objects.filter(integration=integration, pk__in=ids)
    return list(rooms.order_by("name", "id")[:MOST_TICKED])


def _many_rooms(plan: Plan) -> str:
    many = sum(len(one.rooms) for one in plan.doors)
    return "1 room" if many == 1 else f"{many} rooms"
