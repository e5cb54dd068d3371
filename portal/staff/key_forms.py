"""Everything that changes a key: each view loads, reads one form, makes one call of the domain and goes back to the key."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.contrib import messages
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST

from keys import issuing
from keys.explaining import explain_key
from keys.issuing import CredentialWish, Refused
from keys.models import Credential, Key, KeychainDoor, Person
from keys.rules import OnLock, Permission
from locks.clock import by_rule, zone
from locks.drivers import Kind
from locks.models import Door
from portal.roles import Right
from portal.staff import once
from portal.staff.access import StaffRequest, needs
from portal.staff.forms import (
    AddCredentialForm,
    AddDoorToKeyForm,
    EditDoorForm,
    KeyForm,
    PersonForm,
    RegenerateForm,
    RevokeForm,
    WindowForm,
    weekdays_initial,
    window_initial,
)
from portal.staff.keys import WORDS, key_of, to_key
from portal.staff.pages import now

MOST_PEOPLE = 8
form_page = require_http_methods(["GET", "POST"])


def doors_of(request: StaffRequest) -> list[Door]:
    """The doors of the property, by name."""
    return list(
        Door.objects.filter(property_id=request.staff.hotel.pk, archived_at=None).order_by("name")
    )


# Add Key ------------------------------------------------------------------------------------------


@never_cache
@sensitive_post_parameters()
@form_page
@needs(Right.EDIT_KEYS)
def add_key(request: StaffRequest) -> HttpResponseBase:
    """Add Key."""
    form, people = _key_form(request), _people(request)
    if request.method == "POST" and "another" not in request.POST:
        valid = [form.is_valid(), *(person.is_valid() for person in people)]
        if all(valid):
            return _make(request, form, people)
    return _key_form_page(request, form, people)


def _key_form(request: StaffRequest) -> KeyForm:
    hotel, doors = request.staff.hotel, doors_of(request)
    if request.method == "POST":
        data = request.POST
        return KeyForm(
            None if "another" in data else data,
            hotel=hotel,
            doors=doors,
            initial=_typed_so_far(data),
        )
    tz, at = zone(hotel.timezone), now()
    today = at.astimezone(tz).date()
    start = max(at, by_rule(today, hotel.arrival_time, tz, later=False))
    end = by_rule(today + timedelta(days=1), hotel.departure_time, tz, later=True)
    initial = window_initial(start, end, tz) | {
        "weekdays": weekdays_initial(),
        "linked": True,
        "allow": True,
    }
    door = request.GET.get("door")
    return KeyForm(hotel=hotel, doors=doors, initial=initial | {"doors": [door] if door else []})


def _typed_so_far(data: Any) -> dict[str, Any]:
    """What was typed, for a form that grows by a person without being judged yet."""
    many = {"doors", "weekdays"}
    typed = {name: data.getlist(name) if name in many else data.get(name) for name in data}
    return (
        typed
        | {name: name in data for name in ("linked", "allow")}
        | {name: data.getlist(name) for name in many}
    )


def _people(request: StaffRequest) -> list[PersonForm]:
    if request.method != "POST":
        return [PersonForm(prefix="p0")]
    data = request.POST
    raw = data.get("people", "1")
    asked = min(max(int(raw) if raw.isdigit() else 1, 1), MOST_PEOPLE)
    if "another" in data:
        forms = [_unjudged(data, f"p{n}") for n in range(asked)]
        return forms + ([PersonForm(prefix=f"p{asked}")] if asked < MOST_PEOPLE else [])
    return [PersonForm(data, prefix=f"p{n}") for n in range(asked)]


def _unjudged(data: Any, prefix: str) -> PersonForm:
    names = PersonForm.base_fields
    boxes = {"door_code", "smartkey", "keycard"}
    initial = {
        n: (f"{prefix}-{n}" in data) if n in boxes else data.get(f"{prefix}-{n}", "") for n in names
    }
    return PersonForm(prefix=prefix, initial=initial)


def _make(request: StaffRequest, form: KeyForm, people: Sequence[PersonForm]) -> HttpResponseBase:
    token = request.POST.get("once", "") or once.new_token()
    if not once.spend(token, now=now()):
        key_id = once.made(token)
        if key_id is None:
            messages.info(request, "This form was sent already.", extra_tags="")
            return redirect("keys")
        return to_key(request, key_id, "This key was made already; nothing was made twice.")
    try:
        key = issuing.make_key(
            property=request.staff.hotel,
            people=[person.wish() for person in people],
            doors=form.wishes(),
            starts_at=form.cleaned_data["starts_at"],
            ends_at=form.cleaned_data["ends_at"],
            by=request.staff.actor(),
            now=now(),
            with_linked_doors=form.cleaned_data["linked"],
        )
    except Refused as refused:
        once.give_back(token)
        target = (
            people[0]
            if refused.field in {"code", "people", "kind", "policy", "requested"}
            else form
        )
        target.refuse(refused)
        return _key_form_page(request, form, people, token)
    except BaseException:
        once.give_back(token)
        raise
    once.remember(token, key.pk)
    return to_key(request, key.pk, "The key is made.")


def _key_form_page(
    request: StaffRequest, form: KeyForm, people: Sequence[PersonForm], token: str = ""
) -> HttpResponse:
    sent = request.POST.get("once", "")
    context = {
        "form": form,
        "people": people,
        "once": token or sent or once.new_token(),
        "zone_name": request.staff.hotel.timezone,
        "failed": form.errors or any(person.errors for person in people),
    }
    return render(request, "staff/key_add.html", context | WORDS)


# Edit Key -----------------------------------------------------------------------------------------


@never_cache
@form_page
@needs(Right.EDIT_KEYS)
def edit_key(request: StaffRequest, key_id: int) -> HttpResponseBase:
    """Edit Key: the Access Period, and Allow Provisioning for all its doors."""
    key = key_of(request, key_id)
    tz = zone(request.staff.hotel.timezone)
    shown = window_initial(key.starts_at, key.ends_at, tz)
    form = WindowForm(request.POST or None, hotel=request.staff.hotel, initial=shown)
    if request.method == "POST" and form.is_valid():
        times = _changed_times(key, form)
        try:
            issuing.edit_key(key=key, by=request.staff.actor(), now=now(), **times)
        except Refused as refused:
            form.refuse(refused)
        else:
            return to_key(request, key.pk, "Saved.")
    context = {
        "form": form,
        "key": key,
        "answer": explain_key(key=key, now=now()),
        "zone_name": request.staff.hotel.timezone,
    }
    return render(request, "staff/key_edit.html", context | WORDS)


def _changed_times(key: Key, form: WindowForm) -> dict[str, datetime]:
    """Only what was typed differently: a time left as it stood keeps its seconds and stays the PMS's."""
    found: dict[str, datetime] = {}
    if {"arrival_on", "arrival_at"} & set(form.changed_data):
        found["starts_at"] = form.cleaned_data["starts_at"]
    if {"departure_on", "departure_at"} & set(form.changed_data):
        found["ends_at"] = form.cleaned_data["ends_at"]
    return found


