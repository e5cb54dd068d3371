"""Chooses secrets: a Door Code that all doors of the key accept and no one else holds there, or a SmartKey's token.

A code is unique on a door over everyone who has it or may still have it on the lock. Random draws again within the
doors' common rules; Preferred falls back to Random and says so; Strict refuses and changes nothing.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from django.db.models import Q

from keys.ledger import next_mark
from keys.models import Assignment, Credential, Key, Person
from keys.past_models import FormerCode
from keys.refusal import Refused
from locks.drivers import Kind
from locks.history import current_label
from locks.models import Door
from locks.vault import Secret, digest

if TYPE_CHECKING:
    from keys.issuing import CredentialWish

TRIES = 200
RUNS = "01234567890", "09876543210"


@dataclass(frozen=True, slots=True)
class CodeRules:
    """What all doors of a key accept together; ``narrowest`` and ``widest`` are the doors that set the bounds."""

    shortest: int
    longest: int
    length: int
    narrowest: str
    widest: str
    room_numbers: frozenset[str]


def rules_for(key: Key) -> CodeRules:
    """The intersection of the rules of all doors of the key. Raises Refused when there is none."""
    doors = list(key.doors.filter(removed_at=None).select_related("door__lock"))
    locks = [(d.door.lock, d.door.name) for d in doors if hasattr(d.door, "lock")]
    shortest, demanding = max(
        ((lock.code_min, name) for lock, name in locks), default=(4, "the door")
    )
    longest, tightest = min(
        ((lock.code_max, name) for lock, name in locks), default=(12, "the door")
    )
    if shortest > longest:
        raise Refused(
            "doors",
            f"{demanding} needs at least {shortest} digits and {tightest} takes at most {longest}: "
            "no Door Code fits both, make two keys.",
        )
    wished = key.property.code_length
    return CodeRules(
        shortest,
        longest,
        min(max(wished, shortest), longest),
        tightest,
        demanding,
        frozenset(d.door.name for d in doors),
    )


def is_weak(code: str) -> bool:
    """Whether anyone would try this code first: one digit or pair repeated, or a run up or down."""
    halves = code[: len(code) // 2], code[len(code) // 2 :]
    return (
        len(set(code)) == 1
        or any(code in run for run in RUNS)
        or (len(code) % 2 == 0 and len(set(code)) == 2 and code == code[:2] * (len(code) // 2))
        or (len(code) >= 6 and halves[0] == halves[1])
    )


def check_code(code: str, rules: CodeRules) -> None:
    """Raise Refused, saying what is wrong and how to mend it, unless every door accepts this code."""
    if not code or not code.isascii() or not code.isdigit():
        raise Refused("code", "A Door Code has digits only: type the digits.")
    if len(code) < rules.shortest:
        raise Refused(
            "code", f"Too short for {rules.widest}: use at least {rules.shortest} digits."
        )
    if len(code) > rules.longest:
        raise Refused(
            "code", f"Too long for {rules.narrowest}: use at most {rules.longest} digits."
        )
    if is_weak(code) or code in rules.room_numbers:
        raise Refused("code", "Too easy to guess: avoid repeats, runs and the room number.")


def holder_of(
    *, key: Key, kind: str, secret_digest: str, except_credential: int | None = None
) -> Assignment | None:
    """Who holds this secret on one of the key's doors, or may still have it on the lock there."""
    doors = key.doors.filter(removed_at=None).values("door_id")
    taken = Assignment.objects.filter(
        Q(reserved_digest=secret_digest) | Q(lock_digest=secret_digest),
        door_id__in=doors,
        kind=kind,
    )
    if except_credential is not None:
        taken = taken.exclude(credential_id=except_credential)
    return taken.select_related("door", "key").first()


def draw(*, key: Key, person: Person, wish: CredentialWish, now: datetime) -> Credential:
    """Make the credential that was wished for. Raises Refused when it cannot be had as wished."""
    secret, note = _choose(key, wish, except_credential=None)
    credential = Credential(
        property_id=key.property_id,
        key=key,
        person=person,
        kind=wish.kind,
        policy=wish.policy,
        secret=secret,
        secret_digest=fingerprint(key.property_id, wish.kind, secret),
        note=note,
        drawn_at=now,
    )
    credential.save()
    return credential


