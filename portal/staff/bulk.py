"""One change of many keys: the dry run and its confirmation, progress with a result per key, cancel and undo."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from keys import bulk
from keys.explaining import explain_keys
from keys.models import BulkChange, BulkRow
from keys.refusal import Refused
from portal.roles import Right
from portal.staff import once
from portal.staff.access import StaffRequest, needs
from portal.staff.fields import Styled
from portal.staff.key_list import ids_of, understand
from portal.staff.keys import WORDS, asked_of
from portal.staff.pages import form_page, now, show, ticked, turn
from portal.staff.room_forms import SeenIds

Kind = BulkChange.Action
HEADS = {
    Kind.REVOKE: "Revoke",
    Kind.HOLD: "Switch Allow Provisioning off for",
    Kind.ALLOW: "Switch Allow Provisioning on for",
}
BUTTONS = {Kind.REVOKE: "Revoke", Kind.HOLD: "Switch off", Kind.ALLOW: "Switch on"}


class BulkForm(Styled):
    """Confirming a change of exactly the keys that the dry run counted; revoking them is typed."""

    keys = SeenIds(max_length=20 * bulk.MOST, widget=forms.HiddenInput)
    action = forms.ChoiceField(choices=Kind.choices, widget=forms.HiddenInput)
    typed = forms.CharField(
        max_length=30,
        required=False,
        widget=forms.TextInput(attrs={"autocomplete": "off", "autocapitalize": "none"}),
    )
    reason = forms.CharField(
        label="Reason",
        max_length=200,
        help_text="Kept in the history of every key.",
        error_messages={"required": "Say why: it is kept in the history of every key."},
    )

    def ask_for(self, keys: int) -> None:
        """Have the number of these keys typed along with the word."""
        self.words = f"revoke {keys}"
        self.fields["typed"].label = f"Type {self.words}"

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        typed = " ".join(str(cleaned.get("typed", "")).lower().split())
        if cleaned.get("action") == Kind.REVOKE and typed != self.words:
            self.add_error("typed", f"Type {self.words} to confirm.")
        return cleaned


@never_cache
@form_page
@needs(Right.CHANGE_IN_BULK)
def bulk_keys(request: StaffRequest) -> HttpResponseBase:
    """The dry run of the chosen keys, or of all of a list, counted by effect; its button confirms it."""
    at = now()
    asked = request.POST if request.method == "POST" else request.GET
    action = asked.get("action") if asked.get("action") in Kind.values else Kind.REVOKE
    ids = sorted(SeenIds().clean(asked["keys"])) if asked.get("keys") else _chosen(request, at)
    if not ids or len(ids) > bulk.MOST:
        said = "No key is chosen: tick some in the list, or all of it."
        if ids:
            said = f"The list has more than {bulk.MOST} keys: narrow it, or change them in several goes."
        messages.info(request, said, extra_tags="")
        return redirect("keys")
    seen = bulk.dry_run(property_id=request.staff.hotel.pk, action=str(action), key_ids=ids, now=at)
    form = BulkForm(request.POST or None, initial={"keys": _joined(ids), "action": action})
    form.ask_for(seen.keys)
    if request.method == "POST" and form.is_valid():
        return _start(request, form)
    context = {
        "form": form,
        "seen": seen,
        "head": HEADS[Kind(str(action))],
        "button": BUTTONS[Kind(str(action))],
        "is_revoke": action == Kind.REVOKE,
        "effects": [(effect.value, many) for effect, many in seen.effects],
        "once": request.POST.get("once", "") or once.new_token(),
    }
    return render(request, "staff/bulk.html", context)


def _joined(ids: list[int]) -> str:
    return ",".join(str(pk) for pk in ids)


def _chosen(request: StaffRequest, at: datetime) -> list[int]:
    """The ticked keys, or up to one more than can be changed of all that the list shows."""
    if request.GET.get("all") != "on":
        return ticked(request, "key") or []
    hotel = request.staff.hotel.pk
    search = understand(request.GET.get("q", ""), property_id=hotel)
    group, pending = asked_of(request, search)
    return ids_of(
        property_id=hotel,
        group=group,
        pending=pending,
        search=search,
        most=bulk.MOST + 1,
        now=at,
    )


def _start(request: StaffRequest, form: BulkForm) -> HttpResponseBase:
    token = request.POST.get("once", "") or once.new_token()
    if not once.spend(token, now=now()):
        made = once.made(token)
        return redirect("bulk_change", change_id=made) if made else redirect("keys")
    try:
        change = bulk.start(
            property_id=request.staff.hotel.pk,
            action=form.cleaned_data["action"],
            key_ids=sorted(form.cleaned_data["keys"]),
            by=request.staff.actor(form.cleaned_data["reason"]),
            now=now(),
        )
    except Refused as refused:
        once.give_back(token)
        messages.error(request, refused.message, extra_tags="bad")
        return redirect("keys")
    except BaseException:
        once.give_back(token)
        raise
    once.remember(token, change.pk)
    return redirect("bulk_change", change_id=change.pk)


def change_of(request: StaffRequest, change_id: int) -> BulkChange:
    """The change, if it is this property's; 404 otherwise."""
    return get_object_or_404(BulkChange, pk=change_id, property_id=request.staff.hotel.pk)


@dataclass(frozen=True, slots=True)
class Line:
    """One key of a change, its result, and how it stands now."""

    row: BulkRow
    stands: str


@never_cache
@require_GET
@needs(Right.SEE_KEYS)
def bulk_change(request: StaffRequest, change_id: int) -> HttpResponse:
    """How far a change is, and the result of each key; an open page follows it by itself."""
    change, at = change_of(request, change_id), now()
    wanted = request.GET.get("state", "")
    rows = BulkRow.objects.filter(change=change).select_related("key")
    if wanted in BulkRow.State.values:
        rows = rows.filter(state=wanted)
    page = turn(
        rows, by="key_id", after=request.GET.get("after", ""), value=lambda one: str(one.key_id)
    )
    told = explain_keys(keys=[row.key for row in page.rows], now=at)
    is_done = change.finished_at is not None
    context = {
        "change": change,
        "figures": change.figures(),
        "wanted": wanted,
        "waiting": change.planned - change.settled(),
        "lines": [
            Line(row, told[row.key_id].headline or f"{told[row.key_id].state}.")
            for row in page.rows
        ],
        "next": page.after,
        "is_done": is_done,
        "may_undo": is_done and change.undo_asked_at is None and change.done > 0,
    }
    return show(request, "staff/bulk_change.html", context | WORDS)


@require_POST
@needs(Right.CHANGE_IN_BULK)
def cancel_bulk(request: StaffRequest, change_id: int) -> HttpResponseBase:
    """Do no more of it; what is done stays."""
    bulk.cancel(change=change_of(request, change_id), now=now())
    return redirect("bulk_change", change_id=change_id)


@never_cache
@form_page
@needs(Right.CHANGE_IN_BULK)
def undo_bulk(request: StaffRequest, change_id: int) -> HttpResponseBase:
    """Take back what it did, after saying what that means."""
    change = change_of(request, change_id)
    if request.method == "POST":
        try:
            bulk.undo(change=change, by=request.staff.actor(), now=now())
        except Refused as refused:
            messages.error(request, refused.message, extra_tags="bad")
        return redirect("bulk_change", change_id=change_id)
    return render(request, "staff/bulk_undo.html", {"change": change})
