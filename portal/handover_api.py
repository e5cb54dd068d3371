"""The API's shift handover: what a shift leaves behind, and taking it over."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, cast

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from keys import shift
from locks.api_kit import Moment, OfProperty, Shape
from locks.log_models import Episode
from portal import handovers
from portal.models import Handover


class TroubleOut(Shape):
    """A stretch of time in which a code was not on its lock, or one that must go was not gone."""

    id = serializers.IntegerField(source="pk", help_text="Id of the episode.")
    kind = serializers.ChoiceField(Episode.Kind.choices)
    door = serializers.IntegerField(source="door_id")
    name = serializers.CharField(source="door.name")
    key = serializers.IntegerField(source="key_id")
    cause = serializers.CharField()
    tries = serializers.IntegerField()
    opened_at = Moment()
    closed_at = Moment(allow_null=True)


class OverrideOut(Shape):
    """Something that a person decided against what would have come by itself."""

    at = Moment()
    who = serializers.CharField()
    what = serializers.CharField()
    door = serializers.CharField(help_text="The door’s name, or empty for the key as a whole.")
    key = serializers.IntegerField(source="key_id")
    reason = serializers.CharField(source="why")
    more = serializers.IntegerField(help_text="How many others the same batch changed.")


class BreakOut(Shape):
    """An outage of the PMS."""

    id = serializers.IntegerField(source="pk")
    began_at = Moment()
    ended_at = Moment(allow_null=True)


class HandoverOut(Shape):
    """A shift: at most a hundred of each list, the whole of it where ``is_whole`` says so."""

    since = Moment(help_text="When someone last took over; at most a week ago.")
    until = Moment()
    is_whole = serializers.BooleanField()
    failed = serializers.IntegerField(
        help_text="How many of these failures began within the shift."
    )
    still_open = TroubleOut(many=True)
    healed = TroubleOut(many=True)
    outages = BreakOut(many=True)
    overrides = OverrideOut(many=True)


class HandoverView(OfProperty):
    """What the last shift leaves behind."""

    serializer_class = HandoverOut
    queryset = Handover.objects.all()
    pagination_class = None
    rights: ClassVar[Mapping[str, str]] = {"read": "SEE_KEYS", "take": "SWITCH_DOORS"}

    @extend_schema(operation_id="handover_retrieve", responses=HandoverOut)
    def read(self, request: Request) -> Response:
        """Read what failed, healed, is open and was overridden since someone last took over."""
        now = timezone.now()
        last = handovers.last_of(self.hotel.pk)
        since = shift.since_when(last.taken_at if last else None, now=now)
        told = shift.told(property_id=self.hotel.pk, since=since, until=now)
        return Response(HandoverOut(told).data)

    @extend_schema(operation_id="handover_take", request=None, responses=HandoverOut)
    def take(self, request: Request) -> Response:
        """Take the shift over: from now on the next one is told."""
        member = cast(Any, self.caller).token.membership
        handovers.take_over(membership=member, now=timezone.now())
        return self.read(request)
