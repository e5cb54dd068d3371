"""The only writer of Integration and Outage: connecting, breaking, reconnecting, disconnecting, and fresh tokens.

No call to a PMS is ever made inside a transaction. Every use of tokens carries their version, so that a late answer to a
call with dead tokens cannot mark the connection that replaced them.
"""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from functools import lru_cache, partial
from typing import TypeVar

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Q

from locks.bell import ring
from locks.clock import database_now
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
    NoSuchPMS,
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
DELAYED_AFTER_PROBES = 2
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
    if not hasattr(settings, f"{upper}_URL"):
        raise NoSuchPMS(name)
    app = App(
        sign_in_url=getattr(settings, f"{upper}_URL"),
        api_url=getattr(settings, f"{upper}_API_URL"),
        client_id=getattr(settings, f"{upper}_CLIENT_ID"),
        client_secret=getattr(settings, f"{upper}_CLIENT_SECRET"),
        timeout_s=settings.PMS_TIMEOUT_S,
        calls_a_second=settings.PMS_CALLS_A_SECOND,
    )
    return _opened(name, app)


@lru_cache(maxsize=8)
def _opened(name: str, app: App) -> Adapter:
    """One per process: it keeps connections open and the vendor's pace."""
    return load(name)(app)


def _locked(pk: int) -> Integration:
    row: Integration = Integration.objects.select_for_update().get(pk=pk)
    return row


def _read(pk: int) -> Integration:
    row: Integration = Integration.objects.select_related("property").get(pk=pk)
    return row


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
    vendor = adapter_of(asked.adapter)
    try:
        tokens = vendor.exchange(code=code, redirect_uri=callback_url())
        facts, base_url = _whose(vendor, tokens, existing)
    except PMSError as error:
        raise NotConnected(str(error)) from None
    moment = _reconnect_moment(vendor)
    return _connected(asked, existing, tokens, facts, base_url, by=by, now=moment)


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
            row = existing and _locked(existing.pk)
            row = row or Integration(
                property=asked.property, adapter=asked.adapter, first_connected_at=now
            )
            row.external_property_id = facts.external_id
            row.base_url = base_url if base_url.startswith(("https://", "http://127.")) else ""
            row.reading_until_at = row.refreshing_until_at = None
            if not row.hook_digest:
                row.hook_secret, row.hook_digest = hook, digest(hook, scope=HOOK_SCOPE)
            _take_tokens(row, tokens, now)
            row.state, row.state_since, row.problem = State.CATCHING_UP, now, ""
            row.next_read_at = now
            row.save()
            row.outages.filter(ended_at=None, reconnected_at=None).update(reconnected_at=now)
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

    An answer is a good word as of ``now``, the time of asking. Raises the adapter's errors; the connection's state is
    already what the error means.
    """
    if row.tokens_expire_at is not None and row.tokens_expire_at <= now:
        row = refresh(row, now=now)
    try:
        answer = question(_hotel(row))
    except TokenExpired:
        row = refresh(row, now=now, seen_version=row.token_version)
        answer = _ask_finally(row, question, now)
    except PMSError as error:
        _note_trouble(row, error, now)
        raise
    good_word(integration_id=row.pk, token_version=row.token_version, now=now)
    return answer


def _ask_finally(row: Integration, question: Callable[[Hotel], T], now: datetime) -> T:
    try:
        return question(_hotel(row))
    except PMSError as error:
        _note_trouble(row, error, now)
        raise


def _note_trouble(row: Integration, error: PMSError, now: datetime) -> None:
    """Let the state say what the error means: broken, or one more failure on the way to delayed."""
    version = row.token_version
    if isinstance(error, ConnectionBroken):
        mark_broken(integration_id=row.pk, cause=str(error), token_version=version, now=now)
    else:
        mark_delayed(integration_id=row.pk, problem=str(error), token_version=version, now=now)


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
    fresh = _read(row.pk)
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
        return _refreshed_by_another(fresh)
    try:
        tokens = adapter_of(row.adapter).refresh(kept)
    except PMSError as error:
        Integration.objects.filter(pk=row.pk).update_untracked(refreshing_until_at=None)
        _note_trouble(fresh, error, now)
        raise
    with transaction.atomic():
        kept_row = _locked(row.pk)
        if kept_row.token_version == seen and kept_row.state in LIVE:
            _take_tokens(kept_row, tokens, now)
            Integration.objects.filter(pk=row.pk).update_untracked(
                tokens=kept_row.tokens,
                token_version=kept_row.token_version,
                tokens_expire_at=kept_row.tokens_expire_at,
                refreshing_until_at=None,
            )
    return kept_row


def _refreshed_by_another(row: Integration) -> Integration:
    """Wait for the tokens that another worker is fetching. Raises TryLater when they do not come."""
    end = time.monotonic() + settings.PMS_TIMEOUT_S
    while time.monotonic() < end:
        time.sleep(0.1)
        fresh = _read(row.pk)
        if fresh.token_version != row.token_version:
            return fresh
    raise TryLater("Another worker is renewing the access.", retry_after_s=1.0)


def _claim_refresh(row: Integration, now: datetime) -> bool:
    """True for one of any number of workers; the claim ends by itself, should that one die."""
    claim = timedelta(seconds=2 * settings.PMS_TIMEOUT_S + 1)
    free = Integration.objects.filter(
        Q(refreshing_until_at=None) | Q(refreshing_until_at__lte=now),
        pk=row.pk,
        token_version=row.token_version,
    )
    return bool(free.update_untracked(refreshing_until_at=now + claim))


# States -------------------------------------------------------------------------------------------


def _self(reason: str) -> Actor:
    return Actor(source=Source.SYSTEM, label="Portal", reason=reason)


def mark_broken(*, integration_id: int, cause: str, token_version: int, now: datetime) -> bool:
    """The PMS does not let Portal in: open the Outage. False when newer tokens or another state make this stale.

    Codes that are on locks stay there; nothing new is released on check-ins that cannot be known.
    """
    with transaction.atomic(), acting(_self(cause)):
        row = _locked(integration_id)
        if row.token_version != token_version or row.state not in LIVE:
            return False
        row.state, row.state_since, row.problem = State.BROKEN, now, cause[:300]
        row.save()
        _open_outage(row, cause, now)
        _news(row)
    return True


def _open_outage(row: Integration, cause: str, now: datetime) -> None:
    """Begin an outage. One that was reconnected but not caught up ends here; the new one goes on from the last good word,
    so that what was made between the two Reconnects' breaks is not held."""
    still_open = row.outages.filter(ended_at=None).first()
    if still_open is not None and still_open.reconnected_at is None:
        return
    row.outages.filter(ended_at=None).update(ended_at=now)
    Outage.objects.create(
        integration=row,
        property_id=row.property_id,
        began_at=now,
        last_word_at=row.last_word_at or row.first_connected_at or now,
        cause=cause[:300],
    )


