"""Random sequences over the real Z-Wave JS server and the real Zigbee2MQTT with mosquitto; radio and locks are simulated.

Whatever is lost, repeated, late or restarted: soon after the locks are reachable again they hold exactly what they should,
and nothing else. PEER_SEQUENCES says how many for each (1, or 6 where CI is true), SEQUENCE_SEED where to begin.
"""

from __future__ import annotations

import os
import threading
from contextlib import contextmanager, nullcontext
from functools import partial

import pytest

from locks.drivers.zigbee2mqtt import Zigbee2MqttDriver
from locks.handles import handle_of
from locks.hearing import Hearing
from locks.models import LockAccount
from locks.slot_models import SlotUse
from tests.factories import AccountFactory, GatewayFactory, LockFactory
from tests.keys.vendor_sequences import TROUBLES, Sequence
from tests.locks.peers.zigbee.peer import BASE, PASSWORD, PLACES, USER, fit, start_zigbee
from tests.locks.peers.zwave.peer import CREDENTIALS, MASKED, PLAIN, SLOTS, SUPERVISED, TOKEN
from tests.locks.peers.zwave.stand import GIVEN_UP_AFTER_S, quick_driver

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("silent_bell")]
IS_CI = os.environ.get("CI") == "true"
SEQUENCES = int(os.environ.get("PEER_SEQUENCES") or (6 if IS_CI else 1))
FIRST_SEED = int(os.environ.get("SEQUENCE_SEED", "62"))
STEPS = int(os.environ.get("PEER_STEPS") or (30 if IS_CI else 15))
SOON_S = 30.0
"""Sixty seconds, scaled as the pauses below are."""
DRIVER_TIMEOUT_S = 2.0
OF_HTTP = "its words are frames of one line, with no proxy in between"


def by_handle(lock, held: dict[str, str]) -> dict[str, str]:
    """What lies in the numbered places of a lock by Portal's name for it; what is nobody's by its place."""
    uses = SlotUse.objects.filter(lock=lock, until=None)
    names = {
        str(use.number): handle_of(key_id=use.key_id, assignment_id=use.assignment_id)
        for use in uses
    }
    return {names.get(place, f"place {place}"): code for place, code in held.items()}


class ZWave:
    """Two locks of a Z-Wave network; by seed they are of another kind."""

    faults = ("lose-request", "lose-answer", "land-late", "refuse", "vanish", "cut", "restart")
    cannot = {
        "busy": "a server that is busy lets commands wait",
        "server-error": OF_HTTP,
        "garbage": OF_HTTP,
    }
    dies_after_s = (0.05, 0.2, 0.5)
    kinds = ((PLAIN, MASKED), (SUPERVISED, CREDENTIALS), (MASKED, SUPERVISED))

    def __init__(self, peer, seed: int) -> None:
        self.peer = peer
        self.refs = list(self.kinds[seed % len(self.kinds)])
        for ref in self.refs:
            peer.act(ref, "reset")
        account = AccountFactory(driver="zwave", base_url=peer.gate, token=TOKEN)
        made = partial(LockFactory, account=account, native_window=False, first_slot=1)
        self.locks = [made(external_id=ref, max_codes=SLOTS) for ref in self.refs]

    def open_account(self, account: LockAccount):
        return quick_driver(account.base_url, token=account.token, timeout_s=DRIVER_TIMEOUT_S)

    def fault(self, ref: str, name: str) -> None:
        if name == "restart":
            self.peer.act("all", "stop")
            self.peer.act("all", "start")
        elif name == "cut":
            self.peer.act("all", "cut")
        elif name == "vanish":
            self.peer.act(ref, "vanish")
        else:
            late = {"after_s": GIVEN_UP_AFTER_S + 0.3} if name == "land-late" else {}
            self.peer.act(ref, "trouble", name=name, **late)

    def reach(self, ref: str, state: str) -> None:
        self.peer.act(ref, state)

    def heal(self) -> None:
        for ref in self.refs:
            self.peer.act(ref, "trouble")
            self.peer.act(ref, "online")

    def memory(self, ref: str) -> dict[str, str]:
        return by_handle(self.locks[self.refs.index(ref)], self.peer.codes(ref))


