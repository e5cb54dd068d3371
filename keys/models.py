"""What a guest holds: the key, its doors, its credentials, and the place of each credential on each door's lock."""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Coalesce, Least

from keys.backup_models import BackupCode  # noqa: F401 - so that Django knows it
from keys.bulk_models import BulkChange, BulkRow
from keys.encoding_models import CardEncoding  # noqa: F401 - so that Django knows it
from keys.past_models import FormerCode  # noqa: F401 - so that Django knows it
from keys.recovery_models import Recovery, RecoveryRow, SupportRequest
from keys.rules import Hold, Permission, Waits
from keys.telling_models import Alert, GuestMessage  # noqa: F401 - so that Django knows them
from locks.history import History, Tracked
from locks.models import Door, KindChoice, Lock, Property, Writer
from locks.same_hotel import OneHotel
from locks.vault import EncryptedTextField
from pms.models import Outage, Reservation

__all__ = [
    "BulkChange",
    "BulkRow",
    "Recovery",
    "RecoveryRow",
    "SupportRequest",
]  # models of this app, found through this file


class PermissionChoice(models.TextChoices):
    """The rule's permissions as staff read them in history."""

    AUTOMATIC = Permission.AUTOMATIC.value, "On: by the property’s rule"
    ALLOWED_BEFORE_CHECK_IN = Permission.ALLOWED_BEFORE_CHECK_IN.value, "On: also before check-in"
    HELD_BY_STAFF = Permission.HELD_BY_STAFF.value, "Off: by staff"
    HELD_BY_OUTAGE = Permission.HELD_BY_OUTAGE.value, "Off: came in while the PMS was broken"


class Guest(models.Model):
    """A person as the hotel knows them. No field history: erasing pseudonymizes the row and nothing remembers."""

    property = models.ForeignKey(Property, on_delete=models.PROTECT, related_name="guests")
    name = models.CharField(max_length=200)
    email = EncryptedTextField(blank=True, default="")
    phone = EncryptedTextField(blank=True, default="")
    external_id = models.CharField(max_length=80, blank=True)
    erased_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes = [models.Index(fields=["property", "external_id"], name="guest_by_pms_id")]

    def __str__(self) -> str:
        return self.name


class Key(OneHotel, Tracked):
    """A guest's access for a window of time, from a reservation or made by staff.

    ``starts_at`` and ``ends_at`` (UTC, end excluded) are what counts. ``pms_starts_at`` and ``pms_ends_at`` are what the
    PMS says; they differ only where staff set their own time, which survives the PMS until staff release it.
    ``over_at`` is the earlier of the end and the departure. ``reopened_at`` is when it last became valid again after it
    was revoked. ``carried_from`` is the start of an earlier stay from which the key went on without a gap. ``label``
    carries the guest's name for lists; it and the guests have no history.
    """

    class Revoked(models.TextChoices):
        BY_STAFF = "staff", "Revoked by staff"
        CANCELLED = "cancelled", "Reservation cancelled"
        NO_SHOW = "no_show", "No show"
        DELETED = "deleted", "Reservation deleted in the PMS"
        LINKED = "linked", "Replaced by the key made by hand"
        CONTINUED = "continued", "The key of the stay before goes on"

    property = models.ForeignKey(
        Property, on_delete=models.PROTECT, related_name="keys", db_index=False
    )
    reservation = models.OneToOneField(
        Reservation, on_delete=models.PROTECT, null=True, blank=True, related_name="key"
    )
    label = models.CharField(max_length=200)
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    starts_by_staff = models.BooleanField(default=False)
    ends_by_staff = models.BooleanField(default=False)
    pms_starts_at = models.DateTimeField(null=True, blank=True)
    pms_ends_at = models.DateTimeField(null=True, blank=True)
    departed_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
    revoked_because = models.CharField(max_length=10, choices=Revoked.choices, blank=True)
    reopened_at = models.DateTimeField(null=True, blank=True)
    carried_from = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField()
    over_at = models.GeneratedField(
        expression=Least("ends_at", Coalesce("departed_at", "ends_at")),
        output_field=models.DateTimeField(),
        db_persist=True,
    )
    history = History(excluded_fields=["label", "over_at"])

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(starts_at__lt=F("ends_at")),
                name="key_window_has_length",
                violation_error_message="The departure must be after the arrival.",
            ),
            models.CheckConstraint(
                condition=Q(revoked_at=None, revoked_because="")
                | (Q(revoked_at__isnull=False) & ~Q(revoked_because="")),
                name="revoked_says_why",
            ),
        ]
        indexes = [
            models.Index(
                fields=["property", "starts_at", "id"],
                condition=Q(revoked_at=None),
                name="keys_by_start",
            ),
            # The start as well, so that what has not begun is passed over without being read.
            models.Index(
                fields=["property", "over_at", "id", "starts_at"],
                condition=Q(revoked_at=None),
                name="keys_by_end",
            ),
            models.Index(fields=["property", "starts_at", "id"], name="keys_all"),
            models.Index(
                fields=["property", "created_at"],
                condition=Q(reservation=None),
                name="keys_by_hand",
            ),
            models.Index(
                fields=["property", "-revoked_at", "-id"],
                condition=Q(revoked_at__isnull=False),
                name="keys_revoked",
            ),
        ]

    def __str__(self) -> str:
        return f"Key {self.pk}"


