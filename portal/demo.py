"""The strip of seven steps that shows the whole product on the demo hotel, and sign-in by one click.

Only the demo has it. Each step acts where a person would: on the simulators' controls over HTTP, or through the domain.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import httpx2
from django.conf import settings
from django.contrib import messages
from django.contrib.auth import login
from django.http import Http404, HttpRequest, HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_POST

from keys import issuing
from keys.models import KeychainDoor
from keys.rules import Permission
from locks.clock import database_now
from locks.models import Lock
from pms import connecting
from portal.models import Membership
from portal.roles import Right
from portal.staff.access import StaffRequest, needs, public

BACKEND = "django.contrib.auth.backends.ModelBackend"
PINNED_GUEST = "Carla Check-in"
LOCK_DOOR = "101"


@dataclass(frozen=True, slots=True)
class Step:
    """One button of the strip, and where to look afterwards."""

    name: str
    label: str
    look: str


STEPS: tuple[Step, ...] = (
    Step("hold", "Hold a door", "keys"),
    Step("check-in", "Check in", "keys"),
    Step("offline", "Lock offline", "doors"),
    Step("online", "Lock back", "doors"),
    Step("break", "Break the PMS", "integrations"),
    Step("reconnect", "Reconnect", "integrations"),
    Step("release", "Release", "keys"),
)


def peers() -> tuple[tuple[str, str], ...]:
    """The simulators and where their own pages are: what a lock truly holds, and what a PMS truly says."""
    return (
        ("Locks", settings.SIMLOCK_URL),
        ("TTLock", settings.TTLOCK_URL),
        ("Seam", settings.SEAM_URL),
        ("Cloudbeds", settings.CLOUDBEDS_URL),
        ("MEWS", settings.MEWS_API_URL),
    )


@require_POST
@public
def sign_in(request: HttpRequest) -> HttpResponseBase:
    """Come in as one of the demo's people."""
    chosen = request.POST.get("membership", "")
    if not settings.PORTAL_DEMO or not chosen.isdecimal():
        raise Http404
    membership = (
        Membership.objects.select_related("user").filter(pk=int(chosen), is_active=True).first()
    )
    if membership is None:
        raise Http404
    login(request, membership.user, backend=BACKEND)
    return redirect("keys" if membership.role not in {"housekeeping", "installer"} else "doors")


@require_POST
@needs(Right.SWITCH_DOORS)
def act(request: StaffRequest, step: str) -> HttpResponseBase:
    """Do one step and say what happened."""
    if not settings.PORTAL_DEMO or step not in DOING:
        raise Http404
    try:
        answer = DOING[step](request)
    except httpx2.HTTPError:
        messages.error(request, "The simulator did not answer: is it running?", extra_tags="bad")
        return redirect("start")
    if isinstance(answer, str):
        messages.success(request, answer, extra_tags="")
        return redirect(next(one.look for one in STEPS if one.name == step))
    return answer


def _control(base: str, path: str, **body: object) -> None:
    with httpx2.Client(timeout=10, trust_env=False) as client:
        client.post(f"{base}/control/{path}", json=body).raise_for_status()


def _hold(request: StaffRequest) -> str | HttpResponseBase:
    door = (
        KeychainDoor.objects.filter(
            property=request.staff.hotel, permission=Permission.AUTOMATIC, removed_at=None
        )
        .select_related("door", "key")
        .filter(door__name__in=["101", "102", "103", "104", "105", "106"])
        .order_by("-key_id")
        .first()
    )
    if door is None:
        return "There is no door to hold: add a key first."
    issuing.set_permission(
        keychain_door=door, on=False, by=request.staff.actor("demo"), now=database_now()
    )
    return f"Door {door.door.name} of {door.key.label} is held."


def _check_in(request: StaffRequest) -> str | HttpResponseBase:
    waiting = (
        KeychainDoor.objects.filter(
            property=request.staff.hotel,
            key__reservation__checked_in_at=None,
            key__reservation__state="expected",
            key__revoked_at=None,
        )
        .exclude(key__label=PINNED_GUEST)
        .select_related("key__reservation")
        .order_by("key__starts_at", "id")
        .first()
    )
    if waiting is None or waiting.key.reservation is None:
        return "Nobody waits for check-in: make a reservation in the simulator."
    _control(
        settings.CLOUDBEDS_URL,
        f"reservations/{waiting.key.reservation.booking_ref}/check-in",
        force=True,
    )
    return f"{waiting.key.label} is checked in at the PMS."


def _lock(request: StaffRequest) -> Lock:
    lock = Lock.objects.filter(property=request.staff.hotel, door__name=LOCK_DOOR).first()
    if lock is None:
        raise Http404
    return lock


def _offline(request: StaffRequest) -> str | HttpResponseBase:
    _control(settings.SIMLOCK_URL, f"locks/{_lock(request).external_id}/offline")
    return f"The lock of {LOCK_DOOR} is offline."


def _online(request: StaffRequest) -> str | HttpResponseBase:
    _control(settings.SIMLOCK_URL, f"locks/{_lock(request).external_id}/online")
    return f"The lock of {LOCK_DOOR} is back."


def _break(request: StaffRequest) -> str | HttpResponseBase:
    _control(settings.CLOUDBEDS_URL, "access/revoke")
    _control(settings.CLOUDBEDS_URL, "reservations", room="any", nights=2)
    return "The PMS refuses Portal, and a reservation came in meanwhile."


def _reconnect(request: StaffRequest) -> str | HttpResponseBase:
    _control(settings.CLOUDBEDS_URL, "access/restore")
    url = connecting.begin_connect(
        property=request.staff.hotel,
        adapter="cloudbeds",
        user_id=request.staff.user.pk,
        by=request.staff.actor("demo"),
        now=database_now(),
    )
    return redirect(url)


def _release(request: StaffRequest) -> str | HttpResponseBase:
    held = KeychainDoor.objects.filter(
        property=request.staff.hotel, permission=Permission.HELD_BY_OUTAGE, removed_at=None
    )
    if not request.staff.may(Right.RELEASE_IN_BULK):
        return redirect(f"{reverse('keys')}?pending=someone")
    changed = issuing.set_permissions(
        door_ids=list(held.values_list("id", flat=True)),
        property_id=request.staff.hotel.pk,
        on=True,
        by=request.staff.actor("demo"),
        now=database_now(),
    )
    return f"{len(changed)} doors are released."


DOING: dict[str, Callable[[StaffRequest], str | HttpResponseBase]] = {
    "hold": _hold,
    "check-in": _check_in,
    "offline": _offline,
    "online": _online,
    "break": _break,
    "reconnect": _reconnect,
    "release": _release,
}
