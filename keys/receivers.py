"""Listens to the signals of the apps below: marks rows inside the sender's transaction and rings the bell after it.

The one exception is a refused code: only its digest is matched, here and at once, because not even a digest of a code
may travel through the broker.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from django.db import transaction
from django.dispatch import receiver

from keys import provisioning
from keys.typed_codes import whose_codes
from locks.bell import ring
from locks.clock import database_now
from locks.crediting import Typed, codes_known_by
from locks.signals import lock_reported
from pms.signals import connection_changed, reservation_changed

codes_known_by(whose_codes)


@receiver(reservation_changed)
def follow_soon(**_: Any) -> None:
    """Reservations changed: their keys follow."""
    transaction.on_commit(partial(ring, "keys.tasks.follow_reservations"))


@receiver(connection_changed)
def decide_again_soon(*, property_id: int, **_: Any) -> None:
    """A connection broke or came back: what is known of check-ins changed."""
    provisioning.ask_again(property_id=property_id, now=database_now())
    transaction.on_commit(partial(ring, "keys.tasks.look_now"))


@receiver(lock_reported)
def look_soon(
    *, lock_ids: Sequence[int], used: Sequence[str], typed: Sequence[Typed], **_: Any
) -> None:
    """A lock came back, changed, opened for someone or refused a code."""
    now = database_now()
    if lock_ids:
        provisioning.mark_due(lock_ids=lock_ids, now=now)
    if used:
        provisioning.mark_used(handles=used, now=now)
    if typed:
        provisioning.code_was_typed(typed=typed, now=now)
    if lock_ids:
        transaction.on_commit(partial(ring, "keys.tasks.look_now"))
