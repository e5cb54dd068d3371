"""Signing in and out, the property on the screen, light or dark, the change number, and whether Portal is alive."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib.auth import views as auth
from django.db import connection
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from portal.context import THEMES
from portal.models import Membership
from portal.roles import Right
from portal.staff.access import SESSION_PROPERTY, StaffRequest, needs, public, signed_in
from portal.staff.forms import SignInForm


class SignIn(auth.LoginView):
    """E-mail and password; in the demo also one button per role."""

    template_name = "account/sign_in.html"
    authentication_form = SignInForm
    redirect_authenticated_user = True

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context = super().get_context_data(**kwargs)
        if settings.PORTAL_DEMO:
            context["demo_people"] = demo_people()
        return context


def demo_people() -> list[Membership]:
    """One person per role of the demo hotel."""
    found: dict[str, Membership] = {}
    rows = Membership.objects.filter(is_active=True, user__is_active=True).select_related("user")
    for one in rows.order_by("property_id", "id"):
        found.setdefault(one.role, one)
    return list(found.values())


@require_GET
@needs(Right.SEE_DOORS)
def start(request: StaffRequest) -> HttpResponseBase:
    """Tonight for those who work with keys, doors for the others. The demo begins at its list of what waits."""
    if not request.staff.may(Right.SEE_KEYS):
        return redirect("doors")
    return redirect("keys" if settings.PORTAL_DEMO else "tonight")


@require_POST
@needs(Right.SEE_DOORS)
def switch_property(request: StaffRequest) -> HttpResponseBase:
    """Look at another of one's properties."""
    mine = {str(one.property_id): one.property_id for one in request.staff.memberships}
    chosen = mine.get(request.POST.get("property", ""))
    if chosen is None:
        return HttpResponse(status=404)
    request.session[SESSION_PROPERTY] = chosen
    return redirect("start")


@require_POST
@signed_in
def theme(request: HttpRequest) -> HttpResponseBase:
    """Light, dark, or as the device."""
    chosen = request.POST.get("theme", "auto")
    back = request.headers.get("Referer", "/")
    safe = url_has_allowed_host_and_scheme(back, allowed_hosts={request.get_host()})
    answer = redirect(back if safe else "/")
    if chosen in THEMES:
        answer.set_cookie(
            "theme",
            chosen,
            max_age=365 * 24 * 3600,
            samesite="Lax",
            secure=settings.SESSION_COOKIE_SECURE,
        )
    return answer


@never_cache
@require_GET
@needs(Right.SEE_DOORS)
def pulse(request: StaffRequest) -> HttpResponse:
    """204 while the change number is ``n``, else the new one."""
    number = str(request.staff.pulse)
    if request.GET.get("n") == number:
        return HttpResponse(status=204)
    return HttpResponse(number, content_type="text/plain")


@public
@never_cache
@require_GET
def healthz(request: HttpRequest) -> HttpResponse:
    """200 when the database answers."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    return HttpResponse("ok", content_type="text/plain")
