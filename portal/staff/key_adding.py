"""Add Key: the form for one key with its people and doors, taken once however often it is sent."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from django.contrib import messages
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters

from keys import issuing
from keys.refusal import Refused
from locks.clock import by_rule, zone
from portal.roles import Right
from portal.staff import once
from portal.staff.access import StaffRequest, needs
from portal.staff.doors import doors_of
from portal.staff.key_fields import KeyForm, PersonForm, weekdays_initial, window_initial
from portal.staff.keys import WORDS, to_key
from portal.staff.pages import form_page, now

MOST_PEOPLE = 8


@never_cache
@sensitive_post_parameters()
@form_page
@needs(Right.EDIT_KEYS)
def add_key(request: StaffRequest) -> HttpResponseBase:
    """Add Key."""
    form, people = _key_form(request), _people(request)
    if request.method == "POST" and "another" not in request.POST:
        valid = [form.is_valid(), *(person.is_valid() for person in people)]
        if all(valid):
            return _make(request, form, people)
    return _key_form_page(request, form, people)


def _key_form(request: StaffRequest) -> KeyForm:
    hotel, doors = request.staff.hotel, doors_of(request)
    if request.method == "POST":
        data = request.POST
        return KeyForm(
            None if "another" in data else data,
            hotel=hotel,
            doors=doors,
            initial=_typed_so_far(data),
        )
    tz, at = zone(hotel.timezone), now()
    today = at.astimezone(tz).date()
    start = max(at, by_rule(today, hotel.arrival_time, tz, later=False))
    end = by_rule(today + timedelta(days=1), hotel.departure_time, tz, later=True)
    initial = window_initial(start, end, tz) | {
        "weekdays": weekdays_initial(),
        "linked": True,
        "allow": True,
    }
    door = request.GET.get("door")
    return KeyForm(hotel=hotel, doors=doors, initial=initial | {"doors": [door] if door else []})


def _typed_so_far(data: Any) -> dict[str, Any]:
    """What was typed, for a form that grows by a person without being judged yet."""
    many = {"doors", "weekdays"}
    typed = {name: data.getlist(name) if name in many else data.get(name) for name in data}
    return (
        typed
        | {name: name in data for name in ("linked", "allow")}
        | {name: data.getlist(name) for name in many}
    )


def _people(request: StaffRequest) -> list[PersonForm]:
    if request.method != "POST":
        return [PersonForm(prefix="p0")]
    data = request.POST
    raw = data.get("people", "1")
    asked = min(max(int(raw) if raw.isdecimal() else 1, 1), MOST_PEOPLE)
    if "another" in data:
        forms = [_unjudged(data, f"p{n}") for n in range(asked)]
        return forms + ([PersonForm(prefix=f"p{asked}")] if asked < MOST_PEOPLE else [])
    return [PersonForm(data, prefix=f"p{n}") for n in range(asked)]


def _unjudged(data: Any, prefix: str) -> PersonForm:
    names = PersonForm.base_fields
    boxes = {"door_code", "smartkey", "keycard"}
    initial = {
        n: (f"{prefix}-{n}" in data) if n in boxes else data.get(f"{prefix}-{n}", "") for n in names
    }
    return PersonForm(prefix=prefix, initial=initial)


def _make(request: StaffRequest, form: KeyForm, people: Sequence[PersonForm]) -> HttpResponseBase:
    token = request.POST.get("once", "") or once.new_token()
    if not once.spend(token, now=now()):
        key_id = once.made(token)
        if key_id is None:
            messages.info(request, "This form was sent already.", extra_tags="")
            return redirect("keys")
        return to_key(request, key_id, "This key was made already; nothing was made twice.")
    try:
        key = issuing.make_key(
            property=request.staff.hotel,
            people=[person.wish() for person in people],
            doors=form.wishes(),
            starts_at=form.cleaned_data["starts_at"],
            ends_at=form.cleaned_data["ends_at"],
            by=request.staff.actor(),
            now=now(),
            with_linked_doors=form.cleaned_data["linked"],
        )
    except Refused as refused:
        once.give_back(token)
        about_a_person = refused.field in {"code", "people", "kind", "policy", "requested"}
        target = people[refused.place] if about_a_person else form
        target.refuse(refused)
        return _key_form_page(request, form, people, token)
    except BaseException:
        once.give_back(token)
        raise
    once.remember(token, key.pk)
    return to_key(request, key.pk, "The key is made.")


def _key_form_page(
    request: StaffRequest, form: KeyForm, people: Sequence[PersonForm], token: str = ""
) -> HttpResponse:
    sent = request.POST.get("once", "")
    context = {
        "form": form,
        "people": people,
        "once": token or sent or once.new_token(),
        "zone_name": request.staff.hotel.timezone,
        "failed": form.errors or any(person.errors for person in people),
    }
    return render(request, "staff/key_add.html", context | WORDS)
