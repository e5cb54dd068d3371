"""Who changed an intention, through which door and why; and how to change many rows without a hole in that history.

Every tracked model inherits ``Tracked`` and keeps ``history = History()``. Single saves are recorded by
django-simple-history. ``QuerySet.update()`` and ``bulk_update()`` would record nothing, so tracked models refuse them;
``change_in_bulk`` writes the change and its historical rows together.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, NoReturn, TypeVar

from django.db import connection, models, transaction
from simple_history.models import HistoricalRecords


class Source(models.TextChoices):
    """The door through which a change came."""

    PORTAL = "portal", "Portal"
    API = "api", "API"
    ADMIN = "admin", "Admin"
    COMMAND = "command", "Command"
    PMS = "pms", "PMS"
    SYSTEM = "system", "Portal itself"


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """Who acts: the way in, the person if there is one, a name to show otherwise, a reason, and a batch for bulk work."""

    source: Source
    user_id: int | None = None
    label: str = ""
    reason: str = ""
    batch_id: uuid.UUID | None = None

    def because(self, reason: str) -> Actor:
        """The same actor with this reason, unless one was given already."""
        return self if self.reason else replace(self, reason=reason)


SYSTEM = Actor(source=Source.SYSTEM)
_acting: ContextVar[Actor] = ContextVar("acting", default=SYSTEM)


@contextmanager
def acting(actor: Actor) -> Iterator[None]:
    """Everything saved inside is recorded as done by this actor."""
    token = _acting.set(actor)
    try:
        yield
    finally:
        _acting.reset(token)


def current_source() -> str:
    """The source of the current actor; the default of historical rows."""
    return _acting.get().source.value


def current_label() -> str:
    """The shown name of the current actor; the default of historical rows."""
    return _acting.get().label


def current_batch() -> uuid.UUID | None:
    """The batch of the current actor; the default of historical rows."""
    return _acting.get().batch_id


class HistoricalRow(models.Model):
    """What every historical row says beyond what, when and who: the way in, the shown name and the batch."""

    source = models.CharField(max_length=10, choices=Source.choices, default=current_source)
    actor_label = models.CharField(max_length=120, blank=True, default=current_label)
    batch_id = models.UUIDField(null=True, blank=True, default=current_batch)

    class Meta:
        abstract = True


class History(HistoricalRecords):  # type: ignore[misc]  # simple_history is not typed
    """Historical records that take their user and reason from the current actor."""

    def __init__(self, **options: Any) -> None:
        options.setdefault("bases", [HistoricalRow])
        options.setdefault("history_change_reason_field", models.TextField(blank=True, default=""))
        options.setdefault("user_db_constraint", False)
        super().__init__(**options)

    def get_history_user(self, instance: models.Model) -> Any:
        user_id = _acting.get().user_id
        return None if user_id is None else self._user_model().objects.filter(pk=user_id).first()

    def get_change_reason_for_object(
        self, instance: models.Model, history_type: str, using: str | None
    ) -> str:
        return str(getattr(instance, "_change_reason", None) or _acting.get().reason)

    @staticmethod
    def _user_model() -> Any:
        from django.contrib.auth import get_user_model  # noqa: PLC0415 - the app registry must be ready

        return get_user_model()


class HistoryHole(TypeError):
    """This call would change tracked rows without a trace; use ``change_in_bulk``."""


class ChangedMeanwhile(Exception):
    """The row is not what the caller saw any more: someone else saved it. Nothing was stored."""


def version_of(row: models.Model) -> int:
    """The number of the row's last historical record: it grows with everything that history keeps."""
    newest = row.history.order_by("-history_id").values_list("history_id", flat=True)  # type: ignore[attr-defined]
    return int(newest.first() or 0)


def check_version(row: models.Model, seen: int | None) -> None:
    """Raise ChangedMeanwhile unless ``row``, which the caller has locked, is still at the version that was seen."""
    if seen is not None and version_of(row) != seen:
        raise ChangedMeanwhile


_Row = TypeVar("_Row", bound=models.Model, covariant=True)  # noqa: PLC0105


