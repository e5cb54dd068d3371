"""What the hotel's booking system says: the connection to it, its breaks, its stays, and the inbox of its events."""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q

from locks.history import History, Tracked
from locks.models import Door, Property
from locks.vault import EncryptedTextField


class Integration(Tracked):
    """A property's link to one PMS. Disconnecting and connecting again is the same integration.

    ``tokens`` is the encrypted JSON of whatever the vendor gave; ``token_version`` grows with every new set, so that a
    call made with an old one can never mark a new connection broken. ``hook_digest`` finds the integration by the
    unguessable part of its webhook address. ``next_read_at`` is the queue of reads; one worker walks
    the stays until ``reading_until_at``, one renews the tokens until ``refreshing_until_at``, by the database's clock.
    """

    class State(models.TextChoices):
        CONNECTED = "connected", "Connected"
        CATCHING_UP = "catching_up", "Catching up"
        DELAYED = "delayed", "Delayed"
        BROKEN = "broken", "Broken"
        DISCONNECTED = "disconnected", "Disconnected"

    property = models.ForeignKey(Property, on_delete=models.PROTECT, related_name="integrations")
    adapter = models.CharField(max_length=30)
    state = models.CharField(max_length=14, choices=State.choices, default=State.DISCONNECTED)
    state_since = models.DateTimeField()
    problem = models.CharField(max_length=300, blank=True)
    base_url = models.CharField(max_length=300, blank=True)
    external_property_id = models.CharField(max_length=60, blank=True)
    tokens = EncryptedTextField(blank=True, default="")
    token_version = models.PositiveIntegerField(default=0)
    tokens_expire_at = models.DateTimeField(null=True, blank=True)
    hook_secret = EncryptedTextField(blank=True, default="")
    hook_digest = models.CharField(max_length=64, unique=True, null=True, blank=True)
    last_word_at = models.DateTimeField(null=True, blank=True)
    read_until_at = models.DateTimeField(null=True, blank=True)
    swept_at = models.DateTimeField(null=True, blank=True)
    next_read_at = models.DateTimeField(null=True, blank=True)
    reading_until_at = models.DateTimeField(null=True, blank=True)
    refreshing_until_at = models.DateTimeField(null=True, blank=True)
    first_connected_at = models.DateTimeField(null=True, blank=True)
    online_check_in_field = models.CharField(max_length=60, blank=True, default="online_checkin")
    history = History(
        excluded_fields=[
            "tokens",
            "token_version",
            "tokens_expire_at",
            "hook_secret",
            "hook_digest",
            "last_word_at",
            "read_until_at",
            "swept_at",
            "next_read_at",
            "reading_until_at",
            "refreshing_until_at",
        ]
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["property", "adapter"], name="one_integration_per_pms_and_property"
            ),
            models.UniqueConstraint(
                fields=["property"],
                condition=~Q(state="disconnected"),
                name="one_live_integration_per_property",
            ),
            models.UniqueConstraint(
                fields=["adapter", "external_property_id"],
                condition=~Q(external_property_id="") & ~Q(state="disconnected"),
                name="one_pms_property_once",
            ),
        ]
        indexes = [models.Index(fields=["next_read_at"], name="integration_read_due")]

    def __str__(self) -> str:
        return f"{self.adapter.title()} of {self.property}"


class AuthorizationRequest(models.Model):
    """A sign-in at the PMS that is under way: bound to the property and the person, used once, short-lived."""

    property = models.ForeignKey(Property, on_delete=models.CASCADE, related_name="+")
    adapter = models.CharField(max_length=30)
    state_digest = models.CharField(max_length=64, unique=True)
    user_id = models.BigIntegerField()
    created_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True)


class Outage(models.Model):
    """From the last good word of the PMS to the Reconnect that succeeded.

    ``last_word_at`` is where the affected reservations begin; ``ended_at`` is set when the resync after Reconnect is done.
    """

    property = models.ForeignKey(Property, on_delete=models.PROTECT, related_name="+")
    integration = models.ForeignKey(Integration, on_delete=models.PROTECT, related_name="outages")
    began_at = models.DateTimeField()
    last_word_at = models.DateTimeField()
    cause = models.CharField(max_length=300, blank=True)
    reconnected_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["integration"],
                condition=Q(ended_at=None),
                name="one_open_outage_per_integration",
            ),
            models.CheckConstraint(
                condition=Q(ended_at=None) | Q(ended_at__gte=F("began_at")),
                name="outage_ends_after_it_began",
            ),
        ]


class Room(models.Model):
    """A room or bed of the PMS, as last read. Mapped to doors by RoomDoor; unmapped rooms are visible work."""

    property = models.ForeignKey(Property, on_delete=models.PROTECT, related_name="+")
    integration = models.ForeignKey(Integration, on_delete=models.CASCADE, related_name="rooms")
    external_id = models.CharField(max_length=60)
    name = models.CharField(max_length=100)
    parent_name = models.CharField(max_length=100, blank=True)
    is_virtual = models.BooleanField(default=False)
    seen_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["integration", "external_id"], name="room_once")
        ]

    def __str__(self) -> str:
        return self.name


