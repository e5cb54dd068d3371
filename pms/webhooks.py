"""Takes what a PMS announces into the inbox and answers at once: one insert, nothing believed.

Nobody signs these calls. The unguessable part of the address finds the integration; the body is only a hint at what to
read again, so whoever learns the address can at most make Portal read more. The worst answer here is a refusal.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from hmac import compare_digest
from typing import Any, NamedTuple

from django.core.exceptions import SuspiciousOperation
from django.db import DatabaseError, connection
from django.http import HttpRequest, HttpResponse

from locks.bell import Bell
from locks.vault import digest, encrypt
from pms.adapters import Adapter, EventHint, NoSuchPMS, NotUnderstood, load
from pms.connection import HOOK_SCOPE, shared_secret

log = logging.getLogger(__name__)
LARGEST = 256 * 1024
REMEMBERED_S = 5.0
_INSERT = (
    "INSERT INTO pms_webhookevent (property_id, integration_id, event_key, event, entity, payload, token, "
    "received_at, tries, result) VALUES {} ON CONFLICT DO NOTHING"
)
_ROW = "(%s, %s, %s, %s, %s, %s, %s, %s, 0, '')"
_BY_ADDRESS = (
    "SELECT id, property_id, external_property_id FROM pms_integration "
    "WHERE hook_digest = %s AND adapter = %s"
)
_BY_PROPERTY = (
    "SELECT id, property_id, external_property_id FROM pms_integration "
    "WHERE external_property_id = %s AND adapter = %s AND state <> 'disconnected'"
)
_BY_CONNECTION = (
    "SELECT id, property_id, external_property_id FROM pms_integration "
    "WHERE connection_ref = %s AND adapter = %s AND state <> 'disconnected'"
)


def receive(request: HttpRequest, *, adapter: str, secret: str) -> HttpResponse:
    """Answer one webhook: 200 stored or known, 400 not understood, 403 another property, 404 nobody's address, 405 not
    a POST, 413 too large, 503 not now. It is stored before it is answered with 200."""
    if request.method != "POST":
        return HttpResponse(status=405, headers={"Allow": "POST"})
    try:
        vendor = load(adapter)
    except NoSuchPMS:
        return HttpResponse(status=404)
    address = _Address(adapter, secret, shared=vendor.shared_hook)
    try:
        return _take(request, vendor, address)
    except (NotUnderstood, ValueError, RecursionError, OSError, SuspiciousOperation):
        return _refuse(address, "This is not an event in JSON.", 400)
    except DatabaseError as error:
        log.warning("a webhook could not be stored: %s", type(error).__name__)
        return HttpResponse("Not now, send it again.", status=503, headers={"Retry-After": "30"})


def _take(request: HttpRequest, vendor: type[Adapter], address: _Address) -> HttpResponse:
    if int(request.META.get("CONTENT_LENGTH") or 0) > LARGEST:
        return HttpResponse("At most 256 kB.", status=413)
    text = request.body.decode()
    body = json.loads(text)
    if not isinstance(body, dict):
        raise NotUnderstood("an event is an object")
    hints = vendor.read_events(body)
    if not address.is_ours():
        return HttpResponse(status=404)
    owned = [(hint, hook) for hint in hints if (hook := address.hook_of(hint)) is not None]
    if not vendor.shared_hook and len(owned) < len(hints):
        return HttpResponse("This address belongs to another property.", status=403)
    if owned and _stored(owned, text if len(hints) == 1 and not hints[0].token else ""):
        _bell.strike()
    return HttpResponse(status=200)


def _stored(owned: Sequence[tuple[EventHint, _Hook]], text: str) -> bool:
    """Whether any of the events is new; a known one is as good as stored. One statement for all of them.

    ``text`` is kept for support where it is one event's and no secret is in it.
    """
    at = connection.ops.adapt_datetimefield_value(datetime.now(UTC))
    rows: list[Any] = []
    for hint, hook in owned:
        entity = f"{hint.subject.value}:{hint.ref}"
        token = encrypt(hint.token)
        rows += [hook.property_id, hook.integration_id, hint.key, hint.event, entity]
        rows += [text, token, at]
    with connection.cursor() as cursor:
        cursor.execute(_INSERT.format(", ".join([_ROW] * len(owned))), rows)
        return bool(cursor.rowcount > 0)


def take(hints: Sequence[EventHint], *, integration_id: int, property_id: int) -> None:
    """Store what a connection's own live channel hints at, and ring, as for a webhook. Raises errors of the database."""
    hook = _Hook(integration_id, property_id, "", 0.0)
    if hints and _stored([(hint, hook) for hint in hints], ""):
        _bell.strike()


class _Hook(NamedTuple):
    """Whose event it is, remembered by this process for a few seconds."""

    integration_id: int
    property_id: int
    external_property_id: str
    until_s: float


_hooks: dict[tuple[str, str, str], _Hook] = {}


class _Address:
    """What a webhook was sent to: one property's own address, or the one that a vendor calls for all properties."""

    def __init__(self, adapter: str, secret: str, *, shared: bool) -> None:
        self._adapter, self._shared = adapter, shared
        self._secret = secret
        self._digest = "" if shared else digest(secret, scope=HOOK_SCOPE)

    def is_ours(self) -> bool:
        """Whether the address exists. Nothing is told to those who do not know it."""
        if self._shared:
            known = shared_secret(self._adapter)
            return bool(known) and compare_digest(known.encode(), self._secret.encode())
        return self._found(_BY_ADDRESS, self._digest) is not None

    def hook_of(self, hint: EventHint) -> _Hook | None:
        """The connection that an event is for, none for a property that is not connected here."""
        if self._shared:
            if hint.property_id:
                return self._found(_BY_PROPERTY, hint.property_id)
            return self._found(_BY_CONNECTION, hint.connection_ref) if hint.connection_ref else None
        hook = self._found(_BY_ADDRESS, self._digest)
        return hook if hook and hook.external_property_id == hint.property_id else None

    def _found(self, question: str, ref: str) -> _Hook | None:
        """Only what exists is remembered."""
        key = (self._adapter, question, ref)
        known = _hooks.get(key)
        if known is not None and known.until_s > time.monotonic():
            return known
        with connection.cursor() as cursor:
            cursor.execute(question, [ref, self._adapter])
            rows = cursor.fetchmany(2)
        if len(rows) != 1:
            _hooks.pop(key, None)
            return None
        row = rows[0]
        hook = _Hook(int(row[0]), int(row[1]), str(row[2]), time.monotonic() + REMEMBERED_S)
        _hooks[key] = hook
        return hook


def _refuse(address: _Address, text: str, status: int) -> HttpResponse:
    """Say what is wrong only to those who know the address."""
    try:
        if not address.is_ours():
            return HttpResponse(status=404)
    except DatabaseError:
        return HttpResponse(status=503)
    return HttpResponse(text, status=status)


_bell = Bell("pms.tasks.apply_inbox")
