"""The API's reservations and integrations, both read-only: the PMS is their author."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from django.db.models import QuerySet
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import exceptions, serializers
from rest_framework.request import Request
from rest_framework.response import Response

from locks.api_kit import MAX_ID, Id, Moment, Noun, OfProperty, Shape
from pms.mapping import doors_by_room, stays_by_room, without_door
from pms.models import Integration, Reservation, Room


class ReservationOut(serializers.ModelSerializer[Reservation]):
    """One stay of one room, as the PMS last said. Contacts of guests are not in the API."""

    arrival_at = Moment(
        read_only=True, allow_null=True, help_text="Null: the property's time counts."
    )
    departure_at = Moment(read_only=True, allow_null=True)
    checked_in_at = Moment(read_only=True, allow_null=True)
    checked_in_online_at = Moment(read_only=True, allow_null=True)
    departed_at = Moment(read_only=True, allow_null=True)
    pms_created_at = Moment(read_only=True, allow_null=True)
    pms_updated_at = Moment(read_only=True, allow_null=True)
    missing_since = Moment(
        read_only=True,
        allow_null=True,
        help_text="Since when the PMS does not mention it; its key stays until staff end it.",
    )
    timezone = serializers.CharField(source="property.timezone", read_only=True)
    integration = serializers.IntegerField(source="integration_id", read_only=True)
    key = serializers.SerializerMethodField()
    came_in_during_outage = serializers.SerializerMethodField()

    class Meta:
        model = Reservation
        fields = (
            "id",
            "number",
            "booking_ref",
            "external_id",
            "integration",
            "state",
            "guest_name",
            "room_name",
            "timezone",
            "arrival_on",
            "departure_on",
            "arrival_at",
            "departure_at",
            "checked_in_at",
            "checked_in_online_at",
            "departed_at",
            "pms_created_at",
            "pms_updated_at",
            "missing_since",
            "came_in_during_outage",
            "key",
        )
        read_only_fields = fields

    def get_key(self, stay: Reservation) -> int | None:
        """The id of the stay's key, or null where there is none."""
        key = getattr(stay, "key", None)
        return key.pk if key else None

    def get_came_in_during_outage(self, stay: Reservation) -> bool:
        """Whether the stay was made while the PMS connection was broken."""
        return stay.came_in_during_id is not None


class ReservationFilters(Shape):
    """Which stays."""

    number = serializers.CharField(required=False, max_length=80, help_text="Exactly this number.")
    arrival_from = serializers.DateField(required=False, help_text="Arriving on this day or later.")
    arrival_to = serializers.DateField(required=False, help_text="Arriving on this day or earlier.")
    came_in_during_outage = Id(required=False, help_text="Id of an outage.")


LOOKUPS = {
    "number": "number",
    "arrival_from": "arrival_on__gte",
    "arrival_to": "arrival_on__lte",
    "came_in_during_outage": "came_in_during_id",
}


class ReservationsView(Noun):
    """Reservations of the property, by day of arrival."""

    serializer_class = ReservationOut
    queryset = Reservation.objects.select_related("property", "key")
    filters = ReservationFilters
    ordering = "arrival_on"
    rights: ClassVar[Mapping[str, str]] = {"list": "SEE_KEYS", "retrieve": "SEE_KEYS"}

    def get_queryset(self) -> QuerySet[Reservation]:
        rows = self.of_hotel(super().get_queryset())
        if self.action != "list":
            return rows
        return rows.filter(**{LOOKUPS[name]: value for name, value in self.asked().items()})

    @extend_schema(parameters=[ReservationFilters])
    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """List reservations by day of arrival."""
        return super().list(request, *args, **kwargs)


class IntegrationOut(serializers.ModelSerializer[Integration]):
    """The property's link to a PMS: its state, since when, and the last good word."""

    since = Moment(source="state_since", read_only=True)
    last_word_at = Moment(read_only=True, allow_null=True)

    class Meta:
        model = Integration
        fields = ("id", "adapter", "state", "since", "problem", "last_word_at", "write_codes")
        read_only_fields = fields


class IntegrationsView(Noun):
    """Integrations of the property."""

    serializer_class = IntegrationOut
    queryset = Integration.objects.all()
    rights: ClassVar[Mapping[str, str]] = {"list": "SEE_SETTINGS", "retrieve": "SEE_SETTINGS"}

    def get_queryset(self) -> QuerySet[Integration]:
        return self.of_hotel(super().get_queryset())


class RoomDoorOut(Shape):
    """A door that a room opens."""

    id = serializers.IntegerField()
    name = serializers.CharField()


class RoomOut(Shape):
    """A room or bed of the PMS with its doors. Without a door its guests get no code."""

    id = serializers.IntegerField()
    external_id = serializers.CharField(help_text="The PMS’s own id of the room.")
    name = serializers.CharField()
    parent_name = serializers.CharField(help_text="The dorm of a bed; else empty.")
    is_virtual = serializers.BooleanField(help_text="It joins other rooms.")
    seen_at = Moment(help_text="When the PMS last named it.")
    doors = RoomDoorOut(many=True)
    reservations = serializers.IntegerField(help_text="Current and coming stays of the room.")


class RoomFilters(Shape):
    """Which rooms."""

    unmapped = serializers.BooleanField(
        required=False, help_text="True: only rooms that open no door and should."
    )


class RoomsView(OfProperty):
    """Rooms of one integration, by name."""

    serializer_class = RoomOut
    queryset = Room.objects.all()
    filters = RoomFilters
    ordering = "name"
    rights: ClassVar[Mapping[str, str]] = {"list": "SEE_SETTINGS"}

    @extend_schema(
        operation_id="integrations_rooms_list",
        parameters=[RoomFilters],
        responses=RoomOut(many=True),
    )
    def list(self, request: Request, integration_id: int) -> Response:
        """List the rooms of an integration with the doors that each opens."""
        known = self.of_hotel(Integration.objects.select_related("property"))
        integration = known.filter(pk=min(integration_id, MAX_ID)).first()
        if integration is None or integration_id > MAX_ID:
            raise exceptions.NotFound
        now = timezone.now()
        rooms = Room.objects.filter(integration=integration)
        if self.asked().get("unmapped"):
            rooms = without_door(integration, now)
        page = self.paginate_queryset(rooms) or []
        refs = [room.external_id for room in page]
        doors, stays = doors_by_room(integration, refs), stays_by_room(integration, refs, now)
        rows = [
            {
                "id": room.pk,
                "external_id": room.external_id,
                "name": room.name,
                "parent_name": room.parent_name,
                "is_virtual": room.is_virtual,
                "seen_at": room.seen_at,
                "doors": doors[room.external_id],
                "reservations": stays[room.external_id],
            }
            for room in page
        ]
        return self.get_paginated_response(RoomOut(rows, many=True).data)


NOUNS: Sequence[tuple[str, type[OfProperty], str]] = (
    ("reservations", ReservationsView, "reservation"),
    ("integrations", IntegrationsView, "integration"),
)
