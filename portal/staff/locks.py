"""The page of one lock: how it is, what it holds against what it should hold, and what staff can ask of it."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from keys import errands, offsets, provisioning
from keys.explaining import PROOFS
from keys.forecast import forecasts
from keys.holdings import Book, Holding, Odd, book_of
from keys.models import Key
from keys.wording import problem_text
from locks.clock import DRIFT_S, zone
from locks.errand_models import Errand
from locks.models import Lock, LockAccount
from locks.slot_models import ForeignCode
from locks.vendors import Vendor, vendor
from portal.roles import Right
from portal.staff.access import StaffRequest, needs
from portal.staff.pages import now, show

ODD_SHOWN = 50
FOREIGN_SHOWN = 10
ERRANDS_SHOWN = 5


def lock_of(request: StaffRequest, lock_id: int) -> Lock:
    """The lock, if it is this property's; 404 otherwise."""
    rows = Lock.objects.select_related("door", "gateway", "account", "property")
    return get_object_or_404(
        rows.defer("account__token"), pk=lock_id, property_id=request.staff.hotel.pk
    )


@never_cache
@require_GET
@needs(Right.SEE_DOORS)
def lock_page(request: StaffRequest, lock_id: int) -> HttpResponse:
    """One lock."""
    lock, at = lock_of(request, lock_id), now()
    system = vendor(lock.account.driver)
    book = book_of(lock.pk, property_id=lock.property_id, now=at)
    strangers = ForeignCode.objects.filter(lock=lock, gone_at=None).order_by("first_seen_at", "id")
    foreign = list(strangers[: FOREIGN_SHOWN + 1])
    asked = Errand.objects.filter(lock=lock).order_by("-asked_at", "-id")[:ERRANDS_SHOWN]
    context = {
        "lock": lock,
        "system": system,
        "health": _health(lock, system),
        "counts": _counts(book),
        "book": book,
        "foreign": foreign[:FOREIGN_SHOWN],
        "more_foreign": len(foreign) > FOREIGN_SHOWN,
        "asked": [(row, errand_words(row)) for row in asked],
        "pause": _pause(lock, book),
        "forecast": forecasts([lock], tz=zone(request.staff.hotel.timezone), now=at)[0],
        "is_broken": lock.account.state == LockAccount.State.BROKEN,
    }
    if request.staff.may(Right.SEE_KEYS):
        context |= {"odd": _named(book.odd[:ODD_SHOWN]), "more_odd": len(book.odd) > ODD_SHOWN}
    return show(request, "staff/lock.html", context)


def _health(lock: Lock, system: Vendor) -> list[tuple[str, str, str]]:
    """What the lock said of itself: name, value, and the color of what it means."""
    found: list[tuple[str, str, str]] = []
    if lock.battery is not None:
        tone = "bad" if lock.battery < 20 else ""
        found.append(("Battery", f"{lock.battery} %", tone))
    if lock.clock_offset_s is not None:
        found.append(("Clock", clock_words(lock.clock_offset_s), _clock_tone(lock)))
    elif lock.native_window and system.sets_clocks:
        found.append(("Clock", "Not asked yet", ""))
    if lock.utc_offset_s is not None:
        hours, wanted = lock.utc_offset_s / 3600, (offsets.wanted(lock, now()) or 0) / 3600
        text = (
            f"{hours:+g} h" if hours == wanted else f"{hours:+g} h, the property has {wanted:+g} h"
        )
        found.append(("Offset from UTC that it was told", text, "" if hours == wanted else "bad"))
    return found


def _clock_tone(lock: Lock) -> str:
    return "bad" if abs(lock.clock_offset_s or 0) > DRIFT_S else ""


def clock_words(offset_s: float) -> str:
    """How far a clock is off, in words."""
    seconds = round(abs(offset_s))
    if seconds < 2:
        return "Right"
    length = f"{seconds} seconds" if seconds < 120 else f"{seconds // 60} minutes"
    return f"{length} {'fast' if offset_s > 0 else 'slow'}"


