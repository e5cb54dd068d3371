"""Times in templates, in the zone of the property that the page is about."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from django import template
from django.utils import timezone

from keys.past_facts import clock_words
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


@register.filter
def drift(offset_s: float | None) -> str:
    """How a lock's clock goes wrong."""
    return clock_words(offset_s) if offset_s is not None else ""


@register.filter
def utc(at: datetime) -> str:
    """A moment as it stands in an address: to the second, in UTC."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _zone() -> ZoneInfo:
    return ZoneInfo(timezone.get_current_timezone_name())
