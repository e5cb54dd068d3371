"""The API's lock swap: a door gets a new lock."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.generics import get_object_or_404
from rest_framework.request import Request
from rest_framework.response import Response

from keys import swapping
from locks.api_kit import Id, Input, OfProperty, Shape
from locks.clock import database_now
from locks.models import Lock


class SwapIn(Input):
    """The lock in the address gives its door to this one."""

    lock = Id(help_text="The new lock, which hangs on no door.")
    was_reset = serializers.BooleanField(
        default=False,
        help_text="Whether the old lock was reset. If not, its codes stay listed until they are gone.",
    )


class SwappedOut(Shape):
    """What hangs where now, and how many credentials are or may be on the old lock."""

    door = serializers.IntegerField()
    lock = serializers.IntegerField()
    left_behind = serializers.IntegerField()


class SwapView(OfProperty):
    """Swaps one lock."""

    serializer_class = SwappedOut
    queryset = Lock.objects.select_related("property")
    rights: ClassVar[Mapping[str, str]] = {"swap": "PAIR_LOCKS"}

    def get_queryset(self) -> Any:
        return self.of_hotel(super().get_queryset())

    @extend_schema(operation_id="locks_swap", request=SwapIn, responses=SwappedOut)
    def swap(self, request: Request, pk: int) -> Response:
        """Hang another lock on this lock's door; every current and due code is written to it."""
        old, wish, now = self.get_object(), self.body(SwapIn), database_now()
        new = get_object_or_404(self.get_queryset(), pk=wish["lock"])
        seen = swapping.preview(lock=old, now=now)
        door = swapping.swap_lock(
            old=old, new=new, was_reset=wish["was_reset"], by=self.actor(), now=now
        )
        left = 0 if wish["was_reset"] else seen.left
        told = {"door": door.pk, "lock": new.pk, "left_behind": left}
        return Response(SwappedOut(told).data)
