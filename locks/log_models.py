"""What happened at doors: 4117 and its mirror as episodes, and the log. ``locks/models.py`` registers it, ``locks/doorlog.py`` writes it."""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q

from locks.same_hotel import OneHotel


class Episode(OneHotel):
    """A stretch of time in which a due credential was not on its lock (4117), or one that must go was not gone.

    Opened once with a cause, tries counted, closed by the write that succeeds. ``assignment_id`` and ``key_id`` point
    upwards without a foreign key: locks know no keys.
    """

    class Kind(models.TextChoices):
        NOT_WRITTEN = "4117", "4117"
        NOT_REMOVED = "not_removed", "Not removed"

    property = models.ForeignKey("locks.Property", on_delete=models.PROTECT, related_name="+")
    door = models.ForeignKey("locks.Door", on_delete=models.PROTECT, related_name="episodes")
    kind = models.CharField(max_length=12, choices=Kind.choices)
    assignment_id = models.BigIntegerField()
    key_id = models.BigIntegerField()
    cause = models.CharField(max_length=40)
    vendor_code = models.CharField(max_length=40, blank=True)
    tries = models.PositiveIntegerField(default=0)
    opened_at = models.DateTimeField()
    last_try_at = models.DateTimeField(null=True, blank=True)
    closed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["assignment_id", "kind"],
                condition=Q(closed_at=None),
                name="one_open_episode_per_kind",
            ),
            models.CheckConstraint(
                condition=Q(closed_at=None) | Q(closed_at__gte=F("opened_at")),
                name="episode_ends_after_it_began",
            ),
        ]
        indexes = [
            models.Index(
                fields=["property", "-kind", "opened_at", "id"],
                condition=Q(closed_at=None),
                name="open_episodes",
            ),
            models.Index(
                fields=["property", "opened_at", "id"],
                condition=Q(closed_at=None),
                name="open_episodes_by_time",
            ),
            models.Index(
                fields=["property", "-closed_at", "-id"],
                condition=Q(closed_at__isnull=False),
                name="past_episodes",
            ),
        ]


class LogCode(models.TextChoices):
    """What a line of the door log says. 4117 is the article's: a code was not written."""

    NOT_WRITTEN = "4117", "4117"
    WRITTEN = "written", "Written to the lock"
    ACCEPTED = "accepted", "Accepted, not confirmed yet"
    UNCONFIRMED = "unconfirmed", "Not confirmed"
    WRITE_FAILED = "write_failed", "Write failed"
    REMOVED = "removed", "Removed from the lock"
    REMOVE_FAILED = "remove_failed", "Removal not confirmed"
    RESOLVED = "resolved", "4117 resolved"
    REPAIRED = "repaired", "Found out of step and repaired"
    KEPT = "kept", "Changed at the keypad and kept"
    FOREIGN = "foreign", "Unknown credential on the lock"
    FOREIGN_REMOVED = "foreign_removed", "Unknown credential removed"
    FOREIGN_ADOPTED = "foreign_adopted", "Unknown credential made a key"
    REMOTE_UNLOCK = "remote_unlock", "Unlock from Portal"
    BACKUP_GIVEN = "backup_given", "Backup code given"
    CLOCK_SET = "clock_set", "Clock set right"
    MASTER_CODE = "master_code", "Master code changed"
    CARD_ENCODED = "card_encoded", "Keycard encoded"
    CARD_FAILED = "card_failed", "Keycard not encoded"
    UNLOCKED = "unlocked", "Unlocked"
    LOCKED = "locked", "Locked"
    DENIED = "denied", "Refused at the door"
    ONLINE = "online", "Lock online"
    OFFLINE = "offline", "Lock offline"
    BATTERY_LOW = "battery_low", "Battery low"
    CHANGED_AT_LOCK = "changed_at_lock", "Changed at the lock"
    CLOCK_WRONG = "clock_wrong", "Clock wrong"
    TAMPER = "tamper", "Tampered with"
    JAMMED = "jammed", "Bolt jammed"
    LOCKED_OUT = "locked_out", "Keypad blocked after wrong tries"
    OPENED = "opened", "Door opened"
    CLOSED = "closed", "Door closed"
    LEFT_OPEN = "left_open", "Door left open"
    FORCED = "forced", "Door forced"
    REMOVED_FROM_ACCOUNT = "gone", "Lock gone from its account"
    SETTLED = "settled", "The lock system finished a write"
    UNHEARD = "unheard", "Not listened to"
    TAKEN_OVER = "taken_over", "Writer taken over"
    PAIRED = "paired", "Lock hung on this door"
    UNPAIRED = "unpaired", "Lock taken off this door"


RARE_CODES = sorted(
    set(LogCode.values)
    - {LogCode.WRITTEN, LogCode.REMOVED, LogCode.UNLOCKED, LogCode.LOCKED, LogCode.DENIED}
    - {LogCode.OPENED, LogCode.CLOSED, LogCode.SETTLED}
)
"""What a log has few lines of: only these need an index to be found, the others are on every page."""


class DoorLogEntry(models.Model):
    """One line of what happened at a door. Append-only; partitioned by month on PostgreSQL; nothing points at it.

    ``happened_at`` is the lock's own time for its events, Portal's for attempts. ``hint`` shows at most the last two
    digits of a code. The ids of key, person and assignment are kept without foreign keys so that the line outlives them.
    """

    class Origin(models.TextChoices):
        PORTAL = "portal", "Portal"
        LOCK = "lock", "Lock"

    id = models.BigAutoField(primary_key=True)
    property = models.ForeignKey(
        "locks.Property",
        on_delete=models.DO_NOTHING,
        related_name="+",
        db_constraint=False,
        db_index=False,
    )
    door = models.ForeignKey(
        "locks.Door",
        on_delete=models.DO_NOTHING,
        null=True,
        related_name="+",
        db_constraint=False,
        db_index=False,
    )
    lock = models.ForeignKey(
        "locks.Lock",
        on_delete=models.DO_NOTHING,
        null=True,
        related_name="+",
        db_constraint=False,
        db_index=False,
    )
    happened_at = models.DateTimeField()
    received_at = models.DateTimeField()
    origin = models.CharField(max_length=10, choices=Origin.choices)
    code = models.CharField(max_length=16, choices=LogCode.choices)
    cause = models.CharField(max_length=40, blank=True)
    kind = models.CharField(max_length=12, blank=True)
    key_id = models.BigIntegerField(null=True)
    assignment_id = models.BigIntegerField(null=True)
    revision = models.IntegerField(null=True)
    attempt = models.PositiveIntegerField(null=True)
    proof = models.CharField(max_length=12, blank=True)
    vendor_code = models.CharField(max_length=40, blank=True)
    hint = models.CharField(max_length=20, blank=True)
    actor = models.CharField(max_length=120, blank=True)
    external_id = models.CharField(max_length=100, blank=True)

    class Meta:
        verbose_name_plural = "door log entries"
        constraints = [
            models.UniqueConstraint(
                fields=["lock", "happened_at", "external_id"],
                condition=Q(origin="lock"),
                name="lock_event_once",
            ),
        ]
        indexes = [
            models.Index(fields=["property", "-happened_at", "-id"], name="log_of_property"),
            models.Index(fields=["door", "-happened_at", "-id"], name="log_of_door"),
            models.Index(
                fields=["key_id", "-happened_at", "-id"],
                condition=Q(key_id__isnull=False),
                name="log_of_key",
            ),
            models.Index(
                fields=["property", "code", "-happened_at", "-id"],
                condition=Q(code__in=RARE_CODES),
                name="log_of_code",
            ),
        ]