class RoomDoor(models.Model):
    """A PMS room or bed opens this door; one door may serve several beds."""

    property = models.ForeignKey(Property, on_delete=models.PROTECT, related_name="+")
    integration = models.ForeignKey(
        Integration, on_delete=models.CASCADE, related_name="room_doors"
    )
    room_ref = models.CharField(max_length=60)
    door = models.ForeignKey(Door, on_delete=models.CASCADE, related_name="room_doors")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["integration", "room_ref", "door"], name="mapped_once")
        ]
        indexes = [models.Index(fields=["integration", "room_ref"], name="room_to_doors")]


class Reservation(models.Model):
    """One stay of one room: what a key belongs to. The booking it is part of is only a group.

    ``pms_created_at`` is the PMS's own time of creation and decides what came in during an outage. ``pms_updated_at`` is
    the version: nothing older is ever applied, and of one version nothing that was asked before ``read_at``, since a
    PMS may change a stay without a new version. ``changed_at`` moves when something that keys care about changed,
    ``fingerprint`` is how that is known, and ``followed_at`` is the ``changed_at`` that the key has followed. Guests' contacts live here encrypted; they have no history.
    """

    class State(models.TextChoices):
        TENTATIVE = "tentative", "Tentative"
        EXPECTED = "expected", "Expected"
        IN_HOUSE = "in_house", "In house"
        DEPARTED = "departed", "Departed"
        CANCELLED = "cancelled", "Cancelled"
        NO_SHOW = "no_show", "No show"
        DELETED = "deleted", "Deleted"
        UNKNOWN = "unknown", "Not understood"

    property = models.ForeignKey(Property, on_delete=models.PROTECT, related_name="reservations")
    integration = models.ForeignKey(
        Integration, on_delete=models.PROTECT, related_name="reservations"
    )
    external_id = models.CharField(max_length=80)
    booking_ref = models.CharField(max_length=80)
    number = models.CharField(max_length=80)
    state = models.CharField(max_length=10, choices=State.choices)
    guest_name = models.CharField(max_length=200, blank=True)
    guest_ref = models.CharField(max_length=80, blank=True)
    guest_email = EncryptedTextField(blank=True, default="")
    guest_phone = EncryptedTextField(blank=True, default="")
    companions = models.JSONField(default=list, blank=True)
    room_ref = models.CharField(max_length=60, blank=True)
    room_name = models.CharField(max_length=100, blank=True)
    arrival_on = models.DateField()
    departure_on = models.DateField()
    arrival_at = models.DateTimeField(null=True, blank=True)
    departure_at = models.DateTimeField(null=True, blank=True)
    checked_in_at = models.DateTimeField(null=True, blank=True)
    checked_in_online_at = models.DateTimeField(null=True, blank=True)
    departed_at = models.DateTimeField(null=True, blank=True)
    pms_created_at = models.DateTimeField(null=True, blank=True)
    pms_updated_at = models.DateTimeField(null=True, blank=True)
    read_at = models.DateTimeField()
    first_seen_at = models.DateTimeField()
    changed_at = models.DateTimeField()
    followed_at = models.DateTimeField(null=True, blank=True)
    fingerprint = models.CharField(max_length=64)
    came_in_during = models.ForeignKey(
        Outage, on_delete=models.PROTECT, null=True, blank=True, related_name="came_in"
    )
    affected_by = models.ForeignKey(
        Outage, on_delete=models.PROTECT, null=True, blank=True, related_name="affected"
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["integration", "external_id"], name="stay_once"),
            models.CheckConstraint(
                condition=Q(arrival_on__lte=F("departure_on")), name="stay_is_not_backwards"
            ),
        ]
        indexes = [
            models.Index(fields=["property", "arrival_on", "id"], name="stays_by_arrival"),
            models.Index(fields=["property", "number"], name="stays_by_number"),
            models.Index(fields=["integration", "booking_ref"], name="stays_of_booking"),
            models.Index(
                fields=["changed_at"],
                condition=~Q(followed_at=F("changed_at")) | Q(followed_at=None),
                name="stays_to_follow",
            ),
        ]

    def __str__(self) -> str:
        return f"Reservation {self.number}"


class WebhookEvent(models.Model):
    """The inbox: one row per event that the PMS announced, stored before it is answered. A hint, never a fact.

    ``entity`` names what to read again: a booking, or a guest as ``guest:…``. A worker that takes a row moves
    ``next_try_at`` on, so that a row of a worker that died is due again; ``processed_at`` is set when the row needs
    nothing more, and ``result`` says how it ended. After too many tries a row is set aside, still visible.
    """

    id = models.BigAutoField(primary_key=True)
    integration = models.ForeignKey(Integration, on_delete=models.CASCADE, related_name="events")
    event_key = models.CharField(max_length=200)
    event = models.CharField(max_length=80)
    entity = models.CharField(max_length=80, blank=True)
    payload = models.TextField()
    received_at = models.DateTimeField()
    tries = models.PositiveSmallIntegerField(default=0)
    next_try_at = models.DateTimeField(null=True)
    processed_at = models.DateTimeField(null=True)
    result = models.CharField(max_length=200, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["integration", "event_key"], name="event_once")
        ]
        indexes = [
            models.Index(
                fields=["integration", "received_at"],
                condition=Q(processed_at=None),
                name="inbox_unprocessed",
            )
        ]
