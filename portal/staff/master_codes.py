"""Master code of one lock: asked for here, done when the lock confirms it, and until then shown as waiting."""

from __future__ import annotations

from django import forms
from django.contrib import messages
from django.http import HttpResponseBase
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters

from keys import errands
from keys.refusal import Refused
from portal.roles import Right
from portal.staff.access import StaffRequest, needs
from portal.staff.fields import Styled
from portal.staff.locks import lock_of
from portal.staff.pages import form_page, now


class MasterCodeForm(Styled):
    """The code that programs the lock at its keypad."""

    code = forms.CharField(
        label="New master code",
        max_length=20,
        strip=True,
        widget=forms.TextInput(attrs={"inputmode": "numeric", "autocomplete": "off"}),
        error_messages={"required": "Type the new master code."},
    )


@never_cache
@sensitive_post_parameters()
@form_page
@needs(Right.SET_MASTER_CODES)
def change(request: StaffRequest, lock_id: int) -> HttpResponseBase:
    """Have the lock given another master code; one that is offline is given it when it is back, or not at all."""
    lock = lock_of(request, lock_id)
    reachable = lock.is_online and (lock.gateway is None or lock.gateway.is_online)
    form = MasterCodeForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            errands.change_master_code(
                lock=lock, code=form.cleaned_data["code"], by=request.staff.actor(), now=now()
            )
        except Refused as refused:
            form.refuse(refused)
        else:
            said = "The master code is being changed; the answer appears below."
            if not reachable:
                said = "The lock is offline: the old master code holds until the lock is back and confirms the new one."
            messages.success(request, said, extra_tags="")
            return redirect("lock", lock_id=lock.pk)
    return render(
        request, "staff/master_code.html", {"form": form, "lock": lock, "reachable": reachable}
    )
