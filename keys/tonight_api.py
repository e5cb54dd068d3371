"""The API's Tonight: the board of the front desk, in the portal's words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from django.utils import timezone
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from keys.api_shapes import ReasonOut, choices
from keys.evening import Arrival, Meaning
from keys.models import Key
from keys.tonight import board, reasons_of
from locks.api_kit import Moment, OfProperty, Shape
from locks.models import KindChoice

SHOWN = 200


class GlanceOut(Shape):
    """Guests by what the worst of their doors means tonight."""

    ready = serializers.IntegerField(help_text="Confirmed on the lock.")
    later = serializers.IntegerField(help_text="Written by itself at its time.")
    waiting = serializers.IntegerField(help_text="Written by itself at check-in.")
    at_risk = serializers.IntegerField(help_text="Not on the lock; may still heal by itself.")
    broken = serializers.IntegerField(help_text="Not on the lock until someone acts.")
    outside = serializers.IntegerField(help_text="Guests before a closed door tonight.")


class TonightDoorOut(Shape):
    """A door of an arrival."""

    id = serializers.IntegerField(source="keychain_door_id", help_text="Id of the keychain door.")
    door = serializers.IntegerField(source="door_id")
    name = serializers.CharField()
    meaning = serializers.ChoiceField(choices(Meaning))


class ArrivalOut(Shape):
    """One key whose guest arrives, or arrived and cannot open a door."""

    key = serializers.IntegerField(source="key_id")
    guest = serializers.CharField(source="label")
    reservation_number = serializers.CharField(source="number")
    starts_at = Moment()
    meaning = serializers.ChoiceField(choices(Meaning), help_text="Of its worst door.")
    act_now = serializers.BooleanField(source="rises", help_text="Here already, or within hours.")
    people = serializers.IntegerField()
    outside = serializers.IntegerField(help_text="Those of them for whom a door stays closed.")
    sentence = serializers.CharField(help_text="Why it opens no door at all, or empty.")
    doors = TonightDoorOut(many=True)
    reasons = serializers.SerializerMethodField()

    @extend_schema_field(ReasonOut(many=True))
    def get_reasons(self, arrival: Arrival) -> Any:
        """All that hold at its worst door, in the order to clear them."""
        why = self.context["why"].get(arrival.key_id)
        return ReasonOut(why.reasons if why else [], many=True).data


class ToGoOut(Shape):
    """Something that should be off a lock and is not confirmed gone: it may still open."""

    door = serializers.IntegerField(source="door_id")
    name = serializers.CharField(source="door.name")
    key = serializers.IntegerField(source="key_id")
    kind = serializers.ChoiceField(KindChoice.choices)
    since = Moment(source="headline_since")


class TonightOut(Shape):
    """The evening. Those to act on now come first; at most two hundred arrivals are listed, all are counted."""

    day = serializers.DateField(source="night.day", help_text="The date of the evening.")
    begins = Moment(source="night.begins")
    ends = Moment(source="night.ends", help_text="When the hotel’s day turns; excluded.")
    timezone = serializers.SerializerMethodField()
    glance = GlanceOut()
    should_be_gone = ToGoOut(source="ghosts", many=True)
    arrivals = serializers.SerializerMethodField()

    def get_timezone(self, _: Any) -> str:
        """The property's zone."""
        return str(self.context["property"].timezone)

    @extend_schema_field(ArrivalOut(many=True))
    def get_arrivals(self, _: Any) -> Any:
        """The first two hundred."""
        return ArrivalOut(self.context["shown"], many=True, context=self.context).data


class TonightView(OfProperty):
    """Who arrives tonight and whether their doors will open."""

    serializer_class = TonightOut
    queryset = Key.objects.all()
    pagination_class = None
    rights: ClassVar[Mapping[str, str]] = {"read": "SEE_KEYS"}

    @extend_schema(operation_id="tonight_retrieve", responses=TonightOut)
    def read(self, request: Request) -> Response:
        """Read the board of tonight: arrivals, what their doors mean, who must act."""
        now = timezone.now()
        told = board(hotel=self.hotel, now=now)
        shown = [*told.now_first, *told.arrivals][:SHOWN]
        context = self.get_serializer_context()
        context |= {"shown": shown, "why": reasons_of(shown, now=now)}
        return Response(TonightOut(told, context=context).data)
