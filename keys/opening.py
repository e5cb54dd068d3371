"""Who could open this door at a moment? Pure: facts in, a verdict with its evidence for each credential out.

Three answers are kept apart: could open, may have opened (nobody can know: an answer was lost, a removal not confirmed),
and could not though a key was meant to open it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from enum import StrEnum

from keys.past_facts import CLOCK_LIMIT_S, Place, Said, as_of, by_lock, clock_words, told


class Could(StrEnum):
    """Whether a credential could open the door then."""

    YES = "yes"
    MAYBE = "maybe"
    NO = "no"


class Held(StrEnum):
    """Whether the lock held it then, by all that was written down."""

    YES = "yes"
    MAYBE = "maybe"
    NO = "no"


WORDS = {
    Could.YES: "Could open it",
    Could.MAYBE: "May have opened it",
    Could.NO: "Had a key for it, but could not open it",
}
UNSURE = {
    "accepted": "the lock system had accepted it and had not confirmed it",
    "unconfirmed": "the lock’s answer was lost",
    "repaired": "the lock was found out of step",
}


@dataclass(frozen=True, slots=True)
class OnLock:
    """What the lock held of a credential at a moment, from when, and on which line of the door log that rests."""

    held: Held
    since: datetime | None
    because: str


@dataclass(frozen=True, slots=True)
class Answer:
    """One credential: could it, and the evidence in sentences. ``place`` says whose it is."""

    could: Could
    place: Place
    evidence: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Stranger:
    """Something on the lock that Portal did not put there, from when it was seen until it was gone."""

    address: str
    first_seen_at: datetime
    gone_at: datetime | None
    kind: str = ""
    hint: str = ""


def on_lock_at(place: Place, moment: datetime, tz: tzinfo) -> OnLock:
    """What the door log says of this credential up to then; a repair afterwards throws doubt on what was believed before."""
    known = OnLock(Held.NO, None, "It was never written to this lock before then.")
    for line in place.lines:
        if line.at > moment:
            break
        known = _after(known, line, tz)
    freed = max((at for at in place.freed_at if at <= moment), default=None)
    if freed is not None and (known.since is None or freed >= known.since):
        return OnLock(Held.NO, freed, f"Its place on the lock was proven empty {told(freed, tz)}.")
    later = next((line for line in place.lines if line.at > moment), None)
    if later is not None and later.code == "repaired":
        doubt = f"The lock was found out of step {told(later.at, tz)}, so what it held before is not certain."
        return OnLock(Held.MAYBE, known.since, doubt)
    return known


def _after(known: OnLock, line: Said, tz: tzinfo) -> OnLock:
    at = told(line.at, tz)
    match line.code:
        case "written":
            return OnLock(Held.YES, line.at, f"Written to the lock {at}.")
        case "removed":
            return OnLock(Held.NO, line.at, f"Removed from the lock {at}.")
        case "unlocked":
            if known.held is Held.YES:
                return known
            return OnLock(Held.YES, line.at, f"It opened the door {at}, so it was on the lock.")
        case "remove_failed":
            held = Held.MAYBE if known.held is Held.NO else known.held
            return OnLock(held, known.since or line.at, f"{known.because} Its removal failed {at}.")
        case "accepted" | "unconfirmed" | "repaired":
            return OnLock(Held.MAYBE, line.at, f"Not certain since {at}: {UNSURE[line.code]}.")
        case "paired" | "unpaired":
            return OnLock(Held.NO, line.at, f"Not written since the lock was changed {at}.")
        case _:
            return known


def answer_for(
    place: Place, *, moment: datetime, clock_offset_s: float | None, tz: tzinfo
) -> Answer | None:
    """Whether this credential could open the door then; none for one that had nothing to do with the door then."""
    seen = on_lock_at(place, moment, tz)
    wanted = _was_meant(place, moment)
    if seen.held is Held.NO:
        return (
            Answer(Could.NO, place, (seen.because, *_state(place, moment, tz))) if wanted else None
        )
    written = seen.since or moment
    window = place.window(written) or place.window(moment)
    could = Could.YES if seen.held is Held.YES else Could.MAYBE
    if place.keeps_windows and window is not None and not window[0] <= moment < window[1]:
        return _outside(place, seen, window, moment, clock_offset_s, tz) if wanted else None
    evidence = [seen.because, *_window_words(place, window, tz), *_state(place, moment, tz)]
    if place.keeps_windows and window is not None and _is_off(clock_offset_s):
        local = by_lock(moment, clock_offset_s)
        if not window[0] <= local < window[1]:
            could = Could.MAYBE
            evidence.append(
                f"The lock’s clock is {clock_words(clock_offset_s or 0)} by its last reading, so by the lock it was not "
                "the time of this window."
            )
    return Answer(could, place, tuple(evidence))


def _outside(
    place: Place,
    seen: OnLock,
    window: tuple[datetime, datetime],
    moment: datetime,
    offset_s: float | None,
    tz: tzinfo,
) -> Answer:
    evidence = [seen.because, *_window_words(place, window, tz), *_state(place, moment, tz)]
    by_its_clock = by_lock(moment, offset_s)
    if _is_off(offset_s) and window[0] <= by_its_clock < window[1]:
        evidence.append(
            f"The lock’s clock is {clock_words(offset_s or 0)} by its last reading: by the lock it was {told(by_its_clock, tz)}, "
            "within the window."
        )
        return Answer(Could.MAYBE, place, tuple(evidence))
    return Answer(Could.NO, place, tuple(evidence))


def _is_off(offset_s: float | None) -> bool:
    return offset_s is not None and abs(offset_s) > CLOCK_LIMIT_S


def _was_meant(place: Place, moment: datetime) -> bool:
    """Whether a key was meant to open the door then."""
    frame, part, window = (
        as_of(place.frames, moment),
        as_of(place.parts, moment),
        place.window(moment),
    )
    if frame is None or part is None or window is None:
        return False
    over = (frame.revoked_at, frame.departed_at, part.removed_at, place.retired_at)
    if any(at is not None and at <= moment for at in over):
        return False
    return window[0] <= moment < window[1]


def _window_words(place: Place, window: tuple[datetime, datetime] | None, tz: tzinfo) -> list[str]:
    if window is None:
        return []
    start, end = told(window[0], tz), told(window[1], tz)
    if place.keeps_windows:
        return [f"The lock keeps its window: {start} to {end}."]
    return [
        f"Its window was {start} to {end}; this lock keeps no windows: a code opens while it is there."
    ]


def _state(place: Place, moment: datetime, tz: tzinfo) -> list[str]:
    """What the key was then, where that matters: ended, door taken out, switched off."""
    found = []
    frame, part = as_of(place.frames, moment), as_of(place.parts, moment)
    if frame and frame.revoked_at and frame.revoked_at <= moment:
        found.append(f"The key was revoked {told(frame.revoked_at, tz)}{by(frame.by)}.")
    if frame and frame.departed_at and frame.departed_at <= moment:
        found.append(f"The guest had left {told(frame.departed_at, tz)}.")
    if part and part.removed_at and part.removed_at <= moment:
        found.append(f"The door was taken out of the key {told(part.removed_at, tz)}{by(part.by)}.")
    if part and part.permission.startswith("held"):
        found.append(f"Allow Provisioning was off since {told(part.permission_since, tz)}.")
    return found


def by(name: str) -> str:
    """ " by Rita", or nothing."""
    return f" by {name}" if name else ""


ORDER = {Could.YES: 0, Could.MAYBE: 1, Could.NO: 2}


def who_could_open(
    places: Sequence[Place], *, moment: datetime, clock_offset_s: float | None, tz: tzinfo
) -> list[Answer]:
    """Everyone whose credential could open the door then, may have, or was meant to; in this order, then by key."""
    found = [
        answer
        for place in places
        if (answer := answer_for(place, moment=moment, clock_offset_s=clock_offset_s, tz=tz))
    ]
    return sorted(
        found, key=lambda one: (ORDER[one.could], one.place.key_id, one.place.assignment_id)
    )


def strangers_then(strangers: Sequence[Stranger], moment: datetime) -> list[Stranger]:
    """What lay on the lock then without being Portal's. Before it was first seen it may have been there, unknown."""
    return [
        one
        for one in strangers
        if one.first_seen_at <= moment and (one.gone_at is None or one.gone_at >= moment)
    ]
