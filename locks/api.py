"""The API's property, doors, locks and door log."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from django.db.models import QuerySet
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import mixins, serializers
from rest_framework.request import Request
from rest_framework.response import Response

from locks.api_events import EventsIn, EventsOut
from locks.api_kit import (
    Id,
    Moment,
    Noun,
    OfProperty,
    Shape,
    WallTime,
    utc_text,
)
from locks.bell import ring
from locks.clock import database_now
from locks.giving import give
from locks.intake import BELL
from locks.intake_models import Intake
from locks.log_models import DoorLogEntry, Episode, LogCode
from locks.models import Door, Lock, LockAccount, Property


class PropertyOut(serializers.ModelSerializer[Property]):
    """The hotel of the token."""

    arrival_time = WallTime(read_only=True)
    departure_time = WallTime(read_only=True)

    class Meta:
        model = Property
        fields = (
            "id",
            "name",
            "timezone",
            "mode",
            "check_in_rule",
            "arrival_time",
            "departure_time",
            "after_outage",
            "write_lead_minutes",
            "common_doors",
        )
        read_only_fields = fields


class PropertyView(OfProperty):
    """The token's property: its name, time zone and rules."""

    serializer_class = PropertyOut
    queryset = Property.objects.all()
    rights: ClassVar[Mapping[str, str]] = {"read": "SEE_DOORS"}

    @extend_schema(operation_id="property_retrieve", responses=PropertyOut)
    def read(self, request: Request) -> Response:
        """Read the property that this token belongs to."""
        return Response(PropertyOut(self.hotel).data)


class LockShort(serializers.ModelSerializer[Lock]):
    """A lock beside its door."""

    offline_since = Moment(read_only=True, allow_null=True)

    class Meta:
        model = Lock
        fields = ("id", "name", "model", "is_online", "offline_since", "battery")
        read_only_fields = fields


class DoorOut(serializers.ModelSerializer[Door]):
    """A door and the lock on it, if there is one."""

    arrival_time = WallTime(read_only=True, allow_null=True, help_text="Null: the property's.")
    departure_time = WallTime(read_only=True, allow_null=True, help_text="Null: the property's.")
    lock = serializers.SerializerMethodField()
    linked_doors = serializers.SerializerMethodField()
    is_archived = serializers.SerializerMethodField()

    class Meta:
        model = Door
        fields = (
            "id",
            "name",
            "type",
            "location",
            "arrival_time",
            "departure_time",
            "linked_doors",
            "is_archived",
            "lock",
        )
        read_only_fields = fields

    @extend_schema_field(LockShort(allow_null=True))
    def get_lock(self, door: Door) -> Any:
        """The lock, or null where none is installed."""
        lock = getattr(door, "lock", None)
        return LockShort(lock).data if lock else None

    @extend_schema_field(serializers.ListField(child=serializers.IntegerField()))
    def get_linked_doors(self, door: Door) -> list[int]:
        """Ids of the doors that open together with this one."""
        return sorted(link.linked_id for link in door.links.all())

    @extend_schema_field(OpenApiTypes.BOOL)
    def get_is_archived(self, door: Door) -> bool:
        """Whether the door is out of use."""
        return door.archived_at is not None


class DoorsView(Noun):
    """Doors of the property."""

    serializer_class = DoorOut
    queryset = Door.objects.select_related("lock").prefetch_related("links")
    rights: ClassVar[Mapping[str, str]] = {"list": "SEE_DOORS", "retrieve": "SEE_DOORS"}
    ordering = "name"

    def get_queryset(self) -> QuerySet[Door]:
        return self.of_hotel(super().get_queryset())


