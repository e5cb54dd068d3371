"""Workers killed and paused, a broker emptied, locks that hang or go away: what the locks hold heals by itself."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path

import pytest
from django.conf import settings
from django.db import OperationalError, connection, transaction

from keys import issuing
from keys.models import Assignment
from locks.log_models import DoorLogEntry
from locks.models import Writer
from tests.chaos.services import OwnRedis, own_redis
from tests.factories import BY, AccountFactory, GatewayFactory, LockFactory, key_for, now
from tests.keys.checker import should_hold
from tests.running import database_url

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("silent_bell")]
ROOT = Path(__file__).resolve().parents[2]
SPEED = {
    "DRIVER_TIMEOUT_S": "0.6",
    "READ_BACK_AFTER_S": "1,3",
    "RETRY_SOON_S": "0.2,0.4,0.8",
    "RETRY_OFFLINE_S": "0.5,1,2",
    "SWEEP_EVERY_S": "0.4",
    "POLL_LOCKS_EVERY_S": "0.5",
}
SEED = int(os.environ.get("CHAOS_SEED", str(random.SystemRandom().randrange(10**6))))


class Workers:
    """Real workers on this test's database, each a process group; the bell is silent, only the sweep finds work.

    Their broker is a folder, or a Redis of their own where the configured one is a Redis.
    """

    def __init__(self, folder: Path, redis: OwnRedis | None) -> None:
        self.folder, self.redis = folder, redis
        self.running: list[subprocess.Popen[bytes]] = []

    def start(self, planted: str = "", *, threads: int = 4, **more: str) -> subprocess.Popen[bytes]:
        number = len(self.running)
        env = (
            os.environ
            | SPEED
            | {
                "DATABASE_URL": database_url(),
                "CELERY_BROKER_URL": self.redis.url if self.redis else "filesystem://",
                "BROKER_FOLDER": str(self.folder / "broker"),
                "PLANTED": planted,
                "DJANGO_SETTINGS_MODULE": "portal.settings",
            }
            | more
        )
        command = [sys.executable, "-m", "tests.chaos.planted", "-A", "portal", "worker", "-B"]
        command += ["-P", "threads", "-c", str(threads), "--without-gossip", "--without-mingle"]
        command += ["-s", str(self.folder / f"beat{number}"), "--pidfile", ""]
        with (self.folder / f"worker{number}.log").open("wb") as log:
            started = subprocess.Popen(
                command, cwd=ROOT, env=env, stdout=log, stderr=log, start_new_session=True
            )
        self.running.append(started)
        return started

    def send(self, worker: subprocess.Popen[bytes], what: signal.Signals) -> None:
        if worker.poll() is None:
            os.killpg(worker.pid, what)

    def kill(self, worker: subprocess.Popen[bytes]) -> None:
        self.send(worker, signal.SIGKILL)
        worker.wait(10)

    def are_ready(self) -> bool:
        """Whether every worker has started and takes work."""
        logs = [self.folder / f"worker{number}.log" for number in range(len(self.running))]
        return all("This worker is ready." in log.read_text() for log in logs)

    def is_listening(self) -> bool:
        """Whether a worker has found its broker."""
        if self.redis:
            return "_kombu" in self.redis.say("KEYS", "*")
        return (self.folder / "broker" / "q").exists()

    def empty_the_broker(self) -> None:
        """Lose every message; a Redis is killed and comes back empty."""
        if self.redis:
            self.redis.lose_everything()
        for message in (self.folder / "broker" / "q").glob("*"):
            message.unlink(missing_ok=True)

    def end(self) -> None:
        for worker in self.running:
            self.kill(worker)


@pytest.fixture
def workers(tmp_path):
    with ExitStack() as stack:
        on_redis = settings.CELERY_BROKER_URL.startswith("redis")
        found = Workers(tmp_path, stack.enter_context(own_redis()) if on_redis else None)
        yield found
        found.end()
    shutil.rmtree(tmp_path / "broker", ignore_errors=True)


@pytest.fixture
def locks(simlock):
    print(f"chaos seed {SEED}")
    account = AccountFactory(base_url=simlock.url, token=simlock.token)
    simlock.add_locks([{"id": f"L{n}"} for n in range(6)])
    simlock.cloud(latency_ms=40)
    return [LockFactory(account=account, external_id=f"L{n}") for n in range(6)]


def differences(simlock) -> list[str]:
    """What the locks hold and should not, the other way round, and what Portal does not know to be there."""
    moment, wanted, unknown = now(), set(), []
    places = Assignment.objects.select_related(
        "key__reservation", "keychain_door", "credential__person", "lock"
    )
    for place in places:
        if should_hold(place, moment):
            handle = f"k{place.key_id}a{place.pk}"
            if place.written_revision != place.revision:
                unknown.append(f"not known to be on {place.lock.external_id}: {handle}")
            wanted.add((place.lock.external_id, handle, str(place.credential.secret)))
    held = {
        (ref, handle, thing["value"])
        for ref, things in simlock.memories().items()
        for handle, thing in things.items()
    }
    return (
        unknown
        + [f"missing on {each[0]} {each[1]}" for each in wanted - held]
        + [f"unauthorized on {each[0]} {each[1]}" for each in held - wanted]
    )


def heals(simlock, *, within: float = 90.0) -> bool:
    """Whether the locks come to hold exactly what is wanted, and go on to, also after the read-backs."""
    end = time.monotonic() + within
    while time.monotonic() < end:
        if (
            not differences(simlock)
            and not Assignment.objects.filter(sent_revision__isnull=False).exists()
        ):
            time.sleep(0.5)
            if not differences(simlock):
                return True
        time.sleep(0.2)
    return False


def overlaps(simlock) -> int:
    totals = simlock.stats()["totals"]
    return totals["overlaps"] + totals["gateway_overlaps"]


def wait_for(condition, seconds: float = 90.0) -> None:
    """Wait until something is so; fail when it is not in time."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.05)


