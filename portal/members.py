"""Who works at a property: inviting by link, joining, changing a role, ending someone's access at once. One Owner stays."""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta

from django.contrib.sessions.models import Session
from django.db import transaction

from keys.refusal import Refused
from locks.history import Actor, Source, acting
from locks.models import Property
from locks.vault import Secret, digest
from portal.models import ApiToken, Invitation, Membership, Role, User

SCOPE = "invitation"
LASTS = timedelta(days=7)
LAST_OWNER = "This is the last Owner: make someone else Owner first."


def invite(
    *,
    property: Property,  # noqa: A002 - the field's name
    email: str,
    role: str,
    invited_by: User,
    now: datetime,
) -> Secret:
    """Invite one person for a week; an earlier invitation of theirs ends. Returns the link's secret, kept only as a digest.

    Raises Refused with field email.
    """
    email, token = email.lower(), Secret(secrets.token_urlsafe(24))
    if Membership.objects.filter(property=property, user__email=email, is_active=True).exists():
        raise Refused("email", "This person works here already: change their role instead.")
    with transaction.atomic():
        Property.objects.select_for_update(no_key=True).get(pk=property.pk)
        open_ones = Invitation.objects.filter(accepted_at=None, withdrawn_at=None)
        open_ones.filter(property=property, email=email).update(withdrawn_at=now)
        Invitation.objects.create(
            property=property,
            email=email,
            role=role,
            token_digest=digest(token, scope=SCOPE),
            invited_by=invited_by,
            created_at=now,
            expires_at=now + LASTS,
        )
    return token


def withdraw(*, invitation: Invitation, now: datetime) -> None:
    """Take an invitation back; its link no longer works. Doing so again changes nothing."""
    Invitation.objects.filter(pk=invitation.pk, accepted_at=None, withdrawn_at=None).update(
        withdrawn_at=now
    )


def open_invitation(*, token: str, now: datetime) -> Invitation | None:
    """The invitation of this link, with its property, while it works."""
    return (
        Invitation.objects.select_related("property")
        .filter(
            token_digest=digest(token, scope=SCOPE),
            accepted_at=None,
            withdrawn_at=None,
            expires_at__gt=now,
        )
        .first()
    )


def join(*, invitation: Invitation, name: str, password: str, now: datetime) -> User:
    """Accept an invitation, once. Who has an account proves it with its password, else one is made.

    Raises Refused with field password, or with none when someone else was quicker with the same link.
    """
    with transaction.atomic():
        taken = Invitation.objects.filter(
            pk=invitation.pk, accepted_at=None, withdrawn_at=None
        ).update(accepted_at=now)
        if not taken:
            raise Refused("", "This invitation was used already: sign in.")
        user = User.objects.filter(email=invitation.email).first()
        if user is not None and not user.check_password(password):
            raise Refused("password", "You have an account already: type its password.")
        user = user or User.objects.create_user(invitation.email, password, name=name)
        by = Actor(source=Source.PORTAL, user_id=user.pk, label=str(user))
        with acting(by.because("accepted an invitation")):
            row = Membership.objects.filter(property=invitation.property, user=user).first()
            row = row or Membership(property=invitation.property, user=user)
            row.role, row.is_active = invitation.role, True
            row.save()
    return user


def change_role(
    *, membership: Membership, role: str, may_release_after_outage: bool, by: Actor
) -> Membership:
    """Give a member another role. Raises Refused with field role when no Owner would be left."""
    with transaction.atomic(), acting(by):
        one = _locked(membership)
        if one.role == Role.OWNER and role != Role.OWNER:
            _keep_an_owner(one)
        if (one.role, one.may_release_after_outage) != (role, may_release_after_outage):
            one.role, one.may_release_after_outage = role, may_release_after_outage
            one.save()
    return one


def end_access(*, membership: Membership, by: Actor, now: datetime) -> None:
    """Deactivate the membership, end every session of the person, revoke every API token of the membership.

    Raises Refused with field role when no Owner would be left.
    """
    with transaction.atomic(), acting(by):
        one = _locked(membership)
        if one.role == Role.OWNER:
            _keep_an_owner(one)
        if one.is_active:
            one.is_active = False
            one.save()
        ApiToken.objects.filter(membership=one, revoked_at=None).update(revoked_at=now)
        _end_sessions(one.user_id, now=now)


def give_access_back(*, membership: Membership, by: Actor) -> None:
    """Activate a membership again. Its tokens stay revoked."""
    with transaction.atomic(), acting(by):
        one = _locked(membership)
        if not one.is_active:
            one.is_active = True
            one.save()


def _locked(membership: Membership) -> Membership:
    """The row as it is now; the property is locked first, so that two Owners cannot put each other out at once."""
    Property.objects.select_for_update(no_key=True).get(pk=membership.property_id)
    row: Membership = Membership.objects.select_for_update(no_key=True).get(pk=membership.pk)
    return row


def _keep_an_owner(one: Membership) -> None:
    others = Membership.objects.filter(property_id=one.property_id, role=Role.OWNER, is_active=True)
    if one.is_active and not others.exclude(pk=one.pk).exists():
        raise Refused("role", LAST_OWNER)


def _end_sessions(user_id: int, *, now: datetime) -> None:
    for session in Session.objects.filter(expire_date__gt=now).iterator():
        if session.get_decoded().get("_auth_user_id") == str(user_id):
            session.delete()