class Continuation(OneHotel):
    """A stay of the key's guest in the key's room that touches the key's own stay: it has no key of its own.

    It comes after the key's own stay, or came before it and is over.
    """

    property = models.ForeignKey(Property, on_delete=models.PROTECT, related_name="+")
    key = models.ForeignKey(Key, on_delete=models.PROTECT, related_name="continuations")
    reservation = models.OneToOneField(
        Reservation, on_delete=models.PROTECT, related_name="continuation"
    )

    def __str__(self) -> str:
        return f"Continuation of key {self.key_id}"


class Person(OneHotel):
    """One of the people of a key; each has their own credentials."""

    property = models.ForeignKey(Property, on_delete=models.PROTECT, related_name="+")
    key = models.ForeignKey(Key, on_delete=models.PROTECT, related_name="people")
    guest = models.ForeignKey(Guest, on_delete=models.PROTECT, related_name="people")
    is_main = models.BooleanField(default=False)
    removed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["key", "guest"], name="guest_once_per_key"),
            models.UniqueConstraint(
                fields=["key"], condition=Q(is_main=True), name="one_main_person_per_key"
            ),
        ]


class KeychainDoor(OneHotel, Tracked):
    """A door in a keychain: Allow Provisioning, and its own window and limits if it has any.

    ``permission_since`` is when the permission last changed. Weekdays are a bit per day, Monday first; the limits of
    weekday and hour are shown to staff and stored; no lock enforces them yet. ``removed_at`` ends the door's part in
    the key while its credentials are taken off. ``leaving_since`` marks the old room of a guest who moved while in
    house: it keeps the credentials until the new room has them or staff take it out. ``removed_by_staff`` keeps a door
    that the PMS means out of the keychain.
    """

    class Origin(models.TextChoices):
        STAFF = "staff", "Added by staff"
        ROOM = "room", "The reservation’s room"
        LINKED = "linked", "Linked door"

    property = models.ForeignKey(Property, on_delete=models.PROTECT, related_name="+")
    key = models.ForeignKey(Key, on_delete=models.PROTECT, related_name="doors")
    door = models.ForeignKey(Door, on_delete=models.PROTECT, related_name="keychain_doors")
    origin = models.CharField(max_length=10, choices=Origin.choices, default=Origin.STAFF)
    permission = models.CharField(
        "Allow Provisioning",
        max_length=24,
        choices=PermissionChoice.choices,
        default=PermissionChoice.AUTOMATIC,
    )
    permission_since = models.DateTimeField()
    outage = models.ForeignKey(
        Outage, on_delete=models.PROTECT, null=True, blank=True, related_name="held_doors"
    )
    starts_at = models.DateTimeField(null=True, blank=True)
    ends_at = models.DateTimeField(null=True, blank=True)
    weekdays = models.PositiveSmallIntegerField(default=127)
    from_hour = models.TimeField(null=True, blank=True)
    to_hour = models.TimeField(null=True, blank=True)
    leaving_since = models.DateTimeField(null=True, blank=True)
    removed_at = models.DateTimeField(null=True, blank=True)
    removed_by_staff = models.BooleanField(default=False)
    history = History()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["key", "door"],
                name="door_once_per_keychain",
                violation_error_message="This door is in the keychain already.",
            ),
            models.CheckConstraint(
                condition=Q(permission__in=[choice.value for choice in Permission]),
                name="permission_is_known",
            ),
            models.CheckConstraint(
                condition=Q(starts_at=None) | Q(ends_at=None) | Q(starts_at__lt=F("ends_at")),
                name="door_window_has_length",
                violation_error_message="The departure must be after the arrival.",
            ),
            models.CheckConstraint(
                condition=Q(weekdays__gte=1, weekdays__lte=127), name="some_weekday"
            ),
            models.CheckConstraint(
                condition=~Q(permission=Permission.HELD_BY_OUTAGE.value) | Q(outage__isnull=False),
                name="held_by_which_outage",
            ),
            models.CheckConstraint(
                condition=Q(leaving_since=None) | Q(removed_at=None),
                name="what_left_is_not_leaving",
            ),
            models.CheckConstraint(
                condition=Q(removed_by_staff=False) | Q(removed_at__isnull=False),
                name="what_staff_removed_is_removed",
            ),
        ]
        indexes = [
            models.Index(
                fields=["property", "outage", "key"],
                condition=Q(permission=Permission.HELD_BY_OUTAGE.value, removed_at=None),
                name="doors_held_by_outage",
            ),
            models.Index(
                fields=["key"],
                condition=Q(leaving_since__isnull=False),
                name="doors_that_are_leaving",
            ),
        ]

    def __str__(self) -> str:
        return f"Keychain door {self.pk}"


