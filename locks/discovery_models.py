"""A look at which locks an account has. ``locks/models.py`` registers it, ``locks/discovering.py`` writes it."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from locks.same_hotel import OneHotel


class Discovery(OneHotel):
    """The last time that an account was asked for its locks: asked for by someone, taken by a worker, ended.

    ``found`` are the locks as the vendor told them, as ``drivers.Found`` has them; it holds no secret. ``problem`` says
    why nothing could be learnt. An account has one; asking again begins it anew.
    """

    property = models.ForeignKey("locks.Property", on_delete=models.PROTECT, related_name="+")
    account = models.OneToOneField(
        "locks.LockAccount", on_delete=models.CASCADE, related_name="discovery"
    )
    asked_at = models.DateTimeField()
    taken_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    problem = models.CharField(max_length=300, blank=True)
    found = models.JSONField(default=list, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(ended_at=None) | Q(taken_at__isnull=False),
                name="discovery_ends_after_it_was_taken",
            ),
        ]
        indexes = [
            models.Index(
                fields=["asked_at"], condition=Q(ended_at=None), name="discoveries_to_make"
            ),
        ]
