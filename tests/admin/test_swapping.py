"""Support swaps a lock with a reason, by the function that the hotel's own page calls."""

from __future__ import annotations

import pytest
from django.urls import reverse

from locks.log_models import DoorLogEntry
from locks.models import Lock
from tests import factories

pytestmark = pytest.mark.django_db


def test_support_swaps_one_lock_with_a_reason(support):
    old = factories.LockFactory()
    new = factories.LockFactory(account=old.account, door=None)
    key = factories.key_for(old.door)
    listed = reverse("admin:locks_lock_changelist")
    chosen = {"action": "swap", "_selected_action": [new.pk]}
    assert "Choose one lock" in support.post(listed, chosen, follow=True).content.decode()
    page = support.post(listed, chosen | {"_selected_action": [old.pk]}, follow=True)
    assert "1 will be written to the new lock at once" in page.content.decode()
    address = reverse("admin:locks_lock_swap", args=[old.pk])
    support.post(address, {"new": new.pk, "reason": " "})
    assert Lock.objects.get(door=old.door_id).pk == old.pk
    support.post(address, {"new": new.pk, "reason": "Rita called"})
    assert Lock.objects.get(door=old.door_id).pk == new.pk
    assert key.assignments.get().lock_id == new.pk
    assert set(DoorLogEntry.objects.values_list("code", "actor")) == {
        ("unpaired", "Sam"),
        ("paired", "Sam"),
    }
