"""A form that makes something is taken once, however often it is sent: its token is spent in the session table.

A row there has a unique key, ends by itself and belongs to no one else; no other table is needed for it.
"""

from __future__ import annotations

import secrets
import time
from datetime import datetime, timedelta

from django.contrib.sessions.backends.db import SessionStore
from django.contrib.sessions.models import Session
from django.db import IntegrityError, transaction

LASTS = timedelta(days=1)
WAIT_S = 5.0


def new_token() -> str:
    """A token for a form that is shown now."""
    return secrets.token_hex(12)


def spend(token: str, *, now: datetime) -> bool:
    """True for the first of any number of senders of this token."""
    try:
        with transaction.atomic():
            Session.objects.create(
                session_key=_name(token), session_data=_said(None), expire_date=now + LASTS
            )
    except IntegrityError:
        return False
    return True


def remember(token: str, made: int) -> None:
    """Say what came of it, for whoever sent the same form again."""
    Session.objects.filter(session_key=_name(token)).update(session_data=_said(made))


def give_back(token: str) -> None:
    """Nothing was made: the corrected form may use the token again."""
    Session.objects.filter(session_key=_name(token)).delete()


def made(token: str) -> int | None:
    """What the first sender made, waiting a little for one that is still at it; none if nothing came of it."""
    until = time.monotonic() + WAIT_S
    while time.monotonic() < until:
        row = Session.objects.filter(session_key=_name(token)).first()
        if row is None:
            return None
        found: int | None = row.get_decoded().get("made")
        if found is not None:
            return found
        time.sleep(0.05)
    return None


def _name(token: str) -> str:
    return f"once-{''.join(c for c in token if c.isalnum())[:32]}"


def _said(made: int | None) -> str:
    return SessionStore().encode({"made": made})