class Credential(OneHotel):
    """A Door Code, SmartKey or keycard of one person; the same on all doors of the key.

    ``revision`` grows with every new secret. ``secret_digest`` finds equal secrets without decrypting. ``note`` tells
    staff which code was taken and what is used instead, so it lies encrypted like the codes that it names.
    """

    class Policy(models.TextChoices):
        RANDOM = "random", "Random"
        PREFERRED = "preferred", "Preferred"
        STRICT = "strict", "Strict"

    property = models.ForeignKey(Property, on_delete=models.PROTECT, related_name="+")
    key = models.ForeignKey(Key, on_delete=models.PROTECT, related_name="credentials")
    person = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="credentials")
    kind = models.CharField(max_length=12, choices=KindChoice.choices)
    policy = models.CharField(max_length=10, choices=Policy.choices, default=Policy.RANDOM)
    secret = EncryptedTextField()
    secret_digest = models.CharField(max_length=64)
    revision = models.PositiveIntegerField(default=1)
    note = EncryptedTextField(blank=True, default="")
    drawn_at = models.DateTimeField()
    retired_at = models.DateTimeField(null=True, blank=True)
    history = History(excluded_fields=["secret", "secret_digest", "note"])

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["person", "kind"],
                condition=Q(retired_at=None),
                name="one_credential_per_kind_and_person",
            ),
        ]
        indexes = [models.Index(fields=["property", "secret_digest"], name="credential_by_digest")]


class Recheck(models.Model):
    """A rule of this property changed: all its live doors must be decided again, from ``after_id`` on."""

    property = models.OneToOneField(Property, on_delete=models.CASCADE, primary_key=True)
    after_id = models.BigIntegerField(default=0)
    asked_at = models.DateTimeField()


class ToldPMS(models.Model):
    """Up to which change of a property the PMS side was told which Door Codes to show."""

    property = models.OneToOneField(
        Property, on_delete=models.CASCADE, primary_key=True, related_name="told_pms"
    )
    pulse = models.BigIntegerField(default=-1)


