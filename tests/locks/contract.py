"""What every lock driver must keep, whoever the vendor is: subclass DriverContract and give it a stand.

A stand is a real peer, a simulator or a vendor's own fake, with one fresh and empty lock and the means to make
trouble. Trouble that no peer of that vendor can make, because the vendor's locks know no such thing, is named in
``cannot`` of the subclass: its tests are not collected, which is no skip.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, ClassVar, Protocol, TypeVar

import pytest

from locks.drivers import (
    Capabilities,
    Cause,
    EventType,
    Grant,
    Kind,
    LockError,
    LockEvent,
    Observation,
    Outcome,
    Place,
    Proof,
    Result,
    Retry,
    Scope,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from locks.drivers import Driver

T = TypeVar("T")
Item = TypeVar("Item", Grant, Place)
CODE, OTHER_CODE, THIRD_CODE = "482913", "730528", "915047"
LATER_S = 8.0
"""How long a vendor that answers later may take before a test gives it up."""


class Stand(Protocol):
    """A peer to test a driver against. ``lock`` is fresh and empty for every test.

    ``no_lock`` could be one's name and is none's. ``slots`` are the numbers of the places for our handles c1, c2 and c3, where a lock has places and no names.
    """

    lock: str
    no_lock: str
    slots: dict[str, str]

    def can(self, trouble: str) -> bool:
        """Whether the peer can make this trouble; the names are those of the methods below."""

    def tells(self, kind: EventType) -> bool:
        """Whether events of this type are to be had from the vendor by asking, at once."""

    def heard(self) -> list[LockEvent]:
        """What a driver without backfill heard of the lock since the stand was made, once nothing more comes."""

    def open(self) -> Driver:
        """A new driver on the account; called inside the event loop. Its time-out should be about a second."""

    def open_with_wrong_token(self) -> Driver:
        """A driver whose secret the vendor does not accept."""

    def open_without_vendor(self) -> Driver:
        """A driver on an address where nobody listens."""

    def held(self, lock: str) -> dict[str, str]:
        """Secrets that the lock really holds, by our handle, read past the vendor's API. Foreign ones go by address."""

    def offline(self, lock: str) -> None:
        """The lock cannot be reached, and says so if the vendor does."""

    def online(self, lock: str) -> None:
        """It can be reached again."""

    def lose_answer(self, lock: str) -> None:
        """The next write is done and not answered."""

    def lose_request(self, lock: str) -> None:
        """The next write is neither done nor answered."""

    def land_late(self, lock: str, *, after_s: float) -> None:
        """The next write is not answered and done after some seconds."""

    def busy(self, lock: str) -> None:
        """The next command is answered with busy."""

    def refuse(self, lock: str) -> None:
        """The next write is refused without a reason."""

    def refuse_silently(self) -> None:
        """A stand has this if its locks say nothing when they refuse: then nobody can tell it from a loss."""

    def fill(self, lock: str) -> None:
        """The lock has no room for another credential."""

    def garbage(self, lock: str) -> None:
        """The next command is answered with a 200 that is not the vendor's."""

    def server_error(self, lock: str) -> None:
        """The next command is answered with a 500."""

    def type_code(self, lock: str, code: str) -> None:
        """Someone types a code at the door."""

    def change_at_lock(self, lock: str, handle: str, code: str) -> None:
        """Someone changes our code at the keypad."""

    def add_at_lock(self, lock: str, code: str) -> None:
        """Someone stores a code of their own at the keypad."""

    def wrong_clock(self, lock: str, offset_s: float) -> None:
        """The lock's clock is wrong."""


def grant(
    handle: str = "c1", secret: str = CODE, *, kind: Kind = Kind.DOOR_CODE, hours: int = 24
) -> Grant:
    """A grant that began an hour ago."""
    start = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=1)
    return Grant(
        handle=handle,
        kind=kind,
        secret=secret,
        starts_at=start,
        ends_at=start + timedelta(hours=hours),
    )


