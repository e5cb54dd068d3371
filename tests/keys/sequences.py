"""Random sequences against delivery: a hotel on a wall of fake locks, fifty steps, settling, and the verdict."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from tests.keys.checker import check_belief, check_end
from tests.keys.hotel import Hotel

STEPS: dict[str, int] = {
    "deliver": 14,
    "pass_time": 7,
    "arm_fault": 9,
    "switch_off": 4,
    "switch_on": 6,
    "check_in": 4,
    "undo_check_in": 2,
    "revoke": 2,
    "restore": 3,
    "change_window": 3,
    "regenerate": 3,
    "make_key": 3,
    "book": 2,
    "cancel": 1,
    "move_room": 1,
    "swap_lock": 1,
    "add_door": 1,
    "remove_door": 1,
    "lock_offline": 2,
    "lock_online_with_a_signal": 2,
    "lock_online_silently": 1,
    "gateway_offline": 1,
    "gateway_online": 2,
    "account_refused": 1,
    "account_accepted": 2,
    "change_at_keypad": 1,
    "type_at_the_door": 2,
    "lose_pms": 1,
    "find_pms": 1,
    "change_in_flight": 3,
    "second_worker": 1,
    "crash": 3,
    "pause": 1,
}
CALM = {"pause", "change_at_keypad"}
"""Left out of every second sequence, together with late landings, so that there each belief must always be true."""


@dataclass(slots=True)
class Story:
    """What one sequence did and what was wrong about it."""

    seed: int
    violations: list[str]
    steps: Counter[str]
    fired: Counter[str]
    trace: list[str]

    def __str__(self) -> str:
        return f"seed {self.seed}: {self.violations[:5]}\n  " + " ".join(self.trace)


def run_sequence(
    seed: int,
    *,
    steps: int = 50,
    more: dict[str, int] | None = None,
    hotel_of: type[Hotel] = Hotel,
) -> Story:
    """One hotel, ``steps`` random steps, settling, and the verdict. Stops at the first thing that is wrong.

    ``more`` gives some steps another weight, ``hotel_of`` other locks.
    """
    hotel = hotel_of(seed)
    hotel.make_key()
    hotel.book()
    calm = seed % 2 == 0
    weights = STEPS | (more or {})
    menu = {name: weight for name, weight in weights.items() if not (calm and name in CALM)}
    try:
        for _ in range(steps):
            name = hotel.rng.choices(list(menu), list(menu.values()))[0]
            hotel.steps[name] += 1
            hotel.trace.append(name)
            getattr(hotel, name)()
            if calm:
                _calm(hotel)
            hotel.wall.violations += check_belief(hotel, after=name, everywhere=False)
            if hotel.wall.violations:
                break
        else:
            hotel.settle()
            hotel.wall.violations += check_end(hotel)
    finally:
        hotel.leave()
    wall = hotel.wall
    return Story(seed, wall.violations, hotel.steps, wall.fired, hotel.trace)


def _calm(hotel: Hotel) -> None:
    for lock in hotel.wall.locks.values():
        lock.faults = [f for f in lock.faults if f not in {"late landing", "only accepted"}]
