"""What is screwed to the wall: the building, its doors and locks, and the way to them."""

from __future__ import annotations

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Lower

from locks.clock import zone_names
from locks.discovery_models import Discovery  # noqa: F401 - so that Django knows it
from locks.drivers import Kind
from locks.errand_models import Errand  # noqa: F401 - so that Django knows it
from locks.history import History, Tracked
from locks.intake_models import Intake  # noqa: F401 - so that Django knows it
from locks.log_models import DoorLogEntry, Episode  # noqa: F401 - so that Django knows them
from locks.same_hotel import OneHotel
from locks.slot_models import ForeignCode, SlotUse, VendorId  # noqa: F401 - so that Django knows them
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
    """A hotel. All its dates and times are shown and typed in ``timezone``; everything inside is UTC.

    ``common_doors`` is empty until someone has chosen; until then no key of a room opens such a door.
    """

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

    class CommonDoors(models.TextChoices):
        NONE = "none", "No key of a room opens them"
        ALL = "all", "The key of every room opens them"

    class ReopenedCode(models.TextChoices):
        SAME = "same", "The Door Code that the guest had"
        NEW = "new", "A new Door Code"

    class WholeHours(models.TextChoices):
        ROUND = "round", "Begin the hour before and end the hour after"
        REFUSE = "refuse", "Refuse times that are not whole hours"

    class KeypadChanges(models.TextChoices):
        RESTORE = "restore", "Put our code back"
        HONOR = "honor", "Keep the new code on that lock"

    class GuestMessages(models.TextChoices):
        OFF = "off", "Off"
        ON_KEY = "on_key", "When the code is on its locks"
        ON_CHECK_IN = "on_check_in", "After check-in at the front desk only"

    class GuestChannels(models.TextChoices):
        EMAIL = "email", "E-mail"
        SMS = "sms", "SMS"
        BOTH = "both", "E-mail and SMS"

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
    backup_codes = models.PositiveSmallIntegerField(
        "Backup codes kept on the lock of each room",
        default=0,
        validators=[MaxValueValidator(5)],
        help_text="For a guest whose own code does not get to the lock. Each takes a place of the lock’s memory.",
    )
    common_doors = models.CharField(
        "Common doors that no room is linked to",
        max_length=4,
        choices=CommonDoors.choices,
        blank=True,
        default="",
    )
    reopened_code = models.CharField(
        "A cancelled reservation that is booked again gets",
        max_length=4,
        choices=ReopenedCode.choices,
        default=ReopenedCode.SAME,
        help_text="A code that someone else got meanwhile is drawn anew in any case; one that staff chose stays.",
    )
    keypad_changes = models.CharField(
        "A guest’s code that was changed at the keypad",
        max_length=7,
        choices=KeypadChanges.choices,
        default=KeypadChanges.RESTORE,
    )
    whole_hours = models.CharField(
        "Locks that take whole hours only",
        max_length=6,
        choices=WholeHours.choices,
        default=WholeHours.ROUND,
    )
    guest_messages = models.CharField(
        "Send Door Codes to guests",
        max_length=12,
        choices=GuestMessages.choices,
        default=GuestMessages.OFF,
    )
    guest_messages_since = models.DateTimeField(null=True, blank=True, editable=False)
    guest_channels = models.CharField(
        "Messages go by", max_length=5, choices=GuestChannels.choices, default=GuestChannels.EMAIL
    )
    guest_lead_hours = models.PositiveSmallIntegerField(
        "Not earlier than this many hours before the arrival",
        default=0,
        validators=[MaxValueValidator(720)],
    )
    guests_kept_days = models.PositiveSmallIntegerField(
        "Days that guests’ names and contacts are kept after their stay",
        default=365,
        validators=[MinValueValidator(7), MaxValueValidator(3650)],
        help_text="Then a name becomes a number, and contacts, messages and notes go. Doors and times stay in the log.",
    )
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
            models.CheckConstraint(condition=Q(backup_codes__lte=5), name="backup_codes_at_most_5"),
            models.CheckConstraint(
                condition=Q(guests_kept_days__gte=7, guests_kept_days__lte=3650),
                name="guests_kept_a_week_to_ten_years",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class Pulse(models.Model):
    """A number per property that grows with every change staff could see; open pages ask for nothing else."""

    property = models.OneToOneField(Property, on_delete=models.CASCADE, primary_key=True)
    number = models.BigIntegerField(default=0)


class LockAccount(Tracked):
    """One login at one lock vendor. An account error stops all its locks, with one alarm.

    A disconnected one has no token; its locks, their doors and what lies on them stay for the next Connect.
    ``next_poll_at`` is before when routine does not ask for its events, none where it may at any time.
    ``listener`` is the process that keeps its line open until ``listening_until``, ``heard_until`` until when nothing it told was missed.
    ``refused_calls`` counts what was called in at its address and was not the vendor's. ``renewing_until`` is until when
    one worker renews its token; ``renewal_refused`` is the fingerprint of a token that the vendor will not renew.
    """

    class State(models.TextChoices):
        WORKING = "working", "Working"
        BROKEN = "broken", "Broken"
        DISCONNECTED = "disconnected", "Disconnected"

    property = models.ForeignKey(Property, on_delete=models.PROTECT, related_name="lock_accounts")
    driver = models.CharField(max_length=30)
    name = models.CharField(max_length=100)
    base_url = models.CharField(max_length=300, blank=True)
    token = EncryptedTextField(blank=True, default="")
    state = models.CharField(max_length=12, choices=State.choices, default=State.WORKING)
    broken_at = models.DateTimeField(null=True, blank=True)
    disconnected_at = models.DateTimeField(null=True, blank=True)
    problem = models.CharField(max_length=200, blank=True)
    event_cursor = models.TextField(blank=True, default="")
    next_poll_at = models.DateTimeField(null=True, blank=True)
    refused_calls = models.PositiveIntegerField(default=0, editable=False)
    refused_call_at = models.DateTimeField(null=True, blank=True, editable=False)
    listener = models.CharField(max_length=32, blank=True, default="", editable=False)
    listening_until = models.DateTimeField(null=True, blank=True, editable=False)
    heard_until = models.DateTimeField(null=True, blank=True, editable=False)
    renewing_until = models.DateTimeField(null=True, blank=True, editable=False)
    renewal_refused = models.CharField(max_length=64, blank=True, default="", editable=False)
    history = History(
        excluded_fields=[
            "token",
            "event_cursor",
            "next_poll_at",
            "refused_calls",
            "refused_call_at",
            "listener",
            "listening_until",
            "heard_until",
            "renewing_until",
            "renewal_refused",
        ]
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["property", "name"], name="account_once_per_property"),
            models.CheckConstraint(
                condition=Q(state="broken", broken_at__isnull=False)
                | (~Q(state="broken") & Q(broken_at=None)),
                name="account_broken_has_a_time",
            ),
            models.CheckConstraint(
                condition=Q(state="disconnected", disconnected_at__isnull=False)
                | (~Q(state="disconnected") & Q(disconnected_at=None)),
                name="account_disconnected_has_a_time",
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


class Gateway(OneHotel):
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

    OF_A_ROOM = frozenset({Type.PRIVATE_ROOM, Type.SHARED_ROOM})
    """All others are common doors: for more than one room."""

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
        indexes = [
            models.Index(fields=["property", "name", "id"], name="door_list"),
            models.Index(F("property"), Lower("name"), name="door_by_any_case"),
        ]

    def __str__(self) -> str:
        return self.name


class DoorLink(OneHotel):
    """``linked`` opens together with ``door``: the entrance with the room."""

    property = models.ForeignKey(Property, on_delete=models.PROTECT, related_name="+")
    door = models.ForeignKey(Door, on_delete=models.CASCADE, related_name="links")
    linked = models.ForeignKey(Door, on_delete=models.CASCADE, related_name="links_to_me")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["door", "linked"], name="door_linked_once"),
            models.CheckConstraint(condition=~Q(door=F("linked")), name="no_door_links_itself"),
        ]


