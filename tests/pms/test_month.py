"""A month of random hotel life whose events are lost, repeated, late and mixed leaves the keys that perfect events leave.

Each month is lived once with perfect events and then again under each disorder, and every time all that Portal has is
compared with the hotel's book as well. MONTHS says how many months (1), MONTH_SEED where to begin. Without CI=true, each
PMS has a part of the disorders, always with the one that is all of them at once.
The pace of calls, which is by the minute, is left out: a month's calls come within seconds here.
"""

from __future__ import annotations

import os
from collections import Counter
from datetime import date

import pytest

from pms import inbox, pacing
from tests.pms.front_desks import CloudbedsDesk
from tests.pms.life import MANNERS
from tests.pms.meant import differences
from tests.pms.mews_desk import MewsDesk
from tests.pms.month import DISORDERS, PERFECT, Clock, run_month

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("silent_bell")]
CI = os.environ.get("CI") == "true"
MONTHS = int(os.environ.get("MONTHS") or 1)
FIRST_SEED = int(os.environ.get("MONTH_SEED", "0"))
WHERE_AND_WHEN = (
    ("Europe/Lisbon", date(2027, 3, 10)),
    ("America/Los_Angeles", date(2026, 10, 12)),
    ("Pacific/Auckland", date(2027, 3, 15)),
)
"""Each with a change of the clocks in its month."""
DESKS = {"cloudbeds": CloudbedsDesk, "mews": MewsDesk}
FEW = {"cloudbeds": {"dropped", "everything"}, "mews": {"delayed", "everything"}}
LEAVES = {
    "dropped": {"lost"},
    "repeated": {"repeated"},
    "delayed": {"late"},
    "shuffled": {"overtaken"},
    "everything": {"lost", "repeated", "late", "overtaken"},
}
"""What a disorder must have done to some events."""


@pytest.fixture(params=list(DESKS))
def desk(request):
    """The front desk of a PMS, at a running simulator."""
    return DESKS[request.param](request.getfixturevalue(request.param))


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(FIRST_SEED, FIRST_SEED + MONTHS))
def test_disorder_among_the_events_of_a_month_leaves_the_same_keys(desk, seed, monkeypatch, tell):
    monkeypatch.setattr(inbox, "COALESCE_S", 0.0)
    monkeypatch.setattr(pacing, "_turn_in_s", lambda *_, **__: 0.0)  # a month's calls in seconds
    zone, first_day = WHERE_AND_WHEN[seed % len(WHERE_AND_WHEN)]
    print(f"seed {seed}, {zone}, from {first_day}")
    watch = Clock(monkeypatch, desk)
    where = {"seed": seed, "first_day": first_day, "zone": zone}
    perfect = run_month(desk, watch, PERFECT, **where)
    assert not perfect.heard["lost"] + perfect.heard["late"], "perfect events were not"
    heard: Counter[str] = Counter()
    for disorder in DISORDERS:
        if not CI and disorder.name not in FEW[desk.adapter]:
            continue
        month = run_month(desk, watch, disorder, **where)
        assert month.life.trace == perfect.life.trace, "not the same month"
        assert not differences(month.state, perfect.state), f"{disorder.name}, seed {seed}"
        more = month.heard - Counter(repeated=perfect.heard["repeated"])
        missing = LEAVES[disorder.name] - set(more)
        assert not missing, f"what {disorder.name} never did, seed {seed}"
        heard += month.heard
    things = perfect.life.done
    tell(f"seed {seed} at {desk.adapter}: {sum(things.values())} things in a month, {dict(heard)}")
    if FIRST_SEED:  # not every month has everything
        return
    assert not set(perfect.life.menu) - set(things), "things that never happened"
    assert not {m.name for m in MANNERS} - set(perfect.life.manners), "manners never used"
