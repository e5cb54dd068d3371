"""What is kept of a recovery after an outage: who confirmed what and when, one row per reservation, and calls for support."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from keys.batch_models import Batch, RowState
from keys.remedies import WORDS, Remedy
from locks.models import Property
from locks.same_hotel import OneHotel


class RemedyChoice(models.TextChoices):
    """The remedies as staff read them."""

    REVOKE = Remedy.REVOKE.value, WORDS[Remedy.REVOKE]
    SHORTEN = Remedy.SHORTEN.value, WORDS[Remedy.SHORTEN]
    MOVE = Remedy.MOVE.value, WORDS[Remedy.MOVE]
    EXTEND = Remedy.EXTEND.value, WORDS[Remedy.EXTEND]
    LINK = Remedy.LINK.value, WORDS[Remedy.LINK]
    PROVISION = Remedy.PROVISION.value, WORDS[Remedy.PROVISION]


class Recovery(Batch):
    """One confirmed recovery of one outage; its rows are the queue that workers take from.

    It covers the stays up to the id ``up_to`` as they were seen at ``seen_at``: what came later was not confirmed.
    ``planned_to`` is the last stay that has its row, none once all have.
    """

    property = models.ForeignKey(Property, on_delete=models.PROTECT, related_name="+")
    outage = models.ForeignKey("pms.Outage", on_delete=models.PROTECT, related_name="recoveries")
    before_check_in = models.BooleanField("Write now, before check-in", default=False)
    links_keys = models.BooleanField("Link keys made by hand", default=True)
    seen_at = models.DateTimeField()
    up_to = models.BigIntegerField()
    planned_to = models.BigIntegerField(null=True)

    class Meta:
        verbose_name_plural = "recoveries"
        constraints = [
            models.UniqueConstraint(
                fields=["outage"],
                condition=Q(finished_at=None),
                name="one_recovery_of_an_outage_at_a_time",
            ),
        ]
        indexes = [models.Index(fields=["property", "-id"], name="recoveries_of_hotel")]

    def __str__(self) -> str:
        return f"Recovery {self.pk}"


class RecoveryRow(OneHotel):
    """One reservation of a recovery: what is to be done, whether it was, and the result as a sentence without guests.

    ``key`` is the reservation's key as it was planned, ``twin`` the key made by hand that takes its place. ``settled_at``
    is the moment that the doors it changed carry. Property, reservation and keys are numbers to the database: rows are written by
    the thousand from the very rows that they name, and nothing with a history is ever deleted.
    """

    State = RowState

    property = models.ForeignKey(
        Property, models.DO_NOTHING, related_name="+", db_index=False, db_constraint=False
    )
    recovery = models.ForeignKey(
        Recovery, on_delete=models.PROTECT, related_name="rows", db_index=False
    )
    reservation = models.ForeignKey(
        "pms.Reservation", models.DO_NOTHING, related_name="+", db_index=False, db_constraint=False
    )
    key = models.ForeignKey(
        "keys.Key", models.DO_NOTHING, related_name="+", db_index=False, db_constraint=False
    )
    twin = models.ForeignKey(
        "keys.Key",
        models.DO_NOTHING,
        null=True,
        related_name="+",
        db_index=False,
        db_constraint=False,
    )
    action = models.CharField(max_length=10, choices=RemedyChoice.choices)
    rank = models.PositiveSmallIntegerField()
    state = models.CharField(max_length=10, choices=RowState.choices, default=RowState.WAITING)
    result = models.CharField(max_length=300, blank=True, default="")
    settled_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["recovery", "reservation"], name="stay_once_per_recovery"
            ),
        ]
        indexes = [
            models.Index(
                fields=["recovery", "rank", "id"],
                condition=Q(state="waiting"),
                name="recovery_queue",
            ),
            models.Index(
                fields=["recovery", "state", "reservation"],
                condition=~Q(state__in=["waiting", "done"]),
                name="recovery_results",
            ),
        ]


class SupportRequest(OneHotel):
    """A hotel asks support to release what an outage holds: which outage and how many keys, no guests.

    ``recovery`` is what support started; ``answered_at`` is when.
    """

    property = models.ForeignKey(Property, on_delete=models.PROTECT, related_name="+")
    outage = models.ForeignKey("pms.Outage", on_delete=models.PROTECT, related_name="+")
    keys = models.PositiveIntegerField("keys held")
    asked_by = models.CharField(max_length=120)
    asked_at = models.DateTimeField()
    answered_at = models.DateTimeField(null=True)
    recovery = models.ForeignKey(Recovery, on_delete=models.PROTECT, null=True, related_name="+")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["outage"], condition=Q(answered_at=None), name="one_open_request_per_outage"
            ),
        ]
        indexes = [models.Index(fields=["answered_at", "id"], name="support_queue")]