@require_POST
@needs(Right.SWITCH_DOORS)
def switch_key(request: StaffRequest, key_id: int) -> HttpResponseBase:
    """The key's Allow Provisioning: sets all its doors."""
    key = key_of(request, key_id)
    on = request.POST.get("allow") == "on"
    doors = key.doors.filter(removed_at=None).values_list("id", flat=True)
    changed = issuing.set_permissions(
        door_ids=list(doors),
        property_id=key.property_id,
        on=on,
        by=request.staff.actor(request.POST.get("reason", "")[:200]),
        now=now(),
    )
    many = f"{len(changed)} door{'' if len(changed) == 1 else 's'}"
    return to_key(
        request, key.pk, f"Allow Provisioning is {'on' if on else 'off'}: {many} changed."
    )


@require_POST
@needs(Right.EDIT_KEYS)
def release_times(request: StaffRequest, key_id: int) -> HttpResponseBase:
    """Give the times back to the PMS."""
    key = key_of(request, key_id)
    issuing.release_times(key=key, by=request.staff.actor(), now=now())
    return to_key(request, key.pk, "The times follow the PMS again.")


@never_cache
@form_page
@needs(Right.EDIT_KEYS)
def revoke(request: StaffRequest, key_id: int) -> HttpResponseBase:
    """Revoke, confirmed by typing the word."""
    key = key_of(request, key_id)
    form = RevokeForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        issuing.revoke(key=key, by=request.staff.actor(form.cleaned_data["reason"]), now=now())
        return to_key(request, key.pk, "Revoked. Its credentials come off their locks now.")
    context = {"form": form, "key": key, "answer": explain_key(key=key, now=now())}
    return render(request, "staff/key_revoke.html", context)


