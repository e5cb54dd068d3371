"""What is kept of the erasure of a guest. ``keys/models.py`` registers it, ``keys/privacy.py`` writes it."""

from __future__ import annotations

from django.db import models

from locks.history import Source
from locks.same_hotel import OneHotel


class Erasure(OneHotel):
    """A guest's name and contacts were erased: by whom, when and why, and how many rows of which kind that touched.

    It names the guest by the pseudonym that stands in their place now.
    """

    property = models.ForeignKey("locks.Property", on_delete=models.PROTECT, related_name="+")
    guest = models.ForeignKey("keys.Guest", on_delete=models.PROTECT, related_name="erasures")
    pseudonym = models.CharField(max_length=60)
    erased_at = models.DateTimeField()
    by = models.CharField(max_length=120)
    source = models.CharField(max_length=10, choices=Source.choices)
    reason = models.CharField(max_length=300)
    touched = models.JSONField(default=dict)

    class Meta:
        indexes = [models.Index(fields=["property", "-erased_at", "-id"], name="erasures_newest")]

    def __str__(self) -> str:
        return self.pseudonym
