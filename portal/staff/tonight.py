"""Tonight: the first screen. Who arrives, which doors will open, who must act, and where to begin; also to be printed.

The worker script beside it lets a browser keep the last page that it saw for the time when Portal cannot be reached.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import NamedTuple
from zoneinfo import ZoneInfo

from django.contrib.staticfiles import finders
from django.http import FileResponse, Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET

from keys.evening import ORDER, WORDS, Arrival, Meaning
from keys.explaining import DoorAnswer, Reason
from keys.rules import Hold
from keys.tonight import board, reasons_of
from locks.clock import zone
from portal.roles import Right
from portal.staff.access import Staff, StaffRequest, needs, public
from portal.staff.pages import now, read_cursor, show, write_cursor

SHOWN = 200
TONES = {
    Meaning.READY: "good",
    Meaning.LATER: "plain",
    Meaning.WAITING: "wait",
    Meaning.AT_RISK: "risk",
    Meaning.BROKEN: "bad",
}
ICONS = {
    Meaning.READY: "check",
    Meaning.LATER: "clock",
    Meaning.WAITING: "hourglass",
    Meaning.AT_RISK: "triangle-alert",
    Meaning.BROKEN: "circle-x",
}
EXPLAINED = {
    Meaning.READY: "confirmed on the lock",
    Meaning.LATER: "by itself, at its time",
    Meaning.WAITING: "written by itself then",
    Meaning.AT_RISK: "not on the lock, may still heal by itself",
    Meaning.BROKEN: "not on the lock until someone acts",
}


@dataclass(frozen=True, slots=True)
class Tag:
    """A meaning as it is shown: words, icon and color together."""

    words: str
    tone: str
    icon: str


@dataclass(frozen=True, slots=True)
class Count:
    """How many guests have this meaning, and what it says."""

    tag: Tag
    many: int
    explained: str


class NextStep(NamedTuple):
    """Where someone who may do it does what is needed."""

    label: str
    link: str


@dataclass(frozen=True, slots=True)
class Line:
    """One arrival with its doors, its reasons in the order to clear them, and the next step for this person."""

    arrival: Arrival
    tag: Tag
    doors: list[tuple[str, int, Tag | None]]
    reasons: Sequence[Reason]
    step: NextStep | None


@dataclass(frozen=True, slots=True)
class Hour:
    """The arrivals of one hour, by the hotel's clock; without a time the guests of earlier days."""

    at: datetime | None
    lines: list[Line]


def tag_of(meaning: Meaning) -> Tag:
    """The words, color and icon of a meaning."""
    return Tag(WORDS[meaning], TONES[meaning], ICONS[meaning])


@never_cache
@require_GET
@needs(Right.SEE_KEYS)
def tonight(request: StaffRequest) -> HttpResponse:
    """The evening's arrivals, those first whose door needs someone now."""
    at, hotel = now(), request.staff.hotel
    tz = zone(hotel.timezone)
    told = board(hotel=hotel, now=at)
    place = read_cursor(request.GET.get("after", ""))
    rest = [one for one in told.arrivals if place is None or (one.starts_at, one.key_id) > place]
    page, first = rest[:SHOWN], ([] if place else told.now_first)
    why = reasons_of([*first, *page], now=at)
    lines = [_line(one, why.get(one.key_id), request.staff, tz, at) for one in [*first, *page]]
    last = page[-1] if len(rest) > SHOWN else None
    context = {
        "told": told,
        "counts": [_count(meaning, told.glance) for meaning in Meaning],
        "now_first": lines[: len(first)],
        "hours": _hours(lines[len(first) :], told.night.begins, tz),
        "next": write_cursor(last.starts_at, last.key_id) if last else "",
        "is_first": place is None,
        "at": at,
        "zone_name": hotel.timezone,
    }
    return show(request, "staff/tonight.html", context)


@public
@require_GET
def worker(request: HttpRequest) -> HttpResponseBase:
    """The script that keeps the copy: from here, so that it serves this screen and nothing else."""
    found = finders.find("portal/tonight-worker.js")
    if not isinstance(found, str):
        raise Http404
    answer = FileResponse(open(found, "rb"), content_type="text/javascript")  # noqa: SIM115, PTH123
    answer["Cache-Control"] = "no-cache"
    return answer


