"""Why a code did not work, and who could open a door then: every verdict from plain facts, each with its evidence."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from keys.opening import Could, Stranger, answer_for, who_could_open
from keys.past_facts import Frame, Part, Place, Said, clock_words
from keys.why_not import Match, Rule, Scene, Spell, Why, why_not
from locks.clock import zone

TZ = zone("Europe/Lisbon")
T = datetime(2026, 7, 7, 20, 0, tzinfo=UTC)
"""A Tuesday, 21:00 at the property."""
DAY, HOUR, MINUTE = timedelta(days=1), timedelta(hours=1), timedelta(minutes=1)
FRAME = Frame(T - 5 * DAY, T - DAY, T + DAY, None, "", None, "Rita")
PART = Part(T - 5 * DAY, "automatic", T - 5 * DAY, None, None, None, "Rita")
WRITTEN = Said(T - DAY, "written")


def place(**change):
    facts = {
        "assignment_id": 7,
        "key_id": 3,
        "label": "Ada Example",
        "person": "Ada Example",
        "kind": "Door Code",
        "created_at": T - 5 * DAY,
        "keeps_windows": True,
        "frames": (FRAME,),
        "parts": (PART,),
        "lines": (WRITTEN,),
    }
    return Place(**facts | change)


def match(**change):
    facts = {
        "key_id": 3,
        "label": "Ada Example",
        "person": "Ada Example",
        "spells": (Spell(T - 5 * DAY, None, ""),),
        "doors": ("101",),
        "place": place(),
    }
    return Match(**facts | change)


def scene(**change):
    facts = {
        "moment": T,
        "tz": TZ,
        "door": "101",
        "digits": 6,
        "hint": "16",
        "has_lock": True,
        "code_min": 4,
        "code_max": 9,
        "log_since": T - 90 * DAY,
        "rules": (Rule(T - 90 * DAY, "either", "live"),),
    }
    return Scene(**facts | change)


def of(**change):
    return match(place=place(**change))


CASES = {
    "an old code": (
        match(spells=(Spell(T - 5 * DAY, T - HOUR, "Rita"),)),
        scene(),
        Why.OLD_CODE,
        "a new one was drawn Tue 7 Jul 2026 20:00 by Rita",
    ),
    "a code that came later": (
        match(spells=(Spell(T + HOUR, None, ""),)),
        scene(),
        Why.LATER_CODE,
        "only since Tue 7 Jul 2026 22:00",
    ),
    "the wrong door": (
        match(place=None, doors=("102", "Entrance")),
        scene(),
        Why.WRONG_DOOR,
        "opens 102, Entrance, not 101",
    ),
    "revoked": (
        of(frames=(FRAME._replace(revoked_at=T - HOUR, revoked_because="revoked by staff"),)),
        scene(),
        Why.REVOKED,
        "revoked Tue 7 Jul 2026 20:00 by Rita: revoked by staff",
    ),
    "left": (of(frames=(FRAME._replace(departed_at=T - HOUR),)), scene(), Why.LEFT, "had left"),
    "a door that came later": (
        of(parts=(PART._replace(since=T + HOUR),)),
        scene(),
        Why.WRONG_DOOR,
        "came into this key only Tue 7 Jul 2026 22:00",
    ),
    "a door that was taken out": (
        of(parts=(PART._replace(removed_at=T - HOUR),)),
        scene(),
        Why.DOOR_TAKEN_OUT,
        "taken out of this key",
    ),
    "a person who was taken out": (
        match(person_removed_at=T - HOUR),
        scene(),
        Why.PERSON_REMOVED,
        "taken out of the key",
    ),
    "too late": (
        of(frames=(FRAME._replace(ends_at=T - HOUR),)),
        scene(),
        Why.WINDOW_OVER,
        "ended Tue 7 Jul 2026 20:00 in the property’s time",
    ),
    "too early": (
        of(frames=(FRAME._replace(starts_at=T + HOUR),)),
        scene(),
        Why.WINDOW_NOT_OPEN,
        "opens Tue 7 Jul 2026 22:00",
    ),
    "held by staff": (
        of(parts=(PART._replace(permission="held_by_staff"),), lines=()),
        scene(),
        Why.HELD_BY_STAFF,
        "by Rita: it was not on the lock",
    ),
    "held by an outage": (
        of(parts=(PART._replace(permission="held_by_outage"),), lines=()),
        scene(),
        Why.HELD_BY_OUTAGE,
        "while the PMS connection was broken",
    ),
    "not checked in": (
        of(has_reservation=True, checked_in_at=T + HOUR, lines=()),
        scene(),
        Why.NOT_CHECKED_IN,
        "It checked in Tue 7 Jul 2026 22:00",
    ),
    "setup": (
        of(lines=()),
        scene(rules=(Rule(T - 90 * DAY, "either", "setup"),)),
        Why.SETUP_MODE,
        "in Setup",
    ),
    "not on the lock yet": (
        of(
            lines=(Said(T + HOUR, "written"),),
            waited=((T - HOUR, T + HOUR, "the lock did not answer"),),
        ),
        scene(),
        Why.NOT_ON_LOCK,
        "4117 since Tue 7 Jul 2026 20:00: the lock did not answer. It was written Tue 7 Jul 2026 22:00",
    ),
    "a wrong clock": (
        of(frames=(FRAME._replace(starts_at=T - 10 * MINUTE),)),
        scene(clock_offset_s=-58 * 60.0),
        Why.CLOCK_WRONG,
        "58 minutes slow. By the lock it was Tue 7 Jul 2026 20:02, and the window begins Tue 7 Jul 2026 20:50",
    ),
    "changed at the lock": (
        match(),
        scene(lines=(Said(T - HOUR, "changed_at_lock"),)),
        Why.CHANGED_AT_LOCK,
        "after the code was written",
    ),
    "an answer that was lost": (
        of(lines=(Said(T - HOUR, "unconfirmed"),)),
        scene(),
        Why.NOT_CERTAIN,
        "Nobody knows",
    ),
    "a blocked keypad": (
        match(),
        scene(lines=(Said(T - MINUTE, "locked_out"),)),
        Why.KEYPAD_BLOCKED,
        "blocked",
    ),
    "a weak battery": (match(), scene(battery=7), Why.BATTERY, "7 %"),
    "no lock": (match(), scene(has_lock=False), Why.NO_LOCK, "No lock"),
    "it opened": (
        of(lines=(WRITTEN, Said(T + MINUTE, "unlocked"))),
        scene(),
        Why.OPENED,
        "opened for this key Tue 7 Jul 2026 21:01",
    ),
    "nothing that is known": (
        match(),
        scene(),
        Why.SHOULD_HAVE_OPENED,
        "Written to the lock Mon 6 Jul 2026 21:00",
    ),
}


@pytest.mark.parametrize(("known", "there", "why", "says"), CASES.values(), ids=CASES)
def test_each_reason_is_the_headline_with_its_evidence(known, there, why, says):
    first = why_not([known], there).verdicts[0].findings[0]
    assert first.why is why
    assert says in first.sentence


def test_every_verdict_has_a_case_here():
    of_nobody = {Why.FOREIGN, Why.WRONG_LENGTH, Why.NEVER_EXISTED}
    assert {case[2] for case in CASES.values()} | of_nobody == set(Why)


def test_of_a_code_that_nobody_had_it_says_so_and_what_else_it_may_be():
    theirs = Stranger("12", T - DAY, None, "door code", "••16")
    found = why_not([], scene(digits=3, strangers=(theirs,), codes_since=T - 90 * DAY))
    assert [one.why for one in found.verdicts[0].findings] == [
        Why.FOREIGN,
        Why.WRONG_LENGTH,
        Why.NEVER_EXISTED,
    ]
    assert found.verdicts[0].match is None


def test_whoever_had_the_code_here_then_comes_before_who_had_it_once():
    before = match(key_id=9, spells=(Spell(T - 90 * DAY, T - 80 * DAY, "Rita"),), place=None)
    found = why_not([before, match()], scene())
    assert [verdict.match.key_id for verdict in found.verdicts] == [3, 9]


def test_what_the_lock_said_and_what_nobody_knows_stand_apart():
    heard = (Said(T - HOUR, "offline"), Said(T + MINUTE, "denied", hint="••16"))
    found = why_not([match()], scene(lines=heard))
    assert any("refused a code ending ••16" in sentence for sentence in found.heard)
    assert any("offline since" in sentence for sentence in found.heard)
    assert found.unknown == ()
    silent = why_not([match()], scene(log_since=T + DAY))
    assert len(silent.unknown) == 2


def could(moment=T, offset=None, **change):
    answer = answer_for(place(**change), moment=moment, clock_offset_s=offset, tz=TZ)
    return answer and answer.could


def test_a_code_on_a_lock_that_keeps_windows_opens_in_its_window_only():
    assert could() is Could.YES
    assert could(moment=T + DAY) is None
    assert could(moment=T - 2 * DAY) is None


def test_a_lock_without_windows_opens_as_long_as_the_code_is_there():
    assert could(moment=T + 2 * DAY, keeps_windows=False) is Could.YES
    gone = (WRITTEN, Said(T + DAY, "removed"))
    assert could(moment=T + 2 * DAY, keeps_windows=False, lines=gone) is None


def test_what_nobody_can_know_is_maybe():
    for lines in (
        (Said(T - HOUR, "unconfirmed"),),
        (Said(T - HOUR, "accepted"),),
        (WRITTEN, Said(T + HOUR, "repaired")),
        (WRITTEN, Said(T - HOUR, "unconfirmed")),
    ):
        assert could(lines=lines) is Could.MAYBE, lines


def test_a_revoked_code_that_was_not_removed_could_still_open_and_says_when_it_was_revoked():
    revoked = (FRAME._replace(revoked_at=T - HOUR),)
    failed = (WRITTEN, Said(T - HOUR, "remove_failed"))
    answer = answer_for(place(frames=revoked, lines=failed), moment=T, clock_offset_s=None, tz=TZ)
    assert answer.could is Could.YES
    assert "The key was revoked Tue 7 Jul 2026 20:00 by Rita." in answer.evidence


def test_a_place_that_was_proven_empty_or_a_lock_that_was_changed_holds_nothing():
    assert could(freed_at=(T - HOUR,)) is Could.NO
    assert could(lines=(WRITTEN, Said(T - HOUR, "paired"))) is Could.NO


def test_the_window_that_counts_is_the_one_that_was_written():
    earlier = FRAME._replace(ends_at=T - HOUR)
    later = FRAME._replace(since=T - MINUTE, ends_at=T + DAY)
    assert could(frames=(earlier, later)) is Could.NO
    again = (WRITTEN, Said(T - MINUTE, "written"))
    assert could(frames=(earlier, later), lines=again) is Could.YES


def test_a_clock_that_is_wrong_makes_the_edges_of_a_window_uncertain():
    soon = (FRAME._replace(starts_at=T - 10 * MINUTE),)
    assert could(frames=soon, offset=-58 * 60.0) is Could.MAYBE
    ended = (FRAME._replace(ends_at=T - 10 * MINUTE),)
    assert could(frames=ended, offset=0.0) is None


def test_who_could_comes_first_then_who_may_have_then_who_could_not():
    places = [
        place(assignment_id=1, lines=()),
        place(assignment_id=2, lines=(Said(T - HOUR, "accepted"),)),
        place(assignment_id=3),
        replace(place(assignment_id=4, lines=()), frames=(FRAME._replace(ends_at=T - HOUR),)),
    ]
    found = who_could_open(places, moment=T, clock_offset_s=None, tz=TZ)
    assert [(one.place.assignment_id, one.could) for one in found] == [
        (3, Could.YES),
        (2, Could.MAYBE),
        (1, Could.NO),
    ]


def test_a_clock_in_words():
    assert clock_words(-58 * 60) == "58 minutes slow"
    assert clock_words(61) == "1 minute fast"
