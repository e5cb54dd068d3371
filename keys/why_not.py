"""Why did this code not work? Pure: what is known of a code, a door and a moment in, a verdict with its evidence out.

The code itself is not here: the caller has matched it by its digest and passes on how long it was and its last two digits.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, tzinfo
from enum import StrEnum
from typing import NamedTuple

from keys.opening import Held, Stranger, by, on_lock_at, strangers_then
from keys.past_facts import (
    CLOCK_LIMIT_S,
    Place,
    Said,
    as_of,
    by_lock,
    clock_words,
    told,
)


class Why(StrEnum):
    """Every verdict about one code, in the order in which one outweighs another."""

    OPENED = "opened"
    NO_LOCK = "no_lock"
    LATER_CODE = "later_code"
    OLD_CODE = "old_code"
    WRONG_DOOR = "wrong_door"
    REVOKED = "revoked"
    LEFT = "left"
    DOOR_TAKEN_OUT = "door_taken_out"
    PERSON_REMOVED = "person_removed"
    WINDOW_OVER = "window_over"
    WINDOW_NOT_OPEN = "window_not_open"
    HELD_BY_STAFF = "held_by_staff"
    HELD_BY_OUTAGE = "held_by_outage"
    NOT_CHECKED_IN = "not_checked_in"
    SETUP_MODE = "setup_mode"
    NOT_ON_LOCK = "not_on_lock"
    CLOCK_WRONG = "clock_wrong"
    CHANGED_AT_LOCK = "changed_at_lock"
    NOT_CERTAIN = "not_certain"
    KEYPAD_BLOCKED = "keypad_blocked"
    BATTERY = "battery"
    FOREIGN = "foreign"
    WRONG_LENGTH = "wrong_length"
    NEVER_EXISTED = "never_existed"
    SHOULD_HAVE_OPENED = "should_have_opened"


@dataclass(frozen=True, slots=True)
class Finding:
    """One reason with its evidence in a sentence."""

    why: Why
    sentence: str


class Spell(NamedTuple):
    """A stretch in which a credential had the code. ``until`` is none while it has it; ``by`` is who drew the next."""

    since: datetime
    until: datetime | None
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """A credential that has or had the code. ``place`` is its place at the door, none where its key has none there."""

    key_id: int
    label: str
    person: str
    spells: tuple[Spell, ...]
    doors: tuple[str, ...]
    place: Place | None
    person_removed_at: datetime | None = None


class Rule(NamedTuple):
    """The property's rules from ``since`` on."""

    since: datetime
    check_in_rule: str
    mode: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """The door, its lock and the moment. ``lines`` are the lock's own about itself around then, in the order of time.

    ``clocks_changed_at`` is when the property's clocks changed last before the moment, of a lock that keeps no time zone;
    ``clock_set_at`` when its own was set after that, none where it was not.
    """

    moment: datetime
    tz: tzinfo
    door: str
    digits: int
    hint: str
    has_lock: bool
    code_min: int = 0
    code_max: int = 99
    clock_offset_s: float | None = None
    clock_read_at: datetime | None = None
    clocks_changed_at: datetime | None = None
    clock_set_at: datetime | None = None
    battery: int | None = None
    lines: tuple[Said, ...] = ()
    strangers: tuple[Stranger, ...] = ()
    rules: tuple[Rule, ...] = ()
    log_since: datetime | None = None
    codes_since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is known about one key with the code: the first finding is the headline, the others are true as well."""

    match: Match | None
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class Result:
    """All verdicts, the most telling first; what the lock said around then; and what nobody can know."""

    verdicts: tuple[Verdict, ...]
    heard: tuple[str, ...] = ()
    unknown: tuple[str, ...] = field(default=())


AROUND = timedelta(minutes=5)
"""So far from the moment that someone remembers, a lock's word may be about the same try."""
BLOCKED_FOR = timedelta(minutes=15)
LOW_BATTERY = 20
LIMIT = CLOCK_LIMIT_S
HELD = {"held_by_staff": Why.HELD_BY_STAFF, "held_by_outage": Why.HELD_BY_OUTAGE}


