"""The rule over its whole domain: every combination of facts is decided, and what must never happen never does."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import product
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keys import wording
from keys.rules import (
    LOOK_AGAIN,
    ORDER,
    REACH_HOLDS,
    REFUSAL_HOLDS,
    SHUT,
    WHO_CLEARS,
    Action,
    CheckIn,
    Decision,
    Facts,
    Hold,
    OnLock,
    Permission,
    Phase,
    Reach,
    Refusal,
    Times,
    Waits,
    Who,
    decide,
    gates,
    gives_way,
    is_pending,
    next_look_at,
    phase_at,
    waits,
)

EVERYTHING = [
    Facts(*values)
    for values in product(
        Permission, CheckIn, (True, False), Phase, OnLock, Reach, Refusal, (True, False)
    )
]
FACTS = st.builds(
    Facts,
    st.sampled_from(Permission),
    st.sampled_from(CheckIn),
    st.booleans(),
    st.sampled_from(Phase),
    st.sampled_from(OnLock),
    st.sampled_from(Reach),
    st.sampled_from(Refusal),
    st.booleans(),
)
NOW = datetime(2026, 6, 12, 12, tzinfo=UTC)
MOMENTS = st.integers(-400, 400).map(lambda minutes: NOW + timedelta(minutes=minutes))
HELD = {Permission.HELD_BY_STAFF, Permission.HELD_BY_OUTAGE}
NO_CHECK_IN = {CheckIn.WAITING, CheckIn.NOT_KNOWN}
OFFLINE = {Reach.LOCK_OFFLINE, Reach.GATEWAY_OFFLINE}
EASY = Facts(
    Permission.AUTOMATIC,
    CheckIn.DONE,
    True,
    Phase.DUE,
    OnLock.ABSENT,
    Reach.READY,
    Refusal.NONE,
    True,
)


def gate_is_shut(facts: Facts) -> bool:
    """The two gates, said again in other words than the rule's."""
    waits_for_guest = facts.check_in in NO_CHECK_IN
    return facts.permission in HELD or (
        waits_for_guest and facts.permission is not Permission.ALLOWED_BEFORE_CHECK_IN
    )


def each(keep) -> list[Facts]:
    """The part of the domain for which ``keep`` is true; an empty part would prove nothing."""
    found = [facts for facts in EVERYTHING if keep(facts)]
    assert found
    return found


# The table ------------------------------------------------------------------------------------------

TABLE = [
    # permission, check-in, phase, on the lock -> action, reasons
    ("automatic", "done", "due", "absent", "write", ()),
    ("automatic", "not_required", "due", "absent", "write", ()),
    ("automatic", "done", "due", "stale", "write", ()),
    ("automatic", "done", "due", "current", "done", ()),
    ("automatic", "done", "early", "absent", "wait", ("not_due_yet",)),
    ("automatic", "done", "early", "current", "remove", ("still_on_lock", "not_due_yet")),
    ("automatic", "waiting", "due", "absent", "wait", ("not_checked_in",)),
    ("automatic", "not_known", "due", "absent", "wait", ("check_in_unknown",)),
    ("automatic", "waiting", "early", "absent", "wait", ("not_checked_in", "not_due_yet")),
    ("automatic", "waiting", "due", "current", "remove", ("still_on_lock", "not_checked_in")),
    ("allowed_before_check_in", "waiting", "due", "absent", "write", ()),
    ("allowed_before_check_in", "not_known", "due", "absent", "write", ()),
    ("allowed_before_check_in", "waiting", "due", "current", "done", ()),
    ("held_by_staff", "done", "due", "absent", "wait", ("disabled_by_staff",)),
    ("held_by_staff", "waiting", "due", "absent", "wait", ("disabled_by_staff", "not_checked_in")),
    ("held_by_staff", "done", "due", "current", "remove", ("still_on_lock", "disabled_by_staff")),
    ("held_by_staff", "done", "due", "stale", "remove", ("still_on_lock", "disabled_by_staff")),
    ("held_by_staff", "done", "due", "unknown", "remove", ("still_on_lock", "disabled_by_staff")),
    ("held_by_outage", "done", "due", "absent", "wait", ("came_in_during_outage",)),
    (
        "held_by_outage",
        "not_known",
        "early",
        "absent",
        "wait",
        ("came_in_during_outage", "check_in_unknown", "not_due_yet"),
    ),
    ("automatic", "done", "over", "absent", "done", ()),
    ("held_by_staff", "waiting", "over", "absent", "done", ()),
    ("automatic", "done", "over", "current", "remove", ("removal_pending",)),
    ("held_by_staff", "done", "over", "stale", "remove", ("removal_pending",)),
    ("automatic", "waiting", "over", "unknown", "remove", ("removal_pending",)),
]


