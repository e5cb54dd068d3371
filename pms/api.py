"""The API's reservations and integrations, both read-only: the PMS is their author."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from locks.api import Id, Moment, Noun, OfProperty, Shape
from pms.models import Integration, Reservation


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
        fields = ("id", "adapter", "state", "since", "problem", "last_word_at")
        read_only_fields = fields


class IntegrationsView(Noun):
    """Integrations of the property."""

    serializer_class = IntegrationOut
    queryset = Integration.objects.all()
    rights: ClassVar[Mapping[str, str]] = {"list": "SEE_SETTINGS", "retrieve": "SEE_SETTINGS"}

    def get_queryset(self) -> QuerySet[Integration]:
        return self.of_hotel(super().get_queryset())


NOUNS: Sequence[tuple[str, type[OfProperty], str]] = (
    ("reservations", ReservationsView, "reservation"),
    ("integrations", IntegrationsView, "integration"),
)