def why_not(matches: Sequence[Match], scene: Scene) -> Result:
    """The verdict on a code that was typed at a door."""
    verdicts = sorted(
        (Verdict(match, _judge(match, scene)) for match in matches),
        key=lambda one: _distance(one, scene),
    )
    found = tuple(verdicts) or (Verdict(None, tuple(_of_nobody(scene))),)
    return Result(found, tuple(_heard(scene)), tuple(_unknown(scene)))


def _distance(verdict: Verdict, scene: Scene) -> tuple[bool, bool, int]:
    """Who had the code at this door then comes first; among others, the key that is newest."""
    match = verdict.match
    had = match is not None and _has(match, scene.moment)
    here = match is not None and match.place is not None
    return not (had and here), not here, -(match.key_id if match else 0)


def _has(match: Match, moment: datetime) -> bool:
    return any(
        spell.since <= moment and (spell.until is None or moment < spell.until)
        for spell in match.spells
    )


def _judge(match: Match, scene: Scene) -> tuple[Finding, ...]:
    found = list(_about(match, scene))
    if not found:
        place = match.place
        since = on_lock_at(place, scene.moment, scene.tz).because if place else ""
        sentence = f"By all that is known it should have opened. {since}"
        found = [Finding(Why.SHOULD_HAVE_OPENED, sentence.strip())]
    order = list(Why)
    return tuple(sorted(found, key=lambda one: order.index(one.why)))


def _about(match: Match, scene: Scene) -> Iterator[Finding]:
    yield from _code(match, scene)
    if match.place is None:
        opens = ", ".join(match.doors) or "no door"
        yield Finding(Why.WRONG_DOOR, f"Wrong door: this key opens {opens}, not {scene.door}.")
        return
    if not scene.has_lock:
        yield Finding(Why.NO_LOCK, f"No lock is installed on {scene.door}.")
        return
    yield from _ended(match, match.place, scene)
    yield from _window(match.place, scene)
    yield from _held(match.place, scene)
    yield from _lock(match.place, scene)


def _code(match: Match, scene: Scene) -> Iterator[Finding]:
    """Whether the credential had this code then, or had it before, or was to get it later."""
    if _has(match, scene.moment):
        return
    past = [spell for spell in match.spells if spell.until and spell.until <= scene.moment]
    if past:
        last = past[-1]
        yield Finding(
            Why.OLD_CODE,
            f"An old code of this key: a new one was drawn {told(last.until or last.since, scene.tz)}{by(last.by)}.",
        )
        return
    since = told(match.spells[0].since, scene.tz)
    yield Finding(Why.LATER_CODE, f"This key has the code only since {since}.")


def _ended(match: Match, place: Place, scene: Scene) -> Iterator[Finding]:
    at, tz = scene.moment, scene.tz
    frame, part = as_of(place.frames, at), as_of(place.parts, at)
    if frame and frame.revoked_at and frame.revoked_at <= at:
        yield Finding(
            Why.REVOKED,
            f"The key was revoked {told(frame.revoked_at, tz)}{by(frame.by)}: {frame.revoked_because}.",
        )
    if frame and frame.departed_at and frame.departed_at <= at:
        yield Finding(Why.LEFT, f"The guest had left {told(frame.departed_at, tz)}.")
    if part is None:
        joined = told(place.parts[0].since, tz) if place.parts else "later"
        yield Finding(Why.WRONG_DOOR, f"{scene.door} came into this key only {joined}.")
    elif part.removed_at and part.removed_at <= at:
        yield Finding(
            Why.DOOR_TAKEN_OUT,
            f"{scene.door} was taken out of this key {told(part.removed_at, tz)}{by(part.by)}.",
        )
    gone = match.person_removed_at or place.retired_at
    if gone and gone <= at:
        yield Finding(
            Why.PERSON_REMOVED, f"This person’s code was taken out of the key {told(gone, tz)}."
        )


