"""What is screwed to the wall: the building, its doors and locks, the way to them, and the log of what happened there."""

from __future__ import annotations

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator
from django.db import models
from django.db.models import F, Q

from locks.clock import zone_names
from locks.drivers import Kind
from locks.history import History, Tracked
from locks.vault import EncryptedTextField


def check_zone(value: str) -> None:
    """Refuse a time zone that this machine does not know."""
    if value not in zone_names():
        raise ValidationError(f"“{value}” is not a time zone; pick one like Europe/Lisbon.")


class KindChoice(models.TextChoices):
    """The three things that can open a lock, as staff call them."""

    DOOR_CODE = Kind.DOOR_CODE.value, "Door Code"
    SMARTKEY = Kind.SMARTKEY.value, "SmartKey"
    KEYCARD = Kind.KEYCARD.value, "Keycard"


class Property(Tracked):
    """A hotel. All its dates and times are shown and typed in ``timezone``; everything inside is UTC."""

    class Mode(models.TextChoices):
        SETUP = "setup", "Setup"
        LIVE = "live", "Live"

    class CheckInRule(models.TextChoices):
        NOT_REQUIRED = "not_required", "Not required"
        FRONT_DESK = "front_desk", "At the front desk"
        ONLINE = "online", "Online"
        EITHER = "either", "At the front desk or online"

    class AfterOutage(models.TextChoices):
        HOLD = "hold", "Hold for staff"
        RELEASE = "release", "Release by itself when checked in"

    name = models.CharField(max_length=100, unique=True)
    timezone = models.CharField(max_length=64, default="Europe/Lisbon", validators=[check_zone])
    mode = models.CharField(max_length=10, choices=Mode.choices, default=Mode.SETUP)
    check_in_rule = models.CharField(
        "Require check-in before provisioning",
        max_length=12,
        choices=CheckInRule.choices,
        default=CheckInRule.EITHER,
        help_text="Applies to keys that come from a reservation.",
    )
    arrival_time = models.TimeField(default="15:00")
    departure_time = models.TimeField(default="11:00")
    after_outage = models.CharField(
        max_length=10, choices=AfterOutage.choices, default=AfterOutage.HOLD
    )
    write_lead_minutes = models.PositiveSmallIntegerField(
        "Locks without own time windows open up to this many minutes early",
        default=0,
        validators=[MaxValueValidator(240)],
    )
    code_length = models.PositiveSmallIntegerField("Digits of a random Door Code", default=6)
    created_at = models.DateTimeField(auto_now_add=True)
    history = History()

    class Meta:
        verbose_name_plural = "properties"
        constraints = [
            models.CheckConstraint(
                condition=Q(code_length__gte=4) & Q(code_length__lte=12), name="code_length_4_to_12"
            ),
            models.CheckConstraint(
                condition=Q(write_lead_minutes__lte=240), name="lead_at_most_4_h"
            ),
        ]

    def __str__(self) -> str:
        return self.name


class Pulse(models.Model):
    """A number per property that grows with every change staff could see; open pages ask for nothing else."""

    property = models.OneToOneField(Property, on_delete=models.CASCADE, primary_key=True)
    number = models.BigIntegerField(default=0)


class LockAccount(Tracked):
    """One login at one lock vendor. An account error stops all its locks, with one alarm."""

    class State(models.TextChoices):
        WORKING = "working", "Working"
        BROKEN = "broken", "Broken"

    property = models.ForeignKey(Property, on_delete=models.PROTECT, related_name="lock_accounts")
    driver = models.CharField(max_length=30)
    name = models.CharField(max_length=100)
    base_url = models.CharField(max_length=300, blank=True)
    token = EncryptedTextField(blank=True, default="")
    state = models.CharField(max_length=10, choices=State.choices, default=State.WORKING)
    broken_at = models.DateTimeField(null=True, blank=True)
    problem = models.CharField(max_length=200, blank=True)
    event_cursor = models.CharField(max_length=200, blank=True)
    history = History(excluded_fields=["token", "event_cursor"])

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["property", "name"], name="account_once_per_property"),
            models.CheckConstraint(
                condition=Q(state="working", broken_at=None)
                | Q(state="broken", broken_at__isnull=False),
                name="account_broken_has_a_time",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class Writer(models.Model):
    """The right to write to one lock, or to all locks behind one gateway: a lease by the database's clock.

    ``until_ms`` is milliseconds since 1970 UTC, 0 when free. ``fence`` grows with every grant; whoever holds an older
    one may settle nothing. An ``owner`` that is still there when ``until_ms`` has passed died or was paused.
    """

    property = models.ForeignKey(Property, on_delete=models.PROTECT, related_name="+")
    owner = models.CharField(max_length=64, blank=True, default="")
    fence = models.BigIntegerField(default=0)
    until_ms = models.BigIntegerField(default=0)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=~Q(owner="") | Q(until_ms=0), name="a_free_writer_has_no_end"
            ),
        ]


