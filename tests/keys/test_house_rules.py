"""Changing the settings of a property while others write beside it."""

from __future__ import annotations

import threading

import pytest
from django.db import connection, transaction

from keys.house_rules import change_property
from locks.models import Property
from tests.factories import BY, PropertyFactory, now


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("silent_bell")
def test_a_change_waits_for_nobody_who_writes_rows_that_point_at_the_property():
    hotel, held, over = PropertyFactory(), threading.Event(), threading.Event()

    def write_beside() -> None:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT 1 FROM locks_property WHERE id = %s FOR KEY SHARE", [hotel.pk])
            held.set()
            over.wait(20)
        connection.close()

    other = threading.Thread(target=write_beside)
    other.start()
    try:
        assert held.wait(10)
        with connection.cursor() as cursor:
            cursor.execute("SET lock_timeout = '2s'")
        change_property(property=hotel, changes={"write_lead_minutes": 7}, by=BY, now=now())
    finally:
        over.set()
        other.join()
        with connection.cursor() as cursor:
            cursor.execute("SET lock_timeout = 0")
    assert Property.objects.get().write_lead_minutes == 7
