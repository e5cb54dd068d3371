"""Keycards written at an encoder: which cards are free, having one written, and what follows when it was.

The row is the queue. A card becomes its person's only when the encoder has confirmed it; the one before is then taken away,
which blocks it on every door or leaves it among those that should be gone until the lock confirms it. An attempt whose
worker died is not made again: somebody stands at the encoder, and may have put another card on it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from time import monotonic

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Q

from keys import allocation
from keys.encoding_models import CardEncoding
from keys.keychain import CredentialWish, changed, locked, place
from keys.ledger import mark
from keys.lock_calls import LockCalls, open_account
from keys.models import Assignment, Credential, Key, Person
from keys.past_models import FormerCode
from keys.refusal import Refused
from keys.wording import problem_text
from locks import doorlog
from locks.bell import ring
from locks.drivers import (
    CardStock,
    Cause,
    Driver,
    Encodes,
    Kind,
    LockError,
    Outcome,
    Result,
    Retry,
    Scope,
)
from locks.history import Actor, Source, acting
from locks.log_models import LogCode
from locks.models import KindChoice, LockAccount
from locks.pulse import bump
from locks.vendors import REGISTRY, vendor

BELL = "keys.tasks.encode_cards"
TAKEN_LASTS = timedelta(minutes=2)
PATIENCE_S = 8.0
TOO_SLOW = LockError(
    cause=Cause.ENCODER_UNREACHABLE,
    retry=Retry.SOON,
    scope=Scope.ACCOUNT,
)
KEYCARD = KindChoice.KEYCARD.value


def encoder_of(key: Key) -> LockAccount | None:
    """The account whose encoder writes cards for this key: that of a lock on its doors which takes keycards."""
    with_encoder = [name for name in REGISTRY if vendor(name).encodes]
    return (
        LockAccount.objects.filter(
            property_id=key.property_id,
            driver__in=with_encoder,
            locks__takes_keycards=True,
            locks__door__keychain_doors__key=key,
            locks__door__keychain_doors__removed_at=None,
        )
        .exclude(state=LockAccount.State.DISCONNECTED)
        .order_by("id")
        .first()
    )


def unused_cards(*, key: Key, account: LockAccount, now: datetime) -> CardStock:
    """The encoder's cards that nobody holds: none that is given out, may still open a lock, or was replaced as lost.

    Asks the lock system, for at most eight seconds.
    """
    stock = asyncio.run(_stock(account))
    if stock.error is not None:
        return stock
    return CardStock(cards=tuple(card for card in stock.cards if _is_unused(key, card, now=now)))


async def _stock(account: LockAccount) -> CardStock:
    driver = open_account(account)
    try:
        if not isinstance(driver, Encodes):
            return CardStock()
        async with asyncio.timeout(PATIENCE_S):
            return await driver.cards()
    except TimeoutError:
        return CardStock(error=TOO_SLOW)
    finally:
        await driver.close()


def _is_unused(key: Key, card: str, *, now: datetime) -> bool:
    found = allocation.fingerprint(key.property_id, Kind.KEYCARD, card)
    mine = Q(reserved_digest=found) | Q(lock_digest=found)
    hotel = key.property_id
    held = Credential.objects.filter(property_id=hotel, secret_digest=found, kind=KEYCARD)
    return not (
        Assignment.objects.filter(mine, property_id=hotel, kind=KEYCARD).exists()
        or held.filter(retired_at__isnull=False).exists()
        or held.filter(key__revoked_at=None, key__departed_at=None, key__ends_at__gt=now).exists()
        or FormerCode.objects.filter(property_id=hotel, digest=found).exists()
    )


def ask(
    *, person: Person, account: LockAccount, card: str, is_lost: bool, by: Actor, now: datetime
) -> CardEncoding:
    """Have this card written for this person. Raises Refused.

    ``is_lost`` blocks the card that the person has at once, whatever becomes of the new one. One card lies on an encoder
    at a time.
    """
    with transaction.atomic(), acting(by):
        key = locked(person.key)
        _check(key, person, card, now)
        if is_lost:
            _take_away(person, now=now)
        row = CardEncoding(
            property_id=key.property_id,
            account=account,
            key=key,
            person=person,
            card=card,
            hint=allocation.masked(card),
            asked_by=by.label[:120],
            asked_at=now,
        )
        try:
            with transaction.atomic():
                row.save()
        except IntegrityError:
            raise Refused("card", "The encoder is at work on another card: try again.") from None
        changed(key.property_id)
        transaction.on_commit(partial(ring, BELL))
    return row


def _check(key: Key, person: Person, card: str, now: datetime) -> None:
    over = key.revoked_at or key.departed_at or key.ends_at <= now
    if over or not Person.objects.filter(pk=person.pk, removed_at=None).exists():
        raise Refused("key", "This key is over: no card can be made for it.")
    if not card or not _is_unused(key, card, now=now):
        raise Refused("card", "This card is in use, or was replaced: take another one.")


def _take_away(person: Person, *, now: datetime) -> None:
    """Block the card that the person has; it is among those that should be gone until each lock confirms it."""
    for old in person.credentials.filter(kind=KEYCARD, retired_at=None):
        old.retired_at = now
        old.save()
        mark(old.assignments.all(), now=now)


def run_due(*, now: datetime, open_account: Callable[[LockAccount], Driver] = open_account) -> int:
    """Write the cards that were asked for. Returns how many attempts ended."""
    rows = CardEncoding.objects.filter(ended_at=None).select_related("account", "key", "person")
    done, began = 0, monotonic()
    for row in rows.order_by("asked_at"):
        now, began = now + timedelta(seconds=monotonic() - began), monotonic()
        if row.taken_at is not None:
            if row.taken_at < now - TAKEN_LASTS:
                _settle(row, Outcome(result=Result.UNKNOWN), now=now)
                done += 1
            continue
        if CardEncoding.objects.filter(pk=row.pk, taken_at=None).update(taken_at=now):
            _settle(row, asyncio.run(_encode(row, open_account)), now=now)
            done += 1
    return done


async def _encode(row: CardEncoding, open_account: Callable[[LockAccount], Driver]) -> Outcome:
    calls = LockCalls(settings.DRIVER_TIMEOUT_S, open_account)
    try:
        calls.hold(row.account)
        return await calls.encode(row.account_id, row.card)
    finally:
        await calls.close()


def _settle(row: CardEncoding, outcome: Outcome, *, now: datetime) -> None:
    """End the attempt as the encoder answered; only what is confirmed gives the card to its person."""
    cause = outcome.error.cause.value if outcome.error else ""
    result = CardEncoding.Result.UNKNOWN
    if outcome.result is Result.FAILED:
        result = CardEncoding.Result.FAILED
    by = Actor(source=Source.SYSTEM, label=row.asked_by)
    with transaction.atomic(), acting(by):
        locked(row.key)
        mine = CardEncoding.objects.select_for_update(no_key=True).filter(pk=row.pk, ended_at=None)
        if not mine.exists():
            return
        if outcome.result is Result.CONFIRMED:
            cause = _give(row, now=now)
            result = CardEncoding.Result.FAILED if cause else CardEncoding.Result.CONFIRMED
        CardEncoding.objects.filter(pk=row.pk).update(
            ended_at=now, result=result, cause=cause, card=""
        )
        _log(row, result, cause, now=now)
        bump([row.property_id])


def _give(row: CardEncoding, *, now: datetime) -> str:
    """Make the card the person's on all doors of the key, instead of the one before. Returns why that cannot be."""
    key = locked(row.key)
    wish = CredentialWish(kind=Kind.KEYCARD, policy=Credential.Policy.STRICT, requested=row.card)
    try:
        _check(key, row.person, row.card, now)
        with transaction.atomic():
            _take_away(row.person, now=now)
            allocation.draw(key=key, person=row.person, wish=wish, now=now)
            place(key, now=now)
    except Refused as refused:
        return "card_taken" if refused.field in {"card", "code"} else "key_is_over"
    changed(key.property_id)
    return ""


