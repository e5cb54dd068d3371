"""The API's two questions about a door and a moment. The typed code is taken in a body only, and never comes back."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, ClassVar

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import exceptions, serializers
from rest_framework.request import Request
from rest_framework.response import Response

from keys import past
from keys.opening import Answer, Could
from keys.why_not import Why
from locks.api_kit import PAGE, Id, Input, Moment, OfProperty, Shape, Text
from locks.models import Door


class WhyIn(Input):
    """The door is in the address; the code is compared and forgotten."""

    at = Moment(help_text="When it was typed.")
    code = Text(max_length=20)

    def validate_code(self, value: str) -> str:
        """Digits only; spaces are left out."""
        code = "".join(value.split())
        if not code.isascii() or not code.isdigit():
            raise serializers.ValidationError("A Door Code has digits only: send the digits.")
        return code


class FindingOut(Shape):
    """One reason with its evidence in words, times in the property's zone."""

    why = serializers.ChoiceField([(why.value, why.value) for why in Why])
    sentence = serializers.CharField()


class VerdictOut(Shape):
    """What is known about one key with this code; without a key, about a code that no key has had."""

    key = serializers.SerializerMethodField()
    findings = FindingOut(many=True)

    def get_key(self, verdict: Any) -> int | None:
        """The key's id."""
        return verdict.match.key_id if verdict.match else None


class ResultOut(Shape):
    """Verdicts, the most telling first; what the lock said around then; and what nobody can know."""

    verdicts = VerdictOut(many=True)
    heard = serializers.ListField(child=serializers.CharField())
    unknown = serializers.ListField(child=serializers.CharField())


class WhoFilters(Shape):
    """The moment, and where the page begins."""

    at = Moment(help_text="The moment, in the past.")
    after = Id(required=False, help_text="The id in “next” of the page before.")


class AnswerOut(Shape):
    """One credential and whether it could open the door then, with the evidence in words."""

    could = serializers.ChoiceField([(could.value, could.value) for could in Could])
    key = serializers.IntegerField(source="place.key_id")
    guest = serializers.CharField(source="place.label")
    person = serializers.CharField(source="place.person")
    kind = serializers.CharField(source="place.kind")
    evidence = serializers.ListField(child=serializers.CharField())


class StrangerOut(Shape):
    """Something on the lock that Portal did not put there: it may have opened."""

    address = serializers.CharField()
    first_seen_at = Moment()
    gone_at = Moment(allow_null=True)


class OpeningOut(Shape):
    """Who could open the door then. ``log_since`` is how far back its log goes."""

    next = serializers.IntegerField(allow_null=True)
    log_since = Moment(allow_null=True)
    results = AnswerOut(many=True)
    strangers = StrangerOut(many=True)


class QuestionsView(OfProperty):
    """Questions about one door."""

    serializer_class = ResultOut
    queryset = Door.objects.select_related("property")
    filters = WhoFilters
    rights: ClassVar[Mapping[str, str]] = {"why": "SEE_CODES", "who": "SEE_KEYS"}

    def get_queryset(self) -> Any:
        return self.of_hotel(super().get_queryset())

    @extend_schema(
        operation_id="doors_why", request=WhyIn, responses=ResultOut, parameters=[], filters=False
    )
    def why(self, request: Request, pk: int) -> Response:
        """Ask why a code that was typed at this door did not open it."""
        door, wish = self.get_object(), self.body(WhyIn)
        _past(wish["at"])
        return Response(ResultOut(past.why(door=door, moment=wish["at"], code=wish["code"])).data)

    @extend_schema(
        operation_id="doors_who_could_open", parameters=[WhoFilters], responses=OpeningOut
    )
    def who(self, request: Request, pk: int) -> Response:
        """Ask who could open this door at a moment."""
        door, asked = self.get_object(), self.asked()
        _past(asked["at"])
        found = past.who_could(door=door, moment=asked["at"])
        page, following = _page(found.answers, asked.get("after", 0))
        told = {
            "next": following,
            "log_since": found.log_since,
            "results": page,
            "strangers": found.strangers,
        }
        return Response(OpeningOut(told).data)


def _past(moment: datetime) -> None:
    if moment > timezone.now():
        raise exceptions.ValidationError(
            {"at": "That is still to come: give a moment that is past."}
        )


def _page(answers: list[Answer], after: int) -> tuple[list[Answer], int | None]:
    """A page in the order of ids, which a program can go on with."""
    rest = sorted(answers, key=lambda one: one.place.assignment_id)
    rest = [one for one in rest if one.place.assignment_id > after]
    page = rest[:PAGE]
    return page, page[-1].place.assignment_id if len(rest) > PAGE else None
