"""Who may enter: people, their role at each property, invitations, and the tokens of programs."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import AbstractUser, UserManager
from django.db import models
from django.db.models import F, Q

from keys.telling_models import Alert
from locks.history import History, Tracked
from locks.models import Property
from locks.same_hotel import OneHotel
from locks.vault import EncryptedTextField


class People(UserManager["User"]):
    """Creates users by e-mail address; there are no user names."""

    def create_user(self, email: str, password: str | None = None, **extra: Any) -> User:  # type: ignore[override]
        user = self.model(email=self.normalize_email(email).lower(), **extra)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **extra: Any) -> User:  # type: ignore[override]
        return self.create_user(email, password, is_staff=True, is_superuser=True, **extra)


class User(AbstractUser):
    """A person who signs in with an e-mail address: hotel staff by membership, support by ``is_staff``."""

    username = None  # type: ignore[assignment]
    email = models.EmailField("e-mail address", unique=True)
    name = models.CharField(max_length=120, blank=True)
    USERNAME_FIELD = "email"
    REQUIRED_FIELDS = []
    objects = People()  # type: ignore[misc]

    def __str__(self) -> str:
        return self.name or self.email


class Role(models.TextChoices):
    """What a person or a token is at a property; portal/roles.py says what each may do."""

    OWNER = "owner", "Owner"
    GENERAL_MANAGER = "general_manager", "General Manager"
    TEAM = "team", "Team"
    HOUSEKEEPING = "housekeeping", "Housekeeping"
    INSTALLER = "installer", "Installer"


class Membership(Tracked):
    """A person's role at one property. Deactivating ends it at once, with all sessions and tokens."""

    property = models.ForeignKey(Property, on_delete=models.PROTECT, related_name="memberships")
    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="memberships")
    role = models.CharField(max_length=20, choices=Role.choices)
    may_release_after_outage = models.BooleanField(
        "May release after an outage",
        default=False,
        help_text="A right of its own, so that a night porter can be given it.",
    )
    is_active = models.BooleanField(default=True)
    history = History()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["property", "user"], name="one_membership_per_property")
        ]

    def __str__(self) -> str:
        return f"{self.user} at {self.property}"


class Invitation(models.Model):
    """A link that lets one person join a property, once, for a week. Only a digest of it is kept."""

    property = models.ForeignKey(Property, on_delete=models.CASCADE, related_name="invitations")
    email = models.EmailField()
    role = models.CharField(max_length=20, choices=Role.choices)
    token_digest = models.CharField(max_length=64, unique=True)
    invited_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    accepted_at = models.DateTimeField(null=True, blank=True)
    withdrawn_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["property", "email"],
                condition=Q(accepted_at=None, withdrawn_at=None),
                name="one_open_invitation",
            )
        ]


class ApiToken(OneHotel):
    """What a program shows to act for a person at one property. Only a keyed digest of it is kept.

    ``prefix`` is the beginning of the token, so that people can tell tokens apart. A token may never do more than its
    role, nor more than its membership may now: it dies with it.
    """

    property = models.ForeignKey(Property, on_delete=models.PROTECT, related_name="api_tokens")
    membership = models.ForeignKey(Membership, on_delete=models.PROTECT, related_name="api_tokens")
    role = models.CharField(max_length=20, choices=Role.choices)
    name = models.CharField(max_length=60)
    prefix = models.CharField(max_length=12)
    digest = models.CharField(max_length=64, unique=True)
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    last_used_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = "API token"
        constraints = [
            models.CheckConstraint(
                condition=Q(expires_at__gt=F("created_at")), name="token_lives_for_a_while"
            ),
        ]
        indexes = [models.Index(fields=["property", "-created_at"], name="tokens_of_property")]

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…)"


class AlertPreference(OneHotel):
    """What one member wants to hear of alerts by e-mail; without a row, nothing. The portal shows all to everyone.

    ``kinds`` are values of ``Alert.Kind``. Quiet hours are by the property's clock and may pass midnight.
    """

    property = models.ForeignKey(Property, on_delete=models.PROTECT, related_name="+")
    membership = models.OneToOneField(
        Membership, on_delete=models.PROTECT, related_name="alert_preference"
    )
    by_email = models.BooleanField(default=False)
    kinds = models.JSONField(default=list, blank=True)
    quiet_from = models.TimeField(null=True, blank=True)
    quiet_to = models.TimeField(null=True, blank=True)
    urgent_anyway = models.BooleanField(default=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(quiet_from=None, quiet_to=None)
                | Q(quiet_from__isnull=False, quiet_to__isnull=False),
                name="quiet_hours_have_both_ends",
            ),
        ]


class AlertMail(OneHotel):
    """One thing to tell one member about one alert, once: that it is open, or that it is over. The queue of alert mails.

    ``next_try_at`` is none when nothing more is to be done; a worker moves it on before it sends, so that the row of a
    worker that died is due again. ``result`` says how it ended, or what went wrong last.
    """

    class What(models.TextChoices):
        OPENED = "opened", "Open"
        OVER = "over", "Over"

    property = models.ForeignKey(Property, on_delete=models.PROTECT, related_name="+")
    alert = models.ForeignKey(Alert, on_delete=models.CASCADE, related_name="mails")
    membership = models.ForeignKey(Membership, on_delete=models.PROTECT, related_name="+")
    what = models.CharField(max_length=6, choices=What.choices)
    made_at = models.DateTimeField()
    next_try_at = models.DateTimeField(null=True, blank=True)
    tries = models.PositiveSmallIntegerField(default=0)
    sent_at = models.DateTimeField(null=True, blank=True)
    result = models.CharField(max_length=60, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["alert", "membership", "what"], name="alert_mailed_once"
            ),
        ]
        indexes = [
            models.Index(
                fields=["next_try_at"],
                condition=Q(next_try_at__isnull=False),
                name="alert_mails_due",
            ),
        ]


class Handover(OneHotel):
    """The moment at which a member took a shift over; what happened since the one before was told to them then."""

    property = models.ForeignKey(
        Property, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    membership = models.ForeignKey(Membership, on_delete=models.PROTECT, related_name="+")
    taken_at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["property", "-taken_at", "-id"], name="handovers_by_time")]


class HandoverMail(OneHotel):
    """A shift that is to be told to one address, once. ``next_try_at`` is none when nothing more is to be done; a worker
    moves it on before it sends. ``result`` says how it ended, or what went wrong last. The address lies encrypted."""

    property = models.ForeignKey(Property, on_delete=models.PROTECT, related_name="+")
    membership = models.ForeignKey(Membership, on_delete=models.PROTECT, related_name="+")
    address = EncryptedTextField()
    since = models.DateTimeField()
    until = models.DateTimeField()
    next_try_at = models.DateTimeField(null=True, blank=True)
    tries = models.PositiveSmallIntegerField(default=0)
    sent_at = models.DateTimeField(null=True, blank=True)
    result = models.CharField(max_length=60, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(since__lt=F("until")), name="shift_has_length"),
        ]
        indexes = [
            models.Index(
                fields=["next_try_at"],
                condition=Q(next_try_at__isnull=False),
                name="handover_mails_due",
            ),
        ]
