"""What was sent to the guests of a key, and sending a code once more on staff's word."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.contrib import messages as said
from django.http import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect
from django.views.decorators.http import require_POST

from keys import messages
from keys.models import Credential, Key
from keys.refusal import Refused
from keys.telling_models import GuestMessage
from locks.drivers import Kind
from portal.roles import Right
from portal.staff.access import StaffRequest, needs
from portal.staff.once import give_back, spend
from portal.staff.pages import now

SHOWN = 20


@dataclass(frozen=True, slots=True)
class Sent:
    """One message as the page of its key shows it; the address only as far as staff need to tell it from another."""

    message: GuestMessage
    at: datetime
    address: str
    is_old: bool


def sent(key: Key, *, most: int | None) -> list[Sent]:
    """The latest messages about this key, newest first, all of them or so many. One query."""
    rows = GuestMessage.objects.filter(key=key).select_related("credential").defer("body")
    return [
        Sent(
            message=row,
            at=row.sent_at or row.made_at,
            address=hinted(str(row.address)),
            is_old=row.revision != row.credential.revision,
        )
        for row in rows.defer("credential__secret").order_by("-made_at", "-id")[:most]
    ]


def hinted(address: str) -> str:
    """An address as a page may show it: "a•••@hotel.example", or the last three digits of a number."""
    name, at, host = address.partition("@")
    return f"{name[:1]}•••@{host}" if at else f"•••{address[-3:]}"


@require_POST
@needs(Right.EDIT_KEYS)
def send_code(request: StaffRequest, key_id: int, credential_id: int) -> HttpResponseBase:
    """Send a Door Code to its guest once more; a form that was sent twice sends once."""
    rows = Credential.objects.select_related("key__property", "person__guest")
    credential = get_object_or_404(
        rows,
        pk=credential_id,
        key_id=key_id,
        property_id=request.staff.hotel.pk,
        kind=Kind.DOOR_CODE.value,
        retired_at=None,
    )
    at, token = now(), request.POST.get("once", "")
    if not spend(token, now=at):
        return redirect("key", key_id=key_id)
    try:
        made = messages.send_again(credential=credential, by=request.staff.actor(), now=at)
    except Refused as refused:
        give_back(token)
        said.error(request, refused.message, extra_tags="bad")
    else:
        ways = " and ".join(sorted({str(row.get_channel_display()) for row in made}))
        text = f"The Door Code is being sent by {ways}." if made else "It is being sent already."
        said.success(request, text, extra_tags="")
    return redirect("key", key_id=key_id)
