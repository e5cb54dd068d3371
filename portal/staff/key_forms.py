"""What changes a key as a whole: its times, the switch of all its doors, revoking and restoring."""

from __future__ import annotations

from datetime import datetime

from django.contrib import messages
from django.http import HttpResponseBase, QueryDict
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST

from keys import issuing
from keys.explaining import explain_key
from keys.models import Key
from keys.refusal import Refused
from locks.clock import zone
from locks.history import ChangedMeanwhile, version_of
from portal.roles import Right
from portal.staff import meanwhile
from portal.staff.access import StaffRequest, needs
from portal.staff.key_fields import RevokeForm, WindowForm, window_initial
from portal.staff.keys import WORDS, key_of, to_key
from portal.staff.pages import form_page, now


@never_cache
@form_page
@needs(Right.EDIT_KEYS)
def edit_key(request: StaffRequest, key_id: int) -> HttpResponseBase:
    """Edit Key: the Access Period, and Allow Provisioning for all its doors."""
    key = key_of(request, key_id)
    version = version_of(key)
    key.refresh_from_db(fields=["starts_at", "ends_at"])
    form = _window_form(request, key, request.POST or None)
    other = None
    if request.method == "POST" and form.is_valid():
        other = meanwhile.look(form, key, version)
        if other is None:
            try:
                _save_times(request, key, form, version)
            except ChangedMeanwhile:
                return edit_key(request, key_id)
            except Refused as refused:
                form.refuse(refused)
            else:
                return to_key(request, key.pk, "Saved.")
        else:
            form = _window_form(request, key, other.data)
    context = {
        "form": form,
        "meanwhile": other,
        "seen": meanwhile.carry(form, version),
        "key": key,
        "answer": explain_key(key=key, now=now()),
        "zone_name": request.staff.hotel.timezone,
    }
    return render(request, "staff/key_edit.html", context | WORDS)


def _window_form(request: StaffRequest, key: Key, data: QueryDict | None) -> WindowForm:
    shown = window_initial(key.starts_at, key.ends_at, zone(request.staff.hotel.timezone))
    return WindowForm(data, hotel=request.staff.hotel, initial=shown)


def _save_times(request: StaffRequest, key: Key, form: WindowForm, version: int) -> None:
    knew = meanwhile.version_seen(request.POST) is not None
    issuing.edit_key(
        key=key,
        seen=version if knew else None,
        by=request.staff.actor(),
        now=now(),
        **_changed_times(key, form),
    )


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