def place(handle: str = "c1", *, kind: Kind = Kind.DOOR_CODE) -> Place:
    """Where such a grant lies."""
    return Place(handle=handle, kind=kind)


def drive(opener: Callable[[], Driver], work: Callable[[Driver], Awaitable[T]]) -> T:
    """Open a driver in a loop of its own, let it work, close it."""

    async def session() -> T:
        driver = opener()
        try:
            return await work(driver)
        finally:
            await driver.close()

    return asyncio.run(session())


def at(stand: Stand, what: Item) -> Item:
    """The same, with its place on a lock that has places and no names."""
    return replace(what, address=what.address or stand.slots.get(what.handle, ""))


def put(stand: Stand, *grants: Grant) -> list[Outcome]:
    """Put grants on the stand's lock. What is accepted is read back until it is there, or has a problem."""
    placed = [at(stand, each) for each in grants]

    async def work(driver: Driver) -> list[Outcome]:
        outcomes = await driver.put(stand.lock, placed)
        pairs = zip(placed, outcomes, strict=True)
        return [await settled(driver, stand.lock, each, outcome) for each, outcome in pairs]

    return drive(stand.open, work)


def remove(stand: Stand, *places: Place) -> list[Outcome]:
    """Remove them. What is accepted is read back until it is gone, or has a problem."""
    placed = [at(stand, each) for each in places]

    async def work(driver: Driver) -> list[Outcome]:
        outcomes = await driver.remove(stand.lock, placed)
        pairs = zip(placed, outcomes, strict=True)
        return [await settled(driver, stand.lock, each, outcome) for each, outcome in pairs]

    return drive(stand.open, work)


async def settled(driver: Driver, lock: str, asked: Item, outcome: Outcome) -> Outcome:
    """What an accepted write came to, as an outcome that the vendor could not yet give; any other is as it is."""
    if outcome.result is not Result.ACCEPTED:
        return outcome
    there = Place(handle=asked.handle, kind=asked.kind, address=outcome.address or asked.address)
    wanted = {asked.secret, None} if isinstance(asked, Grant) else None
    deadline = time.monotonic() + LATER_S
    while time.monotonic() < deadline:
        seen = await driver.observe(lock, [there])
        for problem in seen.problems:
            return Outcome(result=Result.FAILED, address=there.address, error=problem.error)
        if seen.held is not None and not seen.unsure:
            done = not seen.held if wanted is None else [e.secret in wanted for e in seen.held]
            if done in (True, [True]):
                proof = Proof.READ_BACK
                return Outcome(result=Result.CONFIRMED, address=there.address, proof=proof)
        await asyncio.sleep(0.02)
    return Outcome(result=Result.UNKNOWN, address=there.address)


def observe(stand: Stand) -> Observation:
    """Read the stand's lock once its vendor is done; what lies in a place of ours has our handle again."""

    async def work(driver: Driver) -> Observation:
        deadline = time.monotonic() + LATER_S
        seen = await driver.observe(stand.lock)
        while len(seen.unsure) > len(seen.problems) and time.monotonic() < deadline:
            await asyncio.sleep(0.02)
            seen = await driver.observe(stand.lock)
        return seen

    seen = drive(stand.open, work)
    if seen.held is None or not stand.slots:
        return seen
    ours = {slot: handle for handle, slot in stand.slots.items()}
    held = tuple(replace(each, handle=ours.get(each.address, "")) for each in seen.held)
    return replace(seen, held=held)


def error_of(outcome: Outcome) -> LockError:
    """The error of a failed outcome."""
    assert outcome.result is Result.FAILED
    assert outcome.error is not None
    return outcome.error


def assert_refused(stand: Stand, outcome: Outcome, cause: Cause, retry: Retry) -> None:
    """The lock said no, and why, if its like ever does."""
    if stand.can("refuse_silently"):
        assert outcome.result is Result.UNKNOWN
        return
    error = error_of(outcome)
    assert (error.cause, error.retry) == (cause, retry)


