"""The API's outages and recoveries: what an outage touched, a dry run, and a recovery with its progress, cancel and undo.

Bodies feed ``keys/recovering.py`` and nothing else; it answers at once, workers do the rest.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from django.db.models import QuerySet
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import exceptions, serializers
from rest_framework.request import Request
from rest_framework.response import Response

from keys import recovering, releasing
from keys.affected import stays_of, touched
from keys.api_shapes import BULK, MustReasonIn
from keys.models import Recovery, RecoveryRow
from keys.recovery_models import RemedyChoice
from keys.remedies import Remedy
from locks.api_kit import MAX_ID, Id, Input, Moment, Noun, OfProperty, Shape
from pms.differences import Happened, sentences
from pms.models import Outage, Reservation

REMEDIES = [(one.value, one.value) for one in Remedy]
HAPPENED = [(one.value, one.value) for one in Happened]


# Shapes -------------------------------------------------------------------------------------------


class OutageOut(serializers.ModelSerializer[Outage]):
    """From the last good word of the PMS to the Reconnect that succeeded."""

    integration = serializers.IntegerField(source="integration_id", read_only=True)
    began_at = Moment(read_only=True)
    last_word_at = Moment(read_only=True, help_text="What changed in the PMS since is affected.")
    reconnected_at = Moment(read_only=True, allow_null=True)
    ended_at = Moment(read_only=True, allow_null=True, help_text="When Portal had caught up.")

    class Meta:
        model = Outage
        fields = (
            "id",
            "integration",
            "began_at",
            "last_word_at",
            "reconnected_at",
            "ended_at",
            "cause",
        )
        read_only_fields = fields


class AffectedOut(Shape):
    """One reservation that the outage touched, what happened to it meanwhile, and what is proposed."""

    reservation = serializers.IntegerField()
    number = serializers.CharField()
    key = serializers.IntegerField(allow_null=True)
    came_in = serializers.BooleanField(help_text="Made in the PMS during the outage.")
    happened = serializers.ListField(child=serializers.ChoiceField(HAPPENED))
    happened_text = serializers.ListField(child=serializers.CharField())
    proposed = serializers.ChoiceField(REMEDIES)
    open = serializers.BooleanField(help_text="Something is left to do.")
    links_key = serializers.IntegerField(
        allow_null=True, help_text="The key made by hand that would become the reservation's."
    )


class ChoiceIn(Input):
    """Which reservations, and how."""

    reservations = serializers.ListField(
        child=Id(),
        min_length=1,
        max_length=BULK,
        required=False,
        help_text="Ids; not given, all that the outage touched.",
    )
    link_keys = serializers.BooleanField(
        default=True, help_text="Link keys made by hand to the reservations they were made for."
    )


class StartIn(ChoiceIn, MustReasonIn):
    """A recovery, confirmed. ``up_to`` and ``seen_at`` are those of the dry run that was looked at."""

    before_check_in = serializers.BooleanField(
        default=False, help_text="False returns doors to the property's rule."
    )
    up_to = Id(required=False, help_text="Newest reservation; later ones are left alone.")
    seen_at = Moment(required=False, help_text="Keys made by hand later are not linked.")


class EffectsOut(Shape):
    """How many doors would become what."""

    effect = serializers.CharField()
    by_rule = serializers.IntegerField()
    before_check_in = serializers.IntegerField()


class DryRunOut(Shape):
    """What a recovery that is started now would do; nothing was changed."""

    remedies = serializers.DictField(
        child=serializers.IntegerField(), help_text="Reservations by what would be done."
    )
    agree = serializers.IntegerField(help_text="Reservations with which nothing is left to do.")
    doors = serializers.IntegerField(help_text="Doors that would be released.")
    effects = EffectsOut(many=True)
    up_to = serializers.IntegerField()
    seen_at = Moment()


class RecoveryOut(serializers.ModelSerializer[Recovery]):
    """A recovery: who confirmed what and why, and how many of its reservations have which result."""

    outage = serializers.IntegerField(source="outage_id", read_only=True)
    state = serializers.CharField(read_only=True, help_text="Where it stands, in words.")
    finished = serializers.SerializerMethodField()
    who = serializers.CharField(source="actor_label", read_only=True)
    started_at = Moment(read_only=True)
    finished_at = Moment(read_only=True, allow_null=True)
    cancelled_at = Moment(read_only=True, allow_null=True)
    undo_asked_at = Moment(read_only=True, allow_null=True)
    settled = serializers.IntegerField(read_only=True, help_text="Rows that have their result.")

    class Meta:
        model = Recovery
        fields = (
            "id",
            "outage",
            "batch_id",
            "state",
            "finished",
            "who",
            "reason",
            "before_check_in",
            "started_at",
            "finished_at",
            "cancelled_at",
            "undo_asked_at",
            "planned",
            "settled",
            "done",
            "failed",
            "skipped",
            "cancelled",
            "undone",
            "kept",
        )
        read_only_fields = fields

    def get_finished(self, recovery: Recovery) -> bool:
        """Whether nothing is left to do."""
        return recovery.finished_at is not None


class RecoveryRowOut(serializers.ModelSerializer[RecoveryRow]):
    """One reservation of a recovery and its result."""

    reservation = serializers.IntegerField(source="reservation_id", read_only=True)
    key = serializers.IntegerField(source="key_id", read_only=True)
    links_key = serializers.IntegerField(source="twin_id", read_only=True, allow_null=True)
    action = serializers.ChoiceField(RemedyChoice.choices, read_only=True)
    settled_at = Moment(read_only=True, allow_null=True)

    class Meta:
        model = RecoveryRow
        fields = (
            "id",
            "reservation",
            "key",
            "links_key",
            "action",
            "state",
            "result",
            "settled_at",
        )
        read_only_fields = fields


class RowFilters(Shape):
    """Which rows."""

    state = serializers.ChoiceField(RecoveryRow.State.choices, required=False)


# Views --------------------------------------------------------------------------------------------


class OutagesView(Noun):
    """Outages of the property, newest first."""

    serializer_class = OutageOut
    queryset = Outage.objects.all()
    ordering = "-began_at"
    rights: ClassVar[Mapping[str, str]] = {
        "list": "SEE_KEYS",
        "retrieve": "SEE_KEYS",
        "affected": "SEE_KEYS",
        "dry_run": "RELEASE_IN_BULK",
        "start": "RELEASE_IN_BULK",
    }

    def get_queryset(self) -> QuerySet[Outage]:
        return self.of_hotel(super().get_queryset().select_related("property", "integration"))

    def ordering_of(self, request: Request) -> str:
        return "id" if self.action == "affected" else self.ordering

    @extend_schema(operation_id="outages_reservations_list", responses=AffectedOut(many=True))
    def affected(self, request: Request, pk: int) -> Response:
        """List the reservations that an outage touched: what happened meanwhile and what is proposed."""
        outage, now = self.get_object(), timezone.now()
        page = self.paginate_queryset(stays_of(outage)) or []
        alike = Reservation.objects.filter(pk__in=[stay.pk for stay in page])
        told = touched(outage=outage, stays=alike, now=now, seen_at=now)
        proposals = {one.stay.id: one for one in told}
        rows = [
            {
                "reservation": stay.pk,
                "number": stay.number,
                "key": proposals[stay.pk].stay.key_id,
                "came_in": stay.came_in_during_id == outage.pk,
                "happened": stay.happened,
                "happened_text": sentences(stay.happened, stay.before_outage, stay),
                "proposed": proposals[stay.pk].proposal.remedy.value,
                "open": proposals[stay.pk].proposal.is_open,
                "links_key": proposals[stay.pk].proposal.twin_id,
            }
            for stay in page
        ]
        return self.get_paginated_response(AffectedOut(rows, many=True).data)

    @extend_schema(operation_id="outages_dry_run", request=ChoiceIn, responses={200: DryRunOut})
    def dry_run(self, request: Request, pk: int) -> Response:
        """Count by effect what a recovery would do; nothing is changed."""
        outage, wish = self.get_object(), self.body(ChoiceIn)
        seen = releasing.dry_run(
            outage=outage,
            now=timezone.now(),
            reservation_ids=self._chosen(outage, wish),
            links_keys=wish["link_keys"],
        )
        effects = [
            {
                "effect": one.value,
                "by_rule": seen.by_rule.get(one, 0),
                "before_check_in": seen.before_check_in.get(one, 0),
            }
            for one in releasing.Becomes
            if one in seen.by_rule or one in seen.before_check_in
        ]
        told = {
            "remedies": {one.value: many for one, many in seen.remedies.items()},
            "agree": seen.agree,
            "doors": seen.doors,
            "effects": effects,
            "up_to": seen.up_to,
            "seen_at": seen.seen_at,
        }
        return Response(DryRunOut(told).data)

    @extend_schema(operation_id="outages_recover", request=StartIn, responses={201: RecoveryOut})
    def start(self, request: Request, pk: int) -> Response:
        """Start a recovery of all or of some reservations: it is answered at once and goes on by itself.

        While one of this outage is under way, that one is the answer.
        """
        outage, wish = self.get_object(), self.body(StartIn)
        recovery = recovering.start(
            outage=outage,
            reservation_ids=self._chosen(outage, wish),
            before_check_in=wish["before_check_in"],
            links_keys=wish["link_keys"],
            up_to=wish.get("up_to"),
            seen_at=wish.get("seen_at"),
            by=self.actor(wish["reason"]),
            now=timezone.now(),
        )
        return Response(RecoveryOut(recovery).data, status=201)

    def _chosen(self, outage: Outage, wish: Mapping[str, Any]) -> list[int] | None:
        """The ids that were given. Raises NotFound naming the first that this outage did not touch."""
        ids: list[int] | None = wish.get("reservations")
        if ids is None:
            return None
        known = set(stays_of(outage).filter(pk__in=ids).values_list("id", flat=True))
        missing = next((each for each in ids if each not in known), None)
        if missing is not None:
            raise exceptions.NotFound(
                {"reservations": f"{missing} was not touched by this outage."}
            )
        return ids


class RecoveriesView(Noun):
    """Recoveries of the property, newest first."""

    serializer_class = RecoveryOut
    queryset = Recovery.objects.all()
    ordering = "-id"
    rights: ClassVar[Mapping[str, str]] = {
        "list": "SEE_KEYS",
        "retrieve": "SEE_KEYS",
        "cancel": "RELEASE_IN_BULK",
        "undo": "RELEASE_IN_BULK",
    }

    def get_queryset(self) -> QuerySet[Recovery]:
        return self.of_hotel(super().get_queryset())

    @extend_schema(request=None, responses=RecoveryOut)
    def cancel(self, request: Request, pk: int) -> Response:
        """Do no more of a recovery; what is done stays."""
        recovery = recovering.cancel(recovery=self.get_object(), now=timezone.now())
        return Response(RecoveryOut(recovery).data)

    @extend_schema(request=None, responses=RecoveryOut)
    def undo(self, request: Request, pk: int) -> Response:
        """Hold again what a recovery released and nobody changed since; codes come off their locks."""
        recovery = recovering.undo(recovery=self.get_object(), by=self.actor(), now=timezone.now())
        return Response(RecoveryOut(recovery).data)


class RecoveryRowsView(OfProperty):
    """The rows of one recovery."""

    serializer_class = RecoveryRowOut
    queryset = RecoveryRow.objects.all()
    filters = RowFilters
    ordering = "reservation_id"
    rights: ClassVar[Mapping[str, str]] = {"list": "SEE_KEYS"}

    def get_queryset(self) -> QuerySet[RecoveryRow]:
        rows = self.of_hotel(super().get_queryset())
        if self.is_described:
            return rows
        return rows.filter(recovery_id=self.kwargs["recovery_id"], **self.asked())

    @extend_schema(
        operation_id="recoveries_rows_list",
        parameters=[RowFilters],
        responses=RecoveryRowOut(many=True),
    )
    def list(self, request: Request, recovery_id: int) -> Response:
        """List the reservations of a recovery, each with its result."""
        known = self.of_hotel(Recovery.objects.filter(pk=min(recovery_id, MAX_ID)))
        if recovery_id > MAX_ID or not known.exists():
            raise exceptions.NotFound
        page = self.paginate_queryset(self.get_queryset()) or []
        return self.get_paginated_response(RecoveryRowOut(page, many=True).data)
