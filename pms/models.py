"""What the hotel's booking system says: the connection to it, its breaks, its stays, and the inbox of its events."""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q

from locks.history import History, Tracked
from locks.models import Door, Property
from locks.same_hotel import OneHotel
from locks.vault import EncryptedTextField
from pms.adapters import title_of

LIVE_STATES = ["tentative", "expected", "in_house", "unknown"]
"""The states of a stay that is neither over nor called off."""


class Integration(Tracked):
    """A property's link to one PMS. Disconnecting and connecting again is the same integration.

    ``tokens`` is the encrypted JSON of whatever the vendor gave; ``token_version`` grows with every new set, so that a
    call made with an old one can never mark a new connection broken. ``hook_digest`` finds the integration by the
    unguessable part of its webhook address, ``connection_ref`` by the PMS's own name of the connection. ``next_read_at`` is the queue of reads; one worker walks
    the stays until ``reading_until_at``, one renews the tokens until ``refreshing_until_at``, and nobody calls before
    ``quiet_until_at``, because the PMS asked for that; all by the database's clock.
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
    connection_ref = models.CharField(max_length=60, blank=True, db_index=True)
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
    quiet_until_at = models.DateTimeField(null=True, blank=True)
    first_connected_at = models.DateTimeField(null=True, blank=True)
    online_check_in_field = models.CharField(max_length=60, blank=True, default="online_checkin")
    write_codes = models.BooleanField("Show Door Codes in the PMS", default=True)
    history = History(
        excluded_fields=[
            "connection_ref",
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
            "quiet_until_at",
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
        return f"{self.pms_name()} of {self.property}"

    def pms_name(self) -> str:
        """The vendor's name as people write it."""
        return title_of(self.adapter)


class AuthorizationRequest(models.Model):
    """A sign-in at the PMS that is under way: bound to the property and the person, used once, short-lived."""

    property = models.ForeignKey(Property, on_delete=models.CASCADE, related_name="+")
    adapter = models.CharField(max_length=30)
    state_digest = models.CharField(max_length=64, unique=True)
    user_id = models.BigIntegerField()
    created_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True)


class Pace(models.Model):
    """When a payer's next call to a PMS is free, in seconds since 1970 by the database's clock. No hotel's: the limits of
    some vendors count all properties of Portal together. ``payer`` is a keyed digest, since a token is a secret."""

    payer = models.CharField(max_length=64, primary_key=True)
    free_at_s = models.FloatField()


class Outage(OneHotel):
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


class Room(OneHotel):
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
        indexes = [models.Index(fields=["integration", "name", "id"], name="rooms_by_name")]

    def __str__(self) -> str:
        return self.name


class RoomDoor(OneHotel, Tracked):
    """A PMS room or bed opens this door; one door may serve several beds. Its history says who mapped and unmapped it."""

    property = models.ForeignKey(Property, on_delete=models.PROTECT, related_name="+")
    integration = models.ForeignKey(
        Integration, on_delete=models.CASCADE, related_name="room_doors"
    )
    room_ref = models.CharField(max_length=60)
    door = models.ForeignKey(Door, on_delete=models.CASCADE, related_name="room_doors")
    history = History()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["integration", "room_ref", "door"], name="mapped_once")
        ]
        indexes = [models.Index(fields=["integration", "room_ref"], name="room_to_doors")]


