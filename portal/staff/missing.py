"""Settings → Integrations → Missing reservations: what the PMS no longer mentions, and the one way to end those keys."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.cache import never_cache

from keys import ending
from pms.models import Integration
from portal.roles import Right
from portal.staff.access import StaffRequest, needs
from portal.staff.forms import EndMissingForm
from portal.staff.pages import form_page, now, ticked, turn


@never_cache
@form_page
@needs(Right.CHANGE_INTEGRATIONS)
def missing(request: StaffRequest, integration_id: int) -> HttpResponseBase:
    """The keys of missing reservations by arrival. Those that are ticked end when the word is typed; no others ever do."""
    row = get_object_or_404(Integration, pk=integration_id, property_id=request.staff.hotel.pk)
    chosen = ticked(request, "key")
    form = EndMissingForm(request.POST or None, chosen=bool(chosen))
    if request.method == "POST" and form.is_valid():
        ended = ending.end_missing(
            integration=row, key_ids=chosen or (), by=request.staff.actor(), now=now()
        )
        said = f"{ended} key{'' if ended == 1 else 's'} ended: their codes come off the locks."
        messages.success(request, said, extra_tags="")
        return redirect("missing", row.pk)
    keys = ending.missing_keys(row, now=now())
    many = keys.count()
    page = turn(
        keys.select_related("reservation"),
        by="starts_at",
        after=request.GET.get("after", ""),
        value=lambda key: key.starts_at.isoformat(),
    )
    context = {
        "form": form,
        "name": row.pms_name(),
        "keys": page.rows,
        "next": page.after,
        "chosen": set(chosen or ()),
        "many": many,
        "is_mass": ending.is_mass(many, ending.live_keys(row, now=now()).count()),
    }
    return render(request, "staff/missing.html", context)
