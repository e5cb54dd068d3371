"""Settings → Lock systems: the accounts at lock systems, Connect, Test, Reconnect and Disconnect."""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple

from django.conf import settings
from django.contrib import messages
from django.db.models import Count
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_GET, require_POST

from keys.models import Assignment
from keys.rules import Hold
from locks import accounts, discovering, hooks
from locks.account_words import offered, remedy_of, title_of
from locks.accounts import NotConnected
from locks.models import Lock, LockAccount
from portal.roles import Right
from portal.staff.access import StaffRequest, needs
from portal.staff.key_list import capped
from portal.staff.lock_forms import AccountForm, DisconnectLocksForm
from portal.staff.pages import form_page, now, show, turn

CAP = 1000
MUST_GO = [Hold.REMOVAL_PENDING.value, Hold.STILL_ON_LOCK.value]


class Line(NamedTuple):
    """One account as the page shows it."""

    account: LockAccount
    vendor: str
    remedy: str
    locks: int
    on_doors: int


@never_cache
@require_GET
@needs(Right.SEE_LOCK_SYSTEMS)
def lock_systems(request: StaffRequest) -> HttpResponse:
    """Every account with its state, and the lock systems that can be connected."""
    rows = LockAccount.objects.filter(property=request.staff.hotel).defer("token")
    rows = rows.annotate(many=Count("locks"), hung=Count("locks__door"))
    page = turn(rows, by="name", after=request.GET.get("after", ""), value=lambda one: one.name)
    vendors = [(name, title_of(name)) for name in offered(demo=settings.PORTAL_DEMO)]
    context = {"lines": [_line(row) for row in page.rows], "next": page.after, "vendors": vendors}
    return show(request, "staff/lock_systems.html", context)


def _line(row: Any) -> Line:
    return Line(row, title_of(row.driver), remedy_of(row.driver), row.many, row.hung)


def account_of(request: StaffRequest, account_id: int) -> LockAccount:
    """An account of the property on the screen, or 404."""
    rows = LockAccount.objects.select_related("property")
    return get_object_or_404(rows, pk=account_id, property_id=request.staff.hotel.pk)


@never_cache
@sensitive_post_parameters()
@form_page
@needs(Right.CHANGE_LOCK_SYSTEMS)
def connect_locks(request: StaffRequest, driver: str) -> HttpResponseBase:
    """Connect an account: what the vendor needs is typed, and stored once the vendor lets us in."""
    if driver not in offered(demo=settings.PORTAL_DEMO):
        return redirect("lock_systems")
    form = AccountForm(request.POST or None, driver=driver, kept={})
    if request.method == "POST" and form.is_valid():
        try:
            row = accounts.connect(
                property=request.staff.hotel,
                driver=driver,
                name=form.cleaned_data["account_name"],
                base_url=form.cleaned_data["base_url"],
                typed=form.typed(),
                by=request.staff.actor(),
            )
        except NotConnected as problem:
            form.say_no(problem)
        else:
            discovering.ask(account=row, now=now())
            text = f"{row.name} is connected. Portal looks which locks it has."
            messages.success(request, text, extra_tags="")
            return redirect("discovery", account_id=row.pk)
    context = {"form": form, "name": title_of(driver), "account": None}
    return render(request, "staff/connect_locks.html", context)


@never_cache
@sensitive_post_parameters()
@form_page
@needs(Right.CHANGE_LOCK_SYSTEMS)
def reconnect_locks(request: StaffRequest, account_id: int) -> HttpResponseBase:
    """The same account with a new secret: nothing is lost."""
    row = account_of(request, account_id)
    told = {"account_name": row.name, "base_url": row.base_url}
    form = AccountForm(
        request.POST or None, driver=row.driver, kept=accounts.kept_of(row), initial=told
    )
    if request.method == "POST" and form.is_valid():
        try:
            row = accounts.reconnect(
                account=row,
                name=form.cleaned_data["account_name"],
                base_url=form.cleaned_data["base_url"],
                typed=form.typed(),
                by=request.staff.actor(),
                now=now(),
            )
        except NotConnected as problem:
            form.say_no(problem)
        else:
            text = f"{row.name} is connected. What waited for it is written now."
            messages.success(request, text, extra_tags="")
            return redirect("lock_systems")
    context = {"form": form, "name": row.name, "account": row, "vendor": title_of(row.driver)}
    context["hook"] = hooks.address_of(row)
    return render(request, "staff/connect_locks.html", context)


@never_cache
@require_POST
@needs(Right.CHANGE_LOCK_SYSTEMS)
def test_locks(request: StaffRequest, account_id: int) -> HttpResponseBase:
    """Ask the vendor whether it lets us in, and say what it says."""
    row = account_of(request, account_id)
    problem = accounts.check(account=row, by=request.staff.actor(), now=now())
    if problem:
        messages.error(request, f"{row.name}: {problem}", extra_tags="bad")
    else:
        text = f"{row.name} works: {title_of(row.driver)} answers and lets Portal in."
        messages.success(request, text, extra_tags="")
    return redirect("lock_systems")


@never_cache
@form_page
@needs(Right.DISCONNECT)
def disconnect_locks(request: StaffRequest, account_id: int) -> HttpResponseBase:
    """Disconnect, with what stays and what stops, confirmed by the account's name."""
    row = account_of(request, account_id)
    form = DisconnectLocksForm(request.POST or None, name=row.name)
    if request.method == "POST" and form.is_valid():
        accounts.disconnect(account=row, by=request.staff.actor(), now=now())
        text = f"{row.name} is disconnected. Codes that are on its locks stay there."
        messages.success(request, text, extra_tags="")
        return redirect("lock_systems")
    context = {"form": form, "account": row, "vendor": title_of(row.driver)}
    return render(request, "staff/disconnect_locks.html", context | _what_stays(row, now()))


def _what_stays(row: LockAccount, at: datetime) -> dict[str, Any]:
    """What a disconnect leaves as it is, in numbers that stop at a thousand."""
    locks = Lock.objects.filter(account=row)
    there = Assignment.objects.filter(
        lock__account=row,
        property_id=row.property_id,
        reserved_digest__isnull=False,
        written_revision__isnull=False,
    )
    must_go = there.filter(headline__in=MUST_GO)
    lasting = there.filter(lock__native_window=False, ends_at__gt=at)
    return {
        "locks": locks.count(),
        "on_doors": locks.exclude(door=None).count(),
        "on_lock": capped(there[:CAP].count()),
        "lasting": capped(lasting[:CAP].count()),
        "must_go": capped(must_go[:CAP].count()),
    }
