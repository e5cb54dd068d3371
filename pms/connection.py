"""The only writer of Integration and Outage: connecting, breaking, reconnecting, disconnecting, and fresh tokens.

No call to a PMS is ever made inside a transaction. Every use of tokens carries their version, so that a late answer to a
call with dead tokens cannot mark the connection that replaced them.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from typing import TypeVar

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Q

from locks.bell import ring
from locks.history import Actor, Source, acting
from locks.models import Property
from locks.pulse import bump
from locks.vault import digest
from pms.adapters import (
    Adapter,
    App,
    ConnectionBroken,
    Hotel,
    Link,
    PMSError,
    PropertyFacts,
    TokenExpired,
    Tokens,
    TryLater,
    load,
)
from pms.models import AuthorizationRequest, Integration, Outage
from pms.signals import connection_changed

T = TypeVar("T")
State = Integration.State
SIGN_IN_LASTS = timedelta(minutes=10)
REFRESH_AT = 0.8
CALLBACK = "/settings/integrations/callback/"
HOOK_SCOPE = "hook"
LIVE = {State.CONNECTED, State.CATCHING_UP, State.DELAYED}


class NotConnected(Exception):
    """A wish about a connection that cannot be granted. ``message`` says what is wrong and what to do."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


def adapter_of(name: str) -> Adapter:
    """The vendor, with Portal's own credentials there. Raises NoSuchPMS."""
    upper = name.upper()
    app = App(
        sign_in_url=getattr(settings, f"{upper}_URL"),
        api_url=getattr(settings, f"{upper}_API_URL"),
        client_id=getattr(settings, f"{upper}_CLIENT_ID"),
        client_secret=getattr(settings, f"{upper}_CLIENT_SECRET"),
        timeout_s=settings.PMS_TIMEOUT_S,
    )
    return load(name)(app)


# Connecting ---------------------------------------------------------------------------------------


def begin_connect(
    *,
    property: Property,  # noqa: A002
    adapter: str,
    user_id: int,
    by: Actor,
    now: datetime,
) -> str:
    """Start a sign-in at the PMS, for a first connection or a Reconnect; returns where to send the person."""
    other = (
        Integration.objects.filter(property=property)
        .exclude(adapter=adapter)
        .exclude(state=State.DISCONNECTED)
        .first()
    )
    if other is not None:
        raise NotConnected(f"Disconnect {other.adapter.title()} first: one PMS per property.")
    state = secrets.token_urlsafe(32)
    AuthorizationRequest.objects.create(
        property=property,
        adapter=adapter,
        state_digest=digest(state, scope="oauth"),
        user_id=user_id,
        created_at=now,
    )
    return adapter_of(adapter).authorize_url(state=state, redirect_uri=callback_url())


def callback_url() -> str:
    """Where the PMS sends people back to."""
    return f"{settings.PORTAL_BASE_URL}{CALLBACK}"


def finish_connect(
    *, state: str, code: str, user_id: int, by: Actor, now: datetime
) -> Integration:
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
        raise NotConnected("This sign-in is too old or was started by someone else: start it again.")
    existing = Integration.objects.filter(property=asked.property, adapter=asked.adapter).first()
    if not AuthorizationRequest.objects.filter(pk=asked.pk, used_at=None).update(used_at=now):
        if existing is not None and existing.state in LIVE:
            return existing
        raise NotConnected("This sign-in was used already: start it again.")
    vendor = adapter_of(asked.adapter)
    try:
        tokens = vendor.exchange(code=code, redirect_uri=callback_url())
        facts, base_url = _whose(vendor, tokens, existing)
    except PMSError as error:
        raise NotConnected(str(error)) from None
    return _connected(asked, existing, tokens, facts, base_url, by=by, now=now)


def _whose(
    vendor: Adapter, tokens: Tokens, existing: Integration | None
) -> tuple[PropertyFacts, str]:
    hotel = vendor.open(Link(tokens=tokens))
    found = list(hotel.properties())
    if existing is not None and existing.external_property_id:
        found = [f for f in found if f.external_id == existing.external_property_id]
        if not found:
            raise NotConnected(
                f"That is another property of {vendor.title} than the one connected before. "
                "Nothing was changed: sign in as this property."
            )
    if len(found) != 1:
        raise NotConnected(
            f"{vendor.title} opened {len(found)} properties: sign in for exactly one."
        )
    return hotel.details(found[0]), hotel.address()