class Reservation(OneHotel):
    """One stay of one room: what a key belongs to. The booking it is part of is only a group.

    ``pms_created_at`` is the PMS's own time of creation and decides what came in during an outage. ``pms_updated_at`` is
    the version: nothing older is ever applied, and of one version nothing that was asked before ``read_at``, since a
    PMS may change a stay without a new version. ``changed_at`` moves when something that keys care about changed,
    ``fingerprint`` is how that is known, and ``followed_at`` is the ``changed_at`` that the key has followed.
    ``missing_since`` is set while the PMS does not mention the stay though asked for it by name; that alone ends nothing.
    ``happened`` is what happened during the outage of ``affected_by``, and ``before_outage`` the stay as it was known
    before it, none if it came in. Guests' contacts live here encrypted; they have no history. ``erased_refs`` are the
    pseudonyms of its guests who were erased: the PMS does not bring their names back.
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
    erased_refs = models.JSONField(default=list, blank=True, editable=False)
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
    missing_since = models.DateTimeField(null=True, blank=True)
    fingerprint = models.CharField(max_length=64)
    came_in_during = models.ForeignKey(
        Outage,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="came_in",
        db_index=False,
    )
    affected_by = models.ForeignKey(
        Outage, on_delete=models.PROTECT, null=True, blank=True, related_name="affected"
    )
    before_outage = models.JSONField(null=True, blank=True)
    happened = models.JSONField(default=list, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["integration", "external_id"], name="stay_once"),
            models.CheckConstraint(
                condition=Q(arrival_on__lte=F("departure_on")), name="stay_is_not_backwards"
            ),
        ]
        indexes = [
            models.Index(fields=["property", "arrival_on", "id"], name="stays_by_arrival"),
            models.Index(
                fields=["property", "number"],
                opclasses=["int8_ops", "varchar_pattern_ops"],
                name="stays_by_number",
            ),
            models.Index(
                fields=["property", "-changed_at", "-id"],
                condition=Q(affected_by__isnull=False, came_in_during=None),
                name="stays_affected",
            ),
            models.Index(fields=["integration", "booking_ref"], name="stays_of_booking"),
            models.Index(
                fields=["came_in_during", "arrival_on", "id"],
                condition=Q(came_in_during__isnull=False),
                name="stays_that_came_in",
            ),
            models.Index(
                fields=["integration", "id"],
                condition=Q(missing_since__isnull=False),
                name="stays_missing",
            ),
            models.Index(
                fields=["changed_at"],
                condition=~Q(followed_at=F("changed_at")) | Q(followed_at=None),
                name="stays_to_follow",
            ),
            models.Index(
                fields=["integration", "room_ref", "departure_on"],
                condition=Q(state__in=LIVE_STATES),
                name="live_stays_of_room",
            ),
        ]

    def __str__(self) -> str:
        return f"Reservation {self.number}"


class WebhookEvent(OneHotel):
    """The inbox: one row per event that the PMS announced, stored before it is answered. A hint, never a fact.

    ``entity`` names what to read again: a booking, a guest as ``guest:…``, or as ``changes:`` all that changed. ``token`` is a new one that came with the
    event, until it is used. A worker that takes a row moves
    ``next_try_at`` on, so that a row of a worker that died is due again; ``processed_at`` is set when the row needs
    nothing more, and ``result`` says how it ended. After too many tries a row is set aside, still visible.
    """

    id = models.BigAutoField(primary_key=True)
    property = models.ForeignKey(Property, on_delete=models.PROTECT, related_name="+")
    integration = models.ForeignKey(Integration, on_delete=models.CASCADE, related_name="events")
    event_key = models.CharField(max_length=200)
    event = models.CharField(max_length=80)
    entity = models.CharField(max_length=80, blank=True)
    payload = models.TextField()
    token = EncryptedTextField(blank=True, default="")
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


class WriteBack(OneHotel):
    """The Door Code of one stay that the PMS shall show: only the newest wanted value, and what came of it.

    ``wanted`` is its encrypted JSON, empty for nothing; digests are keyed and empty for nothing. ``sent`` are the codes of
    tries whose outcome is not known, as an encrypted JSON list; ``ref`` is what the adapter keeps of what it wrote last.
    ``next_try_at`` is the queue. One worker writes all of a booking until ``claimed_until``, by the database's clock: a PMS
    may keep the codes of a booking in one place.
    """

    property = models.ForeignKey(Property, on_delete=models.PROTECT, related_name="+")
    integration = models.ForeignKey(Integration, on_delete=models.PROTECT, related_name="+")
    reservation = models.OneToOneField(
        Reservation, on_delete=models.PROTECT, related_name="write_back"
    )
    booking_ref = models.CharField(max_length=80)
    wanted = EncryptedTextField(blank=True, default="")
    wanted_digest = models.CharField(max_length=64, blank=True)
    written_digest = models.CharField(max_length=64, blank=True)
    sent = EncryptedTextField(blank=True, default="")
    ref = EncryptedTextField(blank=True, default="")
    problem = models.CharField(max_length=200, blank=True)
    tries = models.PositiveSmallIntegerField(default=0)
    next_try_at = models.DateTimeField(null=True)
    claimed_until = models.DateTimeField(null=True)
    written_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [
            models.Index(
                fields=["next_try_at"],
                condition=Q(next_try_at__isnull=False),
                name="write_backs_due",
            ),
            models.Index(fields=["integration", "booking_ref"], name="write_backs_of_booking"),
            models.Index(
                fields=["property", "reservation"],
                condition=~Q(wanted_digest=""),
                name="write_backs_wanted",
            ),
        ]
