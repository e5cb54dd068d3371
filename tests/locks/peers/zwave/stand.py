"""A door lock of the simulated Z-Wave network as a stand for the contract of all drivers."""

from __future__ import annotations

import time
from contextlib import ExitStack
from typing import TYPE_CHECKING

from locks.drivers.zwave import ZwaveDriver
from tests.locks.peers.hearing import hearing
from tests.locks.peers.zwave.peer import HOME_ID, SLOTS, TOKEN, ZwavePeer
from tests.ports import free_port

if TYPE_CHECKING:
    from locks.drivers import EventType, LockEvent

TIMEOUT_S = 4.0
ECHO_S = 0.4
GIVEN_UP_AFTER_S = 0.3
"""So long the controller waits for an acknowledgement in lock-network.mjs, and it tries once."""
FOREIGN_SLOT = 7


def quick_driver(url: str, *, token: str = TOKEN, **other: float) -> ZwaveDriver:
    """A driver with the pauses of tests."""
    pauses = {"write_pause_s": 0.05, "settle_s": 0.1, "echo_s": ECHO_S, "timeout_s": TIMEOUT_S}
    return ZwaveDriver(url=url, token=token, **pauses | other)


class ZwaveStand:
    """One of the network's locks as a stand."""

    no_lock = f"{HOME_ID}-99"

    def __init__(self, peer: ZwavePeer, lock: str, *, newest_schema: int = 50) -> None:
        self.peer, self.lock = peer, lock
        self.slots = {"c1": "1", "c2": "2", "c3": "3"}
        self._newest_schema = newest_schema
        peer.act(lock, "reset")
        self._stack = ExitStack()
        self._hearing = self._stack.enter_context(hearing(self.open))

    def can(self, trouble: str) -> bool:
        return hasattr(self, trouble)

    def tells(self, kind: EventType) -> bool:
        return True

    def heard(self) -> list[LockEvent]:
        time.sleep(ECHO_S + 0.3)
        return self._hearing.of(self.lock)

    def over(self) -> None:
        """Nobody listens any more."""
        self._stack.close()

    def _open(self, url: str, token: str = TOKEN) -> ZwaveDriver:
        return quick_driver(url, token=token, newest_schema=self._newest_schema)

    def open(self) -> ZwaveDriver:
        return self._open(self.peer.gate)

    def open_with_wrong_token(self) -> ZwaveDriver:
        return self._open(self.peer.gate, "wrong")

    def open_without_vendor(self) -> ZwaveDriver:
        return self._open(f"ws://127.0.0.1:{free_port()}")

    def held(self, lock: str) -> dict[str, str]:
        ours = {slot: handle for handle, slot in self.slots.items()}
        return {ours.get(slot, slot): code for slot, code in self.peer.codes(lock).items()}

    def offline(self, lock: str) -> None:
        self.peer.act(lock, "offline")

    def online(self, lock: str) -> None:
        self.peer.act(lock, "online")

    def lose_answer(self, lock: str) -> None:
        self.peer.act(lock, "trouble", name="lose-answer")

    def lose_request(self, lock: str) -> None:
        self.peer.act(lock, "trouble", name="lose-request")

    def land_late(self, lock: str, *, after_s: float) -> None:
        self.peer.act(lock, "trouble", name="land-late", after_s=GIVEN_UP_AFTER_S + after_s)

    def refuse(self, lock: str) -> None:
        self.peer.act(lock, "trouble", name="refuse")

    def fill(self, lock: str) -> None:
        """Every place is taken; what is asked for now has a number that the lock does not have."""
        taken = self.peer.codes(lock)
        for slot in range(1, SLOTS + 1):
            if str(slot) not in taken:
                self.peer.act(lock, "keypad", slot=slot, code=f"55{slot:04}")
        self.slots["c2"] = str(SLOTS + 1)

    def change_at_lock(self, lock: str, handle: str, code: str) -> None:
        time.sleep(ECHO_S + 0.1)  # what comes at once is taken for the echo of the write before
        self.peer.act(lock, "keypad", slot=int(self.slots[handle]), code=code)

    def add_at_lock(self, lock: str, code: str) -> None:
        self.peer.act(lock, "keypad", slot=FOREIGN_SLOT, code=code)
