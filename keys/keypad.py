"""A guest's code that was changed at a lock's keypad: put back, or kept on that lock, as the property chose.

Kept is only what the lock shows and what belongs to a guest who may enter now; never that of someone who was revoked. A
lock that hides its codes cannot tell the new one: what is there stays as it is until Portal writes there again, which
brings ours back.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime

from django.db import IntegrityError, transaction
from django.db.models import F, Q, QuerySet

from keys.allocation import fingerprint, masked
from keys.facts import Row, answer, is_over
from keys.ledger import mark
from keys.models import Assignment
from keys.outcomes import handle, line_of, matches
from keys.rules import OnLock, Phase
from locks import doorlog
from locks.drivers import Held, Kind
from locks.log_models import LogCode
from locks.models import Property
from locks.pulse import bump

log = logging.getLogger(__name__)
HONOR, RESTORE = Property.KeypadChanges.HONOR, Property.KeypadChanges.RESTORE


def kept(
    rows: Sequence[tuple[Row, str]], held: Sequence[Held], *, now: datetime
) -> list[tuple[Row, str]]:
    """The rows of a lock with the secrets that it is to hold, after what was read of it: codes that were changed at the
    keypad are theirs from now on, where the property keeps such."""
    there: dict[str, list[Held]] = {}
    for each in held:
        there.setdefault(each.handle, []).append(each)
    found: list[tuple[Row, str]] = []
    for row, secret in rows:
        new = _new_code(row, secret, there.get(handle(row), ()), now)
        found.append((row, new if new and _keep(row, new, now=now) else secret))
    return found


def caution(names: Sequence[str]) -> str:
    """What staff must know of codes of these people that are another at this lock; empty for none."""
    if not names:
        return ""
    return (
        f"Changed outside: the Door Code of {', '.join(names)} was changed at the keypad and is kept here; it is not the one "
        "that Portal shows."
    )


def own_codes(hotel: Property, *, now: datetime) -> QuerySet[Assignment]:
    """The places whose locks have a code of the keypad's, of keys that are not over."""
    return Assignment.objects.filter(
        property=hotel,
        own_secret__isnull=False,
        reserved_digest__isnull=False,
        ends_at__gt=now,
        credential__retired_at=None,
        key__revoked_at=None,
        key__departed_at=None,
    )


def put_back(hotel: Property, *, now: datetime) -> None:
    """Let the codes of the keys count again at every lock. Where another guest was given that code at the door meanwhile,
    what was set at the keypad stays."""
    places = own_codes(hotel, now=now).select_related("credential")
    for place in list(places.order_by("id")):
        try:
            with transaction.atomic():
                mark(
                    Assignment.objects.filter(pk=place.pk),
                    now=now,
                    own_secret=None,
                    reserved_digest=place.credential.secret_digest,
                    revision=F("revision") + 1,
                )
        except IntegrityError:
            log.warning("our code is taken at the door of place %s: the other stays", place.pk)


def _new_code(row: Row, secret: str, there: Sequence[Held], now: datetime) -> str:
    """The code that took the place of ours, of a guest who may enter and whose window the lock still has."""
    if len(there) != 1 or row.kind != Kind.DOOR_CODE or is_over(row):
        return ""
    new = there[0].secret
    if not new or new == secret or not matches(row, there[0], new):
        return ""
    told = answer(row, now=now)
    in_step = told.facts.on_lock is OnLock.CURRENT and not told.decision.holds
    return new if in_step and told.facts.phase is not Phase.OVER else ""


def _keep(row: Row, new: str, *, now: datetime) -> bool:
    """Make the code that of this place. False where the property does not want it, or another guest has it at the door."""
    wants = Property.objects.filter(pk=row.property_id, keypad_changes=HONOR)
    if not wants.exists():
        return False
    mine = fingerprint(row.property_id, Kind.DOOR_CODE, new)
    others = Assignment.objects.filter(
        Q(reserved_digest=mine) | Q(lock_digest=mine), door_id=row.door_id
    )
    if others.exclude(pk=row.id).exists():
        return False
    same = Assignment.objects.filter(
        pk=row.id, revision=row.revision, written_revision=row.revision, sent_revision=None
    )
    try:
        with transaction.atomic():
            if not same.exclude(reserved_digest=None).update(
                own_secret=new, reserved_digest=mine, lock_digest=mine
            ):
                return False
            line = line_of(row, LogCode.KEPT, now, cause="changed_outside")
            doorlog.append([line._replace(hint=masked(new))])
            bump([row.property_id])
    except IntegrityError:  # given to another guest at this moment
        return False
    log.info("a code that was changed at lock %s is kept", row.lock_id)
    return True
