"""Random sequences over lock systems that run in processes of their own: what people, locks and workers do, and the verdict."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from typing import Protocol

from keys import issuing
from keys.delivery import Round, limits_from_settings, look
from keys.models import Assignment, Key, KeychainDoor
from locks import listening
from locks.clock import database_now
from locks.drivers import Driver
from locks.models import Lock, LockAccount, Writer
from tests.factories import BY, key_for, now
from tests.keys.checker import handle_of, should_hold

TROUBLES = frozenset(
    {
        "lose-request",
        "lose-answer",
        "land-late",
        "refuse",
        "busy",
        "server-error",
        "garbage",
        "vanish",
        "cut",
        "restart",
    }
)
"""What can go wrong on the way to a lock. A vendor has each among its ``faults``, or says why not."""


class Vendor(Protocol):
    """A lock system with some locks. ``cannot`` says of each trouble that it does not make why not."""

    faults: tuple[str, ...]
    cannot: dict[str, str]
    dies_after_s: tuple[float, ...]
    refs: list[str]
    locks: list[Lock]

    def open_account(self, account: LockAccount) -> Driver:
        """The driver of this account."""
        ...

    def fault(self, ref: str, name: str) -> None:
        """One trouble at this lock."""
        ...

    def reach(self, ref: str, state: str) -> None:
        """The lock goes ``online`` or ``offline``."""
        ...

    def heal(self) -> None:
        """All is reachable, and no trouble is left."""
        ...

    def memory(self, ref: str) -> dict[str, str]:
        """The codes that a lock truly holds by Portal's name for them."""
        ...


class Sequence:
    """What people, locks and workers do in one sequence. ``soon_s`` is within how long all must be right at the end."""

    def __init__(self, seed: int, vendor: Vendor, *, soon_s: float) -> None:
        self.rng, self.vendor, self._soon_s = random.Random(seed), vendor, soon_s
        self.did: Counter[str] = Counter()
        self.make_key()

    def step(self) -> None:
        names = ("look", "look", "look", "fault", "fault", "make_key", "revoke", "switch")
        name = self.rng.choice((*names, "regenerate", "regenerate", "reach", "crash", "poll"))
        self.did[name] += 1
        getattr(self, name)()

    def look(self) -> None:
        look(now=now(), open_account=self.vendor.open_account)

    def fault(self) -> None:
        self.vendor.fault(self.rng.choice(self.vendor.refs), self.rng.choice(self.vendor.faults))

    def reach(self) -> None:
        self.vendor.reach(self.rng.choice(self.vendor.refs), self.rng.choice(("offline", "online")))

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
        work = Round(limits_from_settings(), database_now, self.vendor.open_account)

        async def die() -> None:
            running = asyncio.create_task(work.run())
            await asyncio.sleep(self.rng.choice(self.vendor.dies_after_s))
            running.cancel()
            await asyncio.wait({running})

        asyncio.run(die())
        Writer.objects.exclude(owner="").update(until_ms=1)

    def settles(self) -> bool:
        """Whether soon after all is reachable the locks hold what they should, Portal knows it, and it stays so."""
        self.vendor.heal()
        end = time.monotonic() + self._soon_s
        while time.monotonic() < end:
            self.look()
            if self.is_right():
                time.sleep(0.3)
                self.look()
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