def redraw(*, credential: Credential, wish: CredentialWish, now: datetime) -> None:
    """Give this credential another secret, on all doors. Raises Refused when it cannot be had as wished."""
    secret, note = _choose(credential.key, wish, except_credential=credential.pk)
    credential.policy = wish.policy
    _take(credential, secret, note, now=now)


def replace(*, credential: Credential, because: Door | None, now: datetime) -> None:
    """Draw again because a door cannot take the secret. Raises Refused for a Strict code, which is never replaced."""
    where = because.name if because else "a door of this key"
    if credential.policy == Credential.Policy.STRICT:
        raise Refused("code", f"This Strict code is taken on {where}: choose another code.")
    secret = _random(credential.key, Kind(credential.kind), except_credential=credential.pk)
    old = masked(credential.secret)
    _take(credential, secret, f"{old} was taken on {where}, {masked(secret)} used", now=now)


def fingerprint(property_id: int, kind: str, secret: str) -> str:
    """The digest by which equal secrets of one hotel are found."""
    return digest(secret, scope=f"{property_id}:{kind}")


def masked(secret: str) -> str:
    """A secret as notes and logs may show it: its last two characters."""
    return f"••{secret[-2:]}"


def _choose(key: Key, wish: CredentialWish, *, except_credential: int | None) -> tuple[str, str]:
    if wish.policy == Credential.Policy.RANDOM or wish.kind is Kind.SMARTKEY:
        return _random(key, wish.kind, except_credential=except_credential), ""
    if wish.kind is Kind.DOOR_CODE:
        check_code(wish.requested, rules_for(key))
    elif not wish.requested:
        raise Refused("code", "Give the number of the card.")
    taken = holder_of(
        key=key,
        kind=wish.kind,
        secret_digest=fingerprint(key.property_id, wish.kind, wish.requested),
        except_credential=except_credential,
    )
    if taken is None:
        return wish.requested, ""
    if wish.policy == Credential.Policy.STRICT:
        raise Refused(
            "code",
            f"This code is taken on {taken.door.name} by the key of {taken.key.label}: "
            "choose another code, or Preferred.",
        )
    secret = _random(key, wish.kind, except_credential=except_credential)
    return secret, f"{wish.requested} was taken on {taken.door.name}, {secret} used"


def _random(key: Key, kind: Kind, *, except_credential: int | None) -> str:
    rules = rules_for(key) if kind is Kind.DOOR_CODE else None
    for _ in range(TRIES):
        secret = _code(rules) if rules else secrets.token_urlsafe(24)
        if rules and (is_weak(secret) or secret in rules.room_numbers):
            continue
        found = fingerprint(key.property_id, kind, secret)
        if not holder_of(
            key=key, kind=kind, secret_digest=found, except_credential=except_credential
        ):
            return Secret(secret)
    raise Refused("code", "No free Door Code of this length: ask for more digits in Settings.")


def _code(rules: CodeRules) -> str:
    return "".join(secrets.choice("0123456789") for _ in range(rules.length))


def _take(credential: Credential, secret: str, note: str, *, now: datetime) -> None:
    FormerCode.objects.create(
        property_id=credential.property_id,
        credential=credential,
        digest=credential.secret_digest,
        since=credential.drawn_at,
        until=max(now, credential.drawn_at),
        by=current_label(),
    )
    credential.secret = secret
    credential.secret_digest = fingerprint(credential.key.property_id, credential.kind, secret)
    credential.revision += 1
    credential.note, credential.drawn_at = note, now
    credential.save()
    places = credential.assignments.select_for_update(of=("self",), no_key=True).order_by("id")
    for place in list(places):
        place.revision += 1
        place.next_attempt_at = next_mark(place.next_attempt_at, now)
        if place.reserved_digest is not None:
            place.reserved_digest = credential.secret_digest
        place.own_secret = None  # type: ignore[assignment]
        place.save(update_fields=["revision", "next_attempt_at", "reserved_digest", "own_secret"])