def _window(place: Place, scene: Scene) -> Iterator[Finding]:
    window, tz = place.window(scene.moment), scene.tz
    if window is None:
        return
    if scene.moment < window[0]:
        sentence = f"Too early: the window opens {told(window[0], tz)} in the property’s time."
        yield Finding(Why.WINDOW_NOT_OPEN, sentence)
        return
    if scene.moment >= window[1]:
        sentence = f"Too late: the window ended {told(window[1], tz)} in the property’s time."
        yield Finding(Why.WINDOW_OVER, sentence)
        return
    if place.keeps_windows:
        yield from _clock_change(window, scene)
    if place.keeps_windows and scene.clock_offset_s and abs(scene.clock_offset_s) > LIMIT:
        local = by_lock(scene.moment, scene.clock_offset_s)
        if not window[0] <= local < window[1]:
            side = "begins" if local < window[0] else "ended"
            edge = window[0] if local < window[0] else window[1]
            yield Finding(
                Why.CLOCK_WRONG,
                f"{_clock(scene)} By the lock it was {told(local, tz)}, and the window {side} {told(edge, tz)}.",
            )


def _clock_change(window: tuple[datetime, datetime], scene: Scene) -> Iterator[Finding]:
    """A stay over a clock change, at a lock whose own clock had not followed yet."""
    changed, done = scene.clocks_changed_at, scene.clock_set_at
    if changed is None or not window[0] < changed < window[1]:
        return
    if done is not None and done + AROUND < scene.moment:
        return
    followed = f"only {told(done, scene.tz)}" if done else "not at all yet"
    yield Finding(
        Why.CLOCK_WRONG,
        f"The clocks changed {told(changed, scene.tz)} during this stay, and the lock’s own was set {followed}: until it is "
        "set and the code written again it may begin and end an hour off.",
    )


def _clock(scene: Scene) -> str:
    read = f", read {told(scene.clock_read_at, scene.tz)}" if scene.clock_read_at else ""
    return f"The lock’s clock is {clock_words(scene.clock_offset_s or 0)}{read}."


def _held(place: Place, scene: Scene) -> Iterator[Finding]:
    """What kept it off the lock then: a switch, the check-in, Setup."""
    if on_lock_at(place, scene.moment, scene.tz).held is Held.YES:
        return
    part, rule = as_of(place.parts, scene.moment), as_of(scene.rules, scene.moment)
    if part and part.permission in HELD:
        because = (
            f"Allow Provisioning was off since {told(part.permission_since, scene.tz)}{by(part.by)}"
            if part.permission == "held_by_staff"
            else "It was held since it came in while the PMS connection was broken"
        )
        yield Finding(HELD[part.permission], f"{because}: it was not on the lock.")
    elif part and part.permission == "automatic" and place.has_reservation:
        yield from _check_in(place, rule, scene)
    if rule and rule.mode == "setup":
        yield Finding(Why.SETUP_MODE, "The property was in Setup: nothing was written to locks.")


def _check_in(place: Place, rule: Rule | None, scene: Scene) -> Iterator[Finding]:
    wanted = rule.check_in_rule if rule else "not_required"
    done = place.checked_in_at and place.checked_in_at <= scene.moment
    online = place.checked_in_online_at and place.checked_in_online_at <= scene.moment
    if wanted == "not_required" or done or (online and wanted != "front_desk"):
        return
    later = place.checked_in_at or (place.checked_in_online_at if wanted != "front_desk" else None)
    when = f" It checked in {told(later, scene.tz)}." if later else ""
    sentence = f"The reservation had not checked in, so the code was not on the lock.{when}"
    yield Finding(Why.NOT_CHECKED_IN, sentence)


def _lock(place: Place, scene: Scene) -> Iterator[Finding]:
    """What the lock and its log say: not there, not certain, changed by hand, blocked, weak."""
    seen, at, tz = on_lock_at(place, scene.moment, scene.tz), scene.moment, scene.tz
    opened = [
        line for line in place.lines if line.code == "unlocked" and abs(line.at - at) <= AROUND
    ]
    if opened:
        sentence = f"The lock says that it opened for this key {told(opened[-1].at, tz)}."
        yield Finding(Why.OPENED, sentence)
    if seen.held is Held.NO:
        yield Finding(
            Why.NOT_ON_LOCK, f"Not on the lock then. {seen.because}{_after(place, scene)}"
        )
    elif seen.held is Held.MAYBE:
        sentence = f"Nobody knows whether it was on the lock. {seen.because}"
        yield Finding(Why.NOT_CERTAIN, sentence)
    yield from _at_the_lock(seen.since, scene)


