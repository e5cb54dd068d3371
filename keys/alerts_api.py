"""The API's alerts, read-only: they open and close by what Portal finds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from keys.alerting import REMEDIES
from keys.telling_models import Alert
from locks.api_kit import Moment, Noun, OfProperty, Shape


class AlertOut(serializers.ModelSerializer[Alert]):
    """One stretch of trouble that someone should know of. No guest and no code is named."""

    opened_at = Moment(read_only=True)
    closed_at = Moment(read_only=True, allow_null=True, help_text="Null while it lasts.")
    is_urgent = serializers.BooleanField(read_only=True)
    guests_at_risk = serializers.IntegerField(source="guests", read_only=True)
    most_guests_at_risk = serializers.IntegerField(source="most_guests", read_only=True)
    remedy = serializers.SerializerMethodField()

    class Meta:
        model = Alert
        fields = (
            "id",
            "kind",
            "about",
            "subject",
            "sentence",
            "remedy",
            "is_urgent",
            "guests_at_risk",
            "most_guests_at_risk",
            "opened_at",
            "closed_at",
        )
        read_only_fields = fields

    def get_remedy(self, alert: Alert) -> str:
        """What to do about it."""
        return REMEDIES[alert.kind]


class AlertFilters(Shape):
    """Which alerts."""

    kind = serializers.ChoiceField(Alert.Kind.choices, required=False)
    open = serializers.BooleanField(
        required=False, allow_null=True, default=None, help_text="True: only those that last."
    )


class AlertsView(Noun):
    """Alerts of the property, the latest first."""

    serializer_class = AlertOut
    queryset = Alert.objects.all()
    filters = AlertFilters
    ordering = "-opened_at"
    rights: ClassVar[Mapping[str, str]] = {"list": "SEE_ALERTS", "retrieve": "SEE_ALERTS"}

    def get_queryset(self) -> QuerySet[Alert]:
        rows: QuerySet[Alert] = self.of_hotel(super().get_queryset())
        if self.action != "list":
            return rows
        asked = self.asked()
        if asked.get("open") is not None:
            rows = rows.filter(closed_at__isnull=asked["open"])
        return rows.filter(kind=asked["kind"]) if "kind" in asked else rows

    @extend_schema(parameters=[AlertFilters])
    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """List alerts, the latest first."""
        return super().list(request, *args, **kwargs)


NOUNS: Sequence[tuple[str, type[OfProperty], str]] = (("alerts", AlertsView, "alert"),)
