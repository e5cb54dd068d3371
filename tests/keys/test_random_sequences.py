"""Random hotels with every fault: what each lock holds is what people meant and what Portal believes.

SEQUENCES says how many (40, or 200 where CI is true), SEQUENCE_SEED where to begin. They run in parts, so that every core
has some; the part that is done last sees that all steps and all faults have happened in the run as a whole.
"""

from __future__ import annotations

import json
import os
import time
from collections import Counter
from pathlib import Path

import pytest

from tests.keys.sequences import STEPS, run_sequence
from tests.keys.wall import FAULTS
from tests.keys.workers import Worker

SEQUENCES = int(os.environ.get("SEQUENCES") or (200 if os.environ.get("CI") == "true" else 40))
FIRST_SEED = int(os.environ.get("SEQUENCE_SEED", "62"))
PARTS = min(10, SEQUENCES)
ENOUGH_TO_SEE_ALL = 100
MUST_FIRE = {
    *FAULTS,
    "offline",
    "gateway offline",
    "never signals",
    "account refused",
    "account broken",
    "memory full",
    "duplicate",
    "keypad delete",
    "keypad change",
    "keypad add",
    "opened",
    "denied",
    "cleared first",
    "changed in flight",
    "second worker",
    "paused",
    "taken over while paused",
    *(f"killed {point}" for point in Worker.POINTS),
}


@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("silent_bell")
def test_locks_hold_what_people_meant_whatever_happens_on_the_way(part, testrun_uid, tell):
    seeds = range(FIRST_SEED + part, FIRST_SEED + SEQUENCES, PARTS)
    which = f"{len(seeds)} sequences, seed {seeds.start} and every {PARTS}th after it"
    print(which)
    steps: Counter[str] = Counter()
    fired: Counter[str] = Counter()
    begun = time.monotonic()
    for seed in seeds:
        story = run_sequence(seed)
        assert not story.violations, str(story)
        steps += story.steps
        fired += story.fired
    tell(f"{which}: {sum(steps.values())} steps in {time.monotonic() - begun:.0f} s")
    told = _told_by_all_parts(testrun_uid, part, steps, fired)
    if len(told) == PARTS and SEQUENCES >= ENOUGH_TO_SEE_ALL:
        all_steps = set().union(*(steps for steps, _ in told))
        all_fired = set().union(*(fired for _, fired in told))
        assert not set(STEPS) - all_steps, "steps that never happened"
        assert not MUST_FIRE - all_fired, "faults that never happened"


def _told_by_all_parts(
    run: str, part: int, steps: Counter[str], fired: Counter[str]
) -> list[list[dict[str, int]]]:
    """Note what this part did beside the other parts of this run, and return what all have noted so far."""
    folder = Path(os.environ["PORTAL_TEST_VAR"]) / f"sequences-{run}"
    folder.mkdir(parents=True, exist_ok=True)
    mine = folder / f"{part}.part"
    mine.write_text(json.dumps([steps, +fired]))
    mine.rename(folder / f"{part}.json")
    return [json.loads(each.read_text()) for each in folder.glob("*.json")]
