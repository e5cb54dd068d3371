"""Codes that wait on locks for a guest whose own code does not get there. ``keys/models.py`` registers it, ``keys/backups.py`` writes it."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from locks.same_hotel import OneHotel


class BackupCode(OneHotel):
    """A code on one door's lock that is nobody's yet, and the ledger of whom it was given to, by whom, when and why.

    ``key`` is an ordinary key without a guest that holds the code. ``rotated_at`` is when that key was ended: after the
    stay of the guest who was given it, or because it was not needed any more.
    """

    property = models.ForeignKey("locks.Property", on_delete=models.PROTECT, related_name="+")
    door = models.ForeignKey("locks.Door", on_delete=models.PROTECT, related_name="backup_codes")
    key = models.OneToOneField("keys.Key", on_delete=models.PROTECT, related_name="backup")
    made_at = models.DateTimeField()
    given_for = models.ForeignKey(
        "keys.Key", on_delete=models.PROTECT, null=True, related_name="backups_given"
    )
    given_by = models.CharField(max_length=120, blank=True, default="")
    given_at = models.DateTimeField(null=True)
    because = models.CharField(max_length=200, blank=True, default="")
    rotated_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(given_for=None, given_at=None)
                | Q(given_for__isnull=False, given_at__isnull=False),
                name="backup_given_has_a_time",
            ),
            models.UniqueConstraint(
                fields=["given_for", "door"],
                condition=Q(rotated_at=None, given_for__isnull=False),
                name="one_backup_per_guest_and_door",
            ),
        ]
        indexes = [
            models.Index(
                fields=["door"],
                condition=Q(given_for=None, rotated_at=None),
                name="backups_at_hand",
            ),
            models.Index(
                fields=["property", "-given_at", "-id"],
                condition=Q(given_at__isnull=False),
                name="backups_given_by_time",
            ),
            models.Index(
                fields=["given_at"],
                condition=Q(given_at__isnull=False, rotated_at=None),
                name="backups_to_rotate",
            ),
        ]
