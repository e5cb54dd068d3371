"""What every noun of the API shares: times in words of the API, keyset pages, one hotel per token.

It lies with the locks because imports go one way. Who may do what is asked in ``portal/api.py``, by the name that a
viewset gives under ``rights``.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, ClassVar, Protocol, cast

from django.core.exceptions import ValidationError as Unreadable
from django.db.models import Model, Q, QuerySet
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema_field
from rest_framework import exceptions, mixins, serializers, viewsets
from rest_framework.pagination import BasePagination
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.urls import replace_query_param

from locks.clock import TimeDoesNotExist, typed, zone
from locks.history import Actor
from locks.models import Property

MAX_ID = 2**63 - 1
PAGE, MAX_PAGE = 50, 200


# Times ---------------------------------------------------------------------------------------------


class Moment(serializers.DateTimeField):
    """UTC in answers. In requests an offset or Z counts; without one the time is the property's wall clock.

    Of a wall time that occurs twice the earlier is meant, or the later with ``later``; one that the clocks skip is
    refused with the next that exists.
    """

    default_error_messages: ClassVar = {
        "skipped": _(
            "{wall} does not exist in {zone}: the clocks go forward; use {after} or later."
        ),
        "far": _("This time is out of range."),
    }

    def __init__(self, *, later: bool = False, **options: Any) -> None:
        super().__init__(**options)
        self.later = later

    def to_internal_value(self, value: Any) -> datetime:
        try:
            moment = parse_datetime(value) if isinstance(value, str) else None
        except ValueError:
            moment = None
        if moment is None:
            self.fail("invalid", format="YYYY-MM-DDThh:mm[:ss][Z|±hh:mm]")
        if not 1971 <= moment.year <= 9000:
            self.fail("far")
        return moment.astimezone(UTC) if moment.tzinfo else self._wall(moment)

    def _wall(self, moment: datetime) -> datetime:
        name = self.context["property"].timezone
        try:
            return typed(moment, zone(name), later=self.later)
        except TimeDoesNotExist as error:
            self.fail(
                "skipped", wall=f"{error.wall:%H:%M}", zone=name, after=f"{error.after:%H:%M}"
            )

    def to_representation(self, value: datetime) -> str:
        return utc_text(value) or ""


@extend_schema_field({"type": "string", "pattern": r"^\d\d:\d\d(:\d\d)?$", "example": "15:00:00"})
class WallTime(serializers.TimeField):
    """A time of day by the property's clock."""


class Text(serializers.CharField):
    """Text that was sent as text: a number is not taken for it."""

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        return super().to_internal_value(data)


def utc_text(value: datetime | None) -> str | None:
    """A moment as the API writes it: ISO 8601 in UTC with a Z."""
    return value.astimezone(UTC).isoformat().replace("+00:00", "Z") if value else None


# Keyset pages ---------------------------------------------------------------------------------------


class ByCursor(BasePagination):
    """Pages by (sort key, id): as fast at the end of a list as at its beginning, and never a count.

    A view orders by ``ordering``, one field with a minus for newest first; the id breaks ties.
    """

    def paginate_queryset(self, queryset: Any, request: Request, view: Any = None) -> list[Any]:
        field: str = view.ordering_of(request)
        self.request, self.down = request, field.startswith("-")
        self.field = field.removeprefix("-")
        size = self._size(request)
        sign = "-" if self.down else ""
        rows = self._after(queryset, request).order_by(f"{sign}{self.field}", f"{sign}id")
        found = list(rows[: size + 1])
        self.last = found[size - 1] if len(found) > size else None
        return found[:size]

    def _size(self, request: Request) -> int:
        asked = request.query_params.get("limit", "")
        if not asked:
            return PAGE
        if not (asked.isascii() and asked.isdigit() and 1 <= int(asked[:9]) <= MAX_PAGE):
            raise exceptions.ValidationError({"limit": f"Give a number from 1 to {MAX_PAGE}."})
        return int(asked)

    def _after(self, queryset: QuerySet[Any], request: Request) -> QuerySet[Any]:
        cursor = request.query_params.get("cursor", "")
        if not cursor:
            return queryset
        value, pk = self._read(cursor, queryset.model)
        side = "lt" if self.down else "gt"
        bound = Q(**{f"{self.field}__{side}e": value})
        beyond = Q(**{f"{self.field}__{side}": value}) | Q(**{f"id__{side}": pk})
        return queryset.filter(bound & beyond)

    def _read(self, cursor: str, model: type[Model]) -> tuple[Any, int]:
        try:
            text = base64.urlsafe_b64decode(cursor.encode()).decode()
            value, _, pk = text.rpartition("~")
            if "\0" in text or not 0 < int(pk) <= MAX_ID:
                raise ValueError
            return model._meta.get_field(self.field).to_python(value), int(pk)  # type: ignore[union-attr]
        except (ValueError, binascii.Error, UnicodeError, OverflowError, Unreadable):
            raise exceptions.ValidationError(
                {"cursor": "This cursor is not one of ours: use the address in “next”."}
            ) from None

    def get_paginated_response(self, data: Any) -> Response:
        return Response({"next": self._next(), "results": data})

    def _next(self) -> str | None:
        if self.last is None:
            return None
        value = getattr(self.last, self.field)
        stored = value.isoformat() if hasattr(value, "isoformat") else str(value)
        cursor = base64.urlsafe_b64encode(f"{stored}~{self.last.pk}".encode()).decode()
        return replace_query_param(self.request.build_absolute_uri(), "cursor", cursor)

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        return {
            "type": "object",
            "required": ["next", "results"],
            "properties": {
                "next": {
                    "type": ["string", "null"],
                    "format": "uri",
                    "description": "The address of the next page; null on the last.",
                },
                "results": schema,
            },
        }

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        size = {"type": "integer", "minimum": 1, "maximum": MAX_PAGE, "default": PAGE}
        return [
            {
                "name": "cursor",
                "in": "query",
                "schema": {"type": "string"},
                "description": "Where the page begins; taken from “next”.",
            },
            {"name": "limit", "in": "query", "schema": size, "description": "Rows a page."},
        ]