class TrackedQuerySet(models.QuerySet[_Row]):
    """A queryset that refuses changes which history would not see."""

    def update(self, **kwargs: Any) -> NoReturn:
        raise HistoryHole(f"{self.model.__name__} is tracked: use change_in_bulk()")

    def update_untracked(self, **values: Any) -> int:
        """Update columns that have no history, which is the only kind this takes."""
        kept = {field.name for field in self.model.history.model._meta.fields}  # type: ignore[attr-defined]
        if tracked := kept & set(values):
            raise HistoryHole(f"{sorted(tracked)} of {self.model.__name__} have a history")
        return super().update(**values)

    def bulk_update(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise HistoryHole(f"{self.model.__name__} is tracked: use change_in_bulk()")


class Tracked(models.Model):
    """Base of models with history: deletes are refused too, what has a history is closed, not erased."""

    objects = TrackedQuerySet.as_manager()

    class Meta:
        abstract = True


def change_in_bulk(
    *,
    model: type[models.Model],
    ids: Sequence[int],
    changes: Mapping[str, Any],
    by: Actor,
    now: datetime,
) -> list[int]:
    """Set ``changes`` on the rows ``ids`` that differ, and write one historical row for each, in one statement.

    Where the database cannot do that in one statement (SQLite) two run in one transaction. Returns the changed ids.
    Field names are the model's; values are Python values as a save would take them.
    """
    if not ids:
        return []
    columns = {model._meta.get_field(name): value for name, value in changes.items()}
    sets = {str(f.column): f.get_db_prep_save(value, connection) for f, value in columns.items()}  # type: ignore[union-attr]
    with transaction.atomic():
        if connection.vendor == "postgresql":
            return _change_in_one_statement(model, ids, sets, by, now)
        return _change_in_two_statements(model, ids, sets, by, now)


def _quoted(name: str) -> str:
    return connection.ops.quote_name(name)


def _history_columns(model: type[models.Model]) -> tuple[str, list[str]]:
    historical = model.history.model  # type: ignore[attr-defined]
    kept = {field.column for field in historical._meta.concrete_fields}
    shared = [str(f.column) for f in model._meta.concrete_fields if f.column in kept]
    return str(historical._meta.db_table), shared


def _record_values(by: Actor, now: datetime) -> dict[str, Any]:
    batch = by.batch_id
    stored_batch = (batch.hex if connection.vendor == "sqlite" else batch) if batch else None
    return {
        "history_date": connection.ops.adapt_datetimefield_value(now),
        "history_type": "~",
        "history_change_reason": by.reason,
        "history_user_id": by.user_id,
        "source": by.source.value,
        "actor_label": by.label,
        "batch_id": stored_batch,
    }


def _change_in_one_statement(
    model: type[models.Model], ids: Sequence[int], sets: dict[str, Any], by: Actor, now: datetime
) -> list[int]:
    table, shared = _history_columns(model)
    record = _record_values(by, now)
    assign = ", ".join(f"{_quoted(column)} = %s" for column in sets)
    differs = " OR ".join(f"{_quoted(column)} IS DISTINCT FROM %s" for column in sets)
    names = ", ".join(_quoted(column) for column in [*shared, *record])
    copied = ", ".join(_quoted(column) for column in shared)
    sql = (
        f"WITH changed AS (UPDATE {_quoted(model._meta.db_table)} SET {assign} "  # noqa: S608
        f"WHERE id = ANY(%s) AND ({differs}) RETURNING *) "
        f"INSERT INTO {_quoted(table)} ({names}) "
        f"SELECT {copied}, %s::timestamptz, %s, %s, %s::integer, %s, %s, %s::uuid FROM changed RETURNING id"
    )
    with connection.cursor() as cursor:
        cursor.execute(sql, [*sets.values(), list(ids), *sets.values(), *record.values()])
        return [row[0] for row in cursor.fetchall()]


def _change_in_two_statements(
    model: type[models.Model], ids: Sequence[int], sets: dict[str, Any], by: Actor, now: datetime
) -> list[int]:
    table, shared = _history_columns(model)
    record = _record_values(by, now)
    differs = " OR ".join(f"{_quoted(column)} IS NOT %s" for column in sets)
    assign = ", ".join(f"{_quoted(column)} = %s" for column in sets)
    names = ", ".join(_quoted(column) for column in [*shared, *record])
    copied = ", ".join(_quoted(column) for column in shared)
    marks = ", ".join(["%s"] * len(record))
    own = _quoted(model._meta.db_table)
    changed: list[int] = []
    with connection.cursor() as cursor:
        for start in range(0, len(ids), 500):
            part = list(ids[start : start + 500])
            inside = ", ".join(["%s"] * len(part))
            cursor.execute(
                f"SELECT id FROM {own} WHERE id IN ({inside}) AND ({differs})",  # noqa: S608
                [*part, *sets.values()],
            )
            differing = [row[0] for row in cursor.fetchall()]
            if not differing:
                continue
            inside = ", ".join(["%s"] * len(differing))
            cursor.execute(
                f"UPDATE {own} SET {assign} WHERE id IN ({inside})",  # noqa: S608
                [*sets.values(), *differing],
            )
            cursor.execute(
                f"INSERT INTO {_quoted(table)} ({names}) "  # noqa: S608
                f"SELECT {copied}, {marks} FROM {own} WHERE id IN ({inside})",
                [*record.values(), *differing],
            )
            changed += differing
    return changed