class Zigbee:
    """A lock that shows its PINs and, by seed, one that hides them or one that sleeps, behind one bridge."""

    faults = ("lose-request", "lose-answer", "land-late", "refuse", "vanish", "restart")
    cannot = {
        "busy": "a bridge that is busy lets commands wait",
        "server-error": OF_HTTP,
        "garbage": OF_HTTP,
        "cut": "the broker keeps the line of its bridge; Portal opens one of its own for each round",
    }
    dies_after_s = (0.05, 0.2, 0.5)

    def __init__(self, peer, seed: int) -> None:
        self.peer = peer
        plain, hidden, sleepy = peer.locks
        self.fitted = {each.ref: each for each in (plain, (hidden, sleepy)[seed % 2])}
        self.refs = list(self.fitted)
        for each in self.fitted.values():
            peer.act(each, "reset")
            peer.go(each, "online")
        account = AccountFactory(
            driver="zigbee2mqtt", base_url=peer.url, token=f"{USER}:{PASSWORD}"
        )
        gateway = GatewayFactory(account=account, external_id=BASE)
        made = partial(LockFactory, account=account, gateway=gateway, native_window=False)
        self.locks = [made(external_id=ref, first_slot=0, max_codes=PLACES) for ref in self.refs]

    def open_account(self, account: LockAccount):
        own = {"timeout_s": DRIVER_TIMEOUT_S, "proof_s": 0.4}
        return Zigbee2MqttDriver(base_url=account.base_url, token=account.token, **own)

    def fault(self, ref: str, name: str) -> None:
        if name == "restart":
            self.peer.stop_bridge()
            self.peer.start_bridge()
            for each in self.fitted.values():
                self.peer.go(each, "online")
            return
        pranks = {
            "lose-request": {"kind": "lose_request"},
            "lose-answer": {"kind": "lose_answer", "reads": 2},
            "land-late": {"kind": "land_late", "after_ms": 900},
            "refuse": {"kind": "refuse"},
            "vanish": {"kind": "sleep"},
        }
        self.peer.act(self.fitted[ref], "prank", **pranks[name])

    def reach(self, ref: str, state: str) -> None:
        self.peer.act(self.fitted[ref], state)

    def heal(self) -> None:
        for each in self.fitted.values():
            self.peer.act(each, "prank", kind="")
            self.peer.go(each, "online")

    def memory(self, ref: str) -> dict[str, str]:
        return by_handle(self.locks[self.refs.index(ref)], self.peer.held(self.fitted[ref]))


@pytest.fixture(scope="module")
def zigbee(tmp_path_factory):
    with start_zigbee(tmp_path_factory.mktemp("zigbee"), fit(plain=1, hidden=1, sleepy=1)) as peer:
        yield peer


@contextmanager
def listening():
    """A listener in a thread, as its process runs it."""
    over = threading.Event()
    thread = threading.Thread(target=Hearing(look_every_s=0.2).run, args=(over,))
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(15)


@pytest.mark.parametrize("vendor", [ZWave, Zigbee])
def test_every_trouble_is_made_or_said_why_not(vendor):
    assert set(vendor.faults) | vendor.cannot.keys() == TROUBLES
    assert not set(vendor.faults) & vendor.cannot.keys()


@pytest.mark.parametrize("seed", range(FIRST_SEED, FIRST_SEED + SEQUENCES))
@pytest.mark.parametrize(
    "vendor",
    [
        pytest.param(ZWave, marks=pytest.mark.xdist_group("zwave")),
        pytest.param(Zigbee, marks=pytest.mark.xdist_group("zigbee")),
    ],
)
def test_locks_hold_exactly_what_they_should_soon_after_they_are_reachable(
    vendor, seed, request, quick, settings, tell
):
    """Every other sequence has nobody who listens, so that no lock ever says that it is back."""
    settings.DRIVER_TIMEOUT_S, settings.READ_BACK_AFTER_S = DRIVER_TIMEOUT_S, [1.5, 3.0]
    peer = vendor(request.getfixturevalue(vendor.__name__.lower()), seed)
    with listening() if seed % 2 else nullcontext():
        sequence = Sequence(seed, peer, soon_s=SOON_S)
        for _ in range(STEPS):
            sequence.step()
        assert sequence.settles(), f"seed {seed}: {sequence.wrong()}"
    tell(f"{vendor.__name__}, seed {seed}: {sequence.did.total()} steps")
