"""Connects a property to its PMS, for the first time or again: by the vendor's sign-in page or by a pasted token.

Nothing is saved before the tokens were seen to open exactly the right property. No call to a PMS is ever made inside a
transaction.
"""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db import IntegrityError, transaction

from locks.clock import database_now
from locks.history import Actor, acting
from locks.models import Property
from locks.vault import digest
from pms.adapters import (
    Adapter,
    CallRefused,
    ConnectionBroken,
    Link,
    PMSError,
    PropertyFacts,
    TakesToken,
    Tokens,
    for_people,
)
from pms.connection import (
    HOOK_SCOPE,
    LIVE,
    NotConnected,
    State,
    adapter_of,
    announce,
    locked,
    portal_itself,
    signing_in,
    take_tokens,
    tokens_of,
)
from pms.models import AuthorizationRequest, Integration

SIGN_IN_LASTS = timedelta(minutes=10)
CALLBACK = "/settings/integrations/callback/"


def begin_connect(
    *,
    property: Property,  # noqa: A002
    adapter: str,
    user_id: int,
    by: Actor,
    now: datetime,
) -> str:
    """Start a sign-in at the PMS, for a first connection or a Reconnect; returns where to send the person."""
    _only_one(property, adapter)
    state = secrets.token_urlsafe(32)
    AuthorizationRequest.objects.create(
        property=property,
        adapter=adapter,
        state_digest=digest(state, scope="oauth"),
        user_id=user_id,
        created_at=now,
    )
    return signing_in(adapter).authorize_url(state=state, redirect_uri=callback_url())


def _only_one(property: Property, adapter: str) -> None:  # noqa: A002
    other = (
        Integration.objects.filter(property=property)
        .exclude(adapter=adapter)
        .exclude(state=State.DISCONNECTED)
        .first()
    )
    if other is not None:
        raise NotConnected(f"Disconnect {other.pms_name()} first: one PMS per property.")


def callback_url() -> str:
    """Where the PMS sends people back to."""
    return f"{settings.PORTAL_BASE_URL}{CALLBACK}"


def finish_connect(*, state: str, code: str, user_id: int, by: Actor, now: datetime) -> Integration:
    """End a sign-in: take the tokens, check whose property they are, and start catching up.

    A reload of the page that called this finds the connection already made and changes nothing. Raises NotConnected
    with a sentence for the person.
    """
    asked = (
        AuthorizationRequest.objects.select_related("property")
        .filter(state_digest=digest(state, scope="oauth"), user_id=user_id)
        .first()
    )
    if asked is None or asked.created_at < now - SIGN_IN_LASTS:
        raise NotConnected(
            "This sign-in is too old or was started by someone else: start it again."
        )
    existing: Integration | None = Integration.objects.filter(
        property=asked.property, adapter=asked.adapter
    ).first()
    if not AuthorizationRequest.objects.filter(pk=asked.pk, used_at=None).update(used_at=now):
        if existing is not None and existing.state in LIVE:
            return existing
        raise NotConnected("This sign-in was used already: start it again.")
    vendor = signing_in(asked.adapter)
    try:
        with for_people():
            tokens = vendor.exchange(code=code, redirect_uri=callback_url())
            found = _whose(vendor, tokens, existing)
    except PMSError as error:
        raise NotConnected(str(error)) from None
    return _connected(asked.property, asked.adapter, existing, found, by=by)


def connect_with_token(
    *,
    property: Property,  # noqa: A002
    adapter: str,
    typed: str,
    by: Actor,
) -> Integration:
    """Connect, or connect again, with a token that staff pasted; then catch up.

    Nothing is saved before the token was seen to open exactly this property. Raises NotConnected with a sentence for the
    person.
    """
    _only_one(property, adapter)
    vendor = adapter_of(adapter)
    if not isinstance(vendor, TakesToken):
        raise NotConnected(f"{vendor.title} is connected by its own sign-in page.")
    existing: Integration | None = Integration.objects.filter(
        property=property, adapter=adapter
    ).first()
    try:
        with for_people():
            found = _whose(vendor, vendor.read_token(typed), existing)
    except ConnectionBroken:
        raise NotConnected(
            f"{vendor.title} does not accept this token: it was replaced, or the integration is switched off there. "
            "Copy the present one."
        ) from None
    except PMSError as error:
        raise NotConnected(str(error)) from None
    return _connected(property, adapter, existing, found, by=by)


