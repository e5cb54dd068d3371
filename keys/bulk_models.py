"""What is kept of one change of many keys: who confirmed what, and one row per key with its result."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from keys.batch_models import Batch, RowState
from locks.models import Property
from locks.same_hotel import OneHotel


class BulkChange(Batch):
    """One confirmed change of many keys; its rows are the queue that workers take from, in their order."""

    class Action(models.TextChoices):
        REVOKE = "revoke", "Revoke"
        HOLD = "hold", "Switch Allow Provisioning off"
        ALLOW = "allow", "Switch Allow Provisioning on"

    property = models.ForeignKey(Property, on_delete=models.PROTECT, related_name="+")
    action = models.CharField(max_length=10, choices=Action.choices)

    class Meta:
        indexes = [
            models.Index(fields=["property", "-id"], name="bulk_changes_of_hotel"),
            models.Index(
                fields=["id"], condition=Q(finished_at=None), name="bulk_changes_under_way"
            ),
        ]

    def __str__(self) -> str:
        return f"Change {self.pk}"


class BulkRow(OneHotel):
    """One key of a change: whether it was done, and the result as a sentence without guests.

    ``settled_at`` is the moment that what it changed carries. ``before`` is the permission that each door had which it
    switched, by the id of the door in the keychain: what undoing goes back to.
    """

    State = RowState

    property = models.ForeignKey(Property, on_delete=models.PROTECT, related_name="+")
    change = models.ForeignKey(
        BulkChange, on_delete=models.PROTECT, related_name="rows", db_index=False
    )
    key = models.ForeignKey("keys.Key", on_delete=models.PROTECT, related_name="+")
    state = models.CharField(max_length=10, choices=RowState.choices, default=RowState.WAITING)
    result = models.CharField(max_length=300, blank=True, default="")
    settled_at = models.DateTimeField(null=True)
    before = models.JSONField(default=dict, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["change", "key"], name="key_once_per_bulk_change"),
        ]
        indexes = [
            models.Index(fields=["change", "state", "id"], name="bulk_rows_by_state"),
        ]