def _connected(
    asked: AuthorizationRequest,
    existing: Integration | None,
    tokens: Tokens,
    facts: PropertyFacts,
    base_url: str,
    *,
    by: Actor,
    now: datetime,
) -> Integration:
    hook = secrets.token_urlsafe(32)
    try:
        with transaction.atomic(), acting(by):
            row = existing and Integration.objects.select_for_update().get(pk=existing.pk)
            row = row or Integration(
                property=asked.property, adapter=asked.adapter, first_connected_at=now
            )
            row.external_property_id = facts.external_id
            row.base_url = base_url if base_url.startswith(("https://", "http://127.")) else ""
            if not row.hook_digest:
                row.hook_secret, row.hook_digest = hook, digest(hook, scope=HOOK_SCOPE)
            _take_tokens(row, tokens, now)
            row.state, row.state_since, row.problem = State.CATCHING_UP, now, ""
            row.next_read_at = now
            row.save()
            row.outages.filter(ended_at=None).update(reconnected_at=now)
            _news(row, "pms.tasks.read_due")
    except IntegrityError:
        raise NotConnected(
            "This property of the PMS is connected to another hotel in Portal: disconnect it there."
        ) from None
    return row


def _take_tokens(row: Integration, tokens: Tokens, now: datetime) -> None:
    row.tokens = json.dumps({"access": tokens.access, "refresh": tokens.refresh})
    row.token_version += 1
    life = tokens.lives_s
    row.tokens_expire_at = None if life is None else now + timedelta(seconds=life * REFRESH_AT)


def tokens_of(row: Integration) -> Tokens:
    """The stored tokens; empty ones when there are none."""
    kept = json.loads(row.tokens or "{}")
    return Tokens(access=kept.get("access", ""), refresh=kept.get("refresh", ""))


def hook_url(row: Integration) -> str:
    """The unguessable address at which this integration's events arrive."""
    return f"{settings.PORTAL_BASE_URL}/hooks/{row.adapter}/{row.hook_secret}"


def _news(row: Integration, task: str = "") -> None:
    bump([row.property_id])
    connection_changed.send(sender=Integration, property_id=row.property_id)
    if task:
        transaction.on_commit(partial(ring, task))


# Using a connection -------------------------------------------------------------------------------


def ask(row: Integration, question: Callable[[Hotel], T], *, now: datetime) -> T:
    """Ask the PMS something: fresh tokens first if these are old, once more if they were not taken, then broken.

    Raises the adapter's errors; the connection's state is already what the error means.
    """
    if row.tokens_expire_at is not None and row.tokens_expire_at <= now:
        row = refresh(row, now=now)
    version = row.token_version
    try:
        return question(_hotel(row))
    except TokenExpired:
        row = refresh(row, now=now, seen_version=version)
    except ConnectionBroken as error:
        mark_broken(integration_id=row.pk, cause=str(error), token_version=version, now=now)
        raise
    except TryLater as error:
        mark_delayed(integration_id=row.pk, problem=str(error), token_version=version, now=now)
        raise
    try:
        return question(_hotel(row))
    except ConnectionBroken as error:
        mark_broken(
            integration_id=row.pk, cause=str(error), token_version=row.token_version, now=now
        )
        raise


def _hotel(row: Integration) -> Hotel:
    link = Link(
        tokens=tokens_of(row),
        property_id=row.external_property_id,
        base_url=row.base_url,
        online_check_in_field=row.online_check_in_field,
    )
    return adapter_of(row.adapter).open(link)


def refresh(row: Integration, *, now: datetime, seen_version: int | None = None) -> Integration:
    """Get fresh tokens, one worker at a time; whoever comes second finds the first one's.

    The row's lease on refreshing is its version: it is moved before the vendor is asked, and the new pair is saved
    before it is used. Raises ConnectionBroken when the PMS refuses, TryLater when it cannot be asked.
    """
    seen = row.token_version if seen_version is None else seen_version
    fresh = Integration.objects.get(pk=row.pk)
    if fresh.token_version != seen:
        return fresh
    kept = tokens_of(fresh)
    if not kept.refresh:
        mark_broken(
            integration_id=row.pk,
            cause="the PMS no longer accepts Portal’s access",
            token_version=seen,
            now=now,
        )
        raise ConnectionBroken("the PMS no longer accepts Portal’s access")
    if not _claim_refresh(fresh, now):
        raise TryLater("Another worker is renewing the access.", retry_after_s=1.0)
    try:
        tokens = adapter_of(row.adapter).refresh(kept)
    except ConnectionBroken as error:
        mark_broken(integration_id=row.pk, cause=str(error), token_version=seen, now=now)
        raise
    except PMSError as error:
        mark_delayed(integration_id=row.pk, problem=str(error), token_version=seen, now=now)
        raise
    with transaction.atomic(), acting(_self("renewed the access")):
        kept_row = Integration.objects.select_for_update().get(pk=row.pk)
        if kept_row.token_version == seen:
            _take_tokens(kept_row, tokens, now)
            kept_row.refreshing_until_at = None
            kept_row.skip_history_when_saving = True
            kept_row.save()
    return kept_row


