"""The doors of a key: adding one, Edit Door with Allow Provisioning, and taking one out of the keychain."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponseBase, QueryDict
from django.shortcuts import get_object_or_404, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST

from keys import issuing, provisioning
from keys.explaining import explain_key
from keys.models import Key, KeychainDoor
from keys.refusal import Refused
from keys.rules import OnLock, Permission
from locks.clock import zone
from locks.history import ChangedMeanwhile, version_of
from portal.roles import Right
from portal.staff import meanwhile
from portal.staff.access import StaffRequest, needs
from portal.staff.doors import doors_of
from portal.staff.key_fields import (
    AddDoorToKeyForm,
    EditDoorForm,
    weekdays_initial,
    window_initial,
)
from portal.staff.keys import WORDS, key_of, to_key
from portal.staff.pages import form_page, now


@never_cache
@form_page
@needs(Right.EDIT_KEYS)
def add_door(request: StaffRequest, key_id: int) -> HttpResponseBase:
    """Add a door to the keychain."""
    key = key_of(request, key_id)
    there = set(key.doors.filter(removed_at=None).values_list("door_id", flat=True))
    others = [door for door in doors_of(request) if door.pk not in there]
    form = AddDoorToKeyForm(request.POST or None, doors=others)
    if request.method == "POST" and form.is_valid():
        try:
            issuing.add_door(key=key, wish=form.wish(), by=request.staff.actor(), now=now())
        except Refused as refused:
            form.refuse(refused)
        else:
            return to_key(request, key.pk, "The door is in the keychain.")
    return render(request, "staff/key_add_door.html", {"form": form, "key": key} | WORDS)


def chain_door_of(request: StaffRequest, key: Key, door_id: int) -> KeychainDoor:
    """The door of this key; 404 otherwise."""
    rows = KeychainDoor.objects.select_related(
        "key__reservation__integration", "key__property", "door"
    )
    return get_object_or_404(rows, pk=door_id, key=key, removed_at=None)


@require_POST
@needs(Right.SWITCH_DOORS)
def try_door(request: StaffRequest, key_id: int, door_id: int) -> HttpResponseBase:
    """Try now: the pause before the next attempt at this door's lock is over. Doors taken out may still hold a code."""
    key = key_of(request, key_id)
    rows = KeychainDoor.objects.select_related("door__lock")
    chained = get_object_or_404(rows, pk=door_id, key=key)
    lock = getattr(chained.door, "lock", None)
    tried = provisioning.try_now(lock_id=lock.pk, now=now()) if lock else 0
    name = chained.door.name
    return to_key(
        request, key.pk, f"{name} is tried now." if tried else f"Nothing waits at {name}."
    )


@never_cache
@form_page
@needs(Right.SWITCH_DOORS)
def edit_door(request: StaffRequest, key_id: int, door_id: int) -> HttpResponseBase:
    """Edit Door: Allow Provisioning, own times and limits; Save comes last."""
    key = key_of(request, key_id)
    version = version_of(chain_door_of(request, key, door_id))
    chained = chain_door_of(request, key, door_id)
    form = _edit_door_form(request, chained, request.POST or None)
    other = None
    if request.method == "POST" and form.is_valid():
        other = meanwhile.look(form, chained, version)
        if other is None:
            try:
                _save_door(request, chained, form, version)
            except ChangedMeanwhile:
                return edit_door(request, key_id, door_id)
            except Refused as refused:
                form.refuse(refused)
            else:
                return to_key(request, key.pk, f"{chained.door.name} is saved.")
        else:
            form = _edit_door_form(request, chained, other.data)
    context = _edit_door_context(request, key, chained) | {
        "form": form,
        "meanwhile": other,
        "seen": meanwhile.carry(form, version),
    }
    return render(request, "staff/key_edit_door.html", context)


def _edit_door_context(request: StaffRequest, key: Key, chained: KeychainDoor) -> dict[str, Any]:
    answer = explain_key(key=key, now=now())
    told = next((one for one in answer.doors if one.keychain_door.pk == chained.pk), None)
    return WORDS | {
        "key": key,
        "answer": answer,
        "told": told,
        "chained": chained,
        "on_lock": told is not None and any(p.on_lock is not OnLock.ABSENT for p in told.places),
        "in_house": answer.state == "Current",
        "zone_name": request.staff.hotel.timezone,
    }


def _edit_door_form(
    request: StaffRequest, chained: KeychainDoor, data: QueryDict | None
) -> EditDoorForm:
    permission = Permission(chained.permission)
    before = (
        permission is Permission.ALLOWED_BEFORE_CHECK_IN
        if permission.is_on
        else issuing.default_permission_before_check_in(chained)
    )
    initial = window_initial(
        chained.starts_at, chained.ends_at, zone(request.staff.hotel.timezone)
    ) | {
        "allow": permission.is_on,
        "before_check_in": before,
        "weekdays": weekdays_initial(chained.weekdays),
        "from_hour": chained.from_hour,
        "to_hour": chained.to_hour,
    }
    return EditDoorForm(data, hotel=request.staff.hotel, initial=initial)


def _save_door(
    request: StaffRequest, chained: KeychainDoor, form: EditDoorForm, version: int
) -> None:
    data = form.cleaned_data
    knew = meanwhile.version_seen(request.POST) is not None
    same = not {"arrival_on", "arrival_at", "departure_on", "departure_at"} & set(form.changed_data)
    issuing.edit_door(
        keychain_door=chained,
        on=data["allow"],
        before_check_in=data["before_check_in"] if chained.key.reservation_id else None,
        starts_at=chained.starts_at if same else data["starts_at"],
        ends_at=chained.ends_at if same else data["ends_at"],
        seen=version if knew else None,
        by=request.staff.actor(data["reason"]),
        now=now(),
        **form.limits(),
    )


@never_cache
@form_page
@needs(Right.EDIT_KEYS)
def remove_door(request: StaffRequest, key_id: int, door_id: int) -> HttpResponseBase:
    """Take a door out of the keychain, asked for once more."""
    key = key_of(request, key_id)
    chained = chain_door_of(request, key, door_id)
    if request.method == "POST":
        issuing.remove_door(keychain_door=chained, by=request.staff.actor(), now=now())
        return to_key(
            request,
            key.pk,
            f"{chained.door.name} is out of the keychain; what is on its lock comes off now.",
        )
    return render(request, "staff/key_remove_door.html", {"key": key, "chained": chained})