class Gateway(models.Model):
    """A box through which several locks are reached, one write at a time."""

    property = models.ForeignKey(Property, on_delete=models.PROTECT, related_name="gateways")
    account = models.ForeignKey(LockAccount, on_delete=models.PROTECT, related_name="gateways")
    writer = models.OneToOneField(Writer, on_delete=models.PROTECT, related_name="gateway")
    external_id = models.CharField(max_length=100)
    name = models.CharField(max_length=100)
    is_online = models.BooleanField(default=True)
    offline_since = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["account", "external_id"], name="gateway_once"),
            models.CheckConstraint(
                condition=Q(is_online=True, offline_since=None)
                | Q(is_online=False, offline_since__isnull=False),
                name="gateway_offline_has_a_since",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class Door(Tracked):
    """A physical access point, with or without a lock."""

    class Type(models.TextChoices):
        PRIVATE_ROOM = "private_room", "Private Room"
        SHARED_ROOM = "shared_room", "Shared Room"
        ENTRANCE = "entrance", "Entrance"
        LIFT = "lift", "Lift"
        SERVICE_AREA = "service_area", "Service Area"
        LOCKER = "locker", "Locker"

    property = models.ForeignKey(Property, on_delete=models.PROTECT, related_name="doors")
    name = models.CharField(max_length=60)
    type = models.CharField(max_length=20, choices=Type.choices, default=Type.PRIVATE_ROOM)
    location = models.CharField(max_length=100, blank=True)
    arrival_time = models.TimeField(null=True, blank=True, help_text="Empty: the property’s.")
    departure_time = models.TimeField(null=True, blank=True, help_text="Empty: the property’s.")
    linked_doors: models.ManyToManyField[Door, DoorLink] = models.ManyToManyField(
        "self", through="DoorLink", symmetrical=False, related_name="linked_from"
    )
    archived_at = models.DateTimeField(null=True, blank=True)
    history = History()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["property", "name"],
                condition=Q(archived_at=None),
                name="door_name_once_per_property",
                violation_error_message="This property already has a door of that name.",
            ),
        ]
        indexes = [models.Index(fields=["property", "name", "id"], name="door_list")]

    def __str__(self) -> str:
        return self.name


class DoorLink(models.Model):
    """``linked`` opens together with ``door``: the entrance with the room."""

    property = models.ForeignKey(Property, on_delete=models.PROTECT, related_name="+")
    door = models.ForeignKey(Door, on_delete=models.CASCADE, related_name="links")
    linked = models.ForeignKey(Door, on_delete=models.CASCADE, related_name="links_to_me")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["door", "linked"], name="door_linked_once"),
            models.CheckConstraint(condition=~Q(door=F("linked")), name="no_door_links_itself"),
        ]