class Lock(OneHotel):
    """The device on a door, as last heard of.

    ``native_window`` means that the lock itself opens and closes a credential's window; without it Portal writes at the
    start and removes at the end. ``whole_hours``: its windows begin and end on the hour. ``read_back_at`` is when the lock must be read and compared with what it should hold.
    ``first_slot`` is the number of its first place for a code where Portal chooses the place, none where the vendor does.
    ``reach_told_at`` is when, by the lock's or vendor's own clock, it was last told to be online or offline.
    ``last_read_at`` is when it was last read and compared with what it should hold.
    ``clock_offset_s`` is the lock's time minus the true time and ``utc_offset_s`` its local time minus UTC, in seconds and as
    of ``health_read_at``, where the lock tells such things; ``next_health_at`` is when it is asked again.
    ``clock_wrong_since`` is set while its clock is off by more than ``clock.DRIFT_S``.
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
    whole_hours = models.BooleanField(default=False)
    takes_door_codes = models.BooleanField(default=True)
    takes_smartkeys = models.BooleanField(default=True)
    takes_keycards = models.BooleanField(default=False)
    code_min = models.PositiveSmallIntegerField(default=4)
    code_max = models.PositiveSmallIntegerField(default=9)
    max_codes = models.PositiveIntegerField(default=250)
    first_slot = models.PositiveIntegerField(null=True, blank=True)
    is_online = models.BooleanField(default=True)
    offline_since = models.DateTimeField(null=True, blank=True)
    offline_tries = models.PositiveIntegerField(default=0)
    next_try_at = models.DateTimeField(null=True, blank=True)
    battery = models.PositiveSmallIntegerField(null=True, blank=True)
    clock_offset_s = models.FloatField(null=True, blank=True)
    utc_offset_s = models.FloatField(null=True, blank=True)
    health_read_at = models.DateTimeField(null=True, blank=True)
    next_health_at = models.DateTimeField(null=True, blank=True)
    clock_wrong_since = models.DateTimeField(null=True, blank=True)
    last_heard_at = models.DateTimeField(null=True, blank=True)
    reach_told_at = models.DateTimeField(null=True, blank=True)
    last_read_at = models.DateTimeField(null=True, blank=True)
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
            models.Index(fields=["next_health_at"], name="lock_health_due"),
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