@pytest.mark.parametrize(("permission", "check_in", "phase", "on_lock", "action", "holds"), TABLE)
def test_what_is_done_at_a_lock_that_can_be_reached(
    permission, check_in, phase, on_lock, action, holds
):
    facts = EASY._replace(
        permission=Permission(permission),
        check_in=CheckIn(check_in),
        phase=Phase(phase),
        on_lock=OnLock(on_lock),
    )
    assert decide(facts) == Decision(Action(action), tuple(Hold(hold) for hold in holds))


@pytest.mark.parametrize(
    ("reach", "due", "action", "holds"),
    [
        (Reach.LOCK_OFFLINE, True, Action.WRITE, (Hold.LOCK_OFFLINE,)),
        (Reach.LOCK_OFFLINE, False, Action.WAIT, (Hold.LOCK_OFFLINE,)),
        (Reach.GATEWAY_OFFLINE, True, Action.WRITE, (Hold.GATEWAY_OFFLINE,)),
        (Reach.GATEWAY_OFFLINE, False, Action.WAIT, (Hold.GATEWAY_OFFLINE,)),
        (Reach.ACCOUNT_BROKEN, True, Action.WAIT, (Hold.ACCOUNT_BROKEN,)),
        (Reach.NO_LOCK, True, Action.WAIT, (Hold.NO_LOCK,)),
        (Reach.READY, False, Action.WAIT, (Hold.RETRYING,)),
    ],
)
def test_what_reach_changes_for_a_write(reach, due, action, holds):
    assert decide(EASY._replace(reach=reach, try_due=due)) == Decision(action, holds)


def test_an_unknown_outcome_waits_as_not_confirmed_until_it_is_read():
    facts = EASY._replace(on_lock=OnLock.UNKNOWN, try_due=False)
    assert decide(facts) == Decision(Action.WAIT, (Hold.NOT_CONFIRMED,))


def test_what_the_lock_system_has_in_hand_is_told_beside_what_stands_in_its_way():
    facts = EASY._replace(on_lock=OnLock.ACCEPTED, try_due=False)
    assert decide(facts) == Decision(Action.WAIT, (Hold.AT_WORK,))
    facts = facts._replace(reach=Reach.LOCK_OFFLINE)
    assert decide(facts) == Decision(Action.WAIT, (Hold.LOCK_OFFLINE, Hold.AT_WORK))
    over = facts._replace(phase=Phase.OVER, reach=Reach.READY)
    assert decide(over) == Decision(Action.WAIT, (Hold.REMOVAL_PENDING, Hold.AT_WORK))


def test_a_held_key_at_an_offline_lock_is_told_both_in_the_order_of_clearing():
    facts = EASY._replace(permission=Permission.HELD_BY_STAFF, reach=Reach.LOCK_OFFLINE)
    assert decide(facts).holds == (Hold.DISABLED_BY_STAFF, Hold.LOCK_OFFLINE)


def test_still_on_the_lock_comes_before_lock_offline():
    facts = EASY._replace(
        permission=Permission.HELD_BY_STAFF,
        on_lock=OnLock.CURRENT,
        reach=Reach.LOCK_OFFLINE,
        try_due=False,
    )
    assert decide(facts) == Decision(
        Action.WAIT, (Hold.STILL_ON_LOCK, Hold.DISABLED_BY_STAFF, Hold.LOCK_OFFLINE)
    )


# The whole domain -----------------------------------------------------------------------------------


def test_every_combination_of_facts_is_decided():
    assert len(EVERYTHING) == 4 * 4 * 2 * 3 * 5 * 5 * 4 * 2
    assert all(isinstance(decide(facts), Decision) for facts in EVERYTHING)


def test_nothing_held_is_ever_written():
    for facts in each(lambda f: f.permission in HELD):
        assert decide(facts).action is not Action.WRITE, facts


def test_nothing_is_written_before_a_required_check_in():
    for facts in each(lambda f: f.check_in in NO_CHECK_IN and f.permission is Permission.AUTOMATIC):
        assert decide(facts).action is not Action.WRITE, facts


