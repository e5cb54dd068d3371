"""Settings → API tokens: which programs may act here; making one, whose secret is shown once; ending one at once."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta

from django.contrib import messages
from django.http import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_variables

from keys.refusal import Refused
from locks.clock import by_rule, zone
from locks.vault import Secret
from portal import tokens
from portal.models import ApiToken, Role
from portal.roles import RIGHTS, Right
from portal.staff import once
from portal.staff.access import StaffRequest, needs
from portal.staff.forms import TokenForm
from portal.staff.pages import form_page, now, turn

LASTS = timedelta(days=365)


@never_cache
@sensitive_variables("secret")
@form_page
@needs(Right.MANAGE_TOKENS)
def api_tokens(request: StaffRequest) -> HttpResponseBase:
    """The tokens of the property, newest first, and a form for one more.

    The answer to the form is the only page that ever shows the secret; sending the form again makes nothing.
    """
    form, secret = _form(request), None
    if request.method == "POST" and form.is_valid():
        ticket = request.POST.get("once", "") or once.new_token()
        if not once.spend(ticket, now=now()):
            messages.error(
                request,
                "This token was made already, and its secret is not shown again.",
                extra_tags="bad",
            )
            return redirect("api_tokens")
        try:
            secret = _make(request, form)
        except Refused as refused:
            once.give_back(ticket)
            form.refuse(refused)
        else:
            form = _blank(request)
    return _page(request, form, secret)


def _form(request: StaffRequest) -> TokenForm:
    return (
        TokenForm(request.POST, roles=_roles(request))
        if request.method == "POST"
        else _blank(request)
    )


def _blank(request: StaffRequest) -> TokenForm:
    today = now().astimezone(zone(request.staff.hotel.timezone)).date()
    return TokenForm(roles=_roles(request), initial={"expires_on": today + LASTS})


def _roles(request: StaffRequest) -> list[Role]:
    """What this person may give away: roles that may do no more than their own."""
    mine = RIGHTS[Role(request.staff.membership.role)]
    return [role for role in Role if RIGHTS[role] <= mine]


def _make(request: StaffRequest, form: TokenForm) -> Secret:
    data = form.cleaned_data
    _, secret = tokens.make_token(
        membership=request.staff.membership,
        role=data["role"],
        name=data["name"],
        expires_at=_end_of(data["expires_on"], request.staff.hotel.timezone),
        now=now(),
    )
    return secret


def _end_of(day: date, timezone: str) -> datetime:
    """The midnight that ends this day there."""
    return by_rule(day + timedelta(days=1), time(0), zone(timezone), later=True)


@sensitive_variables("secret")
def _page(request: StaffRequest, form: TokenForm, secret: Secret | None) -> HttpResponseBase:
    rows = ApiToken.objects.filter(property_id=request.staff.hotel.pk)
    page = turn(
        rows.select_related("membership__user"),
        by="-created_at",
        after=request.GET.get("after", ""),
        value=lambda token: token.created_at,
    )
    context = {
        "form": form,
        "secret": secret,
        "once": once.new_token() if secret else request.POST.get("once") or once.new_token(),
        "tokens": page.rows,
        "next": page.after,
        "at": now(),
    }
    return render(request, "staff/api_tokens.html", context)


@never_cache
@form_page
@needs(Right.MANAGE_TOKENS)
def revoke(request: StaffRequest, token_id: int) -> HttpResponseBase:
    """End one token, asked for once more; whatever uses it is shut out at once."""
    rows = ApiToken.objects.select_related("membership__user")
    token = get_object_or_404(rows, pk=token_id, property_id=request.staff.hotel.pk)
    if request.method == "POST":
        tokens.revoke_token(token=token, now=now())
        messages.success(request, f"{token.name} is revoked: it opens nothing now.", extra_tags="")
        return redirect("api_tokens")
    return render(request, "staff/api_token_revoke.html", {"token": token})
