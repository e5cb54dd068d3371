"""Random sequences over the simulated clouds of TTLock and Seam, each with its own way to lose, delay and repeat.

Whatever happened on the way: soon after the locks are reachable again they hold exactly what they should, and nothing else.
VENDOR_SEQUENCES says how many for each vendor (2, or 8 where CI is true), SEQUENCE_SEED where to begin.
"""

from __future__ import annotations

import asyncio
import os
import random
import time
from collections import Counter

import pytest

from keys import issuing
from keys.delivery import Round, limits_from_settings, look
from keys.lock_calls import open_account
from keys.models import Assignment, Key, KeychainDoor
from locks import listening
from locks.clock import database_now
from locks.models import LockAccount, Writer
from tests.factories import BY, AccountFactory, GatewayFactory, LockFactory, key_for, now
from tests.keys.checker import handle_of, should_hold
from tests.locks.seam_server import start_seam
from tests.locks.ttlock_server import start_ttlock

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("silent_bell")]
SEQUENCES = int(os.environ.get("VENDOR_SEQUENCES") or (8 if os.environ.get("CI") == "true" else 2))
FIRST_SEED = int(os.environ.get("SEQUENCE_SEED", "62"))
STEPS = 30
SOON_S = 12.0
"""Sixty seconds, scaled as the pauses below are."""


class TTLock:
    """Two locks behind one gateway of a simulated TTLock."""

    faults = ("lose-request", "lose-answer", "land-late", "busy", "server-error", "garbage")

    def __init__(self, server) -> None:
        server.post("reset")
        self.server = server
        account = AccountFactory(driver="ttlock", base_url=server.url, token=server.token())
        gateway = GatewayFactory(account=account, external_id="7")
        self.refs = [server.add_lock(gateway=7, alias=alias) for alias in ("204", "205")]
        self.locks = [
            LockFactory(account=account, gateway=gateway, external_id=ref) for ref in self.refs
        ]

    def fault(self, ref: str, name: str) -> None:
        more = {"hang_s": 0.6} if name in {"lose-request", "lose-answer", "land-late"} else {}
        more |= {"land_after_s": 0.2} if name == "land-late" else {}
        self.server.act(ref, name, **more)

    def heal(self) -> None:
        for ref in self.refs:
            self.server.act(ref, "heal")

    def memory(self, ref: str) -> dict[str, str]:
        held = self.server.memory(ref)
        return {name.removeprefix("Portal "): value for name, value in held.items()}


class Seam:
    """Two locks of a simulated Seam workspace."""

    faults = ("lose-request", "lose-answer", "land-late", "refuse-set", "refuse-remove", "garbage")

    def __init__(self, server) -> None:
        server.post("reset")
        self.server = server
        account = AccountFactory(driver="seam", base_url=server.url, token=server.key)
        self.refs = [server.add_device(name, latency_s=0.1) for name in ("front-204", "front-205")]
        self.locks = [LockFactory(account=account, external_id=ref) for ref in self.refs]

    def fault(self, ref: str, name: str) -> None:
        self.server.act(ref, name, **({"after_s": 0.2} if name == "land-late" else {}))

    def heal(self) -> None:
        for ref in self.refs:
            self.server.act(ref, "clear")
            self.server.act(ref, "online")
        self.server.advance(31)  # what the cloud failed at it tries again by itself

    def memory(self, ref: str) -> dict[str, str]:
        return self.server.memory(ref)


