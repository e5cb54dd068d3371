"""Staff, the PMS, the locks' events and delivery change the same rows at once: nobody waits for another in a circle."""

from __future__ import annotations

import threading
import time
from collections import Counter
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from itertools import cycle

import pytest
from django.db import close_old_connections, connection, connections

from keys import issuing, leases, ledger, provisioning, recovering
from keys.facts import answer, rows_of
from keys.ledger import Batch, Change
from keys.models import Assignment, KeychainDoor, Recovery
from keys.outcomes import noted
from keys.refusal import Refused
from locks.drivers import EventType, LockEvent
from locks.events import ingest
from locks.models import Writer
from pms.models import Reservation
from tests import factories
from tests.factories import BY, AccountFactory, LockFactory, key_for, now

HAMMERED_S = 6.0


def change_of(row, **after):
    return Change(None, row, row._replace(**after), None, "", "")


def only_row():
    return rows_of(Assignment.objects.all())[0]


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("silent_bell")
def test_an_edit_in_the_same_moment_as_the_last_one_is_not_taken_for_it():
    lock, at = LockFactory(), now()
    key = key_for(lock.door, at=at)
    seen = only_row()
    issuing.edit_key(key=key, ends_at=at + timedelta(days=9), by=BY, now=at)
    edited = only_row()
    assert (edited.revision, edited.next_attempt_at > at) == (seen.revision + 1, True)
    assert ledger.stamp([seen]) == {}
    assert ledger.apply([change_of(seen, written_revision=seen.revision)]) == {seen.id}
    left = only_row()
    assert left.written_revision == seen.revision
    assert left.next_attempt_at == edited.next_attempt_at


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("silent_bell")
def test_the_revision_alone_tells_a_newer_wish():
    lock, at = LockFactory(), now()
    key_for(lock.door, at=at)
    seen = only_row()
    Assignment.objects.update(revision=seen.revision + 1)  # and not the mark
    change = change_of(seen, written_revision=seen.revision)._replace(free=True)
    assert ledger.apply([change]) == {seen.id}
    left = only_row()
    assert (left.next_attempt_at, left.reserved_digest) == (at, seen.reserved_digest)


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("silent_bell")
def test_two_switches_in_one_moment_leave_two_different_marks():
    lock, at = LockFactory(), now()
    door = key_for(lock.door, at=at).doors.get()
    marks = [only_row().next_attempt_at]
    for on in (False, True, False):
        issuing.set_permission(keychain_door=door, on=on, by=BY, now=at)
        marks.append(only_row().next_attempt_at)
    assert len(set(marks)) == 4
    issuing.set_permission(keychain_door=door, on=True, by=BY, now=at + timedelta(minutes=1))
    assert only_row().next_attempt_at == at + timedelta(minutes=1)


class Hammer:
    """Threads that each do their thing again and again until the time is up; what they raise is kept."""

    def __init__(self):
        self.end = time.monotonic() + HAMMERED_S
        self.errors, self.rounds, self.threads = [], {}, []

    def add(self, name, act):
        self.threads.append(threading.Thread(target=self._go, args=(name, act)))

    def _go(self, name, act):
        try:
            while time.monotonic() < self.end:
                with suppress(Refused):
                    act()
                self.rounds[name] = self.rounds.get(name, 0) + 1
        except Exception as error:  # noqa: BLE001 - the test asks for it
            self.errors.append(f"{name}: {error!r}")
        finally:
            connections.close_all()

    def run(self):
        for thread in self.threads:
            thread.start()
        for thread in self.threads:
            thread.join()
        close_old_connections()


def settle_everything(owner):
    """What a delivery round asks of the database: leases, what is due there, settled and stamped in one batch."""
    grips = leases.grab(owner=owner, lease_ms=5000, limit=50, now=now() + timedelta(days=1))
    work = ledger.due_at([grip.writer_id for grip in grips], now=now() + timedelta(days=1))
    batch = Batch(grips=set(grips))
    for grip in grips:
        for row in reversed(work[grip.writer_id].rows):
            noted(seen=row, row=row, grip=grip, now=now()).add_to(batch)
            batch.locks.add(row.lock_id)
            batch.effects.append(
                lambda lock_id=row.lock_id: provisioning.mark_due(lock_ids=[lock_id], now=now())
            )
    ledger.settle(batch, owner=owner, lease_ms=5000, now=now())
    leases.release(grips, owner=owner)