def _log(row: CardEncoding, result: str, cause: str, *, now: datetime) -> None:
    """A line at every door of the key that takes keycards."""
    done = result == CardEncoding.Result.CONFIRMED
    code = LogCode.CARD_ENCODED if done else LogCode.CARD_FAILED
    said = "" if done else cause or "not_confirmed"
    doors = row.key.doors.filter(removed_at=None, door__lock__takes_keycards=True)
    lines = [
        doorlog.lock_line(part.door.lock, code, now)._replace(
            key_id=row.key_id, kind=KEYCARD, cause=said, hint=row.hint, actor=row.asked_by
        )
        for part in doors.select_related("door__lock").order_by("id")
    ]
    doorlog.append(lines)


def said(attempt: CardEncoding) -> str:
    """How an attempt stands, as the encoder answered it and no better."""
    if attempt.ended_at is None:
        return f"Card {attempt.hint} is being written. Leave it on the encoder."
    if attempt.result == CardEncoding.Result.CONFIRMED:
        return f"Card {attempt.hint} was encoded. The key’s page says on which doors it is."
    if attempt.result == CardEncoding.Result.UNKNOWN:
        return f"No answer from the encoder: card {attempt.hint} was not given out. Try again."
    cause = problem_text(attempt.cause)
    return f"Card {attempt.hint} was not encoded: {cause}. It was not given out. Try again."
