"""What every page of the portal needs beside its own content."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpRequest

from pms.models import Integration
from portal import demo
from portal.roles import Right
from portal.staff.access import Staff

THEMES = ("auto", "light", "dark")


def page(request: HttpRequest) -> dict[str, Any]:
    """The frame of a page: theme, demo, and for staff the property, their rights and the state of the PMS."""
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
        frame |= {"staff": staff, "may": _rights(staff), "hotel": staff.hotel}
        frame["pms_now"] = _integration(staff) if staff.may(Right.SEE_SETTINGS) else None
    return frame


def _rights(staff: Staff) -> dict[str, bool]:
    return {right.name.lower(): staff.may(right) for right in Right}


def _integration(staff: Staff) -> Integration | None:
    """The property's PMS as far as it is not simply working; a page says so at the top."""
    return (
        Integration.objects.filter(property_id=staff.hotel.pk)
        .exclude(state__in=[Integration.State.DISCONNECTED, Integration.State.CONNECTED])
        .first()
    )
