"""What every lock driver must keep, whoever the vendor is: subclass DriverContract and give it a stand.

A stand is a real peer, a simulator or a vendor's own fake, with one fresh and empty lock and the means to make
trouble. Trouble that a peer cannot make is left out by answering ``False`` in ``can``.
"""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Protocol, TypeVar

import pytest

from locks.drivers import (
    Cause,
    EventType,
    Grant,
    Kind,
    LockError,
    LockEvent,
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
CODE, OTHER_CODE, THIRD_CODE = "482913", "730528", "915047"


class Stand(Protocol):
    """A peer to test a driver against. ``lock`` is fresh and empty for every test."""

    lock: str

    def can(self, trouble: str) -> bool:
        """Whether the peer can make this trouble; the names are those of the methods below."""

    def open(self) -> Driver:
        """A new driver on the account; called inside the event loop. Its time-out should be about a second."""

    def open_with_wrong_token(self) -> Driver:
        """A driver whose secret the vendor does not accept."""

    def open_without_vendor(self) -> Driver:
        """A driver on an address where nobody listens."""

    def held(self, lock: str) -> dict[str, str]:
        """Secrets that the lock really holds, by our handle, read past the vendor's API."""

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


def put(stand: Stand, *grants: Grant) -> list[Outcome]:
    """Put grants on the stand's lock."""
    return drive(stand.open, lambda driver: driver.put(stand.lock, list(grants)))


def remove(stand: Stand, *places: Place) -> list[Outcome]:
    """Remove them."""
    return drive(stand.open, lambda driver: driver.remove(stand.lock, list(places)))


def error_of(outcome: Outcome) -> LockError:
    """The error of a failed outcome."""
    assert outcome.result is Result.FAILED
    assert outcome.error is not None
    return outcome.error


def all_events(stand: Stand) -> list[LockEvent]:
    """Every event of the stand's lock from the beginning, read page by page."""

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
        assert [each.result for each in outcomes] == [
            Result.CONFIRMED,
            Result.FAILED,
            Result.CONFIRMED,
        ]
        assert stand.held(stand.lock) == {"c1": CODE, "c3": THIRD_CODE}

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
        observation = drive(stand.open, lambda driver: driver.observe(stand.lock))
        assert observation.error is None
        assert observation.held is not None
        [held] = observation.held
        assert (held.handle, held.kind) == ("c1", Kind.DOOR_CODE)
        assert held.secret in {CODE, None}
        assert held.starts_at in {written.starts_at, None}
        assert held.ends_at in {written.ends_at, None}

    def test_an_empty_lock_is_empty_and_not_unknown(self, stand: Stand) -> None:
        observation = drive(stand.open, lambda driver: driver.observe(stand.lock))
        assert (observation.held, observation.error) == ((), None)

    @pytest.mark.needs("change_at_lock")
    def test_observe_shows_a_code_that_was_changed_at_the_keypad(self, stand: Stand) -> None:
        put(stand, grant())
        stand.change_at_lock(stand.lock, "c1", OTHER_CODE)
        observation = drive(stand.open, lambda driver: driver.observe(stand.lock))
        assert [(each.handle, each.secret) for each in observation.held or ()] == [
            ("c1", OTHER_CODE)
        ]
        assert EventType.CHANGED_AT_LOCK in {event.type for event in all_events(stand)}

    @pytest.mark.needs("add_at_lock")
    def test_a_foreign_code_is_seen_as_foreign_and_can_be_removed(self, stand: Stand) -> None:
        put(stand, grant())
        stand.add_at_lock(stand.lock, OTHER_CODE)
        observation = drive(stand.open, lambda driver: driver.observe(stand.lock))
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
        observation = drive(stand.open, lambda driver: driver.observe(stand.lock))
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
        error = error_of(put(stand, grant("c2"))[0])
        assert (error.cause, error.retry) == (Cause.DUPLICATE_CODE, Retry.AFTER_CHANGE)
        assert stand.held(stand.lock) == {"c1": CODE}

    @pytest.mark.needs("fill")
    def test_a_full_lock_says_so_and_still_changes_what_it_holds(self, stand: Stand) -> None:
        put(stand, grant("c1"))
        stand.fill(stand.lock)
        error = error_of(put(stand, grant("c2", OTHER_CODE))[0])
        assert (error.cause, error.retry) == (Cause.NO_SPACE, Retry.AFTER_CHANGE)
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
        error = error_of(put(stand, grant())[0])
        assert (error.cause, error.retry) == (Cause.REJECTED, Retry.SOON)
        assert put(stand, grant())[0].result is Result.CONFIRMED

    @pytest.mark.needs("busy")
    def test_a_busy_lock_is_worth_a_try_soon(self, stand: Stand) -> None:
        stand.busy(stand.lock)
        error = error_of(put(stand, grant())[0])
        assert (error.cause, error.retry) == (Cause.BUSY, Retry.SOON)

    def test_a_wrong_token_stops_the_whole_account(self, stand: Stand) -> None:
        [outcome] = drive(stand.open_with_wrong_token, lambda d: d.put(stand.lock, [grant()]))
        error = error_of(outcome)
        assert (error.cause, error.retry, error.scope) == (Cause.AUTH, Retry.NEVER, Scope.ACCOUNT)

    def test_where_nobody_listens_nothing_was_sent(self, stand: Stand) -> None:
        [outcome] = drive(stand.open_without_vendor, lambda d: d.put(stand.lock, [grant()]))
        error = error_of(outcome)
        assert (error.cause, error.retry) == (Cause.VENDOR_UNREACHABLE, Retry.SOON)

    def test_a_lock_that_is_not_in_the_account_is_removed_for_good(self, stand: Stand) -> None:
        [outcome] = drive(stand.open, lambda driver: driver.put("no-such-lock", [grant()]))
        error = error_of(outcome)
        assert (error.cause, error.retry) == (Cause.LOCK_REMOVED, Retry.NEVER)

    # Silence: nobody knows.

    @pytest.mark.needs("lose_answer")
    def test_a_lost_answer_is_unknown_until_it_is_read_back(self, stand: Stand) -> None:
        stand.lose_answer(stand.lock)
        assert put(stand, grant())[0].result is Result.UNKNOWN
        observation = drive(stand.open, lambda driver: driver.observe(stand.lock))
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
        assert stand.held(stand.lock) == {}

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
        assert drive(stand.open, lambda driver: driver.observe(stand.lock)).held is None

    @pytest.mark.needs("server_error")
    def test_a_server_error_of_a_write_is_unknown(self, stand: Stand) -> None:
        stand.server_error(stand.lock)
        assert put(stand, grant())[0].result is Result.UNKNOWN

    @pytest.mark.needs("lose_answer")
    def test_no_call_outlives_its_timeout_even_in_a_list(self, stand: Stand) -> None:
        stand.lose_answer(stand.lock)

        async def timed(driver: Driver) -> tuple[list[Outcome], float, float]:
            grants = [grant("c1", CODE), grant("c2", OTHER_CODE), grant("c3", THIRD_CODE)]
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
        assert EventType.CLOCK_WRONG in {event.type for event in all_events(stand)}

    @pytest.mark.needs("offline")
    def test_going_and_coming_back_are_events(self, stand: Stand) -> None:
        stand.offline(stand.lock)
        stand.online(stand.lock)
        types = [event.type for event in all_events(stand)]
        assert types == [EventType.OFFLINE, EventType.ONLINE]

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
                [each for each in page.events if each.lock_ref == stand.lock]
                for page in (first, again, rest)
            ]
            return mine[0], mine[1], mine[2]

        first, again, rest = drive(stand.open, read)
        assert [event.type for event in first] == [EventType.UNLOCKED, EventType.DENIED]
        assert first[0].handle == "c1" or first[0].secret == CODE
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
            assert (await driver.remove(stand.lock, [place()]))[0].result is Result.FAILED
            assert await driver.discover() == []

        drive(stand.open_without_vendor, everything)

    # Secrets.

    def test_no_outcome_shows_a_code(self, stand: Stand) -> None:
        outcomes = put(stand, grant("c1"), grant("c2"), grant("c3", "11111"))
        written = repr(outcomes) + repr([grant("c1")])
        observation = drive(stand.open, lambda driver: driver.observe(stand.lock))
        written += repr(observation) + repr(all_events(stand))
        assert CODE not in written
        assert "11111" not in written


def wait_until(is_so: Callable[[], bool], *, seconds: float = 8.0) -> None:
    """Wait until something is so, or fail."""
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline, "It did not come true in time."
        time.sleep(0.02)