class LockOut(serializers.ModelSerializer[Lock]):
    """A lock as last heard of. ``online`` already counts its gateway."""

    door = serializers.IntegerField(source="door_id", read_only=True, allow_null=True)
    account = serializers.SerializerMethodField()
    gateway = serializers.SerializerMethodField()
    offline_since = Moment(read_only=True, allow_null=True)
    next_try_at = Moment(read_only=True, allow_null=True)
    last_heard_at = Moment(read_only=True, allow_null=True)
    keeps_windows = serializers.BooleanField(source="native_window", read_only=True)

    class Meta:
        model = Lock
        fields = (
            "id",
            "name",
            "model",
            "external_id",
            "door",
            "account",
            "gateway",
            "is_online",
            "offline_since",
            "next_try_at",
            "last_heard_at",
            "battery",
            "keeps_windows",
            "whole_hours",
            "takes_door_codes",
            "takes_smartkeys",
            "takes_keycards",
            "code_min",
            "code_max",
        )
        read_only_fields = fields

    @extend_schema_field(
        {
            "type": "object",
            "required": ["name", "state"],
            "properties": {
                "name": {"type": "string"},
                "state": {"type": "string", "enum": ["working", "broken", "disconnected"]},
            },
        }
    )
    def get_account(self, lock: Lock) -> dict[str, str]:
        """The vendor's account, which stops all its locks when it is broken."""
        return {"name": lock.account.name, "state": lock.account.state}

    @extend_schema_field(
        {
            "type": ["object", "null"],
            "required": ["name", "is_online", "offline_since"],
            "properties": {
                "name": {"type": "string"},
                "is_online": {"type": "boolean"},
                "offline_since": {"type": ["string", "null"], "format": "date-time"},
            },
        }
    )
    def get_gateway(self, lock: Lock) -> dict[str, Any] | None:
        """The gateway between, or null where the lock is reached without one."""
        box = lock.gateway
        if box is None:
            return None
        since = utc_text(box.offline_since)
        return {"name": box.name, "is_online": box.is_online, "offline_since": since}


class LocksView(Noun):
    """Locks of the property."""

    serializer_class = LockOut
    queryset = Lock.objects.select_related("account", "gateway")
    rights: ClassVar[Mapping[str, str]] = {"list": "SEE_DOORS", "retrieve": "SEE_DOORS"}

    def get_queryset(self) -> QuerySet[Lock]:
        return self.of_hotel(super().get_queryset())


class LockAccountOut(serializers.ModelSerializer[LockAccount]):
    """An account at a lock system. ``problem`` is the lock system's own word on why it refuses it."""

    broken_at = Moment(read_only=True, allow_null=True)
    disconnected_at = Moment(read_only=True, allow_null=True)

    class Meta:
        model = LockAccount
        fields = ("id", "name", "driver", "state", "broken_at", "disconnected_at", "problem")
        read_only_fields = fields


class LockAccountsView(Noun):
    """Accounts at lock systems; one that is broken or disconnected stops all its locks."""

    serializer_class = LockAccountOut
    queryset = LockAccount.objects.defer("token")
    rights: ClassVar[Mapping[str, str]] = {
        "list": "SEE_LOCK_SYSTEMS",
        "retrieve": "SEE_LOCK_SYSTEMS",
    }
    ordering = "name"

    def get_queryset(self) -> QuerySet[LockAccount]:
        return self.of_hotel(super().get_queryset())


class LogOut(serializers.ModelSerializer[DoorLogEntry]):
    """A line of the door log. ``hint`` is at most the last two digits of a code."""

    door = serializers.IntegerField(source="door_id", read_only=True, allow_null=True)
    lock = serializers.IntegerField(source="lock_id", read_only=True, allow_null=True)
    key = serializers.IntegerField(source="key_id", read_only=True, allow_null=True)
    happened_at = Moment(read_only=True)
    received_at = Moment(read_only=True)
    text = serializers.CharField(source="get_code_display", read_only=True)

    class Meta:
        model = DoorLogEntry
        fields = (
            "id",
            "happened_at",
            "received_at",
            "origin",
            "code",
            "text",
            "cause",
            "kind",
            "door",
            "lock",
            "key",
            "attempt",
            "proof",
            "vendor_code",
            "hint",
            "actor",
        )
        read_only_fields = fields


