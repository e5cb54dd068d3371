"""Random hotels on a lock system that takes everything first and carries it out at its own pace, or not at all.

ACCEPTING_SEQUENCES says how many (6, or 40 where CI is true).
"""

from __future__ import annotations

import os
from collections import Counter

import pytest

from tests.keys.accepting import AcceptingHotel
from tests.keys.sequences import run_sequence

SEQUENCES = int(
    os.environ.get("ACCEPTING_SEQUENCES") or (40 if os.environ.get("CI") == "true" else 6)
)
FIRST_SEED = int(os.environ.get("SEQUENCE_SEED", "62"))
PARTS = 2
MUST_FIRE = {"accepted", "accepted removal", "carried out"}


@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("silent_bell")
def test_locks_of_a_vendor_that_answers_later_hold_what_people_meant(part, tell):
    seeds = range(FIRST_SEED + part, FIRST_SEED + SEQUENCES, PARTS)
    fired: Counter[str] = Counter()
    for seed in seeds:
        story = run_sequence(seed, hotel_of=AcceptingHotel)
        assert not story.violations, str(story)
        fired += story.fired
    tell(f"{len(seeds)} sequences at a vendor that answers later: {fired['carried out']} writes")
    assert not MUST_FIRE - set(fired)
