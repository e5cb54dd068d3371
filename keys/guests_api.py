"""The API's erasing and exporting of the guests of a key: a General Manager's right."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from django.db.models import QuerySet
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from keys import erasing
from keys.guest_export import export_guest
from keys.models import Person
from locks.api_kit import Moment, OfProperty, Text


class EraseIn(serializers.Serializer[Any]):
    """The word that confirms it."""

    word = Text(max_length=20, help_text=f"{erasing.WORD}: it cannot be undone.")
    reason = Text(max_length=300, required=False, allow_blank=True)


class ErasedOut(serializers.Serializer[Any]):
    """What an erasure did."""

    pseudonym = serializers.CharField(help_text="What stands in the place of the name.")
    opens_until = Moment(
        allow_null=True, help_text="Until when codes of the guest open; null if none does."
    )
    counts = serializers.DictField(child=serializers.IntegerField())


class GuestOut(serializers.Serializer[Any]):
    """Everything that is held about a guest."""

    exported_at = serializers.CharField()
    property = serializers.CharField()
    guest = serializers.ListField(child=serializers.DictField())
    stays = serializers.ListField(child=serializers.DictField())
    keys = serializers.ListField(child=serializers.DictField())
    messages = serializers.ListField(child=serializers.DictField())
    door_log = serializers.ListField(child=serializers.DictField())


class PeopleView(OfProperty):
    """The people of one key."""

    serializer_class = GuestOut
    queryset = Person.objects.all()
    pagination_class = None
    rights: ClassVar[Mapping[str, str]] = {"erase": "ERASE_GUESTS", "export": "ERASE_GUESTS"}

    def get_queryset(self) -> QuerySet[Person]:
        rows = self.of_hotel(super().get_queryset()).select_related("guest__property")
        return rows.filter(key_id=self.kwargs.get("key_id", 0))

    @extend_schema(operation_id="keys_people_erase", request=EraseIn, responses={200: ErasedOut})
    def erase(self, request: Request, key_id: int, pk: int) -> Response:
        """Erase a guest for good: name and contacts go everywhere; the key, its code and the door log stay."""
        person, wish = self.get_object(), self.body(EraseIn)
        erasing.confirm(wish["word"])
        by = self.actor(wish.get("reason", ""))
        done = erasing.erase(guest=person.guest, by=by, now=timezone.now())
        return Response(ErasedOut(done).data)

    @extend_schema(operation_id="keys_people_export", responses=GuestOut)
    def export(self, request: Request, key_id: int, pk: int) -> Response:
        """Read everything that is held about a guest; codes and messages only with the right to see codes."""
        guest, codes = self.get_object().guest, self.may("SEE_CODES")
        return Response(export_guest(guest=guest, with_codes=codes, now=timezone.now()))
