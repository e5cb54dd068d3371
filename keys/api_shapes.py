"""What the API shows of keys, and what it takes: the shapes of answers and bodies, nothing that acts.

Answers are made from ``keys/explaining.py``, so that the API says what the portal says. Door Codes are in one shape only,
``CredentialOut``, and only where the context allows it.
"""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from keys.explaining import DoorAnswer, KeyAnswer
from keys.models import Credential, KeychainDoor, Person
from keys.pms_codes import ShownState, shown_in_pms
from keys.rules import Action, Hold, OnLock, Permission, Waits
from locks.api_kit import Id, Input, Moment, Shape, Text, WallTime
from locks.drivers import Kind
from locks.models import KindChoice

BULK = 2000
STATES = ["upcoming", "current", "past", "revoked"]
WAITS = [Waits.TIME.value, Waits.LOCK.value, Waits.SOMEONE.value]


def choices(words: Any) -> list[tuple[str, str]]:
    """The values of an enumeration as a choice field takes them."""
    return [(word.value, word.value) for word in words]


def days_of(bits: int) -> list[int]:
    """Weekdays as numbers, Monday is 1, from a bit per day."""
    return [day for day in range(1, 8) if bits >> (day - 1) & 1]


def bits_of(days: list[int]) -> int:
    """A bit per day from weekdays as numbers, Monday is 1."""
    return sum(1 << (day - 1) for day in set(days))


# What the rule says ---------------------------------------------------------------------------------


class ReasonOut(Shape):
    """One reason to wait: what holds, since when, who can change it, and what happens next by itself and when."""

    hold = serializers.ChoiceField(choices(Hold), help_text="The reason, for programs.")
    sentence = serializers.CharField(help_text="The reason, in the portal's words.")
    since = Moment(allow_null=True)
    who = serializers.CharField(help_text="Who can change it.")
    next = serializers.CharField(help_text="What happens next by itself.")
    next_at = Moment(allow_null=True)


class PlaceOut(Shape):
    """One credential on one door's lock."""

    credential = serializers.IntegerField(source="credential.pk")
    kind = serializers.ChoiceField(KindChoice.choices, source="credential.kind")
    person = serializers.CharField(source="credential.person.guest.name")
    action = serializers.ChoiceField(choices(Action), help_text="What Portal does about it now.")
    pending = serializers.BooleanField(source="is_pending")
    on_lock = serializers.ChoiceField(choices(OnLock), help_text="What the lock is known to hold.")
    starts_at = Moment(
        source="assignment.starts_at",
        help_text="As the lock gets it, which may take whole hours only.",
    )
    ends_at = Moment(source="assignment.ends_at")
    state_text = serializers.CharField()
    proof = serializers.CharField(help_text="How far it is proven; empty when it is not there.")
    proven_at = Moment(allow_null=True)
    reasons = ReasonOut(many=True)


class WindowOut(Shape):
    """From when until when, the end excluded."""

    starts_at = Moment()
    ends_at = Moment()


class DoorShortOut(Shape):
    """A door of a key, as lists show it."""

    id = serializers.IntegerField(source="keychain_door.pk", help_text="Id of the keychain door.")
    door = serializers.IntegerField(source="door.pk")
    name = serializers.CharField(source="door.name")
    allow_provisioning = serializers.BooleanField(source="switch_on")
    pending = serializers.BooleanField(source="is_pending", help_text="Pending Provisioning.")
    headline = serializers.CharField(help_text="The first reason, or empty.")


class KeychainDoorOut(DoorShortOut):
    """A door of a key with Allow Provisioning and everything the rule says about it."""

    key = serializers.IntegerField(source="keychain_door.key_id")
    origin = serializers.ChoiceField(KeychainDoor.Origin.choices, source="keychain_door.origin")
    before_check_in = serializers.BooleanField(
        help_text="On, and written before the check-in that the property requires."
    )
    permission = serializers.ChoiceField(choices(Permission), source="keychain_door.permission")
    permission_since = Moment(source="keychain_door.permission_since")
    removed_at = Moment(source="keychain_door.removed_at", allow_null=True)
    leaving_since = Moment(
        source="keychain_door.leaving_since",
        allow_null=True,
        help_text="Since when the guest has moved out; it opens until the new room does.",
    )
    removing = serializers.BooleanField(
        help_text="Something is still to come off this lock; until then the door may still open."
    )
    pauses = serializers.BooleanField(
        help_text="The next attempt at the lock waits for its time; `try-now` ends that."
    )
    cautions = serializers.ListField(
        child=serializers.CharField(),
        help_text="What staff should know of its lock though nothing waits for it.",
    )
    window = serializers.SerializerMethodField()
    weekdays = serializers.SerializerMethodField()
    from_hour = WallTime(source="keychain_door.from_hour", allow_null=True)
    to_hour = WallTime(source="keychain_door.to_hour", allow_null=True)
    reasons = ReasonOut(many=True, help_text="All that hold, in the order to clear them.")
    places = PlaceOut(many=True)

    @extend_schema_field(WindowOut)
    def get_window(self, answer: DoorAnswer) -> Any:
        """When this door opens: its own times, or the key's."""
        starts_at, ends_at = answer.window
        return WindowOut({"starts_at": starts_at, "ends_at": ends_at}).data

    def get_weekdays(self, answer: DoorAnswer) -> list[int]:
        """The days of the week, Monday is 1. Stored and shown; no lock enforces them yet."""
        return days_of(answer.keychain_door.weekdays)


