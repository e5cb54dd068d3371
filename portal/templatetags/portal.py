"""Times in templates, in the zone of the property that the page is about."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from django import template
from django.utils import timezone

from portal.staff import dates

register = template.Library()


@register.filter
def when(at: datetime | None) -> str:
    """A moment: short if it is today."""
    return dates.moment(at, tz=_zone(), now=datetime.now(UTC))


@register.filter
def day_time(at: datetime) -> str:
    """A moment, always with its day."""
    return dates.day_and_time(at, tz=_zone(), now=datetime.now(UTC))


def _zone() -> ZoneInfo:
    return ZoneInfo(timezone.get_current_timezone_name())