def test_nothing_is_written_outside_its_time_or_in_setup_mode_or_after_a_final_no():
    for facts in each(
        lambda f: (
            f.phase is not Phase.DUE
            or not f.property_is_live
            or f.refusal is not Refusal.NONE
            or f.reach in {Reach.NO_LOCK, Reach.ACCOUNT_BROKEN}
        )
    ):
        assert decide(facts).action is not Action.WRITE, facts


def test_all_that_may_be_written_is_written():
    for facts in each(
        lambda f: (
            not gate_is_shut(f)
            and f.phase is Phase.DUE
            and f.property_is_live
            and f.refusal is Refusal.NONE
            and f.reach in {Reach.READY, *OFFLINE}
            and f.try_due
            and f.on_lock is not OnLock.CURRENT
        )
    ):
        assert decide(facts).action is Action.WRITE, facts


def test_what_must_go_is_removed_whatever_else_holds():
    for facts in each(
        lambda f: (
            (f.phase is not Phase.DUE or gate_is_shut(f))
            and f.on_lock is not OnLock.ABSENT
            and f.try_due
            and f.reach in {Reach.READY, *OFFLINE}
        )
    ):
        assert decide(facts).action is Action.REMOVE, facts


def test_what_may_be_there_is_never_removed_while_it_is_wanted():
    for facts in each(lambda f: f.phase is Phase.DUE and not gate_is_shut(f)):
        if not gives_way(facts):
            assert decide(facts).action is not Action.REMOVE, facts


def test_what_lies_on_a_full_lock_and_was_refused_its_space_gives_way_and_says_why():
    for facts in each(lambda f: f.phase is Phase.DUE and not gate_is_shut(f) and gives_way(f)):
        decision = decide(facts)
        assert decision.action in {Action.REMOVE, Action.WAIT}, facts
        assert Hold.LOCK_FULL in decision.holds


def test_waiting_always_has_a_reason_and_being_done_never_has_one():
    for facts in EVERYTHING:
        decision = decide(facts)
        if decision.action is Action.WAIT:
            assert decision.holds, facts
        if decision.action is Action.DONE:
            assert not decision.holds, facts
    with pytest.raises(ValueError, match="reason"):
        Decision(Action.WAIT)
    with pytest.raises(ValueError, match="reason"):
        Decision(Action.DONE, (Hold.RETRYING,))


def test_a_decision_to_wait_means_that_something_holds_it():
    for facts in each(lambda f: decide(f).action is Action.WAIT):
        something = (
            gate_is_shut(facts)
            or facts.phase is Phase.EARLY
            or not facts.property_is_live
            or facts.reach is not Reach.READY
            or facts.refusal is not Refusal.NONE
            or not facts.try_due
        )
        assert something, facts


def test_done_only_in_step():
    for facts in each(lambda f: decide(f).action is Action.DONE):
        wanted = facts.phase is Phase.DUE and not gate_is_shut(facts)
        assert facts.on_lock is (OnLock.CURRENT if wanted else OnLock.ABSENT), facts


def test_in_step_nothing_is_sent():
    for facts in EVERYTHING:
        wanted = facts.phase is Phase.DUE and not gate_is_shut(facts)
        way = wanted and gives_way(facts)
        if facts.on_lock is (OnLock.CURRENT if wanted else OnLock.ABSENT) and not way:
            assert decide(facts).action in {Action.DONE, Action.WAIT}, facts


def test_offline_and_not_due_waits_and_offline_and_due_is_tried():
    out_of_step = each(
        lambda f: (
            f.reach in OFFLINE
            and f.property_is_live
            and f.refusal is Refusal.NONE
            and decide(f._replace(reach=Reach.READY, try_due=True)).action
            in {Action.WRITE, Action.REMOVE}
        )
    )
    for facts in out_of_step:
        tried = decide(facts).action in {Action.WRITE, Action.REMOVE}
        assert tried is facts.try_due, facts
        assert REACH_HOLDS[facts.reach] in decide(facts).holds, facts


def test_pending_is_not_over_and_a_gate_shut_or_not_confirmed_on_the_lock():
    for facts in EVERYTHING:
        expected = facts.phase is not Phase.OVER and (
            gate_is_shut(facts) or facts.on_lock is not OnLock.CURRENT
        )
        assert is_pending(facts) is expected, facts


def test_on_the_lock_is_said_only_when_the_lock_confirmed_it():
    for facts in each(lambda f: f.phase is Phase.DUE and not is_pending(f)):
        assert facts.on_lock is OnLock.CURRENT
        assert decide(facts).action is Action.DONE or gives_way(facts)


