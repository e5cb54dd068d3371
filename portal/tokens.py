"""API tokens: made once and shown once, kept as a keyed digest, dead when expired, revoked or without their membership.

django-rest-knox was read and left out: it deletes expired tokens where we want to see them, has the digest as primary
key (so it would stand in every address of the admin), and binds a token to a person rather than to a membership; what
would be left of it after that is a random string and a hash.
"""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta

from django.db.models import Q

from keys.refusal import Refused
from locks.history import Actor, Source
from locks.vault import Secret, digest
from portal.models import ApiToken, Membership, Role
from portal.roles import RIGHTS, Right, allowed, role_allows

MARK = "portal_"
SHOWN = 12
SCOPE = "api token"
USED_EVERY = timedelta(hours=1)


def make_token(
    *, membership: Membership, role: str, name: str, expires_at: datetime, now: datetime
) -> tuple[ApiToken, Secret]:
    """Make a token for this member's property and return it with its secret, which cannot be had again.

    ``role`` may not exceed the member's own. ``expires_at`` is aware UTC. Raises Refused with field name, role or
    expires_at.
    """
    if not name.strip():
        raise Refused("name", "Name the token after the program that will use it.")
    if expires_at <= now:
        raise Refused("expires_at", "The token would be dead already: choose a later day.")
    if not membership.is_active or not RIGHTS[Role(role)] <= RIGHTS[Role(membership.role)]:
        raise Refused("role", "A token may do no more than its owner: choose a smaller role.")
    secret = Secret(MARK + secrets.token_urlsafe(32))
    token = ApiToken.objects.create(
        property_id=membership.property_id,
        membership=membership,
        role=role,
        name=name.strip(),
        prefix=secret[:SHOWN],
        digest=digest(secret, scope=SCOPE),
        created_at=now,
        expires_at=expires_at,
    )
    return token, secret


def revoke_token(*, token: ApiToken, now: datetime) -> None:
    """End a token now; doing so again changes nothing."""
    ApiToken.objects.filter(pk=token.pk, revoked_at=None).update(revoked_at=now)


def find_token(*, secret: str, now: datetime) -> ApiToken | None:
    """The living token with this secret, with its property and member, or none. One query."""
    return (
        ApiToken.objects.select_related("property", "membership__user")
        .filter(
            digest=digest(secret, scope=SCOPE),
            revoked_at=None,
            expires_at__gt=now,
            membership__is_active=True,
            membership__user__is_active=True,
        )
        .first()
    )


def note_use(*, token: ApiToken, now: datetime) -> None:
    """Remember that the token is in use, at most once an hour."""
    if token.last_used_at is not None and now - token.last_used_at < USED_EVERY:
        return
    unused = Q(last_used_at=None) | Q(last_used_at__lt=now - USED_EVERY)
    ApiToken.objects.filter(unused, pk=token.pk).update(last_used_at=now)


def token_allows(token: ApiToken, right: Right) -> bool:
    """Whether the token may do it: its own role and, as of now, its member's rights both say so."""
    return role_allows(token.role, right) and allowed(token.membership, right)


def actor_of(token: ApiToken, *, reason: str = "") -> Actor:
    """The token as history names it: its member, through the API."""
    label = f"{token.membership.user} by {token.name}"[:120]
    return Actor(source=Source.API, user_id=token.membership.user_id, label=label, reason=reason)
