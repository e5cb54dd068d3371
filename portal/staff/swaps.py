"""Swap lock: another lock takes the place of one that breaks or wears out, and every code of the door with it."""

from __future__ import annotations

from django import forms
from django.contrib import messages
from django.http import HttpResponseBase
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache

from keys import swapping
from keys.refusal import Refused
from locks.models import Lock
from portal.roles import Right
from portal.staff.access import StaffRequest, needs
from portal.staff.fields import Styled
from portal.staff.forms import SwapForm
from portal.staff.locks import lock_of
from portal.staff.pages import form_page, now


class WasResetForm(Styled):
    """Staff's word that a lock was emptied."""

    sure = forms.BooleanField(
        label="This lock was reset: nothing is stored in it any more",
        error_messages={"required": "Tick this only once the lock itself was reset."},
    )


@never_cache
@form_page
@needs(Right.PAIR_LOCKS)
def swap_lock(request: StaffRequest, lock_id: int) -> HttpResponseBase:
    """Choose the new lock of a door; says before what is written and what is left behind."""
    old = lock_of(request, lock_id)
    free = Lock.objects.filter(property=request.staff.hotel, door=None).order_by("name", "id")
    locks = {str(lock.pk): lock for lock in free.exclude(pk=old.pk)}
    form = SwapForm(request.POST or None, locks=[(pk, lock.name) for pk, lock in locks.items()])
    if request.method == "POST" and form.is_valid():
        new, reset = locks[form.cleaned_data["lock"]], form.cleaned_data["was_reset"]
        try:
            door = swapping.swap_lock(
                old=old, new=new, was_reset=reset, by=request.staff.actor(), now=now()
            )
        except Refused as refused:
            form.refuse(refused)
        else:
            said = f"{new.name} hangs on {door.name} now, and its codes are being written."
            messages.success(request, said, extra_tags="")
            return redirect("lock", lock_id=new.pk)
    seen = swapping.preview(lock=old, now=now())
    context = {"form": form, "lock": old, "seen": seen, "none_free": not locks}
    return render(request, "staff/lock_swap.html", context)


@never_cache
@form_page
@needs(Right.PAIR_LOCKS)
def was_reset(request: StaffRequest, lock_id: int) -> HttpResponseBase:
    """Say that a lock on no door was reset: what was listed as still on it is gone."""
    lock = lock_of(request, lock_id)
    form = WasResetForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        try:
            many = swapping.was_emptied(lock=lock, by=request.staff.actor(), now=now())
        except Refused as refused:
            form.refuse(refused)
        else:
            messages.success(request, f"Nothing is on {lock.name} any more: {many} less to remove.")
            return redirect("lock", lock_id=lock.pk)
    return render(request, "staff/lock_reset.html", {"form": form, "lock": lock})
