"""The credentials of a key: one more for a person, and a new secret for one."""

from __future__ import annotations

from django.http import HttpResponseBase
from django.shortcuts import get_object_or_404, render
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters

from keys import issuing
from keys.issuing import CredentialWish
from keys.models import Credential, Person
from keys.refusal import Refused
from locks.drivers import Kind
from portal.roles import Right
from portal.staff.access import StaffRequest, needs
from portal.staff.key_fields import AddCredentialForm, RegenerateForm
from portal.staff.keys import key_of, to_key
from portal.staff.pages import form_page, now


@never_cache
@sensitive_post_parameters()
@form_page
@needs(Right.EDIT_KEYS)
def add_credential(request: StaffRequest, key_id: int, person_id: int) -> HttpResponseBase:
    """Give a person one more credential."""
    key = key_of(request, key_id)
    person = get_object_or_404(Person.objects.select_related("guest", "key"), pk=person_id, key=key)
    form = AddCredentialForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        data = form.cleaned_data
        wish = CredentialWish(
            kind=Kind(data["kind"]), policy=data["policy"] or "random", requested=data["code"]
        )
        try:
            issuing.add_credential(person=person, wish=wish, by=request.staff.actor(), now=now())
        except Refused as refused:
            form.refuse(refused)
        else:
            return to_key(request, key.pk, "The credential is made.")
    return render(
        request, "staff/key_credential.html", {"form": form, "key": key, "person": person}
    )


@never_cache
@sensitive_post_parameters()
@form_page
@needs(Right.EDIT_KEYS)
def regenerate(request: StaffRequest, key_id: int, credential_id: int) -> HttpResponseBase:
    """Draw a new secret; a form that was sent twice draws once."""
    key = key_of(request, key_id)
    rows = Credential.objects.select_related("key", "person__guest")
    credential = get_object_or_404(rows, pk=credential_id, key=key, retired_at=None)
    form = RegenerateForm(
        request.POST or None, initial={"revision": credential.revision, "policy": "random"}
    )
    if request.method == "POST" and form.is_valid():
        data = form.cleaned_data
        if data["revision"] != credential.revision:
            return to_key(request, key.pk, "It was regenerated already; nothing was drawn twice.")
        try:
            issuing.regenerate(
                credential=credential,
                policy=data["policy"],
                requested=data["code"],
                by=request.staff.actor(),
                now=now(),
            )
        except Refused as refused:
            form.refuse(refused)
        else:
            return to_key(
                request,
                key.pk,
                f"The {credential.get_kind_display()} is new on all doors of this key.",
            )
    return render(
        request,
        "staff/key_credential.html",
        {"form": form, "key": key, "person": credential.person, "credential": credential},
    )
