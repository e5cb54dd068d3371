"""Takes what a PMS announces into the inbox and answers at once: one insert, nothing believed.

Nobody signs these calls. The unguessable part of the address finds the integration; the body is only a hint at what to
read again, so whoever learns the address can at most make Portal read more. The worst answer here is a refusal.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from datetime import UTC, datetime
from typing import NamedTuple

from django.core.exceptions import SuspiciousOperation
from django.db import DatabaseError, connection
from django.http import HttpRequest, HttpResponse

from locks.bell import ring
from locks.vault import digest
from pms.adapters import EventHint, NoSuchPMS, NotUnderstood, load
from pms.connection import HOOK_SCOPE

log = logging.getLogger(__name__)
LARGEST = 256 * 1024
RING_EVERY_S = 0.1
REMEMBERED_S = 5.0
_INSERT = (
    "INSERT INTO pms_webhookevent (integration_id, event_key, event, entity, payload, received_at, "
    "tries, result) VALUES (%s, %s, %s, %s, %s, %s, 0, '') ON CONFLICT DO NOTHING"
)
_KNOWN = (
    "SELECT id, external_property_id FROM pms_integration WHERE hook_digest = %s AND adapter = %s"
)


def receive(request: HttpRequest, *, adapter: str, secret: str) -> HttpResponse:
    """Answer one webhook: 200 stored or known, 400 not understood, 403 another property, 404 nobody's address, 405 not
    a POST, 413 too large, 503 not now. It is stored before it is answered with 200."""
    if request.method != "POST":
        return HttpResponse(status=405, headers={"Allow": "POST"})
    found = digest(secret, scope=HOOK_SCOPE)
    try:
        return _take(request, adapter, found)
    except (NotUnderstood, ValueError, RecursionError, OSError, SuspiciousOperation):
        return _refuse(adapter, found, "This is not an event in JSON.", 400)
    except NoSuchPMS:
        return HttpResponse(status=404)
    except DatabaseError as error:
        log.warning("a webhook could not be stored: %s", type(error).__name__)
        return HttpResponse("Not now, send it again.", status=503, headers={"Retry-After": "30"})


def _take(request: HttpRequest, adapter: str, found: str) -> HttpResponse:
    vendor = load(adapter)
    if int(request.META.get("CONTENT_LENGTH") or 0) > LARGEST:
        return HttpResponse("At most 256 kB.", status=413)
    text = request.body.decode()
    body = json.loads(text)
    if not isinstance(body, dict):
        raise NotUnderstood("an event is an object")
    hint = vendor.read_event(body)
    hook = _hook(adapter, found)
    if hook is None:
        return HttpResponse(status=404)
    if hook.property_id != hint.property_id:
        return HttpResponse("This address belongs to another property.", status=403)
    if _stored(hint, text, hook.integration_id):
        _bell.strike()
    return HttpResponse(status=200)


def _stored(hint: EventHint, text: str, integration_id: int) -> bool:
    """Whether the event is new; a known one is as good as stored."""
    entity = f"{hint.subject.value}:{hint.ref}"
    at = connection.ops.adapt_datetimefield_value(datetime.now(UTC))
    with connection.cursor() as cursor:
        cursor.execute(_INSERT, [integration_id, hint.key, hint.event, entity, text, at])
        return bool(cursor.rowcount == 1)


class _Hook(NamedTuple):
    """Whose address it is, remembered by this process for a few seconds."""

    integration_id: int
    property_id: str
    until_s: float


_hooks: dict[tuple[str, str], _Hook] = {}


def _hook(adapter: str, found: str) -> _Hook | None:
    """The integration behind this address, none for nobody's. Only addresses that exist are remembered."""
    known = _hooks.get((adapter, found))
    if known is not None and known.until_s > time.monotonic():
        return known
    with connection.cursor() as cursor:
        cursor.execute(_KNOWN, [found, adapter])
        row = cursor.fetchone()
    if row is None:
        _hooks.pop((adapter, found), None)
        return None
    hook = _Hook(int(row[0]), str(row[1]), time.monotonic() + REMEMBERED_S)
    _hooks[adapter, found] = hook
    return hook


def _refuse(adapter: str, found: str, text: str, status: int) -> HttpResponse:
    """Say what is wrong only to those who know the address."""
    try:
        if _hook(adapter, found) is None:
            return HttpResponse(status=404)
    except DatabaseError:
        return HttpResponse(status=503)
    return HttpResponse(text, status=status)


class _Bell:
    """Tells a worker to look, at most ten times a second, from a thread of its own so that a broker in trouble slows no
    answer. The last event of a burst is told as well."""

    def __init__(self) -> None:
        self._news = threading.Event()
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None

    def strike(self) -> None:
        """Ring soon; returns at once."""
        self._news.set()
        if self._thread is None or not self._thread.is_alive():
            with self._starting:
                if self._thread is None or not self._thread.is_alive():
                    self._thread = threading.Thread(target=self._run, name="bell", daemon=True)
                    self._thread.start()

    def _run(self) -> None:
        while True:
            self._news.wait()
            self._news.clear()
            ring("pms.tasks.apply_inbox")
            time.sleep(RING_EVERY_S)


_bell = _Bell()