class Answered(Shape):
    """What the rule says about a key as a whole."""

    state = serializers.SerializerMethodField()
    active = serializers.BooleanField(
        source="is_active", help_text="In its window and confirmed on all its doors."
    )
    pending = serializers.BooleanField(source="is_pending", help_text="Pending Provisioning.")
    waits = serializers.ChoiceField(choices(Waits), help_text="What it waits for; empty: nothing.")
    headline = serializers.CharField(help_text="The most urgent reason, or empty.")
    timezone = serializers.CharField(source="key.property.timezone")

    @extend_schema_field(serializers.ChoiceField(STATES))
    def get_state(self, answer: KeyAnswer) -> str:
        """Where now lies in the key's life."""
        return answer.state.lower()


class ExplanationOut(Answered):
    """The rule's answer about every door of a key."""

    key = serializers.IntegerField(source="key.pk")
    doors = KeychainDoorOut(many=True)


class KeyOut(Answered):
    """A key, as lists show it. Without codes."""

    id = serializers.IntegerField(source="key.pk")
    guest = serializers.CharField(source="key.label")
    reservation = serializers.IntegerField(source="key.reservation_id", allow_null=True)
    reservation_number = serializers.SerializerMethodField()
    allow_provisioning = serializers.ChoiceField(
        ["on", "off", "mixed"], source="switch", help_text="Of all its doors."
    )
    starts_at = Moment(source="key.starts_at")
    ends_at = Moment(source="key.ends_at", help_text="Excluded.")
    doors = DoorShortOut(many=True)

    def get_reservation_number(self, answer: KeyAnswer) -> str | None:
        """The reservation's number, or null for a key made by staff."""
        stay = answer.key.reservation
        return stay.number if stay else None


class CredentialOut(Shape):
    """A credential of one person, the same on all doors of the key."""

    id = serializers.IntegerField(source="pk")
    kind = serializers.ChoiceField(KindChoice.choices)
    policy = serializers.ChoiceField(Credential.Policy.choices)
    revision = serializers.IntegerField(help_text="Grows with every new code.")
    drawn_at = Moment()
    code = serializers.SerializerMethodField()

    def get_code(self, credential: Credential) -> str | None:
        """The Door Code where the token's role may see codes; else null, as for the other kinds."""
        seen = self.context.get("sees_codes") and credential.kind == Kind.DOOR_CODE
        return str(credential.secret) if seen else None


class PersonOut(Shape):
    """One of the people of a key."""

    id = serializers.IntegerField(source="pk")
    name = serializers.CharField(source="guest.name")
    is_main = serializers.BooleanField()
    credentials = serializers.SerializerMethodField()

    @extend_schema_field(CredentialOut(many=True))
    def get_credentials(self, person: Person) -> Any:
        """What this person holds now."""
        live = [each for each in person.credentials.all() if each.retired_at is None]
        return CredentialOut(live, many=True, context=self.context).data


class ShownInPMSOut(Shape):
    """Whether the PMS shows the key's Door Code."""

    pms = serializers.CharField()
    state = serializers.ChoiceField(choices(ShownState))
    sentence = serializers.CharField(help_text="The state and its reason, in the portal's words.")
    written_at = Moment(allow_null=True)


class KeyDetailOut(KeyOut):
    """A key with its people, codes, doors and reasons, and where staff's times and the PMS's differ."""

    doors = KeychainDoorOut(many=True)
    people = serializers.SerializerMethodField()
    notices = serializers.SerializerMethodField()
    shown_in_pms = serializers.SerializerMethodField()
    starts_by_staff = serializers.BooleanField(source="key.starts_by_staff")
    ends_by_staff = serializers.BooleanField(source="key.ends_by_staff")
    pms_starts_at = Moment(source="key.pms_starts_at", allow_null=True)
    pms_ends_at = Moment(source="key.pms_ends_at", allow_null=True)
    revoked_at = Moment(source="key.revoked_at", allow_null=True)
    revoked_because = serializers.CharField(source="key.revoked_because")
    created_at = Moment(source="key.created_at")

    @extend_schema_field(PersonOut(many=True))
    def get_people(self, answer: KeyAnswer) -> Any:
        """The people of the key, the main one first."""
        people = (
            answer.key.people.filter(removed_at=None)
            .select_related("guest")
            .prefetch_related("credentials")
            .order_by("-is_main", "id")
        )
        return PersonOut(people, many=True, context=self.context).data

    @extend_schema_field(ShownInPMSOut(allow_null=True))
    def get_shown_in_pms(self, answer: KeyAnswer) -> Any:
        """Whether the PMS shows the Door Code; null for a key without a reservation."""
        shown = shown_in_pms(answer.key, now=self.context["now"])
        return ShownInPMSOut(shown).data if shown else None

    def get_notices(self, answer: KeyAnswer) -> list[str]:
        """What concerns the key as a whole: no room, room not mapped, staff's times against the PMS's."""
        return answer.notices if self.context.get("sees_codes") else public_notices(answer)


