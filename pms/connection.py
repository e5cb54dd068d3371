"""The only writer of Integration and Outage, with pms.connecting: asking, breaking, disconnecting, and fresh tokens.

No call to a PMS is ever made inside a transaction. Every use of tokens carries their version, so that a late answer to a
call with dead tokens cannot mark the connection that replaced them.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from functools import lru_cache, partial
from typing import TypeVar

from django.conf import settings
from django.db import transaction
from django.db.models import Q

from locks.bell import ring
from locks.clock import database_now
from locks.history import Actor, Source, acting
from locks.pulse import bump
from pms import pacing
from pms.adapters import (
    Adapter,
    App,
    ConnectionBroken,
    Hotel,
    Link,
    NoSuchPMS,
    PMSError,
    SignsIn,
    TakesToken,
    TokenExpired,
    Tokens,
    TryLater,
    load,
)
from pms.models import Integration, Outage
from pms.signals import connection_changed

T = TypeVar("T")
State = Integration.State
REFRESH_AT = 0.8
DELAYED_AFTER_PROBES = 2
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
        pacer=pacing,
    )
    return _opened(name, app)


def takes_token(name: str) -> bool:
    """Whether staff connect this vendor by pasting a token."""
    return isinstance(adapter_of(name), TakesToken)


def signing_in(name: str) -> SignsIn:
    """A vendor whose tokens are given at its sign-in page. Raises NotConnected for one that gives them by hand."""
    vendor = adapter_of(name)
    if not isinstance(vendor, SignsIn):
        raise NotConnected(f"{vendor.title} is connected by an access token: paste it.")
    return vendor


@lru_cache(maxsize=8)
def _opened(name: str, app: App) -> Adapter:
    """One per process: it keeps connections open and the vendor's pace."""
    return load(name)(app)


def locked(pk: int) -> Integration:
    """The row, locked until the end of the transaction."""
    row: Integration = Integration.objects.select_for_update(no_key=True).get(pk=pk)
    return row


def _read(pk: int) -> Integration:
    row: Integration = Integration.objects.select_related("property").get(pk=pk)
    return row


def take_tokens(row: Integration, tokens: Tokens, now: datetime) -> None:
    """Put new tokens into the row, under a new version; the caller saves it."""
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
    secret = row.hook_secret
    if adapter_of(row.adapter).shared_hook:
        secret = shared_secret(row.adapter)
    return f"{settings.PORTAL_BASE_URL}/hooks/{row.adapter}/{secret}"


def shared_secret(adapter: str) -> str:
    """The unguessable part of the one address that a vendor calls for all properties; empty when none is set."""
    return str(getattr(settings, f"{adapter.upper()}_HOOK_SECRET", ""))


def announce(row: Integration, task: str = "") -> None:
    """Tell open pages and everyone who follows connections; ring for ``task`` on commit."""
    bump([row.property_id])
    connection_changed.send(sender=Integration, property_id=row.property_id)
    if task:
        transaction.on_commit(partial(ring, task))


# Using a connection -------------------------------------------------------------------------------


def ask(row: Integration, question: Callable[[Hotel], T], *, now: datetime) -> T:
    """Ask the PMS something: fresh tokens first if these are old, once more if they were not taken, then broken.

    An answer is a good word as of ``now``, the time of asking. Raises the adapter's errors; the connection's state is
    already what the error means. While the PMS wants to be left alone it is not called at all, by no worker: TryLater.
    """
    _respect_quiet(row, now)
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


def _respect_quiet(row: Integration, now: datetime) -> None:
    """Raise TryLater while the PMS's wish to be left alone lasts. It is read anew: another worker may have heard it."""
    wish = Integration.objects.filter(pk=row.pk, quiet_until_at__gt=now)
    until: datetime | None = wish.values_list("quiet_until_at", flat=True).first()
    if until is not None:
        raise TryLater(
            f"{row.pms_name()} asks Portal to call less often.",
            retry_after_s=(until - now).total_seconds(),
        )


