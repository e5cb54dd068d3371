"""Values that go to PostgreSQL as one literal arrive as they were, whatever a lock or a guest has in them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from django.db import connection

from locks.columns import array, columns
from locks.drivers import Kind

NASTY = ["", "NULL", 'say "so"', "back\\slash", "a,b", "{x}", "two\nlines", "•• 🔑", " edge ", None]


def test_each_kind_of_value_has_its_form():
    at = datetime(2026, 3, 29, 1, 30, 0, 5, tzinfo=UTC)
    assert array([1, None, True, "a", at]) == '{1,NULL,t,"a",2026-03-29T01:30:00.000005+00:00}'
    assert array([Kind.DOOR_CODE]) == '{"door_code"}'
    assert columns([(1, "a"), (2, None)]) == ["{1,2}", '{"a",NULL}']


def test_what_has_no_form_is_refused():
    with pytest.raises(TypeError, match="float"):
        array([0.5])


@pytest.mark.postgres
@pytest.mark.django_db
def test_postgresql_reads_back_what_was_written():
    at = datetime(2026, 11, 24, 8, 0, 0, 123456, tzinfo=UTC)
    rows = [(n, text, at, n % 2 == 0) for n, text in enumerate(NASTY)]
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT * FROM unnest(%s::bigint[], %s::text[], %s::timestamptz[], %s::boolean[])",
            columns(rows),
        )
        assert cursor.fetchall() == rows
