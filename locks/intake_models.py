"""Events that were given to Portal and are not in the door log yet. ``locks/models.py`` registers it, ``locks/intake.py`` uses it."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from locks.same_hotel import OneHotel
from locks.vault import EncryptedTextField


class Intake(OneHotel):
    """Some events of one hotel, as they were called in, posted or read from a file. A row is the queue.

    ``body`` is emptied once the events are in the log: it may hold codes that were typed, and lies encrypted until then.
    """

    class Source(models.TextChoices):
        HOOK = "hook", "Called in by the lock system"
        API = "api", "Posted to the API"
        FILE = "file", "Read from a file"

    property = models.ForeignKey("locks.Property", on_delete=models.PROTECT, related_name="+")
    source = models.CharField(max_length=4, choices=Source.choices)
    body = EncryptedTextField(blank=True, default="")
    events = models.PositiveIntegerField()
    new = models.PositiveIntegerField(null=True)
    received_at = models.DateTimeField()
    next_try_at = models.DateTimeField()
    tries = models.PositiveIntegerField(default=0)
    processed_at = models.DateTimeField(null=True, blank=True)
    result = models.CharField(max_length=60, blank=True, default="")

    class Meta:
        verbose_name_plural = "intake"
        indexes = [
            models.Index(
                fields=["next_try_at", "id"], condition=Q(processed_at=None), name="intake_due"
            ),
            models.Index(
                fields=["processed_at"],
                condition=Q(processed_at__isnull=False),
                name="intake_done",
            ),
        ]
