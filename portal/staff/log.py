"""The door log as staff read it: 4117 with the article's words and both checks made now, open ones first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.http import HttpResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET

from keys import wording
from keys.explaining import PROOFS, episode_checks
from locks.log_models import DoorLogEntry, Episode, LogCode
from locks.models import Door, KindChoice
from portal.roles import Right
from portal.staff.access import StaffRequest, needs
from portal.staff.pages import now, show, turn

OPEN_SHOWN = 30
BAD = {
    LogCode.NOT_WRITTEN,
    LogCode.WRITE_FAILED,
    LogCode.REMOVE_FAILED,
    LogCode.TAMPER,
    LogCode.FOREIGN,
    LogCode.CHANGED_AT_LOCK,
}
WAIT = {
    LogCode.OFFLINE,
    LogCode.UNCONFIRMED,
    LogCode.ACCEPTED,
    LogCode.BATTERY_LOW,
    LogCode.CLOCK_WRONG,
    LogCode.DENIED,
    LogCode.REPAIRED,
    LogCode.TAKEN_OVER,
}
GOOD = {LogCode.WRITTEN, LogCode.RESOLVED, LogCode.ONLINE, LogCode.REMOVED, LogCode.UNLOCKED}
KINDS = dict(KindChoice.choices)


@dataclass(frozen=True, slots=True)
class Line:
    """One line in words. ``tone`` is what its color means."""

    entry: DoorLogEntry
    label: str
    tone: str
    detail: str


@dataclass(frozen=True, slots=True)
class Open:
    """An episode that has not ended, with both checks made now."""

    episode: Episode
    checks: list[str]
    cause: str


@never_cache
@require_GET
@needs(Right.SEE_LOG)
def door_log(request: StaffRequest) -> HttpResponse:
    """The log of the property, of one door, of one code."""
    hotel, asked, at = request.staff.hotel, request.GET, now()
    doors = list(
        Door.objects.filter(property_id=hotel.pk, archived_at=None)
        .order_by("name")
        .only("id", "name")
    )
    door = next((one for one in doors if str(one.pk) == asked.get("door")), None)
    code = asked.get("code") if asked.get("code") in LogCode.values else ""
    rows = DoorLogEntry.objects.filter(property_id=hotel.pk).select_related("door")
    rows = rows.filter(door=door) if door else rows
    rows = rows.filter(code=code) if code else rows
    key_id = _key_id(request)
    rows = rows.filter(key_id=key_id) if key_id else rows
    page = turn(
        rows, by="-happened_at", after=asked.get("after", ""), value=lambda line: line.happened_at
    )
    context = {
        "lines": told(list(page.rows), see_codes=request.staff.may(Right.SEE_CODES)),
        "next": page.after,
        "open": [] if asked.get("after") or key_id else open_ones(hotel.pk, door=door, now=at),
        "doors": doors,
        "door": door,
        "key_id": key_id,
        "code": code,
        "codes": LogCode.choices,
        "error_4117": wording.ERROR_4117,
    }
    return show(request, "staff/log.html", context)


def _key_id(request: StaffRequest) -> int | None:
    """The key whose lines are asked for, by someone who may see keys."""
    asked = request.GET.get("key", "")
    known = asked.isdecimal() and len(asked) < 19 and request.staff.may(Right.SEE_KEYS)
    return int(asked) if known else None


def open_ones(property_id: int, *, door: Door | None, now: datetime) -> list[Open]:
    """What is open, removals first: a stranger who can enter is more urgent than a guest who cannot."""
    rows = Episode.objects.filter(property_id=property_id, closed_at=None).select_related("door")
    rows = rows.filter(door=door) if door else rows
    found = list(rows.order_by("-kind", "opened_at")[:OPEN_SHOWN])
    checks = episode_checks(episodes=found, now=now)
    return [Open(one, checks.get(one.pk, []), cause_text(one.cause)) for one in found]


def told(entries: Sequence[DoorLogEntry], *, see_codes: bool) -> list[Line]:
    """Lines in words; hints of codes only for those who may see codes."""
    return [_told(entry, see_codes=see_codes) for entry in entries]


def _told(entry: DoorLogEntry, *, see_codes: bool) -> Line:
    parts = [KINDS.get(entry.kind, ""), entry.hint if see_codes else "", cause_text(entry.cause)]
    parts += [PROOFS.get(entry.proof, ""), f"try {entry.attempt}" if entry.attempt else ""]
    parts += [f"lock system said {entry.vendor_code}" if entry.vendor_code else "", entry.actor]
    try:
        code = LogCode(entry.code)
    except ValueError:
        return Line(entry, entry.code, "plain", "")
    tone = "bad" if code in BAD else "wait" if code in WAIT else "good" if code in GOOD else "plain"
    return Line(entry, str(code.label), tone, " · ".join(part for part in parts if part))


def cause_text(cause: str) -> str:
    """A cause in the words of the rule where it has some."""
    return wording.problem_text(cause) if cause else ""