# One hotel ------------------------------------------------------------------------------------------


class Caller(Protocol):
    """Who asks: a token of one property. ``portal/api.py`` makes it."""

    property: Property

    def may(self, right: str) -> bool:
        """Whether it has the right of that name."""

    def actor(self, reason: str = "") -> Actor:
        """How history names it."""


class OfProperty(viewsets.GenericViewSet[Any]):
    """Base of all nouns: the rows of the token's property only, so that another hotel's ids do not exist.

    ``rights`` names the right that each action needs; an action without one is refused to everybody. ``filters`` is
    the serializer of the list's query parameters.
    """

    rights: ClassVar[Mapping[str, str]] = {}
    ordering = "id"
    filters: ClassVar[type[serializers.Serializer[Any]] | None] = None
    pagination_class: type[BasePagination] | None = ByCursor
    lookup_value_converter = "int"

    @property
    def caller(self) -> Caller:
        """The token that asks."""
        return cast(Caller, self.request.auth)

    @property
    def hotel(self) -> Property:
        """The property of the token."""
        return self.caller.property

    @property
    def is_described(self) -> bool:
        """Whether the API's document is being written, without a request and a token."""
        return bool(getattr(self, "swagger_fake_view", False))

    def may(self, right: str) -> bool:
        """Whether the token has the right of that name."""
        return self.caller.may(right)

    def actor(self, reason: str = "") -> Actor:
        """The token as history names it."""
        return self.caller.actor(reason)

    def of_hotel(self, rows: QuerySet[Any]) -> QuerySet[Any]:
        """These rows as far as they are this hotel's; none while the API's document is written."""
        if self.is_described:
            return rows.none()
        return rows.filter(property_id=self.hotel.pk)

    def ordering_of(self, request: Request) -> str:
        """The field that this list is sorted by."""
        return self.ordering

    def get_serializer_context(self) -> dict[str, Any]:
        context = dict(super().get_serializer_context())
        if not self.is_described:
            context["property"] = self.hotel
        return context

    def get_object(self) -> Any:
        if any(int(value) > MAX_ID for value in self.kwargs.values()):
            raise exceptions.NotFound
        return super().get_object()

    def asked(self) -> dict[str, Any]:
        """The query parameters, checked."""
        if self.filters is None or self.is_described:
            return {}
        given = self.filters(
            data=self.request.query_params.dict(), context=self.get_serializer_context()
        )
        given.is_valid(raise_exception=True)
        return dict(given.validated_data)

    def body(self, serializer: type[serializers.Serializer[Any]]) -> dict[str, Any]:
        """The request's body, checked; a field that does not exist is refused rather than ignored."""
        given = serializer(data=self.request.data, context=self.get_serializer_context())
        given.is_valid(raise_exception=True)
        return dict(given.validated_data)

    def finalize_response(self, request: Request, response: Any, *args: Any, **kw: Any) -> Any:
        answer = super().finalize_response(request, response, *args, **kw)
        answer["Cache-Control"] = "no-store"
        return answer


class Shape(serializers.Serializer[Any]):
    """Base of answers and queries that are no model's."""


class Input(Shape):
    """Base of request bodies: names that do not exist are refused, so that a typing mistake never passes for a wish."""

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, Mapping):
            unknown = [str(name) for name in data if name not in self.fields]
            if unknown:
                raise serializers.ValidationError(
                    dict.fromkeys(sorted(unknown), "This field does not exist.")
                )
        return super().to_internal_value(data)


class Id(serializers.IntegerField):
    """An id in a body or a query."""

    def __init__(self, **options: Any) -> None:
        super().__init__(min_value=1, max_value=MAX_ID, **options)


class Noun(mixins.ListModelMixin, mixins.RetrieveModelMixin, OfProperty):
    """A noun that can be listed and read."""
