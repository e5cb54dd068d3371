"""What people are told: one alert per stretch of trouble for staff, one message per news for a guest. ``keys/models.py`` registers them."""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q

from locks.models import Property
from locks.same_hotel import OneHotel
from locks.vault import EncryptedTextField


class Alert(models.Model):
    """One stretch of trouble that someone should know of, from when it began until it was found to be over.

    ``about`` names what is in trouble, such as ``door:7``; with the kind it tells stretches apart. ``guests`` is how many
    guests are at risk by the last look, ``most_guests`` the most at any look. ``sentence`` names doors and things, never
    guests and codes. ``rank`` orders kinds by urgency, the most urgent first. ``keys/alerts.py`` is the only writer.
    """

    class Kind(models.TextChoices):
        REMOVALS = "removals", "Removal not confirmed"
        ARRIVALS = "arrivals", "Arrivals at risk"
        PMS_BROKEN = "pms_broken", "PMS broken"
        PMS_SILENT = "pms_silent", "PMS silent"
        PMS_MISSING = "pms_missing", "Reservations missing in the PMS"
        GATEWAY = "gateway", "Gateway offline"
        ACCOUNT = "account", "Lock account broken"
        CLOCK = "clock", "Lock clock wrong"

    property = models.ForeignKey(
        Property, on_delete=models.PROTECT, related_name="alerts", db_index=False
    )
    kind = models.CharField(max_length=12, choices=Kind.choices)
    rank = models.PositiveSmallIntegerField()
    about = models.CharField(max_length=40)
    subject = models.CharField(max_length=120)
    sentence = models.CharField(max_length=400)
    guests = models.PositiveIntegerField(default=0)
    most_guests = models.PositiveIntegerField(default=0)
    opened_at = models.DateTimeField()
    found_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["property", "kind", "about"],
                condition=Q(closed_at=None),
                name="one_open_alert_per_trouble",
            ),
            models.CheckConstraint(
                condition=Q(closed_at=None) | Q(closed_at__gte=F("opened_at")),
                name="alert_ends_after_it_began",
            ),
        ]
        indexes = [
            models.Index(
                fields=["property", "rank", "id"],
                condition=Q(closed_at=None),
                name="alerts_open",
            ),
            models.Index(
                fields=["property", "-closed_at", "-id"],
                condition=Q(closed_at__isnull=False),
                name="alerts_past",
            ),
            models.Index(fields=["property", "-opened_at", "-id"], name="alerts_by_beginning"),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()}: {self.subject}"

    def is_urgent(self) -> bool:
        """Whether a stranger may enter or a guest is at risk; the other troubles can wait for the morning."""
        count = self.guests if self.closed_at is None else self.most_guests
        return self.kind == self.Kind.REMOVALS or count > 0


class GuestMessage(OneHotel):
    """One message to one guest by one channel about one Door Code as it was at ``revision``, on the doors ``doors``.

    ``number`` counts the messages about a credential by a channel, so that two workers cannot both send the next.
    ``doors`` are ids with commas between. ``next_try_at`` is none when nothing more is to be done; a worker moves it on
    before it sends. Address and text lie encrypted and have no history. ``keys/messages.py`` is the only writer.
    """

    class Why(models.TextChoices):
        MADE = "made", "Key made"
        CODE = "code", "Code changed"
        ROOM = "room", "Room changed"
        BACK = "back", "Valid again"
        AGAIN = "again", "Sent by staff"

    class State(models.TextChoices):
        WAITING = "waiting", "Being sent"
        SENT = "sent", "Sent"
        FAILED = "failed", "Not sent"
        DROPPED = "dropped", "Not sent: no longer true"

    class Channel(models.TextChoices):
        EMAIL = "email", "E-mail"
        SMS = "sms", "SMS"

    property = models.ForeignKey(Property, on_delete=models.PROTECT, related_name="+")
    key = models.ForeignKey("keys.Key", on_delete=models.PROTECT, related_name="messages")
    credential = models.ForeignKey(
        "keys.Credential", on_delete=models.PROTECT, related_name="messages", db_index=False
    )
    channel = models.CharField(max_length=5, choices=Channel.choices)
    number = models.PositiveIntegerField()
    why = models.CharField(max_length=5, choices=Why.choices)
    state = models.CharField(max_length=7, choices=State.choices, default=State.WAITING)
    revision = models.PositiveIntegerField()
    doors = models.CharField(max_length=1000)
    address = EncryptedTextField()
    body = EncryptedTextField(blank=True, default="")
    asked_by = models.CharField(max_length=120, blank=True)
    made_at = models.DateTimeField()
    next_try_at = models.DateTimeField(null=True, blank=True)
    tries = models.PositiveSmallIntegerField(default=0)
    sent_at = models.DateTimeField(null=True, blank=True)
    problem = models.CharField(max_length=100, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["credential", "channel", "number"], name="guest_message_once"
            ),
            models.CheckConstraint(
                condition=Q(state="waiting", next_try_at__isnull=False)
                | (~Q(state="waiting") & Q(next_try_at=None)),
                name="only_what_waits_is_tried",
            ),
        ]
        indexes = [
            models.Index(
                fields=["next_try_at"],
                condition=Q(next_try_at__isnull=False),
                name="guest_messages_due",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_why_display()}, {self.get_channel_display()}"
