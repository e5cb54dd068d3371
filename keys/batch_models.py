"""What recoveries and changes of many keys have in common: who confirmed it, how far it is, cancelling and undoing."""

from __future__ import annotations

import uuid
from datetime import datetime

from django.db import models

from locks.history import Actor, Source
from locks.same_hotel import OneHotel


class RowState(models.TextChoices):
    """What became of one row of a batch."""

    WAITING = "waiting", "Waiting"
    DONE = "done", "Done"
    FAILED = "failed", "Failed"
    SKIPPED = "skipped", "Nothing to do"
    CANCELLED = "cancelled", "Cancelled"
    UNDONE = "undone", "Undone"
    KEPT = "kept", "Not undone"


FIGURES = {
    RowState.DONE: "done",
    RowState.FAILED: "failed",
    RowState.SKIPPED: "skipped",
    RowState.CANCELLED: "cancelled",
    RowState.UNDONE: "undone",
    RowState.KEPT: "kept",
}
"""The column that counts the rows of each state."""


class Batch(OneHotel):
    """Base of something that one person confirmed and that workers do row by row.

    The figures count rows. ``batch_id`` and ``reason`` stand in the history of everything that it changed.
    ``finished_at`` is none while something is to be done, which undoing makes true once more.
    """

    batch_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    source = models.CharField(max_length=10, choices=Source.choices)
    user_id = models.BigIntegerField(null=True)
    actor_label = models.CharField("who", max_length=120)
    reason = models.CharField(max_length=300)
    started_at = models.DateTimeField()
    cancelled_at = models.DateTimeField(null=True)
    undo_asked_at = models.DateTimeField(null=True)
    undo_actor_label = models.CharField("undone by", max_length=120, blank=True, default="")
    undo_user_id = models.BigIntegerField(null=True)
    undo_source = models.CharField(
        max_length=10, choices=Source.choices, blank=True, default=Source.SYSTEM
    )
    finished_at = models.DateTimeField(null=True)
    planned = models.PositiveIntegerField(default=0)
    done = models.PositiveIntegerField(default=0)
    failed = models.PositiveIntegerField(default=0)
    skipped = models.PositiveIntegerField(default=0)
    cancelled = models.PositiveIntegerField(default=0)
    undone = models.PositiveIntegerField(default=0)
    kept = models.PositiveIntegerField(default=0)

    class Meta:
        abstract = True

    def settled(self) -> int:
        """How many rows have their result."""
        return self.done + self.failed + self.skipped + self.cancelled + self.undone + self.kept

    def figures(self) -> list[tuple[str, str, int]]:
        """How many rows have each result that some have: its value, its label, and the number."""
        counted = [(state, getattr(self, name)) for state, name in FIGURES.items()]
        return [(state.value, state.label, many) for state, many in counted if many]

    def state(self) -> str:
        """Where it stands, in words."""
        if self.finished_at is None:
            return "Being undone" if self.undo_asked_at else "Under way"
        if self.undo_asked_at:
            return "Undone"
        return "Cancelled" if self.cancelled_at else "Done"

    def actor(self) -> Actor:
        """Who confirmed it, as history names them."""
        return Actor(
            source=Source(self.source),
            user_id=self.user_id,
            label=self.actor_label,
            reason=self.reason,
            batch_id=self.batch_id,
        )

    def undoer(self) -> Actor:
        """Who undid it, as history names them."""
        return Actor(
            source=Source(self.undo_source),
            user_id=self.undo_user_id,
            label=self.undo_actor_label,
            reason=f"Undone: {self.reason}"[:300],
            batch_id=self.batch_id,
        )

    def ask_undo(self, *, by: Actor, now: datetime) -> None:
        """Note who wants it undone; the rows that were done are the queue from now on. The caller saves."""
        self.undo_asked_at, self.finished_at = now, None
        self.undo_actor_label, self.undo_user_id = by.label, by.user_id
        self.undo_source = by.source.value
