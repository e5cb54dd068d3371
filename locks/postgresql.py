"""Migration operations for what only PostgreSQL can do; on any other engine they do nothing."""

from __future__ import annotations

from typing import Any

from django.db.migrations.operations import RunSQL


class OnPostgreSQL(RunSQL):
    """SQL for PostgreSQL alone. The state of the models stays as it is."""

    def database_forwards(self, app_label: str, schema_editor: Any, *states: Any) -> None:
        if schema_editor.connection.vendor == "postgresql":
            super().database_forwards(app_label, schema_editor, *states)

    def database_backwards(self, app_label: str, schema_editor: Any, *states: Any) -> None:
        if schema_editor.connection.vendor == "postgresql":
            super().database_backwards(app_label, schema_editor, *states)


def owned(*tables: str) -> list[OnPostgreSQL]:
    """Let rows of these tables be pointed at together with their hotel."""
    return [
        OnPostgreSQL(
            f"ALTER TABLE {table} ADD CONSTRAINT {table}_of_hotel UNIQUE (property_id, id)",
            f"ALTER TABLE {table} DROP CONSTRAINT {table}_of_hotel",
        )
        for table in tables
    ]


def same_hotel(child: str, **parents: str) -> list[OnPostgreSQL]:
    """Let these columns of ``child`` point only at rows of its own hotel: column name to table.

    The foreign keys stand beside Django's own ones of a single column. They are checked with each statement, so that a
    mistake is reported by the statement that made it.
    """
    return [
        OnPostgreSQL(
            f"ALTER TABLE {child} ADD CONSTRAINT {child}_{column}_same_hotel "
            f"FOREIGN KEY (property_id, {column}) REFERENCES {parent} (property_id, id)",
            f"ALTER TABLE {child} DROP CONSTRAINT {child}_{column}_same_hotel",
        )
        for column, parent in parents.items()
    ]
