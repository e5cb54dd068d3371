"""The list of keys and the page of one key."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.contrib import messages
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_variables
from django.views.decorators.http import require_GET, require_POST

from keys import encoding, releasing, wording
from keys.backup_models import BackupCode
from keys.explaining import KeyAnswer, explain_key, explain_keys
from keys.models import Credential, Key
from keys.pms_codes import shown_in_pms
from locks.clock import zone
from locks.log_models import DoorLogEntry
from portal.roles import Right
from portal.staff import dates, happenings, key_messages, log
from portal.staff.access import StaffRequest, needs
from portal.staff.key_list import Group, Pending, Search, counts, keys_of, pending_keys, understand
from portal.staff.once import new_token
from portal.staff.pages import now, show

TABS = (
    (Group.CURRENT, "Current"),
    (Group.UPCOMING, "Upcoming"),
    (Group.PAST, "Past"),
    (Group.REVOKED, "Revoked"),
)
CHIPS = (
    (Pending.SOMEONE, "Waits for someone"),
    (Pending.LOCK, "Waits for the lock"),
    (Pending.TIME, "Waits for its time"),
    (Pending.REMOVAL, "Removal pending"),
)
WORDS = {
    "pending_tag": wording.PENDING_TAG,
    "pending_tooltip": wording.PENDING_TOOLTIP,
    "allow_tooltip": wording.ALLOW_TOOLTIP,
}


@dataclass(frozen=True, slots=True)
class Line:
    """One key as a row of the list."""

    key: Key
    answer: KeyAnswer
    number: str
    doors: list[str]
    arrival: str
    departure: str


@never_cache
@require_GET
@needs(Right.SEE_KEYS)
def key_list(request: StaffRequest) -> HttpResponse:
    """Keys by group, by what they wait for, or by search."""
    at, asked, hotel = now(), request.GET, request.staff.hotel
    search = understand(asked.get("q", ""), property_id=hotel.pk)
    group, pending = asked_of(request, search)
    after = asked.get("after", "")
    if pending is not None:
        page = pending_keys(property_id=hotel.pk, pending=pending, after=after)
    else:
        page = keys_of(property_id=hotel.pk, group=group, search=search, after=after, now=at)
    context = {
        "lines": _lines(list(page.rows), now=at, tz=zone(hotel.timezone)),
        "next": page.after,
        "search": search,
        "group": group,
        "pending": pending,
        "tabs": TABS,
        "chips": CHIPS,
        "counts": counts(property_id=hotel.pk, now=at),
        "held": releasing.most_held(property_id=hotel.pk, now=at),
        "here": _address(group=group, pending=pending, q=search.typed),
    }
    return show(request, "staff/keys.html", context | WORDS)


def asked_of(request: StaffRequest, search: Search) -> tuple[Group | None, Pending | None]:
    """The group or what is waited for that an address of the list names."""
    asked = request.GET
    if asked.get("pending"):
        return None, _one_of(Pending, asked["pending"], Pending.SOMEONE)
    default = None if search.matches is not None else Group.CURRENT
    return _one_of(Group, asked.get("group"), default), None


def _one_of(kind: Any, given: str | None, default: Any) -> Any:
    return kind(given) if given in set(kind) else default


def _address(**given: str | None) -> str:
    from django.utils.http import urlencode  # noqa: PLC0415 - one use

    return urlencode({name: value for name, value in given.items() if value})


def _lines(keys: list[Key], *, now: datetime, tz: ZoneInfo) -> list[Line]:
    told = explain_keys(keys=keys, now=now)
    return [
        Line(
            key=key,
            answer=told[key.pk],
            number=key.reservation.number if key.reservation else "",
            doors=[one.door.name for one in told[key.pk].doors],
            arrival=dates.day_and_time(key.starts_at, tz=tz, now=now),
            departure=dates.day_and_time(key.ends_at, tz=tz, now=now),
        )
        for key in keys
    ]


@never_cache
@require_GET
@needs(Right.SEE_KEYS)
def key_page(request: StaffRequest, key_id: int) -> HttpResponse:
    """One key with its keychain, people, history and door log."""
    key = key_of(request, key_id)
    return show(request, "staff/key.html", key_context(request, key))


def key_of(request: StaffRequest, key_id: int) -> Key:
    """The key, if it is this property's; 404 otherwise."""
    return get_object_or_404(
        Key.objects.select_related("reservation__integration", "property"),
        pk=key_id,
        property_id=request.staff.hotel.pk,
    )


def key_context(request: StaffRequest, key: Key) -> dict[str, Any]:
    """What the page of a key and its parts show."""
    at, tz = now(), zone(request.staff.hotel.timezone)
    credentials: dict[int, list[Credential]] = {}
    for one in Credential.objects.filter(key=key, retired_at=None).defer("secret").order_by("id"):
        credentials.setdefault(one.person_id, []).append(one)
    people = key.people.filter(removed_at=None).select_related("guest").order_by("-is_main", "id")
    lines = DoorLogEntry.objects.filter(property_id=key.property_id, key_id=key.pk)
    whole = request.GET.get("history") == "all"
    most = None if whole else happenings.SHOWN + 1
    story = happenings.of_key(key, tz=tz, now=at, most=most)
    return WORDS | {
        "key": key,
        "answer": explain_key(key=key, now=at),
        "encodes": encoding.encoder_of(key) is not None,
        "shown_in_pms": shown_in_pms(key, now=at),
        "backups": list(BackupCode.objects.filter(given_for=key, rotated_at=None)),
        "people": [(person, credentials.get(person.pk, [])) for person in people],
        "story": story[: None if whole else happenings.SHOWN],
        "more_story": not whole and len(story) > happenings.SHOWN,
        "log_lines": log.told(list(lines.order_by("-happened_at", "-id")[:20]), see_codes=True),
        "sent": key_messages.sent(key, most=None if whole else key_messages.SHOWN),
        "once": new_token(),
        "at_odds": key.starts_by_staff or key.ends_by_staff,
        "zone_name": request.staff.hotel.timezone,
    }


@never_cache
@sensitive_variables("secret")
@require_POST
@needs(Right.SEE_CODES)
def show_code(request: StaffRequest, key_id: int, credential_id: int) -> HttpResponse:
    """The page with one code in clear; a reload hides it again."""
    key = key_of(request, key_id)
    credential = get_object_or_404(Credential, pk=credential_id, key=key, retired_at=None)
    context = key_context(request, key) | {"shown_id": credential.pk, "shown": credential.secret}
    return show(request, "staff/key.html", context)


def to_key(request: StaffRequest, key_id: int, said: str = "") -> HttpResponseBase:
    """Back to the key, saying what happened."""
    if said:
        messages.success(request, said, extra_tags="")
    return redirect("key", key_id=key_id)