REFRESH_CLAIM = timedelta(seconds=30)


def _claim_refresh(row: Integration, now: datetime) -> bool:
    """True for one of any number of workers; the claim ends by itself, should that one die."""
    free = Integration.objects.filter(
        Q(refreshing_until_at=None) | Q(refreshing_until_at__lte=now),
        pk=row.pk,
        token_version=row.token_version,
    )
    return bool(free.update_untracked(refreshing_until_at=now + REFRESH_CLAIM))


# States -------------------------------------------------------------------------------------------


def _self(reason: str) -> Actor:
    return Actor(source=Source.SYSTEM, label="Portal", reason=reason)


def mark_broken(*, integration_id: int, cause: str, token_version: int, now: datetime) -> bool:
    """The PMS does not let Portal in: open the Outage. False when newer tokens or another state make this stale.

    Codes that are on locks stay there; nothing new is released on check-ins that cannot be known.
    """
    with transaction.atomic(), acting(_self(cause)):
        row = Integration.objects.select_for_update().get(pk=integration_id)
        if row.token_version != token_version or row.state not in LIVE:
            return False
        row.state, row.state_since, row.problem = State.BROKEN, now, cause[:300]
        row.save()
        _open_outage(row, cause, now)
        _news(row)
    return True


def _open_outage(row: Integration, cause: str, now: datetime) -> None:
    Outage.objects.get_or_create(
        integration=row,
        ended_at=None,
        defaults={
            "property_id": row.property_id,
            "began_at": now,
            "last_word_at": row.last_word_at or row.first_connected_at or now,
            "cause": cause[:300],
        },
    )


def mark_delayed(*, integration_id: int, problem: str, token_version: int, now: datetime) -> None:
    """The PMS is slow, down or overloaded: wait, ask nobody to reconnect."""
    with transaction.atomic(), acting(_self(problem)):
        row = Integration.objects.select_for_update().get(pk=integration_id)
        if row.token_version == token_version and row.state == State.CONNECTED:
            row.state, row.state_since, row.problem = State.DELAYED, now, problem[:300]
            row.save()
            _news(row)


def good_word(*, integration_id: int, token_version: int, now: datetime) -> None:
    """The PMS answered: it is connected as of now, if it was believed delayed."""
    with transaction.atomic(), acting(_self("the PMS answers again")):
        row = Integration.objects.select_for_update().get(pk=integration_id)
        if row.token_version != token_version or row.state not in LIVE:
            return
        Integration.objects.filter(pk=row.pk).update_untracked(last_word_at=now)
        if row.state == State.DELAYED:
            row.last_word_at = now
            row.state, row.state_since, row.problem = State.CONNECTED, now, ""
            row.save()
            _news(row)


def caught_up(*, integration_id: int, token_version: int, began_at: datetime, now: datetime) -> bool:
    """A whole walk is done: the connection is Connected and its outage, if there was one, has ended."""
    with transaction.atomic(), acting(_self("caught up with the PMS")):
        row = Integration.objects.select_for_update().get(pk=integration_id)
        if row.token_version != token_version or row.state not in LIVE:
            return False
        row.read_until_at = began_at
        row.last_word_at = now
        row.state_since = now if row.state != State.CONNECTED else row.state_since
        row.state, row.problem = State.CONNECTED, ""
        row.save()
        row.outages.filter(ended_at=None, reconnected_at__isnull=False).update(ended_at=now)
        _news(row, "pms.tasks.apply_inbox")
    return True


def disconnect(*, integration: Integration, by: Actor, now: datetime) -> Integration:
    """End the connection; keys, mappings and marks stay. The PMS is told, but need not answer."""
    link = integration if integration.state in LIVE else None
    with transaction.atomic(), acting(by):
        row = Integration.objects.select_for_update().get(pk=integration.pk)
        if row.state == State.DISCONNECTED:
            return row
        old = link and _hotel(row)
        row.state, row.state_since, row.problem = State.DISCONNECTED, now, ""
        row.tokens, row.tokens_expire_at, row.next_read_at = "", None, None
        row.token_version += 1
        row.save()
        if row.first_connected_at is not None:
            _open_outage(row, "disconnected by staff", now)
        _news(row)
    if old is not None:
        try:
            old.leave()
        except PMSError:
            pass
    return row
