"""Random hotels with every fault (forty, or as many as SEQUENCES says): what each lock holds is what people meant and what Portal believes."""

from __future__ import annotations

import os
import time
from collections import Counter

import pytest

from tests.keys.sequences import CALM, FAULTS, STEPS, Worker, run_sequence

SEQUENCES = int(os.environ.get("SEQUENCES", "40"))
FIRST_SEED = int(os.environ.get("SEQUENCE_SEED", "62"))
ENOUGH_TO_SEE_ALL = 60
MUST_FIRE = {
    *FAULTS,
    "offline",
    "gateway offline",
    "changed in flight",
    "second worker",
    "paused",
    *(f"killed {point}" for point in Worker.POINTS),
}


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("silent_bell")
def test_locks_hold_what_people_meant_whatever_happens_on_the_way():
    steps: Counter[str] = Counter()
    fired: Counter[str] = Counter()
    begun = time.monotonic()
    for seed in range(FIRST_SEED, FIRST_SEED + SEQUENCES):
        story = run_sequence(seed)
        assert not story.violations, str(story)
        steps += story.steps
        fired += story.fired
    print(f"{SEQUENCES} sequences, {sum(steps.values())} steps, {time.monotonic() - begun:.0f} s")
    print(dict(fired))
    if SEQUENCES < ENOUGH_TO_SEE_ALL:
        return
    assert not (set(STEPS) | CALM) - set(steps), "steps that never happened"
    assert not MUST_FIRE - set(fired), "faults that never happened"