def has_begun() -> bool:
    return Writer.objects.exclude(owner="").exists()


def four_keys(locks):
    return [key_for(*(lock.door for lock in locks), guest=f"Guest {n}") for n in range(4)]


def pause_outside_a_transaction(workers, worker) -> None:
    """Stop a worker where it holds no lock of the database: only there can the others go on, and only that is at stake."""
    for _ in range(200):
        workers.send(worker, signal.SIGSTOP)
        if database_is_free():
            return
        workers.send(worker, signal.SIGCONT)
        time.sleep(0.03)
    pytest.fail("the worker was never outside a transaction")


def database_is_free() -> bool:
    sqlite = connection.vendor == "sqlite"
    try:
        with connection.cursor() as cursor:
            if sqlite:
                cursor.execute("PRAGMA busy_timeout = 100")
            with transaction.atomic():
                if not sqlite:
                    for table in ("locks_pulse", "keys_assignment", "locks_writer"):
                        cursor.execute(f"SELECT 1 FROM {table} FOR UPDATE NOWAIT")
            return True
    except OperationalError:
        return False
    finally:
        if sqlite:
            with connection.cursor() as cursor:
                cursor.execute("PRAGMA busy_timeout = 20000")


def test_a_worker_killed_in_the_middle_of_writes_loses_nothing(workers, simlock, locks):
    rng = random.Random(SEED)
    keys = four_keys(locks)
    for n in range(3):
        worker = workers.start()
        wait_for(has_begun)
        time.sleep(rng.uniform(0.0, 0.3))
        workers.kill(worker)
        issuing.regenerate(credential=keys[n].credentials.get(), by=BY, now=now())
    issuing.revoke(key=keys[0], by=BY, now=now())
    workers.start()
    assert heals(simlock), differences(simlock)


def test_a_worker_paused_past_its_lease_leaves_no_code_of_an_ended_stay(workers, simlock, locks):
    keys = four_keys(locks)
    first = workers.start()
    wait_for(lambda: bool(simlock.memory("L0")))
    pause_outside_a_transaction(workers, first)
    for key in keys[:2]:
        issuing.revoke(key=key, by=BY, now=now())
    workers.start()
    wait_for(lambda: not differences(simlock))
    workers.send(first, signal.SIGCONT)
    time.sleep(4)  # for what the first still had under way
    assert heals(simlock), differences(simlock)


