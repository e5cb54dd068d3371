"""What lies where on a lock whose places have numbers and no names. ``locks/models.py`` registers it, ``locks/slots.py`` writes it."""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q

from locks.drivers import Kind
from locks.same_hotel import OneHotel
from locks.vault import EncryptedTextField

KINDS = [
    (Kind.DOOR_CODE.value, "Door Code"),
    (Kind.SMARTKEY.value, "SmartKey"),
    (Kind.KEYCARD.value, "Keycard"),
]


class SlotUse(OneHotel):
    """A numbered place on a lock and whose it was, from when it was picked until it was proven empty.

    Kept for ever: an event that comes late is matched with whoever had the place then. ``assignment_id`` and ``key_id``
    point upwards without a foreign key: locks know no keys.
    """

    property = models.ForeignKey("locks.Property", on_delete=models.PROTECT, related_name="+")
    lock = models.ForeignKey("locks.Lock", on_delete=models.CASCADE, related_name="slots")
    number = models.PositiveIntegerField()
    key_id = models.BigIntegerField()
    assignment_id = models.BigIntegerField()
    since = models.DateTimeField()
    until = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["lock", "number"], condition=Q(until=None), name="slot_is_one_credentials"
            ),
            models.UniqueConstraint(
                fields=["assignment_id"], condition=Q(until=None), name="credential_in_one_slot"
            ),
            models.CheckConstraint(
                condition=Q(until=None) | Q(until__gte=F("since")), name="slot_ends_after_it_began"
            ),
        ]
        indexes = [models.Index(fields=["lock", "number", "-since"], name="slot_history")]


class VendorId(OneHotel):
    """The id that a vendor gave to a credential of ours on a lock. Kept for ever: events come late and name nothing else."""

    property = models.ForeignKey("locks.Property", on_delete=models.PROTECT, related_name="+")
    lock = models.ForeignKey("locks.Lock", on_delete=models.CASCADE, related_name="vendor_ids")
    address = models.CharField(max_length=100)
    key_id = models.BigIntegerField()
    assignment_id = models.BigIntegerField()
    since = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["lock", "address", "assignment_id"], name="vendor_id_of_a_credential_once"
            ),
        ]


class ForeignCode(OneHotel):
    """A credential that lies on a lock and that Portal did not put there, from when it was seen until it was seen no more.

    ``secret`` is the code where the lock shows it, kept so that it can be made somebody's key as it is; ``secret_digest``
    finds it without decrypting, in the scope of its hotel and kind. ``hint`` is its last two digits. ``adopted_key`` and
    ``adopted_as`` are the key that it was made and its assignment, which ends its being foreign; they point upwards
    without a foreign key.
    """

    property = models.ForeignKey("locks.Property", on_delete=models.PROTECT, related_name="+")
    lock = models.ForeignKey("locks.Lock", on_delete=models.CASCADE, related_name="foreign_codes")
    address = models.CharField(max_length=100)
    kind = models.CharField(max_length=12, choices=KINDS)
    hint = models.CharField(max_length=20, blank=True)
    secret = EncryptedTextField(blank=True, default="")
    secret_digest = models.CharField(max_length=64, blank=True, default="")
    adopted_key = models.BigIntegerField(null=True, blank=True)
    adopted_as = models.BigIntegerField(null=True, blank=True)
    first_seen_at = models.DateTimeField()
    last_seen_at = models.DateTimeField()
    gone_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["lock", "kind", "address"],
                condition=Q(gone_at=None),
                name="foreign_code_once",
            ),
        ]
        indexes = [
            models.Index(
                fields=["lock", "address"],
                condition=Q(adopted_as__isnull=False),
                name="foreign_codes_adopted",
            ),
            models.Index(
                fields=["property", "first_seen_at", "id"],
                condition=Q(gone_at=None),
                name="foreign_codes_there",
            ),
        ]