class LogFilters(Shape):
    """Narrow the log to one door, key or code; one of the first two at a time keeps it fast."""

    door = Id(required=False, help_text="Lines of this door.")
    key = Id(required=False, help_text="Lines of this key.")
    code = serializers.ChoiceField(LogCode.choices, required=False, help_text="4117 for example.")


class LogView(mixins.ListModelMixin, OfProperty):
    """The door log, newest first."""

    serializer_class = LogOut
    queryset = DoorLogEntry.objects.all()
    filters = LogFilters
    ordering = "-happened_at"
    rights: ClassVar[Mapping[str, str]] = {"list": "SEE_LOG", "create": "GIVE_EVENTS"}

    def get_queryset(self) -> QuerySet[DoorLogEntry]:
        rows = self.of_hotel(super().get_queryset())
        names = {"door": "door_id", "key": "key_id", "code": "code"}
        return rows.filter(**{names[name]: value for name, value in self.asked().items()})

    @extend_schema(parameters=[LogFilters])
    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """List what happened at the doors, newest first."""
        return super().list(request, *args, **kwargs)

    @extend_schema(request=EventsIn, responses={202: EventsOut})
    def create(self, request: Request) -> Response:
        """Give events of locks, at most 1,000 at a time. All are stored, or, where one is wrong, none.

        They are in the log moments later. Giving the same again changes nothing.
        """
        body = EventsIn(data=request.data, context=self.get_serializer_context())
        body.is_valid(raise_exception=True)
        rows = body.validated_data["events"]
        given = give(
            list(enumerate(rows)),
            property_id=self.hotel.pk,
            source=Intake.Source.API,
            now=database_now(),
            whole=True,
        )
        if given.bad:
            wrong = {f"events.{bad.line}.{bad.field}": [bad.fix] for bad in given.bad}
            raise serializers.ValidationError(wrong)
        ring(BELL)
        return Response(EventsOut({"stored": given.taken}).data, status=202)


class EpisodeOut(serializers.ModelSerializer[Episode]):
    """A stretch of time in which a credential was not where it must be."""

    door = serializers.IntegerField(source="door_id", read_only=True)
    key = serializers.IntegerField(source="key_id", read_only=True)
    opened_at = Moment(read_only=True)
    last_try_at = Moment(read_only=True, allow_null=True)
    closed_at = Moment(read_only=True, allow_null=True)

    class Meta:
        model = Episode
        fields = (
            "id",
            "kind",
            "door",
            "key",
            "cause",
            "vendor_code",
            "tries",
            "opened_at",
            "last_try_at",
            "closed_at",
        )
        read_only_fields = fields


class EpisodeFilters(Shape):
    """Which stretches."""

    kind = serializers.ChoiceField(Episode.Kind.choices, required=False)


class EpisodesView(mixins.ListModelMixin, OfProperty):
    """Open 4117s and removals that are not confirmed."""

    serializer_class = EpisodeOut
    queryset = Episode.objects.filter(closed_at=None)
    filters = EpisodeFilters
    ordering = "opened_at"
    rights: ClassVar[Mapping[str, str]] = {"list": "SEE_LOG"}

    def get_queryset(self) -> QuerySet[Episode]:
        return self.of_hotel(super().get_queryset()).filter(**self.asked())

    @extend_schema(parameters=[EpisodeFilters])
    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """List what is not where it must be now, longest first."""
        return super().list(request, *args, **kwargs)


NOUNS: Sequence[tuple[str, type[OfProperty], str]] = (
    ("doors", DoorsView, "door"),
    ("locks", LocksView, "lock"),
    ("lock-accounts", LockAccountsView, "lock-account"),
    ("door-log", LogView, "door-log"),
    ("episodes", EpisodesView, "episode"),
)