def public_notices(answer: KeyAnswer) -> list[str]:
    """The notices of a key without those about its codes, which may name one."""
    about_codes = {place.credential.note for door in answer.doors for place in door.places}
    return [notice for notice in answer.notices if notice not in about_codes]


# What the API takes ---------------------------------------------------------------------------------


class ReasonIn(Input):
    """A body that may say why; history keeps it."""

    reason = Text(required=False, allow_blank=True, max_length=300, help_text="Kept in history.")


class MustReasonIn(Input):
    """A body that must say why."""

    reason = Text(max_length=300, help_text="Kept in history.")


class LimitsIn(Input):
    """A door's own window and limits; null takes the key's."""

    starts_at = Moment(required=False, allow_null=True)
    ends_at = Moment(required=False, allow_null=True, later=True)
    weekdays = serializers.ListField(
        child=serializers.IntegerField(min_value=1, max_value=7),
        required=False,
        min_length=1,
        max_length=7,
        help_text="Monday is 1.",
    )
    from_hour = WallTime(required=False, allow_null=True)
    to_hour = WallTime(required=False, allow_null=True)


class DoorWishIn(LimitsIn):
    """A door of a new key, or one more door of a key."""

    door = Id()
    allow_provisioning = serializers.BooleanField(default=True)
    before_check_in = serializers.BooleanField(default=False)


class AddDoorIn(DoorWishIn, ReasonIn):
    """One more door of a key, and why."""


class DoorPatchIn(LimitsIn, ReasonIn):
    """Changes of a keychain door. What is not named stays; only a switch that changes is stored."""

    allow_provisioning = serializers.BooleanField(required=False)
    before_check_in = serializers.BooleanField(
        required=False,
        help_text="Write now, before check-in. Not given: true when the hold came from an outage or the PMS is not "
        "connected, else false.",
    )


class CredentialWishIn(Input):
    """A credential; ``code`` is asked for with the policies preferred and strict."""

    kind = serializers.ChoiceField(KindChoice.choices)
    policy = serializers.ChoiceField(Credential.Policy.choices, default=Credential.Policy.RANDOM)
    code = Text(required=False, max_length=40, default="")


class PersonWishIn(Input):
    """A person of a new key. Without ``credentials`` they get a random Door Code."""

    name = Text(max_length=200)
    email = serializers.EmailField(required=False, allow_blank=True, default="")
    phone = Text(required=False, allow_blank=True, max_length=40, default="")
    credentials = serializers.ListField(child=CredentialWishIn(), required=False, max_length=3)


class NewKeyIn(ReasonIn):
    """A key made by hand."""

    people = serializers.ListField(child=PersonWishIn(), min_length=1, max_length=20)
    doors = serializers.ListField(child=DoorWishIn(), min_length=1, max_length=50)
    starts_at = Moment()
    ends_at = Moment(later=True)
    with_linked_doors = serializers.BooleanField(default=True)


class KeyPatchIn(ReasonIn):
    """Changes of a key. Times given here are staff's word and survive the PMS; the switch sets all its doors."""

    starts_at = Moment(required=False)
    ends_at = Moment(required=False, later=True)
    allow_provisioning = serializers.BooleanField(required=False)
    before_check_in = serializers.BooleanField(required=False)


class ReleaseIn(MustReasonIn):
    """Doors of keychains to release together."""

    doors = serializers.ListField(
        child=Id(), min_length=1, max_length=BULK, help_text="Ids of keychain doors."
    )
    before_check_in = serializers.BooleanField(
        default=False, help_text="False returns them to the property's rule."
    )


class ReleaseOut(Shape):
    """Which doors changed, and the batch under which history keeps them."""

    changed = serializers.ListField(child=serializers.IntegerField())
    batch_id = serializers.UUIDField()


class RemovedOut(Shape):
    """Whether something is still to come off the lock of the removed door."""

    removing = serializers.BooleanField()


class KeyFilters(Shape):
    """Which keys. ``search`` decides by its form: with a digit a reservation number's beginning, else a guest's name."""

    state = serializers.ChoiceField(STATES, required=False, help_text="Not given: all but revoked.")
    pending = serializers.BooleanField(required=False, allow_null=True, default=None)
    waits = serializers.ChoiceField(WAITS, required=False, help_text="What pending keys wait for.")
    door = Id(required=False, help_text="Keys that open this door.")
    search = Text(required=False, min_length=3, max_length=80)
