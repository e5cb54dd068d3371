"""A program swaps the lock of a door."""

from __future__ import annotations

from locks.models import Lock
from tests import factories
from tests.api.world import make_key


def test_a_lock_is_swapped_and_the_answer_says_what_is_left_behind(api, seaview):
    key = make_key(seaview)
    place = key.assignments.order_by("id").first()
    type(place).objects.filter(pk=place.pk).update(written_revision=1)
    new = factories.LockFactory(account=place.lock.account, door=None)
    answer = api.post(f"locks/{place.lock_id}/swap/", {"lock": new.pk})
    assert answer.status_code == 200
    assert answer.json() == {"door": place.door_id, "lock": new.pk, "left_behind": 1}
    assert Lock.objects.get(door=place.door_id).pk == new.pk
    again = api.post(f"locks/{place.lock_id}/swap/", {"lock": new.pk})
    assert again.status_code == 400
    assert "hangs on no door" in again.json()["errors"][0]["message"]
