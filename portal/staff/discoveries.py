"""Settings → Lock systems → Locks of an account: what the vendor has, what Portal knows of it, and taking in the rest."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpResponseBase
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache

from keys import installing
from keys.refusal import Refused
from locks import discovering
from locks.account_words import title_of
from locks.discovering import Known
from locks.discovery_models import Discovery
from locks.drivers import Found
from locks.models import Door, KindChoice, Lock, LockAccount
from portal.roles import Right
from portal.staff.access import StaffRequest, needs
from portal.staff.lock_forms import AddLockForm
from portal.staff.lock_systems import account_of
from portal.staff.pages import PAGE, form_page, now, show


@never_cache
@form_page
@needs(Right.PAIR_LOCKS)
def discovery(request: StaffRequest, account_id: int) -> HttpResponseBase:
    """What was found the last time; Discover looks again, which a worker does while this page waits."""
    account = account_of(request, account_id)
    if request.method == "POST":
        discovering.ask(account=account, now=now())
        return redirect("discovery", account_id=account.pk)
    row = Discovery.objects.filter(account=account).first()
    context: dict[str, Any] = {"account": account, "vendor": title_of(account.driver), "row": row}
    if row is not None and row.ended_at and not row.problem:
        context |= _what_was_found(account, row, request.GET.get("from", ""))
    return show(request, "staff/discovery.html", context)


def _what_was_found(account: LockAccount, row: Discovery, begin: str) -> dict[str, Any]:
    start = int(begin[:9]) if begin.isascii() and begin.isdigit() else 0
    there = set(
        Lock.objects.filter(
            property_id=account.property_id, account__driver=account.driver
        ).values_list("external_id", flat=True)
    )
    docs = row.found[start : start + PAGE]
    seen = discovering.known(account, [discovering.read_found(doc) for doc in docs])
    return {
        "lines": [(one, _kinds(one)) for one in seen],
        "found": len(row.found),
        "new": sum(doc["external_id"] not in there for doc in row.found),
        "next": start + PAGE if start + PAGE < len(row.found) else "",
    }


def _kinds(one: Known) -> str:
    labels = dict(KindChoice.choices)
    said = [f"{labels[kind.value]}s" for kind in one.found.kinds]
    return ", ".join(said) or "no kind of credential that Portal makes"


@never_cache
@form_page
@needs(Right.PAIR_LOCKS)
def add_locks(request: StaffRequest, account_id: int) -> HttpResponseBase:
    """Take in one lock that was found, with its door; or, when none is named, all that are new."""
    account = account_of(request, account_id)
    found = _found(account)
    ref = request.POST.get("lock", request.GET.get("lock", ""))
    if not ref and request.method == "POST":
        return _add_all(request, account, list(found.values()))
    one = next(iter(discovering.known(account, [found[ref]])), None) if ref in found else None
    if one is None or not one.is_new:
        return redirect("discovery", account_id=account.pk)
    return _add_one(request, account, one.found)


def _found(account: LockAccount) -> dict[str, Found]:
    row = Discovery.objects.filter(account=account, ended_at__isnull=False).first()
    docs = row.found if row else []
    return {doc["external_id"]: discovering.read_found(doc) for doc in docs}


def _add_one(request: StaffRequest, account: LockAccount, found: Found) -> HttpResponseBase:
    free = Door.objects.filter(property=request.staff.hotel, archived_at=None, lock=None)
    doors = {str(door.pk): door for door in free.order_by("name")}
    same = next((pk for pk, door in doors.items() if door.name == found.name), "")
    form = AddLockForm(
        request.POST or None,
        doors=[(pk, door.name) for pk, door in doors.items()],
        initial={"door": same},
    )
    if request.method == "POST" and form.is_valid():
        try:
            lock = installing.add_lock(
                account=account,
                found=found,
                door=doors.get(form.cleaned_data["door"]),
                new_door=form.cleaned_data["new_door"],
                by=request.staff.actor(),
                now=now(),
            )
        except Refused as refused:
            form.refuse(refused)
        else:
            where = f"on {lock.door.name}" if lock.door else "on no door"
            messages.success(request, f"{lock.name} is added and hangs {where}.", extra_tags="")
            return redirect("discovery", account_id=account.pk)
    context = {"form": form, "account": account, "found": found}
    return render(request, "staff/add_lock.html", context)


def _add_all(request: StaffRequest, account: LockAccount, found: list[Found]) -> HttpResponseBase:
    added, hung = installing.add_all(
        account=account,
        found=found,
        pairs_by_name=request.POST.get("by_name") == "on",
        by=request.staff.actor(),
        now=now(),
    )
    text = f"{added} lock{' is' if added == 1 else 's are'} added, {hung} on the door of the same name."
    messages.success(request, text, extra_tags="")
    return redirect("discovery", account_id=account.pk)
