"""The index that finds guests by a part of their name, and a PostgreSQL that does not give it."""

from __future__ import annotations

from importlib import import_module

import pytest
from django.apps import apps
from django.db import connection

search = import_module("keys.migrations.0011_search")
pytestmark = [pytest.mark.postgres, pytest.mark.django_db]


def has_index() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT to_regclass('keys_by_name') IS NOT NULL")
        return cursor.fetchone()[0]


def test_the_search_by_name_has_its_index():
    assert has_index()


def test_without_the_right_to_its_extensions_the_migration_says_what_to_do_and_goes_on(capsys):
    with connection.cursor() as cursor, connection.schema_editor() as editor:
        search.drop(apps, editor)
        cursor.execute("DROP EXTENSION pg_trgm")
        cursor.execute("CREATE ROLE portal_without_rights")
        cursor.execute("SET LOCAL ROLE portal_without_rights")
        search.make(apps, editor)
        cursor.execute("RESET ROLE")
    assert not has_index()
    said = capsys.readouterr().err
    assert "CREATE EXTENSION pg_trgm" in said
    assert "permission denied" in said