def test_a_broker_that_loses_its_queue_loses_no_work(workers, simlock, locks):
    workers.start()
    wait_for(workers.is_listening)
    keys = four_keys(locks)
    for _ in range(5):
        workers.empty_the_broker()
        time.sleep(0.2)
    issuing.revoke(key=keys[0], by=BY, now=now())
    workers.empty_the_broker()
    assert heals(simlock), differences(simlock)
    assert overlaps(simlock) == 0


def test_a_lock_that_takes_a_code_and_never_answers_gets_it_once(workers, simlock, locks):
    for ref in ("L0", "L1", "L2"):
        simlock.act(ref, "lose-ack", calls=2, silence="hang")
    four_keys(locks)
    workers.start()
    assert heals(simlock), differences(simlock)


def test_a_lock_that_was_away_gets_only_the_newest_state(workers, simlock, locks):
    keys = four_keys(locks)
    workers.start()
    assert heals(simlock), differences(simlock)
    simlock.offline("L0")
    before = simlock.lock("L0")
    door = keys[1].doors.get(door=locks[0].door)
    for turn in range(25):
        issuing.set_permission(keychain_door=door, on=bool(turn % 2), by=BY, now=now())
        issuing.regenerate(credential=keys[2].credentials.get(), by=BY, now=now())
    issuing.revoke(key=keys[0], by=BY, now=now())
    time.sleep(2)
    assert before["held"] == 4
    simlock.reset_stats()
    simlock.online("L0")
    assert heals(simlock), differences(simlock)
    assert simlock.stats()["totals"]["puts"] <= 6 * 2 + 4


def test_half_of_the_locks_behind_a_gateway_that_hangs_delay_no_other(workers, simlock, locks):
    """Its locks are the first in the order of work and there is one thread for all, so that whoever waits for the gateway
    waits for a whole time-out. What hangs there may still land after the next call began, so overlaps are not counted."""
    account, hangs_s = locks[0].account, 4.0
    cellar = GatewayFactory(account=account, external_id="cellar")
    simlock.add_locks([{"id": f"D{n}", "gateway": "cellar"} for n in range(6)])
    behind = [LockFactory(account=account, external_id=f"D{n}", gateway=cellar) for n in range(6)]
    simlock.add_locks([{"id": f"H{n}"} for n in range(6)])
    well = [LockFactory(account=account, external_id=f"H{n}") for n in range(6)]
    assert max(lock.writer_id for lock in behind) < min(lock.writer_id for lock in well)
    simlock.gateway("cellar", "slow", ms=1500 * hangs_s)
    four_keys([*behind, *well])
    workers.start(threads=1, DRIVER_TIMEOUT_S=str(hangs_s))
    wait_for(workers.are_ready)
    begun = time.monotonic()
    wait_for(lambda: all(len(simlock.memory(lock.external_id)) == 4 for lock in well))
    assert time.monotonic() - begun < hangs_s, "healthy locks waited for the gateway that hangs"
    simlock.gateway("cellar", "slow", ms=0)
    assert heals(simlock), differences(simlock)


def is_clean_under_faults(workers, simlock, locks, bug: str, *, within: float) -> bool:
    """Whether busy locks and lost answers end well, and without a repair: nothing was believed that was not so."""
    keys = four_keys(locks)
    issuing.set_permission(keychain_door=keys[0].doors.first(), on=False, by=BY, now=now())
    for ref in ("L0", "L1", "L2"):
        simlock.act(ref, "busy", calls=1)
        simlock.act(ref, "lose-ack", calls=1, silence="drop")
    workers.start(bug)
    wait_for(workers.are_ready)
    well = heals(simlock, within=within)
    return well and not DoorLogEntry.objects.filter(code="repaired").exists()


def test_busy_locks_and_lost_answers_end_well_and_without_repairs(workers, simlock, locks):
    assert is_clean_under_faults(workers, simlock, locks, "", within=90)


@pytest.mark.parametrize(
    "bug",
    ["done before the call", "a hold ignored", "unknown read as failed", "no sweep after death"],
)
def test_the_faults_catch_a_planted_bug(workers, simlock, locks, bug):
    assert not is_clean_under_faults(workers, simlock, locks, bug, within=7)
