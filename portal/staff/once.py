"""A form that makes something is taken once, however often it is sent: its token is spent in the session table.

A row there has a unique key, ends by itself and belongs to no one else; no other table is needed for it.
"""

from __future__ import annotations

import secrets
import time

from django.contrib.sessions.backends.base import CreateError
from django.contrib.sessions.backends.db import SessionStore

LASTS_S = 24 * 3600
WAIT_S = 5.0


def new_token() -> str:
    """A token for a form that is shown now."""
    return secrets.token_hex(12)


def spend(token: str) -> bool:
    """True for the first of any number of senders of this token."""
    store = _store(token)
    store["made"] = None
    store.set_expiry(LASTS_S)
    try:
        store.save(must_create=True)
    except CreateError:
        return False
    return True


def remember(token: str, made: int) -> None:
    """Say what came of it, for whoever sent the same form again."""
    store = _store(token)
    store["made"] = made
    store.set_expiry(LASTS_S)
    store.save()


def give_back(token: str) -> None:
    """Nothing was made: the corrected form may use the token again."""
    _store(token).delete(_name(token))


def made(token: str) -> int | None:
    """What the first sender made, waiting a little for one that is still at it; none if nothing came of it."""
    until = time.monotonic() + WAIT_S
    while time.monotonic() < until:
        found: int | None = _store(token).load().get("made")
        if found is not None:
            return found
        time.sleep(0.05)
    return None


def _name(token: str) -> str:
    return f"once-{''.join(c for c in token if c.isalnum())[:32]}"


def _store(token: str) -> SessionStore:
    return SessionStore(session_key=_name(token))
