"""Random sequences over the simulated clouds of TTLock and Seam, each with its own way to lose, delay and repeat.

Whatever happened on the way: soon after the locks are reachable again they hold exactly what they should, and nothing else.
VENDOR_SEQUENCES says how many for each vendor (2, or 8 where CI is true), SEQUENCE_SEED where to begin.
"""

from __future__ import annotations

import os

import pytest

from keys.lock_calls import open_account
from tests.factories import AccountFactory, GatewayFactory, LockFactory
from tests.keys.vendor_sequences import TROUBLES, Sequence
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
    cannot = {
        "refuse": "a lock that refuses is a fault for good there, and not one of a single call",
        "vanish": "offline is all that its cloud knows",
        "cut": "each call has a connection of its own: a lost answer is the same",
        "restart": "it is a cloud",
    }
    dies_after_s = (0.02, 0.06, 0.15)
    open_account = staticmethod(open_account)

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

    def reach(self, ref: str, state: str) -> None:
        self.server.act(ref, state)

    def heal(self) -> None:
        for ref in self.refs:
            self.server.act(ref, "heal")

    def memory(self, ref: str) -> dict[str, str]:
        held = self.server.memory(ref)
        return {name.removeprefix("Portal "): value for name, value in held.items()}


class Seam:
    """Two locks of a simulated Seam workspace."""

    faults = ("lose-request", "lose-answer", "land-late", "refuse-set", "refuse-remove", "garbage")
    cannot = {
        "busy": "its limits are counted per lock and minute, longer than a sequence lasts",
        "server-error": "its simulator answers with garbage in place of it",
        "vanish": "offline is all that its book knows",
        "cut": "each call has a connection of its own: a lost answer is the same",
        "restart": "it is a cloud",
    }
    dies_after_s = (0.02, 0.06, 0.15)
    open_account = staticmethod(open_account)

    def __init__(self, server) -> None:
        server.post("reset")
        self.server = server
        account = AccountFactory(driver="seam", base_url=server.url, token=server.key)
        self.refs = [server.add_device(name, latency_s=0.1) for name in ("front-204", "front-205")]
        self.locks = [LockFactory(account=account, external_id=ref) for ref in self.refs]

    def fault(self, ref: str, name: str) -> None:
        self.server.act(ref, name, **({"after_s": 0.2} if name == "land-late" else {}))

    def reach(self, ref: str, state: str) -> None:
        self.server.act(ref, state)

    def heal(self) -> None:
        for ref in self.refs:
            self.server.act(ref, "clear")
            self.server.act(ref, "online")
        self.server.advance(31)  # what the cloud failed at it tries again by itself

    def memory(self, ref: str) -> dict[str, str]:
        return self.server.memory(ref)


@pytest.fixture(scope="module")
def ttlock():
    with start_ttlock() as server:
        yield server


@pytest.fixture(scope="module")
def seam():
    with start_seam() as server:
        yield server


@pytest.mark.parametrize("vendor", [TTLock, Seam])
def test_every_trouble_is_made_or_said_why_not(vendor):
    made = {name.removesuffix("-set").removesuffix("-remove") for name in vendor.faults}
    assert made | vendor.cannot.keys() == TROUBLES
    assert not made & vendor.cannot.keys()


@pytest.mark.parametrize("seed", range(FIRST_SEED, FIRST_SEED + SEQUENCES))
@pytest.mark.parametrize("vendor", [TTLock, Seam])
def test_locks_hold_exactly_what_they_should_soon_after_they_are_reachable(
    vendor, seed, request, quick, settings, tell
):
    settings.DRIVER_TIMEOUT_S, settings.READ_BACK_AFTER_S = 0.5, [0.4, 0.8]
    cloud = vendor(request.getfixturevalue(vendor.__name__.lower()))
    sequence = Sequence(seed, cloud, soon_s=SOON_S)
    for _ in range(STEPS):
        sequence.step()
    assert sequence.settles(), f"seed {seed}: {sequence.wrong()}"
    tell(f"{vendor.__name__}, seed {seed}: {sequence.did.total()} steps")