def _count(meaning: Meaning, glance: Sequence[int]) -> Count:
    return Count(tag_of(meaning), glance[ORDER[meaning]], EXPLAINED[meaning])


def _hours(lines: Sequence[Line], begins: datetime, tz: ZoneInfo) -> list[Hour]:
    def hour(line: Line) -> datetime | None:
        if line.arrival.starts_at < begins:
            return None
        return line.arrival.starts_at.astimezone(tz).replace(minute=0, second=0, microsecond=0)

    tonight = [line for line in lines if hour(line) is not None]
    earlier = [line for line in lines if hour(line) is None]
    hours = [Hour(at, list(some)) for at, some in groupby(tonight, key=hour)]
    return [*hours, Hour(None, earlier)] if earlier else hours


def _line(
    arrival: Arrival, why: DoorAnswer | None, staff: Staff, tz: ZoneInfo, now: datetime
) -> Line:
    reasons = why.reasons if why else []
    tag = tag_of(arrival.meaning)
    if arrival.meaning is Meaning.LATER and len(reasons) == 1 and reasons[0].next_at:
        at = reasons[0].next_at.astimezone(tz)
        words = f"Will be written at {at:%H:%M}"
        tag = Tag(
            words if at.date() == now.astimezone(tz).date() else f"{words} tomorrow",
            tag.tone,
            tag.icon,
        )
        reasons = []
    mixed = len({door.meaning for door in arrival.doors}) > 1
    doors = [
        (door.name, door.door_id, tag_of(door.meaning) if mixed else None) for door in arrival.doors
    ]
    return Line(arrival, tag, doors, reasons, _step(arrival, why, staff))


def _step(arrival: Arrival, why: DoorAnswer | None, staff: Staff) -> NextStep | None:
    """What this person can do about the worst thing, in one press from here; none when nothing is to be done."""
    if arrival.meaning in {Meaning.READY, Meaning.LATER}:
        return None
    key = NextStep("Open the key", reverse("key", args=[arrival.key_id]))
    if why is None or not why.reasons:
        return key
    for reason in sorted(why.reasons, key=_is_by_itself):
        for right, label, link in _steps(reason.hold, arrival, why):
            if staff.may(right):
                return NextStep(label, link)
    return key


def _is_by_itself(reason: Reason) -> bool:
    return reason.hold in {Hold.NOT_CHECKED_IN, Hold.NOT_DUE_YET}


def _steps(hold: Hold, arrival: Arrival, why: DoorAnswer) -> list[tuple[Right, str, str]]:
    edit = reverse("edit_key_door", args=[arrival.key_id, why.keychain_door.pk])
    match hold:
        case Hold.DISABLED_BY_STAFF | Hold.CAME_IN_DURING_OUTAGE:
            return [(Right.SWITCH_DOORS, "Allow Provisioning", edit)]
        case Hold.CHECK_IN_UNKNOWN:
            integrations = reverse("integrations")
            return [
                (Right.CHANGE_INTEGRATIONS, "Reconnect the PMS", integrations),
                (Right.SWITCH_DOORS, "Write before check-in", edit),
            ]
        case Hold.NOT_CHECKED_IN:
            return [(Right.SWITCH_DOORS, "Edit Door", edit)]
        case Hold.SETUP_MODE:
            return [(Right.CHANGE_SETTINGS, "Make the property Live", reverse("property_settings"))]
        case Hold.NO_LOCK:
            return [(Right.PAIR_LOCKS, "Hang a lock on it", reverse("installation"))]
        case Hold.ACCOUNT_BROKEN:
            return [(Right.CHANGE_LOCK_SYSTEMS, "Reconnect the locks", reverse("lock_systems"))]
        case Hold.LOCK_OFFLINE | Hold.GATEWAY_OFFLINE | Hold.NOT_CONFIRMED | Hold.AT_WORK:
            return _at_the_lock(why)
    return []


def _at_the_lock(why: DoorAnswer) -> list[tuple[Right, str, str]]:
    if why.lock is None:
        return []
    return [(Right.SEE_DOORS, "Look at the lock", reverse("lock", args=[why.lock.pk]))]