class Sequence:
    """What people, locks and workers do in one sequence."""

    def __init__(self, seed: int, vendor) -> None:
        self.rng, self.vendor = random.Random(seed), vendor
        self.did: Counter[str] = Counter()
        self.make_key()

    def step(self) -> None:
        names = ("look", "look", "look", "fault", "fault", "make_key", "revoke", "switch")
        name = self.rng.choice((*names, "regenerate", "regenerate", "reach", "crash", "poll"))
        self.did[name] += 1
        getattr(self, name)()

    def look(self) -> None:
        look(now=now())

    def fault(self) -> None:
        self.vendor.fault(self.rng.choice(self.vendor.refs), self.rng.choice(self.vendor.faults))

    def reach(self) -> None:
        self.vendor.server.act(
            self.rng.choice(self.vendor.refs), self.rng.choice(("offline", "online"))
        )

    def poll(self) -> None:
        for account in LockAccount.objects.all():
            listening.poll(account=account, now=now())

    def make_key(self) -> None:
        if Key.objects.count() < 4:
            doors = [lock.door for lock in self.vendor.locks]
            key_for(*self.rng.sample(doors, self.rng.randint(1, 2)))

    def revoke(self) -> None:
        issuing.revoke(key=self._a_key(), by=BY, now=now())

    def regenerate(self) -> None:
        key = self._a_key()
        if key.revoked_at is None:
            issuing.regenerate(credential=key.credentials.get(), by=BY, now=now())

    def switch(self) -> None:
        door = self.rng.choice(list(KeychainDoor.objects.order_by("id")))
        on = self.rng.random() < 0.6
        issuing.set_permission(keychain_door=door, on=on, by=BY, now=now())

    def _a_key(self) -> Key:
        return self.rng.choice(list(Key.objects.order_by("id")))

    def crash(self) -> None:
        """A worker dies in the middle, and its lease runs out."""
        self.regenerate()
        work = Round(limits_from_settings(), database_now, open_account)

        async def die() -> None:
            running = asyncio.create_task(work.run())
            await asyncio.sleep(self.rng.choice((0.02, 0.06, 0.15)))
            running.cancel()
            await asyncio.wait({running})

        asyncio.run(die())
        Writer.objects.exclude(owner="").update(until_ms=1)

    def settles(self) -> bool:
        """Whether soon after all is reachable the locks hold what they should, Portal knows it, and it stays so."""
        self.vendor.heal()
        end = time.monotonic() + SOON_S
        while time.monotonic() < end:
            look(now=now())
            if self.is_right():
                time.sleep(0.3)
                look(now=now())
                if self.is_right():
                    return True
            time.sleep(0.05)
        return False

    def is_right(self) -> bool:
        return not self.wrong()

    def wrong(self) -> list[str]:
        """What a lock holds and should not, or lacks, or Portal does not know."""
        at = now()
        wanted: dict[str, dict[str, str]] = {ref: {} for ref in self.vendor.refs}
        found = []
        for place in Assignment.objects.select_related(
            "lock", "keychain_door", "credential__person", "key__reservation__integration"
        ):
            should, name = should_hold(place, at), handle_of(place)
            if should:
                wanted[place.lock.external_id][name] = str(place.credential.secret)
            known = place.revision if should else None
            if place.sent_revision is not None or place.written_revision != known:
                found.append(f"{name} is believed {place.headline} {place.problem}")
        for ref, held in wanted.items():
            memory = self.vendor.memory(ref)
            if memory != held:
                found.append(f"{ref} holds {sorted(memory)} and should {sorted(held)}")
        return found


@pytest.fixture(scope="module")
def ttlock():
    with start_ttlock() as server:
        yield server


@pytest.fixture(scope="module")
def seam():
    with start_seam() as server:
        yield server


@pytest.mark.parametrize("seed", range(FIRST_SEED, FIRST_SEED + SEQUENCES))
@pytest.mark.parametrize("vendor", [TTLock, Seam])
def test_locks_hold_exactly_what_they_should_soon_after_they_are_reachable(
    vendor, seed, request, quick, settings, tell
):
    settings.DRIVER_TIMEOUT_S, settings.READ_BACK_AFTER_S = 0.5, [0.4, 0.8]
    sequence = Sequence(seed, vendor(request.getfixturevalue(vendor.__name__.lower())))
    for _ in range(STEPS):
        sequence.step()
    assert sequence.settles(), f"seed {seed}: {sequence.wrong()}"
    tell(f"{vendor.__name__}, seed {seed}: {sequence.did.total()} steps")
