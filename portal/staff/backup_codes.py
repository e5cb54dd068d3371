"""Backup codes: giving one at a door whose lock does not get the guest's own, and the ledger of those that were given."""

from __future__ import annotations

from typing import Any

from django import forms
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_variables
from django.views.decorators.http import require_GET

from keys import backups, messages
from keys.backup_models import BackupCode
from keys.models import Credential, Key, KeychainDoor
from keys.refusal import Refused
from portal.roles import Right
from portal.staff.access import StaffRequest, needs
from portal.staff.fields import Styled
from portal.staff.key_doors import chain_door_of
from portal.staff.keys import key_of
from portal.staff.lock_lists import tabs
from portal.staff.pages import form_page, now, show, turn


class GiveForm(Styled):
    """Why a backup code is given, and whether it goes to the guest by message."""

    because = forms.CharField(
        label="Why",
        max_length=200,
        help_text="Kept in the ledger. Write no code here.",
        error_messages={"required": "Say why, such as: the lock is out of reach."},
    )
    send = forms.BooleanField(
        label="Send it to the guest",
        required=False,
        help_text="By the property’s channel, to the address of the key’s main person.",
    )


@sensitive_variables("credential", "context")
@never_cache
@form_page
@needs(Right.EDIT_KEYS)
def give(request: StaffRequest, key_id: int, door_id: int) -> HttpResponseBase:
    """Give the guest of this key a backup code for this door, and show it once."""
    key = key_of(request, key_id)
    chained = chain_door_of(request, key, door_id)
    form = GiveForm(request.POST or None)
    at = now()
    context: dict[str, Any] = {"key": key, "chained": chained, "form": form}
    if request.method == "POST" and form.is_valid():
        try:
            row, credential = backups.give(
                keychain_door=chained,
                because=form.cleaned_data["because"],
                by=request.staff.actor(),
                now=at,
            )
        except Refused as refused:
            form.refuse(refused)
        else:
            sent = _send(request, form, credential, key) if form.cleaned_data["send"] else ""
            context |= {"given": row, "code": credential.secret, "sent": sent}
            return render(request, "staff/backup_given.html", context)
    context["ready"] = backups.ready_at(chained.door_id, now=at).exists() or _has_one(chained)
    return render(request, "staff/backup_give.html", context)


def _has_one(chained: KeychainDoor) -> bool:
    mine = BackupCode.objects.filter(given_for_id=chained.key_id, door_id=chained.door_id)
    return mine.filter(rotated_at=None).exists()


def _send(request: StaffRequest, form: GiveForm, credential: Credential, key: Key) -> str:
    try:
        messages.send_backup(credential=credential, to=key, by=request.staff.actor(), now=now())
    except Refused as refused:
        return f"It was not sent. {refused.message}"
    return "It is being sent to the guest; the page of the key shows what became of it."


@never_cache
@require_GET
@needs(Right.SEE_KEYS)
def ledger(request: StaffRequest) -> HttpResponse:
    """Which backup codes were given to whom, by whom, when and why; never the codes."""
    rows = BackupCode.objects.filter(
        property_id=request.staff.hotel.pk, given_at__isnull=False
    ).select_related("door", "given_for", "key")
    page = turn(
        rows, by="-given_at", after=request.GET.get("after", ""), value=lambda row: row.given_at
    )
    context = {
        "given": page.rows,
        "next": page.after,
        "wanted": request.staff.hotel.backup_codes,
        "tabs": tabs(request),
    }
    return show(request, "staff/backups.html", context)
