"""Doors: the list, the page of one with its lock, and adding and editing them."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.db import transaction
from django.http import HttpResponse, HttpResponseBase, QueryDict
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET

from keys import remapping, wording
from keys.models import Assignment
from locks.history import ChangedMeanwhile, acting, check_version, version_of
from locks.log_models import DoorLogEntry
from locks.models import Door, DoorLink, Property
from locks.pulse import bump
from pms.mapping import doors_by_room
from pms.models import Integration, Room, RoomDoor
from pms.rooms import set_rooms
from portal.roles import Right
from portal.staff import log, meanwhile
from portal.staff.access import StaffRequest, needs
from portal.staff.forms import DoorForm
from portal.staff.lock_lists import tabs
from portal.staff.pages import Page, form_page, now, show, turn, words_typed


@never_cache
@require_GET
@needs(Right.SEE_DOORS)
def door_list(request: StaffRequest) -> HttpResponse:
    """All doors with the state of their locks."""
    rows = Door.objects.filter(property_id=request.staff.hotel.pk, archived_at=None)
    typed = words_typed(request.GET.get("q", ""), longest=60)
    if typed:
        rows = rows.filter(name__istartswith=typed)
    rows = rows.select_related("lock__gateway", "lock__account")
    page = turn(rows, by="name", after=request.GET.get("after", ""), value=lambda door: door.name)
    context = {"doors": page.rows, "next": page.after, "typed": typed, "tabs": tabs(request)}
    return show(request, "staff/doors.html", context)


def doors_of(request: StaffRequest) -> list[Door]:
    """The doors of the property, by name."""
    return list(
        Door.objects.filter(property_id=request.staff.hotel.pk, archived_at=None).order_by("name")
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
        "for_rooms": _for_rooms(door),
    }
    if request.staff.may(Right.SEE_KEYS):
        page = _on_it(door, request.GET.get("after", ""))
        context |= {"on_it": page.rows, "next_on_it": page.after, "sees_keys": True}
    return show(request, "staff/door.html", context)


def _for_rooms(door: Door) -> str:
    """What a common door opens for by the property's choice; empty for one that has rooms or is a room's."""
    if door.type in Door.OF_A_ROOM or door.links_to_me.exists() or door.room_doors.exists():
        return ""
    chosen = door.property.common_doors
    if not chosen:
        return "No room is linked to it, and Settings → Property does not say yet for whom it opens: no key of a room opens it."
    who = "the key of every room" if chosen == Property.CommonDoors.ALL else "no key of a room"
    return f"No room is linked to it: by the choice in Settings → Property {who} opens it."


def _on_it(door: Door, after: str) -> Page[Assignment]:
    rows = Assignment.objects.filter(door=door).exclude(written_revision=None, sent_revision=None)
    rows = rows.select_related("key", "credential__person__guest")
    return turn(rows, by="starts_at", after=after, value=lambda place: place.starts_at)


def _room_names(door: Door) -> list[str]:
    refs = list(RoomDoor.objects.filter(door=door).values_list("integration_id", "room_ref"))
    rooms = Room.objects.filter(
        property_id=door.property_id, external_id__in=[ref for _, ref in refs]
    )
    names = {(room.integration_id, room.external_id): room.name for room in rooms}
    return [names.get(ref, ref[1]) for ref in refs]


@never_cache
@form_page
@needs(Right.EDIT_DOORS)
def add_door(request: StaffRequest) -> HttpResponseBase:
    """Add a door."""
    return _door_form(request, Door(property=request.staff.hotel))


@never_cache
@form_page
@needs(Right.EDIT_DOORS)
def edit_door(request: StaffRequest, door_id: int) -> HttpResponseBase:
    """Edit a door."""
    return _door_form(request, door_of(request, door_id))


def _door_form(request: StaffRequest, door: Door) -> HttpResponseBase:
    version = version_of(door) if door.pk else 0
    door = door_of(request, door.pk) if door.pk else door
    door_id, name, pms = door.pk, door.name, _pms_of(request)
    form = _form_of(request, door, pms, request.POST or None)
    other = None
    if request.method == "POST" and form.is_valid():
        other = meanwhile.look(form, door, version) if door.pk else None
        if other is None:
            try:
                preview = _look_before(request, form, pms, version)
                if preview is None:
                    _save_door(request, form, pms, version)
            except ChangedMeanwhile:
                return _door_form(request, door_of(request, door.pk))
            if preview is None:
                messages.success(request, f"{door.name} is saved.", extra_tags="")
                return redirect("door", door_id=door.pk)
            context = {
                "form": form,
                "door_id": door_id,
                "saved_name": name,
                "preview": preview,
                "confirmed": ",".join(changed_rooms(form)),
                "seen": request.POST.get(meanwhile.SEEN, ""),
            }
            return render(request, "staff/door_preview.html", context)
        form = _form_of(request, door_of(request, door.pk), pms, other.data)
    context = {
        "form": form,
        "door": door,
        "saved_name": name,
        "pms": pms,
        "meanwhile": other,
        "seen": meanwhile.carry(form, version),
    }
    return render(request, "staff/door_form.html", context)


def _look_before(
    request: StaffRequest, form: DoorForm, pms: Integration | None, version: int
) -> remapping.Preview | None:
    """What saving does to current and coming keys, found by doing it and taking it back; none if nothing or confirmed."""
    changed = changed_rooms(form)
    if pms is None or not changed or request.POST.get("confirmed") == ",".join(changed):
        return None
    if not remapping.live_keys(pms, changed, now()).exists():
        return None
    had = doors_by_room(pms, changed)
    with transaction.atomic():
        _save_door(request, form, pms, version)
        found = doors_by_room(pms, changed)
        wanted = {ref: found.get(ref, []) for ref in changed}
        preview = remapping.preview_rooms(integration=pms, had=had, wanted=wanted, now=now())
        transaction.set_rollback(True)
    return preview


def changed_rooms(form: DoorForm) -> list[str]:
    """The rooms that this valid form maps to the door or takes from it."""
    return sorted(set(form.cleaned_data["rooms"]) ^ set(form.initial["rooms"]))


def _pms_of(request: StaffRequest) -> Integration | None:
    rows = Integration.objects.filter(property=request.staff.hotel)
    return rows.exclude(state=Integration.State.DISCONNECTED).first()


def _form_of(
    request: StaffRequest, door: Door, pms: Integration | None, data: QueryDict | None
) -> DoorForm:
    rooms = [(r.external_id, f"{r.parent_name} {r.name}".strip()) for r in _rooms_of(pms)]
    others = [other for other in doors_of(request) if other.pk != door.pk]
    initial: dict[str, list[str]] = {"links": [], "rooms": []}
    if door.pk:
        initial["links"] = [str(pk) for pk in door.links.values_list("linked_id", flat=True)]
        initial["rooms"] = list(
            door.room_doors.filter(integration=pms).values_list("room_ref", flat=True)
        )
    return DoorForm(data, instance=door, others=others, rooms=rooms, initial=initial)


def _rooms_of(pms: Integration | None) -> list[Room]:
    return list(pms.rooms.order_by("name", "id")) if pms else []


def _save_door(
    request: StaffRequest, form: DoorForm, pms: Integration | None, version: int
) -> None:
    by, knew = request.staff.actor(), meanwhile.version_seen(request.POST) is not None
    with transaction.atomic(), acting(by):
        if form.instance.pk:
            kept = Door.objects.select_for_update(no_key=True).get(pk=form.instance.pk)
            check_version(kept, version if knew else None)
        door = form.save()
        _link(door, {int(pk) for pk in form.cleaned_data["links"]})
        if pms is not None:
            rooms, had = form.cleaned_data["rooms"], form.initial["rooms"]
            set_rooms(integration=pms, door=door, room_refs=rooms, had=had, by=by, now=now())
        bump([door.property_id])


def _link(door: Door, wanted: set[int]) -> None:
    had = set(door.links.values_list("linked_id", flat=True))
    door.links.filter(linked_id__in=had - wanted).delete()
    DoorLink.objects.bulk_create(
        DoorLink(property_id=door.property_id, door=door, linked_id=pk)
        for pk in sorted(wanted - had)
    )