@require_POST
@needs(Right.EDIT_KEYS)
def restore(request: StaffRequest, key_id: int) -> HttpResponseBase:
    """Take a revocation back."""
    key = key_of(request, key_id)
    try:
        issuing.restore(key=key, by=request.staff.actor(), now=now())
    except Refused as refused:
        messages.error(request, refused.message, extra_tags="bad")
        return redirect("key", key_id=key.pk)
    return to_key(request, key.pk, "Restored.")


# Doors of a key -----------------------------------------------------------------------------------


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


@never_cache
@form_page
@needs(Right.SWITCH_DOORS)
def edit_door(request: StaffRequest, key_id: int, door_id: int) -> HttpResponseBase:
    """Edit Door: Allow Provisioning, own times and limits; Save comes last."""
    key = key_of(request, key_id)
    chained = chain_door_of(request, key, door_id)
    form = _edit_door_form(request, chained)
    if request.method == "POST" and form.is_valid():
        try:
            _save_door(request, chained, form)
        except Refused as refused:
            form.refuse(refused)
        else:
            return to_key(request, key.pk, f"{chained.door.name} is saved.")
    answer = explain_key(key=key, now=now())
    told = next((one for one in answer.doors if one.keychain_door.pk == chained.pk), None)
    context = {
        "form": form,
        "key": key,
        "answer": answer,
        "told": told,
        "chained": chained,
        "on_lock": told is not None and any(p.on_lock is not OnLock.ABSENT for p in told.places),
        "in_house": answer.state == "Current",
        "zone_name": request.staff.hotel.timezone,
    }
    return render(request, "staff/key_edit_door.html", context | WORDS)


def _edit_door_form(request: StaffRequest, chained: KeychainDoor) -> EditDoorForm:
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
    return EditDoorForm(request.POST or None, hotel=request.staff.hotel, initial=initial)


def _save_door(request: StaffRequest, chained: KeychainDoor, form: EditDoorForm) -> None:
    data = form.cleaned_data
    same = not {"arrival_on", "arrival_at", "departure_on", "departure_at"} & set(form.changed_data)
    issuing.edit_door(
        keychain_door=chained,
        on=data["allow"],
        before_check_in=data["before_check_in"] if chained.key.reservation_id else None,
        starts_at=chained.starts_at if same else data["starts_at"],
        ends_at=chained.ends_at if same else data["ends_at"],
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


# Credentials --------------------------------------------------------------------------------------


@never_cache
@sensitive_post_parameters()
@form_page
@needs(Right.EDIT_KEYS)
def add_credential(request: StaffRequest, key_id: int, person_id: int) -> HttpResponseBase:
    """Give a person one more credential."""
    key = key_of(request, key_id)
    person = get_object_or_404(Person.objects.select_related("guest", "key"), pk=person_id, key=key)
    form = AddCredentialForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        data = form.cleaned_data
        wish = CredentialWish(
            kind=Kind(data["kind"]), policy=data["policy"] or "random", requested=data["code"]
        )
        try:
            issuing.add_credential(person=person, wish=wish, by=request.staff.actor(), now=now())
        except Refused as refused:
            form.refuse(refused)
        else:
            return to_key(request, key.pk, "The credential is made.")
    return render(
        request, "staff/key_credential.html", {"form": form, "key": key, "person": person}
    )


@never_cache
@sensitive_post_parameters()
@form_page
@needs(Right.EDIT_KEYS)
def regenerate(request: StaffRequest, key_id: int, credential_id: int) -> HttpResponseBase:
    """Draw a new secret; a form that was sent twice draws once."""
    key = key_of(request, key_id)
    rows = Credential.objects.select_related("key", "person__guest")
    credential = get_object_or_404(rows, pk=credential_id, key=key, retired_at=None)
    form = RegenerateForm(
        request.POST or None, initial={"revision": credential.revision, "policy": "random"}
    )
    if request.method == "POST" and form.is_valid():
        data = form.cleaned_data
        if data["revision"] != credential.revision:
            return to_key(request, key.pk, "It was regenerated already; nothing was drawn twice.")
        try:
            issuing.regenerate(
                credential=credential,
                policy=data["policy"],
                requested=data["code"],
                by=request.staff.actor(),
                now=now(),
            )
        except Refused as refused:
            form.refuse(refused)
        else:
            return to_key(
                request,
                key.pk,
                f"The {credential.get_kind_display()} is new on all doors of this key.",
            )
    return render(
        request,
        "staff/key_credential.html",
        {"form": form, "key": key, "person": credential.person, "credential": credential},
    )