def test_every_reason_is_reachable_and_none_is_listed_twice():
    seen = set()
    for facts in EVERYTHING:
        holds = decide(facts).holds
        assert len(set(holds)) == len(holds), facts
        seen |= set(holds)
    assert seen == set(Hold)


def test_reasons_stand_in_the_order_in_which_someone_would_clear_them():
    for facts in EVERYTHING:
        places = [ORDER[hold] for hold in decide(facts).holds]
        assert places == sorted(places), facts
        assert decide(facts).headline == (decide(facts).holds[0] if places else None)


def test_all_gates_that_are_shut_are_listed_while_the_key_is_not_over():
    for facts in each(lambda f: f.phase is not Phase.OVER and gate_is_shut(f)):
        assert set(gates(facts)) <= set(decide(facts).holds), facts


def test_the_switch_shows_on_for_two_permissions_and_off_for_both_holds():
    assert {permission for permission in Permission if permission.is_on} == set(Permission) - HELD


def test_list_entries_keep_the_time_apart_from_people_and_locks():
    for facts in EVERYTHING:
        decision = decide(facts)
        entry = waits(facts, decision)
        people = [h for h in decision.holds if WHO_CLEARS[h] is not Who.NOBODY]
        match entry:
            case Waits.NOTHING:
                assert decision.action is Action.DONE
            case Waits.TIME:
                assert decision.holds == (Hold.NOT_DUE_YET,)
            case Waits.SOMEONE:
                assert people
            case Waits.LOCK:
                assert not people
                assert decision.action is not Action.DONE


@given(FACTS)
def test_answers_are_the_same_each_time(facts):
    assert decide(facts) == decide.__wrapped__(facts)


@given(FACTS, st.sampled_from(sorted(HELD)))
def test_holding_never_makes_more_be_on_a_lock(facts, hold):
    held = decide(facts._replace(permission=hold))
    assert held.action is not Action.WRITE
    if decide(facts).action is Action.REMOVE:
        assert held.action is Action.REMOVE


# Time -----------------------------------------------------------------------------------------------

TIMES = st.builds(
    Times,
    MOMENTS,
    MOMENTS,
    st.one_of(st.none(), MOMENTS),
    st.one_of(st.none(), MOMENTS),
    st.one_of(st.none(), MOMENTS),
).filter(lambda t: t.starts_at < t.ends_at and (t.opens_at is None or t.opens_at <= t.starts_at))


def facts_at(facts: Facts, times: Times, *, over: bool) -> Facts:
    """These facts with the time digested as it is for a row."""
    return facts._replace(
        phase=phase_at(now=NOW, times=times, over=over),
        try_due=times.retry_at is None or times.retry_at <= NOW,
    )


@given(FACTS, TIMES, st.booleans())
def test_the_next_look_is_never_in_the_past(facts, times, over):
    decision = decide(facts_at(facts, times, over=over))
    moment = next_look_at(now=NOW, decision=decision, times=times)
    assert moment is None or moment >= NOW


@given(FACTS, TIMES, st.booleans())
def test_the_next_look_is_never_none_while_something_will_happen_by_time(facts, times, over):
    told = facts_at(facts, times, over=over)
    decision = decide(told)
    moment = next_look_at(now=NOW, decision=decision, times=times)
    if decision.action in {Action.WRITE, Action.REMOVE}:
        assert moment == NOW
        return
    coming = [times.ends_at]
    if times.lead_at is not None and times.starts_at > NOW:
        coming.append(max(times.lead_at, NOW + LOOK_AGAIN))
    if decision.action is Action.WAIT:
        coming += [times.starts_at, times.opens_at or times.starts_at]
        if SHUT.isdisjoint(decision.holds):
            coming.append(times.retry_at or times.starts_at)
    future = [at for at in coming if at > NOW]
    assert moment == (min(future) if future else None)


@given(FACTS, TIMES, st.booleans())
def test_nothing_changes_by_time_before_the_next_look(facts, times, over):
    told = facts_at(facts, times, over=over)
    decision = decide(told)
    if decision.action in {Action.WRITE, Action.REMOVE}:
        return
    moment = next_look_at(now=NOW, decision=decision, times=times)
    just_before = (moment or NOW + timedelta(days=400)) - timedelta(microseconds=1)
    later = told._replace(
        phase=phase_at(now=just_before, times=times, over=over),
        try_due=times.retry_at is None or times.retry_at <= just_before,
    )
    assert decide(later).action is decision.action


