"""Erasing and exporting a guest, from the page of a key."""

from __future__ import annotations

import json

from django import forms
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET

from keys import erasing
from keys.guest_export import export_guest
from keys.models import Person
from portal.roles import Right
from portal.staff.access import StaffRequest, needs
from portal.staff.fields import Styled
from portal.staff.keys import key_of, to_key
from portal.staff.pages import form_page, now


class EraseForm(Styled):
    """The word that confirms."""

    word = forms.CharField(
        label=f"Type {erasing.WORD}",
        max_length=20,
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )

    def clean_word(self) -> str:
        word = str(self.cleaned_data["word"]).strip().upper()
        if word != erasing.WORD:
            raise forms.ValidationError(f"Type {erasing.WORD} to erase this guest for good.")
        return word


def _person(request: StaffRequest, key_id: int, person_id: int) -> Person:
    rows = Person.objects.select_related("guest__property", "key")
    return get_object_or_404(rows, pk=person_id, key=key_of(request, key_id))


@never_cache
@form_page
@needs(Right.ERASE_GUESTS)
def erase(request: StaffRequest, key_id: int, person_id: int) -> HttpResponseBase:
    """Erase a guest for good, after the typed word; says first what goes, what stays, and what still opens."""
    person, at = _person(request, key_id, person_id), now()
    form = EraseForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        done = erasing.erase(guest=person.guest, by=request.staff.actor(), now=at)
        return to_key(request, key_id, f"The guest is erased and is {done.pseudonym} now.")
    guests = list(erasing.same_person(person.guest))
    keys = erasing.keys_of(guests).filter(revoked_at=None)
    live = keys.filter(over_at__gt=at).order_by("-over_at").first()
    context = {"form": form, "key": person.key, "person": person, "live": live}
    return render(request, "staff/guest_erase.html", context)


@never_cache
@require_GET
@needs(Right.ERASE_GUESTS)
def export(request: StaffRequest, key_id: int, person_id: int) -> HttpResponse:
    """Download everything that is held about a guest."""
    guest = _person(request, key_id, person_id).guest
    codes = request.staff.may(Right.SEE_CODES)
    told = export_guest(guest=guest, with_codes=codes, now=now())
    answer = HttpResponse(
        json.dumps(told, indent=2, ensure_ascii=False), content_type="application/json"
    )
    answer["Content-Disposition"] = f'attachment; filename="guest-{guest.pk}.json"'
    return answer
