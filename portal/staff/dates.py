"""Moments as staff of a property read them: short when near, with the day when not, always in the property's zone."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo


def moment(at: datetime | None, *, tz: ZoneInfo, now: datetime) -> str:
    """ "21:14" today, "Tue 24 Nov 21:14" this year, with the year otherwise; empty for none."""
    if at is None:
        return ""
    local, today = at.astimezone(tz), now.astimezone(tz)
    if local.date() == today.date():
        return f"{local:%H:%M}"
    year = "" if local.year == today.year else f" {local.year}"
    return f"{local:%a} {local.day} {local:%b}{year} {local:%H:%M}"


def day_and_time(at: datetime, *, tz: ZoneInfo, now: datetime) -> str:
    """Always with the day: "Tue 24 Nov 21:14", or "Today 21:14"."""
    local, today = at.astimezone(tz), now.astimezone(tz)
    if local.date() == today.date():
        return f"Today {local:%H:%M}"
    return moment(at, tz=tz, now=now)
