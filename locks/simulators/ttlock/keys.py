"""eKeys and cards of the cloud API.

TTLock documents, en/cloud/ekey/send, status and recurringAndOneTimeEkey, and cloud/card/add. An eKey lives in the cloud
and in the receiver's app; the lock is not asked. A card is written to the lock.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from locks.simulators.ttlock.access import Asked
from locks.simulators.ttlock.lock import Lock
from locks.simulators.ttlock.radio import command
from locks.simulators.ttlock.words import Err, Refusal
from locks.simulators.ttlock.world import Entry, Token, World

Json = dict[str, Any]
NORMAL, FROZEN = "110401", "110405"
BY_PHONE, BY_GATEWAY = 1, 2
DONE = Refusal(Err.OK).body()


# eKeys.


async def send(world: World, asked: Asked, token: Token) -> Json:
    """key/send: one eKey per receiver and lock; a second one takes the place of the first, under a new number."""
    lock, receiver = asked.lock(world), asked.text("receiverUsername")
    if receiver == token.username:
        raise Refusal(Err.EKEY_TO_ONESELF)
    if receiver not in world.account.receivers:
        if asked.whole("createUser", 2) != 1:
            raise Refusal(Err.NO_RECEIVER)
        know_receiver(world, receiver)
    for old in world.entries(lock.id, "ekey"):
        if old.value == receiver:
            world.strike(old)
    entry = Entry(
        id=world.next_number(), kind="ekey", lock=lock.id, value=receiver,
        name=asked.text("keyName"), start_ms=asked.whole("startDate"),
        end_ms=asked.whole("endDate"), sent_ms=world.now_ms(), sender=token.username,
        remote=asked.whole("remoteEnable", 2),
    )  # fmt: skip
    world.write(entry)
    return {"keyId": entry.id}


def know_receiver(world: World, receiver: str) -> None:
    """Someone has the app now."""
    world.account.receivers.add(receiver)
    world.set("receivers", sorted(world.account.receivers))


async def change_key(world: World, asked: Asked, token: Token) -> Json:
    """key/changePeriod: other times."""
    entry = _key(world, asked)
    start, end = asked.whole("startDate"), asked.whole("endDate")
    world.write(replace(entry, start_ms=start, end_ms=end))
    return DONE


async def freeze(world: World, asked: Asked, token: Token) -> Json:
    """key/freeze: it opens nothing until it is thawed."""
    world.write(replace(_key(world, asked), status=FROZEN))
    return DONE


async def unfreeze(world: World, asked: Asked, token: Token) -> Json:
    """key/unfreeze."""
    world.write(replace(_key(world, asked), status=NORMAL))
    return DONE


async def delete_key(world: World, asked: Asked, token: Token) -> Json:
    """key/delete."""
    world.strike(_key(world, asked))
    return DONE


def _key(world: World, asked: Asked) -> Entry:
    entry = world.book.get(asked.whole("keyId"))
    if entry is None or entry.kind != "ekey":
        raise Refusal(Err.NO_EKEY)
    return entry


async def list_keys(world: World, asked: Asked, token: Token) -> Json:
    """lock/listKey: the eKeys of a lock; ``searchStr`` is a part of the receiver or the name [chosen]."""
    word = asked.text("searchStr", default="").lower()
    found = [
        {
            "keyId": e.id, "lockId": e.lock, "username": e.value, "keyName": e.name,
            "startDate": e.start_ms, "endDate": e.end_ms, "keyStatus": e.status,
            "remoteEnable": e.remote, "senderUsername": e.sender, "date": e.sent_ms,
        }
        for e in world.entries(asked.lock(world).id, "ekey")
        if word in f"{e.value} {e.name}".lower()
    ]  # fmt: skip
    return asked.page(found)


# Cards.


async def add_card(world: World, asked: Asked, token: Token) -> Json:
    """identityCard/add: the number as the reader of the lock reads it."""
    return await _add_card(world, asked, token, asked.text("cardNumber"))


async def add_reversed_card(world: World, asked: Asked, token: Token) -> Json:
    """identityCard/addForReversedCardNumber: the four bytes of the number the other way round."""
    number = asked.whole("cardNumber")
    if not 0 < number < 1 << 32:
        raise Refusal(Err.INVALID_PARAMETER)
    turned = int.from_bytes(number.to_bytes(4, "big"), "little")
    return await _add_card(world, asked, token, str(turned))


async def _add_card(world: World, asked: Asked, token: Token, number: str) -> Json:
    lock = asked.lock(world)
    start, end = asked.whole("startDate", 0), asked.whole("endDate", 0)
    if not number.isdigit() or (end and end <= start):
        raise Refusal(Err.INVALID_PARAMETER)
    same = next((e for e in world.entries(lock.id, "card") if e.value == number), None)
    entry = Entry(
        id=same.id if same else world.next_number(), kind="card", lock=lock.id, value=number,
        name=asked.text("cardName", default=number), start_ms=start, end_ms=end,
        sent_ms=world.now_ms(), sender=token.username,
    )  # fmt: skip

    def in_book() -> Json:
        return {"cardId": world.write(entry).id}

    def work() -> Json:
        lock.add_card(number, ref=entry.id, start_ms=start, end_ms=end)
        return in_book()

    return await _by(world, lock, asked.whole("addType", BY_PHONE), work, in_book)


async def change_card(world: World, asked: Asked, token: Token) -> Json:
    """identityCard/changePeriod."""
    lock = asked.lock(world)
    start, end = asked.whole("startDate"), asked.whole("endDate")
    entry = replace(_card(world, asked, lock), start_ms=start, end_ms=end)

    def in_book() -> Json:
        world.write(entry)
        return DONE

    def work() -> Json:
        lock.add_card(entry.value, ref=entry.id, start_ms=start, end_ms=end)
        return in_book()

    return await _by(world, lock, asked.whole("changeType", BY_PHONE), work, in_book)


async def delete_card(world: World, asked: Asked, token: Token) -> Json:
    """identityCard/delete."""
    lock = asked.lock(world)
    entry = _card(world, asked, lock)

    def in_book() -> Json:
        world.strike(entry)
        return DONE

    def work() -> Json:
        lock.forget("card", entry.value)
        return in_book()

    return await _by(world, lock, asked.whole("deleteType", BY_PHONE), work, in_book)


async def _by(world: World, lock: Lock, way: int, work: Any, in_book: Any) -> Json:
    if way == BY_PHONE:
        done: Json = in_book()
        return done
    if way != BY_GATEWAY:
        raise Refusal(Err.NOT_SUPPORTED)
    return await command(world, lock, work, in_book=in_book)


def _card(world: World, asked: Asked, lock: Lock) -> Entry:
    entry = world.book.get(asked.whole("cardId"))
    if entry is None or (entry.kind, entry.lock) != ("card", lock.id):
        raise Refusal(Err.NO_CARD)
    return entry


async def list_cards(world: World, asked: Asked, token: Token) -> Json:
    """identityCard/list: the book; ``searchStr`` is a card's number or a part of its name."""
    word = asked.text("searchStr", default="").lower()
    found = [
        {
            "cardId": e.id, "lockId": e.lock, "cardNumber": e.value, "cardName": e.name,
            "startDate": e.start_ms, "endDate": e.end_ms, "createDate": e.sent_ms,
            "senderUsername": e.sender,
        }
        for e in world.entries(asked.lock(world).id, "card")
        if word in f"{e.value} {e.name}".lower()
    ]  # fmt: skip
    return asked.page(found)