def try_again(row: Integration, *, token: str, now: datetime) -> bool:
    """The PMS says that a connection is back, or gave it a new token: believe it only if the property opens.

    True when that reconnected it. A connection that works with the token it has is left alone. Raises the adapter's
    errors when the PMS could not be asked.
    """
    vendor = adapter_of(row.adapter)
    if not isinstance(vendor, TakesToken) or row.state == State.DISCONNECTED:
        return False
    tokens = Tokens(access=token) if token else tokens_of(row)
    if row.state != State.BROKEN and tokens.access == tokens_of(row).access:
        return False
    try:
        found = _whose(vendor, tokens, row)
        _connected(
            row.property, row.adapter, row, found, by=portal_itself(f"{vendor.title} says so")
        )
    except (ConnectionBroken, CallRefused, NotConnected):
        return False
    return True


def _reconnect_moment(vendor: Adapter) -> datetime:
    """When the connection counts as made, by the database's clock.

    Where a PMS stamps whole seconds, a stay made in the second of the Reconnect could not be told from one made after
    it; so the rest of that second is waited for, and the moment lies exactly between two of the PMS's seconds.
    """
    now = database_now()
    if not vendor.stamps_whole_seconds:
        return now
    whole = now.replace(microsecond=0) + timedelta(seconds=1)
    time.sleep((whole - now).total_seconds())
    return whole


@dataclass(frozen=True, slots=True)
class _Opened:
    """What some tokens turned out to open."""

    vendor: Adapter
    tokens: Tokens
    facts: PropertyFacts
    base_url: str


def _whose(vendor: Adapter, tokens: Tokens, existing: Integration | None) -> _Opened:
    """Ask whose property it is. Raises NotConnected for another or for several, and the adapter's errors."""
    hotel = vendor.open(Link(tokens=tokens))
    found = list(hotel.properties())
    if existing is not None and existing.external_property_id:
        others = ", ".join(sorted(f"{facts.name} ({facts.external_id})" for facts in found))
        found = [f for f in found if f.external_id == existing.external_property_id]
        if not found:
            raise NotConnected(
                f"In {vendor.title} that opens {others or 'no property'}, but this hotel was connected as "
                f"{existing.external_property_id}. Nothing was changed: connect as the same property."
            )
    if len(found) != 1:
        raise NotConnected(
            f"{vendor.title} opened {len(found)} properties: connect exactly one of them."
        )
    return _Opened(vendor, tokens, hotel.details(found[0]), hotel.address())


def _connected(
    property: Property,  # noqa: A002
    adapter: str,
    existing: Integration | None,
    found: _Opened,
    *,
    by: Actor,
) -> Integration:
    hook, now = secrets.token_urlsafe(32), _reconnect_moment(found.vendor)
    try:
        with transaction.atomic(), acting(by):
            row = existing and locked(existing.pk)
            row = row or Integration(property=property, adapter=adapter, first_connected_at=now)
            row.external_property_id = found.facts.external_id
            row.connection_ref = found.facts.connection_ref or row.connection_ref
            safe = found.base_url.startswith(("https://", "http://127."))
            row.base_url = found.base_url if safe else ""
            row.reading_until_at = row.refreshing_until_at = row.quiet_until_at = None
            if not row.hook_digest:
                row.hook_secret, row.hook_digest = hook, digest(hook, scope=HOOK_SCOPE)
            take_tokens(row, found.tokens, now)
            row.state, row.state_since, row.problem = State.CATCHING_UP, now, ""
            row.next_read_at = now
            row.save()
            row.outages.filter(ended_at=None, reconnected_at=None).update(reconnected_at=now)
            announce(row, "pms.tasks.read_due")
    except IntegrityError:
        raise NotConnected(
            "This property of the PMS is connected to another hotel in Portal: disconnect it there."
        ) from None
    return row


def show_codes(*, integration: Integration, on: bool, by: Actor) -> Integration:
    """Whether Door Codes are shown in the PMS from now on. Off takes away what was written there."""
    with transaction.atomic(), acting(by):
        row = locked(integration.pk)
        if row.write_codes != on:
            row.write_codes = on
            row.save()
            announce(row, "keys.tasks.tell_pms")
    return row
