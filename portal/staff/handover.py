"""Shift handover: what the last shift leaves behind, the button that takes it over, and the e-mail about it."""

from __future__ import annotations

from django import forms
from django.contrib import messages
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from keys import shift
from portal import handovers
from portal.roles import Right
from portal.staff.access import StaffRequest, needs
from portal.staff.fields import Styled
from portal.staff.log import cause_text
from portal.staff.log import told as log_lines
from portal.staff.pages import now, show


class MailForm(Styled):
    """Where to send it."""

    address = forms.EmailField(
        label="E-mail address",
        max_length=254,
        widget=forms.EmailInput(attrs={"autocomplete": "email"}),
        error_messages={"required": "Type the address that shall get it."},
    )


@never_cache
@require_GET
@needs(Right.SEE_KEYS)
def handover(request: StaffRequest) -> HttpResponse:
    """What happened since someone last took over."""
    return _page(request, MailForm())


@require_POST
@needs(Right.SWITCH_DOORS)
def take_over(request: StaffRequest) -> HttpResponseBase:
    """From now on a new shift is told."""
    handovers.take_over(membership=request.staff.membership, now=now())
    messages.success(request, "The shift is yours. What happens from now on is told here.")
    return redirect("handover")


@require_POST
@needs(Right.MAIL_HANDOVER)
def mail(request: StaffRequest) -> HttpResponseBase:
    """Send this shift to an address; a worker does it."""
    form = MailForm(request.POST)
    if not form.is_valid():
        return _page(request, form)
    at = now()
    last = handovers.last_of(request.staff.hotel.pk)
    handovers.ask_mail(
        membership=request.staff.membership,
        address=form.cleaned_data["address"],
        since=shift.since_when(last.taken_at if last else None, now=at),
        until=at,
        now=at,
    )
    messages.success(
        request, "It will be sent within a minute. Guests and codes are not named in it."
    )
    return redirect("handover")


def _page(request: StaffRequest, form: MailForm) -> HttpResponse:
    at = now()
    last = handovers.last_of(request.staff.hotel.pk)
    since = shift.since_when(last.taken_at if last else None, now=at)
    told = shift.told(property_id=request.staff.hotel.pk, since=since, until=at)
    context = {
        "told": told,
        "last": last,
        "open": [
            (one, told.names.get(one.key_id, ""), cause_text(one.cause)) for one in told.still_open
        ],
        "healed": [(one, told.names.get(one.key_id, "")) for one in told.healed],
        "overrides": [(one, told.names.get(one.key_id, "")) for one in told.overrides],
        "by_hand": log_lines(told.by_hand, see_codes=False),
        "form": form,
        "zone_name": request.staff.hotel.timezone,
        "days": shift.LONGEST.days,
    }
    return show(request, "staff/handover.html", context)