def _after(place: Place, scene: Scene) -> str:
    """The 4117 that lasted then, and when it came to the lock after all."""
    found = ""
    for begun, ended, cause in place.waited:
        if begun <= scene.moment and (ended is None or scene.moment < ended):
            found = f" 4117 since {told(begun, scene.tz)}: {cause}."
    later = next((x for x in place.lines if x.code == "written" and x.at > scene.moment), None)
    return found + (f" It was written {told(later.at, scene.tz)}." if later else "")


def _at_the_lock(written_at: datetime | None, scene: Scene) -> Iterator[Finding]:
    at, tz = scene.moment, scene.tz
    for line in scene.lines:
        if line.at > at:
            break
        if line.code == "changed_at_lock" and written_at and line.at >= written_at:
            sentence = f"Something was changed at the lock itself {told(line.at, tz)}, after the code was written."
            yield Finding(Why.CHANGED_AT_LOCK, sentence)
        if line.code == "locked_out" and at - line.at <= BLOCKED_FOR:
            sentence = f"The keypad was blocked after wrong tries {told(line.at, tz)}."
            yield Finding(Why.KEYPAD_BLOCKED, sentence)
    if scene.battery is not None and scene.battery <= LOW_BATTERY:
        sentence = f"The lock’s battery is at {scene.battery} % by its last word."
        yield Finding(Why.BATTERY, sentence)


def _of_nobody(scene: Scene) -> Iterator[Finding]:
    """What is known of a code that no key of the property ever had."""
    for one in strangers_then(scene.strangers, scene.moment):
        if one.hint and one.hint[-2:] == scene.hint[-2:]:
            since = told(one.first_seen_at, scene.tz)
            yield Finding(
                Why.FOREIGN,
                f"A code that ends like this one lay on the lock since {since}; Portal did not put it there.",
            )
    if not scene.code_min <= scene.digits <= scene.code_max:
        yield Finding(
            Why.WRONG_LENGTH,
            f"This lock takes {scene.code_min} to {scene.code_max} digits, and {scene.digits} were typed.",
        )
    since = f" since {told(scene.codes_since, scene.tz)}" if scene.codes_since else ""
    yield Finding(Why.NEVER_EXISTED, f"No key of this property has had this code{since}.")


HEARD = {
    "denied": "refused a code",
    "unlocked": "opened",
    "offline": "went offline",
    "online": "came back online",
    "battery_low": "said that its battery is low",
    "changed_at_lock": "said that something was changed at it",
    "clock_wrong": "said that its clock is wrong",
    "locked_out": "blocked its keypad after wrong tries",
    "jammed": "said that its bolt is jammed",
}


def _heard(scene: Scene) -> Iterator[str]:
    """What the lock itself said around then, and whether it could be reached."""
    reach = None
    for line in scene.lines:
        if line.code in {"offline", "online"} and line.at <= scene.moment:
            reach = line
        elif line.code in HEARD and abs(line.at - scene.moment) <= AROUND:
            ending = f" ending {line.hint}" if line.hint and line.code == "denied" else ""
            yield f"The lock {HEARD[line.code]}{ending} {told(line.at, scene.tz)}."
    if reach is not None and reach.code == "offline":
        yield (
            f"The lock was offline since {told(reach.at, scene.tz)}: codes that are on it open all the same, "
            "new ones do not arrive."
        )


def _unknown(scene: Scene) -> Iterator[str]:
    if scene.log_since is None or scene.log_since > scene.moment:
        begin = told(scene.log_since, scene.tz) if scene.log_since else "never"
        yield f"The door log of this door begins {begin}: of the time before it, nothing is known."
    denied = any(x.code == "denied" and abs(x.at - scene.moment) <= AROUND for x in scene.lines)
    if not denied and scene.has_lock:
        yield "The lock has reported no refusal around then. Some locks report none, or later."
