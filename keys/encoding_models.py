"""Keycards that staff had written at an encoder. ``keys/models.py`` registers it, ``keys/encoding.py`` writes it."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from locks.same_hotel import OneHotel
from locks.vault import EncryptedTextField


class CardEncoding(OneHotel):
    """One attempt to write one card for one person of a key: asked for by someone, taken by a worker, ended.

    ``result`` is how the encoder answered and ``cause`` why not. Only CONFIRMED gave the person the card; UNKNOWN means
    that nobody can say what is on it, so it opens nothing. ``card`` is its number until the attempt has ended, ``hint``
    its last two characters.
    """

    class Result(models.TextChoices):
        CONFIRMED = "confirmed", "Encoded"
        FAILED = "failed", "Not encoded"
        UNKNOWN = "unknown", "No answer from the encoder: the card was not given out"

    property = models.ForeignKey("locks.Property", on_delete=models.PROTECT, related_name="+")
    account = models.ForeignKey("locks.LockAccount", on_delete=models.CASCADE, related_name="+")
    key = models.ForeignKey("keys.Key", on_delete=models.PROTECT, related_name="encodings")
    person = models.ForeignKey("keys.Person", on_delete=models.PROTECT, related_name="encodings")
    card = EncryptedTextField(blank=True, default="")
    hint = models.CharField(max_length=20)
    asked_by = models.CharField(max_length=120)
    asked_at = models.DateTimeField()
    taken_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    result = models.CharField(max_length=12, choices=Result.choices, blank=True, default="")
    cause = models.CharField(max_length=40, blank=True, default="")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["account"], condition=Q(ended_at=None), name="one_card_on_an_encoder"
            ),
            models.CheckConstraint(
                condition=Q(ended_at=None, result="") | (Q(ended_at__isnull=False) & ~Q(result="")),
                name="encoding_is_open_or_ended",
            ),
        ]
        indexes = [
            models.Index(fields=["asked_at"], condition=Q(ended_at=None), name="encodings_to_make"),
            models.Index(fields=["person", "-asked_at", "-id"], name="encodings_of_person"),
        ]
