"""A recovery after an outage: the dry run and its one confirmation, progress with a result per row, cancel and undo."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.contrib import messages
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from keys import recovering, releasing
from keys.explaining import explain_keys
from keys.models import Key, Recovery, RecoveryRow
from keys.recovery_steps import on_locks_now
from keys.refusal import Refused
from keys.releasing import DryRun
from keys.remedies import Remedy
from locks.clock import zone
from pms.models import Outage
from portal.roles import Right
from portal.staff.access import StaffRequest, needs
from portal.staff.forms import ReleaseForm
from portal.staff.key_list import capped
from portal.staff.keys import WORDS
from portal.staff.outages import outage_of
from portal.staff.pages import form_page, now, show, ticked, turn

EFFECTS = {
    Remedy.REVOKE: "Revoked, before anything else",
    Remedy.SHORTEN: "Shortened to the stay",
    Remedy.MOVE: "Moved to the room’s doors",
    Remedy.EXTEND: "Given the times of the stay",
    Remedy.LINK: "Linked to the key made by hand, whose code is kept",
    Remedy.PROVISION: "Released",
}


@dataclass(frozen=True, slots=True)
class Line:
    """One row of a recovery: the key that counts now, what was to be done, the result, and how it stands now."""

    row: RecoveryRow
    key: Key
    stands: str
    is_pending: bool


@never_cache
@form_page
@needs(Right.RELEASE_IN_BULK)
def release(request: StaffRequest, outage_id: int) -> HttpResponseBase:
    """The dry run of all or of the chosen reservations, counted by effect; Release confirms it."""
    outage, at, chosen = outage_of(request, outage_id), now(), ticked(request, "stay")
    form = ReleaseForm(request.POST or None)
    if request.method == "POST" and form.is_valid():  # at once: the dry run was looked at before
        try:
            return _start(request, outage, chosen, form, at)
        except (recovering.NothingLeft, recovering.StillFollowing) as not_now:
            messages.info(request, not_now.message, extra_tags="")
            return redirect("affected")
    seen = releasing.dry_run(outage=outage, now=at, reservation_ids=chosen)
    form.initial = {
        "up_to": seen.up_to,
        "seen_at": at.isoformat(),
        "links_keys": True,
        "reason": _reason(outage),
    }
    context = {
        "form": form,
        "outage": outage,
        "seen": seen,
        "chosen": chosen,
        "remedies": [(EFFECTS[one], many) for one, many in seen.remedies.items()],
        "effects": _effects(seen),
    }
    return render(request, "staff/release.html", context | WORDS)


def _reason(outage: Outage) -> str:
    """What stands in the field for the reason: "Cloudbeds was broken from 24 Nov 21:14 on"."""
    local = outage.last_word_at.astimezone(zone(outage.property.timezone))
    name = outage.integration.pms_name()
    return f"{name} was broken from {local.day} {local:%b %H:%M} on"


def _effects(seen: DryRun) -> list[tuple[str, int, int]]:
    return [
        (one.value, seen.by_rule.get(one, 0), seen.before_check_in.get(one, 0))
        for one in releasing.Becomes
        if one in seen.by_rule or one in seen.before_check_in
    ]


def _start(
    request: StaffRequest,
    outage: Outage,
    chosen: Sequence[int] | None,
    form: ReleaseForm,
    at: datetime,
) -> HttpResponseBase:
    data = form.cleaned_data
    recovery = recovering.start(
        outage=outage,
        reservation_ids=chosen,
        before_check_in=data["before_check_in"],
        links_keys=data["links_keys"],
        up_to=data["up_to"],
        seen_at=data["seen_at"],
        by=request.staff.actor(data["reason"]),
        now=at,
    )
    if recovery.started_at != at:
        said = "This one was under way already: release the rest when it is done."
        messages.info(request, said, extra_tags="")
    return redirect("recovery", recovery_id=recovery.pk)


def recovery_of(request: StaffRequest, recovery_id: int) -> Recovery:
    """The recovery, if it is this property's; 404 otherwise."""
    rows = Recovery.objects.select_related("outage__integration", "property")
    return get_object_or_404(rows, pk=recovery_id, property_id=request.staff.hotel.pk)


@never_cache
@require_GET
@needs(Right.SEE_KEYS)
def recovery(request: StaffRequest, recovery_id: int) -> HttpResponse:
    """How far a recovery is, and the result of each row; an open page follows it by itself."""
    row, at = recovery_of(request, recovery_id), now()
    wanted = request.GET.get("state", "")
    rows = RecoveryRow.objects.filter(recovery=row)
    if wanted in RecoveryRow.State.values:
        rows = rows.filter(state=wanted)
    page = turn(
        rows,
        by="reservation_id",
        after=request.GET.get("after", ""),
        value=lambda one: str(one.reservation_id),
    )
    is_done = row.finished_at is not None
    context = {
        "recovery": row,
        "outage": row.outage,
        "figures": row.figures(),
        "wanted": wanted,
        "waiting": row.planned - row.settled(),
        "lines": _lines(list(page.rows), at),
        "next": page.after,
        "is_done": is_done,
        "may_undo": is_done and row.undo_asked_at is None and row.done > 0,
    }
    return show(request, "staff/recovery.html", context | WORDS)


State = RecoveryRow.State


def _lines(rows: list[RecoveryRow], at: datetime) -> list[Line]:
    """Of a linked reservation the key made by hand counts."""
    counts = {row.pk: _key_that_counts(row) for row in rows}
    keys = Key.objects.in_bulk(list(set(counts.values())))
    told = explain_keys(keys=list(keys.values()), now=at)
    return [
        Line(
            row=row,
            key=keys[counts[row.pk]],
            stands=told[counts[row.pk]].headline or f"{told[counts[row.pk]].state}.",
            is_pending=told[counts[row.pk]].is_pending,
        )
        for row in rows
    ]


def _key_that_counts(row: RecoveryRow) -> int:
    linked = row.twin_id is not None and row.state in {State.DONE, State.KEPT}
    return row.twin_id if linked and row.twin_id else row.key_id


@require_POST
@needs(Right.RELEASE_IN_BULK)
def cancel(request: StaffRequest, recovery_id: int) -> HttpResponseBase:
    """Do no more of it; what is done stays."""
    recovering.cancel(recovery=recovery_of(request, recovery_id), now=now())
    return redirect("recovery", recovery_id=recovery_id)


@never_cache
@form_page
@needs(Right.RELEASE_IN_BULK)
def undo(request: StaffRequest, recovery_id: int) -> HttpResponseBase:
    """Hold again what was released, after saying whose codes come off their locks."""
    row = recovery_of(request, recovery_id)
    if request.method == "POST":
        try:
            recovering.undo(recovery=row, by=request.staff.actor(), now=now())
        except Refused as refused:
            messages.error(request, refused.message, extra_tags="bad")
        return redirect("recovery", recovery_id=recovery_id)
    context = {"recovery": row, "on_locks": capped(on_locks_now(row))}
    return render(request, "staff/recovery_undo.html", context)