class Assignment(OneHotel):
    """One credential on one door's lock: what is wanted, what is out, what is known, and when to look again.

    ``revision`` grows whenever what the lock should hold changes (the secret or the window). ``sent_revision`` is set
    before a call and cleared when its outcome is known: set means the outcome is unknown. ``accepted_at`` is since when
    the lock system has it in hand, a removal or a write, none where it never said so. ``written_revision`` is what
    the lock is known to hold, none when it is known to hold nothing. ``reserved_digest`` keeps the secret to this
    door while it is wanted there or may still lie there; ``lock_digest`` is the secret that was last sent, which after a
    change is still the old one until the lock has the new. ``next_attempt_at`` is the queue. ``waits`` and ``headline``
    are the rule's last answer, for lists only: pages about one key ask the rule again. ``own_secret`` is a code that was
    set at this lock's keypad and is kept there in place of the credential's, none as a rule.
    """

    property = models.ForeignKey(
        Property, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    key = models.ForeignKey(Key, on_delete=models.PROTECT, related_name="assignments")
    credential = models.ForeignKey(Credential, on_delete=models.PROTECT, related_name="assignments")
    keychain_door = models.ForeignKey(
        KeychainDoor, on_delete=models.PROTECT, related_name="assignments"
    )
    door = models.ForeignKey(Door, on_delete=models.PROTECT, related_name="assignments")
    lock = models.ForeignKey(
        Lock, on_delete=models.PROTECT, null=True, related_name="assignments", db_index=False
    )
    writer = models.ForeignKey(
        Writer, on_delete=models.PROTECT, null=True, related_name="assignments", db_index=False
    )
    kind = models.CharField(max_length=12, choices=KindChoice.choices)
    reserved_digest = models.CharField(max_length=64, null=True)  # noqa: DJ001 - unique where set
    lock_digest = models.CharField(max_length=64, null=True)  # noqa: DJ001 - unique where set
    own_secret = EncryptedTextField(null=True)  # type: ignore[misc]  # none is not an empty code
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    revision = models.PositiveIntegerField(default=1)
    sent_revision = models.PositiveIntegerField(null=True)
    written_revision = models.PositiveIntegerField(null=True)
    accepted_at = models.DateTimeField(null=True)
    accepted_removal = models.BooleanField(default=False)
    address = models.CharField(max_length=100, blank=True, default="")
    refused_revision = models.PositiveIntegerField(null=True)
    problem = models.CharField(max_length=40, blank=True, default="")
    problem_since = models.DateTimeField(null=True)
    tries = models.PositiveIntegerField(default=0)
    retry_at = models.DateTimeField(null=True)
    next_attempt_at = models.DateTimeField(null=True)
    proof = models.CharField(max_length=12, blank=True, default="")
    proven_at = models.DateTimeField(null=True)
    waits = models.CharField(max_length=8, choices=[(w.value, w.value) for w in Waits], default="")
    headline = models.CharField(
        max_length=24, choices=[(h.value, h.value) for h in Hold], blank=True, default=""
    )
    headline_since = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["credential", "door"], name="credential_once_per_door"),
            models.UniqueConstraint(
                fields=["door", "kind", "reserved_digest"],
                condition=Q(reserved_digest__isnull=False),
                name="secret_once_per_door",
            ),
            models.CheckConstraint(
                condition=Q(written_revision=None) | Q(written_revision__lte=F("revision")),
                name="lock_is_never_ahead",
            ),
            models.CheckConstraint(
                condition=Q(sent_revision=None) | Q(sent_revision__lte=F("revision")),
                name="sent_is_never_ahead",
            ),
            models.CheckConstraint(
                condition=Q(reserved_digest__isnull=False)
                | Q(written_revision=None, sent_revision=None),
                name="what_is_on_a_lock_stays_reserved",
            ),
            models.CheckConstraint(
                condition=Q(lock=None, writer=None) | Q(lock__isnull=False, writer__isnull=False),
                name="a_lock_has_its_writer",
            ),
        ]
        indexes = [
            models.Index(
                fields=["next_attempt_at", "writer"],
                condition=Q(next_attempt_at__isnull=False),
                name="assignments_due",
            ),
            models.Index(
                fields=["writer", "next_attempt_at"],
                condition=Q(next_attempt_at__isnull=False),
                name="assignments_of_writer",
            ),
            models.Index(
                fields=["property", "waits", "starts_at", "key"],
                condition=~Q(waits=""),
                name="assignments_waiting",
            ),
            models.Index(
                fields=["property", "starts_at", "key"],
                condition=Q(headline=Hold.REMOVAL_PENDING.value),
                name="assignments_to_be_removed",
            ),
            models.Index(
                fields=["property", "headline_since", "id"],
                condition=Q(headline__in=[Hold.REMOVAL_PENDING.value, Hold.STILL_ON_LOCK.value]),
                name="assignments_not_gone",
            ),
            models.Index(
                fields=["property", "id"],
                condition=Q(reserved_digest__isnull=False),
                name="assignments_live",
            ),
            models.Index(fields=["lock"], name="assignments_on_lock"),
        ]
