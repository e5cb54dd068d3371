"""Settings → Team: who works here, as what; inviting by link; ending someone's access at once."""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import login
from django.contrib.sessions.models import Session
from django.db import transaction
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from locks.history import Actor, Source, acting
from locks.vault import digest
from portal.models import ApiToken, Invitation, Membership, Role, User
from portal.roles import Right
from portal.staff.access import SESSION_PROPERTY, StaffRequest, needs, public
from portal.staff.forms import InviteForm, JoinForm, MemberForm
from portal.staff.pages import now

SCOPE = "invitation"
LASTS = timedelta(days=7)


@never_cache
@require_GET
@needs(Right.CHANGE_SETTINGS)
def team(request: StaffRequest) -> HttpResponseBase:
    """Everyone with a role here, and the invitations that are open."""
    hotel, at = request.staff.hotel, now()
    members = (
        Membership.objects.filter(property=hotel)
        .select_related("user")
        .order_by("-is_active", "user__name", "user__email")
    )
    open_ones = Invitation.objects.filter(
        property=hotel, accepted_at=None, withdrawn_at=None, expires_at__gt=at
    )
    return render(
        request,
        "staff/team.html",
        {
            "members": members,
            "invitations": open_ones.order_by("created_at"),
            "link": request.session.pop("invitation_link", ""),
        },
    )


@never_cache
@require_http_methods(["GET", "POST"])
@needs(Right.MANAGE_STAFF)
def invite(request: StaffRequest) -> HttpResponseBase:
    """Make a link for one person. It is shown once; only its digest is kept."""
    form = InviteForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        token, at, email = secrets.token_urlsafe(24), now(), form.cleaned_data["email"].lower()
        hotel = request.staff.hotel
        if Membership.objects.filter(property=hotel, user__email=email, is_active=True).exists():
            form.add_error("email", "This person works here already.")
        else:
            with transaction.atomic():
                Invitation.objects.filter(
                    property=hotel, email=email, accepted_at=None, withdrawn_at=None
                ).update(withdrawn_at=at)
                Invitation.objects.create(
                    property=hotel,
                    email=email,
                    role=form.cleaned_data["role"],
                    token_digest=digest(token, scope=SCOPE),
                    invited_by=request.staff.user,
                    created_at=at,
                    expires_at=at + LASTS,
                )
            request.session["invitation_link"] = f"{settings.PORTAL_BASE_URL}/invitation/{token}/"
            return redirect("team")
    return render(request, "staff/team_invite.html", {"form": form})


@require_POST
@needs(Right.MANAGE_STAFF)
def withdraw(request: StaffRequest, invitation_id: int) -> HttpResponseBase:
    """Take an invitation back."""
    one = get_object_or_404(
        Invitation, pk=invitation_id, property_id=request.staff.hotel.pk, accepted_at=None
    )
    one.withdrawn_at = now()
    one.save(update_fields=["withdrawn_at"])
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
@require_http_methods(["GET", "POST"])
@needs(Right.MANAGE_STAFF)
def member(request: StaffRequest, member_id: int) -> HttpResponseBase:
    """Change a role; one Owner must stay."""
    one = member_of(request, member_id)
    was = one.role
    form = MemberForm(request.POST or None, instance=one)
    if request.method == "POST" and form.is_valid():
        if was == Role.OWNER and form.cleaned_data["role"] != Role.OWNER and _is_last_owner(one):
            form.add_error("role", "This is the last Owner: make someone else Owner first.")
        else:
            with acting(request.staff.actor()):
                form.save()
            messages.success(request, f"{one.user} is saved.", extra_tags="")
            return redirect("team")
    return render(request, "staff/team_member.html", {"form": form, "member": one})


def _is_last_owner(one: Membership) -> bool:
    others = Membership.objects.filter(property_id=one.property_id, role=Role.OWNER, is_active=True)
    return not others.exclude(pk=one.pk).exists()


@require_POST
@needs(Right.MANAGE_STAFF)
def deactivate(request: StaffRequest, member_id: int) -> HttpResponseBase:
    """End someone's access: membership, sessions and API tokens, at once; or give it back."""
    one = member_of(request, member_id)
    if one.is_active and one.role == Role.OWNER and _is_last_owner(one):
        messages.error(
            request, "This is the last Owner: make someone else Owner first.", extra_tags="bad"
        )
        return redirect("team")
    if one.is_active:
        end_access(one, by=request.staff.actor(), now=now())
        messages.success(
            request, f"{one.user} is out: all sessions and tokens ended.", extra_tags=""
        )
    else:
        one.is_active = True
        with acting(request.staff.actor()):
            one.save()
        messages.success(request, f"{one.user} may sign in again.", extra_tags="")
    return redirect("team")


def end_access(one: Membership, *, by: Actor, now: datetime) -> None:
    """Deactivate the membership, end every session of the person, revoke every API token of the membership."""
    with transaction.atomic(), acting(by):
        one.is_active = False
        one.save()
        ApiToken.objects.filter(membership=one, revoked_at=None).update(revoked_at=now)
    for session in Session.objects.filter(expire_date__gt=now).iterator():
        if session.get_decoded().get("_auth_user_id") == str(one.user_id):
            session.delete()


@public
@never_cache
@sensitive_post_parameters("password")
@require_http_methods(["GET", "POST"])
def accept(request: HttpRequest, token: str) -> HttpResponseBase:
    """Join a property by an invitation. Someone who has an account proves it with its password."""
    at = now()
    rows = Invitation.objects.select_related("property")
    one = rows.filter(
        token_digest=digest(token, scope=SCOPE),
        accepted_at=None,
        withdrawn_at=None,
        expires_at__gt=at,
    ).first()
    if one is None:
        return render(request, "account/invitation.html", status=404)
    form = JoinForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        known = User.objects.filter(email=one.email).first()
        if known is not None and not known.check_password(form.cleaned_data["password"]):
            form.add_error("password", "You have an account already: type its password.")
        else:
            user = _join(one, known, form, at)
            login(request, user, backend="django.contrib.auth.backends.ModelBackend")
            request.session[SESSION_PROPERTY] = one.property_id
            return redirect("start")
    return render(request, "account/invitation.html", {"invitation": one, "form": form})


def _join(one: Invitation, known: User | None, form: JoinForm, at: datetime) -> User:
    data = form.cleaned_data
    with transaction.atomic():
        user = known or User.objects.create_user(one.email, data["password"], name=data["name"])
        with acting(
            Actor(
                source=Source.PORTAL,
                user_id=user.pk,
                label=str(user),
                reason="accepted an invitation",
            )
        ):
            row = Membership.objects.filter(property_id=one.property_id, user=user).first()
            row = row or Membership(property_id=one.property_id, user=user)
            row.role, row.is_active = one.role, True
            row.save()
        one.accepted_at = at
        one.save(update_fields=["accepted_at"])
    return user
