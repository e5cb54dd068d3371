"""Codes that lie on locks and are not Portal's: the list, making one a key as it is, and removing one."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django import forms
from django.contrib import messages
from django.db.models import Prefetch
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_variables
from django.views.decorators.http import require_GET

from keys import adopting
from keys.refusal import Refused
from locks.clock import zone
from locks.errand_models import Errand
from locks.slot_models import ForeignCode
from locks.vendors import vendor
from portal.roles import Right
from portal.staff.access import StaffRequest, needs
from portal.staff.fields import Styled
from portal.staff.key_fields import WindowForm, window_initial
from portal.staff.lock_lists import tabs
from portal.staff.locks import errand_words
from portal.staff.pages import form_page, now, show, turn


class AdoptForm(WindowForm):
    """Whose key a code becomes, and for how long; the code itself only where the lock does not show it."""

    field_order = ["name", "code"]
    name = forms.CharField(
        label="Name",
        max_length=200,
        help_text="Who uses this code: a person, or what it is for.",
        error_messages={"required": "Name who uses it."},
    )
    code = forms.CharField(
        label="Door Code",
        max_length=12,
        widget=forms.TextInput(attrs={"inputmode": "numeric", "autocomplete": "off"}),
        help_text="The lock does not show it: type it exactly as it is.",
        error_messages={"required": "The lock does not show this code: type it."},
    )

    def __init__(self, *args: Any, shown: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if shown:
            del self.fields["code"]


class RemoveForeignForm(Styled):
    """The word that confirms."""

    word = forms.CharField(
        label="Type the word remove",
        max_length=20,
        widget=forms.TextInput(attrs={"autocomplete": "off", "autocapitalize": "none"}),
    )

    def clean_word(self) -> str:
        word = str(self.cleaned_data["word"]).strip().lower()
        if word != "remove":
            raise forms.ValidationError("Type the word remove to confirm.")
        return word


@never_cache
@require_GET
@needs(Right.SEE_DOORS)
def foreign_list(request: StaffRequest) -> HttpResponse:
    """All codes that Portal did not put on its locks, those known longest first."""
    rows = ForeignCode.objects.filter(property_id=request.staff.hotel.pk, gone_at=None)
    asked = Prefetch("errands", Errand.objects.order_by("-asked_at"), to_attr="asked")
    page = turn(
        rows.select_related("lock__door").defer("secret").prefetch_related(asked),
        by="first_seen_at",
        after=request.GET.get("after", ""),
        value=lambda code: code.first_seen_at,
    )
    lines = [
        (code, errand_words(code.asked[0]) if code.asked else "")  # type: ignore[attr-defined]
        for code in page.rows
    ]
    context = {"lines": lines, "next": page.after, "tabs": tabs(request)}
    return show(request, "staff/foreign.html", context)


def _foreign_of(request: StaffRequest, foreign_id: int) -> ForeignCode:
    rows = ForeignCode.objects.select_related("lock__door", "lock__account")
    rows = rows.defer("lock__account__token")
    return get_object_or_404(rows, pk=foreign_id, property_id=request.staff.hotel.pk)


@sensitive_variables("form")
@never_cache
@form_page
@needs(Right.CLEAR_FOREIGN)
def adopt_foreign(request: StaffRequest, foreign_id: int) -> HttpResponseBase:
    """Make a key of it: a name and a window; the code on the lock stays as it is."""
    code, at, hotel = _foreign_of(request, foreign_id), now(), request.staff.hotel
    initial = window_initial(at, at + timedelta(days=30), zone(hotel.timezone))
    form = AdoptForm(request.POST or None, hotel=hotel, shown=bool(code.secret), initial=initial)
    if request.method == "POST" and form.is_valid():
        data = form.cleaned_data
        try:
            key = adopting.adopt(
                foreign=code,
                name=data["name"],
                code=data.get("code", ""),
                starts_at=data["starts_at"],
                ends_at=data["ends_at"],
                by=request.staff.actor(),
                now=at,
            )
        except Refused as refused:
            form.refuse(refused)
        else:
            messages.success(request, f"It is the key of {key.label} now.", extra_tags="")
            return redirect("key", key_id=key.pk)
    context = {
        "form": form,
        "code": code,
        "hotel_zone": hotel.timezone,
        "keeps": vendor(code.lock.account.driver).keeps_foreign,
    }
    return render(request, "staff/foreign_adopt.html", context)


@never_cache
@form_page
@needs(Right.CLEAR_FOREIGN)
def remove_foreign(request: StaffRequest, foreign_id: int) -> HttpResponseBase:
    """Take it off its lock, after the typed word."""
    code = _foreign_of(request, foreign_id)
    form = RemoveForeignForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            adopting.remove(foreign=code, by=request.staff.actor(), now=now())
        except Refused as refused:
            form.refuse(refused)
        else:
            messages.success(request, "It is being removed; the lock’s answer appears here.")
            return redirect("lock", lock_id=code.lock_id)
    return render(request, "staff/foreign_remove.html", {"form": form, "code": code})
