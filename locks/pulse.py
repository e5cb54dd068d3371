"""The number that grows whenever a property's screens could show something new; open pages poll it with one indexed read."""

from __future__ import annotations

from collections.abc import Iterable

from django.db import connection

from locks.models import Pulse


def bump(property_ids: Iterable[int]) -> None:
    """Count a visible change for each property. Call it last in a transaction: the row is shared by all of a hotel."""
    rows = sorted(set(property_ids))
    if not rows:
        return
    marks = ", ".join(["(%s, 1)"] * len(rows))
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO locks_pulse (property_id, number) VALUES {marks} "  # noqa: S608
            "ON CONFLICT (property_id) DO UPDATE SET number = locks_pulse.number + 1",
            rows,
        )


def number_of(property_id: int) -> int:
    """The property's change number, 0 before anything happened."""
    row = Pulse.objects.filter(pk=property_id).values_list("number", flat=True).first()
    return row or 0
