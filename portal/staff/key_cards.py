"""Encode keycard: choose an unused card, have it written at the encoder, and see how that ended."""

from __future__ import annotations

from django.http import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters

from keys import encoding
from keys.encoding_models import CardEncoding
from keys.models import Person
from keys.refusal import Refused
from keys.wording import problem_text
from locks.drivers import CardStock
from locks.models import LockAccount
from portal.roles import Right
from portal.staff.access import StaffRequest, needs
from portal.staff.key_fields import EncodeCardForm
from portal.staff.keys import key_of
from portal.staff.pages import form_page, now, show


@never_cache
@sensitive_post_parameters()
@form_page
@needs(Right.EDIT_KEYS)
def encode_card(request: StaffRequest, key_id: int, person_id: int) -> HttpResponseBase:
    """The unused cards, and how the last attempt for this person stands; while one is under way, only that."""
    key = key_of(request, key_id)
    rows = Person.objects.select_related("guest", "key")
    person = get_object_or_404(rows, pk=person_id, key=key, removed_at=None)
    attempt = CardEncoding.objects.filter(person=person).order_by("-asked_at", "-id").first()
    under_way = attempt is not None and attempt.ended_at is None
    account, stock = encoding.encoder_of(key), CardStock()
    if account is not None and not under_way:
        stock = encoding.unused_cards(key=key, account=account, now=now())
    held = person.credentials.filter(kind=encoding.KEYCARD, retired_at=None).first()
    form = EncodeCardForm(request.POST or None, cards=stock.cards, replaces=held is not None)
    wants = request.method == "POST" and account is not None and not under_way
    if wants and account and form.is_valid() and _asked(request, person, account, form):
        return redirect("encode_card", key_id=key.pk, person_id=person.pk)
    context = {
        "key": key,
        "person": person,
        "account": account,
        "attempt": attempt,
        "words": encoding.said(attempt) if attempt else "",
        "held": held,
        "form": form,
        "has_cards": bool(stock.cards),
        "problem": problem_text(stock.error.cause.value) if stock.error else "",
    }
    return show(request, "staff/encode_card.html", context)


def _asked(
    request: StaffRequest, person: Person, account: LockAccount, form: EncodeCardForm
) -> bool:
    try:
        encoding.ask(
            person=person,
            account=account,
            card=form.cleaned_data["card"],
            is_lost=form.cleaned_data.get("lost", False),
            by=request.staff.actor(),
            now=now(),
        )
    except Refused as refused:
        form.refuse(refused)
        return False
    return True