def mark_delayed(*, integration_id: int, problem: str, token_version: int, now: datetime) -> None:
    """The PMS is slow, down, overloaded or not understood: wait, ask nobody to reconnect.

    It is shown as delayed once no good word has come for two probes; a single failure shows nothing.
    """
    patience = timedelta(seconds=DELAYED_AFTER_PROBES * settings.PROBE_PMS_EVERY_S)
    with transaction.atomic(), acting(_self(problem)):
        row = _locked(integration_id)
        if row.token_version != token_version or row.state != State.CONNECTED:
            return
        if row.last_word_at is None or row.last_word_at <= now - patience:
            row.state, row.state_since, row.problem = State.DELAYED, now, problem[:300]
            row.save()
            _news(row)


def good_word(*, integration_id: int, token_version: int, now: datetime) -> None:
    """The PMS answered a call made at ``now``: it is connected, if it was believed delayed."""
    mine = Integration.objects.filter(pk=integration_id, token_version=token_version)
    heard = mine.filter(state__in=LIVE).exclude(last_word_at__gt=now)
    if not heard.update_untracked(last_word_at=now):
        return
    if not mine.filter(state=State.DELAYED).exists():
        return
    with transaction.atomic(), acting(_self("the PMS answers again")):
        row = _locked(integration_id)
        if row.token_version == token_version and row.state == State.DELAYED:
            row.state, row.state_since, row.problem = State.CONNECTED, now, ""
            row.save()
            _news(row, "pms.tasks.apply_inbox")


def caught_up(
    *, integration_id: int, token_version: int, began_at: datetime, now: datetime
) -> bool:
    """A whole walk that began at ``began_at`` is done: the connection is Connected, and its outage has ended.

    Events that waited are due at once. False when newer tokens or another state make this stale.
    """
    with transaction.atomic(), acting(_self("caught up with the PMS")):
        row = _locked(integration_id)
        if row.token_version != token_version or row.state not in LIVE:
            return False
        row.read_until_at = row.swept_at = began_at
        if row.state != State.CONNECTED:
            row.state, row.state_since, row.problem = State.CONNECTED, now, ""
            row.save()
            _news(row, "pms.tasks.apply_inbox")
        else:
            Integration.objects.filter(pk=row.pk).update_untracked(
                read_until_at=began_at, swept_at=began_at
            )
        row.outages.filter(ended_at=None, reconnected_at__isnull=False).update(ended_at=now)
        row.events.filter(processed_at=None).update(next_try_at=None)
    return True


def disconnect(*, integration: Integration, by: Actor, now: datetime) -> Integration:
    """End the connection; keys, mappings and marks stay. The PMS is told, but need not answer."""
    with transaction.atomic(), acting(by):
        row = _locked(integration.pk)
        if row.state == State.DISCONNECTED:
            return row
        old = _hotel(row) if row.state in LIVE else None
        row.state, row.state_since, row.problem = State.DISCONNECTED, now, ""
        row.tokens, row.tokens_expire_at, row.next_read_at = "", None, None
        row.reading_until_at = row.refreshing_until_at = None
        row.token_version += 1
        row.save()
        if row.read_until_at is not None:
            _open_outage(row, "disconnected by staff", now)
        _news(row)
    if old is not None:
        with suppress(PMSError):
            old.leave()
    return row
