"""Takes what a PMS announces into the inbox and answers at once: one look-up, one insert, nothing believed.

Nobody signs these calls. The unguessable part of the address finds the integration; the body is only a hint at what to
read again, so whoever learns the address can at most make Portal read more. The worst answer here is a refusal.
"""

from __future__ import annotations

import json
import logging
import threading
from time import monotonic

from django.db import DatabaseError, connection
from django.http import HttpRequest, HttpResponse

from locks.bell import ring
from locks.clock import database_now
from locks.vault import digest
from pms.adapters import NoSuchPMS, NotUnderstood
from pms.connection import HOOK_SCOPE, adapter_of

log = logging.getLogger(__name__)
LARGEST = 256 * 1024
RING_EVERY_S = 0.1
_INSERT = (
    "INSERT INTO pms_webhookevent (integration_id, event_key, event, entity, payload, received_at, "
    "tries, result) SELECT i.id, %s, %s, %s, %s, %s, 0, '' FROM pms_integration i "
    "WHERE i.hook_digest = %s AND i.adapter = %s AND i.external_property_id IN ('', %s) "
    "ON CONFLICT DO NOTHING"
)
_KNOWN = "SELECT external_property_id FROM pms_integration WHERE hook_digest = %s AND adapter = %s"


def receive(request: HttpRequest, *, adapter: str, secret: str) -> HttpResponse:
    """Answer one webhook: 200 stored or known, 400 not understood, 404 nobody's address, 413 too large, 503 not now."""
    if request.method != "POST":
        return HttpResponse(status=405, headers={"Allow": "POST"})
    try:
        length = int(request.META.get("CONTENT_LENGTH") or 0)
    except ValueError:
        return HttpResponse("The length is not a number.", status=400)
    if length > LARGEST:
        return HttpResponse("At most 256 kB.", status=413)
    try:
        hint = adapter_of(adapter).read_event(_body(request))
    except (NoSuchPMS, AttributeError):
        return HttpResponse(status=404)
    except (NotUnderstood, ValueError, RecursionError, UnicodeError):
        return _unless_unknown(adapter, secret, "Not an event in JSON.")
    found = digest(secret, scope=HOOK_SCOPE)
    entity = f"{hint.subject.value}:{hint.ref}"
    values = [hint.key, hint.event, entity[:80], "", _stored_now()]
    try:
        with connection.cursor() as cursor:
            cursor.execute(_INSERT, [*values, found, adapter, hint.property_id])
            stored = cursor.rowcount
            expected = hint.property_id if stored else _property_of(cursor, found, adapter)
    except DatabaseError:
        log.warning("a webhook could not be stored")
        return HttpResponse("Not now, send it again.", status=503, headers={"Retry-After": "30"})
    if expected is None:
        return HttpResponse(status=404)
    if expected not in {"", hint.property_id}:
        return HttpResponse("This address belongs to another property.", status=403)
    if stored:
        _ring()
    return HttpResponse(status=200)


def _body(request: HttpRequest) -> dict[str, object]:
    body = json.loads(request.body)
    if not isinstance(body, dict):
        raise NotUnderstood("an event is an object")
    return body


def _stored_now() -> object:
    """The time of receipt as this database stores it."""
    return connection.ops.adapt_datetimefield_value(database_now())


def _property_of(cursor: object, found: str, adapter: str) -> str | None:
    """The PMS's property behind this address, none for nobody's address."""
    cursor.execute(_KNOWN, [found, adapter])  # type: ignore[attr-defined]
    row = cursor.fetchone()  # type: ignore[attr-defined]
    return None if row is None else str(row[0])


def _unless_unknown(adapter: str, secret: str, text: str) -> HttpResponse:
    """Say what is wrong only to those who know the address."""
    try:
        with connection.cursor() as cursor:
            if _property_of(cursor, digest(secret, scope=HOOK_SCOPE), adapter) is not None:
                return HttpResponse(text, status=400)
    except DatabaseError:
        return HttpResponse(status=503)
    return HttpResponse(status=404)


_last_ring = 0.0
_ringing = threading.Lock()


def _ring() -> None:
    """Tell a worker, at most ten times a second and never in the way of the answer; the sweep finds what is not told."""
    global _last_ring  # noqa: PLW0603 - one bell per process
    if monotonic() - _last_ring < RING_EVERY_S or not _ringing.acquire(blocking=False):
        return
    _last_ring = monotonic()
    threading.Thread(target=_ring_and_free, daemon=True).start()


def _ring_and_free() -> None:
    try:
        ring("pms.tasks.apply_inbox")
    finally:
        _ringing.release()
