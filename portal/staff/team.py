"""Settings → Team: who works here, as what; inviting by link; ending someone's access at once."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import login
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_GET, require_POST

from keys.refusal import Refused
from portal import members
from portal.models import Invitation, Membership, Role
from portal.roles import Right
from portal.staff.access import SESSION_PROPERTY, StaffRequest, needs, public
from portal.staff.forms import InviteForm, JoinForm, MemberForm
from portal.staff.pages import form_page, now, turn

LINK = "invitation_link"


@never_cache
@require_GET
@needs(Right.CHANGE_SETTINGS)
def team(request: StaffRequest) -> HttpResponseBase:
    """Everyone with a role here, those whose access ended, and the invitations that are open."""
    hotel, asked = request.staff.hotel, request.GET
    gone = asked.get("show") == "deactivated"
    people = Membership.objects.filter(property=hotel, is_active=not gone).select_related("user")
    page = turn(
        people, by="user__name", after=asked.get("after", ""), value=lambda one: one.user.name
    )
    invited = turn(
        Invitation.objects.filter(
            property=hotel, accepted_at=None, withdrawn_at=None, expires_at__gt=now()
        ),
        by="created_at",
        after=asked.get("invited", ""),
        value=lambda one: one.created_at,
    )
    context: dict[str, Any] = {
        "members": page.rows,
        "next": page.after,
        "gone": gone,
        "invitations": [] if gone else invited.rows,
        "next_invited": invited.after,
        "link": request.session.pop(LINK, ""),
    }
    return render(request, "staff/team.html", context)


@never_cache
@form_page
@needs(Right.MANAGE_STAFF)
def invite(request: StaffRequest) -> HttpResponseBase:
    """Make a link for one person. It is shown once; only its digest is kept."""
    form = InviteForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            token = members.invite(
                property=request.staff.hotel,
                email=form.cleaned_data["email"],
                role=form.cleaned_data["role"],
                invited_by=request.staff.user,
                now=now(),
            )
        except Refused as refused:
            form.refuse(refused)
        else:
            request.session[LINK] = f"{settings.PORTAL_BASE_URL}/invitation/{token}/"
            return redirect("team")
    return render(request, "staff/team_invite.html", {"form": form})


@require_POST
@needs(Right.MANAGE_STAFF)
def withdraw(request: StaffRequest, invitation_id: int) -> HttpResponseBase:
    """Take an invitation back."""
    one = get_object_or_404(
        Invitation, pk=invitation_id, property_id=request.staff.hotel.pk, accepted_at=None
    )
    members.withdraw(invitation=one, now=now())
    messages.success(
        request, "The invitation is withdrawn; its link no longer works.", extra_tags=""
    )
    return redirect("team")


def member_of(request: StaffRequest, member_id: int) -> Membership:
    """The member of this property; 404 otherwise."""
    return get_object_or_404(
        Membership.objects.select_related("user"), pk=member_id, property_id=request.staff.hotel.pk
    )


@never_cache
@form_page
@needs(Right.MANAGE_STAFF)
def member(request: StaffRequest, member_id: int) -> HttpResponseBase:
    """Change a role; one Owner must stay."""
    one = member_of(request, member_id)
    shown = {"role": one.role, "may_release_after_outage": one.may_release_after_outage}
    form = MemberForm(request.POST or None, initial=shown)
    if request.method == "POST" and form.is_valid():
        try:
            members.change_role(membership=one, by=request.staff.actor(), **form.cleaned_data)
        except Refused as refused:
            form.refuse(refused)
        else:
            messages.success(
                request,
                f"{one.user} is {Role(form.cleaned_data['role']).label} now.",
                extra_tags="",
            )
            return redirect("team")
    return render(request, "staff/team_member.html", {"form": form, "member": one})


@require_POST
@needs(Right.MANAGE_STAFF)
def deactivate(request: StaffRequest, member_id: int) -> HttpResponseBase:
    """End someone's access: membership, sessions and API tokens, at once; or give it back."""
    one = member_of(request, member_id)
    if not one.is_active:
        members.give_access_back(membership=one, by=request.staff.actor())
        messages.success(request, f"{one.user} may sign in again.", extra_tags="")
        return redirect("team")
    try:
        members.end_access(membership=one, by=request.staff.actor(), now=now())
    except Refused as refused:
        messages.error(request, refused.message, extra_tags="bad")
    else:
        messages.success(
            request, f"{one.user} is out: all sessions and tokens ended.", extra_tags=""
        )
    return redirect("team")


@public
@never_cache
@sensitive_post_parameters("password")
@form_page
def accept(request: HttpRequest, token: str) -> HttpResponseBase:
    """Join a property by an invitation. Someone who has an account proves it with its password."""
    one = members.open_invitation(token=token, now=now())
    if one is None:
        return render(request, "account/invitation.html", status=404)
    form = JoinForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            user = members.join(invitation=one, now=now(), **form.cleaned_data)
        except Refused as refused:
            form.refuse(refused)
        else:
            login(request, user, backend="django.contrib.auth.backends.ModelBackend")
            request.session[SESSION_PROPERTY] = one.property_id
            return redirect("start")
    return render(request, "account/invitation.html", {"invitation": one, "form": form})
