"""Codes that credentials had before they were drawn anew. ``keys/models.py`` registers it, ``keys/allocation.py`` writes it."""

from __future__ import annotations

from django.db import models

from locks.same_hotel import OneHotel


class FormerCode(OneHotel):
    """The digest of a secret that a credential had from ``since`` until ``until``; the secret itself is not kept.

    It tells an old code from one that never was, when someone asks why it did not open. ``by`` drew the next.
    """

    property = models.ForeignKey("locks.Property", on_delete=models.PROTECT, related_name="+")
    credential = models.ForeignKey(
        "keys.Credential", on_delete=models.PROTECT, related_name="former_codes"
    )
    digest = models.CharField(max_length=64)
    since = models.DateTimeField()
    until = models.DateTimeField()
    by = models.CharField(max_length=120, blank=True)

    class Meta:
        indexes = [models.Index(fields=["property", "digest"], name="former_code_by_digest")]
