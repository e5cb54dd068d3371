"""Cloudbeds' ways of writing a time."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

WIRE_DATETIME = "%Y-%m-%d %H:%M:%S"


def wire_utc(epoch: float) -> str:
    """``YYYY-MM-DD HH:MM:SS`` in UTC, for the fields whose name ends in UTC."""
    return datetime.fromtimestamp(epoch, UTC).strftime(WIRE_DATETIME)


def wire_local(epoch: float, zone: ZoneInfo) -> str:
    """``YYYY-MM-DD HH:MM:SS`` in the property's zone, as in fields without UTC in the name."""
    return datetime.fromtimestamp(epoch, zone).strftime(WIRE_DATETIME)


def read_wire(text: str, zone: ZoneInfo) -> float | None:
    """Epoch seconds of a space-form date-time or a plain date in the given zone, else None.

    The live service is reported to reject ISO 8601 with ``T`` and ``Z``; so does this one.
    """
    for form in (WIRE_DATETIME, "%Y-%m-%d"):
        try:
            return datetime.strptime(text, form).replace(tzinfo=zone).timestamp()
        except ValueError:
            continue
    return None