def _note_trouble(row: Integration, error: PMSError, now: datetime) -> None:
    """Let the state say what the error means: broken, or one more failure on the way to delayed."""
    version = row.token_version
    if isinstance(error, TryLater) and error.retry_after_s:
        Integration.objects.filter(pk=row.pk, token_version=version).update_untracked(
            quiet_until_at=database_now() + timedelta(seconds=error.retry_after_s)
        )
    if isinstance(error, ConnectionBroken):
        mark_broken(integration_id=row.pk, cause=str(error), token_version=version, now=now)
    else:
        mark_delayed(integration_id=row.pk, problem=str(error), token_version=version, now=now)


def link_of(row: Integration) -> Link:
    """What an adapter needs to know of the connection."""
    return Link(
        tokens=tokens_of(row),
        property_id=row.external_property_id,
        base_url=row.base_url,
        online_check_in_field=row.online_check_in_field,
        timezone=row.property.timezone,
    )


def _hotel(row: Integration) -> Hotel:
    return adapter_of(row.adapter).open(link_of(row))


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
        tokens = signing_in(row.adapter).refresh(kept)
    except PMSError as error:
        Integration.objects.filter(pk=row.pk).update_untracked(refreshing_until_at=None)
        _note_trouble(fresh, error, now)
        raise
    with transaction.atomic():
        kept_row = locked(row.pk)
        if kept_row.token_version == seen and kept_row.state in LIVE:
            take_tokens(kept_row, tokens, now)
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


def portal_itself(reason: str) -> Actor:
    """Portal as the one who changed something."""
    return Actor(source=Source.SYSTEM, label="Portal", reason=reason)


def mark_broken(*, integration_id: int, cause: str, token_version: int, now: datetime) -> bool:
    """The PMS does not let Portal in: open the Outage. False when newer tokens or another state make this stale.

    Codes that are on locks stay there; nothing new is released on check-ins that cannot be known.
    """
    with transaction.atomic(), acting(portal_itself(cause)):
        row = locked(integration_id)
        if row.token_version != token_version or row.state not in LIVE:
            return False
        row.state, row.state_since, row.problem = State.BROKEN, now, cause[:300]
        row.save()
        _open_outage(row, cause, now)
        announce(row)
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
    with transaction.atomic(), acting(portal_itself(problem)):
        row = locked(integration_id)
        if row.token_version != token_version or row.state != State.CONNECTED:
            return
        if row.last_word_at is None or row.last_word_at <= now - patience:
            row.state, row.state_since, row.problem = State.DELAYED, now, problem[:300]
            row.save()
            announce(row)


def good_word(*, integration_id: int, token_version: int, now: datetime) -> None:
    """The PMS answered a call made at ``now``: it is connected, if it was believed delayed."""
    mine = Integration.objects.filter(pk=integration_id, token_version=token_version)
    heard = mine.filter(state__in=LIVE).exclude(last_word_at__gt=now)
    if not heard.update_untracked(last_word_at=now):
        return
    if not mine.filter(state=State.DELAYED).exists():
        return
    with transaction.atomic(), acting(portal_itself("the PMS answers again")):
        row = locked(integration_id)
        if row.token_version == token_version and row.state == State.DELAYED:
            row.state, row.state_since, row.problem = State.CONNECTED, now, ""
            row.save()
            announce(row, "pms.tasks.apply_inbox")


def probe_soon(*, integration_id: int, token_version: int, now: datetime) -> None:
    """Something suggests that the PMS no longer lets Portal in: ask it at once. Nothing is marked by that alone."""
    mine = Integration.objects.filter(pk=integration_id, token_version=token_version)
    if mine.filter(state__in=LIVE, next_read_at__gt=now).update_untracked(next_read_at=now):
        ring("pms.tasks.read_due")


def caught_up(
    *, integration_id: int, token_version: int, began_at: datetime, now: datetime
) -> bool:
    """A whole walk that began at ``began_at`` is done: the connection is Connected, and its outage has ended.

    Events that waited are due at once. False when newer tokens or another state make this stale.
    """
    with transaction.atomic(), acting(portal_itself("caught up with the PMS")):
        row = locked(integration_id)
        if row.token_version != token_version or row.state not in LIVE:
            return False
        row.read_until_at = row.swept_at = began_at
        if row.state != State.CONNECTED:
            row.state, row.state_since, row.problem = State.CONNECTED, now, ""
            row.save()
            announce(row, "pms.tasks.apply_inbox")
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
        row = locked(integration.pk)
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
        announce(row)
    if old is not None:
        with suppress(PMSError):
            old.leave()
    return row
