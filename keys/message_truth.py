"""What may be said to a guest now: asks the one rule about every door of a credential, and says why when nothing may."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from keys.facts import Answer, answer, rows_of
from keys.message_words import Told
from keys.models import Assignment, Credential, KeychainDoor
from keys.rules import Hold, OnLock, Permission
from locks.clock import zone


@dataclass(frozen=True, slots=True, kw_only=True)
class Truth:
    """What could be said to the holder of a credential now; ``refusal`` says why nothing can be."""

    credential: Credential
    doors: str = ""
    told: Told | None = None
    refusal: str = ""


def truth_of(credential: Credential, *, why: str, now: datetime) -> Truth:
    """Ask the rule about every door of this credential. Four queries."""
    key = credential.key
    if key.revoked_at is not None or key.over_at <= now:
        return Truth(credential=credential, refusal="The key is over: nothing is sent.")
    doors = list(
        key.doors.filter(removed_at=None, leaving_since=None).select_related("door").order_by("id")
    )
    if not doors:
        return Truth(credential=credential, refusal="The key has no door yet.")
    held = [each.door.name for each in doors if not Permission(each.permission).is_on]
    if held:
        said = f"Allow Provisioning is off at {', '.join(held)}: nothing is sent for a held key."
        return Truth(credential=credential, refusal=said)
    places = Assignment.objects.filter(credential=credential, keychain_door__in=doors)
    own = set(places.filter(own_secret__isnull=False).values_list("keychain_door_id", flat=True))
    if own:
        names = ", ".join(each.door.name for each in doors if each.pk in own)
        said = f"The code was changed at the keypad of {names} and is kept there: a message would say another."
        return Truth(credential=credential, refusal=said)
    told = {row.keychain_door_id: answer(row, now=now) for row in rows_of(places)}
    waiting = [d.door.name for d in doors if d.pk not in told or not _is_ready(told[d.pk])]
    if waiting:
        said = f"The code is not confirmed on {', '.join(waiting)} yet: nothing is said that is not true on the lock."
        return Truth(credential=credential, refusal=said)
    return Truth(
        credential=credential,
        doors=",".join(str(door.door_id) for door in doors),
        told=_told(credential, doors, list(told.values()), why=why, now=now),
    )


def _is_ready(told: Answer) -> bool:
    """Whether the lock is confirmed to hold it, or nothing but its time is between them."""
    if told.facts.on_lock is OnLock.CURRENT:
        return not told.decision.holds
    return told.decision.holds == (Hold.NOT_DUE_YET,)


def _told(
    credential: Credential,
    doors: Sequence[KeychainDoor],
    answers: Sequence[Answer],
    *,
    why: str,
    now: datetime,
) -> Told:
    hotel = credential.key.property
    return Told(
        why=why,
        hotel=hotel.name,
        code=credential.secret,
        doors=tuple(door.door.name for door in doors),
        is_written_later=any(told.facts.on_lock is not OnLock.CURRENT for told in answers),
        starts_at=max(told.row.starts_at for told in answers),
        ends_at=min(told.row.ends_at for told in answers),
        zone=zone(hotel.timezone),
        now=now,
    )
