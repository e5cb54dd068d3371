"""The API's encoder: which cards are unused, having one written for a person of a key, and how that ended."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from django.db.models import QuerySet
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from keys import encoding
from keys.encoding_models import CardEncoding
from keys.models import Person
from keys.refusal import Refused
from keys.wording import problem_text
from locks.api_kit import Input, Moment, OfProperty, Shape
from locks.drivers import CardStock


class AttemptOut(Shape):
    """One attempt to write a card."""

    id = serializers.IntegerField(source="pk")
    card = serializers.CharField(source="hint", help_text="The last two characters of its number.")
    asked_at = Moment()
    asked_by = serializers.CharField()
    ended_at = Moment(allow_null=True)
    result = serializers.ChoiceField(
        CardEncoding.Result.choices, help_text="Empty while it is under way.", allow_blank=True
    )
    cause = serializers.CharField(help_text="Why not, such as `encoding_interrupted`.")
    sentence = serializers.SerializerMethodField()

    def get_sentence(self, attempt: CardEncoding) -> str:
        """How it stands, in the portal's words."""
        return encoding.said(attempt)


class EncoderOut(Shape):
    """The encoder as this person's key sees it."""

    cards = serializers.ListField(
        child=serializers.CharField(), help_text="Numbers of the cards that nobody holds."
    )
    problem = serializers.CharField(help_text="Why the encoder gave no list; empty if it did.")
    last = AttemptOut(allow_null=True, help_text="The last attempt for this person.")


class EncodeIn(Input):
    """Which card lies on the encoder."""

    card = serializers.CharField(max_length=40)
    lost = serializers.BooleanField(
        default=True, help_text="The person's card is lost: it is blocked now, whatever happens."
    )


class EncodingView(OfProperty):
    """The keycard of one person of a key."""

    serializer_class = EncoderOut
    queryset = Person.objects.select_related("guest", "key")
    pagination_class = None
    rights: ClassVar[Mapping[str, str]] = {"retrieve": "EDIT_KEYS", "create": "EDIT_KEYS"}

    def get_queryset(self) -> QuerySet[Person]:
        rows = self.of_hotel(super().get_queryset())
        return rows.filter(key_id=self.kwargs.get("key_id", 0), removed_at=None)

    @extend_schema(operation_id="keys_people_keycard_retrieve", responses=EncoderOut)
    def retrieve(self, request: Request, key_id: int, pk: int) -> Response:
        """Read the unused cards of the encoder and how the last attempt for this person ended."""
        person = self.get_object()
        account, stock = encoding.encoder_of(person.key), CardStock()
        if account is not None:
            stock = encoding.unused_cards(key=person.key, account=account, now=timezone.now())
        told: dict[str, Any] = {
            "cards": stock.cards,
            "problem": problem_text(stock.error.cause.value) if stock.error else "",
            "last": CardEncoding.objects.filter(person=person).order_by("-asked_at", "-id").first(),
        }
        return Response(EncoderOut(told).data)

    @extend_schema(request=EncodeIn, responses={202: AttemptOut})
    def create(self, request: Request, key_id: int, pk: int) -> Response:
        """Have a card written: a worker does it. Read how it ended; only then the person has the card."""
        person, wish = self.get_object(), self.body(EncodeIn)
        account = encoding.encoder_of(person.key)
        if account is None:
            raise Refused("card", "No door of this key has a lock that takes cards of an encoder.")
        attempt = encoding.ask(
            person=person,
            account=account,
            card=wish["card"],
            is_lost=wish["lost"],
            by=self.actor(),
            now=timezone.now(),
        )
        return Response(AttemptOut(attempt).data, status=202)
