"""Rows of one hotel point only at rows of the same hotel.

PostgreSQL holds this with foreign keys over (property, id). Other engines cannot, so saving looks: it refuses a row whose
property is not that of the rows it points at. Both speak with an ``IntegrityError``.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

from django.db import IntegrityError, connection, models


class AnotherHotel(IntegrityError):
    """A row of one hotel would point at a row of another."""


@cache
def pointers(model: type[models.Model]) -> tuple[Any, ...]:
    """The foreign keys of a model with a property that lead to rows which have one too."""
    fields: list[Any] = [
        field for field in model._meta.concrete_fields if field.many_to_one or field.one_to_one
    ]
    if not _has_property(model):
        return ()
    return tuple(
        field for field in fields if field.db_constraint and _has_property(field.related_model)
    )


def _has_property(model: Any) -> bool:
    return any(field.attname == "property_id" for field in model._meta.concrete_fields)


class OneHotel(models.Model):
    """Base of rows that point at other rows of their hotel."""

    class Meta:
        abstract = True

    def save(self, *args: Any, **kwargs: Any) -> None:
        named = kwargs.get("update_fields")
        for field in pointers(type(self)):
            if named is None or field.name in named or field.attname in named:
                self._check(field)
        super().save(*args, **kwargs)

    def _check(self, field: Any) -> None:
        hotel = self.__dict__.get("property_id")
        for theirs in self._hotels_behind(field):
            if hotel is not None and theirs != hotel:
                raise AnotherHotel(
                    f"{type(self).__name__}.{field.name} points at a row of another hotel"
                )

    def _hotels_behind(self, field: Any) -> Iterator[int]:
        """The hotel of the row behind a field: of the row in memory, else read once when this row is made."""
        wanted = self.__dict__.get(field.attname)
        if wanted is None:
            return
        if field.is_cached(self):
            yield field.get_cached_value(self).property_id
        elif self._state.adding and connection.vendor != "postgresql":
            rows = field.related_model.objects.filter(pk=wanted)
            yield from rows.values_list("property_id", flat=True)
