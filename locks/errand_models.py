"""What staff asked of a lock beside its credentials. ``locks/models.py`` registers it, ``keys/errands.py`` carries it out."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from locks.same_hotel import OneHotel
from locks.vault import EncryptedTextField


class Errand(OneHotel):
    """One thing to do at one lock, once: asked by a person, done through the lease of the lock's writer.

    ``due_at`` is the queue, none when it is over. ``result`` is how the lock system answered, or that nobody came to it
    before ``expires_at``; ``cause`` why not, ``proof`` how far a success is proven. ``secret`` is the code that the lock is
    to be given, until it is over.
    """

    class What(models.TextChoices):
        CHECK = "check", "Ask how it is"
        SYNC_CLOCK = "sync_clock", "Sync clock"
        UNLOCK = "unlock", "Unlock"
        REMOVE_FOREIGN = "remove_foreign", "Remove a foreign code"
        MASTER_CODE = "master_code", "Change the master code"

    class Result(models.TextChoices):
        CONFIRMED = "confirmed", "Done"
        ACCEPTED = "accepted", "Accepted by the lock system, not confirmed"
        UNKNOWN = "unknown", "No answer: it may have been done"
        FAILED = "failed", "Not done"
        EXPIRED = "expired", "Not done: the lock was not reached in time"

    property = models.ForeignKey("locks.Property", on_delete=models.PROTECT, related_name="+")
    lock = models.ForeignKey("locks.Lock", on_delete=models.CASCADE, related_name="errands")
    writer = models.ForeignKey("locks.Writer", on_delete=models.PROTECT, related_name="+")
    foreign = models.ForeignKey(
        "locks.ForeignCode",
        on_delete=models.CASCADE,
        null=True,
        blank=True,
        related_name="errands",
    )
    what = models.CharField(max_length=16, choices=What.choices)
    asked_by = models.CharField(max_length=120)
    asked_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    due_at = models.DateTimeField(null=True, blank=True)
    tries = models.PositiveIntegerField(default=0)
    done_at = models.DateTimeField(null=True, blank=True)
    secret = EncryptedTextField(blank=True, default="")
    result = models.CharField(max_length=12, choices=Result.choices, blank=True, default="")
    proof = models.CharField(max_length=12, blank=True, default="")
    cause = models.CharField(max_length=40, blank=True, default="")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["lock", "what"],
                condition=Q(done_at=None, foreign=None),
                name="errand_open_once",
            ),
            models.UniqueConstraint(
                fields=["foreign"],
                condition=Q(done_at=None, foreign__isnull=False),
                name="foreign_errand_open_once",
            ),
            models.CheckConstraint(
                condition=Q(done_at=None, result="", due_at__isnull=False)
                | (Q(done_at__isnull=False, due_at=None) & ~Q(result="")),
                name="errand_is_due_or_done",
            ),
        ]
        indexes = [
            models.Index(fields=["due_at"], condition=Q(due_at__isnull=False), name="errands_due"),
            models.Index(fields=["lock", "-asked_at", "-id"], name="errands_of_lock"),
        ]