def _counts(book: Book) -> list[tuple[str, int, str]]:
    lines = (
        ("Should be on it", book.wanted, ""),
        ("On it, as they should be", book.counts.get(Holding.HELD, 0), ""),
        ("Missing", book.counts.get(Holding.MISSING, 0), "wait"),
        ("With an older code or window", book.counts.get(Holding.OLDER, 0), "wait"),
        ("Not known", book.counts.get(Holding.NOT_KNOWN, 0), "wait"),
        ("Should be gone", book.counts.get(Holding.TO_GO, 0), "bad"),
    )
    return [(name, many, tone if many else "") for name, many, tone in lines]


def _named(odd: list[Odd]) -> list[tuple[Odd, str]]:
    keys = Key.objects.in_bulk({each.answer.row.key_id for each in odd})
    return [(each, keys[each.answer.row.key_id].label) for each in odd]


def _pause(lock: Lock, book: Book) -> Any:
    """When what waits for this lock is tried again by itself, if that is not now."""
    reachable = lock.is_online and (lock.gateway is None or lock.gateway.is_online)
    return book.next_try_at if reachable else lock.next_try_at or book.next_try_at


def errand_words(row: Errand) -> str:
    """How an errand stands, as it was answered and no better."""
    if row.done_at is None:
        cause = f" The last try failed: {problem_text(row.cause)}." if row.cause else ""
        return f"Waits for its turn at the lock.{cause}"
    cause = f": {problem_text(row.cause)}" if row.cause else ""
    proof = f", {PROOFS[row.proof]}" if row.proof in PROOFS else ""
    if row.what == Errand.What.UNLOCK and row.result == Errand.Result.UNKNOWN:
        return "No answer: the door may have opened, go and look"
    return f"{row.get_result_display()}{proof}{cause}"


@require_POST
@needs(Right.SERVICE_LOCKS)
def read_lock(request: StaffRequest, lock_id: int) -> HttpResponseBase:
    """Read again now: ask the lock how it is and what it holds."""
    lock = lock_of(request, lock_id)
    errands.read_again(lock=lock, by=request.staff.actor(), now=now())
    return _back(request, lock, f"{lock.name} is read now.")


@require_POST
@needs(Right.SERVICE_LOCKS)
def sync_clock(request: StaffRequest, lock_id: int) -> HttpResponseBase:
    """Sync clock."""
    lock = lock_of(request, lock_id)
    if not vendor(lock.account.driver).sets_clocks:
        return _back(request, lock, "The clock of this lock cannot be set from here.", bad=True)
    errands.ask(lock=lock, what=Errand.What.SYNC_CLOCK, by=request.staff.actor(), now=now())
    return _back(request, lock, "The clock is being set; the answer appears below.")


@require_POST
@needs(Right.UNLOCK)
def unlock(request: StaffRequest, lock_id: int) -> HttpResponseBase:
    """Unlock the door now. Asked for twice within seconds it is done once."""
    lock = lock_of(request, lock_id)
    errands.ask(lock=lock, what=Errand.What.UNLOCK, by=request.staff.actor(), now=now())
    return _back(request, lock, "Unlock was sent on its way; the answer appears below.")


@require_POST
@needs(Right.SWITCH_DOORS)
def try_lock(request: StaffRequest, lock_id: int) -> HttpResponseBase:
    """Try now: the pause before the next attempt at this lock is over."""
    lock = lock_of(request, lock_id)
    many = provisioning.try_now(lock_id=lock.pk, now=now())
    said = f"{lock.name} is tried now." if many else f"Nothing waits at {lock.name}."
    if request.POST.get("from") in {"ghosts", "tonight"}:
        messages.success(request, said, extra_tags="")
        return redirect(request.POST["from"])
    return _back(request, lock, said)


def _back(request: StaffRequest, lock: Lock, said: str, *, bad: bool = False) -> HttpResponseBase:
    messages.success(request, said, extra_tags="bad" if bad else "")
    return redirect("lock", lock_id=lock.pk)