def test_during_a_lead_the_guest_before_is_looked_at_every_minute():
    """Nobody tells a key that the one before it in the room is longer now, or over sooner."""
    start, lead = NOW + timedelta(hours=1), NOW + timedelta(minutes=30)
    times = Times(start, NOW + timedelta(days=1), start, None, lead)
    waits = Decision(Action.WAIT, (Hold.NOT_DUE_YET,))
    assert next_look_at(now=NOW, decision=waits, times=times) == lead
    assert next_look_at(now=lead, decision=waits, times=times) == lead + LOOK_AGAIN
    done = Decision(Action.DONE)
    assert next_look_at(now=lead, decision=done, times=times) == lead + LOOK_AGAIN
    assert next_look_at(now=start, decision=done, times=times) == times.ends_at


def test_windows_exclude_their_end():
    times = Times(NOW - timedelta(hours=1), NOW, None, None)
    assert phase_at(now=NOW, times=times, over=False) is Phase.OVER
    assert phase_at(now=NOW - timedelta(microseconds=1), times=times, over=False) is Phase.DUE


def test_a_lock_with_its_own_windows_is_written_at_once_and_one_without_at_the_start():
    times = Times(NOW + timedelta(hours=1), NOW + timedelta(days=1), None, None)
    assert phase_at(now=NOW, times=times, over=False) is Phase.DUE
    without = times._replace(opens_at=times.starts_at)
    assert phase_at(now=NOW, times=without, over=False) is Phase.EARLY
    assert phase_at(now=times.starts_at, times=without, over=False) is Phase.DUE


# The words ------------------------------------------------------------------------------------------

SCENE = wording.Scene(
    now=NOW,
    zone=ZoneInfo("Europe/Lisbon"),
    door="204",
    pms="Cloudbeds",
    opens_at=NOW + timedelta(hours=2),
    ends_at=NOW + timedelta(days=2),
    retry_at=NOW + timedelta(minutes=5),
    offline_since=NOW - timedelta(hours=1),
    last_word_at=NOW - timedelta(hours=3),
    held_by="Ada",
    problem="busy",
)


@pytest.mark.parametrize("hold", Hold)
def test_every_reason_has_a_sentence_its_remedy_and_someone_who_clears_it(hold):
    told = wording.words(hold, SCENE)
    assert hold in WHO_CLEARS
    assert told.who == wording.WHO[WHO_CLEARS[hold]]
    assert len(told.sentence.split()) >= 3
    assert len(told.next.split()) >= 3
    assert hold.value not in told.sentence
    bare = wording.words(hold, wording.Scene(now=NOW, zone=SCENE.zone))
    assert "None" not in bare.sentence + bare.next


def test_every_reason_has_words_of_its_own():
    assert len({wording.words(hold, SCENE).sentence for hold in Hold}) == len(Hold)


def test_what_waits_for_its_time_says_when_it_will_be_written():
    assert wording.words(Hold.NOT_DUE_YET, SCENE).sentence == "will be written at 15:00"


def test_no_word_from_the_pms_says_since_when():
    told = wording.words(Hold.CHECK_IN_UNKNOWN, SCENE).sentence
    assert told == "No word from Cloudbeds since 10:00, its check-in is unknown."


def test_each_reach_and_refusal_has_its_reason():
    assert set(REACH_HOLDS) == set(Reach) - {Reach.READY}
    assert set(REFUSAL_HOLDS) == set(Refusal) - {Refusal.NONE}


def test_the_tag_and_both_tooltips_are_the_articles_word_for_word():
    assert wording.PENDING_TAG == "Pending Provisioning"
    assert wording.PENDING_TOOLTIP == (
        "The credentials haven’t been assigned to the door yet. This can occur if provisioning was manually disabled "
        "or if, based on your configuration settings, the linked PMS reservation hasn’t been checked in (either at "
        "the front desk or online)."
    )
    assert wording.ALLOW_TOOLTIP == (
        "Once provisioning is allowed, the credentials will be written to the door and will become valid for the "
        "selected time period. If provisioning is disabled, the system will not write the credentials yet, and they "
        "will need to be enabled manually later."
    )


def test_4117_shows_the_articles_two_sentences():
    assert wording.ERROR_4117 == (
        "The code was not successfully written to the lock. Check that Allow Provisioning is enabled on that "
        "reservation and that the lock is online"
    )