def deadlocks() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")
        return cursor.fetchone()[0]


@pytest.mark.postgres
@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("silent_bell")
def test_staff_the_locks_and_delivery_never_wait_for_each_other_in_a_circle():
    account = AccountFactory()
    locks = [LockFactory(account=account) for _ in range(4)]
    doors = [lock.door for lock in locks]
    keys = [key_for(*(doors if n % 2 else reversed(doors)), at=now()) for n in range(8)]
    all_doors = list(KeychainDoor.objects.values_list("id", flat=True))
    before, hammer, numbers = deadlocks(), Hammer(), iter(range(10**9))
    turn, edited, switched, ends = (
        cycle(keys),
        cycle(keys[::-1]),
        cycle([True, False]),
        cycle((3, 4)),
    )

    def edit():
        issuing.edit_key(
            key=next(turn), ends_at=now() + timedelta(days=next(ends)), by=BY, now=now()
        )

    def draw():
        key = next(edited)
        issuing.regenerate(credential=key.credentials.get(), by=BY, now=now())

    def switch_all():
        issuing.set_permissions(
            door_ids=all_doors, property_id=account.property_id, on=next(switched), by=BY, now=now()
        )

    def report():
        events = [
            LockEvent(
                event_id=f"e{next(numbers)}",
                lock_ref=lock.external_id,
                type=EventType.ONLINE,
                happened_at=now(),
            )
            for lock in reversed(locks)
        ]
        ingest(account_id=account.pk, events=events, now=now())

    def decide():
        provisioning.ask_again(property_id=account.property_id, now=now())
        provisioning.decide_again(now=now())

    hammer.add("edit", edit)
    hammer.add("draw", draw)
    hammer.add("switch", switch_all)
    hammer.add("report", report)
    hammer.add("decide", decide)
    for owner in ("first", "second"):
        hammer.add(owner, lambda owner=owner: settle_everything(owner))
    hammer.run()
    assert hammer.errors == []
    assert set(hammer.rounds) == {"edit", "draw", "switch", "report", "decide", "first", "second"}
    assert min(hammer.rounds.values()) >= 3
    assert deadlocks() == before
    assert not Writer.objects.exclude(owner="").exists()
    assert all(answer(row, now=now()) for row in rows_of(Assignment.objects.all()))


@pytest.mark.postgres
@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("silent_bell")
def test_two_workers_at_a_recovery_staff_and_delivery_never_wait_in_a_circle(settings):
    """Released, undone and released again by two workers, while staff switch, the PMS is followed and rows are settled."""
    settings.RECOVERY_CHUNK = 3
    account = AccountFactory()
    outage = factories.outage_of(account.property)
    keys = [
        factories.stay_in(outage, LockFactory(account=account).door, number=f"n{n}")
        for n in range(8)
    ]
    turn, followed, before, hammer = cycle(keys[::-1]), cycle(keys), deadlocks(), Hammer()
    why = replace(BY, reason="hammered")

    def confirm():
        recovery = recovering.start(outage=outage, by=why, now=now())
        time.sleep(0.05)
        recovering.undo(recovery=recovery, by=why, now=now())

    def switch():
        issuing.set_permission(
            keychain_door=next(turn).doors.get(), on=True, before_check_in=True, by=BY, now=now()
        )

    def follow():
        stay = Reservation.objects.get(pk=next(followed).reservation_id)
        factories.following.follow(reservation=stay, now=now())

    hammer.add("confirm", confirm)
    hammer.add("switch", switch)
    hammer.add("follow", follow)
    for worker in ("one", "two"):
        hammer.add(worker, factories.work_off_recoveries)
    hammer.add("settle", lambda: settle_everything("settle"))
    hammer.run()
    factories.work_off_recoveries()
    assert hammer.errors == []
    assert min(hammer.rounds.values()) >= 3
    assert deadlocks() == before
    for recovery in Recovery.objects.all():
        told, counted = figures(recovery)
        assert told == counted
        assert recovery.settled() == recovery.planned


def figures(recovery):
    """What a recovery says of its rows, and what is counted."""
    states = Counter(recovery.rows.values_list("state", flat=True))
    names = ("done", "skipped", "undone", "kept", "failed", "cancelled")
    return {name: getattr(recovery, name) for name in names}, {name: states[name] for name in names}
