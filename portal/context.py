"""What every page of the portal needs beside its own content."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject

from portal import demo
from portal.roles import Right
from portal.staff import alerts
from portal.staff.access import Staff

THEMES = ("auto", "light", "dark")


def page(request: HttpRequest) -> dict[str, Any]:
    """The frame of a page: theme, demo, and for staff the property, their rights, open alerts and the state of the PMS."""
    theme = request.COOKIES.get("theme", "auto")
    frame: dict[str, Any] = {
        "is_demo": settings.PORTAL_DEMO,
        "theme": theme if theme in THEMES else "auto",
        "section": request.path_info.strip("/").split("/")[0],
        "subsection": request.path_info,
    }
    staff: Staff | None = getattr(request, "staff", None)
    if staff is not None:
        frame["demo_steps"] = demo.STEPS if settings.PORTAL_DEMO else ()
        frame["demo_peers"] = demo.peers() if settings.PORTAL_DEMO else ()
        frame |= {"staff": staff, "may": _rights(staff), "hotel": staff.hotel}
        frame["alert_notice"] = SimpleLazyObject(lambda: alerts.notice(staff))
        frame["pms_now"] = staff.pms_in_trouble if staff.may(Right.SEE_SETTINGS) else None
    return frame


def _rights(staff: Staff) -> dict[str, bool]:
    return {right.name.lower(): staff.may(right) for right in Right}