def capabilities(stand: Stand) -> Capabilities:
    """What the stand's driver says that it can do."""

    async def ask(driver: Driver) -> Capabilities:
        return driver.capabilities

    return drive(stand.open, ask)


def all_events(stand: Stand) -> list[LockEvent]:
    """Every event of the stand's lock from the beginning, read page by page, or heard where nothing is told later."""
    if not capabilities(stand).backfill:
        return stand.heard()

    async def read(driver: Driver) -> list[LockEvent]:
        events, cursor, more = [], "", True
        while more:
            page = await driver.events(cursor)
            events += page.events
            cursor, more = page.cursor, page.more
        return events

    return [each for each in drive(stand.open, read) if each.lock_ref == stand.lock]


class DriverContract:
    """The tests. A subclass has a fixture ``stand``."""

    cannot: ClassVar[frozenset[str]] = frozenset()

    @pytest.fixture(autouse=True)
    def _leave_out_what_the_peer_cannot(self, request: pytest.FixtureRequest) -> None:
        """A test marked ``needs("x")`` runs only against a peer that can make the trouble x."""
        marker = request.node.get_closest_marker("needs")
        if marker and not request.getfixturevalue("stand").can(marker.args[0]):
            pytest.skip(f"This peer cannot make this trouble: {marker.args[0]}.")

    # Writing and removing.

    def test_a_put_makes_the_lock_hold_exactly_this(self, stand: Stand) -> None:
        [outcome] = put(stand, grant())
        assert outcome.result is Result.CONFIRMED
        assert outcome.error is None
        assert outcome.proof in {Proof.ACKNOWLEDGED, Proof.READ_BACK}
        assert stand.held(stand.lock) == {"c1": CODE}

    def test_a_put_under_the_same_handle_replaces(self, stand: Stand) -> None:
        put(stand, grant())
        [outcome] = put(stand, grant(secret=OTHER_CODE))
        assert outcome.result is Result.CONFIRMED
        assert stand.held(stand.lock) == {"c1": OTHER_CODE}

    def test_repeating_a_put_is_harmless(self, stand: Stand) -> None:
        outcomes = [put(stand, grant())[0] for _ in range(3)]
        assert {outcome.result for outcome in outcomes} == {Result.CONFIRMED}
        assert stand.held(stand.lock) == {"c1": CODE}

    def test_several_grants_are_answered_in_order(self, stand: Stand) -> None:
        outcomes = put(stand, grant("c1", CODE), grant("c2", CODE), grant("c3", THIRD_CODE))
        assert len(outcomes) == 3
        assert outcomes[0].result is Result.CONFIRMED
        assert_refused(stand, outcomes[1], Cause.DUPLICATE_CODE, Retry.AFTER_CHANGE)
        # After an unknown outcome the rest is not sent.
        is_known = outcomes[1].result is Result.FAILED
        assert outcomes[2].result is (Result.CONFIRMED if is_known else Result.FAILED)
        rest = {"c3": THIRD_CODE} if is_known else {}
        assert stand.held(stand.lock) == {"c1": CODE} | rest

    def test_a_remove_makes_it_absent_and_may_be_repeated(self, stand: Stand) -> None:
        put(stand, grant("c1", CODE), grant("c2", OTHER_CODE))
        for _ in range(2):
            [outcome] = remove(stand, place("c1"))
            assert outcome.result is Result.CONFIRMED
        assert stand.held(stand.lock) == {"c2": OTHER_CODE}

    def test_removing_what_was_never_there_is_confirmed(self, stand: Stand) -> None:
        assert remove(stand, place("never"))[0].result is Result.CONFIRMED

    # Reading back.

    def test_observe_shows_what_is_there(self, stand: Stand) -> None:
        written = grant()
        put(stand, written)
        observation = observe(stand)
        assert observation.error is None
        assert observation.held is not None
        [held] = observation.held
        assert (held.handle, held.kind) == ("c1", Kind.DOOR_CODE)
        assert held.secret in {CODE, None}
        assert held.starts_at in {written.starts_at, None}
        assert held.ends_at in {written.ends_at, None}

    def test_an_empty_lock_is_empty_and_not_unknown(self, stand: Stand) -> None:
        observation = observe(stand)
        assert (observation.held, observation.error) == ((), None)

    @pytest.mark.needs("change_at_lock")
    def test_observe_shows_a_code_that_was_changed_at_the_keypad(self, stand: Stand) -> None:
        put(stand, grant())
        stand.change_at_lock(stand.lock, "c1", OTHER_CODE)
        observation = observe(stand)
        assert [(each.handle, each.secret) for each in observation.held or ()] == [
            ("c1", OTHER_CODE)
        ]
        assert EventType.CHANGED_AT_LOCK in {event.type for event in all_events(stand)}

    @pytest.mark.needs("add_at_lock")
    def test_a_foreign_code_is_seen_as_foreign_and_can_be_removed(self, stand: Stand) -> None:
        put(stand, grant())
        stand.add_at_lock(stand.lock, OTHER_CODE)
        observation = observe(stand)
        [foreign] = [each for each in observation.held or () if not each.handle]
        assert foreign.address
        there = Place(handle="", kind=foreign.kind, address=foreign.address)
        assert remove(stand, there)[0].result is Result.CONFIRMED
        assert stand.held(stand.lock) == {"c1": CODE}

    # Refusals: certainly nothing changed.

    @pytest.mark.needs("offline")
    def test_an_offline_lock_fails_at_once_and_gets_it_when_it_is_back(self, stand: Stand) -> None:
        stand.offline(stand.lock)
        error = error_of(put(stand, grant())[0])
        assert (error.cause, error.retry) == (Cause.LOCK_UNREACHABLE, Retry.WHEN_ONLINE)
        assert stand.held(stand.lock) == {}
        stand.online(stand.lock)
        assert put(stand, grant())[0].result is Result.CONFIRMED

    @pytest.mark.needs("offline")
    def test_an_offline_lock_is_unknown_and_not_empty(self, stand: Stand) -> None:
        put(stand, grant())
        stand.offline(stand.lock)
        observation = observe(stand)
        if not capabilities(stand).read_back:
            assert [each.handle for each in observation.held or ()] == ["c1"]
            return
        assert observation.held is None
        assert observation.error is not None
        assert observation.error.cause is Cause.LOCK_UNREACHABLE

    @pytest.mark.needs("offline")
    def test_a_removal_on_an_offline_lock_fails_and_the_code_stays(self, stand: Stand) -> None:
        put(stand, grant())
        stand.offline(stand.lock)
        assert error_of(remove(stand, place())[0]).retry is Retry.WHEN_ONLINE
        assert stand.held(stand.lock) == {"c1": CODE}

    def test_a_code_that_another_credential_has_is_a_duplicate(self, stand: Stand) -> None:
        put(stand, grant("c1"))
        [outcome] = put(stand, grant("c2"))
        assert_refused(stand, outcome, Cause.DUPLICATE_CODE, Retry.AFTER_CHANGE)
        assert stand.held(stand.lock) == {"c1": CODE}

    @pytest.mark.needs("fill")
    def test_a_full_lock_says_so_and_still_changes_what_it_holds(self, stand: Stand) -> None:
        put(stand, grant("c1"))
        stand.fill(stand.lock)
        [outcome] = put(stand, grant("c2", OTHER_CODE))
        assert_refused(stand, outcome, Cause.NO_SPACE, Retry.AFTER_CHANGE)
        assert put(stand, grant("c1", THIRD_CODE))[0].result is Result.CONFIRMED

    def test_a_code_of_a_wrong_length_is_invalid(self, stand: Stand) -> None:
        error = error_of(put(stand, grant(secret="7"))[0])
        assert (error.cause, error.retry) == (Cause.INVALID_CODE, Retry.AFTER_CHANGE)

    def test_a_window_that_ends_before_it_starts_is_invalid(self, stand: Stand) -> None:
        error = error_of(put(stand, grant(hours=-1))[0])
        assert (error.cause, error.retry) == (Cause.INVALID_WINDOW, Retry.AFTER_CHANGE)

    @pytest.mark.needs("refuse")
    def test_a_refusal_without_a_reason_is_rejected_and_worth_a_try(self, stand: Stand) -> None:
        stand.refuse(stand.lock)
        assert_refused(stand, put(stand, grant())[0], Cause.REJECTED, Retry.SOON)
        assert put(stand, grant())[0].result is Result.CONFIRMED

    @pytest.mark.needs("busy")
    def test_a_busy_lock_is_worth_a_try_soon(self, stand: Stand) -> None:
        stand.busy(stand.lock)
        error = error_of(put(stand, grant())[0])
        assert (error.cause, error.retry) == (Cause.BUSY, Retry.SOON)

    def test_a_wrong_token_stops_the_whole_account(self, stand: Stand) -> None:
        [outcome] = drive(
            stand.open_with_wrong_token, lambda d: d.put(stand.lock, [at(stand, grant())])
        )
        error = error_of(outcome)
        assert (error.cause, error.retry, error.scope) == (Cause.AUTH, Retry.NEVER, Scope.ACCOUNT)

    def test_an_account_says_what_keeps_it_from_working(self, stand: Stand) -> None:
        assert drive(stand.open, lambda driver: driver.why_not()) is None
        refused = drive(stand.open_with_wrong_token, lambda driver: driver.why_not())
        assert (refused.cause, refused.scope) == (Cause.AUTH, Scope.ACCOUNT)
        assert refused.retry is Retry.NEVER
        away = drive(stand.open_without_vendor, lambda driver: driver.why_not())
        assert (away.cause, away.retry) == (Cause.VENDOR_UNREACHABLE, Retry.SOON)

    def test_where_nobody_listens_nothing_was_sent(self, stand: Stand) -> None:
        [outcome] = drive(
            stand.open_without_vendor, lambda d: d.put(stand.lock, [at(stand, grant())])
        )
        error = error_of(outcome)
        assert (error.cause, error.retry) == (Cause.VENDOR_UNREACHABLE, Retry.SOON)

    def test_a_lock_that_is_not_in_the_account_is_removed_for_good(self, stand: Stand) -> None:
        [outcome] = drive(
            stand.open, lambda driver: driver.put(stand.no_lock, [at(stand, grant())])
        )
        error = error_of(outcome)
        assert (error.cause, error.retry) == (Cause.LOCK_REMOVED, Retry.NEVER)

    # Silence: nobody knows.

    @pytest.mark.needs("lose_answer")
    def test_a_lost_answer_is_unknown_until_it_is_read_back(self, stand: Stand) -> None:
        stand.lose_answer(stand.lock)
        assert put(stand, grant())[0].result is Result.UNKNOWN
        observation = observe(stand)
        assert [each.handle for each in observation.held or ()] == ["c1"]

    @pytest.mark.needs("lose_answer")
    def test_the_same_write_once_more_settles_an_unknown_outcome(self, stand: Stand) -> None:
        stand.lose_answer(stand.lock)
        assert put(stand, grant())[0].result is Result.UNKNOWN
        assert put(stand, grant())[0].result is Result.CONFIRMED
        assert stand.held(stand.lock) == {"c1": CODE}
        stand.lose_answer(stand.lock)
        assert remove(stand, place())[0].result is Result.UNKNOWN
        assert remove(stand, place())[0].result is Result.CONFIRMED
        assert stand.held(stand.lock) == {}

    @pytest.mark.needs("lose_answer")
    def test_a_removal_without_an_answer_is_unknown(self, stand: Stand) -> None:
        put(stand, grant())
        stand.lose_answer(stand.lock)
        assert remove(stand, place())[0].result is Result.UNKNOWN
        wait_until(lambda: stand.held(stand.lock) == {})

    @pytest.mark.needs("lose_request")
    def test_a_lost_request_is_unknown_too(self, stand: Stand) -> None:
        stand.lose_request(stand.lock)
        assert put(stand, grant())[0].result is Result.UNKNOWN
        assert stand.held(stand.lock) == {}

    @pytest.mark.needs("land_late")
    def test_a_write_that_was_given_up_can_land_after_its_removal(self, stand: Stand) -> None:
        stand.land_late(stand.lock, after_s=1.5)
        assert put(stand, grant())[0].result is Result.UNKNOWN
        assert remove(stand, place())[0].result is Result.CONFIRMED
        assert stand.held(stand.lock) == {}
        wait_until(lambda: stand.held(stand.lock) == {"c1": CODE})

    @pytest.mark.needs("garbage")
    def test_an_answer_that_is_not_the_vendors_is_unknown(self, stand: Stand) -> None:
        stand.garbage(stand.lock)
        assert put(stand, grant())[0].result is Result.UNKNOWN
        stand.garbage(stand.lock)
        assert observe(stand).held is None

    @pytest.mark.needs("server_error")
    def test_a_server_error_of_a_write_is_unknown(self, stand: Stand) -> None:
        stand.server_error(stand.lock)
        assert put(stand, grant())[0].result is Result.UNKNOWN

    @pytest.mark.needs("lose_answer")
    def test_no_call_outlives_its_timeout_even_in_a_list(self, stand: Stand) -> None:
        stand.lose_answer(stand.lock)

        async def timed(driver: Driver) -> tuple[list[Outcome], float, float]:
            three = [grant("c1", CODE), grant("c2", OTHER_CODE), grant("c3", THIRD_CODE)]
            grants = [at(stand, each) for each in three]
            started = time.monotonic()
            outcomes = await driver.put(stand.lock, grants)
            return outcomes, time.monotonic() - started, driver.capabilities.timeout_s

        outcomes, took, timeout_s = drive(stand.open, timed)
        assert took < timeout_s + 1
        assert outcomes[0].result is Result.UNKNOWN
        assert {each.result for each in outcomes} <= {Result.UNKNOWN, Result.FAILED}

    # Health, clock, events, opening.

    @pytest.mark.needs("offline")
    def test_health_follows_the_lock(self, stand: Stand) -> None:
        assert drive(stand.open, lambda driver: driver.health(stand.lock)).online
        stand.offline(stand.lock)
        assert not drive(stand.open, lambda driver: driver.health(stand.lock)).online

    @pytest.mark.needs("wrong_clock")
    def test_a_wrong_clock_is_seen_and_set_right(self, stand: Stand) -> None:
        stand.wrong_clock(stand.lock, 180)
        before = drive(stand.open, lambda driver: driver.health(stand.lock))
        assert before.clock_offset_s == pytest.approx(180, abs=2)
        for _ in range(2):
            outcome = drive(stand.open, lambda driver: driver.sync_clock(stand.lock))
            assert outcome.result is Result.CONFIRMED
        after = drive(stand.open, lambda driver: driver.health(stand.lock))
        assert after.clock_offset_s == pytest.approx(0, abs=2)
        told = EventType.CLOCK_WRONG in {event.type for event in all_events(stand)}
        assert told is stand.tells(EventType.CLOCK_WRONG)

    @pytest.mark.needs("offline")
    def test_going_and_coming_back_are_events(self, stand: Stand) -> None:
        stand.offline(stand.lock)
        stand.online(stand.lock)
        types = [event.type for event in all_events(stand)]
        told = [kind for kind in (EventType.OFFLINE, EventType.ONLINE) if stand.tells(kind)]
        assert types == told

    @pytest.mark.needs("type_code")
    def test_events_are_read_once_by_cursor_and_the_same_again(self, stand: Stand) -> None:
        put(stand, grant())
        stand.type_code(stand.lock, CODE)
        stand.type_code(stand.lock, OTHER_CODE)

        async def read(driver: Driver) -> tuple[list[LockEvent], list[LockEvent], list[LockEvent]]:
            first = await driver.events("")
            again = await driver.events("")
            rest = await driver.events(first.cursor)
            mine = [
                [
                    each
                    for each in page.events
                    if each.lock_ref == stand.lock and each.type is not EventType.SETTLED
                ]
                for page in (first, again, rest)
            ]
            return mine[0], mine[1], mine[2]

        first, again, rest = drive(stand.open, read)
        assert [event.type for event in first] == [EventType.UNLOCKED, EventType.DENIED]
        used = first[0]
        assert used.handle == "c1" or used.secret == CODE or used.address == stand.slots["c1"]
        assert [event.event_id for event in again] == [event.event_id for event in first]
        assert rest == []
        assert len({event.event_id for event in first}) == len(first)
        assert all(event.happened_at.tzinfo is not None for event in first)

    @pytest.mark.needs("type_code")
    def test_what_happened_while_offline_is_told_when_the_lock_is_back(self, stand: Stand) -> None:
        put(stand, grant())
        stand.offline(stand.lock)
        stand.type_code(stand.lock, CODE)
        assert EventType.UNLOCKED not in {event.type for event in all_events(stand)}
        stand.online(stand.lock)
        assert EventType.UNLOCKED in {event.type for event in all_events(stand)}

    def test_a_remote_opening_is_confirmed(self, stand: Stand) -> None:
        outcome = drive(stand.open, lambda driver: driver.unlock(stand.lock))
        assert outcome.result is Result.CONFIRMED

    def test_discovery_finds_the_lock(self, stand: Stand) -> None:
        found = drive(stand.open, lambda driver: driver.discover())
        assert stand.lock in {each.external_id for each in found}

    def test_reading_twice_reads_the_same(self, stand: Stand) -> None:
        put(stand, grant())

        async def twice(driver: Driver) -> None:
            assert await driver.observe(stand.lock) == await driver.observe(stand.lock)
            assert await driver.health(stand.lock) == await driver.health(stand.lock)
            assert await driver.discover() == await driver.discover()

        drive(stand.open, twice)

    # Without a vendor nothing raises.

    def test_without_a_vendor_every_call_still_answers(self, stand: Stand) -> None:
        async def everything(driver: Driver) -> None:
            assert (await driver.observe(stand.lock)).held is None
            assert not (await driver.health(stand.lock)).online
            page = await driver.events("some-cursor")
            assert (page.events, page.cursor) == ((), "some-cursor")
            assert (await driver.unlock(stand.lock)).result is Result.FAILED
            assert (await driver.sync_clock(stand.lock)).result is Result.FAILED
            assert (await driver.remove(stand.lock, [at(stand, place())]))[
                0
            ].result is Result.FAILED
            assert await driver.discover() == []

        drive(stand.open_without_vendor, everything)

    # Secrets.

    def test_no_outcome_shows_a_code(self, stand: Stand) -> None:
        outcomes = put(stand, grant("c1"), grant("c2"), grant("c3", "11111"))
        written = repr(outcomes) + repr([grant("c1")])
        observation = observe(stand)
        written += repr(observation) + repr(all_events(stand))
        assert CODE not in written
        assert "11111" not in written


def wait_until(is_so: Callable[[], bool], *, seconds: float = 8.0) -> None:
    """Wait until something is so, or fail."""
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline, "It did not come true in time."
        time.sleep(0.02)