class Lock(models.Model):
    """The device on a door, as last heard of.

    ``native_window`` means that the lock itself opens and closes a credential's window; without it Portal writes at the
    start and removes at the end. ``read_back_at`` is when the lock must be read and compared with what it should hold.
    """

    property = models.ForeignKey(Property, on_delete=models.PROTECT, related_name="locks")
    account = models.ForeignKey(LockAccount, on_delete=models.PROTECT, related_name="locks")
    gateway = models.ForeignKey(
        Gateway, on_delete=models.PROTECT, null=True, blank=True, related_name="locks"
    )
    writer = models.ForeignKey(Writer, on_delete=models.PROTECT, related_name="locks")
    door = models.OneToOneField(
        Door, on_delete=models.PROTECT, null=True, blank=True, related_name="lock"
    )
    external_id = models.CharField(max_length=100)
    name = models.CharField(max_length=100)
    model = models.CharField(max_length=60, blank=True)
    native_window = models.BooleanField(default=True)
    takes_door_codes = models.BooleanField(default=True)
    takes_smartkeys = models.BooleanField(default=True)
    takes_keycards = models.BooleanField(default=False)
    code_min = models.PositiveSmallIntegerField(default=4)
    code_max = models.PositiveSmallIntegerField(default=9)
    max_codes = models.PositiveIntegerField(default=250)
    is_online = models.BooleanField(default=True)
    offline_since = models.DateTimeField(null=True, blank=True)
    offline_tries = models.PositiveIntegerField(default=0)
    next_try_at = models.DateTimeField(null=True, blank=True)
    battery = models.PositiveSmallIntegerField(null=True, blank=True)
    clock_offset_s = models.FloatField(null=True, blank=True)
    last_heard_at = models.DateTimeField(null=True, blank=True)
    read_back_at = models.DateTimeField(null=True, blank=True)
    read_backs_left = models.PositiveSmallIntegerField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["account", "external_id"], name="device_once"),
            models.CheckConstraint(
                condition=Q(is_online=True, offline_since=None)
                | Q(is_online=False, offline_since__isnull=False),
                name="lock_offline_has_a_since",
            ),
            models.CheckConstraint(
                condition=Q(code_min__lte=F("code_max")), name="code_min_up_to_max"
            ),
        ]
        indexes = [
            models.Index(
                fields=["read_back_at"],
                condition=Q(read_back_at__isnull=False),
                name="lock_read_back_due",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    def takes(self, kind: Kind | str) -> bool:
        """Whether this lock can hold credentials of that kind."""
        return {
            Kind.DOOR_CODE: self.takes_door_codes,
            Kind.SMARTKEY: self.takes_smartkeys,
            Kind.KEYCARD: self.takes_keycards,
        }[Kind(kind)]


class Episode(models.Model):
    """A stretch of time in which a due credential was not on its lock (4117), or one that must go was not gone.

    Opened once with a cause, tries counted, closed by the write that succeeds. ``assignment_id`` and ``key_id`` point
    upwards without a foreign key: locks know no keys.
    """

    class Kind(models.TextChoices):
        NOT_WRITTEN = "4117", "4117"
        NOT_REMOVED = "not_removed", "Not removed"

    property = models.ForeignKey(Property, on_delete=models.PROTECT, related_name="+")
    door = models.ForeignKey(Door, on_delete=models.PROTECT, related_name="episodes")
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
                fields=["property", "kind", "opened_at"],
                condition=Q(closed_at=None),
                name="open_episodes",
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
    FOREIGN = "foreign", "Unknown credential on the lock"
    UNLOCKED = "unlocked", "Unlocked"
    LOCKED = "locked", "Locked"
    DENIED = "denied", "Refused at the door"
    ONLINE = "online", "Lock online"
    OFFLINE = "offline", "Lock offline"
    BATTERY_LOW = "battery_low", "Battery low"
    CHANGED_AT_LOCK = "changed_at_lock", "Changed at the lock"
    CLOCK_WRONG = "clock_wrong", "Clock wrong"
    TAMPER = "tamper", "Tampered with"
    TAKEN_OVER = "taken_over", "Writer taken over"


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
        Property, on_delete=models.DO_NOTHING, related_name="+", db_constraint=False
    )
    door = models.ForeignKey(
        Door, on_delete=models.DO_NOTHING, null=True, related_name="+", db_constraint=False
    )
    lock = models.ForeignKey(
        Lock, on_delete=models.DO_NOTHING, null=True, related_name="+", db_constraint=False
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
                fields=["lock", "external_id", "happened_at"],
                condition=Q(origin="lock"),
                name="lock_event_once",
            ),
        ]
        indexes = [
            models.Index(fields=["property", "-happened_at", "-id"], name="log_of_property"),
            models.Index(fields=["door", "-happened_at", "-id"], name="log_of_door"),
            models.Index(fields=["key_id", "-happened_at"], name="log_of_key"),
        ]
